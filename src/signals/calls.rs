//! Signals as scorecards see them.

use std::collections::BTreeMap;

use crate::domain::{Direction, InstrumentId, Layer, MarketTime, Outcome, Ratio, Signal, SignalId, SignalSource, Validation};

/// How stormy the market was when a signal was made: the rank of its volatility among its own past, in thirds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weather {
    /// Lowest third.
    Calm,
    /// Middle third.
    Usual,
    /// Highest third.
    Stormy,
    /// There was too little history to say.
    Unknown,
}

impl Weather {
    /// From a rank of volatility between 0 and 1.
    pub fn of(rank: Option<f64>) -> Self {
        match rank {
            Some(rank) if rank < 1.0 / 3.0 => Self::Calm,
            Some(rank) if rank < 2.0 / 3.0 => Self::Usual,
            Some(_) => Self::Stormy,
            None => Self::Unknown,
        }
    }

    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Usual => "usual",
            Self::Stormy => "stormy",
            Self::Unknown => "unknown",
        }
    }
}

/// How a signal ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ended {
    /// When.
    pub at: MarketTime,
    /// Return of the price over the horizon, whatever the direction and before cost.
    pub moved: f64,
    /// Return in the signal's direction after cost.
    pub net: f64,
}

/// A signal as a scorecard sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// Whose.
    pub source: SignalSource,
    /// About what.
    pub instrument: InstrumentId,
    /// Whether a rise was called.
    pub is_long: bool,
    /// The source's own measure.
    pub strength: f64,
    /// Bars looked ahead.
    pub horizon: u32,
    /// The market at that time.
    pub weather: Weather,
    /// The first layer that refused it; nothing where all let it through.
    pub refused_by: Option<Layer>,
    /// When it was made.
    pub made: MarketTime,
    /// Whether that was before the run began, while history only warmed up: nobody could have traded it.
    pub is_warm_up: bool,
    /// How it ended; nothing while its horizon runs.
    pub ended: Option<Ended>,
}

impl Call {
    /// Whether the layers let it through.
    pub const fn passed(&self) -> bool {
        self.refused_by.is_none()
    }

    /// Whether its direction was right, before cost.
    pub fn was_right(&self, ended: &Ended) -> bool {
        if self.is_long { ended.moved > 0.0 } else { ended.moved < 0.0 }
    }
}

/// Collects calls as signals are judged and end. Its memory grows with them: it is for reports, no part of the engine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallLog {
    calls: Vec<Call>,
    running: BTreeMap<SignalId, usize>,
}

impl CallLog {
    /// A signal was judged in a run that began, after its warm-up, at `began`.
    pub fn judged(&mut self, signal: &Signal, validation: &Validation, began: MarketTime) {
        let view = &signal.view;
        let regime = validation.layers.iter().find(|layer| layer.layer == Layer::Regime);
        self.running.insert(signal.id, self.calls.len());
        self.calls.push(Call {
            source: view.source,
            instrument: view.instrument,
            is_long: view.direction == Direction::Long,
            strength: view.strength.to_f64(),
            horizon: view.horizon_bars,
            weather: Weather::of(regime.and_then(|layer| layer.value).map(Ratio::to_f64)),
            refused_by: validation.first_failure().map(|layer| layer.layer),
            made: view.as_of,
            is_warm_up: view.as_of < began,
            ended: None,
        });
    }

    /// The horizon of a signal ended; one that was not judged here is not known.
    pub fn resolved(&mut self, signal: SignalId, outcome: &Outcome) {
        let call = self.running.remove(&signal).and_then(|index| self.calls.get_mut(index));
        let moved = outcome.exit.change_from(outcome.entry).map(Ratio::to_f64);
        if let Some((call, moved)) = call.zip(moved) {
            call.ended = Some(Ended { at: outcome.at, moved, net: outcome.net_return.to_f64() });
        }
    }

    /// All of them, in the order in which they were made.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }
}
