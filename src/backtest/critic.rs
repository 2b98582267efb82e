//! What an honest reader would hold against a backtest, in plain words.

use serde::Serialize;

use crate::backtest::evidence::LEAST_DAYS;
use crate::backtest::{Evidence, Report, Verdict};
use crate::domain::InstrumentTable;
use crate::signals::COIN;

/// Fewer round trips say little.
const FEW_TRADES: u64 = 30;
/// A share of the winnings that one trade or one instrument should not have.
const TOO_MUCH: f64 = 0.5;

/// One objection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Nothing traded.
    Flat,
    /// It loses for certain.
    Losing,
    /// It is too short for its results to say anything.
    TooShort,
    /// The results could be chance.
    Insignificant,
    /// Too few round trips.
    FewTrades,
    /// One trade made most of the winnings.
    OneTrade,
    /// One instrument made most of them.
    Concentrated,
    /// What was earned went to costs.
    CostKills,
    /// Holding everything earned more.
    WorseThanHolding,
    /// Calls were right no more often than "always up".
    NoBetterThanUp,
    /// What the layers refused did no worse than what they kept.
    LayersAddNothing,
    /// A breaker had to stop it.
    Halted,
}

/// All objections with their numbers, the gravest first.
pub fn criticise(report: &Report, instruments: &InstrumentTable) -> Vec<(Finding, String)> {
    let evidence = &report.evidence;
    let trades = &evidence.trades;
    let mut found = Vec::new();
    if trades.count == 0 {
        return vec![(Finding::Flat, "nothing was traded and closed: there is nothing to judge".to_owned())];
    }
    found.extend(doubt(evidence));
    if trades.count < FEW_TRADES {
        found.push((Finding::FewTrades, format!("{} round trips are few; {FEW_TRADES} are the least to speak of", trades.count)));
    }
    if let Some(share) = trades.best_share.filter(|share| *share > TOO_MUCH) {
        found.push((Finding::OneTrade, format!("one trade made {:.0} % of all winnings", share * 100.0)));
    }
    found.extend(concentration(report, instruments));
    if trades.gross > 0.0 && trades.result <= 0.0 {
        let words = format!("prices earned {:.2} and costs took more: {:.2} is left", trades.gross, trades.result);
        found.push((Finding::CostKills, words));
    }
    if let (Some(ours), Some(held)) = (evidence.account.total_return, evidence.held.total_return)
        && ours < held
    {
        let words = format!("holding everything earned {:+.2} %, this {:+.2} %", held * 100.0, ours * 100.0);
        found.push((Finding::WorseThanHolding, words));
    }
    if let (Some((low, _)), Some(base)) = (evidence.kept.right.interval, evidence.kept.rose.rate)
        && low <= base.max(COIN)
    {
        let words = format!(
            "{} of {} kept calls were right; the interval begins at {:.1} %, \"always up\" or a coin reach {:.1} %",
            evidence.kept.right.count,
            evidence.kept.right.of,
            low * 100.0,
            base.max(COIN) * 100.0
        );
        found.push((Finding::NoBetterThanUp, words));
    }
    if let (Some(kept), Some(refused)) = (evidence.kept.mean_net, evidence.refused.mean_net)
        && kept <= refused
    {
        let words = format!("refused signals earned {:+.3} % each, kept ones {:+.3} %", refused * 100.0, kept * 100.0);
        found.push((Finding::LayersAddNothing, words));
    }
    if report.halts > 0 {
        let days = crate::domain::counted(report.halts, "day");
        found.push((Finding::Halted, format!("on {days} trading was held when the day began, and was armed again")));
    }
    found
}

/// What the account's verdict means, where it is no PASS.
fn doubt(evidence: &Evidence) -> Option<(Finding, String)> {
    let interval = evidence.account.sharpe_interval;
    let words =
        interval.map_or_else(|| "no interval is defined".to_owned(), |(low, high)| format!("95 % [{low:+.2}, {high:+.2}]"));
    match evidence.verdict {
        Verdict::Pass => None,
        Verdict::Fail => Some((Finding::Losing, format!("it loses, and not by chance: Sharpe ratio {words}"))),
        Verdict::NotProven if evidence.account.days < LEAST_DAYS => {
            let days = crate::domain::counted(evidence.account.days, "day");
            Some((Finding::TooShort, format!("{days} of results prove nothing; {LEAST_DAYS} are the least to speak of")))
        }
        Verdict::NotProven => Some((Finding::Insignificant, format!("the Sharpe ratio could as well be zero: {words}"))),
    }
}

fn concentration(report: &Report, instruments: &InstrumentTable) -> Option<(Finding, String)> {
    let sums = report.by_instrument();
    let won: f64 = sums.values().filter(|result| **result > 0.0).sum();
    let (best, result) = sums.iter().max_by(|left, right| left.1.total_cmp(right.1))?;
    let share = result / won;
    let is_too_much = won > 0.0 && share > TOO_MUCH && sums.len() > 1;
    is_too_much.then(|| {
        let words = format!("{} alone made {:.0} % of what instruments won", instruments.symbol(*best), share * 100.0);
        (Finding::Concentrated, words)
    })
}
