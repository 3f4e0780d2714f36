"""Parameters that were kept along the path: singular values, entries, norms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes

from jaxattn.analysis.measures import FEW, further_axes, parameters_in
from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.plots.dynamics_lines import Request, draw_request
from jaxattn.plots.places import select
from jaxattn.plots.selection import as_result

__all__ = ["SHOWS", "parameters", "what_is_shown"]

SHOWS = ("singular values", "entries", "norm")
"""What can be drawn of an array."""

_DRAWN = "drawn"


def parameters(
    ds: xr.Dataset,
    name: str | None = None,
    *,
    show: str | None = None,
    axis: str | None = None,
    log: str = "",
    dynamics: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    **sel: Any,
) -> Axes:
    """Parameters kept along the path: the singular values of a matrix, the entries of a few.

    Args:
        ds: a result of ``compare(keep=...)``.
        name: which, as it was kept; by default the only one, or the norm of each of several.
        show: singular values, entries, or norm (Euclid's). By default the singular values of a
            matrix, the largest `FEW` of them; of another array its entries where they are `FEW` at
            most, else its norm.
        axis: as for `jaxattn.plots.curves`, and so are `log`, `dynamics` and `ax`.
        log: as there.
        dynamics: as there.
        ax: as there.
        **sel: as there; along the parameter's own axes too, as ``W_0=0``.

    Raises:
        InputError: nothing was kept, or a name or label that the result does not have.
    """
    kept = parameters_in(as_result(ds))
    if not kept:
        raise InputError(
            "parameters: got a result without kept parameters, expected some; compare with "
            'keep=("W",), by their names.'
        )
    if show is not None:
        resolve("show", dict.fromkeys(SHOWS), show)
    if name is not None:
        resolve("parameter", kept, name := name.removeprefix("params."))
    own = {axis for each in kept.values() for axis in further_axes(ds, each)}
    chosen = select(ds, {key: at for key, at in sel.items() if key in own})
    names = list(kept) if name is None else [name]
    if len(names) == 1:
        drawn = _drawn(chosen, kept[names[0]], names[0], show)
    else:
        parts = [_norm(chosen, kept[each]) for each in names]
        drawn = xr.concat(parts, xr.Variable("parameter", names), combine_attrs="drop")
        drawn = drawn.assign_attrs(long_name="norm of parameters")
    rest = {key: at for key, at in sel.items() if key not in own}
    # Parameters themselves are not needed, and their axes are none of what is drawn.
    bare = chosen.drop_vars([*kept.values()]).assign({_DRAWN: drawn})
    return draw_request(bare, Request(_DRAWN, axis, log, dynamics, rest), ax)


def what_is_shown(sizes: Mapping[str, int]) -> str:
    """What is drawn of an array with these axes, unless something else is asked for."""
    lengths = list(sizes.values())
    if len(lengths) == 2 and min(lengths) > 1:
        return "singular values"
    return "entries" if int(np.prod(lengths)) <= FEW else "norm"


def _drawn(ds: xr.Dataset, variable: str, name: str, show: str | None) -> xr.DataArray:
    own = {axis: ds.sizes[axis] for axis in further_axes(ds, variable)}
    show = what_is_shown(own) if show is None else show
    if show == "norm":
        return _norm(ds, variable).assign_attrs(long_name=f"norm of {name}")
    if show == "singular values" and len(own) != 2:
        raise InputError(
            f"parameters: got singular values of {name!r}, an array of {len(own)} axes, expected "
            "two; select along the others, or show its entries or its norm."
        )
    values = ds[variable].transpose(..., *own)
    if show == "entries":
        labels = [str(list(index)) for index in np.ndindex(*own.values())]
        flat = values.values.reshape(*values.shape[: values.ndim - len(own)], -1)
        dims = [str(dim) for dim in values.dims if dim not in own]
        rows = xr.DataArray(flat, dims=[*dims, "entry"]).assign_coords(entry=labels)
        rows = rows if own else rows.isel(entry=0, drop=True)
        return rows.assign_attrs(long_name=f"entries of {name}" if own else name)
    return xr.apply_ufunc(
        _singular_values,
        values,
        input_core_dims=[list(own)],
        output_core_dims=[["value"]],
    ).pipe(_numbered, name)


def _numbered(values: xr.DataArray, name: str) -> xr.DataArray:
    count = values.sizes["value"]
    labelled = values.assign_coords(value=np.arange(1, count + 1))
    return labelled.assign_attrs(long_name=f"singular values of {name}")


def _singular_values(matrices: Float[np.ndarray, "*row m n"]) -> Float[np.ndarray, "*row k"]:
    """The largest `FEW` of each matrix; NaN where it has no numbers.

    A problem with less of it than others has NaN in the rest, and 0 there changes no singular
    value.
    """
    there = ~np.isnan(matrices)
    known = there.any((-2, -1)) & ~np.isinf(matrices).any((-2, -1))
    filled = np.where(there & known[..., None, None], matrices, 0.0)
    values = np.linalg.svd(filled, compute_uv=False)
    return np.where(known[..., None], values, np.nan)[..., :FEW]


def _norm(ds: xr.Dataset, variable: str) -> xr.DataArray:
    own = further_axes(ds, variable)
    return (ds[variable] ** 2).sum(own, min_count=1) ** 0.5 if own else abs(ds[variable])
