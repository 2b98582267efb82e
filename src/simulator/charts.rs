//! Candles: one-minute ones from quotes, older ones from loaded history, coarser ones by adding up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::domain::{Price, WallTime};
use crate::simulator::Listing;
use crate::simulator::core::{Answer, Refusal, Request};
use crate::simulator::records::{ZONE, instant, millis, number, padded_time, short_time, source};

/// One-minute candles kept of each symbol, about a month of forex.
const KEPT: usize = 45_000;
/// Most candles of one request.
const MOST: i64 = 50_000;
const MINUTE: i64 = 60_000;

/// A candle in milliseconds and price units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candle {
    /// Its beginning.
    pub ctm: i64,
    /// First price.
    pub open: Price,
    /// Highest.
    pub high: Price,
    /// Lowest.
    pub low: Price,
    /// Last.
    pub close: Price,
    /// Number of quotes, standing for lots.
    pub vol: i64,
}

/// All candles.
#[derive(Debug, Default)]
pub(super) struct Charts {
    minutes: BTreeMap<String, VecDeque<Candle>>,
    history: BTreeMap<String, Vec<Candle>>,
    /// Symbols a session has asked a chart of: the stream gives candles of no other.
    asked: BTreeMap<String, BTreeSet<String>>,
}

/// A chart request's fields.
struct Wish {
    period: i64,
    start: i64,
    end: i64,
    ticks: i64,
}

impl Charts {
    /// Takes a quote. Returns the minute it has completed, if it has.
    pub(super) fn tick(&mut self, symbol: &str, price: Price, now: WallTime) -> Option<Candle> {
        let minutes = self.minutes.entry(symbol.to_owned()).or_default();
        let ctm = millis(now).div_euclid(MINUTE) * MINUTE;
        match minutes.back_mut() {
            Some(last) if last.ctm == ctm => {
                (last.high, last.low) = (last.high.max(price), last.low.min(price));
                (last.close, last.vol) = (price, last.vol + 1);
                None
            }
            last => {
                let completed = last.copied();
                minutes.push_back(Candle { ctm, open: price, high: price, low: price, close: price, vol: 1 });
                if minutes.len() > KEPT {
                    minutes.pop_front();
                }
                completed
            }
        }
    }

    /// Takes bars from before the start.
    pub(super) fn load(&mut self, symbol: &str, bars: Vec<Candle>) {
        self.history.insert(symbol.to_owned(), bars);
    }

    /// Remembers that a session has asked for a chart.
    pub(super) fn note_request(&mut self, session: &str, request: &Request<'_>) {
        if matches!(request.command, "getChartLastRequest" | "getChartRangeRequest")
            && let Some(symbol) = request.arguments.get("info").and_then(|info| info.get("symbol")).and_then(Value::as_str)
        {
            self.asked.entry(session.to_owned()).or_default().insert(symbol.to_owned());
        }
    }

    /// Whether a session gets candles of a symbol on its stream.
    pub(super) fn was_asked(&self, session: &str, symbol: &str) -> bool {
        self.asked.get(session).is_some_and(|symbols| symbols.contains(symbol))
    }

    /// Answers a chart request.
    pub(super) fn answer(&self, request: &Request<'_>, digits: u8, now: WallTime) -> Answer {
        let wish = Wish::read(request, now)?;
        let info = request.arguments.get("info");
        let symbol = info.and_then(|info| info.get("symbol")).and_then(Value::as_str).unwrap_or_default();
        let candles = self.candles(symbol, wish.period);
        let chosen: Vec<&Candle> = match wish.ticks {
            0 => candles.iter().filter(|candle| candle.ctm >= wish.start && candle.ctm < wish.end).collect(),
            forward if forward > 0 => {
                let count = usize::try_from(forward.min(MOST)).unwrap_or(0);
                candles.iter().filter(|candle| candle.ctm >= wish.start).take(count).collect()
            }
            back => {
                let count = usize::try_from(back.saturating_neg().min(MOST)).unwrap_or(0);
                let until: Vec<&Candle> = candles.iter().filter(|candle| candle.ctm <= wish.start).collect();
                until.into_iter().rev().take(count).rev().collect()
            }
        };
        let records: Vec<Value> = chosen.into_iter().map(|candle| shifted(candle, digits)).collect();
        Ok(Some(json!({"digits": digits, "rateInfos": records})))
    }

    fn candles(&self, symbol: &str, period: i64) -> Vec<Candle> {
        let mut all: Vec<Candle> = Vec::new();
        let before = self.history.get(symbol).into_iter().flatten();
        let first_minute = self.minutes.get(symbol).and_then(|minutes| minutes.front()).map_or(i64::MAX, |candle| candle.ctm);
        let minutes = self.minutes.get(symbol).into_iter().flatten();
        for candle in before.filter(|candle| candle.ctm < first_minute).chain(minutes) {
            let ctm = aligned(candle.ctm, period);
            match all.last_mut() {
                Some(last) if last.ctm == ctm => {
                    (last.high, last.low) = (last.high.max(candle.high), last.low.min(candle.low));
                    (last.close, last.vol) = (candle.close, last.vol + candle.vol);
                }
                _ => all.push(Candle { ctm, ..*candle }),
            }
        }
        all
    }
}

impl Wish {
    fn read(request: &Request<'_>, now: WallTime) -> Result<Self, Refusal> {
        let missing = Refusal("BE106", "Missing data: info");
        let info = request.arguments.get("info").ok_or(missing)?;
        let field = |name: &str| info.get(name).and_then(Value::as_i64);
        let (period, start) = (field("period").ok_or(missing)?, field("start").ok_or(missing)?);
        let is_known = [1, 5, 15, 30, 60, 240, 1_440, 10_080, 43_200].contains(&period);
        if !is_known {
            return Err(Refusal("BE105", "Incorrect period"));
        }
        let is_range = request.command == "getChartRangeRequest";
        let end = if is_range { field("end").ok_or(missing)? } else { millis(now) + 1 };
        let ticks = if is_range { field("ticks").unwrap_or(0) } else { 0 };
        let (start, end) = (aligned(start, period), if is_range { aligned(end, period) } else { end });
        if ticks == 0 && end.saturating_sub(start) / (period * MINUTE) > MOST {
            return Err(Refusal("EX009", "Too many candles requested"));
        }
        Ok(Self { period, start, end, ticks })
    }
}

/// The beginning of the period an instant lies in; days and longer begin at midnight in Warsaw.
fn aligned(at: i64, period: i64) -> i64 {
    let step = period.saturating_mul(MINUTE);
    if period < 1_440 {
        return at.div_euclid(step) * step;
    }
    let Ok(zone) = TimeZone::get(ZONE) else { return at.div_euclid(step) * step };
    let date = zone.to_datetime(instant(at).timestamp()).date();
    let first = match period {
        10_080 => date.checked_sub(jiff::ToSpan::days(i64::from(date.weekday().to_monday_zero_offset()))),
        43_200 => Ok(date.first_of_month()),
        _ => Ok(date),
    };
    let midnight = first.map(|date| date.to_datetime(jiff::civil::Time::midnight()));
    midnight.and_then(|midnight| zone.to_timestamp(midnight)).map_or(at, jiff::Timestamp::as_millisecond)
}

/// A RATE_INFO_RECORD: the open as a whole number of points, the others as shifts from it.
fn shifted(candle: &Candle, digits: u8) -> Value {
    let point = 10_i64.pow(9 - u32::from(digits.min(9)));
    let points = |nanos: i64| (nanos as f64 / point as f64).round();
    let shift = |price: Price| points(price.nanos() - candle.open.nanos());
    json!({
        "ctm": candle.ctm,
        "ctmString": short_time(instant(candle.ctm)),
        "open": points(candle.open.nanos()),
        "close": shift(candle.close),
        "high": shift(candle.high),
        "low": shift(candle.low),
        "vol": candle.vol as f64,
    })
}

/// The stream's candle: absolute prices.
pub(super) fn streamed(listing: &Listing, candle: &Candle) -> Value {
    json!({
        "symbol": listing.symbol,
        "ctm": candle.ctm,
        "ctmString": padded_time(instant(candle.ctm)),
        "open": number(candle.open.nanos()),
        "high": number(candle.high.nanos()),
        "low": number(candle.low.nanos()),
        "close": number(candle.close.nanos()),
        "vol": candle.vol as f64,
        "quoteId": source(listing),
    })
}
