//! The layers of settings and where each value was written, so that a refusal can name the very line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::runtime::Trouble;
use crate::runtime::config::Named;
use crate::runtime::config::rules::Misfit;

/// Variables that are not settings.
const NOT_SETTINGS: [&str; 7] = [
    "PMAX_HOME",
    "PMAX_CONFIG",
    "PMAX_LOG",
    "PMAX_XAPI_PASSWORD",
    "PMAX_ALPHAVANTAGE_KEY",
    "PMAX_FRED_KEY",
    "PMAX_MODEL_SERVER_KEY",
];
/// Sections whose keys are a person's own.
const FREE: [&str; 2] = ["keys", "groups"];

/// All layers above the defaults, weakest first: where every value that is not a default comes from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origins(pub(super) Vec<Layer>);

/// One layer of settings and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    from: Place,
    pub table: Table,
    /// The line of every section and setting, by its path; empty where there is no file.
    lines: BTreeMap<String, usize>,
}

/// Where a layer was written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    File(String),
    Variable(String),
    CommandLine,
}

impl Place {
    fn words(&self, line: Option<usize>) -> String {
        match (self, line) {
            (Self::File(name), Some(line)) => format!("{name}, line {line}"),
            (Self::File(name), None) => name.clone(),
            (Self::Variable(name), _) => format!("Environment variable {name}"),
            (Self::CommandLine, _) => "--set on the command line".to_owned(),
        }
    }

    const fn todo(&self) -> &'static str {
        match self {
            Self::File(_) => "Mend that line; README.md lists every setting with its default",
            Self::Variable(_) => "Change that variable or unset it; README.md lists every setting with its default",
            Self::CommandLine => "Write another value, or none; README.md lists every setting with its default",
        }
    }
}

impl Origins {
    /// Trouble in words: names the place that set any of the misfit's settings last.
    pub fn blame(&self, Misfit(faults): &Misfit) -> Trouble {
        let set_by = |layer: &Layer| faults.iter().find(|(path, _)| lookup(&layer.table, path).is_some()).cloned();
        let found = self.0.iter().rev().find_map(|layer| Some((layer, set_by(layer)?)));
        match found {
            Some((layer, (path, what))) => layer.trouble(&path, &what),
            None => {
                let what = faults.first().map_or("a setting is not allowed", |(_, what)| what);
                refuse("Configuration", what, "Mend that setting; README.md lists every setting with its default")
            }
        }
    }
}

impl Layer {
    fn trouble(&self, path: &str, what: &str) -> Trouble {
        refuse(&self.from.words(self.lines.get(path).copied()), what, self.from.todo())
    }

    /// Refuses what no default knows.
    pub fn check_known(&self, defaults: &Table) -> Result<(), Trouble> {
        for (section, value) in &self.table {
            let Some(known) = defaults.get(section).and_then(Value::as_table) else {
                let sections: Vec<&str> = defaults.keys().map(String::as_str).collect();
                let what = format!("{section} is not a section; there are {}", sections.join(", "));
                return Err(self.trouble(section, &what));
            };
            let Some(table) = value.as_table() else {
                return Err(self.trouble(section, &format!("{section} is a section; write it as [{section}]")));
            };
            let is_free = FREE.contains(&section.as_str());
            if let Some(key) = table.keys().find(|key| !is_free && !known.contains_key(*key)) {
                let nearest = nearest(key, known.keys().map(String::as_str)).unwrap_or_default();
                let what = format!("{section}.{key} is not a setting; did you mean {section}.{nearest}?");
                return Err(self.trouble(&format!("{section}.{key}"), &what));
            }
        }
        Ok(())
    }
}

fn refuse(place: &str, what: &str, todo: &str) -> Trouble {
    Trouble::new(format!("{place}: {what}"), "Nothing was started and nothing was changed", todo)
}

pub(super) fn lookup<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let Some((section, key)) = path.split_once('.') else { return table.get(path) };
    table.get(section)?.as_table()?.get(key)
}

/// The word among `known` that is nearest to `word`, for "did you mean".
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.min_by_key(|known| distance(known, word))
}

/// The person's file. A missing one is an error only where it was named.
pub(super) fn of_file(file: &Path, named: Named) -> Result<Option<Layer>, Trouble> {
    let from = Place::File(file.display().to_string());
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named == Named::ByDefault => return Ok(None),
        Err(error) => {
            let what = format!("the file cannot be read: {error}");
            return Err(refuse(&from.words(None), &what, "Check its name and its rights, or leave out --config"));
        }
    };
    let spell = |error: toml::de::Error| {
        let line = error.span().map(|span| line_at(&text, span.start));
        let said = error.message().lines().collect::<Vec<_>>().join("; ");
        refuse(&from.words(line), &format!("this is not TOML as it should be: {said}"), from.todo())
    };
    let table = text.parse::<Table>().map_err(spell)?;
    let lines = DeTable::parse(&text).map(|parsed| lines_of(&text, parsed.get_ref())).map_err(spell)?;
    Ok(Some(Layer { from, table, lines }))
}

fn lines_of(text: &str, parsed: &DeTable<'_>) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for (section, value) in parsed {
        let section_name = section.get_ref().to_string();
        lines.insert(section_name.clone(), line_at(text, section.span().start));
        let DeValue::Table(inner) = value.get_ref() else { continue };
        for key in inner.keys() {
            lines.insert(format!("{section_name}.{}", key.get_ref()), line_at(text, key.span().start));
        }
    }
    lines
}

/// The line of a byte, counted from 1.
pub(in crate::runtime) fn line_at(text: &str, byte: usize) -> usize {
    // An error at the end of a line may point behind its line feed.
    let before = text.get(..byte.min(text.trim_end().len())).unwrap_or("");
    before.matches('\n').count() + 1
}

/// `PMAX_RISK_DAILY_LOSS=0.03` sets `risk.daily_loss`.
pub(super) fn of_environment(environment: &[(String, String)], defaults: &Table) -> Result<Vec<Layer>, Trouble> {
    let keys: Vec<(String, String)> = defaults
        .iter()
        .flat_map(|(section, value)| {
            value.as_table().into_iter().flat_map(Table::keys).map(|key| (section.clone(), key.clone())).collect::<Vec<_>>()
        })
        .collect();
    let spelt = |section: &str, key: &str| format!("PMAX_{section}_{key}").to_uppercase();
    let mut layers = Vec::new();
    for (name, value) in environment {
        if !name.starts_with("PMAX_") || NOT_SETTINGS.contains(&name.as_str()) {
            continue;
        }
        let from = Place::Variable(name.clone());
        let Some((section, key)) = keys.iter().find(|(section, key)| spelt(section, key) == *name) else {
            let all: Vec<String> = keys.iter().map(|(section, key)| spelt(section, key)).collect();
            let known = nearest(name, all.iter().map(String::as_str)).unwrap_or_default();
            return Err(refuse(&from.words(None), &format!("this is not a setting; did you mean {known}?"), from.todo()));
        };
        layers.push(Layer { from, table: nested(section, key, value, defaults), lines: BTreeMap::new() });
    }
    Ok(layers)
}

/// `--set section.key=value`
pub(super) fn of_command_line(sets: &[String], defaults: &Table) -> Result<Vec<Layer>, Trouble> {
    let layer = |set: &String| {
        let parts = set.split_once('=').and_then(|(path, value)| Some((path.split_once('.')?, value)));
        let ((section, key), value) = parts.ok_or_else(|| {
            let what = format!("«{set}» is not of the form section.key=value");
            refuse(&Place::CommandLine.words(None), &what, "Write e.g. --set risk.daily_loss=0.03")
        })?;
        Ok(Layer { from: Place::CommandLine, table: nested(section, key, value, defaults), lines: BTreeMap::new() })
    };
    sets.iter().map(layer).collect()
}

/// A table with one key. The value is read as TOML where it is TOML, else as text; where text is expected, a number is text too.
fn nested(section: &str, key: &str, value: &str, defaults: &Table) -> Table {
    let wants_text = lookup(defaults, &format!("{section}.{key}")).is_some_and(Value::is_str);
    let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    let value = parsed.filter(|parsed| !wants_text || parsed.is_str()).unwrap_or_else(|| Value::String(value.to_owned()));
    let inner = Table::from_iter([(key.to_owned(), value)]);
    Table::from_iter([(section.to_owned(), Value::Table(inner))])
}

/// Edit distance (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, a) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        for (b, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let substitute = diagonal + usize::from(a != *b);
            diagonal = *cell;
            *cell = substitute.min(before + 1).min(diagonal + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
