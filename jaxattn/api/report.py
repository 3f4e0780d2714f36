"""`jaxattn.report`: a result as a directory with its page, wherever it came from."""

import os
from pathlib import Path

import xarray as xr

from jaxattn.api.arguments import names_its_arguments
from jaxattn.reports.result_into import result_into

__all__ = ["report"]


@names_its_arguments
def report(ds: xr.Dataset, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a result with everything it says: ``results.nc``, ``figures/``, ``report.html``.

    Args:
        ds: of `jaxattn.compare` or `jaxattn.open`, or a selection of it by lists.
        folder: new or empty, unless `overwrite`.
        overwrite: replace what an earlier run wrote there; other files stay.

    Returns:
        The path of ``report.html``. ``run.json`` beside it says what is known of the run.

    Raises:
        InputError: not a result, or the folder holds something; nothing is written then.
        LateError: a figure or the page failed; ``results.nc`` is whole.
    """
    return result_into(Path(folder).absolute(), ds, overwrite)
