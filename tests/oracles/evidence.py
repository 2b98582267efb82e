#!/usr/bin/env python3
"""Writes evidence.json beside this file: reference numbers for distributions, tests, metrics and resampling of `src/stats`.

    python3 tests/oracles/evidence.py

From scipy, statsmodels and arch where they have the same convention, otherwise a formula in numpy with its source beside it. The
inputs stand in stats.json (arrays of 5, 30 and 250 values) or are written here. 17 significant digits.
"""

import itertools
import json
import pathlib
import warnings
from importlib.metadata import version

import arch.bootstrap
import empyrical
import mpmath
import numpy as np
import scipy
import scipy.signal
import scipy.stats as st
import statsmodels
from scipy.special import xlogy
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.diagnostic import acorr_ljungbox
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.stattools import durbin_watson
from statsmodels.tsa.stattools import adfuller, kpss

from stats import row, text

HERE = pathlib.Path(__file__).parent
ARRAYS = {name: np.array(values) for name, values in json.loads((HERE / "stats.json").read_text())["arrays"].items()}


def distributions():
    """Grids of probabilities and quantiles: rows of arguments, then the value."""
    made = {}
    made["normal_cdf"] = [(x, st.norm.cdf(x)) for x in (-37.0, -20.0, -8.3, -3.0, -1.0, -0.1, 0.0, 1e-9, 0.5, 1.96, 4.0, 7.5)]
    probabilities = (1e-300, 1e-100, 1e-15, 1e-6, 0.001, 0.0749, 0.0751, 0.3, 0.5, 0.62, 0.925, 0.975, 0.9999, 1 - 1e-12)
    made["normal_quantile"] = [(p, st.norm.ppf(p)) for p in probabilities]
    sizes, degrees = (-40.0, -5.5, -2.0, -0.3, 0.0, 1e-6, 0.7, 1.96, 3.3, 12.0, 1000.0), (1.0, 2.0, 3.5, 10.0, 29.0, 100.0, 1249.0, 1e5)
    made["student_t_survival"] = [(x, df, t_above(x, df)) for x in sizes for df in degrees]
    quantiles = (1e-10, 1e-4, 0.01, 0.2, 0.25, 0.26, 0.4999, 0.5, 0.500001, 0.74, 0.76, 0.9, 0.975, 0.9999)
    # scipy's own quantile is good to about 1e-10 here and there: one step of Newton in 40 digits.
    made["student_t_quantile"] = [(p, df, polished(p, df)) for p in quantiles for df in degrees]
    pairs = ((1.0, 1.0), (1.0, 10.0), (2.0, 30.0), (5.0, 2.0), (29.0, 29.0), (249.0, 249.0), (3.0, 5000.0))
    made["f_survival"] = [(x, a, b, st.f.sf(x, a, b)) for x in (1e-6, 0.1, 0.9, 1.0, 1.3, 4.0, 30.0) for a, b in pairs]
    made["f_cdf"] = [(x, a, b, st.f.cdf(x, a, b)) for x in (1e-6, 0.1, 0.9, 1.0, 1.3, 4.0, 30.0) for a, b in pairs]
    grid = [(x, df) for df in (1.0, 2.0, 5.0, 20.0, 100.0, 1000.0) for x in (1e-8, 0.01, 0.5, 1.0, 3.84, 10.0, 55.0, 130.0, 1100.0)]
    # Below the smallest normal number a double has fewer than 16 digits.
    made["chi_squared_survival"] = [(x, df, st.chi2.sf(x, df)) for x, df in grid if st.chi2.sf(x, df) > 1e-290]
    made["chi_squared_cdf"] = [(x, df, st.chi2.cdf(x, df)) for x, df in grid if st.chi2.cdf(x, df) > 1e-290]
    trials = ((1, 1, 0.3), (11, 20, 0.5), (17, 30, 0.5), (275, 500, 0.53), (550, 1000, 0.5), (3, 4000, 0.001), (990, 1000, 0.9), (5100, 10000, 0.5))
    made["binomial_at_least"] = [(k, n, p, exact_tail(k, n, p)) for k, n, p in trials]
    made["binomial_at_most"] = [(k, n, p, 1.0 if k >= n else exact_tail(n - k, n, 1.0 - p)) for k, n, p in trials]
    return made


def polished(p, df):
    """Student's t quantile of the 64-bit number `p` with 40 digits (scipy as the start)."""
    mpmath.mp.dps = 40
    if p == 0.5:
        return 0.0
    want, df = mpmath.mpf(p), mpmath.mpf(df)
    half = want - mpmath.mpf(1) / 2
    def area(t):
        return mpmath.sign(t) * mpmath.betainc(mpmath.mpf(1) / 2, df / 2, 0, t * t / (df + t * t), regularized=True) / 2
    def density(t):
        return (1 + t * t / df) ** (-(df + 1) / 2) / (mpmath.sqrt(df) * mpmath.beta(df / 2, mpmath.mpf(1) / 2))
    t = mpmath.mpf(float(st.t.ppf(p, float(df))))
    for _ in range(4):
        t -= (area(t) - half) / density(t)
    return float(t)


def t_above(x, df):
    """P(t above x) in 40 digits; scipy 1.17 is off by 3e-11 near the middle."""
    mpmath.mp.dps = 40
    x, df = mpmath.mpf(x), mpmath.mpf(df)
    tail = mpmath.betainc(df / 2, mpmath.mpf(1) / 2, 0, df / (df + x * x), regularized=True) / 2
    return float(tail if x >= 0 else 1 - tail)


def exact_tail(k, n, p):
    """P(at least k of n), summed in 40 digits; scipy's own sum is good to about 1e-12 only."""
    mpmath.mp.dps = 40
    p = mpmath.mpf(p)
    return float(mpmath.fsum(mpmath.binomial(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1)))


def hypothesis_tests():
    """Rows of (statistic, p) by test; closed forms in numpy where neither scipy nor statsmodels has the test."""
    warnings.simplefilter("ignore")
    made = {}
    for n in (30, 250):
        a, b, c, prices = (ARRAYS[f"{name}_{n}"] for name in ("changes", "partner", "ties", "prices"))
        both = lambda found: (found.statistic, found.pvalue)
        ratio = np.var(a, ddof=1) / np.var(b, ddof=1)
        ljung = acorr_ljungbox(a, lags=[10], model_df=2).iloc[0]
        made[str(n)] = {
            "t_test": both(st.ttest_1samp(a, 0.001)),
            "paired_t_test": both(st.ttest_rel(a, b)),
            "welch_t_test": both(st.ttest_ind(a, b, equal_var=False)),
            "f_test": (ratio, 2 * min(st.f.cdf(ratio, n - 1, n - 1), st.f.sf(ratio, n - 1, n - 1))),
            "levene": both(st.levene(a, b, c / 1000, center="mean")),
            "brown_forsythe": both(st.levene(a, b, c / 1000, center="median")),
            "jarque_bera": both(st.jarque_bera(a)),
            "ljung_box": (ljung["lb_stat"], ljung["lb_pvalue"]),
            "durbin_watson": (float(durbin_watson(a)),),
            "dickey_fuller": {kind: dickey(values, lags) for kind, values, lags in (
                ("changes", a, None), ("prices", prices, None), ("prices 0", prices, 0), ("changes 3", a, 3), ("ties", c, None))},
            "kpss": {kind: (lambda found: (found[0], found[1], found[2]))(kpss(values, nlags=lags)) for kind, values, lags in (
                ("changes", a, "auto"), ("prices", prices, "auto"), ("prices 4", prices, 4), ("ties", c, "auto"))},
            "pesaran_timmermann": pesaran_timmermann(a, b),
            "diebold_mariano": [diebold_mariano(a**2, b**2, h) for h in (1, 3)],
            "christoffersen": christoffersen(a < np.quantile(a, 0.2), 0.1),
        }
    tables = ((3, 11), (40, 61), (5, 5), (0, 4))
    mc = lambda x, y, exact: mcnemar([[7, x], [y, 9]], exact=exact, correction=True)
    made["mcnemar"] = [(x, y, mc(x, y, True).statistic, mc(x, y, True).pvalue, mc(x, y, False).statistic, mc(x, y, False).pvalue)
                       for x, y in tables]
    made["kupiec"] = [(k, n, p, *kupiec(k, n, p)) for k, n, p in ((5, 250, 0.01), (0, 250, 0.01), (20, 250, 0.05), (250, 250, 0.5))]
    p_values = (0.01, 0.04, 0.03, 0.005, 0.9, 0.2, 0.04)
    made["benjamini_hochberg"] = [p_values, tuple(multipletests(p_values, method="fdr_bh")[1])]
    return made


def dickey(values, lags):
    """Statistic, MacKinnon's p, lags used."""
    found = adfuller(values, maxlag=lags, regression="c", autolag="AIC" if lags is None else None)
    return (found[0], found[1], found[2])


def pesaran_timmermann(actual, forecast):
    """Pesaran and Timmermann 1992, eq. 6."""
    n, y, x = len(actual), np.mean(actual > 0), np.mean(forecast > 0)
    hits, star = np.mean((actual > 0) == (forecast > 0)), y * x + (1 - y) * (1 - x)
    w = ((2 * y - 1) ** 2 * x * (1 - x) + (2 * x - 1) ** 2 * y * (1 - y)) / n + 4 * y * x * (1 - y) * (1 - x) / n**2
    statistic = (hits - star) / np.sqrt(star * (1 - star) / n - w)
    return (statistic, st.norm.sf(statistic))


def diebold_mariano(first, second, h):
    """Diebold and Mariano 1995 with Harvey, Leybourne and Newbold 1997, eq. 8 and 9."""
    d = first - second
    n, c = len(d), d - d.mean()
    v = (c @ c + 2 * sum(c[k:] @ c[:-k] for k in range(1, h))) / n**2
    statistic = d.mean() / np.sqrt(v) * np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    return (statistic, 2 * st.t.sf(abs(statistic), n - 1))


def kupiec(k, n, p):
    """Kupiec 1995: unconditional coverage."""
    statistic = 2 * (xlogy(k, k / n) + xlogy(n - k, 1 - k / n) - xlogy(k, p) - xlogy(n - k, 1 - p))
    return (statistic, st.chi2.sf(statistic, 1))


def christoffersen(hits, p):
    """Christoffersen 1998, section 3: independence, then conditional coverage."""
    n = {(i, j): int(np.sum((hits[:-1] == i) & (hits[1:] == j))) for i in (False, True) for j in (False, True)}
    loglik = lambda a, b: xlogy(a, a / (a + b)) + xlogy(b, b / (a + b))
    free = loglik(n[False, False], n[False, True]) + loglik(n[True, False], n[True, True])
    alone = 2 * (free - loglik(n[False, False] + n[True, False], n[False, True] + n[True, True]))
    both = alone + kupiec(int(hits.sum()), len(hits), p)[0]
    return (alone, st.chi2.sf(alone, 1), both, st.chi2.sf(both, 2))


def bootstrap():
    """Index arrays drawn by arch with statistics in numpy, and arch's block lengths."""
    values = ARRAYS["changes_30"]
    made = {"draws": [], "block_lengths": {}}
    for kind in (arch.bootstrap.StationaryBootstrap, arch.bootstrap.CircularBlockBootstrap):
        drawn = kind(4, values, seed=np.random.default_rng(11))
        for _, _ in zip(range(4), drawn.bootstrap(4)):
            sample = values[drawn.index]
            made["draws"].append({"index": tuple(map(int, drawn.index)), "mean": sample.mean(),
                                  "sharpe": sample.mean() / sample.std(ddof=1), "drawdown": under_water(sample)[0]})
    draw = np.random.Generator(np.random.PCG64(3))
    noise = draw.standard_normal(1000)
    slow = scipy.signal.lfilter([1], [1, -0.7], noise)
    made["slow"] = tuple(np.round(slow, 5).tolist())
    for name, series in (("changes_250", ARRAYS["changes_250"]), ("prices_250", ARRAYS["prices_250"]),
                         ("changes_30", values), ("slow", np.round(slow, 5))):
        found = arch.bootstrap.optimal_block_length(series).iloc[0]
        made["block_lengths"][name] = (found["stationary"], found["circular"])
    return made


def plain(value):
    """Lists of tuples stand one row a line; numpy scalars become numbers."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, tuple):
        return np.array(value, dtype=float)
    return value


def fractional_shortfall(values, level):
    """Rockafellar and Uryasev 2002: the minimum over c of c + E[(loss - c)+] / level, attained at an observation."""
    losses = -values
    return min(c + np.mean(np.maximum(losses - c, 0.0)) / level for c in losses)


def under_water(values):
    """Depth, periods from its peak to its trough, longest run and number of periods below a peak, fall at the end."""
    wealth = np.concatenate([[1.0], np.cumprod(1.0 + values)])
    peaks = np.maximum.accumulate(wealth)
    falls = 1.0 - wealth / peaks
    trough = int(np.argmax(falls))
    runs = "".join("x" if fall > 0 else " " for fall in falls).split()
    peak = int(np.flatnonzero(wealth[: trough + 1] == peaks[trough])[-1])
    return (falls.max(), trough - peak, max(map(len, runs), default=0), int((falls > 0).sum()), falls[-1])


def metrics():
    """Metrics of returns: empyrical where it has the convention, numpy otherwise."""
    made = {}
    for n in (30, 250):
        values, other = ARRAYS[f"changes_{n}"], ARRAYS[f"partner_{n}"]
        alpha_beta = np.linalg.lstsq(np.column_stack([np.ones(n), other - 0.0001]), values - 0.0001, rcond=None)[0]
        made[f"changes_{n}"] = {
            "sharpe": empyrical.sharpe_ratio(values, risk_free=0.0001, annualization=252),
            "sortino": empyrical.sortino_ratio(values, required_return=0.0002, annualization=252),
            "annual_growth": empyrical.annual_return(values, annualization=252),
            "calmar": empyrical.calmar_ratio(values, annualization=252),
            "omega": empyrical.omega_ratio(values, required_return=0.001, annualization=1),
            "information_ratio": np.sqrt(252) * np.mean(values - other) / np.std(values - other, ddof=1),
            "alpha": alpha_beta[0], "beta": alpha_beta[1],
            "drawdown": tuple(map(float, under_water(values))),
            "skewness": st.skew(values), "kurtosis": st.kurtosis(values, fisher=False),
            "var_5": -empyrical.value_at_risk(values, cutoff=0.05), "var_1": -np.quantile(values, 0.01),
            "shortfall_5": fractional_shortfall(values, 0.05), "shortfall_1": fractional_shortfall(values, 0.01),
            "profit_factor": values[values > 0].sum() / -values[values < 0].sum(),
            "hit_rate": np.mean(values > 0),
        }
    return made


def overfitting():
    """CSCV written out with itertools (Bailey, Borwein, Lopez de Prado and Zhu 2017, section 2.3), a second time and another way."""
    draw = np.random.Generator(np.random.PCG64(7))
    columns = np.round(draw.standard_normal((6, 67)) * 0.01, 6)
    slices, length = 8, 8
    blocks = columns[:, 67 - slices * length :].reshape(6, slices, length)
    logits = []
    for inside in itertools.combinations(range(slices), slices // 2):
        outside = [index for index in range(slices) if index not in inside]
        quality = lambda part: (lambda x: x.mean(1) / x.std(1, ddof=1))(blocks[:, list(part)].reshape(6, -1))
        rank = st.rankdata(quality(outside))[np.argmax(quality(inside))] / 7
        logits.append(np.log(rank / (1 - rank)))
    return {"columns": [tuple(column.tolist()) for column in columns], "slices": slices, "splits": len(logits),
            "probability": np.mean(np.array(logits) <= 0), "mean_logit": np.mean(logits)}


SECTIONS = {"distributions": distributions, "metrics": metrics, "overfitting": overfitting, "tests": hypothesis_tests, "bootstrap": bootstrap}


if __name__ == "__main__":
    made = {"versions": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__,
                          "arch": arch.__version__, "empyrical-reloaded": version("empyrical-reloaded"), "mpmath": mpmath.__version__}}
    made |= {name: plain(section()) for name, section in SECTIONS.items()}
    out = HERE / "evidence.json"
    out.write_text(text(made) + "\n", encoding="utf-8")
    print(f"{out.name}: {out.stat().st_size} bytes")
