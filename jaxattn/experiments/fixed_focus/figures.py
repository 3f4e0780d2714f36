"""The fixed-focus figure: the loss and what more attention would gain, by paradigm and alpha."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.core.contracts import Status
from jaxattn.plots.frame import format_axes, label_of, set_title
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.lines import BAND_WORDS, fill_band
from jaxattn.plots.selection import require
from jaxattn.plots.style import SMALL, palette
from jaxattn.results.dataset import spec_of

__all__ = ["finished_rows", "fixed_focus", "reaches_limits"]

_ROWS = {"loss": r"loss $L(\alpha)$", "gap": r"$L(\alpha)-L(\alpha+0.01)$"}
_DASHES = (0, (3.5, 2))
_DOTS = (0, (1, 1.6))
_KINDS: dict[str, dict[str, Any]] = {
    "minibatches after their steps": {"color": "0.3", "lw": 1.7},
    "all bags": {"color": "0.3", "lw": 1.0, "linestyle": _DASHES},
}
_LIMIT: dict[str, Any] = {"color": "0.3", "lw": 0.9, "linestyle": _DOTS}


def reaches_limits(ds: xr.Dataset) -> bool:
    """Whether learning gets to the limits in time, as the linear classifier of 3.1 does.

    Of images they are those of a perfect classifier, which a network need not become.
    """
    return spec_of(ds).get("model") == "linear"


def finished_rows(ds: xr.Dataset, name: str, split: str) -> Float[np.ndarray, "seed save"]:
    """A measure of the seeds that finished, at one paradigm and alpha.

    Args:
        ds: a result of the experiment at one paradigm and alpha.
        name: loss, loss_ahead or gap.
        split: minibatch or train.
    """
    trained = ds.sel(dynamics="train")
    done = (trained["status"] == Status.DONE).values
    return trained[name].sel(split=split).transpose("seed", "save").values[done]


def fixed_focus(ds: xr.Dataset) -> Figure:
    """``L(alpha)`` above ``L(alpha) - L(alpha + 0.01)``, a column for each paradigm.

    Solid: the mean over an epoch's minibatches just after their steps, median and band over seeds;
    dashed: the median on all bags at the epoch's end; dotted: the limits as time goes to infinity,
    or those of a perfect classifier.
    Alpha has an ordered palette from light to dark (viridis), not the paradigms' colours.

    Args:
        ds: a result of the fixed-focus experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "fixed_focus", "fixed-focus", "gap", "gap_limit", "loss_limit")
    names, alphas = list(map(str, ds["paradigm"].values)), list(map(float, ds["alpha"].values))
    figure = Figure(figsize=(3.5 * len(names) + 0.8, 6.6), layout="constrained")
    axes = figure.subplots(len(_ROWS), len(names), sharex=True, sharey="row", squeeze=False)
    colours = palette(len(alphas))
    for column, name in enumerate(names):
        for row, measure in enumerate(_ROWS):
            ax = axes[row, column]
            for alpha, colour in zip(alphas, colours, strict=True):
                _draw(ax, ds.sel(paradigm=name, alpha=alpha), measure, colour)
            _label_limits(ax, ds[f"{measure}_limit"].sel(paradigm=name).values, colours, measure)
            format_axes(
                ax,
                label_of(ds["epoch"].attrs, "epoch") if row else "",
                "" if column else f"{_ROWS[measure]} [nat]",
            )
        rate = float(ds["learning_rate"].sel(paradigm=name))
        set_title(axes[0, column], f"{name}, learning rate {rate:g}")
    by_alpha = {
        rf"$\alpha$ = {alpha:g}": {"color": colour, "lw": 2.2}
        for alpha, colour in zip(alphas, colours, strict=True)
    }
    whose = "limit" if reaches_limits(ds) else "perfect classifier"
    kinds = _KINDS | {f"{whose}, its value at the right": _LIMIT}
    axes[0, 0].legend(handles=legend_handles(by_alpha | kinds, has_math=True))
    one_legend(figure, list(axes.flat), columns=4, caption=_caption(ds))
    return figure


def _draw(ax: Axes, result: xr.Dataset, measure: str, colour: str) -> None:
    epoch = result["epoch"].values
    each, whole = (finished_rows(result, measure, split) for split in ("minibatch", "train"))
    if not len(each):
        return
    ax.plot(epoch, np.median(each, axis=0), color=colour, lw=1.7)
    fill_band(ax, epoch, each, colour, alpha=0.2)
    ax.plot(epoch, np.median(whole, axis=0), color=colour, lw=1.0, linestyle=_DASHES)


def _label_limits(
    ax: Axes, limits: Float[np.ndarray, " alpha"], colours: Sequence[str], measure: str
) -> None:
    """Thin lines with their values to the right of the axes; equal limits share one in grey."""
    # Equal but for rounding: 0.01 log(C), say, as a difference at each alpha.
    for value in np.unique(limits.round(6)):
        same = np.flatnonzero(np.isclose(limits, value, rtol=0, atol=1e-6))
        colour = colours[same[0]] if len(same) == 1 else "0.35"
        ax.axhline(value, color=colour, lw=0.9, linestyle=_DOTS, zorder=1)
        ax.annotate(
            f"{abs(value):.{2 if measure == 'loss' else 4}f}",
            (1.0, value),
            (3, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color="0.25",
        )


def _caption(ds: xr.Dataset) -> str:
    spec, status = spec_of(ds), ds["status"].sel(dynamics="train")
    lost = int(((status >= 0) & (status != Status.DONE)).sum())
    parts = [
        f"{ds.sizes['seed']} seeds, which vary the initial parameters: {BAND_WORDS} of the mean "
        "over an epoch's minibatches, each just after its step",
        f"{spec.get('task')} task of {spec.get('classes')} classes, {spec.get('segments')} "
        f"segments and {spec.get('bags')} bags",
        f"{spec.get('model')} classifier, momentum 0.9, "
        f"batches of {spec.get('batch_size')} in fixed order",
        f"{lost} runs that failed are left out" if lost else "",
    ]
    return f"{'; '.join(part for part in parts if part)}."
