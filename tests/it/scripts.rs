//! Strategies of one's own: from their files into the engine, and what happens where they are wrong.

use std::path::Path;
use std::sync::Arc;

use pmax::backtest::{self, Plan};
use pmax::domain::{Currency, MarketTime, Money, SignalSource};
use pmax::engine::{Setup, SnapshotRequest, TapeRef};
use pmax::market::{Player, Tape};
use pmax::runtime::Headless;
use pmax::signals::{Script, Scripts};

use crate::support::run;
use crate::world;

/// The scripts in `config/strategies`.
pub fn examples() -> Arc<[Script]> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/strategies");
    ["breakout.rhai", "mean_reversion.rhai"].map(|name| script(name, &std::fs::read_to_string(folder.join(name)).unwrap())).into()
}

fn script(name: &str, text: &str) -> Script {
    Script::read(name, text).unwrap_or_else(|error| panic!("{error}"))
}

fn setup_with(library: Arc<[Script]>) -> (Tape, Setup) {
    let (tape, mut setup) = world::setup("crash-2020");
    setup.settings.scripts = Scripts::of(&library);
    setup.library = library;
    (tape, setup)
}

fn plan(tape: &Tape, setup: Setup) -> Plan {
    Plan {
        setup,
        tape: TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed: 1 },
        version: "test",
        capital: Money::whole(100_000, Currency::USD).unwrap(),
        from: tape.start().unwrap(),
        until: None,
        since: None,
        opens_until: None,
    }
}

fn lived(library: Arc<[Script]>) -> Headless {
    let (tape, setup) = setup_with(library);
    let from = MarketTime::parse("2020-01-02").unwrap();
    let mut world = Headless::with_usual_capital(&tape, &setup, from);
    world.play_until(MarketTime::parse("2020-04-01").unwrap());
    world
}

#[test]
fn the_examples_have_views_that_are_judged_and_followed_like_any_other() {
    let world = lived(examples());
    let snapshot = world.frame(&SnapshotRequest::default()).snapshot;
    for name in ["breakout", "mean-reversion"] {
        let source = SignalSource::Script(name.parse().unwrap());
        assert!(snapshot.signals.iter().any(|entry| entry.signal.view.source == source), "{name} had no view");
        let score = snapshot.scores.iter().find(|row| row.source == source).unwrap_or_else(|| panic!("{name} has no record"));
        assert!(score.card.outcomes() > 0);
    }
    assert_eq!(world.engine().state_hash(), lived(examples()).engine().state_hash(), "the same twice");
    assert!(snapshot.alerts.iter().all(|alert| !alert.text.contains("failed")), "no example fails");
}

#[test]
fn a_test_knows_which_text_it_tested() {
    let frame = "const NAME = \"probe\"; const HORIZON = 5; const WARM_UP = 10; fn look(history) { long(3, \"up\") }";
    let (tape, setup) = setup_with(vec![script("probe.rhai", frame)].into());
    let (_, other) = setup_with(vec![script("probe.rhai", &format!("{frame} // new"))].into());
    let (_, none) = world::setup("crash-2020");
    let hashes = [setup, other, none].map(|setup| plan(&tape, setup).settings_hash().unwrap());
    assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2], "{hashes:?}");
    let (_, setup) = setup_with(vec![script("probe.rhai", frame)].into());
    let plan = plan(&tape, setup);
    let played = || backtest::run(&plan, Player::new(&tape, 1)).unwrap();
    assert_eq!(played(), played());
}

#[test]
fn a_script_that_fails_later_abstains_and_is_said_the_first_and_tenth_time() {
    let text = "const NAME = \"brittle\"; const HORIZON = 5; const WARM_UP = 10;
fn look(history) {
    if history.close() > 150.0 { history.close(99); }
}";
    let world = lived(vec![script("brittle.rhai", text)].into());
    let snapshot = world.frame(&SnapshotRequest::default()).snapshot;
    let said: Vec<&str> =
        snapshot.alerts.iter().map(|alert| alert.text.as_str()).filter(|text| text.contains("strategy brittle")).collect();
    assert!((2..=5).contains(&said.len()), "{said:?}");
    assert!(said.iter().all(|text| text.contains("line 3") && text.contains("raise WARM_UP")), "{said:?}");
    assert!(snapshot.signals.iter().any(|entry| entry.signal.view.source == SignalSource::BaselineMomentum), "all else goes on");
}

/// A home with a script in it, as a person would put it there.
pub fn home(text: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("strategies")).unwrap();
    std::fs::write(home.path().join("strategies/breakout.rhai"), text).unwrap();
    std::fs::write(home.path().join("pmax.toml"), "[strategies]\n\nscripts = [\"breakout.rhai\"]\n").unwrap();
    home
}

pub fn said(home: &Path, line: &[&str]) -> (Option<i32>, String, String) {
    let output = run(line, &[], home);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The first example.
pub const BREAKOUT: &str = include_str!("../../config/strategies/breakout.rhai");

#[test]
fn a_bad_file_is_refused_at_the_start_with_its_line() {
    for (text, parts) in [
        (BREAKOUT.replace("highest(bars)", "highst(bars)"), &["breakout.rhai, line 20", "highst"][..]),
        (BREAKOUT.replace("let bars = 20;", "let bars = ;"), &["breakout.rhai, line 16"]),
        (BREAKOUT.replace("const NAME", "const NAMES"), &["breakout.rhai", "const NAME"]),
    ] {
        let (code, _, error) = said(home(&text).path(), &["backtest"]);
        assert!(code == Some(1) && parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(error.contains("Nothing was started") && error.contains("Mend that line"), "{error}");
    }
    let home = home(BREAKOUT);
    std::fs::write(home.path().join("pmax.toml"), "[strategies]\n\nscripts = [\"absent.rhai\"]\n").unwrap();
    let (code, _, error) = said(home.path(), &["backtest"]);
    assert!(code == Some(1) && error.contains("line 3") && error.contains("absent.rhai"), "{error}");
    std::fs::write(home.path().join("pmax.toml"), "[strategies]\nscripts = [\"../x.rhai\"]\n").unwrap();
    let (code, _, error) = said(home.path(), &["backtest"]);
    assert!(code == Some(1) && error.contains("line 2") && error.contains("a list of at most 8 files"), "{error}");
}

#[test]
fn a_changed_text_takes_up_no_run_and_replays_none() {
    let home = home(BREAKOUT);
    let (code, _, error) = said(home.path(), &["--speed", "max", "drill"]);
    assert_eq!(code, Some(0), "{error}");
    let (code, out, error) = said(home.path(), &["replay", "1"]);
    assert_eq!(code, Some(0), "{out} {error}");
    let journal = said(home.path(), &["journal", "export", "--run", "1"]).1;
    assert!(journal.contains("breakout@") && journal.contains("script:breakout"), "the run names its script");

    std::fs::write(home.path().join("strategies/breakout.rhai"), format!("{BREAKOUT}// new\n")).unwrap();
    let (code, _, error) = said(home.path(), &["--speed", "max", "drill"]);
    assert!(code == Some(1) && error.contains("strategy breakout") && error.contains("--new"), "{error}");
    let (code, out, error) = said(home.path(), &["replay", "1"]);
    assert!(code != Some(0) && format!("{out}{error}").contains("breakout@"), "{out} {error}");
}
