//! Makes the picture.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{MarketTime, Money, OrderRequest, OrderSide, Origin, Position, PositionId, Protection, ProtectiveReason};
use crate::engine::history::Series;
use crate::engine::judging::closing_request;
use crate::engine::snapshot::{
    AccountView, BreakerRow, OrderPreview, PositionRow, PreviewSubject, ProposalRow, QuoteRow, ScoreRow, Snapshot,
    SnapshotRequest,
};
use crate::engine::{Engine, Proposal};
use crate::orders::TrackedOrder;
use crate::risk;

/// Orders shown; more open ones are counted.
const SHOWN_ORDERS: usize = 200;

impl Engine {
    /// A picture of everything the screen shows.
    pub fn snapshot(&self, request: &SnapshotRequest) -> Snapshot {
        let book = &self.book;
        let exits = self.working_exits();
        let exit_of = |position: &Position| exits.get(&position.id).copied().unwrap_or_default();
        let row = |position: &Position| PositionRow { protection: exit_of(position), ..self.position_row(position) };
        let positions: Vec<PositionRow> = book.ledger.positions().values().map(row).collect();
        Snapshot {
            run: book.run,
            tape: book.tape.as_ref().map_or_else(String::new, |tape| tape.name.clone()),
            market_now: self.market.now(),
            wall: self.wall,
            consumed: self.market.consumed(),
            is_quiet: self.is_quiet(),
            broker: self.settings.broker,
            mode: book.mode,
            state: book.state,
            reason: book.reason.clone(),
            kill: book.kill,
            rearm_requested: book.rearm_requested,
            needs_rearming: book.needs_rearming(),
            breakers: self.latched_breakers(),
            account: self.account_view(&positions),
            quotes: self.market.iter().map(|series| self.quote_row(series)).collect(),
            positions,
            orders: self.shown_orders(),
            open_orders: book.orders.open().len(),
            unknown_orders: book.orders.unknown(),
            positions_differ: book.doubts.positions_differ.is_some(),
            proposals: book.proposals.values().map(|proposal| self.proposal_row(proposal)).collect(),
            signals: book.signals.iter().rev().cloned().collect(),
            scores: book.scorecards.iter().map(|(source, card)| ScoreRow { source: *source, card: *card }).collect(),
            standing: self.standing_view(),
            looks: self.looks().collect(),
            gauges: self.gauges(),
            tail: self.watches_tail().then(|| book.tail.view()),
            days: book.performance.days().iter().copied().collect(),
            alerts: book.alerts.iter().rev().cloned().collect(),
            unacknowledged: book.alerts.iter().filter(|alert| !alert.acknowledged).count(),
            commentary: book.commentary.iter().rev().cloned().collect(),
            opinions: book.opinions.iter().rev().cloned().collect(),
            economy: self.economy_view(),
            activity: book.activity.iter().rev().cloned().collect(),
            preview: request.preview.as_ref().and_then(|subject| self.preview(subject)),
        }
    }

    fn quote_row(&self, series: &Series) -> QuoteRow {
        let quality = self.book.quality.of(series.instrument);
        QuoteRow {
            quality,
            is_poor: quality.is_some_and(|quality| self.is_poor(quality)),
            instrument: series.instrument,
            last: series.last(),
            bid: series.quote.and_then(|quote| quote.bid),
            ask: series.quote.and_then(|quote| quote.ask),
            change: series.change(),
            known_at: series.quoted_at,
            is_stale: self.is_stale(series),
            origin: series.quote.map(|quote| quote.origin),
            capabilities: series.capabilities,
            bars: series.bars.clone(),
            forming: series.forming,
        }
    }

    /// The exits that really work, by position: what was wished for is not what protects.
    pub(super) fn working_exits(&self) -> BTreeMap<PositionId, Protection> {
        let mut exits = BTreeMap::<PositionId, Protection>::new();
        for tracked in self.book.orders.open().values() {
            let request = &tracked.order.request;
            let (Some(position), Some(price)) = (request.closes, request.named_price()) else { continue };
            match request.origin {
                Origin::Protective(ProtectiveReason::StopLoss) => exits.entry(position).or_default().stop_loss = Some(price),
                Origin::Protective(ProtectiveReason::TakeProfit) => exits.entry(position).or_default().take_profit = Some(price),
                Origin::Protective(_) | Origin::Ticket | Origin::Proposal { .. } | Origin::External => {}
            }
        }
        exits
    }

    fn position_row(&self, position: &Position) -> PositionRow {
        let mark = self.book.valuation.last(position.instrument);
        PositionRow {
            id: position.id,
            instrument: position.instrument,
            side: position.side,
            quantity: position.quantity,
            entry: position.entry(),
            mark,
            value: mark.and_then(|mark| position.value_at(mark).ok()),
            open_profit: mark.and_then(|mark| position.open_profit_at(mark).ok()),
            open_return: mark.and_then(|mark| position.return_at(mark)),
            realised: position.realised,
            protection: position.protection,
            opened_at: position.opened_at,
        }
    }

    fn account_view(&self, positions: &[PositionRow]) -> AccountView {
        let ledger = &self.book.ledger;
        let nothing = Money::zero(ledger.currency());
        let open = positions.iter().filter_map(|row| row.open_profit).try_fold(nothing, Money::plus);
        AccountView {
            cash: ledger.cash(),
            equity: self.book.performance.equity(),
            starting_capital: ledger.starting_capital(),
            realised: ledger.realised(),
            costs: ledger.costs(),
            open_profit: open.unwrap_or(nothing),
            max_drawdown: self.book.performance.max_drawdown(),
        }
    }

    fn shown_orders(&self) -> Vec<Arc<TrackedOrder>> {
        let orders = &self.book.orders;
        orders.open().values().rev().chain(orders.closed_newest_first()).take(SHOWN_ORDERS).cloned().collect()
    }

    fn proposal_row(&self, proposal: &Proposal) -> ProposalRow {
        let signal = self.book.signals.iter().rev().find(|entry| entry.signal.id == proposal.signal).cloned();
        ProposalRow { proposal: proposal.clone(), signal }
    }

    fn latched_breakers(&self) -> Vec<BreakerRow> {
        let breakers = &self.book.breakers;
        let row = |trip: &risk::Trip| BreakerRow {
            trip: trip.clone(),
            hold: breakers.hold(trip),
            about: self.about(trip.subject).0,
            unlock_asked: breakers.asked_to_unlock(&trip.rule, trip.subject),
        };
        breakers.latched().iter().map(row).collect()
    }

    fn gauges(&self) -> Vec<risk::Gauge> {
        let book = &self.book;
        let nothing = Money::zero(book.ledger.currency());
        let gross = book.valuation.gross(&book.ledger).unwrap_or(nothing);
        let exposure = |series: &Series| book.valuation.exposure(series.instrument, &book.ledger).map(|held| held.gross);
        let largest = self.market.iter().filter_map(|series| exposure(series).ok()).max_by_key(|held| held.nanos());
        let (equity, largest, trades_today) = (book.performance.equity(), largest.unwrap_or(nothing), book.trades_today);
        let exposures = risk::Exposures { equity, gross, largest, trades_today };
        let (rules, limits) = (&self.settings.breakers, &self.settings.limits);
        let mut gauges = risk::gauges(rules, limits, &book.breakers, &exposures, |rule| self.gauged(rule));
        for gauge in &mut gauges {
            gauge.before = self.gauged_before.iter().find(|(kind, _)| *kind == gauge.kind).map(|(_, value)| *value);
        }
        gauges
    }

    /// Keeps what the gauges show where the risk day ends before this instant.
    pub(super) fn remember_gauges(&mut self, now: MarketTime) {
        if self.is_watched && !self.is_quiet() && self.book.performance.ends_before(now) {
            self.gauged_before = self.gauges().iter().filter_map(|gauge| Some((gauge.kind, gauge.value?))).collect();
        }
    }

    fn preview(&self, subject: &PreviewSubject) -> Option<OrderPreview> {
        let (request, proposal) = match subject {
            PreviewSubject::Proposal(id) => {
                let proposal = self.book.proposals.get(id)?;
                (proposal.request, Some(self.proposal_row(proposal)))
            }
            PreviewSubject::Request(request) => (*request, None),
            PreviewSubject::Change { order, quantity, kind } => {
                let before = &self.book.orders.get(*order)?.order.request;
                (OrderRequest { quantity: *quantity, kind: *kind, ..*before }, None)
            }
            PreviewSubject::Exits { position, protection } => {
                let held = self.book.ledger.position(*position)?;
                let request = closing_request(held, held.quantity, Origin::Ticket);
                (OrderRequest { protection: *protection, ..request }, None)
            }
        };
        let series = self.market.get(request.instrument);
        let last = series.and_then(Series::last);
        // A dealer's price is the side's, not the last.
        let side = series.and_then(|series| series.quote).and_then(|quote| match request.side {
            OrderSide::Buy => quote.ask,
            OrderSide::Sell => quote.bid,
        });
        let price = request.named_price().or(side).or(last);
        let equity = self.counted_equity();
        let notional = price.and_then(|price| Money::notional(price, request.quantity, equity.currency()).ok());
        Some(OrderPreview {
            subject: *subject,
            request,
            proposal,
            last,
            notional,
            share_of_equity: notional.and_then(|value| value.ratio_to(equity)),
            estimated_cost: notional.and_then(|value| value.times(self.cost_allowance()).ok()),
            loss_at_stop: price.and_then(|price| loss_at_stop(&request, price, equity)),
            checks: self.checks_of(subject, &request),
            what_if: self.what_if(subject, &request, notional),
        })
    }

    /// What the engine will hold the subject against when it is confirmed.
    fn checks_of(&self, subject: &PreviewSubject, request: &OrderRequest) -> Vec<risk::CheckResult> {
        match subject {
            PreviewSubject::Proposal(_) | PreviewSubject::Request(_) => self.assess(request),
            PreviewSubject::Change { order, .. } => {
                let before = self.book.orders.get(*order).map(|tracked| tracked.order.request);
                let mut checks = before.map_or_else(Vec::new, |before| self.checks_of_change(request, &before));
                // A stop or target is held against its position's side of the market too.
                let exits = self.checks_of_leg(request);
                checks.retain(|result| exits.iter().all(|exit| exit.check != result.check));
                checks.into_iter().chain(exits).collect()
            }
            PreviewSubject::Exits { position, protection } => {
                let held = self.book.ledger.position(*position);
                held.map_or_else(Vec::new, |held| self.checks_of_exits(held, *protection))
            }
        }
    }
}

fn loss_at_stop(request: &OrderRequest, price: crate::domain::Price, like: Money) -> Option<Money> {
    let stop = request.protection.stop_loss?;
    let distance = match request.side {
        OrderSide::Buy => price.minus(stop),
        OrderSide::Sell => stop.minus(price),
    };
    Money::notional(distance.ok()?, request.quantity, like.currency()).ok()
}
