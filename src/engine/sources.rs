//! What is said about the sources themselves: silence, missing minutes, the way to a broker.

use crate::domain::{AlertTopic, InstrumentId, Missed, Severity, counted, new_york};
use crate::engine::record::{Record, TradingRecord};
use crate::engine::{Engine, LinkStands, Outcome};

/// Length of a minute in nanoseconds.
const MINUTE: i64 = 60_000_000_000;

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
            let text = format!(
                "{symbol}: {minutes} from {} New York on are missing, the broker's chart did not come: the next bar follows upon a hole",
                new_york().to_datetime(from.timestamp()).strftime("%Y-%m-%d %H:%M")
            );
            self.raise(Severity::Warning, AlertTopic::Market, Some(instrument), text, outcome);
        }
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
