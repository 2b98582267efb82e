#!/usr/bin/env python3
"""Makes the economic series in assets/economy from the history folder given as the one argument."""
import csv
import sys
from pathlib import Path

history, out = Path(sys.argv[1]) / "macro", Path(__file__).parent / "economy"
CURVE = {"m1": "yield1m", "m3": "yield3m", "m6": "yield6m", "y1": "yield1y", "y2": "yield2y", "y5": "yield5y", "y10": "yield10y", "y30": "yield30y"}


def write(source, target, key, columns):
    with open(history / source, newline="") as file, open(out / target, "w", newline="") as made:
        rows = csv.writer(made, lineterminator="\n")
        rows.writerow(["period", *columns.values()])
        for row in csv.DictReader(file):
            rows.writerow([row[key], *(row[name] for name in columns)])


write("us_treasury_par_curve_1990_2017.csv", "us_treasury_par_curve.csv", "date", CURVE)
write("us_nonfarm_payroll_2006_2015.csv", "us_nonfarm_payroll.csv", "month", {"nonfarm": "payrolls"})
