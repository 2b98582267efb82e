#!/usr/bin/env python3
"""Reference numbers of economic series: python3 economics.py HISTORY > economics.json, where HISTORY is the folder of series."""
import csv
import json
import sys
from pathlib import Path

history = Path(sys.argv[1]) / "from-repos"


def read(path, value):
    with open(history / path, newline="") as file:
        return {row["date"]: float(row[value]) for row in csv.DictReader(file) if row[value] not in ("", ".")}


def months_before(month, count):
    year, number = int(month[:4]), int(month[5:7])
    index = year * 12 + number - 1 - count
    return f"{index // 12:04d}-{index % 12 + 1:02d}-01"


near, far = read("vix/vix_ohlc_1990_2026.csv", "close"), read("vix/vix3m_close_2016_2026.csv", "vix3m_close")
ratios = {day: near[day] / far[day] for day in near if day in far}
in_2020 = {day: ratio for day, ratio in ratios.items() if day.startswith("2020")}
peak = max(in_2020, key=in_2020.get)
ten, two, three = (read(f"macro/{name}.csv", "value") for name in ("DGS10", "DGS2", "T10Y2Y"))
jobs, idle = read("macro/PAYEMS.csv", "value"), read("macro/UNRATE.csv", "value")
change = {m: (jobs[m] - jobs[months_before(m, 3)]) / 3 for m in jobs if months_before(m, 3) in jobs}
above = {}
for month in idle:
    year = [idle[m] for m in (months_before(month, back) for back in range(12)) if m in idle]
    if len(year) >= 9:
        above[month] = idle[month] - min(year)
chosen = ["2001-11-01", "2008-09-01", "2009-03-01", "2010-05-01", "2019-12-01", "2020-04-01", "2021-06-01", "2024-07-01"]
print(json.dumps({
    "backwardation_days_of_2020": sum(ratio > 1 for ratio in in_2020.values()),
    "first_of_2020": min(day for day, ratio in in_2020.items() if ratio > 1),
    "peak_of_2020": [peak, round(in_2020[peak], 6)],
    "contango_days_of_2017": sum(ratio < 0.95 for day, ratio in ratios.items() if day.startswith("2017")),
    "lowest_ten_years_of_2020": min(value for day, value in ten.items() if day.startswith("2020")),
    "inverted_days": sum(round(ten[day] - two[day], 2) < 0 for day in ten if day in two),
    "inverted_days_as_published": sum(three[day] < 0 for day in three if day in ten and day in two),
    "payroll_change": {m: round(change[m], 6) for m in chosen},
    "unemployment_above_low": {m: round(above[m], 6) for m in chosen},
}, indent=1))
