//! Gathers what the pre-trade checks look at. Cost does not grow with the number of orders or the length of history.

use crate::domain::{BrokerKind, InstrumentId, Money, OrderRequest};
use crate::engine::{Engine, Series};
use crate::risk::Situation;

impl Engine {
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
            has_twin: book.orders.has_twin(request),
            is_blocked: request.opens_exposure() && self.blocking(instrument, &request.origin).is_some(),
            unknown_orders: book.orders.unknown() + u32::from(book.doubts.positions_differ.is_some()),
            equity: self.counted_equity(),
            cash: book.ledger.cash(),
            instrument_exposure: self.exposure(instrument),
            sector_exposure: self.sector_exposure(instrument),
            gross_exposure: self.gross_with_orders(),
            cash_on_order: book.on_order_total(),
            cost_allowance: self.cost_allowance(),
            trades_today: book.trades_today,
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
        let nothing = Money::zero(self.book.ledger.currency());
        self.market
            .iter()
            .filter(|series| self.instruments.get(series.instrument).is_some_and(|other| other.sector == sector))
            .try_fold(nothing, |sum, series| sum.plus(self.exposure(series.instrument)))
            .unwrap_or_else(|_| self.beyond_measure())
    }

    pub(super) fn gross_with_orders(&self) -> Money {
        let book = &self.book;
        let held = book.valuation.gross(&book.ledger);
        held.and_then(|held| held.plus(book.on_order_total())).unwrap_or_else(|_| self.beyond_measure())
    }

    fn holds_opposite(&self, request: &OrderRequest) -> bool {
        let opens = request.side.opens();
        let against = |position: &&crate::domain::Position| position.instrument == request.instrument && position.side != opens;
        self.book.ledger.positions().values().any(|position| against(&position))
    }

    const fn beyond_measure(&self) -> Money {
        Money::from_nanos(i64::MAX, self.book.ledger.currency())
    }
}
