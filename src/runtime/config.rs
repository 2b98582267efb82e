//! Configuration: defaults ← the person's TOML ← `PMAX_…` ← command line. Read once at start.
//!
//! The layers are merged as TOML tables and then read into [`Config`]. What does not fit is refused naming file, line and what is allowed.

mod breakers;
mod layers;
mod model;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::domain::{BrokerKind, Ratio};
use crate::engine::{EngineSettings, Holidays};
use crate::exchange::Terms;
use crate::portfolio::SizingSettings;
use crate::risk::{Limits, Rules, StageSettings};
use crate::runtime::Trouble;
use crate::runtime::config::layers::Origins;
use crate::runtime::config::rules::Misfit;
use crate::signals::{Gates, PlanGates, Scripts, StrategySettings};

pub(in crate::runtime) use layers::line_at;
pub use layers::nearest;
pub use model::{ModelDevice, ModelSettings};

/// The files that hold every setting with its default, each with sections of its own.
const DEFAULTS: [(&str, &str); 2] = [
    ("config/pmax.toml", include_str!("../../config/pmax.toml")),
    ("config/gates.toml", include_str!("../../config/gates.toml")),
];

/// All settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where prices come from.
    pub feed: FeedSettings,
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
    /// What a record must reach.
    pub evidence: PlanGates,
    /// How a chance becomes a size.
    pub sizing: SizingSettings,
    /// How much of the account counts.
    pub stages: StageConfig,
    /// Tolerances.
    pub trading: TradingSettings,
    /// Language models.
    pub model: ModelSettings,
    /// Looks.
    pub screen: ScreenSettings,
    /// Keys by action name.
    pub keys: BTreeMap<String, String>,
    /// Groups of the quotes pane.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Breakers, from a table of their own.
    #[serde(skip, default = "Rules::before_the_table")]
    pub breakers: Rules,
    /// Files of strategies of one's own, as `strategies.scripts` lists them; the engine's settings know them by name and hash.
    #[serde(skip)]
    pub scripts: Vec<String>,
    /// Where its values were written.
    #[serde(skip)]
    origins: Origins,
}

impl Config {
    /// Trouble with a setting that only somebody else can judge (an action, a symbol), naming the place it was written at.
    pub fn refuse(&self, path: &str, what: &str) -> Trouble {
        self.origins.blame(&Misfit(vec![(path.to_owned(), format!("{path}: {what}"))]))
    }
}

/// `[feed]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedSettings {
    /// A tape, or live markets.
    pub kind: FeedKind,
}

/// Where prices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedKind {
    /// A tape, or the market of a demo account's broker.
    Tape,
    /// Public providers.
    Live,
}

impl FeedKind {
    /// As it is written in a configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tape => "tape",
            Self::Live => "live",
        }
    }
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

    /// A setting that cannot be as it is, and why.
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let is_host = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
        if CLOSED_HOSTS.contains(&self.host.as_str()) {
            return Some(("xapi.host", "XTB closed that host on 2025-03-14; X Open Hub serves the same protocol at ws.xapi.pro"));
        }
        if !is_host(&self.host) {
            return Some(("xapi.host", "it must be the name or number of a host, without a scheme, port or path"));
        }
        // There is no override: a host is only ever asked for its demo accounts.
        if self.path != "/demo" {
            return Some(("xapi.path", "it must be \"/demo\": this program trades with demo accounts only"));
        }
        if !self.account.bytes().all(|byte| byte.is_ascii_digit()) || self.account.len() > 20 {
            return Some(("xapi.account", "it must be the account's number, at most 20 digits; it is not an e-mail address"));
        }
        if self.host.is_empty() || self.is_local() || self.tls {
            return None;
        }
        Some(("xapi.tls", "it must be true for a host that is not this machine: a password would travel in the clear"))
    }
}

/// `[stages]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// Whether stages are enforced.
    pub enforced: bool,
    /// Capital that counts at the first stage, in whole units of the account's currency.
    pub first: u32,
    /// At the second.
    pub second: u32,
    /// At the third.
    pub third: u32,
    /// At the fourth.
    pub fourth: u32,
}

impl StageConfig {
    /// What the engine enforces; nothing where stages are off.
    fn settings(self) -> Option<StageSettings> {
        let Self { enforced, first, second, third, fourth } = self;
        enforced.then_some(StageSettings { first, second, third, fourth })
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

/// The settings the engine depends on.
pub fn settings_of(config: &Config) -> EngineSettings {
    EngineSettings {
        limits: config.risk,
        breakers: config.breakers.clone(),
        gates: config.gates,
        strategies: config.strategies,
        scripts: Scripts::default(),
        terms: config.exchange,
        confirm_tolerance: config.trading.confirm_tolerance,
        alert_deviations: config.trading.alert_deviations,
        evidence: Some(config.evidence),
        broker: config.broker.kind,
        sizing: Some(config.sizing),
        stages: config.stages.settings(),
        holidays: Holidays::Known,
    }
}

/// Reads all layers. `file` must exist if `is_named` (given on the command line); `sets` are `section.key=value`.
pub fn load(file: &Path, named: Named, environment: &[(String, String)], sets: &[String]) -> Result<Config, Trouble> {
    let defaults = defaults()?;
    let mut layers = Vec::new();
    layers.extend(layers::of_file(file, named)?);
    layers.extend(layers::of_environment(environment, &defaults)?);
    layers.extend(layers::of_command_line(sets, &defaults)?);
    let mut merged = defaults.clone();
    for layer in &layers {
        layer.check_known(&defaults)?;
        merge(&mut merged, &layer.table);
    }
    let origins = Origins(layers);
    if let Some(misfit) = rules::misfit(&merged) {
        return Err(origins.blame(&misfit));
    }
    let scripts = take_scripts(&mut merged);
    let read: Result<Config, _> = serde_path_to_error::deserialize(Value::Table(merged.clone()));
    let mut config = read.map_err(|error| {
        let path = error.path().to_string();
        let what = format!("{path}: {}", error.into_inner().to_string().lines().next().unwrap_or(""));
        origins.blame(&Misfit(vec![(path, what)]))
    })?;
    if let Some((path, what)) = config.xapi.contradiction().or_else(|| config.model.contradiction()) {
        return Err(origins.blame(&Misfit::of(path, layers::lookup(&merged, path), what)));
    }
    let gates = file.with_file_name("gates.toml");
    if gates.exists() {
        return Err(Trouble::new(
            format!("{} is not read: gates have no file of their own here", gates.display()),
            "Nothing was started and nothing was changed",
            "Write its [evidence] into pmax.toml beside it, and take the file away; a changed gate is journalled",
        ));
    }
    config.breakers = breakers::load(&file.with_file_name("risk.toml"))?;
    config.scripts = scripts;
    config.origins = origins;
    Ok(config)
}

/// The plan's gates as they are shipped.
pub fn shipped_gates() -> Result<PlanGates, Trouble> {
    let of_plan = defaults()?.remove("evidence").unwrap_or(Value::Table(Table::new()));
    of_plan.try_into().map_err(|error| {
        Trouble::new(format!("config/gates.toml: {error}"), "Nothing was started", "Mend that file and build again")
    })
}

/// The defaults of all files as one table.
fn defaults() -> Result<Table, Trouble> {
    let mut whole = Table::new();
    for (name, text) in DEFAULTS {
        let table: Table = text
            .parse()
            .map_err(|error| Trouble::new(format!("{name}: {error}"), "Nothing was started", "Mend that file and build again"))?;
        whole.extend(table);
    }
    Ok(whole)
}

/// Whether a person named the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// With `--config`: it must exist.
    ByPerson,
    /// The usual place: it may be missing.
    ByDefault,
}

fn take_scripts(merged: &mut Table) -> Vec<String> {
    let listed = merged.get_mut("strategies").and_then(Value::as_table_mut).and_then(|table| table.remove("scripts"));
    let listed = listed.as_ref().and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(Value::as_str).map(str::to_owned).collect()
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

#[cfg(test)]
mod tests {
    use std::fs;

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
            ("[model]\nserver = \"here\"\n", &["line 2", "model.server", "http"][..]),
            ("[model]\ndevice = \"tpu\"\n", &["line 2", "auto, cpu, gpu"][..]),
        ] {
            let what = load_text(text, &[], &[]).unwrap_err();
            assert!(expected.iter().all(|part| what.contains(part)), "{text:?} gave {what}");
        }
        assert!(load_text("", &[("PMAX_RISK_DAYLY_LOSS", "1")], &[]).unwrap_err().contains("PMAX_RISK_DAILY_LOSS"));
        assert!(load_text("", &[], &["risk=1"]).unwrap_err().contains("section.key=value"));
    }
}
