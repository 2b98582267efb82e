//! Floor 5: what was found, put on paper.
//!
//! A report is a [`Document`] of headings, paragraphs, lists, tables and pictures, which can be written as text, as Markdown or as one HTML
//! file. This room computes no results, reads no file and writes none. What must stay true: the same results give the same bytes; what is
//! undefined is `n/a`; the HTML opens without a network and without scripts, and every word in it is escaped.

mod backtest;
mod charts;
mod document;
mod gates;
mod html;
mod scale;
mod scorecards;
mod series;
mod walk;
mod words;

pub use backtest::{Sheet, tear_sheet};
pub use document::{Block, Document};
pub use gates::{GateWords, gate};
pub use series::{Distribution, Rolling, Series, at_the_same_risk, by_month, falls, returns};
pub use walk::{Setting, walk_forward};
pub use words::{hundredths, verdict};
