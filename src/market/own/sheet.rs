//! A file as rows of cells, whatever its format: rows are read one after another, and no more of them is kept than is needed.

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::market::apart::{READ_WITHIN, apart};
use crate::market::own::parquet_sheet::ParquetSheet;
use crate::market::own::text::{TextProblem, as_text, is_missing, parted_by, split};

/// Rows of the longest file.
const LONGEST: usize = 5_000_000;

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Missing,
    /// As it was written.
    Text(&'a str),
    /// A whole number.
    Whole(i64),
    /// A number of double precision.
    Real(f64),
    /// A number of single precision: it has fewer digits than its double would show.
    Single(f32),
    /// A decimal: digits, and how many of them stand behind the point.
    Decimal(i128, u32),
    /// Nanoseconds since 1970; without a zone they are those of a clock on some wall.
    Instant(i64, HasZone),
    /// Days since 1970.
    Day(i32),
}

/// Whether a time of a column says which zone it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HasZone {
    /// It is in UTC.
    Yes,
    /// It is not said.
    No,
}

/// Why a file gives no rows at all.
#[derive(Debug, Error)]
pub enum SheetError {
    /// It could not be read as text.
    #[error("{0}")]
    Text(String),
    /// Parquet, but damaged.
    #[error("it is damaged or not Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Its columns are none that make a series.
    #[error("{what}")]
    Layout {
        /// What is missing or open.
        what: String,
        /// What to do about it.
        todo: String,
    },
    /// Nothing is in it.
    #[error("it holds no rows")]
    Empty,
    /// Too much is in it.
    #[error("it goes on past 5,000,000 rows; cut it by years or symbols")]
    TooLong,
}

/// A file.
pub enum Sheet {
    /// Rows of text.
    Csv {
        /// All of it.
        text: String,
        /// What parts cells.
        delimiter: char,
        /// Titles of the columns, where there are any.
        titles: Option<Vec<String>>,
    },
    /// Columns.
    Parquet(ParquetSheet),
}

impl From<TextProblem> for SheetError {
    fn from(problem: TextProblem) -> Self {
        Self::Text(match problem {
            TextProblem::NotFound => "there is no such file".to_owned(),
            TextProblem::Folder => "this is a folder, not a file".to_owned(),
            TextProblem::Unreadable(error) => format!("it cannot be read: {error}"),
            TextProblem::TooLarge => "it is larger than 1 GiB; cut it by years or symbols".to_owned(),
            TextProblem::NotUtf8 { row } => format!("row {row} is not UTF-8 text; save the file as CSV in UTF-8"),
        })
    }
}

impl Sheet {
    /// Looks at a file. Parquet is known by its first bytes, whatever its name.
    pub fn of(bytes: Vec<u8>) -> Result<Self, SheetError> {
        if bytes.starts_with(b"PAR1") {
            return Self::parquet(Bytes::from(bytes), READ_WITHIN);
        }
        let text = as_text(bytes)?;
        let first = lines(&text).next().ok_or(SheetError::Empty)?.1;
        let delimiter = parted_by(first);
        let cells = split(first, delimiter);
        // A header has words only; a row has at least one number.
        let is_header = cells.iter().all(|cell| !cell.starts_with(|letter: char| letter.is_ascii_digit()));
        let titles = is_header.then(|| cells.iter().map(|cell| (*cell).to_owned()).collect());
        Ok(Self::Csv { text, delimiter, titles })
    }

    /// Opens a Parquet file apart: its footer may lead the library astray.
    fn parquet(bytes: Bytes, within: Duration) -> Result<Self, SheetError> {
        let opened = apart(within, move || ParquetSheet::open(bytes))
            .map_err(|astray| SheetError::Layout { what: astray.to_string(), todo: "Write the file anew".to_owned() })?;
        Ok(Self::Parquet(opened?))
    }

    /// Titles of the columns, or how many there are where they have none.
    pub fn titles(&self) -> Result<&[String], usize> {
        match self {
            Self::Csv { titles: Some(titles), .. } => Ok(titles),
            Self::Csv { text, delimiter, .. } => Err(lines(text).next().map_or(0, |(_, line)| split(line, *delimiter).len())),
            Self::Parquet(sheet) => Ok(sheet.titles()),
        }
    }

    /// What it is, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Parquet(_) => "Parquet".to_owned(),
            Self::Csv { delimiter, titles, .. } => {
                let sign = match delimiter {
                    ';' => "semicolons",
                    '\t' => "tabs",
                    _ => "commas",
                };
                format!("parted by {sign}, {}", if titles.is_some() { "with a header" } else { "without a header" })
            }
        }
    }

    /// Whether numbers of its text may have a comma for their point: only where commas do not part cells.
    pub fn may_have_commas(&self) -> bool {
        matches!(self, Self::Csv { delimiter: ';' | '\t', .. })
    }

    /// Calls with each row and its number, as an editor or a data frame from 1 counts them.
    pub fn each_row(&self, mut take: impl FnMut(usize, &[Cell<'_>])) -> Result<usize, SheetError> {
        match self {
            Self::Parquet(sheet) => sheet.each_row(LONGEST, take),
            Self::Csv { text, delimiter, titles } => {
                let (mut count, mut cells) = (0, Vec::new());
                for (index, line) in lines(text).skip(usize::from(titles.is_some())) {
                    cells.clear();
                    let cell = |text| if is_missing(text) || text == "-" { Cell::Missing } else { Cell::Text(text) };
                    cells.extend(split(line, *delimiter).into_iter().map(cell));
                    count += 1;
                    if count > LONGEST {
                        return Err(SheetError::TooLong);
                    }
                    take(index + 1, &cells);
                }
                if count == 0 { Err(SheetError::Empty) } else { Ok(count) }
            }
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_leads_the_reader_astray_is_given_up() {
        // Field 15 of the footer, which nobody knows, is a list of 2^28 truths, which take no bytes.
        let footer = [0xF9, 0xF1, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00];
        let file = [b"PAR1".as_slice(), &footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat();
        let error = Sheet::parquet(Bytes::from(file), Duration::from_millis(1)).err().unwrap();
        assert!(error.to_string().contains("in time"), "{error}");
    }
}
