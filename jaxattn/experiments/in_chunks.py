"""An experiment that is a sweep: its chunks lie beside its results, and what is there is kept."""

from typing import Any

import xarray as xr

from jaxattn.core.contracts import InputError
from jaxattn.engine.directory import SPEC
from jaxattn.engine.progress import Listener
from jaxattn.engine.run_sweep import resume_sweep, run_sweep
from jaxattn.reports.experiment import Listeners
from jaxattn.results.files import open_run
from jaxattn.study.spec import Spec

__all__ = ["run_in_chunks"]


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
