//! `pmax`: the workstation.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::Broker;
use crate::cli::args::Args;
use crate::cli::broker::{balance_of, open_demo};
use crate::cli::open::Base;
use crate::cli::rehearsal::rehearsed;
use crate::cli::{Done, OK, UNCLEAN};
use crate::domain::{BrokerKind, InstrumentTable, MarketTime, PositionSide, Price, TradingState, counted};
use crate::engine::Snapshot;
use crate::orders::OrderState;
use crate::runtime::{
    self, AllocationDesk, Allocator, Feed, FeedKind, HISTORY, HeardFrom, KillLatch, Practice, ScoresDesk, Session, Speed,
    Trouble, Voices, Wiring, complain, install_panic_hook, on_death, open_ledger, open_run, open_voices, run_to_take_up,
    wall_now,
};
use crate::ui::{self, Context, Ended, Keeper, Overlay, ScreenFile, Start, TerminalProblem, UiState};

/// How long the engine gets to stop in order.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How a program ends whose terminal has gone: as by the signal that says so.
const HUNG_UP: u8 = 129;

/// A run that was left for longer does not ask for all the bars it missed: five days.
const LONGEST_GAP: i64 = 5 * 86_400_000_000_000;

/// Opens the workstation.
pub fn run(args: &Args) -> Done {
    let base = Base::open(args)?;
    let keymap = base.keymap()?;
    refuse_without_terminal()?;
    let _lock = base.home.lock()?;
    let _log = runtime::start_logging(&base.home.log_folder());
    install_panic_hook(ui::restore_now);
    let session = start_session(&base, args)?;
    on_death(session.mourner());
    let remembered = ScreenFile::load(&base.home.screen_file());
    let mut state = UiState::default();
    remembered.restore(&mut state, base.config.screen.palette);
    if !remembered.notice_seen() {
        state.overlays.push(Overlay::Notice);
    }
    let context =
        Context { instruments: Arc::clone(&base.instruments), keymap: Arc::new(keymap), groups: base.config.groups.clone() };
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Trouble::new(format!("The screen's loop cannot start: {error}"), "Nothing was sent", "Free some memory and try again")
    })?;
    let keeper = Keeper::start(base.home.screen_file(), remembered);
    let (desk, scores) = (allocation_desk(&base)?, scores_desk(&base)?);
    state.watch.known = Some(Arc::new(base.known.clone()));
    let watch = runtime::watch_desk(base.shelf.clone()).map_err(no_thread)?;
    let start = Start { state, context, rings: base.config.screen.bell, keeper, desk, scores, watch };
    let ran = executor.block_on(ui::run(start, session));
    executor.shutdown_background();
    finish(&base, ran)
}

fn refuse_without_terminal() -> Result<(), Trouble> {
    use std::io::IsTerminal;
    let problem = if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        TerminalProblem::NotATerminal
    } else if std::env::var("TERM").is_ok_and(|term| term == "dumb") {
        TerminalProblem::Dumb
    } else {
        return Ok(());
    };
    Err(no_screen(&problem))
}

fn no_screen(problem: &TerminalProblem) -> Trouble {
    Trouble::new(
        format!("The workstation has no screen: {problem}"),
        "Nothing was started",
        "Run it in a terminal, or look at it with `pmax render --size 160x45 --format text`",
    )
}

/// Who computes target allocations from the tape's history; nobody on a live market.
fn allocation_desk(base: &Base) -> Result<Option<AllocationDesk>, Trouble> {
    if is_live(base) || base.config.feed.kind == FeedKind::Live {
        return Ok(None);
    }
    let tape = base.tape()?;
    let allocator = Allocator::new(&tape, &base.instruments, runtime::settings_of(&base.config));
    runtime::allocation_desk(allocator, wall_now).map(Some).map_err(no_thread)
}

/// Who reads the signals' record from the ledger.
fn scores_desk(base: &Base) -> Result<ScoresDesk, Trouble> {
    runtime::scores_desk(base.home.ledger_file(), wall_now).map_err(no_thread)
}

fn no_thread(error: std::io::Error) -> Trouble {
    Trouble::new(format!("A thread cannot be started: {error}"), "Nothing was sent", "Free some memory and try again")
}

/// Whether prices come from a broker's own market.
fn is_live(base: &Base) -> bool {
    base.config.broker.kind == BrokerKind::Xapi && !base.config.xapi.host.is_empty()
}

/// Opens ledger, tape and run, and starts the engine.
pub fn start_session(base: &Base, args: &Args) -> Result<Session, Trouble> {
    if base.config.feed.kind == FeedKind::Live {
        return start_on_providers(base, args);
    }
    if is_live(base) {
        return start_live(base, args);
    }
    let tape = base.tape()?;
    let terms = base.terms_on(args, &tape)?;
    let file = open_ledger(&base.home)?;
    let opened = open_run(file, &Feed::Tape(&tape), &base.setup(&tape), &terms)?;
    let (latch, speed) = (KillLatch::new(base.home.kill_file()), base.speed(args, &tape)?);
    Session::start(opened, Wiring { voices: voices(base, args)?, broker: broker(base)?, latch, speed })
}

/// Who speaks: a language model where one is installed, or whoever a rehearsal wants.
fn voices(base: &Base, args: &Args) -> Result<Voices, Trouble> {
    match args.rehearse {
        Some(rehearsal) => Ok(Voices { analyst: Some(rehearsed(rehearsal)), ..Voices::default() }),
        None => open_voices(&base.config.model, &base.home),
    }
}

/// Opens a run on a demo account and its own market. A run that is taken up does not wait for the broker; a new one begins with its balance.
fn start_live(base: &Base, args: &Args) -> Result<Session, Trouble> {
    let (file, setup, now) = (open_ledger(&base.home)?, base.live_setup(), wall_now());
    let host = &base.config.xapi.host;
    let name = format!("live {host} {}", base.config.xapi.account);
    let feed = Feed::Live { from: HeardFrom::Broker, name, home: &base.home, now, older: Vec::new() };
    let mut terms = base.terms(args)?;
    terms.start = None;
    let (opened, demo) = if run_to_take_up(&file, &feed, &setup, &terms)?.is_some() {
        let opened = open_run(file, &feed, &setup, &terms)?;
        let closed = opened.engine.market().iter().filter_map(|series| Some(series.bars.last(1).first()?.close_at)).min();
        let since = closed.map_or(now.0 - HISTORY, |closed| closed.0.max(now.0 - LONGEST_GAP));
        (opened, open_demo(base, MarketTime(since))?)
    } else {
        let mut demo = open_demo(base, MarketTime(now.0 - HISTORY))?;
        terms.capital = balance_of(&mut demo, host)?;
        (open_run(file, &feed, &setup, &terms)?, demo)
    };
    let latch = KillLatch::new(base.home.kill_file());
    Session::start(opened, Wiring { voices: voices(base, args)?, broker: Some(Box::new(demo)), latch, speed: Speed::Times(1) })
}

/// Opens a paper run on what public providers say.
fn start_on_providers(base: &Base, args: &Args) -> Result<Session, Trouble> {
    if args.from.is_some() || args.speed.is_some() || args.rehearse.is_some() {
        return Err(Trouble::new(
            "A live market begins now and runs at its own pace",
            "Nothing was started and nobody was asked",
            "Leave out --from and --speed, or play a tape with --feed tape",
        ));
    }
    let (table, bulletins, now) = (base.providers().clone(), base.bulletins()?, wall_now());
    let name = runtime::LIVE_MARKETS.to_owned();
    let feed = Feed::Live { from: HeardFrom::Providers, name, home: &base.home, now, older: base.listed_series() };
    let mut opened = open_run(open_ledger(&base.home)?, &feed, &base.provider_setup(), &base.terms(args)?)?;
    runtime::connect_providers(&mut opened, table, &base.instruments, &base.home, bulletins)?;
    let latch = KillLatch::new(base.home.kill_file());
    Session::start(opened, Wiring { voices: voices(base, args)?, broker: None, latch, speed: Speed::Times(1) })
}

/// The broker of a run on a tape; the engine thread makes the paper exchange itself.
fn broker(base: &Base) -> Result<Option<Box<dyn Broker>>, Trouble> {
    match base.config.broker.kind {
        BrokerKind::Paper => Ok(None),
        BrokerKind::Xapi => {
            let seed = u64::from(base.config.tape.seed);
            let practice = Practice::new(&base.instruments, seed, wall_now).map_err(|error| {
                Trouble::new(error.to_string(), "Nothing was started", "Mend config/simulator.toml and build again")
            })?;
            Ok(Some(Box::new(practice)))
        }
    }
}

type Ran = Result<(Ended, UiState, Session), (TerminalProblem, Session)>;

fn finish(base: &Base, ran: Ran) -> Done {
    let (ended, session) = match ran {
        Ok((ended, state, session)) => {
            if let Err(error) = ScreenFile::of(&state).save(&base.home.screen_file()) {
                tracing::warn!(target: "pmax::screen", "the screen's layout was not saved: {error}");
            }
            (ended, session)
        }
        Err((problem, session)) => {
            session.finish(STOP_WITHIN);
            return Err(no_screen(&problem));
        }
    };
    let frames = session.frames.clone();
    let stopped = session.finish(STOP_WITHIN);
    // The last picture is made when the engine ends: one from before may be older than the run itself.
    let frame = Arc::clone(&frames.borrow());
    if ended != Ended::TerminalGone {
        farewell(&frame.snapshot, &base.instruments);
    }
    if !stopped {
        complain(format_args!(
            "The engine did not stop within 5 s. The journal is intact up to its last commit. The next start tells what it found."
        ));
        return Ok(UNCLEAN);
    }
    Ok(match ended {
        Ended::Quit => OK,
        // The hangup itself may come a moment later, or go to another process of the session.
        Ended::TerminalGone => HUNG_UP,
        Ended::Signal(number) => u8::try_from(128 + number).unwrap_or(UNCLEAN),
    })
}

/// What stays open, how it is protected, what is unknown and whether trading is held, after the screen is gone.
fn farewell(snapshot: &Snapshot, instruments: &InstrumentTable) {
    let bare = snapshot.positions.iter().filter(|row| row.protection.stop_loss.is_none()).count();
    complain(format_args!(
        "{} · equity {:.2} · open: {} ({bare} without a stop), {}",
        snapshot.run,
        snapshot.account.equity,
        counted(snapshot.positions.len(), "position"),
        counted(snapshot.open_orders, "order")
    ));
    let level = |price: Option<Price>| price.map_or_else(|| "none".to_owned(), |price| price.to_string());
    for row in &snapshot.positions {
        let (stop, target) = (level(row.protection.stop_loss), level(row.protection.take_profit));
        let from = if row.id.is_adopted() { ", adopted from the broker" } else { "" };
        let symbol = instruments.symbol(row.instrument);
        let side = if row.side == PositionSide::Long { "long" } else { "short" };
        complain(format_args!("  {side} {} {symbol}: stop {stop}, target {target}{from}", row.quantity));
    }
    for tracked in snapshot.orders.iter().filter(|tracked| tracked.state == OrderState::Unknown) {
        let order = &tracked.order;
        let symbol = instruments.symbol(order.request.instrument);
        complain(format_args!(
            "  order {} in {symbol} is UNKNOWN; the next start asks the broker, and opens nothing before",
            order.id
        ));
    }
    if let Some(reason) = snapshot.reason.as_ref().filter(|_| snapshot.state != TradingState::Active) {
        complain(format_args!("  trading is {}: {} ({})", snapshot.state, reason.why, reason.who));
    }
}
