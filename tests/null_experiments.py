"""Experiments by the thousand in which paradigms are alike, or differ by so much: arrays only.

``python tests/null_experiments.py`` writes the table of docs/statistics.md.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations

import numpy as np

from jaxattn.analysis.pairs import paired
from jaxattn.analysis.verdicts import verdicts

SIDES = np.array(list(combinations(range(4), 2))).T
"""Of every pair of four paradigms."""

END = 10.0
ENDS = np.array([np.inf, np.inf, np.inf, np.inf, END, np.inf])
"""When the runs of `alike` end: the fifth of its quantities is a time."""

SEEDS = (6, 8, 16, 64)

Table = Mapping[str, np.ndarray]
Make = Callable[[np.random.Generator, int], np.ndarray]


def alike(rng: np.random.Generator, seeds: int, rates: int = 1) -> np.ndarray:
    """``[paradigm, rate, quantity, seed]``: exchangeable within a seed, quantities correlated.

    A seed's start is good or bad for all paradigms; a run is good or bad in all its quantities,
    which are normal, heavy-tailed, skewed, discrete, a time at times censored, and normal again.
    """
    start = 2 * rng.normal(size=(1, 1, 1, seeds))
    luck, shape = rng.normal(size=(4, rates, 1, seeds)), (4, rates, seeds)
    own = [
        rng.normal(size=shape),
        rng.standard_t(3, size=shape),
        rng.exponential(size=shape),
        np.round(rng.normal(size=shape)),
        6 + 4 * rng.exponential(size=shape),
        rng.normal(size=shape),
    ]
    values = start + luck + np.stack(own, axis=2)
    time = values[:, :, 4]
    values[:, :, 4] = np.where(time > END, np.inf, time)
    return values


def at_best_rates(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Each paradigm at the rate of its least mean validation loss, chosen by all seeds.

    The validation loss is what the first quantity is on test, but for the examples: the luck of a
    run is in both.
    """
    validation = values[:, :, 0] + 0.5 * rng.normal(size=values[:, :, 0].shape)
    return values[np.arange(len(values)), validation.mean(-1).argmin(-1)]


def one_has_a_choice(rng: np.random.Generator, seeds: int) -> np.ndarray:
    """At their best rates all are alike; one paradigm has three such rates, the others one."""
    values = alike(rng, seeds, 3)
    values[1:, 1:, 0] += 100.0
    return at_best_rates(rng, values)


def one_skewed(rng: np.random.Generator, seeds: int) -> np.ndarray:
    """``[paradigm, 1, seed]``: all means are 0, and the first paradigm's runs are skewed."""
    values = rng.normal(size=(4, 1, seeds))
    values[0] = 2 * (rng.exponential(size=(1, seeds)) - 1)
    return values


def one_better(rng: np.random.Generator, seeds: int, effect: float) -> np.ndarray:
    """``[paradigm, 6, seed]``: the first pair differs in one quantity.

    By so many standard deviations of a paired difference.
    """
    values = rng.normal(size=(4, 6, seeds)) / np.sqrt(2)
    values[0, 0] += effect
    return values


def judged(values: np.ndarray, ends: np.ndarray | float = np.inf) -> Table:
    """The verdicts of all pairs in all quantities, of ``[paradigm, quantity, seed]``."""
    a, b = (values[side].reshape(-1, values.shape[-1]) for side in SIDES)
    end = np.broadcast_to(np.ravel(ends), (SIDES.shape[1], values.shape[1])).reshape(-1, 1)
    pairs = paired(a, b, np.broadcast_to(end, a.shape), 1e-12)
    return verdicts(pairs, np.full(len(a), np.nan), 0.05)


def any_differs(table: Table) -> bool:
    """Whether an experiment names a difference."""
    return bool((table["verdict"] == "differs").any())


def all_covered(table: Table, truth: np.ndarray) -> bool:
    """Whether every interval holds what many seeds would give, ``[paradigm, quantity]``."""
    a, b = (truth[side].reshape(-1) for side in SIDES)
    return bool(((table["low"] <= a - b) & (a - b <= table["high"])).all())


def _lines(experiments: int) -> Iterator[str]:
    """The table, line by line."""
    rng = np.random.default_rng(0)
    tried: dict[str, Callable[[int], bool]] = {
        "all alike": lambda n: any_differs(judged(alike(rng, n)[:, 0], ENDS)),
        "all alike, best of three rates": lambda n: any_differs(
            judged(at_best_rates(rng, alike(rng, n, 3)), ENDS)
        ),
        "alike, but one has three best rates": lambda n: any_differs(
            judged(one_has_a_choice(rng, n), ENDS)
        ),
        "equal means, one skewed": lambda n: any_differs(judged(one_skewed(rng, n))),
    }
    for effect in (0.5, 1.0, 1.5, 2.0):
        tried[f"a difference of {effect} standard deviations is found"] = partial(
            _is_found, rng, effect
        )
    yield "| % of experiments | " + " | ".join(f"{n} seeds" for n in SEEDS) + " |"
    yield "| --- " * (len(SEEDS) + 1) + "|"
    for text, names in tried.items():
        shares = (100 * np.mean([names(n) for _ in range(experiments)]) for n in SEEDS)
        yield f"| {text} | " + " | ".join(f"{share:.1f}" for share in shares) + " |"


def _is_found(rng: np.random.Generator, effect: float, seeds: int) -> bool:
    return bool(judged(one_better(rng, seeds, effect))["verdict"][0] == "differs")


if __name__ == "__main__":
    for written in _lines(500):
        sys.stdout.write(f"{written}\n")
        sys.stdout.flush()
