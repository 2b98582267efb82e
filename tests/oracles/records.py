#!/usr/bin/env python3
"""Writes records.json beside this file: reference numbers for what is learnt from a record of signals.

    pip install numpy scipy scikit-learn statsmodels
    python3 tests/oracles/records.py

Penalised logistic curves and Brier scores are scikit-learn's, means with errors by group statsmodels'. The error with neighbours and the
bound for every look are their formulas in 40 digits. The inputs stand in the file, rounded to six decimals. 17 significant digits.
"""

import json
import pathlib
from importlib.metadata import version

import mpmath
import numpy as np
import scipy.stats
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

HERE = pathlib.Path(__file__).parent
DRAW = np.random.Generator(np.random.PCG64(20200309))


def curve(count, intercept, slope, penalty):
    """A curve fitted to scores whose chances follow another one."""
    scores = np.round(DRAW.normal(size=count), 6)
    outcomes = DRAW.uniform(size=count) < 1.0 / (1.0 + np.exp(-(intercept + slope * scores)))
    made = LogisticRegression(C=1.0 / penalty, solver="newton-cholesky", tol=1e-14, max_iter=1000)
    made.fit(scores.reshape(-1, 1), outcomes)
    chances = made.predict_proba(scores.reshape(-1, 1))[:, 1]
    return {
        "scores": scores.tolist(),
        "outcomes": outcomes.tolist(),
        "penalty": penalty,
        "intercept": float(made.intercept_[0]),
        "slope": float(made.coef_[0, 0]),
        "brier": float(brier_score_loss(outcomes, chances)),
    }


def groups(sizes, shared):
    """The mean of observations that share a part within their group."""
    values, names = [], []
    for name, size in enumerate(sizes):
        common = DRAW.normal()
        for _ in range(size):
            values.append(round(0.001 + 0.01 * (np.sqrt(shared) * common + np.sqrt(1.0 - shared) * DRAW.normal()), 6))
            names.append(name)
    fitted = sm.OLS(np.array(values), np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(names)}, use_t=True
    )
    mean, error = float(fitted.params[0]), float(fitted.bse[0])
    sums = [mpmath.mpf(0)] * len(sizes)
    for value, name in zip(values, names):
        sums[name] += mpmath.mpf(value) - mpmath.mpf(mean)
    beside = max(sum(one * other for one, other in zip(sums, sums[1:])), mpmath.mpf(0))
    scale = mpmath.mpf(len(sizes)) / (len(sizes) - 1)
    careful = float(mpmath.sqrt(scale * (sum(one * one for one in sums) + 2 * beside)) / len(values))
    half = float(scipy.stats.t.ppf(0.975, len(sizes) - 1)) * careful
    return {
        "values": values,
        "groups": names,
        "mean": mean,
        "error": error,
        "error_with_neighbours": careful,
        "interval": [mean - half, mean + half],
        "at_every_look": at_every_look(mean, careful, len(sizes), "0.05"),
    }


def at_every_look(mean, error, count, false_alarm):
    """Waudby-Smith et al. 2024, theorem 2.2, with the error of a mean in the place of deviation / sqrt(count), tuned to 100."""
    mpmath.mp.dps = 40
    alpha, n, mean, error = mpmath.mpf(false_alarm), mpmath.mpf(count), mpmath.mpf(mean), mpmath.mpf(error)
    tuned = (-2 * mpmath.log(alpha) + mpmath.log(-2 * mpmath.log(alpha)) + 1) / 100
    deviation = error * mpmath.sqrt(n)
    half = deviation * mpmath.sqrt(2 * (n * tuned + 1) / (n * n * tuned) * mpmath.log(mpmath.sqrt(n * tuned + 1) / alpha))
    return [float(mean - half), float(mean + half)]


def main():
    made = {
        "versions": {name: version(name) for name in ("numpy", "scikit-learn", "statsmodels", "mpmath")},
        "curves": [curve(40, 0.2, 0.9, 1.0), curve(300, -0.1, 0.3, 1.0), curve(300, 0.1, 0.0, 25.0), curve(12, 0.0, 8.0, 0.5)],
        "clusters": [groups([1] * 30, 0.0), groups([3, 1, 8, 2, 5, 5, 1, 9, 2, 4], 0.6), groups([20] * 40, 0.5)],
    }
    (HERE / "records.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
