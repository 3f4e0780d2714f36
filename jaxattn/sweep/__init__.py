"""Sweeps: a grid of hyperparameters and seeds as rows, rows as tiles, tiles on devices. Pure."""

from jaxattn.sweep.edges import make_leg_row, run_with_stops
from jaxattn.sweep.plan import Chunk, Plan, make_plan
from jaxattn.sweep.run import Row, fetch, make_row, make_runner, stack_data
from jaxattn.sweep.stopping import Stop

__all__ = [
    "Chunk",
    "Plan",
    "Row",
    "Stop",
    "fetch",
    "make_leg_row",
    "make_plan",
    "make_row",
    "make_runner",
    "run_with_stops",
    "stack_data",
]
