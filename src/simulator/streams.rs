//! The stream connection: subscriptions, and what they push. `streams/news.rs` makes up the news.

pub(super) mod news;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::domain::{Duration, OrderSide, Price, WallTime};
use crate::exchange::{DealerEvent, DealerQuote, RemoveReason, Trade};
use crate::simulator::charts::{Candle, streamed};
use crate::simulator::core::{ConnectionId, Refusal, Sent, error_reply};
use crate::simulator::records::{account, instant, millis, number, streamed_closed, streamed_open, tick};
use crate::simulator::trading::Status;
use crate::simulator::{Listing, Simulator};

/// Ticks come at most this often unless asked otherwise.
const USUAL_ARRIVAL: i64 = 200;

/// What a session has asked its stream for.
#[derive(Debug, Clone, Default)]
pub(super) struct Subscriptions {
    balance: bool,
    keep_alive: bool,
    news: bool,
    profits: bool,
    trades: bool,
    trade_status: bool,
    candles: BTreeSet<String>,
    ticks: BTreeMap<String, Ticks>,
}

#[derive(Debug, Clone, Copy)]
struct Ticks {
    min_arrival: Duration,
    /// The deepest level that is wanted; all of them where nothing was said.
    max_level: Option<i64>,
    last: Option<WallTime>,
}

impl Simulator {
    /// Takes a stream command. There are no replies, except that an unknown session is told so.
    pub(super) fn receive_stream(&mut self, now: WallTime, id: ConnectionId, message: &Value, out: &mut Vec<Sent>) {
        let command = message.get("command").and_then(Value::as_str).unwrap_or_default();
        let named = message.get("streamSessionId").and_then(Value::as_str);
        let sessions: Vec<String> = match named {
            Some(number) if self.join(id, number) => vec![number.to_owned()],
            Some(_) => {
                self.send(now, id, &error_reply(Refusal("BE117", "Invalid token")), out);
                return;
            }
            None if command.starts_with("stop") => self.sessions_of(id),
            None => {
                self.send(now, id, &error_reply(Refusal("BE106", "Missing data: streamSessionId")), out);
                return;
            }
        };
        let symbol = message.get("symbol").and_then(Value::as_str).map(str::to_owned);
        let min_arrival = match message.get("minArrivalTime").and_then(Value::as_i64) {
            None | Some(0) => USUAL_ARRIVAL,
            Some(millis) => millis.max(0),
        };
        let max_level = message.get("maxLevel").and_then(Value::as_i64);
        let ticks = Ticks { min_arrival: Duration::millis(min_arrival), max_level, last: None };
        for number in sessions {
            if let Some(session) = self.sessions.get_mut(&number) {
                session.subscriptions.change(command, symbol.clone(), ticks);
            }
        }
        if command == "getTickPrices"
            && let Some((listing, quote)) =
                symbol.and_then(|symbol| Some((self.catalogue.get(&symbol)?.clone(), self.dealer.last_quote(&symbol)?)))
        {
            self.push_tick(now, &listing, quote, out);
        }
    }

    fn sessions_of(&self, id: ConnectionId) -> Vec<String> {
        self.sessions.iter().filter(|(_, session)| session.stream == Some(id)).map(|(number, _)| number.clone()).collect()
    }

    /// Sends a message to the streams that want it, with the mishaps a stream may have.
    fn push(&mut self, now: WallTime, topic: &str, data: &Value, wants: impl Fn(&Subscriptions) -> bool, out: &mut Vec<Sent>) {
        for number in self.streams() {
            let Some(session) = self.sessions.get(&number).filter(|session| wants(&session.subscriptions)) else { continue };
            let Some(stream) = session.stream else { continue };
            let faults = self.settings.faults;
            if self.dice.happens(faults.lost_stream) {
                continue;
            }
            let message = json!({"command": topic, "data": data});
            if self.dice.happens(faults.duplicate_stream) {
                self.send(now, stream, &message, out);
            }
            self.send(now, stream, &message, out);
            if self.dice.happens(faults.shuffled_stream) {
                overtake(stream, out);
            }
        }
    }

    pub(super) fn push_keep_alive(&mut self, now: WallTime, out: &mut Vec<Sent>) {
        self.push(now, "keepAlive", &json!({"timestamp": millis(now)}), |wanted| wanted.keep_alive, out);
    }

    /// Tells the latest item of news.
    pub(super) fn push_news(&mut self, now: WallTime, out: &mut Vec<Sent>) {
        let at = news::latest(now);
        self.next_news = at.plus(news::EVERY);
        self.push(now, "news", &news::streamed(at), |wanted| wanted.news, out);
    }

    pub(super) fn push_tick(&mut self, now: WallTime, listing: &Listing, quote: DealerQuote, out: &mut Vec<Sent>) {
        let mut due = BTreeSet::new();
        for (number, session) in &mut self.sessions {
            let Some(ticks) = session.subscriptions.ticks.get_mut(&listing.symbol) else { continue };
            if ticks.last.is_none_or(|last| now.since(last).0 >= ticks.min_arrival.0) {
                ticks.last = Some(now);
                due.insert(number.clone());
            }
        }
        if due.is_empty() {
            return;
        }
        let symbol = listing.symbol.clone();
        for level in 0..listing.depth.max(1) {
            let data = tick(listing, quote, self.range(&symbol), level, true);
            let reaches = |ticks: &Ticks| ticks.max_level.is_none_or(|most| i64::from(level) <= most);
            let now_due = |ticks: &Ticks| ticks.last == Some(now) && reaches(ticks);
            self.push(now, "tickPrices", &data, |wanted| wanted.ticks.get(&symbol).is_some_and(now_due), out);
        }
    }

    pub(super) fn push_candle(&mut self, now: WallTime, listing: &Listing, candle: Candle, out: &mut Vec<Sent>) {
        if self.settings.faults.silent_candles {
            return;
        }
        let asked: Vec<String> =
            self.streams().into_iter().filter(|session| self.charts.was_asked(session, &listing.symbol)).collect();
        if asked.is_empty() {
            return;
        }
        let data = streamed(listing, &candle);
        let symbol = listing.symbol.clone();
        self.push(now, "candle", &data, |wanted| wanted.candles.contains(&symbol), out);
    }

    /// Tells every stream what the dealer did, then the account.
    pub(super) fn publish(&mut self, now: WallTime, events: &[DealerEvent], out: &mut Vec<Sent>) {
        for event in events {
            for data in self.records_of(event) {
                self.push(now, "trade", &data, |wanted| wanted.trades, out);
            }
        }
        if !events.is_empty() {
            self.push_account(now, out);
        }
    }

    fn push_account(&mut self, now: WallTime, out: &mut Vec<Sent>) {
        let figures = account(self.dealer.figures(), &self.settings.currency, true);
        self.push(now, "balance", &figures, |wanted| wanted.balance, out);
        self.push_profits(now, |_| true, out);
    }

    /// Tells the running results of these positions.
    pub(super) fn push_profits(&mut self, now: WallTime, are_meant: impl Fn(&Trade) -> bool, out: &mut Vec<Sent>) {
        if !self.sessions.values().any(|session| session.subscriptions.profits) {
            return;
        }
        let open: Vec<Trade> = self.dealer.positions().values().filter(|trade| are_meant(trade)).cloned().collect();
        for trade in open {
            let data = json!({"order": trade.order, "order2": trade.order2, "position": trade.position,
                              "profit": number(self.dealer.open_profit(&trade))});
            self.push(now, "profit", &data, |wanted| wanted.profits, out);
        }
    }

    pub(super) fn push_status(&mut self, now: WallTime, order: i64, status: &Status, out: &mut Vec<Sent>) {
        let data = status.streamed(order);
        self.push(now, "tradeStatus", &data, |wanted| wanted.trade_status, out);
    }

    /// A market order on its way: not a position yet.
    pub(super) fn push_in_progress(&mut self, now: WallTime, trade: &Trade, out: &mut Vec<Sent>) {
        let data = streamed_open(trade, None, 0, self.digits(&trade.symbol), 1, "Modified");
        self.push(now, "trade", &data, |wanted| wanted.trades, out);
    }

    fn records_of(&self, event: &DealerEvent) -> Vec<Value> {
        let open = |trade: &Trade, kind: i64, state: &str| {
            let quote = self.dealer.last_quote(&trade.symbol);
            let current = quote.map(|quote| if trade.side == OrderSide::Buy { quote.bid } else { quote.ask });
            let profit = if kind == 0 { self.dealer.open_profit(trade) } else { 0 };
            let record = streamed_open(trade, current, profit, self.digits(&trade.symbol), kind, state);
            with(record, "nominalValue", self.nominal_value(trade))
        };
        match event {
            DealerEvent::Opened(trade) => vec![open(trade, 0, "Modified")],
            DealerEvent::Changed(trade) if trade.entry == crate::exchange::Entry::Market => vec![open(trade, 0, "Modified")],
            DealerEvent::Changed(trade) | DealerEvent::Placed(trade) => vec![open(trade, 1, "Modified")],
            DealerEvent::Removed(trade, reason) => {
                let record = open(trade, 1, "Deleted");
                vec![if *reason == RemoveReason::Expired { with(record, "comment", json!("[expired]")) } else { record }]
            }
            DealerEvent::Closed(closed) => {
                let digits = self.digits(&closed.trade.symbol);
                let gone = closed.is_whole.then(|| open(&closed.trade, 0, "Deleted"));
                let record = with(streamed_closed(closed, digits), "nominalValue", self.nominal_value(&closed.trade));
                gone.into_iter().chain([record]).collect()
            }
        }
    }

    /// What the volume was worth at its opening, in the account's currency: a field that the wire has and the document has not.
    fn nominal_value(&self, trade: &Trade) -> Value {
        let value = self.dealer.profit_between(&trade.symbol, OrderSide::Buy, Price::ZERO, trade.open_price, trade.volume);
        value.map_or(Value::Null, number)
    }
}

impl Subscriptions {
    fn change(&mut self, command: &str, symbol: Option<String>, ticks: Ticks) {
        let on = command.starts_with("get");
        match (command.trim_start_matches("get").trim_start_matches("stop"), symbol) {
            ("Balance", _) => self.balance = on,
            ("KeepAlive", _) => self.keep_alive = on,
            ("News", _) => self.news = on,
            ("Profits", _) => self.profits = on,
            ("Trades", _) => self.trades = on,
            ("TradeStatus", _) => self.trade_status = on,
            ("Candles", Some(symbol)) if on => drop(self.candles.insert(symbol)),
            ("Candles", Some(symbol)) => drop(self.candles.remove(&symbol)),
            ("TickPrices", Some(symbol)) if on => drop(self.ticks.insert(symbol, ticks)),
            ("TickPrices", Some(symbol)) => drop(self.ticks.remove(&symbol)),
            _ => {}
        }
    }
}

/// A record with another field.
fn with(mut record: Value, name: &str, value: Value) -> Value {
    if let Value::Object(fields) = &mut record {
        fields.insert(name.to_owned(), value);
    }
    record
}

/// Lets the last message to a stream overtake the one before it.
fn overtake(stream: ConnectionId, out: &mut [Sent]) {
    let places: Vec<usize> = out
        .iter()
        .enumerate()
        .filter(|(_, sent)| matches!(sent, Sent::Text(id, _) if *id == stream))
        .map(|(index, _)| index)
        .collect();
    if let [.., before, last] = places.as_slice() {
        out.swap(*before, *last);
    }
}

/// The instant a wish's expiry names, 0 being none.
pub(super) fn expiry(millis: i64) -> Option<WallTime> {
    (millis > 0).then(|| instant(millis))
}
