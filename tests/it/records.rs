//! What is learnt from a record of signals, against scikit-learn and statsmodels; `tests/oracles/records.py` made the numbers.

use pmax::stats::{self, Clusters, Logistic};
use serde_json::Value;

fn fixture(name: &str) -> Vec<Value> {
    let whole: Value = serde_json::from_str(include_str!("../oracles/records.json")).unwrap();
    whole[name].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn close(ours: f64, theirs: &Value, tolerance: f64, what: &str) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1e-3), "{what}: {ours} against {theirs}");
}

#[test]
fn penalised_curves_are_scikit_learns() {
    for (number, row) in fixture("curves").iter().enumerate() {
        let scores = numbers(&row["scores"]);
        let outcomes: Vec<bool> = row["outcomes"].as_array().unwrap().iter().map(|value| value.as_bool().unwrap()).collect();
        let curve = Logistic::fit(&scores, &outcomes, row["penalty"].as_f64().unwrap()).unwrap();
        close(curve.intercept, &row["intercept"], 1e-6, &format!("intercept of curve {number}"));
        close(curve.slope, &row["slope"], 1e-6, &format!("slope of curve {number}"));
        let stated: Vec<f64> = scores.iter().map(|score| curve.chance(*score)).collect();
        close(stats::brier(&stated, &outcomes).unwrap(), &row["brier"], 1e-9, &format!("Brier score of curve {number}"));
    }
}

#[test]
fn means_of_groups_are_statsmodels() {
    for (number, row) in fixture("clusters").iter().enumerate() {
        let (values, groups) = (numbers(&row["values"]), numbers(&row["groups"]));
        let mut clusters = Clusters::default();
        let mut first = 0;
        for last in 1..=values.len() {
            if last == values.len() || groups[last] > groups[first] {
                clusters.add(values[first..last].iter().sum(), (last - first) as u64);
                first = last;
            }
        }
        let name = |what: &str| format!("{what} of groups {number}");
        close(clusters.mean().unwrap(), &row["mean"], 1e-9, &name("mean"));
        close(clusters.standard_error().unwrap(), &row["error"], 1e-9, &name("error"));
        close(clusters.error_with_neighbours().unwrap(), &row["error_with_neighbours"], 1e-9, &name("error with neighbours"));
        let (once, always) = (clusters.interval_95().unwrap(), clusters.interval_at_every_look(0.05).unwrap());
        // Student's quantile is an expansion, good to 1e-4.
        close(once.low, &row["interval"][0], 1e-4, &name("lower end"));
        close(once.high, &row["interval"][1], 1e-4, &name("upper end"));
        close(always.low, &row["at_every_look"][0], 1e-9, &name("lower bound"));
        close(always.high, &row["at_every_look"][1], 1e-9, &name("upper bound"));
    }
}
