//! What a person sees of chances, gates and stages, and the two steps on the screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pmax::domain::Ratio;
use pmax::engine::Command;
use pmax::risk::{Limit, Metric, Rules, Scope, StageSettings};
use pmax::runtime::Palette;
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
