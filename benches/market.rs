//! Building bars from ticks, and longer bars of shorter ones. `benches/README.md` holds the figures.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench stops at the impossible")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pmax::domain::{Bar, BarBuilder, Calendar, InstrumentId, MarketTime, Price, Resampler, Tick, TimeFrame, Volume};
use pmax::market;

const TICKS: i64 = 1_000_000;
const ID: InstrumentId = InstrumentId(5);

/// A million ticks of an active week, ten a second and more, with a price that walks.
fn ticks(begin: &str, apart: i64) -> Vec<Tick> {
    let begin = MarketTime::parse(begin).unwrap().0;
    let mut state = 1_u64;
    let mut price = 64_000_000_000_000_i64;
    let tick = |index: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        price += i64::from((state >> 40) as u32 % 2_001) - 1_000;
        let at = MarketTime(begin + index * apart + i64::from((state >> 33) as u32) % apart);
        Tick { at, price: Price::from_nanos(price), volume: Some(Volume::from_milli(i64::from((state >> 50) as u32))) }
    };
    (0..TICKS).map(tick).collect()
}

fn build(ticks: &[Tick], frame: TimeFrame, calendar: Calendar) -> usize {
    let mut builder = BarBuilder::new(ID, frame, calendar);
    ticks.iter().filter(|tick| builder.push(**tick).is_some()).count()
}

fn bars(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bars of ticks");
    group.throughput(Throughput::Elements(TICKS.unsigned_abs())).sample_size(30);
    // Ten a second around the clock, and a share's session with nothing outside it.
    let (always, session) = (ticks("2021-11-08T00:00:00Z", 100_000_000), ticks("2020-03-09T13:30:00Z", 23_000_000));
    group.bench_function("1m, crypto, ten a second", |bencher| {
        bencher.iter(|| black_box(build(&always, TimeFrame::MINUTE, Calendar::Crypto247)));
    });
    group.bench_function("1m, shares, 43 a second, one session", |bencher| {
        bencher.iter(|| black_box(build(&session, TimeFrame::MINUTE, Calendar::UsEquity)));
    });
    group.bench_function("1h, currencies, ten a second", |bencher| {
        bencher.iter(|| black_box(build(&always, TimeFrame::HOUR, Calendar::Fx245)));
    });
    group.finish();
}

fn resampling(criterion: &mut Criterion) {
    let tape = market::load("btc-2021").unwrap();
    let mut minutes: Vec<Bar> = Vec::new();
    for bar in tape.bars.iter() {
        minutes.extend((0..15).map(|minute| {
            let open_at = MarketTime(bar.open_at.0 + minute * 60_000_000_000);
            Bar { open_at, close_at: MarketTime(open_at.0 + 60_000_000_000), ..*bar }
        }));
    }
    let mut group = criterion.benchmark_group("bars of bars");
    group.throughput(Throughput::Elements(minutes.len() as u64)).sample_size(30);
    for frame in [TimeFrame::QUARTER, TimeFrame::HOUR, TimeFrame::Day] {
        group.bench_function(format!("{frame} of 1m"), |bencher| {
            bencher.iter(|| black_box(Resampler::all(frame, Calendar::Crypto247, minutes.iter())));
        });
    }
    group.finish();
}

criterion_group!(benches, bars, resampling);
criterion_main!(benches);
