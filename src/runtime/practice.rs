//! The broker to practise with: the xAPI simulator inside this process, priced by the tape, behind the same client as any other host.
//!
//! Like the paper exchange it has no memory: it is made anew from the ledger, so the two cannot disagree. It deals at the prices on the
//! screen, drawn ones included, as a dealer does; signals and their records come from the tape's bars alone.

use std::collections::{BTreeMap, VecDeque};

use crate::broker::xapi::{Address, Demo, Secret, Settings as ClientSettings};
use crate::broker::{Broker, LinkView, Standing, Wake};
use crate::domain::{
    BrokerReport, Contract, Currency, InstrumentId, InstrumentTable, MarketEvent, MarketTime, Order, OrderId, OrderKind,
    OrderRequest, Origin, Position, PositionId, Price, Protection, ProtectiveReason, Quantity, RiskDay, WallTime,
};
use crate::exchange::{DealerBook, Entry, LegIds, Trade};
use crate::orders::{OrderManager, TrackedOrder};
use crate::risk::Approved;
use crate::simulator::{
    Catalogue, CatalogueError, Faults, Listen, Prices, ServerHandle, Settings, Simulator, USUAL_SPACING, Variants,
};

/// Account and password of a broker that nobody else can reach.
const ACCOUNT: &str = "20001";
const PASSWORD: &str = "practice";

/// A price the simulator has not taken yet.
type Untaken = (InstrumentId, Price, MarketTime);

/// The broker.
#[derive(Debug)]
pub struct Practice {
    demo: Demo,
    catalogue: Catalogue,
    contracts: BTreeMap<InstrumentId, Contract>,
    server: Option<ServerHandle>,
    untaken: VecDeque<Untaken>,
    clock: fn() -> WallTime,
    seed: u64,
}

impl Practice {
    /// A broker for these instruments. It begins with [`Broker::restore`].
    pub fn new(instruments: &InstrumentTable, seed: u64, clock: fn() -> WallTime) -> Result<Self, CatalogueError> {
        let contracts = contracts_of(instruments);
        let settings = ClientSettings::usual(ACCOUNT.to_owned(), Secret::new(PASSWORD), seed);
        let demo = Demo::new(contracts.clone(), settings, clock);
        let catalogue = Catalogue::shipped()?;
        Ok(Self { demo, catalogue, contracts, server: None, untaken: VecDeque::new(), clock, seed })
    }

    fn begin(&mut self, standing: Standing<'_>) -> Result<(), String> {
        let settings = Settings {
            user: ACCOUNT.to_owned(),
            password: PASSWORD.to_owned(),
            currency: Currency::USD.to_string(),
            balance: 0,
            seed: self.seed,
            faults: Faults::default(),
            variants: Variants::default(),
            has_hours: false,
            spacing: USUAL_SPACING,
        };
        let symbol = |(id, price): &(InstrumentId, Price)| Some((self.contracts.get(id)?.symbol.clone(), *price));
        let first = standing.prices.iter().filter_map(symbol).collect();
        let (book, now) = (book_of(&standing, &self.contracts), (self.clock)());
        let simulator = Simulator::with_book(settings, self.catalogue.clone(), book, first, now);
        let listen = Listen { websocket: Some(0), ..Listen::default() };
        let server = ServerHandle::around(simulator, listen, Prices::Told, self.clock).map_err(|error| error.to_string())?;
        let port = server.websocket.unwrap_or(0);
        self.server = Some(server);
        self.demo.connect(
            Address { host: "127.0.0.1".to_owned(), port, path: "/demo".to_owned(), tls: None },
            "simulated, inside pmax",
        );
        Ok(())
    }

    /// Hands over prices in order; what the simulator has no room for stays here, and the tape waits.
    fn hand_over(&mut self) {
        let Some(server) = &self.server else { return self.untaken.clear() };
        while let Some((instrument, price, at)) = self.untaken.front() {
            let Some(contract) = self.contracts.get(instrument) else { return };
            if !server.tape_price(&contract.symbol, *price, WallTime(at.0)) {
                return;
            }
            self.untaken.pop_front();
        }
    }
}

/// The contracts of a table.
pub fn contracts_of(instruments: &InstrumentTable) -> BTreeMap<InstrumentId, Contract> {
    instruments.iter().filter_map(|known| Some((known.id, known.xapi.clone()?))).collect()
}

/// The account as the ledger has it, in the dealer's terms.
fn book_of(standing: &Standing<'_>, contracts: &BTreeMap<InstrumentId, Contract>) -> DealerBook {
    let (ledger, orders) = (standing.ledger, standing.orders);
    let balance = ledger.starting_capital().nanos() + ledger.realised().nanos() - ledger.costs().nanos();
    let mut next = i64::try_from(standing.next_deal.0).unwrap_or(i64::MAX / 2);
    let waiting: Vec<Trade> = orders.open().values().filter_map(|tracked| waiting_trade(tracked, standing, contracts)).collect();
    next = waiting.iter().map(|trade| trade.order + 1).fold(next, i64::max);
    let mut trades = waiting;
    for position in ledger.positions().values() {
        let Some(trade) = open_trade(position, next, standing, contracts) else { continue };
        next += 2;
        trades.push(trade);
    }
    DealerBook { balance, first_number: next, trades }
}

fn open_trade(
    position: &Position,
    number: i64,
    standing: &Standing<'_>,
    contracts: &BTreeMap<InstrumentId, Contract>,
) -> Option<Trade> {
    let contract = contracts.get(&position.instrument)?;
    Some(Trade {
        order: number,
        order2: number + 1,
        position: number,
        symbol: contract.symbol.clone(),
        side: position.side.closing().opposite(),
        entry: Entry::Market,
        volume: contract.lots(position.quantity),
        open_price: position.entry()?,
        open_time: WallTime(position.opened_at.0),
        stop_loss: leg_of(position.id, ProtectiveReason::StopLoss, standing.orders),
        take_profit: leg_of(position.id, ProtectiveReason::TakeProfit, standing.orders),
        trailing: 0,
        expiration: None,
        mark: OrderId(position.id.0).mark(standing.ledger_id),
        storage: 0,
    })
}

fn leg_of(position: PositionId, reason: ProtectiveReason, orders: &OrderManager) -> Option<Price> {
    let is_leg = |request: &OrderRequest| request.closes == Some(position) && request.origin == Origin::Protective(reason);
    orders.open().values().find(|tracked| is_leg(&tracked.order.request))?.order.request.named_price()
}

/// A waiting order that the broker had taken. One without its number never arrived, or nobody knows: it is not there.
fn waiting_trade(tracked: &TrackedOrder, standing: &Standing<'_>, contracts: &BTreeMap<InstrumentId, Contract>) -> Option<Trade> {
    let wish = tracked.order.request;
    let contract = contracts.get(&wish.instrument).filter(|_| wish.closes.is_none())?;
    let number = i64::try_from(tracked.broker_ref?.0).ok()?;
    let price = wish.named_price()?;
    let entry = match wish.kind {
        OrderKind::Market => return None,
        OrderKind::Limit(price) => Entry::Limit(price),
        OrderKind::Stop(price) => Entry::Stop(price),
    };
    let ends = matches!(wish.time_in_force, crate::domain::TimeInForce::Day);
    Some(Trade {
        order: number,
        order2: number,
        position: number,
        symbol: contract.symbol.clone(),
        side: wish.side,
        entry,
        volume: contract.lots(wish.quantity),
        open_price: price,
        open_time: WallTime(tracked.order.created_at.0),
        stop_loss: wish.protection.stop_loss,
        take_profit: wish.protection.take_profit,
        trailing: 0,
        expiration: ends.then(|| WallTime(RiskDay::of(tracked.order.created_at).ends_at.0)),
        mark: tracked.order.id.mark(standing.ledger_id),
        storage: 0,
    })
}

impl Broker for Practice {
    fn restore(&mut self, standing: Standing<'_>) {
        self.server = None;
        self.untaken.clear();
        self.demo.restore(standing);
        if let Err(why) = self.begin(standing) {
            self.demo.fail(&why);
        }
    }

    fn submit(&mut self, order: Approved<Order>, now: MarketTime) {
        self.demo.submit(order, now);
    }

    fn cancel(&mut self, order: OrderId) {
        self.demo.cancel(order);
    }

    fn withdraw(&mut self, order: OrderId) {
        self.demo.withdraw(order);
    }

    fn modify(&mut self, order: OrderId, quantity: Quantity, kind: OrderKind, now: MarketTime) {
        self.demo.modify(order, quantity, kind, now);
    }

    fn protect(&mut self, position: PositionId, protection: Protection, legs: LegIds, now: MarketTime) {
        self.demo.protect(position, protection, legs, now);
    }

    fn query(&mut self) {
        self.demo.query();
    }

    fn on_market(&mut self, event: &MarketEvent) {
        self.demo.on_market(event);
        let price = match event {
            MarketEvent::Quoted { quote, .. } => quote.last,
            MarketEvent::BarOpened { open, .. } => *open,
            MarketEvent::BarClosed { bar, .. } => bar.close,
        };
        if self.contracts.contains_key(&event.instrument()) {
            self.untaken.push_back((event.instrument(), price, event.known_at()));
            self.hand_over();
        }
    }

    fn poll(&mut self, out: &mut Vec<BrokerReport>) {
        self.hand_over();
        self.demo.poll(out);
    }

    fn wake_with(&mut self, wake: Wake) {
        self.demo.wake_with(wake);
    }

    fn takes_market(&self) -> bool {
        self.untaken.is_empty()
    }

    fn link(&self) -> Option<LinkView> {
        self.demo.link()
    }

    fn reconnect(&mut self) {
        self.demo.reconnect();
    }
}
