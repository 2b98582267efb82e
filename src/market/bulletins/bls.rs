//! The Bureau of Labor Statistics, version 1 of its interface: no key, twenty-five requests a day, one series each.

use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::Reading;
use crate::market::bulletins::csv::{held, is_missing};
use crate::market::bulletins::{Found, Named};
use crate::market::providers::{Failure, Refusal};

/// The path of a series.
pub(super) fn path(name: &str) -> String {
    format!("/publicAPI/v1/timeseries/data/{name}")
}

#[derive(Deserialize)]
struct Document {
    status: String,
    #[serde(default)]
    message: Vec<String>,
    #[serde(rename = "Results", default)]
    results: Option<Results>,
}

#[derive(Deserialize, Default)]
struct Results {
    #[serde(default)]
    series: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    #[serde(rename = "seriesID")]
    id: String,
    #[serde(default)]
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    year: String,
    period: String,
    #[serde(default)]
    value: Option<String>,
}

/// Reads an answer. A refusal comes with status 200 too, and says so in its own `status`.
pub fn observations(status: u16, body: &[u8], wanted: &Named, today: Date) -> Result<Vec<Found>, Refusal> {
    let document: Document = serde_json::from_slice(body).map_err(|error| Refusal::unread(status, body, &error))?;
    let words = document.message.join("; ");
    if document.status != "REQUEST_SUCCEEDED" {
        return Err(refused(&document.status, &words));
    }
    let (indicator, name) = wanted;
    let series = document.results.unwrap_or_default().series.into_iter().find(|series| series.id == *name);
    let series = series.ok_or_else(|| Refusal::new(Failure::Schema, "the answer is about another series"))?;
    if series.data.is_empty() && words.to_lowercase().contains("does not exist") {
        return Err(Refusal::new(Failure::UnknownSymbol, &words));
    }
    let mut found = Vec::new();
    for row in series.data {
        // M13 is the mean of a year.
        let month = row.period.strip_prefix('M').and_then(|month| month.parse::<i8>().ok()).filter(|month| *month <= 12);
        let (Some(month), Ok(year)) = (month, row.year.parse::<i16>()) else { continue };
        let cell = row.value.unwrap_or_default();
        if is_missing(cell.trim()) {
            continue;
        }
        let period = Date::new(year, month, 1).map_err(|_| Refusal::new(Failure::Schema, "a month that is none"))?;
        let value = Reading::read(&cell).ok_or_else(|| Refusal::new(Failure::Schema, "a value that is no number"))?;
        found.push(Found { indicator: *indicator, period, value });
    }
    held(found, today)
}

/// Why nothing was processed. Over the day's quota nothing comes before the next day.
fn refused(status: &str, words: &str) -> Refusal {
    let lower = words.to_lowercase();
    let failure = if lower.contains("threshold") || lower.contains("quota") || lower.contains("limit") {
        Failure::QuotaExhausted
    } else if lower.contains("does not exist") || lower.contains("invalid series") {
        Failure::UnknownSymbol
    } else if status == "REQUEST_NOT_PROCESSED" || status == "REQUEST_FAILED" {
        Failure::Upstream
    } else {
        Failure::Schema
    };
    Refusal::new(failure, if words.is_empty() { status } else { words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Indicator;

    fn read(body: &str) -> Result<Vec<Found>, Failure> {
        let wanted = (Indicator::Unemployment, "LNS14000000".to_owned());
        observations(200, body.as_bytes(), &wanted, "2026-11-27".parse().unwrap()).map_err(|refusal| refusal.failure)
    }

    #[test]
    fn months_are_read_holes_are_left_out_and_a_years_mean_is_no_month() {
        let found = read(
            r#"{"status":"REQUEST_SUCCEEDED","responseTime":9,"message":[],"Results":{"series":[{"seriesID":"LNS14000000","data":[
            {"year":"2026","period":"M10","periodName":"October","latest":"true","value":"4.4","footnotes":[{}]},
            {"year":"2025","period":"M13","value":"4.3","footnotes":[{}]},
            {"year":"2025","period":"M10","value":"-","footnotes":[{"code":"X"}]}]}]}}"#,
        );
        let found = found.unwrap();
        assert_eq!((found.len(), found[0].period.to_string().as_str()), (1, "2026-10-01"));
    }

    #[test]
    fn refusals_are_told_apart() {
        for (body, failure) in [
            (
                r#"{"status":"REQUEST_NOT_PROCESSED","message":["Request could not be serviced, as the daily threshold for total number of requests allocated to the user has been reached."],"Results":{}}"#,
                Failure::QuotaExhausted,
            ),
            (
                r#"{"status":"REQUEST_NOT_PROCESSED","message":["Your request has failed, please check your input parameters."]}"#,
                Failure::Upstream,
            ),
            (
                r#"{"status":"REQUEST_SUCCEEDED","message":["Series does not exist for Series LNS14000000"],"Results":{"series":[{"seriesID":"LNS14000000","data":[]}]}}"#,
                Failure::UnknownSymbol,
            ),
            (r#"{"status":"REQUEST_SUCCEEDED","message":[],"Results":{"series":[]}}"#, Failure::Schema),
            (r#"{"answer":42}"#, Failure::Schema),
            ("<html>Access Denied</html>", Failure::Blocked),
            (r#"{"status":"REQUEST_SUCC"#, Failure::Malformed),
        ] {
            assert_eq!(read(body), Err(failure), "{body}");
        }
    }
}
