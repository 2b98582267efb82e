//! Main commands that only read.

use serde_json::{Value, json};

use crate::domain::{Duration, OrderSide, Price, Quantity, WallTime};
use crate::exchange::DealerRefusal;
use crate::simulator::core::{Answer, Refusal, Request};
use crate::simulator::records::{
    ZONE, account, closed_record, deposit_record, instant, millis, number, open_record, short_time, symbol, tick,
};
use crate::simulator::streams::news;
use crate::simulator::{Listing, Simulator};

const MISSING: Refusal = Refusal("BE106", "Missing data");
const NO_SYMBOL: Refusal = Refusal("BE115", "Symbol does not exist");
/// What `getTradesHistory` means by a start of 0.
const LAST_MONTH: Duration = Duration::seconds(31 * 86_400);

impl Simulator {
    /// Answers a command that only reads.
    pub(super) fn answer(&mut self, now: WallTime, request: &Request<'_>) -> Answer {
        let data = match request.command {
            "ping" => return Ok(None),
            "getVersion" => json!({"version": "2.5.0"}),
            "getServerTime" => json!({"time": millis(now), "timeString": short_time(now)}),
            "getAllSymbols" => self.catalogue.iter().map(|listing| self.symbol_record(listing, now)).collect(),
            "getSymbol" => {
                let listing = self.listing(request)?;
                self.symbol_record(listing, now)
            }
            "getChartLastRequest" | "getChartRangeRequest" => {
                let named = request.arguments.get("info").and_then(|info| info.get("symbol")).and_then(Value::as_str);
                let listing = self.catalogue.get(named.ok_or(MISSING)?).ok_or(NO_SYMBOL)?;
                return self.charts.answer(request, listing.digits, now);
            }
            "getTickPrices" => self.tick_prices(request)?,
            "getCurrentUserData" => json!({
                "companyUnit": 8, "currency": self.settings.currency, "group": "demoSIM", "ibAccount": false, "leverage": 1,
                "leverageMultiplier": 0.3, "spreadType": "FLOAT", "trailingStop": true,
            }),
            "getMarginLevel" => account(self.dealer.figures(), &self.settings.currency, false),
            "getMarginTrade" => {
                let (listing, volume) = (self.listing(request)?, decimal(request.arguments, "volume")?);
                let margin = self.dealer.margin_of(&listing.symbol, Quantity::from_nanos(volume)).map_err(refusal)?;
                json!({"margin": number(margin)})
            }
            "getCommissionDef" => {
                let listing = self.listing(request)?;
                decimal(request.arguments, "volume")?;
                let rate = self.dealer.rate(&listing.profit).map(|rate| number(rate.nanos()));
                json!({"commission": 0.0, "rateOfExchange": rate})
            }
            "getProfitCalculation" => self.profit_calculation(request)?,
            "getStepRules" => json!([{"id": 5, "name": "Forex", "steps": [{"fromValue": 0.01, "step": 0.01}]}]),
            "getIbsHistory" => return Err(Refusal("EX011", "Command not allowed for this account")),
            "getTrades" => self.trades(request, now),
            "getTradesHistory" => self.history(request, now)?,
            "getTradeRecords" => self.trade_records(request, now)?,
            "tradeTransactionStatus" => self.status(request)?,
            "getTradingHours" => self.trading_hours(request)?,
            "getCalendar" => calendar(now),
            "getNews" => {
                let (start, end) = span(request, now)?;
                news::between(instant(start), end)
            }
            _ => return Err(Refusal("BE104", "Method does not exist")),
        };
        Ok(Some(data))
    }

    fn listing(&self, request: &Request<'_>) -> Result<&Listing, Refusal> {
        let named = request.arguments.get("symbol").and_then(Value::as_str).ok_or(MISSING)?;
        self.catalogue.get(named).ok_or(NO_SYMBOL)
    }

    fn symbol_record(&self, listing: &Listing, now: WallTime) -> Value {
        symbol(listing, self.dealer.last_quote(&listing.symbol), self.range(&listing.symbol), now)
    }

    /// Lowest and highest bid of the day.
    pub(super) fn range(&self, symbol: &str) -> (Price, Price) {
        self.ranges.get(symbol).copied().unwrap_or_default()
    }

    fn tick_prices(&self, request: &Request<'_>) -> Result<Value, Refusal> {
        let symbols = request.arguments.get("symbols").and_then(Value::as_array).ok_or(MISSING)?;
        let since = request.arguments.get("timestamp").and_then(Value::as_i64).ok_or(MISSING)?;
        // -1 asks for all levels, another number for that one.
        let level = request.arguments.get("level").and_then(Value::as_i64).ok_or(MISSING)?;
        let mut quotations = Vec::new();
        for named in symbols {
            let listing = self.catalogue.get(named.as_str().ok_or(MISSING)?).ok_or(NO_SYMBOL)?;
            if let Some(quote) = self.dealer.last_quote(&listing.symbol).filter(|quote| millis(quote.at) >= since) {
                let wanted = (0..listing.depth.max(1)).filter(|of| level < 0 || level == i64::from(*of));
                quotations.extend(wanted.map(|of| tick(listing, quote, self.range(&listing.symbol), of, false)));
            }
        }
        Ok(json!({"quotations": quotations}))
    }

    fn profit_calculation(&self, request: &Request<'_>) -> Result<Value, Refusal> {
        let listing = self.listing(request)?;
        let (open, close) = (decimal(request.arguments, "openPrice")?, decimal(request.arguments, "closePrice")?);
        let volume = decimal(request.arguments, "volume")?;
        let side = match request.arguments.get("cmd").and_then(Value::as_i64).ok_or(MISSING)? {
            0 | 2 | 4 => OrderSide::Buy,
            1 | 3 | 5 => OrderSide::Sell,
            _ => return Err(Refusal("BE102", "Unknown transaction type")),
        };
        let (open, close, volume) = (Price::from_nanos(open), Price::from_nanos(close), Quantity::from_nanos(volume));
        let profit = self.dealer.profit_between(&listing.symbol, side, open, close, volume).map_err(refusal)?;
        Ok(json!({"profit": number(profit)}))
    }

    /// Open positions and waiting orders; with `openedOnly` false, those closed in this login too.
    fn trades(&mut self, request: &Request<'_>, now: WallTime) -> Value {
        let opened_only = request.arguments.get("openedOnly").and_then(Value::as_bool).unwrap_or(false);
        let since = self.sessions.values().map(|session| session.since).min().unwrap_or(now);
        let open = self.dealer.positions().values().chain(self.dealer.waiting().values());
        let mut records: Vec<Value> = open.map(|trade| self.record(trade, now)).collect();
        if !opened_only {
            let lately = self.dealer.closed().iter().filter(|closed| closed.close_time >= since);
            records.extend(lately.map(|closed| closed_record(closed, self.digits(&closed.trade.symbol), now)));
        }
        Value::Array(self.maybe_truncated(records))
    }

    fn record(&self, trade: &crate::exchange::Trade, now: WallTime) -> Value {
        let quote = self.dealer.last_quote(&trade.symbol);
        let current = quote.map(|quote| if trade.side == OrderSide::Buy { quote.bid } else { quote.ask });
        let profit = if trade.entry == crate::exchange::Entry::Market { self.dealer.open_profit(trade) } else { 0 };
        open_record(trade, current, profit, self.digits(&trade.symbol), now)
    }

    /// Decimals of a symbol's price.
    pub(super) fn digits(&self, symbol: &str) -> u8 {
        self.catalogue.get(symbol).map_or(0, |listing| listing.digits)
    }

    fn history(&mut self, request: &Request<'_>, now: WallTime) -> Result<Value, Refusal> {
        let (start, end) = span(request, now)?;
        let start = if start == 0 { WallTime(now.0 - LAST_MONTH.0) } else { instant(start) };
        let inside = self.dealer.closed().iter().filter(|closed| (start..=end).contains(&closed.close_time));
        let records = inside.map(|closed| closed_record(closed, self.digits(&closed.trade.symbol), now)).collect();
        let trades = self.maybe_truncated(records);
        let deposit = self.deposit.filter(|deposit| (start..=end).contains(&deposit.at));
        let paid_in = deposit.map(|deposit| deposit_record(deposit, now));
        Ok(paid_in.into_iter().chain(trades).collect())
    }

    fn maybe_truncated(&mut self, mut records: Vec<Value>) -> Vec<Value> {
        if !records.is_empty() && self.dice.happens(self.settings.faults.truncated_list) {
            records.pop();
        }
        records
    }

    fn trade_records(&self, request: &Request<'_>, now: WallTime) -> Result<Value, Refusal> {
        let orders = request.arguments.get("orders").and_then(Value::as_array).ok_or(MISSING)?;
        let mut records = Vec::new();
        for number in orders {
            let number = number.as_i64().ok_or(MISSING)?;
            let open = self.dealer.positions().get(&number).or_else(|| self.dealer.waiting().get(&number));
            match open {
                Some(trade) => records.push(self.record(trade, now)),
                None => {
                    let closed = self.dealer.closed().iter().filter(|closed| closed.trade.position == number);
                    records.extend(closed.map(|closed| closed_record(closed, self.digits(&closed.trade.symbol), now)));
                }
            }
        }
        Ok(Value::Array(records))
    }

    fn trading_hours(&self, request: &Request<'_>) -> Result<Value, Refusal> {
        let symbols = request.arguments.get("symbols").and_then(Value::as_array).ok_or(MISSING)?;
        let mut all = Vec::new();
        for named in symbols {
            let listing = self.catalogue.get(named.as_str().ok_or(MISSING)?).ok_or(NO_SYMBOL)?;
            let hours: Vec<Value> = hours_of(&listing.category)
                .into_iter()
                .map(|(day, from, to)| json!({"day": day, "fromT": from * 60_000, "toT": to * 60_000}))
                .collect();
            all.push(json!({"symbol": listing.symbol, "quotes": hours, "trading": hours}));
        }
        Ok(Value::Array(all))
    }

    /// Whether a symbol trades now.
    pub(super) fn is_open(&self, symbol: &str, now: WallTime) -> bool {
        let Some(listing) = self.catalogue.get(symbol).filter(|_| self.settings.has_hours) else { return true };
        let Ok(zone) = jiff::tz::TimeZone::get(ZONE) else { return true };
        let local = zone.to_datetime(now.timestamp());
        let (day, minute) =
            (i64::from(local.weekday().to_monday_one_offset()), i64::from(local.hour()) * 60 + i64::from(local.minute()));
        hours_of(&listing.category).into_iter().any(|(on, from, to)| on == day && (from..to).contains(&minute))
    }
}

/// Hours by category: day (1 Monday), from and to in minutes after midnight in Warsaw.
fn hours_of(category: &str) -> Vec<(i64, i64, i64)> {
    let (first_day, last_day, from, to) = match category {
        "CRT" => (1, 7, 0, 24 * 60),
        "FX" => (1, 5, 0, 24 * 60),
        "STC" => (1, 5, 15 * 60 + 30, 22 * 60),
        "ETF" => (1, 5, 9 * 60, 17 * 60 + 30),
        _ => (1, 5, 60, 23 * 60),
    };
    (first_day..=last_day).map(|day| (day, from, if category == "FX" && day == 5 { 22 * 60 } else { to })).collect()
}

/// Start in milliseconds and end of what is asked for; an end of 0 is now.
fn span(request: &Request<'_>, now: WallTime) -> Result<(i64, WallTime), Refusal> {
    let field = |name: &str| request.arguments.get(name).and_then(Value::as_i64).ok_or(MISSING);
    let (start, end) = (field("start")?, field("end")?);
    // The end is whole milliseconds too: what happened inside the last one belongs to it.
    Ok((start, if end == 0 { now } else { instant(end.saturating_add(1)) }))
}

/// A decimal field in units of 1e-9.
pub(super) fn decimal(arguments: &Value, name: &str) -> Result<i64, Refusal> {
    let value = arguments.get(name).and_then(Value::as_f64).ok_or(MISSING)?;
    let nanos = (value * 1e9).round();
    if nanos.is_finite() && nanos.abs() < 9e18 { Ok(nanos as i64) } else { Err(Refusal("EX000", "Invalid parameters")) }
}

/// The dealer's refusal as the protocol says it.
pub(super) const fn refusal(why: DealerRefusal) -> Refusal {
    match why {
        DealerRefusal::Symbol => NO_SYMBOL,
        DealerRefusal::Price => Refusal("BE001", "Invalid price"),
        DealerRefusal::Stops => Refusal("BE002", "Invalid StopLoss or TakeProfit"),
        DealerRefusal::Volume => Refusal("BE003", "Invalid volume"),
        DealerRefusal::OffQuotes => Refusal("BE010", "Off quotes"),
        DealerRefusal::Money => Refusal("BE009", "Not enough money"),
        DealerRefusal::Short => Refusal("BE012", "Short positions prohibited"),
        DealerRefusal::NoTrade => Refusal("BE098", "No such transaction"),
        DealerRefusal::Closed => Refusal("BE097", "Trade is already closed"),
        DealerRefusal::Pending => Refusal("BE096", "A pending order cannot be closed, it must be deleted"),
        DealerRefusal::Amount => Refusal("EX000", "Invalid parameters"),
    }
}

/// A calendar with the next full hours, marked as the simulator's own.
fn calendar(now: WallTime) -> Value {
    const HOUR: i64 = 3_600_000;
    let next = millis(now).div_euclid(HOUR) * HOUR + HOUR;
    let event = |index: i64, country: &str, impact: &str| {
        json!({"country": country, "title": "Simulated release", "time": next + index * HOUR, "period": "", "previous": "0.1",
               "forecast": "0.2", "current": "", "impact": impact})
    };
    json!([event(0, "US", "3"), event(1, "DE", "2"), event(2, "PL", "1")])
}
