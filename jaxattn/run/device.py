"""What a device is, and what follows from it: how many rows go through it together.

A CPU is fastest where a tile stays in its cache. An accelerator runs one kernel after the other,
and only many rows fill it.
"""

from typing import NamedTuple

import jax

__all__ = ["WIDER", "Facts", "budget_of", "facts_here", "rows_together"]

WIDER = 32
"""Rows of an accelerator's tile for each one of a CPU's: 64 to 512 rows a call, by the model."""

IN_FLIGHT = 2
"""Tiles of a device at one time: one runs, and one is handed on or waits."""

COPIES = 8
"""Copies of its parameters that a row works with: parameters, gradient, an optimiser's moments, and
as many again while a step makes new ones."""


class Facts(NamedTuple):
    """What decides how rows are laid out on a device."""

    platform: str
    """cpu, gpu or tpu."""
    kind: str
    """As its maker calls it."""
    memory: int | None
    """Bytes of its own that JAX may use; None: it shares the host's, or does not say."""


def facts_here() -> Facts:
    """Of the first device of this process; all are taken to be of one kind."""
    device = jax.local_devices()[0]
    known = device.memory_stats() or {} if device.platform != "cpu" else {}
    return Facts(device.platform, device.device_kind, known.get("bytes_limit"))


def rows_together(usual: int, device: Facts, params: int) -> int:
    """Rows that are vmapped together: the same for every row of a study, however many it has.

    Args:
        usual: how many a CPU takes.
        device: where they run.
        params: bytes of the parameters of one row.

    Returns:
        On an accelerator `WIDER` times as many, halved until they take half of its memory at most.
    """
    if device.platform == "cpu":
        return usual
    rows = WIDER * usual
    if device.memory is not None:
        while rows > usual and IN_FLIGHT * rows * COPIES * params > device.memory // 2:
            rows //= 2
    return rows


def budget_of(device: Facts, host: int) -> int:
    """Bytes that a chunk may take on a device.

    Args:
        device: where it runs.
        host: bytes that it may take of the host: where a device has no memory of its own, or does
            not say how much, those.
    """
    return host if device.memory is None else device.memory
