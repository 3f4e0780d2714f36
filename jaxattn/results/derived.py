"""What follows from the measures of a run: the two times that a path is summed up by."""

import xarray as xr

from jaxattn.problems.measures import first_crossing
from jaxattn.study.settings import Settings

__all__ = ["with_times"]


def with_times(
    ds: xr.Dataset, time: xr.DataArray, natural: xr.DataArray | str, settings: Settings
) -> xr.Dataset:
    """`ds` with ``time_to_focus`` and ``time_to_fit`` where what they need was measured.

    Args:
        ds: runs with a dim ``save``.
        time: of each save, over any dims of `ds`.
        natural: the inference rule that counts, of each paradigm or of all runs.
        settings: the levels to reach.
    """
    levels = {
        "time_to_focus": ("attention_foreground", settings.focus_level),
        "time_to_fit": ("accuracy", settings.fit_level),
    }
    for name, (measure, level) in levels.items():
        if measure not in ds:
            continue
        values = ds[measure]
        if "inference" in values.dims:
            values = values.sel(inference=natural)
        values = values.transpose(..., "save")
        on_it = time.broadcast_like(values).transpose(*values.dims)
        ds[name] = (
            values.dims[:-1],
            first_crossing(on_it.values, values.values, level),
            {
                "units": "time",
                "long_name": f"first time that {measure} reaches {level:g}; NaN: never (censored)",
            },
        )
    return ds
