//! Configuration: defaults ← the person's TOML ← `PMAX_…` ← command line. Read once at start.
//!
//! The layers are merged as TOML tables and then read into [`Config`]. What does not fit is refused naming file, line and what is allowed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::domain::{BrokerKind, Ratio};
use crate::engine::EngineSettings;
use crate::exchange::Terms;
use crate::risk::Limits;
use crate::runtime::Trouble;
use crate::signals::{Gates, StrategySettings};

const DEFAULTS: &str = include_str!("../../config/pmax.toml");
/// Variables that are not settings.
const NOT_SETTINGS: [&str; 4] = ["PMAX_HOME", "PMAX_CONFIG", "PMAX_LOG", "PMAX_XAPI_PASSWORD"];

/// All settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which tape and how fast.
    pub tape: TapeSettings,
    /// The paper account.
    pub paper: PaperSettings,
    /// Which broker.
    pub broker: BrokerSettings,
    /// The demo account.
    pub xapi: XapiSettings,
    /// Costs.
    pub exchange: Terms,
    /// Limits.
    pub risk: Limits,
    /// Baselines.
    pub strategies: StrategySettings,
    /// Layers.
    pub gates: Gates,
    /// Tolerances.
    pub trading: TradingSettings,
    /// Looks.
    pub screen: ScreenSettings,
    /// Keys by action name.
    pub keys: BTreeMap<String, String>,
    /// Groups of the quotes pane.
    pub groups: BTreeMap<String, Vec<String>>,
}

/// `[tape]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapeSettings {
    /// Name or path.
    pub name: String,
    /// Seed of drawn quotes.
    pub seed: u32,
    /// Market seconds per wall second; 0 takes the tape's own.
    pub speed: u32,
}

/// `[paper]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperSettings {
    /// Starting capital in whole dollars.
    pub capital: u32,
}

/// `[broker]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// Paper, or a demo account over xAPI.
    pub kind: BrokerKind,
}

/// `[xapi]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XapiSettings {
    /// A host; empty for a broker simulated inside this process.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Path of the main connection.
    pub path: String,
    /// Whether the connections are encrypted.
    pub tls: bool,
    /// The account's number.
    pub account: String,
    /// A PEM file to trust besides the usual authorities.
    pub certificate: String,
}

/// Hosts that XTB closed on 2025-03-14.
const CLOSED_HOSTS: [&str; 2] = ["ws.xtb.com", "xapi.xtb.com"];

impl XapiSettings {
    /// Whether the host is this machine.
    pub fn is_local(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1")
    }

    fn contradiction(&self) -> Option<&'static str> {
        let is_host = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
        if CLOSED_HOSTS.contains(&self.host.as_str()) {
            return Some("xapi.host was closed by XTB on 2025-03-14; X Open Hub serves the same protocol at ws.xapi.pro");
        }
        if !is_host(&self.host) {
            return Some("xapi.host must be the name or number of a host, without a scheme, port or path");
        }
        // There is no override: a host is only ever asked for its demo accounts.
        if self.path != "/demo" {
            return Some("xapi.path must be \"/demo\": this program trades with demo accounts only");
        }
        if !self.account.bytes().all(|byte| byte.is_ascii_digit()) || self.account.len() > 20 {
            return Some("xapi.account must be the account's number, at most 20 digits; it is not an e-mail address");
        }
        if self.host.is_empty() || self.is_local() || self.tls {
            return None;
        }
        Some("xapi.tls must be true for a host that is not this machine: a password would travel in the clear")
    }
}

/// `[trading]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TradingSettings {
    /// How far a price may move between proposal and confirmation.
    pub confirm_tolerance: Ratio,
    /// A bar's move, in usual deviations, that raises an alert.
    pub alert_deviations: Ratio,
}

/// Which colours mean up and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Palette {
    /// Up is green.
    #[default]
    GreenRed,
    /// Up is red, as in East Asia.
    RedGreen,
    /// Up is blue, down is yellow: for eyes that confuse red and green.
    BlueOrange,
    /// No colour at all.
    Mono,
}

/// `[screen]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreenSettings {
    /// Colours.
    pub palette: Palette,
    /// Ring the bell on a critical alert.
    pub bell: bool,
}

/// One layer of settings and where it comes from.
struct Layer {
    name: String,
    /// The file's text, for line numbers; empty where there is no file.
    text: String,
    table: Table,
}

/// The settings the engine depends on.
pub fn settings_of(config: &Config) -> EngineSettings {
    EngineSettings {
        limits: config.risk,
        gates: config.gates,
        strategies: config.strategies,
        terms: config.exchange,
        confirm_tolerance: config.trading.confirm_tolerance,
        alert_deviations: config.trading.alert_deviations,
        broker: config.broker.kind,
    }
}

/// Reads all layers. `file` must exist if `is_named` (given on the command line); `sets` are `section.key=value`.
pub fn load(file: &Path, named: Named, environment: &[(String, String)], sets: &[String]) -> Result<Config, Trouble> {
    let defaults: Table = DEFAULTS.parse().map_err(|error| refuse("config/pmax.toml", &format!("{error}")))?;
    let mut layers = Vec::new();
    layers.extend(file_layer(file, named)?);
    layers.extend(environment_layer(environment, &defaults)?);
    layers.extend(command_line_layer(sets, &defaults)?);
    let mut merged = defaults.clone();
    for layer in &layers {
        check_known(layer, &defaults)?;
        merge(&mut merged, &layer.table);
    }
    let config: Config = serde_path_to_error::deserialize(Value::Table(merged)).map_err(|error| {
        let path = error.path().to_string();
        let what = error.into_inner().to_string();
        blame(&layers, &path, what.lines().next().unwrap_or(""))
    })?;
    contradiction(&config).map_or(Ok(config), |what| Err(blame(&layers, what.split(' ').next().unwrap_or(""), what)))
}

/// Whether a person named the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// With `--config`: it must exist.
    ByPerson,
    /// The usual place: it may be missing.
    ByDefault,
}

fn contradiction(config: &Config) -> Option<&'static str> {
    let terms = &config.exchange;
    let small = |ratio: Ratio| ratio < Ratio::ZERO || ratio > Ratio::ONE;
    if small(terms.slippage) || small(terms.cost_per_side) || small(terms.participation) {
        return Some("every value under [exchange] must be between 0 and 1");
    }
    if config.paper.capital == 0 || config.paper.capital > 1_000_000_000 {
        return Some("paper.capital must be 1 to 1,000,000,000");
    }
    if config.tape.speed > 1_000_000_000 {
        return Some("tape.speed must be at most 1,000,000,000");
    }
    if small(config.trading.confirm_tolerance) || config.trading.alert_deviations <= Ratio::ZERO {
        return Some("trading.confirm_tolerance must be between 0 and 1 and trading.alert_deviations above 0");
    }
    config
        .xapi
        .contradiction()
        .or_else(|| config.risk.contradiction())
        .or_else(|| config.strategies.contradiction())
        .or_else(|| config.gates.contradiction())
}

fn refuse(place: &str, what: &str) -> Trouble {
    Trouble::new(
        format!("{place}: {what}"),
        "Nothing was started and nothing was changed",
        "Mend that line; config/pmax.toml in the source shows every setting with its default",
    )
}

/// Names the layer and line a path was set at.
fn blame(layers: &[Layer], path: &str, what: &str) -> Trouble {
    let of_layer = |layer: &&Layer| lookup(&layer.table, path).is_some();
    let Some(layer) = layers.iter().rev().find(of_layer).or_else(|| layers.last()) else {
        return refuse("config/pmax.toml", &format!("{path}: {what}"));
    };
    let place = line_of(&layer.text, path).map_or_else(|| layer.name.clone(), |line| format!("{}, line {line}", layer.name));
    refuse(&place, &format!("{path}: {what}"))
}

fn lookup<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let mut value = table.get(parts.next()?)?;
    for part in parts {
        value = value.as_table()?.get(part)?;
    }
    Some(value)
}

/// The line on which `section.key` is set, counted from 1.
fn line_of(text: &str, path: &str) -> Option<usize> {
    let (section, key) = path.split_once('.').unwrap_or((path, ""));
    let mut current = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            current = name.trim();
            if current == section && key.is_empty() {
                return Some(index + 1);
            }
        }
        let named = line.split('=').next().unwrap_or("").trim();
        if !line.starts_with('#') && ((current == section && named == key) || named == path) {
            return Some(index + 1);
        }
    }
    None
}

fn file_layer(file: &Path, named: Named) -> Result<Option<Layer>, Trouble> {
    let name = file.display().to_string();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named == Named::ByDefault => return Ok(None),
        Err(error) => return Err(refuse(&name, &error.to_string())),
    };
    let table = text.parse::<Table>().map_err(|error| {
        let line = error.span().map(|span| text.get(..span.start).unwrap_or("").lines().count().max(1));
        let place = line.map_or_else(|| name.clone(), |line| format!("{name}, line {line}"));
        refuse(&place, error.message())
    })?;
    Ok(Some(Layer { name, text, table }))
}

/// `PMAX_RISK_DAILY_LOSS=0.03` sets `risk.daily_loss`.
fn environment_layer(environment: &[(String, String)], defaults: &Table) -> Result<Vec<Layer>, Trouble> {
    let mut layers = Vec::new();
    for (name, value) in environment {
        if !name.starts_with("PMAX_") || NOT_SETTINGS.contains(&name.as_str()) {
            continue;
        }
        let of_section = |(section, value): (&String, &Value)| {
            let keys = value.as_table().into_iter().flat_map(Table::keys);
            keys.map(|key| (section.clone(), key.clone())).collect::<Vec<_>>()
        };
        let keys: Vec<(String, String)> = defaults.iter().flat_map(of_section).collect();
        let spelt = |section: &str, key: &str| format!("PMAX_{section}_{key}").to_uppercase();
        let Some((section, key)) = keys.iter().find(|(section, key)| spelt(section, key) == *name) else {
            let nearest = keys.iter().map(|(section, key)| spelt(section, key)).min_by_key(|known| distance(known, name));
            let hint = nearest.map_or_else(String::new, |known| format!("; did you mean {known}?"));
            return Err(refuse("environment", &format!("{name} is not a setting{hint}")));
        };
        layers.push(Layer {
            name: format!("environment variable {name}"),
            text: String::new(),
            table: nested(section, key, value, defaults),
        });
    }
    Ok(layers)
}

fn command_line_layer(sets: &[String], defaults: &Table) -> Result<Vec<Layer>, Trouble> {
    let layer = |set: &String| {
        let parts = set.split_once('=').and_then(|(path, value)| Some((path.split_once('.')?, value)));
        let ((section, key), value) =
            parts.ok_or_else(|| refuse("--set", &format!("«{set}» is not of the form section.key=value")))?;
        Ok(Layer { name: format!("--set {set}"), text: String::new(), table: nested(section, key, value, defaults) })
    };
    sets.iter().map(layer).collect()
}

/// A table with one key. The value is read as TOML where it is TOML, else as text; where text is expected, a number is text too.
fn nested(section: &str, key: &str, value: &str, defaults: &Table) -> Table {
    let wants_text = lookup(defaults, &format!("{section}.{key}")).is_some_and(Value::is_str);
    let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    let parsed = parsed.filter(|parsed| !wants_text || parsed.is_str());
    let mut inner = Table::new();
    inner.insert(key.to_owned(), parsed.unwrap_or_else(|| Value::String(value.to_owned())));
    let mut outer = Table::new();
    outer.insert(section.to_owned(), Value::Table(inner));
    outer
}

fn check_known(layer: &Layer, defaults: &Table) -> Result<(), Trouble> {
    let free = ["keys", "groups"];
    for (section, value) in &layer.table {
        let Some(known) = defaults.get(section).and_then(Value::as_table) else {
            let sections: Vec<&str> = defaults.keys().map(String::as_str).collect();
            return Err(blame(
                std::slice::from_ref(layer),
                section,
                &format!("is not a section; there are {}", sections.join(", ")),
            ));
        };
        let Some(table) = value.as_table() else {
            return Err(blame(std::slice::from_ref(layer), section, "is a section; write it as [section]"));
        };
        let is_free = free.contains(&section.as_str());
        if let Some(key) = table.keys().find(|key| !is_free && !known.contains_key(*key)) {
            let nearest = known.keys().min_by_key(|known| distance(known, key)).map_or("", String::as_str);
            let what = format!("is not a setting; did you mean {section}.{nearest}?");
            return Err(blame(std::slice::from_ref(layer), &format!("{section}.{key}"), &what));
        }
    }
    Ok(())
}

fn merge(into: &mut Table, from: &Table) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Table(inner)), Value::Table(other)) => merge(inner, other),
            (_, value) => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Edit distance (Levenshtein), for "did you mean".
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

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str, environment: &[(&str, &str)], sets: &[&str]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pmax.toml");
        fs::write(&file, text).unwrap();
        let environment: Vec<(String, String)> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        load(&file, Named::ByPerson, &environment, &sets).map_err(|trouble| trouble.what)
    }

    #[test]
    fn the_defaults_are_complete_and_consistent() {
        let config = load_text("", &[], &[]).unwrap();
        assert_eq!(config.risk.max_position, Ratio::of(2, 100).unwrap());
        assert_eq!(config.tape.name, "crash-2020");
    }

    #[test]
    fn later_layers_win() {
        let config = load_text(
            "[risk]\ndaily_loss = 0.04\nweekly_loss = 0.09\ntrades_per_day = 7\n",
            &[("PMAX_RISK_WEEKLY_LOSS", "0.08"), ("PMAX_RISK_TRADES_PER_DAY", "6"), ("PMAX_HOME", "x"), ("PATH", "y")],
            &["risk.trades_per_day=5"],
        )
        .unwrap();
        assert_eq!(config.risk.daily_loss, Ratio::of(4, 100).unwrap());
        assert_eq!(config.risk.weekly_loss, Ratio::of(8, 100).unwrap());
        assert_eq!(config.risk.trades_per_day, 5);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_line() {
        for (text, expected) in [
            ("[risk]\n\ndayly_loss = 0.05\n", &["line 3", "risk.daily_loss"][..]),
            ("[risc]\n", &["line 1", "risc", "risk"][..]),
            ("[risk]\ndaily_loss = \"much\"\n", &["line 2", "risk.daily_loss"][..]),
            ("[risk]\ndaily_loss = 5\n", &["above 0 and at most 1"][..]),
            ("[screen]\npalette = \"pink\"\n", &["line 2", "green-red"][..]),
            ("[risk\n", &["line 1"][..]),
            ("[paper]\ncapital = 0\n", &["line 2", "1,000,000,000"][..]),
        ] {
            let what = load_text(text, &[], &[]).unwrap_err();
            assert!(expected.iter().all(|part| what.contains(part)), "{text:?} gave {what}");
        }
        assert!(load_text("", &[("PMAX_RISK_DAYLY_LOSS", "1")], &[]).unwrap_err().contains("PMAX_RISK_DAILY_LOSS"));
        assert!(load_text("", &[], &["risk=1"]).unwrap_err().contains("section.key=value"));
    }
}
