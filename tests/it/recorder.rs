//! Recording: what providers on this machine say becomes a tape, also after `kill -9`, and plays the same each time.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pmax::domain::{MarketEvent, MarketTime};
use pmax::engine::Setup;
use pmax::market::{self, Tape};
use pmax::runtime::{Headless, wall_now};
use pmax::store::SegmentReader;
use rustix::process::{Pid, Signal, kill_process};

use crate::providers_session::{Venues, leading_to, start, venues, wait};
use crate::support::{deadline, run};
use crate::world;

fn home(venues: &Venues) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("providers.toml"), leading_to(venues)).unwrap();
    home
}

fn recorder(home: &Path, options: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pmax"));
    command.arg("record").args(options).env_clear().env("PMAX_HOME", home).env("HOME", home).env("LANG", "C.UTF-8");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a recording holds bars and prices.
fn wait_for_events(home: &Path, name: &str) -> usize {
    let path = home.join("tapes").join(format!("{name}.recording"));
    let until = Instant::now() + deadline();
    loop {
        let events: Vec<MarketEvent> = SegmentReader::open(&path).map(Iterator::collect).unwrap_or_default();
        let quotes = events.iter().filter(|event| matches!(event, MarketEvent::Quoted { .. })).count();
        if quotes >= 3 && quotes < events.len() {
            return events.len();
        }
        assert!(Instant::now() < until, "nothing was recorded in {}", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn tape(home: &Path, name: &str) -> Tape {
    market::load_among(name, Some(&home.join("tapes"))).unwrap()
}

/// Plays a tape to its end. Gives the state hash and how many bars there were.
fn played(tape: &Tape) -> (String, usize) {
    let (_, setup) = world::setup("btc-2021");
    let setup = Setup { series: tape.series(), ..setup };
    let mut world = Headless::with_usual_capital(tape, &setup, tape.start().unwrap());
    world.play_until(MarketTime(tape.span().unwrap().1.0 + 1));
    let bars = world.engine().market().iter().map(|series| series.bars.len()).sum();
    (world.engine().state_hash().to_string(), bars)
}

#[test]
fn a_recording_that_is_ended_is_a_tape_that_plays_the_same_twice() {
    let venues = venues();
    let home = home(&venues);
    let recorder = recorder(home.path(), &["--watch", "BTCUSD", "--out", "monday"]);
    wait_for_events(home.path(), "monday");
    let beside = run(&["record", "--watch", "BTCUSD"], &[], home.path());
    assert!(String::from_utf8_lossy(&beside.stderr).contains("already running"), "one process asks providers at a time");
    let listed = run(&["tapes"], &[], home.path());
    assert!(!String::from_utf8_lossy(&listed.stdout).contains("monday"), "what is still recorded is no tape yet");
    kill_process(Pid::from_child(&recorder), Signal::INT).unwrap();
    let output = recorder.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said} {}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("monday: ") && said.contains("from before it began") && said.contains("no gaps"), "{said}");
    assert!(said.contains("play it with `pmax --tape monday`"), "{said}");

    let tape = tape(home.path(), "monday");
    let series = &tape.meta.series[0];
    assert_eq!((series.symbol.as_str(), series.bar.as_str(), series.ohlc, series.volume), ("BTCUSD", "1m", true, true));
    assert!(series.source.contains("Kraken") && tape.bars.len() >= 80, "{series:?}");
    let once = played(&tape);
    assert_eq!(once, played(&tape));
    assert_eq!(once.1, tape.bars.len());
    let names: Vec<String> =
        fs::read_dir(home.path().join("tapes")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 2, "tape and prices, and nothing that is left over: {names:?}");
}

#[test]
fn what_a_crash_cuts_off_is_finished_by_whoever_comes_next() {
    let venues = venues();
    let home = home(&venues);
    let recorder = recorder(home.path(), &["--watch", "BTCUSD", "--out", "cut"]);
    let held = wait_for_events(home.path(), "cut");
    kill_process(Pid::from_child(&recorder), Signal::KILL).unwrap();
    recorder.wait_with_output().unwrap();
    // As if it had died in the middle of an event.
    let path = home.path().join("tapes/cut.recording");
    let mut torn = fs::read(&path).unwrap();
    torn.extend([9, 0, 1, 2, 3]);
    fs::write(&path, torn).unwrap();
    let listed = run(&["tapes"], &[], home.path());
    let (out, err) = (String::from_utf8_lossy(&listed.stdout), String::from_utf8_lossy(&listed.stderr));
    assert!(err.contains("finished what was cut off: cut: ") && out.contains("cut — Recorded since"), "{out} {err}");
    let tape = tape(home.path(), "cut");
    assert!(tape.bars.len() >= 80 && held > tape.bars.len());
    assert!(home.path().join("tapes/cut.prices.parquet").exists() && !path.exists());
    assert_eq!(played(&tape), played(&tape));
}

#[test]
fn it_ends_by_itself_at_its_time_and_refuses_what_makes_no_sense() {
    let venues = venues();
    let home = home(&venues);
    let output = recorder(home.path(), &["--watch", "btcusd", "--for", "3s", "--daily"]).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.starts_with("live-2"), "{said} {}", String::from_utf8_lossy(&output.stderr));
    for (options, words) in [
        (&["--for", "soon"][..], "6h30m"),
        (&["--until", "yesterday"], "21:00"),
        (&["--until", "2020-01-01T00:00"], "no time to come"),
        (&["--watch", "BTCUSDD"], "did you mean BTCUSD?"),
        (&["--out", "crash-2020"], "cannot be the name"),
        (&["--out", "../x"], "cannot be the name"),
        (&["--from-run"], "no ledger"),
    ] {
        let output = run(&[&["record"][..], options].concat(), &[], home.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(words), "{options:?}: {said}");
    }
}

#[test]
fn a_live_run_is_a_tape_afterwards() {
    let (venues, now) = (venues(), wall_now());
    let home = home(&venues);
    let session = start(home.path(), &venues);
    let frame = wait(&session, "prices upon history", |frame| {
        frame.snapshot.quotes.first().is_some_and(|row| row.bid.is_some() && row.bars.len() >= 80)
    });
    let bars = Arc::clone(&frame).snapshot.quotes[0].bars.len();
    assert!(session.finish(Duration::from_secs(30)));
    let output = run(&["record", "--from-run", "--out", "lived"], &[], home.path());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("lived: "), "{said} {}", String::from_utf8_lossy(&output.stderr));
    let tape = tape(home.path(), "lived");
    assert!(tape.bars.len() >= bars && tape.meta.title == "What run-1 heard", "{:?}", tape.meta.title);
    assert!(tape.span().unwrap().1.0 <= now.0 + 3_600_000_000_000);
    let again = run(&["record", "--from-run", "1", "--out", "lived"], &[], home.path());
    assert!(String::from_utf8_lossy(&again.stderr).contains("already"), "nothing is overwritten");
}
