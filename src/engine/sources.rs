//! What is said about the sources themselves: silence, missing minutes, the way to a broker.

use crate::domain::{AlertTopic, Bar, BrokerKind, InstrumentId, Missed, Severity, counted, new_york};
use crate::engine::breaking::Moved;
use crate::engine::quality::Holes;
use crate::engine::record::{Record, TradingRecord};
use crate::engine::{Engine, Holidays, LinkStands, Outcome, ServedWhat};
use crate::risk::Metric;

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
        let names: Vec<String> = instruments.iter().take(NAMED).map(|id| self.instruments.symbol(*id)).collect();
        let more = match instruments.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!("{}{more}: {what} come from {to} instead of {from} ({why})", names.join(", "));
        let about = if let [one] = instruments { Some(*one) } else { None };
        self.raise(Severity::Info, AlertTopic::Market, about, text, outcome);
    }

    /// Whether a breaker watches the quality of data. Runs of before it did have no such state.
    fn watches_quality(&self) -> bool {
        self.settings.breakers.iter().any(|rule| rule.metric == Metric::DataQuality)
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
