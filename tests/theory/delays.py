"""What the delays are held against: their integral by mpmath, along the orbit of `oracle`."""

from itertools import pairwise

import mpmath as mp
import numpy as np
from scipy.special import wrightomega
from theory import oracle

SIZES = [(2, 2), (5, 3), (100, 1000), (2, 10**6), (10**6, 2), (10**6, 10**6)]
DIGITS = 30
PANELS = np.linspace(0.0, 45.0, 121).tolist()
"""The integrand is analytic to 0.2 from the real line, and ends as e^-45."""
NODES, WEIGHTS = (part.tolist() for part in np.polynomial.legendre.leggauss(24))


def delay(paradigm: str, segments: int, classes: int) -> mp.mpf:
    """``-1 + int (1/mu' - w - b) ds`` from 0, with the nodes and weights of double precision."""
    with mp.workdps(DIGITS):
        m, c = mp.mpf(segments), mp.mpf(classes)
        limit = c / mp.log(c) if paradigm == "hard" else c / (c - 1)
        total = mp.mpf(0)
        for left, right in pairwise(PANELS):
            for node, weight in zip(NODES, WEIGHTS, strict=True):
                s = mp.mpf((left + right + (right - left) * node) / 2)
                # Not 1/mu' less w, which is all of it late: w / odds, and e^-g for LVML.
                rest = (mp.exp(s) + c - 1) / odds(oracle.potential(paradigm, s, c), m)
                if paradigm == "lvml":
                    rest *= (mp.exp(s) + c - 1) * mp.exp(-s) / c
                total += weight * (rest - limit)
        return total * PANELS[1] / 2 - 1


def odds(height: mp.mpf, m: mp.mpf) -> mp.mpf:
    """``e^nu / (m-1)`` where A(nu) is `height`: the x with ``x + log x = height + ...``.

    `oracle.focus` is for t up to 1e12; later it starts too far from its root.
    """
    level = height + 1 / (m - 1) - mp.log(m - 1)
    x = mp.mpf(float(wrightomega(float(level))))
    for _ in range(2):
        x *= (1 + level - mp.log(x)) / (1 + x)
    return x
