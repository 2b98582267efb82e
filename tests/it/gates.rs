//! The plan's gates: read like every other setting, held against tests with what chance would do, and a change of one is journalled.

use pmax::backtest::{self, Gauged, Plan, PlanGate, Report, Verdict};
use pmax::domain::{Currency, MarketTime, Money};
use pmax::engine::TapeRef;
use pmax::market::Player;
use pmax::signals::CountedCall;

use crate::support::run;
use crate::world;

const DAY: i64 = 86_400_000_000_000;

fn played() -> Report {
    let (tape, setup) = world::setup("crash-2020");
    let tape_ref = TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed: 1 };
    let capital = Money::whole(100_000, Currency::USD).unwrap();
    let from = tape.start().unwrap();
    let plan = Plan { setup, tape: tape_ref, version: "", capital, from, until: None, since: None, opens_until: None };
    backtest::run(&plan, Player::new(&tape, 1)).unwrap()
}

fn gauged(report: &Report, gate: PlanGate) -> Gauged {
    *backtest::gauge(report, &world::config().evidence).iter().find(|gauged| gauged.gate == gate).unwrap()
}

/// The default tape's report with calls of which so many of so many were right, one an hour, and so many rose.
fn with_calls(right: usize, rose: usize, of: usize) -> Report {
    let mut report = played();
    // The latest is number 0; each begins where the one before ended.
    let at = |number: usize| MarketTime(report.until.0 - number as i64 * DAY / 24);
    let call = |number: usize| CountedCall {
        made: at(number + 1),
        ended: at(number),
        is_right: number < right,
        has_risen: number < rose,
    };
    report.calls = (0..of).rev().map(call).collect();
    report
}

#[test]
fn a_gate_that_is_passed_proves_nothing_by_itself() {
    let cases = [
        (17, 15, 30, Verdict::NotProven),
        (400, 250, 500, Verdict::Pass),
        (240, 250, 500, Verdict::Fail),
        // More than 55 %, but always up was right more often.
        (400, 460, 500, Verdict::NotProven),
        (0, 0, 0, Verdict::NotProven),
    ];
    for (right, rose, of, verdict) in cases {
        let found = gauged(&with_calls(right, rose, of), PlanGate::CallsRight);
        assert_eq!((found.verdict, found.count), (verdict, of as u64), "{right} of {of}, {rose} rose");
    }
    let coin = gauged(&with_calls(17, 15, 30), PlanGate::CallsRight);
    assert!((coin.unskilled_passes.unwrap() - 0.2923).abs() < 1e-4, "{coin:?}");
    assert!((coin.luckiest_passes(20).unwrap() - 0.999).abs() < 1e-3, "one of twenty coins passes: {coin:?}");
    assert!((coin.needed.unwrap() - 616.0).abs() < 1.0);
    assert!(coin.power.unwrap() < 0.2, "{coin:?}");
    let third = gauged(&with_calls(17, 15, 30), PlanGate::StageThird);
    assert_eq!((third.power, third.needed), (None, None), "nobody tells 50 % from 50 %");
}

/// Calls of twenty stocks that are made and end together are one, whatever they say.
#[test]
fn calls_that_overlap_are_not_counted_twice() {
    let mut report = with_calls(500, 250, 500);
    for (number, call) in report.calls.iter_mut().enumerate() {
        let ended = MarketTime(call.ended.0 - call.ended.0 % DAY);
        (call.made, call.ended) = (MarketTime(ended.0 - DAY), ended);
        call.is_right = number > 0;
    }
    let found = gauged(&report, PlanGate::CallsRight);
    assert_eq!((found.count, found.verdict), (500, Verdict::NotProven), "{found:?}");
    assert!(found.independent.unwrap() <= 22, "{found:?}");
}

/// A gate that was moved is said wherever it is held.
#[test]
fn a_moved_gate_is_not_called_the_plans() {
    let home = tempfile::tempdir().unwrap();
    let line = ["--set", "evidence.paper_trades=1", "backtest", "--last", "30d"];
    let text = String::from_utf8(run(&line, &[], home.path()).stdout).unwrap();
    assert!(text.contains("MOVED: evidence.paper_trades is 1, the plan's is 50"), "{text}");
    let plain = String::from_utf8(run(&["backtest", "--last", "30d"], &[], home.path()).stdout).unwrap();
    assert!(!plain.contains("MOVED"), "{plain}");
}

#[test]
fn only_the_latest_days_count_where_the_plan_says_so() {
    let mut report = with_calls(400, 250, 500);
    for call in &mut report.calls {
        (call.made, call.ended) = (MarketTime(call.made.0 - 31 * DAY), MarketTime(call.ended.0 - 31 * DAY));
    }
    assert_eq!(gauged(&report, PlanGate::CallsRight).count, 0);
    assert_eq!(gauged(&report, PlanGate::StageFirst).count, 500);
    assert_eq!(gauged(&report, PlanGate::StageFirst).verdict, Verdict::Pass);
}

#[test]
fn the_stop_is_taken_literally() {
    assert_eq!(gauged(&with_calls(13, 15, 30), PlanGate::StopBelow).verdict, Verdict::Fail, "43 % stops");
    assert_eq!(
        gauged(&with_calls(14, 15, 30), PlanGate::StopBelow).verdict,
        Verdict::NotProven,
        "47 % does not, and proves nothing"
    );
    assert_eq!(gauged(&with_calls(300, 250, 500), PlanGate::StopBelow).verdict, Verdict::Pass);
}

#[test]
fn days_and_signals_have_their_intervals() {
    let report = played();
    let layers = gauged(&report, PlanGate::LayersPassed);
    assert_eq!(
        (layers.count, layers.found),
        (report.signals.judged, Some(report.signals.passed as f64 / report.signals.judged as f64))
    );
    let sharpe = gauged(&report, PlanGate::PaperSharpe);
    assert_eq!((sharpe.found, sharpe.interval), (report.evidence.account.sharpe, report.evidence.account.sharpe_interval));
    assert_ne!(sharpe.verdict, Verdict::Pass);
    let fall = gauged(&report, PlanGate::PaperDrawdown);
    let (low, high) = fall.interval.unwrap();
    assert!(low < fall.found.unwrap() && fall.found.unwrap() < high, "{fall:?}");
    assert_eq!(fall.verdict, Verdict::Pass);
    let mut deep = report;
    deep.evidence.account.max_drawdown = Some(0.15);
    assert_eq!(gauged(&deep, PlanGate::PaperDrawdown).verdict, Verdict::Fail, "15 % is not below 15 %");
}

#[test]
fn every_gate_is_shown_and_what_does_not_fit_is_refused_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    let said = |line: &[&str]| {
        let output = run(line, &[], home.path());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, text, _) = said(&["backtest"]);
    let from = text.find("The plan's gates").unwrap();
    let until = text.find("What speaks against it").unwrap();
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(text[from..until].trim_end());
    let (_, text, _) = said(&["--set", "evidence.calls_right=0.5", "backtest"]);
    assert!(text.contains("2 tests on this tape so far, 1 of them different"), "a gate changes no result: {text}");
    let file = home.path().join("own.toml");
    for (written, words) in [
        ("[evidence]\n\ncalls_right = 55\n", &["own.toml, line 3", "evidence.calls_right = 55", "from 0 to 1"][..]),
        ("[evidence]\ncall_right = 0.5\n", &["line 2", "did you mean evidence.calls_right?"][..]),
        ("[evidence]\nstop_below = 0.51\n", &["line 2", "must not exceed evidence.stage_third"][..]),
    ] {
        std::fs::write(&file, written).unwrap();
        let (code, _, error) = said(&["--config", file.to_str().unwrap(), "backtest"]);
        assert!(code == Some(1) && words.iter().all(|word| error.contains(word)), "{code:?} {error}");
    }
}

#[test]
fn a_changed_gate_is_journalled_once_with_its_old_and_its_new_value() {
    let home = tempfile::tempdir().unwrap();
    let journal_after = |sets: &[&str]| {
        let line: Vec<&str> = sets.iter().copied().chain(["--speed", "max", "drill"]).collect();
        let output = run(&line, &[], home.path());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(run(&["journal", "export"], &[], home.path()).stdout).unwrap()
    };
    let changes = |journal: &str| journal.lines().filter(|line| line.contains("gates_changed")).count();
    assert_eq!(changes(&journal_after(&[])), 0, "nothing was recorded before");
    let moved = journal_after(&["--set", "evidence.calls_right=0.5", "--set", "gates.minimum_strength=1.5"]);
    assert_eq!(changes(&moved), 1);
    for words in ["evidence.calls_right from 0.55 to 0.5", "gates.minimum_strength from 2", "you changed since run-1"] {
        assert!(moved.contains(words), "{words}");
    }
    let kept = journal_after(&["--set", "evidence.calls_right=0.5", "--set", "gates.minimum_strength=1.5"]);
    assert_eq!(changes(&kept), 1, "what was journalled is not said again");
    let back = journal_after(&["--new"]);
    assert_eq!(changes(&back), 2, "a new run is held against the one before");
    for number in ["1", "2"] {
        assert_eq!(run(&["replay", number], &[], home.path()).status.code(), Some(0), "run {number} replays");
    }
}
