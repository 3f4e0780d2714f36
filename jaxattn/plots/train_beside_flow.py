"""Training and its gradient flow on one time axis."""

from collections.abc import Iterator, Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxattn.core.contracts import InputError
from jaxattn.plots.canvas import new_axes
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import curves, left_out, paired, seeds_words
from jaxattn.plots.frame import finish_axes
from jaxattn.plots.legends import legend_handles
from jaxattn.plots.lines import mark_switch
from jaxattn.plots.selection import Setting, choose, names_of

__all__ = ["DASHES", "DRAWINGS", "MARKS", "beside_flow", "paradigm_handles"]

_PAIR = ("train", "flow")
DASHES = (0, (4, 2))
"""How the flow's lines are dashed."""
MARKS = 0.09
"""Distance between markers, as a share of the axes' diagonal."""

_KINDS = {
    "training": {"color": "0.35", "lw": 3.2, "alpha": 0.4},
    "gradient flow": {"color": "0.35", "lw": 1.5, "linestyle": DASHES},
}


def beside_flow(
    ds: xr.Dataset,
    ax: Axes | None = None,
    measure: str = "attention_foreground",
    learning_rate: float | None = None,
    split: str | None = None,
    paradigms: Sequence[str] | None = None,
) -> Axes:
    """Training beside its gradient flow on the time axis, of the seeds that have both.

    Wide pale lines are medians of training and thin ones its seeds; dashed lines are medians of
    the flow.

    Args:
        ds: a result with a flow.
        ax: where to draw; by default on a new figure.
        measure: a variable of the result with one value a seed and save.
        learning_rate: as for `jaxattn.plots.learning`.
        split: by default test where there is one.
        paradigms: which to draw; by default all.

    Raises:
        InputError: no flow in the result, or a name or learning rate that it does not have.
    """
    if "flow" not in names_of(ds, "dynamics"):
        raise InputError(
            "beside_flow: got a result without a gradient flow, expected one; compare with "
            "flow_seeds=2."
        )
    setting = choose(ds, learning_rate, paradigms, split)
    pairs = [
        paired(*(curves(setting, measure, name, dynamics) for dynamics in _PAIR))
        for name in setting.paradigms
    ]
    drawn = [flow for _, flow in pairs]
    time = setting.ds["time"].values
    ax = new_axes() if ax is None else ax
    for train, flow in pairs:
        if not len(flow.seeds):
            continue
        style = setting.style(flow.paradigm)
        colour = style.colour
        if len(train.seeds) > 1:
            ax.plot(time, train.values.T, color=colour, lw=0.7, alpha=0.5)
        ax.plot(time, train.quantile(0.5), color=colour, lw=3.2, alpha=0.4)
        ax.plot(
            time,
            flow.quantile(0.5),
            color=colour,
            lw=1.5,
            linestyle=DASHES,
            marker=style.marker,
            markersize=4.5,
            markerfacecolor="white",
            markevery=2 * MARKS,
        )
    over = seeds_words(drawn)
    title = (
        setting.measured_words(measure),
        "" if over == "1 seed" else f"medians over {over} with a flow",
        _learnt_from(setting.ds),
        left_out(drawn),
    )
    shown = [flow.paradigm for flow in drawn if len(flow.seeds)]
    handles = [
        *paradigm_handles(setting, shown),
        *legend_handles(_KINDS),
        *mark_switch(ax, setting, "time", drawn),
    ]
    labels = setting.label("time"), setting.label(measure)
    return finish_axes(ax, labels, title, handles if shown else [])


def _learnt_from(ds: xr.Dataset) -> str:
    """What the flow learns from, where that is not what training learns from."""
    if "learning_examples" not in ds.coords:
        return ""
    train, flow = (int(ds["learning_examples"].sel(dynamics=name)) for name in _PAIR)
    return "" if train == flow else f"the flow learns from the first {flow} of {train} examples"


def paradigm_handles(setting: Setting, paradigms: list[str]) -> list[Line2D]:
    """Colour and marker of paradigms, for a legend."""
    styles = {name: setting.style(name) for name in paradigms}
    return legend_handles(
        {
            name: {"color": style.colour, "marker": style.marker, "ms": 5, "mfc": "white"}
            for name, style in styles.items()
        }
    )


def _drawings(story: Story) -> Iterator[Drawing]:
    """The figure, where any seed has both."""
    measure = "attention_foreground"
    if not story.finished("flow"):
        return
    pairs = [
        paired(train, curves(story.setting, measure, train.paradigm, "flow"))
        for train in story.runs(measure)
    ]
    if both := [pair for pair in pairs if pair[0].seeds.size]:
        ends = "; ".join(
            f"{train.paradigm} {train.quantile(0.5)[-1]:.2f} and {flow.quantile(0.5)[-1]:.2f}"
            for train, flow in both
        )
        fewer = _learnt_from(story.setting.ds)
        yield story.drawing(
            "beside_flow",
            "Training beside a gradient flow of fewer examples"
            if fewer
            else "Training beside its gradient flow",
            "Attention on the foreground against time, the optimiser's clock, of the seeds that "
            "have a flow: wide pale lines are medians of training, thin ones its seeds, dashed "
            f"lines medians of the flow; {story.where}. Where they lie on each other, training "
            f"follows the flow. Training and flow end at: {ends}."
            + (f" They do not learn the same: {fewer}." if fewer else ""),
            beside_flow,
        )


DRAWINGS = (Entry(130, _drawings, attention=True),)
