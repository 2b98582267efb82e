//! The engine itself: its state, its two ways forward, and the dispatch. Decisions are in the files named after what wakes them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::{BrokerKind, InstrumentTable, MarketEvent, Ratio, SeriesInfo, SignalSource, WallTime};
use crate::engine::breaking::Moved;
use crate::engine::companions::Companions;
use crate::engine::daily::DayNumber;
use crate::engine::judging::Looks;
use crate::engine::record::{Learns, RunRecord};
use crate::engine::sectors::Sectors;
use crate::engine::{Book, Effect, Event, Input, InputBody, MarketState, PortfolioRecord, Record, RunInput, ServedWhat};
use crate::exchange::Terms;
use crate::portfolio::SizingSettings;
use crate::risk::{GaugeKind, Limits, Rules, StageSettings};
use crate::signals::{Gates, PlanGates, Resolved, Script, ScriptRef, Scripts, Strategy, StrategySettings, strategies};

/// The settings decisions depend on. They are part of a run's first input and of every restart, so that a replay uses the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineSettings {
    /// Limits of the account.
    pub limits: Limits,
    /// Breakers. Older runs recorded none: they had those of before the table.
    #[serde(default = "Rules::before_the_table")]
    pub breakers: Rules,
    /// Thresholds of the layers.
    pub gates: Gates,
    /// Baseline strategies.
    pub strategies: StrategySettings,
    /// Strategies of one's own, each with the hash of its text.
    #[serde(default, skip_serializing_if = "Scripts::is_empty")]
    pub scripts: Scripts,
    /// Costs.
    pub terms: Terms,
    /// How far a price may move between proposal and confirmation.
    pub confirm_tolerance: Ratio,
    /// A bar's move, in usual deviations, from which an alert is raised.
    pub alert_deviations: Ratio,
    /// The plan's gates: those of the stages size trades and open stages; a change of one is journalled. Older runs recorded none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<PlanGates>,
    /// Which broker the run trades with.
    #[serde(default)]
    pub broker: BrokerKind,
    /// How a chance becomes a size. Older runs recorded none: they state no chances and size every trade exploratory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizing: Option<SizingSettings>,
    /// How much of the account counts at each stage; nothing where stages are not enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<StageSettings>,
    /// Whether holes in data are counted by calendars with holidays and half days. Older runs recorded nothing: they counted without.
    #[serde(default, skip_serializing_if = "Holidays::are_unknown")]
    pub holidays: Holidays,
}

/// Whether the calendars of a run know holidays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holidays {
    /// They do not: of shares no bar is missed, of currencies what a day and less is.
    #[default]
    Unknown,
    /// They do.
    Known,
}

impl Holidays {
    fn are_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

impl EngineSettings {
    /// Whether a run with these settings learns chances.
    pub const fn learns(&self) -> Learns {
        match self.sizing {
            Some(_) => Learns::Yes,
            None => Learns::No,
        }
    }
}

/// What an engine is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// All instruments.
    pub instruments: Arc<InstrumentTable>,
    /// The series of the tape or feed.
    pub series: Vec<SeriesInfo>,
    /// The settings.
    pub settings: EngineSettings,
    /// Strategies of one's own that are at hand; the settings say which of them a run has.
    pub library: Arc<[Script]>,
}

/// What one event led to. Reused between calls; [`Engine::handle`] clears it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Decisions, in order; to be made durable before any effect that reaches a broker.
    pub records: Vec<Record>,
    /// What to do then.
    pub effects: Vec<Effect>,
    /// Why what a person wanted came to nothing, if it did: the answer to the one who asked, not a part of the state.
    pub refusal: Option<String>,
}

/// SHA-256 of the whole state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StateHash([u8; 32]);

/// The engine.
pub struct Engine {
    pub(super) instruments: Arc<InstrumentTable>,
    pub(super) settings: EngineSettings,
    pub(super) strategies: Vec<Box<dyn Strategy>>,
    library: Arc<[Script]>,
    /// How often each source failed to look since the run was opened or taken up. Only what is said of it is part of the state.
    pub(super) faults: BTreeMap<SignalSource, u64>,
    /// How often each strategy was asked, by its place.
    pub(super) looks: Vec<Looks>,
    pub(super) market: MarketState,
    pub(super) book: Book,
    /// What the gauges showed at the end of the last risk day. Only the eye depends on it, so it is no part of the state.
    pub(super) gauged_before: Vec<(GaugeKind, Ratio)>,
    /// Whether somebody sees pictures and comments of it.
    pub(super) is_watched: bool,
    /// What moves with what, as of this risk day. Follows from the bars, so it is no part of the state.
    pub(super) companions: Companions,
    pub(super) sectors: Sectors,
    pub(super) wall: WallTime,
}

/// What a market event changed, for the decisions that follow.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    pub new_day: bool,
    pub equity_changed: bool,
    pub resolved: Vec<Resolved>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").field("market", &self.market.now()).field("run", &self.book.run).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine before its first event.
    pub fn new(setup: &Setup) -> Self {
        Self {
            instruments: Arc::clone(&setup.instruments),
            settings: setup.settings.clone(),
            strategies: strategies(&setup.settings.strategies, &setup.settings.scripts, &setup.library),
            library: Arc::clone(&setup.library),
            faults: BTreeMap::new(),
            looks: Vec::new(),
            market: MarketState::new(&setup.series, &setup.instruments),
            book: Book::default(),
            gauged_before: Vec::new(),
            is_watched: true,
            companions: Companions::default(),
            sectors: Sectors::new(&setup.series, &setup.instruments),
            wall: WallTime(0),
        }
    }

    /// The same engine where nobody looks, as in a backtest: it decides all the same, and keeps nothing that only an eye or the analyst
    /// would ask for.
    #[must_use]
    pub fn unwatched(mut self) -> Self {
        self.is_watched = false;
        self
    }

    /// Handles one event: the way forward in live trading, backtest and replay alike.
    pub fn handle(&mut self, event: &Event, outcome: &mut Outcome) {
        outcome.records.clear();
        outcome.effects.clear();
        outcome.refusal = None;
        match event {
            Event::Market(event) => {
                let noticed = self.observe_noticing(event);
                self.decide_on_market(event, noticed, outcome);
            }
            Event::Input(input) => self.handle_input(input, outcome),
        }
    }

    fn handle_input(&mut self, input: &Input, outcome: &mut Outcome) {
        self.take_input(input);
        let equity = self.book.performance.equity();
        match &input.body {
            InputBody::Run(run) => self.decide_on_run(run, outcome),
            InputBody::Command { actor, command } => self.decide_on_command(*actor, command, outcome),
            InputBody::Broker(report) => self.decide_on_report(report, outcome),
            InputBody::Commentary(comment) => self.record(Record::Commentary(comment.clone()), outcome),
            InputBody::Opinion(opinion) => self.record(Record::Opinion(opinion.clone()), outcome),
            InputBody::Feed { silent, heard, missed } => self.decide_on_feed(silent, heard, missed, outcome),
            InputBody::Served { what, instruments, from, to, why } => {
                self.decide_on_served(*what, instruments, (from, to), why, outcome);
            }
            InputBody::Noted(note) => self.decide_on_note(note, outcome),
            InputBody::Published { observations } => self.decide_on_published(observations, outcome),
            InputBody::Link { stands, words } => self.decide_on_link(*stands, words, outcome),
            InputBody::Timer => {}
        }
        // A fill may lose more than the last price told, and be the last of its day.
        if self.book.performance.equity() != equity {
            self.trip_breakers(Moved::Equity, outcome);
        }
        self.trip_breakers(Moved::Input, outcome);
        self.decide_on_time(outcome);
    }

    /// Recovery: takes a market event without deciding anything.
    pub fn observe(&mut self, event: &MarketEvent) {
        let _: Noticed = self.observe_noticing(event);
    }

    /// Recovery: takes an input's time and settings, and whose bars come next, without deciding anything.
    pub fn take_input(&mut self, input: &Input) {
        self.wall = self.wall.max(input.wall);
        if let InputBody::Served { what: ServedWhat::Bars, instruments, .. } = &input.body {
            self.market.splice(instruments);
        }
        if let InputBody::Run(RunInput::Opened { settings, .. } | RunInput::Resumed { settings, .. }) = &input.body {
            self.strategies = strategies(&settings.strategies, &settings.scripts, &self.library);
            self.settings = settings.clone();
            self.faults.clear();
            self.looks.clear();
            self.companions = Companions::default();
        }
    }

    /// A script of these settings that is not at hand with the very text: a run that had it cannot be handled again.
    pub fn lacks(&self, settings: &EngineSettings) -> Option<ScriptRef> {
        settings.scripts.iter().find(|wanted| self.library.iter().all(|script| script.reference() != *wanted))
    }

    /// Recovery: applies a decision that was recorded.
    pub fn apply(&mut self, record: &Record) {
        if let Record::Run(RunRecord::InstrumentsChanged { joined, left, since, .. }) = record {
            self.change_instruments(joined, left, *since);
        }
        self.book.apply(record, self.market.now(), &self.instruments);
        if matches!(record, Record::Portfolio(PortfolioRecord::Reset { .. })) {
            self.gauged_before.clear();
        }
    }

    /// The earliest wall time at which something lapses, if anything waits; the runtime sends [`InputBody::Timer`] then.
    pub fn next_deadline(&self) -> Option<WallTime> {
        let proposals = self.book.proposals.values().map(|proposal| proposal.expires);
        let stage_up = self.book.staged.and_then(|staged| staged.asked);
        let asked = [self.book.rearm_requested, stage_up, self.book.breakers.unlock_asked()].into_iter().flatten();
        proposals.chain(asked.map(|asked| asked.plus(super::commands::REARM_WINDOW))).min()
    }

    /// The decided half of the state.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The observed half of the state.
    pub const fn market(&self) -> &MarketState {
        &self.market
    }

    /// The settings.
    pub const fn settings(&self) -> &EngineSettings {
        &self.settings
    }

    /// The instruments.
    pub const fn instruments(&self) -> &Arc<InstrumentTable> {
        &self.instruments
    }

    /// SHA-256 over the canonical text of the whole state.
    pub fn state_hash(&self) -> StateHash {
        struct Sink(Sha256);
        impl io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.update(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut sink = io::BufWriter::with_capacity(1 << 16, Sink(Sha256::new()));
        let written = serde_json::to_writer(&mut sink, &(&self.market, &self.book, self.wall));
        debug_assert!(written.is_ok(), "the state is plain data: {written:?}");
        match sink.into_inner() {
            Ok(Sink(hash)) => StateHash(hash.finalize().into()),
            Err(_) => StateHash([0; 32]),
        }
    }

    /// Makes a decision: applies it and hands it out.
    pub(super) fn record(&mut self, record: Record, outcome: &mut Outcome) {
        self.apply(&record);
        outcome.records.push(record);
    }

    fn observe_noticing(&mut self, event: &MarketEvent) -> Noticed {
        self.remember_gauges(event.known_at());
        let mut noticed = Noticed { new_day: self.book.turn_day(event.known_at()), ..Noticed::default() };
        // The yardstick of a day's change is the last price before it: the event that turns the day is not it.
        if noticed.new_day {
            let today = self.book.performance.days().back().map_or_else(DayNumber::default, |day| DayNumber::of(day.date));
            self.market.turn_day(today, &self.instruments);
            self.turn_tail();
        }
        self.market.observe(event, &self.instruments);
        let price = match event {
            MarketEvent::Quoted { quote, .. } => quote.last,
            MarketEvent::BarOpened { instrument, open, stamp } => {
                self.book.tracker.on_open(*instrument, *open, stamp.event_at);
                *open
            }
            MarketEvent::BarClosed { bar, .. } => {
                noticed.resolved = self.book.tracker.on_close(bar, self.settings.terms.round_trip());
                bar.close
            }
        };
        noticed.equity_changed = self.book.mark(event.instrument(), price);
        if let MarketEvent::BarClosed { bar, .. } = event {
            self.forget_companions_before(bar);
            self.note_quality(bar);
            if self.book.has_traded {
                self.refresh_tail();
            }
        }
        noticed
    }
}

impl fmt::Display for StateHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl From<StateHash> for String {
    fn from(hash: StateHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for StateHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let refuse = || format!("«{text}» is not a state hash of 64 hexadecimal digits");
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(refuse());
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or_else(refuse)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| refuse())?;
        }
        Ok(Self(bytes))
    }
}
