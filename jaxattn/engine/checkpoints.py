"""The parameters at the end of every run of a sweep, kept by orbax."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
import xarray as xr

from jaxattn.core.contracts import InputError, Params
from jaxattn.engine.directory import PARAMS, read_spec_in
from jaxattn.results.files import open_run
from jaxattn.study.groups import THEORY
from jaxattn.study.layout import Sweep

__all__ = ["final_params", "write_params"]


def write_params(folder: Path, number: int, params: Params) -> None:
    """Keep the parameters of a chunk, ``[row, ...]``; whole or not at all, which orbax sees to.

    Args:
        folder: the sweep's directory.
        number: which chunk.
        params: NumPy arrays.
    """
    place = _place(folder, number)
    if place.exists():
        # Of a chunk whose own file was not finished, or is computed again.
        shutil.rmtree(place)
    place.parent.mkdir(exist_ok=True)
    with _plain_name(place.parent) as parent, _keeper() as keeper:
        keeper.save(parent / place.name, params)


def final_params(folder: Path, labels: Mapping[str, Any]) -> Params:
    """The parameters that one run ended with (or stopped with), as NumPy arrays.

    Args:
        folder: the directory of a sweep whose spec says ``params = true`` under ``[output]``.
        labels: where the run is: a label of each dimension that runs differ by. One of a single
            label may be left out. Numbers need not be exact: the nearest label is taken.

    Raises:
        InputError: no sweep there, it keeps no parameters, no such run, or it is not finished.
    """
    sweep = Sweep.of(read_spec_in(folder))
    if not sweep.spec.keep_params:
        raise InputError(
            f"params: got {str(folder)!r}, a sweep that keeps no parameters; say params = true "
            "under [output] in its spec."
        )
    number, row = _find(sweep, open_run(folder), labels)
    place = _place(folder, number)
    if not place.is_dir():
        raise InputError(
            f"params: got a run of chunk {number}, which is not finished; go on with `jaxattn "
            f"sweep resume {folder}`."
        )
    with _plain_name(place.parent) as parent, _keeper() as keeper:
        params: Any = keeper.restore(parent / place.name)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[row], params)


def _find(sweep: Sweep, ds: xr.Dataset, labels: Mapping[str, Any]) -> tuple[int, int]:
    """The chunk of a run, and its place there."""
    dims = tuple(map(str, ds["status"].dims))
    for name in labels:
        if name not in dims:
            raise InputError(f"params: got {name!r}, expected some of {', '.join(dims)}.")
    at = {dim: _index(ds, dim, labels) for dim in dims}
    dynamics = sweep.dynamics[at["dynamics"]]
    if dynamics == THEORY:
        raise InputError("params: got the dynamics theory, which has none; name one that is run.")
    group = next(
        group
        for group in sweep.groups
        if group.dynamics == dynamics and all(at[dim] == place for dim, place in group.at.items())
    )
    plan = sweep.plans[group.number]
    index = tuple(at[axis.name] for axis in group.axes)
    wanted = np.ravel_multi_index((*index, at["seed"]), plan.shape)
    first = sum(before.chunk_count for before in sweep.plans[: group.number])
    for number, chunk in enumerate(plan.chunks(), first):
        if len(place := np.flatnonzero(chunk.real == wanted)):
            return number, int(place[0])
    raise AssertionError("every row is in a chunk")


def _index(ds: xr.Dataset, dim: str, labels: Mapping[str, Any]) -> int:
    values = ds[dim].values.tolist()
    if dim not in labels:
        if len(values) > 1:
            raise InputError(
                f"params: got no {dim}, expected one of {len(values)}: {values[0]} to {values[-1]}."
            )
        return 0
    label = labels[dim]
    if isinstance(values[0], float):
        return int(np.argmin(np.abs(np.asarray(values) - float(label))))
    if label not in values:
        raise InputError(
            f"params: got {dim} = {label!r}, expected one of {len(values)}: {values[0]} to "
            f"{values[-1]}."
        )
    return values.index(label)


def _place(folder: Path, number: int) -> Path:
    return folder.absolute() / PARAMS / f"{number:07d}"


@contextmanager
def _plain_name(folder: Path) -> Iterator[Path]:
    """A folder by another name: to orbax ``[0.1]``, ``*`` or ``gs:`` in a path are no names."""
    with TemporaryDirectory(prefix="jaxattn-") as aside:
        link = Path(aside) / "folder"
        link.symlink_to(folder, target_is_directory=True)
        yield link


def _keeper() -> ocp.StandardCheckpointer:
    """A checkpointer of this process alone, as each of several hosts keeps its own chunks."""
    me = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=me, active_processes={me}, barrier_sync_key_prefix=f"host-{me}"
    )
    return ocp.StandardCheckpointer(multiprocessing_options=alone)
