//! A person's own history: files of bars or ticks as people really have them become bars that can be played.
//!
//! Nothing is mended and nothing is guessed that could be asked: what is wrong is said by row, and a file with a fault gives no tape.

mod checks;
mod dates;
mod import;
mod moments;
mod parquet_sheet;
mod problems;
mod roles;
mod series;
mod sheet;
mod text;

pub use dates::{Stamp, Writing};
pub use import::{Asked, Imported, ImportedSeries, import};
pub use moments::DateOrder;
pub use problems::{Problem, Problems};
pub use sheet::SheetError;
pub use text::{DATES, SYMBOLS, TextProblem, is_missing, parted_by, read_bytes, read_text, split};
