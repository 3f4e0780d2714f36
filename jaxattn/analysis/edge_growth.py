"""Whether training leaves a limit by growth along the top eigenvector, as past the edge."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from jaxattn.analysis.edge_of_stability import edge_saves, growth_in

__all__ = ["Growth", "growth_between", "growths"]

_TWICE = 2.0
"""Growth as expected is nearer to it than to its half and its double, in the logarithm."""


class Growth(NamedTuple):
    """How the distance from a limit grows along the top eigenvector, of rows past the edge.

    - ``share [...]``: of the distance, at the save at which training has left
    - ``factor [...]``: by which its part along the eigenvector grows a step, from the first save at
      the edge, or the next at which there is a distance, to that save
    - ``expected [...]``: what the same steps on a quadratic with that sharpness multiply it by

    NaN where there are no two such saves.
    """

    share: Float[np.ndarray, "*row"]
    factor: Float[np.ndarray, "*row"]
    expected: Float[np.ndarray, "*row"]

    @property
    def carries(self) -> Bool[np.ndarray, "*row"]:
        """Whether growth past the edge is why: most of the distance, growing as is expected.

        Most of the square of the distance lies along the eigenvector; the growth in a step, as a
        logarithm, is more than half and less than twice of what it is to be.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            told, due = np.log(self.factor), np.log(self.expected)
            grows = (due > 0) & (_TWICE * told > due) & (told < _TWICE * due)
            return grows & (2 * self.share**2 > 1)


def growths(ds: xr.Dataset, limit: str, left: xr.DataArray) -> Growth | None:
    """The growth of each row, of the dims of `left`; None where it is not known.

    Args:
        ds: a result with ``distance_along_top``, of whose training the edge is known.
        limit: by name.
        left: the saves at which training has left it, `departure_saves`.
    """
    reached, factor = edge_saves(ds), growth_in(ds)
    if "distance_along_top" not in ds or reached is None or factor is None:
        return None

    def of_rows(values: xr.DataArray) -> np.ndarray:
        return values.broadcast_like(like).transpose(*like.dims).values

    like = ds["distance"].sel(dynamics=limit, drop=True).transpose(*left.dims, "save")
    along = ds["distance_along_top"].sel(dynamics=limit, drop=True)
    return growth_between(
        of_rows(along),
        like.values,
        of_rows(factor),
        of_rows(ds["step"]),
        reached.transpose(*left.dims).values,
        left.values,
    )


def growth_between(
    along: Float[np.ndarray, "*row save"],
    distance: Float[np.ndarray, "*row save"],
    factor: Float[np.ndarray, "*row save"],
    step: Int[np.ndarray, "*row save"] | Float[np.ndarray, "*row save"],
    first: Int[np.ndarray, "*row"],
    last: Int[np.ndarray, "*row"],
) -> Growth:
    """The growth between two saves of each row.

    Args:
        along: the part of `distance` along the top eigenvector.
        distance: from the limit.
        factor: by which a step is to multiply it at each save; between two, their geometric mean.
        step: of the saves.
        first: number of the save from which on; below 0: none. Where nothing is along the
            eigenvector yet, the next at which there is.
        last: number of the save up to which; below 0: none. Where training is no number there, the
            last before at which it is.
    """
    save = np.arange(along.shape[-1])
    there = np.isfinite(along) & (along > 0)
    within = there & (save >= first[..., None]) & (save <= last[..., None])
    within &= (first >= 0)[..., None]
    start, end = np.argmax(within, axis=-1), save[-1] - np.argmax(within[..., ::-1], axis=-1)
    known = within.any(axis=-1) & (start < end)

    def at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, index[..., None], axis=-1)[..., 0]

    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(factor)
        each = np.diff(step) * (logs[..., 1:] + logs[..., :-1]) / 2
        sums = np.concatenate([np.zeros_like(each[..., :1]), np.cumsum(each, axis=-1)], axis=-1)
        steps = np.where(known, at(step, end) - at(step, start), np.nan)
        grown = np.log(at(along, end)) - np.log(at(along, start))
        return Growth(
            np.where(known, at(along, end) / at(distance, end), np.nan),
            np.exp(grown / steps),
            np.exp((at(sums, end) - at(sums, start)) / steps),
        )
