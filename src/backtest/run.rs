//! Plays the events through an engine and an exchange, and gathers what came of it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::backtest::circuit::Circuit;
use crate::backtest::evidence::{Benchmark, Evidence};
use crate::backtest::trades::{Trade, Trades};
use crate::domain::{
    Actor, ArithmeticError, DealId, InstrumentId, Layer, LedgerId, MarketEvent, MarketTime, Money, OrderId, ProposalId, Ratio,
    RiskDay, RunId, Signal, SignalSource, Validation, WallTime,
};
use crate::engine::{
    Command, Engine, EngineSettings, InputBody, Looks, OrderRecord, ProposalRecord, Record, RunInput, Seen, Setup, SignalRecord,
    TapeRef,
};
use crate::signals::{Call, CallLog, CountedCall, Scores};

/// What to play.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the engine is made of.
    pub setup: Setup,
    /// The tape, for the record.
    pub tape: TapeRef,
    /// The program's version, part of what a result depends on.
    pub version: &'static str,
    /// Capital at the start.
    pub capital: Money,
    /// Until here history only warms up.
    pub from: MarketTime,
    /// Events known from here on are not played; the tape's end where there is none.
    pub until: Option<MarketTime>,
    /// Events known before are not played, not even to warm up; all history where there is none.
    pub since: Option<MarketTime>,
    /// From here on nothing is opened any more, so that what was opened has ended by `until`.
    pub opens_until: Option<MarketTime>,
}

impl Plan {
    /// SHA-256, in hexadecimal digits, of what the result depends on besides tape and dates: settings, capital, seed, instruments and
    /// the program's version. Two builds of one version look the same.
    pub fn settings_hash(&self) -> Result<String, serde_json::Error> {
        let instruments: Vec<_> = self.setup.instruments.iter().collect();
        let bounds = (self.since, self.opens_until);
        // Of the plan's gates those of the stages size trades; the others change no result.
        let settings = &self.setup.settings;
        let gates = settings.evidence.map(|gates| (gates.stage_first, gates.stage_second, gates.stage_third));
        let settings = EngineSettings { evidence: None, breakers: settings.breakers.without_words(), ..settings.clone() };
        let whole = serde_json::to_vec(&(&settings, self.capital, self.tape.seed, instruments, self.version, bounds, gates))?;
        Ok(Sha256::digest(&whole).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The tape and its hash.
    pub tape: TapeRef,
    /// First moment of trading.
    pub from: MarketTime,
    /// Last event.
    pub until: MarketTime,
    /// Bars that closed in between.
    pub bars: u64,
    /// Capital at the start.
    pub capital: Money,
    /// What the account was worth at the end, open positions at their last price.
    pub equity: Money,
    /// Commission of all trades; slippage is in their prices.
    pub costs: Money,
    /// Largest fall from a peak of the equity, seen at every price.
    pub max_drawdown: Ratio,
    /// How often trading was halted by a breaker and armed again the next day.
    pub halts: u32,
    /// Positions that were still open at the end: their value is in the equity, the cost of closing them is not.
    pub open: u64,
    /// Equity at the end of each risk day.
    pub days: Vec<(Date, Money)>,
    /// Closed round trips, in the order of their ends.
    pub trades: Vec<Trade>,
    /// Growth, from 1, of everything on the tape held equally, at the end of each risk day.
    #[serde(skip)]
    pub held: Vec<(Date, f64)>,
    /// How often each source was asked for a view, and had none.
    pub looks: BTreeMap<SignalSource, Looks>,
    /// Signals that were judged, and at which layer they died.
    pub signals: Funnel,
    /// Kept signals whose horizon has ended, in the order of their ends.
    #[serde(skip)]
    pub calls: Vec<CountedCall>,
    /// Every signal that was judged, refused ones too, as scorecards see it.
    #[serde(skip)]
    pub log: CallLog,
    /// What all of this shows.
    pub evidence: Evidence,
}

/// How far signals came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Funnel {
    /// All that were judged.
    pub judged: u64,
    /// Those that no layer refused.
    pub passed: u64,
    /// Those that died, by the first layer that refused.
    pub refused: BTreeMap<Layer, u64>,
    /// Proposals to open that were made of those that passed.
    pub proposed: u64,
    /// Orders that a check before the trade refused, by its code.
    pub stopped: BTreeMap<String, u64>,
}

struct Desk {
    /// Nobody waits here: wall time stands still, and proposals are confirmed in the instant in which they are made.
    circuit: Circuit,
    opens_until: Option<MarketTime>,
    trades: Trades,
    funnel: Funnel,
    log: CallLog,
    days: Vec<(Date, Money)>,
    halts: u32,
    /// The first amount that money could not hold.
    beyond: Option<ArithmeticError>,
}

/// Plays the events. They must be in order of the time at which they are known. Errors where an amount is beyond what money can hold.
pub fn run(plan: &Plan, events: impl Iterator<Item = MarketEvent>) -> Result<Report, ArithmeticError> {
    let mut desk = Desk::new(plan);
    let mut benchmark = Benchmark::new(plan.setup.settings.terms.round_trip());
    let (mut bars, mut last) = (0, plan.from);
    for event in events.skip_while(|event| plan.since.is_some_and(|since| event.known_at() < since)) {
        if plan.until.is_some_and(|until| event.known_at() >= until) {
            break;
        }
        last = event.known_at();
        if let MarketEvent::BarClosed { bar, .. } = &event
            && last >= plan.from
        {
            bars += 1;
            benchmark.add(bar);
        }
        desk.play(event);
    }
    match desk.beyond {
        Some(error) => Err(error),
        None => Ok(desk.report(plan, last, bars, &benchmark)),
    }
}

impl Desk {
    fn new(plan: &Plan) -> Self {
        let mut desk = Self {
            circuit: Circuit::new(&plan.setup, plan.capital.currency(), WallTime(plan.from.0)),
            opens_until: plan.opens_until,
            trades: Trades::default(),
            funnel: Funnel::default(),
            log: CallLog::default(),
            days: Vec::new(),
            halts: 0,
            beyond: None,
        };
        desk.input(InputBody::Run(RunInput::Opened {
            run: RunId(1),
            ledger: LedgerId(1),
            tape: plan.tape.clone(),
            capital: plan.capital,
            version: String::new(),
            settings: plan.setup.settings.clone(),
            first_order: OrderId(1),
            first_deal: DealId(1),
            quiet_until: plan.from,
        }));
        desk.command(Command::ArmPaper);
        desk
    }

    const fn engine(&self) -> &Engine {
        self.circuit.engine()
    }

    fn play(&mut self, event: MarketEvent) {
        self.circuit.play(event);
        self.take_note();
        self.turn_day();
        self.confirm_all();
    }

    /// The equity of the day that has ended; whoever stands here looks at a halted account once a day and arms it again.
    fn turn_day(&mut self) {
        // The warm-up's days earn nothing and show nothing.
        if self.engine().market().now() < self.engine().book().quiet_until() {
            return;
        }
        let Some(day) = self.engine().book().performance().days().back().copied() else { return };
        match self.days.last_mut().filter(|(date, _)| *date == day.date) {
            Some((_, equity)) => *equity = day.closed,
            None => {
                self.days.push((day.date, day.closed));
                if self.engine().book().needs_rearming() {
                    self.halts += 1;
                    self.command(Command::RequestRearm);
                    self.command(Command::ConfirmRearm);
                }
            }
        }
    }

    fn confirm_all(&mut self) {
        while let Some(proposal) = self.engine().book().proposals().values().next().cloned() {
            let is_late = self.opens_until.is_some_and(|until| self.engine().market().now() >= until);
            if is_late && proposal.request.opens_exposure() {
                self.command(Command::DeclineProposal { proposal: proposal.id });
                continue;
            }
            let seen = Seen { price: Some(proposal.reference), quantity: proposal.request.quantity };
            let id: ProposalId = proposal.id;
            self.command(Command::ConfirmProposal { proposal: id, revision: proposal.revision, seen });
            // What a check refuses is declined, so that it does not stand in the way of the next.
            if self.engine().book().proposals().contains_key(&id) {
                self.command(Command::DeclineProposal { proposal: id });
            }
        }
    }

    fn command(&mut self, command: Command) {
        self.input(InputBody::Command { actor: Actor::Person, command });
    }

    fn input(&mut self, body: InputBody) {
        self.circuit.input(body);
        self.take_note();
    }

    fn take_note(&mut self) {
        let (records, fills) = self.circuit.news();
        for record in &records {
            self.note(record);
        }
        for fill in &fills {
            self.beyond = self.beyond.or(self.trades.fill(fill).err());
        }
    }

    fn note(&mut self, record: &Record) {
        match record {
            Record::Signal(SignalRecord::Judged { signal, validation }) => {
                self.judged(signal, validation);
            }
            Record::Signal(SignalRecord::Resolved { signal, outcome, .. }) => {
                self.log.resolved(*signal, outcome);
            }
            Record::Proposal(ProposalRecord::Made(made)) if made.revision == 1 && made.request.opens_exposure() => {
                self.funnel.proposed += 1;
            }
            Record::Order(OrderRecord::Refused { refusal, .. }) => {
                *self.funnel.stopped.entry(refusal.first().map_or("?", |result| result.check.code()).to_owned()).or_default() +=
                    1;
            }
            Record::Run(_)
            | Record::Trading(_)
            | Record::Proposal(_)
            | Record::Order(_)
            | Record::Portfolio(_)
            | Record::Alert(_)
            | Record::Commentary(_)
            | Record::Opinion(_)
            | Record::Published { .. } => {}
        }
    }

    fn judged(&mut self, signal: &Signal, validation: &Validation) {
        // The warm-up's signals make the record that the last layer looks at; they are not what is reported on.
        if self.engine().market().now() < self.engine().book().quiet_until() {
            return;
        }
        self.funnel.judged += 1;
        match validation.first_failure() {
            None => self.funnel.passed += 1,
            Some(failed) => *self.funnel.refused.entry(failed.layer).or_default() += 1,
        }
        self.log.judged(signal, validation, self.circuit.engine().book().quiet_until());
    }

    fn report(self, plan: &Plan, last: MarketTime, bars: u64, benchmark: &Benchmark) -> Report {
        let book = self.circuit.engine().book();
        let trades = self.trades.closed();
        let signals = Scores::without_chances(self.log.calls().to_vec());
        let evidence = Evidence::of(plan.capital, &self.days, &trades, &signals, benchmark);
        Report {
            tape: plan.tape.clone(),
            from: plan.from,
            until: last,
            bars,
            capital: plan.capital,
            equity: book.performance().equity(),
            costs: book.ledger().costs(),
            max_drawdown: book.performance().max_drawdown(),
            halts: self.halts,
            open: book.ledger().positions().len() as u64,
            days: self.days,
            trades,
            held: benchmark.growth(),
            looks: self.circuit.engine().looks().collect(),
            signals: self.funnel,
            calls: kept(&self.log),
            log: self.log,
            evidence,
        }
    }
}

/// Kept calls that have ended, in the order of their ends.
fn kept(log: &CallLog) -> Vec<CountedCall> {
    let counted = |call: &Call| {
        let ended = call.ended.filter(|_| call.passed())?;
        let (is_right, has_risen) = (call.was_right(&ended), ended.moved > 0.0);
        Some(CountedCall { made: call.made, ended: ended.at, is_right, has_risen })
    };
    let mut calls: Vec<CountedCall> = log.calls().iter().filter_map(counted).collect();
    calls.sort_by_key(|call| call.ended);
    calls
}

impl Report {
    /// When each round trip closed, and its return on the value bought, after cost.
    pub fn trips(&self) -> Vec<(Date, f64)> {
        let trip = |trade: &Trade| Some((RiskDay::of(trade.closed_at).date, trade.result.ratio_to(trade.value)?.to_f64()));
        self.trades.iter().filter_map(trip).collect()
    }

    /// Net results by instrument.
    pub fn by_instrument(&self) -> BTreeMap<InstrumentId, f64> {
        let mut sums = BTreeMap::new();
        for trade in &self.trades {
            *sums.entry(trade.instrument).or_insert(0.0) += trade.result.to_f64();
        }
        sums
    }
}
