"""Lay a sweep out: how many rows are vmapped together, and how many make a chunk."""

from jaxattn.jobs import FLOW_TILE
from jaxattn.sweep import Group, Spec, Sweep, lay_out, make_groups

__all__ = ["laid_out"]

TILES = 8
"""Tiles of a chunk where the budget of memory allows: what one kill can cost."""


def laid_out(spec: Spec) -> Sweep:
    """`spec` with the layout it asks for, and what it leaves open decided.

    A spec that is laid out already stays as it is.
    """
    groups = make_groups(spec)
    if spec.layout.groups is not None:
        return Sweep(spec, groups)
    return lay_out(spec, groups, [_of_group(spec, group) for group in groups])


def _of_group(spec: Spec, group: Group) -> tuple[int, int]:
    own = FLOW_TILE if group.process == "flow" else group.settings.made_model().tile
    tile = spec.layout.tile or own
    return tile, max(1, spec.layout.chunk // tile) if spec.layout.chunk else TILES
