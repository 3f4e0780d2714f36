"""Sweeps: a grid of hyperparameters and seeds as rows, rows as tiles, tiles on devices. Pure."""

from jaxattn.sweep.plan import Plan, make_plan
from jaxattn.sweep.run import Row, make_row, make_runner, stack_data

__all__ = ["Plan", "Row", "make_plan", "make_row", "make_runner", "stack_data"]
