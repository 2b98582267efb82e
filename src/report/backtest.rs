//! A backtest as a tear sheet.

use jiff::civil::Date;

use crate::backtest::{Calls, DailyResults, Gauged, Report, Verdict};
use crate::domain::InstrumentTable;
use crate::engine::GateChange;
use crate::report::charts::pictures;
use crate::report::gates::gate;
use crate::report::scorecards::scorecards;
use crate::report::series::Series;
use crate::report::words::{chance, number, percent, percents, range, share, signed, size, verdict};
use crate::report::{Block, Document};
use crate::signals::Scores;

/// A report with what a reader needs beside it.
#[derive(Debug, Clone, Copy)]
pub struct Sheet<'a> {
    /// What was found.
    pub report: &'a Report,
    /// Names of instruments.
    pub instruments: &'a InstrumentTable,
    /// What the critic says.
    pub findings: &'a [String],
    /// How much was tried on this tape, and what that does to the result.
    pub tried: &'a str,
    /// The plan's gates.
    pub gates: &'a [Gauged],
    /// Gates that are not the plan's own any more.
    pub moved: &'a [GateChange],
    /// Different tests on this tape so far.
    pub tests: u64,
    /// What the tape says of itself.
    pub description: &'a str,
    /// SHA-256 of the settings.
    pub settings: &'a str,
}

/// All of it.
pub fn tear_sheet(sheet: &Sheet<'_>) -> Document {
    let Sheet { report, findings, .. } = *sheet;
    let capital = report.capital.to_f64();
    let growth: Vec<(Date, f64)> = report.days.iter().map(|(date, equity)| (*date, equity.to_f64() / capital)).collect();
    let trips = report.trips();
    let series =
        Series { growth: &growth, held: &report.held, days_per_year: report.evidence.account.days_per_year, trips: &trips };
    let mut blocks = vec![
        Block::Words(format!("Verdict: {} — {}.", verdict(report.evidence.verdict), meaning(report.evidence.verdict))),
        Block::Words(sheet.description.to_owned()),
        Block::heading("What speaks against it"),
    ];
    blocks.push(if findings.is_empty() {
        Block::Words("Nothing that these checks look for; one good run is still one run.".to_owned())
    } else {
        Block::List(findings.to_vec())
    });
    blocks.extend([
        Block::heading("Evidence"),
        account(report),
        Block::Words(sheet.tried.to_owned()),
        Block::heading("The plan's gates"),
        moved(sheet),
        gates(sheet),
        Block::heading("Pictures"),
    ]);
    blocks.extend(pictures(series));
    blocks.extend([Block::heading("Signals and trades"), signals(report), Block::heading("By instrument"), by_instrument(sheet)]);
    blocks.push(Block::heading("Scorecards"));
    blocks.extend(scorecards(&Scores::new(report.log.calls().to_vec()), sheet.instruments));
    blocks.extend([Block::heading("How it was made"), made(sheet)]);
    Document { title: format!("Backtest on {}", report.tape.name), blocks }
}

fn moved(sheet: &Sheet<'_>) -> Block {
    if sheet.moved.is_empty() {
        return Block::Words("All as the plan has them.".to_owned());
    }
    let line = |change: &GateChange| format!("MOVED: {} is {}, the plan's is {}", change.key, change.is, change.was);
    Block::List(sheet.moved.iter().map(line).collect())
}

fn gates(sheet: &Sheet<'_>) -> Block {
    let row = |gauged: &Gauged| {
        let words = gate(gauged, sheet.tests);
        vec![words.asks, words.verdict.to_owned(), words.found, words.chance]
    };
    Block::table(&["the gate", "verdict", "found", "what chance would do"], sheet.gates.iter().map(row).collect())
}

const fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "the Sharpe ratio's interval lies above zero",
        Verdict::Fail => "the Sharpe ratio's interval lies below zero",
        Verdict::NotProven => "too little to say, or it could be chance",
    }
}

fn account(report: &Report) -> Block {
    let evidence = &report.evidence;
    let both =
        |name: &str, of: &dyn Fn(&DailyResults) -> String| vec![name.to_owned(), of(&evidence.account), of(&evidence.held)];
    let rows = vec![
        both("Sharpe ratio a year", &|results| signed(results.sharpe)),
        both("95 %", &|results| range(results.sharpe_interval)),
        both("chance that it is above zero", &|results| chance(results.above_zero)),
        both("days needed to say so", &|results| {
            results.days_needed.map_or_else(|| "n/a".to_owned(), |days| format!("{days:.0}"))
        }),
        both("total return", &|results| percent(results.total_return)),
        both("volatility a year", &|results| size(results.volatility)),
        both("drawdown", &|results| percent(results.max_drawdown.map(|fall| -fall))),
        both("days", &|results| results.days.to_string()),
    ];
    Block::table(&["", "account", "held equally"], rows)
}

fn signals(report: &Report) -> Block {
    let (evidence, funnel) = (&report.evidence, &report.signals);
    let counts = |counts: Vec<String>| if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    let layers = funnel.refused.iter().map(|(layer, count)| format!("{} {count}", layer.word())).collect();
    let checks = funnel.stopped.iter().map(|(code, count)| format!("{code} {count}")).collect();
    Block::facts(
        "",
        "",
        [
            ("signals judged", format!("{}, {} kept; refused by: {}", funnel.judged, funnel.passed, counts(layers))),
            ("proposals to open", format!("{}; orders stopped by checks: {}", funnel.proposed, counts(checks))),
            ("kept", calls(&evidence.kept)),
            ("refused", calls(&evidence.refused)),
            ("round trips above zero after cost", share(&evidence.won)),
            ("a trade, after cost", percent(evidence.trades.expectancy)),
            ("profit factor", number(evidence.trades.profit_factor)),
            ("commission", format!("{:.2}; slippage is in the prices", report.costs)),
            ("open at the end", report.open.to_string()),
            ("days that began with trading held", report.halts.to_string()),
        ],
    )
}

fn calls(calls: &Calls) -> String {
    if calls.right.of == 0 {
        return "no signal has ended".to_owned();
    }
    let (mean, interval) = (percent(calls.mean_net), percents(calls.mean_net_interval));
    format!("right {}; \"always up\" {}; after cost {mean} each, 95 % {interval}", share(&calls.right), chance(calls.rose.rate))
}

fn by_instrument(sheet: &Sheet<'_>) -> Block {
    let mut sums: Vec<_> = sheet.report.by_instrument().into_iter().collect();
    sums.sort_by(|left, right| right.1.total_cmp(&left.1));
    let trips = |id| sheet.report.trades.iter().filter(|trade| trade.instrument == id).count().to_string();
    let row = |(id, result): &(crate::domain::InstrumentId, f64)| {
        vec![sheet.instruments.symbol(*id).to_owned(), trips(*id), format!("{result:+.2}")]
    };
    Block::table(&["instrument", "round trips", "result after cost"], sums.iter().map(row).collect())
}

fn made(sheet: &Sheet<'_>) -> Block {
    let report = sheet.report;
    Block::facts(
        "",
        "",
        [
            ("tape", format!("{}, SHA-256 {}, seed {}", report.tape.name, report.tape.sha256, report.tape.seed)),
            ("settings", format!("SHA-256 {}", sheet.settings)),
            ("span", format!("{} to {}, {} closed bars", report.from, report.until, report.bars)),
            ("equity", format!("{:.2} of {:.2}", report.equity, report.capital)),
            ("rule", "every proposal confirmed in the instant in which it is made; costs on; fills at the next bar".to_owned()),
        ],
    )
}
