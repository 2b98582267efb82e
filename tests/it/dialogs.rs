//! What dialogs owe the person: the whole order, an answer, and keys that act on what was seen.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pmax::domain::{Duration, MarketTime, TradingState};
use pmax::engine::{Command, KillPhase, Seen, SnapshotRequest, Ticket};
use pmax::risk::{Acknowledged, Check};
use pmax::runtime::{Headless, Palette};
use pmax::ui::{self, Effect, Event, Overlay, Pane, Scene};

use crate::stage::{Stage, lived};
use crate::world;

fn small(world: Headless) -> Stage {
    Stage::new(world, (80, 24), Palette::GreenRed)
}

#[test]
fn the_smallest_preview_still_shows_every_check_and_covers_neither_status_nor_kill() {
    for keys in ["n", "jb2"] {
        let mut stage = small(lived());
        stage.keys(keys);
        if keys != "n" {
            stage.press(KeyCode::Enter);
        }
        stage.world.wait(Duration::seconds(1));
        let text = stage.text().replace('\u{a0}', " ");
        assert!(text.contains("PAPER —"), "{text}");
        // `REDUCES` is asked of closing orders only.
        for check in Check::ALL.iter().filter(|check| **check != Check::Reduces) {
            assert!(text.contains(check.title()), "{} is not shown:\n{text}", check.code());
        }
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].contains("PAPER   ACTIVE"), "{text}");
        assert!(rows[23].contains("F12 kill"), "{text}");
        assert!(text.contains("y SENDS the order") || text.contains("cannot be sent —"), "{text}");
    }
}

#[test]
fn a_refusal_ends_the_dialog_and_says_why() {
    let mut stage = small(lived());
    stage.keys(":reset");
    stage.press(KeyCode::Char(' '));
    stage.keys("50000");
    stage.press(KeyCode::Enter);
    stage.world.wait(Duration::seconds(1));
    stage.keys("y");
    stage.event(&Event::Tick);
    assert!(stage.state.overlays.is_empty(), "{}", stage.text());
    assert!(stage.text().contains("not reset: close all positions"), "{}", stage.text());
}

/// Puts the cursor under Positions on the first row about an order whose line holds these words.
fn select(stage: &mut Stage, words: &str) {
    stage.keys("4z");
    for _ in 0..40 {
        let text = stage.text();
        if text.lines().any(|line| line.contains('▸') && line.contains(words)) {
            return;
        }
        stage.keys("j");
    }
    panic!("no row with «{words}»\n{}", stage.text());
}

#[test]
fn the_history_of_an_order_is_in_words_and_says_who_confirmed_it() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    select(&mut stage, "proposal");
    stage.press(KeyCode::Enter);
    let text = stage.text();
    for words in ["confirmed by you on 2020-", "NY  sent", "NY  filled"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    for name in ["Send", "FillAll", "Accept "] {
        assert!(!text.contains(name), "{name} is no word for a person\n{text}");
    }
    insta::assert_snapshot!("history_120x40", stage.shot());
    assert!(!text.contains("x cancels it"), "what is closed cannot be cancelled\n{text}");
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    select(&mut stage, "stop-loss");
    stage.press(KeyCode::Enter);
    assert!(stage.text().contains("came with the position it protects"), "{}", stage.text());
    assert!(stage.text().contains("x cancels it"), "{}", stage.text());
}

#[test]
fn a_change_shows_what_it_is_held_against_before_it_is_sent() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    select(&mut stage, "stop-loss");
    stage.keys("m");
    stage.press(KeyCode::Tab);
    let form = |stage: &mut Stage, price: &str| {
        (0..12).for_each(|_| drop(stage.press(KeyCode::Backspace)));
        stage.keys(price);
        stage.press(KeyCode::Enter);
        stage.world.wait(Duration::seconds(1));
    };
    // The last price is 26.23: a stop above it protects nothing.
    form(&mut stage, "28");
    let text = stage.text();
    assert!(text.contains("✗ NO stop and target") && text.contains("cannot be sent — PROTECTION"), "{text}");
    assert!(
        !stage.press(KeyCode::Char('y')).iter().any(|effect| matches!(effect, Effect::Ask(..))),
        "a refused change is not sent"
    );
    stage.press(KeyCode::Esc);
    form(&mut stage, "24");
    let text = stage.text();
    assert!(text.contains("✓ stop and target") && text.contains("y CHANGES it"), "{text}");
    insta::assert_snapshot!("change_120x40", stage.shot());
    assert!(stage.press(KeyCode::Char('y')).iter().any(|effect| matches!(effect, Effect::Ask(_, Command::ModifyOrder { .. }))));
}

#[test]
fn exits_show_what_they_are_held_against() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    stage.keys("4m");
    (0..12).for_each(|_| drop(stage.press(KeyCode::Backspace)));
    stage.keys("9000");
    stage.press(KeyCode::Enter);
    stage.world.wait(Duration::seconds(1));
    let text = stage.text();
    assert!(text.contains("✓ trading state") && text.contains("✗ NO stop and target"), "{text}");
    assert!(text.contains("cannot be sent — PROTECTION"), "{text}");
    stage.world.command(Command::Disarm);
    assert!(stage.text().contains("✗ NO mode"), "{}", stage.text());
}

#[test]
fn another_line_of_the_log_is_no_answer() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    stage.keys("jb2");
    stage.press(KeyCode::Enter);
    stage.world.wait(Duration::seconds(1));
    let frame = Arc::new(stage.world.frame(&stage.show()));
    let scene = Scene { frame: &frame, context: &stage.context, now: stage.now(), size: stage.size };
    let key = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::NONE);
    let effects = ui::update(&mut stage.state, &Event::Key(key), scene);
    let asked = effects
        .iter()
        .find_map(|effect| if let Effect::Ask(number, command) = effect { Some((*number, command.clone())) } else { None });
    let (number, command) = asked.expect("y asks");
    stage.world.command(Command::Disarm);
    stage.event(&Event::Tick);
    assert!(stage.state.preview().is_some(), "the engine has not answered yet");
    stage.world.ask(number, command);
    stage.event(&Event::Tick);
    assert!(stage.state.preview().is_none());
    assert!(stage.text().contains("refused — MODE"), "{}", stage.text());
}

#[test]
fn a_refused_request_to_rearm_closes_its_dialog() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    stage.keys("R");
    stage.event(&Event::Tick);
    assert!(stage.state.overlays.is_empty());
    assert!(stage.text().contains("nothing to re-arm"), "{}", stage.text());
    stage.world.command(Command::Kill { why: "test".to_owned() });
    stage.keys("R");
    stage.event(&Event::Tick);
    assert!(matches!(stage.state.overlays.last(), Some(Overlay::Rearm { .. })), "{}", stage.text());
    stage.keys("ARM");
    stage.press(KeyCode::Enter);
    stage.event(&Event::Tick);
    assert_eq!(stage.world.engine().book().state(), TradingState::Active);
}

#[test]
fn declining_declines_what_was_under_the_cursor_when_it_was_seen() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    stage.keys("3");
    let waiting: Vec<_> = stage.world.engine().book().proposals().keys().copied().collect();
    assert!(waiting.len() >= 3, "{waiting:?}");
    stage.keys("j");
    // The first one goes while the cursor stands on the second: the cursor stays on its item.
    stage.world.command(Command::DeclineProposal { proposal: waiting[0] });
    stage.event(&Event::Tick);
    assert_eq!(stage.state.row(Pane::Signals), 0, "the cursor has moved up with its item");
    stage.keys("d");
    let left: Vec<_> = stage.world.engine().book().proposals().keys().copied().collect();
    assert_eq!(left, waiting[2..], "the second was declined");
    // What is gone is not replaced by what slid into its row.
    stage.event(&Event::Tick);
    stage.keys("k");
    stage.world.command(Command::DeclineProposal { proposal: waiting[2] });
    let before = stage.world.engine().book().proposals().len();
    stage.keys("d");
    stage.event(&Event::Tick);
    assert_eq!(stage.world.engine().book().proposals().len(), before, "{}", stage.text());
    assert!(stage.text().contains("is gone"), "{}", stage.text());
}

#[test]
fn another_revision_than_the_one_looked_at_is_not_sent() {
    let mut world = lived();
    let proposal = world.engine().book().proposals().values().next().cloned().unwrap();
    let orders = world.engine().book().next_order();
    let seen = Seen { price: Some(proposal.reference), quantity: proposal.request.quantity };
    world.ask(1, Command::ConfirmProposal { proposal: proposal.id, revision: proposal.revision + 1, seen });
    assert_eq!(world.engine().book().next_order(), orders);
    let frame = world.frame(&SnapshotRequest::default());
    let refusal = frame.answers.back().and_then(|answer| answer.refusal.clone()).unwrap();
    assert!(refusal.contains("computed anew"), "{refusal}");
    world.ask(2, Command::ConfirmProposal { proposal: proposal.id, revision: proposal.revision, seen });
    assert!(world.engine().book().next_order() > orders);
}

#[test]
fn a_proposal_goes_once_its_signal_would_be_refused() {
    let mut world = lived();
    let proposal = world.engine().book().proposals().values().rfind(|made| made.request.opens_exposure()).cloned().unwrap();
    let request = proposal.request;
    // A position of the same kind is what the portfolio layer refuses.
    let ticket = Ticket {
        instrument: request.instrument,
        side: request.side,
        quantity: request.quantity,
        kind: request.kind,
        time_in_force: request.time_in_force,
        protection: request.protection,
    };
    let seen = Seen { price: Some(proposal.reference), quantity: request.quantity };
    world.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen });
    let now = world.engine().market().now();
    world.play_until(now.plus(Duration::seconds(4 * 86_400)));
    assert!(!world.engine().book().proposals().contains_key(&proposal.id));
    let snapshot = world.engine().snapshot(&SnapshotRequest::default());
    let about =
        |line: &str| line.contains(&format!("proposal {} ", proposal.id)) && line.contains("would be refused by now (portfolio");
    assert!(
        snapshot.activity.iter().any(|line| about(&line.text)),
        "{:?}",
        snapshot.activity.iter().map(|line| &line.text).collect::<Vec<_>>()
    );
}

#[test]
fn a_frozen_screen_still_shows_what_is_sent() {
    let mut stage = Stage::new(lived(), (160, 48), Palette::GreenRed);
    stage.keys("f");
    stage.event(&Event::Tick);
    assert!(stage.text().contains("FROZEN"), "{}", stage.text());
    let before = stage.text().matches("working").count();
    stage.keys("jb2");
    stage.press(KeyCode::Enter);
    stage.world.wait(Duration::seconds(1));
    stage.keys("y");
    stage.event(&Event::Tick);
    assert_eq!(stage.text().matches("working").count(), before + 1, "{}", stage.text());
}

#[test]
fn past_the_end_of_the_tape_nothing_is_sent_and_the_kill_switch_ends() {
    let mut world = world::lived_until("2020-02-20T20:45:00Z");
    world.command(Command::ArmPaper);
    while world.play_one() {}
    let mut stage = Stage::new(world, (120, 40), Palette::GreenRed);
    stage.keys("jb2");
    stage.press(KeyCode::Enter);
    stage.world.wait(Duration::seconds(1));
    assert!(stage.text().contains("cannot be sent — MARKET"), "{}", stage.text());
    stage.press(KeyCode::Esc);
    stage.press(KeyCode::Esc);
    stage.world.command(Command::Kill { why: "test".to_owned() });
    stage.world.command(Command::Flatten);
    assert_eq!(stage.world.engine().book().kill(), KillPhase::Finished);
    stage.world.command(Command::RequestRearm);
    stage.world.command(Command::ConfirmRearm);
    assert_eq!(stage.world.engine().book().state(), TradingState::Active);
}

#[test]
fn flattening_ends_with_the_tape() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    stage.keys("jb2");
    stage.press(KeyCode::Enter);
    stage.world.wait(Duration::seconds(1));
    stage.keys("y");
    let mut world = stage.world;
    world.play_until(world.engine().market().now().plus(Duration::seconds(86_400 * 4)));
    world.command(Command::Kill { why: "test".to_owned() });
    while world.play_one() {}
    let held = world.engine().book().ledger().positions().len();
    world.command(Command::Flatten);
    let book = world.engine().book();
    assert!(held > 0 && book.ledger().positions().len() == held);
    assert_eq!(book.kill(), KillPhase::Finished, "what cannot be closed does not keep the switch waiting");
    assert!(book.alerts().back().is_some_and(|alert| alert.text.contains("cannot be closed here")));
    assert!(world.engine().market().now() > MarketTime(0));
}
