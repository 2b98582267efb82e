//! Covariances, risk and target weights against scikit-learn, scipy and cvxpy (`tests/oracles/portfolio.py` made the numbers), and under any
//! caps.

use pmax::domain::Ratio;
use pmax::portfolio::{Aim, Caps, Holds, LEAST_OBSERVATIONS, NoAllocation, Target, Wish, estimate, most_invested};
use pmax::stats::{self, Covariance, ledoit_wolf};
use proptest::prelude::*;
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../oracles/portfolio.json")).unwrap()
}

fn inputs(name: &str) -> Vec<f64> {
    let all: Value = serde_json::from_str(include_str!("../oracles/stats.json")).unwrap();
    numbers(&all["arrays"][name])
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    let error = (ours - theirs).abs() / theirs.abs().max(1e-9);
    assert!(error <= tolerance, "{what}: {ours:e} against {theirs:e}, off by {error:.1e}");
}

fn ratio(value: f64) -> Ratio {
    Ratio::from_f64(value).unwrap()
}

#[test]
fn shrunk_covariances_and_their_risk_agree_with_scikit_learn() {
    for (name, theirs) in fixture()["shrunk"].as_object().unwrap() {
        let ours = ledoit_wolf(&rows(&theirs["series"])).unwrap();
        close(ours.intensity, theirs["intensity"].as_f64().unwrap(), 1e-9, &format!("intensity of {name}"));
        for (row, values) in rows(&theirs["covariance"]).iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                close(ours.covariance.at(row, column), *value, 1e-9, &format!("{name}, {row}, {column}"));
            }
        }
        let risk = ours.covariance.risk(&numbers(&theirs["weights"])).unwrap();
        close(risk.volatility, theirs["volatility"].as_f64().unwrap(), 1e-9, "volatility");
        for (ours, theirs) in risk.component.iter().zip(numbers(&theirs["component"])) {
            close(*ours, theirs, 1e-9, "component");
        }
    }
}

#[test]
fn alpha_and_beta_have_the_errors_of_least_squares() {
    for (n, theirs) in fixture()["lines"].as_object().unwrap() {
        let line = stats::alpha_beta(&inputs(&format!("changes_{n}")), &inputs(&format!("partner_{n}")), 0.0001).unwrap();
        let (alpha, beta) = (line.alpha_interval(0.95).unwrap(), line.beta_interval(0.95).unwrap());
        for (name, ours) in [
            ("alpha", line.alpha),
            ("alpha_error", line.alpha_error.unwrap()),
            ("beta", line.beta),
            ("beta_error", line.beta_error.unwrap()),
            ("alpha_low", alpha.low),
            ("beta_high", beta.high),
        ] {
            close(ours, theirs[name].as_f64().unwrap(), 1e-9, &format!("{name} of {n}"));
        }
    }
    let two = stats::alpha_beta(&[0.01, 0.03], &[0.0, 0.01], 0.0).unwrap();
    assert_eq!((two.alpha_error, two.beta_error, two.alpha_interval(0.95)), (None, None, None), "two points leave nothing over");
}

#[test]
fn falls_are_counted_and_averaged() {
    for (n, theirs) in fixture()["falls"].as_object().unwrap() {
        let ours = stats::drawdown(&inputs(&format!("changes_{n}"))).unwrap();
        assert_eq!(ours.falls as u64, theirs["falls"].as_u64().unwrap());
        close(ours.average.unwrap(), theirs["average"].as_f64().unwrap(), 1e-9, "average fall");
    }
    let (rising, two) = (stats::drawdown(&[0.1, 0.1]).unwrap(), stats::drawdown(&[-0.5, 1.0, -0.1, -0.1]).unwrap());
    assert_eq!((rising.falls, rising.average), (0, None));
    assert_eq!(two.falls, 2, "the last one has not ended");
    assert!((two.average.unwrap() - (0.5 + 0.19) / 2.0).abs() < 1e-12);
}

#[test]
fn target_weights_agree_with_cvxpy() {
    let fixture = fixture();
    let problems = fixture["targets"].as_array().unwrap();
    assert!(problems.len() > 10);
    for theirs in problems {
        let name = theirs["name"].as_str().unwrap();
        let covariance = Covariance::from_rows(&rows(&theirs["covariance"])).unwrap();
        let (held, expected) = (numbers(&theirs["held"]), theirs.get("expected").map(numbers));
        let sectors: Vec<usize> = numbers(&theirs["sectors"]).into_iter().map(|sector| sector as usize).collect();
        let share = |name: &str| ratio(theirs[name].as_f64().unwrap());
        let aim = match &expected {
            None => Aim::LeastVariance { invested: share("invested") },
            Some(expected) => Aim::MeanVariance { expected, aversion: theirs["aversion"].as_f64().unwrap() },
        };
        let caps = Caps {
            position: share("position"),
            sector: share("sector"),
            total: share("invested"),
            turnover: theirs.get("turnover").map(|_| share("turnover")),
        };
        let wish = Wish { covariance: &covariance, held: &held, sectors: &sectors, caps, aim };
        let target = wish.grant().unwrap();
        for (index, (ours, theirs)) in target.weights.iter().zip(numbers(&theirs["weights"])).enumerate() {
            assert!((ours - theirs).abs() < 1e-6, "{name}, {index}: {ours} against {theirs}");
        }
        assert_eq!(target.is_turnover_bound, caps.turnover.is_some(), "{name}: those problems are made so that it binds");
    }
}

/// A wish that a test may own.
#[derive(Debug, Clone)]
struct Case {
    covariance: Covariance,
    held: Vec<f64>,
    sectors: Vec<usize>,
    caps: Caps,
    invested: Ratio,
    views: Option<(Vec<f64>, f64)>,
}

impl Case {
    fn grant(&self) -> Result<Target, NoAllocation> {
        let aim = match &self.views {
            None => Aim::LeastVariance { invested: self.invested },
            Some((expected, aversion)) => Aim::MeanVariance { expected, aversion: *aversion },
        };
        let (held, sectors) = (&self.held, &self.sectors);
        Wish { covariance: &self.covariance, held, sectors, caps: self.caps, aim }.grant()
    }
}

fn cases() -> impl Strategy<Value = Case> {
    (2_usize..12).prop_flat_map(|size| {
        let noise = proptest::collection::vec(proptest::collection::vec(-0.04..0.04_f64, 80), size);
        let held = proptest::collection::vec(-0.1..0.3_f64, size);
        let sectors = proptest::collection::vec(0_usize..4, size);
        let shares = (0.05..1.0_f64, 0.1..1.0_f64, 0.3..1.0_f64, proptest::option::of(0.0..1.5_f64), 0.01..=1.0_f64);
        let views = proptest::option::of((proptest::collection::vec(-0.002..0.002_f64, size), 0.5..20.0_f64));
        (noise, held, sectors, shares, views).prop_map(|(noise, held, sectors, shares, views)| {
            let (position, sector, total, turnover, part) = shares;
            let caps =
                Caps { position: ratio(position), sector: ratio(sector), total: ratio(total), turnover: turnover.map(ratio) };
            let invested = ratio(most_invested(&sectors, &caps) * part);
            Case { covariance: ledoit_wolf(&noise).unwrap().covariance, held, sectors, caps, invested, views }
        })
    })
}

/// What the solver may be off by.
const SLACK: f64 = 1e-7;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_allocation_keeps_every_cap(case in cases()) {
        let target = match case.grant() {
            Ok(target) => target,
            // Only a turnover cap can be in the way: everything else was drawn so that it can be.
            Err(NoAllocation::TooFar { allowed, needed }) => {
                prop_assert!(case.caps.turnover.is_some() && needed > allowed - SLACK);
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        let sum: f64 = target.weights.iter().sum();
        prop_assert!(target.weights.iter().all(|weight| *weight >= 0.0 && *weight <= case.caps.position.to_f64()));
        for sector in 0..4 {
            let inside = case.sectors.iter().zip(&target.weights).filter(|(other, _)| **other == sector);
            prop_assert!(inside.map(|(_, weight)| weight).sum::<f64>() <= case.caps.sector.to_f64() + SLACK);
        }
        prop_assert!(sum <= case.caps.total.to_f64() + SLACK && sum <= 1.0 + SLACK);
        if case.views.is_none() {
            prop_assert!((sum - case.invested.to_f64()).abs() < SLACK);
        }
        if let Some(turnover) = case.caps.turnover {
            let changed: f64 = target.weights.iter().zip(&case.held).map(|(target, held)| (target - held).abs()).sum();
            prop_assert!(changed <= turnover.to_f64() + SLACK && (changed - target.turnover).abs() < 1e-12);
        }
    }

    #[test]
    fn no_other_allocation_of_the_same_size_has_less_variance(case in cases(), tilt in proptest::collection::vec(0.0..1.0_f64, 12)) {
        let case = Case { views: None, caps: Caps { turnover: None, ..case.caps }, ..case };
        let target = case.grant().unwrap();
        // Somewhere between the target and any other allocation within the caps: equal parts of what each sector may hold.
        let parts: Vec<f64> = case.sectors.iter().map(|sector| {
            let members = case.sectors.iter().filter(|other| *other == sector).count() as f64;
            case.caps.position.to_f64().min(case.caps.sector.to_f64() / members)
        }).collect();
        let scale = case.invested.to_f64() / parts.iter().sum::<f64>();
        prop_assume!(scale <= 1.0);
        let mix = tilt[0];
        let other: Vec<f64> = parts.iter().zip(&target.weights).map(|(part, best)| mix * part * scale + (1.0 - mix) * best).collect();
        let variance = |weights: &[f64]| case.covariance.risk(weights).unwrap().volatility.powi(2);
        prop_assert!(variance(&target.weights) <= variance(&other) * (1.0 + 1e-7));
    }

    #[test]
    fn the_parts_of_risk_add_up(case in cases(), weights in proptest::collection::vec(-1.0..1.0_f64, 12)) {
        let weights = &weights[..case.covariance.size()];
        let risk = case.covariance.risk(weights).unwrap();
        prop_assert!((risk.component.iter().sum::<f64>() - risk.volatility).abs() < 1e-12);
        // A marginal is a slope: what a small step adds.
        let step: Vec<f64> = weights.iter().enumerate().map(|(index, weight)| weight + if index == 0 { 1e-7 } else { 0.0 }).collect();
        let slope = (case.covariance.risk(&step).unwrap().volatility - risk.volatility) / 1e-7;
        prop_assert!((slope - risk.marginal[0]).abs() < 1e-6, "{slope} {}", risk.marginal[0]);
    }
}

fn plain() -> Case {
    let covariance = Covariance::from_rows(&[vec![4e-4, 1e-4, 0.0], vec![1e-4, 3e-4, 0.0], vec![0.0, 0.0, 1e-4]]).unwrap();
    let caps = Caps { position: ratio(0.5), sector: ratio(0.6), total: Ratio::ONE, turnover: None };
    Case { covariance, held: vec![0.0; 3], sectors: vec![0, 0, 1], caps, invested: ratio(0.9), views: None }
}

#[test]
fn what_binds_is_named() {
    let target = plain().grant().unwrap();
    assert_eq!(target.holds, [Holds::Free, Holds::Free, Holds::Position], "{target:?}");
    let tight = Case { caps: Caps { sector: ratio(0.5), ..plain().caps }, invested: Ratio::ONE, ..plain() };
    let tight = tight.grant().unwrap();
    assert_eq!(tight.holds, [Holds::Sector, Holds::Sector, Holds::Position], "{tight:?}");
    let risky = Covariance::from_rows(&[vec![9e-2, 2e-3, 0.0], vec![2e-3, 1e-4, 0.0], vec![0.0, 0.0, 1e-4]]).unwrap();
    let risky = Case { covariance: risky, ..plain() }.grant().unwrap();
    assert_eq!(risky.holds, [Holds::LongOnly, Holds::Free, Holds::Free], "{risky:?}");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let words = |case: Case| case.grant().unwrap_err().to_string();
    let beyond = Case { caps: Caps { position: ratio(0.1), ..plain().caps }, ..plain() };
    assert_eq!(words(beyond), "90 % of equity cannot be invested: the caps on positions, sectors and the whole allow 30 %");
    let far = Case { caps: Caps { turnover: Some(ratio(0.25)), ..plain().caps }, ..plain() };
    assert_eq!(words(far), "no allocation within the caps can be reached with a turnover of 25 %; the shortest way takes 90 %");
    let nan = Case { held: vec![0.0, f64::NAN, 0.0], ..plain() };
    assert_eq!(nan.grant(), Err(NoAllocation::NotANumber(1)));
    let infinite = Case { views: Some((vec![0.0, 0.0, f64::INFINITY], 3.0)), ..plain() };
    assert_eq!(infinite.grant(), Err(NoAllocation::NotANumber(2)));
    let careless = Case { views: Some((vec![0.0; 3], 0.0)), ..plain() };
    assert_eq!(careless.grant(), Err(NoAllocation::Aversion));
    assert_eq!(Case { held: vec![0.0; 2], ..plain() }.grant(), Err(NoAllocation::Sizes));
    let nothing = Caps { position: Ratio::ZERO, ..plain().caps };
    assert_eq!(Case { caps: nothing, ..plain() }.grant(), Err(NoAllocation::Cap("the cap of a position")));
    let alone = Covariance::from_rows(&[vec![1e-4]]).unwrap();
    assert_eq!(Case { covariance: alone, held: vec![0.0], sectors: vec![0], ..plain() }.grant(), Err(NoAllocation::TooFew(1)));
    let still = Covariance::from_rows(&vec![vec![0.0; 3]; 3]).unwrap();
    assert!(matches!(Case { covariance: still, ..plain() }.grant(), Err(NoAllocation::NotSolved(_))));
}

#[test]
fn an_estimate_refuses_what_it_cannot_rest_on() {
    let wave =
        |shift: usize, count: usize| (0..count).map(|day| ((day * 7 + shift) % 11) as f64 / 500.0 - 0.01).collect::<Vec<f64>>();
    assert_eq!(estimate(&[wave(0, 100)]), Err(NoAllocation::TooFew(1)));
    let have = LEAST_OBSERVATIONS - 1;
    assert_eq!(estimate(&[wave(0, have), wave(3, have)]), Err(NoAllocation::TooShort { have }));
    assert_eq!(estimate(&[wave(0, 100), vec![0.0; 100]]), Err(NoAllocation::Unmoved(1)));
    let broken: Vec<f64> = wave(2, 99).into_iter().chain([f64::NAN]).collect();
    assert_eq!(estimate(&[wave(0, 100), broken]), Err(NoAllocation::NotANumber(1)));
    assert_eq!(estimate(&[wave(0, 100), wave(2, 99)]), Err(NoAllocation::Sizes));
    assert!(estimate(&[wave(0, LEAST_OBSERVATIONS), wave(3, LEAST_OBSERVATIONS)]).is_ok());
}

/// More instruments than days: the sample's own covariance is singular, the shrunk one is not.
#[test]
fn more_instruments_than_days_still_have_one_answer() {
    let mut generator = stats::Generator::new(80);
    let mut returns = || (0..LEAST_OBSERVATIONS).map(|_| generator.normal() * 0.01).collect::<Vec<f64>>();
    let series: Vec<Vec<f64>> = (0..80).map(|_| returns()).collect();
    let shrunk = estimate(&series).unwrap();
    assert!(shrunk.intensity > 0.0 && shrunk.intensity < 1.0);
    let caps = Caps { position: ratio(0.05), sector: ratio(0.5), total: Ratio::ONE, turnover: None };
    let sectors: Vec<usize> = (0..80).map(|index| index % 5).collect();
    let case = Case { covariance: shrunk.covariance, held: vec![0.0; 80], sectors, caps, invested: Ratio::ONE, views: None };
    let first = case.grant().unwrap();
    assert_eq!(first, case.grant().unwrap(), "the same question has the same answer, bit for bit");
    assert!(first.weights.iter().filter(|weight| **weight > 0.0).count() >= 20);
}
