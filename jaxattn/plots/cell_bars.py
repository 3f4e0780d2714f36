"""A stacked bar of the four cells of PAPER 1.6, and the patches of its legend."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from jaxattn.analysis.intervals import interval
from jaxattn.plots.legends import legend_patches
from jaxattn.plots.style import SMALL
from jaxattn.problems.measures import CELLS

__all__ = ["WORDS", "cell_patches", "stacked_bar"]

WORDS = (
    "focus and answer true",
    "focus false, answer true",
    "focus true, answer false",
    "focus and answer false",
)
"""What each of `CELLS` is."""

_STRENGTH = (1.0, 0.55, 0.3, 0.12)
"""The share of the paradigm's colour: strong where the answer is true."""
_HATCH = ("", "////", "", "////")
"""Cells are hatched where the focus is false."""
_LOOKS = {
    f"{cell}: {words}": {
        "facecolor": str(1 - 0.65 * strength),
        "hatch": hatch,
        "edgecolor": "white",
    }
    for cell, words, strength, hatch in zip(CELLS, WORDS, _STRENGTH, _HATCH, strict=True)
}
"""How the patches of the legend look, in grey."""
_WIDTH = 0.56


def cell_patches() -> list[Patch]:
    """What the parts of a bar are, for a legend."""
    return legend_patches(_LOOKS)


def stacked_bar(
    ax: Axes,
    place: int,
    shares: Float[np.ndarray, "seed cell"],
    colour: str,
    unit: str = " %",
    least: float = 3.5,
) -> bool:
    """The mean shares as one bar at `place`, with the intervals of its edges, and their numbers.

    A whisker is the 95 % interval of the mean height of the edge it is at: of FTPT, of FTPT +
    FFPT, which is the accuracy, and of all but FFPF.

    Args:
        ax: where to draw.
        place: of the middle of the bar, along x.
        shares: in per cent, adding up to 100 in each seed.
        colour: of the largest part; the others are lighter.
        unit: what follows each number.
        least: per cent; a thinner part has no room for its number.

    Returns:
        Whether there are whiskers.
    """
    rgb = np.asarray(to_rgb(colour))
    means = shares.mean(axis=0)
    for part, (mean, top) in enumerate(zip(means, np.cumsum(means), strict=True)):
        ax.bar(
            place,
            mean,
            _WIDTH,
            top - mean,
            color=1 - _STRENGTH[part] * (1 - rgb),
            hatch=_HATCH[part],
            edgecolor="white",
            linewidth=0.8,
        )
        if mean >= least:
            x, y = place + _WIDTH / 2 + 0.04, top - mean / 2
            ax.text(x, y, f"{mean:.0f}{unit}", va="center", fontsize=SMALL, color="0.15")
    # The last edge is 100 %. Side by side, so that whiskers do not cover each other.
    edges = interval(np.cumsum(shares, axis=1).T[:-1])
    across = place + _WIDTH * np.array([-0.25, 0.0, 0.25])
    low, high = (np.clip(limit, 0, 100) for limit in (edges.low, edges.high))
    ax.vlines(across, low, high, color="0.1", lw=1.1)
    for limit in (low, high):
        ax.plot(across, limit, ls="none", marker="_", color="0.1", markersize=6, mew=1.1)
    return bool(np.isfinite(low).any())
