"""Training against its continuous limits, in words: of which order, when it leaves them, why."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.edge_of_stability import edge_in, products
from jaxattn.analysis.limit_departure_findings import departure_findings, rate_words
from jaxattn.analysis.limit_departures import departure_records, order_records
from jaxattn.analysis.limit_gaps import limits_in
from jaxattn.analysis.limit_order_findings import order_findings
from jaxattn.analysis.limit_wording import grouped, run_name
from jaxattn.analysis.wording import Finding, listed
from jaxattn.results.dataset import spec_of

__all__ = ["gap_findings"]

_SETTING, _MEASURE = "training against its continuous limits", "distance"

_KINKS = (
    "The model's gradient jumps, as at the kinks of ReLU: corrections beyond order 1 assume that "
    "it does not, and a path that slides along a kink may leave its limit at any learning rate."
)
_REACHES = (
    "{name} reaches the edge of stability, learning rate times sharpness of {edge:.3g}, {each}."
)
_BELOW = (
    "Training stays below the edge of stability, {edges}: learning rate times sharpness is at most "
    "{most:.2g}."
)


def gap_findings(ds: xr.Dataset) -> list[Finding]:
    """How training relates to each of its limits, a sentence each; [] of a result without any.

    Of which order it follows them, when it leaves them and why, and where it stands to the edge of
    stability.
    """
    limits = limits_in(ds)
    if not limits:
        return []
    records, lines = departure_records(ds), order_records(ds)
    said: list[str] = []
    for limit in limits:
        said += order_findings(ds, limit, [line for line in lines if line["process"] == limit])
        said += departure_findings([one for one in records if one["limit"] == limit], lines)
    if not spec_of(ds).get("smooth", True):
        said.append(_KINKS)
    return [Finding(_SETTING, _MEASURE, text) for text in (*said, *_of_edge(ds, records))]


def _of_edge(ds: xr.Dataset, records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where learning rate times sharpness of training reaches the edge, or how near it comes."""
    product = products(ds)
    if edge_in(ds) is None or product is None:
        return
    first = [one for one in records if one["limit"] == records[0]["limit"]]
    below = [one for one in first if np.isnan(one["edge_time"])]
    for name, group in grouped(run_name, first):
        over = [one for one in group if np.isfinite(one["edge_time"])]
        over.sort(key=lambda one: -one["learning_rate"])
        if over:
            first_over, *rest = over
            each = [f"at time {first_over['edge_time']:.3g} {rate_words(first_over)}"]
            each += [f"at time {one['edge_time']:.3g} at {one['learning_rate']:g}" for one in rest]
            yield _REACHES.format(name=name, edge=first_over["edge"], each=listed(each))
    if len(below) == len(first):
        most = float(product.sel(process="train").max())
        edges = sorted({float(f"{one['edge']:.3g}") for one in first})
        yield _BELOW.format(edges=listed(f"{one:g}" for one in edges), most=most)
