"""The rows of a result one by one: each place along its axes, by label and by number."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["places"]


def places(values: xr.DataArray, *within: str) -> Iterator[tuple[dict[str, Any], dict[str, int]]]:
    """The labels and the index of every place along the axes of `values` but those `within` it."""
    dims = [str(dim) for dim in values.dims if dim not in within]
    labels = {dim: values[dim].values.tolist() for dim in dims}
    for index in np.ndindex(*(values.sizes[dim] for dim in dims)):
        at = dict(zip(dims, index, strict=True))
        yield {dim: labels[dim][place] for dim, place in at.items()}, at
