//! Instruments that join and leave a run: the account goes on, what is held stays, and a replay needs no table of today.

use std::collections::BTreeSet;

use pmax::domain::{
    Actor, Bar, Capabilities, Currency, DealId, Instrument, InstrumentId, LedgerId, MarketEvent, MarketStamp, MarketTime, Money,
    OrderId, OrderKind, OrderSide, Price, Protection, Quantity, RunId, TimeInForce, WallTime, Watched,
};
use pmax::engine::{
    Command, Engine, Event, Input, InputBody, Outcome, Record, RunInput, Seen, Setup, SnapshotRequest, TapeRef, Ticket,
};
use pmax::risk::Acknowledged;
use pmax::runtime::Headless;
use proptest::prelude::*;

use crate::stage::lived;
use crate::world;

const START: i64 = 1_790_000_040_000_000_000;
const MINUTE: i64 = 60_000_000_000;

/// An engine that decides, and one that is told what was decided, as a restart does.
struct Pair {
    decides: Engine,
    restored: Engine,
    replayed: Vec<Event>,
    records: Vec<Record>,
    minute: i64,
    refusal: Option<String>,
}

fn bare() -> Setup {
    let (_, setup) = world::setup("btc-2021");
    Setup { series: Vec::new(), ..setup }
}

fn watched(id: u32) -> Watched {
    let shipped = pmax::runtime::instruments().unwrap();
    let like = shipped.by_symbol("BTCUSD").unwrap().clone();
    let capabilities = Capabilities { has_range: true, has_volume: true, is_adjusted: false };
    Watched { instrument: Instrument { id: InstrumentId(id), symbol: format!("OWN{id}"), ..like }, capabilities }
}

impl Pair {
    fn new() -> Self {
        let (decides, restored) = (Engine::new(&bare()), Engine::new(&bare()));
        let mut pair = Self { decides, restored, replayed: Vec::new(), records: Vec::new(), minute: 0, refusal: None };
        pair.input(InputBody::Run(RunInput::Opened {
            run: RunId(1),
            ledger: LedgerId(1),
            tape: TapeRef { name: pmax::runtime::LIVE_MARKETS.to_owned(), sha256: String::new(), seed: 0 },
            capital: Money::whole(100_000, Currency::USD).unwrap(),
            version: String::new(),
            settings: bare().settings,
            first_order: OrderId(1),
            first_deal: DealId(1),
            quiet_until: MarketTime(START),
        }));
        pair
    }

    fn take(&mut self, event: Event) {
        let mut outcome = Outcome::default();
        self.decides.handle(&event, &mut outcome);
        match &event {
            Event::Market(event) => self.restored.observe(event),
            Event::Input(input) => self.restored.take_input(input),
        }
        outcome.records.iter().for_each(|record| self.restored.apply(record));
        self.refusal = outcome.refusal;
        self.records.extend(outcome.records);
        self.replayed.push(event);
    }

    fn input(&mut self, body: InputBody) {
        let wall = WallTime(START + self.minute * MINUTE);
        self.take(Event::Input(Input { wall, body }));
    }

    fn change(&mut self, joins: &[u32], leaves: &[u32]) {
        let joins = joins.iter().map(|id| watched(*id)).collect();
        let leaves = leaves.iter().map(|id| InstrumentId(*id)).collect();
        self.input(InputBody::Run(RunInput::InstrumentsChanged { by: Actor::Person, joins, leaves }));
    }

    /// A bar that closed so many minutes ago and is told now.
    fn bar(&mut self, id: u32, ago: i64) {
        let close_at = MarketTime(START + (self.minute - ago) * MINUTE);
        let price = Price::from_nanos(100_000_000_000 + (self.minute - ago).rem_euclid(7) * 900_000_000);
        let bar = Bar {
            instrument: InstrumentId(id),
            open_at: MarketTime(close_at.0 - MINUTE),
            close_at,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: None,
            has_range: true,
        };
        let stamp = MarketStamp { event_at: close_at, known_at: MarketTime(START + self.minute * MINUTE), received_at: None };
        self.take(Event::Market(MarketEvent::BarClosed { bar, stamp }));
    }

    fn ids(&self) -> BTreeSet<u32> {
        self.decides.market().iter().map(|series| series.instrument.0).collect()
    }

    /// A third engine handles everything again.
    fn agrees(&self) {
        assert_eq!(self.decides.state_hash(), self.restored.state_hash(), "a restart is the truth");
        let (mut again, mut outcome, mut records) = (Engine::new(&bare()), Outcome::default(), Vec::new());
        for event in &self.replayed {
            again.handle(event, &mut outcome);
            records.append(&mut outcome.records);
        }
        assert_eq!((again.state_hash(), &records), (self.decides.state_hash(), &self.records), "a replay is the same");
    }
}

#[test]
fn what_joins_is_told_its_history_and_nothing_is_decided_on_it() {
    let mut pair = Pair::new();
    pair.change(&[501], &[]);
    for _ in 0..40 {
        pair.minute += 1;
        pair.bar(501, 0);
    }
    let before = pair.records.len();
    pair.change(&[502], &[]);
    assert_eq!(pair.ids(), [501, 502].into());
    assert!(pair.records.len() > before, "that it joined is a decision");
    let before = pair.records.len();
    for ago in (0..200).rev() {
        pair.bar(502, ago);
    }
    assert_eq!(pair.records.len(), before, "history decides nothing: {:?}", pair.records.last());
    assert_eq!(pair.decides.market().get(InstrumentId(502)).unwrap().bars.len(), 200);
    pair.minute += 1;
    pair.bar(502, 0);
    pair.agrees();
    let snapshot = pair.decides.snapshot(&SnapshotRequest::default());
    let words: Vec<&str> = snapshot.activity.iter().map(|line| line.text.as_str()).collect();
    assert!(words.contains(&"watched from now on: OWN502"), "{words:?}");
    pair.change(&[], &[501]);
    pair.bar(501, 0);
    assert_eq!(pair.ids(), [502].into());
    pair.change(&[501], &[]);
    assert_eq!(pair.decides.market().get(InstrumentId(501)).unwrap().bars.len(), 0, "it begins anew");
    pair.agrees();
}

#[test]
fn a_number_is_one_instrument_for_ever() {
    let mut pair = Pair::new();
    pair.change(&[501], &[]);
    let other = Watched { instrument: Instrument { id: InstrumentId(501), ..watched(502).instrument }, ..watched(502) };
    pair.input(InputBody::Run(RunInput::InstrumentsChanged { by: Actor::Person, joins: vec![other], leaves: Vec::new() }));
    assert_eq!(pair.refusal.as_deref(), Some("number 501 is OWN501 in this run, not OWN502"));
    assert_eq!(pair.decides.instruments().symbol(InstrumentId(501)), "OWN501");
    pair.agrees();
}

/// A limit a little under the market, of something that is not held.
fn order_what_is_not_held(world: &mut Headless) {
    let engine = world.engine();
    let is_held = |id: InstrumentId| engine.book().ledger().positions().values().any(|held| held.instrument == id);
    let may_be = |id: InstrumentId| engine.instruments().get(id).is_some_and(|known| known.tradable) && !is_held(id);
    let series = engine.market().iter().find(|series| series.last().is_some() && may_be(series.instrument)).unwrap();
    let (tick, last) = (engine.instruments().get(series.instrument).unwrap().tick.nanos(), series.last().unwrap().nanos());
    let price = Price::from_nanos(last * 9 / 10 / tick * tick);
    let quantity = Quantity::from_nanos(1_000_000_000);
    let ticket = Ticket {
        instrument: series.instrument,
        side: OrderSide::Buy,
        quantity,
        kind: OrderKind::Limit(price),
        time_in_force: TimeInForce::GoodTillCancelled,
        protection: Protection::default(),
    };
    let seen = Seen { price: None, quantity };
    let command = Command::PlaceOrder { ticket, acknowledged: Acknowledged::Precautions, seen };
    assert_eq!(world.input(InputBody::Command { actor: Actor::Person, command }), None);
}

#[test]
fn what_is_held_or_has_an_order_stays() {
    let mut world = lived();
    order_what_is_not_held(&mut world);
    let held: Vec<InstrumentId> = world.engine().book().ledger().positions().values().map(|held| held.instrument).collect();
    let working: Vec<InstrumentId> =
        world.engine().book().orders().open().values().map(|tracked| tracked.order.request.instrument).collect();
    assert!(!held.is_empty() && working.iter().any(|id| !held.contains(id)), "this world has both");
    let all: Vec<InstrumentId> = world.engine().market().iter().map(|series| series.instrument).collect();
    let refusal =
        world.input(InputBody::Run(RunInput::InstrumentsChanged { by: Actor::Person, joins: Vec::new(), leaves: all.clone() }));
    assert!(refusal.as_ref().is_some_and(|why| why.contains("stays watched, as it")), "{refusal:?}");
    let left: Vec<InstrumentId> = world.engine().market().iter().map(|series| series.instrument).collect();
    assert!(left.iter().all(|id| held.contains(id) || working.contains(id)) && left.len() < all.len(), "{left:?} of {all:?}");
    assert!(held.iter().chain(&working).all(|id| left.contains(id)));
    let waiting = world.engine().book().proposals().values();
    assert!(waiting.map(|proposal| proposal.request.instrument).all(|id| left.contains(&id)), "no proposal without prices");
}

#[derive(Debug, Clone)]
enum Step {
    Change(Vec<u32>, Vec<u32>),
    Bar(u32, i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ids = || prop::collection::vec(501_u32..505, 0..3);
    let step = prop_oneof![
        1 => (ids(), ids()).prop_map(|(joins, leaves)| Step::Change(joins, leaves)),
        4 => (501_u32..505, 0_i64..30).prop_map(|(id, ago)| Step::Bar(id, ago)),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn however_instruments_come_and_go_restart_and_replay_agree(steps in steps()) {
        let mut pair = Pair::new();
        let mut wanted: BTreeSet<u32> = BTreeSet::new();
        for step in steps {
            match step {
                Step::Change(joins, leaves) => {
                    pair.change(&joins, &leaves);
                    // What joins in the same breath cannot leave yet.
                    let were = std::mem::take(&mut wanted);
                    let stays = were.iter().filter(|id| !leaves.contains(id)).copied();
                    let came = joins.iter().filter(|id| !(were.contains(id) && leaves.contains(id))).copied();
                    wanted = stays.chain(came).collect();
                }
                Step::Bar(id, ago) => {
                    pair.minute += 1;
                    pair.bar(id, ago);
                }
            }
            prop_assert_eq!(pair.ids(), wanted.clone());
        }
        pair.agrees();
    }
}
