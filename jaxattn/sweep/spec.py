"""What a sweep is asked to do: plain values only, so that it can be written down and hashed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxattn.sweep.axes import Axis

__all__ = ["Layout", "Spec"]


@dataclass(frozen=True)
class Layout:
    """How rows are run; part of what a sweep is, because bits depend on the tile."""

    tile: int | None = None
    """Rows vmapped together; None: what was measured for the model."""
    chunk: int | None = None
    """Rows of a chunk, what one kill can cost; None: as many as the budget of memory allows."""
    pad_segments: bool = False
    """Bags of all lengths on the axis ``segments`` padded by masks into one program."""
    memory: int = 1 << 30
    """Bytes that a process may need for a chunk."""
    groups: tuple[tuple[int, int], ...] | None = None
    """Tile, and tiles of a chunk, of each group; None: not laid out yet."""


@dataclass(frozen=True)
class Spec:
    """A sweep: everything but its axes holds for all runs."""

    task: Mapping[str, Any]
    """``name`` and arguments of its factory."""
    axes: tuple[Axis, ...]
    """In the order of the result's dimensions: ``paradigm`` first, ``seed`` last."""
    model: Mapping[str, Any] | None = None
    """``name`` and arguments of its factory; None: the task's own."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `jaxattn.settings.Settings`, and ``hypers`` that do not vary."""
    processes: tuple[str, ...] = ("train",)
    """train, flow, or both."""
    measures: tuple[str, ...] | None = None
    """Variables to keep; None: all."""
    layout: Layout = Layout()
    keep_params: bool = False
    """Keep the parameters at the end of every run."""
    stop: Mapping[str, Any] | None = None
    """When a row may end before its last step; None: never."""
