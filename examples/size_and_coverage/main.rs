//! How often the tests and intervals that the program prints are wrong, on series whose truth is known:
//! `cargo run --release --example size_and_coverage > assets/reports/size-and-coverage.md`. The same on every machine, in about a minute.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a study stops at the impossible")]

mod study;

use std::{array, thread};

use pmax::stats;
use study::{Cell, Process, Question, STATED, Tally};

const DAYS: [usize; 3] = [60, 250, 1_250];
const SERIES: u64 = 4_000;
const REPLICATIONS: u64 = 999;
/// How seldom chance alone may set a mark.
const CHANCE: f64 = 0.005;

fn main() {
    println!("{}", INTRODUCTION.trim());
    for process in Process::ALL {
        println!("\n## {}\n", heading(process));
        println!("| | stated | 60 days | 250 days | 1,250 days |");
        println!("|---|---|---|---|---|");
        let columns = DAYS.map(|days| tallies(Cell { process, days, replications: REPLICATIONS }));
        for (row, question) in Question::ALL.into_iter().enumerate() {
            let [short, middle, long] = array::from_fn(|column| shown(columns[column][row], question.is_true_of(process)));
            let stated = if question.is_true_of(process) { "5 %" } else { "power" };
            println!("| {} | {stated} | {short} | {middle} | {long} |", question.title());
        }
    }
    println!("\n{}", READING.trim());
}

/// Asks on two threads; who asks which series does not matter.
fn tallies(cell: Cell) -> [Tally; Question::ALL.len()] {
    let (first, second) = thread::scope(|scope| {
        let half = scope.spawn(|| cell.ask(0..SERIES / 2));
        (cell.ask(SERIES / 2..SERIES), half.join().expect("asking does not stop half way"))
    });
    array::from_fn(|row| Tally {
        wrong: first[row].wrong + second[row].wrong,
        answered: first[row].answered + second[row].answered,
    })
}

/// A share, marked where chance does not explain how far it is from what is stated.
fn shown(tally: Tally, is_stated: bool) -> String {
    let above = stats::binomial_at_least(tally.wrong, tally.answered, STATED);
    let below = stats::binomial_at_most(tally.wrong, tally.answered, STATED);
    let is_rare = |chance: Option<f64>| is_stated && chance.is_some_and(|chance| chance < CHANCE);
    let mark = match (is_rare(above), is_rare(below)) {
        (true, _) => " ▲",
        (false, true) => " ▼",
        (false, false) => "",
    };
    let unanswered = match SERIES - tally.answered {
        0 => String::new(),
        count => format!(", {count} without an answer"),
    };
    format!("{:.1} %{mark}{unanswered}", 100.0 * tally.share())
}

fn heading(process: Process) -> &'static str {
    match process {
        Process::Independent => "Independent days",
        Process::Autoregressive => "Days that keep 0.3 of the last deviation: AR(1)",
        Process::Garch => "The same, with calm and nervous times: AR(1)-GARCH(1,1)",
    }
}

const INTRODUCTION: &str = include_str!("introduction.md");
const READING: &str = include_str!("reading.md");
