"""Sweeps: what is asked for as groups, rows, tiles and chunks; tiles on devices. Pure."""

from jaxattn.sweep.axes import Axis
from jaxattn.sweep.edges import make_leg_row, run_with_stops
from jaxattn.sweep.groups import Group, make_groups, static_axes, traced_axes
from jaxattn.sweep.layout import Sweep, lay_out, plan_of
from jaxattn.sweep.plan import Chunk, Plan, make_plan
from jaxattn.sweep.reading import from_plain, parse_spec
from jaxattn.sweep.record import difference, spec_hash, spec_json, to_plain
from jaxattn.sweep.run import Row, fetch, make_row, make_runner, make_tile, stack_data
from jaxattn.sweep.spec import Layout, Spec
from jaxattn.sweep.stopping import Stop

__all__ = [
    "Axis",
    "Chunk",
    "Group",
    "Layout",
    "Plan",
    "Row",
    "Spec",
    "Stop",
    "Sweep",
    "difference",
    "fetch",
    "from_plain",
    "lay_out",
    "make_groups",
    "make_leg_row",
    "make_plan",
    "make_row",
    "make_runner",
    "make_tile",
    "parse_spec",
    "plan_of",
    "run_with_stops",
    "spec_hash",
    "spec_json",
    "stack_data",
    "static_axes",
    "to_plain",
    "traced_axes",
]
