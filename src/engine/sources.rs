//! What is said about the sources themselves: silence, missing minutes, the way to a broker.

use crate::domain::{
    AlertTopic, Bar, BrokerKind, Duration, FeedNote, FlawCount, InstrumentId, MarketTime, Missed, PauseOf, Ratio, Severity,
    SplitRatio, counted, new_york,
};
use crate::engine::breaking::Moved;
use crate::engine::quality::Holes;
use crate::engine::record::{Record, TradingRecord};
use crate::engine::{Engine, Holidays, LinkStands, Outcome, ServedWhat};
use crate::risk::{Metric, Scope};

/// Length of a minute in nanoseconds.
const MINUTE: i64 = 60_000_000_000;

/// Instruments that one alert names.
const NAMED: usize = 5;

impl Engine {
    pub(super) fn decide_on_feed(
        &mut self,
        silent: &[InstrumentId],
        heard: &[InstrumentId],
        missed: &[Missed],
        outcome: &mut Outcome,
    ) {
        if !silent.is_empty() || !heard.is_empty() {
            let (silent, heard) = (silent.to_vec(), heard.to_vec());
            self.record(Record::Trading(TradingRecord::FeedChanged { silent, heard }), outcome);
        }
        for Missed { instrument, from, until } in missed.iter().copied() {
            let minutes = usize::try_from((until.0 - from.0) / MINUTE).unwrap_or(0);
            let (symbol, minutes) = (self.instruments.symbol(instrument), counted(minutes, "minute"));
            let why = match self.settings.broker {
                BrokerKind::Paper => "no provider tells them any more",
                BrokerKind::Xapi => "the broker's chart did not come",
            };
            let text = format!(
                "{symbol}: {minutes} from {} New York on are missing, {why}: the next bar follows upon a hole",
                new_york().to_datetime(from.timestamp()).strftime("%Y-%m-%d %H:%M")
            );
            self.raise(Severity::Warning, AlertTopic::Market, Some(instrument), text, outcome);
            if self.watches_quality() {
                let bars = u32::try_from((until.0 - from.0) / MINUTE).unwrap_or(u32::MAX);
                self.record(Record::Trading(TradingRecord::BarsMissing { instrument, bars }), outcome);
                self.trip_breakers(Moved::Bar(instrument), outcome);
            }
        }
    }

    /// Another provider's prices are not a move of the market, and whoever reads them must know whose they are.
    pub(super) fn decide_on_served(
        &mut self,
        what: ServedWhat,
        instruments: &[InstrumentId],
        (from, to): (&str, &str),
        why: &str,
        outcome: &mut Outcome,
    ) {
        let what = match what {
            ServedWhat::Quotes => "prices",
            ServedWhat::Bars => "bars",
        };
        let text = format!("{}: {what} come from {to} instead of {from} ({why})", self.names(instruments));
        self.raise(Severity::Info, AlertTopic::Market, one_of(instruments), text, outcome);
    }

    /// What a feed noted about what it hears: flaws lower the quality of data, the rest is said to a person.
    pub(super) fn decide_on_note(&mut self, note: &FeedNote, outcome: &mut Outcome) {
        match note {
            FeedNote::Flawed { instrument, from, flaws, sound } => self.take_flaws(*instrument, from, flaws, *sound, outcome),
            FeedNote::Paused { instruments, since, of } => self.say_paused(instruments, *since, *of, outcome),
            FeedNote::Resumed { instruments } => {
                let text = format!("{}: traded again, or the session is over", self.names(instruments));
                self.raise(Severity::Info, AlertTopic::Market, one_of(instruments), text, outcome);
            }
            FeedNote::Split { instrument, from, ratio } => self.say_split(*instrument, from, *ratio, outcome),
            FeedNote::ClockWentBack { by } => {
                let text = format!(
                    "this computer's clock went back by {}: ages and limits of requests go on from there; if the clock is wrong now, prices are \
                     refused as ahead of time until it is set",
                    length(*by)
                );
                self.raise(Severity::Warning, AlertTopic::Engine, None, text, outcome);
            }
        }
    }

    fn take_flaws(&mut self, instrument: InstrumentId, from: &str, flaws: &[FlawCount], sound: u32, outcome: &mut Outcome) {
        if !self.watches_quality() || self.market.get(instrument).is_none() {
            return;
        }
        let flawed: u64 = flaws.iter().map(|flaw| u64::from(flaw.count)).sum();
        let told = flawed + u64::from(sound);
        let is_grave = flaws.iter().any(|flaw| flaw.flaw.is_grave());
        // Rounded up: something was lost.
        let part = if is_grave { 1_000 } else { (flawed * 1_000).div_ceil(told.max(1)) };
        let each: Vec<String> = flaws.iter().map(|flaw| format!("{} {}", flaw.count, flaw.flaw.words())).collect();
        let what = format!("of what {from} told in a minute {} ({sound} sound)", each.join(", "));
        let lost = u16::try_from(part).unwrap_or(1_000);
        self.record(Record::Trading(TradingRecord::MinuteFlawed { instrument, lost, what }), outcome);
        self.trip_breakers(Moved::Bar(instrument), outcome);
    }

    fn say_paused(&mut self, instruments: &[InstrumentId], since: MarketTime, of: PauseOf, outcome: &mut Outcome) {
        let (names, at) = (self.names(instruments), new_york().to_datetime(since.timestamp()).strftime("%H:%M").to_string());
        let text = match of {
            PauseOf::Instruments => {
                format!(
                    "{names}: no trades since {at} New York while the session is open: halted, or nobody trades; orders wait for the next trade"
                )
            }
            PauseOf::Market => {
                format!(
                    "nothing trades since {at} New York ({names}): a pause of the whole market, or a holiday; orders wait for the next trade"
                )
            }
        };
        self.raise(Severity::Warning, AlertTopic::Market, one_of(instruments), text, outcome);
    }

    fn say_split(&mut self, instrument: InstrumentId, from: &str, ratio: SplitRatio, outcome: &mut Outcome) {
        let symbol = self.instruments.symbol(instrument);
        let text = format!(
            "{symbol}: a split of {ratio} lies between what was taken and what {from} tells now; its prices are held back and no order in it can \
             fill in this run; `--new` begins one on the new prices"
        );
        self.raise(Severity::Critical, AlertTopic::Market, Some(instrument), text, outcome);
    }

    /// The first few of these by symbol, and how many more there are.
    fn names(&self, instruments: &[InstrumentId]) -> String {
        let names: Vec<String> = instruments.iter().take(NAMED).map(|id| self.instruments.symbol(*id)).collect();
        match instruments.len().saturating_sub(NAMED) {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    }

    /// Whether a breaker watches the quality of data. Runs of before it did have no such state.
    fn watches_quality(&self) -> bool {
        self.settings.breakers.iter().any(|rule| rule.metric == Metric::DataQuality)
    }

    /// Whether data of this quality is below what a breaker of instruments allows.
    pub(super) fn is_poor(&self, quality: Ratio) -> bool {
        let mut rules = self.settings.breakers.iter().filter(|rule| rule.metric == Metric::DataQuality);
        rules.any(|rule| rule.scope == Scope::Instrument && rule.metric.is_beyond(quality, rule.limit.of(&self.settings.limits)))
    }

    /// Counts a closed bar.
    pub(super) fn note_quality(&mut self, bar: &Bar) {
        let known = self.instruments.get(bar.instrument);
        let series = self.market.get(bar.instrument);
        let (Some(known), Some(series)) = (known.filter(|_| self.watches_quality()), series) else { return };
        let holes = match (series.has_end(), self.settings.holidays) {
            (false, _) => Holes::Told,
            (true, Holidays::Known) => Holes::ByCalendar(known.calendar),
            (true, Holidays::Unknown) => Holes::ByTime(known.calendar),
        };
        self.book.quality.on_bar(bar, holes);
    }

    pub(super) fn decide_on_link(&mut self, stands: LinkStands, words: &str, outcome: &mut Outcome) {
        let positions = self.book.ledger.positions().values();
        let bare = positions.filter(|held| held.protection.stop_loss.is_none()).count();
        let mut state = match bare {
            0 => "stops at the broker keep working".to_owned(),
            bare => format!("{} there without a stop", counted(bare, "position")),
        };
        if let openings @ 1.. = self.openings_there() {
            state.push_str(&format!(", {} there may still open something", counted(openings, "order")));
        }
        let (severity, text) = match stands {
            LinkStands::Ready => (Severity::Info, "the link to the broker is there again".to_owned()),
            LinkStands::Down => {
                let text = format!("no link to the broker ({words}): nothing can be sent, {state}; it is tried again by itself");
                (Severity::Warning, text)
            }
            LinkStands::NeedsPerson => {
                let text =
                    format!("no link to the broker ({words}): nothing can be sent, {state}; only `:reconnect` tries again");
                (Severity::Critical, text)
            }
        };
        self.raise(severity, AlertTopic::Engine, None, text, outcome);
    }
}

/// The one instrument that something is about, where it is one.
const fn one_of(instruments: &[InstrumentId]) -> Option<InstrumentId> {
    if let [one] = instruments { Some(*one) } else { None }
}

/// A length of time in the largest unit that fits.
fn length(by: Duration) -> String {
    let seconds = by.0 / 1_000_000_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}
