//! A part of `assets/reports/size-and-coverage.md` asked again: the first hundreds of its series, against what it says of all of them.

#[path = "../../examples/size_and_coverage/study.rs"]
mod study;

use pmax::stats;

use study::{Cell, Process, Question, STATED, Tally};

const REPORT: &str = include_str!("../../assets/reports/size-and-coverage.md");
/// As in the report.
const REPLICATIONS: u64 = 999;
const SERIES: u64 = 400;
/// How seldom chance may explain what a test objects to.
const CHANCE: f64 = 1e-3;

/// Shares of the report, in the order of the questions.
fn stored(process: Process, days: usize) -> [f64; Question::ALL.len()] {
    let column = [60, 250, 1_250].iter().position(|length| *length == days).unwrap();
    let section = REPORT.split("\n## ").skip(1).nth(process as usize).unwrap();
    Question::ALL.map(|question| {
        let row = section.lines().find(|line| line.starts_with(&format!("| {} |", question.title()))).unwrap();
        let cell = row.split('|').nth(3 + column).unwrap();
        cell.split('%').next().unwrap().trim().parse::<f64>().unwrap() / 100.0
    })
}

fn asked(process: Process, days: usize) -> [Tally; Question::ALL.len()] {
    Cell { process, days, replications: REPLICATIONS }.ask(0..SERIES)
}

/// Whether so many wrong answers are what a share explains.
fn is_explained_by(tally: Tally, share: f64) -> bool {
    let above = stats::binomial_at_least(tally.wrong, tally.answered, share).unwrap();
    let below = stats::binomial_at_most(tally.wrong, tally.answered, share).unwrap();
    above > CHANCE && below > CHANCE
}

fn is_more_than(tally: Tally, share: f64) -> bool {
    stats::binomial_at_least(tally.wrong, tally.answered, share).unwrap() < CHANCE
}

fn of(tallies: &[Tally], question: Question) -> Tally {
    let at = Question::ALL.iter().position(|other| *other == question).unwrap();
    tallies[at]
}

#[test]
fn the_first_series_of_the_report_are_wrong_as_often_as_it_says() {
    for process in Process::ALL {
        for ((question, tally), share) in Question::ALL.into_iter().zip(asked(process, 60)).zip(stored(process, 60)) {
            let (title, found) = (question.title(), tally.share());
            assert!(tally.answered * 20 >= SERIES * 19, "{process:?}, {title}: {tally:?}");
            assert!(is_explained_by(tally, share), "{process:?}, {title}: {found:.3} of {tally:?}, the report says {share}");
        }
    }
}

#[test]
fn single_draws_fail_where_days_depend_on_each_other_and_blocks_fail_less() {
    let tallies = asked(Process::Autoregressive, 250);
    for (single, blocks) in
        [(Question::MeanBySingleDraws, Question::MeanByBlocks), (Question::SharpeBySingleDraws, Question::SharpeByBlocks)]
    {
        let (single, blocks) = (of(&tallies, single), of(&tallies, blocks));
        assert!(is_more_than(single, 2.0 * STATED), "{single:?}");
        // What blocks make of it is not what single draws would.
        let below = stats::binomial_at_most(blocks.wrong, blocks.answered, single.share()).unwrap();
        assert!(below < CHANCE && blocks.wrong < single.wrong, "{blocks:?} against {single:?}");
    }
    // An interval as if days were independent fails with them.
    for question in [Question::MeanByT, Question::SharpeByError] {
        assert!(is_more_than(of(&tallies, question), 2.0 * STATED), "{}", question.title());
    }
    let independent = asked(Process::Independent, 60);
    for question in Question::ALL {
        let tally = of(&independent, question);
        assert!(
            !question.is_true_of(Process::Independent) || !is_more_than(tally, 2.0 * STATED),
            "{}: {tally:?}",
            question.title()
        );
    }
}
