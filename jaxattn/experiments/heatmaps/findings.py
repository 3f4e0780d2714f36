"""The heatmaps in numbers and in sentences, both made from their Dataset alone."""

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status
from jaxattn.experiments.wording import Line, band_of

__all__ = ["findings", "numbers"]

_PUBLISHED = "average-input"
_CORNERS = {
    "both_high": (-1, -1),
    "answer_alone": (0, -1),
    "focus_alone": (-1, 0),
    "both_low": (0, 0),
}
"""The corner cells ``[attention, answer]``: above 0.8 or below 0.2."""


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each paradigm, set of mosaics and reading, at the end of training.

    Median and `BAND` over the seeds that finished, in percent of the mosaics: of the four corner
    cells of the map, and of all mosaics with more than 0.8 of the attention on the foreground.
    """
    return [
        _line(ds, str(name), split, reading, rule)
        for name in ds["paradigm"].values
        for split in ("train", "test")
        for reading, rule in (
            ("as published", _PUBLISHED),
            ("own rule", str(ds["natural_inference"].sel(paradigm=name).values)),
        )
    ]


def _line(ds: xr.Dataset, name: str, split: str, reading: str, rule: str) -> Line:
    run = ds.sel(paradigm=name, dynamics="train").isel(segments=0, learning_rate=0)
    done = (run["status"] == Status.DONE).values
    shares = run["answer_map"].isel(save=-1).sel(split=split, inference=rule)
    cells = shares.transpose("seed", "attention_bin", "answer_bin").values[done]
    line: Line = {"paradigm": name, "split": split, "reading": reading, "inference": rule}
    line["seeds"] = len(cells)
    line |= {corner: band_of(cells[:, x, y]) for corner, (x, y) in _CORNERS.items()}
    return line | {"focus_high": band_of(np.sum(cells[:, -1], axis=-1))}


def findings(ds: xr.Dataset) -> list[str]:
    """What held-out mosaics are in the corners that say something of the focus, by medians."""
    lines = [line for line in numbers(ds) if line["split"] == "test" and line["seeds"]]
    said = []
    for reading in dict.fromkeys(line["reading"] for line in lines):
        same = [line for line in lines if line["reading"] == reading]
        seeds = min(line["seeds"] for line in same)
        for corner, words in (
            ("both_high", "attention and answer both above 0.8"),
            ("answer_alone", "answer above 0.8 with attention below 0.2"),
        ):
            shares = ", ".join(f"{x['paradigm']} {x[corner]['median']:.1f} %" for x in same)
            said.append(f"test, {reading}: {words}: {shares} (medians of {seeds} seeds).")
    return said
