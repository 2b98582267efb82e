//! What is said about the sources themselves: silence, missing minutes, the way to a broker.

use crate::domain::{AlertTopic, InstrumentId, Missed, Severity, counted};
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
                "{symbol}: {minutes} from {from} on are missing: the broker's chart did not come; signals skip them, and its bars there \
                 are not known"
            );
            self.raise(Severity::Warning, AlertTopic::Market, Some(instrument), text, outcome);
        }
    }

    pub(super) fn decide_on_link(&mut self, stands: LinkStands, words: &str, outcome: &mut Outcome) {
        let (severity, text) = match stands {
            LinkStands::Ready => (Severity::Info, "the link to the broker is there again; what is open was compared".to_owned()),
            LinkStands::Down => {
                let text = format!(
                    "the link to the broker is lost ({words}); nothing can be sent, stops at the broker keep working, and it is tried again by \
                     itself"
                );
                (Severity::Warning, text)
            }
            LinkStands::NeedsPerson => {
                let text = format!(
                    "there is no link to the broker ({words}); nothing can be sent, stops at the broker keep working, and only \
                     `:reconnect` tries again"
                );
                (Severity::Critical, text)
            }
        };
        self.raise(severity, AlertTopic::Engine, None, text, outcome);
    }
}
