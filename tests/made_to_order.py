"""Results whose final values are given: what statements about results are tested on."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status
from jaxattn.problems.inference import INFERENCE_RULES

NAMES = ("soft", "hard", "lvml", "hybrid")


def result(
    final: Mapping[str, np.ndarray],
    rates: Sequence[float] = (0.1,),
    last: Sequence[float] = (10.0,),
    precision: str = "float64",
) -> xr.Dataset:
    """All rows done; `final` measures ``[paradigm, rate, (temperature,) seed]``, alike everywhere.

    `last` holds the time at which each rate ends.
    """
    shape = np.shape(next(iter(final.values())))
    axes = ["paradigm", "learning_rate", "temperature", "seed"]
    dims = axes if len(shape) == 4 else [axes[0], axes[1], axes[3]]
    coords = {dim: np.arange(size) for dim, size in zip(dims, shape, strict=True)}
    coords |= {"paradigm": list(NAMES[: shape[0]]), "learning_rate": list(rates)}
    spread = {"dynamics": ["train"], "split": ["train", "test"]}
    variables = {"status": xr.DataArray(np.full(shape, int(Status.DONE)), coords, dims)}
    for name, values in final.items():
        variables[name] = xr.DataArray(values, coords, dims).expand_dims(split=spread["split"])
        if name in ("accuracy", "loss"):
            variables[name] = variables[name].expand_dims(inference=list(INFERENCE_RULES))
        if not name.startswith("time"):
            variables[name] = variables[name].expand_dims(save=2)
    for time, measure in (("time_to_focus", "attention_foreground"), ("time_to_fit", "accuracy")):
        if time in final and measure not in final:
            variables[measure] = xr.zeros_like(variables[time]).fillna(0).expand_dims(save=2)
    clock = xr.DataArray(np.multiply.outer(last, [0, 1]), dims=["learning_rate", "save"])
    ds = xr.Dataset(variables, attrs={"spec": json.dumps({"precision": precision})})
    ds = ds.expand_dims(dynamics=["train"]) if "save" in ds.dims else ds.expand_dims(save=2)
    ds = ds.map(lambda values: values.copy())
    natural = [INFERENCE_RULES[i % 3] for i in range(shape[0])]
    step = ("save", [0, 100])
    return ds.assign_coords(time=clock, step=step, natural_inference=("paradigm", natural))
