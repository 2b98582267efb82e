#!/usr/bin/env python3
"""Finds the days on which breakers trip for a book that is held through the bundled crash tapes, from the bars alone.

    pip install pyarrow==26.0.1 numpy==2.4.6 scipy==1.17.1
    python3 tests/oracles/rehearsal.py

Writes rehearsal.json beside itself; tests/it/rehearsals.rs holds `pmax rehearse` against it. Nothing here is taken from the program: floats
instead of fixed point, every value from the whole history instead of step by step. Every breaker only warns, so that the book stays as it is.
"""

import json
import pathlib
import tomllib
import zoneinfo
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import norm

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
CAPITAL, DAY = 100_000.0, 86_400 * 10**9
LINES = {"drawdown_warning": 0.10, "drawdown": 0.15, "daily_loss": 0.05, "weekly_loss": 0.10}
ESTIMATED = {"value_at_risk": 0.10, "portfolio_risk": 0.15, "correlation_breakdown": 4.0}
SPIKE = 4.0


def risk_date(at):
    local = datetime.fromtimestamp(at / 1e9, timezone.utc).astimezone(NEW_YORK)
    return local.date() + timedelta(days=1) if local.hour >= 17 else local.date()


def deviations(closes):
    """Robust deviations of the log of ten-bar volatility from up to 250 earlier values that share no return with it; NaN below 60."""
    steps = np.diff(np.log(np.array(closes)))
    level = [np.nan] * 10 + [0.5 * np.log(np.mean(steps[k - 10 : k] ** 2)) for k in range(10, len(steps) + 1)]
    found = []
    for k, value in enumerate(level):
        earlier = np.array([x for x in level[max(0, k - 259) : max(0, k - 9)] if np.isfinite(x)])
        if len(earlier) < 60:
            found.append(np.nan)
            continue
        middle = np.median(earlier)
        spread = 1.482602218505602 * np.median(np.abs(earlier - middle))
        found.append((value - middle) / spread if spread > 0 else np.nan)
    return found


def one_day(shares, daily, today):
    """VaR and shortfall at 99 % of these shares of equity on the latest 500 days that all of them have in common, each the larger of the two ways."""
    common = sorted(set.intersection(*(set(daily[n]) for n in shares)))
    common = [day for day in common if day < today][-501:]
    if len(common) < 101:
        return np.nan, np.nan
    closes = {n: np.array([daily[n][day] for day in common]) for n in shares}
    results = sum(share * (closes[n][1:] / closes[n][:-1] - 1) for n, share in shares.items())
    weights = 0.94 ** np.arange(min(75, len(results)))
    variance = np.sum(results[:75] ** 2 * weights) / weights.sum()
    for result in results:
        variance = 0.94 * variance + 0.06 * result**2
    sigma, quantile = np.sqrt(variance), norm.ppf(0.01)
    worst, count = np.sort(results), 0.01 * len(results)
    shortfall = -(worst[: int(count)].sum() + (count - int(count)) * worst[int(count)]) / count
    value_at_risk = max(-np.quantile(results, 0.01), -sigma * quantile)
    return value_at_risk, max(shortfall, sigma * norm.pdf(quantile) / 0.01)


class Correlation:
    """Mean correlation of 20 days of those that closed on the same 21, as Fisher's z, against its own history."""

    def __init__(self):
        self.levels, self.taken = [], None

    def turn(self, daily, today):
        past = {n: [day for day in sorted(closes) if day < today][-21:] for n, closes in daily.items()}
        past = {n: days for n, days in past.items() if len(days) == 21}
        last = max((days[-1] for days in past.values()), default=None)
        if last is None or last == self.taken:
            return
        groups = {}
        for n, days in past.items():
            if days[-1] == last:
                groups.setdefault(tuple(days), []).append([daily[n][day] for day in days])
        group = max(groups.values(), key=len)
        if len(group) < 3:
            return
        self.taken = last
        matrix = np.corrcoef(np.array([np.array(closes[1:]) / closes[:-1] for closes in group]))
        count = len(group)
        self.levels.append(np.arctanh((matrix.sum() - count) / (count * (count - 1))))

    def value(self):
        k = len(self.levels) - 1
        earlier = np.array(self.levels[max(0, k - 269) : max(0, k - 19)])
        if len(earlier) < 60:
            return np.nan
        middle = np.median(earlier)
        return abs(self.levels[k] - middle) / (1.482602218505602 * np.median(np.abs(earlier - middle)))


def trips(name):
    table = pq.read_table(ROOT / "assets" / "tapes" / f"{name}.parquet")
    meta = json.loads(table.schema.metadata[b"pmax.tape"])
    start = int(datetime.fromisoformat(meta["start"].replace("Z", "+00:00")).timestamp()) * 10**9
    known = {row["id"]: row for row in tomllib.loads((ROOT / "config" / "instruments.toml").read_text())["instrument"]}
    bars = table.to_pylist()
    series = {}
    for bar in bars:
        series.setdefault(bar["instrument"], []).append(bar)
    spikes = {}
    for number, own in series.items():
        own.sort(key=lambda bar: bar["close_at"])
        values = deviations([bar["close"] / 1e9 for bar in own])
        spikes[number] = {bar["close_at"]: value for bar, value in zip(own, values)}
    # A bar counts for the risk day that most of it lies in; of a longer one, for that of twelve hours before its close.
    half = lambda bar: min(max(bar["close_at"] - bar["open_at"], 0) // 2, DAY // 2)
    counts_for = {(bar["instrument"], bar["close_at"]): risk_date(bar["close_at"] - half(bar)) for bar in bars}
    events = [(bar["close_at"], 0, bar["instrument"], bar["close"]) for bar in bars]
    events += [(bar["open_at"], 1, bar["instrument"], bar["open"]) for bar in bars if bar["open"] is not None]
    events.sort(key=lambda event: event[:3])
    last_print = {number: own[-1]["close_at"] for number, own in series.items()}

    last, heard, spike, held, cash, now = {}, {}, {}, None, 0.0, 0
    day = week = None
    daily, correlation, traded, values = {}, Correlation(), False, {}
    may_trade = lambda n: known[n].get("tradable", True)

    def estimate():
        shares = {n: quantity * last[n] / equity for n, quantity in held.items()}
        values["value_at_risk"], values["portfolio_risk"] = one_day(shares, daily, date)

    equity = peak = day_opened = week_opened = CAPITAL
    latched, found = set(), []
    for at, kind, number, price in events:
        if held is None and at >= start:
            held = {}
            fits = lambda n: last_print[n] > now and now - heard[n] <= 5 * DAY and known[n].get("tradable", True)
            chosen = [n for n in sorted(last) if fits(n)]
            cash = CAPITAL
            traded = True
            for n in chosen:
                lot = float(known[n]["lot"])
                quantity = np.floor(CAPITAL / len(chosen) / last[n] / lot + 1e-9) * lot
                held[n], cash = quantity, cash - quantity * last[n]
        date = risk_date(at)
        is_new_day = date != day
        if is_new_day:
            monday = date - timedelta(days=date.weekday())
            if monday != week:
                week, week_opened = monday, equity
            day, day_opened = date, equity
            correlation.turn({n: closes for n, closes in daily.items() if may_trade(n)}, date)
            values["correlation_breakdown"] = correlation.value()
            if held is not None:
                estimate()
                traded = False
        now, last[number], heard[number] = at, price / 1e9, at
        if kind == 0:
            spike[number] = spikes[number][at]
            daily.setdefault(number, {})[counts_for[number, at]] = price / 1e9
        if held is None:
            continue
        equity = cash + sum(quantity * last[n] for n, quantity in held.items())
        peak = max(peak, equity)
        fall = 1 - equity / peak
        if kind == 0 and traded:
            estimate()
            traded = False
        values |= {"drawdown_warning": fall, "drawdown": fall, "daily_loss": 1 - equity / day_opened, "weekly_loss": 1 - equity / week_opened}
        if is_new_day:
            lines = LINES | ESTIMATED | {"drawdown": 0.10}
            free = lambda rule, n: not values[rule] >= lines[rule] if rule in lines else not spike[n] >= SPIKE
            latched = {(rule, n) for rule, n in latched if not free(rule, n)}
        beyond = [(rule, 0) for rule, line in LINES.items() if values[rule] >= line]
        if kind == 0 or is_new_day:
            beyond += [(rule, 0) for rule, line in ESTIMATED.items() if values.get(rule, np.nan) >= line]
        if kind == 0 and spike[number] >= SPIKE:
            beyond.append(("volatility_spike", number))
        for trip in beyond:
            if trip not in latched:
                latched.add(trip)
                found.append([str(date), *trip])
    return found


if __name__ == "__main__":
    whole = {name: trips(name) for name in ("crash-2008", "crash-2020")}
    lines = ",\n".join(f'"{name}": [\n' + ",\n".join(json.dumps(trip) for trip in found) + "\n]" for name, found in whole.items())
    (pathlib.Path(__file__).with_name("rehearsal.json")).write_text("{\n" + lines + "\n}\n")
