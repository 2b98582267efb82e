//! Scorecards of signals, and how good the chances are that were stated for them.

use crate::domain::{InstrumentTable, Verdict, counted};
use crate::report::Block;
use crate::report::charts::{BAD, INK};
use crate::report::words::{chance, number, percent, percents};
use crate::signals::{By, Card, Forecasts, Key, LEARNT_FROM, Scores};
use crate::stats::Interval;

/// One table for each key, and the calibration of all chances as a drawing.
pub(super) fn scorecards(scores: &Scores, instruments: &InstrumentTable) -> Vec<Block> {
    let mut blocks = vec![Block::Words(format!(
        "Every signal whose horizon has ended, refused ones too, after the cost of both sides. Spans follow one another; intervals of means take \
         only those as independent. PASS and FAIL hold however often one looks, from {LEARNT_FROM} spans on. A chance is learnt from signals of \
         its source that had ended by then."
    ))];
    for by in By::ALL {
        let head = [
            by.word(),
            "signals",
            "spans",
            "right",
            "always up",
            "after cost",
            "95 %",
            "verdict",
            "profit factor",
            "Brier",
            "without skill",
        ];
        let rows = scores.cards(by).iter().map(|(key, card)| row(*key, card, instruments)).collect();
        blocks.push(Block::table(&head, rows));
    }
    blocks.push(calibration(scores.card(|_| true).forecasts.as_ref()));
    blocks
}

fn row(key: Key, card: &Card, instruments: &InstrumentTable) -> Vec<String> {
    let forecasts = card.forecasts.as_ref();
    let score = |value: Option<f64>| value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.4}"));
    vec![
        key.words(|id| instruments.symbol(id)),
        format!("{} of {}", card.right.of, card.signals),
        card.independent.to_string(),
        chance(card.right.rate()),
        chance(card.rose.rate()),
        percent(card.expectancy),
        percents(card.expectancy_interval.map(ends)),
        word(card.verdict).to_owned(),
        number(card.profit_factor),
        score(forecasts.map(|forecasts| forecasts.brier)),
        score(forecasts.map(|forecasts| forecasts.base)),
    ]
}

const fn ends(interval: Interval) -> (f64, f64) {
    (interval.low, interval.high)
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Warn | Verdict::NotProven => "NOT PROVEN",
    }
}

fn calibration(forecasts: Option<&Forecasts>) -> Block {
    let title = "Calibration".to_owned();
    let Some(forecasts) = forecasts else {
        let caption = format!("No chance was stated: a source needs {LEARNT_FROM} signals that have ended.");
        return Block::Picture { title, svg: String::new(), caption };
    };
    let caption = format!(
        "{}: what was said against what came true, in groups of equally many, with 95 % intervals as if signals were independent. On the \
         diagonal a chance is what it says. Brier score {:.4}, of the share that had been right before {:.4}.",
        counted(forecasts.calls, "stated chance"),
        forecasts.brier,
        forecasts.base
    );
    Block::Picture { title, svg: drawn(forecasts), caption }
}

/// A square with the diagonal, from no chance to certainty.
fn drawn(forecasts: &Forecasts) -> String {
    const LEFT: f64 = 64.0;
    const SIDE: f64 = 260.0;
    let x = |share: f64| LEFT + SIDE * share;
    let y = |share: f64| 10.0 + SIDE * (1.0 - share);
    let mut inside = format!(
        r##"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="#777" stroke-dasharray="5 3"/>"##,
        x(0.0),
        y(0.0),
        x(1.0),
        y(1.0)
    );
    for (share, label) in [(0.0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1.0, "100 %")] {
        inside += &format!(
            r##"<line x1="{:.1}" x2="{:.1}" y1="{:.1}" y2="{:.1}" stroke="#e3e6ea"/>"##,
            x(0.0),
            x(1.0),
            y(share),
            y(share)
        );
        inside +=
            &format!(r##"<text x="{:.0}" y="{:.1}" text-anchor="end" fill="#555">{label}</text>"##, LEFT - 6.0, y(share) + 4.0);
        inside +=
            &format!(r##"<text x="{:.1}" y="{:.0}" text-anchor="middle" fill="#555">{label}</text>"##, x(share), y(0.0) + 18.0);
    }
    for bin in &forecasts.curve {
        if let Some(interval) = bin.interval {
            inside += &format!(
                r#"<line x1="{:.1}" x2="{:.1}" y1="{:.1}" y2="{:.1}" stroke="{INK}" stroke-width="1.2"/>"#,
                x(bin.stated),
                x(bin.stated),
                y(interval.low),
                y(interval.high)
            );
        }
        // A filled circle's interval holds the diagonal, a square's does not.
        let holds = bin.interval.is_some_and(|interval| interval.low <= bin.stated && bin.stated <= interval.high);
        let (at, to) = (x(bin.stated), y(bin.happened));
        inside += &if holds {
            format!(r#"<circle cx="{at:.1}" cy="{to:.1}" r="4" fill="{INK}"><title>{} signals</title></circle>"#, bin.calls)
        } else {
            let (left, top) = (at - 4.0, to - 4.0);
            format!(
                r#"<rect x="{left:.1}" y="{top:.1}" width="8" height="8" fill="{BAD}"><title>{} signals</title></rect>"#,
                bin.calls
            )
        };
    }
    format!(
        r#"<svg viewBox="0 0 860 300" role="img" font-family="sans-serif" font-size="12"><title>Calibration</title>{inside}</svg>"#
    )
}
