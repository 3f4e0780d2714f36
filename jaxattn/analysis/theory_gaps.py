"""How far what was run is from theories of one's own, which have measures and no parameters."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.analysis.limit_wording import limit_words
from jaxattn.analysis.measures import declared_in, further_axes, measures_in, spec_in, title_of
from jaxattn.analysis.places import places
from jaxattn.analysis.subject import solved_dynamics, theories_in, unspoken_axes
from jaxattn.analysis.wording import (
    Finding,
    capital,
    listed,
    number_words,
    setting_words,
)
from jaxattn.core.contracts import Status
from jaxattn.results.stopped_rows import hold_last

__all__ = ["theory_findings", "theory_gaps", "told_by"]

_COLUMNS = ["seeds", "largest", "time", "last", "scale"]


def theory_gaps(ds: xr.Dataset) -> pd.DataFrame:
    """How far training, or the flow where that is alone, is from each theory of one's own.

    Differences are absolute, of a measure with axes of its own the largest of its numbers, at
    equal times, of the runs that ended well under both.

    Args:
        ds: a result of `jaxattn.compare` or `jaxattn.open`.

    Returns:
        A line for each theory, paradigm, swept value, split and measure that both have:
        ``theory``, ``dynamics`` that is held against it, ``paradigm``, the swept axes, ``split``
        (None where a measure has none), ``measure``, ``seeds``, and medians over them: the
        ``largest`` difference, the ``time`` of its save, the ``last`` difference, and ``scale``,
        the largest value of the theory. Empty where there is no theory of one's own.
    """
    run = solved_dynamics(ds)
    lines = [
        line
        for theory in (theories_in(ds) if run else ())
        for measure in told_by(ds, theory)
        for line in _of_measure(ds, run, theory, measure)
    ]
    swept = [str(dim) for dim in ds["status"].dims if dim not in ("paradigm", "dynamics", "seed")]
    at = ["theory", "dynamics", "paradigm", *swept, "split", "measure"]
    return pd.DataFrame(lines, columns=[*at, *_COLUMNS])


def told_by(ds: xr.Dataset, theory: str) -> list[str]:
    """The measures along saves of which a theory of one's own says something."""
    names = [*declared_in(ds), "objective", *(spec.name for spec in measures_in(ds))]
    along = [name for name in dict.fromkeys(names) if name in ds and "save" in ds[name].dims]
    exact = {name: ds[name].sel(dynamics=theory) for name in along if name != "status"}
    numbers = {name: of for name, of in exact.items() if of.dtype.kind in "fiub"}
    return [name for name, of in numbers.items() if bool(np.isfinite(of).any())]


def _of_measure(ds: xr.Dataset, run: str, theory: str, measure: str) -> Iterator[dict[str, Any]]:
    values, status = hold_last(ds[measure], ds), ds["status"]
    if "inference" in values.dims:
        # Each paradigm as it answers.
        values = values.sel(inference=ds["natural_inference"]).drop_vars("inference")
    ours, exact = (values.sel(dynamics=name, drop=True) for name in (run, theory))
    ended = [Status.ended_well(status.sel(dynamics=name, drop=True)) for name in (run, theory)]
    within = further_axes(ds, measure)
    apart = abs(ours - exact).where(ended[0] & ended[1])
    size = abs(exact).where(ended[1])
    apart, size = (of.max(within) if within else of for of in (apart, size))
    apart = apart.transpose(..., "seed", "save").compute()
    size = size.transpose(*apart.dims).compute()
    time = ds["time"].reset_coords(drop=True)
    for labels, at in places(apart.isel(save=0, drop=True), "seed"):
        rows = apart[at].values
        rows, sizes = rows[np.isfinite(rows).any(-1)], size[at].values
        if not rows.size:
            continue
        along = time.isel(at, missing_dims="ignore").values
        line = {"theory": theory, "dynamics": run, "split": None, **labels, "measure": measure}
        yield line | {
            "seeds": len(rows),
            "largest": float(np.median(np.nanmax(rows, -1))),
            "time": float(np.median(along[np.nanargmax(rows, -1)])),
            "last": float(np.median(rows[:, -1])),
            "scale": float(np.median(np.nanmax(sizes[np.isfinite(sizes).any(-1)], -1))),
        }


def theory_findings(ds: xr.Dataset, table: pd.DataFrame | None = None) -> list[Finding]:
    """`theory_gaps` in words, a sentence a theory, measure and setting.

    Args:
        ds: the result.
        table: its `theory_gaps`, where the caller has them.
    """
    table = theory_gaps(ds) if table is None else table
    if table.empty:
        return []
    table = table[table["split"].isna() | (table["split"] == _told_split(table))]
    swept = list(table.columns[3 : list(table.columns).index("split")])
    said, unspoken = [], unspoken_axes(ds)
    for (theory, measure, *place), group in table.groupby(
        ["theory", "measure", *swept], sort=False
    ):
        run = str(group["dynamics"].iloc[0])
        run = "training" if run == "train" else limit_words(run)
        title = title_of(spec_in(ds, str(measure)))
        each = (
            f"{number_words(line['largest'])} for {line['paradigm']} (at time "
            f"{number_words(line['time'])}; {number_words(line['last'])} at the end)"
            for line in group.to_dict("records")
        )
        scale = number_words(float(group["scale"].max()))
        text = f"{run} differs from the theory {theory} in {title} by at most {listed(each)}; "
        text += f"the theory goes up to {scale}, medians over {_seeds_words(group['seeds'])}."
        where = dict(zip(swept, place, strict=True))
        at = setting_words({k: of for k, of in where.items() if k not in unspoken})
        said.append(Finding(at, str(measure), capital(text)))
    return said


def _told_split(table: pd.DataFrame) -> str:
    """The one split that sentences are of."""
    splits = [str(name) for name in table["split"].dropna().unique()]
    return "test" if "test" in splits else next(iter(splits), "")


def _seeds_words(counts: pd.Series) -> str:
    each = sorted({int(count) for count in counts})
    return f"{listed(map(str, each))} {'seed' if each == [1] else 'seeds'}"
