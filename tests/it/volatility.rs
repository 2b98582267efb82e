//! Volatility, value at risk and shortfall against arch and scipy; `tests/oracles/volatility.py` made the numbers.

use pmax::market;
use pmax::stats::{self, Garch, Presample, RISK_METRICS};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../oracles/volatility.json")).unwrap()
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} of {row}"))
}

fn close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1.0), "{what}: {ours} against {theirs}");
}

/// Simple returns, in percent, of the latest closes of one instrument of a tape.
fn of_tape(row: &Value) -> Vec<f64> {
    let tape = market::load(row["tape"].as_str().unwrap()).unwrap();
    let (instrument, count) = (number(row, "instrument") as u32, number(row, "count") as usize);
    let mut bars: Vec<_> = tape.bars.iter().filter(|bar| bar.instrument.0 == instrument).collect();
    bars.sort_by_key(|bar| bar.close_at);
    let closes: Vec<f64> = bars[bars.len() - count - 1..].iter().map(|bar| bar.close.to_f64()).collect();
    stats::returns(&closes).into_iter().map(|value| value * 100.0).collect()
}

/// Every series of the fixture with its name, its returns and its row.
fn series() -> Vec<(String, Vec<f64>, Value)> {
    let fixture = fixture();
    let made_up = fixture["made_up"].as_array().unwrap().iter().map(|row| {
        let returns = row["returns"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        (row["name"].to_string(), returns, row.clone())
    });
    let tapes = fixture["tapes"].as_array().unwrap().iter();
    let tapes = tapes.map(|row| (format!("{} {}", row["tape"], row["instrument"]), of_tape(row), row.clone()));
    made_up.chain(tapes).collect()
}

#[test]
fn likelihoods_and_forecasts_at_given_parameters_are_those_of_arch() {
    for (name, returns, row) in series() {
        let centre = stats::mean(&returns).unwrap();
        let residuals: Vec<f64> = returns.iter().map(|value| value - centre).collect();
        close(stats::backcast(&residuals).unwrap(), number(&row, "backcast"), 1e-12, &name);
        close(stats::ewma_variance(&returns, RISK_METRICS).unwrap(), number(&row, "ewma_next_variance"), 1e-11, &name);
        for given in row["given"].as_array().unwrap() {
            let part = |key| number(given, key);
            let model = Garch { mean: part("mean"), omega: part("omega"), alpha: part("alpha"), beta: part("beta") };
            let what = format!("{name} {model:?}");
            let likelihood = |presample| model.log_likelihood(&returns, presample).unwrap();
            close(likelihood(Presample::Backcast), part("log_likelihood"), 1e-12, &what);
            close(model.next_variance(&returns, Presample::Backcast).unwrap(), part("next_variance"), 1e-11, &what);
            // The beginning that the benchmark of Fiorentini, Calzolari and Panattoni has.
            let square = Presample::Variance(part("mean_square"));
            close(likelihood(square), part("log_likelihood_from_mean_square"), 1e-12, &what);
        }
    }
}

#[test]
fn a_fit_is_as_likely_as_the_best_that_others_find() {
    for (name, returns, row) in series() {
        let fit = Garch::fit(&returns).unwrap();
        let best = number(&row, "best_log_likelihood");
        assert!(fit.log_likelihood >= best - 1e-6, "{name}: {fit:?}, {best} is there");
        assert!(fit.log_likelihood <= best + 1e-5, "{name}: {fit:?} beats {best}: what the script calls best is not");
        assert!(fit.model.is_stationary(), "{name}: {fit:?}");
        let what = format!("{name}: {fit:?}");
        close(fit.next_variance, number(&row, "best_next_variance"), 2e-4, &what);
        assert_eq!(Garch::fit(&returns), Some(fit), "{name}: the same in every run");
        // In fractions instead of percent it is the same model.
        let small: Vec<f64> = returns.iter().map(|value| value / 100.0).collect();
        let moved = Garch::fit(&small).unwrap();
        close(moved.log_likelihood, fit.log_likelihood + returns.len() as f64 * 100.0_f64.ln(), 1e-9, &what);
        close(moved.next_variance * 1e4, fit.next_variance, 1e-4, &what);
    }
}

#[test]
fn normal_value_at_risk_and_shortfall_are_those_of_scipy() {
    for row in fixture()["normal"].as_array().unwrap() {
        let part = |key| number(row, key);
        let (mean, volatility, tail) = (part("mean"), part("volatility"), part("tail"));
        let ours = stats::normal_value_at_risk(mean, volatility, tail).unwrap();
        close(ours, part("value_at_risk"), 1e-12, "value at risk");
        let ours = stats::normal_expected_shortfall(mean, volatility, tail).unwrap();
        close(ours, part("expected_shortfall"), 1e-12, "shortfall");
    }
}
