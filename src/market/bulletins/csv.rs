//! The plain tables that publishers put on the web: a header, columns by their names, and whatever else comes instead of a table.

use jiff::civil::Date;

use crate::market::bulletins::Found;
use crate::market::providers::{Failure, Refusal};

/// Rows of a table at most: a century of days.
const MOST_ROWS: usize = 40_000;

/// A table.
pub(super) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads an answer: by its body first, then by its status.
    pub(super) fn read(status: u16, body: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(body).map_err(|_| Refusal::of(Failure::Malformed))?.trim_start_matches('\u{feff}').trim();
        let is_page = text.starts_with('<');
        let refusal = match status {
            429 => Some(Refusal::of(Failure::Throttled { retry_after: None })),
            500..=599 => Some(Refusal::new(Failure::Upstream, &format!("HTTP {status}"))),
            401 | 403 | 451 => Some(Refusal::new(Failure::Blocked, &format!("HTTP {status}"))),
            404 => Some(Refusal::of(Failure::UnknownSymbol)),
            400..=499 => Some(Refusal::new(Failure::BadRequest, &format!("HTTP {status}"))),
            _ if is_page => Some(Refusal::new(Failure::Blocked, "a page for people")),
            _ if text.is_empty() => Some(Refusal::of(Failure::NoData)),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let mut lines = text.lines().filter(|line| !line.trim().is_empty()).map(cells);
        let header = lines.next().filter(|header| header.len() > 1);
        let header = header.ok_or_else(|| Refusal::new(Failure::Malformed, "no table"))?;
        let rows: Vec<Vec<String>> = lines.take(MOST_ROWS + 1).collect();
        if rows.len() > MOST_ROWS {
            return Err(Refusal::new(Failure::Malformed, "more rows than there are days"));
        }
        // What ends in the middle of a row was cut on its way.
        if rows.iter().any(|row| row.len() != header.len()) {
            return Err(Refusal::new(Failure::Malformed, "a row that is cut"));
        }
        Ok(Self { header, rows })
    }

    /// The place of a column, by any of these names.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        self.header.iter().position(|name| names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)))
    }

    /// The rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[String]> {
        self.rows.iter().map(Vec::as_slice)
    }
}

/// What a publisher writes where there is no value.
pub(super) fn is_missing(cell: &str) -> bool {
    matches!(cell, "" | "." | "-" | "N/A" | "n/a" | "NA" | "ND")
}

/// `MM/DD/YYYY`, as American tables write it.
pub(super) fn american(text: &str) -> Option<Date> {
    let mut parts = text.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    (parts.next().is_none() && year.len() == 4).then_some(date)
}

/// Refuses what cannot be: a value outside of all reason, or of a day that has not come.
pub(super) fn held(found: Vec<Found>, today: Date) -> Result<Vec<Found>, Refusal> {
    for one in &found {
        if !one.indicator.allows(one.value) {
            return Err(Refusal::new(Failure::Nonsense, &format!("{} of {} at {}", one.indicator, one.value, one.period)));
        }
        // A day of grace: it may be tomorrow already where the publisher is.
        if one.period > today.saturating_add(jiff::Span::new().days(1)) {
            return Err(Refusal::new(Failure::Nonsense, &format!("{} of {}, which has not come", one.indicator, one.period)));
        }
    }
    if found.is_empty() { Err(Refusal::of(Failure::NoData)) } else { Ok(found) }
}

/// The cells of a line; a quoted one may hold commas.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    for character in line.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            other => cell.push(other),
        }
    }
    cells.push(cell.trim().to_owned());
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_and_dates() {
        assert_eq!(cells("\"1 Mo\", \"a,b\",,5"), ["1 Mo", "a,b", "", "5"]);
        assert_eq!(american("02/28/2020"), Some("2020-02-28".parse().unwrap()));
        assert_eq!(["2020-02-28", "02/30/2020", "02/28/20", "02/28/2020/1", ""].map(american), [None; 5]);
    }

    #[test]
    fn what_is_no_table_is_refused_by_its_kind() {
        let refused = |status, body: &str| Table::read(status, body.as_bytes()).map(|_| ()).unwrap_err().failure;
        assert_eq!(refused(200, "<html>"), Failure::Blocked);
        assert_eq!(refused(200, "Date,Close\n02/28/2020,40.1\n03/02/"), Failure::Malformed);
        assert_eq!(refused(200, "one line"), Failure::Malformed);
        assert_eq!(refused(200, " "), Failure::NoData);
        assert_eq!(refused(504, "<html>"), Failure::Upstream);
        assert_eq!(refused(429, ""), Failure::Throttled { retry_after: None });
        assert_eq!(refused(404, "Not found"), Failure::UnknownSymbol);
        assert_eq!(Table::read(200, &[b'a', 0xff]).map(|_| ()).unwrap_err().failure, Failure::Malformed);
    }
}
