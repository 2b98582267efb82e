#!/usr/bin/env python3
"""Writes the same forty days of a share as pandas, Polars and DuckDB write Parquet, into tests/fixtures.

    pip install pandas pyarrow polars duckdb
    python3 tests/oracles/own_parquet.py

The days are the exchange days from 2020-01-02 on, prices are made up: open 100 to 106, high one and a half above, low three quarters below.
"""

import datetime as dt
import decimal
import pathlib

import duckdb
import pandas as pd
import polars as pl

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
CLOSED = {dt.date(2020, 1, 20), dt.date(2020, 2, 17)}


def rows():
    """Date, open, high, low, close, volume."""
    day, made = dt.date(2020, 1, 2), []
    while len(made) < 40:
        if day.weekday() < 5 and day not in CLOSED:
            price = 100 + len(made) % 7
            made.append((day, price, price + 1.5, price - 0.75, price + 0.25, 1000 * (len(made) + 1)))
        day += dt.timedelta(days=1)
    return made


def main():
    names = ["open", "high", "low", "close", "volume"]
    # pandas: the date is an index without a name, in nanoseconds and without a zone; one column says nothing.
    frame = pd.DataFrame([row[1:] for row in rows()], columns=names, index=pd.DatetimeIndex([row[0] for row in rows()]).as_unit("ns"))
    frame["dividends"] = 0.0
    frame.to_parquet(OUT / "own-pandas.parquet")
    # Polars: the open of the session as an instant in microseconds, single precision, a column of symbols.
    opens = [dt.datetime.combine(row[0], dt.time(14, 30), dt.timezone.utc) for row in rows()]
    columns = {"symbol": ["AAPL"] * 40, "ts": opens} | {name: [row[place + 1] for row in rows()] for place, name in enumerate(names)}
    types = {name: pl.Float32 for name in names[:4]} | {"ts": pl.Datetime("us", "UTC")}
    pl.DataFrame(columns, schema_overrides=types).write_parquet(OUT / "own-polars.parquet")
    # DuckDB: dates, decimals, and a row without a price.
    con = duckdb.connect()
    con.execute("create table bars (date date, open decimal(18,4), high decimal(18,4), low decimal(18,4), close decimal(30,6), volume hugeint)")
    for day, *numbers in rows():
        con.execute("insert into bars values (?, ?, ?, ?, ?, ?)", [day] + [decimal.Decimal(str(number)) for number in numbers])
    con.execute("insert into bars values ('2020-03-02', null, null, null, null, null)")
    con.execute(f"copy bars to '{OUT / 'own-duckdb.parquet'}' (format parquet)")


if __name__ == "__main__":
    main()
