"""Training against its continuous limits, in words: of which order, when it leaves them, why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.edge_of_stability import edge_in, edge_times, products
from jaxattn.analysis.limit_gaps import TOLERANCE, departures, limits_in, orders, watched
from jaxattn.analysis.wording import Finding, listed, setting_words
from jaxattn.core.contracts import Status
from jaxattn.flow import LIMITS
from jaxattn.results.files import spec_of

__all__ = ["departure_records", "gap_findings", "limit_words"]

_SETTING, _MEASURE = "training against its continuous limits", "distance"

_WORDS: Mapping[str, str] = {
    "flow": "the gradient flow",
    "modified": "the modified flow",
    "third-order": "the modified flow of third order",
    "heavy-ball": "the heavy-ball equation",
    "adam": "the equation of Adam",
    "rmsprop": "the equation of RMSprop",
    "sde": "the stochastic modified equation",
    "reshuffling": "the reshuffling flow",
    "normalised": "the normalised flow",
}

_HELD: Mapping[str, tuple[str, ...]] = {
    "heavy-ball": ("friction",),
    "adam": ("tau1", "tau2"),
    "rmsprop": ("tau",),
}
"""What has to be held fixed for a limit to have its order; without it, none is expected."""

_FOLLOWS = 0.25
"""Of a smaller order than this, training does not follow a limit."""
_SPREAD = 0.25
"""Local slopes further apart than this are no one power."""

EDGE, STEPS, DIVERGED, NO_LIMIT, NOISE = (
    *("edge of stability", "finite steps", "diverged", "no limit", "noise"),
)


_KINKS = (
    "The model's gradient jumps, as at the kinks of ReLU: corrections beyond order 1 assume that "
    "it does not, and a path that slides along a kink may leave its limit at any learning rate."
)


def limit_words(name: str) -> str:
    """What a continuous limit is called in a sentence."""
    return _WORDS.get(name, f"the limit {name}")


def departure_records(ds: xr.Dataset, tolerance: float = TOLERANCE) -> list[dict[str, Any]]:
    """When training leaves each limit and why: one record a limit, paradigm and swept point.

    Returns:
        Records of ``limit``, ``paradigm``, the swept axes, ``tolerance``, ``seeds`` of which it is
        known, how many ``left`` and how many ``diverged``, ``time`` and ``step`` (medians of those
        that left, NaN where none did), ``edge`` and ``edge_time`` (of learning rate times
        sharpness, median of those that reach it; NaN where unknown or never), and ``why``: ""
        where no more than half left, else

        - edge of stability: it was reached before, by most of those that left;
        - diverged: most of them did, without that;
        - noise: the limit is stochastic, so that paths part by nature;
        - no limit: the distance does not fall with the learning rate;
        - finite steps: none of these; what is left is the error of steps of this size.
    """
    level, reached, found = edge_in(ds), edge_times(ds), []
    slopes = {(line["process"], _name(line)): line["slope"] for line in _orders(ds)}
    lost = ds["status"].sel(process="train", drop=True) == Status.DIVERGED
    for limit in limits_in(ds):
        left, known = departures(ds, limit, tolerance), watched(ds, limit)
        swept = [str(dim) for dim in left.dims if dim not in ("paradigm", "seed")]
        for place in np.ndindex(*(ds.sizes[dim] for dim in ("paradigm", *swept))):
            at = dict(zip(("paradigm", *swept), place, strict=True))
            paradigm = str(ds["paradigm"].values[place[0]])
            times, gone = left.isel(at).values, np.isfinite(left.isel(at).values)
            edges = np.full(times.shape, np.nan) if reached is None else reached.isel(at).values
            time = float(np.median(times[gone])) if gone.any() else np.nan
            clock = {dim: index for dim, index in at.items() if dim in ds["time"].dims}
            record = {
                "limit": limit,
                "paradigm": paradigm,
                **{name: ds[name].values[at[name]].item() for name in swept},
                "tolerance": tolerance,
                "seeds": int(known.isel(at).sum()),
                "left": int(gone.sum()),
                "diverged": int((lost & known).isel(at).sum()),
                "time": time,
                "step": _step_at(ds, clock, time),
                "edge": np.nan if level is None else _at(level, at),
                "edge_time": _median_of_finite(edges),
            }
            most = 2 * gone.sum() > record["seeds"]
            before = np.mean(edges[gone] <= times[gone]) > 0.5 if most else False
            slope = slopes.get((limit, _name(record)), np.nan)
            record["why"] = _why(record, bool(before), float(slope)) if most else ""
            found.append(record)
    return found


def _orders(ds: xr.Dataset) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in line.items()} for line in orders(ds).to_dict("records")]


def _at(level: xr.DataArray, at: Mapping[str, int]) -> float:
    return float(level.isel({dim: index for dim, index in at.items() if dim in level.dims}))


def _median_of_finite(values: np.ndarray) -> float:
    there = values[np.isfinite(values)]
    return float(np.median(there)) if there.size else np.nan


def _step_at(ds: xr.Dataset, clock: Mapping[str, int], time: float) -> float:
    """The step at a time, of the row's own clock."""
    times, steps = ds["time"].isel(clock), ds["step"]
    steps = steps.isel({dim: index for dim, index in clock.items() if dim in steps.dims})
    # The first at which it is seen; exactly on a step, rounding must not make it the next.
    return float(np.ceil(np.interp(time, times.values, steps.values) - 1e-6))


def _why(record: Mapping[str, Any], before: bool, slope: float) -> str:
    limit = LIMITS.get(record["limit"])
    if before:
        return EDGE
    if 2 * record["diverged"] > record["left"]:
        return DIVERGED
    if limit is not None and limit.stochastic:
        return NOISE
    return NO_LIMIT if slope < _FOLLOWS else STEPS


def gap_findings(ds: xr.Dataset) -> list[Finding]:
    """How training relates to each of its limits, a sentence each; [] of a result without any.

    Of which order it follows them, when it leaves them and why, and where it stands to the edge of
    stability.
    """
    limits = limits_in(ds)
    if not limits:
        return []
    records, lines = departure_records(ds), _orders(ds)
    said: list[str] = []
    for limit in limits:
        said += _of_order(ds, limit, [line for line in lines if line["process"] == limit])
        said += _of_departures([one for one in records if one["limit"] == limit], lines)
    if not spec_of(ds).get("smooth", True):
        said.append(_KINKS)
    return [Finding(_SETTING, _MEASURE, text) for text in (*said, *_of_edge(ds, records))]


# Orders.


def _of_order(ds: xr.Dataset, limit: str, lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    known = LIMITS.get(limit)
    if known is not None and known.stochastic:
        yield (
            f"{_capital(limit_words(limit))} is a limit in law: its paths have noise of their own, "
            "so their distance from training says how wide paths spread, and no order is claimed."
        )
        return
    lines = [line for line in lines if np.isfinite(line["slope"])]
    follow = [line for line in lines if line["slope"] >= _FOLLOWS]
    expected = _expected(ds, limit)
    if follow:
        first, *rest = ((_name(line), _slope_words(line)) for line in follow)
        each = [f"{first[0]} follows {limit_words(limit)} to order {first[1]} in the learning rate"]
        each += [f"{name} to {slope}" for name, slope in rest]
        yield f"{_listed(each)}; {expected}." if expected else f"{_listed(each)}."
    for line in lines:
        if line["slope"] < _FOLLOWS:
            yield (
                f"{_name(line)} does not follow {limit_words(limit)}: the distance does not fall "
                f"with the learning rate (order {_slope_words(line)}"
                + (f"; {expected})." if expected else ").")
            )
    if wild := [line for line in follow if not _is_settled(line)]:
        slopes = (
            f"from {line['local'][0]:.2f} to {line['local'][-1]:.2f} for {_name(line)}"
            for line in wild
        )
        yield (
            "That is no one power yet: between neighbouring rates, from the largest to the "
            f"smallest, the slope goes {listed(slopes)}."
        )
    asked = ds.sizes["learning_rate"]
    if few := [line for line in lines if line["rates"] < asked]:
        counts = (f"{line['rates']} of {asked} for {_name(line)}" for line in few)
        yield (
            "Rates at which runs diverge or reach the edge of stability are in no order, which is "
            f"fitted to {listed(counts)}."
        )


def _is_settled(line: Mapping[str, Any]) -> bool:
    """Whether the local slopes are one power."""
    return bool(np.ptp(line["local"]) <= _SPREAD)


def _expected(ds: xr.Dataset, limit: str) -> str:
    """What order is expected, where one is."""
    known, spec = LIMITS.get(limit), spec_of(ds)
    if known is None or (spec.get("batch_size") is not None and not known.orders):
        return ""  # of one's own; or a mean over minibatches, around which the paths spread
    held = _HELD.get(limit, ())
    words = f"{known.order:g} is expected"
    if known.order > 1 and not spec.get("smooth", True):
        words += " of a smooth model"
    if set(held) - set(spec.get("hypers", {})):
        words += f" with {listed(held)} held fixed"
    return words


def _slope_words(line: Mapping[str, Any]) -> str:
    words = f"{line['slope']:.2f}"
    if np.isfinite(line["low"]):
        words += f" [{line['low']:.2f}, {line['high']:.2f}]"
    return words


# Departures.


def _of_departures(
    records: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    stay, limit = [], limit_words(records[0]["limit"])
    share = f"{records[0]['tolerance']:.0%}".replace("%", " %")
    for name, group in _by(_name, records):
        rates = sorted(group, key=lambda one: -one["learning_rate"])
        known = [one for one in rates if one["seeds"]]
        left = [one for one in known if one["left"]]
        if known and not left:
            stay.append(name)
        if not left:
            continue
        first, *rest = left
        each = [
            f"{_rate(first)} {name} leaves {limit} (by {share} of its way) {_when(first)}",
            *(f"at {one['learning_rate']:g} {_when(one)}" for one in rest),
        ]
        never = [f"{one['learning_rate']:g}" for one in known if not one["left"]]
        text = _capital(_listed(each))
        text += f"; at {listed(never)} it never does." if never else "."
        yield " ".join([text, *_reasons(left, lines)])
    if stay:
        some = "leaves" if len(stay) == 1 else "leave"
        yield f"{listed(stay)} never {some} {limit} (by {share} of its way) at these rates."


def _when(one: Mapping[str, Any]) -> str:
    part = "" if one["left"] == one["seeds"] else f"; {one['left']} of {one['seeds']} seeds"
    return f"at time {one['time']:.3g} (step {one['step']:.0f}{part})"


def _rate(one: Mapping[str, Any]) -> str:
    return f"at learning rate {one['learning_rate']:g}"


def _reasons(
    left: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Why training left, a sentence each reason; those that a finding of its own tells are not."""
    by_why = _by(lambda one: one["why"], left)
    for why, group in by_why:
        rates = listed(f"{one['learning_rate']:g}" for one in group)
        where = "" if len(by_why) == 1 else f" at {rates}"
        if why == EDGE:
            times = listed(dict.fromkeys(f"{one['edge_time']:.3g}" for one in group))
            yield (
                f"Why{where}: it has passed the edge of stability by then, as learning rate times "
                f"sharpness reaches {group[0]['edge']:.3g} at time {times}."
            )
        elif why == DIVERGED:
            yield f"Why{where}: its runs diverge."
        elif why == STEPS:
            mine = (
                line
                for line in lines
                if line["process"] == group[0]["limit"] and _name(line) == _name(group[0])
            )
            slope = next((line["slope"] for line in mine if _is_settled(line)), np.nan)
            edge = "no edge of stability is passed before; " if group[0]["edge"] > 0 else ""
            how = f", which falls as the learning rate to the power {slope:.2f}"
            yield (
                f"Why{where}: {edge}it is the error of steps of this size"
                f"{how if np.isfinite(slope) else ''}."
            )


def _of_edge(ds: xr.Dataset, records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where learning rate times sharpness of training reaches the edge, or how near it comes."""
    product = products(ds)
    if edge_in(ds) is None or product is None:
        return
    first = [one for one in records if one["limit"] == records[0]["limit"]]
    below = [one for one in first if np.isnan(one["edge_time"])]
    for name, group in _by(_name, first):
        over = [one for one in group if np.isfinite(one["edge_time"])]
        over.sort(key=lambda one: -one["learning_rate"])
        if over:
            first_over, *rest = over
            each = [f"at time {first_over['edge_time']:.3g} {_rate(first_over)}"]
            each += [f"at time {one['edge_time']:.3g} at {one['learning_rate']:g}" for one in rest]
            yield (
                f"{name} reaches the edge of stability, learning rate times sharpness of "
                f"{first_over['edge']:.3g}, {listed(each)}."
            )
    if len(below) == len(first):
        most = float(product.sel(process="train").max())
        edges = sorted({float(f"{one['edge']:.3g}") for one in first})
        yield (
            f"Training stays below the edge of stability, {listed(f'{one:g}' for one in edges)}: "
            f"learning rate times sharpness is at most {most:.2g}."
        )


# Words.


def _by(
    key: Callable[[Mapping[str, Any]], str], records: Sequence[Mapping[str, Any]]
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Records that have a key in common, in the order in which the keys come."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in records:
        groups.setdefault(key(one), []).append(one)
    return list(groups.items())


def _name(one: Mapping[str, Any]) -> str:
    """A paradigm, and where it was run if more than the learning rate was swept."""
    words = setting_words({key: one[key] for key in one if key not in _NOT_SWEPT})
    return f"{one['paradigm']} ({words})" if words else str(one["paradigm"])


_NOT_SWEPT = {
    *("limit", "process", "paradigm", "learning_rate", "tolerance", "seeds", "left", "diverged"),
    *("time", "step", "edge", "edge_time", "why", "slope", "low", "high", "local", "rates"),
}


def _listed(parts: Sequence[str]) -> str:
    """As `listed`, of parts that have an "and" of their own."""
    return ", ".join(parts)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
