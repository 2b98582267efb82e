//! A target allocation beside the present book, with what it was estimated from.

use jiff::civil::Date;
use serde::Serialize;

use crate::domain::{InstrumentId, Ratio};
use crate::portfolio::allocation::{Aim, Caps, Holds, NoAllocation, Wish, estimate, most_invested};
use crate::portfolio::history::DailyReturns;

/// Daily returns an estimate is made of unless told otherwise: two years.
pub const WINDOW: usize = 504;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question<'a> {
    /// Daily returns up to now.
    pub history: &'a DailyReturns,
    /// How many of the latest are used.
    pub window: usize,
    /// Weights now, in the order of the history's instruments.
    pub held: &'a [f64],
    /// What is held of other instruments, sizes added up: it stays as it is, and the whole may be so much smaller.
    pub outside: f64,
    /// Their sectors, by any number.
    pub sectors: &'a [usize],
    /// Caps.
    pub caps: Caps,
    /// What share to invest; the most the caps allow where nothing is said. With views it is the largest share, not the share.
    pub invested: Option<Ratio>,
    /// Expected daily returns where something supports them.
    pub views: Option<Views<'a>>,
}

/// Expected returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Views<'a> {
    /// Simple returns a day, in the order of the history's instruments.
    pub expected: &'a [f64],
    /// Aversion to variance.
    pub aversion: f64,
}

/// One instrument.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Line {
    /// Which.
    pub instrument: InstrumentId,
    /// Share of equity now; below zero for a short position.
    pub now: f64,
    /// Target share.
    pub target: f64,
    /// The part of the target's volatility that comes from it: all parts make 1. Nothing where all is cash.
    pub risk: Option<f64>,
    /// What holds the target.
    pub holds: Holds,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// By instrument.
    pub lines: Vec<Line>,
    /// Share that stays in cash.
    pub cash: f64,
    /// What is held of instruments that take no part, sizes added up.
    pub outside: f64,
    /// Sum of the sizes of all changes, as a share of equity.
    pub turnover: f64,
    /// Whether the turnover cap holds the whole.
    pub is_turnover_bound: bool,
    /// Expected standard deviation of the target, a year: from the covariance below, not from anything that happened to it.
    pub volatility: Option<f64>,
    /// The same of the present book.
    pub volatility_now: Option<f64>,
    /// Daily returns the covariance was estimated from.
    pub observations: usize,
    /// Weight of the identity in it.
    pub shrinkage: f64,
    /// The day on which the first return begins, and the last one ends.
    pub span: Option<(Date, Date)>,
    /// The most the caps allow to invest.
    pub most: f64,
    /// Whether the caps allow no other allocation: then nothing was chosen.
    pub is_forced: bool,
}

impl Question<'_> {
    /// Answers from the history alone.
    pub fn answer(&self) -> Result<Advice, NoAllocation> {
        let history = self.history.latest(self.window);
        let estimated = estimate(&history.series)?;
        let whole = self.caps.total.to_f64() - self.outside;
        // Nothing above 0 is left where that is all that may be held; the wish refuses it by name.
        let own = Caps { total: Ratio::from_f64(whole).unwrap_or(Ratio::ZERO), ..self.caps };
        let most = most_invested(self.sectors, &own);
        let wanted = self.invested.map_or(most, Ratio::to_f64);
        // Nine decimals, rounded down, so that what the caps allow stays within them.
        let invested = self.invested.unwrap_or_else(|| Ratio::from_nanos((most * 1e9) as i64));
        let (caps, aim) = match self.views {
            None => (own, Aim::LeastVariance { invested }),
            Some(Views { expected, aversion }) => {
                (Caps { total: invested.min(own.total), ..own }, Aim::MeanVariance { expected, aversion })
            }
        };
        let wish = Wish { covariance: &estimated.covariance, held: self.held, sectors: self.sectors, caps, aim };
        let target = wish.grant()?;
        let per_year = history.per_year();
        let annual = |daily: f64| per_year.map(|days| daily * libm::sqrt(days));
        let risk = estimated.covariance.risk(&target.weights);
        let parts = |index: usize| risk.as_ref().and_then(|risk| Some(risk.component.get(index)? / risk.volatility));
        let rows = self.history.instruments.iter().zip(self.held).zip(target.weights.iter().zip(&target.holds)).enumerate();
        let lines = rows
            .map(|(index, ((instrument, now), (target, holds)))| Line {
                instrument: *instrument,
                now: *now,
                target: *target,
                risk: parts(index),
                holds: *holds,
            })
            .collect();
        Ok(Advice {
            lines,
            cash: 1.0 - target.weights.iter().sum::<f64>() - self.outside,
            outside: self.outside,
            turnover: target.turnover,
            is_turnover_bound: target.is_turnover_bound,
            volatility: risk.as_ref().and_then(|risk| annual(risk.volatility)),
            volatility_now: estimated.covariance.risk(self.held).and_then(|risk| annual(risk.volatility)),
            observations: estimated.observations,
            shrinkage: estimated.intensity,
            span: history.begins.zip(history.dates.last().copied()),
            most,
            is_forced: self.views.is_none()
                && target.holds.iter().all(|holds| *holds == Holds::Position)
                && wanted >= most - 1e-9,
        })
    }
}
