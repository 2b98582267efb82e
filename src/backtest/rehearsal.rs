//! A rehearsal: a book that somebody else opened is held through a tape, with the breakers and without any, and nobody stands at the screen.

use jiff::civil::Date;
use serde::Serialize;

use crate::backtest::circuit::Circuit;
use crate::domain::{
    AccountId, Actor, BrokerReport, Currency, DealId, Fill, InstrumentId, LedgerId, Liquidity, MarketEvent, MarketTime, Money,
    Order, OrderId, OrderKind, OrderRequest, OrderSide, Origin, PositionId, PositionSide, Price, Protection, Quantity, Ratio,
    RiskDay, RunId, TimeInForce, TradingState, WallTime,
};
use crate::engine::{Command, Engine, InputBody, PortfolioRecord, Record, RunInput, Setup, TapeRef, TradingRecord};
use crate::exchange::RestoredPosition;
use crate::risk::{Rules, Trip};

/// What to rehearse.
#[derive(Debug, Clone)]
pub struct Scene {
    /// What the engine is made of; its breakers are those that are rehearsed.
    pub setup: Setup,
    /// The tape, for the record.
    pub tape: TapeRef,
    /// What the book is worth when it is taken over; spread over everything that has a price then and may be traded, in
    /// equal parts.
    pub capital: Money,
    /// When it is taken over; history before warms up.
    pub from: MarketTime,
    /// Events known from here on are not played; the tape's end where there is none.
    pub until: Option<MarketTime>,
}

/// What came of it, with the breakers and without.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rehearsal {
    /// The tape.
    pub tape: TapeRef,
    /// When the book was taken over.
    pub from: MarketTime,
    /// What it was worth then.
    pub capital: Money,
    /// Positions in it.
    pub positions: usize,
    /// With the breakers of the scene.
    pub guarded: Life,
    /// Without any.
    pub bare: Life,
}

/// One way through the tape.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Life {
    /// The end of each risk day.
    pub days: Vec<(Date, Money)>,
    /// What tripped, in order.
    pub trips: Vec<(Date, Trip)>,
    /// What breakers closed, in order.
    pub cuts: Vec<(Date, Fill)>,
    /// Each change of the trading state.
    pub states: Vec<(Date, TradingState)>,
    /// The deepest fall, seen at every price.
    pub max_drawdown: Ratio,
}

/// Plays the bars twice. Quotes drawn inside bars are left out: what trips must follow from history alone.
pub fn rehearse<E: Iterator<Item = MarketEvent>>(scene: &Scene, events: impl Fn() -> E) -> Rehearsal {
    let (guarded, positions) = Play::through(scene, scene.setup.clone(), events());
    let mut bare = scene.setup.clone();
    bare.settings.breakers = Rules::new(Vec::new());
    let (bare, _) = Play::through(scene, bare, events());
    Rehearsal { tape: scene.tape.clone(), from: scene.from, capital: scene.capital, positions, guarded, bare }
}

struct Play {
    circuit: Circuit,
    life: Life,
}

impl Play {
    fn through(scene: &Scene, setup: Setup, events: impl Iterator<Item = MarketEvent>) -> (Life, usize) {
        let circuit = Circuit::new(&setup, scene.capital.currency(), WallTime(scene.from.0));
        let mut play = Self { circuit, life: Life::default() };
        play.input(InputBody::Run(RunInput::Opened {
            run: RunId(1),
            ledger: LedgerId(1),
            tape: scene.tape.clone(),
            capital: scene.capital,
            version: String::new(),
            settings: setup.settings,
            first_order: OrderId(1),
            first_deal: DealId(1),
            quiet_until: scene.from,
        }));
        let mut positions = None;
        for event in events.filter(|event| !matches!(event, MarketEvent::Quoted { .. })) {
            if scene.until.is_some_and(|until| event.known_at() >= until) {
                break;
            }
            if positions.is_none() && event.known_at() >= scene.from {
                positions = Some(play.take_over(scene.capital));
            }
            play.play(event, positions.is_some());
        }
        play.life.max_drawdown = play.engine().book().performance().max_drawdown();
        (play.life, positions.unwrap_or(0))
    }

    /// Takes over equal parts of everything that has a price and trades on. Returns how many positions.
    fn take_over(&mut self, capital: Money) -> usize {
        let now = self.engine().market().now();
        let priced: Vec<(InstrumentId, Price)> = self
            .engine()
            .market()
            .iter()
            .filter(|series| series.can_fill(now) && !series.is_stale(now))
            .filter_map(|series| Some((series.instrument, series.last()?)))
            .filter(|(id, _)| {
                let known = self.engine().instruments().get(*id);
                known.is_some_and(|known| known.tradable && known.currency == capital.currency())
            })
            .collect();
        let part = Money::from_nanos(capital.nanos() / i64::try_from(priced.len().max(1)).unwrap_or(1), capital.currency());
        let parts: Vec<_> = priced.iter().filter_map(|(id, price)| self.part_of(*id, *price, part)).collect();
        let held = parts.iter().map(|(id, _, quantity, position)| RestoredPosition {
            id: *position,
            account: AccountId(1),
            instrument: *id,
            side: PositionSide::Long,
            quantity: *quantity,
        });
        self.circuit.hold(held.collect());
        for (id, price, quantity, position) in &parts {
            self.adopt(*id, *price, *quantity, *position, capital.currency());
        }
        self.input(InputBody::Command { actor: Actor::Person, command: Command::ArmPaper });
        parts.len()
    }

    fn part_of(&self, id: InstrumentId, price: Price, part: Money) -> Option<(InstrumentId, Price, Quantity, PositionId)> {
        let lot = self.engine().instruments().get(id)?.lot;
        let quantity = Quantity::affordable(part, price)?.floored_to(lot);
        let number = OrderId::ADOPTED.0 + u64::from(id.0);
        quantity.is_positive().then_some((id, price, quantity, PositionId(number)))
    }

    /// Tells the engine of a position as a broker does that holds one which was opened elsewhere.
    fn adopt(&mut self, instrument: InstrumentId, price: Price, quantity: Quantity, position: PositionId, currency: Currency) {
        let (order, at) = (OrderId(position.0), self.engine().market().now());
        let request = OrderRequest {
            instrument,
            side: OrderSide::Buy,
            quantity,
            kind: OrderKind::Market,
            time_in_force: TimeInForce::GoodTillCancelled,
            protection: Protection::default(),
            closes: None,
            origin: Origin::External,
        };
        let placed = Order { id: order, account: AccountId(1), request, created_at: at, reference: Some(price) };
        let fill = Fill {
            deal: DealId(position.0),
            order,
            position,
            closes: false,
            instrument,
            side: OrderSide::Buy,
            quantity,
            price,
            cost: Money::zero(currency),
            liquidity: Liquidity::Unlimited,
            at,
        };
        self.input(InputBody::Broker(BrokerReport::LegPlaced { order: placed }));
        self.input(InputBody::Broker(BrokerReport::Filled(fill)));
    }

    const fn engine(&self) -> &Engine {
        self.circuit.engine()
    }

    fn play(&mut self, event: MarketEvent, is_held: bool) {
        self.circuit.play(event);
        self.take_note();
        let Some(day) = self.engine().book().performance().days().back().copied().filter(|_| is_held) else { return };
        match self.life.days.last_mut().filter(|(date, _)| *date == day.date) {
            Some((_, equity)) => *equity = day.closed,
            None => self.life.days.push((day.date, day.closed)),
        }
    }

    fn input(&mut self, body: InputBody) {
        self.circuit.input(body);
        self.take_note();
    }

    fn take_note(&mut self) {
        let date = RiskDay::of(self.engine().market().now()).date;
        for record in self.circuit.news().0 {
            match record {
                Record::Trading(TradingRecord::BreakerTripped(trip)) => self.life.trips.push((date, trip)),
                Record::Trading(TradingRecord::StateChanged { state, .. }) => self.life.states.push((date, state)),
                Record::Portfolio(PortfolioRecord::Filled { fill, .. }) if fill.closes => self.life.cuts.push((date, fill)),
                Record::Trading(_) | Record::Portfolio(_) | Record::Run(_) | Record::Signal(_) => {}
                Record::Proposal(_) | Record::Order(_) | Record::Alert(_) | Record::Commentary(_) => {}
                Record::Opinion(_) | Record::Published { .. } => {}
            }
        }
    }
}

impl Life {
    /// Value at the end; `None` where no day was played.
    pub fn equity(&self) -> Option<Money> {
        self.days.last().map(|(_, equity)| *equity)
    }
}
