//! A person's file of prices or returns: split by hand, and refused with its row where anything about it is not as it must be.
//!
//! Nothing is guessed. Two columns of numbers, two series in one file, values that are no plausible returns and dates that do not say how many
//! make a year are each asked about, by the option that answers.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::args::Stats;
use crate::cli::stats::periods::{Unclear, periods_per_year};
use crate::domain::CleanText;
use crate::market::own::{DATES, SYMBOLS, Stamp, TextProblem, is_missing, parted_by, read_text, split};
use crate::runtime::Trouble;
use crate::stats;

/// Bytes of the largest file.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Rows of the longest.
const LONGEST: usize = 1_000_000;
/// Returns of the shortest series about which anything is said.
const SHORTEST: usize = 20;
/// Columns or series that are named in a sentence.
const MOST_NAMED: usize = 8;

/// What a file holds.
#[derive(Debug)]
pub struct Series {
    /// Name of the column.
    pub column: String,
    /// Whether its values are prices, of which returns were made.
    pub are_prices: bool,
    /// Simple returns, oldest first.
    pub returns: Vec<f64>,
    /// The first and last date as written, of the values.
    pub span: Option<(String, String)>,
    /// Returns that make a year.
    pub periods: f64,
    /// How that is known.
    pub periods_from: &'static str,
    /// Rows without a value that were left out.
    pub skipped: usize,
}

/// Reads what the options ask for.
pub fn read(options: &Stats) -> Result<Series, Trouble> {
    let complaint = Complaint { file: &options.file };
    let text = complaint.text()?;
    let table = Table::of(&text, &complaint)?;
    let columns = Columns::of(&table);
    let column = columns.chosen(&table, options.column.as_deref(), &complaint)?;
    let rows = columns.one_series(&table, options.symbol.as_deref(), &complaint)?;
    let values = Values::of(&rows, &columns, column, options, &complaint)?;
    let are_prices = options.prices;
    values.check_meaning(options, &complaint)?;
    let numbers: Vec<f64> = values.found.iter().map(|found| found.value).collect();
    let returns = if are_prices { stats::returns(&numbers) } else { numbers };
    if returns.len() < SHORTEST {
        return Err(complaint.of_all(
            format!("it gives {} returns, too few to say anything", returns.len()),
            format!("Give a longer series: at least {SHORTEST} returns"),
        ));
    }
    if let Some(at) = returns.iter().position(|value| !value.is_finite()) {
        let row = values.found.get(at + usize::from(are_prices)).map_or(0, |found| found.row);
        return Err(complaint.of_row(row, "the return up to here is too large for a number", "Correct the prices there"));
    }
    let (periods, periods_from) = match options.periods {
        Some(periods) => (periods, "as asked"),
        None => values.periods(&complaint)?,
    };
    Ok(Series {
        column: clean(table.name(column)),
        are_prices,
        returns,
        span: values.span(),
        periods,
        periods_from,
        skipped: values.skipped,
    })
}

/// Words about a file and a row of it.
struct Complaint<'a> {
    file: &'a Path,
}

impl Complaint<'_> {
    fn of_all(&self, what: impl AsRef<str>, todo: impl Into<String>) -> Trouble {
        Trouble::new(
            format!("{}: {}", self.file.display(), what.as_ref()),
            "Nothing was computed and the file was not changed",
            todo,
        )
    }

    fn of_row(&self, row: usize, what: impl AsRef<str>, todo: impl Into<String>) -> Trouble {
        Trouble::new(
            format!("{}, row {row}: {}", self.file.display(), what.as_ref()),
            "Nothing was computed and the file was not changed",
            todo,
        )
    }

    /// The whole file as text.
    fn text(&self) -> Result<String, Trouble> {
        read_text(self.file, LARGEST).map_err(|problem| match problem {
            TextProblem::NotFound => self.of_all("there is no such file", "Look at the name, or write the whole path"),
            TextProblem::Unreadable(error) => self.of_all(format!("it cannot be read: {error}"), "Look at its name and rights"),
            TextProblem::Folder => self.of_all("this is a folder, not a file", "Name a file with one row for each date"),
            TextProblem::TooLarge => self.of_all("it is larger than 64 MiB", "Cut out the columns and dates that you mean"),
            TextProblem::NotUtf8 { row } => self.of_row(row, "this is not UTF-8 text", "Save the file as CSV in UTF-8"),
        })
    }
}

/// Text of a file as it may stand on a terminal.
fn clean(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    CleanText::from_outside(&short).as_str().to_owned()
}

/// A row of a file.
struct Row<'a> {
    /// Counted from 1, the header included, as an editor does.
    number: usize,
    cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    fn cell(&self, column: usize) -> &'a str {
        self.cells.get(column).copied().unwrap_or_default()
    }
}

/// Rows with as many cells each.
struct Table<'a> {
    titles: Vec<String>,
    rows: Vec<Row<'a>>,
    width: usize,
}

impl<'a> Table<'a> {
    fn of(text: &'a str, complaint: &Complaint<'_>) -> Result<Self, Trouble> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
        let Some((_, first)) = lines.peek() else {
            return Err(complaint.of_all("it is empty", "Give one row for each date, with a date and a value"));
        };
        let delimiter = parted_by(first);
        let mut rows: Vec<Row<'a>> = Vec::new();
        for (index, line) in lines {
            let row = Row { number: index + 1, cells: split(line, delimiter) };
            let width = rows.first().map_or(row.cells.len(), |first| first.cells.len());
            if row.cells.len() != width {
                let found = format!("it has {} fields where the first row has {width}", row.cells.len());
                return Err(complaint.of_row(row.number, found, "Correct the row; fields are parted by one sign throughout"));
            }
            if rows.len() > LONGEST {
                return Err(complaint.of_row(row.number, "the file goes on past 1,000,000 rows", "Give a shorter series"));
            }
            rows.push(row);
        }
        let is_header = rows.first().is_some_and(|row| row.cells.iter().all(|cell| is_word(cell)));
        let mut rows = rows.into_iter();
        let header = if is_header { rows.next() } else { None };
        let rows: Vec<Row<'a>> = rows.collect();
        let Some(first) = rows.first() else {
            return Err(complaint.of_all("it has a header and no rows", "Give one row for each date, with a date and a value"));
        };
        let width = first.cells.len();
        let title = |column: usize| header.as_ref().map_or_else(|| (column + 1).to_string(), |row| row.cell(column).to_owned());
        Ok(Self { titles: (0..width).map(title).collect(), rows, width })
    }

    /// Its name in the header, or its number.
    fn name(&self, column: usize) -> &str {
        self.titles.get(column).map_or("", String::as_str)
    }

    fn names(&self, columns: &[usize]) -> String {
        let names: Vec<String> = columns.iter().take(MOST_NAMED).map(|column| clean(self.name(*column))).collect();
        let more = if columns.len() > MOST_NAMED { ", …" } else { "" };
        format!("{}{more}", names.join(", "))
    }

    /// The first of a column that is not missing.
    fn sample(&self, column: usize) -> &'a str {
        self.rows.iter().map(|row| row.cell(column)).find(|cell| !is_missing(cell)).unwrap_or_default()
    }
}

/// Neither a number nor a date.
fn is_word(cell: &str) -> bool {
    cell.parse::<f64>().is_err() && Stamp::read(cell, false).is_none()
}

/// What the columns of a table hold.
struct Columns {
    date: Option<usize>,
    /// Columns of words.
    words: Vec<usize>,
    /// The others.
    values: Vec<usize>,
}

impl Columns {
    fn of(table: &Table<'_>) -> Self {
        let lower = |column: usize| table.name(column).to_lowercase();
        let mut all = 0..table.width;
        let date = all
            .clone()
            .find(|column| DATES.contains(&lower(*column).as_str()))
            .or_else(|| all.clone().find(|column| Stamp::read(table.sample(*column), false).is_some()))
            .or_else(|| all.find(|column| table.width > 1 && *column == 0 && Stamp::read(table.sample(0), true).is_some()));
        let others = (0..table.width).filter(|column| Some(*column) != date);
        let (mut words, mut values): (Vec<usize>, Vec<usize>) = others.partition(|column| {
            SYMBOLS.contains(&lower(*column).as_str()) || (!is_missing(table.sample(*column)) && is_word(table.sample(*column)))
        });
        // The only column there is: what is wrong with it is said of its first row.
        if values.is_empty() && words.len() == 1 {
            std::mem::swap(&mut words, &mut values);
        }
        Self { date, words, values }
    }

    /// The column of values.
    fn chosen(&self, table: &Table<'_>, asked: Option<&str>, complaint: &Complaint<'_>) -> Result<usize, Trouble> {
        if let Some(asked) = asked {
            let is_asked = |column: &usize| table.name(*column).eq_ignore_ascii_case(asked);
            let found: Vec<usize> = (0..table.width).filter(|column| Some(*column) != self.date).filter(is_asked).collect();
            return match found.as_slice() {
                [one] => Ok(*one),
                [] => Err(complaint.of_all(
                    format!("it has no column «{}» of values", clean(asked)),
                    format!("Choose --column among {}", table.names(&self.values)),
                )),
                [..] => {
                    Err(complaint.of_all(format!("two columns are called «{}»", clean(asked)), "Give one of them another name"))
                }
            };
        }
        match self.values.as_slice() {
            [one] => Ok(*one),
            [] => Err(complaint.of_all("it has no column of numbers", "Give one row for each date, with a date and a value")),
            several => Err(complaint.of_all(
                format!("it has {} columns of numbers: {}", several.len(), table.names(several)),
                "Choose one with --column NAME",
            )),
        }
    }

    /// The rows of one series, where a column of words parts several.
    fn one_series<'t, 'a>(
        &self,
        table: &'t Table<'a>,
        asked: Option<&str>,
        complaint: &Complaint<'_>,
    ) -> Result<Vec<&'t Row<'a>>, Trouble> {
        let is_named = |column: &&usize| SYMBOLS.contains(&table.name(**column).to_lowercase().as_str());
        let named = self.words.iter().find(is_named);
        let Some(column) = named.or(self.words.first()).copied() else {
            return match asked {
                None => Ok(table.rows.iter().collect()),
                Some(_) => Err(complaint.of_all("it has no column of symbols", "Leave --symbol out")),
            };
        };
        let symbols: BTreeSet<&str> = table.rows.iter().map(|row| row.cell(column)).collect();
        let listed = || {
            let first: Vec<String> = symbols.iter().take(MOST_NAMED).map(|symbol| clean(symbol)).collect();
            let more = if symbols.len() > first.len() { ", …" } else { "" };
            format!("{}{more}", first.join(", "))
        };
        match asked {
            Some(symbol) if symbols.contains(symbol) => Ok(table.rows.iter().filter(|row| row.cell(column) == symbol).collect()),
            Some(symbol) => Err(complaint.of_all(
                format!("its column «{}» holds no «{}»", clean(table.name(column)), clean(symbol)),
                format!("Choose --symbol among {}", listed()),
            )),
            // Remarks beside one series are no symbols.
            None if symbols.len() > 1 && (named.is_some() || !self.is_ascending(table)) => Err(complaint.of_all(
                format!("its column «{}» holds {} series: {}", clean(table.name(column)), symbols.len(), listed()),
                "Choose one with --symbol NAME",
            )),
            None => Ok(table.rows.iter().collect()),
        }
    }

    fn is_ascending(&self, table: &Table<'_>) -> bool {
        let Some(date) = self.date else { return true };
        let stamps: Vec<_> =
            table.rows.iter().filter_map(|row| Stamp::read(row.cell(date), true)).map(|stamp| stamp.at).collect();
        stamps.is_sorted_by(|one, next| one < next)
    }
}

struct Found {
    row: usize,
    value: f64,
}

/// The values of a series with their dates.
struct Values {
    found: Vec<Found>,
    stamps: Vec<Stamp>,
    first: String,
    last: String,
    skipped: usize,
}

impl Values {
    fn of(
        rows: &[&Row<'_>],
        columns: &Columns,
        column: usize,
        options: &Stats,
        complaint: &Complaint<'_>,
    ) -> Result<Self, Trouble> {
        let mut values = Self { found: Vec::new(), stamps: Vec::new(), first: String::new(), last: String::new(), skipped: 0 };
        let mut last: Option<(usize, Stamp)> = None;
        for row in rows {
            let stamp = match columns.date {
                Some(date) => Some(dated(row, date, last, complaint)?),
                None => None,
            };
            let cell = row.cell(column);
            if options.skip_missing && is_missing(cell) {
                values.skipped += 1;
            } else {
                values.found.push(Found { row: row.number, value: number(cell, row.number, complaint)? });
                if let (Some(stamp), Some(date)) = (stamp, columns.date) {
                    values.last = clean(row.cell(date));
                    if values.stamps.is_empty() {
                        values.first.clone_from(&values.last);
                    }
                    values.stamps.push(stamp);
                }
            }
            last = stamp.map(|stamp| (row.number, stamp));
        }
        Ok(values)
    }

    /// Refuses values that cannot be what they were said to be, and asks where they are no plausible returns and nothing was said.
    fn check_meaning(&self, options: &Stats, complaint: &Complaint<'_>) -> Result<(), Trouble> {
        let Some(first) = self.found.first() else {
            return Err(complaint.of_all("it holds no value at all", "Give one row for each date, with a date and a value"));
        };
        if self.found.len() >= SHORTEST && self.found.iter().all(|found| found.value == first.value) {
            let todo = "Choose another column: nothing can be said of what never changes";
            return Err(complaint.of_all(format!("every value is the same, {}", first.value), todo));
        }
        if options.prices {
            let wrong = self.found.iter().find(|found| found.value <= 0.0);
            return wrong.map_or(Ok(()), |found| {
                let what = format!("{} is not a price above zero", found.value);
                Err(complaint.of_row(found.row, what, "Correct it, or say --returns if these are returns"))
            });
        }
        if options.returns {
            return Ok(());
        }
        let todo = "Say --prices or --returns; returns are shares, so divide percent by 100";
        if let Some(found) = self.found.iter().find(|found| found.value <= -1.0) {
            let what = format!("{}, as a return, would lose everything or more", found.value);
            return Err(complaint.of_row(found.row, what, todo));
        }
        let mut sizes: Vec<f64> = self.found.iter().map(|found| found.value.abs()).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        let median = stats::quantile_of_sorted(&sizes, 0.5).unwrap_or_default();
        if median >= 1.0 {
            let what = format!("its values, typically of size {median:.2}, look like prices or percent, not like returns");
            return Err(complaint.of_all(what, todo));
        }
        if self.found.iter().all(|found| found.value > 0.0) {
            let what = "every value is above zero: prices of something cheap, or returns that never lose";
            return Err(complaint.of_all(what, todo));
        }
        Ok(())
    }

    fn periods(&self, complaint: &Complaint<'_>) -> Result<(f64, &'static str), Trouble> {
        let todo = "Say --periods N: 252 for business days, 365 for every day, 52 for weeks, 12 for months, 252 × bars a day within a day";
        if self.stamps.is_empty() {
            return Err(complaint.of_all("without dates nobody can say how many returns make a year", todo));
        }
        periods_per_year(&self.stamps).map_err(|unclear| match unclear {
            Unclear::Gap => complaint.of_all(
                "its rows are neither days, weeks, months, quarters nor years apart, so how many make a year is open",
                todo,
            ),
            Unclear::Sparse(periods, came) => {
                let what = format!(
                    "its rows are mostly as far apart as {periods:.0} a year, but {came:.0} a year came: rows are missing, or left out"
                );
                complaint.of_all(&what, todo)
            }
        })
    }

    fn span(&self) -> Option<(String, String)> {
        (!self.stamps.is_empty()).then(|| (self.first.clone(), self.last.clone()))
    }
}

/// The date of a row, held against the one before.
fn dated(row: &Row<'_>, date: usize, last: Option<(usize, Stamp)>, complaint: &Complaint<'_>) -> Result<Stamp, Trouble> {
    let cell = clean(row.cell(date));
    let Some(stamp) = Stamp::read(row.cell(date), true) else {
        let todo = "Write dates as 2020-03-16, 2020-03-16T15:30:00Z, or seconds or milliseconds since 1970";
        return Err(complaint.of_row(row.number, format!("«{cell}» is not a date"), todo));
    };
    let Some((before, earlier)) = last else { return Ok(stamp) };
    if stamp.writing != earlier.writing {
        let what = format!("«{cell}» is {}, where row {before} has {}", stamp.writing.words(), earlier.writing.words());
        return Err(complaint.of_row(row.number, what, "Write all dates in one way, all with a zone or all without"));
    }
    match stamp.at.cmp(&earlier.at) {
        std::cmp::Ordering::Greater => Ok(stamp),
        std::cmp::Ordering::Equal => {
            let what = format!("«{cell}» is the same date as in row {before}");
            Err(complaint.of_row(row.number, what, "Keep one row for each date"))
        }
        std::cmp::Ordering::Less => {
            let what = format!("«{cell}» is earlier than the date in row {before}");
            Err(complaint.of_row(row.number, what, "Sort the rows by date, the oldest first"))
        }
    }
}

fn number(cell: &str, row: usize, complaint: &Complaint<'_>) -> Result<f64, Trouble> {
    if is_missing(cell) {
        let shown = if cell.is_empty() { "nothing".to_owned() } else { format!("«{cell}»") };
        let what = format!("there is {shown} where a value should be");
        return Err(complaint.of_row(row, what, "Fill it in, or say --skip-missing to leave such rows out"));
    }
    let shown = clean(cell);
    match cell.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(value) if value.is_nan() => {
            Err(complaint.of_row(row, format!("«{shown}» is NaN, which is no number"), "Correct it, or take the row out"))
        }
        Ok(_) => Err(complaint.of_row(row, format!("«{shown}» is infinite"), "Correct it, or take the row out")),
        Err(_) if cell.ends_with('%') => {
            Err(complaint.of_row(row, format!("«{shown}» is written in percent"), "Write shares: 0.012 for 1.2 %"))
        }
        Err(_) if cell.contains(',') => Err(complaint.of_row(
            row,
            format!("«{shown}» is not a number, because of its comma"),
            "Write a point before decimals and nothing between thousands",
        )),
        Err(_) => Err(complaint.of_row(row, format!("«{shown}» is not a number"), "Correct it, or take the row out")),
    }
}
