//! `pmax record`: live days become tapes.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration as StdDuration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::args::{Args, Record};
use crate::cli::journal::{ledger, no_run};
use crate::cli::open::Base;
use crate::cli::{Done, OK, say};
use crate::domain::{BrokerKind, Duration, InstrumentTable, MarketTime, RunId, WallTime, counted};
use crate::market;
use crate::market::providers::ProviderTable;
use crate::runtime::{self, Ended, Plan, Recording, Stop, Trouble, complain, wall_now};

/// How often time passes where nothing comes.
const TICK: StdDuration = StdDuration::from_millis(250);
/// How often a line says how it stands: on a terminal, and in a log.
const SAY_EVERY: Duration = Duration::seconds(1);
const LOG_EVERY: Duration = Duration::seconds(60);

/// Records until it is told to stop, or makes a tape of a live run.
pub fn run(args: &Args, options: &Record) -> Done {
    let base = Base::open(args)?;
    if let Some(name) = &options.out
        && (!market::may_be_named(name) || name.ends_with(market::PRICES))
    {
        return Err(Trouble::new(
            format!("«{name}» cannot be the name of a recording"),
            "Nothing was started and nobody was asked",
            "Choose one of up to 48 letters, digits, dots, hyphens and underscores, and none of the bundled tapes'",
        ));
    }
    for finished in runtime::finish_left(&base.home, &base.instruments) {
        match finished {
            Ok(recorded) => complain(format_args!("finished what was cut off: {}", recorded.words(&base.instruments))),
            Err(trouble) => complain(format_args!("{trouble}")),
        }
    }
    let now = wall_now();
    let name = options.out.clone().unwrap_or_else(|| Recording::free_name(&base.home, now));
    if let Some(run) = options.from_run {
        return from_run(&base, run, &name);
    }
    let stop = stop(options, now)?;
    let table = watched(base.providers().clone(), options, &base.instruments)?;
    let series = runtime::provider_series(&table, &base.instruments);
    // One process asks providers at a time: two would not know of each other's requests.
    let _lock = base.home.lock()?;
    let _log = runtime::start_logging(&base.home.log_folder());
    let plan = Plan { name, by_day: options.daily, table, series };
    let recording = Recording::begin(plan, &base.instruments, &base.home, now)?;
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no_loop)?;
    let ended = executor.block_on(record(recording, stop))?;
    for recorded in &ended.recorded {
        say(&recorded.words(&base.instruments));
    }
    if ended.conflated > 0 {
        say(&format!("{} replaced by newer ones before they were taken", counted(ended.conflated, "price")));
    }
    if let Some(last) = ended.recorded.iter().rev().find(|recorded| recorded.tape.is_some()) {
        say(&format!("play it with `pmax --tape {}`", last.name));
    }
    Ok(OK)
}

fn no_loop(error: std::io::Error) -> Trouble {
    Trouble::new(format!("The recorder's loop cannot start: {error}"), "Nobody was asked", "Free some memory and try again")
}

async fn record(mut recording: Recording, stop: Stop) -> Result<Ended, Trouble> {
    let woken = Arc::new(Notify::new());
    let caller = Arc::clone(&woken);
    recording.wake_with(move || caller.notify_one());
    let mut ends = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(interrupt), Ok(terminate), Ok(hangup)] = &mut ends else {
        return Err(no_loop(std::io::Error::other("no signals can be heard")));
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut line = Line { is_terminal: std::io::stderr().is_terminal(), said: WallTime(0) };
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hangup.recv() => break,
            () = woken.notified() => {}
            _ = ticks.tick() => {}
        }
        let now = wall_now();
        recording.step(now)?;
        line.say(&recording, stop, now);
        if matches!(stop, Stop::At(at) if now >= at) {
            break;
        }
    }
    line.end();
    recording.end(wall_now())
}

/// The line that says how it stands.
struct Line {
    is_terminal: bool,
    said: WallTime,
}

impl Line {
    fn say(&mut self, recording: &Recording, stop: Stop, now: WallTime) {
        let every = if self.is_terminal { SAY_EVERY } else { LOG_EVERY };
        if now.since(self.said).0 < every.0 {
            return;
        }
        self.said = now;
        let counts = recording.counts;
        let until = match stop {
            Stop::Asked => "Ctrl+C ends it".to_owned(),
            Stop::At(at) => format!("until {at}"),
        };
        let speaking = counts.instruments.saturating_sub(counts.silent);
        let text = format!(
            "recording {}: {speaking} of {} speak, {} bars, {} prices, {} gaps; {until}",
            recording.name(),
            counts.instruments,
            counts.bars,
            counts.prices,
            counts.gaps
        );
        let mut stderr = std::io::stderr().lock();
        // A line that nobody can read is no reason to stop recording.
        let _: std::io::Result<()> = if self.is_terminal { write!(stderr, "\r\x1b[K{text}") } else { writeln!(stderr, "{text}") };
        let _: std::io::Result<()> = stderr.flush();
    }

    fn end(&self) {
        if self.is_terminal {
            let _: std::io::Result<()> = writeln!(std::io::stderr().lock());
        }
    }
}

fn usage(what: String, todo: &str) -> Trouble {
    Trouble::new(what, "Nothing was started and nobody was asked", todo)
}

/// When it ends.
fn stop(options: &Record, now: WallTime) -> Result<Stop, Trouble> {
    if let Some(text) = &options.length {
        let length = text.parse::<jiff::SignedDuration>().ok().and_then(|length| i64::try_from(length.as_nanos()).ok());
        let length = length
            .filter(|length| *length > 0)
            .ok_or_else(|| usage(format!("--for «{text}» is no length of time"), "Write e.g. 6h30m, 45m or 2h"))?;
        return Ok(Stop::At(now.plus(Duration(length))));
    }
    let Some(text) = &options.until else { return Ok(Stop::Asked) };
    let wrong = || usage(format!("--until «{text}» is no time to come"), "Write e.g. 21:00 or 2026-11-27T21:00 (UTC)");
    let at = match text.parse::<jiff::civil::Time>() {
        Ok(time) if text.contains(':') && text.len() <= 8 => {
            let day = 86_400_000_000_000;
            let midnight = now.0.div_euclid(day) * day;
            let since = i64::try_from(time.duration_since(jiff::civil::Time::midnight()).as_nanos()).map_err(|_| wrong())?;
            let at = WallTime(midnight + since);
            if at > now { at } else { at.plus(Duration(day)) }
        }
        Ok(_) | Err(_) => WallTime(MarketTime::parse(text).ok_or_else(wrong)?.0),
    };
    if at > now { Ok(Stop::At(at)) } else { Err(wrong()) }
}

/// The table with the instruments that were asked for only.
fn watched(mut table: ProviderTable, options: &Record, instruments: &InstrumentTable) -> Result<ProviderTable, Trouble> {
    let Some(symbols) = &options.watch else { return Ok(table) };
    let mut wanted = Vec::new();
    for symbol in symbols {
        let known = instruments.by_symbol(symbol).map(|known| known.symbol.clone());
        let Some(known) = known.filter(|known| table.aliases.contains_key(known)) else {
            let near = runtime::nearest(symbol, table.aliases.keys().map(String::as_str)).unwrap_or_default();
            let what = format!("No provider has a name for «{symbol}»; did you mean {near}?");
            return Err(usage(what, "Give it one under [aliases] in your providers.toml, or leave it out"));
        };
        wanted.push(known);
    }
    table.aliases.retain(|symbol, _| wanted.contains(symbol));
    Ok(table)
}

/// A tape of what a live run wrote down.
fn from_run(base: &Base, run: u64, name: &str) -> Done {
    let file = ledger(base)?;
    let row = match run {
        0 => file.runs()?.into_iter().rev().find(|row| row.is_live()).ok_or_else(no_run)?,
        run => file.run(RunId(run))?,
    };
    if !row.is_live() {
        return Err(Trouble::new(
            format!("{} was played on the tape {}, which is a tape already", row.run, row.tape.name),
            "Nothing was written",
            "Name a live run; `pmax status` lists the runs",
        ));
    }
    let segment = base.home.segment_file(row.run).map_err(|error| {
        Trouble::new(format!("The folder of live runs: {error}"), "Nothing was written", "Check the folder's rights")
    })?;
    let series = match runtime::broker_of(&row) {
        BrokerKind::Xapi => runtime::live_series(&base.instruments, &row.tape.name),
        BrokerKind::Paper => runtime::provider_series(base.providers(), &base.instruments),
    };
    let recorded = runtime::tape_of_run((&segment, &row.run.to_string()), name, &series, &base.home, &base.instruments)?;
    say(&recorded.words(&base.instruments));
    if recorded.tape.is_some() {
        say(&format!("play it with `pmax --tape {name}`"));
    }
    Ok(OK)
}
