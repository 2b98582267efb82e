//! A look at everything that is open: asked for twice, so that an absence means something.

use std::collections::BTreeSet;

use super::{Class, Client, Job, Phase};
use crate::broker::xapi::client::{ClientEvent, LinkState, Output, Snapshot};
use crate::broker::xapi::errors::meaning;
use crate::broker::xapi::wire::{Margin, Reply, Trade, decode, decode_each};
use crate::domain::{CleanText, Duration, WallTime};

/// Pause after an answer that was not complete; it doubles.
const LOOK_AGAIN: Duration = Duration::seconds(1);
/// Longest such pause.
const LOOK_AGAIN_AT_MOST: Duration = Duration::seconds(10);
/// History is asked for from this long before the last answer, so that nothing falls between two.
const OVERLAP: Duration = Duration::seconds(86_400);

/// A comparison that is under way.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) began: WallTime,
    open: Option<Vec<Trade>>,
    history: Option<Vec<Trade>>,
    again: Option<Vec<Trade>>,
    problem: Option<&'static str>,
    pub(super) overtaken: bool,
}

impl Client {
    pub(super) fn ask_snapshot(&mut self) {
        if self.draft.is_some() {
            // What is under way may have asked before the event this is about.
            self.again = true;
            return;
        }
        (self.again, self.look_at) = (false, None);
        let began = WallTime(i64::MAX);
        self.draft = Some(Draft { began, open: None, history: None, again: None, problem: None, overtaken: false });
        let start = self.seen_until.map_or(0, |seen| (seen.0 - OVERLAP.0) / 1_000_000);
        for job in [Job::Open, Job::History(start.max(0)), Job::OpenAgain, Job::Margin] {
            self.push(Class::Query, job);
        }
    }
    pub(super) fn draft_reply(&mut self, now: WallTime, job: &Job, reply: Reply, out: &mut Vec<Output>) {
        let Some(draft) = &mut self.draft else { return };
        let data = match reply.outcome {
            Ok(data) => data,
            Err((code, _)) => {
                draft.problem = Some(meaning(&code).0);
                String::new()
            }
        };
        let mut trades = || match decode_each::<Trade>(&data) {
            Ok((trades, 0)) if trades.iter().all(is_whole) => Some(trades),
            Ok(_) | Err(_) => {
                draft.problem = draft.problem.or(Some("a list holds a record that cannot be read"));
                None
            }
        };
        match job {
            Job::Open => draft.open = trades(),
            Job::OpenAgain => draft.again = trades(),
            Job::History(_) => draft.history = trades(),
            Job::Margin => {
                let margin = decode::<Margin>(&data).ok();
                self.finish_snapshot(now, margin, out);
            }
            Job::Login | Job::Ping | Job::Stream(..) | Job::Symbols | Job::Trade(..) | Job::Chart(..) | Job::Transaction(_) => {}
        }
    }

    fn finish_snapshot(&mut self, now: WallTime, margin: Option<Margin>, out: &mut Vec<Output>) {
        let Some(draft) = self.draft.take() else { return };
        let (problem, was_overtaken) = (draft.problem, draft.overtaken);
        match whole_snapshot(draft, margin) {
            Some(snapshot) => {
                (self.seen_until, self.unread) = (Some(snapshot.began), 0);
                out.push(Output::Event(ClientEvent::Snapshot(Box::new(snapshot))));
                if self.phase == Phase::Synchronising {
                    self.phase = Phase::Ready;
                    self.ready_since = Some(now);
                    out.push(Output::Event(ClientEvent::Link(LinkState::Ready)));
                }
                if self.again {
                    self.ask_snapshot();
                }
            }
            None => {
                let why = problem.unwrap_or("two lists of what is open do not agree");
                out.push(Output::Event(ClientEvent::Unread(CleanText::from_outside(why))));
                // What happened between the two lists explains the first disagreement: it is not waited for.
                let is_explained = was_overtaken && problem.is_none() && self.unread == 0;
                let pause = LOOK_AGAIN.0.saturating_mul(1 << self.unread.min(6)).min(LOOK_AGAIN_AT_MOST.0);
                let pause = if is_explained { 0 } else { pause };
                self.unread += 1;
                self.look_at = Some(now.plus(Duration(pause)));
            }
        }
    }
}

/// Whether everything that a trade's meaning hangs on was there: a missing number is not zero.
fn is_whole(trade: &Trade) -> bool {
    let is_booked = (trade.profit.is_some() && trade.close_price.0 > 0) || !trade.closed || trade.cmd > 1;
    !(0..=5).contains(&trade.cmd) || (trade.volume.0 > 0 && trade.open_price.0 > 0 && is_booked)
}

/// Both lists of what is open, the history and the account, if all is there and the lists agree.
fn whole_snapshot(draft: Draft, margin: Option<Margin>) -> Option<Snapshot> {
    let of = |trade: &Trade| (trade.position, trade.cmd, trade.volume);
    let keys = |trades: &[Trade]| trades.iter().map(of).collect::<BTreeSet<_>>();
    let (first, open, history, margin) = (draft.open?, draft.again?, draft.history?, margin?);
    let agrees = keys(&first) == keys(&open) && draft.problem.is_none();
    agrees.then_some(Snapshot { began: draft.began, open, history, margin, is_overtaken: draft.overtaken })
}
