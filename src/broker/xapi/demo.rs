//! A demo account as a [`Broker`]: adapter and link joined, with what the screen shows of them.
//!
//! Decides nothing: wishes go to the adapter, its requests to the link, the link's events back. Everything open is looked at again
//! every ten seconds and a little, so that two looks in a row are evidence of an absence.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};

use crate::broker::xapi::client::{Ask, Client, ClientEvent, LinkState, Settings, Vitals};
use crate::broker::xapi::link::{Address, Link};
use crate::broker::xapi::wire::{Candle, Margin, Tick};
use crate::broker::xapi::{Adapter, Decimal};
use crate::broker::{AccountMoney, Broker, LinkView, Standing, Wake};
use crate::domain::{
    Bar, BrokerReport, CleanText, Contract, Currency, Duration, InstrumentId, MarketEvent, MarketTime, Money, Order, OrderId,
    OrderKind, PositionId, Protection, Quantity, VenueNews, VenueQuote, WallTime,
};
use crate::exchange::LegIds;
use crate::risk::Approved;

/// Everything open is looked at this often.
const LOOK_EVERY: Duration = Duration::millis(10_500);
/// Bars that did not come are asked for again after so long.
const BARS_AGAIN: Duration = Duration::seconds(5);
/// And so often at most, until the link is there anew.
const BARS_ASKED: u32 = 12;
/// Replies whose times are kept.
const LATENCIES: usize = 33;
/// News that may wait to be taken; quotes beyond that are dropped.
const NEWS: usize = 8_192;
/// Events taken in one go, so that a flood of quotes does not hold the engine.
const IN_ONE_GO: usize = 1_024;

/// The account.
#[derive(Debug)]
pub struct Demo {
    adapter: Adapter,
    contracts: BTreeMap<InstrumentId, Contract>,
    settings: Settings,
    link: Option<Link>,
    clock: fn() -> WallTime,
    /// Whom to call; the link is started before anybody is known.
    wake: Arc<OnceLock<Wake>>,
    view: LinkView,
    latencies: VecDeque<Duration>,
    /// Why the link was lost, until it is there again.
    lost: Option<String>,
    /// Where it leads, for a link that has to be started anew.
    address: Option<Address>,
    look_at: Option<WallTime>,
    /// What the market said, until it is taken; nothing where prices come from elsewhere.
    news: Option<Vec<VenueNews>>,
    /// Until when the bars of an instrument are known.
    known_until: BTreeMap<InstrumentId, i64>,
    /// Instruments whose bars did not come, and when they are asked for again.
    bars_again: BTreeMap<InstrumentId, WallTime>,
    /// How often they were asked for since the link is there.
    asked_for_bars: BTreeMap<InstrumentId, u32>,
}

impl Demo {
    /// An account without a connection. `clock` is its only clock.
    pub fn new(contracts: BTreeMap<InstrumentId, Contract>, settings: Settings, clock: fn() -> WallTime) -> Self {
        let view = LinkView { account: settings.user.clone(), words: "not connected".to_owned(), ..LinkView::default() };
        let adapter = Adapter::new(contracts.clone());
        let (latencies, wake) = (VecDeque::new(), Arc::default());
        Self {
            adapter,
            contracts,
            settings,
            link: None,
            clock,
            wake,
            view,
            latencies,
            lost: None,
            address: None,
            look_at: None,
            news: None,
            known_until: BTreeMap::new(),
            bars_again: BTreeMap::new(),
            asked_for_bars: BTreeMap::new(),
        }
    }

    /// Opens the way to this address; one that was open ends.
    pub fn connect(&mut self, address: Address, host: &str) {
        self.link = None;
        host.clone_into(&mut self.view.host);
        self.address = Some(address.clone());
        let client = Client::new(self.settings.clone());
        let wake = Arc::clone(&self.wake);
        let wake = Wake::new(move || wake.get().into_iter().for_each(Wake::call));
        match Link::start(client, address, self.clock, wake) {
            Ok(link) => self.link = Some(link),
            Err(error) => self.fail(&format!("the link's thread cannot be started: {error}")),
        }
    }

    /// Takes prices from this broker: quotes of all instruments, and bars from `since` on.
    pub fn quote_markets(&mut self, since: MarketTime) {
        self.news = Some(Vec::new());
        self.known_until = self.contracts.keys().map(|id| (*id, since.0 / 1_000_000)).collect();
    }

    /// Says why there is no way to the broker.
    pub fn fail(&mut self, why: &str) {
        let LinkView { host, account, currency, money, latency, slowest, connections, compared, .. } =
            std::mem::take(&mut self.view);
        let words = why.to_owned();
        let needs_person = true;
        self.view = LinkView {
            host,
            account,
            currency,
            money,
            latency,
            slowest,
            connections,
            compared,
            words,
            needs_person,
            ..LinkView::default()
        };
    }

    /// A link whose thread is gone is none: what was under way may or may not have happened.
    fn notice_a_dead_link(&mut self) {
        if self.link.as_ref().is_some_and(Link::is_dead) {
            self.link = None;
            self.news.iter_mut().for_each(|news| news.push(VenueNews::Lost));
            self.fail("the link's thread has ended");
            self.adapter.abandon(&CleanText::from("the link's thread has ended"));
            self.exchange();
        }
    }

    /// Hands what the adapter wants to the link. What the link does not take was never sent.
    fn exchange(&mut self) {
        loop {
            let requests = self.adapter.requests();
            if requests.is_empty() {
                return;
            }
            for request in requests {
                let about = if let Ask::Trade { id, .. } = &request { Some(*id) } else { None };
                let is_taken = self.link.as_ref().is_some_and(|link| link.ask(request));
                if let (false, Some(id)) = (is_taken, about) {
                    let why = CleanText::from("there is no link to the broker");
                    self.adapter.hear(&ClientEvent::NotSent(id, why));
                }
            }
        }
    }

    fn hear(&mut self, event: &ClientEvent) {
        let now = (self.clock)();
        match event {
            ClientEvent::Link(state) => self.link_state(state, now),
            ClientEvent::Account(margin) => self.view.money = Some(money(margin)),
            ClientEvent::Snapshot(snapshot) => {
                self.view.money = Some(money(&snapshot.margin));
                self.view.currency =
                    snapshot.margin.currency.as_deref().map(|code| CleanText::from_outside(code).as_str().to_owned());
                (self.view.compared, self.view.unread) = (Some(now), None);
            }
            ClientEvent::Unread(why) => self.view.unread = Some(why.as_str().to_owned()),
            ClientEvent::Latency(took) => self.note_latency(*took),
            ClientEvent::Vitals(vitals) => self.note_vitals(vitals),
            ClientEvent::Symbols(_) | ClientEvent::Contract(..) => {}
            ClientEvent::Tick(tick) => self.note_tick(tick),
            ClientEvent::Candles(symbol, candles) => self.note_candles(symbol, candles),
            ClientEvent::NoCandles(symbol, why) => self.miss_candles(symbol, why, now),
            ClientEvent::Written(_) | ClientEvent::Taken(..) | ClientEvent::Refused(..) | ClientEvent::Ambiguous(..) => {}
            ClientEvent::NotSent(..) | ClientEvent::NoTransaction(_) | ClientEvent::Status(_) | ClientEvent::Trade(_) => {}
        }
        self.adapter.hear(event);
        self.exchange();
    }

    fn link_state(&mut self, state: &LinkState, now: WallTime) {
        let view = &mut self.view;
        (view.is_ready, view.needs_person, view.retry_at) = (false, false, None);
        match state {
            LinkState::Connecting => {
                view.words = self.lost.as_ref().map_or_else(|| "connecting".to_owned(), |why| format!("{why}; connecting"));
            }
            LinkState::Ready => {
                self.ask_for_contracts();
                let view = &mut self.view;
                self.lost = None;
                view.is_ready = true;
                view.connections += 1;
                "ready".clone_into(&mut view.words);
                self.look_at = Some(now.plus(LOOK_EVERY));
                self.ask_for_bars();
            }
            LinkState::Down { why, retry_at } => {
                self.news.iter_mut().for_each(|news| news.push(VenueNews::Lost));
                self.lost = Some(why.as_str().to_owned());
                view.words = format!("down: {why}");
                view.retry_at = Some(*retry_at);
            }
            LinkState::Refused { code, words } => {
                view.needs_person = true;
                let text = format!("login refused ({code}): {words}");
                CleanText::from_outside(&text).as_str().clone_into(&mut view.words);
            }
        }
    }

    /// At every login but the first, which brings the whole list: the contracts of what is traded, each for itself, so that nothing waits
    /// behind megabytes.
    fn ask_for_contracts(&self) {
        let symbols = self.contracts.values().filter(|_| self.view.connections > 0).map(|contract| contract.symbol.clone());
        for symbol in symbols {
            let _: bool = self.link.as_ref().is_some_and(|link| link.ask(Ask::Contract(symbol)));
        }
    }

    /// Asks for the quotes of all instruments, and for the bars since the last ones that are known.
    fn ask_for_bars(&mut self) {
        let (Some(news), Some(link)) = (&mut self.news, &self.link) else { return };
        news.push(VenueNews::Back);
        let traded = self.contracts.iter().filter(|(id, _)| !self.adapter.differs(**id));
        let ids: Vec<InstrumentId> = traded.clone().map(|(id, _)| *id).collect();
        let watched: BTreeSet<String> = traded.map(|(_, contract)| contract.symbol.clone()).collect();
        self.bars_again.clear();
        self.asked_for_bars.clear();
        ids.into_iter().for_each(|id| self.ask_for_bars_of(id));
        let _: bool = link.ask(Ask::Watch(watched));
    }

    fn ask_for_bars_of(&self, id: InstrumentId) {
        let (Some(contract), Some(link)) = (self.contracts.get(&id), &self.link) else { return };
        let since = self.known_until.get(&id).copied().unwrap_or(0);
        // The start is exclusive.
        let _: bool = link.ask(Ask::Chart(contract.symbol.clone(), since - 1));
    }

    fn instrument_of(&self, symbol: &str) -> Option<InstrumentId> {
        self.contracts.iter().find(|(_, contract)| contract.symbol == symbol).map(|(id, _)| *id)
    }

    fn note_tick(&mut self, tick: &Tick) {
        let Some(instrument) = self.instrument_of(&tick.symbol).filter(|_| tick.level == 0) else { return };
        let Some(news) = self.news.as_mut().filter(|news| news.len() < NEWS) else { return };
        let (bid, ask, at) = (tick.bid.price(), tick.ask.price(), WallTime(tick.timestamp.saturating_mul(1_000_000)));
        news.push(VenueNews::Quote(VenueQuote { instrument, last: bid, bid: Some(bid), ask: Some(ask), at }));
    }

    fn note_candles(&mut self, symbol: &str, candles: &[Candle]) {
        let Some(instrument) = self.instrument_of(symbol) else { return };
        let bar = |candle: &Candle| {
            let open_at = MarketTime(candle.at.saturating_mul(1_000_000));
            let Candle { open, high, low, close, .. } = *candle;
            let close_at = MarketTime(open_at.0.saturating_add(60_000_000_000));
            Bar { instrument, open_at, close_at, open, high, low, close, volume: None, has_range: true }
        };
        if let Some(last) = candles.last() {
            self.known_until.insert(instrument, last.at);
        }
        if let Some(news) = &mut self.news {
            news.push(VenueNews::Bars(instrument, candles.iter().map(bar).collect()));
        }
    }

    /// Bars that did not come are not bars that are not there: they are asked for again, and the feed tells what stays missing.
    fn miss_candles(&mut self, symbol: &str, why: &CleanText, now: WallTime) {
        let Some(instrument) = self.instrument_of(symbol).filter(|_| self.news.is_some()) else { return };
        tracing::warn!(target: "pmax::broker", "no bars of {symbol}: {why}");
        let asked = self.asked_for_bars.entry(instrument).or_default();
        *asked += 1;
        if *asked <= BARS_ASKED {
            self.bars_again.insert(instrument, now.plus(BARS_AGAIN));
        }
    }

    fn ask_again_for_bars(&mut self, now: WallTime) {
        let due: Vec<InstrumentId> = self.bars_again.iter().filter(|(_, at)| now >= **at).map(|(id, _)| *id).collect();
        for id in due {
            self.bars_again.remove(&id);
            self.ask_for_bars_of(id);
        }
    }

    fn note_latency(&mut self, took: Duration) {
        self.latencies.push_back(took);
        if self.latencies.len() > LATENCIES {
            self.latencies.pop_front();
        }
        let mut sorted: Vec<Duration> = self.latencies.iter().copied().collect();
        sorted.sort_unstable();
        (self.view.latency, self.view.slowest) = (sorted.get(sorted.len() / 2).copied(), sorted.last().copied());
    }

    fn note_vitals(&mut self, vitals: &Vitals) {
        let view = &mut self.view;
        (view.main, view.stream, view.stream_heard) = (vitals.main, vitals.stream, vitals.stream_heard);
        (view.waiting, view.rate) = (vitals.waiting, (vitals.used, vitals.allowed));
    }
}

fn money(margin: &Margin) -> AccountMoney {
    let of = |amount: Decimal| Money::from_nanos(amount.0, Currency::USD);
    AccountMoney { balance: of(margin.balance), equity: of(margin.equity), margin: of(margin.margin) }
}

impl Broker for Demo {
    fn restore(&mut self, standing: Standing<'_>) {
        self.adapter.restore(standing);
        self.query();
    }

    fn submit(&mut self, order: Approved<Order>, now: MarketTime) {
        self.adapter.set_now(now);
        self.adapter.submit(order.into_inner());
        self.exchange();
    }

    fn cancel(&mut self, order: OrderId) {
        self.adapter.cancel(order);
        self.exchange();
    }

    fn withdraw(&mut self, order: OrderId) {
        self.adapter.withdraw(order);
        self.exchange();
    }

    fn modify(&mut self, order: OrderId, quantity: Quantity, kind: OrderKind, now: MarketTime) {
        self.adapter.set_now(now);
        self.adapter.modify(order, quantity, kind);
        self.exchange();
    }

    fn protect(&mut self, position: PositionId, protection: Protection, legs: LegIds, now: MarketTime) {
        self.adapter.set_now(now);
        self.adapter.protect(position, protection, legs);
        self.exchange();
    }

    fn query(&mut self) {
        // Where the link is not there yet, its first act is a look at everything.
        let _: bool = self.link.as_ref().is_some_and(|link| link.ask(Ask::Snapshot));
    }

    fn on_market(&mut self, event: &MarketEvent) {
        self.adapter.set_now(event.known_at());
    }

    fn poll(&mut self, out: &mut Vec<BrokerReport>) {
        for _ in 0..IN_ONE_GO {
            let Some(event) = self.link.as_ref().and_then(Link::next) else { break };
            self.hear(&event);
        }
        let now = (self.clock)();
        if self.view.is_ready {
            self.ask_again_for_bars(now);
        }
        if self.view.is_ready && self.look_at.is_some_and(|at| now >= at) {
            self.look_at = Some(now.plus(LOOK_EVERY));
            self.query();
        }
        self.notice_a_dead_link();
        self.adapter.reports(out);
    }

    fn wake_with(&mut self, wake: Wake) {
        drop(self.wake.set(wake));
    }

    fn take_news(&mut self, out: &mut Vec<VenueNews>) {
        if let Some(news) = &mut self.news {
            out.append(news);
        }
    }

    fn link(&self) -> Option<LinkView> {
        let (strangers, mismatched) = (self.adapter.strangers().to_vec(), self.adapter.mismatched());
        // Amounts of another currency are not shown as dollars.
        let money = self.view.money.filter(|_| self.adapter.is_booked_alike());
        Some(LinkView { strangers, mismatched, money, ..self.view.clone() })
    }

    fn reconnect(&mut self) {
        match (&self.link, self.address.clone()) {
            (Some(link), _) => {
                let _: bool = link.ask(Ask::Connect);
            }
            (None, Some(address)) => {
                let host = self.view.host.clone();
                self.connect(address, &host);
            }
            (None, None) => {}
        }
    }
}
