//! Floor 5: what was found, put on paper.
//!
//! A report is a [`Document`] of headings, paragraphs, lists and tables, which can be written as text or as Markdown. This room computes no
//! results, reads no file and writes none. What must stay true: the same results give the same bytes; what is undefined is `n/a`.

mod document;
mod walk;
mod words;

pub use document::{Block, Document};
pub use walk::{Setting, walk_forward};
pub use words::verdict;
