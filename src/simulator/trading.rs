//! `tradeTransaction` and its status: what is wrong on its face is refused at once, the rest gets a number and then an outcome.

use serde_json::{Value, json};

use crate::domain::{Duration, OrderSide, Price, Quantity, WallTime};
use crate::exchange::{DealerEvent, DealerRefusal, Entry, OpenRequest, Trade};
use crate::simulator::Simulator;
use crate::simulator::commands::{decimal, refusal};
use crate::simulator::core::{ConnectionId, KEPT_STATUSES, Refusal, Request, Sent};
use crate::simulator::records::{level, price};
use crate::simulator::streams::expiry;

const MISSING: Refusal = Refusal("BE106", "Missing data: tradeTransInfo");

/// Where a transaction stands; the protocol has no 2.
const ERROR: i64 = 0;
const PENDING: i64 = 1;
const ACCEPTED: i64 = 3;
const REJECTED: i64 = 4;

/// What a transaction comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    request_status: i64,
    message: Option<&'static str>,
}

/// Why a transaction comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Denied {
    why: Refusal,
    /// The status that tells it; nothing where an error reply does.
    status: Option<i64>,
}

/// What is known of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    request_status: i64,
    message: Option<&'static str>,
    mark: String,
    bid: Price,
    ask: Price,
    price: Option<Price>,
}

/// What a request wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    Modify,
    Delete,
}

/// A `tradeTransInfo` that could be read.
#[derive(Debug)]
pub(super) struct Wish {
    kind: Kind,
    /// The trade a close, change or delete is about.
    number: i64,
    ask: OpenRequest,
}

/// A request that is kept PENDING until its time.
#[derive(Debug)]
pub(super) struct Postponed {
    until: WallTime,
    order: i64,
    wish: Wish,
}

impl Status {
    fn new(outcome: Outcome, mark: &str) -> Self {
        let Outcome { request_status, message } = outcome;
        Self { request_status, message, mark: mark.to_owned(), bid: Price::ZERO, ask: Price::ZERO, price: None }
    }

    pub(super) fn streamed(&self, order: i64) -> Value {
        json!({"order": order, "requestStatus": self.request_status, "message": self.message, "customComment": self.mark,
               "price": level(self.price)})
    }
}

impl Simulator {
    /// Answers `tradeTransactionStatus`.
    pub(super) fn status(&self, request: &Request<'_>) -> Result<Value, Refusal> {
        let order = request.arguments.get("order").and_then(Value::as_i64).ok_or(Refusal("BE106", "Missing data: order"))?;
        let status = self.statuses.get(&order).ok_or(Refusal("BE098", "No such transaction"))?;
        Ok(json!({"order": order, "requestStatus": status.request_status, "ask": price(status.ask), "bid": price(status.bid),
                  "message": status.message, "customComment": status.mark}))
    }

    /// Carries out `tradeTransaction`, with the mishaps that were asked for.
    pub(super) fn trade(&mut self, now: WallTime, id: ConnectionId, request: &Request<'_>, out: &mut Vec<Sent>) {
        let faults = self.settings.faults;
        if self.dice.happens(faults.closed_before_trade) {
            self.close(id, out);
            return;
        }
        let wish = match Wish::read(request.arguments) {
            Ok(wish) => wish,
            Err(refused) => return self.reply(now, id, Err(refused), request, out),
        };
        let order = self.dealer.number();
        let wish = Wish { ask: OpenRequest { transaction: order, ..wish.ask }, ..wish };
        if self.dice.happens(faults.kept_pending) {
            self.postpone(now, order, wish, out);
            if !self.dice.happens(faults.lost_reply) {
                self.reply(now, id, Ok(Some(json!({"order": order}))), request, out);
            }
            return;
        }
        let mut events = Vec::new();
        let outcome = match self.carry_out(now, order, &wish, &mut events) {
            Ok(()) => Outcome { request_status: ACCEPTED, message: None },
            Err(Denied { why, status }) => {
                let by_choice = self.settings.variants.refuses_by_status.then_some(REJECTED);
                let Some(request_status) = status.or(by_choice) else {
                    return self.reply(now, id, Err(why), request, out);
                };
                Outcome { request_status, message: Some(why.1) }
            }
        };
        let mut told = Vec::new();
        self.tell(now, order, &wish, outcome, &events, &mut told);
        let is_early = self.dice.happens(faults.status_before_reply);
        let is_lost = self.dice.happens(faults.lost_reply);
        if is_early {
            out.append(&mut told);
        }
        if !is_lost {
            self.reply(now, id, Ok(Some(json!({"order": order}))), request, out);
        }
        out.append(&mut told);
        if self.dice.happens(faults.closed_after_trade) {
            self.close(id, out);
        }
    }

    fn postpone(&mut self, now: WallTime, order: i64, wish: Wish, out: &mut Vec<Sent>) {
        let pending = Status::new(Outcome { request_status: PENDING, message: None }, &wish.ask.mark);
        self.push_status(now, order, &pending, out);
        self.statuses.insert(order, pending);
        let seconds = i64::try_from(self.dice.below(39)).unwrap_or(0) + 2;
        self.postponed.push(Postponed { until: now.plus(Duration::seconds(seconds)), order, wish });
    }

    /// Carries out what was kept PENDING long enough. Whoever asked may be gone by now, so a refusal is always a status.
    pub(super) fn carry_out_postponed(&mut self, now: WallTime, out: &mut Vec<Sent>) {
        let (due, later) = std::mem::take(&mut self.postponed).into_iter().partition(|kept| kept.until <= now);
        self.postponed = later;
        let due: Vec<Postponed> = due;
        for Postponed { order, wish, .. } in due {
            let mut events = Vec::new();
            let outcome = match self.carry_out(now, order, &wish, &mut events) {
                Ok(()) => Outcome { request_status: ACCEPTED, message: None },
                Err(denied) => Outcome { request_status: denied.status.unwrap_or(REJECTED), message: Some(denied.why.1) },
            };
            self.tell(now, order, &wish, outcome, &events, out);
        }
    }

    /// What the request comes to: the reply's place, then statuses, records, account.
    fn tell(&mut self, now: WallTime, order: i64, wish: &Wish, outcome: Outcome, events: &[DealerEvent], out: &mut Vec<Sent>) {
        let pending = Status::new(Outcome { request_status: PENDING, message: None }, &wish.ask.mark);
        self.push_status(now, order, &pending, out);
        if wish.kind == Kind::Open && wish.ask.entry == Entry::Market {
            self.push_in_progress(now, &in_progress(order, &wish.ask, now), out);
        }
        let mut last = Status::new(outcome, &wish.ask.mark);
        if let Some(quote) = self.dealer.last_quote(&wish.ask.symbol) {
            (last.bid, last.ask) = (quote.bid, quote.ask);
        }
        last.price = events.iter().find_map(|event| match event {
            DealerEvent::Opened(trade) | DealerEvent::Placed(trade) => Some(trade.open_price),
            DealerEvent::Closed(closed) => Some(closed.close_price),
            DealerEvent::Changed(_) | DealerEvent::Removed(..) => None,
        });
        self.push_status(now, order, &last, out);
        self.statuses.insert(order, last);
        if self.statuses.len() > KEPT_STATUSES {
            self.statuses.pop_first();
        }
        self.publish(now, events, out);
    }

    fn carry_out(&mut self, now: WallTime, order: i64, wish: &Wish, events: &mut Vec<DealerEvent>) -> Result<(), Denied> {
        let symbol = &wish.ask.symbol;
        if self.catalogue.get(symbol).is_none() {
            return Err(refusal(DealerRefusal::Symbol).into());
        }
        if !self.is_open(symbol, now) && wish.kind != Kind::Delete {
            return Err(Refusal("BE006", "Market for instrument is closed").into());
        }
        let faults = self.settings.faults;
        if self.dice.happens(faults.rejected) {
            return Err(self.rejection());
        }
        let is_market = wish.kind == Kind::Open && wish.ask.entry == Entry::Market;
        if is_market && self.dice.happens(faults.requote) {
            return Err(self.requote());
        }
        let done = match wish.kind {
            Kind::Open => self.dealer.open(now, wish.ask.clone(), events).map(|_| ()),
            Kind::Close => {
                let done = self.dealer.close(now, wish.number, wish.ask.volume, order, events);
                if done.is_ok() && self.settings.variants.renumbers_remainder {
                    self.dealer.renumber(wish.number, events);
                }
                done
            }
            Kind::Modify => self.dealer.modify(wish.number, &wish.ask, events),
            Kind::Delete => self.dealer.delete(wish.number, events),
        };
        done.map_err(|why| refusal(why).into())
    }

    /// A requote, in turn in the forms that clients have met: a status, an error reply, and one whose code is in no document.
    const fn requote(&mut self) -> Denied {
        let why = Refusal("BE013", "Price has changed");
        self.requotes = self.requotes.wrapping_add(1);
        match self.requotes % 3 {
            1 => Denied { why, status: Some(REJECTED) },
            2 => Denied { why, status: None },
            _ => Denied { why: Refusal("BE015", "Requote"), status: None },
        }
    }

    /// A refusal without a reason: in turn a rejection and an error.
    const fn rejection(&mut self) -> Denied {
        self.rejections = self.rejections.wrapping_add(1);
        let status = if self.rejections % 2 == 1 { REJECTED } else { ERROR };
        Denied { why: Refusal("BE099", "Request rejected"), status: Some(status) }
    }
}

impl From<Refusal> for Denied {
    /// What the market refuses comes as a status even where the rest is refused at once.
    fn from(why: Refusal) -> Self {
        let is_of_the_market = matches!(why.0, "BE006" | "BE009" | "BE010");
        Self { why, status: is_of_the_market.then_some(REJECTED) }
    }
}

fn in_progress(order: i64, ask: &OpenRequest, now: WallTime) -> Trade {
    Trade {
        order,
        order2: order,
        position: order,
        symbol: ask.symbol.clone(),
        side: ask.side,
        entry: ask.entry,
        volume: ask.volume,
        open_price: Price::ZERO,
        open_time: now,
        stop_loss: ask.stop_loss,
        take_profit: ask.take_profit,
        trailing: ask.trailing,
        expiration: ask.expiration,
        mark: ask.mark.clone(),
        storage: 0,
    }
}

impl Wish {
    fn read(arguments: &Value) -> Result<Self, Refusal> {
        let info = arguments.get("tradeTransInfo").filter(|info| info.is_object()).ok_or(MISSING)?;
        let whole = |name: &str| info.get(name).and_then(Value::as_i64).ok_or(Refusal("EX000", "Invalid parameters"));
        let command = whole("cmd")?;
        let kind = match whole("type")? {
            0 => Kind::Open,
            2 => Kind::Close,
            3 => Kind::Modify,
            4 => Kind::Delete,
            _ => return Err(Refusal("BE102", "Unknown transaction type")),
        };
        let symbol = info.get("symbol").and_then(Value::as_str).ok_or(MISSING)?;
        let invalid = |_| Refusal("EX000", "Invalid parameters");
        let amount = |name: &str| decimal(info, name).map_err(invalid);
        let named = Price::from_nanos(amount("price")?);
        if named.nanos() <= 0 {
            return Err(Refusal("BE001", "Invalid price"));
        }
        let exit = |name: &str| amount(name).map(|nanos| (nanos != 0).then(|| Price::from_nanos(nanos)));
        let (side, entry) = match command {
            0 => (OrderSide::Buy, Entry::Market),
            1 => (OrderSide::Sell, Entry::Market),
            2 => (OrderSide::Buy, Entry::Limit(named)),
            3 => (OrderSide::Sell, Entry::Limit(named)),
            4 => (OrderSide::Buy, Entry::Stop(named)),
            5 => (OrderSide::Sell, Entry::Stop(named)),
            _ => return Err(Refusal("BE102", "Unknown transaction type")),
        };
        let ask = OpenRequest {
            symbol: symbol.to_owned(),
            side,
            entry,
            volume: Quantity::from_nanos(amount("volume")?),
            stop_loss: exit("sl")?,
            take_profit: exit("tp")?,
            trailing: whole("offset")?,
            expiration: expiry(whole("expiration")?),
            mark: info.get("customComment").and_then(Value::as_str).unwrap_or_default().to_owned(),
            transaction: 0,
        };
        Ok(Self { kind, number: whole("order")?, ask })
    }
}
