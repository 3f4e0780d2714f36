"""Sweeps: a grid of hyperparameters and seeds as rows, rows as tiles, tiles on devices. Pure."""

from jaxattn.sweep.axes import Axis
from jaxattn.sweep.plan import Chunk, Plan, make_plan
from jaxattn.sweep.reading import from_plain, parse_spec
from jaxattn.sweep.record import difference, spec_hash, spec_json, to_plain
from jaxattn.sweep.run import Row, fetch, make_row, make_runner, stack_data
from jaxattn.sweep.spec import Layout, Spec

__all__ = [
    "Axis",
    "Chunk",
    "Layout",
    "Plan",
    "Row",
    "Spec",
    "difference",
    "fetch",
    "from_plain",
    "make_plan",
    "make_row",
    "make_runner",
    "parse_spec",
    "spec_hash",
    "spec_json",
    "stack_data",
    "to_plain",
]
