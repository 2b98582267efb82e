//! What a target allocation is asked for, and what it says: weights under caps, where their risk comes from, and what holds them.
//!
//! It is information. Nothing here makes an order, and no order can be made of what comes out.

use serde::Serialize;
use thiserror::Error;

use crate::domain::Ratio;
use crate::portfolio::optimiser;
use crate::stats::{Covariance, Shrunk, ledoit_wolf};

/// Fewer daily returns make no covariance to build on: three months.
pub const LEAST_OBSERVATIONS: usize = 60;
/// What a weight may be away from a cap to count as held by it, and from nothing to count as nothing.
pub(super) const NEAR: f64 = 1e-6;

/// The largest weights, as shares of equity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Of one instrument.
    pub position: Ratio,
    /// Of all instruments of one sector together.
    pub sector: Ratio,
    /// Of all together; the rest is cash.
    pub total: Ratio,
    /// Of everything bought and sold on the way from the present book, added up. Without one there is no such cap.
    pub turnover: Option<Ratio>,
}

/// What the weights are chosen for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim<'a> {
    /// The least variance at which this share of equity is invested. It needs no expected returns.
    LeastVariance {
        /// Sum of all weights.
        invested: Ratio,
    },
    /// The largest `μ'w − aversion / 2 × w'Σw` (Markowitz 1952); what is not worth its risk stays in cash.
    MeanVariance {
        /// Expected simple returns a period, one for each instrument. Those of a sample's mean are mostly noise.
        expected: &'a [f64],
        /// How much variance is worth a unit of return, above 0.
        aversion: f64,
    },
}

/// An allocation to be found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wish<'a> {
    /// Covariance of simple returns a period.
    pub covariance: &'a Covariance,
    /// Weights now, as shares of equity; short ones are below zero.
    pub held: &'a [f64],
    /// The sector of each instrument, by any number.
    pub sectors: &'a [usize],
    /// What must not be exceeded.
    pub caps: Caps,
    /// What is wanted.
    pub aim: Aim<'a>,
}

/// What keeps a weight from being another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// Nothing of its own.
    Free,
    /// It is as large as a position may be.
    Position,
    /// Its sector is as large as a sector may be.
    Sector,
    /// It would be below zero.
    LongOnly,
}

/// A target allocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Shares of equity, in the order of the wish; what is missing to 1 is cash.
    pub weights: Vec<f64>,
    /// What holds each.
    pub holds: Vec<Holds>,
    /// Sum of all changes from the present weights, sizes added up.
    pub turnover: f64,
    /// Whether the turnover cap holds the whole.
    pub is_turnover_bound: bool,
}

/// Why there is no allocation. Shares are of equity.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NoAllocation {
    /// One instrument leaves nothing to choose.
    #[error("an allocation needs at least two instruments, there are {0}")]
    TooFew(usize),
    /// Too little history.
    #[error(
        "{have} daily returns that all instruments share are too few to estimate a covariance; {LEAST_OBSERVATIONS} are the least"
    )]
    TooShort {
        /// How many there are.
        have: usize,
    },
    /// A price that never moved says nothing about risk. Its number in the order of the wish.
    #[error("a price did not move at all, so its risk is not known")]
    Unmoved(usize),
    /// NaN or infinity among what was given. Its number.
    #[error("a return, weight or expected return is not a number")]
    NotANumber(usize),
    /// Slices of different lengths, or nothing to estimate from.
    #[error("weights, sectors, expected returns and covariance are not of one size")]
    Sizes,
    /// Caps or aims that make no sense.
    #[error("{0} must be above 0 and at most 1")]
    Cap(&'static str),
    /// Aversion that is not above zero.
    #[error("aversion to risk must be a number above 0")]
    Aversion,
    /// More is to be invested than the caps allow.
    #[error("{} % of equity cannot be invested: the caps on positions, sectors and the whole allow {} %", percent(.wanted), percent(.most))]
    Beyond {
        /// What was asked for.
        wanted: f64,
        /// The most there can be.
        most: f64,
    },
    /// The way from the present book is too long.
    #[error("no allocation within the caps can be reached with a turnover of {} %; the shortest way takes {} %", percent(.allowed), percent(.needed))]
    TooFar {
        /// The cap.
        allowed: f64,
        /// What it takes at least.
        needed: f64,
    },
    /// The solver gave up.
    #[error("the optimiser found no answer it stands by ({0})")]
    NotSolved(String),
}

/// As a percentage that does not round a difference away.
fn percent(share: &f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The covariance of daily returns, one slice an instrument, shrunk (Ledoit and Wolf 2004).
pub fn estimate(returns: &[Vec<f64>]) -> Result<Shrunk, NoAllocation> {
    if returns.len() < 2 {
        return Err(NoAllocation::TooFew(returns.len()));
    }
    let have = returns.iter().map(Vec::len).min().unwrap_or_default();
    if have < LEAST_OBSERVATIONS {
        return Err(NoAllocation::TooShort { have });
    }
    let is_wrong = |values: &Vec<f64>| values.iter().any(|value| !value.is_finite());
    if let Some(index) = returns.iter().position(is_wrong) {
        return Err(NoAllocation::NotANumber(index));
    }
    // Shrinkage would give it the risk of the others.
    let stands_still = |values: &Vec<f64>| values.iter().all(|value| *value == 0.0);
    if let Some(index) = returns.iter().position(stands_still) {
        return Err(NoAllocation::Unmoved(index));
    }
    ledoit_wolf(returns).ok_or(NoAllocation::Sizes)
}

/// The most that caps on positions, sectors and the whole allow to invest, as a share of equity.
pub fn most_invested(sectors: &[usize], caps: &Caps) -> f64 {
    let mut sizes = std::collections::BTreeMap::<usize, usize>::new();
    for sector in sectors {
        *sizes.entry(*sector).or_default() += 1;
    }
    let (position, sector) = (caps.position.to_f64(), caps.sector.to_f64());
    let all: f64 = sizes.values().map(|count| (*count as f64 * position).min(sector)).sum();
    all.min(caps.total.to_f64()).min(1.0)
}

impl Wish<'_> {
    /// Finds the allocation, or says plainly why there is none; it never loosens a cap and never answers another question.
    pub fn grant(&self) -> Result<Target, NoAllocation> {
        self.check()?;
        let weights = match optimiser::solve(self)? {
            Some(weights) => weights,
            None => return Err(self.too_far()?),
        };
        let change = |(target, held): (&f64, &f64)| (target - held).abs();
        let turnover = weights.iter().zip(self.held).map(change).sum();
        let is_turnover_bound = self.caps.turnover.is_some_and(|cap| turnover >= cap.to_f64() - NEAR);
        Ok(Target { holds: self.holds(&weights), weights, turnover, is_turnover_bound })
    }

    fn check(&self) -> Result<(), NoAllocation> {
        let size = self.covariance.size();
        if size < 2 {
            return Err(NoAllocation::TooFew(size));
        }
        if self.held.len() != size || self.sectors.len() != size {
            return Err(NoAllocation::Sizes);
        }
        if let Some(index) = self.held.iter().position(|weight| !weight.is_finite()) {
            return Err(NoAllocation::NotANumber(index));
        }
        let is_share = |share: Ratio| share > Ratio::ZERO && share.to_f64() <= 1.0;
        for (share, what) in [
            (self.caps.position, "the cap of a position"),
            (self.caps.sector, "the cap of a sector"),
            (self.caps.total, "what the cap of the whole leaves"),
        ] {
            if !is_share(share) {
                return Err(NoAllocation::Cap(what));
            }
        }
        if self.caps.turnover.is_some_and(|cap| cap < Ratio::ZERO) {
            return Err(NoAllocation::Cap("the cap of turnover"));
        }
        match self.aim {
            Aim::LeastVariance { invested } => {
                if !is_share(invested) {
                    return Err(NoAllocation::Cap("the share to invest"));
                }
                let (wanted, most) = (invested.to_f64(), most_invested(self.sectors, &self.caps));
                // A ratio has nine decimals: what was worked out from the caps is not beyond them for its last one.
                if wanted > most + 1e-9 { Err(NoAllocation::Beyond { wanted, most }) } else { Ok(()) }
            }
            Aim::MeanVariance { expected, aversion } => {
                if expected.len() != size {
                    return Err(NoAllocation::Sizes);
                }
                if let Some(index) = expected.iter().position(|value| !value.is_finite()) {
                    return Err(NoAllocation::NotANumber(index));
                }
                if aversion.is_finite() && aversion > 0.0 { Ok(()) } else { Err(NoAllocation::Aversion) }
            }
        }
    }

    /// Where the caps leave no allocation, the turnover cap is what is in the way: everything else was checked before.
    fn too_far(&self) -> Result<NoAllocation, NoAllocation> {
        let Some(allowed) = self.caps.turnover else {
            return Ok(NoAllocation::NotSolved("no allocation is within all caps".to_owned()));
        };
        let needed = optimiser::shortest_way(self)?;
        Ok(NoAllocation::TooFar { allowed: allowed.to_f64(), needed })
    }

    fn holds(&self, weights: &[f64]) -> Vec<Holds> {
        let in_sector = |sector: usize| -> f64 {
            self.sectors.iter().zip(weights).filter(|(other, _)| **other == sector).map(|(_, weight)| weight).sum()
        };
        let of = |(weight, sector): (&f64, &usize)| {
            if *weight >= self.caps.position.to_f64() - NEAR {
                Holds::Position
            } else if *weight <= NEAR {
                Holds::LongOnly
            } else if in_sector(*sector) >= self.caps.sector.to_f64() - NEAR {
                Holds::Sector
            } else {
                Holds::Free
            }
        };
        weights.iter().zip(self.sectors).map(of).collect()
    }
}
