"""A comparison at several static settings, one after the other: one result, with their axes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import xarray as xr

from jaxattn.core.contracts import InputError
from jaxattn.results.joined import joined
from jaxattn.run.compare import run
from jaxattn.run.progress import Listener, Progress
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.study.hypers import RESERVED
from jaxattn.study.study import Study

__all__ = ["run_all"]

Labels = Mapping[str, Any]


def run_all(
    studies: Sequence[tuple[Labels, Study]], *, to: Listener, stopwatch: Stopwatch | None = None
) -> xr.Dataset:
    """Run every study; what one of them compiles, none of the others uses.

    Args:
        studies: each with its labels on the static axes.
        to: hears how each goes.
        stopwatch: collects compile and run seconds.

    Raises:
        InputError: an axis that is called as something else of the result.
    """
    axes: dict[str, tuple[Any, ...]] = {
        name: tuple(dict.fromkeys(labels[name] for labels, _ in studies)) for name in studies[0][0]
    }
    _refuse_taken(axes, studies)
    done: list[tuple[Labels, xr.Dataset]] = []
    for labels, study in studies:
        heard = _among_others(to, axes, done, labels, len(studies))
        done.append((labels, run(study, to=heard, stopwatch=stopwatch)))
    return joined(axes, done)


def _refuse_taken(axes: Mapping[str, Any], studies: Sequence[tuple[Labels, Study]]) -> None:
    taken = {*RESERVED, "split", "inference"}
    for _, study in studies:
        measures = [spec for name in study.names for spec in study.problem(name).measures]
        taken |= {*study.hypers, *(key for one in measures for key in (one.name, *one.dims))}
    for name in axes:
        if name in taken:
            raise InputError(
                f"static: got the name {name!r}, which the result has for something else, expected "
                "another; rename the argument."
            )


def _among_others(
    to: Listener,
    axes: Mapping[str, Any],
    done: Sequence[tuple[Labels, xr.Dataset]],
    labels: Labels,
    count: int,
) -> Listener:
    """A listener that hears of these runs among all: `done` before them, of `count` in all."""
    before = list(done)
    words = ", ".join(f"{name} {value}" for name, value in labels.items())

    def among(progress: Progress) -> Progress:
        # Each has as many rows as any other; how long the rest takes is not foretold.
        rows = progress.total
        return progress._replace(
            done=len(before) * rows + progress.done, total=count * rows, setting=words, seconds=None
        )

    def on_chunk(progress: Progress, so_far: Callable[[], xr.Dataset]) -> None:
        assert to.on_chunk is not None
        to.on_chunk(among(progress), lambda: joined(axes, [*before, (labels, so_far())]))

    def on_progress(progress: Progress) -> None:
        assert to.on_progress is not None
        to.on_progress(among(progress))

    return to._replace(
        on_chunk=on_chunk if to.on_chunk else None,
        on_progress=on_progress if to.on_progress else None,
    )
