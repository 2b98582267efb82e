//! What every setting may be: one row each. Every refusal is made from its row, so that what is said and what is checked cannot drift.

use serde::Deserialize;
use toml::{Table, Value};

use crate::domain::Ratio;
use crate::runtime::config::layers::lookup;

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Above 0 and at most 1.
    Share,
    /// 0 to 1.
    Fraction,
    /// Above 0.
    AboveZero,
    /// 0 or more.
    NotNegative,
    /// A whole number between two ends.
    Whole(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// True or false.
    Flag,
    /// Any text.
    Text,
    /// File names in a list.
    Files,
}

/// One row: a setting's path and what it takes.
struct Rule(&'static str, Takes);

const RULES: [Rule; 84] = [
    Rule("feed.kind", Takes::OneOf(&["tape", "live"])),
    Rule("tape.name", Takes::Text),
    Rule("tape.seed", Takes::Whole(0, 4_294_967_295)),
    Rule("tape.speed", Takes::Whole(0, 1_000_000_000)),
    Rule("paper.capital", Takes::Whole(1, 1_000_000_000)),
    Rule("exchange.slippage", Takes::Fraction),
    Rule("exchange.cost_per_side", Takes::Fraction),
    Rule("exchange.participation", Takes::Fraction),
    Rule("risk.max_position", Takes::Share),
    Rule("risk.max_ticket_position", Takes::Share),
    Rule("risk.max_sector", Takes::Share),
    Rule("risk.max_gross", Takes::AboveZero),
    Rule("risk.drawdown_warn", Takes::Share),
    Rule("risk.drawdown_act", Takes::Share),
    Rule("risk.daily_loss", Takes::Share),
    Rule("risk.weekly_loss", Takes::Share),
    Rule("risk.volatility_warn", Takes::AboveZero),
    Rule("risk.trades_per_day", Takes::Whole(0, 1_000_000)),
    Rule("risk.price_collar", Takes::Share),
    Rule("risk.min_order_value", Takes::Whole(0, 1_000_000_000)),
    Rule("risk.max_order_value", Takes::Whole(1, 1_000_000_000)),
    Rule("risk.orders_per_minute", Takes::Whole(0, 1_000_000)),
    Rule("risk.max_correlated", Takes::AboveZero),
    Rule("risk.correlated_from", Takes::Share),
    Rule("risk.opposite_orders", Takes::OneOf(&["refuse", "allow"])),
    Rule("evidence.calls_right", Takes::Fraction),
    Rule("evidence.calls_days", Takes::Whole(1, 3_650)),
    Rule("evidence.layers_passed", Takes::Fraction),
    Rule("evidence.paper_trades", Takes::Whole(0, 1_000_000)),
    Rule("evidence.paper_sharpe", Takes::NotNegative),
    Rule("evidence.paper_drawdown", Takes::Share),
    Rule("evidence.stage_first", Takes::Fraction),
    Rule("evidence.stage_second", Takes::Fraction),
    Rule("evidence.stage_third", Takes::Fraction),
    Rule("evidence.stop_below", Takes::Fraction),
    Rule("strategies.momentum_bars", Takes::Whole(5, 250)),
    Rule("strategies.momentum_threshold", Takes::AboveZero),
    Rule("strategies.momentum_horizon", Takes::Whole(1, 250)),
    Rule("strategies.reversal_bars", Takes::Whole(1, 250)),
    Rule("strategies.reversal_threshold", Takes::AboveZero),
    Rule("strategies.reversal_horizon", Takes::Whole(1, 250)),
    Rule("strategies.scripts", Takes::Files),
    Rule("gates.minimum_strength", Takes::NotNegative),
    Rule("gates.volatility_percentile_warn", Takes::Share),
    Rule("gates.volatility_percentile_fail", Takes::Share),
    Rule("gates.max_volatility", Takes::AboveZero),
    Rule("gates.max_loss_at_stop", Takes::Share),
    Rule("gates.correlation_warn", Takes::Share),
    Rule("gates.correlation_fail", Takes::Share),
    // Fewer outcomes than ten prove nothing.
    Rule("gates.proven_after", Takes::Whole(10, 1_000_000)),
    Rule("gates.stop_deviations", Takes::AboveZero),
    Rule("gates.target_deviations", Takes::AboveZero),
    Rule("gates.exploratory_size", Takes::Share),
    Rule("gates.proposal_seconds", Takes::Whole(5, 86_400)),
    Rule("gates.max_proposals", Takes::Whole(1, 50)),
    Rule("sizing.kelly_fraction", Takes::Share),
    Rule("sizing.target_volatility", Takes::AboveZero),
    Rule("stages.enforced", Takes::Flag),
    Rule("stages.first", Takes::Whole(1, 1_000_000_000)),
    Rule("stages.second", Takes::Whole(1, 1_000_000_000)),
    Rule("stages.third", Takes::Whole(1, 1_000_000_000)),
    Rule("stages.fourth", Takes::Whole(1, 1_000_000_000)),
    Rule("broker.kind", Takes::OneOf(&["paper", "xapi"])),
    Rule("xapi.host", Takes::Text),
    Rule("xapi.port", Takes::Whole(1, 65_535)),
    Rule("xapi.path", Takes::Text),
    Rule("xapi.tls", Takes::Flag),
    Rule("xapi.account", Takes::Text),
    Rule("xapi.certificate", Takes::Text),
    Rule("trading.confirm_tolerance", Takes::Fraction),
    Rule("trading.alert_deviations", Takes::AboveZero),
    Rule("model.enabled", Takes::Flag),
    Rule("model.name", Takes::Text),
    Rule("model.device", Takes::OneOf(&["auto", "cpu", "gpu"])),
    Rule("model.threads", Takes::Whole(0, 256)),
    Rule("model.context", Takes::Whole(512, 131_072)),
    Rule("model.memory", Takes::Whole(0, 1_000_000)),
    Rule("model.worker", Takes::Text),
    Rule("model.server", Takes::Text),
    Rule("model.server_model", Takes::Text),
    Rule("model.commentary_seconds", Takes::Whole(1, 600)),
    Rule("model.anonymise", Takes::Flag),
    Rule("screen.palette", Takes::OneOf(&["green-red", "red-green", "blue-orange", "mono"])),
    Rule("screen.bell", Takes::Flag),
];

/// Pairs of which the first must not exceed the second.
const ORDERED: [(&str, &str); 11] = [
    ("risk.min_order_value", "risk.max_order_value"),
    ("stages.first", "stages.second"),
    ("stages.second", "stages.third"),
    ("stages.third", "stages.fourth"),
    ("evidence.stop_below", "evidence.stage_third"),
    ("evidence.stage_third", "evidence.stage_second"),
    ("evidence.stage_second", "evidence.stage_first"),
    ("risk.max_position", "risk.max_ticket_position"),
    ("risk.drawdown_warn", "risk.drawdown_act"),
    ("gates.volatility_percentile_warn", "gates.volatility_percentile_fail"),
    ("gates.correlation_warn", "gates.correlation_fail"),
];

/// What may not stand: a setting and the sentence on it, or two that contradict each other, each with its own sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit(pub Vec<(String, String)>);

impl Misfit {
    /// A misfit of one setting.
    pub fn of(path: &str, value: Option<&Value>, what: &str) -> Self {
        Self(vec![(path.to_owned(), sentence(path, value, what))])
    }
}

fn sentence(path: &str, value: Option<&Value>, what: &str) -> String {
    let written = value.map_or_else(String::new, |value| format!(" = {}", shown(value)));
    format!("{path}{written} is not allowed: {what}")
}

/// A value as a person wrote it, if it is short.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 60 || text.contains('\n') { "…".to_owned() } else { text }
}

/// The first setting that may not stand as it is, if there is one. Settings in free sections are not in the table.
pub(super) fn misfit(merged: &Table) -> Option<Misfit> {
    let unfit = |Rule(path, takes): &Rule| {
        let value = lookup(merged, path)?;
        (!takes.holds(value)).then(|| Misfit::of(path, Some(value), &format!("it must be {}", takes.words())))
    };
    RULES.iter().find_map(unfit).or_else(|| free_misfit(merged)).or_else(|| {
        ORDERED.iter().find_map(|(lower, upper)| {
            let (low, high) = (lookup(merged, lower)?, lookup(merged, upper)?);
            let above = sentence(lower, Some(low), &format!("it must not exceed {upper}, which is {}", shown(high)));
            let below = sentence(upper, Some(high), &format!("it must not be below {lower}, which is {}", shown(low)));
            (number(low)? > number(high)?).then(|| Misfit(vec![((*lower).to_owned(), above), ((*upper).to_owned(), below)]))
        })
    })
}

/// `[keys]` takes text, `[groups]` lists of text; what the words mean is for those who know actions and instruments.
fn free_misfit(merged: &Table) -> Option<Misfit> {
    let entries = |section: &'static str| {
        let table = merged.get(section).and_then(Value::as_table);
        table.into_iter().flatten().map(move |(name, value)| (format!("{section}.{name}"), value))
    };
    let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_str));
    let key = entries("keys").find(|(_, value)| !value.is_str());
    let key = key.map(|(path, value)| Misfit::of(&path, Some(value), "it must be a key in quotes such as \"ctrl-k\""));
    key.or_else(|| {
        let group = entries("groups").find(|(_, value)| !is_list(value));
        group.map(|(path, value)| Misfit::of(&path, Some(value), "it must be a list of symbols such as [\"XAUUSD\"]"))
    })
}

fn number(value: &Value) -> Option<Ratio> {
    Ratio::deserialize(value.clone()).ok()
}

impl Takes {
    fn holds(self, value: &Value) -> bool {
        match self {
            Self::Share => number(value).is_some_and(|share| share > Ratio::ZERO && share <= Ratio::ONE),
            Self::Fraction => number(value).is_some_and(|share| share >= Ratio::ZERO && share <= Ratio::ONE),
            Self::AboveZero => number(value).is_some_and(|number| number > Ratio::ZERO),
            Self::NotNegative => number(value).is_some_and(|number| number >= Ratio::ZERO),
            Self::Whole(least, most) => value.as_integer().is_some_and(|number| (least..=most).contains(&number)),
            Self::OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Flag => value.is_bool(),
            Self::Text => value.is_str(),
            Self::Files => value.as_array().is_some_and(|list| list.len() <= 8 && list.iter().all(is_script)),
        }
    }

    fn words(self) -> String {
        match self {
            Self::Share => "a share above 0 and at most 1; 0.02 is two percent".to_owned(),
            Self::Fraction => "a share from 0 to 1; 0.02 is two percent".to_owned(),
            Self::AboveZero => "a number above 0".to_owned(),
            Self::NotNegative => "a number that is 0 or more".to_owned(),
            Self::Whole(least, most) => format!("a whole number from {} to {}", grouped(least), grouped(most)),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Flag => "true or false".to_owned(),
            Self::Text => "text in quotes".to_owned(),
            Self::Files => "a list of at most 8 files of the strategies folder such as [\"breakout.rhai\"]".to_owned(),
        }
    }
}

/// A file's name without a folder.
fn is_script(value: &Value) -> bool {
    value.as_str().is_some_and(|name| name.len() > 5 && name.ends_with(".rhai") && !name.contains(['/', '\\']))
}

/// Thousands apart.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::BrokerKind;
    use crate::risk::OppositeOrders;
    use crate::runtime::config::defaults;
    use crate::runtime::{FeedKind, ModelDevice, Palette};

    #[test]
    fn every_setting_has_a_rule_and_its_default_keeps_it() {
        let defaults = defaults().unwrap();
        let of = |(section, value): (&String, &Value)| {
            value.as_table().unwrap().keys().map(|key| format!("{section}.{key}")).collect::<Vec<_>>()
        };
        let settings: BTreeSet<String> = defaults.iter().flat_map(of).collect();
        let ruled: BTreeSet<String> = RULES.iter().map(|Rule(path, _)| (*path).to_owned()).collect();
        assert_eq!(settings, ruled);
        assert_eq!(RULES.len(), ruled.len(), "one row each");
        assert_eq!(misfit(&defaults), None);
    }

    #[test]
    fn words_that_are_allowed_are_read() {
        for Rule(path, takes) in RULES {
            let Takes::OneOf(words) = takes else { continue };
            for word in words {
                let value = Value::String((*word).to_owned());
                let is_read = match path {
                    "feed.kind" => FeedKind::deserialize(value).is_ok(),
                    "broker.kind" => BrokerKind::deserialize(value).is_ok(),
                    "model.device" => ModelDevice::deserialize(value).is_ok(),
                    "screen.palette" => Palette::deserialize(value).is_ok(),
                    "risk.opposite_orders" => OppositeOrders::deserialize(value).is_ok(),
                    other => panic!("{other} is not known here"),
                };
                assert!(is_read, "{path} = {word}");
            }
        }
    }

    #[test]
    fn thousands_stand_apart() {
        let written: Vec<String> = [0, 50, 999, 65_535, 1_000_000_000].into_iter().map(grouped).collect();
        assert_eq!(written, ["0", "50", "999", "65,535", "1,000,000,000"]);
    }
}
