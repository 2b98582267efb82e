//! What an order would do to the gauges, against what it did.

use pmax::domain::{MarketTime, OrderKind, OrderRequest, OrderSide, Origin, Protection, Quantity, TimeInForce};
use pmax::engine::{Command, OrderPreview, PreviewSubject, Seen, SnapshotRequest, Ticket};
use pmax::risk::{Acknowledged, Gauge, GaugeKind, Metric};
use pmax::runtime::{self, Headless};

use crate::world;

/// A stock of 77 dollars.
fn ticket(shares: i64, side: OrderSide) -> Ticket {
    let instrument = runtime::instruments().unwrap().by_symbol("AAPL").unwrap().id;
    Ticket {
        instrument,
        side,
        quantity: Quantity::from_nanos(shares * 1_000_000_000),
        kind: OrderKind::Market,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection::default(),
    }
}

fn preview(world: &Headless, ticket: Ticket) -> OrderPreview {
    let Ticket { instrument, side, quantity, kind, time_in_force, protection } = ticket;
    let request =
        OrderRequest { instrument, side, quantity, kind, time_in_force, protection, closes: None, origin: Origin::Ticket };
    let request = SnapshotRequest { preview: Some(PreviewSubject::Request(request)), holds: true, ..SnapshotRequest::default() };
    world.engine().snapshot(&request).preview.unwrap()
}

fn close_preview(world: &Headless, quantity: Quantity) -> OrderPreview {
    let held = world.engine().book().ledger().positions().values().next().unwrap();
    let request = OrderRequest {
        instrument: held.instrument,
        side: held.side.closing(),
        quantity,
        kind: OrderKind::Market,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection::default(),
        closes: Some(held.id),
        origin: Origin::Ticket,
    };
    let request = SnapshotRequest { preview: Some(PreviewSubject::Request(request)), holds: true, ..SnapshotRequest::default() };
    world.engine().snapshot(&request).preview.unwrap()
}

fn now(world: &Headless) -> Vec<Gauge> {
    world.engine().snapshot(&SnapshotRequest::default()).gauges
}

fn of(gauges: &[Gauge], kind: GaugeKind) -> f64 {
    let found = gauges.iter().find(|gauge| gauge.kind == kind).unwrap_or_else(|| panic!("no gauge {kind:?}"));
    found.value.unwrap_or_else(|| panic!("{kind:?} is n/a")).to_f64()
}

fn shares(count: i64) -> Quantity {
    Quantity::from_nanos(count * 1_000_000_000)
}

/// Armed on 3 February 2020, with a year of history behind.
fn armed() -> Headless {
    let mut world = world::lived_until("2020-02-03T20:00:00Z");
    world.command(Command::ArmPaper);
    world
}

fn send(world: &mut Headless, ticket: Ticket) {
    let seen = Seen { price: None, quantity: ticket.quantity };
    world.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen });
    let before = world.engine().market().now();
    world.play_until(MarketTime(before.0 + 4 * 86_400_000_000_000));
}

#[test]
fn a_preview_says_what_the_order_then_does_to_the_gauges() {
    let mut world = armed();
    let before = now(&world);
    assert_eq!(of(&before, GaugeKind::Gross), 0.0);
    let said = preview(&world, ticket(60, OrderSide::Buy)).what_if.then;
    assert_eq!(said.len(), before.len(), "every gauge");
    for kind in [GaugeKind::Gross, GaugeKind::Largest, GaugeKind::Breaker(Metric::ValueAtRisk)] {
        assert!(of(&said, kind) > 0.001, "{kind:?}");
    }
    assert_eq!(of(&said, GaugeKind::Trades), 1.0);
    assert!(of(&said, GaugeKind::Breaker(Metric::Drawdown)) > of(&before, GaugeKind::Breaker(Metric::Drawdown)), "costs");
    let untouched = now(&world);
    assert_eq!(before, untouched, "looking changes nothing");
    send(&mut world, ticket(60, OrderSide::Buy));
    let after = now(&world);
    // Prices have moved by a few percent since, and so has what depends on them.
    for kind in [
        GaugeKind::Gross,
        GaugeKind::Largest,
        GaugeKind::Breaker(Metric::ValueAtRisk),
        GaugeKind::Breaker(Metric::ExpectedShortfall),
    ] {
        let (said, is) = (of(&said, kind), of(&after, kind));
        assert!((said / is - 1.0).abs() < 0.06, "{kind:?}: {said} was said, {is} came");
    }
}

#[test]
fn closing_takes_away_what_opening_brought() {
    let mut world = armed();
    send(&mut world, ticket(60, OrderSide::Buy));
    let held = now(&world);
    let half = close_preview(&world, shares(30)).what_if.then;
    let gross = |gauges: &[Gauge]| of(gauges, GaugeKind::Gross);
    assert!((gross(&half) / gross(&held) - 0.5).abs() < 0.001, "{} of {}", gross(&half), gross(&held));
    let tail = GaugeKind::Breaker(Metric::ValueAtRisk);
    assert!((of(&half, tail) / of(&held, tail) - 0.5).abs() < 0.02);
    let whole = close_preview(&world, shares(60)).what_if.then;
    assert!(gross(&whole).abs() < 1e-9 && of(&whole, tail) == 0.0);
    assert_eq!(of(&whole, GaugeKind::Largest), 0.0);
    assert_eq!(of(&whole, GaugeKind::Trades), of(&held, GaugeKind::Trades), "closing is no opening order");
}

#[test]
fn an_order_that_would_trip_a_breaker_shows_it() {
    let mut world = armed();
    send(&mut world, ticket(60, OrderSide::Buy));
    let said = preview(&world, ticket(9_000, OrderSide::Buy)).what_if.then;
    let shortfall = said.iter().find(|gauge| gauge.kind == GaugeKind::Breaker(Metric::ExpectedShortfall)).unwrap();
    assert!(shortfall.used().unwrap() > 1.0, "{shortfall:?}");
    let exits = {
        let position = *world.engine().book().ledger().positions().keys().next().unwrap();
        let request = SnapshotRequest {
            preview: Some(PreviewSubject::Exits { position, protection: Protection::default() }),
            holds: true,
            ..SnapshotRequest::default()
        };
        world.engine().snapshot(&request).preview.unwrap()
    };
    assert!(exits.what_if.then.is_empty(), "new exits trade nothing");
    let short = preview(&world, ticket(20, OrderSide::Sell)).what_if.then;
    let held = of(&now(&world), GaugeKind::Gross);
    assert!((of(&short, GaugeKind::Gross) / held - 4.0 / 3.0).abs() < 0.01, "a short adds to the gross");
}
