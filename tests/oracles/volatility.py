#!/usr/bin/env python3
"""Writes volatility.json beside this file: what arch and scipy say of the volatility of made-up series and of the bundled tapes.

    pip install numpy==2.4.6 scipy==1.17.1 arch==8.0.0 pyarrow==26.0.1
    python3 tests/oracles/volatility.py

Made-up returns come from numpy's PCG64 with a fixed seed, rounded to six decimals, and stand in the file. Returns of a tape are computed anew
by whoever reads it: simple returns of the latest closes of one instrument, in percent. Likelihoods at given parameters, the variance of the
next day and the backcast are arch's own, without its rescaling; those from the mean square are three lines of numpy. The best likelihood is
the highest that arch's optimiser and scipy's Nelder-Mead from several places find, on the likelihood that was held against arch's.
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
import pyarrow.parquet as pq
from arch import arch_model
from arch.univariate import EWMAVariance, ZeroMean
from scipy.optimize import minimize
from scipy.signal import lfilter
from scipy.stats import norm

HERE = pathlib.Path(__file__).parent
TAPES = HERE.parents[1] / "assets" / "tapes"
GIVEN = [(0.0, 0.05, 0.08, 0.90), (0.05, 0.1, 0.15, 0.8), (-0.02, 0.5, 0.0, 0.3), (0.01, 0.02, 0.05, 0.949)]


def drawn(seed, count, omega, alpha, beta, freedom):
    draw = np.random.Generator(np.random.PCG64(seed))
    variance, values = omega / (1 - alpha - beta), []
    for _ in range(count):
        shock = draw.standard_normal() if freedom is None else draw.standard_t(freedom) * np.sqrt((freedom - 2) / freedom)
        shock *= np.sqrt(variance)
        values.append(round(0.03 + shock, 6))
        variance = omega + alpha * shock**2 + beta * variance
    return values


def of_tape(name, instrument, count):
    table = pq.read_table(TAPES / f"{name}.parquet").to_pylist()
    bars = sorted((bar["close_at"], bar["close"]) for bar in table if bar["instrument"] == instrument)
    closes = np.array([close for _, close in bars[-count - 1 :]]) / 1e9
    return 100.0 * (closes[1:] / closes[:-1] - 1.0)


def variances(x, params, before):
    mu, omega, alpha, beta = params
    squares = (x - mu) ** 2
    moved = omega + alpha * np.concatenate([[before], squares[:-1]])
    # y[t] = moved[t] + beta y[t-1], with y[-1] = before
    return lfilter([1.0], [1.0, -beta], moved, zi=[beta * before])[0], squares


def likelihood(x, params, before):
    variance, squares = variances(x, params, before)
    if not np.all(variance > 0):
        return -np.inf
    return float(-0.5 * np.sum(np.log(2 * np.pi) + np.log(variance) + squares / variance))


def backcast(x):
    weights = 0.94 ** np.arange(min(75, len(x)))
    return float(np.sum((x - x.mean())[:75] ** 2 * weights / weights.sum()))


def best(x, start):
    before = backcast(x)

    def unpack(z):
        both, share = 1 / (1 + np.exp(-z[2])), 1 / (1 + np.exp(-z[3]))
        return z[0], np.exp(z[1]), both * share, both * (1 - share)

    def loss(z):
        return -likelihood(x, unpack(np.clip(z, -40, 17)), before)

    found = [(likelihood(x, start, before), tuple(start))] if start is not None else []
    for both, share in [(0.6, 0.05), (0.9, 0.1), (0.98, 0.05), (0.98, 0.2), (0.7, 0.9), (0.995, 0.01), (0.3, 0.001)]:
        z = np.array([x.mean(), np.log(x.var() * (1 - both)), np.log(both / (1 - both)), np.log(share / (1 - share))])
        for _ in range(4):
            z = minimize(loss, z, method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-13, "maxiter": 8000, "maxfev": 8000}).x
        found.append((-loss(z), unpack(z)))
    return max(found)


def row(x):
    model = arch_model(x, mean="Constant", vol="GARCH", p=1, q=1, rescale=False)
    given = []
    for params in GIVEN:
        fixed = model.fix(params)
        before = backcast(x)
        assert abs(fixed.loglikelihood - likelihood(x, params, before)) < 1e-8 * abs(fixed.loglikelihood), (fixed.loglikelihood, params)
        square = float(np.mean((x - params[0]) ** 2))
        given.append(
            {
                "mean": params[0],
                "omega": params[1],
                "alpha": params[2],
                "beta": params[3],
                "log_likelihood": float(fixed.loglikelihood),
                # From the last of arch's variances; its forecast begins at a backcast of other residuals.
                "next_variance": float(params[1] + params[2] * (x[-1] - params[0]) ** 2 + params[3] * fixed.conditional_volatility[-1] ** 2),
                "mean_square": square,
                "log_likelihood_from_mean_square": likelihood(x, params, square),
            }
        )
    fitted = model.fit(disp="off", show_warning=False, tol=1e-12)
    top, params = best(x, np.asarray(fitted.params))
    ewma = ZeroMean(x, volatility=EWMAVariance(0.94)).fit(disp="off")
    ewma_next = float(ewma.forecast(horizon=1, reindex=False).variance.to_numpy()[-1, 0])
    return {
        "backcast": backcast(x),
        "given": given,
        "best_log_likelihood": top,
        "best": [float(value) for value in params],
        "best_next_variance": float(params[1] + params[2] * (x[-1] - params[0]) ** 2 + params[3] * variances(x, params, backcast(x))[0][-1]),
        "arch_log_likelihood": float(fitted.loglikelihood),
        "ewma_next_variance": ewma_next,
    }


def normal():
    rows = []
    for mean, volatility, tail in [(0.0, 1.0, 0.01), (0.0, 0.013, 0.05), (0.0004, 0.02, 0.01), (-0.001, 0.3, 0.025)]:
        quantile = norm.ppf(tail)
        rows.append(
            {
                "mean": mean,
                "volatility": volatility,
                "tail": tail,
                "value_at_risk": float(-mean - volatility * quantile),
                "expected_shortfall": float(-mean + volatility * norm.pdf(quantile) / tail),
            }
        )
    return rows


if __name__ == "__main__":
    series = {
        "normal_1250": drawn(20260101, 1250, 0.02, 0.09, 0.89, None),
        "fat_500": drawn(20260102, 500, 0.1, 0.15, 0.75, 5),
        "flat_400": drawn(20260103, 400, 1.0, 0.0, 0.0, None),
        "lasting_2000": drawn(20260104, 2000, 0.005, 0.04, 0.955, 6),
    }
    tapes = [("crash-2008", 1, 500), ("crash-2020", 1, 290), ("us20-1990-2022", 12, 1250), ("us20-1990-2022", 17, 3000), ("eurusd-2017", None, 2000)]
    found = []
    for name, instrument, count in tapes:
        table = pq.read_table(TAPES / f"{name}.parquet")
        instrument = instrument or table.column("instrument")[0].as_py()
        x = of_tape(name, instrument, count)
        found.append({"tape": name, "instrument": instrument, "count": count, **row(x)})
    whole = {
        "versions": {name: version(name) for name in ("numpy", "scipy", "arch")},
        "made_up": [{"returns": values, "name": name, **row(np.array(values))} for name, values in series.items()],
        "tapes": found,
        "normal": normal(),
    }
    (HERE / "volatility.json").write_text(json.dumps(whole, indent=None).replace('}, {"', '},\n{"') + "\n")
