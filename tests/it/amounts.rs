//! Large amounts on every pane and at every width: a number is whole or not there.

use std::collections::BTreeSet;

use crossterm::event::KeyCode;
use pmax::domain::{Currency, MarketTime, Money, OrderKind, OrderSide, Price, Protection, TimeInForce};
use pmax::engine::{Command, Seen, Ticket};
use pmax::risk::Acknowledged;
use pmax::runtime::{Headless, Palette};

use crate::stage::Stage;
use crate::world;

/// An account of nearly a billion with positions of millions, one of them without a stop.
fn rich() -> Headless {
    let (tape, mut setup) = world::setup("crash-2020");
    setup.settings.limits.max_order_value = None;
    let at = |text: &str| MarketTime::parse(text).unwrap();
    let capital = Money::whole(987_654_321, Currency::USD).unwrap();
    let mut world = Headless::new(&tape, &setup, 1, capital, at("2020-02-01T00:00:00Z"));
    world.play_until(at("2020-02-20T20:45:00Z"));
    world.command(Command::ArmPaper);
    for (symbol, quantity, stop) in
        [("AAPL", "1111111", Some("50")), ("AMZN", "23456.789", None), ("MSFT", "100000", Some("99.5"))]
    {
        let instrument = world.engine().instruments().by_symbol(symbol).unwrap().id;
        let quantity = quantity.parse().unwrap();
        let protection = Protection { stop_loss: stop.map(|stop| stop.parse::<Price>().unwrap()), take_profit: None };
        let (side, kind, time_in_force) = (OrderSide::Buy, OrderKind::Market, TimeInForce::GoodTillCancelled);
        let ticket = Ticket { instrument, side, quantity, kind, time_in_force, protection };
        let seen = Seen { price: None, quantity };
        world.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen });
    }
    world.play_until(at("2020-02-28T21:30:00Z"));
    assert_eq!(world.engine().book().ledger().positions().len(), 3);
    world
}

/// Everything on a screen that reads as an amount, a price or a share.
fn numbers(text: &str) -> BTreeSet<String> {
    let parts = text.split(|letter: char| !(letter.is_ascii_digit() || ".,:+-%".contains(letter)));
    let is_number = |part: &&str| part.contains([',', '.']) && part.chars().filter(char::is_ascii_digit).count() > 2;
    parts.filter(is_number).map(str::to_owned).collect()
}

/// Views by the keys that open them.
const VIEWS: [&str; 8] = ["1", "2", "3", "4", "5", "6", "e", "l"];

#[test]
fn at_no_width_is_a_part_of_a_number_shown() {
    let mut stage = Stage::new(rich(), (400, 100), Palette::GreenRed);
    let mut whole = BTreeSet::new();
    for keys in VIEWS {
        stage.keys(keys);
        for is_zoomed in [false, true] {
            stage.state.is_zoomed = is_zoomed;
            whole.extend(numbers(&stage.text()));
        }
    }
    let widths = (40..=210).step_by(if cfg!(debug_assertions) { 3 } else { 1 });
    for (width, height) in widths.flat_map(|width| [24, 31, 46].map(|height| (width, height))) {
        stage.size = (width, height);
        for keys in VIEWS {
            stage.keys(keys);
            for is_zoomed in [false, true] {
                stage.state.is_zoomed = is_zoomed;
                let text = stage.text();
                assert!(!text.contains("##"), "{width}x{height} {keys}\n{text}");
                for number in numbers(&text).difference(&whole) {
                    let begins = whole.iter().find(|known| known.starts_with(number.as_str()));
                    assert!(begins.is_none(), "{width}x{height} {keys}: {number} is a part of {begins:?}\n{text}");
                }
            }
        }
    }
}

#[test]
fn large_amounts_at_the_usual_sizes() {
    for size in [(100, 30), (160, 45)] {
        let mut stage = Stage::new(rich(), size, Palette::GreenRed);
        stage.keys("4");
        insta::assert_snapshot!(format!("amounts_{}x{}", size.0, size.1), stage.shot());
    }
    let mut stage = Stage::new(rich(), (80, 24), Palette::GreenRed);
    stage.keys("e");
    insta::assert_snapshot!("amounts_equity_80x24", stage.shot());
}

#[test]
fn what_protects_a_position_shows_wherever_positions_do() {
    let world = rich();
    let mut stage = Stage::new(world, (80, 24), Palette::GreenRed);
    stage.keys("4");
    for size in [(80, 24), (99, 60), (100, 30), (120, 40), (159, 44), (160, 45), (200, 60)] {
        stage.size = size;
        let text = stage.text();
        assert!(text.contains("NO STOP") && text.contains("50.00"), "{size:?}\n{text}");
        stage.press(KeyCode::Null);
    }
}
