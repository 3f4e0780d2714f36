"""The parameters at the end of every run of a sweep, kept by orbax."""

import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxattn.contracts import InputError, Params
from jaxattn.engine.folder import PARAMS, read_spec_in
from jaxattn.sweep import Sweep

__all__ = ["final_params", "write_params"]


def write_params(folder: Path, number: int, params: Params) -> None:
    """Keep the parameters of a chunk, ``[row, ...]``; whole or not at all, which orbax sees to.

    Args:
        folder: of the sweep.
        number: of the chunk.
        params: NumPy arrays.
    """
    import orbax.checkpoint as ocp

    place = _place(folder, number)
    if place.exists():
        # Of a chunk whose own file was not finished, or is computed again.
        shutil.rmtree(place)
    with ocp.StandardCheckpointer() as keeper:
        keeper.save(place, params)


def final_params(folder: Path, number: int, row: int | None = None) -> Params:
    """The parameters that runs of a finished chunk ended with, NumPy arrays ``[row, ...]``.

    Args:
        folder: of a sweep whose spec says ``params = true`` under ``[output]``.
        number: of the chunk.
        row: of the chunk, in the order of its variable ``row``; None: all.

    Raises:
        InputError: no sweep there, it keeps none, or that chunk is not finished.
    """
    import orbax.checkpoint as ocp

    sweep = Sweep.of(read_spec_in(folder))
    if not sweep.spec.keep_params:
        raise InputError(
            f"params: got {str(folder)!r}, a sweep that keeps no parameters; say params = true "
            "under [output] in its spec."
        )
    place = _place(folder, number)
    if not place.is_dir():
        raise InputError(
            f"params: got chunk {number}, expected a finished one of 0 to {sweep.chunk_count - 1}; "
            f"see `jaxattn sweep status {folder}`."
        )
    with ocp.StandardCheckpointer() as keeper:
        found: Any = keeper.restore(place)
    whole = jax.tree.map(np.asarray, found)
    return whole if row is None else jax.tree.map(lambda leaf: leaf[row], whole)


def _place(folder: Path, number: int) -> Path:
    return folder.absolute() / PARAMS / f"{number:07d}"
