//! The quadratic programme behind a target allocation, handed to Clarabel (Goulart and Chen 2024), an interior-point solver.
//!
//! Weights come first; where turnover counts, as many sizes of changes follow them. The objective is divided by the mean variance, so that
//! the solver's tolerances mean the same for quiet and for wild markets.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SolverStatus, SupportedConeT, ZeroConeT};

use crate::portfolio::allocation::{Aim, NoAllocation, Wish};

/// Relative and absolute tolerance of the solver, on a problem whose objective is about 1.
const TOLERANCE: f64 = 1e-10;
/// Most steps; a problem takes ten to twenty.
const MOST_STEPS: u32 = 200;
/// Below this a weight is the solver's rounding.
const DUST: f64 = 1e-8;

/// A sparse matrix being written down.
#[derive(Default)]
struct Entries {
    rows: Vec<usize>,
    columns: Vec<usize>,
    values: Vec<f64>,
}

impl Entries {
    fn put(&mut self, row: usize, column: usize, value: f64) {
        self.rows.push(row);
        self.columns.push(column);
        self.values.push(value);
    }

    fn matrix(self, rows: usize, columns: usize) -> CscMatrix<f64> {
        CscMatrix::new_from_triplets(rows, columns, self.rows, self.columns, self.values)
    }
}

/// Rules `row × variables ≤ bound`, the first `equal` of them with `=`.
#[derive(Default)]
struct Rules {
    entries: Entries,
    bounds: Vec<f64>,
    equal: usize,
}

impl Rules {
    fn at_most(&mut self, row: impl IntoIterator<Item = (usize, f64)>, bound: f64) {
        for (column, value) in row {
            self.entries.put(self.bounds.len(), column, value);
        }
        self.bounds.push(bound);
    }

    /// Those of a wish; with `measures`, changes are variables of their own.
    fn of(wish: &Wish<'_>, measures: bool) -> Self {
        let size = wish.held.len();
        let mut rules = Self::default();
        let all = || (0..size).map(|index| (index, 1.0));
        let caps = &wish.caps;
        match wish.aim {
            Aim::LeastVariance { invested } => {
                rules.at_most(all(), invested.to_f64());
                rules.equal = 1;
            }
            Aim::MeanVariance { .. } => rules.at_most(all(), caps.total.to_f64()),
        }
        for index in 0..size {
            rules.at_most([(index, -1.0)], 0.0);
            rules.at_most([(index, 1.0)], caps.position.to_f64());
        }
        let sectors: std::collections::BTreeSet<usize> = wish.sectors.iter().copied().collect();
        for sector in sectors {
            let members = wish.sectors.iter().enumerate().filter(|(_, other)| **other == sector);
            rules.at_most(members.map(|(index, _)| (index, 1.0)), caps.sector.to_f64());
        }
        if measures {
            for (index, held) in wish.held.iter().enumerate() {
                rules.at_most([(index, 1.0), (size + index, -1.0)], *held);
                rules.at_most([(index, -1.0), (size + index, -1.0)], -held);
            }
        }
        rules
    }
}

/// The weights. `Ok(None)` where no weights are within all rules.
pub(super) fn solve(wish: &Wish<'_>) -> Result<Option<Vec<f64>>, NoAllocation> {
    let size = wish.held.len();
    let scale = wish.covariance.mean_variance();
    if !(scale.is_finite() && scale > 0.0) {
        return Err(NoAllocation::NotSolved("nothing varies".to_owned()));
    }
    let mut quadratic = Entries::default();
    for column in 0..size {
        for row in 0..=column {
            quadratic.put(row, column, wish.covariance.at(row, column) / scale);
        }
    }
    let variables = if wish.caps.turnover.is_some() { 2 * size } else { size };
    let mut linear = vec![0.0; variables];
    if let Aim::MeanVariance { expected, aversion } = wish.aim {
        for (place, expected) in linear.iter_mut().zip(expected) {
            *place = -expected / (aversion * scale);
        }
    }
    let mut rules = Rules::of(wish, wish.caps.turnover.is_some());
    if let Some(turnover) = wish.caps.turnover {
        rules.at_most((size..variables).map(|index| (index, 1.0)), turnover.to_f64());
    }
    let found = run(quadratic.matrix(variables, variables), &linear, rules)?;
    let cap = wish.caps.position.to_f64();
    let tidy = |weight: f64| if weight < DUST { 0.0 } else { weight.min(cap) };
    Ok(found.map(|found| found.into_iter().take(size).map(tidy).collect()))
}

/// The least turnover that leads from the present book to any weights within the caps.
pub(super) fn shortest_way(wish: &Wish<'_>) -> Result<f64, NoAllocation> {
    let size = wish.held.len();
    let linear: Vec<f64> = std::iter::repeat_n(0.0, size).chain(std::iter::repeat_n(1.0, size)).collect();
    let nothing = Entries::default().matrix(2 * size, 2 * size);
    let found = run(nothing, &linear, Rules::of(wish, true))?;
    let found = found.ok_or_else(|| NoAllocation::NotSolved("no allocation is within all caps".to_owned()))?;
    Ok(found.iter().skip(size).sum())
}

fn run(quadratic: CscMatrix<f64>, linear: &[f64], rules: Rules) -> Result<Option<Vec<f64>>, NoAllocation> {
    let Rules { entries, bounds, equal } = rules;
    let matrix = entries.matrix(bounds.len(), linear.len());
    let cones: Vec<SupportedConeT<f64>> = vec![ZeroConeT(equal), NonnegativeConeT(bounds.len() - equal)];
    let settings = DefaultSettings {
        verbose: false,
        max_iter: MOST_STEPS,
        // One thread: the same steps on every machine.
        max_threads: 1,
        tol_gap_abs: TOLERANCE,
        tol_gap_rel: TOLERANCE,
        tol_feas: TOLERANCE,
        ..DefaultSettings::default()
    };
    let refuse = |why: String| NoAllocation::NotSolved(why);
    let mut solver =
        DefaultSolver::new(&quadratic, linear, &matrix, &bounds, &cones, settings).map_err(|error| refuse(error.to_string()))?;
    solver.solve();
    let solution = &solver.solution;
    match solution.status {
        SolverStatus::Solved if solution.x.iter().all(|value| value.is_finite()) => Ok(Some(solution.x.clone())),
        SolverStatus::PrimalInfeasible => Ok(None),
        other => Err(refuse(format!("{other:?} after {} steps", solution.iterations))),
    }
}
