//! From a signal's record to the size of its trade: the odds, the gate in force, and what each limit leaves.

use crate::domain::{
    Layer, Learnt, Money, OrderSide, Price, Probability, Ratio, SCALE, Signal, SignalSource, Validation, Verdict, View,
};
use crate::engine::Engine;
use crate::portfolio::{self, Gate, Lots, Odds, Room, Sized, SizingCase};
use crate::signals::{self, GateVerdict, Standing};

impl Engine {
    /// The size of a trade on a signal at this price; `None` where the smallest lot is too large, or there is no price to size at.
    pub(super) fn sized(&self, signal: &Signal, confidence: Ratio, price: Price) -> Option<Sized> {
        let (view, known) = (&signal.view, self.instruments.get(signal.view.instrument)?);
        let lots = Lots { price, lot: known.lot, minimum: known.min_quantity };
        let (equity, exploratory) = (self.counted_equity(), self.settings.gates.exploratory_size);
        if self.book.learns.is_no() {
            return portfolio::exploratory(equity, exploratory, lots);
        }
        let series = self.market.get(view.instrument)?;
        let case = SizingCase {
            settings: self.settings.sizing,
            exploratory,
            equity,
            lots,
            odds: odds(signal),
            gate: self.gate_of(view.source),
            confidence,
            volatility: signals::current_volatility(&series.as_of(), series.bars_per_year()).and_then(Ratio::from_f64),
        };
        portfolio::size(&case, || self.room(view, price))
    }

    /// Whether a source's record on this account has passed the gate in force: only then does a chance size a trade.
    fn gate_of(&self, source: SignalSource) -> Gate {
        let passed = self.standing_of(source).is_some_and(|standing| standing.verdict() == GateVerdict::Pass);
        if passed { Gate::Passed } else { Gate::NotPassed }
    }

    /// A source's calls held against the gate in force; `None` where the run knows no gates.
    pub(super) fn standing_of(&self, source: SignalSource) -> Option<Standing> {
        Some(self.book.standings.of(source).against(self.gate_in_force()?.to_f64()))
    }

    /// What each limit leaves for an order on a view. Prices may move within the tolerance of a confirmation before it is checked, so that
    /// much is kept back: a size at the very limit would be refused at the next tick.
    fn room(&self, view: &View, price: Price) -> Room {
        let (limits, equity) = (&self.settings.limits, self.counted_equity());
        let (book, instrument) = (&self.book, view.instrument);
        let nothing = Money::zero(equity.currency());
        let kept_back = |amount: Money| without(amount, self.settings.confirm_tolerance);
        let below = |share: Ratio, held: Money| equity.times(share).and_then(|most| most.minus(held)).map_or(nothing, kept_back);
        let gross = self.gross_with_orders();
        let free = match view.direction {
            crate::domain::Direction::Long => book.ledger.cash().minus(book.on_order_total()),
            crate::domain::Direction::Short => equity.minus(gross),
        };
        let correlated = limits
            .max_correlated
            .map(|share| below(share, self.exposure_with(instrument, OrderSide::from(view.direction).opens())));
        let most = limits.max_order_value.map(|units| Money::whole(units.into(), equity.currency()).map_or(nothing, kept_back));
        Room {
            correlated,
            order: most,
            position: below(limits.max_position, self.exposure(instrument)),
            sector: below(limits.max_sector, self.sector_exposure(instrument)),
            gross: below(limits.max_gross, gross),
            cash: free.map_or(nothing, |free| without(kept_back(free), self.cost_allowance())),
            stop: self.room_at_stop(view, price).unwrap_or(nothing),
        }
    }

    /// The value whose loss at the stop is what the third layer allows.
    fn room_at_stop(&self, view: &View, price: Price) -> Option<Money> {
        let series = self.market.get(view.instrument)?;
        let gates = &self.settings.gates;
        let stop = signals::exit_levels(view, &series.as_of(), gates, price, Price::ZERO)?.stop_loss?;
        let distance = i128::from(stop.change_from(price)?.nanos().abs());
        let allowed = i128::from(self.counted_equity().times(gates.max_loss_at_stop).ok()?.nanos());
        let value = (allowed * i128::from(SCALE)).checked_div(distance)?;
        Some(Money::from_nanos(i64::try_from(value).unwrap_or(i64::MAX), self.book.ledger.currency()))
    }

    /// Share of the value to set aside for costs and slippage of one side.
    pub(super) fn cost_allowance(&self) -> Ratio {
        Ratio::from_nanos(self.settings.terms.round_trip().nanos() / 2)
    }
}

/// The odds of a signal; nothing where its chance is uncalibrated.
fn odds(signal: &Signal) -> Option<Odds> {
    let Learnt { independent, mean_right, mean_wrong, .. } = signal.learnt?;
    match signal.view.probability {
        Probability::Calibrated(chance) => Some(Odds { chance, mean_right, mean_wrong, independent }),
        Probability::Uncalibrated => None,
    }
}

/// How much of a signal no layer doubted: each of the five counts whole where it passes and half where it warns or cannot say.
pub(super) fn confidence(validation: &Validation) -> Ratio {
    let halves = |verdict: Verdict| match verdict {
        Verdict::Pass => 2,
        Verdict::Warn | Verdict::NotProven => 1,
        Verdict::Fail => 0,
    };
    let sum: i128 = validation.layers.iter().map(|layer| halves(layer.verdict)).sum();
    Ratio::of(sum, 2 * Layer::ALL.len() as i128).unwrap_or(Ratio::ZERO)
}

/// The amount that grows to this one when it rises by a share.
fn without(amount: Money, share: Ratio) -> Money {
    let scale = i128::from(SCALE);
    let shrunk = (i128::from(amount.nanos()) * scale).checked_div(scale + i128::from(share.nanos())).unwrap_or(0);
    Money::from_nanos(i64::try_from(shrunk).unwrap_or(0), amount.currency())
}
