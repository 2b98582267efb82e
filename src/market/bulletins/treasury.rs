//! The Treasury's par yield curve of one year as a table: a row for each day, newest first, and columns that were added over the years.

use jiff::civil::Date;

use crate::domain::Reading;
use crate::market::bulletins::csv::{Table, american, held, is_missing};
use crate::market::bulletins::{Found, Named};
use crate::market::providers::{Failure, Refusal};

/// The path of the curve of a year.
pub(super) fn path(year: i16) -> String {
    format!(
        "/resource-center/data-chart-center/interest-rates/daily-treasury-rates.csv/{year}/all\
         ?type=daily_treasury_yield_curve&field_tdr_date_value={year}&page&_format=csv"
    )
}

/// Reads an answer. Columns are found by their headings; one that is not there is no trouble, a curve without any is another shape.
pub fn observations(status: u16, body: &[u8], wanted: &[Named], today: Date) -> Result<Vec<Found>, Refusal> {
    let table = Table::read(status, body)?;
    let schema = |what: &str| Refusal::new(Failure::Schema, what);
    let day = table.column(&["Date"]).ok_or_else(|| schema("no column «Date»"))?;
    let columns: Vec<_> = wanted.iter().filter_map(|(id, name)| Some((*id, table.column(&[name])?))).collect();
    if columns.is_empty() {
        return Err(schema("none of the maturities is a column"));
    }
    let mut found = Vec::new();
    for row in table.rows() {
        let period = row.get(day).and_then(|cell| american(cell)).ok_or_else(|| schema("a date that is none"))?;
        for (indicator, column) in &columns {
            let cell = row.get(*column).map_or("", String::as_str);
            if is_missing(cell) {
                continue;
            }
            let value = Reading::read(cell).ok_or_else(|| schema("a yield that is no number"))?;
            found.push(Found { indicator: *indicator, period, value });
        }
    }
    held(found, today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Indicator;

    #[test]
    fn columns_are_found_by_their_headings_and_empty_cells_say_nothing() {
        let body = "Date,\"1 Mo\",\"1.5 Month\",\"2 Mo\",\"3 Mo\",\"10 Yr\"\n11/25/2026,4.01,4.02,4.03,4.05,4.12\n11/24/2026,4.00,,4.03,,4.10\n";
        let wanted = [(Indicator::Yield3m, "3 Mo"), (Indicator::Yield10y, "10 Yr"), (Indicator::Yield30y, "30 Yr")];
        let wanted = wanted.map(|(id, name)| (id, name.to_owned()));
        let today: Date = "2026-11-27".parse().unwrap();
        let found = observations(200, body.as_bytes(), &wanted, today).unwrap();
        let said: Vec<String> =
            found.iter().map(|one| format!("{} {} {}", one.indicator.word(), one.period, one.value)).collect();
        assert_eq!(said, ["yield3m 2026-11-25 4.05", "yield10y 2026-11-25 4.12", "yield10y 2026-11-24 4.1"]);
        let refused = |body: &str| observations(200, body.as_bytes(), &wanted, today).unwrap_err().failure;
        assert_eq!(refused("Day,10 Yr\n11/25/2026,4.1\n"), Failure::Schema);
        assert_eq!(refused("Date,40 Yr\n11/25/2026,4.1\n"), Failure::Schema);
        assert_eq!(refused("Date,10 Yr\n2026-11-25,4.1\n"), Failure::Schema);
        assert_eq!(refused("Date,10 Yr\n11/25/2026,412\n"), Failure::Nonsense);
        assert_eq!(refused("Date,10 Yr\n12/25/2026,4.1\n"), Failure::Nonsense);
        assert_eq!(refused("Date,10 Yr\n11/25/2026,N/A\n"), Failure::NoData);
    }
}
