//! What the lexicon is worth on labelled texts that it was not made from.

use pmax::signals::{Mood, Sentiment};
use pmax::stats;

use crate::support::shared;

/// The cells of a line with quotes.
fn cells(line: &str) -> (String, String) {
    let (text, label) = line.rsplit_once(',').unwrap();
    (text.trim_matches('"').replace("\"\"", "\""), label.trim().to_owned())
}

/// 167 short texts, three classes; the largest has 59. Published for such tests, and too few to be a benchmark.
#[test]
fn the_lexicon_beats_naming_the_largest_class() {
    let Some(folder) = shared() else { return };
    let text = std::fs::read_to_string(folder.join("data/from-repos/news/twitter_financial_news_sample.csv")).unwrap();
    let rows: Vec<(String, String)> = text.lines().skip(1).filter(|line| !line.is_empty()).map(cells).collect();
    let classes = [Mood::Bearish, Mood::Neutral, Mood::Bullish];
    let mut table = [[0_u64; 3]; 3];
    for (text, label) in &rows {
        let said = Sentiment::read(text).mood;
        let place = |word: &str| classes.iter().position(|mood| mood.word() == word).unwrap();
        table[place(label)][place(said.word())] += 1;
    }
    let right: u64 = (0..3).map(|class| table[class][class]).sum();
    let largest = table.iter().map(|row| row.iter().sum::<u64>()).max().unwrap();
    let total = rows.len() as u64;
    let interval = stats::wilson_95(right, total).unwrap();
    println!(
        "{right} of {total} right ({:.1} %, 95 % {:.1} to {:.1}); rows are labels bearish, neutral, bullish: {table:?}",
        right as f64 / total as f64 * 100.0,
        interval.low * 100.0,
        interval.high * 100.0
    );
    assert_eq!((total, largest), (167, 59));
    assert!(interval.low > largest as f64 / total as f64, "{table:?}");
}
