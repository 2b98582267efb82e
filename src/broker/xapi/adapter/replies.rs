//! What comes back about requests: taken, refused, lost, and the statuses of what was taken.
//!
//! A last word that never came is asked for at the next look; what the broker does not tell by then is answered as unknown, so that
//! nothing waits for ever.

use std::collections::{BTreeSet, VecDeque};

use super::{Adapter, EARLY, Purpose, Transaction, Waiting, price_of};
use crate::broker::xapi::client::{Ask, AskId};
use crate::broker::xapi::wire::Status;
use crate::domain::{BrokerRef, BrokerReport, ChangeFate, CleanText, Duration, OrderId, Quantity, WallTime};
use crate::orders::APART;

/// After so long without any word only lists and trades tell what became of an order.
const WORDLESS: Duration = Duration::seconds(60);
/// So many transactions are asked about after one look.
const ASKED_ABOUT: usize = 16;

impl Adapter {
    pub(super) fn taken(&mut self, id: AskId, number: i64) {
        let Some(purpose) = self.asks.remove(&id) else { return };
        if let Purpose::Open(order, ..) | Purpose::Close(order, ..) = purpose {
            self.reports.push(BrokerReport::Accepted { order, broker_ref: BrokerRef(number.unsigned_abs()) });
        }
        // The reply may be quicker than the stream: the order can be cancelled from now on.
        if let Purpose::Open(order, Some(waiting)) = purpose
            && !self.opened.contains(&order)
        {
            self.waiting.insert(order, Waiting { number, ..waiting });
        }
        self.finished.retain(|finished| *finished != number);
        self.transactions.insert(number, Transaction { purpose, is_concluded: false, looked: None });
        self.hear_early(|status| status.order == number);
        self.after_reply(purpose);
    }

    /// Hears the statuses that came before what explains them, in their order.
    fn hear_early(&mut self, is_explained: impl Fn(&Status) -> bool) {
        let (due, later): (VecDeque<Status>, VecDeque<Status>) =
            std::mem::take(&mut self.early).into_iter().partition(|status| is_explained(status));
        self.early = later;
        for status in due {
            self.status(&status);
        }
    }

    /// What waited for the reply to a close goes on.
    fn after_reply(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Close(_, position, _) => self.book_early_closes(position),
            Purpose::Open(..) | Purpose::Cancel(_) | Purpose::Modify(..) | Purpose::Protect(_) => {}
        }
    }

    pub(super) fn refused(&mut self, id: AskId, why: &CleanText) {
        if let Some(purpose) = self.asks.remove(&id) {
            self.deny(purpose, why.clone());
            self.after_reply(purpose);
        }
    }

    /// An order that never left is not one that the broker refused: it may be asked for again.
    pub(super) fn not_sent(&mut self, id: AskId, why: &CleanText) {
        match self.asks.get(&id).copied() {
            Some(purpose @ (Purpose::Open(order, _) | Purpose::Close(order, ..))) => {
                self.asks.remove(&id);
                self.wanted.remove(&order);
                self.reports.push(BrokerReport::NotSent { order, reason: why.clone() });
                self.after_reply(purpose);
            }
            Some(Purpose::Cancel(_) | Purpose::Modify(..) | Purpose::Protect(_)) | None => {
                self.refused(id, &CleanText::from_outside(&format!("never sent: {why}")));
            }
        }
    }

    /// Answers that nothing came of a request.
    pub(super) fn deny(&mut self, purpose: Purpose, reason: CleanText) {
        if let Purpose::Open(order, ..) = purpose {
            self.waiting.remove(&order);
            self.wanted.remove(&order);
        }
        self.reports.push(match purpose {
            Purpose::Open(order, ..) | Purpose::Close(order, ..) => BrokerReport::Rejected { order, reason },
            Purpose::Cancel(order) => BrokerReport::CancelRefused { order, reason },
            Purpose::Modify(order, ..) => BrokerReport::ModifyRefused { order, reason, fate: ChangeFate::Refused },
            Purpose::Protect(position) => BrokerReport::ProtectRefused { position, reason },
        });
    }

    /// The order or the exits stand as they were or as they were to be: the list that is asked for tells, and its terms are taken over.
    fn give_up(&mut self, purpose: Purpose, why: &str) {
        let why = format!("what became of it is not known ({why}); the broker is asked");
        let reason = CleanText::from_outside(&why);
        match purpose {
            Purpose::Modify(order, ..) => {
                self.reports.push(BrokerReport::ModifyRefused { order, reason, fate: ChangeFate::Unknown });
            }
            Purpose::Open(..) | Purpose::Close(..) | Purpose::Cancel(_) | Purpose::Protect(_) => self.deny(purpose, reason),
        }
    }

    /// Nothing is sent again; what is open is asked for.
    pub(super) fn ambiguous(&mut self, id: AskId, why: &CleanText) {
        let Some(purpose) = self.asks.remove(&id) else { return };
        // What has opened already, or waits there, has answered by itself.
        if let Purpose::Open(order, _) | Purpose::Close(order, ..) = purpose
            && !self.opened.contains(&order)
            && !self.waiting.contains_key(&order)
        {
            self.lost.insert(order, purpose);
        }
        match purpose {
            Purpose::Open(order, ..) => self.reports.push(BrokerReport::ReplyLost { order, reason: why.clone() }),
            Purpose::Close(order, position, lots) => {
                self.doubt(position, order, lots);
                self.reports.push(BrokerReport::ReplyLost { order, reason: why.clone() });
            }
            Purpose::Cancel(_) | Purpose::Modify(..) | Purpose::Protect(_) => self.give_up(purpose, why.as_str()),
        }
        self.requests.push(Ask::Snapshot);
        let lost: BTreeSet<String> = self.lost.keys().map(|order| self.mark(*order)).collect();
        self.hear_early(|status| status.mark.as_ref().is_some_and(|mark| lost.contains(mark)));
        self.after_reply(purpose);
    }

    /// A status or a request in progress with our mark names the number of what was asked for without a reply.
    pub(super) fn find_lost(&mut self, number: i64, mark: Option<&str>) {
        if let Some(order) = self.order_of(mark)
            && let Some(purpose) = self.lost.remove(&order)
        {
            let transaction = Transaction { purpose, is_concluded: false, looked: None };
            self.transactions.insert(number, transaction);
            if let Purpose::Open(order, Some(waiting)) = purpose
                && !self.opened.contains(&order)
            {
                self.waiting.insert(order, Waiting { number, ..waiting });
            }
            // Its trade will name this number: a close without it is another's.
            self.doubtful.retain(|doubtful| doubtful.order != order);
            self.reports.push(BrokerReport::Accepted { order, broker_ref: BrokerRef(number.unsigned_abs()) });
        }
    }

    fn finish(&mut self, number: i64) {
        self.transactions.remove(&number);
        self.finished.push_back(number);
        if self.finished.len() > EARLY {
            self.finished.pop_front();
        }
    }

    pub(super) fn status(&mut self, status: &Status) {
        if !self.transactions.contains_key(&status.order) {
            self.find_lost(status.order, status.mark.as_deref());
        }
        let Some(transaction) = self.transactions.get_mut(&status.order) else {
            if !self.finished.contains(&status.order) {
                self.early.push_back(status.clone());
            }
            if self.early.len() > EARLY {
                self.early.pop_front();
            }
            return;
        };
        match status.request_status {
            Status::ACCEPTED => {
                transaction.is_concluded = true;
                let purpose = transaction.purpose;
                self.accepted(status.order, purpose);
            }
            Status::ERROR | Status::REJECTED => {
                let purpose = transaction.purpose;
                self.finish(status.order);
                let words = status.message.as_deref().unwrap_or("refused without a word");
                self.deny(purpose, CleanText::from_outside(words));
            }
            // It is being worked on, so it is not given up.
            Status::PENDING => transaction.looked = None,
            // A number that no document knows: the last word is still to come.
            _ => {}
        }
    }

    fn accepted(&mut self, number: i64, purpose: Purpose) {
        match purpose {
            // What it opened is told by its trade; what it closed too, and that names this number.
            Purpose::Close(..) => return,
            Purpose::Open(..) | Purpose::Protect(_) => {}
            Purpose::Modify(order, quantity, kind) => {
                if let (Some(waiting), Some(price)) = (self.waiting.get_mut(&order), price_of(kind)) {
                    let size = self.markets.get(&waiting.instrument).map_or(1, |market| market.contract_size.max(1));
                    (waiting.lots, waiting.price) = (Quantity::from_nanos(quantity.nanos() / size), price);
                    let lots = waiting.lots;
                    self.wanted.entry(order).and_modify(|wanted| wanted.lots = lots);
                }
                self.reports.push(BrokerReport::Modified { order, quantity, kind });
            }
            Purpose::Cancel(order) => {
                self.waiting.remove(&order);
                if !self.opened.contains(&order) {
                    self.wanted.remove(&order);
                    self.reports.push(BrokerReport::Cancelled { order, reason: CleanText::from("as asked") });
                }
            }
        }
        self.finish(number);
    }

    /// The broker does not know the transaction of this number: then only lists and trades tell, and nothing else is waited for.
    pub(super) fn forgotten(&mut self, number: i64) {
        let Some(transaction) = self.transactions.get_mut(&number) else { return };
        transaction.is_concluded = true;
        match transaction.purpose {
            Purpose::Open(..) | Purpose::Close(..) => {}
            purpose @ (Purpose::Cancel(_) | Purpose::Modify(..) | Purpose::Protect(_)) => {
                self.transactions.remove(&number);
                self.give_up(purpose, "the broker does not know the request");
            }
        }
    }

    /// Orders that the broker has taken and not spoken the last word on; they may be in no list, and yet they are not absent.
    pub(super) fn unconcluded(&self) -> impl Iterator<Item = OrderId> {
        let open = self.transactions.values().filter(|transaction| !transaction.is_concluded);
        open.filter_map(|transaction| match transaction.purpose {
            Purpose::Open(order, _) | Purpose::Close(order, ..) => Some(order),
            Purpose::Cancel(_) | Purpose::Modify(..) | Purpose::Protect(_) => None,
        })
    }

    /// After a look: asks for last words that have not come, and gives up those that a second look, late enough, did not bring either.
    pub(super) fn ask_for_last_words(&mut self, began: WallTime) {
        let mut open: Vec<(i64, Purpose, Duration)> = Vec::new();
        for (number, transaction) in self.transactions.iter_mut().filter(|(_, transaction)| !transaction.is_concluded) {
            let first = *transaction.looked.get_or_insert(began);
            open.push((*number, transaction.purpose, began.since(first)));
        }
        for (number, purpose, waited) in open.iter().copied() {
            match purpose {
                Purpose::Open(..) | Purpose::Close(..) if waited.0 >= WORDLESS.0 => {
                    self.transactions.entry(number).and_modify(|transaction| transaction.is_concluded = true);
                }
                Purpose::Cancel(_) | Purpose::Modify(..) | Purpose::Protect(_) if waited.0 >= APART.0 => {
                    self.transactions.remove(&number);
                    self.give_up(purpose, "the broker never said");
                }
                Purpose::Open(..) | Purpose::Close(..) => {}
                Purpose::Cancel(_) | Purpose::Modify(..) | Purpose::Protect(_) => {}
            }
        }
        // In turn, so that none waits behind others that the broker never speaks of.
        let still: Vec<i64> =
            open.iter().map(|(number, ..)| *number).filter(|number| self.transactions.contains_key(number)).collect();
        let (done, next): (Vec<i64>, Vec<i64>) = still.into_iter().partition(|number| *number <= self.asked_until);
        let asked: Vec<i64> = next.into_iter().chain(done).take(ASKED_ABOUT).collect();
        self.asked_until = asked.last().copied().unwrap_or(0);
        self.requests.extend(asked.into_iter().map(Ask::Transaction));
    }
}
