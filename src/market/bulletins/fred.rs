//! FRED of the Federal Reserve Bank of St. Louis: observations with a key, and the table behind its graphs without one.
//!
//! Both tell values as they are revised today; which they were first is asked for nowhere here.

use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::Reading;
use crate::market::bulletins::csv::{Table, held, is_missing};
use crate::market::bulletins::{Found, Named};
use crate::market::providers::{Failure, Refusal};

/// The path of a series from a day on; the key is added where the request leaves.
pub(super) fn path(name: &str, since: Date) -> String {
    format!("/fred/series/observations?series_id={name}&file_type=json&observation_start={since}")
}

/// The path of the table behind a graph of several series.
pub(super) fn graph_path(names: &[&str], since: Date) -> String {
    format!("/graph/fredgraph.csv?id={}&cosd={since}", names.join(","))
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    observations: Option<Vec<Row>>,
    #[serde(default)]
    error_code: Option<u16>,
    #[serde(default)]
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    date: String,
    #[serde(default)]
    value: Option<String>,
}

/// Reads an answer with a key: by its body first, then by its status.
pub fn observations(status: u16, body: &[u8], wanted: &Named, today: Date) -> Result<Vec<Found>, Refusal> {
    let document: Document = serde_json::from_slice(body).map_err(|error| Refusal::unread(status, body, &error))?;
    if let Some(code) = document.error_code {
        return Err(refused(code, document.error_message.as_deref().unwrap_or_default()));
    }
    let rows = document.observations.ok_or_else(|| Refusal::new(Failure::Schema, "no observations in it"))?;
    let mut found = Vec::new();
    for row in rows {
        let period = row.date.parse::<Date>().map_err(|_| Refusal::new(Failure::Schema, "a date that is none"))?;
        push(&mut found, wanted, period, row.value.as_deref().unwrap_or_default())?;
    }
    held(found, today)
}

/// Reads the table behind a graph. Its first column was called `DATE` and is called `observation_date`.
pub fn graph(status: u16, body: &[u8], wanted: &[Named], today: Date) -> Result<Vec<Found>, Refusal> {
    let table = Table::read(status, body)?;
    let schema = |what: &str| Refusal::new(Failure::Schema, what);
    let day = table.column(&["observation_date", "DATE"]).ok_or_else(|| schema("no column of dates"))?;
    let columns: Vec<_> = wanted.iter().filter_map(|named| Some((named, table.column(&[&named.1])?))).collect();
    if columns.is_empty() {
        return Err(schema("none of the series is a column"));
    }
    let mut found = Vec::new();
    for row in table.rows() {
        let period = row.get(day).and_then(|cell| cell.parse::<Date>().ok()).ok_or_else(|| schema("a date that is none"))?;
        for (named, column) in &columns {
            push(&mut found, named, period, row.get(*column).map_or("", String::as_str))?;
        }
    }
    held(found, today)
}

fn push(found: &mut Vec<Found>, (indicator, _): &Named, period: Date, cell: &str) -> Result<(), Refusal> {
    if is_missing(cell.trim()) {
        return Ok(());
    }
    let value = Reading::read(cell).ok_or_else(|| Refusal::new(Failure::Schema, "a value that is no number"))?;
    found.push(Found { indicator: *indicator, period, value });
    Ok(())
}

fn refused(code: u16, words: &str) -> Refusal {
    let failure = match code {
        429 => Failure::Throttled { retry_after: None },
        400 if words.contains("api_key") => Failure::BadKey,
        400 if words.contains("does not exist") => Failure::UnknownSymbol,
        400..=499 => Failure::BadRequest,
        _ => Failure::Upstream,
    };
    Refusal::new(failure, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Indicator;

    fn today() -> Date {
        "2026-11-27".parse().unwrap()
    }

    #[test]
    fn observations_are_read_and_a_dot_is_no_value() {
        let wanted = (Indicator::Yield10y, "DGS10".to_owned());
        let body = r#"{"realtime_start":"2026-11-23","count":2,"observations":[
            {"realtime_start":"2026-11-23","realtime_end":"2026-11-23","date":"2026-11-19","value":"4.12"},
            {"realtime_start":"2026-11-23","realtime_end":"2026-11-23","date":"2026-11-20","value":"."}]}"#;
        let found = observations(200, body.as_bytes(), &wanted, today()).unwrap();
        assert_eq!((found.len(), found[0].value.to_string().as_str()), (1, "4.12"));
        for (status, body, failure) in [
            (
                400,
                r#"{"error_code":400,"error_message":"Bad Request.  The value for variable api_key is not registered."}"#,
                Failure::BadKey,
            ),
            (400, r#"{"error_code":400,"error_message":"Bad Request.  The series does not exist."}"#, Failure::UnknownSymbol),
            (
                429,
                r#"{"error_code":429,"error_message":"Too Many Requests.  Exceeded Rate Limit"}"#,
                Failure::Throttled { retry_after: None },
            ),
            (500, r#"{"error_code":500,"error_message":"Internal Server Error"}"#, Failure::Upstream),
            (504, "<html>Gateway Time-out</html>", Failure::Upstream),
            (200, r#"{"observations":[{"date":"yesterday","value":"4"}]}"#, Failure::Schema),
            (200, r#"{"observations":[{"date":"2026-11-20","value":"-412"}]}"#, Failure::Nonsense),
            (200, r#"{"observations":[]}"#, Failure::NoData),
            (200, r#"{"series":[]}"#, Failure::Schema),
        ] {
            assert_eq!(observations(status, body.as_bytes(), &wanted, today()).unwrap_err().failure, failure, "{body}");
        }
    }

    #[test]
    fn the_table_behind_a_graph_is_read_with_either_heading() {
        let wanted = [(Indicator::Yield10y, "DGS10".to_owned()), (Indicator::Yield2y, "DGS2".to_owned())];
        for heading in ["observation_date", "DATE"] {
            let body = format!("{heading},DGS10,DGS2\n2020-03-06,0.74,0.49\n2020-03-09,.,0.38\n2020-03-10,,\n");
            let found = graph(200, body.as_bytes(), &wanted, today()).unwrap();
            let said: Vec<String> = found.iter().map(|one| format!("{} {}", one.period, one.value)).collect();
            assert_eq!(said, ["2020-03-06 0.74", "2020-03-06 0.49", "2020-03-09 0.38"]);
        }
    }
}
