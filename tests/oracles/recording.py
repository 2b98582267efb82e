#!/usr/bin/env python3
"""Opens a tape and the prices beside a recording in DuckDB, Polars and pyarrow, and holds what they read against each other.

    pip install duckdb polars pyarrow
    python3 tests/oracles/recording.py TAPE.parquet [PRICES.parquet]
"""

import datetime as dt
import sys

import duckdb
import polars as pl
import pyarrow.parquet as pq


def look(path, time):
    """Rows, first and last time, and the sum of closes or prices by each of the three."""
    value = "close" if time == "open_at" else "last"
    by_duckdb = duckdb.sql(f"select count(*), epoch_ns(min({time})), epoch_ns(max({time})), sum({value}) from '{path}'").fetchall()[0]
    frame = pl.read_parquet(path)
    by_polars = frame.select(pl.len(), pl.col(time).min().dt.epoch("ns").alias("a"), pl.col(time).max().dt.epoch("ns").alias("b"),
                             pl.col(value).sum().alias("c")).row(0)
    table = pq.read_table(path)
    times = table.column(time).cast("int64").to_pylist()
    by_arrow = (len(times), min(times), max(times), sum(table.column(value).to_pylist()))
    assert tuple(by_duckdb) == tuple(by_polars) == by_arrow, (by_duckdb, by_polars, by_arrow)
    clock = lambda nanos: dt.datetime.fromtimestamp(nanos // 10**9, dt.timezone.utc).isoformat()
    print(f"{path}: {by_arrow[0]} rows, {clock(by_arrow[1])} to {clock(by_arrow[2])}, sum of {value} {by_arrow[3]}: all three agree")
    print("  " + ", ".join(f"{name} {kind}" for name, kind in zip(frame.columns, frame.dtypes)))


if __name__ == "__main__":
    look(sys.argv[1], "open_at")
    if len(sys.argv) > 2:
        look(sys.argv[2], "priced_at")
