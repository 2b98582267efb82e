//! The matching core by example: what bars do to orders, in numbers a person can check by hand.

use pmax::domain::{
    AccountId, Bar, BrokerRef, BrokerReport, Currency, DealId, Fill, InstrumentId, Liquidity, MarketEvent, MarketStamp,
    MarketTime, Money, Order, OrderId, OrderKind, OrderRequest, OrderSide, Origin, PositionId, PositionSide, Price, Protection,
    ProtectiveReason, Quantity, Quote, QuoteOrigin, Ratio, SCALE, TimeInForce, Volume,
};
use pmax::exchange::{Exchange, LegIds, RestoredOrder, RestoredPosition, Terms};

const INSTRUMENT: InstrumentId = InstrumentId(1);
const MINUTE: i64 = 60_000_000_000;
/// 2020-03-09, a Monday. The risk day ends at 21:00 UTC (17:00 New York).
const MONDAY: i64 = 1_583_712_000_000_000_000;
const NOTHING: [&str; 0] = [];

/// One instrument whose bars run from 14:00 to 20:00 UTC, and the exchange that hears them.
///
/// Slippage is 1 %, the cost of a side 0.2 %, and one participant may take a tenth of a bar's volume.
struct Market {
    exchange: Exchange,
    now: MarketTime,
    day: i64,
    /// Units that trade in a bar; `None` where the series does not say.
    volume: Option<i64>,
    fills: Vec<Fill>,
}

impl Market {
    fn new() -> Self {
        let terms = Terms {
            slippage: Ratio::from_nanos(10_000_000),
            cost_per_side: Ratio::from_nanos(2_000_000),
            participation: Ratio::from_nanos(100_000_000),
        };
        let exchange = Exchange::new(terms, Currency::USD, DealId(7));
        Self { exchange, now: hour(0, 12), day: 0, volume: None, fills: Vec::new() }
    }

    /// A market with volume that has lived through Monday, with an order far below the price that never trades.
    fn with_volume(volume: i64) -> Self {
        let mut market = Self { volume: Some(volume), ..Self::new() };
        assert_eq!(market.place(buy(9, 1, limit(1))), ["o9 accepted"]);
        assert_eq!(market.bar([100, 101, 99, 100]), NOTHING);
        market
    }

    /// Position 1, ten units bought at Monday's open of 100, with orders 2 and 3 as its legs; Monday is over.
    fn holding(stop_loss: Option<i64>, take_profit: Option<i64>) -> Self {
        let mut market = Self::new();
        market.place(with_exits(buy(1, 10, OrderKind::Market), stop_loss, take_profit));
        assert_eq!(market.bar([100, 101, 99, 100])[0], "o1 BUY 10 at 101");
        assert_eq!(market.held(), [(1, 10)]);
        market
    }

    fn said(&mut self, reports: &[BrokerReport]) -> Vec<String> {
        for report in reports {
            if let BrokerReport::Filled(fill) = report {
                self.fills.push(*fill);
            }
        }
        reports.iter().map(words).collect()
    }

    fn place(&mut self, order: Order) -> Vec<String> {
        let mut reports = Vec::new();
        self.exchange.submit(order, self.now, &mut reports);
        self.said(&reports)
    }

    fn modify(&mut self, id: u64, size: i64, kind: OrderKind) -> Vec<String> {
        let mut reports = Vec::new();
        self.exchange.modify(OrderId(id), units(size), kind, self.now, &mut reports);
        self.said(&reports)
    }

    fn cancel(&mut self, id: u64) -> Vec<String> {
        let mut reports = Vec::new();
        self.exchange.cancel(OrderId(id), &mut reports);
        self.said(&reports)
    }

    /// Sets the exits of position 1; new legs get the numbers 20 and 21.
    fn protect(&mut self, stop_loss: Option<i64>, take_profit: Option<i64>) -> Vec<String> {
        let mut reports = Vec::new();
        let legs = LegIds { stop: OrderId(20), target: OrderId(21) };
        self.exchange.protect(PositionId(1), exits(stop_loss, take_profit), legs, self.now, &mut reports);
        self.said(&reports)
    }

    /// What the exchange says to an event; a minute later it is a person's turn.
    fn hear(&mut self, event: &MarketEvent) -> Vec<String> {
        let mut reports = Vec::new();
        self.exchange.on_market(event, &mut reports);
        self.now = MarketTime(event.known_at().0 + MINUTE);
        self.said(&reports)
    }

    fn open(&mut self, open: i64) -> Vec<String> {
        let stamp = MarketStamp::tape(hour(self.day, 14));
        self.hear(&MarketEvent::BarOpened { instrument: INSTRUMENT, open: price(open), stamp })
    }

    fn quote(&mut self, last: i64) -> Vec<String> {
        let (last, origin) = (price(last), QuoteOrigin::SynthesisedFromBars);
        let quote = Quote { instrument: INSTRUMENT, last, bid: None, ask: None, origin };
        self.hear(&MarketEvent::Quoted { quote, stamp: MarketStamp::tape(hour(self.day, 16)) })
    }

    /// The end of a bar with open, high, low and close; the next one belongs to the next day.
    fn close(&mut self, prices: [i64; 4]) -> Vec<String> {
        self.end_bar(prices, true)
    }

    /// The end of a bar of which only the close is known.
    fn print(&mut self, close: i64) -> Vec<String> {
        self.end_bar([close; 4], false)
    }

    fn end_bar(&mut self, prices: [i64; 4], has_range: bool) -> Vec<String> {
        let [open, high, low, close] = prices.map(price);
        let (open_at, close_at) = (hour(self.day, 14), hour(self.day, 20));
        let volume = self.volume.map(|units| Volume::from_milli(units * 1_000));
        let bar = Bar { instrument: INSTRUMENT, open_at, close_at, open, high, low, close, volume, has_range };
        self.day += 1;
        self.hear(&MarketEvent::BarClosed { bar, stamp: MarketStamp::tape(close_at) })
    }

    /// A whole bar: its open and its end.
    fn bar(&mut self, prices: [i64; 4]) -> Vec<String> {
        let mut said = self.open(prices[0]);
        said.extend(self.close(prices));
        said
    }

    fn held(&self) -> Vec<(u64, i64)> {
        self.exchange.state().positions.iter().map(|(id, quantity)| (id.0, quantity.nanos() / SCALE)).collect()
    }

    fn working(&self) -> Vec<u64> {
        self.exchange.state().orders.iter().map(|id| id.0).collect()
    }
}

fn hour(day: i64, hour: i64) -> MarketTime {
    MarketTime(MONDAY + (day * 24 + hour) * 60 * MINUTE)
}

fn price(whole: i64) -> Price {
    Price::from_nanos(whole * SCALE)
}

fn units(whole: i64) -> Quantity {
    Quantity::from_nanos(whole * SCALE)
}

fn limit(whole: i64) -> OrderKind {
    OrderKind::Limit(price(whole))
}

fn stop(whole: i64) -> OrderKind {
    OrderKind::Stop(price(whole))
}

fn exits(stop_loss: Option<i64>, take_profit: Option<i64>) -> Protection {
    Protection { stop_loss: stop_loss.map(price), take_profit: take_profit.map(price) }
}

fn order(id: u64, side: OrderSide, size: i64, kind: OrderKind) -> Order {
    let request = OrderRequest {
        instrument: INSTRUMENT,
        side,
        quantity: units(size),
        kind,
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection::default(),
        closes: None,
        origin: Origin::Ticket,
    };
    Order { id: OrderId(id), account: AccountId(1), request, created_at: hour(0, 12), reference: None }
}

fn buy(id: u64, size: i64, kind: OrderKind) -> Order {
    order(id, OrderSide::Buy, size, kind)
}

fn sell(id: u64, size: i64, kind: OrderKind) -> Order {
    order(id, OrderSide::Sell, size, kind)
}

fn with_exits(order: Order, stop_loss: Option<i64>, take_profit: Option<i64>) -> Order {
    Order { request: OrderRequest { protection: exits(stop_loss, take_profit), ..order.request }, ..order }
}

/// The order as one that closes position 1.
fn closing(order: Order) -> Order {
    Order { request: OrderRequest { closes: Some(PositionId(1)), ..order.request }, ..order }
}

fn for_the_day(order: Order) -> Order {
    Order { request: OrderRequest { time_in_force: TimeInForce::Day, ..order.request }, ..order }
}

fn words(report: &BrokerReport) -> String {
    match report {
        BrokerReport::Accepted { order, .. } => format!("{order} accepted"),
        BrokerReport::Rejected { order, reason } => format!("{order} rejected: {reason}"),
        BrokerReport::Triggered { order } => format!("{order} triggered"),
        BrokerReport::Filled(fill) => format!("{} {} {} at {}", fill.order, fill.side, fill.quantity, fill.price),
        BrokerReport::Cancelled { order, reason } => format!("{order} cancelled: {reason}"),
        BrokerReport::Expired { order } => format!("{order} expired"),
        BrokerReport::Modified { order, quantity, kind } => format!("{order} is now {quantity} {kind}"),
        BrokerReport::ModifyRefused { order, reason, .. } => format!("{order} not modified: {reason}"),
        BrokerReport::CancelRefused { order, reason } => format!("{order} not cancelled: {reason}"),
        BrokerReport::LegPlaced { order } => {
            format!("{} leg {} {} {}", order.id, order.request.side, order.request.quantity, order.request.kind)
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn a_market_order_fills_at_the_next_open_with_slippage_and_cost() {
    let mut market = Market::new();
    assert_eq!(market.place(buy(1, 10, OrderKind::Market)), ["o1 accepted"]);
    assert_eq!(market.open(100), ["o1 BUY 10 at 101"]);
    let expected = Fill {
        deal: DealId(7),
        order: OrderId(1),
        position: PositionId(1),
        closes: false,
        instrument: INSTRUMENT,
        side: OrderSide::Buy,
        quantity: units(10),
        price: price(101),
        cost: Money::from_nanos(2_020_000_000, Currency::USD), // 0.2 % of 1010
        liquidity: Liquidity::Unlimited,
        at: hour(0, 14),
    };
    assert_eq!(market.fills, [expected]);
    assert_eq!(market.close([100, 105, 95, 100]), NOTHING);
}

#[test]
fn a_market_order_never_fills_at_the_bar_that_was_already_open() {
    let mut market = Market::new();
    assert_eq!(market.open(100), NOTHING);
    assert_eq!(market.place(buy(1, 10, OrderKind::Market)), ["o1 accepted"]);
    assert_eq!(market.quote(105), NOTHING);
    assert_eq!(market.close([100, 110, 90, 104]), NOTHING);
    assert_eq!(market.open(107), ["o1 BUY 10 at 108.07"]);
}

#[test]
fn an_open_that_is_told_late_trades_only_with_orders_from_before_it() {
    let mut market = Market::new();
    let (open, told) = (hour(0, 14), MarketTime(hour(0, 14).0 + MINUTE / 10));
    market.place(buy(1, 10, OrderKind::Market));
    market.now = MarketTime(open.0 + MINUTE / 20);
    market.place(buy(4, 10, OrderKind::Market));
    let stamp = MarketStamp { event_at: open, known_at: told, received_at: None };
    let mut reports = Vec::new();
    market.exchange.on_market(&MarketEvent::BarOpened { instrument: INSTRUMENT, open: price(100), stamp }, &mut reports);
    assert_eq!(market.said(&reports), ["o1 BUY 10 at 101"], "the second one is younger than the price");
    assert_eq!(market.fills[0].at, open);
}

#[test]
fn resting_orders_do_not_see_the_bar_that_was_already_open() {
    let mut market = Market::new();
    market.open(100);
    market.place(buy(1, 10, limit(95)));
    market.place(buy(4, 10, stop(105)));
    assert_eq!(market.close([100, 110, 90, 100]), NOTHING);
    assert_eq!(market.working(), [1, 4]);
}

#[test]
fn nothing_fills_at_a_drawn_quote() {
    let mut market = Market::holding(Some(95), Some(120));
    market.place(buy(5, 10, limit(98)));
    assert_eq!(market.open(100), NOTHING);
    assert_eq!(market.quote(90), NOTHING);
    assert_eq!(market.quote(125), NOTHING);
    assert_eq!(market.close([100, 101, 99, 100]), NOTHING);
}

#[test]
fn a_gap_through_a_stop_fills_at_the_open_and_not_at_the_stop() {
    let mut market = Market::holding(Some(95), None);
    assert_eq!(market.open(90), ["o2 triggered", "o2 SELL 10 at 89.1"]);
    assert!(market.held().is_empty());

    let mut market = Market::new();
    market.place(buy(1, 10, stop(105)));
    assert_eq!(market.open(110), ["o1 triggered", "o1 BUY 10 at 111.1"]);
}

#[test]
fn a_stop_touched_inside_a_bar_fills_at_the_stop_with_slippage() {
    let mut market = Market::holding(Some(95), None);
    assert_eq!(market.bar([100, 101, 96, 97]), NOTHING);
    assert_eq!(market.bar([97, 101, 95, 97]), ["o2 triggered", "o2 SELL 10 at 94.05"]);

    let mut market = Market::new();
    market.place(buy(1, 10, stop(105)));
    assert_eq!(market.bar([100, 104, 99, 104]), NOTHING);
    assert_eq!(market.bar([104, 105, 99, 104]), ["o1 triggered", "o1 BUY 10 at 106.05"]);
}

#[test]
fn a_limit_fills_only_where_the_price_went_through_it_and_at_its_own_price() {
    let mut market = Market::new();
    market.place(buy(1, 10, limit(95)));
    assert_eq!(market.bar([100, 101, 95, 97]), NOTHING, "a touch is no fill");
    assert_eq!(market.bar([100, 101, 94, 97]), ["o1 BUY 10 at 95"]);
    assert_eq!(market.fills[0].cost, Money::from_nanos(1_900_000_000, Currency::USD)); // 0.2 % of 950

    let mut market = Market::new();
    market.place(sell(1, 10, limit(105)));
    assert_eq!(market.bar([100, 105, 99, 100]), NOTHING, "a touch is no fill");
    assert_eq!(market.bar([100, 106, 99, 100]), ["o1 SELL 10 at 105"]);
}

#[test]
fn a_limit_that_the_open_already_betters_fills_at_the_open() {
    let mut market = Market::new();
    market.place(buy(1, 10, limit(95)));
    assert_eq!(market.open(93), ["o1 BUY 10 at 93"]);

    let mut market = Market::new();
    market.place(sell(1, 10, limit(105)));
    assert_eq!(market.open(108), ["o1 SELL 10 at 108"]);
}

#[test]
fn a_stop_comes_before_a_target_in_the_same_bar() {
    let mut market = Market::holding(Some(95), Some(110));
    let said = market.bar([100, 112, 94, 108]);
    assert_eq!(said, ["o2 triggered", "o2 SELL 10 at 94.05", "o3 cancelled: its position is closed"]);
}

#[test]
fn a_target_fills_where_the_stop_is_left_alone() {
    let mut market = Market::holding(Some(95), Some(110));
    assert_eq!(market.bar([100, 112, 96, 108]), ["o3 SELL 10 at 110", "o2 cancelled: its position is closed"]);
    assert!(market.working().is_empty());
}

#[test]
fn a_short_is_the_mirror_image_of_a_long() {
    let mut market = Market::new();
    market.place(with_exits(sell(1, 10, OrderKind::Market), Some(105), Some(90)));
    let said = market.bar([100, 104, 90, 95]);
    assert_eq!(said, ["o1 SELL 10 at 99", "o2 leg BUY 10 stop 105", "o3 leg BUY 10 limit 90"]);
    let said = market.bar([95, 106, 89, 100]);
    assert_eq!(said, ["o2 triggered", "o2 BUY 10 at 106.05", "o3 cancelled: its position is closed"]);
}

#[test]
fn legs_of_a_position_opened_at_the_open_live_in_that_bar() {
    let mut market = Market::new();
    market.place(with_exits(buy(1, 10, OrderKind::Market), Some(95), Some(110)));
    assert_eq!(market.open(100), ["o1 BUY 10 at 101", "o2 leg SELL 10 stop 95", "o3 leg SELL 10 limit 110"]);
    assert_eq!(market.close([100, 112, 99, 108]), ["o3 SELL 10 at 110", "o2 cancelled: its position is closed"]);
}

#[test]
fn a_stop_leg_born_inside_a_bar_is_held_against_the_whole_of_it() {
    let mut market = Market::new();
    market.place(with_exits(buy(1, 10, limit(95)), Some(90), Some(105)));
    let said = market.bar([100, 106, 89, 104]);
    let bought = ["o1 BUY 10 at 95", "o2 leg SELL 10 stop 90", "o3 leg SELL 10 limit 105"];
    assert_eq!(said[..3], bought);
    assert_eq!(said[3..], ["o2 triggered", "o2 SELL 10 at 89.1", "o3 cancelled: its position is closed"]);
}

#[test]
fn a_target_born_inside_a_bar_waits_for_the_next() {
    let mut market = Market::new();
    market.place(with_exits(buy(1, 10, limit(95)), Some(90), Some(105)));
    let said = market.bar([100, 106, 91, 104]);
    assert_eq!(said, ["o1 BUY 10 at 95", "o2 leg SELL 10 stop 90", "o3 leg SELL 10 limit 105"]);
    assert_eq!(market.bar([104, 106, 103, 105]), ["o3 SELL 10 at 105", "o2 cancelled: its position is closed"]);
}

#[test]
fn an_order_takes_a_tenth_of_the_volume_and_its_rest_waits_for_the_next_open() {
    let mut market = Market::with_volume(100);
    market.place(buy(1, 25, OrderKind::Market));
    assert_eq!(market.open(100), ["o1 BUY 10 at 101"], "at an open the volume of the bar before counts");
    market.volume = Some(200);
    assert_eq!(market.close([100, 102, 98, 101]), NOTHING, "a market order trades at opens only");
    assert_eq!(market.open(110), ["o1 BUY 15 at 111.1"]);
    assert!(market.fills.iter().all(|fill| fill.liquidity == Liquidity::VolumeCapped));
    assert_eq!(market.held(), [(1, 25)]);
    assert_eq!(market.working(), [9]);
}

#[test]
fn the_rest_of_a_capped_limit_keeps_its_price() {
    let mut market = Market::with_volume(100);
    market.place(buy(1, 25, limit(95)));
    assert_eq!(market.bar([100, 101, 94, 96]), ["o1 BUY 10 at 95"]);
    assert_eq!(market.bar([100, 101, 95, 96]), NOTHING, "a touch is no fill");
    market.volume = Some(300);
    assert_eq!(market.bar([100, 101, 94, 96]), ["o1 BUY 15 at 95"]);
}

#[test]
fn what_traded_at_the_open_leaves_less_for_the_bar() {
    let mut market = Market::with_volume(100);
    market.place(buy(1, 6, OrderKind::Market));
    market.place(buy(4, 10, limit(95)));
    assert_eq!(market.bar([100, 101, 94, 96]), ["o1 BUY 6 at 101", "o4 BUY 4 at 95"]);
    assert_eq!(market.bar([100, 101, 94, 96]), ["o4 BUY 6 at 95"]);
}

#[test]
fn the_better_price_trades_first_where_volume_is_short() {
    let mut market = Market::with_volume(100);
    market.place(buy(1, 8, limit(95)));
    market.place(buy(4, 8, limit(96)));
    assert_eq!(market.bar([100, 101, 94, 95]), ["o4 BUY 8 at 96", "o1 BUY 2 at 95"]);
}

#[test]
fn a_capped_stop_sells_its_rest_at_the_next_open() {
    let mut market = Market::holding(Some(95), Some(120));
    market.volume = Some(60);
    assert_eq!(market.bar([100, 101, 95, 97]), ["o2 triggered", "o2 SELL 6 at 94.05", "o3 is now 4 limit 120"]);
    assert_eq!(market.open(98), ["o2 SELL 4 at 97.02", "o3 cancelled: its position is closed"]);
}

#[test]
fn a_series_without_range_fills_only_at_a_close_after_the_order() {
    let mut market = Market::new();
    market.now = hour(0, 20);
    market.place(buy(1, 10, OrderKind::Market));
    assert_eq!(market.print(100), NOTHING, "an order of the very instant of a close comes too late for it");
    market.now = hour(1, 16);
    market.place(buy(4, 10, limit(95)));
    market.place(buy(7, 10, stop(115)));
    assert_eq!(market.print(110), ["o1 BUY 10 at 111.1"]);
    assert_eq!(market.print(94), ["o4 BUY 10 at 94"]);
    assert_eq!(market.print(120), ["o7 triggered", "o7 BUY 10 at 121.2"]);
}

#[test]
fn legs_born_at_a_close_without_range_wait_for_the_next_close() {
    let mut market = Market::new();
    market.place(with_exits(buy(1, 10, OrderKind::Market), Some(95), Some(110)));
    assert_eq!(market.print(100), ["o1 BUY 10 at 101", "o2 leg SELL 10 stop 95", "o3 leg SELL 10 limit 110"]);
    assert_eq!(market.print(90), ["o2 triggered", "o2 SELL 10 at 89.1", "o3 cancelled: its position is closed"]);
}

#[test]
fn a_day_order_ends_with_the_risk_day_and_the_other_kind_does_not() {
    let mut market = Market::new();
    market.place(for_the_day(buy(1, 10, limit(90))));
    market.place(buy(4, 10, limit(90)));
    assert_eq!(market.bar([100, 101, 95, 97]), NOTHING, "20:00 UTC is before the end of the day");
    assert_eq!(market.open(85), ["o1 expired", "o4 BUY 10 at 85"]);
}

#[test]
fn a_day_order_placed_at_the_end_of_a_risk_day_belongs_to_the_next() {
    let mut market = Market::new();
    market.bar([100, 101, 99, 100]);
    market.now = hour(0, 21);
    market.place(for_the_day(buy(1, 10, limit(90))));
    assert_eq!(market.open(85), ["o1 BUY 10 at 85"]);
}

#[test]
fn a_changed_order_waits_for_the_next_bar() {
    let mut market = Market::new();
    market.place(buy(1, 10, limit(90)));
    market.open(100);
    assert_eq!(market.modify(1, 12, limit(96)), ["o1 is now 12 limit 96"]);
    assert_eq!(market.close([100, 101, 89, 97]), NOTHING, "neither at the old price nor at the new one");
    assert_eq!(market.bar([100, 101, 95, 97]), ["o1 BUY 12 at 96"]);
}

#[test]
fn a_change_below_what_has_traded_is_refused() {
    let mut market = Market::with_volume(100);
    market.place(buy(1, 25, limit(95)));
    assert_eq!(market.bar([100, 101, 94, 96]), ["o1 BUY 10 at 95"]);
    assert_eq!(market.modify(1, 4, limit(95)), ["o1 not modified: more than that has traded already"]);
    assert_eq!(market.modify(1, 10, limit(95)), ["o1 not modified: more than that has traded already"]);
    assert_eq!(market.modify(1, 14, limit(95)), ["o1 is now 14 limit 95"]);
    assert_eq!(market.bar([100, 101, 94, 96]), ["o1 BUY 4 at 95"]);
    assert_eq!(market.modify(1, 20, limit(95)), ["o1 not modified: no such order works here"]);
}

#[test]
fn a_second_order_with_the_same_number_is_rejected_and_the_first_stands() {
    let mut market = Market::new();
    market.place(buy(1, 10, OrderKind::Market));
    assert_eq!(market.place(sell(1, 3, limit(90))), ["o1 rejected: an order with this number works here already"]);
    assert_eq!(market.open(100), ["o1 BUY 10 at 101"]);
}

#[test]
fn an_order_for_nothing_or_at_no_price_is_rejected() {
    let mut market = Market::new();
    let refused = ["o1 rejected: quantity and price must be above zero"];
    assert_eq!(market.place(buy(1, 0, OrderKind::Market)), refused);
    assert_eq!(market.place(buy(1, 10, limit(0))), refused);
    assert_eq!(market.place(buy(1, 10, stop(-5))), refused);
    assert!(market.working().is_empty());
}

#[test]
fn a_cancelled_order_never_fills_and_an_unknown_one_is_not_cancelled() {
    let mut market = Market::new();
    market.place(buy(1, 10, OrderKind::Market));
    assert_eq!(market.cancel(7), ["o7 not cancelled: no such order works here"]);
    assert_eq!(market.cancel(1), ["o1 cancelled: as asked"]);
    assert_eq!(market.cancel(1), ["o1 not cancelled: no such order works here"]);
    assert_eq!(market.bar([100, 110, 90, 100]), NOTHING);
}

#[test]
fn a_closing_order_needs_a_position_that_it_fits() {
    let mut market = Market::new();
    let close = closing(sell(5, 10, OrderKind::Market));
    assert_eq!(market.place(close), ["o5 rejected: the position it closes is not open"]);

    let mut market = Market::holding(Some(95), None);
    let wrong = closing(buy(5, 10, OrderKind::Market));
    assert_eq!(market.place(wrong), ["o5 rejected: the order does not fit the position it closes"]);
    assert_eq!(market.open(90), ["o2 triggered", "o2 SELL 10 at 89.1"]);
    assert_eq!(market.place(close), ["o5 rejected: the position it closes is not open"]);
}

#[test]
fn a_stop_out_takes_the_legs_and_the_rest_of_its_opening_order_with_it() {
    let mut market = Market::with_volume(100);
    market.place(with_exits(buy(1, 25, OrderKind::Market), Some(95), Some(120)));
    assert_eq!(market.open(100), ["o1 BUY 10 at 101", "o2 leg SELL 10 stop 95", "o3 leg SELL 10 limit 120"]);
    market.volume = Some(300);
    let said = market.close([100, 101, 94, 96]);
    assert_eq!(said[..3], ["o2 triggered", "o1 cancelled: an exit of its position was touched", "o2 SELL 10 at 94.05"]);
    assert_eq!(said[3..], ["o3 cancelled: its position is closed"]);
    assert!(market.held().is_empty());
    assert_eq!(market.working(), [9]);
    assert_eq!(market.bar([100, 125, 90, 100]), NOTHING, "no re-entry");
}

#[test]
fn a_position_closed_by_hand_takes_the_rest_of_its_opening_order_with_it() {
    let mut market = Market::with_volume(100);
    market.place(with_exits(buy(1, 25, limit(95)), Some(80), None));
    assert_eq!(market.bar([100, 101, 94, 96]), ["o1 BUY 10 at 95", "o2 leg SELL 10 stop 80"]);
    market.place(closing(sell(5, 10, OrderKind::Market)));
    let said = market.bar([100, 101, 94, 96]);
    assert_eq!(said[0], "o5 SELL 10 at 99");
    assert_eq!(said[1..], ["o2 cancelled: its position is closed", "o1 cancelled: its position is closed"]);
}

#[test]
fn a_partial_close_resizes_both_legs() {
    let mut market = Market::holding(Some(95), Some(120));
    market.place(closing(sell(5, 4, OrderKind::Market)));
    assert_eq!(market.open(110), ["o5 SELL 4 at 108.9", "o2 is now 6 stop 95", "o3 is now 6 limit 120"]);
    let said = market.close([110, 111, 94, 96]);
    assert_eq!(said, ["o2 triggered", "o2 SELL 6 at 94.05", "o3 cancelled: its position is closed"]);
    assert!(market.held().is_empty() && market.working().is_empty());
}

#[test]
fn legs_grow_with_their_position() {
    let mut market = Market::with_volume(100);
    market.place(with_exits(buy(1, 15, OrderKind::Market), Some(95), Some(120)));
    let said = market.bar([100, 101, 99, 100]);
    assert_eq!(said, ["o1 BUY 10 at 101", "o2 leg SELL 10 stop 95", "o3 leg SELL 10 limit 120"]);
    assert_eq!(market.open(100), ["o1 BUY 5 at 101", "o2 is now 15 stop 95", "o3 is now 15 limit 120"]);
}

#[test]
fn closing_orders_never_trade_more_than_is_held() {
    let mut market = Market::holding(None, None);
    market.place(closing(sell(5, 8, OrderKind::Market)));
    market.place(closing(sell(6, 8, OrderKind::Market)));
    assert_eq!(market.open(100), ["o5 SELL 8 at 99", "o6 SELL 2 at 99", "o6 cancelled: its position is closed"]);
    assert!(market.held().is_empty() && market.working().is_empty());
}

#[test]
fn exits_of_a_position_are_placed_changed_and_removed() {
    let mut market = Market::holding(Some(95), None);
    assert_eq!(market.protect(Some(97), Some(120)), ["o2 is now 10 stop 97", "o21 leg SELL 10 limit 120"]);
    assert_eq!(market.protect(Some(97), Some(120)), NOTHING, "they stand like that already");
    assert_eq!(market.protect(None, Some(120)), ["o2 cancelled: as asked"]);
    assert_eq!(market.bar([100, 125, 90, 100]), ["o21 SELL 10 at 120"]);
}

#[test]
fn a_restored_exchange_knows_positions_and_their_legs() {
    let mut market = Market::new();
    let leg = closing(sell(2, 10, stop(95)));
    let origin = Origin::Protective(ProtectiveReason::StopLoss);
    let order = Order { request: OrderRequest { origin, ..leg.request }, ..leg };
    let position = RestoredPosition {
        id: PositionId(1),
        account: AccountId(1),
        instrument: INSTRUMENT,
        side: PositionSide::Long,
        quantity: units(10),
    };
    let legs = vec![RestoredOrder { order, left: units(10), broker_ref: BrokerRef(4) }];
    market.exchange.restore(legs, vec![position], std::iter::empty());
    market.place(closing(sell(5, 4, OrderKind::Market)));
    assert_eq!(market.open(100), ["o5 SELL 4 at 99", "o2 is now 6 stop 95"]);
    assert_eq!(market.close([100, 101, 94, 96]), ["o2 triggered", "o2 SELL 6 at 94.05"]);
    assert!(market.held().is_empty());
}

#[test]
fn a_limit_filled_beyond_its_own_stop_is_stopped_out_at_that_open() {
    let mut market = Market::new();
    market.place(with_exits(buy(1, 10, limit(100)), Some(95), None));
    let said = market.open(90);
    assert_eq!(said, ["o1 BUY 10 at 90", "o2 leg SELL 10 stop 95", "o2 triggered", "o2 SELL 10 at 89.1"], "a gap earns nothing");
    assert_eq!(market.close([90, 92, 88, 91]), NOTHING);
}

#[test]
fn a_touched_stop_is_not_starved_by_the_order_that_opens_its_position() {
    let mut market = Market::with_volume(100);
    market.place(with_exits(buy(1, 50, OrderKind::Market), Some(95), None));
    let said = market.bar([100, 101, 94, 94]);
    assert_eq!(
        said[2..],
        ["o2 triggered", "o1 cancelled: an exit of its position was touched"],
        "the volume of the bar is used up"
    );
    assert_eq!(market.open(90), ["o2 SELL 10 at 89.1"]);
    assert!(market.held().is_empty());
}

#[test]
fn the_first_order_in_an_instrument_is_capped_too() {
    let mut market = Market::new();
    market.volume = Some(100);
    market.bar([100, 101, 99, 100]);
    market.place(buy(1, 1_000_000, OrderKind::Market));
    assert_eq!(market.open(100), ["o1 BUY 10 at 101"]);
    assert_eq!(market.fills[0].liquidity, Liquidity::VolumeCapped);
}

#[test]
fn a_day_order_does_not_fill_after_its_day() {
    let mut market = Market::new();
    market.print(100);
    market.place(for_the_day(buy(1, 10, OrderKind::Market)));
    assert_eq!(market.print(90), ["o1 expired"], "it ended on Monday evening");
}

#[test]
fn an_order_made_at_the_instant_of_an_open_waits_for_the_next_bar() {
    let mut market = Market::new();
    market.place(buy(9, 1, limit(1)));
    market.open(100);
    market.now = hour(0, 14);
    market.place(buy(1, 10, stop(90)));
    assert_eq!(market.close([100, 101, 99, 100]), NOTHING);
    assert_eq!(market.open(100), ["o1 triggered", "o1 BUY 10 at 101"]);
}

#[test]
fn a_touched_stop_can_no_longer_be_moved() {
    let mut market = Market::holding(Some(95), Some(120));
    market.volume = Some(60);
    market.bar([100, 101, 95, 97]);
    assert_eq!(market.held(), [(1, 4)]);
    assert_eq!(market.protect(Some(95), Some(130)), ["o3 is now 4 limit 130"], "the target moves, the stop is being carried out");
    assert_eq!(market.open(98)[0], "o2 SELL 4 at 97.02");
    assert!(market.held().is_empty());
}

#[test]
fn nothing_fills_outside_the_prices_of_its_bar() {
    let mut market = Market::with_volume(100);
    market.place(buy(1, 15, limit(95)));
    market.volume = Some(1_000);
    assert_eq!(market.bar([92, 93, 91, 92]), ["o1 BUY 10 at 92", "o1 BUY 5 at 93"]);
}

#[test]
fn a_price_of_nothing_is_no_change() {
    let mut market = Market::new();
    market.place(buy(1, 10, limit(95)));
    assert_eq!(market.modify(1, 10, limit(-5)), ["o1 not modified: the price must be above zero"]);
}
