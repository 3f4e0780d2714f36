"""Sweeps: a grid of hyperparameters and seeds as rows, rows as tiles, tiles on devices. Pure."""

from jaxattn.sweep.plan import Chunk, Plan, make_plan
from jaxattn.sweep.run import Row, fetch, make_row, make_runner, stack_data

__all__ = ["Chunk", "Plan", "Row", "fetch", "make_plan", "make_row", "make_runner", "stack_data"]
