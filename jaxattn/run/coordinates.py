"""What a result says of its saves: steps, times, gradients taken, and defaults of the run."""

from typing import Any

import numpy as np

from jaxattn.problems.data import size
from jaxattn.study.study import Study

__all__ = ["drop_constant_axes", "learning_examples", "times_of"]


def learning_examples(study: Study) -> dict[str, int]:
    """Examples that each process learns from."""
    whole = size(study.task.make(0)["train"])
    few = min(whole, study.settings.flow_examples)
    train = few if study.settings.against else whole
    return {**dict.fromkeys(study.processes, few), "train": train, "theory": whole}


def times_of(study: Study) -> dict[str, Any]:
    """Coordinates ``step``, ``time``, ``gradients``, and what depends on the run by default."""
    axes, grid = tuple(study.axes), study.grid
    clock = study.clock(grid).astype(float)
    batch = study.order.examples(learning_examples(study)["train"])
    words = {"units": "step", "long_name": "training step"}
    each = {"units": "1", "long_name": "gradients of one example taken by training"}
    at, steps, _ = drop_constant_axes(axes, study.steps_at(grid), ("save",), {}, always=None)
    coords: dict[str, Any] = {
        "step": (at, steps, words),
        "gradients": (at, steps.astype(float) * batch, each),
    }
    for spec in study.hypers.values():
        if spec.of_run is not None and spec.name not in axes:
            derived = spec.of_run * clock[..., -1]
            values = np.broadcast_to(study.constants.get(spec.name, derived), derived.shape)
            attributes = {"units": spec.unit, "long_name": spec.doc}
            coords[spec.name] = drop_constant_axes(axes, values, (), attributes)
    coords["time"] = drop_constant_axes(
        axes,
        clock,
        ("save",),
        {"units": "time", "long_name": "time: the optimiser's clock, shared with its flow"},
    )
    return coords


def drop_constant_axes(
    axes: tuple[str, ...],
    values: np.ndarray,
    rest: tuple[str, ...],
    attributes: dict[str, Any],
    always: str | None = "learning_rate",
) -> tuple[tuple[str, ...], np.ndarray, dict[str, Any]]:
    """A coordinate over only those axes (and `always` that one) along which it varies."""
    dims = list(axes)
    for name in axes:
        axis = dims.index(name)
        first = np.take(values, [0], axis=axis)
        if name != always and np.array_equal(np.broadcast_to(first, values.shape), values):
            values = np.take(values, 0, axis=axis)
            dims.remove(name)
    return (*dims, *rest), values, attributes
