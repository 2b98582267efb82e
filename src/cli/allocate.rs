//! `pmax allocate`: a target allocation beside the book, what it rests on, and how it would have done.

use serde_json::json;

use crate::backtest::{Against, Difference, Played, Rolled, Told};
use crate::cli::args::{Allocate, Args, ExpectedFrom, Format};
use crate::cli::journal::ledger;
use crate::cli::open::Base;
use crate::cli::{Done, OK, say};
use crate::domain::{BrokerKind, InstrumentId, InstrumentTable, Ratio, counted};
use crate::engine::{Engine, Setup, Snapshot, SnapshotRequest};
use crate::market::{Player, Tape};
use crate::portfolio::{Advice, Holds};
use crate::runtime::{self, Advised, AllocationTerms, Allocator, Expected, Trouble};
use crate::store::RunRow;

/// Allocates and reports.
pub fn run(args: &Args, options: &Allocate) -> Done {
    let base = Base::open(args)?.trading_at(BrokerKind::Paper)?;
    let tape = base.tape()?;
    let run = if options.alone { None } else { latest_run(&base, &tape)? };
    // What can be traded depends on where the run trades.
    let base = base.trading_at(run.as_ref().map_or(BrokerKind::Paper, runtime::broker_of))?;
    let setup = base.setup(&tape);
    let terms = terms(options, &setup)?;
    let book = run.map(|run| book_of(&run, &base, &tape, &setup)).transpose()?;
    let allocator = Allocator::new(&tape, &base.instruments, setup.settings);
    let Advised { advice, left_out } = allocator.advise(book.as_ref(), &terms).map_err(|why| refused(&why))?;
    // What the record says today was not known on the days of the tape: only the least variance is rolled.
    let rolled = match terms.expected {
        Expected::Nothing => Some(allocator.roll(&terms, options.every)),
        Expected::Record { .. } => None,
    };
    if options.format == Format::Json {
        say(&as_json(&base, &tape, book.as_ref(), (&advice, &left_out), rolled.as_ref()).to_string());
        return Ok(OK);
    }
    print_book(&tape, book.as_ref());
    print_lines(&advice, &base.instruments);
    if !left_out.is_empty() {
        let names: Vec<String> = left_out.iter().map(|id| base.instruments.symbol(*id)).collect();
        let held =
            if advice.outside > 0.0 { format!("; {} held of it stays as it is", percent(advice.outside)) } else { String::new() };
        say(&format!("left out    {}: their history is too short or has ended{held}", names.join(", ")));
    }
    print_basis(&advice, &terms);
    match &rolled {
        Some(Ok(rolled)) => print_rolled(rolled, &terms, options.every),
        Some(Err(why)) => say(&format!("\nNot tested: {why}.")),
        None => {
            say("\nNot tested: what signals promise today was not known on earlier days, so there is nothing to roll back to.")
        }
    }
    say("\nThis is information. It makes no order; what you want of it you would write as tickets yourself.");
    Ok(OK)
}

fn refused(why: &str) -> Trouble {
    Trouble::new(
        format!("There is no target allocation: {why}"),
        "Nothing was changed and nothing was sent",
        "Change what is in the way (`pmax allocate --help` lists the caps), or choose another tape",
    )
}

fn terms(options: &Allocate, setup: &Setup) -> Result<AllocationTerms, Trouble> {
    let mut terms = AllocationTerms::of(&setup.settings);
    let share = |name: &str, value: Option<f64>, most: f64| match value {
        None => Ok(None),
        Some(value) if value >= 0.0 && value <= most => Ok(Ratio::from_f64(value)),
        Some(value) => {
            let what = format!("--{name} {value} is not a share of equity from 0 to {most}");
            Err(Trouble::new(what, "Nothing was computed", "Write 0.1 for ten percent"))
        }
    };
    terms.window = options.last;
    terms.caps.position = share("position", options.position, 1.0)?.unwrap_or(terms.caps.position);
    terms.caps.sector = share("sector", options.sector, 1.0)?.unwrap_or(terms.caps.sector);
    terms.caps.turnover = share("turnover", options.turnover, 2.0)?;
    terms.invested = share("invested", options.invested, 1.0)?;
    if options.returns == ExpectedFrom::Record {
        terms.expected = Expected::Record { aversion: options.aversion };
    }
    Ok(terms)
}

/// The latest run on this tape, if there is one.
fn latest_run(base: &Base, tape: &Tape) -> Result<Option<RunRow>, Trouble> {
    if !base.home.has_ledger() {
        return Ok(None);
    }
    let runs = ledger(base)?.runs()?;
    Ok(runs.into_iter().rev().find(|run| !run.is_live() && run.tape.sha256 == tape.sha256))
}

/// Its book, as the journal has it.
fn book_of(run: &RunRow, base: &Base, tape: &Tape, setup: &Setup) -> Result<Snapshot, Trouble> {
    let mut engine = Engine::new(setup);
    runtime::restore(&mut engine, &mut Player::new(tape, run.tape.seed), &ledger(base)?, run.run)?;
    Ok(engine.snapshot(&SnapshotRequest::default()))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn signed(share: f64) -> String {
    // What rounds to nothing has no sign.
    let rounded = (share * 1_000.0).round() / 10.0;
    if rounded == 0.0 { "0.0 %".to_owned() } else { format!("{rounded:+.1} %") }
}

fn maybe(value: Option<f64>, words: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "n/a".to_owned(), words)
}

const fn holds(holds: Holds) -> &'static str {
    match holds {
        Holds::Free => "",
        Holds::Position => "position cap",
        Holds::Sector => "sector cap",
        Holds::LongOnly => "not below 0",
    }
}

fn print_book(tape: &Tape, book: Option<&Snapshot>) {
    let beside = match book {
        Some(book) => format!("beside the book of {} as of {}", book.run, book.market_now),
        None => "beside no book: all of it in cash, at the end of the tape".to_owned(),
    };
    say(&format!("{} · {beside}\n", tape.meta.name));
}

fn print_lines(advice: &Advice, instruments: &InstrumentTable) {
    say(&format!("{:<8} {:<24} {:>8} {:>8} {:>8} {:>8}  bound by", "", "sector", "now", "target", "change", "risk"));
    for line in &advice.lines {
        let sector = sector(line.instrument, instruments);
        let row = format!(
            "{:<8} {sector:<24} {:>8} {:>8} {:>8} {:>8}  {}",
            instruments.symbol(line.instrument),
            percent(line.now),
            percent(line.target),
            signed(line.target - line.now),
            maybe(line.risk, percent),
            holds(line.holds)
        );
        say(row.trim_end());
    }
    let now = 1.0 - advice.lines.iter().map(|line| line.now).sum::<f64>() - advice.outside;
    let (then, change) = (percent(advice.cash), signed(advice.cash - now));
    say(&format!("{:<8} {:<24} {:>8} {then:>8} {change:>8}", "cash", "", percent(now)));
    say(
        "\nnow, target, change: shares of equity; risk: the part of the target's volatility that comes from it, all parts make 100 %",
    );
}

fn sector(id: InstrumentId, instruments: &InstrumentTable) -> &str {
    instruments.get(id).map_or("", |known| known.sector.as_str())
}

fn print_basis(advice: &Advice, terms: &AllocationTerms) {
    let aim = match terms.expected {
        Expected::Nothing => "the least variance; no expected returns, as means of samples are mostly noise".to_owned(),
        Expected::Record { aversion } => {
            format!("the most return for its variance, aversion {aversion}; returns from standing signals of proven sources")
        }
    };
    say(&format!("aim         {aim}"));
    let caps = &terms.caps;
    let turnover = caps.turnover.map_or_else(|| "none".to_owned(), |cap| percent(cap.to_f64()));
    let bound = if advice.is_turnover_bound { ", which binds" } else { "" };
    say(&format!(
        "caps        position {}, sector {}, whole {}, turnover {turnover}{bound}; together they allow {} invested",
        percent(caps.position.to_f64()),
        percent(caps.sector.to_f64()),
        percent(caps.total.to_f64()),
        percent(advice.most)
    ));
    if advice.is_forced {
        say(
            "            every position is at its cap: nothing was chosen. Raise --position or lower --invested to leave a choice",
        );
    }
    say(&format!("turnover    {} of equity, bought and sold added up", percent(advice.turnover)));
    let (then, now) = (maybe(advice.volatility, percent), maybe(advice.volatility_now, percent));
    say(&format!("volatility  {then} a year expected; of the present book {now}. An estimate, not a promise"));
    let span = advice.span.map_or_else(|| "n/a".to_owned(), |(first, last)| format!("{first} to {last}"));
    say(&format!(
        "from        {} of days that all share, {span}; Ledoit and Wolf's covariance, {} of it the equal-variance target",
        counted(advice.observations, "daily return"),
        percent(advice.shrinkage)
    ));
}

fn print_rolled(rolled: &Rolled, terms: &AllocationTerms, every: usize) {
    let (first, last) = rolled.span;
    say(&format!(
        "\nOut of sample, {first} to {last}: estimated {} from the {} daily returns before, every {every} days, traded a day later",
        times(rolled.estimates),
        terms.window
    ));
    say(&format!(
        "{:<14} {:>9} {:>11} {:>8} {:>10} {:>10} {:>7}",
        "", "a year", "volatility", "Sharpe", "drawdown", "turnover", "costs"
    ));
    for (name, played) in [("allocation", &rolled.ours), ("equal parts", &rolled.equal), ("held", &rolled.held)] {
        print_played(name, played);
    }
    say("after slippage and commission; Sharpe without interest; turnover a year; costs of the first wealth");
    print_against("equal parts", &rolled.against_equal);
    print_against("holding", &rolled.against_held);
    say("Four comparisons at 5 % each: where nothing differs, up to one test in five shows a difference by chance.");
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn print_played(name: &str, played: &Played) {
    let results = &played.results;
    say(&format!(
        "{name:<14} {:>9} {:>11} {:>8} {:>10} {:>10} {:>7}",
        maybe(played.growth, signed),
        maybe(results.volatility, percent),
        maybe(results.sharpe, |sharpe| format!("{sharpe:.2}")),
        maybe(results.max_drawdown, percent),
        maybe(played.turnover, percent),
        percent(played.costs)
    ));
}

fn print_against(name: &str, against: &Against) {
    let volatility = difference(&against.volatility, 100.0, " points", 1);
    let sharpe = difference(&against.sharpe, 1.0, "", 2);
    say(&format!("less {name}: volatility {volatility}; Sharpe {sharpe}"));
}

/// A difference with its interval and what that says, in words.
fn difference(difference: &Difference, scale: f64, unit: &str, decimals: usize) -> String {
    let told = match difference.told {
        Told::Lower => "lower",
        Told::Higher => "higher",
        Told::NotSignificant => "not significant",
    };
    let value = maybe(difference.value, |value| format!("{:+.decimals$}{unit}", value * scale));
    let interval = difference.interval.map_or_else(
        || "no interval".to_owned(),
        |(low, high)| format!("95 % [{:+.decimals$}, {:+.decimals$}]", low * scale, high * scale),
    );
    format!("{value}, {interval}, {told}")
}

fn as_json(
    base: &Base,
    tape: &Tape,
    book: Option<&Snapshot>,
    (advice, left_out): (&Advice, &[InstrumentId]),
    rolled: Option<&Result<Rolled, String>>,
) -> serde_json::Value {
    let name = |line: &crate::portfolio::Line| json!({"symbol": base.instruments.symbol(line.instrument), "sector": sector(line.instrument, &base.instruments)});
    json!({
        "tape": tape.meta.name,
        "book": book.map(|book| json!({"run": book.run.0, "as_of": book.market_now.to_string()})),
        "instruments": advice.lines.iter().map(name).collect::<Vec<_>>(),
        "allocation": advice,
        "left_out": left_out.iter().map(|id| base.instruments.symbol(*id)).collect::<Vec<_>>(),
        "out_of_sample": rolled.and_then(|rolled| rolled.as_ref().ok()),
        "not_tested": rolled.and_then(|rolled| rolled.as_ref().err()),
    })
}
