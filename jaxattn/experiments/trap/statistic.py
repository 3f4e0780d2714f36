"""How far a run is trapped: one class is answered right without its image being found.

The class that is left needs no focus: whoever knows all others when it sees them answers right by
naming it wherever it sees none of them. Of two classes, half of all bags are then right for the
wrong reason (FFPT) and half for the right one (FTPT); of C classes, ``1 / C`` and ``1 - 1 / C``.
"""

import numpy as np
import xarray as xr
from jaxtyping import Float

from jaxattn.core.contracts import Status

__all__ = ["MOST_BY_CHANCE", "left_over", "trap_of"]

MOST_BY_CHANCE = 0.5
"""No guess that is uniform over the classes is trapped further than this; see `left_over`."""


def left_over(cells: Float[np.ndarray, "*row class cell"]) -> Float[np.ndarray, "trap *row"]:
    """How far rows are trapped, in which class, and how well the other classes are focused on.

    Of class c let ``f_c`` be the share of its bags that is right for the wrong reason. A row is
    trapped by ``max f - mean of the other f``, between 0 and 1:

    - 1: every bag of one class is right without focus, and no bag of another class is
    - 0: no class stands out, such as where no focus is false (then no ``f_c`` is above 0; nothing
      is divided by the bags of false focus, of which the others of a perfect trap have none), and
      where answers are a uniform guess and the focus is as often false in each class
    - at most ``1 / C``, so at most `MOST_BY_CHANCE`, where bags of false focus are answered by a
      uniform guess, however often the focus of which class is false, as ``0 <= f_c <= 1 / C``

    These are limits of many bags; of n bags a class ``f_c`` is known to ``sqrt(f (1 - f) / n)``.

    A row that answers one class whatever it sees is trapped in that class too. What tells it apart
    is that the other classes are not right for the right reason: the third number is the mean over
    them of their shares of FTPT.

    Args:
        cells: ``[*row, class, cell]`` of `jaxattn.problems.measures.CELLS`, shares of all bags.
            NaN, or no bag, of a class: it is left out.

    Returns:
        ``[trap, *row]``: how far, the class, and FTPT of the others, a share. NaN of fewer than
        two classes.
    """
    whole = cells.sum(axis=-1)
    there = whole > 0
    of_class = np.where(there, whole, 1.0)
    right, wrong = (np.where(there, cells[..., at] / of_class, 0.0) for at in (0, 1))
    others = there.sum(axis=-1) - 1
    most = np.where(there, wrong, -1.0).argmax(axis=-1)[..., None]

    def mean_of_others(shares: np.ndarray) -> np.ndarray:
        rest = shares.sum(axis=-1) - np.take_along_axis(shares, most, -1)[..., 0]
        return np.asarray(rest / np.maximum(others, 1))

    trapped = np.take_along_axis(wrong, most, -1)[..., 0] - mean_of_others(wrong)
    found = np.stack([trapped, most[..., 0], mean_of_others(right)])
    return np.where(others > 0, found, np.nan)


def trap_of(ds: xr.Dataset) -> xr.Dataset:
    """What every run ends with on held-out mosaics, by its paradigm's own rule of inference.

    Returns:
        ``[paradigm, classes, segments, learning_rate, seed]``: ``trap``, ``left``, ``others`` of
        `left_over`, and ``FTPT`` and ``FFPT`` in percent. NaN of rows that did not finish.
    """
    at = {"inference": ds["natural_inference"].drop_vars("natural_inference")}
    ended = ds.sel(dynamics="train", split="test").isel(save=-1)
    dims = ("paradigm", "classes", "segments", "learning_rate", "seed")
    done = (ended["status"] == Status.DONE).transpose(*dims)
    by_class = ended["error_cell_by_class"].sel(at).transpose(*dims, "class", "cell")
    parts = left_over(by_class.values)
    cells = ended["error_cell"].sel(at).transpose(*dims, "cell")
    named = dict(zip(("trap", "left", "others"), parts, strict=True))
    found = {name: done.copy(data=values) for name, values in named.items()}
    found |= {name: cells.sel(cell=name, drop=True) for name in ("FTPT", "FFPT")}
    kept = {name: values.where(done).reset_coords(drop=True) for name, values in found.items()}
    return xr.Dataset(kept)
