//! The table of facts: what was computed, rounded as it is shown, each with a short name. A model cites these and nothing else.

use crate::domain::MarketTime;
use crate::signals::Facts;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Hundredths.
    Percent,
    /// Standard deviations of a bar's return.
    UsualMoves,
}

/// One fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Its name: one word, in prompts and answers.
    pub id: &'static str,
    /// Its value in its unit, as it was computed.
    pub value: f64,
    /// Decimals it is shown with.
    pub decimals: usize,
    /// Its unit.
    pub unit: Unit,
}

/// Whether a model is told what it judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    /// Name and date are told.
    #[default]
    Named,
    /// Neither is: a model that remembers the day cannot look it up.
    Anonymous,
}

/// The facts about one instrument at one bar's close.
#[derive(Debug, Clone, PartialEq)]
pub struct FactTable {
    facts: Vec<Fact>,
    windows: Vec<u32>,
    symbol: String,
    at: MarketTime,
    naming: Naming,
}

/// What an anonymous instrument is called.
pub const NOBODY: &str = "X";
/// Bars that the facts speak of: five, the mean's fifty, the sixty a move is held against, the twenty of the volatility.
const WINDOWS: [u32; 4] = [5, 20, 50, 60];

impl FactTable {
    /// How many facts there are where all could be computed.
    pub const MOST: usize = 6;

    /// The table of computed facts.
    pub fn of(facts: &Facts, naming: Naming) -> Self {
        let percent = |id, share: f64, decimals| Fact { id, value: share * 100.0, decimals, unit: Unit::Percent };
        let rows = [
            Some(percent("move", facts.last_return, 2)),
            facts.last_deviations.map(|value| Fact { id: "sigma", value, decimals: 1, unit: Unit::UsualMoves }),
            facts.five_bar_return.map(|share| percent("week", share, 2)),
            facts.distance_from_mean.map(|share| percent("trend", share, 1)),
            Some(percent("drop", facts.below_high, 1)),
            facts.volatility.map(|share| percent("vol", share, 0)),
        ];
        let windows = WINDOWS.into_iter().chain(u32::try_from(facts.high_bars)).collect();
        let facts_shown = rows.into_iter().flatten().filter(|fact| fact.value.is_finite()).collect();
        Self { facts: facts_shown, windows, symbol: facts.symbol.clone(), at: facts.at, naming }
    }

    /// The facts.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The names of the facts, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.facts.iter().map(|fact| fact.id)
    }

    /// A fact by its name.
    pub fn get(&self, id: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.id == id)
    }

    /// Numbers of bars that a text may speak of.
    pub fn windows(&self) -> &[u32] {
        &self.windows
    }

    /// What the model is told the instrument is called.
    pub fn name(&self) -> &str {
        match self.naming {
            Naming::Named => &self.symbol,
            Naming::Anonymous => NOBODY,
        }
    }

    /// The facts as a model reads them, a line each. It is the same text for the same rounded facts.
    pub fn lines(&self) -> String {
        self.facts.iter().map(|fact| format!("{} {}", fact.id, fact.shown())).collect::<Vec<String>>().join("\n")
    }

    /// The close they were computed at as a model reads it.
    pub fn as_of(&self) -> String {
        match self.naming {
            Naming::Named => self.at.timestamp().strftime("%Y-%m-%d %H:%M").to_string(),
            Naming::Anonymous => "the last close".to_owned(),
        }
    }

    /// The numbers of the day, where it is told: year, month, day, hour, minute.
    pub(super) fn numbers_of_the_day(&self) -> Vec<f64> {
        match self.naming {
            Naming::Named => self.as_of().split(['-', ' ', ':']).filter_map(|part| part.parse().ok()).collect(),
            Naming::Anonymous => Vec::new(),
        }
    }
}

impl Fact {
    /// The value as it is shown, without its unit.
    pub fn rounded(&self) -> f64 {
        format!("{:.*}", self.decimals, self.value).parse().unwrap_or(self.value)
    }

    /// Whether its sign says up or down.
    pub fn has_direction(&self) -> bool {
        !matches!(self.id, "drop" | "vol")
    }

    /// As it is shown: signed, but for what has no direction.
    pub fn shown(&self) -> String {
        let (value, decimals) = (self.value, self.decimals);
        let number = if self.has_direction() { format!("{value:+.decimals$}") } else { format!("{value:.decimals$}") };
        match self.unit {
            Unit::Percent => format!("{number}%"),
            Unit::UsualMoves => number,
        }
    }
}
