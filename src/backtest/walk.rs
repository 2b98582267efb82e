//! Walk-forward: parameters are chosen on what was known, tested on what came after, window after window.
//!
//! Choosing on the test is not possible by construction. A choice is made by [`choose`], which is given fits of a training window and nothing
//! else; a training fit is made by the one function that plays a training stretch, whose events end before the embargo; and the events of the
//! test are first asked for when the choice has been made. The whole runs of every candidate over the tested years, which the probability of
//! overfitting needs, are made apart and never meet a choice.
//!
//! It knows neither files nor cores: a caller does the jobs in any order, on as many of them as it likes, and puts the results back in order.

mod grid;
mod summary;
mod windows;

use jiff::civil::Date;
use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use grid::{Candidate, Rule, own_rules, small_grid};
pub use summary::{Efficiency, Gauge, Stability, Summary};
pub use windows::{Anchor, Geometry, Length, NoWindows, Stretch, Window};

use crate::backtest::{Calls, DailyResults, Plan, Report, TradeResults, Verdict, run};
use crate::domain::{ArithmeticError, Bar, MarketEvent, MarketTime};

/// With fewer round trips in training nothing is chosen.
pub const LEAST_TRADES: u64 = 30;
/// Bars that a signal takes besides its horizon: the fill that opens comes one later, the fill that closes one after the horizon.
const FILLS: u32 = 2;

/// Why a fit has no result.
#[derive(Debug, Error)]
pub enum Unplayable {
    /// An amount is beyond what money can hold.
    #[error(transparent)]
    Amount(#[from] ArithmeticError),
    /// The settings could not be written down.
    #[error("the settings have no hash: {0}")]
    Settings(#[from] serde_json::Error),
}

/// Which candidate is played where.
#[derive(Debug, Clone, Copy)]
struct Task {
    part: Part,
    candidate: usize,
    since: MarketTime,
    stretch: Stretch,
}

/// Everything a walk needs.
#[derive(Debug, Clone)]
pub struct Walk {
    plan: Plan,
    geometry: Geometry,
    grid: Vec<Candidate>,
    windows: Vec<Window>,
}

/// Which part of the work a fit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A candidate on a training window.
    Train,
    /// The chosen candidate on the test after it.
    Test,
    /// A candidate on all tested years, for the probability of overfitting.
    Whole,
}

/// One candidate on one stretch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fit {
    /// What it was part of.
    pub part: Part,
    /// Place in the grid.
    pub candidate: usize,
    /// SHA-256 of everything the result depends on besides tape and dates.
    pub settings: String,
    /// First moment of trading.
    pub begins: MarketTime,
    /// Last event.
    pub ends: MarketTime,
    /// What the account earned.
    pub account: DailyResults,
    /// Round trips.
    pub trades: u64,
}

/// What the chosen candidate did out of sample.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tested {
    /// Its results.
    pub fit: Fit,
    /// PASS, FAIL or NOT PROVEN, of this window alone.
    pub verdict: Verdict,
    /// Round trips.
    pub trades: TradeResults,
    /// Value bought in all round trips.
    pub turnover: f64,
    /// Commission of all trades.
    pub costs: f64,
    /// Kept signals whose horizon has ended.
    pub calls: Calls,
    /// Positions open at the end; none, unless an instrument stopped printing.
    pub open: u64,
    /// Account returns by risk day.
    #[serde(skip)]
    pub returns: Vec<(Date, f64)>,
    /// When each round trip closed, and its return on the value bought, after cost.
    #[serde(skip)]
    pub trips: Vec<(Date, f64)>,
}

/// One window's outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Walked {
    /// Where it lies.
    pub window: Window,
    /// Every candidate in training, in the order of the grid.
    pub fits: Vec<Fit>,
    /// Place of the chosen one among them; nothing where none traded enough, and then the test stays out of the market.
    pub chosen: Option<usize>,
    /// What it did in the test.
    pub tested: Option<Tested>,
}

/// A candidate over all tested years.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// Its results.
    pub fit: Fit,
    /// Account returns by risk day.
    pub returns: Vec<(Date, f64)>,
    /// Everything on the tape, held equally over the same years.
    pub held: DailyResults,
    /// Its growth from 1, by risk day.
    pub held_growth: Vec<(Date, f64)>,
}

/// What a job gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// A window.
    Walked(Box<Walked>),
    /// A whole run.
    Whole(Box<Whole>),
}

impl Walk {
    /// Cuts the windows. Errors where they cannot be cut, or where a purge is shorter than what the longest candidate needs.
    pub fn new(plan: Plan, bars: &[Bar], geometry: Geometry, grid: Vec<Candidate>) -> Result<Self, NoWindows> {
        let needed = least_purge(&grid);
        if geometry.purge < needed {
            return Err(NoWindows::Purge { given: geometry.purge, needed });
        }
        let until = plan.until.unwrap_or(MarketTime(i64::MAX));
        let windows = windows::windows(bars, plan.from, until, &geometry)?;
        Ok(Self { plan, geometry, grid, windows })
    }

    /// SHA-256, in hexadecimal digits, of settings, windows and grid.
    pub fn settings_hash(&self) -> Result<String, Unplayable> {
        let whole = serde_json::to_vec(&(self.plan.settings_hash()?, &self.geometry, &self.grid))?;
        Ok(Sha256::digest(&whole).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// How many pieces of work there are: each window, then each candidate over all tested years.
    pub const fn jobs(&self) -> usize {
        self.windows.len() + self.grid.len()
    }

    /// How many fits all jobs make together, at most.
    pub const fn fits(&self) -> usize {
        self.windows.len() * (self.grid.len() + 1) + self.grid.len()
    }

    /// The windows.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The candidates.
    pub fn grid(&self) -> &[Candidate] {
        &self.grid
    }

    /// How windows were cut.
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// What is played.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Does one job. `history` gives the market's events known from an instant on, in order. `None` past the last job.
    pub fn work<I>(&self, job: usize, history: impl Fn(MarketTime) -> I) -> Option<Result<Done, Unplayable>>
    where
        I: Iterator<Item = MarketEvent>,
    {
        if let Some(window) = self.windows.get(job) {
            return Some(self.walk(*window, history).map(|walked| Done::Walked(Box::new(walked))));
        }
        let candidate = job - self.windows.len();
        self.grid.get(candidate)?;
        Some(self.whole(candidate, history).map(|whole| Done::Whole(Box::new(whole))))
    }

    fn walk<I>(&self, window: Window, history: impl Fn(MarketTime) -> I) -> Result<Walked, Unplayable>
    where
        I: Iterator<Item = MarketEvent>,
    {
        let Window { since, train, test, .. } = window;
        let of = |part, candidate, stretch| Task { part, candidate, since, stretch };
        let all = 0..self.grid.len();
        let fits: Vec<Fit> = all
            .map(|candidate| Ok(self.play(of(Part::Train, candidate, train), &history)?.0))
            .collect::<Result<_, Unplayable>>()?;
        let chosen = choose(&fits);
        let tested = match chosen {
            Some(candidate) => {
                Some(self.play(of(Part::Test, candidate, test), &history)?).map(|(fit, report)| tested(fit, &report))
            }
            None => None,
        };
        Ok(Walked { window, fits, chosen, tested })
    }

    fn whole<I>(&self, candidate: usize, history: impl Fn(MarketTime) -> I) -> Result<Whole, Unplayable>
    where
        I: Iterator<Item = MarketEvent>,
    {
        let (first, last) = (self.windows.first(), self.windows.last());
        let since = first.map_or(self.plan.from, |window| window.since);
        let from = first.map_or(self.plan.from, |window| window.test.from);
        let until = last.map_or(MarketTime(i64::MAX), |window| window.test.until);
        let task = Task { part: Part::Whole, candidate, since, stretch: Stretch { from, opens_until: until, until } };
        let (fit, report) = self.play(task, &history)?;
        Ok(Whole { fit, returns: daily(&report), held: report.evidence.held, held_growth: report.held })
    }

    fn play<I>(&self, task: Task, history: impl Fn(MarketTime) -> I) -> Result<(Fit, Report), Unplayable>
    where
        I: Iterator<Item = MarketEvent>,
    {
        let Task { part, candidate, since, stretch } = task;
        let mut plan = self.plan.clone();
        if let Some(known) = self.grid.get(candidate) {
            known.apply(&mut plan.setup);
        }
        plan.from = stretch.from;
        (plan.since, plan.opens_until, plan.until) = (Some(since), Some(stretch.opens_until), Some(stretch.until));
        let report = run(&plan, history(since))?;
        let fit = Fit {
            part,
            candidate,
            settings: plan.settings_hash()?,
            begins: report.from,
            ends: report.until.max(report.from),
            account: report.evidence.account,
            trades: report.evidence.trades.count,
        };
        Ok((fit, report))
    }
}

/// Bars that the longest candidate takes from signal to last fill.
pub fn least_purge(grid: &[Candidate]) -> u32 {
    grid.iter().map(|candidate| candidate.horizon.saturating_add(FILLS)).max().unwrap_or(FILLS)
}

/// The place of the best Sharpe ratio of daily returns among training fits with at least [`LEAST_TRADES`] round trips. Of equals the first
/// wins, which is the simpler one. `None` where no candidate traded enough.
pub fn choose(fits: &[Fit]) -> Option<usize> {
    let is_eligible = |fit: &&Fit| fit.part == Part::Train && fit.trades >= LEAST_TRADES;
    let scored = fits.iter().filter(is_eligible).filter_map(|fit| Some((fit.candidate, fit.account.sharpe?)));
    scored.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(candidate, _)| candidate)
}

fn daily(report: &Report) -> Vec<(Date, f64)> {
    let mut before = report.capital.to_f64();
    let of_day = |(date, equity): &(Date, crate::domain::Money)| {
        let equity = equity.to_f64();
        let value = equity / before - 1.0;
        before = equity;
        (*date, value)
    };
    report.days.iter().map(of_day).collect()
}

fn tested(fit: Fit, report: &Report) -> Tested {
    let evidence = &report.evidence;
    Tested {
        fit,
        verdict: evidence.verdict,
        trades: evidence.trades,
        turnover: report.trades.iter().map(|trade| trade.value.to_f64()).sum(),
        costs: report.costs.to_f64(),
        calls: evidence.kept,
        open: report.open,
        returns: daily(report),
        trips: report.trips(),
    }
}
