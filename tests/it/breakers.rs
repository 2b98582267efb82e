//! Breakers: every metric trips at its limit and not before, every action does what it says and opens nothing, and each lets go as told.

use jiff::civil::date;
use pmax::domain::{
    Actor, InstrumentId, MarketTime, Missed, Mode, OrderSide, Origin, ProtectiveReason, Quantity, Ratio, SignalSource,
    TradingState,
};
use pmax::engine::{
    Command, EngineSettings, InputBody, OrderRecord, ProposalRecord, Record, RunInput, SnapshotRequest, TradingRecord, WasClean,
};
use pmax::risk::{Action, GaugeKind, Hold, Limit, Metric, Rule, Rules, Scope, Subject, Trip};
use pmax::runtime::Headless;
use proptest::prelude::*;

use crate::properties::{Action as Act, Answers, Happened, World, actions};
use crate::support::run;
use crate::world;

/// What the tests hold: two positions with stops far away.
const HELD: [u32; 2] = [2, 3];

fn ratio(nanos: i64) -> Limit {
    Limit::Number(Ratio::from_nanos(nanos))
}

pub fn row(metric: Metric, action: &str, limit: Limit, scope: Scope, unlock: &str) -> Rule {
    Rule {
        name: "tested".to_owned().try_into().unwrap(),
        metric,
        // Calls come slowly: only a long window holds thirty of them.
        window: metric.window().map(|(least, most, _)| if metric == Metric::CallsRight { most } else { least }),
        limit,
        scope,
        action: action.to_owned().try_into().unwrap(),
        unlock: unlock.to_owned().try_into().unwrap(),
        owner: "the tests".to_owned(),
        reason: "to see it act".to_owned(),
        reviewed_on: date(2026, 11, 27),
    }
}

fn only(rule: Rule) -> impl FnOnce(&mut EngineSettings) {
    move |settings| {
        settings.breakers = Rules::new(vec![rule]);
        settings.strategies.reversal_threshold = Ratio::from_nanos(300_000_000);
        settings.strategies.reversal_bars = 2;
    }
}

/// Moves that look like a market, the same in every run.
fn moves(bar: i64) -> [i64; 3] {
    [0, 1, 2].map(|series| (bar * 37 + series * 53) % 17 - 8)
}

/// A world with a breaker, in which a person has lived for long enough and holds two positions with stops.
fn held(rule: Rule) -> World {
    live(World::with(only(rule)))
}

fn live(mut world: World) -> World {
    for bar in 0..100 {
        world.bar(moves(bar), 1_000_000);
    }
    world.command(Command::ArmPaper);
    for id in HELD {
        world.order(id, OrderSide::Buy, 40_001, 0, Some(20), None);
    }
    world.bar([0, 0, 0], 1_000_000);
    assert_eq!(world.engine.book().ledger().positions().len(), HELD.len());
    world
}

/// Moves that everything makes together, nearly.
fn together(bar: i64) -> [i64; 3] {
    let [step, ..] = moves(bar);
    [3 * step, 3 * step + bar % 3, 3 * step - bar % 2]
}

/// A live feed could not tell so many minutes of instrument 2.
fn lose_minutes(world: &mut World, minutes: i64) {
    let (from, until) = (MarketTime(world.at - minutes * 60_000_000_000), MarketTime(world.at));
    let missed = vec![Missed { instrument: InstrumentId(2), from, until }];
    world.input(InputBody::Feed { silent: Vec::new(), heard: Vec::new(), missed });
}

/// Whatever moves a metric away from where it is safe.
pub fn provoke(world: &mut World, metric: Metric) {
    match metric {
        Metric::Drawdown | Metric::DailyLoss | Metric::WeeklyLoss => world.bar([-60, -60, 0], 1_000_000),
        Metric::AccountVolatility => (0..25).for_each(|bar| world.bar([30 - 60 * (bar % 2), 0, 0], 1_000_000)),
        Metric::VolatilitySpike => (0..11).for_each(|bar| world.bar([70 - 140 * (bar % 2), 0, 0], 1_000_000)),
        Metric::CallsRight => {
            for bar in 0..140 {
                if trips(world).is_empty() {
                    world.bar(moves(bar * 3), 1_000_000);
                }
            }
        }
        Metric::ModelDecay => (0..140).for_each(|bar| world.bar(moves(bar * 3), 1_000_000)),
        Metric::LosingStreak => {
            world.order(10, OrderSide::Buy, 1_000, 0, None, None);
            world.bar([0, 0, 0], 1_000_000);
            let positions = world.engine.book().ledger().positions();
            let position = *positions.iter().find(|(_, held)| held.instrument == InstrumentId(10)).unwrap().0;
            world.command(Command::ClosePosition { position, quantity: None });
            world.bar([0, 0, 0], 1_000_000);
        }
        Metric::RejectStreak | Metric::UnknownOrders => {
            world.answers = if metric == Metric::RejectStreak { Answers::Rejects } else { Answers::Loses };
            world.order(10, OrderSide::Buy, 1_000, 0, None, None);
            world.answers = Answers::Takes;
        }
        Metric::Slippage => {
            for _ in 0..3 {
                for (side, gap) in [(OrderSide::Buy, 40), (OrderSide::Sell, -40)] {
                    world.order(2, side, 1_000, 0, None, None);
                    world.bar([gap, 0, 0], 1_000_000);
                    let positions = world.engine.book().ledger().positions();
                    let position = positions.keys().next_back().copied().filter(|_| positions.len() > HELD.len());
                    if let Some(position) = position {
                        world.command(Command::ClosePosition { position, quantity: None });
                    }
                    world.bar([-gap, 0, 0], 1_000_000);
                }
            }
        }
        Metric::Latency => {
            world.slow = 2_000_000_000;
            for size in 1..7 {
                world.order(2, OrderSide::Buy, 100 * size, 1, None, None);
            }
            world.slow = 0;
        }
        // Of the fall the estimates know from the next turn of the day on.
        Metric::ValueAtRisk | Metric::ExpectedShortfall => {
            world.bar([-60, -60, 0], 1_000_000);
            world.bar([0, 0, 0], 1_000_000);
        }
        Metric::CorrelationBreakdown => (0..25).for_each(|bar| world.bar(together(bar), 1_000_000)),
        Metric::DataQuality => lose_minutes(world, 10),
        Metric::StaleData => {
            world.input(InputBody::Feed { silent: vec![InstrumentId(2)], heard: Vec::new(), missed: Vec::new() })
        }
    }
}

/// A limit that the provocation reaches, and one that it does not.
fn limits(metric: Metric) -> (Limit, Limit) {
    match metric {
        Metric::Drawdown | Metric::DailyLoss | Metric::WeeklyLoss => (ratio(1_000_000), ratio(100_000_000)),
        Metric::AccountVolatility => (ratio(1_000_000), ratio(900_000_000)),
        Metric::Slippage => (ratio(5_000_000), ratio(500_000_000)),
        Metric::Latency => (ratio(1_000_000_000), ratio(5_000_000_000)),
        Metric::ValueAtRisk | Metric::ExpectedShortfall => (ratio(1_000_000), ratio(100_000_000)),
        Metric::CorrelationBreakdown => (ratio(6_000_000_000), ratio(1_000_000_000_000)),
        Metric::DataQuality => (ratio(950_000_000), ratio(500_000_000)),
        Metric::VolatilitySpike => (ratio(4_000_000_000), ratio(1_000_000_000_000)),
        Metric::ModelDecay | Metric::CallsRight => (ratio(950_000_000), ratio(1_000_000)),
        Metric::LosingStreak | Metric::RejectStreak | Metric::UnknownOrders | Metric::StaleData => {
            (ratio(1_000_000_000), ratio(2_000_000_000))
        }
    }
}

fn trips(world: &World) -> Vec<Trip> {
    let trip = |happened: &Happened| match happened {
        Happened::Record(Record::Trading(TradingRecord::BreakerTripped(trip))) => Some(trip.clone()),
        Happened::Event(_) | Happened::Record(_) => None,
    };
    world.story.iter().filter_map(trip).collect()
}

fn quantities(world: &World) -> Vec<(u32, Quantity)> {
    let positions = world.engine.book().ledger().positions();
    positions.values().map(|position| (position.instrument.0, position.quantity)).collect()
}

/// Everything that the engine wants by itself closes, and is no larger than what it closes.
fn check_it_only_reduces(world: &World) {
    for happened in &world.story {
        if let Happened::Record(Record::Order(OrderRecord::Confirmed { order, who: Actor::Engine, .. })) = happened {
            let is_own =
                matches!(order.request.origin, Origin::Protective(ProtectiveReason::Breaker | ProtectiveReason::KillSwitch));
            assert!(is_own && order.request.closes.is_some() && !order.request.opens_exposure(), "{order:?}");
        }
    }
}

pub fn tries_to_open(world: &mut World, instrument: u32) -> bool {
    let before = world.engine.book().next_order();
    world.order(instrument, OrderSide::Buy, 500, 0, None, None);
    world.engine.book().next_order() != before
}

const ACTIONS: [&str; 6] = ["warn", "block", "reducing", "reduce", "close", "halt"];

/// What must be true after a breaker of this scope has tripped on instrument 2.
fn check_action(world: &mut World, rule: &Rule, before: &[(u32, Quantity)]) {
    let what = format!("{:?} {:?} {:?}", rule.metric, rule.action, rule.scope);
    let is_meant = |id: u32| rule.scope == Scope::Account || id == 2;
    world.bar([0, 0, 0], 1_000_000);
    world.check_legs();
    let after = quantities(world);
    let left = |id: u32| after.iter().find(|(other, _)| *other == id).map_or(Quantity::ZERO, |(_, quantity)| *quantity);
    for (id, quantity) in before.iter().filter(|(id, _)| HELD.contains(id)) {
        let expected = match rule.action {
            // 40.001 shares in lots of a thousandth: the half is rounded up to 20.001.
            Action::Reduce(_) if is_meant(*id) => Quantity::from_nanos(quantity.nanos() - (quantity.nanos() / 2 + 500_000)),
            Action::Close if is_meant(*id) => Quantity::ZERO,
            _ => *quantity,
        };
        assert_eq!(left(*id), expected, "{what}: {id}");
    }
    let state = match (rule.action, rule.scope) {
        (Action::Halt, _) => TradingState::Halted,
        (Action::Reducing | Action::Reduce(_) | Action::Close, Scope::Account) => TradingState::Reducing,
        _ => TradingState::Active,
    };
    assert_eq!(world.engine.book().state(), state, "{what}");
    check_it_only_reduces(world);
}

#[test]
fn every_metric_trips_at_its_limit_and_does_what_its_row_says() {
    for metric in Metric::ALL {
        let (near, far) = limits(metric);
        for (action, scope) in ACTIONS.iter().flat_map(|action| metric.scopes().iter().map(move |scope| (*action, *scope))) {
            let rule = row(metric, action, near, scope, "day");
            if rule.contradiction().is_some() {
                continue;
            }
            let mut world = held(rule.clone());
            assert_eq!(trips(&world), [], "{metric:?} tripped before its time");
            let before = quantities(&world);
            provoke(&mut world, metric);
            let tripped = trips(&world);
            let trip = tripped.first().unwrap_or_else(|| panic!("{metric:?} {action} {scope:?} did not trip"));
            let Limit::Number(limit) = near else { panic!("a number") };
            assert!(metric.is_beyond(trip.value, limit), "{trip:?}");
            assert_eq!((trip.limit, trip.who, trip.why.as_str()), (limit, Actor::Engine, "to see it act"));
            assert!(trip.at.0 > 0 && trip.wall.0 > 0, "{trip:?}");
            // What goes on while these two are provoked closes and is closed again: only the first bar after the trip is told apart.
            let goes_on =
                matches!(metric, Metric::VolatilitySpike | Metric::AccountVolatility | Metric::ModelDecay | Metric::Slippage);
            if !goes_on && metric != Metric::CorrelationBreakdown {
                check_action(&mut world, &rule, &before);
            } else if let Action::Reduce(_) | Action::Close = rule.action {
                let left = quantities(&world).iter().find(|(id, _)| *id == 2).map_or(0, |(_, quantity)| quantity.nanos());
                assert!(left <= 20_000_000_000, "{metric:?} {action}: {left}");
            }
            check_it_only_reduces(&world);
            world.check_both_ways_back();

            let mut calm = held(row(metric, action, far, scope, "day"));
            provoke(&mut calm, metric);
            assert_eq!(trips(&calm), [], "{metric:?} tripped below its limit");
        }
    }
}

#[test]
fn the_limit_itself_trips_and_what_lies_a_billionth_beyond_does_not() {
    let mut world = held(row(Metric::Drawdown, "warn", ratio(1), Scope::Account, "day"));
    provoke(&mut world, Metric::Drawdown);
    let reached = world.engine.book().performance().max_drawdown().nanos();
    for (limit, expected) in [(reached, 1), (reached + 1, 0)] {
        let mut world = held(row(Metric::Drawdown, "warn", ratio(limit), Scope::Account, "day"));
        provoke(&mut world, Metric::Drawdown);
        assert_eq!(trips(&world).len(), expected, "{limit}");
    }
}

/// What the gauge of a metric shows now.
fn gauge(world: &World, metric: Metric) -> Option<Ratio> {
    let gauges = world.engine.snapshot(&SnapshotRequest::default()).gauges;
    gauges.iter().find(|gauge| gauge.kind == GaugeKind::Breaker(metric)).unwrap().value
}

#[test]
fn an_estimate_trips_at_its_very_value_and_not_a_billionth_below() {
    for metric in [Metric::ValueAtRisk, Metric::ExpectedShortfall] {
        let mut world = held(row(metric, "warn", ratio(1_000_000_000), Scope::Account, "day"));
        assert_eq!(gauge(&world, metric), None, "a hundred days are not there yet");
        provoke(&mut world, metric);
        let reached = gauge(&world, metric).unwrap().nanos();
        for (limit, expected) in [(reached, 1), (reached + 1, 0)] {
            let mut world = held(row(metric, "warn", ratio(limit), Scope::Account, "day"));
            provoke(&mut world, metric);
            assert_eq!(trips(&world).len(), expected, "{metric:?} {limit}");
        }
    }
}

#[test]
fn correlation_trips_at_its_very_value_and_not_a_billionth_below() {
    let until_25 = |limit| {
        let mut world = held(row(Metric::CorrelationBreakdown, "warn", ratio(limit), Scope::Account, "person"));
        let gauges: Vec<Ratio> = (0..25)
            .filter_map(|bar| {
                world.bar(together(bar), 1_000_000);
                gauge(&world, Metric::CorrelationBreakdown)
            })
            .collect();
        (gauges, trips(&world).len())
    };
    let (gauges, _) = until_25(i64::MAX);
    assert_eq!(gauges.len(), 25, "it is known from the first day on");
    let highest = gauges.into_iter().max().unwrap().nanos();
    assert_eq!((until_25(highest).1, until_25(highest + 1).1), (1, 0));
}

#[test]
fn data_that_is_missing_blocks_its_instrument_until_it_came_whole_again() {
    let rule = |limit| row(Metric::DataQuality, "block", ratio(limit), Scope::Instrument, "day");
    let mut world = held(rule(950_000_000));
    assert_eq!(gauge(&world, Metric::DataQuality), Some(Ratio::ONE));
    lose_minutes(&mut world, 3);
    assert_eq!(gauge(&world, Metric::DataQuality), Ratio::of(57, 60));
    assert!(tries_to_open(&mut world, 2), "0.95 itself is enough");
    lose_minutes(&mut world, 1);
    assert_eq!(trips(&world)[0].subject, Subject::Instrument(InstrumentId(2)));
    assert!(!tries_to_open(&mut world, 2) && tries_to_open(&mut world, 3), "only what lacks data is blocked");
    world.check_both_ways_back();
    for _ in 0..57 {
        world.bar([0, 0, 0], 1_000_000);
        assert!(!tries_to_open(&mut world, 2), "the holes are in the window");
    }
    for _ in 0..3 {
        world.bar([0, 0, 0], 1_000_000);
    }
    assert!(tries_to_open(&mut world, 2), "the window holds whole bars only");
    world.check_both_ways_back();
}

#[test]
fn a_table_that_does_not_watch_it_leaves_no_trace_in_the_state() {
    let state_of = |rules: Rules| {
        let mut world = live(World::with(|settings| settings.breakers = rules));
        (0..5).for_each(|bar| world.bar(moves(bar), 1_000_000));
        lose_minutes(&mut world, 1);
        serde_json::to_string(world.engine.book()).unwrap()
    };
    let watched = |rules: Rules| ["\"tail\":", "\"quality\":"].map(|part| state_of(rules.clone()).contains(part));
    assert_eq!(watched(Rules::before_the_table()), [false, false], "runs of before replay to their hashes");
    let rows = [Metric::ValueAtRisk, Metric::DataQuality].map(|metric| Rule {
        name: format!("row_{}", metric.label().len()).try_into().unwrap(),
        ..row(metric, "warn", limits(metric).1, metric.scopes()[0], "day")
    });
    assert_eq!(watched(Rules::new(rows.to_vec())), [true, true]);
}

#[test]
fn tapes_without_holes_are_whole() {
    for tape in ["crash-2020", "crash-2008", "btc-2021"] {
        let (tape, setup) = world::setup(tape);
        let mut life = Headless::with_usual_capital(&tape, &setup, tape.start().unwrap());
        life.play_until(tape.span().unwrap().1);
        let gauges = life.frame(&SnapshotRequest::default()).snapshot.gauges;
        let quality = gauges.iter().find(|gauge| gauge.kind == GaugeKind::Breaker(Metric::DataQuality)).unwrap();
        assert_eq!(quality.value, Some(Ratio::ONE), "{}", tape.meta.name);
    }
}

#[test]
fn what_a_day_may_cost_follows_the_book_and_lets_go_with_it() {
    let mut world = held(row(Metric::ExpectedShortfall, "block", ratio(1_000_000), Scope::Account, "day"));
    provoke(&mut world, Metric::ExpectedShortfall);
    // Bars open at the turn of the world's days and close six hours later.
    let hours = (trips(&world)[0].at.0 - 1_582_200_000_000_000_000) / 3_600_000_000_000 % 24;
    assert_eq!(hours, 0, "it trips when the day turns, not when its first bar closes");
    assert!(!tries_to_open(&mut world, 2), "beyond the limit nothing is opened");
    let before = gauge(&world, Metric::ExpectedShortfall).unwrap();
    let first = *world.engine.book().ledger().positions().keys().next().unwrap();
    world.command(Command::ClosePosition { position: first, quantity: None });
    world.bar([0, 0, 0], 1_000_000);
    let after = gauge(&world, Metric::ExpectedShortfall).unwrap();
    // Of two parts the larger is left, two thirds of the book; a day's fading of the volatility alone would leave more.
    let most = Ratio::from_nanos(before.nanos() / 4 * 3);
    assert!(after > Ratio::ZERO && after < most, "a part of the book costs less: {after:?} of {before:?}");
    assert!(!tries_to_open(&mut world, 2), "still beyond");
    let second = *world.engine.book().ledger().positions().keys().next().unwrap();
    world.command(Command::ClosePosition { position: second, quantity: None });
    world.bar([0, 0, 0], 1_000_000);
    assert_eq!(gauge(&world, Metric::ExpectedShortfall), Some(Ratio::ZERO), "nothing held costs nothing");
    world.bar([0, 0, 0], 1_000_000);
    assert!(tries_to_open(&mut world, 2), "the day has turned with the value back within");
    world.check_both_ways_back();
}

#[test]
fn each_day_is_held_against_what_was_said_of_it() {
    let mut world = held(row(Metric::ValueAtRisk, "warn", ratio(100_000_000), Scope::Account, "day"));
    let tail = |world: &World| world.engine.snapshot(&SnapshotRequest::default()).tail.unwrap();
    world.bar([0, 0, 0], 1_000_000);
    assert_eq!(tail(&world).historical[0].days, 0, "the first forecast waits for its day");
    for _ in 0..5 {
        world.bar([1, 1, 0], 1_000_000);
    }
    world.bar([-30, -30, 0], 1_000_000);
    for _ in 0..3 {
        world.bar([1, 1, 0], 1_000_000);
    }
    let [of_95, of_99] = tail(&world).historical;
    assert_eq!((of_95.days, of_95.beyond, of_99.beyond), (9, 1, 1), "only the fall lost more than was said");
    assert_eq!(tail(&world).normal[1].beyond, 1);
    world.check_both_ways_back();
    let settings = EngineSettings { breakers: Rules::new(Vec::new()), ..world.setup.settings.clone() };
    let version = String::new();
    world.input(InputBody::Run(RunInput::Resumed { version, was_clean: WasClean::No, settings }));
    assert!(
        world.engine.snapshot(&SnapshotRequest::default()).tail.is_none(),
        "without a row that watches it nothing is estimated"
    );
}

#[test]
fn a_block_refuses_what_it_is_about_and_nothing_else() {
    let mut world = held(row(Metric::VolatilitySpike, "block", limits(Metric::VolatilitySpike).0, Scope::Instrument, "person"));
    provoke(&mut world, Metric::VolatilitySpike);
    assert_eq!(trips(&world)[0].subject, Subject::Instrument(InstrumentId(2)));
    assert!(!tries_to_open(&mut world, 2), "the instrument that spikes is not opened");
    let said = world.engine.book().alerts().back().unwrap().text.clone();
    assert!(said.contains("BREAKER"), "{said}");
    assert!(tries_to_open(&mut world, 3), "another one is");
    let position = *world.engine.book().ledger().positions().keys().next().unwrap();
    world.command(Command::ClosePosition { position, quantity: None });
    world.bar([0, 0, 0], 1_000_000);
    assert!(world.engine.book().ledger().position(position).is_none(), "closing is never blocked");
}

#[test]
fn a_source_that_decayed_proposes_nothing_more() {
    let rule = row(Metric::ModelDecay, "block", limits(Metric::ModelDecay).0, Scope::Source, "person");
    let mut world = held(rule);
    provoke(&mut world, Metric::ModelDecay);
    let source = SignalSource::BaselineReversal;
    let place = world.story.iter().position(|happened| {
        matches!(happened, Happened::Record(Record::Trading(TradingRecord::BreakerTripped(trip)))
            if trip.subject == Subject::Source(source))
    });
    let made_after = world.story[place.expect("it trips")..].iter().filter(|happened| {
        matches!(happened, Happened::Record(Record::Proposal(ProposalRecord::Made(made))) if made.request.opens_exposure())
    });
    let of_source = made_after.filter(|happened| {
        let Happened::Record(Record::Proposal(ProposalRecord::Made(made))) = happened else { return false };
        world.engine.book().signals().iter().any(|entry| entry.signal.id == made.signal && entry.signal.view.source == source)
    });
    assert_eq!(of_source.count(), 0);
}

#[test]
fn calls_of_the_warm_up_count_for_no_breaker() {
    let rule = || row(Metric::ModelDecay, "block", limits(Metric::ModelDecay).0, Scope::Source, "person");
    let until = |world: &World| MarketTime(world.at + 400 * 86_400_000_000_000);
    let later = until(&World::with(|_| {}));
    let mut world = World::warming_up(later, |setup| only(rule())(&mut setup.settings));
    provoke(&mut world, Metric::ModelDecay);
    let counted = |happened: &Happened| {
        matches!(happened, Happened::Record(Record::Signal(pmax::engine::SignalRecord::Resolved { is_right: Some(_), .. })))
    };
    assert!(!world.story.iter().any(counted), "history warms up: no call counts");
    assert_eq!(trips(&world), []);
    let mut world = World::with(only(rule()));
    world.bar([0, 0, 0], 1_000);
    let ahead = until(&world);
    world.command(Command::JumpTo { until: ahead });
    provoke(&mut world, Metric::ModelDecay);
    assert!(world.story.iter().any(counted), "running ahead is no warm-up");
    assert_eq!(trips(&world).len(), 1, "and breakers act on the way");
}

#[test]
fn re_arming_takes_two_steps_and_what_is_still_beyond_is_overruled() {
    let mut world = held(row(Metric::RejectStreak, "block", ratio(1_000_000_000), Scope::Account, "person"));
    provoke(&mut world, Metric::RejectStreak);
    for _ in 0..3 {
        world.bar([0, 0, 0], 1_000);
    }
    assert!(!tries_to_open(&mut world, 3), "no turn of the day lets go of what waits for a person");
    world.command(Command::ConfirmRearm);
    assert!(!tries_to_open(&mut world, 3), "the second step alone does nothing");
    world.command(Command::RequestRearm);
    assert!(!tries_to_open(&mut world, 3), "nor does the first");
    world.command(Command::ConfirmRearm);
    assert_eq!(world.engine.book().breakers().latched(), []);
    assert!(tries_to_open(&mut world, 3), "both do");
    assert_eq!(trips(&world).len(), 1, "the count began anew");

    let mut world = held(row(Metric::Drawdown, "close", limits(Metric::Drawdown).0, Scope::Account, "person"));
    provoke(&mut world, Metric::Drawdown);
    world.bar([0, 0, 0], 1_000_000);
    world.command(Command::RequestRearm);
    world.command(Command::ConfirmRearm);
    let breakers = world.engine.book().breakers();
    assert_eq!(breakers.hold(&breakers.latched()[0]), Hold::Overruled, "the account is still down");
    assert_eq!(world.engine.book().state(), TradingState::Active);
    assert!(tries_to_open(&mut world, 3));
    world.bar([0, 0, 0], 1_000_000);
    assert_eq!(quantities(&world).len(), 1, "what is overruled closes nothing");
    assert_eq!(trips(&world).len(), 1, "and does not trip again before it has recovered");
    world.check_both_ways_back();
}

#[test]
fn re_arming_does_not_shorten_a_timed_lock_which_ends_by_itself() {
    let mut world = held(row(Metric::RejectStreak, "block", ratio(1_000_000_000), Scope::Account, "2d"));
    provoke(&mut world, Metric::RejectStreak);
    world.command(Command::RequestRearm);
    world.command(Command::ConfirmRearm);
    assert!(!tries_to_open(&mut world, 3), "re-arming does not shorten it");
    world.bar([0, 0, 0], 1_000);
    assert!(!tries_to_open(&mut world, 3), "a day is not two");
    world.bar([0, 0, 0], 1_000);
    world.bar([0, 0, 0], 1_000);
    assert!(tries_to_open(&mut world, 3), "it ran out");

    let mut world = held(row(Metric::RejectStreak, "reducing", ratio(1_000_000_000), Scope::Account, "2d"));
    provoke(&mut world, Metric::RejectStreak);
    world.command(Command::RequestRearm);
    world.command(Command::ConfirmRearm);
    assert_eq!(world.engine.book().state(), TradingState::Reducing);
    let said = &world.engine.book().alerts().back().unwrap().text;
    assert!(said.contains("not re-armed: ask first"), "{said}");
    for _ in 0..3 {
        world.bar([0, 0, 0], 1_000);
    }
    assert_eq!(world.engine.book().state(), TradingState::Reducing, "only a person makes trading laxer");
    world.command(Command::RequestRearm);
    world.command(Command::ConfirmRearm);
    assert_eq!(world.engine.book().state(), TradingState::Active);
}

#[test]
fn a_day_lock_lets_go_at_the_turn_of_the_day_once_the_value_is_back() {
    let mut world = held(row(Metric::StaleData, "block", ratio(1_000_000_000), Scope::Account, "day"));
    provoke(&mut world, Metric::StaleData);
    world.bar([0, 0, 0], 1_000);
    assert!(!tries_to_open(&mut world, 3), "still silent");
    world.input(InputBody::Feed { silent: Vec::new(), heard: vec![InstrumentId(2)], missed: Vec::new() });
    assert!(!tries_to_open(&mut world, 3), "the day is not over");
    world.bar([0, 0, 0], 1_000);
    assert!(tries_to_open(&mut world, 3));
}

/// The fill that closes everything may be what crosses the line: no price comes after it that would.
#[test]
fn a_fill_that_crosses_the_line_trips_at_once() {
    let mut world = World::with(|settings| {
        settings.breakers = Rules::new(vec![row(Metric::DailyLoss, "reducing", ratio(1_200_000), Scope::Account, "day")]);
        settings.terms.cost_per_side = Ratio::of(2, 100).unwrap();
    });
    world.bar([0, 0, 0], 1_000_000);
    world.command(Command::ArmPaper);
    // Each day has its own loss: two small entries on two days, and one exit that costs as much as both.
    for size in [35_500, 35_501] {
        world.order(3, OrderSide::Buy, size, 0, Some(50), None);
        world.bar([0, 0, 0], 1_000_000);
    }
    assert!(trips(&world).is_empty(), "75 of 100,000 were paid on each day");
    let snapshot = world.engine.snapshot(&SnapshotRequest::default());
    let said: Vec<&str> = snapshot.activity.iter().map(|line| line.text.as_str()).collect();
    let positions: Vec<_> = world.engine.book().ledger().positions().keys().copied().collect();
    assert!(!positions.is_empty(), "{said:?}");
    positions.into_iter().for_each(|position| world.command(Command::ClosePosition { position, quantity: None }));
    world.bar([0, 0, 0], 1_000_000);
    assert_eq!(quantities(&world), []);
    let daily = trips(&world);
    assert!(daily.iter().any(|trip| trip.metric == Some(Metric::DailyLoss)), "{daily:?}");
    world.check_both_ways_back();
}

#[test]
fn a_latched_breaker_survives_a_restart_and_goes_on_cutting() {
    let mut world = held(row(Metric::Drawdown, "reduce 0.25", limits(Metric::Drawdown).0, Scope::Account, "person"));
    let before = quantities(&world);
    provoke(&mut world, Metric::Drawdown);
    let settings = world.setup.settings.clone();
    let version = String::new();
    world.input(InputBody::Run(RunInput::Resumed { version, was_clean: WasClean::No, settings }));
    assert_eq!(world.engine.book().breakers().latched().len(), 1);
    assert_eq!((world.engine.book().mode(), world.engine.book().state()), (Mode::ReadOnly, TradingState::Reducing));
    world.command(Command::ArmPaper);
    world.bar([0, 0, 0], 1_000_000);
    world.bar([0, 0, 0], 1_000_000);
    for ((_, before), (_, after)) in before.iter().zip(quantities(&world)) {
        assert_eq!(after.nanos(), before.nanos() - (before.nanos() / 4 + 750_000), "a quarter in whole lots, once");
    }
    world.check_both_ways_back();
}

#[test]
fn a_cut_that_finds_no_volume_goes_on_until_it_is_done() {
    let mut world = held(row(Metric::Drawdown, "close", limits(Metric::Drawdown).0, Scope::Account, "day"));
    world.bar([-60, -60, 0], 100);
    for _ in 0..30 {
        world.bar([0, 0, 0], 50);
        world.check_legs();
    }
    assert_eq!(quantities(&world), []);
    check_it_only_reduces(&world);
}

#[test]
fn nothing_is_sent_while_read_only_or_halted() {
    let mut world = held(row(Metric::Drawdown, "close", limits(Metric::Drawdown).0, Scope::Account, "day"));
    world.command(Command::Disarm);
    let before = quantities(&world);
    provoke(&mut world, Metric::Drawdown);
    world.bar([0, 0, 0], 1_000_000);
    assert_eq!(quantities(&world), before);
    world.command(Command::Kill { why: "test".to_owned() });
    world.command(Command::ArmPaper);
    world.bar([0, 0, 0], 1_000_000);
    assert_eq!(quantities(&world), before, "HALTED leaves closing to the kill switch");
    let refused = |happened: &Happened| matches!(happened, Happened::Record(Record::Order(OrderRecord::Refused { .. })));
    assert!(!world.story.iter().any(refused), "and nothing is tried in vain");
}

/// Tables in which everything trips at once and everything is done.
fn nervous() -> impl Strategy<Value = Rules> {
    let rows = prop::collection::vec((0..Metric::ALL.len(), 0..ACTIONS.len(), 0_usize..2, 0_usize..3), 1..8);
    rows.prop_map(|rows| {
        let rows = rows.into_iter().enumerate().filter_map(|(index, (metric, action, scope, unlock))| {
            let metric = Metric::ALL[metric];
            let scope = metric.scopes()[scope % metric.scopes().len()];
            let unlock = ["day", "person", "1h"][unlock];
            let mut rule = row(metric, ACTIONS[action], limits(metric).0, scope, unlock);
            rule.name = format!("row_{index}").try_into().unwrap();
            rule.contradiction().is_none().then_some(rule)
        });
        Rules::new(rows.collect())
    })
}

proptest! {
    #[test]
    fn no_breaker_ever_adds_to_the_risk(rules in nervous(), life in actions()) {
        let mut world = World::with(|settings| settings.breakers = rules);
        world.bar([0, 0, 0], 1_000);
        world.command(Command::ArmPaper);
        for act in &life {
            world.act(act);
            world.check_money();
            world.check_legs();
        }
        check_it_only_reduces(&world);
        world.check_both_ways_back();
    }
}

#[test]
fn the_shipped_table_warns_then_closes_all_and_loses_no_more_than_the_stop_and_one_gap() {
    let mut world = World::with(|settings| {
        let limits = &mut settings.limits;
        (limits.max_ticket_position, limits.max_sector, limits.max_correlated) = (Ratio::ONE, Ratio::ONE, None);
    });
    world.bar([0, 0, 0], 1_000_000);
    world.command(Command::ArmPaper);
    for (instrument, size) in [(2, 450_000), (3, 225_000)] {
        world.act(&Act::Order { instrument, side: OrderSide::Buy, size, kind: 0, stop: None, target: None });
    }
    for _ in 0..12 {
        world.bar([-70, -70, 0], 1_000_000);
        world.command(Command::RequestRearm);
        world.command(Command::ConfirmRearm);
    }
    let tripped = trips(&world);
    let at = |name: &str| tripped.iter().position(|trip| trip.rule.as_str() == name);
    let (warned, weekly, stopped) = (at("drawdown_warning"), at("weekly_loss"), at("drawdown"));
    assert!(weekly.is_some() && warned.is_some() && warned < stopped, "{tripped:#?}");
    assert_eq!(quantities(&world), [], "everything was closed, though a person re-armed every day");
    let fall = world.engine.book().performance().max_drawdown();
    assert!(fall > Ratio::of(15, 100).unwrap() && fall < Ratio::of(22, 100).unwrap(), "{fall:.2} %");
    check_it_only_reduces(&world);
}

#[test]
fn an_own_row_is_journalled_once_with_who_changed_what_and_a_wrong_one_stops_the_start() {
    let home = tempfile::tempdir().unwrap();
    let own = home.path().join("risk.toml");
    let said = |line: &[&str]| {
        let output = run(line, &[], home.path());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let row = "[[breaker]]\nname = \"daily_loss\"\nmetric = \"daily_loss\"\nlimit = 0.03\nscope = \"account\"\naction = \"halt\"\n\
               unlock = \"person\"\nowner = \"me\"\nreason = \"a bad month\"\nreviewed_on = 2026-11-27\n";
    std::fs::write(&own, row.replace("0.03", "3")).unwrap();
    let (code, _, error) = said(&["status"]);
    for words in ["risk.toml, line 1: breaker daily_loss: limit must be a share", "Nothing was started", "config/risk.toml"] {
        assert!(code == Some(1) && error.contains(words), "{words}: {code:?} {error}");
    }
    std::fs::remove_file(&own).unwrap();
    let journal_after = |sets: &[&str]| {
        let (code, _, error) = said(&[sets, &["--speed", "max", "drill"]].concat());
        assert_eq!(code, Some(0), "{error}");
        said(&["journal", "export"]).1
    };
    let changes = |journal: &str| journal.lines().filter(|line| line.contains("gates_changed")).count();
    assert_eq!(changes(&journal_after(&[])), 0);
    std::fs::write(&own, row).unwrap();
    let moved = journal_after(&[]);
    assert_eq!(changes(&moved), 1);
    for words in
        ["breaker.daily_loss.limit from 0.05 to 0.03", "breaker.daily_loss.action from reducing to halt", "from day to person"]
    {
        assert!(moved.contains(words), "{words}");
    }
    std::fs::remove_file(&own).unwrap();
    let by_setting = journal_after(&["--set", "risk.daily_loss=0.03"]);
    assert_eq!(changes(&by_setting), 2, "the action went back");
    assert!(by_setting.contains("breaker.daily_loss.action from halt to reducing"), "the limit's value is the same");
    assert_eq!(said(&["replay", "1"]).0, Some(0));
}
