//! The pre-trade gate: where an order is refused.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Instrument, Mode, Money, Order, OrderRequest, OrderSide, Origin, Position, Price, ProtectiveReason, Ratio, TradingState,
};
use crate::risk::checks::Fine;
use crate::risk::{Check, CheckOutcome, CheckResult, Limits, OppositeOrders};

/// Proof that an order passed every check. Only this room can make one, and it can be spent once.
#[derive(Debug, PartialEq, Eq)]
pub struct Approved<T> {
    inner: T,
}

impl<T> Approved<T> {
    /// Looks at what was approved.
    pub const fn get(&self) -> &T {
        &self.inner
    }

    /// Spends the approval.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

/// What a person has typed beyond the confirm key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acknowledged {
    /// Only the confirm key.
    #[default]
    Nothing,
    /// The symbol, because a precaution limit is exceeded.
    Precautions,
}

/// Everything the checks look at, as of the decision.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Where orders may go.
    pub mode: Mode,
    /// Whether trading is allowed.
    pub state: TradingState,
    /// The instrument, if it is known.
    pub instrument: Option<&'a Instrument>,
    /// Whether an order that arrives now can still meet a price.
    pub can_fill: bool,
    /// The last price, unless it is stale.
    pub fresh_price: Option<Price>,
    /// The position a closing order names, if it is open.
    pub closing: Option<&'a Position>,
    /// Whether a position of the other side is open in this instrument.
    pub holds_opposite: bool,
    /// Whether an order that opens the other side works in this instrument.
    pub crosses: bool,
    /// Whether an identical order is open.
    pub has_twin: bool,
    /// Whether a latched breaker refuses what this order would open.
    pub is_blocked: bool,
    /// Orders whose fate is unknown.
    pub unknown_orders: u32,
    /// Equity now.
    pub equity: Money,
    /// Cash now.
    pub cash: Money,
    /// Value held and on order in this instrument.
    pub instrument_exposure: Money,
    /// Value held and on order in this instrument's sector.
    pub sector_exposure: Money,
    /// Value held and on order in what moves with this instrument, itself included.
    pub correlated_exposure: Money,
    /// Value of all positions and opening orders.
    pub gross_exposure: Money,
    /// What opening orders on their way may still take from cash.
    pub cash_on_order: Money,
    /// Share of the value to set aside for costs and slippage of one side.
    pub cost_allowance: Ratio,
    /// Opening orders of this risk day.
    pub trades_today: u32,
    /// Opening orders of the last minute of market time.
    pub orders_lately: u32,
    /// Loss of the day, week and from the peak, as shares.
    pub daily_loss: Option<Ratio>,
    /// See `daily_loss`.
    pub weekly_loss: Option<Ratio>,
    /// See `daily_loss`.
    pub drawdown: Option<Ratio>,
    /// Whether an opening order must carry a stop-loss: at a broker, where this program may be cut off from its position.
    pub needs_stop: bool,
    /// The limits in force.
    pub limits: &'a Limits,
}

/// A refused order with every check that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// All checks; at least one did not pass.
    pub checks: Vec<CheckResult>,
}

impl Refusal {
    /// The first check that refused.
    pub fn first(&self) -> Option<CheckResult> {
        let failed = |outcome| self.checks.iter().find(|result| result.outcome == outcome).copied();
        failed(CheckOutcome::Fail).or_else(|| failed(CheckOutcome::Precaution))
    }

    /// What a person reads: the code, the demand, the number.
    pub fn sentence(&self) -> String {
        self.first().map_or_else(String::new, |result| {
            let numbers = result.to_string();
            let numbers = if numbers.is_empty() { numbers } else { format!(" ({numbers})") };
            format!("{} not met: {}{numbers}", result.check.code(), result.check.sentence())
        })
    }
}

/// Approves the order or says why not.
pub fn check(order: Order, situation: &Situation<'_>, acknowledged: Acknowledged) -> Result<Approved<Order>, Refusal> {
    let checks = assess(&order.request, situation);
    let allowed = |result: &CheckResult| match result.outcome {
        CheckOutcome::Pass => true,
        CheckOutcome::Precaution => acknowledged == Acknowledged::Precautions,
        CheckOutcome::Fail => false,
    };
    if checks.iter().all(allowed) { Ok(Approved { inner: order }) } else { Err(Refusal { checks }) }
}

/// Makes every check and returns all results, for the preview.
pub fn assess(request: &OrderRequest, now: &Situation<'_>) -> Vec<CheckResult> {
    let mut results = Vec::with_capacity(Check::ALL.len());
    let mut plain = |check, holds: bool| results.push(CheckResult::plain(check, Fine::from(holds)));
    plain(Check::Mode, now.mode != Mode::ReadOnly || is_kill(request));
    plain(Check::State, state_allows(request, now.state));
    plain(Check::Instrument, now.instrument.is_some_and(|known| known.tradable && known.currency == now.equity.currency()));
    plain(Check::Market, now.can_fill);
    plain(Check::Quantity, now.instrument.is_some_and(|known| quantity_fits(request, known)));
    if request.opens_exposure() {
        results.extend(order_value_fits(order_value(request, now), now.limits));
    }
    let mut plain = |check, holds: bool| results.push(CheckResult::plain(check, Fine::from(holds)));
    plain(Check::Price, now.instrument.is_some_and(|known| price_fits(request, known)));
    plain(Check::Fresh, now.fresh_price.is_some() || request.origin.is_protective());
    results.push(collar(request, now));
    results.push(CheckResult::plain(Check::Protection, Fine::from(protection_fits(request, now))));
    if request.opens_exposure() {
        opening_checks(request, now, &mut results);
    } else {
        results.push(CheckResult::plain(Check::Reduces, Fine::from(reduces(request, now))));
        results.push(CheckResult::plain(Check::Twin, Fine::from(!now.has_twin || request.origin.is_protective())));
    }
    results
}

fn opening_checks(request: &OrderRequest, now: &Situation<'_>, results: &mut Vec<CheckResult>) {
    let limits = now.limits;
    let value = order_value(request, now);
    let share = |held: Money| value.and_then(|value| held.plus(value).ok()).and_then(|sum| sum.ratio_to(now.equity));
    let mut plain = |check, holds: bool| results.push(CheckResult::plain(check, Fine::from(holds)));
    plain(Check::Opposite, !now.holds_opposite);
    if limits.opposite_orders == OppositeOrders::Refuse {
        plain(Check::Crossing, !now.crosses);
    }
    plain(Check::Twin, !now.has_twin);
    plain(Check::Unknown, now.unknown_orders == 0);
    plain(Check::Breaker, !now.is_blocked);
    results.push(position_size(request, share(now.instrument_exposure), limits));
    results.push(CheckResult::at_most(Check::Sector, share(now.sector_exposure), limits.max_sector));
    if let Some(limit) = limits.max_correlated {
        results.push(CheckResult::at_most(Check::Correlated, share(now.correlated_exposure), limit));
    }
    results.push(CheckResult::at_most(Check::Gross, share(now.gross_exposure), limits.max_gross));
    results.push(CheckResult::plain(Check::Cash, Fine::from(cash_covers(request, value, now))));
    let count = |trades: u32| Ratio::of(i128::from(trades), 1);
    let allowed = count(limits.trades_per_day).unwrap_or(Ratio::ZERO);
    results.push(CheckResult::at_most(Check::Trades, count(now.trades_today.saturating_add(1)), allowed));
    if let Some(limit) = limits.orders_per_minute {
        let limit = count(limit).unwrap_or(Ratio::ZERO);
        results.push(CheckResult::at_most(Check::Rate, count(now.orders_lately.saturating_add(1)), limit));
    }
    results.push(below(Check::DailyLoss, now.daily_loss, limits.daily_loss));
    results.push(below(Check::WeeklyLoss, now.weekly_loss, limits.weekly_loss));
    results.push(below(Check::Drawdown, now.drawdown, limits.drawdown_act));
}

/// A loss check: reaching the limit already refuses.
fn below(check: Check, value: Option<Ratio>, limit: Ratio) -> CheckResult {
    let outcome = if value.is_some_and(|value| value < limit) { CheckOutcome::Pass } else { CheckOutcome::Fail };
    CheckResult { check, outcome, value, limit: Some(limit) }
}

fn is_kill(request: &OrderRequest) -> bool {
    request.origin == Origin::Protective(ProtectiveReason::KillSwitch)
}

fn state_allows(request: &OrderRequest, state: TradingState) -> bool {
    match state {
        TradingState::Active => true,
        TradingState::Reducing => !request.opens_exposure(),
        TradingState::Halted => is_kill(request),
    }
}

fn quantity_fits(request: &OrderRequest, instrument: &Instrument) -> bool {
    let quantity = request.quantity;
    let whole = quantity.is_positive() && quantity.is_multiple_of(instrument.lot);
    whole && (quantity >= instrument.min_quantity || !request.opens_exposure())
}

fn price_fits(request: &OrderRequest, instrument: &Instrument) -> bool {
    let protection = [request.protection.stop_loss, request.protection.take_profit];
    let named = [request.named_price()].into_iter().chain(protection).flatten();
    named.into_iter().all(|price| price.is_positive() && price.rounded_to(instrument.tick) == price)
}

/// The value against the smallest and the largest; nothing where a run knows neither.
fn order_value_fits(value: Option<Money>, limits: &Limits) -> Option<CheckResult> {
    let units = |amount: Option<u32>| amount.and_then(|units| Ratio::of(i128::from(units), 1));
    let (least, most) = (units(limits.min_order_value), units(limits.max_order_value));
    least.or(most)?;
    let value = value.map(|value| Ratio::from_nanos(value.nanos()));
    let too_small = least.filter(|least| value.is_some_and(|value| value < *least));
    let limit = too_small.or(most).or(least)?;
    let is_fine = too_small.is_none() && value.is_some_and(|value| most.is_none_or(|most| value <= most));
    let outcome = if is_fine { CheckOutcome::Pass } else { CheckOutcome::Fail };
    Some(CheckResult { check: Check::Value, outcome, value, limit: Some(limit) })
}

/// The price the order is valued at: the named one, else the last.
fn valuation_price(request: &OrderRequest, now: &Situation<'_>) -> Option<Price> {
    request.named_price().or(now.fresh_price)
}

fn order_value(request: &OrderRequest, now: &Situation<'_>) -> Option<Money> {
    Money::notional(valuation_price(request, now)?, request.quantity, now.equity.currency()).ok()
}

fn collar(request: &OrderRequest, now: &Situation<'_>) -> CheckResult {
    let limit = now.limits.price_collar;
    match (request.named_price(), now.fresh_price) {
        (None, _) => CheckResult { check: Check::Collar, outcome: CheckOutcome::Pass, value: None, limit: None },
        (Some(named), last) => {
            let distance = last.and_then(|last| named.change_from(last)).map(|change| Ratio::from_nanos(change.nanos().abs()));
            CheckResult::at_most(Check::Collar, distance, limit)
        }
    }
}

fn protection_fits(request: &OrderRequest, now: &Situation<'_>) -> bool {
    if now.needs_stop && request.opens_exposure() && request.protection.stop_loss.is_none() {
        return false;
    }
    let entry = valuation_price(request, now);
    let on_side = |price: Option<Price>, loses: bool| match (price, entry) {
        (None, _) => true,
        (Some(price), Some(entry)) => price != entry && request.side.loses_at(entry, price) == loses,
        (Some(_), None) => false,
    };
    on_side(request.protection.stop_loss, true) && on_side(request.protection.take_profit, false)
}

fn reduces(request: &OrderRequest, now: &Situation<'_>) -> bool {
    now.closing.is_some_and(|position| {
        position.instrument == request.instrument
            && position.side.closing() == request.side
            && request.quantity <= position.quantity
    })
}

fn position_size(request: &OrderRequest, share: Option<Ratio>, limits: &Limits) -> CheckResult {
    let written_by_hand = request.origin == Origin::Ticket;
    let outcome = match share {
        Some(share) if share <= limits.max_position => CheckOutcome::Pass,
        Some(share) if written_by_hand && share <= limits.max_ticket_position => CheckOutcome::Precaution,
        Some(_) | None => CheckOutcome::Fail,
    };
    let limit = if written_by_hand { limits.max_ticket_position } else { limits.max_position };
    let limit = if outcome == CheckOutcome::Precaution { limits.max_position } else { limit };
    CheckResult { check: Check::Position, outcome, value: share, limit: Some(limit) }
}

/// A buy needs cash for value and costs; a short needs the same set aside against its value.
fn cash_covers(request: &OrderRequest, value: Option<Money>, now: &Situation<'_>) -> bool {
    let needed = value.and_then(|value| value.plus(value.times(now.cost_allowance).ok()?).ok());
    let free = match request.side {
        OrderSide::Buy => now.cash.minus(now.cash_on_order),
        OrderSide::Sell => now.equity.minus(now.gross_exposure),
    };
    matches!((needed, free), (Some(needed), Ok(free)) if needed.nanos() <= free.nanos())
}
