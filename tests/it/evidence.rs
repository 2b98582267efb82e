//! Distributions, tests, metrics and resampling against scipy, statsmodels, arch and published constants; `tests/oracles/evidence.py`
//! made the numbers.

use pmax::stats;
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../oracles/evidence.json")).unwrap()
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
