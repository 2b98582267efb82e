#!/usr/bin/env python3
"""Times pmax beside the libraries that people use for the same work, on the same data and in one run, and prints the ratios.

    pip install -r benches/peers/requirements.txt && python3 benches/peers/peers.py

* bootstrap: 10,000 x 1,250 in blocks of 5, Sharpe ratio and drawdown of each: arch.
* report: what `pmax stats` prints of 1,250 returns but the bootstrap: numpy, scipy, statsmodels.
* backtest: the bars of the tape crash-2008 through an event-driven engine with orders, fills and an account: nautilus_trader and
  backtrader; and, as a bound of what needs no events, vectorbt on arrays of closes. Their rule is the cheapest that trades: long while the close is
  above the one twenty bars ago, one share. Ours is the whole house: two strategies, five layers, checks, records.

Ours come from `cargo bench --bench stats` and `--bench engine -- backtest` (criterion's medians). Theirs are medians of several runs, after one
that does not count; data are loaded and engines are filled before the clock starts.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import pathlib
import statistics
import subprocess
import time
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow.parquet

ROOT = pathlib.Path(__file__).resolve().parents[2]
BACK = 20


def timed(work, prepare=lambda: None, runs=5):
    """Median seconds of `work(prepared)`."""
    taken = []
    for _ in range(runs + 1):
        prepared = prepare()
        began = time.perf_counter()
        work(prepared)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def ours(bench, *filters):
    """Criterion's medians in seconds, by the path of the measurement."""
    subprocess.run(["cargo", "bench", "--bench", bench, "--", *filters], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "criterion"
    return {str(file.parent.parent.relative_to(folder)): json.loads(file.read_text())["median"]["point_estimate"] / 1e9
            for file in folder.rglob("new/estimates.json")}


def returns():
    draw = np.random.Generator(np.random.PCG64(1))
    return 0.0003 + 0.011 * draw.standard_normal(1_250)


def arch_bootstrap(x):
    from arch.bootstrap import StationaryBootstrap

    def both(sample):
        wealth = np.cumprod(1.0 + sample)
        peaks = np.maximum(np.maximum.accumulate(wealth), 1.0)
        return np.array([sample.mean() / sample.std(ddof=1), (1.0 - wealth / peaks).max()])

    return timed(lambda _: StationaryBootstrap(5, x, seed=np.random.default_rng(7)).apply(both, 10_000), runs=3)


def python_report(x):
    import scipy.stats as st
    import statsmodels.api as sm
    from arch.bootstrap import optimal_block_length
    from statsmodels.stats.diagnostic import acorr_ljungbox
    from statsmodels.stats.proportion import proportion_confint
    from statsmodels.stats.stattools import durbin_watson
    from statsmodels.tsa.stattools import adfuller, kpss

    def whole(_):
        n, mean, deviation = len(x), x.mean(), x.std(ddof=1)
        skew, kurtosis = st.skew(x), st.kurtosis(x, fisher=False)
        sharpe = mean / deviation
        error = np.sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / n)
        wealth = np.cumprod(1.0 + x)
        falls = 1.0 - wealth / np.maximum(np.maximum.accumulate(wealth), 1.0)
        ordered = np.sort(x)
        first, second = x[: n // 2], x[n // 2:]
        ratio = first.var(ddof=1) / second.var(ddof=1)
        return (
            mean, st.t.interval(0.95, n - 1, mean, deviation / np.sqrt(n)), wealth[-1] ** (252 / n), sharpe, error, st.norm.cdf(sharpe / error),
            mean / np.sqrt(np.mean(np.minimum(x, 0) ** 2)), falls.max(), x[x > 0].sum() / -x[x < 0].sum(),
            proportion_confint((x > 0).sum(), n, method="wilson"),
            [(np.quantile(ordered, level), ordered[: int(n * level)].mean()) for level in (0.05, 0.01)],
            st.ttest_1samp(x, 0.0), sm.OLS(x, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": 6}).pvalues, st.jarque_bera(x),
            acorr_ljungbox(x, lags=[10]), acorr_ljungbox(x**2, lags=[10]), durbin_watson(x - mean), adfuller(x), kpss(x, nlags="auto"),
            st.f.sf(ratio, n // 2 - 1, n - n // 2 - 1), st.levene(first, second, center="median"), optimal_block_length(x),
        )

    return timed(whole, runs=20)


def bars(name):
    """Frames of open, high, low, close and volume by instrument; where the tape holds closes only, they stand for all four."""
    table = pyarrow.parquet.read_table(ROOT / f"assets/tapes/{name}.parquet").to_pandas()
    found = {}
    for instrument, rows in table.groupby("instrument"):
        frame = rows.set_index(pd.to_datetime(rows["close_at"], utc=True))[["open", "high", "low", "close", "volume"]]
        close = frame["close"]
        prices = frame[["open", "high", "low"]].apply(lambda column: column.fillna(close)).assign(close=close) / 1e9
        found[f"S{instrument}"] = prices.round(2).clip(lower=0.01).assign(volume=1_000_000.0)
    return found


def nautilus(frames, is_trading=True):
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.data import BarType
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
    from nautilus_trader.model.instruments import Equity
    from nautilus_trader.model.objects import Money, Price, Quantity
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.trading.strategy import Strategy

    class Momentum(Strategy):
        """Long one share while the close is above the one twenty bars ago."""

        def __init__(self, kinds):
            super().__init__()
            self.kinds, self.closes, self.is_long = kinds, {}, {}

        def on_start(self):
            for kind in self.kinds:
                self.subscribe_bars(kind)

        def on_bar(self, bar):
            identity = bar.bar_type.instrument_id
            closes = self.closes.setdefault(identity, [])
            closes.append(bar.close.as_double())
            if not is_trading or len(closes) <= BACK or (closes[-1] > closes[-1 - BACK]) == self.is_long.get(identity, False):
                return
            is_long = not self.is_long.get(identity, False)
            self.is_long[identity] = is_long
            side = OrderSide.BUY if is_long else OrderSide.SELL
            self.submit_order(self.order_factory.market(identity, side, Quantity.from_int(1)))

    venue = Venue("SIM")
    made = []
    for name, frame in frames.items():
        equity = Equity(InstrumentId(Symbol(name), venue), Symbol(name), USD, 2, Price.from_str("0.01"), Quantity.from_int(1), 0, 0)
        kind = BarType.from_str(f"{name}.SIM-1-DAY-LAST-EXTERNAL")
        made.append((equity, kind, BarDataWrangler(kind, equity).process(frame)))

    def engine():
        engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        engine.add_venue(venue, OmsType.NETTING, AccountType.MARGIN, [Money(100_000, USD)], base_currency=USD, default_leverage=Decimal(10))
        for equity, _, data in made:
            engine.add_instrument(equity)
            engine.add_data(data)
        engine.add_strategy(Momentum([kind for _, kind, _ in made]))
        return engine

    orders = []

    def play(engine):
        engine.run()
        orders.append(engine.cache.orders_total_count())

    taken = timed(play, engine, runs=5)
    return taken, orders[-1]


def backtrader(frames):
    import backtrader as bt

    class Momentum(bt.Strategy):
        """The same rule."""

        def __init__(self):
            self.count = 0

        def next(self):
            for data in self.datas:
                if len(data) <= BACK:
                    continue
                is_above, is_long = data.close[0] > data.close[-BACK], self.getposition(data).size > 0
                if is_above and not is_long:
                    self.buy(data=data, size=1)
                    self.count += 1
                elif is_long and not is_above:
                    self.sell(data=data, size=1)
                    self.count += 1

    def cerebro(frames=frames):
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.broker.setcash(100_000)
        for name, frame in frames.items():
            cerebro.adddata(bt.feeds.PandasData(dataname=frame.tz_localize(None)), name=name)
        cerebro.addstrategy(Momentum)
        return cerebro

    counts = []
    taken = timed(lambda cerebro: counts.append(cerebro.run()[0].count), cerebro, runs=3)
    return taken, counts[-1]


def vectorbt(frames):
    import vectorbt as vbt

    closes = pd.DataFrame({name: frame["close"] for name, frame in frames.items()}).ffill().bfill()
    above = (closes > closes.shift(BACK)).to_numpy()

    def whole(_):
        portfolio = vbt.Portfolio.from_signals(closes, above, ~above, size=1, init_cash=100_000, cash_sharing=False)
        portfolio.total_return()
        return portfolio.orders.count().sum()

    return timed(whole, runs=5), int(whole(None))


def line(what, seconds, mine, extra=""):
    print(f"{what:<34}{seconds * 1e3:>12.3f} ms   {seconds / mine:>8.1f} x ours   {extra}")


def tried(name, work):
    """A peer that does not install or run is said, not hidden."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return work()
    except Exception as error:  # noqa: BLE001
        print(f"{name:<34}does not run here: {type(error).__name__}: {error}")
        return None


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    mine = ours("stats") | ours("engine", "backtest")
    pick = lambda *words: next(value for name, value in mine.items() if all(word in name for word in words))
    x = returns()

    print("bootstrap 10,000 x 1,250, Sharpe ratio and drawdown")
    two = pick("bootstrap", "two threads")
    line("pmax, two threads", two, two)
    line("pmax, one thread", pick("bootstrap", "one thread"), two)
    line("arch", arch_bootstrap(x), two)

    print("report of 1,250 returns, no bootstrap")
    own = pick("report")
    line("pmax", own, own)
    line("numpy, scipy, statsmodels", python_report(x), own)

    frames = bars("crash-2008")
    count = sum(map(len, frames.values()))
    print(f"backtest, crash-2008, {count:,} bars of {len(frames)} series")
    own = next(value for name, value in mine.items() if name.endswith("crash-2008/bars"))
    rate = lambda seconds, orders: f"{count / seconds / 1e6:.3f} M bars/s" + (f", {orders} orders" if orders else "")
    line("pmax, whole engine", own, own, rate(own, None))
    idle = lambda frames: nautilus(frames, is_trading=False)
    for name, peer in (("nautilus_trader", nautilus), ("nautilus_trader, no orders", idle), ("backtrader", backtrader), ("vectorbt (arrays, no events)", vectorbt)):
        found = tried(name, lambda peer=peer: peer(frames))
        if found:
            line(name, found[0], own, rate(*found))
