//! The client's own codec: commands to text, text to replies and stream messages. Unknown fields, values and topics are tolerated.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use thiserror::Error;

use crate::broker::xapi::Decimal;
use crate::domain::{CleanText, Price, RawText, SCALE};

/// The protocol's server cuts at 1 kB; nothing longer is ever sent.
const LONGEST: usize = 1_000;

/// Why a text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// It does not read. The words may quote it.
    #[error("the broker's message does not read: {0}")]
    Text(CleanText),
    /// A command would be too long.
    #[error("the command would be longer than the protocol allows")]
    TooLong,
}

/// A request of the kind `tradeTransaction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeRequest {
    /// 0 and 1 buy and sell, 2 and 3 limits, 4 and 5 stops.
    pub cmd: i64,
    /// 0 open, 2 close, 3 modify, 4 delete.
    pub kind: i64,
    /// Which symbol.
    pub symbol: String,
    /// In lots.
    pub volume: Decimal,
    /// Above zero; not a limit for market orders.
    pub price: Decimal,
    /// 0 for none.
    pub sl: Decimal,
    /// 0 for none.
    pub tp: Decimal,
    /// The position or waiting order it is about; 0 for a new one.
    pub order: i64,
    /// Milliseconds; 0 for none.
    pub expiration: i64,
    /// Our mark.
    pub mark: String,
}

/// A reply of the main connection.
#[derive(Debug)]
pub struct Reply {
    /// The tag of its request.
    pub tag: Option<String>,
    /// Its data as text, or code and text of its error.
    pub outcome: Result<String, (String, CleanText)>,
    /// A login's session.
    pub session: Option<String>,
}

/// An open position, a waiting order or a closed trade, as listed or streamed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trade {
    /// Number of the opening transaction.
    #[serde(default, deserialize_with = "null_is_default")]
    pub order: i64,
    /// Number of the latest transaction.
    #[serde(default, deserialize_with = "null_is_default")]
    pub order2: i64,
    /// Number common to open and close.
    pub position: i64,
    /// Which symbol; nothing for deposits.
    #[serde(default)]
    pub symbol: Option<String>,
    /// 0 and 1 positions, 2 to 5 waiting orders, others are no trades.
    pub cmd: i64,
    /// In lots.
    #[serde(default)]
    pub volume: Decimal,
    /// What it was opened at.
    #[serde(default, rename = "open_price")]
    pub open_price: Decimal,
    /// What it was closed at, or the current price.
    #[serde(default, rename = "close_price")]
    pub close_price: Decimal,
    /// Whether it is closed.
    #[serde(default, deserialize_with = "null_is_default")]
    pub closed: bool,
    /// In the account's currency; nothing for waiting orders.
    #[serde(default)]
    pub profit: Option<Decimal>,
    /// In the account's currency.
    #[serde(default)]
    pub commission: Option<Decimal>,
    /// Swaps, in the account's currency.
    #[serde(default)]
    pub storage: Option<Decimal>,
    /// 0 for none.
    #[serde(default)]
    pub sl: Decimal,
    /// 0 for none.
    #[serde(default)]
    pub tp: Decimal,
    /// `[S/L]`, `[T/P]`, `[S/O …]` mark why it was closed.
    #[serde(default)]
    pub comment: Option<String>,
    /// Our mark.
    #[serde(default, rename = "customComment")]
    pub mark: Option<String>,
    /// Milliseconds.
    #[serde(default)]
    pub expiration: Option<i64>,
    /// On the stream: 0 open, 1 pending, 2 close.
    #[serde(default, rename = "type")]
    pub kind: Option<i64>,
    /// On the stream: `Modified` or `Deleted`.
    #[serde(default)]
    pub state: Option<String>,
}

/// Balance, equity and margin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Margin {
    /// Deposits and realised results.
    pub balance: Decimal,
    /// With open results.
    pub equity: Decimal,
    /// Bound by positions.
    pub margin: Decimal,
    /// The account's currency; the stream does not tell it.
    #[serde(default)]
    pub currency: Option<String>,
}

/// Where a transaction stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its number.
    pub order: i64,
    /// 0 error, 1 pending, 3 accepted, 4 rejected.
    pub request_status: i64,
    /// The broker's words.
    #[serde(default)]
    pub message: Option<String>,
    /// The mark of the request.
    #[serde(default, rename = "customComment")]
    pub mark: Option<String>,
}

impl Status {
    /// Where a transaction stands that was not dealt with yet.
    pub const PENDING: i64 = 1;
    /// Where one stands that was carried out.
    pub const ACCEPTED: i64 = 3;
    /// Where one stands that failed.
    pub const ERROR: i64 = 0;
    /// Where one stands that was refused.
    pub const REJECTED: i64 = 4;
}

/// A quote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tick {
    /// Which symbol.
    pub symbol: String,
    /// What a seller gets.
    pub bid: Decimal,
    /// What a buyer pays.
    pub ask: Decimal,
    /// Depth level; 0 is the base quote.
    #[serde(default)]
    pub level: i64,
    /// Milliseconds.
    pub timestamp: i64,
}

/// What this program needs of a symbol record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Symbol {
    /// Its name.
    pub symbol: String,
    /// Currency of profit.
    pub currency_profit: String,
    /// Units in one lot.
    pub contract_size: Decimal,
    /// Decimals.
    pub precision: i64,
    /// Smallest volume.
    pub lot_min: Decimal,
    /// Largest volume.
    pub lot_max: Decimal,
    /// Step of volumes.
    pub lot_step: Decimal,
}

/// A message of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// A quote.
    Tick(Tick),
    /// A trade has opened, changed or closed.
    Trade(Box<Trade>),
    /// A transaction has moved on.
    Status(Status),
    /// The account.
    Balance(Margin),
    /// The connection lives.
    KeepAlive,
    /// An error, which only an unknown session gives.
    Error(String),
    /// Something this program has no use for.
    Other,
}

fn whole(text: String) -> Result<String, WireError> {
    if text.len() > LONGEST { Err(WireError::TooLong) } else { Ok(text) }
}

/// A main command with its tag.
pub fn command(name: &str, arguments: Option<Value>, tag: &str) -> Result<String, WireError> {
    let text = match arguments {
        Some(arguments) => json!({"command": name, "arguments": arguments, "customTag": tag}),
        None => json!({"command": name, "customTag": tag}),
    };
    whole(text.to_string())
}

/// A trade request with its tag. Numbers are written from their decimal text.
pub fn trade_command(request: &TradeRequest, tag: &str) -> Result<String, WireError> {
    let TradeRequest { cmd, kind, symbol, volume, price, sl, tp, order, expiration, mark } = request;
    let (symbol, mark, tag) = (Value::from(symbol.as_str()), Value::from(mark.as_str()), Value::from(tag));
    whole(format!(
        "{{\"command\":\"tradeTransaction\",\"arguments\":{{\"tradeTransInfo\":{{\"cmd\":{cmd},\"type\":{kind},\"symbol\":{symbol},\
         \"volume\":{volume},\"price\":{price},\"sl\":{sl},\"tp\":{tp},\"offset\":0,\"order\":{order},\"expiration\":{expiration},\
         \"customComment\":{mark}}}}},\"customTag\":{tag}}}"
    ))
}

/// A stream command with its session.
pub fn stream_command(name: &str, session: &str, symbol: Option<&str>) -> String {
    match symbol {
        Some(symbol) if name.starts_with("get") => {
            json!({"command": name, "streamSessionId": session, "symbol": symbol, "minArrivalTime": 200, "maxLevel": 0})
        }
        Some(symbol) => json!({"command": name, "streamSessionId": session, "symbol": symbol}),
        None => json!({"command": name, "streamSessionId": session}),
    }
    .to_string()
}

/// A chart: candles as the wire has them, open absolute and the rest as shifts from it, all in points of the last decimal.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chart {
    digits: u32,
    rate_infos: Vec<Rate>,
}

#[derive(Debug, Deserialize)]
struct Rate {
    ctm: i64,
    open: Decimal,
    close: Decimal,
    high: Decimal,
    low: Decimal,
}

/// A candle in prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candle {
    /// Start, in milliseconds.
    pub at: i64,
    /// Prices.
    pub open: Price,
    /// See `open`.
    pub high: Price,
    /// See `open`.
    pub low: Price,
    /// See `open`.
    pub close: Price,
}

impl Chart {
    /// The candles in prices, oldest first; one that makes no sense is left out, and decimals that make none are an error.
    pub fn candles(&self) -> Result<Vec<Candle>, WireError> {
        let Some(scale) = 10_i64.checked_pow(self.digits) else {
            return Err(WireError::Text(format!("a chart with prices of {} decimals", self.digits).into()));
        };
        // Whole points first, then the division: shifts come as floats.
        let price = |points: i64| {
            let whole = points.checked_add(SCALE / 2)?.div_euclid(SCALE);
            Some(Price::from_nanos(whole.saturating_mul(SCALE) / scale))
        };
        let candle = |rate: &Rate| {
            let at = |shift: Decimal| rate.open.0.checked_add(shift.0).and_then(price);
            let (open, high, low, close) = (price(rate.open.0)?, at(rate.high)?, at(rate.low)?, at(rate.close)?);
            let is_sound = low.is_positive() && low <= open.min(close) && high >= open.max(close);
            is_sound.then_some(Candle { at: rate.ctm, open, high, low, close })
        };
        let mut candles: Vec<Candle> = self.rate_infos.iter().filter_map(candle).collect();
        candles.sort_by_key(|candle| candle.at);
        candles.dedup_by_key(|candle| candle.at);
        Ok(candles)
    }
}

fn unreadable(error: &serde_json::Error) -> WireError {
    WireError::Text(error.to_string().into())
}

/// Reads a reply.
pub fn decode_reply(text: &str) -> Result<Reply, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope<'a> {
        status: bool,
        #[serde(borrow, default)]
        return_data: Option<&'a RawValue>,
        #[serde(default)]
        error_code: Option<String>,
        #[serde(default)]
        error_descr: Option<String>,
        #[serde(default)]
        custom_tag: Option<String>,
        #[serde(default)]
        stream_session_id: Option<String>,
    }
    let read: Envelope<'_> = serde_json::from_str(text.trim_end()).map_err(|error| unreadable(&error))?;
    let outcome = if read.status {
        Ok(read.return_data.map_or_else(String::new, |data| data.get().to_owned()))
    } else {
        let words = read.error_descr.unwrap_or_default();
        Err((read.error_code.unwrap_or_default(), CleanText::from_outside(&words)))
    };
    Ok(Reply { tag: read.custom_tag, outcome, session: read.stream_session_id })
}

/// Reads the data of a reply.
pub fn decode<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, WireError> {
    serde_json::from_str(data).map_err(|error| unreadable(&error))
}

/// Reads a list record by record. Returns what could be read, and how many could not.
pub fn decode_each<T: serde::de::DeserializeOwned>(data: &str) -> Result<(Vec<T>, usize), WireError> {
    let records: Vec<&RawValue> = decode(data)?;
    let read: Vec<T> = records.iter().filter_map(|record| serde_json::from_str(record.get()).ok()).collect();
    let unread = records.len() - read.len();
    Ok((read, unread))
}

/// A field that is `null` where the document promises a value.
fn null_is_default<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Reads a message of the stream.
pub fn decode_pushed(text: &str) -> Result<Pushed, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope<'a> {
        #[serde(borrow, default)]
        command: Option<RawText<'a>>,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
        #[serde(default)]
        error_code: Option<String>,
    }
    let read: Envelope<'_> = serde_json::from_str(text.trim_end()).map_err(|error| unreadable(&error))?;
    if let Some(code) = read.error_code {
        return Ok(Pushed::Error(code));
    }
    let data = read.data.map_or("null", RawValue::get);
    Ok(match read.command.as_ref().map(RawText::as_str) {
        Some("tickPrices") => Pushed::Tick(decode(data)?),
        Some("trade") => Pushed::Trade(Box::new(decode(data)?)),
        Some("tradeStatus") => Pushed::Status(decode(data)?),
        Some("balance") => Pushed::Balance(decode(data)?),
        Some("keepAlive") => Pushed::KeepAlive,
        Some(_) | None => Pushed::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::read(text).unwrap()
    }

    #[test]
    fn commands_are_the_protocols_literal_messages() {
        let login = json!({"userId": "20001", "password": "secret", "appName": "tui"});
        let text = command("login", Some(login), "1").unwrap();
        let expected =
            r#"{"command":"login","arguments":{"userId":"20001","password":"secret","appName":"tui"},"customTag":"1"}"#;
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), serde_json::from_str::<Value>(expected).unwrap());
        let request = TradeRequest {
            cmd: 0,
            kind: 0,
            symbol: "EURUSD".to_owned(),
            volume: number("0.1"),
            price: number("1.0843"),
            sl: number("0.0"),
            tp: number("0.0"),
            order: 0,
            expiration: 0,
            mark: "tui-8f2c".to_owned(),
        };
        let expected = r#"{"command":"tradeTransaction","arguments":{"tradeTransInfo":{"cmd":0,"type":0,"symbol":"EURUSD","volume":0.1,"price":1.0843,"sl":0,"tp":0,"offset":0,"order":0,"expiration":0,"customComment":"tui-8f2c"}},"customTag":"9"}"#;
        assert_eq!(trade_command(&request, "9").unwrap(), expected);
        let long = TradeRequest { mark: "x".repeat(1_000), ..request };
        assert_eq!(trade_command(&long, "9"), Err(WireError::TooLong));
    }

    #[test]
    fn charts_are_shifts_from_the_open() {
        let text = r#"{"digits":1,"rateInfos":[{"ctm":1761990300000,"ctmString":"Nov 1, 2025 10:45:00 AM","open":240105.0,"close":12.0,"high":20.0,"low":-7.0,"vol":31.0},
            {"ctm":1761990000000,"open":240000.0,"close":0.0,"high":-1.0,"low":0.0}]}"#;
        let candles = decode::<Chart>(text).unwrap().candles().unwrap();
        let prices = |candle: &Candle| [candle.open, candle.high, candle.low, candle.close].map(|price| price.to_string());
        assert_eq!(candles.iter().map(prices).collect::<Vec<_>>(), [["24010.5", "24012.5", "24009.8", "24011.7"]]);
        let far = r#"{"digits":1,"rateInfos":[{"ctm":1,"open":9223372036.8,"close":0.0,"high":0.0,"low":0.0}]}"#;
        assert_eq!(decode::<Chart>(far).unwrap().candles(), Ok(Vec::new()), "a price past the end of numbers is none");
    }

    #[test]
    fn replies_are_read() {
        let reply = decode_reply(r#"{"status":true,"streamSessionId":"4412345678901234567","customTag":"1"}"#).unwrap();
        assert_eq!((reply.session.as_deref(), reply.tag.as_deref()), (Some("4412345678901234567"), Some("1")));
        let reply = decode_reply(
            "{\"status\":false,\"errorCode\":\"BE006\",\"errorDescr\":\"Market for instrument is closed\",\"customTag\":\"t-17\"}\n\n",
        );
        let (code, words) = reply.unwrap().outcome.unwrap_err();
        assert_eq!((code.as_str(), words.as_str()), ("BE006", "Market for instrument is closed"));
        assert!(decode_reply("{\"status\":").is_err());
        let hostile = format!("{{\"status\":\"{}\\u001b[2J\"}}", "x".repeat(1_000));
        let said = decode_reply(&hostile).unwrap_err().to_string();
        assert!(said.chars().count() < 500 && !said.contains('\u{1b}'), "{said}");
    }

    #[test]
    fn trades_are_read_as_listed_and_as_streamed() {
        let listed = r#"[{"close_price":1.0845,"close_time":null,"close_timeString":null,"closed":false,"cmd":0,"comment":"","commission":0.0,
 "customComment":"tui-8f2c","digits":5,"expiration":null,"expirationString":null,"margin_rate":1.0843,"offset":0,"open_price":1.0843,
 "open_time":1762000001000,"open_timeString":"Sat Nov 01 13:26:41 CET 2025","order":700112,"order2":700101,"position":700112,"profit":1.84,
 "sl":0.0,"storage":0.0,"symbol":"EURUSD","timestamp":1762000002000,"tp":0.0,"volume":0.1}]"#;
        let trades: Vec<Trade> = decode(listed).unwrap();
        assert_eq!((trades[0].position, trades[0].volume, trades[0].profit), (700_112, number("0.1"), Some(number("1.84"))));
        assert_eq!(trades[0].mark.as_deref(), Some("tui-8f2c"));
        let streamed = r#"{"command":"trade","data":{"order":700112,"order2":700101,"position":700112,"cmd":0,"type":0,"state":"Modified","closed":false,"close_time":null,"close_price":1.08421,"open_price":1.0843,"open_time":1762000001000,"symbol":"EURUSD","volume":0.1,"sl":0.0,"tp":0.0,"profit":0.0,"storage":0.0,"commission":0.0,"comment":"","customComment":"tui-8f2c","digits":5,"expiration":null,"margin_rate":1.0843,"offset":0}}"#;
        let Pushed::Trade(trade) = decode_pushed(streamed).unwrap() else { panic!("not a trade") };
        assert_eq!((trade.kind, trade.state.as_deref()), (Some(0), Some("Modified")));
        let strange = r#"{"command":"trade","data":{"position":5,"cmd":9,"type":7,"state":"New","symbol":null,"volume":null,"future":{"a":1}}}"#;
        assert!(matches!(decode_pushed(strange).unwrap(), Pushed::Trade(_)), "unknown values and fields are tolerated");
    }

    #[test]
    fn the_other_messages_are_read() {
        let tick = r#"{"command":"tickPrices","data":{"symbol":"EURUSD","ask":1.0843,"bid":1.08421,"high":1.0861,"low":1.0805,"askVolume":null,"bidVolume":400000,"timestamp":1762000000400,"level":0,"quoteId":5,"spreadTable":0.9,"spreadRaw":0.00009}}"#;
        assert!(matches!(decode_pushed(tick).unwrap(), Pushed::Tick(tick) if tick.ask == number("1.0843") && tick.level == 0));
        let balance = r#"{"command":"balance","data":{"balance":100000.0,"credit":0.0,"equity":100001.84,"margin":333.0,"marginFree":99668.84,"marginLevel":30030.58}}"#;
        assert!(matches!(decode_pushed(balance).unwrap(), Pushed::Balance(margin) if margin.equity == number("100001.84")));
        let status = r#"{"command":"tradeStatus","data":{"order":700101,"requestStatus":3,"message":null,"customComment":"tui-8f2c","price":1.0843}}"#;
        assert!(matches!(decode_pushed(status).unwrap(), Pushed::Status(status) if status.request_status == 3));
        assert_eq!(decode_pushed(r#"{"command":"keepAlive","data":{"timestamp":1762000003000}}"#).unwrap(), Pushed::KeepAlive);
        assert_eq!(decode_pushed(r#"{"command":"tomorrow","data":[1]}"#).unwrap(), Pushed::Other);
        let margin: Margin = decode(r#"{"balance":100000.0,"credit":0.0,"currency":"EUR","equity":100001.84,"margin":333.0,"margin_free":99668.84,"margin_level":30030.58}"#).unwrap();
        assert_eq!(margin.margin, number("333"));
    }
}
