//! `pmax backtest`: a tape through the engine, and what the results show.

use std::path::Path;

use crate::backtest::{self, Calls, DailyResults, Evidence, Gauged, Plan, Report, Share, Verdict};
use crate::cli::args::{Args, Backtest, Format};
use crate::cli::charts::charts;
use crate::cli::open::{Base, date};
use crate::cli::scores::as_json;
use crate::cli::{Done, OK, say};
use crate::domain::{BrokerKind, InstrumentTable, MarketTime, SignalSource, counted};
use crate::engine::{GateChange, Setup, TapeRef};
use crate::market::Player;
use crate::report::{self, GateWords, Sheet};
use crate::runtime::{RunTerms, Trouble, moved_gates, wall_now};
use crate::signals::{By, Card, Scores, Strategy, strategies};
use crate::store::{StoreError, Trial, TrialKind, Trials, Tried};

/// Plays and reports.
pub fn run(args: &Args, options: &Backtest) -> Done {
    let base = Base::open(args)?.trading_at(BrokerKind::Paper)?;
    let tape = base.tape()?;
    let RunTerms { seed, capital, .. } = base.terms(args)?;
    let player = Player::new(&tape, seed);
    let until = options.until.as_deref().map(date).transpose()?;
    let end = until.into_iter().chain(player.ends_at()).min();
    let last = options.last.zip(end).and_then(|(length, end)| length.before(end));
    let from = options.from.as_deref().map(date).transpose()?.or(last).or_else(|| tape.start()).unwrap_or_default();
    check(from, until, player.ends_at())?;
    // Before its beginning a tape has nothing to test on.
    let from = tape.start().map_or(from, |start| from.max(start));
    let tape_ref = TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed };
    let (mut setup, version) = (base.setup(&tape), env!("CARGO_PKG_VERSION"));
    if let Some(name) = &options.only {
        let source = named(&setup, name)?;
        backtest::speak_alone(&mut setup, source);
    }
    let sources = match &options.only {
        Some(name) => vec![format!("{name} alone")],
        None => all_strategies(&setup).iter().map(|strategy| strategy.source().word().to_owned()).collect(),
    };
    let plan = Plan { setup, tape: tape_ref, version, capital, from, until, since: None, opens_until: None };
    // A test that is not counted would make all others look better than they are.
    if let Some(file) = &options.html {
        writable(file)?;
    }
    let mut trials = Trials::open(&base.home.trials_file()).map_err(uncounted)?;
    let mut report = backtest::run(&plan, player).map_err(|error| unplayable(&error))?;
    let settings = plan.settings_hash().map_err(|error| unplayable(&error))?;
    trials.append(&trial(&plan, settings.clone(), &report)).map_err(uncounted)?;
    let tried = trials.on_tape(&plan.tape.sha256).map_err(uncounted)?;
    report.evidence.verdict = report.evidence.among(tried.different);
    let gauged = backtest::gauge(&report, &base.config.evidence);
    let moved = moved_gates(&base.config.evidence)?;
    let findings = backtest::criticise(&report, &base.instruments);
    if let Some(file) = &options.html {
        let against: Vec<String> = findings.iter().map(|(_, words)| words.clone()).collect();
        let sheet = Sheet {
            report: &report,
            instruments: &base.instruments,
            findings: &against,
            tried: &so_far(&tried, report.evidence.account.deflated_by_count(tried.different)),
            gates: &gauged,
            moved: &moved,
            tests: tried.different,
            description: &tape.meta.description,
            settings: &settings,
        };
        write(file, &report::tear_sheet(&sheet).html())?;
    }
    if options.format == Format::Json {
        let deflated = report.evidence.account.deflated_by_count(tried.different);
        let tried = serde_json::json!({"trials": tried.trials, "different": tried.different, "deflated": deflated});
        let scores = scorecards(&report, &base.instruments);
        let whole = serde_json::json!({"report": report, "gates": gauged, "moved_gates": moved, "findings": findings, "tried": tried, "scorecards": scores});
        say(&whole.to_string());
    } else {
        print(&report, &base.instruments, &sources);
        say(&so_far(&tried, report.evidence.account.deflated_by_count(tried.different)));
        say("");
        print_gates(&gauged, &moved, tried.different);
        say("");
        say("What speaks against it");
        for (_, words) in &findings {
            say(&format!("  - {words}"));
        }
        if findings.is_empty() {
            say("  nothing that these checks look for; one good run is still one run");
        }
        if options.charts {
            say("");
            say(charts(&report).trim_end());
        }
    }
    Ok(OK)
}

/// Every strategy of a setup.
pub(super) fn all_strategies(setup: &Setup) -> Vec<Box<dyn Strategy>> {
    strategies(&setup.settings.strategies, &setup.settings.scripts, &setup.library)
}

/// The source that is called so, with or without its first word.
fn named(setup: &Setup, name: &str) -> Result<SignalSource, Trouble> {
    let known: Vec<SignalSource> = all_strategies(setup).iter().map(|strategy| strategy.source()).collect();
    let is_meant = |source: &&SignalSource| source.word() == name || source.word().strip_prefix("baseline ") == Some(name);
    known.iter().find(is_meant).copied().ok_or_else(|| {
        let words: Vec<String> = known.iter().map(|source| source.word().to_owned()).collect();
        Trouble::new(
            format!("There is no strategy «{name}»; there are {}", words.join(", ")),
            "Nothing was played and nothing was counted",
            "Name one of them, or list the file of yours under strategies.scripts",
        )
    })
}

/// Scorecards by every key, as `pmax scores` writes them.
fn scorecards(report: &Report, instruments: &InstrumentTable) -> serde_json::Value {
    let scores = Scores::new(report.log.calls().to_vec());
    let cards = |by: By| -> Vec<serde_json::Value> {
        scores.cards(by).into_iter().map(|(key, card)| as_json(&key.words(|id| instruments.symbol(id)), &card)).collect()
    };
    By::ALL.iter().map(|by| (by.word().to_owned(), cards(*by).into())).collect::<serde_json::Map<_, _>>().into()
}

/// How much was tried, and what that does to the result.
fn so_far(tried: &Tried, deflated: Option<f64>) -> String {
    let deflated = deflated.map_or_else(String::new, |chance| {
        format!(
            "deflated       {:.1} %: the chance that it is better than the luckiest of so many tests without skill would look\n",
            chance * 100.0
        )
    });
    format!("{deflated}tried          {}; the best of many is lucky", so_many(tried))
}

/// How many tests, of what kind, and since when they are counted.
pub(super) fn so_many(tried: &Tried) -> String {
    let Tried { trials, different, walked, since, .. } = tried;
    let since = since.map_or_else(String::new, |since| format!("; counted since {}", since.timestamp().strftime("%Y-%m-%d")));
    let walked = if *walked > 0 { format!(", {walked} fits of walk-forwards") } else { String::new() };
    format!("{} on this tape so far, {different} of them different{walked}{since}", counted(*trials, "test"))
}

/// Whether a page can be written there, before a test is made and counted for it.
pub(super) fn writable(file: &Path) -> Result<(), Trouble> {
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
    opened.map(|_| ()).map_err(|error| {
        Trouble::new(
            format!("{} cannot be written: {error}", file.display()),
            "Nothing was tested, and nothing was counted",
            "Choose another place for --html",
        )
    })
}

/// Writes a page where it was asked for.
pub(super) fn write(file: &Path, page: &str) -> Result<(), Trouble> {
    std::fs::write(file, page).map_err(|error| {
        Trouble::new(
            format!("{} cannot be written: {error}", file.display()),
            "The test is done and counted; nothing else was changed",
            "Choose another place for --html",
        )
    })
}

fn trial(plan: &Plan, settings: String, report: &Report) -> Trial {
    Trial {
        kind: TrialKind::Backtest,
        made_at: wall_now(),
        tape: plan.tape.name.clone(),
        tape_sha256: plan.tape.sha256.clone(),
        settings,
        begins: report.from,
        ends: report.until.max(report.from),
        days: report.evidence.account.days,
        sharpe: report.evidence.account.sharpe,
    }
}

pub(super) fn unplayable(error: &dyn std::error::Error) -> Trouble {
    Trouble::new(format!("The test has no result: {error}"), "Nothing was counted", "Choose a smaller paper.capital")
}

pub(super) fn uncounted(error: StoreError) -> Trouble {
    Trouble::new(
        format!("The trial ledger, which counts every test, cannot be used: {error}"),
        "The ledger of your trades was not touched",
        "Look at trials.db in the folder that `pmax info` prints, or choose another with --home",
    )
}

fn check(from: MarketTime, until: Option<MarketTime>, ends_at: Option<MarketTime>) -> Result<(), Trouble> {
    let refuse =
        |what: String| Err(Trouble::new(what, "Nothing was played", "Choose dates within the tape; `pmax tapes` lists them"));
    match (until, ends_at) {
        (Some(until), _) if until <= from => refuse(format!("The test would end ({until}) before it begins ({from})")),
        (_, Some(end)) if from >= end => refuse(format!("The test would begin ({from}) where the tape has ended ({end})")),
        (Some(_) | None, _) => Ok(()),
    }
}

fn print(report: &Report, instruments: &InstrumentTable, sources: &[String]) {
    let evidence = &report.evidence;
    let verdict = match evidence.verdict {
        Verdict::Pass => "PASS — the Sharpe ratio's interval lies above zero, also as one of all tests so far",
        Verdict::Fail => "FAIL — the Sharpe ratio's interval lies below zero",
        Verdict::NotProven => "NOT PROVEN — too little to say, or it could be chance or the luckiest of many tests",
    };
    say(&format!("{} · {} to {} · {}", report.tape.name, report.from, report.until, counted(report.bars, "closed bar")));
    say(&format!("every proposal confirmed, costs on; strategies: {} (seed {})", sources.join(", "), report.tape.seed));
    say("");
    say(&format!("verdict        {verdict}"));
    say("");
    print_account(evidence);
    say("");
    print_trades(report, instruments);
}

fn print_account(evidence: &Evidence) {
    say("                        account          held equally");
    let both = |name: &str, of: &dyn Fn(&DailyResults) -> String| {
        say(&format!("{name:<15}{:>16}{:>22}", of(&evidence.account), of(&evidence.held)));
    };
    both("total return", &|results| percent(results.total_return));
    both("volatility", &|results| results.volatility.map_or_else(|| "n/a".to_owned(), |share| format!("{:.2} %", share * 100.0)));
    both("Sharpe", &|results| number(results.sharpe));
    both("  95 %", &|results| range(results.sharpe_interval, 1.0));
    both("above zero", &|results| {
        results.above_zero.map_or_else(|| "n/a".to_owned(), |chance| format!("{:.1} %", chance * 100.0))
    });
    both("days needed", &|results| results.days_needed.map_or_else(|| "n/a".to_owned(), |days| format!("{days:.0}")));
    both("drawdown", &|results| percent(results.max_drawdown.map(|fall| -fall)));
    both("days", &|results| results.days.to_string());
}

fn print_trades(report: &Report, instruments: &InstrumentTable) {
    let (evidence, trades) = (&report.evidence, &report.evidence.trades);
    say(&format!("equity         {:.2} of {:.2}, costs {:.2}", report.equity, report.capital, report.costs));
    say(&format!("round trips    {}, won {}", trades.count, share(&evidence.won)));
    let expectancy = percent(trades.expectancy);
    say(&format!("               {expectancy} a trade after cost, profit factor {}", number(trades.profit_factor)));
    let abstained: Vec<String> =
        report.looks.iter().map(|(source, looks)| format!("{} {} of {}", source.word(), looks.abstained, looks.asked)).collect();
    say(&format!("abstained      {}, of times asked", abstained.join(", ")));
    let refused: Vec<String> = report.signals.refused.iter().map(|(layer, count)| format!("{} {count}", layer.word())).collect();
    let dead = if refused.is_empty() { "none".to_owned() } else { refused.join(", ") };
    say(&format!("signals        {}, {} kept; refused by: {dead}", report.signals.judged, report.signals.passed));
    let stopped: Vec<String> = report.signals.stopped.iter().map(|(code, count)| format!("{code} {count}")).collect();
    let stopped = if stopped.is_empty() { "none".to_owned() } else { stopped.join(", ") };
    say(&format!("proposals      {}; orders stopped by checks: {stopped}", report.signals.proposed));
    for (key, card) in Scores::new(report.log.calls().to_vec()).cards(By::Source).into_iter().skip(1) {
        say(&format!("  {}", by_source(&key.words(|id| instruments.symbol(id)), &card)));
    }
    say(&format!("  kept         {}", calls(&evidence.kept)));
    say(&format!("  refused      {}", calls(&evidence.refused)));
    let mut sums: Vec<_> = report.by_instrument().into_iter().collect();
    sums.sort_by(|left, right| right.1.total_cmp(&left.1));
    let shown: Vec<String> = sums.iter().map(|(id, net)| format!("{} {net:+.2}", instruments.symbol(*id))).collect();
    if !shown.is_empty() {
        say(&format!("by instrument  {}", shown.join(", ")));
    }
}

fn by_source(name: &str, card: &Card) -> String {
    let ended =
        counted(card.right.of as u64, "signal that has ended").replace("signal that has endeds", "signals that have ended");
    let right = card.right.rate().map_or_else(|| "n/a".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
    format!("{name:<21}{ended} in {} spans: right {right}, after cost {} each", card.independent, percent(card.expectancy))
}

fn print_gates(gauged: &[Gauged], moved: &[GateChange], tests: u64) {
    say("The plan's gates (config/gates.toml); a coin calls as often as calls follow one another, days are taken as independent");
    for change in moved {
        say(&format!("  MOVED: {} is {}, the plan's is {}", change.key, change.is, change.was));
    }
    for one in gauged {
        let GateWords { asks, verdict, found, chance, .. } = report::gate(one, tests);
        say(&format!("  {asks:<31}{verdict:<12}{found}"));
        if !chance.is_empty() {
            say(&format!("{:33}{chance}", ""));
        }
    }
}

fn calls(calls: &Calls) -> String {
    if calls.right.of == 0 {
        return "no signal has ended".to_owned();
    }
    format!(
        "right {} of {} = {}; always up would be right {}; to the horizon, after cost {} each, 95 % {}",
        calls.right.count,
        calls.right.of,
        share(&calls.right),
        calls.rose.rate.map_or_else(|| "n/a".to_owned(), |rate| format!("{:.1} %", rate * 100.0)),
        percent(calls.mean_net),
        range(calls.mean_net_interval, 100.0)
    )
}

fn share(share: &Share) -> String {
    let interval = range(share.interval, 100.0);
    share.rate.map_or_else(|| "n/a".to_owned(), |rate| format!("{:.1} % {interval}", rate * 100.0))
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "n/a".to_owned(), |value| format!("{:+.2} %", value * 100.0))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.2}"))
}

fn range(interval: Option<(f64, f64)>, scale: f64) -> String {
    interval.map_or_else(|| "n/a".to_owned(), |(low, high)| format!("[{:.2}, {:.2}]", low * scale, high * scale))
}
