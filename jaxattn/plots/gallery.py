"""Every figure that a result allows, in the order in which a reader should see them."""

from collections.abc import Callable
from typing import NamedTuple

import xarray as xr
from matplotlib.figure import Figure

from jaxattn.plots.curves import accuracy, focus
from jaxattn.plots.overview import overview
from jaxattn.plots.processes import beside_flow, population

__all__ = ["Drawing", "gallery"]


class Drawing(NamedTuple):
    """A figure to be drawn: its file's name, a heading, what it shows in words, and how."""

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure]


def gallery(results: xr.Dataset, solved: xr.Dataset | None = None) -> list[Drawing]:
    """The figures of a result, and of its companion in the solvable setting."""

    def of(axes: Callable, ds: xr.Dataset) -> Callable[[], Figure]:
        return lambda: axes(ds).figure

    found = [
        Drawing(
            "overview",
            "Focus and accuracy",
            "Attention on the foreground and accuracy against training step, one curve a paradigm.",
            lambda: overview(results),
        ),
        Drawing(
            "focus",
            "Where the attention goes",
            "Attention on the foreground against training step, one curve a paradigm.",
            of(focus, results),
        ),
        Drawing(
            "accuracy",
            "How well it answers",
            "Accuracy against training step, one curve a paradigm.",
            of(accuracy, results),
        ),
    ]
    if "flow" in results["process"]:
        found.append(
            Drawing(
                "beside_flow",
                "Training beside its gradient flow",
                "Attention on the foreground against time, of training and of gradient flow.",
                of(beside_flow, results),
            )
        )
    solvable = results if solved is None else solved
    if "theory" in solvable["process"]:
        found.append(
            Drawing(
                "population",
                "Where theory is exact",
                "mu, nu and attention in the solvable setting: training, flow and theory.",
                lambda: population(solvable),
            )
        )
    return found
