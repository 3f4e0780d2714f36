"""An experiment that is a sweep: its chunks lie beside its results, and what is there is kept."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import xarray as xr

from jaxattn.core.contracts import InputError
from jaxattn.engine.directory import SPEC
from jaxattn.engine.progress import Listener
from jaxattn.engine.run_sweep import resume_sweep, run_sweep
from jaxattn.reports.experiment import Listeners
from jaxattn.results.dataset import DATA_CARD
from jaxattn.results.files import RESULTS, DamagedError, open_run, write_results
from jaxattn.results.joined import absent_rows
from jaxattn.study.spec import Spec

__all__ = ["joined", "run_each", "run_in_chunks", "run_once"]


def run_in_chunks(spec: Spec, to: Listeners) -> xr.Dataset:
    """What a sweep gives; what of it is in the chunks already is not run again.

    A kill costs the chunk under way. The results so far are heard of after each chunk.

    Args:
        spec: of the sweep.
        to: hears how it goes; chunks are kept in its folder.

    Raises:
        InputError: it has no folder; the spec cannot be run, or is not what the chunks are of.
    """
    if to.chunks is None:
        raise InputError(
            "experiment: got no folder for its chunks, expected one; run it by "
            "jaxattn.experiments.reproduce."
        )
    folder = to.chunks

    def keep(*_: Any) -> None:
        to.keep(open_run(folder).load())

    hears = Listener(on_progress=to.on_progress, on_chunk=keep)
    with to.watch.running("sweep"):
        if (folder / SPEC).is_file():
            resume_sweep(folder, spec=spec, to=hears)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            run_sweep(spec, folder, to=hears)
    return open_run(folder).load()


def run_each(
    specs: Mapping[Any, Spec],
    index: xr.IndexVariable,
    to: Listeners,
    alike: Callable[[xr.Dataset], xr.Dataset] = lambda ds: ds,
) -> xr.Dataset:
    """Several sweeps along a new axis, each in chunks in a folder of its own.

    The results so far are heard of after each sweep.

    Args:
        specs: by the name of its folder, in the order of `index`.
        index: of the new axis, a label a sweep.
        to: hears how it goes; chunks are kept in folders of its folder.
        alike: makes of each result one that has the axes of the others.

    Raises:
        InputError: as `run_in_chunks`.
    """
    done: list[xr.Dataset] = []
    for name, spec in specs.items():
        chunks = None if to.chunks is None else to.chunks / str(name)
        one = run_in_chunks(spec, to._replace(chunks=chunks, keep=lambda _: None))
        done.append(alike(one))
        to.keep(joined(done, index[: len(done)]))
    return joined(done, index)


def run_once(
    name: str, spec: str, make: Callable[[Listeners], xr.Dataset], to: Listeners
) -> xr.Dataset:
    """A part of an experiment that is no sweep; what is finished is kept beside the chunks.

    What is damaged there is made anew, as a damaged chunk of a sweep is.

    Args:
        name: of its folder.
        spec: what its result says it is of, as its attribute ``spec``; another one is made anew.
        make: gives its result; it is heard of how it goes.
        to: hears how it goes; the result is kept in a folder of its folder.

    Raises:
        InputError: a result of a newer jaxattn, or what `make` refuses.
    """
    folder = None if to.chunks is None else to.chunks / name
    if folder is not None and (folder / RESULTS).is_file():
        with suppress(DamagedError):
            there = open_run(folder)
            if there.attrs["spec"] == spec:
                return there
    ds = make(to._replace(keep=lambda _: None))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_results(ds, folder)
    return ds


def joined(done: Sequence[xr.Dataset], index: xr.IndexVariable) -> xr.Dataset:
    """Results of sweeps along a new axis; NaN, or absent, where one has not what another has.

    Without pictures, which differ in size, and what has axes that not all have.
    """
    pictures = ("picture", "picture_foreground", "picture_seen")
    plain = [ds.drop_vars(pictures, errors="ignore") for ds in done]
    common = set.intersection(*({str(dim) for dim in ds.dims} for ds in plain))
    cards = dict.fromkeys(ds.attrs.get(DATA_CARD, "") for ds in done)
    told = "; ".join(filter(None, cards))
    whole = xr.concat(
        [ds.drop_dims(set(map(str, ds.dims)) - common) for ds in plain],
        index,
        data_vars="all",
        coords="different",
        compat="equals",
        join="outer",
        fill_value={name: at for ds in done for name, at in absent_rows(ds).items()},
        combine_attrs="override",
    )
    return whole.assign_attrs({DATA_CARD: told} if told else {})
