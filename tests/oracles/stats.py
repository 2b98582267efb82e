#!/usr/bin/env python3
"""Writes stats.json beside this file: reference numbers for `src/stats` from numpy, scipy and statsmodels.

    python3 tests/oracles/stats.py

Every array that a number was computed from stands in the file, so nobody has to draw it again. Results are written with 17
significant digits, inputs with the six decimals they are rounded to; both give back the same 64-bit float.
"""

import json
import math
import pathlib

import numpy as np
import scipy
import scipy.stats
import statsmodels
from statsmodels.stats.proportion import proportion_confint

SEED = 20200309
LENGTHS = (5, 30, 250)
AVERAGES = {5: (1, 2, 3, 5), 30: (1, 5, 10, 20, 30), 250: (1, 20, 50, 200, 250)}
WILSON = ((0, 1), (1, 1), (0, 10), (5, 10), (10, 10), (1, 3), (2, 7), (18, 30), (27, 60), (55, 100), (450, 1000), (999, 1000))
DEGREES = (1, 2, 5, 10, 29, 30, 100, 1000)


def arrays():
    """Input arrays by name: small returns, another correlated series, positive prices, and values with ties."""
    draw = np.random.Generator(np.random.PCG64(SEED))
    made = {}
    for length in LENGTHS:
        changes = draw.standard_normal(length) * 0.02 + 0.0005
        partner = 0.6 * changes + draw.standard_normal(length) * 0.015
        walk = 100.0 * np.cumprod(1.0 + draw.standard_normal(length) * 0.03)
        levels = draw.integers(0, max(3, length // 4), length).astype(float)
        for name, values in (("changes", changes), ("partner", partner), ("prices", walk), ("ties", levels)):
            made[f"{name}_{length}"] = np.round(values, 6)
    # The last value of five random ones need not tie; here it does.
    made["ties_5"] = np.array([2.0, 1.0, 2.0, 3.0, 2.0])
    made["rising_5"] = np.array([100.0, 101.0, 102.5, 102.5, 110.0])
    made["falls_at_once_5"] = np.array([100.0, 80.0, 90.0, 70.0, 95.0])
    return made


def t_test(values):
    """One-sample t statistic against zero and its two-sided p-value."""
    found = scipy.stats.ttest_1samp(values, 0.0)
    return {"t": found.statistic, "p": found.pvalue, "df": int(found.df)}


def simple_returns(prices):
    """`x[i] / x[i-1] - 1`."""
    return prices[1:] / prices[:-1] - 1.0


def max_drawdown(equity):
    """Largest fall from the running peak as a positive share of that peak; the first value counts as a peak."""
    return np.max(1.0 - equity / np.maximum.accumulate(equity))


def moving_average(values, length):
    """Means of every full window of this length, oldest first."""
    return np.lib.stride_tricks.sliding_window_view(values, length).mean(axis=1)


def percentile_rank(values):
    """Rank of the last value within the array that holds it: (strictly below + half the ties, itself included) / n."""
    return scipy.stats.percentileofscore(values, values[-1], kind="mean") / 100.0


def oracle():
    """Everything that is written."""
    inputs = arrays()
    interval = lambda k, n: proportion_confint(k, n, alpha=0.05, method="wilson")
    of = lambda prefix: [name for name in inputs if name.startswith(prefix)]
    return {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
        "seed": SEED,
        "arrays": {name: tuple(values.tolist()) for name, values in inputs.items()},
        "mean": {name: np.mean(values) for name, values in inputs.items()},
        "standard_deviation": {name: np.std(values, ddof=1) for name, values in inputs.items()},
        "simple_returns": {name: simple_returns(inputs[name]) for name in of("prices")},
        "wilson_95": [{"k": k, "n": n, "low": interval(k, n)[0], "high": interval(k, n)[1]} for k, n in WILSON],
        "t_test": {name: t_test(inputs[name]) for name in of("changes") + of("partner")},
        "correlation": [
            {"left": f"changes_{n}", "right": f"{other}_{n}",
             "r": scipy.stats.pearsonr(inputs[f"changes_{n}"], inputs[f"{other}_{n}"]).statistic}
            for n in LENGTHS for other in ("partner", "prices")
        ],
        "moving_average": [
            {"array": f"prices_{n}", "length": length, "values": moving_average(inputs[f"prices_{n}"], length)}
            for n in LENGTHS for length in AVERAGES[n]
        ],
        "percentile_rank_of_last": {name: percentile_rank(values) for name, values in inputs.items()},
        "max_drawdown": {name: max_drawdown(inputs[name]) for name in of("prices") + of("rising") + of("falls")},
        "student_t_two_sided_95": [{"df": df, "quantile": scipy.stats.t.ppf(0.975, df)} for df in DEGREES],
    }


def text(value, depth=0):
    """JSON with floats of 17 significant digits; an array stands on one line."""
    if isinstance(value, dict):
        pad = "  " * (depth + 1)
        lines = [f"{pad}{json.dumps(key)}: {text(inner, depth + 1)}" for key, inner in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"
    if isinstance(value, list):
        pad = "  " * (depth + 1)
        return "[\n" + ",\n".join(pad + row(inner) for inner in value) + "\n" + "  " * depth + "]"
    return row(value)


def row(value):
    """One value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {row(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(repr(inner) for inner in value) + "]"
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(row(inner) for inner in value) + "]"
    if isinstance(value, (float, np.floating)):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot stand in JSON")
        return f"{float(value):.17g}"
    return json.dumps(value)


if __name__ == "__main__":
    out = pathlib.Path(__file__).with_name("stats.json")
    out.write_text(text(oracle()) + "\n", encoding="utf-8")
    print(f"{out.name}: {out.stat().st_size} bytes")
