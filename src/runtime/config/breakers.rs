//! The table of breakers: `config/risk.toml`, and a person's own rows in a file of the same name beside their `pmax.toml`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::risk::{Rule, Rules};
use crate::runtime::Trouble;
use crate::runtime::config::layers::line_at;

/// The rows of the program.
const DEFAULTS: (&str, &str) = ("config/risk.toml", include_str!("../../../config/risk.toml"));
/// The one key of the file.
const KEY: &str = "breaker";
/// More rows than anybody watches.
const MOST: usize = 64;

/// The default rows with those of a person's file in their places. A file that is not there changes nothing.
pub(super) fn load(file: &Path) -> Result<Rules, Trouble> {
    let mut rows = read(DEFAULTS.0, DEFAULTS.1)?;
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Rules::new(rows)),
        Err(error) => return Err(refuse(&file.display().to_string(), &format!("the file cannot be read: {error}"))),
    };
    let name = file.display().to_string();
    for row in read(&name, &text)? {
        let shipped = rows.iter().find(|other| other.name == row.name);
        if let Some(shipped) = shipped.filter(|shipped| shipped.metric != row.metric) {
            let (called, metric) = (&row.name, shipped.metric.label());
            let what = format!("breaker {called}: it watches {metric}, and a row of this name may not watch something else");
            return Err(Trouble::new(
                format!("{name}: {what}"),
                "Nothing was started and nothing was changed",
                "Give that row a name of its own; to be left alone by a shipped one, write action = \"warn\" there",
            ));
        }
        match rows.iter_mut().find(|other| other.name == row.name) {
            Some(place) => *place = row,
            None => rows.push(row),
        }
    }
    if rows.len() > MOST {
        return Err(refuse(&name, &format!("it makes {} breakers of the table; there may be {MOST}", rows.len())));
    }
    Ok(Rules::new(rows))
}

/// The rows of one file, each held against what its metric allows.
fn read(file: &str, text: &str) -> Result<Vec<Rule>, Trouble> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or_else(String::new, |span| format!(", line {}", line_at(text, span.start)));
        let said = error.message().lines().collect::<Vec<_>>().join("; ");
        refuse(&format!("{file}{line}"), &format!("this is not TOML as it should be: {said}"))
    })?;
    if let Some(stranger) = table.keys().find(|key| *key != KEY) {
        return Err(refuse(file, &format!("{stranger} is not known here: every row begins with [[{KEY}]]")));
    }
    let entries = table.get(KEY).and_then(Value::as_array).filter(|entries| !entries.is_empty());
    let Some(entries) = entries else {
        return Err(refuse(file, &format!("it has no row; a row begins with [[{KEY}]]")));
    };
    let lines = lines_of(text);
    let (mut rows, mut names) = (Vec::new(), BTreeSet::new());
    for (index, entry) in entries.iter().enumerate() {
        let called = entry.get("name").and_then(Value::as_str).map_or_else(|| format!("number {}", index + 1), str::to_owned);
        let line = lines.get(index).map_or_else(String::new, |line| format!(", line {line}"));
        let wrong = |what: &str| refuse(&format!("{file}{line}"), &format!("breaker {called}: {what}"));
        let row = row(entry).map_err(|what| wrong(&what))?;
        if !names.insert(row.name.clone()) {
            return Err(wrong("there are two rows of this name"));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// One row, or what is wrong with it.
fn row(entry: &Value) -> Result<Rule, String> {
    let mut entry = entry.clone();
    // A date may stand with or without quotes.
    if let Some(date) = entry.get_mut("reviewed_on")
        && let Value::Datetime(written) = date
    {
        *date = Value::String(written.to_string());
    }
    let row: Rule = serde_path_to_error::deserialize(entry).map_err(|error| {
        let path = error.path().to_string();
        let said = error.into_inner().to_string();
        let said = said.lines().next().unwrap_or_default().to_owned();
        if path == "." { said } else { format!("{path}: {said}") }
    })?;
    if row.owner.trim().is_empty() || row.reason.trim().is_empty() {
        return Err("owner and reason must say something: a limit that nobody answers for is nobody's".to_owned());
    }
    if row.name.is_own_lock() {
        return Err("this name is kept for locks that you set yourself (`:lock`): call it otherwise".to_owned());
    }
    row.contradiction().map_or(Ok(row), Err)
}

/// The line on which each row begins.
fn lines_of(text: &str) -> Vec<usize> {
    let Ok(parsed) = DeTable::parse(text) else { return Vec::new() };
    let Some(DeValue::Array(entries)) = parsed.get_ref().get(KEY).map(|value| value.get_ref()) else { return Vec::new() };
    entries.iter().map(|entry| line_at(text, entry.span().start)).collect()
}

fn refuse(place: &str, what: &str) -> Trouble {
    Trouble::new(
        format!("{place}: {what}"),
        "Nothing was started and nothing was changed",
        "Mend that row; config/risk.toml says at its top what each column takes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Ratio;
    use crate::risk::{Action, Limit, Metric, Scope};

    fn own(text: &str) -> Result<Rules, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("risk.toml");
        fs::write(&file, text).unwrap();
        load(&file).map_err(|trouble| trouble.what)
    }

    const DAILY: &str = "[[breaker]]\nname = \"daily_loss\"\nmetric = \"daily_loss\"\nlimit = 0.03\nscope = \"account\"\n\
                         action = \"halt\"\nunlock = \"day\"\nowner = \"me\"\nreason = \"careful\"\nreviewed_on = 2026-01-02\n";

    #[test]
    fn the_shipped_table_watches_every_metric() {
        let rules = load(Path::new("no such folder/risk.toml")).unwrap();
        for metric in Metric::ALL {
            assert!(rules.iter().any(|rule| rule.metric == metric), "{metric:?} is watched by nothing");
        }
        assert!(rules.iter().any(|rule| matches!(rule.action, Action::Reduce(_)) && rule.scope == Scope::Instrument));
    }

    #[test]
    fn an_own_row_takes_the_place_of_the_default_and_the_others_stay() {
        let defaults = load(Path::new("no such folder/risk.toml")).unwrap();
        let rules = own(DAILY).unwrap();
        assert_eq!(rules.iter().count(), defaults.iter().count());
        let row = rules.iter().find(|rule| rule.name.as_str() == "daily_loss").unwrap();
        assert_eq!((row.action, row.limit), (Action::Halt, Limit::Number(Ratio::of(3, 100).unwrap())));
        let rules = own(&DAILY.replace("name = \"daily_loss\"", "name = \"mine\"")).unwrap();
        assert_eq!(rules.iter().count(), defaults.iter().count() + 1);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_row() {
        for (from, to, words) in [
            ("limit = 0.03", "limit = 3", &["line 1", "breaker daily_loss", "at most 1"][..]),
            ("limit = 0.03", "limit = \"much\"", &["limit", "risk.daily_loss"][..]),
            ("limit = 0.03", "limit = \"risk.max_gross\"", &["limit", "risk.daily_loss"][..]),
            ("limit = 0.03\n", "", &["missing field `limit`"][..]),
            ("metric = \"daily_loss\"", "metric = \"dayly_loss\"", &["metric", "dayly_loss", "daily_loss"][..]),
            ("scope = \"account\"", "scope = \"instrument\"", &["scope must be \"account\""][..]),
            ("action = \"halt\"", "action = \"open\"", &["action", "«open»", "reduce 0.25"][..]),
            ("action = \"halt\"", "action = \"warn\"\nwindow = 30", &["window is not for this metric"][..]),
            ("unlock = \"day\"", "unlock = \"soon\"", &["unlock", "«soon»", "4h"][..]),
            ("owner = \"me\"", "owner = \" \"", &["owner and reason"][..]),
            ("owner = \"me\"", "owner = \"me\"\ncolour = 1", &["colour", "unknown field"][..]),
            ("name = \"daily_loss\"", "name = \"Daily Loss\"", &["name", "«Daily Loss»"][..]),
            ("[[breaker]]", "[[braker]]", &["braker", "[[breaker]]"][..]),
            ("[[breaker]]", "x = 1\n[[breaker]]", &["x is not known"][..]),
            ("limit = 0.03", "limit = ", &["line 4", "TOML"][..]),
        ] {
            let text = DAILY.replace(from, to);
            assert_ne!(text, DAILY, "{from}");
            let said = own(&text).unwrap_err();
            assert!(words.iter().all(|word| said.contains(word)), "{to}: {said}");
        }
        assert!(own("").unwrap_err().contains("it has no row"));
        assert!(own("breaker = []").unwrap_err().contains("it has no row"));
        assert!(own(&format!("{DAILY}{DAILY}")).unwrap_err().contains("line 11: breaker daily_loss: there are two rows"));
        let away =
            DAILY.replace("metric = \"daily_loss\"", "metric = \"latency\"").replace("limit = 0.03", "window = 5\nlimit = 900");
        assert!(own(&away).unwrap_err().contains("may not watch something else"), "a shipped row cannot be taken away");
        let decay = DAILY
            .replace("metric = \"daily_loss\"", "metric = \"model_decay\"")
            .replace("name = \"daily_loss\"", "name = \"mine\"");
        assert!(own(&decay).unwrap_err().contains("window must be a whole number of calls from 30 to 250"));
        let by_source = decay.replace("scope = \"account\"", "scope = \"source\"\nwindow = 60");
        assert!(own(&by_source).unwrap_err().contains("holds the whole account"));
        assert!(own(&by_source.replace("\"halt\"", "\"close\"")).unwrap_err().contains("for a source"));
        assert!(own(&by_source.replace("\"halt\"", "\"block\"")).is_ok());
    }
}
