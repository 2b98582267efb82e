//! The running engine when something under it fails: the kill switch still works, nothing unrecorded leaves, the screen gets told.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pmax::domain::{
    Actor, Currency, InstrumentId, MarketTime, Mode, Money, OrderKind, OrderSide, Price, Protection, TimeInForce, TradingState,
};
use pmax::engine::{Command, Seen, Ticket};
use pmax::orders::OrderState;
use pmax::risk::Acknowledged;
use pmax::runtime::{
    self, Feed, Frame, Home, KillLatch, Request, RunTerms, Session, Speed, TapeControl, TaskDeath, Voices, Wiring,
};
use pmax::signals::{Analyst, Commentary, Facts};
use rusqlite::Connection;

use crate::support::deadline;
use crate::world;

fn start(folder: &Path) -> Session {
    start_with(folder, None)
}

fn start_with(folder: &Path, analyst: Option<Box<dyn Analyst>>) -> Session {
    let home = Home::find(Some(folder)).unwrap();
    let (tape, setup) = world::setup("crash-2020");
    let terms = RunTerms { seed: 1, capital: Money::whole(100_000, Currency::USD).unwrap(), fresh: false, start: None };
    let opened = runtime::open_run(runtime::open_ledger(&home).unwrap(), &Feed::Tape(&tape), &setup, &terms).unwrap();
    Session::start(
        opened,
        Wiring {
            voices: Voices { analyst, ..Voices::default() },
            broker: None,
            latch: KillLatch::new(home.kill_file()),
            speed: Speed::Times(60),
        },
    )
    .unwrap()
}

fn wait(session: &Session, what: &str, is_there: impl Fn(&Frame) -> bool) -> Arc<Frame> {
    let until = Instant::now() + deadline();
    loop {
        let frame = Arc::clone(&session.frames.borrow());
        if is_there(&frame) {
            return frame;
        }
        assert!(Instant::now() < until, "never came: {what}; activity: {:?}", frame.snapshot.activity.first());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn command(session: &Session, command: Command) {
    assert!(session.request(Request::Command(Actor::Person, command)));
}

fn armed(folder: &Path) -> Session {
    let session = start(folder);
    wait(&session, "the end of the warm-up", |frame| frame.snapshot.consumed > 0 && !frame.snapshot.is_quiet);
    command(&session, Command::ArmPaper);
    wait(&session, "PAPER", |frame| frame.snapshot.mode == Mode::Paper);
    assert!(session.request(Request::Tape(TapeControl::TogglePause)));
    wait(&session, "quiet", |frame| frame.playback.is_paused && frame.journal.waiting == 0);
    session
}

fn buy(session: &Session) {
    let quantity = "1".parse().unwrap();
    let ticket = Ticket {
        instrument: InstrumentId(2),
        side: OrderSide::Buy,
        quantity,
        kind: OrderKind::Market,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection::default(),
    };
    command(session, Command::PlaceOrder { ticket, acknowledged: Acknowledged::Nothing, seen: Seen { price: None, quantity } });
}

#[test]
fn the_kill_switch_works_while_the_database_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let session = armed(folder.path());
    let hog = Connection::open(folder.path().join("ledger.db")).unwrap();
    hog.execute_batch("BEGIN IMMEDIATE").unwrap();
    buy(&session);
    std::thread::sleep(Duration::from_millis(100));
    let fired = Instant::now();
    session.latch.fire("kill switch").unwrap();
    let frame = wait(&session, "HALTED", |frame| frame.snapshot.state == TradingState::Halted);
    assert!(fired.elapsed() < Duration::from_secs(3), "it waited for the database: {:?}", fired.elapsed());
    assert!(folder.path().join("KILL").exists(), "the latch is on the disk");
    assert_eq!(frame.snapshot.orders.len(), 1, "the order was confirmed here");
    assert!(
        frame.snapshot.orders.iter().all(|order| order.state == OrderState::ExpiredUnsent),
        "an order left without its record"
    );
    hog.execute_batch("ROLLBACK").unwrap();
    session.finish(Duration::from_secs(8));
}

#[test]
fn a_failed_commit_halts_trading_sends_nothing_and_leaves_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let session = armed(folder.path());
    let outside = Connection::open(folder.path().join("ledger.db")).unwrap();
    outside.execute_batch("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'disk full'); END").unwrap();
    buy(&session);
    let frame =
        wait(&session, "the failure", |frame| frame.journal.failure.is_some() && frame.snapshot.state == TradingState::Halted);
    assert!(frame.journal.failure.as_ref().unwrap().contains("disk full"));
    assert_eq!(frame.snapshot.orders.len(), 1, "the order was confirmed here");
    assert!(
        frame.snapshot.orders.iter().all(|order| order.state == OrderState::ExpiredUnsent),
        "an order left without its record"
    );
    assert!(frame.snapshot.positions.is_empty());
    session.finish(Duration::from_secs(8));
    outside.execute_batch("DROP TRIGGER full").unwrap();
    let stored: i64 = outside.query_row("SELECT count(*) FROM orders", [], |row| row.get(0)).unwrap();
    assert_eq!(stored, 0);
    drop(outside);
    let session = start(folder.path());
    wait(&session, "a true next start", |frame| frame.snapshot.consumed > 0 && frame.snapshot.orders.is_empty());
    session.finish(Duration::from_secs(8));
}

#[test]
fn a_dead_task_halts_trading() {
    let folder = tempfile::tempdir().unwrap();
    let session = armed(folder.path());
    assert!(session.request(Request::Died("the task «feed» failed".to_owned())));
    let frame = wait(&session, "HALTED", |frame| frame.snapshot.state == TradingState::Halted);
    assert!(frame.snapshot.reason.as_ref().unwrap().why.contains("feed"));
    session.finish(Duration::from_secs(8));
}

#[test]
fn the_kill_file_of_another_process_is_noticed_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let session = armed(folder.path());
    std::fs::write(folder.path().join("KILL"), "outside: smoke\n").unwrap();
    let frame = wait(&session, "HALTED", |frame| frame.snapshot.state == TradingState::Halted);
    assert_eq!(frame.snapshot.reason.as_ref().unwrap().who, Actor::Outside);
    session.finish(Duration::from_secs(8));
    let session = start(folder.path());
    wait(&session, "still HALTED", |frame| frame.snapshot.consumed > 0 && frame.snapshot.state == TradingState::Halted);
    command(&session, Command::ArmPaper);
    buy(&session);
    wait(&session, "the refusal", |frame| frame.snapshot.alerts.iter().any(|alert| alert.text.contains("STATE")));
    command(&session, Command::RequestRearm);
    command(&session, Command::ConfirmRearm);
    wait(&session, "ACTIVE", |frame| frame.snapshot.state == TradingState::Active);
    wait(&session, "the file to go", |_| !folder.path().join("KILL").exists());
    session.finish(Duration::from_secs(8));
}

/// An analyst that never comes back from its first question.
#[derive(Debug)]
struct Hanging;

impl Analyst for Hanging {
    fn comment(&mut self, _: &Facts) -> Option<Commentary> {
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn a_hanging_analyst_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let session = start_with(folder.path(), Some(Box::new(Hanging)));
    wait(&session, "the end of the warm-up", |frame| frame.snapshot.consumed > 0 && !frame.snapshot.is_quiet);
    command(&session, Command::ArmPaper);
    assert!(session.request(Request::Tape(TapeControl::Set(Speed::Max))));
    wait(&session, "the end of the tape", |frame| frame.playback.is_at_end);
    session.latch.fire("kill switch").unwrap();
    let frame = wait(&session, "HALTED", |frame| frame.snapshot.state == TradingState::Halted);
    assert!(frame.snapshot.commentary.is_empty());
}

#[test]
fn the_kill_switch_works_with_the_journals_queue_full() {
    let folder = tempfile::tempdir().unwrap();
    let session = armed(folder.path());
    let hog = Connection::open(folder.path().join("ledger.db")).unwrap();
    hog.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(session.request(Request::Tape(TapeControl::TogglePause)));
    assert!(session.request(Request::Tape(TapeControl::Set(Speed::Max))));
    // One alert acknowledged is one batch: more of them than the queue holds.
    for _ in 0..6_000 {
        while !session.request(Request::Command(Actor::Person, Command::AcknowledgeAll)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let fired = Instant::now();
    session.latch.fire("kill switch").unwrap();
    wait(&session, "HALTED", |frame| frame.snapshot.state == TradingState::Halted);
    assert!(fired.elapsed() < Duration::from_secs(3), "it waited for the journal: {:?}", fired.elapsed());
    hog.execute_batch("ROLLBACK").unwrap();
    wait(&session, "the journal catches up", |frame| frame.journal.waiting == 0 || frame.journal.failure.is_some());
    session.finish(Duration::from_secs(8));
}

#[test]
fn a_death_is_heard_even_with_the_inbox_full() {
    let folder = tempfile::tempdir().unwrap();
    let session = armed(folder.path());
    let hog = Connection::open(folder.path().join("ledger.db")).unwrap();
    hog.execute_batch("BEGIN IMMEDIATE").unwrap();
    buy(&session);
    // Once the engine waits for the disk nobody empties its inbox: it is still full after a while.
    let asks = || session.request(Request::Command(Actor::Person, Command::AcknowledgeAll));
    loop {
        while asks() {}
        std::thread::sleep(Duration::from_millis(50));
        if !asks() {
            break;
        }
    }
    assert!(!session.latch.is_fired());
    session.mourner()(TaskDeath { task: "feed".to_owned(), message: "out of luck".to_owned() });
    assert!(session.latch.is_fired(), "the death went unheard");
    hog.execute_batch("ROLLBACK").unwrap();
    let frame = wait(&session, "HALTED", |frame| frame.snapshot.state == TradingState::Halted);
    assert!(frame.snapshot.reason.as_ref().unwrap().why.contains("the task «feed» failed (out of luck)"));
    session.finish(Duration::from_secs(8));
}

/// Fires into a tape at full speed and a rain of commands. Returns whether the tape was still playing when trading halted: on a busy
/// machine it may be over before this thread gets its turn.
fn fires_into_a_flood() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let session = armed(folder.path());
    let resting = |number: i64| {
        let kind = OrderKind::Limit(Price::from_nanos((190_000 + number) * 10_000_000));
        let quantity = "0.01".parse().unwrap();
        let (instrument, side, time_in_force) = (InstrumentId(3), OrderSide::Buy, TimeInForce::GoodTillCancelled);
        let ticket = Ticket { instrument, side, quantity, kind, time_in_force, protection: Protection::default() };
        Command::PlaceOrder { ticket, acknowledged: Acknowledged::Nothing, seen: Seen { price: None, quantity } }
    };
    for number in 0..5 {
        command(&session, resting(number));
    }
    wait(&session, "working orders", |frame| frame.snapshot.open_orders >= 5);
    let began = session.frames.borrow().snapshot.market_now;
    assert!(session.request(Request::Tape(TapeControl::Set(Speed::Max))));
    assert!(session.request(Request::Tape(TapeControl::TogglePause)));
    std::thread::sleep(Duration::from_millis(2));
    let fired = Instant::now();
    session.kill("kill switch").unwrap();
    // It goes on raining commands.
    for number in 5..500 {
        let _: bool = session.request(Request::Command(Actor::Person, resting(number)));
    }
    let frame = wait(&session, "HALTED", |frame| frame.snapshot.state == TradingState::Halted);
    assert!(fired.elapsed() < Duration::from_secs(3), "{:?}", fired.elapsed());
    let (halted_at, end) = (frame.snapshot.reason.as_ref().unwrap().at, frame.playback.ends_at.unwrap());
    let was_playing = began < halted_at && halted_at < end;
    wait(&session, "no order left", |frame| frame.snapshot.open_orders == 0);
    let held = session.frames.borrow().snapshot.positions.len();
    let frame = wait(&session, "the end of the tape", |frame| frame.playback.is_at_end);
    assert_eq!(
        (frame.snapshot.state, frame.snapshot.positions.len()),
        (TradingState::Halted, held),
        "something was opened after"
    );
    session.finish(Duration::from_secs(8));
    was_playing
}

#[test]
fn the_kill_switch_halts_in_the_midst_of_a_flood() {
    assert!((0..10).any(|_| fires_into_a_flood()), "the flood was always over before it was fired into");
}

#[test]
fn a_jump_is_over_when_it_has_arrived_also_while_paused_and_past_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let session = armed(folder.path());
    let until = MarketTime::parse("2020-03-16").unwrap();
    assert!(session.request(Request::Tape(TapeControl::Jump(until))));
    let frame = wait(&session, "the arrival", |frame| {
        frame.snapshot.market_now > MarketTime::parse("2020-03-13").unwrap() && !frame.playback.is_running_ahead
    });
    assert!(frame.playback.is_paused && frame.snapshot.market_now < until, "it stands where it was sent");
    assert!(session.request(Request::Tape(TapeControl::Jump(MarketTime::parse("2031-01-01").unwrap()))));
    let frame = wait(&session, "the end of the tape", |frame| frame.playback.is_at_end);
    assert!(!frame.playback.is_running_ahead);
    assert_eq!(frame.playback.ends_at, Some(frame.snapshot.market_now));
    session.finish(Duration::from_secs(8));
}
