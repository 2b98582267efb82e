//! Gathers what the pre-trade checks look at. Cost does not grow with the number of orders or the length of history.

use crate::domain::{BrokerKind, InstrumentId, MarketTime, Money, OrderRequest, PositionSide};
use crate::engine::{Engine, Series};
use crate::risk::{self, CheckResult, Situation};

/// A minute in nanoseconds.
const MINUTE: i64 = 60_000_000_000;

impl Engine {
    /// Every check that an order would be held against now. Cost grows with the number of instruments, and not with orders or history.
    pub fn assess(&self, request: &OrderRequest) -> Vec<CheckResult> {
        risk::assess(request, &self.situation(request))
    }

    /// The situation of an order as of now.
    pub(super) fn situation(&self, request: &OrderRequest) -> Situation<'_> {
        let (book, instrument) = (&self.book, request.instrument);
        let series = self.market.get(instrument);
        let closing = request.closes.and_then(|position| book.ledger.position(position));
        let fresh = series.filter(|series| !self.is_stale(series));
        Situation {
            mode: book.mode,
            state: book.state,
            instrument: self.instruments.get(instrument).filter(|_| series.is_some()),
            can_fill: series.is_some_and(|series| series.can_fill(self.market.now())),
            fresh_price: fresh.and_then(|series| series.last()),
            closing,
            holds_opposite: request.opens_exposure() && self.holds_opposite(request),
            crosses: book.orders.opens(instrument, request.side.opposite()),
            has_twin: book.orders.has_twin(request),
            is_blocked: request.opens_exposure() && self.blocking(instrument, &request.origin).is_some(),
            unknown_orders: book.orders.unknown() + u32::from(book.doubts.positions_differ.is_some()),
            equity: self.counted_equity(),
            cash: book.ledger.cash(),
            instrument_exposure: self.exposure(instrument),
            sector_exposure: self.sector_exposure(instrument),
            correlated_exposure: self.correlated_exposure(request),
            gross_exposure: self.gross_with_orders(),
            cash_on_order: book.on_order_total(),
            cost_allowance: self.cost_allowance(),
            trades_today: book.trades_today,
            orders_lately: self.orders_lately(),
            daily_loss: book.performance.daily_loss(),
            weekly_loss: book.performance.weekly_loss(),
            drawdown: book.performance.drawdown(),
            needs_stop: self.settings.broker == BrokerKind::Xapi,
            limits: &self.settings.limits,
        }
    }

    /// Whether a price is too old to trade on: by the tape's time, or because a live feed is silent about it.
    pub(super) fn is_stale(&self, series: &Series) -> bool {
        self.book.silent.contains(&series.instrument) || series.is_stale(self.market.now())
    }

    /// Value held and on order in one instrument; an amount that does not fit counts as the largest there is.
    pub(super) fn exposure(&self, instrument: InstrumentId) -> Money {
        let book = &self.book;
        let held = book.valuation.exposure(instrument, &book.ledger).map(|exposure| exposure.gross);
        held.and_then(|held| held.plus(book.on_order(instrument))).unwrap_or_else(|_| self.beyond_measure())
    }

    /// Value held and on order in the instrument's sector.
    pub(super) fn sector_exposure(&self, instrument: InstrumentId) -> Money {
        let Some(sector) = self.instruments.get(instrument).map(|known| known.sector.as_str()) else {
            return self.beyond_measure();
        };
        self.exposure_of(self.sectors.of(sector).iter().map(|id| (*id, None)))
    }

    /// Value held and on order of several instruments, of each one side or both. On which side an order on its way will open is not kept
    /// by instrument, so all of them count.
    pub(super) fn exposure_of(&self, parts: impl Iterator<Item = (InstrumentId, Option<PositionSide>)> + Clone) -> Money {
        let book = &self.book;
        let held = book.valuation.total(parts.clone(), &book.ledger);
        let sum = held.and_then(|held| {
            if book.on_order_total() == Money::zero(held.currency()) {
                return Ok(held);
            }
            parts.map(|(id, _)| book.on_order(id)).try_fold(held, Money::plus)
        });
        sum.unwrap_or_else(|_| self.beyond_measure())
    }

    /// Value held and on order in what moves with the instrument of an order, the instrument itself included. Only what would lose with
    /// the order counts: the other side of what moves with it is a hedge.
    fn correlated_exposure(&self, request: &OrderRequest) -> Money {
        if self.settings.limits.max_correlated.is_none() || !request.opens_exposure() {
            return Money::zero(self.book.ledger.currency());
        }
        self.exposure_with(request.instrument, request.side.opens())
    }

    /// Opening orders of the last minute of market time, counted to the limit at most.
    fn orders_lately(&self) -> u32 {
        let Some(most) = self.settings.limits.orders_per_minute else { return 0 };
        let since = MarketTime(self.market.now().0.saturating_sub(MINUTE));
        self.book.orders.opened_since(since, most)
    }

    pub(super) fn gross_with_orders(&self) -> Money {
        let book = &self.book;
        let held = book.valuation.gross(&book.ledger);
        held.and_then(|held| held.plus(book.on_order_total())).unwrap_or_else(|_| self.beyond_measure())
    }

    fn holds_opposite(&self, request: &OrderRequest) -> bool {
        self.book.valuation.holds(request.instrument, request.side.opposite().opens())
    }

    const fn beyond_measure(&self) -> Money {
        Money::from_nanos(i64::MAX, self.book.ledger.currency())
    }
}
