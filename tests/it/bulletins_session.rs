//! Economic series in a run of a tape: told at their releases, in the journal, over a restart, and in a replay.

use std::path::Path;
use std::time::{Duration, Instant};

use pmax::domain::{Currency, Indicator, MarketTime, Money, RunId};
use pmax::market::Player;
use pmax::runtime::{self, Feed, Home, KillLatch, Market, RunTerms, Session, Speed, Trouble, Voices, Wiring};
use pmax::store::LedgerFile;

use crate::support::deadline;
use crate::world;

fn start(folder: &Path) -> Session {
    let (home, (tape, setup)) = (Home::find(Some(folder)).unwrap(), world::setup("crash-2008"));
    let terms = RunTerms { seed: 1, capital: Money::whole(100_000, Currency::USD).unwrap(), fresh: false, start: None };
    let opened = runtime::open_run(runtime::open_ledger(&home).unwrap(), &Feed::Tape(&tape), &setup, &terms).unwrap();
    let latch = KillLatch::new(home.kill_file());
    Session::start(opened, Wiring { voices: Voices::default(), broker: None, latch, speed: Speed::Times(2_000_000) }).unwrap()
}

/// Plays until an instant of the tape, and says of which month payrolls are known then.
fn play_until(session: &Session, at: &str) -> String {
    let (at, until) = (MarketTime::parse(at).unwrap(), Instant::now() + deadline());
    loop {
        let frame = session.frames.borrow().clone();
        let payrolls = frame.snapshot.economy.rows.iter().find(|row| row.indicator == Indicator::Payrolls);
        if let Some(row) = payrolls.filter(|_| frame.snapshot.market_now >= at) {
            assert!(row.latest.known_at <= frame.snapshot.market_now, "known before it was released: {row:?}");
            let view = frame.bulletins.as_ref().expect("what comes next");
            let next = view.series.iter().find(|series| series.indicator == Indicator::Payrolls).unwrap().next.unwrap();
            assert!(next.1 > frame.snapshot.market_now && next.0 > row.latest.period);
            return row.latest.period.to_string();
        }
        assert!(Instant::now() < until, "{} never came", at);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn series_are_told_at_their_releases_over_a_restart_and_a_replay_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let session = start(folder.path());
    let first = play_until(&session, "2008-10-06T21:00:00Z");
    assert!(session.finish(Duration::from_secs(8)));
    let session = start(folder.path());
    let second = play_until(&session, "2008-12-08T21:00:00Z");
    assert!(session.finish(Duration::from_secs(8)));
    assert!(first.as_str() >= "2008-09-01" && second > first, "{first}, {second}");

    let file = LedgerFile::open_to_read(&folder.path().join("ledger.db")).unwrap();
    let (tape, setup) = world::setup("crash-2008");
    let market = || -> Result<Market, Trouble> { Ok(Box::new(Player::new(&tape, 1))) };
    let report = runtime::replay(&file, RunId(1), &market, &setup).unwrap();
    assert_eq!(report.state, report.recovered);
}
