//! Weeks of a simulated market in virtual time: budgets that hold over restarts and clocks that go back, and a week of faults in which
//! nothing grows and every minute is accounted for.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use pmax::domain::{AssetClass, Calendar, Currency, FeedNote, Flaw, InstrumentId, MarketTime, WallTime};
use pmax::market::providers::{Answer, Desk, Input, Line, Output, ProviderId, ProviderTable};
use pmax::runtime;

use crate::feed_world::{BITCOIN, MINUTE, Mood, SECOND, SplitMix, TABLE, Truth, Watched, World};

const DAY: i64 = 24 * 60 * MINUTE;

fn at(text: &str) -> i64 {
    MarketTime::parse(text).unwrap().0
}

/// Twenty-five requests a day and one a minute, in the zone of New York, as a free key has it.
const SCARCE: &str = "[provider.kraken]\nday_zone = \"America/New_York\"\nlimits = { per_second = 1, per_minute = 1, per_day = 25 }\n\
     [order]\nquotes = [\"kraken\"]\nbars = [\"kraken\"]\n";

/// A desk on a scarce provider, over restarts and a clock that is turned back.
struct Scarce {
    desk: Desk,
    table: ProviderTable,
    kept: Option<String>,
    /// How far the wall clock is from true time.
    off: i64,
    chance: SplitMix,
    /// When requests left: by true time and by the wall clock.
    sent: Vec<(i64, i64)>,
    doubts: usize,
}

impl Scarce {
    fn new(seed: u64, begin: i64) -> Self {
        let table = ProviderTable::read(TABLE, Some(SCARCE)).unwrap();
        let desk = Self::desk(&table, None, seed, begin);
        Self { desk, table, kept: None, off: 0, chance: SplitMix(seed), sent: Vec::new(), doubts: 0 }
    }

    fn desk(table: &ProviderTable, kept: Option<&str>, seed: u64, now: i64) -> Desk {
        let mut budget = table.budget();
        if let Some(kept) = kept {
            budget.take_up(kept).unwrap();
        }
        let names = table.aliases["BTCUSD"].clone();
        let (kind, calendar) = (AssetClass::Crypto, Calendar::Crypto247);
        let line = Line {
            instrument: BITCOIN,
            kind,
            calendar,
            decimals: 2,
            currency: Currency::USD,
            names,
            known_until: None,
            last_close: None,
        };
        Desk::new(table.clone(), budget, vec![line], seed, WallTime(now))
    }

    fn restart(&mut self, now: i64) {
        self.desk = Self::desk(&self.table, self.kept.as_deref(), self.chance.below(u64::MAX), now + self.off);
    }

    fn tick(&mut self, now: i64) {
        let wall = now + self.off;
        let mut out = Vec::new();
        self.desk.handle(WallTime(wall), Input::Tick, &mut out);
        let mut asked = Vec::new();
        let mut is_kept = false;
        for output in out {
            match output {
                Output::Keep(text) => {
                    self.kept = Some(text);
                    is_kept = true;
                }
                Output::Fetch(request) => {
                    assert!(is_kept, "a request is counted on the disk before it leaves");
                    self.sent.push((now, wall));
                    asked.push(request.id);
                }
                Output::Noted(FeedNote::ClockWentBack { .. }) => self.doubts += 1,
                Output::Open(_) | Output::Close(_) | Output::Ping(_) | Output::Send(..) => {}
                Output::News(_) | Output::Served(_) | Output::Noted(_) => {}
            }
        }
        for id in asked {
            // Now and then the process ends before the answer comes.
            let rows: Vec<String> = (0..4)
                .rev()
                .map(|back| format!(r#"[{},"105","106","104","105","105","1",3]"#, (wall / MINUTE - back) * 60))
                .collect();
            let body = format!(r#"{{"error":[],"result":{{"XXBTZUSD":[{}],"last":1}}}}"#, rows.join(","));
            let answer = Answer { status: 200, retry_after: None, body: body.into_bytes() };
            self.desk.handle(WallTime(wall), Input::Answered(id, Ok(answer)), &mut Vec::new());
        }
    }
}

/// Restarts at random, and where `turns` a clock that is set back by up to forty hours in all.
fn weeks(seeds: std::ops::Range<u64>, begin: &str, turns: bool) {
    let zone = TimeZone::get("America/New_York").unwrap();
    for seed in seeds {
        let begin = at(begin);
        let mut world = Scarce::new(seed, begin);
        let (mut now, mut back) = (begin, 0);
        while now < begin + 7 * DAY {
            match world.chance.below(1_500) {
                0 => world.restart(now),
                1 if turns && back < 2 => {
                    // By seconds, by hours, or over midnight.
                    let by = [90 * SECOND, 3 * 60 * MINUTE, 20 * 60 * MINUTE][usize::try_from(world.chance.below(3)).unwrap()];
                    world.off -= by;
                    back += 1;
                    if world.chance.below(2) == 0 {
                        world.restart(now);
                    }
                }
                _ => {}
            }
            world.tick(now);
            now += 10 * SECOND;
        }
        let mut days: BTreeMap<String, usize> = BTreeMap::new();
        for (_, wall) in &world.sent {
            *days.entry(zone.to_datetime(WallTime(*wall).timestamp()).date().to_string()).or_default() += 1;
        }
        assert!(days.values().all(|count| *count <= 25), "seed {seed}: {days:?}");
        for pair in world.sent.windows(2) {
            let apart = pair[1].0 - pair[0].0;
            assert!(apart >= MINUTE, "seed {seed}: two requests {} s apart", apart / SECOND);
        }
        // A day's worth is spent in less than an hour, so one waits for the next midnight; a clock that went back over one waits for two more.
        let longest = if turns { 4 * DAY } else { 25 * 60 * MINUTE };
        let mut before = begin;
        for (sent, _) in world.sent.iter().copied().chain([(now, 0)]) {
            assert!(sent - before <= longest, "seed {seed}: nothing was asked for {} h", (sent - before) / SECOND / 3_600);
            before = sent;
        }
        if !turns {
            // Each whole day of the zone is used up, and not by one more.
            let whole = days.values().filter(|count| **count == 25).count();
            assert!(whole >= 6, "seed {seed}: {days:?}");
        }
    }
}

#[test]
fn twenty_five_a_day_and_one_a_minute_hold_over_restarts_and_midnights() {
    weeks(0..6, "2026-11-23T09:00:00Z", false);
}

#[test]
fn they_hold_over_the_nights_on_which_clocks_change() {
    weeks(0..2, "2026-10-29T09:00:00Z", false);
    weeks(2..4, "2026-03-05T09:00:00Z", false);
}

#[test]
fn they_hold_over_clocks_that_are_set_back_and_nothing_is_starved() {
    weeks(0..8, "2026-11-23T09:00:00Z", true);
}

#[test]
fn a_clock_that_goes_back_is_said_and_stalls_nothing() {
    let own = "watch = [\"BTCUSD\"]\n";
    let truth = Truth::walk(&mut SplitMix(4), at("2026-11-25T00:00:00Z"), 900, 90_000_000_000, 0);
    let mut world = World::new(own, vec![Watched { instrument: BITCOIN, truth }], at("2026-11-25T12:00:00Z"), 4);
    world.run(200);
    let asked = world.requests.len();
    world.now -= 90 * MINUTE;
    world.priced = 0;
    world.run(130);
    assert!(
        matches!(world.noted.as_slice(), [(_, FeedNote::ClockWentBack { by })] if by.as_seconds() > 5_390.0),
        "{:?}",
        world.noted
    );
    assert!(world.requests.len() >= asked + 2, "bars are asked for every minute as before");
    assert_eq!(world.serving(BITCOIN), Some(ProviderId::Kraken));
    assert!(world.now - world.priced < 3 * SECOND, "prices go on");
}

/// Sessions of New York and of currencies: minutes in which a share or a pair has no price are none of its truth.
fn hours(mut truth: Truth, calendar: Calendar) -> Truth {
    for (number, minute) in (0..).zip(&mut truth.minutes) {
        if !calendar.is_open(MarketTime(truth.start + number * MINUTE)) {
            *minute = None;
        }
    }
    truth
}

/// A week of all three markets with every fault of the catalogue, and holes so long that nobody tells them any more.
#[test]
fn a_week_of_faults_keeps_memory_flat_and_accounts_for_every_minute() {
    let begin = at("2026-11-22T12:00:00Z");
    let instruments = runtime::instruments().unwrap();
    let mut chance = SplitMix(11);
    let of = |id: u32| instruments.get(InstrumentId(id)).unwrap().calendar;
    let ids = [5, 10, 2];
    let watched = ids.map(|id| {
        let from = if id == 5 { 90_000_000_000 } else { 200_000_000 };
        let truth = Truth::walk(&mut chance, begin - 2 * DAY, 9 * 24 * 60 + 10, from, if id == 5 { 3 } else { 1 });
        Watched { instrument: InstrumentId(id), truth: hours(truth, of(id)) }
    });
    let mut world = World::new("watch = [\"BTCUSD\", \"AAPL\", \"NVDA\"]\n", Vec::from(watched), begin, 11);
    (world.step, world.faults, world.keeps_bars) = (2 * SECOND, 60, true);
    let mut middle = BTreeMap::new();
    for hour in 0..7 * 24 {
        // Thirteen hours without anybody, once: more than an exchange tells afterwards.
        let is_out = (80..93).contains(&hour);
        for id in [ProviderId::Kraken, ProviderId::Coinbase, ProviderId::Yahoo] {
            // The one that reaches back furthest comes back last.
            let is_down = is_out || (hour == 93 && id == ProviderId::Yahoo);
            world.moods.insert(id, if is_down { Mood::Down } else { Mood::Up });
        }
        world.run(3_600);
        world.take_census();
        if hour == 60 {
            middle = world.largest.clone();
        }
    }
    (world.faults, world.step) = (0, SECOND);
    world.run(40 * 60);
    world.take_census();
    // What is kept is bounded by what is watched, and does not grow from the third day on.
    let bounds = BTreeMap::from([
        ("streams", 8 + 8),
        ("outcomes", 6 * 10),
        ("flights", 12),
        ("taken bars", 3 * 30),
        ("left out", 3 * 30),
        ("skipped", 3 * 6),
        ("asked in a round", 9),
        ("said", 3 * 6),
        ("counts of requests", 6 * 8 + 2 * 40 * 3 + 3),
        ("flaws", 3 * (1 + 3 * 9 + 9)),
        ("pauses", 3),
        ("events", 8_192),
        ("holes", 3 * 64),
        ("collected bars", 3 * 480),
        ("lines", 3),
    ]);
    for (name, largest) in &world.largest {
        assert!(largest <= &bounds[name], "{name}: {largest} of at most {}", bounds[name]);
        let was = middle[name];
        assert!(*largest <= was + was / 2 + 24, "{name} grew from {was} to {largest}");
    }
    let minutes: BTreeMap<InstrumentId, _> = world.feed.minutes().map(|view| (view.instrument, view.minutes)).collect();
    let mut all_missing = 0;
    for id in ids.map(InstrumentId) {
        let told: Vec<_> = world.bars.iter().map(|(bar, ..)| bar).filter(|bar| bar.instrument == id).collect();
        let (first, last) = (told[0].open_at.0, told[told.len() - 1].close_at.0);
        assert!(last >= world.now - DAY - 2 * DAY * i64::from(id != BITCOIN), "it goes on to the end");
        let truth = &world.truths[&id];
        let open = hours(Truth { start: truth.start, minutes: vec![Some([1; 4]); truth.minutes.len()] }, of(id.0));
        let number = |at: i64| usize::try_from((at - truth.start) / MINUTE).unwrap();
        let expected = open.minutes[number(first)..number(last)].iter().flatten().count() as u64;
        let traded = truth.minutes[number(first)..number(last)].iter().flatten().count() as u64;
        let of = minutes[&id];
        assert_eq!(of.told, told.len() as u64);
        assert_eq!(of.told + of.silent + of.missing, expected, "{id}: {of:?}");
        // Nothing was invented, and what traded and was not told is missing or was left out by its provider, which is counted.
        let holes = told.windows(2).flat_map(|pair| number(pair[0].close_at.0)..number(pair[1].open_at.0));
        let untold = holes.filter(|minute| truth.minutes[*minute].is_some()).count() as u64;
        assert_eq!(traded, of.told + untold, "{id}: every bar is one that was");
        all_missing += of.missing;
        // A minute that one answer left out is found by a later one of the same provider, if that serves again in time.
        assert!(untold <= of.missing + 10, "{id}: {untold} minutes traded and were not told; {of:?}");
    }
    let reported: i64 = world.missed.iter().map(|missed| (missed.until.0 - missed.from.0) / MINUTE).sum();
    assert!(reported > 0 && u64::try_from(reported).unwrap() <= all_missing, "{reported} of {all_missing} were said as holes");
    let met: Vec<Flaw> =
        world.desk.view(WallTime(world.now)).served.iter().flat_map(|one| &one.met).map(|met| met.flaw).collect();
    for flaw in [Flaw::Crossed, Flaw::UnitJump, Flaw::OutOfOrder, Flaw::NoPrice, Flaw::Duplicate] {
        assert!(met.contains(&flaw), "{flaw:?} was met and is counted: {met:?}");
    }
}
