//! The simulator's own writing of xAPI: numbers, times and records as JSON values.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Number, Value, json};

use crate::domain::{OrderSide, Price, Quantity, Ratio, SCALE, WallTime};
use crate::exchange::{AccountFigures, CloseReason, ClosedTrade, DealerQuote, Entry, Trade};
use crate::simulator::Listing;

/// Milliseconds since 1970.
pub const fn millis(at: WallTime) -> i64 {
    at.0 / 1_000_000
}

/// An instant from milliseconds.
pub const fn instant(millis: i64) -> WallTime {
    WallTime(millis.saturating_mul(1_000_000))
}

/// A number of units of 1e-9 as the wire writes it.
pub fn number(nanos: i64) -> Value {
    Number::from_f64(nanos as f64 / SCALE as f64).map_or(Value::Null, Value::Number)
}

/// A price.
pub fn price(price: Price) -> Value {
    number(price.nanos())
}

/// A price that may be unset; the wire writes 0 then.
pub fn level(price: Option<Price>) -> Value {
    number(price.map_or(0, Price::nanos))
}

/// A volume in lots.
pub fn volume(volume: Quantity) -> Value {
    number(volume.nanos())
}

/// `Sat Nov 01 13:26:41 CET 2025`, the form of trade records.
pub fn long_time(at: WallTime) -> String {
    local(at)
        .map_or_else(String::new, |(local, zone)| local.strftime(format!("%a %b %d %H:%M:%S {zone} %Y").as_str()).to_string())
}

/// `Nov 1, 2025 1:26:40 PM`, the form of everything else.
pub fn short_time(at: WallTime) -> String {
    local(at).map_or_else(String::new, |(local, _)| local.strftime("%b %-d, %Y %-I:%M:%S %p").to_string())
}

/// `Nov 01, 2025 01:27:00 PM`, the form of streamed candles.
pub fn padded_time(at: WallTime) -> String {
    local(at).map_or_else(String::new, |(local, _)| local.strftime("%b %d, %Y %I:%M:%S %p").to_string())
}

/// The server's local time with the zone's letters.
fn local(at: WallTime) -> Option<(DateTime, String)> {
    let zone = TimeZone::get(ZONE).ok()?;
    let letters = zone.to_offset_info(at.timestamp()).abbreviation().to_owned();
    Some((zone.to_datetime(at.timestamp()), letters))
}

/// The zone of the server's texts and hours.
pub const ZONE: &str = "Europe/Warsaw";
/// The day whose night counts three times, 0 Monday.
pub const TRIPLE_SWAP_DAY: i64 = 2;

/// Money that was paid in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposit {
    /// Number of the operation.
    pub number: i64,
    /// In units of 1e-9 of the account's currency.
    pub amount: i64,
    /// When.
    pub at: WallTime,
}

/// The protocol's number for side and entry.
pub const fn command_number(side: OrderSide, entry: Entry) -> i64 {
    match (entry, side) {
        (Entry::Market, OrderSide::Buy) => 0,
        (Entry::Market, OrderSide::Sell) => 1,
        (Entry::Limit(_), OrderSide::Buy) => 2,
        (Entry::Limit(_), OrderSide::Sell) => 3,
        (Entry::Stop(_), OrderSide::Buy) => 4,
        (Entry::Stop(_), OrderSide::Sell) => 5,
    }
}

/// What the comment of a closed trade says about its end.
const fn close_comment(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Client => "",
        CloseReason::StopLoss => "[S/L]",
        CloseReason::TakeProfit => "[T/P]",
        CloseReason::StopOut => "[S/O]",
    }
}

/// The fields common to the list and the stream, of an open or waiting trade.
fn open_fields(trade: &Trade, current: Option<Price>, profit: i64, digits: u8) -> Map<String, Value> {
    let Value::Object(fields) = json!({
        "close_price": level(current),
        "close_time": null,
        "closed": false,
        "cmd": command_number(trade.side, trade.entry),
        "comment": "",
        "commission": 0.0,
        "customComment": trade.mark,
        "digits": digits,
        "expiration": trade.expiration.map(millis),
        "margin_rate": price(trade.open_price),
        "offset": trade.trailing,
        "open_price": price(trade.open_price),
        "open_time": millis(trade.open_time),
        "order": trade.order,
        "order2": trade.order2,
        "position": trade.position,
        "profit": number(profit),
        "sl": level(trade.stop_loss),
        "storage": number(trade.storage),
        "symbol": trade.symbol,
        "tp": level(trade.take_profit),
        "volume": volume(trade.volume),
    }) else {
        return Map::new();
    };
    fields
}

fn closed_fields(closed: &ClosedTrade, digits: u8) -> Map<String, Value> {
    let mut fields = open_fields(&closed.trade, Some(closed.close_price), closed.profit, digits);
    fields.insert("close_time".to_owned(), json!(millis(closed.close_time)));
    fields.insert("closed".to_owned(), json!(true));
    fields.insert("comment".to_owned(), json!(close_comment(closed.reason)));
    fields
}

fn with_texts(
    mut fields: Map<String, Value>,
    opened: WallTime,
    closed: Option<WallTime>,
    expires: Option<WallTime>,
    now: WallTime,
) -> Value {
    fields.insert("open_timeString".to_owned(), json!(long_time(opened)));
    fields.insert("close_timeString".to_owned(), json!(closed.map(long_time)));
    fields.insert("expirationString".to_owned(), json!(expires.map(long_time)));
    fields.insert("timestamp".to_owned(), json!(millis(now)));
    Value::Object(fields)
}

/// A TRADE_RECORD of something open.
pub fn open_record(trade: &Trade, current: Option<Price>, profit: i64, digits: u8, now: WallTime) -> Value {
    with_texts(open_fields(trade, current, profit, digits), trade.open_time, None, trade.expiration, now)
}

/// A TRADE_RECORD of something closed.
pub fn closed_record(closed: &ClosedTrade, digits: u8, now: WallTime) -> Value {
    with_texts(closed_fields(closed, digits), closed.trade.open_time, Some(closed.close_time), None, now)
}

/// A TRADE_RECORD of a balance operation: no symbol, no prices, and the amount as its profit.
pub fn deposit_record(deposit: Deposit, now: WallTime) -> Value {
    let Deposit { number: order, amount, at } = deposit;
    let Value::Object(fields) = json!({
        "close_price": 0.0,
        "close_time": millis(at),
        "closed": true,
        "cmd": 6,
        "comment": "deposit",
        "commission": 0.0,
        "customComment": "",
        "digits": 0,
        "expiration": null,
        "margin_rate": 0.0,
        "offset": 0,
        "open_price": 0.0,
        "open_time": millis(at),
        "order": order,
        "order2": order,
        "position": order,
        "profit": number(amount),
        "sl": 0.0,
        "storage": 0.0,
        "symbol": null,
        "tp": 0.0,
        "volume": 0.0,
    }) else {
        return Value::Null;
    };
    with_texts(fields, at, Some(at), None, now)
}

/// A STREAMING_TRADE_RECORD of something open or waiting. `kind` is the stream's type: 0 open, 1 pending.
pub fn streamed_open(trade: &Trade, current: Option<Price>, profit: i64, digits: u8, kind: i64, state: &str) -> Value {
    let mut fields = open_fields(trade, current, profit, digits);
    fields.insert("type".to_owned(), json!(kind));
    fields.insert("state".to_owned(), json!(state));
    if kind == 1 {
        fields.insert("profit".to_owned(), Value::Null);
    }
    Value::Object(fields)
}

/// A STREAMING_TRADE_RECORD of a closed trade or part.
pub fn streamed_closed(closed: &ClosedTrade, digits: u8) -> Value {
    let mut fields = closed_fields(closed, digits);
    fields.insert("type".to_owned(), json!(2));
    fields.insert("state".to_owned(), json!("Modified"));
    Value::Object(fields)
}

/// A TICK_RECORD of one level of the order book, 0 being the base quote; each further one lies a spread away. The streaming one carries the
/// source's number too. An index has no volumes.
pub fn tick(listing: &Listing, quote: DealerQuote, range: (Price, Price), level: u8, is_streamed: bool) -> Value {
    let away = (quote.ask.nanos() - quote.bid.nanos()) * i64::from(level);
    let (bid, ask) = (Price::from_nanos(quote.bid.nanos() - away), Price::from_nanos(quote.ask.nanos() + away));
    let spread = ask.nanos() - bid.nanos();
    let volume = |lots: i64| if listing.category == "IND" { Value::Null } else { json!(lots * (i64::from(level) + 1)) };
    let mut fields = json!({
        "symbol": listing.symbol,
        "ask": price(ask),
        "bid": price(bid),
        "askVolume": volume(500_000),
        "bidVolume": volume(400_000),
        "high": price(range.1),
        "low": price(range.0),
        "level": level,
        "spreadRaw": number(spread),
        "spreadTable": spread as f64 / listing.pip().nanos() as f64,
        "timestamp": millis(quote.at),
    });
    if let (true, Value::Object(fields)) = (is_streamed, &mut fields) {
        fields.insert("quoteId".to_owned(), json!(source(listing)));
    }
    fields
}

/// The price source's number: ones that the document does not list and the wire has.
pub fn source(listing: &Listing) -> i64 {
    match listing.category.as_str() {
        "STC" | "ETF" => 6,
        "CRT" => 10,
        _ => 5,
    }
}

/// How margin is reckoned: 101 forex, 102 contracts with leverage, 103 without; 104 is on the wire and not in the document.
fn margin_mode(listing: &Listing) -> i64 {
    match listing.category.as_str() {
        "FX" => 101,
        "STC" => 104,
        _ if listing.margin_percent == Ratio::from_nanos(100 * SCALE) => 103,
        _ => 102,
    }
}

/// A SYMBOL_RECORD.
pub fn symbol(listing: &Listing, quote: Option<DealerQuote>, range: (Price, Price), now: WallTime) -> Value {
    let (bid, ask) = quote.map_or((listing.price, listing.price), |quote| (quote.bid, quote.ask));
    let at = quote.map_or(now, |quote| quote.at);
    let spread = ask.nanos() - bid.nanos();
    let is_forex = listing.category == "FX";
    let [lot_min, lot_max, lot_step] = listing.lot;
    let point = listing.point().nanos();
    let mut fields = json!({
        "symbol": listing.symbol,
        "description": listing.description,
        "categoryName": listing.category,
        "groupName": listing.group,
        "currency": listing.base,
        "currencyProfit": listing.profit,
        "currencyPair": is_forex || listing.category == "CRT",
        "ask": price(ask),
        "bid": price(bid),
        "high": price(range.1),
        "low": price(range.0),
        "precision": listing.digits,
        "pipsPrecision": listing.pips,
        "tickSize": number(point),
        "tickValue": number(point.saturating_mul(listing.contract_size)),
        "contractSize": listing.contract_size,
        "lotMin": volume(lot_min),
        "lotMax": volume(lot_max),
        "lotStep": volume(lot_step),
        "stopsLevel": listing.stops_level,
    });
    let more = json!({
        "spreadRaw": number(spread),
        "spreadTable": spread as f64 / listing.pip().nanos() as f64,
        "leverage": number(listing.margin_percent.nanos()),
        "percentage": 100.0,
        "marginMode": margin_mode(listing),
        "profitMode": if is_forex { 5 } else { 6 },
        "initialMargin": 0,
        "marginHedged": 0,
        "marginMaintenance": null,
        "marginHedgedStrong": false,
        "quoteId": source(listing),
        "quoteIdCross": 4,
        "exemode": 1,
        "stepRuleId": 5,
        "swapEnable": true,
        "swapType": 0,
        "swapLong": listing.swap[0],
        "swapShort": listing.swap[1],
        "swap_rollover3days": TRIPLE_SWAP_DAY,
        "instantMaxVolume": 2_147_483_647_i64,
        "type": if is_forex { 971 } else { 383 },
        "time": millis(at),
        "timeString": long_time(at),
        "starting": null,
        "expiration": null,
        "longOnly": !listing.can_short,
        "shortSelling": listing.can_short,
        "trailingEnabled": true,
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}

/// Balance, equity and margin under the list's names, or under the stream's.
pub fn account(figures: AccountFigures, currency: &str, is_streamed: bool) -> Value {
    let AccountFigures { balance, equity, margin } = figures;
    let free = equity.saturating_sub(margin);
    // Percent with two places; 0 where nothing is bound.
    let share = if margin == 0 { 0 } else { i128::from(equity) * 10_000 / i128::from(margin) };
    let percent = i64::try_from(share).unwrap_or(i64::MAX) as f64 / 100.0;
    if is_streamed {
        return json!({"balance": number(balance), "credit": 0.0, "equity": number(equity), "margin": number(margin),
                      "marginFree": number(free), "marginLevel": percent});
    }
    json!({"balance": number(balance), "credit": 0.0, "currency": currency, "equity": number(equity), "margin": number(margin),
           "margin_free": number(free), "margin_level": percent})
}
