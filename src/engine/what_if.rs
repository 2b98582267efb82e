//! What every gauge would show once an order has traded. Nothing of the state changes; made with a preview, off the way of an event.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::{InstrumentId, Money, OrderRequest, OrderSide, Ratio};
use crate::engine::{Engine, PreviewSubject};
use crate::risk::{self, Exposures, Gauge, Metric, Rule, TailRisk};

/// Every gauge before and after an order, both computed at the same moment: what a day may cost is elsewhere as of the last closed bar.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WhatIf {
    /// As the book is.
    pub now: Vec<Gauge>,
    /// As if the order had traded whole at the price that it is valued at.
    pub then: Vec<Gauge>,
}

/// A book as it is or would be.
struct After {
    equity: Money,
    held: BTreeSet<InstrumentId>,
    gross: Money,
    largest: Money,
    trades_today: u32,
    /// What a day may cost; `None` where it cannot be said.
    tail: Option<TailRisk>,
}

impl Engine {
    /// The gauges as if the order of a preview traded whole and at once at the price that it is valued at, and cost what tests assume.
    /// Empty for a change of an order or of exits, and where its value cannot be said.
    pub(super) fn what_if(&self, subject: &PreviewSubject, request: &OrderRequest, value: Option<Money>) -> WhatIf {
        let is_trade = match subject {
            PreviewSubject::Proposal(_) | PreviewSubject::Request(_) => true,
            PreviewSubject::Change { .. } | PreviewSubject::Exits { .. } => false,
        };
        let order = value.filter(|_| is_trade).map(|value| (request, value));
        let Some((now, then)) = order.and_then(|order| Some((self.as_if(None)?, self.as_if(Some(order))?))) else {
            return WhatIf::default();
        };
        WhatIf { now: self.gauges_of(&now), then: self.gauges_of(&then) }
    }

    fn gauges_of(&self, after: &After) -> Vec<Gauge> {
        let exposures =
            Exposures { equity: after.equity, gross: after.gross, largest: after.largest, trades_today: after.trades_today };
        let (rules, limits) = (&self.settings.breakers, &self.settings.limits);
        risk::gauges(rules, limits, &self.book.breakers, &exposures, |rule| self.gauged_after(rule, after))
    }

    /// The book as it is, or as it would be with an order of this value.
    fn as_if(&self, order: Option<(&OrderRequest, Money)>) -> Option<After> {
        let book = &self.book;
        let nothing = Money::zero(book.ledger.currency());
        let value = order.map_or(nothing, |(_, value)| value);
        let equity = book.performance.equity().minus(value.times(self.cost_allowance()).ok()?).ok()?;
        let opens = order.is_some_and(|(request, _)| request.opens_exposure());
        let by_size = |held: Money| if opens { held.plus(value) } else { held.minus(value) };
        let at_least_nothing = |money: Money| if money.nanos() < 0 { nothing } else { money };
        let mut held: BTreeSet<InstrumentId> = book.ledger.positions().values().map(|position| position.instrument).collect();
        if let Some((request, _)) = order {
            if opens {
                held.insert(request.instrument);
            } else if self.is_whole(request) {
                held.remove(&request.instrument);
            }
        }
        let is_meant = |id: InstrumentId| order.is_some_and(|(request, _)| request.instrument == id);
        let size = |id: InstrumentId| {
            let now = book.valuation.exposure(id, &book.ledger).ok()?.gross;
            if is_meant(id) { by_size(now).ok().map(at_least_nothing) } else { Some(now) }
        };
        let sizes = held.iter().map(|id| size(*id)).collect::<Option<Vec<_>>>()?;
        Some(After {
            equity,
            gross: at_least_nothing(by_size(book.valuation.gross(&book.ledger).ok()?).ok()?),
            largest: sizes.into_iter().max_by_key(|size| size.nanos()).unwrap_or(nothing),
            trades_today: book.trades_today.saturating_add(u32::from(opens)),
            tail: self.tail_as_if(order, equity, &held),
            held,
        })
    }

    /// Whether a closing order leaves nothing of its instrument.
    fn is_whole(&self, request: &OrderRequest) -> bool {
        let positions = self.book.ledger.positions().values();
        let mut of_instrument = positions.filter(|position| position.instrument == request.instrument);
        of_instrument.all(|position| Some(position.id) == request.closes && position.quantity <= request.quantity)
    }

    fn tail_as_if(
        &self,
        order: Option<(&OrderRequest, Money)>,
        equity: Money,
        held: &BTreeSet<InstrumentId>,
    ) -> Option<TailRisk> {
        if !self.watches_tail() {
            return None;
        }
        let share = |id: InstrumentId| {
            let held = self.book.valuation.exposure(id, &self.book.ledger).ok()?.net;
            let held = match order.filter(|(request, _)| request.instrument == id) {
                None => held,
                Some((OrderRequest { side: OrderSide::Buy, .. }, value)) => held.plus(value).ok()?,
                Some((OrderRequest { side: OrderSide::Sell, .. }, value)) => held.minus(value).ok()?,
            };
            Some((id, held.ratio_to(equity)?))
        };
        let mut shares = held.iter().map(|id| share(*id)).collect::<Option<Vec<_>>>()?;
        shares.retain(|(_, share)| *share != Ratio::ZERO);
        self.tail_of(&shares)
    }

    /// The value of a row of the table in that book: what an order does not touch stays as it is.
    fn gauged_after(&self, rule: &Rule, after: &After) -> Option<Ratio> {
        let performance = &self.book.performance;
        let of_tail = |part: fn(&TailRisk) -> Ratio| match &after.tail {
            Some(tail) => Some(part(tail)),
            None => after.held.is_empty().then_some(Ratio::ZERO),
        };
        match rule.metric {
            Metric::Drawdown => performance.drawdown_at(after.equity),
            Metric::DailyLoss => performance.daily_loss_at(after.equity),
            Metric::WeeklyLoss => performance.weekly_loss_at(after.equity),
            Metric::ValueAtRisk => of_tail(TailRisk::value_at_risk),
            Metric::ExpectedShortfall => of_tail(TailRisk::expected_shortfall),
            Metric::VolatilitySpike => {
                let spikes = after.held.iter().filter_map(|id| self.market.get(*id)?.volatility_spike());
                spikes.filter_map(Ratio::from_f64).max()
            }
            Metric::StaleData => {
                let stale = after.held.iter().filter(|id| self.market.get(**id).is_some_and(|series| self.is_stale(series)));
                Ratio::of(stale.count() as i128, 1)
            }
            Metric::AccountVolatility | Metric::LosingStreak | Metric::RejectStreak | Metric::UnknownOrders => self.gauged(rule),
            Metric::ModelDecay | Metric::CallsRight | Metric::Slippage | Metric::Latency => self.gauged(rule),
            Metric::CorrelationBreakdown | Metric::DataQuality => self.gauged(rule),
        }
    }
}
