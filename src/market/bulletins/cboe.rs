//! Cboe's volatility indices: the whole history of one index as a table, at the end of each day.

use jiff::civil::Date;

use crate::domain::Reading;
use crate::market::bulletins::csv::{Table, american, held, is_missing};
use crate::market::bulletins::{Found, Named};
use crate::market::providers::{Failure, Refusal};

/// The path of an index.
pub(super) fn path(name: &str) -> String {
    format!("/api/global/us_indices/daily_prices/{name}_History.csv")
}

/// Reads an answer: closes from a day on. The column of the close is `CLOSE`, or named as the index.
pub fn observations(status: u16, body: &[u8], wanted: &Named, since: Date, today: Date) -> Result<Vec<Found>, Refusal> {
    let table = Table::read(status, body)?;
    let schema = |what: &str| Refusal::new(Failure::Schema, what);
    let (indicator, name) = wanted;
    let day = table.column(&["DATE"]).ok_or_else(|| schema("no column «DATE»"))?;
    let close = table.column(&["CLOSE", name]).ok_or_else(|| schema("no column «CLOSE»"))?;
    let mut found = Vec::new();
    for row in table.rows() {
        let period = row.get(day).and_then(|cell| american(cell)).ok_or_else(|| schema("a date that is none"))?;
        let cell = row.get(close).map_or("", String::as_str);
        if period < since || is_missing(cell) {
            continue;
        }
        let value = Reading::read(cell).ok_or_else(|| schema("a close that is no number"))?;
        found.push(Found { indicator: *indicator, period, value });
    }
    held(found, today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Indicator;

    #[test]
    fn both_shapes_are_read_and_only_what_is_wanted() {
        let (since, today) = ("2020-02-01".parse().unwrap(), "2020-03-02".parse().unwrap());
        let wanted = (Indicator::Vix3m, "VIX3M".to_owned());
        let long = "DATE,OPEN,HIGH,LOW,CLOSE\n01/31/2020,1,1,1,17.1\n02/28/2020,30,32,28,29.84\n";
        let short = "DATE,VIX3M\n02/28/2020,29.840000\n";
        for body in [long, short] {
            let found = observations(200, body.as_bytes(), &wanted, since, today).unwrap();
            assert_eq!(found.len(), 1, "{body}");
            assert_eq!((found[0].period.to_string().as_str(), found[0].value.to_string().as_str()), ("2020-02-28", "29.84"));
        }
        let refused = |body: &str| observations(200, body.as_bytes(), &wanted, since, today).unwrap_err().failure;
        assert_eq!(refused("DATE,OPEN\n02/28/2020,30\n"), Failure::Schema);
        assert_eq!(refused("DATE,CLOSE\n02/28/2020,0\n"), Failure::Nonsense);
        assert_eq!(refused("DATE,CLOSE\n01/02/2020,12\n"), Failure::NoData);
    }
}
