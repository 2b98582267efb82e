//! Parity: what a run lived through against what a test makes of it, round trip by round trip.
//!
//! On paper it is the same *decisions*: everything that a person, a clock or a line decided comes from the journal, in its place among the
//! market's events; only what the broker said is left out, and the exchange of a test says it instead. The two must agree to the last
//! digit. At a broker it is the same *orders*: one fill that comes later there than in a test would make the engine decide otherwise from
//! then on. What differs is what a test cannot know: how far real fills lie from those that it assumes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;

use crate::backtest::circuit::Circuit;
use crate::backtest::trades::{Trade, Trades};
use crate::domain::{
    ArithmeticError, BrokerReport, Currency, DealId, MarketEvent, MarketTime, Money, OrderId, OrderSide, Origin, Quantity,
    RiskDay, WallTime,
};
use crate::engine::{Engine, Event, InputBody, OrderRecord, PortfolioRecord, Record, RunInput, Setup};
use crate::exchange::{Exchange, LegIds};
use crate::orders::OrderStep;
use crate::stats::{self, Interval};

/// A position as far as it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Trip {
    /// Its sums so far.
    pub trade: Trade,
    /// Whether all of it is closed.
    pub is_closed: bool,
}

/// What of a round trip is not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// When it was opened.
    Opened,
    /// How much was opened.
    Quantity,
    /// What the opened part cost.
    Entry,
    /// When its last part was closed, or that it was.
    Closed,
    /// What prices earned.
    Gross,
    /// Commission and the like.
    Cost,
}

impl Part {
    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opened => "time of the entry",
            Self::Quantity => "quantity",
            Self::Entry => "entry",
            Self::Closed => "exit",
            Self::Gross => "result before cost",
            Self::Cost => "cost",
        }
    }
}

/// A round trip that both have, and that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// As it was lived.
    pub lived: Trip,
    /// As the test has it.
    pub tested: Trip,
    /// What differs.
    pub parts: Vec<Part>,
}

/// How far lived entries lie from tested ones, as shares of the price; above zero is worse than tested.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shortfall {
    /// Entries that both have.
    pub entries: usize,
    /// Mean.
    pub mean: f64,
    /// 95 % by Student's t; nothing below two.
    pub interval: Option<Interval>,
}

/// Both side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parity {
    /// Round trips and open positions that agree to the last digit.
    pub same: usize,
    /// Those that both have, and that do not agree.
    pub different: Vec<Difference>,
    /// Those that only the lived run has.
    pub only_lived: Vec<Trip>,
    /// Those that only the test has.
    pub only_tested: Vec<Trip>,
    /// Positions that somebody opened elsewhere; no test can have them.
    pub adopted: Vec<Trip>,
    /// How far entries lie apart; nothing where both have none.
    pub shortfall: Option<Shortfall>,
    /// How often the process was started again meanwhile: the paper exchange forgets then how much of a bar's volume is used.
    pub restarts: u32,
    /// Orders that the broker refused or that never reached it; the test has none of them.
    pub refused: u32,
    /// Whether no position differs.
    pub agrees: bool,
}

/// Lives a run's events again.
pub struct Again {
    course: Course,
    lived: Trades,
    tested: Trades,
    /// Trades the broker has told: it may tell one twice.
    told: BTreeSet<DealId>,
    elsewhere: BTreeSet<OrderId>,
    restarts: u32,
    refused: u32,
    /// The first amount that money could not hold.
    beyond: Option<ArithmeticError>,
}

/// What of the run is lived again.
enum Course {
    /// Its decisions, by an engine and an exchange.
    Decisions(Box<Circuit>),
    /// Its orders, by an exchange alone.
    Orders(Box<Orders>),
}

struct Orders {
    exchange: Exchange,
    now: MarketTime,
    /// The last numbers that were given away for legs.
    next: OrderId,
}

impl Again {
    /// Before the first event: the same decisions. `setup` is that of the run.
    pub fn of_decisions(setup: &Setup) -> Self {
        Self::along(Course::Decisions(Box::new(Circuit::new(setup, Currency::USD, WallTime(0)))))
    }

    /// Before the first event: the same orders.
    pub fn of_orders(setup: &Setup) -> Self {
        let exchange = Exchange::new(setup.settings.terms, Currency::USD, DealId(1));
        Self::along(Course::Orders(Box::new(Orders { exchange, now: MarketTime(0), next: OrderId(0) })))
    }

    fn along(course: Course) -> Self {
        Self {
            course,
            lived: Trades::default(),
            tested: Trades::default(),
            told: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
            restarts: 0,
            refused: 0,
            beyond: None,
        }
    }

    /// The engine, as far as it has come; none where only orders are lived again.
    pub const fn engine(&self) -> Option<&Engine> {
        match &self.course {
            Course::Decisions(circuit) => Some(circuit.engine()),
            Course::Orders(_) => None,
        }
    }

    /// Takes the next event of the run, as it was recorded.
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Market(event) => match &mut self.course {
                Course::Decisions(circuit) => circuit.play(event),
                Course::Orders(orders) => {
                    let reports = orders.play(&event);
                    self.fill(reports);
                }
            },
            Event::Input(input) => match input.body {
                InputBody::Broker(report) => self.was_told(&report),
                // The state holds what the broker said; it is compared by trades.
                InputBody::Run(RunInput::Checkpoint { .. }) => {}
                body => self.decide(input.wall, body),
            },
        }
        if let Course::Decisions(circuit) = &mut self.course {
            for fill in circuit.news().1 {
                self.beyond = self.beyond.or(self.tested.fill(&fill).err());
            }
        }
    }

    /// Takes the next decision of the run, as it was recorded: what was sent, where orders are lived again.
    pub fn take_record(&mut self, record: &Record) {
        if let Course::Orders(orders) = &mut self.course {
            let reports = orders.send(record);
            self.fill(reports);
        }
    }

    fn fill(&mut self, reports: Vec<BrokerReport>) {
        for report in reports {
            if let BrokerReport::Filled(fill) = report {
                self.beyond = self.beyond.or(self.tested.fill(&fill).err());
            }
        }
    }

    fn was_told(&mut self, report: &BrokerReport) {
        match report {
            BrokerReport::Filled(fill) if self.told.insert(fill.deal) => {
                self.beyond = self.beyond.or(self.lived.fill(fill).err());
            }
            BrokerReport::LegPlaced { order } if order.request.origin == Origin::External => {
                self.elsewhere.insert(order.id);
            }
            BrokerReport::NotSent { order, .. } | BrokerReport::Rejected { order, .. } => {
                if let Course::Orders(orders) = &mut self.course {
                    self.refused += u32::from(orders.take_back(*order));
                }
            }
            BrokerReport::Filled(_) | BrokerReport::LegPlaced { .. } | BrokerReport::State(_) => {}
            BrokerReport::Accepted { .. } => {}
            BrokerReport::ReplyLost { .. } | BrokerReport::Triggered { .. } | BrokerReport::Cancelled { .. } => {}
            BrokerReport::Expired { .. } | BrokerReport::Modified { .. } | BrokerReport::ModifyRefused { .. } => {}
            BrokerReport::CancelRefused { .. } | BrokerReport::ProtectRefused { .. } => {}
        }
    }

    fn decide(&mut self, wall: WallTime, body: InputBody) {
        match &body {
            InputBody::Run(RunInput::Opened { settings, capital, .. }) => {
                let (terms, currency) = (settings.terms, capital.currency());
                match &mut self.course {
                    Course::Decisions(circuit) => circuit.begin_anew(terms, currency),
                    Course::Orders(orders) => orders.exchange = Exchange::new(terms, currency, DealId(1)),
                }
            }
            InputBody::Run(RunInput::Resumed { .. }) => self.restarts += 1,
            InputBody::Run(_) | InputBody::Command { .. } | InputBody::Broker(_) | InputBody::Commentary(_) => {}
            InputBody::Feed { .. } | InputBody::Served { .. } | InputBody::Link { .. } | InputBody::Timer => {}
            InputBody::Published { .. } | InputBody::Noted(_) | InputBody::Opinion(_) => {}
        }
        if let Course::Decisions(circuit) = &mut self.course {
            circuit.set_wall(wall);
            circuit.input(body);
        }
    }

    /// Both side by side; of one risk day's entries where a day is named. Errors where an amount is beyond what money can hold.
    pub fn compare(self, day: Option<Date>) -> Result<Parity, ArithmeticError> {
        match self.beyond {
            Some(error) => Err(error),
            None => Ok(self.compared(|trip| day.is_none_or(|day| RiskDay::of(trip.trade.opened_at).date == day))),
        }
    }

    fn compared(self, is_meant: impl Fn(&Trip) -> bool) -> Parity {
        let (mut lived, mut tested) = (trips(&self.lived), trips(&self.tested));
        lived.retain(|_, trip| is_meant(trip));
        // A test may enter a little earlier or later, on the day before or after: the pair belongs to the day of the lived one.
        tested.retain(|order, trip| lived.contains_key(order) || is_meant(trip));
        let mut parity = Parity {
            same: 0,
            different: Vec::new(),
            only_lived: Vec::new(),
            only_tested: Vec::new(),
            adopted: Vec::new(),
            shortfall: None,
            restarts: self.restarts,
            refused: self.refused,
            agrees: false,
        };
        let mut apart = Vec::new();
        for (order, lived) in lived {
            match tested.remove(&order) {
                None if self.elsewhere.contains(&order) => parity.adopted.push(lived),
                None => parity.only_lived.push(lived),
                Some(tested) => {
                    apart.extend(entries_apart(&lived.trade, &tested.trade));
                    match different_parts(&lived, &tested) {
                        parts if parts.is_empty() => parity.same += 1,
                        parts => parity.different.push(Difference { lived, tested, parts }),
                    }
                }
            }
        }
        parity.only_tested = tested.into_values().collect();
        parity.shortfall =
            stats::mean(&apart).map(|mean| Shortfall { entries: apart.len(), mean, interval: stats::mean_interval_95(&apart) });
        parity.agrees = parity.different.is_empty() && parity.only_lived.is_empty() && parity.only_tested.is_empty();
        parity
    }
}

impl Orders {
    fn play(&mut self, event: &MarketEvent) -> Vec<BrokerReport> {
        let mut reports = Vec::new();
        self.now = event.known_at();
        self.exchange.on_market(event, &mut reports);
        reports
    }

    /// Takes an order back that never was at the broker, or not for long; whether it could still be.
    fn take_back(&mut self, order: OrderId) -> bool {
        let mut reports = Vec::new();
        self.exchange.cancel(order, &mut reports);
        reports.iter().any(|report| matches!(report, BrokerReport::Cancelled { .. }))
    }

    /// Sends what was sent then. What the exchange does not know, because it has not come that far, it refuses.
    fn send(&mut self, record: &Record) -> Vec<BrokerReport> {
        let mut reports = Vec::new();
        match record {
            Record::Order(OrderRecord::Confirmed { order, .. }) => self.exchange.submit(*order, self.now, &mut reports),
            Record::Order(OrderRecord::Stepped { order, step: OrderStep::AskCancel, .. }) => {
                self.exchange.cancel(*order, &mut reports);
            }
            Record::Order(OrderRecord::TermsChanged { order, quantity, kind }) => {
                self.exchange.modify(*order, *quantity, *kind, self.now, &mut reports);
            }
            Record::Order(OrderRecord::NumbersTaken { next }) => self.next = *next,
            Record::Portfolio(PortfolioRecord::Protected { position, protection }) => {
                let legs =
                    LegIds { stop: OrderId(self.next.0.saturating_sub(2)), target: OrderId(self.next.0.saturating_sub(1)) };
                self.exchange.protect(*position, *protection, legs, self.now, &mut reports);
            }
            Record::Order(_) | Record::Portfolio(_) | Record::Run(_) | Record::Trading(_) => {}
            Record::Signal(_) | Record::Proposal(_) | Record::Alert(_) | Record::Commentary(_) => {}
            Record::Opinion(_) | Record::Published { .. } => {}
        }
        reports
    }
}

/// By the order that opened them: its number is made here, and so is the same in both.
fn trips(trades: &Trades) -> BTreeMap<OrderId, Trip> {
    let closed = trades.closed().into_iter().map(|trade| Trip { trade, is_closed: true });
    let open = trades.open().map(|trade| Trip { trade: *trade, is_closed: false });
    closed.chain(open).map(|trip| (trip.trade.order, trip)).collect()
}

fn different_parts(lived: &Trip, tested: &Trip) -> Vec<Part> {
    let (ours, theirs) = (&lived.trade, &tested.trade);
    let ends = |trip: &Trip| trip.is_closed.then_some(trip.trade.closed_at);
    let parts = [
        (Part::Opened, ours.opened_at == theirs.opened_at),
        (Part::Quantity, ours.quantity == theirs.quantity),
        (Part::Entry, ours.value == theirs.value),
        (Part::Closed, ends(lived) == ends(tested)),
        (Part::Gross, ours.gross == theirs.gross),
        (Part::Cost, ours.cost == theirs.cost),
    ];
    parts.into_iter().filter(|(_, is_same)| !is_same).map(|(part, _)| part).collect()
}

/// How much dearer the lived entry was than the tested one, as a share of the tested price.
fn entries_apart(lived: &Trade, tested: &Trade) -> Option<f64> {
    let price = |value: Money, quantity: Quantity| (!quantity.is_zero()).then(|| value.to_f64() / quantity.to_f64());
    let (ours, theirs) = (price(lived.value, lived.quantity)?, price(tested.value, tested.quantity)?);
    let dearer = (ours - theirs) / theirs;
    Some(if lived.side == OrderSide::Buy { dearer } else { -dearer })
}
