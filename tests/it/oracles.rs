//! Statistics against numpy, scipy and statsmodels; `tests/oracles/stats.py` made the numbers.

use pmax::stats;
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../oracles/stats.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    let scale = theirs.abs().max(1e-12);
    assert!((ours - theirs).abs() <= tolerance * scale.max(1e-3), "{what}: {ours} against {theirs}");
}

/// Checks a statistic of single arrays.
fn check(name: &str, tolerance: f64, ours: impl Fn(&[f64]) -> Option<f64>) {
    let fixture = fixture();
    let expected = fixture[name].as_object().unwrap();
    assert!(!expected.is_empty());
    for (array, theirs) in expected {
        let values = numbers(&fixture["arrays"][array]);
        close(ours(&values).unwrap(), theirs.as_f64().unwrap(), tolerance, &format!("{name} of {array}"));
    }
}

#[test]
fn descriptive_statistics() {
    check("mean", 1e-9, stats::mean);
    check("standard_deviation", 1e-9, stats::standard_deviation);
    check("max_drawdown", 1e-9, stats::max_drawdown);
    check("percentile_rank_of_last", 1e-12, |values| stats::percentile_rank(values, *values.last().unwrap()));
}

#[test]
fn returns_correlations_and_averages() {
    let fixture = fixture();
    for (array, theirs) in fixture["simple_returns"].as_object().unwrap() {
        let ours = stats::returns(&numbers(&fixture["arrays"][array]));
        assert_eq!(ours.len(), theirs.as_array().unwrap().len());
        for (ours, theirs) in ours.iter().zip(numbers(theirs)) {
            close(*ours, theirs, 1e-9, array);
        }
    }
    for row in fixture["correlation"].as_array().unwrap() {
        let array = |side: &str| numbers(&fixture["arrays"][row[side].as_str().unwrap()]);
        close(stats::correlation(&array("left"), &array("right")).unwrap(), row["r"].as_f64().unwrap(), 1e-9, "correlation");
    }
    for row in fixture["moving_average"].as_array().unwrap() {
        let values = numbers(&fixture["arrays"][row["array"].as_str().unwrap()]);
        let length = usize::try_from(row["length"].as_u64().unwrap()).unwrap();
        let ours: Vec<f64> = (length..=values.len()).map(|end| stats::moving_average(&values[..end], length).unwrap()).collect();
        for (ours, theirs) in ours.iter().zip(numbers(&row["values"])) {
            close(*ours, theirs, 1e-9, "moving average");
        }
    }
}

#[test]
fn intervals_and_tests() {
    let fixture = fixture();
    for row in fixture["wilson_95"].as_array().unwrap() {
        let ours = stats::wilson_95(row["k"].as_u64().unwrap(), row["n"].as_u64().unwrap()).unwrap();
        close(ours.low, row["low"].as_f64().unwrap(), 1e-9, "Wilson low");
        close(ours.high, row["high"].as_f64().unwrap(), 1e-9, "Wilson high");
    }
    for (array, theirs) in fixture["t_test"].as_object().unwrap() {
        let ours = stats::t_statistic(&numbers(&fixture["arrays"][array])).unwrap();
        close(ours, theirs["t"].as_f64().unwrap(), 1e-9, "t");
    }
    for row in fixture["student_t_two_sided_95"].as_array().unwrap() {
        close(stats::student_t_975(row["df"].as_u64().unwrap()), row["quantile"].as_f64().unwrap(), 1e-6, "t quantile");
    }
}

#[test]
fn what_is_undefined_is_none() {
    assert_eq!(stats::mean(&[]), None);
    assert_eq!(stats::standard_deviation(&[1.0]), None);
    assert_eq!(stats::t_statistic(&[2.0, 2.0, 2.0]), None);
    assert_eq!(stats::correlation(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
    assert_eq!(stats::wilson_95(0, 0), None);
    assert_eq!(stats::moving_average(&[1.0], 2), None);
    assert_eq!(stats::max_drawdown(&[]), None);
}
