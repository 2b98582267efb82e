//! Every pre-trade check through the live path: an order just within its limit leaves, one just beyond it is refused by that check and never
//! sent, and once the reason is gone the same order leaves. The snapshot is the table of limits and their tests.

use std::collections::{BTreeMap, BTreeSet};

use pmax::domain::{
    BrokerReport, BrokerState, ChangeFate, CleanText, InstrumentId, MarketTime, OrderKind, OrderSide, Price, Protection,
    Quantity, Ratio, TimeInForce,
};
use pmax::engine::{Command, EngineSettings, InputBody, OrderRecord, Record, Seen, Ticket};
use pmax::risk::{Acknowledged, Check, CheckOutcome, Limit, Metric, Rule, Rules, Scope};

use crate::properties::{Answers, Happened, World};

/// One hundred dollars a share, in lots of a thousandth and ticks of a cent.
const SHARE: u32 = 3;
/// Two hundred dollars a share, of another sector.
const OTHER: u32 = 10;

/// How one check is provoked.
struct Case {
    check: Check,
    /// What lies beyond, and what just within.
    beyond: &'static str,
    within: &'static str,
    /// What takes the reason away; where nothing can, why.
    release: &'static str,
    settings: fn(&mut EngineSettings),
    /// Up to the moment before the order.
    before: fn(&mut World),
    refused: fn(&mut World),
    allowed: fn(&mut World),
    /// Takes the reason away; nothing where only another order helps.
    released: Option<fn(&mut World)>,
}

fn nothing(_: &mut EngineSettings) {}

fn armed(world: &mut World) {
    world.bar([0, 0, 0], 1_000_000);
    world.command(Command::ArmPaper);
}

/// Shares in thousandths.
fn ticket(instrument: u32, side: OrderSide, thousandths: i64, kind: OrderKind) -> Ticket {
    let quantity = Quantity::from_nanos(thousandths * 1_000_000);
    let (time_in_force, protection) = (TimeInForce::GoodTillCancelled, Protection::default());
    Ticket { instrument: InstrumentId(instrument), side, quantity, kind, time_in_force, protection }
}

fn place(world: &mut World, ticket: Ticket) {
    let seen = Seen { price: None, quantity: ticket.quantity };
    world.command(Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen });
}

fn buy(world: &mut World, thousandths: i64) {
    place(world, ticket(SHARE, OrderSide::Buy, thousandths, OrderKind::Market));
}

fn limit(world: &mut World, cents: i64, thousandths: i64) {
    let price = Price::from_nanos(cents * 10_000_000);
    place(world, ticket(SHARE, OrderSide::Buy, thousandths, OrderKind::Limit(price)));
}

fn stop_at(world: &mut World, cents: i64) {
    let protection = Protection { stop_loss: Some(Price::from_nanos(cents * 10_000_000)), take_profit: None };
    place(world, Ticket { protection, ..ticket(SHARE, OrderSide::Buy, 1_000, OrderKind::Market) });
}

fn close(world: &mut World, thousandths: i64) {
    let position = *world.engine.book().ledger().positions().keys().next().unwrap();
    world.command(Command::ClosePosition { position, quantity: Some(Quantity::from_nanos(thousandths * 1_000_000)) });
}

fn close_all(world: &mut World) {
    let position = *world.engine.book().ledger().positions().keys().next().unwrap();
    world.command(Command::ClosePosition { position, quantity: None });
    world.bar([0, 0, 0], 1_000_000);
}

/// Ten shares are held, bought at an open.
fn holding(world: &mut World) {
    armed(world);
    buy(world, 10_000);
    world.bar([0, 0, 0], 1_000_000);
    assert_eq!(world.engine.book().ledger().positions().len(), 1);
}

fn cancel_all(world: &mut World) {
    let open: Vec<_> = world.engine.book().orders().open().keys().copied().collect();
    open.into_iter().for_each(|order| world.command(Command::CancelOrder { order }));
}

fn rearm(world: &mut World) {
    world.command(Command::RequestRearm);
    world.command(Command::ConfirmRearm);
}

fn share(parts: i64) -> Ratio {
    Ratio::from_nanos(parts * 1_000_000)
}

/// A hundred shares bought, and a fall of 1.5 % since; no breaker speaks before the checks.
fn fallen(world: &mut World) {
    armed(world);
    buy(world, 90_000);
    world.bar([0, 0, 0], 1_000_000);
    world.bar([0, -40, 0], 1_000_000);
}

fn without_breakers(settings: &mut EngineSettings) {
    settings.breakers = Rules::new(Vec::new());
}

/// The loss that [`fallen`] ends in, by a measure.
fn loss(measure: fn(&World) -> Option<Ratio>) -> Ratio {
    let mut world = World::with(without_breakers);
    fallen(&mut world);
    measure(&world).unwrap()
}

fn daily(world: &World) -> Option<Ratio> {
    world.engine.book().performance().daily_loss()
}

fn weekly(world: &World) -> Option<Ratio> {
    world.engine.book().performance().weekly_loss()
}

fn drawdown(world: &World) -> Option<Ratio> {
    world.engine.book().performance().drawdown()
}

fn days(world: &mut World, count: usize) {
    (0..count).for_each(|_| world.bar([0, 0, 0], 1_000_000));
}

fn blocking(settings: &mut EngineSettings) {
    settings.breakers = Rules::new(vec![Rule {
        name: "tested".to_owned().try_into().unwrap(),
        metric: Metric::RejectStreak,
        window: None,
        limit: Limit::Number(Ratio::ONE),
        scope: Scope::Account,
        action: "block".to_owned().try_into().unwrap(),
        unlock: "person".to_owned().try_into().unwrap(),
        owner: "the tests".to_owned(),
        reason: "to see it act".to_owned(),
        reviewed_on: jiff::civil::date(2026, 11, 27),
    }]);
}

fn rejected_once(world: &mut World) {
    armed(world);
    world.answers = Answers::Rejects;
    buy(world, 1_000);
    world.answers = Answers::Takes;
}

fn lost_once(world: &mut World) {
    armed(world);
    world.answers = Answers::Loses;
    buy(world, 1_000);
    world.answers = Answers::Takes;
}

fn silent(world: &mut World) {
    armed(world);
    world.input(InputBody::Feed { silent: vec![InstrumentId(SHARE)], heard: Vec::new(), missed: Vec::new() });
}

const OTHER_ORDER: &str = "another order";

/// The scenario of a check. A check without one does not compile.
#[expect(clippy::too_many_lines, reason = "a table: one row for each check")]
fn case(check: Check) -> Case {
    let plain = Case {
        check,
        beyond: "",
        within: "one share",
        release: OTHER_ORDER,
        settings: nothing,
        before: armed,
        refused: |world| buy(world, 1_000),
        allowed: |world| buy(world, 1_000),
        released: None,
    };
    match check {
        Check::Mode => Case {
            beyond: "READ-ONLY",
            within: "armed",
            release: "a person arms",
            before: |world| world.bar([0, 0, 0], 1_000_000),
            allowed: |world| {
                world.command(Command::ArmPaper);
                buy(world, 1_000);
            },
            released: Some(|world| world.command(Command::ArmPaper)),
            ..plain
        },
        Check::State => Case {
            beyond: "the kill switch was fired",
            within: "ACTIVE",
            release: "re-armed in two steps",
            before: |world| {
                armed(world);
                world.command(Command::Kill { why: "test".to_owned() });
            },
            allowed: |world| {
                rearm(world);
                buy(world, 1_000);
            },
            released: Some(rearm),
            ..plain
        },
        Check::Instrument => Case {
            beyond: "the index, which nobody can buy",
            within: "a stock",
            refused: |world| place(world, ticket(1, OrderSide::Buy, 1_000, OrderKind::Market)),
            ..plain
        },
        Check::Market => Case {
            beyond: "after the last print of the tape",
            within: "before it",
            release: "none: the tape has ended",
            refused: |world| {
                ended(world);
                buy(world, 1_000);
            },
            ..plain
        },
        Check::Quantity => Case {
            beyond: "half a lot more than one share",
            within: "one share",
            refused: |world| {
                let odd = Quantity::from_nanos(1_000_500_000);
                place(world, Ticket { quantity: odd, ..ticket(SHARE, OrderSide::Buy, 1_000, OrderKind::Market) });
            },
            ..plain
        },
        Check::Value => Case {
            beyond: "a thousandth of a share above an order of 5,000; below one of 100",
            within: "5,000",
            settings: |settings| {
                (settings.limits.min_order_value, settings.limits.max_order_value) = (Some(100), Some(5_000));
            },
            refused: |world| buy(world, 50_001),
            allowed: |world| buy(world, 50_000),
            ..plain
        },
        Check::Price => Case {
            beyond: "a limit of 98.005 with ticks of a cent",
            within: "98.01",
            refused: |world| {
                let odd = OrderKind::Limit(Price::from_nanos(98_005_000_000));
                place(world, ticket(SHARE, OrderSide::Buy, 1_000, odd));
            },
            allowed: |world| limit(world, 9_801, 1_000),
            ..plain
        },
        Check::Fresh => Case {
            beyond: "the feed is silent about it",
            within: "it is heard",
            release: "it is heard again",
            before: silent,
            allowed: |world| {
                heard(world);
                buy(world, 1_000);
            },
            released: Some(heard),
            ..plain
        },
        Check::Collar => Case {
            beyond: "a limit 20.01 % below the last price",
            within: "20 % below",
            release: "the price comes nearer",
            refused: |world| limit(world, 7_999, 1_000),
            allowed: |world| limit(world, 8_000, 1_000),
            released: Some(|world| world.bar([0, -10, 0], 1_000_000)),
            ..plain
        },
        Check::Protection => Case {
            beyond: "a stop at the price itself",
            within: "a cent below",
            refused: |world| stop_at(world, 10_000),
            allowed: |world| stop_at(world, 9_999),
            ..plain
        },
        Check::Reduces => Case {
            beyond: "closing a thousandth more than is held",
            within: "closing all of it",
            before: holding,
            refused: |world| close(world, 10_001),
            allowed: |world| close(world, 10_000),
            ..plain
        },
        Check::Opposite => Case {
            beyond: "selling short what is held",
            within: "buying more",
            release: "the position is closed",
            before: holding,
            refused: |world| place(world, ticket(SHARE, OrderSide::Sell, 1_000, OrderKind::Market)),
            released: Some(close_all),
            ..plain
        },
        Check::Crossing => Case {
            beyond: "selling short while a buy works",
            within: "a second buy",
            release: "the first is cancelled",
            before: |world| {
                armed(world);
                limit(world, 9_000, 1_000);
            },
            refused: |world| place(world, ticket(SHARE, OrderSide::Sell, 1_000, OrderKind::Market)),
            allowed: |world| limit(world, 9_001, 1_000),
            released: Some(cancel_all),
            ..plain
        },
        Check::Twin => Case {
            beyond: "the same order again",
            within: "another price",
            release: "the first is cancelled",
            before: |world| {
                armed(world);
                limit(world, 9_000, 1_000);
            },
            refused: |world| limit(world, 9_000, 1_000),
            allowed: |world| limit(world, 9_001, 1_000),
            released: Some(cancel_all),
            ..plain
        },
        Check::Unknown => Case {
            beyond: "an order without an answer",
            within: "its fate is known",
            release: "the broker's complete answer",
            before: lost_once,
            allowed: |world| {
                answered(world);
                buy(world, 2_000);
            },
            refused: |world| buy(world, 2_000),
            released: Some(answered),
            ..plain
        },
        Check::Breaker => Case {
            beyond: "a latched breaker that blocks",
            within: "re-armed",
            release: "re-armed in two steps",
            settings: blocking,
            before: rejected_once,
            allowed: |world| {
                rearm(world);
                buy(world, 2_000);
            },
            refused: |world| buy(world, 2_000),
            released: Some(rearm),
            ..plain
        },
        Check::Position => Case {
            beyond: "a thousandth of a share above a tenth of equity",
            within: "a tenth of equity",
            release: "what is held is closed",
            refused: |world| buy(world, 100_001),
            allowed: |world| buy(world, 100_000),
            ..plain
        },
        Check::Sector => Case {
            beyond: "a thousandth of a share above 5 % of equity",
            within: "5 %",
            release: "what is held is closed",
            settings: |settings| settings.limits.max_sector = share(50),
            refused: |world| buy(world, 50_001),
            allowed: |world| buy(world, 50_000),
            ..plain
        },
        Check::Correlated => Case {
            beyond: "a thousandth of a share above 5 % of equity",
            within: "5 %",
            release: "what is held is closed",
            settings: |settings| settings.limits.max_correlated = Some(share(50)),
            refused: |world| buy(world, 50_001),
            allowed: |world| buy(world, 50_000),
            ..plain
        },
        Check::Gross => Case {
            beyond: "a thousandth of a share above 5 % of equity",
            within: "5 %",
            release: "what is held is closed",
            settings: |settings| settings.limits.max_gross = share(50),
            refused: |world| buy(world, 50_001),
            allowed: |world| buy(world, 50_000),
            ..plain
        },
        Check::Cash => Case {
            beyond: "a thousandth of a share more than cash covers with its cost",
            within: "all that cash covers",
            release: "what was ordered is cancelled",
            settings: |settings| {
                let limits = &mut settings.limits;
                (limits.max_ticket_position, limits.max_sector, limits.max_gross) = (share(2_000), share(2_000), share(2_000));
                (limits.max_correlated, limits.max_order_value) = (Some(share(2_000)), None);
            },
            // 998.003 shares at 100 and 0.2 % for cost and slippage are 99,999.9006.
            refused: |world| buy(world, 998_004),
            allowed: |world| buy(world, 998_003),
            ..plain
        },
        Check::Trades => Case {
            beyond: "the second of one a day",
            within: "the first",
            release: "the next risk day",
            settings: |settings| settings.limits.trades_per_day = 1,
            refused: |world| {
                if world.engine.book().ledger().positions().is_empty() && world.engine.book().orders().open().is_empty() {
                    place(world, ticket(OTHER, OrderSide::Buy, 1_000, OrderKind::Market));
                }
                buy(world, 1_000);
            },
            released: Some(|world| days(world, 2)),
            ..plain
        },
        Check::Rate => Case {
            beyond: "the third within a minute of two",
            within: "the second",
            release: "a minute of market time",
            settings: |settings| settings.limits.orders_per_minute = Some(2),
            before: |world| {
                armed(world);
                limit(world, 9_000, 1_000);
                limit(world, 9_001, 1_000);
                cancel_all(world);
            },
            allowed: |world| {
                days(world, 1);
                limit(world, 9_002, 1_000);
                buy(world, 1_000);
            },
            released: Some(|world| days(world, 1)),
            ..plain
        },
        Check::DailyLoss => Case {
            beyond: "the day's loss is the limit",
            within: "a billionth below it",
            release: "the next risk day",
            settings: |settings| {
                without_breakers(settings);
                settings.limits.daily_loss = loss(daily);
            },
            before: fallen,
            released: Some(|world| days(world, 2)),
            ..plain
        },
        Check::WeeklyLoss => Case {
            beyond: "the week's loss is the limit",
            within: "a billionth below it",
            release: "the next week",
            settings: |settings| {
                without_breakers(settings);
                settings.limits.weekly_loss = loss(weekly);
            },
            before: fallen,
            released: Some(|world| days(world, 8)),
            ..plain
        },
        Check::Drawdown => Case {
            beyond: "the fall is the limit",
            within: "a billionth below it",
            release: "equity is higher again",
            settings: |settings| {
                without_breakers(settings);
                settings.limits.drawdown_act = loss(drawdown);
            },
            before: fallen,
            released: Some(|world| world.bar([0, 20, 0], 1_000_000)),
            ..plain
        },
    }
}

fn heard(world: &mut World) {
    world.input(InputBody::Feed { silent: Vec::new(), heard: vec![InstrumentId(SHARE)], missed: Vec::new() });
}

fn answered(world: &mut World) {
    world.input(InputBody::Broker(BrokerReport::State(BrokerState::default())));
}

/// The tape of this world ends: no series prints again.
fn ended(world: &mut World) {
    while world.engine.market().now() < LAST_PRINT {
        world.bar([0, 0, 0], 1_000_000);
    }
}

const LAST_PRINT: MarketTime = MarketTime(1_582_200_000_000_000_000 + 5 * 86_400_000_000_000);

fn settled(case: &Case) -> World {
    let mut world = World::with_setup(|setup| {
        (case.settings)(&mut setup.settings);
        if case.check == Check::Market {
            setup.series.iter_mut().for_each(|series| series.last_print = Some(LAST_PRINT));
        }
    });
    (case.before)(&mut world);
    world
}

/// What an attempt came to: the checks that refused it, or nothing where the order left.
fn tried(world: &mut World, attempt: fn(&mut World)) -> BTreeSet<Check> {
    let begun = world.story.len();
    attempt(world);
    let last = world.story[begun..].iter().rev().find_map(|happened| match happened {
        Happened::Record(Record::Order(OrderRecord::Refused { refusal, .. })) => {
            Some(refusal.checks.iter().filter(|one| one.outcome == CheckOutcome::Fail).map(|one| one.check).collect())
        }
        Happened::Record(Record::Order(OrderRecord::Confirmed { .. })) => Some(BTreeSet::new()),
        Happened::Record(_) | Happened::Event(_) => None,
    });
    last.unwrap_or_else(|| panic!("the attempt was neither sent nor refused: {:?}", world.story.last()))
}

/// Checks that cannot but fail together with another: without a price nothing has a value, and what is not known has none.
fn beside(check: Check) -> BTreeSet<Check> {
    let valued = [Check::Value, Check::Position, Check::Sector, Check::Correlated, Check::Gross, Check::Cash];
    match check {
        Check::Fresh => BTreeSet::from(valued),
        Check::Market => BTreeSet::from(valued).union(&BTreeSet::from([Check::Fresh])).copied().collect(),
        Check::Instrument => {
            let known = [Check::Market, Check::Quantity, Check::Price, Check::Fresh];
            BTreeSet::from(valued).union(&BTreeSet::from(known)).copied().collect()
        }
        _ => BTreeSet::new(),
    }
}

#[test]
fn every_check_refuses_beyond_its_limit_and_not_within_it() {
    for check in Check::ALL {
        let case = case(*check);
        let mut world = settled(&case);
        let failed = tried(&mut world, case.refused);
        assert!(failed.contains(check), "{}: {} was not refused by it but by {failed:?}", check.code(), case.beyond);
        let others: BTreeSet<Check> = failed.iter().copied().filter(|other| other != check).collect();
        assert!(others.is_subset(&beside(*check)), "{}: also {others:?}", check.code());
        let mut world = match check {
            Check::DailyLoss | Check::WeeklyLoss | Check::Drawdown => a_billionth_below(&case),
            _ => settled(&case),
        };
        let failed = tried(&mut world, case.allowed);
        assert!(failed.is_empty(), "{}: {} was refused by {failed:?}", check.code(), case.within);
    }
}

/// The same world where the limit lies a billionth above what was lost.
fn a_billionth_below(case: &Case) -> World {
    let more = |limit: &mut Ratio| *limit = Ratio::from_nanos(limit.nanos() + 1);
    let mut world = World::with(|settings| {
        (case.settings)(settings);
        match case.check {
            Check::DailyLoss => more(&mut settings.limits.daily_loss),
            Check::WeeklyLoss => more(&mut settings.limits.weekly_loss),
            _ => more(&mut settings.limits.drawdown_act),
        }
    });
    (case.before)(&mut world);
    world
}

#[test]
fn what_was_refused_leaves_once_the_reason_is_gone() {
    let mut released = 0;
    for case in Check::ALL.iter().map(|check| case(*check)) {
        let Some(release) = case.released else { continue };
        let mut world = settled(&case);
        assert!(!tried(&mut world, case.refused).is_empty(), "{}", case.check.code());
        release(&mut world);
        let failed = tried(&mut world, case.refused);
        assert!(!failed.contains(&case.check), "{}: after «{}» still {failed:?}", case.check.code(), case.release);
        assert!(failed.is_empty(), "{}: after «{}» refused by {failed:?}", case.check.code(), case.release);
        world.check_both_ways_back();
        released += 1;
    }
    assert!(released >= 12, "{released}");
}

/// What is held or ordered takes room, and gives it back.
#[test]
fn an_exposure_that_is_gone_makes_room() {
    for check in [Check::Position, Check::Sector, Check::Correlated, Check::Gross] {
        let mut world = World::with(|settings| {
            let limits = &mut settings.limits;
            match check {
                Check::Position => limits.max_ticket_position = share(50),
                Check::Sector => limits.max_sector = share(50),
                Check::Correlated => limits.max_correlated = Some(share(50)),
                _ => limits.max_gross = share(50),
            }
        });
        holding(&mut world);
        let more: fn(&mut World) = |world| buy(world, 45_000);
        assert_eq!(tried(&mut world, more), BTreeSet::from([check]));
        close_all(&mut world);
        assert_eq!(tried(&mut world, more), BTreeSet::new(), "{}", check.code());
    }
    let mut world = World::with(case(Check::Cash).settings);
    armed(&mut world);
    limit(&mut world, 9_000, 900_000);
    let more: fn(&mut World) = |world| buy(world, 300_000);
    assert_eq!(tried(&mut world, more), BTreeSet::from([Check::Cash]));
    cancel_all(&mut world);
    assert_eq!(tried(&mut world, more), BTreeSet::new());
}

/// What moves together is limited as one, whatever its sector is called; what moves by itself is not, and neither is a hedge.
#[test]
fn what_moves_together_counts_together() {
    const TWIN: u32 = 2;
    let begin = |days: std::ops::Range<i64>| {
        let mut world = World::with(|settings| {
            settings.limits.max_correlated = Some(share(50));
            without_breakers(settings);
        });
        world.bar([0, 0, 0], 1_000_000);
        for day in days {
            let (same, own) = (if day % 2 == 0 { 10 } else { -10 }, if day / 2 % 2 == 0 { 10 } else { -10 });
            world.bar([same, same, own], 1_000_000);
        }
        world.command(Command::ArmPaper);
        world
    };
    let hold = |world: &mut World, instrument: u32, side: OrderSide| {
        let thousandths = 4_000 * 1_000_000_000_000 / world.price[&instrument];
        place(world, ticket(instrument, side, thousandths / 10 * 10, OrderKind::Market));
        world.bar([0, 0, 0], 1_000_000);
        assert_eq!(world.engine.book().ledger().positions().len(), 1);
    };
    let more: fn(&mut World) = |world| buy(world, 20_000);
    let short: fn(&mut World) = |world| place(world, ticket(SHARE, OrderSide::Sell, 20_000, OrderKind::Market));
    let refused = BTreeSet::from([Check::Correlated]);
    let mut world = begin(0..40);
    hold(&mut world, TWIN, OrderSide::Buy);
    assert_eq!(tried(&mut world, more), refused, "4 % are held of what moves with it");
    assert_eq!(tried(&mut world, short), BTreeSet::new(), "the other side of it is a hedge");
    let mut world = begin(0..40);
    hold(&mut world, TWIN, OrderSide::Sell);
    assert_eq!(tried(&mut world, more), BTreeSet::new(), "and so is this");
    let mut world = begin(0..40);
    hold(&mut world, OTHER, OrderSide::Buy);
    assert_eq!(tried(&mut world, more), BTreeSet::new(), "it moves by itself");
    let mirrored = |side: OrderSide| {
        let mut world = begin(0..0);
        world.command(Command::Disarm);
        for day in 0..40 {
            let same = if day % 2 == 0 { 10 } else { -10 };
            world.bar([same, same, -same], 1_000_000);
        }
        world.command(Command::ArmPaper);
        hold(&mut world, OTHER, side);
        world
    };
    assert_eq!(tried(&mut mirrored(OrderSide::Sell), more), refused, "a short of what moves the other way loses with it");
    assert_eq!(tried(&mut mirrored(OrderSide::Buy), more), BTreeSet::new(), "and a long of it does not");
    let mut world = begin(0..10);
    hold(&mut world, OTHER, OrderSide::Buy);
    assert_eq!(tried(&mut world, more), refused, "nobody knows yet how it moves");
    world.check_both_ways_back();
}

/// The count of the latest opening orders is that of the records, whatever became of the orders.
#[test]
fn orders_of_the_last_minute_are_counted_whatever_became_of_them() {
    let mut world = World::with(|settings| settings.limits.orders_per_minute = Some(5));
    armed(&mut world);
    let mut made: Vec<i64> = Vec::new();
    for step in 0_i64..60 {
        let now = world.engine.market().now().0;
        let lately = made.iter().filter(|at| **at > now - 60_000_000_000).count();
        let failed = tried(
            &mut world,
            match step % 3 {
                0 => |world| limit(world, 9_000, 1_000),
                1 => |world| limit(world, 9_001, 2_000),
                _ => |world| buy(world, 1_000),
            },
        );
        assert_eq!(failed.contains(&Check::Rate), lately >= 5, "step {step}: {lately} lately");
        if failed.is_empty() {
            made.push(now);
        }
        if step % 4 == 3 {
            cancel_all(&mut world);
        }
        if step % 7 == 6 {
            // A quote twenty seconds later.
            world.quote(SHARE, world.engine.market().now().0 + 20_000_000_000);
        }
    }
    assert!(made.len() > 10 && made.len() < 60, "{}", made.len());
}

/// Until the broker has answered, a change counts by what it asks for where that is more.
#[test]
fn a_change_on_its_way_takes_its_room_at_once() {
    let mut world = World::with(|settings| {
        (settings.limits.max_gross, settings.limits.max_position) = (share(50), share(100));
    });
    armed(&mut world);
    limit(&mut world, 9_000, 10_000);
    let order = *world.engine.book().orders().open().keys().next().unwrap();
    world.is_mute = true;
    let (quantity, kind) = (Quantity::from_nanos(50_000_000_000), OrderKind::Limit(Price::from_nanos(90_000_000_000)));
    world.command(Command::ModifyOrder { order, quantity, kind });
    let more: fn(&mut World) = |world| buy(world, 10_000);
    assert_eq!(tried(&mut world, more), BTreeSet::from([Check::Gross]), "4,500 are asked for, 1,000 more are too much");
    world.check_both_ways_back();
    let no = |fate| InputBody::Broker(BrokerReport::ModifyRefused { order, reason: CleanText::from_outside("no"), fate });
    world.input(no(ChangeFate::Unknown));
    assert_eq!(tried(&mut world, more), BTreeSet::from([Check::Gross]), "an answer that was lost frees nothing");
    world.check_both_ways_back();
    world.input(InputBody::Broker(BrokerReport::Modified { order, quantity: Quantity::from_nanos(10_000_000_000), kind }));
    world.command(Command::ModifyOrder { order, quantity, kind });
    world.input(no(ChangeFate::Refused));
    assert_eq!(tried(&mut world, more), BTreeSet::new(), "it was refused: the old terms count");
}

/// What was adopted has numbers of its own and no time; it hides nothing from the count.
#[test]
fn an_adopted_order_does_not_hide_the_latest_ones() {
    use pmax::domain::{AccountId, Order, OrderId, OrderRequest, Origin};
    use pmax::orders::{OrderManager, OrderState};
    let request = OrderRequest {
        instrument: InstrumentId(SHARE),
        side: OrderSide::Buy,
        quantity: Quantity::from_nanos(1_000_000_000),
        kind: OrderKind::Market,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection::default(),
        closes: None,
        origin: Origin::Ticket,
    };
    let order = |id, at, origin| Order {
        id: OrderId(id),
        account: AccountId(1),
        request: OrderRequest { origin, ..request },
        created_at: MarketTime(at),
        reference: None,
    };
    let mut orders = OrderManager::default();
    for (id, at) in [(1, 10), (2, 50), (3, 60)] {
        orders.insert(order(id, at, Origin::Ticket), OrderState::Confirmed, MarketTime(at));
    }
    orders.insert(order(1 << 49, 0, Origin::External), OrderState::Confirmed, MarketTime(0));
    assert_eq!((orders.opened_since(MarketTime(40), 10), orders.opened_since(MarketTime(0), 2)), (2, 2));
}

/// An order below the smallest value is refused as one above the largest.
#[test]
fn an_order_may_be_too_small() {
    let mut world = World::with(|settings| settings.limits.min_order_value = Some(100));
    armed(&mut world);
    assert_eq!(tried(&mut world, |world| buy(world, 999)), BTreeSet::from([Check::Value]));
    assert_eq!(tried(&mut world, |world| buy(world, 1_000)), BTreeSet::new());
}

/// What evaluates each setting under `[risk]`: a setting that is not here, or no longer in the file, does not get by.
#[test]
fn every_setting_of_risk_is_evaluated() {
    use pmax::risk::LimitName;
    let by_check = |check: Check| format!("check {}", check.code());
    let by_breaker = |name: LimitName| {
        let config = crate::world::config();
        let rows: Vec<String> = config
            .breakers
            .iter()
            .filter(|rule| matches!(rule.limit, Limit::Setting(of) if of == name))
            .map(|rule| rule.name.words())
            .collect();
        assert!(!rows.is_empty(), "no breaker as shipped reads {name:?}");
        format!("breaker {}", rows.join(", "))
    };
    let evaluated = BTreeMap::from([
        ("max_position", by_check(Check::Position)),
        ("max_ticket_position", by_check(Check::Position)),
        ("max_sector", by_check(Check::Sector)),
        ("max_gross", by_check(Check::Gross)),
        ("drawdown_warn", by_breaker(LimitName::DrawdownWarn)),
        ("drawdown_act", by_breaker(LimitName::DrawdownAct)),
        ("daily_loss", by_breaker(LimitName::DailyLoss)),
        ("weekly_loss", by_breaker(LimitName::WeeklyLoss)),
        ("volatility_warn", by_breaker(LimitName::VolatilityWarn)),
        ("trades_per_day", by_check(Check::Trades)),
        ("price_collar", by_check(Check::Collar)),
        ("min_order_value", by_check(Check::Value)),
        ("max_order_value", by_check(Check::Value)),
        ("orders_per_minute", by_check(Check::Rate)),
        ("max_correlated", by_check(Check::Correlated)),
        ("correlated_from", by_check(Check::Correlated)),
        ("opposite_orders", by_check(Check::Crossing)),
    ]);
    let shipped: toml::Table = include_str!("../../config/pmax.toml").parse().unwrap();
    let written: BTreeSet<&str> = shipped["risk"].as_table().unwrap().keys().map(String::as_str).collect();
    assert_eq!(written, evaluated.keys().copied().collect(), "{evaluated:#?}");
}

/// What limits exist and what provokes them, for people to read. A check or a metric without a row does not get here.
#[test]
fn limits_and_their_tests() {
    let mut table = String::from(
        "checks before an order: limits::every_check_refuses_beyond_its_limit_and_not_within_it, limits::what_was_refused_leaves_once_the_reason_is_gone, limits::an_exposure_that_is_gone_makes_room\n",
    );
    for case in Check::ALL.iter().map(|check| case(*check)) {
        let code = case.check.code();
        table += &format!("{code:<12} beyond: {}; within: {}; released by: {}\n", case.beyond, case.within, case.release);
    }
    table += "\nbreakers: breakers::every_metric_trips_at_its_limit_and_does_what_its_row_says\n";
    for metric in Metric::ALL {
        let rows: Vec<String> = crate::world::config()
            .breakers
            .iter()
            .filter(|rule| rule.metric == metric)
            .map(|rule| format!("{} ({})", rule.name.words(), rule.action.words()))
            .collect();
        assert!(!rows.is_empty(), "{metric:?} is watched by no row as shipped");
        table += &format!("{:<20} {}\n", metric.label(), rows.join(", "));
    }
    insta::assert_snapshot!(table);
}
