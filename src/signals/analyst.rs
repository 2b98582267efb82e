//! The analyst: computed facts in, a comment out. Today rules write it; a language model implements the same interface later.

use serde::{Deserialize, Serialize};

use crate::domain::{CleanText, InstrumentId, MarketTime, RiskLevel};
use crate::signals::AsOf;
use crate::signals::as_of::CLEARLY_BELOW;
use crate::stats;

/// The numbers a comment may use. Whatever it cites is in here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Its ticker.
    pub symbol: String,
    /// As of this bar's close.
    pub at: MarketTime,
    /// Return of the last bar.
    pub last_return: f64,
    /// That return in standard deviations of the 60 before.
    pub last_deviations: Option<f64>,
    /// Return of the last five bars.
    pub five_bar_return: Option<f64>,
    /// Close against its 50-bar mean.
    pub distance_from_mean: Option<f64>,
    /// Fall from the highest of the latest closes, 250 at most.
    pub below_high: f64,
    /// How many closes that is.
    pub high_bars: usize,
    /// Annualised volatility of the last 20 bars.
    pub volatility: Option<f64>,
}

/// A comment on screen and in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commentary {
    /// About what.
    pub instrument: InstrumentId,
    /// As of when.
    pub at: MarketTime,
    /// Who wrote it: `rules`, or a model's name.
    pub author: String,
    /// The text, cleaned at the door.
    pub text: CleanText,
}

/// Writes comments. It may take its time and may fail; it never sees an order and cannot make one.
pub trait Analyst: Send + std::fmt::Debug {
    /// A comment on the facts, or `None` when there is nothing worth saying.
    fn comment(&mut self, facts: &Facts) -> Option<Commentary>;
}

/// The rule-based analyst.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuleAnalyst;

impl Facts {
    /// Computes the facts at a bar's close; `None` below two closes.
    pub fn compute(instrument: InstrumentId, symbol: &str, at: MarketTime, as_of: &AsOf<'_>, bars_per_year: f64) -> Option<Self> {
        let last_return = as_of.last_returns(1)?.first().copied()?;
        let close = as_of.closes().last().copied()?;
        let high = as_of.closes().iter().rev().take(250).copied().fold(close, f64::max);
        Some(Self {
            instrument,
            symbol: symbol.to_owned(),
            at,
            last_return,
            last_deviations: last_deviations(as_of),
            five_bar_return: as_of.last(6).and_then(|closes| Some(closes.last()? / closes.first()? - 1.0)),
            distance_from_mean: stats::moving_average(as_of.closes(), 50).map(|mean| close / mean - 1.0),
            below_high: 1.0 - close / high,
            high_bars: as_of.closes().len().min(250),
            volatility: as_of.last_returns(20).and_then(|returns| stats::annualised_volatility(&returns, bars_per_year)),
        })
    }

    /// How much the last bar stands out; decides what is commented first.
    pub fn prominence(&self) -> f64 {
        self.last_deviations.map_or(0.0, f64::abs)
    }
}

/// Whether the last bar's return is surely less than so many standard deviations of the 60 before: cheaper than to know how many.
pub fn is_ordinary(as_of: &AsOf<'_>, deviations: f64) -> bool {
    let Some((rough, last)) = as_of.rough_moments(60, 1).zip(as_of.last_returns(1).and_then(|last| last.first().copied())) else {
        return last_deviations(as_of).map_or(0.0, f64::abs) < deviations;
    };
    (last / rough.deviation).abs() < CLEARLY_BELOW * deviations
}

/// The last bar's return in standard deviations of the 60 before; `None` while history is short, or where nothing moved.
pub fn last_deviations(as_of: &AsOf<'_>) -> Option<f64> {
    let returns = as_of.last_returns(61)?;
    let usual = stats::standard_deviation(returns.get(..60)?).filter(|usual| *usual > 0.0)?;
    Some(returns.last()? / usual)
}

impl Analyst for RuleAnalyst {
    fn comment(&mut self, facts: &Facts) -> Option<Commentary> {
        let mut sentences = vec![move_sentence(facts)];
        sentences.extend(trend_sentence(facts));
        sentences.extend(volatility_sentence(facts));
        Some(Commentary {
            instrument: facts.instrument,
            at: facts.at,
            author: "rules".to_owned(),
            text: CleanText::from_outside(&sentences.join(" ")),
        })
    }
}

fn move_sentence(facts: &Facts) -> String {
    let percent = facts.last_return * 100.0;
    let verb = if facts.last_return > 0.0 { "rose" } else { "fell" };
    match facts.last_deviations {
        Some(size) if size.abs() >= 3.0 => {
            format!(
                "{} {verb} {percent:+.2}%, {:.1} usual moves: outside anything the last 60 bars prepared for.",
                facts.symbol,
                size.abs()
            )
        }
        Some(size) if size.abs() >= 2.0 => format!("{} {verb} {percent:+.2}%, {:.1} usual moves.", facts.symbol, size.abs()),
        Some(_) | None => format!("{} {verb} {percent:+.2}%, an ordinary bar.", facts.symbol),
    }
}

fn trend_sentence(facts: &Facts) -> Option<String> {
    let distance = facts.distance_from_mean? * 100.0;
    let side = if distance >= 0.0 { "above" } else { "below" };
    let high = facts.below_high * 100.0;
    let bars = facts.high_bars;
    let from_high = if high < 0.05 { format!("at its {bars}-bar high") } else { format!("{high:.1}% under its {bars}-bar high") };
    Some(format!("It stands {:.1}% {side} its 50-bar mean and {from_high}.", distance.abs()))
}

fn volatility_sentence(facts: &Facts) -> Option<String> {
    let volatility = facts.volatility?;
    let level = RiskLevel::of_volatility(volatility).word();
    Some(format!("Volatility over 20 bars is {:.0}% a year: {level} risk.", volatility * 100.0))
}
