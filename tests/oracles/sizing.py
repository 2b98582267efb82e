#!/usr/bin/env python3
"""Writes sizing.json: Kelly's stake and what the uncertainty of the chance leaves of it.

    pip install numpy==2.4.6 scipy==1.17.1
    python3 tests/oracles/sizing.py

`kelly` holds chance, gain, loss and the share of capital whose expected logarithm of growth, p log(1 + f w) + (1 - p) log(1 - f l), is the
largest: the root of its derivative by scipy's brentq on floats, held against published examples first. `shrinkage` holds chance, gain,
loss, outcomes and Baker and McHale's (2013) factor, here in odds of b to one as they print it; the program has it in gains and losses.
"""

import json
import pathlib

import numpy as np
import scipy
from scipy.optimize import brentq

# Even odds at 53 % and 60 %: 2p - 1. Two to one at one half: p - (1 - p) / 2. A fair game and a losing one: nothing.
PUBLISHED = [(0.53, 1.0, 1.0, 0.06), (0.6, 1.0, 1.0, 0.2), (0.5, 2.0, 1.0, 0.25), (0.5, 1.0, 1.0, 0.0), (0.4, 1.0, 1.0, 0.0)]


def kelly(p, w, l):
    """The share of capital that maximises expected log growth, from its derivative alone."""

    def slope(f):
        return p * w / (1 + f * w) - (1 - p) * l / (1 - f * l)

    if slope(0.0) <= 0:
        return 0.0
    # Only the whole loss of capital is beyond the last point.
    return brentq(slope, 0.0, (1 - 1e-12) / l, xtol=1e-15, rtol=8.9e-16, maxiter=1_000)


def shrinkage(p, w, l, n):
    b = w / l
    edge = (b + 1) * p - 1
    if edge <= 0 or n == 0:
        return 0.0
    variance = p * (1 - p) / n
    return edge**2 / (edge**2 + (b + 1) ** 2 * variance)


def main():
    for p, w, l, expected in PUBLISHED:
        assert abs(kelly(p, w, l) - expected) < 1e-12, (p, w, l, kelly(p, w, l))
    draws = np.random.Generator(np.random.PCG64(20200309))
    cases = [(p, w, l) for p, w, l, _ in PUBLISHED]
    for _ in range(60):
        p, w, l = draws.uniform(0.3, 0.95), draws.uniform(0.005, 0.2), draws.uniform(0.005, 0.2)
        cases.append((float(np.round(p, 6)), float(np.round(w, 6)), float(np.round(l, 6))))
    outcomes = [0, 1, 30, 250, 1000]
    made = {
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "kelly": [(p, w, l, kelly(p, w, l)) for p, w, l in cases],
        "shrinkage": [(p, w, l, outcomes[i % 5], shrinkage(p, w, l, outcomes[i % 5])) for i, (p, w, l) in enumerate(cases)],
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    # Seventeen significant digits are a 64-bit float exactly; Python's repr is the shortest text that reads back as the same.
    rows = [f'"{key}": {json.dumps(value)}'.replace("], [", "],\n  [") for key, value in made.items()]
    path.write_text("{" + ",\n ".join(rows) + "}\n")


if __name__ == "__main__":
    main()
