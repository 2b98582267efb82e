//! The plan's gates against a test, each with what chance alone would do: a number above a gate is no evidence by itself.

use serde::Serialize;

use crate::backtest::Verdict;
use crate::backtest::evidence::{DailyResults, LEAST_DAYS, Share};
use crate::backtest::run::Report;
use crate::domain::{Duration, MarketTime, Money, Ratio};
use crate::engine::Counts;
use crate::portfolio::DayResult;
use crate::signals::{COIN, CountedCall, PlanGates, Standing, Tally, fewest_above};
use crate::stats::{self, Contrast, Resampler, Scheme};

/// Replications of the drawdown's interval, and their seed.
const REPLICATIONS: u64 = 1_000;
const SEED: u64 = 1;
/// One-sided chance of a false alarm at which power is said.
const FALSE_ALARM: f64 = 0.05;
/// Power that is enough.
const ENOUGH: f64 = 0.8;

/// The plan's gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanGate {
    /// Calls of the last days that were right.
    CallsRight,
    /// Signals that all layers let pass.
    LayersPassed,
    /// Round trips.
    PaperTrades,
    /// The account's Sharpe ratio.
    PaperSharpe,
    /// Its deepest fall.
    PaperDrawdown,
    /// Calls right before the first step up in capital.
    StageFirst,
    /// Before the second.
    StageSecond,
    /// Before the third.
    StageThird,
    /// Calls right below which no new orders are made.
    StopBelow,
}

/// A gate, what was found, and what that says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Gauged {
    /// Which gate.
    pub gate: PlanGate,
    /// Its number.
    pub limit: f64,
    /// What the test shows; nothing where it is not defined.
    pub found: Option<f64>,
    /// Of how many: calls, signals, round trips or days.
    pub count: u64,
    /// So many of the calls followed one another; nothing where that is not asked.
    pub independent: Option<u64>,
    /// 95 %: Wilson's for shares, Mertens' for the Sharpe ratio, resampled blocks of days for the drawdown.
    pub interval: Option<(f64, f64)>,
    /// What takes no skill: always up, always down or a coin; holding everything.
    pub base: Option<f64>,
    /// How often who has no skill passes the gate with so many; of calls a coin, with as many as followed one another.
    pub unskilled_passes: Option<f64>,
    /// How often who is just as good as the gate is told from who has no skill (one-sided, 5 %).
    pub power: Option<f64>,
    /// How many it takes to do that four times in five.
    pub needed: Option<f64>,
    /// PASS where the gate is passed and the interval lies above what takes no skill, FAIL where the interval lies beyond the gate.
    pub verdict: Verdict,
}

impl Gauged {
    /// How often the luckiest of so many tests without skill passes, as if they were independent.
    pub fn luckiest_passes(&self, tests: u64) -> Option<f64> {
        self.unskilled_passes.map(|chance| 1.0 - libm::pow(1.0 - chance, tests as f64))
    }
}

/// What an account shows of itself: that of a test, or the running one.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Its capital, then its equity at the end of each day.
    pub equity: Vec<f64>,
    /// Results of these days.
    pub results: DailyResults,
    /// The deepest fall at any price, where more is known than the ends of days.
    pub deepest: Option<f64>,
    /// What holding everything did on the same days; nothing where that is not followed.
    pub held: Option<DailyResults>,
    /// Signals and round trips.
    pub counts: Counts,
}

impl Account {
    /// The running account: its days that have ended, oldest first.
    pub fn running(capital: Money, days: &[DayResult], deepest: Ratio, counts: Counts) -> Self {
        let equity: Vec<f64> = std::iter::once(capital.to_f64()).chain(days.iter().map(|day| day.closed.to_f64())).collect();
        let span = days.first().zip(days.last()).map(|(first, last)| (first.date.yesterday().unwrap_or(first.date), last.date));
        let results = DailyResults::of(&equity, span);
        Self { equity, results, deepest: Some(deepest.to_f64()), held: None, counts }
    }

    fn of(report: &Report) -> Self {
        let days = report.days.iter().map(|(_, equity)| equity.to_f64());
        let (signals, evidence) = (&report.signals, &report.evidence);
        Self {
            equity: std::iter::once(report.capital.to_f64()).chain(days).collect(),
            results: evidence.account,
            deepest: None,
            held: Some(evidence.held),
            counts: Counts { judged: signals.judged, passed: signals.passed, round_trips: evidence.trades.count },
        }
    }
}

/// Holds an account against the gates that are not about calls.
pub fn gauge_account(account: &Account, gates: &PlanGates) -> [Gauged; 4] {
    [
        layers(&account.counts, gates.layers_passed.to_f64()),
        trades(&account.counts, gates.paper_trades),
        sharpe(account, gates.paper_sharpe.to_f64()),
        drawdown(account, gates.paper_drawdown.to_f64()),
    ]
}

/// Holds a test against every gate.
pub fn gauge(report: &Report, gates: &PlanGates) -> Vec<Gauged> {
    let [layers, trades, sharpe, drawdown] = gauge_account(&Account::of(report), gates);
    let since = MarketTime(report.until.0.saturating_sub(Duration::seconds(86_400 * i64::from(gates.calls_days)).0));
    let (recent, all) = (Calls::of(&report.calls, since), Calls::of(&report.calls, report.from));
    vec![
        recent.above(PlanGate::CallsRight, gates.calls_right.to_f64()),
        layers,
        trades,
        sharpe,
        drawdown,
        all.above(PlanGate::StageFirst, gates.stage_first.to_f64()),
        all.above(PlanGate::StageSecond, gates.stage_second.to_f64()),
        all.above(PlanGate::StageThird, gates.stage_third.to_f64()),
        recent.stop(gates.stop_below.to_f64()),
    ]
}

/// Calls that have ended, counted.
struct Calls(Tally);

impl Calls {
    /// Of kept calls in the order of their ends.
    fn of(calls: &[CountedCall], since: MarketTime) -> Self {
        let mut tally = Tally::default();
        calls.iter().filter(|call| call.ended >= since).for_each(|call| tally.add(*call));
        Self(tally)
    }

    fn gauged(&self, gate: PlanGate, standing: &Standing) -> Gauged {
        Gauged {
            gate,
            limit: standing.limit,
            found: standing.rate(),
            count: standing.of,
            independent: Some(standing.independent),
            interval: standing.interval,
            base: Some(standing.base),
            unskilled_passes: None,
            power: None,
            needed: None,
            verdict: standing.verdict(),
        }
    }

    /// More than so many are right. Chances are those of a coin, of as many calls as followed one another: which way prices would go more often
    /// was not known beforehand, so the better of "up" and "down" is what a verdict must beat, not what chance is.
    fn above(&self, gate: PlanGate, limit: f64) -> Gauged {
        let standing = self.0.against(limit);
        let independent = standing.independent;
        let fewest = fewest_above(limit, independent);
        let contrast = Contrast { base: COIN, skilled: limit, false_alarm: FALSE_ALARM };
        // Nothing tells a source from a coin that is no better than one.
        let told = (limit > COIN && independent > 0).then_some(independent);
        Gauged {
            unskilled_passes: stats::binomial_at_least(fewest, independent, COIN).filter(|_| independent > 0),
            power: told.and_then(|of| stats::exact_power(contrast, of)).map(|(_, power)| power),
            needed: stats::sample_size(contrast, ENOUGH).filter(|_| limit > COIN),
            ..self.gauged(gate, &standing)
        }
    }

    /// Not fewer than so many are right: FAIL is the plan's stop where enough calls followed one another, PASS is certain distance from it.
    fn stop(&self, limit: f64) -> Gauged {
        let standing = self.0.against(limit);
        // The fewest that are not below the limit.
        let fewest = |of: u64| libm::ceil(limit * of as f64 - 1e-9) as u64;
        let verdict = match standing.interval {
            Some(_) if standing.right < fewest(standing.of) => Verdict::Fail,
            Some((low, _)) if low > limit => Verdict::Pass,
            Some(_) | None => Verdict::NotProven,
        };
        let independent = standing.independent;
        let passes = stats::binomial_at_least(fewest(independent), independent, COIN).filter(|_| independent > 0);
        Gauged { base: Some(COIN), unskilled_passes: passes, verdict, ..self.gauged(PlanGate::StopBelow, &standing) }
    }
}

/// Above, below or neither, by an interval that must lie on one side.
const fn by_interval(interval: Option<(f64, f64)>, limit: f64) -> Verdict {
    match interval {
        Some((low, _)) if low > limit => Verdict::Pass,
        Some((_, high)) if high < limit => Verdict::Fail,
        Some(_) | None => Verdict::NotProven,
    }
}

/// Says how strict the layers are, not how good: letting everything pass would reach it.
fn layers(counts: &Counts, limit: f64) -> Gauged {
    let passed = Share::of(counts.passed, counts.judged);
    Gauged {
        gate: PlanGate::LayersPassed,
        limit,
        found: passed.rate,
        count: passed.of,
        independent: None,
        interval: passed.interval,
        base: None,
        unskilled_passes: None,
        power: None,
        needed: None,
        verdict: by_interval(passed.interval, limit),
    }
}

/// A count is known, not estimated.
fn trades(counts: &Counts, limit: u32) -> Gauged {
    let count = counts.round_trips;
    let verdict = if count > u64::from(limit) { Verdict::Pass } else { Verdict::Fail };
    Gauged {
        gate: PlanGate::PaperTrades,
        limit: f64::from(limit),
        found: Some(count as f64),
        count,
        independent: None,
        interval: None,
        base: None,
        unskilled_passes: None,
        power: None,
        needed: None,
        verdict,
    }
}

/// Without skill an account earns what holding earns at best; the standard error of a Sharpe ratio a year is 1 / √years.
fn sharpe(account: &Account, limit: f64) -> Gauged {
    let base = account.held.and_then(|held| held.sharpe).map_or(0.0, |held| held.max(0.0));
    let account = &account.results;
    let root_years = account.days_per_year.filter(|_| account.days > 0).map(|days| libm::sqrt(account.days as f64 / days));
    let has_passed = account.sharpe.is_some_and(|found| found > limit);
    let enough = account.days >= LEAST_DAYS;
    let verdict = match account.sharpe_interval.filter(|_| enough) {
        Some((low, _)) if has_passed && low > base => Verdict::Pass,
        Some((_, high)) if !has_passed && high < limit => Verdict::Fail,
        Some(_) | None => Verdict::NotProven,
    };
    let alarm = stats::normal_quantile(1.0 - FALSE_ALARM);
    let told = root_years.zip(alarm).filter(|_| limit > base);
    Gauged {
        gate: PlanGate::PaperSharpe,
        limit,
        found: account.sharpe,
        count: account.days,
        independent: None,
        interval: account.sharpe_interval,
        base: Some(base),
        unskilled_passes: root_years.map(|root| stats::normal_survival((limit - base) * root)),
        power: told.map(|(root, alarm)| stats::normal_survival(alarm - (limit - base) * root)),
        needed: needed_days(account, limit - base),
        verdict,
    }
}

fn needed_days(account: &DailyResults, distance: f64) -> Option<f64> {
    let (alarm, miss) = (stats::normal_quantile(1.0 - FALSE_ALARM)?, stats::normal_quantile(ENOUGH)?);
    let root_years = (alarm + miss) / distance;
    account.days_per_year.filter(|_| distance > 0.0).map(|days| days * root_years * root_years)
}

fn drawdown(account: &Account, limit: f64) -> Gauged {
    let days = account.results.days;
    let found = account.deepest.into_iter().chain(account.results.max_drawdown).reduce(f64::max);
    let interval = resampled(&account.equity).filter(|_| days >= LEAST_DAYS);
    let verdict = match (found, interval) {
        (Some(found), _) if found >= limit => Verdict::Fail,
        (Some(_), Some((_, high))) if high < limit => Verdict::Pass,
        (Some(_) | None, _) => Verdict::NotProven,
    };
    Gauged {
        gate: PlanGate::PaperDrawdown,
        limit,
        found,
        count: days,
        independent: None,
        interval,
        base: account.held.and_then(|held| held.max_drawdown),
        unskilled_passes: None,
        power: None,
        needed: None,
        verdict,
    }
}

/// 95 % of the drawdowns of paths made of the account's own days, in blocks of the length that they ask for (Politis and White 2004).
fn resampled(equity: &[f64]) -> Option<(f64, f64)> {
    let returns = stats::returns(equity);
    let (resampler, length) = (Resampler::new(&returns, 0.0)?, stats::optimal_block_lengths(&returns)?.stationary);
    let mut falls: Vec<f64> =
        (0..REPLICATIONS).map(|number| resampler.replicate(Scheme::Stationary(length), SEED, number).drawdown).collect();
    falls.sort_by(f64::total_cmp);
    let interval = stats::percentile_interval(&falls, 0.95)?;
    Some((interval.low, interval.high))
}
