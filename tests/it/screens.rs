//! Whole screens as text and as roles, at the sizes people have; and no size or state that panics.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pmax::domain::{Currency, Duration, Money, TradingState, WallTime};
use pmax::engine::Command;
use pmax::runtime::{AccountMoney, Allocated, LinkView, Palette, Scored, SocketView};
use pmax::ui::{self, ActionId, Effect, Event, Overlay, Scene};
use proptest::prelude::*;
use ratatui::buffer::Buffer;

use crate::stage::{Stage, lived};
use crate::world;

#[test]
fn whole_screens() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        let stage = Stage::new(lived(), size, Palette::GreenRed);
        insta::assert_snapshot!(format!("panes_{}x{}", size.0, size.1), stage.shot());
    }
    let stage = Stage::new(lived(), (120, 40), Palette::Mono);
    insta::assert_snapshot!("panes_120x40_mono", stage.shot());
    let stage = Stage::new(lived(), (60, 16), Palette::GreenRed);
    insta::assert_snapshot!("tiny_60x16", stage.shot());
}

#[test]
fn the_risk_pane_shows_every_gauge_and_what_has_tripped() {
    let mut stage = Stage::new(lived(), (80, 24), Palette::GreenRed);
    stage.keys("5");
    insta::assert_snapshot!("risk_80x24", stage.shot());
    let (tape, mut setup) = world::setup("crash-2020");
    setup.settings.limits.daily_loss = pmax::domain::Ratio::from_nanos(100_000);
    setup.settings.limits.drawdown_warn = pmax::domain::Ratio::from_nanos(100_000);
    for (size, palette) in [((80, 24), Palette::GreenRed), ((120, 40), Palette::Mono)] {
        let world = crate::stage::lived_with(&tape, &setup);
        let mut stage = Stage::new(world, size, palette);
        stage.keys("5");
        insta::assert_snapshot!(format!("risk_tripped_{}x{}", size.0, size.1), stage.shot());
    }
}

#[test]
fn the_zoomed_risk_pane_explains_what_a_day_may_cost() {
    for size in [(80, 24), (160, 50)] {
        let mut stage = Stage::new(lived(), size, Palette::GreenRed);
        stage.keys("5z");
        insta::assert_snapshot!(format!("risk_zoomed_{}x{}", size.0, size.1), stage.shot());
    }
}

#[test]
fn the_status_line_tells_ages_alerts_and_the_clock() {
    for size in [(80, 24), (100, 30), (120, 40), (160, 45), (200, 60)] {
        let mut stage = Stage::new(lived(), size, Palette::GreenRed);
        stage.world.wait(Duration::seconds(12));
        let status = stage.text().lines().next().unwrap_or_default().to_owned();
        for part in ["PAPER", "ACTIVE", "53 alerts", "engine ok", "crash-2020"] {
            assert!(status.contains(part), "{size:?}: {part}: {status}");
        }
        assert!(size.0 < 100 || status.contains("heard 12s ago"), "{size:?}: {status}");
        assert!(size.0 < 120 || status.contains(":12 UTC"), "{size:?}: {status}");
        stage.world.command(Command::AcknowledgeAll);
        assert!(stage.text().contains("0 alerts"), "{}", stage.text());
    }
}

#[test]
fn the_smallest_screens_say_what_is_missing_and_still_halt() {
    for size in [(79, 23), (60, 16), (40, 12), (39, 9), (24, 8)] {
        let mut stage = Stage::new(lived(), size, Palette::GreenRed);
        let text = stage.text();
        assert!(text.contains("F12 twice halts.") && text.contains("80x24"), "{size:?}\n{text}");
        assert!(!text.contains('…'), "{size:?}: a word is cut\n{text}");
        stage.press(KeyCode::F(12));
        assert!(stage.press(KeyCode::F(12)).contains(&Effect::Kill));
        assert!(stage.text().contains("HALTED"), "{size:?}\n{}", stage.text());
    }
}

#[test]
fn overlays_and_views() {
    for (name, keys) in [("help", "?"), ("equity", "e"), ("log", "l"), ("ticket", "jb12"), ("signals", "3jj"), ("positions", "4")]
    {
        let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
        stage.keys(keys);
        insta::assert_snapshot!(format!("{name}_120x40"), stage.shot());
    }
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    stage.keys("j");
    stage.press(KeyCode::Enter);
    insta::assert_snapshot!("chart_120x40", stage.shot());
    let mut stage = Stage::new(lived(), (120, 40), Palette::Mono);
    stage.keys("jb2");
    stage.press(KeyCode::Enter);
    stage.world.wait(Duration::seconds(1));
    insta::assert_snapshot!("preview_120x40_mono", stage.shot());
    let mut stage = Stage::new(lived(), (120, 50), Palette::GreenRed);
    stage.keys("n");
    stage.world.wait(Duration::seconds(1));
    insta::assert_snapshot!("preview_of_a_proposal_120x50", stage.shot());
}

#[test]
fn a_target_allocation_beside_the_book() {
    for (size, name) in [((120, 40), "target_120x40"), ((80, 24), "target_80x24")] {
        let mut stage = Stage::new(lived(), size, Palette::GreenRed);
        let records = stage.world.records();
        stage.press(KeyCode::Char('T'));
        stage.world.wait(Duration::seconds(12));
        insta::assert_snapshot!(name, stage.shot());
        assert_eq!(stage.world.records(), records, "looking at it decides nothing");
        assert_eq!(stage.text().contains("more: Down, PageDown"), size.1 == 24);
        for _ in 0..5 {
            stage.press(KeyCode::PageDown);
        }
        assert!(stage.text().contains("│ cash ") && !stage.text().contains("more: Down"), "{}", stage.text());
        stage.press(KeyCode::Char('T'));
        assert!(stage.text().contains("1 Quotes"), "{}", stage.text());
    }
    // A reason stands where there is no allocation, and none is shown beside it.
    let mut stage = Stage::new(lived(), (80, 24), Palette::GreenRed);
    stage.press(KeyCode::Char('T'));
    let latest = stage.state.target.latest.clone().unwrap();
    let without = Allocated { answer: Err("2 daily returns are too few".to_owned()), ..(*latest).clone() };
    stage.event(&Event::Allocated(Arc::new(without)));
    let text = stage.text();
    assert!(text.contains("There is no allocation: 2 daily returns are too few.") && !text.contains("of equity"), "{text}");
    stage.state.target.latest = None;
    assert!(stage.text().contains("Being computed; the screen goes on meanwhile."), "{}", stage.text());
}

#[test]
fn scorecards_by_every_key() {
    for (size, name) in [((120, 40), "scores_120x40"), ((80, 24), "scores_80x24")] {
        let mut stage = Stage::new(lived(), size, Palette::GreenRed);
        let records = stage.world.records();
        stage.press(KeyCode::Char('S'));
        stage.world.wait(Duration::seconds(12));
        insta::assert_snapshot!(name, stage.shot());
        for by in ["instrument", "regime", "horizon", "verdict", "layer", "start", "source"] {
            stage.press(KeyCode::Char('g'));
            assert!(stage.text().contains(&format!("Scorecards by {by}")), "{}", stage.text());
            let cards = stage.state.scores.latest.as_ref().unwrap().cards(stage.state.scores.by).to_vec();
            let ended = cards.iter().skip(1).map(|(_, card)| card.right.of).sum::<usize>();
            assert_eq!(ended, cards[0].1.right.of, "every ended signal is on one card by {by}");
        }
        assert_eq!(stage.world.records(), records, "looking at it decides nothing");
        stage.press(KeyCode::Char('S'));
        assert!(stage.text().contains("1 Quotes"), "{}", stage.text());
    }
    let mut stage = Stage::new(lived(), (80, 24), Palette::GreenRed);
    stage.press(KeyCode::Char('S'));
    let latest = stage.state.scores.latest.clone().unwrap();
    stage.event(&Event::Scored(Arc::new(Scored { answer: Err("disk I/O error".to_owned()), ..(*latest).clone() })));
    assert!(stage.text().contains("The ledger could not be read: disk I/O error."), "{}", stage.text());
    stage.state.scores.latest = None;
    assert!(stage.text().contains("Being read from the ledger"), "{}", stage.text());
}

/// A link as it stands on a good day.
fn good_link(stage: &Stage) -> LinkView {
    let ago = |seconds: i64| Some(WallTime(stage.now().0 - seconds * 1_000_000_000));
    let dollars = |whole| Money::whole(whole, Currency::USD).unwrap();
    LinkView {
        is_ready: true,
        words: "ready".to_owned(),
        host: "ws.xapi.pro".to_owned(),
        account: "20001".to_owned(),
        main: SocketView::LoggedIn,
        stream: SocketView::Open,
        stream_heard: ago(1),
        latency: Some(Duration::millis(38)),
        slowest: Some(Duration::millis(211)),
        currency: Some("USD".to_owned()),
        money: Some(AccountMoney { balance: dollars(100_250), equity: dollars(99_800), margin: dollars(1_340) }),
        waiting: 0,
        rate: (7, 40),
        compared: ago(4),
        connections: 1,
        ..LinkView::default()
    }
}

#[test]
fn the_broker_in_good_days_and_bad() {
    for (size, name) in [((120, 40), "broker_120x40"), ((80, 24), "broker_80x24")] {
        let mut stage = Stage::new(lived(), size, Palette::GreenRed);
        stage.link = Some(good_link(&stage));
        stage.press(KeyCode::Char('B'));
        insta::assert_snapshot!(name, stage.shot());
    }
    let mut stage = Stage::new(lived(), (120, 40), Palette::Mono);
    stage.link = Some(LinkView {
        is_ready: false,
        needs_person: true,
        words: "login refused (BE005): account number or password is wrong; a wrong pair is blocked for ten minutes".to_owned(),
        main: SocketView::Closed,
        stream: SocketView::Closed,
        stream_heard: None,
        unread: Some("two lists of what is open do not agree".to_owned()),
        mismatched: vec!["GOLD: units in a lot 1000 there, 100 here".to_owned()],
        strangers: vec!["position 700112 · BUY 0.1 lots DE40".to_owned()],
        rate: (39, 40),
        ..good_link(&stage)
    });
    stage.press(KeyCode::Char('B'));
    insta::assert_snapshot!("broker_refused_120x40_mono", stage.shot());
    let effects = {
        stage.keys(":reconnect");
        stage.press(KeyCode::Enter)
    };
    assert!(effects.contains(&Effect::Reconnect), "{effects:?}");
}

#[test]
fn label_and_effect_of_the_preview_go_together() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    stage.keys("jb2");
    stage.press(KeyCode::Enter);
    stage.world.wait(Duration::seconds(1));
    assert!(stage.text().contains("y SENDS the order"), "{}", stage.text());
    for code in [KeyCode::Enter, KeyCode::Char(' '), KeyCode::Char('b'), KeyCode::Tab] {
        let effects = stage.press(code);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Ask(..))), "{code:?} must not send");
    }
    stage.event(&Event::Paste("y".to_owned()));
    let before = stage.world.engine().book().orders().open().len();
    let effects = stage.press(KeyCode::Char('y'));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Ask(_, Command::PlaceOrder { .. }))));
    assert_eq!(stage.world.engine().book().orders().open().len(), before + 1);
}

#[test]
fn a_dialog_hears_nothing_in_its_first_moment_and_sends_once() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    stage.keys("jb2");
    stage.press(KeyCode::Enter);
    let key = Event::Key(KeyEvent::new(KeyCode::Char('y'), KeyModifiers::NONE));
    assert!(!stage.event(&key).iter().any(|effect| matches!(effect, Effect::Ask(..))), "type-ahead must not send");
    stage.world.wait(Duration::seconds(1));
    let frame = Arc::new(stage.world.frame(&stage.show()));
    let scene = Scene { frame: &frame, context: &stage.context, now: stage.now(), size: stage.size };
    let first = ui::update(&mut stage.state, &key, scene);
    let second = ui::update(&mut stage.state, &key, scene);
    let sends = |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::Ask(..))).count();
    assert_eq!((sends(&first), sends(&second)), (1, 0), "a second key while sending must not send again");
}

#[test]
fn a_precaution_asks_for_the_symbol() {
    let mut stage = Stage::new(lived(), (120, 40), Palette::GreenRed);
    stage.keys(":amzn");
    stage.press(KeyCode::Enter);
    stage.keys("b3");
    stage.press(KeyCode::Enter);
    stage.world.wait(Duration::seconds(1));
    assert!(stage.text().contains("type AMZN"), "{}", stage.text());
    assert!(!stage.press(KeyCode::Char('y')).iter().any(|effect| matches!(effect, Effect::Ask(..))));
    stage.press(KeyCode::Backspace);
    stage.keys("amzn");
    let effects = stage.press(KeyCode::Char('y'));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Ask(_, Command::PlaceOrder { .. }))), "{}", stage.text());
}

#[test]
fn hostile_words_stay_words() {
    let mut world = lived();
    let comment = pmax::signals::Commentary {
        instrument: pmax::domain::InstrumentId(2),
        at: world.engine().market().now(),
        author: "rules".to_owned(),
        text: pmax::domain::CleanText::from_outside("\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil\u{200b} y SENDS the order"),
    };
    world.input(pmax::engine::InputBody::Commentary(comment));
    let stage = Stage::new(world, (120, 40), Palette::GreenRed);
    assert!(
        stage
            .buffer()
            .content()
            .iter()
            .all(|cell| !cell.symbol().chars().any(|letter| letter.is_control() || letter == '\u{202e}'))
    );
}

#[test]
fn narrowing_never_cuts_a_number() {
    for width in (80..=200).step_by(3) {
        let mut stage = Stage::new(world::lived_until("2020-02-20T20:45:00Z"), (width, 30), Palette::GreenRed);
        stage.state.is_zoomed = true;
        let text = stage.text();
        assert!(!text.contains("##"), "{width}: a number did not fit\n{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_size_and_no_keys_panic_and_kill_is_always_two_keys_away(
        width in 1_u16..260, height in 1_u16..90,
        keys in proptest::collection::vec(0_usize..40, 0..40),
    ) {
        let mut stage = Stage::new(world::lived_until("2020-02-20T20:45:00Z"), (width, height), Palette::GreenRed);
        let codes: Vec<KeyCode> = "123456ejkbsxmdnzogtflaJRFCA?:/ 0.2y".chars().map(KeyCode::Char)
            .chain([KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::Backspace, KeyCode::F(2)]).collect();
        for key in keys {
            stage.press(codes[key % codes.len()]);
            let _: Buffer = stage.buffer();
        }
        // What was pressed before may have armed it already, by its name in the palette: then the first key fires.
        let mut effects = stage.press(KeyCode::F(12));
        let _: Buffer = stage.buffer();
        effects.extend(stage.press(KeyCode::F(12)));
        prop_assert!(effects.contains(&Effect::Kill));
        prop_assert_eq!(stage.world.engine().book().state(), TradingState::Halted);
        for _ in 0..12 {
            stage.press(KeyCode::Esc);
        }
        prop_assert!(stage.state.overlays.is_empty());
    }
}

#[test]
fn every_action_can_be_performed_from_the_palette() {
    for info in ui::ACTIONS {
        let mut stage = Stage::new(world::lived_until("2020-02-20T20:45:00Z"), (160, 50), Palette::GreenRed);
        stage.press(KeyCode::F(2));
        stage.keys(info.name);
        stage.press(KeyCode::Enter);
        let is_palette = matches!(stage.state.overlays.last(), Some(Overlay::Palette { .. }));
        assert!(!is_palette || info.id == ActionId::Palette, "{} does nothing from the palette", info.name);
    }
}
