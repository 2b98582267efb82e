//! Faults on purpose, so that a person or a test can see what comes after one. Hidden from the help: nobody needs it to trade.

use clap::ValueEnum;

use crate::signals::{Analyst, Commentary, Facts};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rehearsal {
    /// The analyst's thread panics at its first comment.
    AnalystPanics,
}

/// An analyst that panics when it is asked.
#[derive(Debug)]
struct Panics;

impl Analyst for Panics {
    #[expect(clippy::panic, reason = "it is what was asked for")]
    fn comment(&mut self, facts: &Facts) -> Option<Commentary> {
        panic!("a rehearsal, asked for {}", facts.symbol)
    }
}

/// The analyst of a rehearsal.
pub fn rehearsed(rehearsal: Rehearsal) -> Box<dyn Analyst> {
    match rehearsal {
        Rehearsal::AnalystPanics => Box::new(Panics),
    }
}
