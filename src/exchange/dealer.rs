//! The dealer: leveraged contracts against quotes, as a broker of contracts for difference runs its book.
//!
//! Positions hedge (an opposite order opens a second position), market orders trade whole at the quote, exits live on the position.
//! Pure: quotes and wishes in, events out; time is handed in.
//! `dealer/model.rs` holds what it trades in and what it says.

mod model;

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{OrderSide, Price, Quantity, SCALE, WallTime};
pub use model::{
    AccountFigures, CloseReason, ClosedTrade, Contract, DealerBook, DealerEvent, DealerQuote, DealerRefusal, Entry, OpenRequest,
    RemoveReason, Trade,
};

/// Closed trades kept for the history commands.
const KEPT_CLOSED: usize = 10_000;
/// Percent of margin below which positions are closed by force.
const STOP_OUT_PERCENT: i128 = 50;

/// The dealer and its one account.
#[derive(Debug, Clone)]
pub struct Dealer {
    contracts: BTreeMap<String, Contract>,
    quotes: BTreeMap<String, DealerQuote>,
    rates: BTreeMap<String, Price>,
    balance: i64,
    positions: BTreeMap<i64, Trade>,
    waiting: BTreeMap<i64, Trade>,
    closed: VecDeque<ClosedTrade>,
    next_number: i64,
}

impl Dealer {
    /// A dealer with these contracts and one account. `rates` gives the account's currency per unit of a profit currency.
    /// Trades in contracts it does not have are left out; entry prices are rounded to the contract's last decimal.
    pub fn new(contracts: Vec<Contract>, rates: BTreeMap<String, Price>, book: DealerBook) -> Self {
        let contracts: BTreeMap<String, Contract> =
            contracts.into_iter().map(|contract| (contract.symbol.clone(), contract)).collect();
        let (mut positions, mut waiting, mut next_number) = (BTreeMap::new(), BTreeMap::new(), book.first_number);
        for trade in book.trades {
            let Some(contract) = contracts.get(&trade.symbol) else { continue };
            next_number = next_number.max(trade.position + 1).max(trade.order2 + 1);
            let open_price = trade.open_price.rounded_to(Price::from_nanos(point_of(contract)));
            let place = if trade.entry == Entry::Market { &mut positions } else { &mut waiting };
            place.insert(trade.position, Trade { open_price, ..trade });
        }
        let (quotes, closed) = (BTreeMap::new(), VecDeque::new());
        Self { contracts, quotes, rates, balance: book.balance, positions, waiting, closed, next_number }
    }

    /// A number for a transaction; positions and waiting orders come from the same sequence.
    pub const fn number(&mut self) -> i64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// The account's currency per unit of a profit currency.
    pub fn rate(&self, currency: &str) -> Option<Price> {
        self.rates.get(currency).copied()
    }

    /// Takes a new rate.
    pub fn set_rate(&mut self, currency: &str, rate: Price) {
        if rate.is_positive() {
            self.rates.insert(currency.to_owned(), rate);
        }
    }

    /// Contracts by name.
    pub const fn contracts(&self) -> &BTreeMap<String, Contract> {
        &self.contracts
    }

    /// The last quote.
    pub fn last_quote(&self, symbol: &str) -> Option<DealerQuote> {
        self.quotes.get(symbol).copied()
    }

    /// Open positions by number.
    pub const fn positions(&self) -> &BTreeMap<i64, Trade> {
        &self.positions
    }

    /// Waiting orders by number.
    pub const fn waiting(&self) -> &BTreeMap<i64, Trade> {
        &self.waiting
    }

    /// Closed trades, oldest first.
    pub const fn closed(&self) -> &VecDeque<ClosedTrade> {
        &self.closed
    }

    /// Opens at the quote, or lets an order wait. Returns the number of the position or of the waiting order.
    pub fn open(&mut self, now: WallTime, ask: OpenRequest, out: &mut Vec<DealerEvent>) -> Result<i64, DealerRefusal> {
        let contract = self.contracts.get(&ask.symbol).ok_or(DealerRefusal::Symbol)?;
        let quote = self.quotes.get(&ask.symbol).copied().ok_or(DealerRefusal::OffQuotes)?;
        let fits =
            ask.volume >= contract.lot_min && ask.volume <= contract.lot_max && ask.volume.is_multiple_of(contract.lot_step);
        if !fits {
            return Err(DealerRefusal::Volume);
        }
        if ask.side == OrderSide::Sell && !contract.can_short {
            return Err(DealerRefusal::Short);
        }
        let reference = check_entry(ask.entry, ask.side, quote)?;
        check_exits(ask.side, reference, ask.stop_loss, ask.take_profit, contract.stops_level)?;
        if ask.entry == Entry::Market {
            return self.open_position(now, ask, out);
        }
        let number = ask.transaction;
        let trade = Trade {
            order: number,
            order2: number,
            position: number,
            symbol: ask.symbol,
            side: ask.side,
            entry: ask.entry,
            volume: ask.volume,
            open_price: reference,
            open_time: now,
            stop_loss: ask.stop_loss,
            take_profit: ask.take_profit,
            trailing: ask.trailing,
            expiration: ask.expiration,
            mark: ask.mark,
            storage: 0,
        };
        self.waiting.insert(number, trade.clone());
        out.push(DealerEvent::Placed(trade));
        Ok(number)
    }

    /// Changes exits and trailing of a position, or price, volume, exits and expiry of a waiting order.
    pub fn modify(&mut self, number: i64, ask: &OpenRequest, out: &mut Vec<DealerEvent>) -> Result<(), DealerRefusal> {
        let symbol = self.positions.get(&number).or_else(|| self.waiting.get(&number)).map(|trade| trade.symbol.clone());
        let symbol = symbol.ok_or(DealerRefusal::NoTrade)?;
        let quote = self.quotes.get(&symbol).copied().ok_or(DealerRefusal::OffQuotes)?;
        let level = self.contracts.get(&symbol).map_or(Price::ZERO, |contract| contract.stops_level);
        if let Some(trade) = self.positions.get_mut(&number) {
            check_exits(trade.side, closing_price(trade.side, quote), ask.stop_loss, ask.take_profit, level)?;
            (trade.stop_loss, trade.take_profit, trade.trailing) = (ask.stop_loss, ask.take_profit, ask.trailing);
            out.push(DealerEvent::Changed(trade.clone()));
            return Ok(());
        }
        let contract = self.contracts.get(&symbol).ok_or(DealerRefusal::Symbol)?;
        let fits =
            ask.volume >= contract.lot_min && ask.volume <= contract.lot_max && ask.volume.is_multiple_of(contract.lot_step);
        let trade = self.waiting.get_mut(&number).ok_or(DealerRefusal::NoTrade)?;
        if !fits {
            return Err(DealerRefusal::Volume);
        }
        let reference = check_entry(ask.entry, trade.side, quote)?;
        check_exits(trade.side, reference, ask.stop_loss, ask.take_profit, level)?;
        (trade.entry, trade.open_price, trade.volume) = (ask.entry, reference, ask.volume);
        (trade.stop_loss, trade.take_profit, trade.trailing) = (ask.stop_loss, ask.take_profit, ask.trailing);
        trade.expiration = ask.expiration;
        out.push(DealerEvent::Changed(trade.clone()));
        Ok(())
    }

    /// Closes a position, or part of it, at the quote.
    pub fn close(
        &mut self,
        now: WallTime,
        number: i64,
        volume: Quantity,
        transaction: i64,
        out: &mut Vec<DealerEvent>,
    ) -> Result<(), DealerRefusal> {
        if self.waiting.contains_key(&number) {
            return Err(DealerRefusal::Pending);
        }
        let Some(trade) = self.positions.get(&number) else {
            let was = self.closed.iter().any(|closed| closed.trade.position == number);
            return Err(if was { DealerRefusal::Closed } else { DealerRefusal::NoTrade });
        };
        let step = self.contracts.get(&trade.symbol).map_or(Quantity::ZERO, |contract| contract.lot_step);
        if !volume.is_positive() || volume > trade.volume || !volume.is_multiple_of(step) {
            return Err(DealerRefusal::Volume);
        }
        let quote = self.quotes.get(&trade.symbol).copied().ok_or(DealerRefusal::OffQuotes)?;
        let price = closing_price(trade.side, quote);
        self.close_at(now, number, volume, price, CloseReason::Client, transaction, out)
    }

    /// Gives what is left of a position a new number, as some dealers do after a partial close.
    pub fn renumber(&mut self, number: i64, out: &mut Vec<DealerEvent>) {
        let Some(mut trade) = self.positions.remove(&number) else { return };
        trade.position = self.number();
        out.push(DealerEvent::Opened(trade.clone()));
        self.positions.insert(trade.position, trade);
    }

    /// Takes a waiting order out.
    pub fn delete(&mut self, number: i64, out: &mut Vec<DealerEvent>) -> Result<(), DealerRefusal> {
        let trade = self.waiting.remove(&number).ok_or(DealerRefusal::NoTrade)?;
        out.push(DealerEvent::Removed(trade, RemoveReason::Client));
        Ok(())
    }

    /// Takes a quote: waiting orders, exits, trailing stops and margin act on it.
    pub fn quote(&mut self, symbol: &str, quote: DealerQuote, out: &mut Vec<DealerEvent>) {
        if quote.bid.nanos() <= 0 || quote.ask < quote.bid {
            return;
        }
        self.quotes.insert(symbol.to_owned(), quote);
        self.trigger(symbol, quote, out);
        self.trail(symbol, quote, out);
        self.exit(symbol, quote, out);
        self.stop_out(quote.at, out);
    }

    /// Lets waiting orders run out.
    pub fn expire(&mut self, now: WallTime, out: &mut Vec<DealerEvent>) {
        let over: Vec<i64> = self
            .waiting
            .values()
            .filter(|trade| trade.expiration.is_some_and(|at| at <= now))
            .map(|trade| trade.position)
            .collect();
        for number in over {
            if let Some(trade) = self.waiting.remove(&number) {
                out.push(DealerEvent::Removed(trade, RemoveReason::Expired));
            }
        }
    }

    /// Charges swaps for so many nights.
    pub fn roll_over(&mut self, nights: i64, out: &mut Vec<DealerEvent>) {
        let numbers: Vec<i64> = self.positions.keys().copied().collect();
        for number in numbers {
            let Some(trade) = self.positions.get(&number) else { continue };
            let Some(contract) = self.contracts.get(&trade.symbol) else { continue };
            let swap = if trade.side == OrderSide::Buy { contract.swap_long } else { contract.swap_short };
            let Ok(charge) = self.result(&trade.symbol, i128::from(swap.nanos()) * i128::from(nights), trade.volume) else {
                continue;
            };
            if let Some(trade) = self.positions.get_mut(&number) {
                trade.storage = trade.storage.saturating_add(charge);
                out.push(DealerEvent::Changed(trade.clone()));
            }
        }
    }

    /// Open result of a position at the last quote, in whole cents of the account's currency (units of 1e-9).
    pub fn open_profit(&self, trade: &Trade) -> i64 {
        let Some(quote) = self.quotes.get(&trade.symbol) else { return 0 };
        self.profit(trade, closing_price(trade.side, *quote), trade.volume).unwrap_or(0)
    }

    /// Balance, equity and margin.
    pub fn figures(&self) -> AccountFigures {
        let open = self.positions.values().map(|trade| self.open_profit(trade).saturating_add(trade.storage));
        let equity = open.fold(self.balance, i64::saturating_add);
        AccountFigures { balance: self.balance, equity, margin: self.margin_of_all() }
    }

    /// Margin of a volume at the last ask, in units of 1e-9 of the account's currency.
    pub fn margin_of(&self, symbol: &str, volume: Quantity) -> Result<i64, DealerRefusal> {
        let quote = self.quotes.get(symbol).ok_or(DealerRefusal::OffQuotes)?;
        self.margin_at(symbol, quote.ask, volume)
    }

    /// Profit between two prices, in whole cents of the account's currency (units of 1e-9).
    pub fn profit_between(
        &self,
        symbol: &str,
        side: OrderSide,
        open: Price,
        close: Price,
        volume: Quantity,
    ) -> Result<i64, DealerRefusal> {
        let move_ = i128::from(close.nanos()) - i128::from(open.nanos());
        self.result(symbol, if side == OrderSide::Buy { move_ } else { -move_ }, volume)
    }

    fn open_position(&mut self, now: WallTime, ask: OpenRequest, out: &mut Vec<DealerEvent>) -> Result<i64, DealerRefusal> {
        let quote = self.quotes.get(&ask.symbol).copied().ok_or(DealerRefusal::OffQuotes)?;
        let price = if ask.side == OrderSide::Buy { quote.ask } else { quote.bid };
        let figures = self.figures();
        let needed = self.margin_with(&ask.symbol, ask.side, price, ask.volume)?;
        if needed > figures.equity {
            return Err(DealerRefusal::Money);
        }
        let number = self.number();
        let trade = Trade {
            order: number,
            order2: ask.transaction,
            position: number,
            symbol: ask.symbol,
            side: ask.side,
            entry: Entry::Market,
            volume: ask.volume,
            open_price: price,
            open_time: now,
            stop_loss: ask.stop_loss,
            take_profit: ask.take_profit,
            trailing: ask.trailing,
            expiration: None,
            mark: ask.mark,
            storage: 0,
        };
        self.positions.insert(number, trade.clone());
        out.push(DealerEvent::Opened(trade));
        Ok(number)
    }

    #[expect(clippy::too_many_arguments, reason = "one closing has exactly these facts")]
    fn close_at(
        &mut self,
        now: WallTime,
        number: i64,
        volume: Quantity,
        price: Price,
        reason: CloseReason,
        transaction: i64,
        out: &mut Vec<DealerEvent>,
    ) -> Result<(), DealerRefusal> {
        let trade = self.positions.get(&number).cloned().ok_or(DealerRefusal::NoTrade)?;
        let profit = self.profit(&trade, price, volume)?;
        let left = trade.volume.minus(volume).map_err(|_| DealerRefusal::Volume)?;
        let is_whole = left.is_zero();
        // Swaps leave with the part they belong to, in whole cents; the last part takes what is left.
        let storage = if is_whole {
            trade.storage
        } else {
            cents(i128::from(trade.storage) * i128::from(volume.nanos()) / i128::from(trade.volume.nanos()))
        };
        let part = Trade { volume, order2: transaction, storage, ..trade };
        if is_whole {
            self.positions.remove(&number);
        } else if let Some(rest) = self.positions.get_mut(&number) {
            (rest.volume, rest.storage) = (left, rest.storage - storage);
        }
        self.balance = self.balance.saturating_add(profit).saturating_add(storage);
        let closed = ClosedTrade { trade: part, close_price: price, close_time: now, profit, reason, is_whole };
        self.closed.push_back(closed.clone());
        if self.closed.len() > KEPT_CLOSED {
            self.closed.pop_front();
        }
        out.push(DealerEvent::Closed(closed));
        if let Some(rest) = self.positions.get(&number) {
            out.push(DealerEvent::Changed(rest.clone()));
        }
        Ok(())
    }

    fn trigger(&mut self, symbol: &str, quote: DealerQuote, out: &mut Vec<DealerEvent>) {
        let is_touched = |trade: &Trade| {
            let price = if trade.side == OrderSide::Buy { quote.ask } else { quote.bid };
            match (trade.entry, trade.side) {
                (Entry::Limit(limit), OrderSide::Buy) => price <= limit,
                (Entry::Limit(limit), OrderSide::Sell) => price >= limit,
                (Entry::Stop(stop), OrderSide::Buy) => price >= stop,
                (Entry::Stop(stop), OrderSide::Sell) => price <= stop,
                (Entry::Market, _) => false,
            }
        };
        let touched: Vec<i64> = self
            .waiting
            .values()
            .filter(|trade| trade.symbol == symbol && is_touched(trade))
            .map(|trade| trade.position)
            .collect();
        for number in touched {
            let Some(trade) = self.waiting.remove(&number) else { continue };
            let ask = OpenRequest {
                symbol: trade.symbol.clone(),
                side: trade.side,
                entry: Entry::Market,
                volume: trade.volume,
                stop_loss: trade.stop_loss,
                take_profit: trade.take_profit,
                trailing: trade.trailing,
                expiration: None,
                mark: trade.mark.clone(),
                transaction: number,
            };
            let mut opened = Vec::new();
            let reason = if self.open_position(quote.at, ask, &mut opened).is_ok() {
                RemoveReason::Triggered
            } else {
                RemoveReason::NoMoney
            };
            out.push(DealerEvent::Removed(trade, reason));
            out.append(&mut opened);
        }
    }

    /// Trailing stops follow the price at their distance and never go back.
    fn trail(&mut self, symbol: &str, quote: DealerQuote, out: &mut Vec<DealerEvent>) {
        let Some(point) = self.contracts.get(symbol).map(point_of) else { return };
        for trade in self.positions.values_mut().filter(|trade| trade.symbol == symbol && trade.trailing > 0) {
            let distance = trade.trailing.saturating_mul(point);
            let moved = match trade.side {
                OrderSide::Buy => Price::from_nanos(quote.bid.nanos().saturating_sub(distance)),
                OrderSide::Sell => Price::from_nanos(quote.ask.nanos().saturating_add(distance)),
            };
            let is_better =
                trade.stop_loss.is_none_or(|stop| if trade.side == OrderSide::Buy { moved > stop } else { moved < stop });
            if is_better {
                trade.stop_loss = Some(moved);
                out.push(DealerEvent::Changed(trade.clone()));
            }
        }
    }

    fn exit(&mut self, symbol: &str, quote: DealerQuote, out: &mut Vec<DealerEvent>) {
        let reason = |trade: &Trade| {
            let price = closing_price(trade.side, quote);
            let (below, above) = match trade.side {
                OrderSide::Buy => (trade.stop_loss, trade.take_profit),
                OrderSide::Sell => (trade.take_profit, trade.stop_loss),
            };
            let (at_low, at_high) = match trade.side {
                OrderSide::Buy => (CloseReason::StopLoss, CloseReason::TakeProfit),
                OrderSide::Sell => (CloseReason::TakeProfit, CloseReason::StopLoss),
            };
            let low = below.is_some_and(|level| price <= level).then_some(at_low);
            low.or_else(|| above.is_some_and(|level| price >= level).then_some(at_high))
        };
        let due: Vec<(i64, Quantity, CloseReason)> = self
            .positions
            .values()
            .filter(|trade| trade.symbol == symbol)
            .filter_map(|trade| reason(trade).map(|reason| (trade.position, trade.volume, reason)))
            .collect();
        for (number, volume, reason) in due {
            let Some(side) = self.positions.get(&number).map(|trade| trade.side) else { continue };
            let transaction = self.number();
            // A result that does not fit leaves the position open; the next quote asks again.
            let _: Result<(), DealerRefusal> =
                self.close_at(quote.at, number, volume, closing_price(side, quote), reason, transaction, out);
        }
    }

    fn stop_out(&mut self, now: WallTime, out: &mut Vec<DealerEvent>) {
        loop {
            let figures = self.figures();
            let is_enough =
                figures.margin == 0 || i128::from(figures.equity) * 100 >= i128::from(figures.margin) * STOP_OUT_PERCENT;
            let worst = self.positions.values().min_by_key(|trade| (self.open_profit(trade), trade.position));
            let (false, Some(worst)) = (is_enough, worst) else { return };
            let (number, volume, side) = (worst.position, worst.volume, worst.side);
            let Some(quote) = self.quotes.get(&worst.symbol).copied() else { return };
            let transaction = self.number();
            if self.close_at(now, number, volume, closing_price(side, quote), CloseReason::StopOut, transaction, out).is_err() {
                return;
            }
        }
    }

    fn profit(&self, trade: &Trade, price: Price, volume: Quantity) -> Result<i64, DealerRefusal> {
        self.profit_between(&trade.symbol, trade.side, trade.open_price, price, volume)
    }

    /// A price move times contract and volume, in whole cents of the account's currency.
    fn result(&self, symbol: &str, move_nanos: i128, volume: Quantity) -> Result<i64, DealerRefusal> {
        let contract = self.contracts.get(symbol).ok_or(DealerRefusal::Symbol)?;
        let own = move_nanos * i128::from(volume.nanos()) / i128::from(SCALE) * i128::from(contract.contract_size);
        let rate = self.rates.get(&contract.profit_currency).ok_or(DealerRefusal::OffQuotes)?;
        let amount = own.checked_mul(i128::from(rate.nanos())).ok_or(DealerRefusal::Amount)? / i128::from(SCALE);
        if amount.unsigned_abs() > i64::MAX.unsigned_abs().into() {
            return Err(DealerRefusal::Amount);
        }
        Ok(cents(amount))
    }

    fn margin_at(&self, symbol: &str, price: Price, volume: Quantity) -> Result<i64, DealerRefusal> {
        let contract = self.contracts.get(symbol).ok_or(DealerRefusal::Symbol)?;
        let nominal = self.result(symbol, i128::from(price.nanos()), volume)?;
        let margin = i128::from(nominal) * i128::from(contract.margin.nanos()) / i128::from(SCALE);
        Ok(cents(margin))
    }

    fn margin_of_all(&self) -> i64 {
        self.sides().values().fold(0_i64, |sum, (long, short)| sum.saturating_add(*long.max(short)))
    }

    /// Margin by symbol and side: of a hedged pair only the larger side binds money.
    fn sides(&self) -> BTreeMap<&str, (i64, i64)> {
        let mut sides: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for trade in self.positions.values() {
            let margin = self.margin_at(&trade.symbol, trade.open_price, trade.volume).unwrap_or(i64::MAX / 4);
            let (long, short) = sides.entry(&trade.symbol).or_default();
            let side = if trade.side == OrderSide::Buy { long } else { short };
            *side = side.saturating_add(margin);
        }
        sides
    }

    fn margin_with(&self, symbol: &str, side: OrderSide, price: Price, volume: Quantity) -> Result<i64, DealerRefusal> {
        let more = self.margin_at(symbol, price, volume)?;
        let sides = self.sides();
        let (long, short) = sides.get(symbol).copied().unwrap_or((0, 0));
        let others = self.margin_of_all() - long.max(short);
        let after =
            if side == OrderSide::Buy { long.saturating_add(more).max(short) } else { short.saturating_add(more).max(long) };
        Ok(others.saturating_add(after))
    }
}

/// One point of the last decimal, in units of 1e-9.
fn point_of(contract: &Contract) -> i64 {
    10_i64.pow(9 - u32::from(contract.digits.min(9)))
}

/// Whole cents, half away from zero.
const fn cents(nanos: i128) -> i64 {
    const CENT: i128 = 10_000_000;
    let half = if nanos < 0 { -CENT / 2 } else { CENT / 2 };
    ((nanos + half) / CENT * CENT) as i64
}

/// What closes a position of this side.
const fn closing_price(side: OrderSide, quote: DealerQuote) -> Price {
    match side {
        OrderSide::Buy => quote.bid,
        OrderSide::Sell => quote.ask,
    }
}

/// The price a trade is measured from; a waiting order must lie on its own side of the quote.
fn check_entry(entry: Entry, side: OrderSide, quote: DealerQuote) -> Result<Price, DealerRefusal> {
    let (named, is_right) = match (entry, side) {
        (Entry::Market, OrderSide::Buy) => return Ok(quote.ask),
        (Entry::Market, OrderSide::Sell) => return Ok(quote.bid),
        (Entry::Limit(price), OrderSide::Buy) => (price, price < quote.ask),
        (Entry::Limit(price), OrderSide::Sell) => (price, price > quote.bid),
        (Entry::Stop(price), OrderSide::Buy) => (price, price > quote.ask),
        (Entry::Stop(price), OrderSide::Sell) => (price, price < quote.bid),
    };
    if named.is_positive() && is_right { Ok(named) } else { Err(DealerRefusal::Price) }
}

fn check_exits(
    side: OrderSide,
    price: Price,
    stop_loss: Option<Price>,
    take_profit: Option<Price>,
    least: Price,
) -> Result<(), DealerRefusal> {
    let away = |level: Price, loses: bool| {
        let is_below = (side == OrderSide::Buy) == loses;
        let distance = if is_below { price.nanos() - level.nanos() } else { level.nanos() - price.nanos() };
        level.is_positive() && distance > 0 && distance >= least.nanos()
    };
    let fits = stop_loss.is_none_or(|level| away(level, true)) && take_profit.is_none_or(|level| away(level, false));
    if fits { Ok(()) } else { Err(DealerRefusal::Stops) }
}
