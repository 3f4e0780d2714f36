"""How long runs take here, from a few short ones."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np

from jaxattn.run.job import tiles_at_once
from jaxattn.run.runner import Runner
from jaxattn.run.tiles import wait
from jaxattn.study.groups import Group
from jaxattn.study.layout import plan_of
from jaxattn.study.spec import Spec
from jaxattn.study.study import Study, resolve_settings

__all__ = ["TILES_TO_TRY", "Pace", "fastest_tile", "pace_of"]

TILES_TO_TRY = (2, 4, 8, 16, 32, 64, 128)

_SPANS = 5
"""Spans from one save to the next in a short run, at most."""

_STEPS = 500
"""Steps of a short run, about."""


class Pace(NamedTuple):
    """How fast the rows of a group run, as many tiles at once as this machine works on."""

    seconds: float
    """Seconds of one round of tiles."""
    rows: int
    """Rows of a round."""
    compiling: float
    """Seconds that the short run's program took to be made."""


def pace_of(spec: Spec, group: Group, tile: int) -> Pace:
    """How fast rows of `group` run, by short runs of rows from all over it.

    Args:
        spec: what is measured of them.
        group: whose rows they are.
        tile: rows vmapped together.
    """
    devices = jax.local_devices()
    short, share = _shortened(group.study)
    group = replace(group, study=short)
    plan = plan_of(group, tile, 1, by_cost=False)
    runner = Runner(group, plan, spec)
    at_once = min(tiles_at_once(devices), plan.chunk_count)
    spread = np.linspace(0, plan.chunk_count - 1, at_once).round().astype(int)
    rows = np.concatenate([plan.chunk(int(number)).rows for number in spread])
    arguments, seconds = runner.arguments(rows), []
    for _ in range(3):  # the first one compiles
        started = time.perf_counter()
        wait(runner.job.run(*arguments))
        seconds.append(time.perf_counter() - started)
    best = min(seconds[1:])
    return Pace(best / share, rows.size, max(0.0, seconds[0] - best))


def fastest_tile(spec: Spec, group: Group, tiles: Sequence[int]) -> int:
    """The tile of `tiles`, increasing, by which the rows of `group` run fastest here.

    A larger one than two that were no faster is not tried.
    """
    best, fastest, slower = float("inf"), tiles[0], 0
    for tile in tiles:
        pace = pace_of(spec, group, tile)
        slower += 1
        if (each := pace.seconds / pace.rows) < best:
            best, fastest, slower = each, tile, 0
        if slower == 2:
            break
    return fastest


def _shortened(study: Study) -> tuple[Study, float]:
    """A run with as many steps to a save, but fewer of both, and its share of the whole one."""
    spans, whole = len(study.save_steps) - 1, study.settings.steps
    taken = max(
        n for n in range(1, _SPANS + 1) if n == 1 or (n <= spans and n * whole <= _STEPS * spans)
    )
    steps = max(taken, min(round(whole * taken / spans), 2 * _STEPS))
    saves = tuple(np.unique(np.linspace(0, steps, taken + 1).round().astype(int)).tolist())
    short = replace(study.settings, steps=steps, saves=saves)
    return resolve_settings(short, whole=False), steps / whole
