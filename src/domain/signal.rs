//! Opinions and how they were judged.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{InstrumentId, MarketTime, Price, Ratio, RiskLevel, ScriptName, SignalId};

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The price is expected to rise.
    Long,
    /// The price is expected to fall.
    Short,
}

/// Who holds the opinion. Scorecards are kept per source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SignalSource {
    /// The baseline that follows its own past return.
    BaselineMomentum,
    /// The baseline that fades a short-term move.
    BaselineReversal,
    /// A strategy of one's own.
    Script(ScriptName),
}

/// A chance, and whether anything supports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probability {
    /// Learnt from outcomes.
    Calibrated(Ratio),
    /// Nothing supports a number yet; it may not size a trade.
    Uncalibrated,
}

/// An opinion about one instrument. Abstaining is having no view, never a "hold".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Who holds it.
    pub source: SignalSource,
    /// About what.
    pub instrument: InstrumentId,
    /// Which way.
    pub direction: Direction,
    /// The source's own measure of strength, in standard deviations.
    pub strength: Ratio,
    /// How many bars it looks ahead; also how long a trade on it is held.
    pub horizon_bars: u32,
    /// The chance of being right.
    pub probability: Probability,
    /// When it was formed: the close of the bar it rests on.
    pub as_of: MarketTime,
    /// The price it was formed at.
    pub reference: Price,
    /// Why, in one sentence with its numbers.
    pub rationale: String,
}

/// What a calibrated chance rests on, and what being right and being wrong were worth in the very outcomes that it was learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learnt {
    /// Ended signals of the source.
    pub outcomes: u32,
    /// How many of them followed one another without an overlap.
    pub independent: u32,
    /// The share that was right, whatever the strength.
    pub base: Ratio,
    /// Mean return after cost of those that were right; nothing where none was.
    pub mean_right: Option<Ratio>,
    /// Mean return after cost of those that were wrong, below zero as a rule; nothing where none was.
    pub mean_wrong: Option<Ratio>,
}

/// A view with an identity, tracked to its outcome whether or not it is traded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Its number.
    pub id: SignalId,
    /// The opinion.
    pub view: View,
    /// How risky.
    pub risk: RiskLevel,
    /// What the chance was learnt from; nothing where it is uncalibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt: Option<Learnt>,
}

/// The five layers a signal passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Is the effect larger than noise?
    Statistics,
    /// Is the market in a state where the source makes sense?
    Regime,
    /// Is the risk of the trade bearable?
    Risk,
    /// Does it fit the book?
    Portfolio,
    /// What did this source earn so far, after cost?
    TrackRecord,
}

/// What a layer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Fine.
    Pass,
    /// Passes with a doubt.
    Warn,
    /// Too little evidence to say; passes at exploratory size only.
    NotProven,
    /// Refused.
    Fail,
}

/// One layer's verdict with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerVerdict {
    /// Which layer.
    pub layer: Layer,
    /// What it says.
    pub verdict: Verdict,
    /// The number it looked at, where one exists.
    pub value: Option<Ratio>,
    /// The threshold it was held against.
    pub threshold: Option<Ratio>,
    /// One sentence.
    pub reason: String,
}

/// All five verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validation {
    /// In the order of [`Layer::ALL`].
    pub layers: Vec<LayerVerdict>,
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Price of entry: the next bar's open (its close where the series has no open).
    pub entry: Price,
    /// Close at the end of the horizon.
    pub exit: Price,
    /// Return in the signal's direction after costs and slippage of both sides.
    pub net_return: Ratio,
    /// When the horizon ended.
    pub at: MarketTime,
}

impl Layer {
    /// All layers in order.
    pub const ALL: [Self; 5] = [Self::Statistics, Self::Regime, Self::Risk, Self::Portfolio, Self::TrackRecord];

    /// The word shown and stored.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Statistics => "statistics",
            Self::Regime => "regime",
            Self::Risk => "risk",
            Self::Portfolio => "portfolio",
            Self::TrackRecord => "track record",
        }
    }
}

impl Verdict {
    /// The word stored.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::NotProven => "not_proven",
            Self::Fail => "fail",
        }
    }
}

impl Validation {
    /// Whether no layer refused.
    pub fn passed(&self) -> bool {
        self.layers.iter().all(|layer| layer.verdict != Verdict::Fail)
    }

    /// The first refusal.
    pub fn first_failure(&self) -> Option<&LayerVerdict> {
        self.layers.iter().find(|layer| layer.verdict == Verdict::Fail)
    }
}

impl SignalSource {
    /// The word shown and stored.
    pub fn word(&self) -> &str {
        match self {
            Self::BaselineMomentum => "baseline momentum",
            Self::BaselineReversal => "baseline reversal",
            Self::Script(name) => name.as_str(),
        }
    }
}

impl SignalSource {
    /// The source with this word, as [`SignalSource::word`] gives it; nothing where it can be none.
    pub fn of_word(word: &str) -> Option<Self> {
        let baselines = [Self::BaselineMomentum, Self::BaselineReversal];
        let known = baselines.into_iter().find(|source| source.word() == word);
        known.or_else(|| word.parse().ok().map(Self::Script))
    }
}

impl From<SignalSource> for String {
    fn from(source: SignalSource) -> Self {
        match source {
            SignalSource::BaselineMomentum => "baseline_momentum".to_owned(),
            SignalSource::BaselineReversal => "baseline_reversal".to_owned(),
            SignalSource::Script(name) => format!("script:{name}"),
        }
    }
}

impl TryFrom<String> for SignalSource {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match (text.as_str(), text.strip_prefix("script:")) {
            ("baseline_momentum", _) => Ok(Self::BaselineMomentum),
            ("baseline_reversal", _) => Ok(Self::BaselineReversal),
            (_, Some(name)) => name.parse().map(Self::Script),
            (_, None) => Err(format!("«{text}» is not a source of signals")),
        }
    }
}

impl Direction {
    /// `+1` or `−1`.
    pub const fn sign(self) -> f64 {
        match self {
            Self::Long => 1.0,
            Self::Short => -1.0,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Long => "LONG",
            Self::Short => "SHORT",
        })
    }
}
