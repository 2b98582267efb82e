//! From the files on disk to an engine that knows where it was.

use std::path::PathBuf;

use crate::domain::{
    BrokerKind, Calendar, InstrumentId, InstrumentTable, LedgerId, MarketEvent, MarketTime, Money, RunId, SeriesInfo, WallTime,
};
use crate::engine::{Engine, EngineSettings, InputBody, RunInput, Setup, TapeRef, WasClean};
use crate::market::{LiveFeed, Player, Tape, ToldFeed};
use crate::runtime::gates::changed_since_last_run;
use crate::runtime::markets::{base, instruments_changed, is_older};
use crate::runtime::source::{HISTORY, Providers, Source};
use crate::runtime::{Home, Trouble};
use crate::store::{Body, LedgerFile, RunRow, RunStatus, Segment, SegmentReader, StoreError, TapePlays};

/// An engine at the point the journal ends, with its market at the same point, and the input that begins or resumes the run.
#[derive(Debug)]
pub struct Opened {
    /// The engine.
    pub engine: Engine,
    /// Where its market events come from.
    pub source: Source,
    /// Where they are written down, if nothing else holds them.
    pub segment: Option<Segment>,
    /// The ledger, still with this thread.
    pub file: LedgerFile,
    /// The run.
    pub run: RunId,
    /// The first input to handle.
    pub first: RunInput,
    /// Gates that were changed since the ledger's last run; handled next.
    pub gates_changed: Option<RunInput>,
    /// Instruments that the run is to have from now on, where it has others; handled after that.
    pub instruments_changed: Option<RunInput>,
    /// Whether a person had the tape stand still when the last process ended.
    pub plays: TapePlays,
}

/// What feeds a run.
#[derive(Debug, Clone)]
pub enum Feed<'a> {
    /// A tape.
    Tape(&'a Tape),
    /// A market that is heard while it happens, recorded in segments.
    Live {
        /// Who tells of it.
        from: HeardFrom,
        /// Its name in the journal: another host is another run.
        name: String,
        /// The files.
        home: &'a Home,
        /// Now.
        now: WallTime,
        /// What providers told in runs of before their instruments could change; nothing for a broker.
        older: Vec<SeriesInfo>,
    },
}

/// Who tells of a live market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeardFrom {
    /// The broker itself: bars are built from its quotes.
    Broker,
    /// Public providers, who tell bars.
    Providers,
}

/// Opens the ledger for writing, creating it where there is none.
pub fn open_ledger(home: &Home) -> Result<LedgerFile, Trouble> {
    let path = home.ledger_file();
    LedgerFile::open(&path, fresh_ledger_id()).map_err(|error| {
        let (trouble, place) = (Trouble::from(error), path.display().to_string());
        if trouble.what.contains(&place) {
            return trouble;
        }
        Trouble { what: format!("{} ({place})", trouble.what), ..trouble }
    })
}

/// A number for a new ledger, from the wall clock and the process: unique enough to tell two ledgers of one person apart.
fn fresh_ledger_id() -> LedgerId {
    let nanos = crate::runtime::wall_now().0.unsigned_abs();
    let mixed = (nanos ^ (u64::from(std::process::id()) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    LedgerId(u32::try_from(mixed >> 32).unwrap_or(1).max(1))
}

/// Takes up the latest run that is fed by the same, else begins a new one.
pub fn open_run(file: LedgerFile, feed: &Feed<'_>, setup: &Setup, terms: &RunTerms) -> Result<Opened, Trouble> {
    match run_to_take_up(&file, feed, setup, terms)? {
        Some(row) => resume(file, &row, feed, setup),
        None => begin(file, feed, setup, terms),
    }
}

/// The latest run that is fed by the same and has the same broker, if it is wanted: another tape or broker in between changes nothing.
pub fn run_to_take_up(file: &LedgerFile, feed: &Feed<'_>, setup: &Setup, terms: &RunTerms) -> Result<Option<RunRow>, Trouble> {
    let fed = feed.reference(terms.seed);
    let is_same = |run: &RunRow| match feed {
        Feed::Tape(_) => run.tape.sha256 == fed.sha256 && run.tape.seed == fed.seed,
        Feed::Live { from: HeardFrom::Broker, .. } => run.tape == fed,
        Feed::Live { from: HeardFrom::Providers, older, .. } => run.tape == fed || is_older(run, older),
    };
    if terms.fresh {
        return Ok(None);
    }
    Ok(file.runs()?.into_iter().rev().find(|run| is_same(run) && broker_of(run) == setup.settings.broker))
}

/// Which broker a run was opened with; a run from before there was a choice is a paper run.
pub fn broker_of(run: &RunRow) -> BrokerKind {
    serde_json::from_str::<EngineSettings>(&run.settings).map_or(BrokerKind::Paper, |settings| settings.broker)
}

/// What a new run begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTerms {
    /// Seed of the drawn quotes.
    pub seed: u64,
    /// Starting capital.
    pub capital: Money,
    /// Begin anew even where a run could be taken up.
    pub fresh: bool,
    /// Where playing begins; the tape's own start where `None`.
    pub start: Option<MarketTime>,
}

impl Feed<'_> {
    /// What names the feed in the journal.
    fn reference(&self, seed: u64) -> TapeRef {
        match self {
            Self::Tape(tape) => TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed },
            Self::Live { name, .. } => TapeRef { name: name.clone(), sha256: String::new(), seed: 0 },
        }
    }

    /// Where proposals begin: the tape's start, or now.
    fn start(&self) -> MarketTime {
        match self {
            Self::Tape(tape) => tape.start().unwrap_or_default(),
            Self::Live { now, .. } => MarketTime(now.0),
        }
    }
}

fn segment_path(home: &Home, run: RunId) -> Result<PathBuf, Trouble> {
    home.segment_file(run).map_err(|error| {
        Trouble::new(
            format!("The folder of live runs cannot be created: {error}"),
            "Nothing was started",
            "Check the disk, or choose another folder with --home",
        )
    })
}

fn begin(file: LedgerFile, feed: &Feed<'_>, setup: &Setup, terms: &RunTerms) -> Result<Opened, Trouble> {
    let gates_changed = changed_since_last_run(&file, &setup.settings)?;
    let run = RunId(file.latest_run()?.map_or(1, |row| row.run.0 + 1));
    let (first_order, first_deal) = file.free_numbers()?;
    let first = RunInput::Opened {
        run,
        ledger: file.ledger(),
        tape: feed.reference(terms.seed),
        capital: terms.capital,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: setup.settings.clone(),
        first_order,
        first_deal,
        quiet_until: terms.start.unwrap_or_else(|| feed.start()),
    };
    let (source, segment) = match feed {
        Feed::Tape(tape) => (Source::Tape(Player::new(tape, terms.seed)), None),
        Feed::Live { home, now, from, .. } => {
            let source = match from {
                HeardFrom::Broker => {
                    let since = MarketTime(now.0 - HISTORY);
                    Source::Live(LiveFeed::new(setup.series.iter().map(|series| (series.instrument, since)), since))
                }
                HeardFrom::Providers => Source::Providers(Providers::new(ToldFeed::new(std::iter::empty(), MarketTime(0)))),
            };
            (source, Some(Segment::create(&segment_path(home, run)?)?))
        }
    };
    let engine = Engine::new(&base(feed, None, setup));
    let instruments_changed = instruments_changed(feed, &engine, setup)?;
    let plays = TapePlays::On;
    Ok(Opened { engine, source, segment, file, run, first, gates_changed, instruments_changed, plays })
}

fn resume(file: LedgerFile, row: &RunRow, feed: &Feed<'_>, setup: &Setup) -> Result<Opened, Trouble> {
    let mut engine = Engine::new(&base(feed, Some(row), setup));
    let (source, segment) = match feed {
        Feed::Tape(tape) => {
            let mut player = Player::new(tape, row.tape.seed);
            restore(&mut engine, &mut player, &file, row.run)?;
            (Source::Tape(player), None)
        }
        Feed::Live { home, from, .. } => {
            let path = segment_path(home, row.run)?;
            restore(&mut engine, &mut SegmentReader::open(&path)?, &file, row.run)?;
            let segment = Segment::resume(&path, engine.market().consumed())?;
            (feed_after(&engine, *from), Some(segment))
        }
    };
    let was_clean = match row.status {
        RunStatus::Running => WasClean::No,
        RunStatus::Suspended => WasClean::Yes,
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let settings: EngineSettings = setup.settings.clone();
    if let Some(name) = engine.settings().scripts.changed_in(&settings.scripts) {
        return Err(Trouble::new(
            format!("The strategy {name} is not the one that {} began with: its file was changed since", row.run),
            "Nothing was started; the run and its record are as they were",
            "Put the file back as it was, give the new text another NAME, or begin a new run with --new",
        ));
    }
    let gates_changed = changed_since_last_run(&file, &settings)?;
    let first = RunInput::Resumed { version, was_clean, settings };
    let plays = file.tape_plays(row.run)?;
    let instruments_changed = instruments_changed(feed, &engine, setup)?;
    Ok(Opened { engine, source, segment, file, run: row.run, first, gates_changed, instruments_changed, plays })
}

/// A feed that goes on where an engine stands.
fn feed_after(engine: &Engine, from: HeardFrom) -> Source {
    let market = engine.market();
    let closed = |bars: &crate::engine::BarHistory| bars.last(1).first().map(|bar| bar.close_at);
    let lines: Vec<(InstrumentId, Option<MarketTime>)> =
        market.iter().map(|series| (series.instrument, closed(&series.bars))).collect();
    match from {
        HeardFrom::Broker => {
            let lines = lines.into_iter().map(|(id, closed)| (id, closed.unwrap_or_default()));
            Source::Live(LiveFeed::new(lines, market.now()))
        }
        HeardFrom::Providers => {
            let feed = ToldFeed::new(lines.into_iter(), market.now()).by_hours(|id| calendar_of(engine.instruments(), id));
            Source::Providers(Providers::new(feed))
        }
    }
}

pub(super) fn calendar_of(instruments: &InstrumentTable, id: InstrumentId) -> Calendar {
    instruments.get(id).map_or(Calendar::Crypto247, |known| known.calendar)
}

/// Applies a run's recorded decisions to a fresh engine, with its market in step.
pub fn restore(
    engine: &mut Engine,
    market: &mut dyn Iterator<Item = MarketEvent>,
    file: &LedgerFile,
    run: RunId,
) -> Result<(), StoreError> {
    file.read_run(run, |stored| {
        while engine.market().consumed() < stored.entry.market_index
            && let Some(event) = market.next()
        {
            engine.observe(&event);
        }
        match &stored.entry.body {
            Body::Input(input) => engine.take_input(input),
            Body::Record(record) => engine.apply(record),
        }
        Ok(())
    })
}

/// Whether an input begins a run; used by the replay to know a run's own settings.
pub(super) const fn opens_run(body: &InputBody) -> bool {
    matches!(body, InputBody::Run(RunInput::Opened { .. }))
}
