//! A walk-forward as a report.

use crate::backtest::Verdict;
use crate::backtest::walk::{Anchor, LEAST_TRADES, Summary, Walk, Walked};
use crate::domain::RiskDay;
use crate::report::charts::pictures;
use crate::report::series::Series;
use crate::report::words::{chance, number, percent, range, share, signed, size, verdict};
use crate::report::{Block, Document};

/// What was asked for, and of what tape.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The command that gives this report again.
    pub command: &'a str,
    /// What the tape says of itself.
    pub description: &'a str,
    /// SHA-256 of settings, windows and grid.
    pub settings: &'a str,
}

/// All of a walk. The same walk gives the same document on any machine and day.
pub fn walk_forward(setting: Setting<'_>, walk: &Walk, walked: &[Walked], summary: &Summary) -> Document {
    let mut blocks = vec![
        Block::Words(format!("Verdict: {} — {}.", verdict(summary.verdict), meaning(summary.verdict))),
        Block::List(summary.gauges.iter().map(|gauge| format!("{}: {}", met_or_not(gauge.holds), gauge.words)).collect()),
        Block::Words(setting.description.to_owned()),
        Block::heading("Out of sample, all tests in a row"),
        together(summary),
        Block::Words(format!(
            "A position is {} of equity, so compare the Sharpe ratios, not the returns. Holding pays one round trip; no interest is earned on cash.",
            size(Some(walk.plan().setup.settings.gates.exploratory_size.to_f64()))
        )),
        Block::heading("What the search is worth"),
        worth(summary),
        Block::heading("Calls and costs"),
        calls(summary),
        Block::heading("Windows"),
        windows(walk, walked),
        Block::Words(
            "In training `in` means chosen by, in the test `out` means found after: Sharpe ratio a year, total return, round trips. The verdict \
             is that of one window alone, from its own 95 % interval."
                .to_owned(),
        ),
        Block::heading("Choices"),
        choices(summary),
    ];
    blocks.extend(drawings(walked, summary));
    blocks.extend([Block::heading("How it was made"), made(setting, walk)]);
    Document { title: format!("Walk-forward on {}", walk.plan().tape.name), blocks }
}

fn drawings(walked: &[Walked], summary: &Summary) -> Vec<Block> {
    let trips: Vec<_> =
        walked.iter().filter_map(|window| window.tested.as_ref()).flat_map(|tested| tested.trips.iter().copied()).collect();
    let days_per_year = summary.account.days_per_year;
    pictures(Series { growth: &summary.wealth, held: &summary.held_wealth, days_per_year, trips: &trips })
}

const fn met_or_not(holds: bool) -> &'static str {
    if holds { "met" } else { "not met" }
}

const fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "every condition below holds",
        Verdict::Fail => "it loses out of sample, and not by chance",
        Verdict::NotProven => "not every condition below holds, and it does not lose for certain",
    }
}

fn together(summary: &Summary) -> Block {
    let both = |name: &str, of: &dyn Fn(&crate::backtest::DailyResults) -> String| {
        vec![name.to_owned(), of(&summary.account), of(&summary.held)]
    };
    let rows = vec![
        both("Sharpe ratio", &|results| signed(results.sharpe)),
        both("  95 %, returns independent", &|results| range(results.sharpe_interval)),
        vec!["  95 %, by blocks".to_owned(), range(summary.resampled_interval), String::new()],
        both("total return", &|results| percent(results.total_return)),
        both("volatility", &|results| size(results.volatility)),
        both("drawdown", &|results| percent(results.max_drawdown.map(|fall| -fall))),
        both("days", &|results| results.days.to_string()),
    ];
    Block::table(&["", "walk-forward", "held equally"], rows)
}

fn worth(summary: &Summary) -> Block {
    let Summary { efficiency, stability, .. } = summary;
    let overfitting = summary.overfitting.map_or_else(
        || "n/a".to_owned(),
        |(probability, splits)| {
            format!(
                "{:.1} % of {splits} splits: the best rule in one half was below the median in the other",
                probability * 100.0
            )
        },
    );
    let deflated = format!(
        "{} chance of being better than the luckiest of {} fits without skill, were they independent; {} by the spread of the fits themselves",
        chance(summary.deflated),
        summary.fits,
        chance(summary.deflated_by_spread)
    );
    let luck = summary
        .passes_by_luck
        .map_or_else(|| "n/a".to_owned(), |share| format!("in at most {:.4} % of walks of so many fits", share * 100.0));
    Block::facts(
        "",
        "",
        [
            ("deflated Sharpe ratio", deflated),
            ("probability of overfitting", overfitting),
            (
                "walk-forward efficiency",
                format!(
                    "{}: Sharpe ratio {} in the tests of {} promised in training",
                    number(efficiency.kept),
                    signed(efficiency.tested),
                    signed(efficiency.trained)
                ),
            ),
            (
                "steadiness of the choice",
                format!("changed {} times of {}; {} different choices", stability.changes, stability.pairs, stability.distinct),
            ),
            ("without skill and costs it passes", luck),
        ],
    )
}

fn calls(summary: &Summary) -> Block {
    let (gross, cost) = summary.per_value_bought().unzip();
    Block::facts(
        "",
        "",
        [
            ("kept calls that were right", share(&summary.right)),
            ("\"always up\" on the same calls", share(&summary.rose)),
            ("a coin", "50.0 %".to_owned()),
            (
                "gate > 55 %",
                format!("{}; a coin would pass {}", verdict(summary.gate.verdict), chance(summary.gate.unskilled_passes)),
            ),
            ("round trips above zero after cost", share(&summary.won)),
            (
                "result after cost",
                format!("{:.2}; prices earned {:.2}, commission took {:.2}", summary.result, summary.gross, summary.costs),
            ),
            (
                "per value bought",
                format!(
                    "{} before commission and after slippage, commission {}; an edge must be larger than that",
                    percent(gross),
                    size(cost)
                ),
            ),
            ("open at the end of a test", summary.open.to_string()),
        ],
    )
}

fn windows(walk: &Walk, walked: &[Walked]) -> Block {
    let head = [
        "test from",
        "to",
        "chosen",
        "in: Sharpe",
        "return",
        "trips",
        "out: Sharpe",
        "95 %",
        "return",
        "trips",
        "right",
        "verdict",
    ];
    Block::table(&head, walked.iter().map(|window| row(walk, window)).collect())
}

fn row(walk: &Walk, walked: &Walked) -> Vec<String> {
    let (first, after) = walked.window.dates;
    let mut cells = vec![first.to_string(), after.yesterday().unwrap_or(after).to_string()];
    let chosen = walked.chosen.and_then(|place| walk.grid().get(place).zip(walked.fits.get(place)));
    let Some(((candidate, fit), tested)) = chosen.zip(walked.tested.as_ref()) else {
        let most = walked.fits.iter().map(|fit| fit.trades).max().unwrap_or(0);
        cells.push(format!("none: at most {most} round trips"));
        cells.resize(11, "—".to_owned());
        cells.push("stayed out".to_owned());
        return cells;
    };
    let account = &tested.fit.account;
    cells.extend([
        candidate.to_string(),
        signed(fit.account.sharpe),
        percent(fit.account.total_return),
        fit.trades.to_string(),
        signed(account.sharpe),
        range(account.sharpe_interval),
        percent(account.total_return),
        tested.trades.count.to_string(),
        tested.calls.right.rate.map_or_else(|| "n/a".to_owned(), |rate| format!("{:.0} %", rate * 100.0)),
        verdict(tested.verdict).to_owned(),
    ]);
    cells
}

fn choices(summary: &Summary) -> Block {
    let rows = summary.stability.choices.iter().map(|(candidate, count)| vec![candidate.to_string(), count.to_string()]);
    Block::table(&["rule bars/threshold/horizon", "windows"], rows.collect())
}

fn made(setting: Setting<'_>, walk: &Walk) -> Block {
    let (geometry, plan) = (walk.geometry(), walk.plan());
    let moves = match geometry.anchor {
        Anchor::Rolling => "moves on",
        Anchor::Anchored => "grows",
    };
    let terms = plan.setup.settings.terms;
    let span = walk.windows().first().zip(walk.windows().last());
    let played = span.map_or_else(
        || "n/a".to_owned(),
        |(first, last)| {
            let (begin, end) = (RiskDay::of(first.train.from).date, last.dates.1.yesterday().unwrap_or(last.dates.1));
            format!("{} windows, training from {begin}, tests to {end}", walk.windows().len())
        },
    );
    Block::facts(
        "",
        "",
        [
            ("command", format!("`{}`", setting.command)),
            ("tape", format!("{}, SHA-256 {}", plan.tape.name, plan.tape.sha256)),
            ("settings", format!("SHA-256 {}", setting.settings)),
            ("windows", format!("{played}; training {} {moves}, test {}, step {}", geometry.train, geometry.test, geometry.step)),
            (
                "kept apart",
                format!(
                    "nothing is opened in the last {} bars of a window (purge); {} bars between training and test (embargo)",
                    geometry.purge, geometry.embargo
                ),
            ),
            (
                "chosen",
                format!(
                    "of {} rules the best Sharpe ratio of daily returns in training with at least {LEAST_TRADES} round trips; of equals the simpler",
                    walk.grid().len()
                ),
            ),
            (
                "costs",
                format!(
                    "{} commission and {} slippage a side; fills at the next bar",
                    size(Some(terms.cost_per_side.to_f64())),
                    size(Some(terms.slippage.to_f64()))
                ),
            ),
            ("capital", format!("{} at the start of every window", plan.capital)),
        ],
    )
}
