//! What a person sees of chances, gates and stages, and the two steps on the screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pmax::backtest::PlanGate;
use pmax::domain::Ratio;
use pmax::engine::{Command, SnapshotRequest};
use pmax::risk::{Limit, Metric, Rules, Scope, StageSettings};
use pmax::runtime::Palette;
use pmax::signals::GateVerdict;
use pmax::ui::{Event, Overlay, View};

use crate::breakers::row;
use crate::stage::{Stage, lived, lived_with};
use crate::world;

fn shifted(stage: &mut Stage, letter: char) {
    stage.world.wait(pmax::domain::Duration::millis(500));
    stage.event(&Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::SHIFT)));
}

#[test]
fn gates_and_stages_are_one_key_away() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    shifted(&mut stage, 'G');
    assert_eq!(stage.state.view, View::Gates);
    insta::assert_snapshot!("gates_120x40", stage.shot());
    stage.press(KeyCode::Esc);
    assert_eq!(stage.state.view, View::Panes);
    let (tape, mut setup) = world::setup("crash-2020");
    setup.settings.stages = Some(StageSettings { first: 1_000, second: 5_000, third: 10_000, fourth: 50_000 });
    let mut stage = Stage::new(lived_with(&tape, &setup), (80, 24), Palette::GreenRed);
    stage.event(&Event::Key(KeyEvent::new(KeyCode::Char('k'), KeyModifiers::CONTROL)));
    stage.keys("gates");
    stage.press(KeyCode::Enter);
    insta::assert_snapshot!("gates_80x24", stage.shot());
    stage.keys(":stageup");
    stage.press(KeyCode::Enter);
    stage.press(KeyCode::Down);
    assert!(stage.state.overlays.is_empty(), "what is not open asks for no word");
    assert!(stage.text().contains("stage 2 is not open"), "{}", stage.text());
}

#[test]
fn a_breaker_that_blocks_while_trading_is_active_is_rearmed_on_the_screen() {
    let (tape, mut setup) = world::setup("crash-2020");
    let limit = Limit::Number(Ratio::from_nanos(100_000));
    setup.settings.breakers = Rules::new(vec![row(Metric::Drawdown, "block", limit, Scope::Account, "person")]);
    let mut stage = Stage::new(lived_with(&tape, &setup), (120, 40), Palette::GreenRed);
    assert!(stage.world.engine().book().needs_rearming(), "it has tripped");
    shifted(&mut stage, 'R');
    assert!(matches!(stage.state.overlays.last(), Some(Overlay::Rearm { .. })), "the word is asked for");
    assert!(stage.text().contains("Held by tested"), "{}", stage.text());
    stage.keys("arm");
    stage.press(KeyCode::Enter);
    assert!(!stage.world.engine().book().needs_rearming(), "and lets go");
    stage.world.command(Command::AcknowledgeAll);
}

/// The running account against the gates that are not about calls: the same numbers as a test of the same days would give.
#[test]
fn the_running_account_is_held_against_every_gate_of_the_plan() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    shifted(&mut stage, 'G');
    let gauged = stage.state.record.gauged.clone();
    let of = |gate: PlanGate| *gauged.iter().find(|gauged| gauged.gate == gate).unwrap();
    let snapshot = stage.world.engine().snapshot(&SnapshotRequest::default());
    let (counts, book) = (snapshot.standing.counts, stage.world.engine().book());
    let layers = of(PlanGate::LayersPassed);
    assert_eq!((layers.count, layers.found), (counts.judged, Some(counts.passed as f64 / counts.judged as f64)));
    assert!(counts.judged > 20 && counts.passed < counts.judged, "{counts:?}");
    let closed = stage.world.scored();
    let all = &closed.cards(pmax::signals::By::Source)[0].1;
    assert_eq!((all.signals - all.warm_up) as u64, counts.judged, "as the scorecards count them");
    assert_eq!(of(PlanGate::PaperTrades).found, Some(counts.round_trips as f64));
    assert!(counts.round_trips > 0);
    let sharpe = of(PlanGate::PaperSharpe);
    let days = book.performance().days().iter().filter(|day| day.date >= jiff::civil::date(2020, 1, 30)).count() - 1;
    assert_eq!(sharpe.count, days as u64, "days of the run that have ended, none of the warm-up");
    assert_eq!((sharpe.verdict, of(PlanGate::PaperDrawdown).verdict), (GateVerdict::NotProven, GateVerdict::NotProven));
    assert_eq!(of(PlanGate::PaperDrawdown).found, Some(snapshot.account.max_drawdown.to_f64()));
}
