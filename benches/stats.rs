//! Resampling and the report of a series. `benches/README.md` holds the figures.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench stops at the impossible")]

use std::hint::black_box;
use std::thread;

use criterion::{Criterion, criterion_group, criterion_main};
use pmax::stats::{self, Garch, Generator, Presample, RISK_METRICS, Report, Resampler, Resampling, Scheme};

const DAYS: usize = 1_250;
const REPLICATIONS: u64 = 10_000;

/// Five years of made-up daily returns.
fn returns() -> Vec<f64> {
    let mut generator = Generator::new(1);
    let mut draw = [0_usize; 24];
    let mut one = || {
        Scheme::Circular(1).draw(&mut generator, &mut draw);
        draw.iter().map(|index| *index as f64 / 23.0 - 0.5).sum::<f64>() * 0.008 + 0.0003
    };
    (0..DAYS).map(|_| one()).collect()
}

fn bootstrap(criterion: &mut Criterion) {
    let values = returns();
    let resampler = Resampler::new(&values, 0.0).unwrap();
    let block = Scheme::Stationary(stats::optimal_block_lengths(&values).unwrap().stationary.max(5.0));
    let part = |from: u64, to: u64| {
        let mut sums = (0.0, 0.0);
        for replica in resampler.replications(block, 7, from..to) {
            sums = (sums.0 + replica.sharpe.unwrap_or(0.0), sums.1 + replica.drawdown);
        }
        sums
    };
    let mut group = criterion.benchmark_group("bootstrap");
    group.sample_size(20);
    group.bench_function("10,000 x 1,250, one thread", |bencher| bencher.iter(|| black_box(part(0, REPLICATIONS))));
    group.bench_function("10,000 x 1,250, two threads", |bencher| {
        bencher.iter(|| {
            thread::scope(|scope| {
                let half = scope.spawn(|| part(0, REPLICATIONS / 2));
                black_box((part(REPLICATIONS / 2, REPLICATIONS), half.join().unwrap()))
            })
        });
    });
    group.finish();
}

/// Everything `pmax stats` prints but the bootstrap, for which the series is made ready.
fn report(criterion: &mut Criterion) {
    let values = returns();
    criterion.bench_function("report of 1,250 returns, no bootstrap", |bencher| {
        bencher.iter(|| {
            let values = black_box(values.as_slice());
            black_box((Report::of(values, 252.0), Resampling::new(values, 252.0, 1)))
        });
    });
}

/// Volatility of five years of returns that have a memory of it.
fn volatility(criterion: &mut Criterion) {
    let mut variance = 1e-4;
    let values: Vec<f64> = returns()
        .into_iter()
        .map(|value| {
            let shock = value / 0.0113 * f64::sqrt(variance);
            variance = 2e-6 + 0.08 * shock * shock + 0.9 * variance;
            shock
        })
        .collect();
    let model = Garch::fit(&values).unwrap().model;
    let mut group = criterion.benchmark_group("volatility of 1,250 returns");
    group.bench_function("GARCH(1,1) fit", |bencher| bencher.iter(|| Garch::fit(black_box(&values))));
    group.bench_function("GARCH(1,1) likelihood", |bencher| {
        bencher.iter(|| model.log_likelihood(black_box(&values), Presample::Backcast));
    });
    group.bench_function("exponentially weighted", |bencher| {
        bencher.iter(|| stats::ewma_variance(black_box(&values), RISK_METRICS));
    });
    group.finish();
}

criterion_group!(benches, bootstrap, report, volatility);
criterion_main!(benches);
