"""Captions in numbers and in sentences, from the Dataset alone."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from jaxattn.analysis.intervals import interval
from jaxattn.analysis.wording import interval_words, number_words, unit_words
from jaxattn.core.contracts import Status
from jaxattn.experiments.claims.findings import CLAIMS, SIGNATURE
from jaxattn.experiments.claims.findings import numbers as claims_of
from jaxattn.experiments.wording import Line, band_of, learnt_from

__all__ = ["at_the_end", "findings", "numbers"]

_CHANCE = "an equal share for every tile"


def at_the_end(ds: xr.Dataset, measure: str) -> xr.DataArray:
    """A measure of held-out mosaics at the last save, by seed, by the paradigm's own rule.

    NaN of runs that did not end well.
    """
    values = (
        ds[measure]
        .where(Status.ended_well(ds["status"]))
        .sel(split="test", dynamics="train")
        .isel(learning_rate=0)
    )
    if "save" in values.dims:
        values = values.isel(save=-1)
    if "inference" not in values.dims:
        return values
    own = ds["natural_inference"]
    own = own.isel(data=0) if "data" in own.dims else own
    return xr.concat(
        [
            values.sel(paradigm=name, inference=own.sel(paradigm=name).item())
            for name in own["paradigm"].values
        ],
        "paradigm",
        coords="minimal",
        compat="override",
    )


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each set and paradigm, at the end of training, on held-out mosaics.

    Attention on the tile of a word with a 95 % interval over seeds; bands over seeds of the time to
    focus, accuracy of the words that name a tile, FTPT, and means of what is written.
    """
    measures = ("attention_foreground", "time_to_focus", "accuracy", "error_cell")
    ends = {name: at_the_end(ds, name) for name in measures}
    lines = []
    for data in map(str, ds["data"].values):
        for name in map(str, ds["paradigm"].values):
            of = {key: found.sel(data=data, paradigm=name) for key, found in ends.items()}
            attention = of["attention_foreground"].values
            found = interval(attention)
            line: Line = {"data": data, "paradigm": name}
            line["seeds"] = int(np.isfinite(attention).sum())
            line["attention"] = {
                "mean": float(found.mean),
                "low": float(found.low),
                "high": float(found.high),
            }
            for key in ("time_to_focus", "accuracy"):
                line[key] = band_of(_finite(of[key]))
            line["FTPT"] = band_of(_finite(of["error_cell"].sel(cell="FTPT")))
            lines.append(line | _judged(ds, data, name))
    return lines


def _finite(values: xr.DataArray) -> np.ndarray:
    array = np.asarray(values.values, float)
    return array[np.isfinite(array)]


def _judged(ds: xr.Dataset, data: str, name: str) -> Line:
    """Means over seeds of what was written; nothing of a run that is half finished."""
    if "caption_metric" not in ds:
        return {}
    metrics = ds["caption_metric"].sel(data=data, paradigm=name).mean("seed")
    return {str(metric): float(metrics.sel(metric=metric)) for metric in ds["metric"].values}


def findings(ds: xr.Dataset) -> list[str]:
    """Attention on the tiles, what is written, and each claim of the paper with its verdict."""
    lines = numbers(ds)
    said = [_attention(lines, data, ds.sizes["segment"]) for data in map(str, ds["data"].values)]
    if "caption_metric" in ds:
        said += [_written(lines, data) for data in map(str, ds["data"].values)]
    return [*learnt_from(ds), *said, *_claims(ds)]


def _attention(lines: list[Line], data: str, segments: int) -> str:
    parts = []
    for line in (line for line in lines if line["data"] == data):
        at = line["attention"]
        ends = interval_words(at["low"], at["high"])
        parts.append(f"{line['paradigm']} {number_words(at['mean'])} {ends}")
    return (
        f"Captions of {data}: attention on the tile that a word names, {', '.join(parts)}; "
        f"{_CHANCE} is {1 / segments:.3g}."
    )


def _written(lines: list[Line], data: str) -> str:
    parts = [
        f"{line['paradigm']} {line['BLEU-4']:.1f} and {line['ROUGE-L']:.1f}"
        for line in lines
        if line["data"] == data
    ]
    return f"Written greedily of {data}, BLEU-4 and ROUGE-L in percent: {', '.join(parts)}."


def _claims(ds: xr.Dataset) -> Iterator[str]:
    """The claims that are asked of a set of images, here of captions."""
    words = {"signature": SIGNATURE, **{claim.name: claim.words for claim in CLAIMS}}
    for line in claims_of(ds):
        if line["data"] == "theory":
            continue
        more = ""
        if np.isfinite(line.get("difference", np.nan)):
            ends = interval_words(line["low"], line["high"])
            unit = unit_words(line["unit"])
            more = f", {number_words(line['difference'])} {ends}{unit}"
        yield (
            f"Captions of {line['data']}: {words[line['claim']]}: {line['verdict']}{more} "
            f"({line['seeds']} seeds)."
        )
