#!/usr/bin/env python3
"""Writes report.json beside this file, and the two small files of tests/fixtures that it is about: what `pmax stats` must say of them.

    python3 tests/oracles/report.py

Metrics and tests come from scipy, statsmodels, empyrical and arch, otherwise from a line of numpy; the series from numpy's PCG64 with a fixed
seed: fat tails, and calm and nervous times. Numbers are written so that they are read back exactly.
"""

import json
import pathlib
import warnings
from importlib.metadata import version

import arch.bootstrap
import empyrical
import numpy as np
import scipy
import scipy.stats as st
import statsmodels
import statsmodels.api as sm
from statsmodels.stats.diagnostic import acorr_ljungbox
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.stattools import durbin_watson
from statsmodels.tsa.stattools import adfuller, kpss

from evidence import fractional_shortfall, under_water

HERE = pathlib.Path(__file__).parent
FIXTURES = HERE.parent / "fixtures"
COUNT = 400


def series():
    """Returns with a memory of volatility, rounded to six decimals, and the business days they are from."""
    draw = np.random.Generator(np.random.PCG64(20261127))
    variance, values = 1.0, []
    for _ in range(COUNT):
        shock = np.sqrt(variance) * draw.standard_t(6) * np.sqrt(4 / 6)
        variance = 0.06 + 0.14 * shock**2 + 0.80 * variance
        values.append(round(0.0006 + 0.01 * shock, 6))
    days = np.busday_offset("2019-01-02", np.arange(COUNT + 1), roll="forward")
    return np.array(values), [str(day) for day in days]


def write(returns, days):
    rows = "".join(f"{day},{value:.6f}\n" for day, value in zip(days[1:], returns))
    (FIXTURES / "returns.csv").write_text("date,return\n" + rows, encoding="utf-8")
    prices = np.round(100.0 * np.cumprod(np.concatenate([[1.0], 1.0 + returns])), 4)
    rows = "".join(f"{day};{price + 1:.4f};{price:.4f}\n" for day, price in zip(days, prices))
    (FIXTURES / "prices.csv").write_text("date;high;close\n" + rows, encoding="utf-8")
    return prices[1:] / prices[:-1] - 1.0


def interval(low, high):
    return {"low": low, "high": high}


def report(x, periods):
    """The metrics of a report, under the names that the command gives them."""
    n, root = len(x), np.sqrt(periods)
    sharpe = x.mean() / x.std(ddof=1)
    skew, kurtosis = st.skew(x), st.kurtosis(x, fisher=False)
    variance = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
    half = st.norm.ppf(0.975) * np.sqrt(variance / n)
    mean_half = st.t.ppf(0.975, n - 1) * x.std(ddof=1) / np.sqrt(n)
    depth, to_trough, longest, _, _ = under_water(x)
    gains = int((x > 0).sum())
    low, high = proportion_confint(gains, n, method="wilson")
    growth = empyrical.annual_return(x, annualization=periods)
    return {
        "count": n, "periods_per_year": periods, "mean": x.mean(), "mean_interval": interval(x.mean() - mean_half, x.mean() + mean_half),
        "deviation": x.std(ddof=1), "annual_mean": x.mean() * periods, "annual_growth": growth,
        "total_return": empyrical.cum_returns_final(x), "volatility": empyrical.annual_volatility(x, annualization=periods),
        "skewness": skew, "kurtosis": kurtosis, "sharpe": empyrical.sharpe_ratio(x, annualization=periods),
        "sharpe_interval": interval(root * (sharpe - half), root * (sharpe + half)),
        "above_zero": st.norm.cdf(sharpe / np.sqrt(variance / (n - 1))),
        "returns_needed": 1 + variance * (st.norm.ppf(0.95) / sharpe) ** 2 if sharpe > 0 else None,
        "sortino": empyrical.sortino_ratio(x, annualization=periods), "calmar": growth / depth,
        "omega": empyrical.omega_ratio(x, annualization=1),
        "drawdown": {"depth": depth, "to_trough": to_trough, "longest": longest},
        "gains": gains, "hit_rate": gains / n, "hit_interval": interval(low, high),
        "losses": [{"level": level, "value_at_risk": -np.quantile(x, level), "expected_shortfall": fractional_shortfall(x, level)}
                   for level in (0.05, 0.01)],
    }


def checks(x):
    """Statistic and p-value by the name of what is supposed."""
    warnings.simplefilter("ignore")
    n, both = len(x), lambda found: (found.statistic, found.pvalue)
    ljung = lambda values: acorr_ljungbox(values, lags=[10]).iloc[0][["lb_stat", "lb_pvalue"]].tolist()
    lags = int(4 * (n / 100) ** (2 / 9))
    robust = sm.OLS(x, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    first, second = x[: n // 2], x[n // 2:]
    ratio = first.var(ddof=1) / second.var(ddof=1)
    tails = (st.f.cdf(ratio, len(first) - 1, len(second) - 1), st.f.sf(ratio, len(first) - 1, len(second) - 1))
    return {
        "mean_zero": both(st.ttest_1samp(x, 0.0)),
        "mean_zero_robust": (robust.tvalues[0], robust.pvalues[0]),
        "normal": both(st.jarque_bera(x)),
        "no_memory": tuple(ljung(x)), "no_memory_of_squares": tuple(ljung(x**2)),
        "no_step": (float(durbin_watson(x - x.mean())),),
        "unit_root": tuple(adfuller(x, regression="c", autolag="AIC")[:2]),
        "steady_level": tuple(kpss(x, nlags="auto")[:2]),
        "equal_halves": (ratio, 2 * min(tails)),
        "equal_halves_robust": both(st.levene(first, second, center="median")),
    }


def resampled(x):
    """arch's block lengths, and intervals by arch's own draws: what another generator says, good to its own chance only."""
    lengths = [float(arch.bootstrap.optimal_block_length(values).iloc[0]["stationary"]) for values in (x, x**2)]
    length = max(lengths)
    drawn = arch.bootstrap.StationaryBootstrap(length, x, seed=np.random.default_rng(5))
    means, falls = [], []
    for data, _ in drawn.bootstrap(10_000):
        means.append(data[0].mean())
        falls.append(under_water(data[0])[0])
    ends = lambda values: interval(*np.quantile(values, [0.025, 0.975]))
    return {"block_length": length, "mean_interval": ends(means), "drawdown_range": ends(falls)}


def whole(x, periods):
    return {"report": report(x, periods), "checks": {name: list(map(float, pair)) for name, pair in checks(x).items()}, "bootstrap": resampled(x)}


def numbers(value):
    """Python's own numbers."""
    if isinstance(value, dict):
        return {key: numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbers(inner) for inner in value]
    return value.item() if isinstance(value, np.generic) else value


if __name__ == "__main__":
    returns, days = series()
    of_prices = write(returns, days)
    made = {"versions": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__,
                         "arch": arch.__version__, "empyrical-reloaded": version("empyrical-reloaded")}}
    made |= {"returns": whole(returns, 252), "prices": whole(of_prices, 252)}
    out = HERE / "report.json"
    out.write_text(json.dumps(numbers(made), indent=1) + "\n", encoding="utf-8")
    print(f"{out.name}: {out.stat().st_size} bytes")
