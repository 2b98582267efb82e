//! The same engine without threads, files or a real clock: for rendering, benches and tests.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::{Broker, Paper};
use crate::domain::{
    Actor, BrokerReport, Currency, DealId, Duration, LedgerId, MarketEvent, MarketTime, Money, OrderId, RunId, WallTime,
};
use crate::engine::{
    Command, Effect, Engine, Event, Input, InputBody, Outcome, Record, RunInput, Setup, SignalRecord, SnapshotRequest, TapeRef,
};
use crate::market::bulletins::TapeBulletins;
use crate::market::{Player, Tape};
use crate::runtime::{Answer, Frame, JournalHealth, Playback, Scored, Speed};
use crate::signals::{Analyst, CallLog, RuleAnalyst};

/// An engine on a tape, or on a market that is said to it. Its wall clock stands still except where [`Headless::wait`] or
/// [`Headless::turn_clock`] moves it.
#[derive(Debug)]
pub struct Headless {
    engine: Engine,
    /// Nothing where the market is said to it.
    player: Option<Player>,
    broker: Paper,
    analyst: RuleAnalyst,
    bulletins: Option<TapeBulletins>,
    outcome: Outcome,
    records: u64,
    log: CallLog,
    wall: WallTime,
    heard: Option<WallTime>,
    /// Reports not handled yet: first come, first served, as in the engine thread.
    waiting: VecDeque<BrokerReport>,
    is_reporting: bool,
    answers: VecDeque<Answer>,
}

impl Headless {
    /// A fresh run. Up to `quiet_until` the tape only warms up.
    pub fn new(tape: &Tape, setup: &Setup, seed: u64, capital: Money, quiet_until: MarketTime) -> Self {
        let named = TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed };
        Self::begin(Some(Player::new(tape, seed)), named, setup, capital, quiet_until)
    }

    /// A fresh run with the usual capital whose market is said to it by [`Headless::hear`], as a live feed does. Up to `now` it only warms up.
    pub fn live(name: &str, setup: &Setup, now: WallTime) -> Self {
        let named = TapeRef { name: name.to_owned(), sha256: String::new(), seed: 0 };
        Self::begin(None, named, setup, usual_capital(), MarketTime(now.0))
    }

    fn begin(player: Option<Player>, tape: TapeRef, setup: &Setup, capital: Money, quiet_until: MarketTime) -> Self {
        let engine = Engine::new(setup);
        let terms = setup.settings.terms;
        let broker = Paper::new(terms, capital.currency());
        let mut headless = Self {
            engine,
            player,
            broker,
            analyst: RuleAnalyst,
            bulletins: TapeBulletins::new(),
            outcome: Outcome::default(),
            records: 0,
            log: CallLog::default(),
            wall: WallTime(quiet_until.0),
            heard: None,
            waiting: VecDeque::new(),
            is_reporting: false,
            answers: VecDeque::new(),
        };
        headless.input(InputBody::Run(RunInput::Opened {
            run: RunId(1),
            ledger: LedgerId(1),
            tape,
            capital,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: setup.settings.clone(),
            first_order: OrderId(1),
            first_deal: DealId(1),
            quiet_until,
        }));
        headless
    }

    /// A run with the usual capital.
    pub fn with_usual_capital(tape: &Tape, setup: &Setup, quiet_until: MarketTime) -> Self {
        Self::new(tape, setup, 1, usual_capital(), quiet_until)
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many records were decided.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Scorecards of all signals so far, as a ledger would give them.
    pub fn scored(&self) -> Scored {
        Scored::of(self.log.calls().to_vec(), self.wall)
    }

    /// Now, on the stand-in wall clock.
    pub const fn now(&self) -> WallTime {
        self.wall
    }

    /// Lets wall time pass, and with it what runs out.
    pub fn wait(&mut self, time: Duration) {
        self.wall = self.wall.plus(time);
        self.input(InputBody::Timer);
    }

    /// Plays every event known before `until`.
    pub fn play_until(&mut self, until: MarketTime) {
        while self.player.as_ref().and_then(Player::next_at).is_some_and(|at| at < until) {
            self.play_one();
        }
    }

    /// Plays one event. Returns whether there was one.
    pub fn play_one(&mut self) -> bool {
        let Some(event) = self.player.as_mut().and_then(Player::next) else { return false };
        self.hear(event);
        let now = self.engine.market().now();
        let due = self.bulletins.as_mut().map(|bulletins| bulletins.due(now)).unwrap_or_default();
        if !due.is_empty() {
            self.input(InputBody::Published { observations: due });
        }
        true
    }

    /// Handles what a market says.
    pub fn hear(&mut self, event: MarketEvent) {
        self.heard = Some(self.wall);
        self.broker.on_market(&event);
        self.engine.handle(&Event::Market(event), &mut self.outcome);
        self.follow_up();
    }

    /// Sets the stand-in wall clock.
    pub const fn turn_clock(&mut self, now: WallTime) {
        self.wall = now;
    }

    /// Handles a person's command.
    pub fn command(&mut self, command: Command) {
        self.input(InputBody::Command { actor: Actor::Person, command });
    }

    /// Handles what the screen asks for, and answers.
    pub fn ask(&mut self, number: u64, command: Command) {
        let refusal = self.input(InputBody::Command { actor: Actor::Person, command });
        self.answers.push_back(Answer { number, refusal });
        if self.answers.len() > 16 {
            self.answers.pop_front();
        }
    }

    /// Handles any input. Returns the engine's refusal, if any.
    pub fn input(&mut self, body: InputBody) -> Option<String> {
        let input = Input { wall: self.now(), body };
        self.engine.handle(&Event::Input(input), &mut self.outcome);
        let refusal = self.outcome.refusal.take();
        self.follow_up();
        refusal
    }

    /// A picture as the screen gets it.
    pub fn frame(&self, show: &SnapshotRequest) -> Frame {
        Frame {
            snapshot: self.engine.snapshot(show),
            playback: Playback {
                is_paused: false,
                is_held: show.holds,
                speed: Speed::Times(3_600),
                is_running_ahead: false,
                is_at_end: self.player.as_ref().is_some_and(|player| player.next_at().is_none()),
                ends_at: self.player.as_ref().and_then(Player::ends_at),
                position: self.player.as_ref().map(|player| (player.position(), player.len())),
                heard: self.heard,
            },
            journal: JournalHealth { last_seq: self.records, waiting: 0, last_commit: std::time::Duration::ZERO, failure: None },
            link: None,
            feed: None,
            bulletins: self.bulletins.clone().map(|mut bulletins| bulletins.view(self.engine.market().now())),
            // Nobody but the rules speaks here.
            model: Arc::default(),
            answers: self.answers.clone(),
        }
    }

    fn follow_up(&mut self) {
        self.records += self.outcome.records.len() as u64;
        let began = self.engine.book().quiet_until();
        for record in &self.outcome.records {
            match record {
                Record::Signal(SignalRecord::Judged { signal, validation }) => self.log.judged(signal, validation, began),
                Record::Signal(SignalRecord::Resolved { signal, outcome, .. }) => self.log.resolved(*signal, outcome),
                Record::Run(_) | Record::Trading(_) | Record::Proposal(_) | Record::Order(_) => {}
                Record::Portfolio(_) | Record::Alert(_) | Record::Commentary(_) => {}
                Record::Opinion(_) | Record::Published { .. } => {}
            }
        }
        let now = self.engine.market().now();
        let mut comments = Vec::new();
        for effect in std::mem::take(&mut self.outcome.effects) {
            match effect {
                Effect::Submit(order) => self.broker.submit(order, now),
                Effect::Cancel(order) => self.broker.cancel(order),
                Effect::Withdraw(order) => self.broker.withdraw(order),
                Effect::Modify { order, quantity, kind } => self.broker.modify(order, quantity, kind, now),
                Effect::Protect { position, protection, legs } => self.broker.protect(position, protection, legs, now),
                Effect::QueryBroker => self.broker.query(),
                // Nobody has opinions here.
                Effect::Opine(_) => {}
                Effect::Comment(facts) => comments.extend(self.analyst.comment(&facts)),
            }
        }
        for comment in comments {
            self.input(InputBody::Commentary(comment));
        }
        let mut reports = Vec::new();
        self.broker.poll(&mut reports);
        self.waiting.extend(reports);
        if self.is_reporting {
            return;
        }
        self.is_reporting = true;
        while let Some(report) = self.waiting.pop_front() {
            self.input(InputBody::Broker(report));
        }
        self.is_reporting = false;
    }
}

fn usual_capital() -> Money {
    Money::whole(100_000, Currency::USD).unwrap_or(Money::zero(Currency::USD))
}
