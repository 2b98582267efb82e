//! Distributions, tests, metrics and resampling against scipy, statsmodels, arch and published constants; `tests/oracles/evidence.py`
//! made the numbers.

use pmax::stats;
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../oracles/evidence.json")).unwrap()
}

/// The arrays that the reference numbers were computed from.
fn inputs() -> Value {
    let all: Value = serde_json::from_str(include_str!("../oracles/stats.json")).unwrap();
    all["arrays"].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Relative comparison; only an exact zero is compared absolutely.
fn close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    let scale = if theirs == 0.0 { 1e-3 } else { theirs.abs() };
    let error = (ours - theirs).abs() / scale;
    assert!(error <= tolerance, "{what}: {ours:e} against {theirs:e}, off by {error:.1e}");
}

/// Checks every row of a grid: arguments, then the value.
fn grid(name: &str, tolerance: f64, ours: impl Fn(&[f64]) -> Option<f64>) {
    let fixture = fixture();
    let rows = fixture["distributions"][name].as_array().unwrap();
    assert!(rows.len() > 7);
    for row in rows {
        let row = numbers(row);
        let (theirs, arguments) = row.split_last().unwrap();
        close(ours(arguments).unwrap(), *theirs, tolerance, &format!("{name}{arguments:?}"));
    }
}

#[test]
fn distributions_agree_to_twelve_digits() {
    grid("normal_cdf", 1e-12, |a| Some(stats::normal_cdf(a[0])));
    grid("normal_quantile", 1e-12, |a| stats::normal_quantile(a[0]));
    grid("student_t_survival", 1e-12, |a| stats::student_t_survival(a[0], a[1]));
    grid("student_t_quantile", 1e-12, |a| stats::student_t_quantile(a[0], a[1]));
    grid("f_survival", 1e-12, |a| stats::f_survival(a[0], a[1], a[2]));
    grid("f_cdf", 1e-12, |a| stats::f_cdf(a[0], a[1], a[2]));
    grid("chi_squared_survival", 1e-12, |a| stats::chi_squared_survival(a[0], a[1]));
    grid("chi_squared_cdf", 1e-12, |a| stats::chi_squared_cdf(a[0], a[1]));
    grid("binomial_at_least", 1e-12, |a| stats::binomial_at_least(a[0] as u64, a[1] as u64, a[2]));
    grid("binomial_at_most", 1e-12, |a| stats::binomial_at_most(a[0] as u64, a[1] as u64, a[2]));
}

#[test]
fn a_probability_out_of_range_has_no_quantile() {
    for p in [0.0, 1.0, -0.1, f64::NAN] {
        assert_eq!(stats::normal_quantile(p), None);
        assert_eq!(stats::student_t_quantile(p, 5.0), None);
    }
    assert_eq!(stats::student_t_survival(1.0, 0.0), None);
    assert_eq!(stats::f_cdf(1.0, -1.0, 2.0), None);
    assert_eq!(stats::chi_squared_survival(f64::NAN, 2.0), None);
    assert_eq!(stats::binomial_at_least(1, 2, 1.5), None);
}

#[test]
fn metrics_follow_the_named_conventions() {
    let (fixture, inputs) = (fixture(), inputs());
    for (array, theirs) in fixture["metrics"].as_object().unwrap() {
        let values = numbers(&inputs[array]);
        let other = numbers(&inputs[array.replace("changes", "partner")]);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let line = stats::alpha_beta(&values, &other, 0.0001).unwrap();
        let shape = stats::shape(&values).unwrap();
        for (name, ours) in [
            ("sharpe", stats::sharpe(&values, 0.0001, 252.0)),
            ("sortino", stats::sortino(&values, 0.0002, 252.0)),
            ("annual_growth", stats::annual_growth(&values, 252.0)),
            ("calmar", stats::calmar(&values, 252.0)),
            ("omega", stats::omega(&values, 0.001)),
            ("information_ratio", stats::information_ratio(&values, &other, 252.0)),
            ("alpha", Some(line.alpha)),
            ("beta", Some(line.beta)),
            ("skewness", Some(shape.skewness)),
            ("kurtosis", Some(shape.kurtosis)),
            ("var_5", stats::value_at_risk(&sorted, 0.05)),
            ("var_1", stats::value_at_risk(&sorted, 0.01)),
            ("shortfall_5", stats::expected_shortfall(&sorted, 0.05)),
            ("shortfall_1", stats::expected_shortfall(&sorted, 0.01)),
            ("profit_factor", stats::profit_factor(&values)),
            ("hit_rate", stats::hit_rate(&values)),
        ] {
            close(ours.unwrap(), theirs[name].as_f64().unwrap(), 1e-9, &format!("{name} of {array}"));
        }
        let (ours, theirs) = (stats::drawdown(&values).unwrap(), numbers(&theirs["drawdown"]));
        close(ours.depth, theirs[0], 1e-12, "depth");
        assert_eq!([ours.to_trough, ours.longest, ours.under_water].map(|count| count as f64), theirs[1..4]);
        close(ours.at_end, theirs[4], 1e-9, "at the end");
    }
}

#[test]
fn a_metric_without_its_denominator_is_undefined() {
    let (rising, flat) = ([0.01, 0.02, 0.03], [0.01; 5]);
    assert_eq!(stats::sharpe(&flat, 0.0, 252.0), None);
    assert_eq!(stats::sharpe(&[0.01], 0.0, 252.0), None);
    assert_eq!(stats::sortino(&rising, 0.0, 252.0), None);
    assert_eq!(stats::calmar(&rising, 252.0), None);
    assert_eq!(stats::omega(&rising, 0.0), None);
    assert_eq!(stats::profit_factor(&rising), None);
    assert_eq!(stats::shape(&flat), None);
    assert_eq!(stats::drawdown(&[]), None);
    assert_eq!(stats::expected_shortfall(&[], 0.05), None);
    assert_eq!(stats::annual_growth(&[0.1, -1.0], 252.0), None);
    assert_eq!(stats::alpha_beta(&rising, &[0.0; 3], 0.0), None);
    assert_eq!(stats::information_ratio(&rising, &flat, 252.0), None);
}

fn observed(sharpe: f64, count: usize, skewness: f64, kurtosis: f64) -> stats::Observed {
    stats::Observed { sharpe, count, shape: stats::Shape { skewness, kurtosis } }
}

/// Published to four digits; the longer ones follow from the formulas with the paper's inputs.
#[test]
fn published_sharpe_inference_is_reproduced() {
    // Bailey and López de Prado 2014: annual Sharpe 2.5 over five years of 250 days, trials vary by one half a year.
    let daily = 2.5 / 250_f64.sqrt();
    let deflated = |sharpe: stats::Observed, trials| sharpe.deflated(trials, 0.5 / 250.0).unwrap();
    let fat = observed(daily, 1_250, -3.0, 10.0);
    close(stats::expected_maximum(100.0).unwrap() * (0.5_f64 / 250.0).sqrt(), 0.113_172, 1e-5, "benchmark of 100 trials");
    close(deflated(fat, 100.0), 0.900_397, 1e-6, "DSR of 100 trials");
    close(deflated(fat, 46.0), 0.950_502, 1e-6, "DSR of 46 trials");
    close(deflated(observed(daily, 1_250, 0.0, 3.0), 88.0), 0.950_491, 1e-6, "DSR of 88 trials, normal");
    // Bailey and López de Prado 2012: two years of months.
    close(observed(0.458, 24, -2.448, 10.164).probabilistic(0.0).unwrap(), 0.9134, 1e-4, "PSR");
    close(observed(0.458, 24, 0.0, 3.0).probabilistic(0.0).unwrap(), 0.9817, 1e-4, "PSR, normal");
    for (trials, theirs) in [(45.0, 2.2356), (100.0, 2.5306), (1_000.0, 3.2551)] {
        close(stats::expected_maximum(trials).unwrap(), theirs, 2e-5, "expected maximum");
    }
    // Lo 2002, table 1 and 2.
    for (count, theirs) in [(12, 0.354), (60, 0.158), (250, 0.0775)] {
        close(observed(1.0, count, 0.0, 3.0).standard_error().unwrap(), theirs, 2e-3, "Lo's standard error");
    }
    for (rho, theirs) in [(0.5, 2.12), (0.2, 2.88), (0.0, 3.46), (-0.2, 4.17)] {
        close(stats::annualising_factor(rho, 12).unwrap(), theirs, 2e-3, "Lo's factor");
    }
}

#[test]
fn the_minimum_track_record_is_where_the_probability_is_reached() {
    let shape = (-1.2, 7.0);
    let needed = observed(0.1, 10, shape.0, shape.1).minimum_track_record(0.02, 0.95).unwrap();
    let at = |count| observed(0.1, count, shape.0, shape.1).probabilistic(0.02).unwrap();
    assert!(at(needed.floor() as usize) < 0.95 && at(needed.ceil() as usize) >= 0.95);
    assert_eq!(observed(0.1, 10, 0.0, 3.0).minimum_track_record(0.1, 0.95), None);
    assert_eq!(stats::expected_maximum(1.0), None);
}

/// How often "at least 55 % hits" is passed; exact binomial, to the digits that were printed.
#[test]
fn the_false_pass_table_is_reproduced() {
    for (calls, coin, slight, good) in [
        (20, 0.41, 0.52, 0.59),
        (30, 0.29, 0.41, 0.50),
        (120, 0.16, 0.36, 0.54),
        (500, 0.014, 0.20, 0.52),
        (1_000, 0.0009, 0.11, 0.51),
    ] {
        for (rate, printed) in [(0.5, coin), (0.53, slight), (0.55, good)] {
            let ours = stats::pass_probability(rate, 0.55, calls).unwrap();
            let half_a_digit = if printed > 0.1 {
                0.005
            } else if printed > 0.01 {
                0.0005
            } else {
                0.00005
            };
            assert!((ours - printed).abs() <= half_a_digit * 1.02, "{calls} calls at {rate}: {ours} against {printed}");
        }
    }
    let contrast = |skilled| stats::Contrast { base: 0.5, skilled, false_alarm: 0.05 };
    for (skilled, printed) in [(0.55, 616.0), (0.53, 1_715.0), (0.52, 3_862.0)] {
        let ours = stats::sample_size(contrast(skilled), 0.8).unwrap();
        assert!((ours.ceil() - printed).abs() <= 1.0, "{skilled}: {ours}");
    }
    assert_eq!(stats::sample_size(contrast(0.5), 0.8), None);
    let (needed, power) = stats::exact_power(contrast(0.55), 616).unwrap();
    assert!(stats::binomial_at_least(needed, 616, 0.5).unwrap() <= 0.05);
    assert!(stats::binomial_at_least(needed - 1, 616, 0.5).unwrap() > 0.05);
    assert!((0.76..0.83).contains(&power), "{power}");
}

#[test]
fn overfitting_is_counted_over_every_split() {
    let fixture = &fixture()["overfitting"];
    let columns: Vec<Vec<f64>> = fixture["columns"].as_array().unwrap().iter().map(numbers).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let ours = stats::overfitting(&columns, 8).unwrap();
    assert_eq!(ours.splits, fixture["splits"].as_u64().unwrap());
    close(ours.probability, fixture["probability"].as_f64().unwrap(), 1e-12, "probability of overfitting");
    close(ours.mean_logit, fixture["mean_logit"].as_f64().unwrap(), 1e-12, "mean logit");
    let skilled: Vec<f64> = columns[0].iter().map(|value| value + 0.02).collect();
    let with_skill = [columns[1], columns[2], &skilled];
    let ours = stats::overfitting(&with_skill, 16).unwrap();
    assert_eq!((ours.probability, ours.splits), (0.0, 12_870));
    close(ours.mean_logit, 3_f64.ln(), 1e-10, "mean logit of the best of three");
    assert_eq!(stats::overfitting(&columns, 7), None);
    assert_eq!(stats::overfitting(&columns[..1], 8), None);
}

/// A test's statistic and p-value against a row that holds them.
fn tested(ours: Option<stats::Tested>, theirs: &[f64], what: &str) {
    let ours = ours.unwrap();
    close(ours.statistic, theirs[0], 1e-9, &format!("{what}: statistic"));
    close(ours.p, theirs[1], 1e-9, &format!("{what}: p"));
}

#[test]
fn hypothesis_tests_agree_with_scipy_and_statsmodels() {
    let (fixture, inputs) = (fixture(), inputs());
    for n in ["30", "250"] {
        let theirs = &fixture["tests"][n];
        let array = |name: &str| numbers(&inputs[format!("{name}_{n}")]);
        let (a, b, prices, ties) = (array("changes"), array("partner"), array("prices"), array("ties"));
        let small: Vec<f64> = ties.iter().map(|value| value / 1000.0).collect();
        let squares = |values: &[f64]| values.iter().map(|value| value * value).collect::<Vec<f64>>();
        let groups = [a.as_slice(), &b, &small];
        for (name, ours) in [
            ("t_test", stats::t_test(&a, 0.001)),
            ("paired_t_test", stats::paired_t_test(&a, &b)),
            ("welch_t_test", stats::welch_t_test(&a, &b)),
            ("f_test", stats::f_test(&a, &b)),
            ("levene", stats::levene(&groups, stats::Centre::Mean)),
            ("brown_forsythe", stats::levene(&groups, stats::Centre::Median)),
            ("jarque_bera", stats::jarque_bera(&a)),
            ("ljung_box", stats::ljung_box(&a, 10, 2)),
            ("pesaran_timmermann", stats::pesaran_timmermann(&a, &b)),
        ] {
            tested(ours, &numbers(&theirs[name]), &format!("{name} of {n}"));
        }
        close(stats::durbin_watson(&a).unwrap(), numbers(&theirs["durbin_watson"])[0], 1e-9, "Durbin–Watson");
        for (row, horizon) in theirs["diebold_mariano"].as_array().unwrap().iter().zip([1, 3]) {
            tested(stats::diebold_mariano(&squares(&a), &squares(&b), horizon), &numbers(row), "Diebold–Mariano");
        }
        for (kind, values, lags) in [
            ("changes", &a, stats::Lags::Akaike),
            ("prices", &prices, stats::Lags::Akaike),
            ("prices 0", &prices, stats::Lags::Fixed(0)),
            ("changes 3", &a, stats::Lags::Fixed(3)),
            ("ties", &ties, stats::Lags::Akaike),
        ] {
            let (ours, theirs) = (stats::dickey_fuller(values, lags).unwrap(), numbers(&theirs["dickey_fuller"][kind]));
            assert_eq!(ours.lags as f64, theirs[2], "lags of {kind} {n}");
            close(ours.statistic, theirs[0], 1e-9, kind);
            close(ours.p, theirs[1], 1e-7, kind);
        }
        for (kind, values, bandwidth) in [
            ("changes", &a, stats::Bandwidth::Automatic),
            ("prices", &prices, stats::Bandwidth::Automatic),
            ("prices 4", &prices, stats::Bandwidth::Lags(4)),
            ("ties", &ties, stats::Bandwidth::Automatic),
        ] {
            let (ours, theirs) = (stats::kpss(values, bandwidth).unwrap(), numbers(&theirs["kpss"][kind]));
            assert_eq!(ours.lags as f64, theirs[2]);
            close(ours.statistic, theirs[0], 1e-9, kind);
            close(ours.p, theirs[1], 1e-9, kind);
        }
        let mut sorted = a.clone();
        sorted.sort_by(f64::total_cmp);
        let limit = stats::quantile_of_sorted(&sorted, 0.2).unwrap();
        let exceeded: Vec<bool> = a.iter().map(|value| *value < limit).collect();
        let (ours, theirs) = (stats::christoffersen(&exceeded, 0.1).unwrap(), numbers(&theirs["christoffersen"]));
        tested(Some(ours.independence), &theirs[..2], "independence");
        tested(Some(ours.conditional), &theirs[2..], "conditional coverage");
    }
}

#[test]
fn counted_tests_agree_with_statsmodels() {
    let fixture = &fixture()["tests"];
    for row in fixture["mcnemar"].as_array().unwrap() {
        let row = numbers(row);
        tested(stats::mcnemar_exact(row[0] as u64, row[1] as u64), &row[2..4], "McNemar, exact");
        tested(stats::mcnemar_chi_squared(row[0] as u64, row[1] as u64), &row[4..], "McNemar, chi-squared");
    }
    for row in fixture["kupiec"].as_array().unwrap() {
        let row = numbers(row);
        tested(stats::kupiec(row[0] as u64, row[1] as u64, row[2]), &row[3..], "Kupiec");
    }
    let ours = stats::benjamini_hochberg(&numbers(&fixture["benjamini_hochberg"][0])).unwrap();
    for (ours, theirs) in ours.iter().zip(numbers(&fixture["benjamini_hochberg"][1])) {
        close(*ours, theirs, 1e-12, "Benjamini–Hochberg");
    }
}

#[test]
fn a_test_that_cannot_be_made_is_undefined() {
    let (flat, short, line) = ([1.0; 40], [1.0], (0..40).map(f64::from).collect::<Vec<_>>());
    assert_eq!(stats::t_test(&flat, 0.0), None);
    assert_eq!(stats::t_test(&short, 0.0), None);
    assert_eq!(stats::paired_t_test(&line, &short), None);
    assert_eq!(stats::welch_t_test(&line, &flat), None);
    assert_eq!(stats::f_test(&line, &flat), None);
    assert_eq!(stats::levene(&[&line], stats::Centre::Mean), None);
    assert_eq!(stats::levene(&[&flat, &flat], stats::Centre::Median), None);
    assert_eq!(stats::jarque_bera(&flat), None);
    assert_eq!(stats::ljung_box(&line, 40, 0), None);
    assert_eq!(stats::ljung_box(&line, 2, 2), None);
    assert_eq!(stats::durbin_watson(&[0.0, 0.0]), None);
    assert_eq!(stats::dickey_fuller(&flat, stats::Lags::Akaike), None);
    assert_eq!(stats::dickey_fuller(&line, stats::Lags::Akaike), None);
    assert_eq!(stats::dickey_fuller(&line, stats::Lags::Fixed(30)), None);
    assert_eq!(stats::kpss(&flat, stats::Bandwidth::Automatic), None);
    assert_eq!(stats::kpss(&line, stats::Bandwidth::Lags(40)), None);
    assert_eq!(stats::pesaran_timmermann(&flat, &line), None);
    assert_eq!(stats::mcnemar_exact(0, 0), None);
    assert_eq!(stats::diebold_mariano(&line, &line, 1), None);
    assert_eq!(stats::kupiec(1, 10, 0.0), None);
    assert_eq!(stats::christoffersen(&[false, false, true], 0.05), None);
    assert_eq!(stats::benjamini_hochberg(&[0.5, f64::NAN]), None);
}

#[test]
fn the_ends_of_a_distribution_are_defined() {
    assert_eq!(stats::f_cdf(f64::INFINITY, 3.0, 7.0), Some(1.0));
    assert_eq!(stats::f_survival(f64::INFINITY, 3.0, 7.0), Some(0.0));
    assert_eq!(stats::f_cdf(f64::NAN, 3.0, 7.0), None);
}
