#!/usr/bin/env python3
"""Writes portfolio.json beside this file: reference numbers for covariances, contributions to risk and target weights.

    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 cvxpy==1.9.3 osqp statsmodels==0.15.0
    python3 tests/oracles/portfolio.py

Covariances come from scikit-learn, lines from scipy. Target weights are stated in cvxpy and solved by OSQP, an operator-splitting method with
polish, which has nothing in common with the interior-point method of `src/portfolio/optimiser.rs`; an answer that cvxpy's other solver does
not share to 1e-7 is refused. 17 significant digits.
"""

import json
import pathlib
from importlib.metadata import version

import cvxpy as cp
import numpy as np
import scipy.stats as st
from sklearn.covariance import ledoit_wolf

from stats import text

HERE = pathlib.Path(__file__).parent
ARRAYS = {name: np.array(values) for name, values in json.loads((HERE / "stats.json").read_text())["arrays"].items()}


def panel(seed, count, size):
    """Returns that share a market, each with its own scale; as many rows as series."""
    draw = np.random.Generator(np.random.PCG64(seed))
    market = draw.standard_normal(count) * 0.01
    own = draw.standard_normal((count, size)) * 0.012
    scale = np.linspace(0.5, 1.8, size)
    return np.round((market[:, None] * np.linspace(1.4, 0.3, size) + own) * scale + 0.0003, 6)


PANELS = {"long": panel(1, 250, 6), "short": panel(2, 20, 9), "single": panel(3, 60, 1)}


def shrunk():
    made = {}
    for name, values in PANELS.items():
        covariance, intensity = ledoit_wolf(values)
        weights = np.linspace(1.0, 2.0, values.shape[1])
        weights /= weights.sum()
        volatility = np.sqrt(weights @ covariance @ weights)
        made[name] = {
            "series": [tuple(column.tolist()) for column in values.T],
            "covariance": [tuple(row.tolist()) for row in np.atleast_2d(covariance)],
            "intensity": float(intensity),
            "weights": tuple(weights.tolist()),
            "volatility": float(volatility),
            "component": tuple((weights * (covariance @ weights) / volatility).tolist()),
        }
    return made


def lines():
    made = {}
    for n in (30, 250):
        found = st.linregress(ARRAYS[f"partner_{n}"] - 0.0001, ARRAYS[f"changes_{n}"] - 0.0001)
        half = st.t.ppf(0.975, n - 2)
        made[str(n)] = {
            "alpha": found.intercept, "alpha_error": found.intercept_stderr, "beta": found.slope, "beta_error": found.stderr,
            "alpha_low": found.intercept - half * found.intercept_stderr, "beta_high": found.slope + half * found.stderr,
        }
    return made


def falls():
    """Number of falls and the mean of their deepest points, by cutting the path at its peaks."""
    made = {}
    for n in (30, 250):
        wealth = np.concatenate([[1.0], np.cumprod(1.0 + ARRAYS[f"changes_{n}"])])
        fall = 1.0 - wealth / np.maximum.accumulate(wealth)
        pieces = [piece for piece in np.split(fall, np.flatnonzero(fall == 0.0)) if len(piece) and piece.max() > 0.0]
        made[str(n)] = {"falls": len(pieces), "average": float(np.mean([piece.max() for piece in pieces]))}
    return made


def problem(name, covariance, held, sectors, invested, position, sector, turnover=None, expected=None, aversion=None):
    size = len(held)
    weights = cp.Variable(size)
    risk = cp.quad_form(weights, cp.psd_wrap(covariance / (np.trace(covariance) / size)))
    rules = [weights >= 0, weights <= position]
    rules += [cp.sum(weights[[i for i in range(size) if sectors[i] == one]]) <= sector for one in sorted(set(sectors))]
    if expected is None:
        goal = cp.Minimize(risk / 2)
        rules.append(cp.sum(weights) == invested)
    else:
        goal = cp.Minimize(risk / 2 - (expected / aversion / (np.trace(covariance) / size)) @ weights)
        rules.append(cp.sum(weights) <= invested)
    if turnover is not None:
        rules.append(cp.norm1(weights - held) <= turnover)
    task = cp.Problem(goal, rules)
    task.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    other, value = weights.value.copy(), task.value
    task.solve(solver=cp.OSQP, eps_abs=1e-11, eps_rel=1e-11, max_iter=2_000_000, polish=True)
    assert task.status == "optimal" and np.abs(weights.value - other).max() < 1e-7, (name, task.status, weights.value, other)
    assert abs(task.value - value) < 1e-9
    made = {"name": name, "covariance": [tuple(row.tolist()) for row in covariance], "held": tuple(map(float, held)),
            "sectors": tuple(sectors), "invested": invested, "position": position, "sector": sector,
            "weights": tuple(np.array(weights.value).tolist())}
    if turnover is not None:
        made["turnover"] = turnover
    if expected is not None:
        made |= {"expected": tuple(expected.tolist()), "aversion": aversion}
    return made


def targets():
    six, nine = (ledoit_wolf(PANELS[name])[0] for name in ("long", "short"))
    none = np.zeros(6)
    held = np.array([0.3, 0.3, 0.0, 0.0, 0.1, 0.1])
    views = np.array([0.0009, 0.0004, 0.0002, 0.0006, -0.0003, 0.0001])
    apart, pairs = [0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2]
    return [
        problem("no cap binds", six, none, apart, 1.0, 1.0, 1.0),
        problem("position cap", six, none, apart, 1.0, 0.25, 1.0),
        problem("sector cap", six, none, pairs, 0.9, 0.6, 0.35),
        problem("half in cash", six, none, pairs, 0.5, 0.2, 0.3),
        problem("turnover cap", six, held, pairs, 0.9, 0.4, 0.6, turnover=0.25),
        problem("a short that must go", six, np.array([-0.1, 0.3, 0.1, 0.1, 0.1, 0.1]), apart, 0.7, 0.4, 1.0, turnover=0.5),
        problem("fewer days than it needs", nine, np.zeros(9), [0, 0, 0, 1, 1, 1, 2, 2, 2], 1.0, 0.3, 0.4),
        problem("views, averse", six, none, apart, 1.0, 0.5, 1.0, expected=views, aversion=12.0),
        problem("views, eager", six, none, pairs, 1.0, 0.4, 0.5, expected=views, aversion=2.0),
        problem("views and turnover", six, held, pairs, 1.0, 0.4, 0.6, turnover=0.3, expected=views, aversion=5.0),
        problem("bad views stay in cash", six, none, apart, 1.0, 0.5, 1.0, expected=np.array([1e-5, -1e-4, -1e-4, 2e-5, -1e-5, -1e-4]),
                aversion=3.0),
    ]


if __name__ == "__main__":
    packages = ("numpy", "scipy", "scikit-learn", "cvxpy", "osqp", "clarabel")
    made = {"versions": {name: version(name) for name in packages}, "shrunk": shrunk(), "lines": lines(), "falls": falls(),
            "targets": targets()}
    out = HERE / "portfolio.json"
    out.write_text(text(made) + "\n", encoding="utf-8")
    print(f"{out.name}: {out.stat().st_size} bytes")
