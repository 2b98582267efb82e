//! A metric of what is no number is no number either: it is undefined, never NaN, infinite or an innocent figure.

use pmax::stats::{self, Bandwidth, Centre, Generator, Interval, Lags, Observed, Resampler, Scheme, Shape, Tested};
use proptest::prelude::*;

/// What a metric gave, as plain numbers.
type Given = Option<Vec<f64>>;

fn one(value: Option<f64>) -> Given {
    value.map(|value| vec![value])
}

fn test(tested: Option<Tested>) -> Given {
    tested.map(|tested| vec![tested.statistic, tested.p])
}

fn ends(interval: Option<Interval>) -> Given {
    interval.map(|interval| vec![interval.low, interval.high])
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn observed(values: &[f64], rate: f64, of: impl Fn(Observed) -> Given) -> Given {
    Observed::of(values, rate).and_then(of)
}

/// Every public metric of one series; `other` is a second one as long as it.
fn metrics(values: &[f64], other: &[f64]) -> Vec<(&'static str, Given)> {
    let ascending = sorted(values);
    let middle = values.len() / 2;
    let mut all = vec![
        ("mean", one(stats::mean(values))),
        ("standard_deviation", one(stats::standard_deviation(values))),
        ("annualised_volatility", one(stats::annualised_volatility(values, 252.0))),
        ("moving_average", one(stats::moving_average(values, values.len()))),
        ("correlation", one(stats::correlation(values, other))),
        ("correlation turned", one(stats::correlation(other, values))),
        ("percentile_rank", one(stats::percentile_rank(values, 0.0))),
        ("max_drawdown", one(stats::max_drawdown(values))),
        ("sharpe", one(stats::sharpe(values, 0.0, 252.0))),
        ("sortino", one(stats::sortino(values, 0.0, 252.0))),
        ("annual_growth", one(stats::annual_growth(values, 252.0))),
        ("calmar", one(stats::calmar(values, 252.0))),
        ("omega", one(stats::omega(values, 0.0))),
        ("profit_factor", one(stats::profit_factor(values))),
        ("hit_rate", one(stats::hit_rate(values))),
        ("information_ratio", one(stats::information_ratio(values, other, 252.0))),
        ("information_ratio turned", one(stats::information_ratio(other, values, 252.0))),
        ("alpha_beta", stats::alpha_beta(values, other, 0.0).map(|line| vec![line.alpha, line.beta])),
        ("alpha_beta turned", stats::alpha_beta(other, values, 0.0).map(|line| vec![line.alpha, line.beta])),
        ("drawdown", stats::drawdown(values).map(|fall| vec![fall.depth, fall.at_end])),
        ("shape", stats::shape(values).map(|shape| vec![shape.skewness, shape.kurtosis])),
        ("lowest quantile", one(stats::quantile_of_sorted(&ascending, 0.0))),
        ("median", one(stats::quantile_of_sorted(&ascending, 0.5))),
        ("value_at_risk", one(stats::value_at_risk(&ascending, 0.05))),
        ("expected_shortfall", one(stats::expected_shortfall(&ascending, 0.05))),
        ("percentile_interval", ends(stats::percentile_interval(&ascending, 0.95))),
        ("studentised_interval", ends(stats::studentised_interval(0.0, 1.0, &ascending, 0.95))),
        ("t_statistic", one(stats::t_statistic(values))),
        ("mean_interval_95", ends(stats::mean_interval_95(values))),
        ("standard error of a Sharpe ratio", observed(values, 0.0, |of| one(of.standard_error()))),
        ("interval of a Sharpe ratio", observed(values, 0.0, |of| ends(of.interval(0.95)))),
        ("probabilistic", observed(values, 0.0, |of| one(of.probabilistic(0.0)))),
        ("deflated", observed(values, 0.0, |of| one(of.deflated(10.0, 0.01)))),
        ("minimum_track_record", observed(values, 0.0, |of| one(of.minimum_track_record(0.0, 0.95)))),
    ];
    all.extend([
        ("newey_west", test(stats::newey_west(values, 0.0, 3))),
        ("report, mean", ends(stats::Report::of(values, 252.0).mean_interval)),
        ("report, hits", ends(stats::Report::of(values, 252.0).hit_interval)),
        ("t_test", test(stats::t_test(values, 0.0))),
        ("paired_t_test", test(stats::paired_t_test(values, other))),
        ("welch_t_test", test(stats::welch_t_test(values, other))),
        ("f_test", test(stats::f_test(values, other))),
        ("f_test turned", test(stats::f_test(other, values))),
        ("levene", test(stats::levene(&[values, other], Centre::Mean))),
        ("brown_forsythe", test(stats::levene(&[other, values], Centre::Median))),
        ("jarque_bera", test(stats::jarque_bera(values))),
        ("autocorrelations", stats::autocorrelations(values, 2)),
        ("ljung_box", test(stats::ljung_box(values, 3, 0))),
        ("durbin_watson", one(stats::durbin_watson(values))),
        ("kpss", stats::kpss(values, Bandwidth::Automatic).map(|kpss| vec![kpss.statistic, kpss.p])),
        ("kpss, no lags", stats::kpss(values, Bandwidth::Lags(0)).map(|kpss| vec![kpss.statistic, kpss.p])),
        ("dickey_fuller", stats::dickey_fuller(values, Lags::Akaike).map(|test| vec![test.statistic, test.p])),
        ("dickey_fuller, no lags", stats::dickey_fuller(values, Lags::Fixed(0)).map(|test| vec![test.statistic, test.p])),
        ("pesaran_timmermann", test(stats::pesaran_timmermann(values, other))),
        ("pesaran_timmermann turned", test(stats::pesaran_timmermann(other, values))),
        ("diebold_mariano", test(stats::diebold_mariano(values, other, 2))),
        ("benjamini_hochberg", stats::benjamini_hochberg(values)),
        ("optimal_block_lengths", stats::optimal_block_lengths(values).map(|lengths| vec![lengths.stationary, lengths.circular])),
        ("overfitting", stats::overfitting(&[values, other], 2).map(|found| vec![found.probability, found.mean_logit])),
        ("overfitting of halves", {
            let (left, right) = (&values[..middle], &values[middle..middle * 2]);
            stats::overfitting(&[left, right], 2).map(|found| vec![found.probability, found.mean_logit])
        }),
        ("resampling", {
            Resampler::new(values, 0.0).map(|resampler| {
                let replica = resampler.replicate(Scheme::Stationary(3.0), 1, 1);
                let errors = [replica.sharpe.unwrap_or(0.0), replica.sharpe_error.unwrap_or(0.0)];
                [replica.mean, replica.mean_error, replica.drawdown].into_iter().chain(errors).collect()
            })
        }),
    ]);
    all
}

/// Metrics of part of what they are given, or of a count: what is not looked at does not spoil them.
const LOOKS_AT_PART: [&str; 1] = ["overfitting of halves"];

fn poison() -> impl Strategy<Value = f64> {
    prop_oneof![Just(f64::NAN), Just(-f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
}

fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -0.2..0.2_f64,
        1 => -3.0..3.0_f64,
        1 => Just(0.0),
        1 => Just(-1.0),
        1 => prop::sample::select(vec![1e308, -1e308, f64::MAX, f64::MIN, 1e-308, -1e-320, 1e160, -1e160, 1e-160]),
    ]
}

proptest! {
    #[test]
    fn a_series_that_holds_no_number_has_no_metric(
        values in prop::collection::vec(-0.2..0.2_f64, 12..60),
        poison in poison(),
        at in 0_usize..1_000,
    ) {
        let other: Vec<f64> = values.iter().rev().map(|value| value + 0.001).collect();
        let mut poisoned = values.clone();
        let place = at % values.len();
        poisoned[place] = poison;
        for (name, given) in metrics(&poisoned, &other) {
            if LOOKS_AT_PART.contains(&name) {
                continue;
            }
            prop_assert!(given.is_none(), "{name} of a series with {poison} at {place}: {given:?}");
        }
    }

    #[test]
    fn a_metric_of_numbers_is_a_number_or_undefined(
        values in prop::collection::vec(wild(), 0..60),
        seed in any::<u64>(),
    ) {
        let mut order = vec![0; values.len()];
        Scheme::Circular(1).draw(&mut Generator::new(seed), &mut order);
        let other: Vec<f64> = order.iter().map(|index| values[*index]).collect();
        for (name, given) in metrics(&values, &other) {
            let is_defined = given.iter().flatten().all(|value| value.is_finite());
            prop_assert!(is_defined, "{name}: {given:?}");
        }
    }

    #[test]
    fn a_question_that_is_no_number_has_no_answer(values in prop::collection::vec(-0.2..0.2_f64, 12..40), poison in poison()) {
        let ascending = sorted(&values);
        let fat = |sharpe| Observed { sharpe, count: 50, shape: Shape { skewness: -1.0, kurtosis: 6.0 } };
        for (name, given) in [
            ("sharpe: rate", one(stats::sharpe(&values, poison, 252.0))),
            ("sharpe: periods", one(stats::sharpe(&values, 0.0, poison))),
            ("sortino: required", one(stats::sortino(&values, poison, 252.0))),
            ("sortino: periods", one(stats::sortino(&values, 0.0, poison))),
            ("annual_growth: periods", one(stats::annual_growth(&values, poison))),
            ("annualised_volatility: periods", one(stats::annualised_volatility(&values, poison))),
            ("omega: required", one(stats::omega(&values, poison))),
            ("percentile_rank", one(stats::percentile_rank(&values, poison))),
            ("alpha_beta: rate", stats::alpha_beta(&values, &ascending, poison).map(|line| vec![line.alpha, line.beta])),
            ("quantile", one(stats::quantile_of_sorted(&ascending, poison))),
            ("shortfall", one(stats::expected_shortfall(&ascending, poison))),
            ("t_test: expected", test(stats::t_test(&values, poison))),
            ("resampler: rate", Resampler::new(&values, poison).map(|_| Vec::new())),
            ("studentised: estimate", ends(stats::studentised_interval(poison, 1.0, &ascending, 0.95))),
            ("studentised: error", ends(stats::studentised_interval(0.0, poison, &ascending, 0.95))),
            ("observed: error", one(fat(poison).standard_error())),
            ("observed: interval", ends(fat(poison).interval(0.95))),
            ("observed: level", ends(fat(0.1).interval(poison))),
            ("observed: probability", one(fat(poison).probabilistic(0.0))),
            ("observed: benchmark", one(fat(0.1).probabilistic(poison))),
            ("observed: track record", one(fat(poison).minimum_track_record(0.0, 0.95))),
            ("observed: track record of", one(fat(0.1).minimum_track_record(poison, 0.95))),
            ("observed: trials", one(fat(0.1).deflated(poison, 0.01))),
            ("observed: their variance", one(fat(0.1).deflated(10.0, poison))),
            ("expected_maximum", one(stats::expected_maximum(poison))),
            ("annualising_factor", one(stats::annualising_factor(poison, 12))),
            ("kupiec", test(stats::kupiec(1, 100, poison))),
            ("pass_probability: rate", one(stats::pass_probability(poison, 0.55, 30))),
            ("pass_probability: gate", one(stats::pass_probability(0.5, poison, 30))),
        ] {
            prop_assert!(given.is_none(), "{name} = {poison}: {given:?}");
        }
        for contrast in [(poison, 0.55, 0.05), (0.5, poison, 0.05), (0.5, 0.55, poison)] {
            let contrast = stats::Contrast { base: contrast.0, skilled: contrast.1, false_alarm: contrast.2 };
            prop_assert_eq!(stats::sample_size(contrast, 0.8), None);
            prop_assert_eq!(stats::exact_power(contrast, 30), None);
        }
    }
}
