"""Requests at random: arguments of `jaxattn.compare`, mostly right, some anything at all."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from hypothesis import strategies as st

from jaxattn.core.contracts import AttentionMap, HyperSpec, Model, Paradigm, Task
from jaxattn.models import linear, mlp
from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.tasks import mosaic, orthogonal, orthogonal_population
from jaxattn.training.optimisers import OPTIMISERS, Optimiser
from jaxattn.training.schedules import ByShare

__all__ = ["JUNK", "REQUESTS", "TASKS", "otherwise"]

PICTURES = np.random.default_rng(0).random((24, 4))
TINY = partial(orthogonal, classes=3, segments=3, train=8, test=4, points=4, validation=0)
TASKS = (
    TINY(),
    TINY,
    orthogonal_population(3, 3),
    mosaic(PICTURES, np.arange(24) % 4, foreground=(0, 1), segments=2, train=8, test=4),
    "orthogonal-population",
)


def _own(log_attention, values, read, label, context):
    return -read.log_probability(jnp.mean(values, axis=0), label)


def _tempered(log_attention, values, read, label, context):
    loss = -read.log_probability(jnp.mean(values, axis=0), label)
    return context.hyper["strength"] * loss, ()


def _half(hyper):
    return optax.sgd(hyper["learning_rate"] / 2)


def _flat(scores, example, hyper):
    return jax.nn.log_softmax(jnp.where(example.mask, 0 * scores, -jnp.inf))


def _raises(*given):
    return {}["nothing"]


STRENGTH = HyperSpec("strength", 1.0, low=0.0)
OWN = Paradigm("own words, 100 %", _tempered, hypers=(STRENGTH,))
MODELS = (None, "linear", linear, linear(3), partial(mlp, width=4))

JUNK = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            False,
            np.True_,
            0,
            -1,
            1.5,
            2**31,
            10**30,
            float("nan"),
            float("inf"),
            -float("inf"),
            3 + 0j,
            np.complex128(2 + 1j),
            Decimal("0.5"),
            Fraction(1, 3),
            timedelta(seconds=3),
            np.timedelta64(3, "s"),
            np.datetime64("2020-01-01"),
            "",
            " ",
            "auto",
            "nobody",
            "two\nlines",
            "no:where",
            "os:path",
            ":",
            "$x$",
            "[red]",
            b"ab",
            bytearray(b"12"),
            np.str_("0.5"),
            np.array("0.5"),
            np.array(3, dtype=object),
            np.array("0.5", dtype=object),
            np.ma.masked,
            np.ma.array([1, 2], mask=[False, True]),
            np.ma.array([0.1, 0.2], mask=[False, True]),
            np.array([]),
            np.array([[0.1, 0.2]]),
            np.array([True, False]),
            np.array(["soft", "hard"]),
            np.array([0.1, np.nan]),
            object(),
            Ellipsis,
            int,
            len,
            _own,
            _half,
            _flat,
            _raises,
            TINY(),
            linear(3),
            PARADIGMS["soft"],
            OPTIMISERS["adam"],
            diffrax.Tsit5(),
            diffrax.Euler(),
        ]
    ),
    st.sampled_from(
        [
            (),
            [],
            {},
            [[]],
            [None],
            [{}],
            [0, "a"],
            (0, 1),
            [1, 0],
            [0.5, 0.25],
            ["soft", "hard"],
            {"soft": _own},
            {"a": 1},
            {1: 2},
            {0, 1},
            {"soft", "hard"},
            frozenset(["init", "data"]),
            range(3),
            range(3, 0, -1),
            "soft",
            ["soft", "soft"],
            ["flow", "flow"],
            ["flow", "sde"],
            ["init", "init"],
        ]
    ),
    st.text("ab\n$[]/:%\x1b", max_size=4),
    st.lists(st.one_of(st.integers(-2, 9), st.floats(), st.text("ab", max_size=2)), max_size=3),
    st.integers(-(2**70), 2**70),
    st.floats(),
)

RATES = st.floats(0.01, 2.0).map(lambda rate: round(rate, 3))


def _one_or_some(numbers: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(numbers, st.lists(numbers, min_size=1, max_size=3, unique=True))


def _some(*values: Any) -> st.SearchStrategy:
    """One, or some in any order, each once."""
    each = st.sampled_from(values)
    places = st.lists(st.integers(0, len(values) - 1), min_size=1, max_size=3, unique=True)
    return st.one_of(each, places.map(lambda at: [values[place] for place in at]))


HYPERS = {
    "learning_rate": _one_or_some(RATES),
    "temperature": _one_or_some(RATES),
    "focus_rate": _one_or_some(st.floats(0, 2)),
    "clip_norm": _one_or_some(RATES),
    "strength": _one_or_some(RATES),
    "switch_time": _one_or_some(st.floats(0, 9)),
    "momentum": _one_or_some(st.floats(0, 0.95)),
    "beta1": _one_or_some(st.floats(0, 0.95)),
    "alpha": _one_or_some(st.floats(0, 1)),
}
ALWAYS = ("learning_rate", "temperature", "focus_rate", "clip_norm")
STEPS = st.integers(1, 6)
SAVES = st.one_of(
    st.integers(2, 9),
    st.integers(2, 9).map("log:{}".format),
    st.lists(st.integers(1, 5), unique=True).map(lambda at: [0, *sorted(at)]),
)
GOOD: Mapping[str, st.SearchStrategy] = {
    "task": st.sampled_from(TASKS),
    "model": st.sampled_from(MODELS),
    "paradigms": _some("soft", "hard", "lvml", "hybrid", "em", PARADIGMS["hybrid"], _own, OWN),
    "seeds": st.one_of(
        st.integers(1, 3),
        st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3, unique=True),
        st.just(range(3, 9, 3)),
    ),
    "steps": STEPS,
    "saves": SAVES,
    "optimiser": st.sampled_from(["auto", *OPTIMISERS, _half, OPTIMISERS["momentum"]]),
    "schedule": st.sampled_from(
        [
            "constant",
            "cosine",
            "linear",
            "exponential",
            ByShare("mine", lambda step, steps: 1 / (1 + step / steps)),
            lambda hyper, steps: optax.constant_schedule(hyper["learning_rate"]),
        ]
    ),
    "order": st.sampled_from(
        ["fixed", "shuffled", "shuffled-per-seed", "with-replacement", "without-replacement"]
    ),
    "batch_size": st.one_of(st.integers(1, 9), st.sampled_from(["auto", "all", None])),
    "attention": st.sampled_from(["softmax", "imposed", _flat, AttentionMap(_flat)]),
    "vary": st.one_of(st.none(), _some("init", "data")),
    "evaluate": st.integers(1, 9),
    "flow_seeds": st.integers(0, 2),
    "flow_examples": st.integers(1, 9),
    "flow_solver": st.sampled_from(["auto", "bosh3", "tsit5", "dopri8", diffrax.Tsit5()]),
    "flow_rtol": st.one_of(st.just("auto"), st.floats(1e-9, 1e-3)),
    "flow_atol": st.one_of(st.just("auto"), st.floats(1e-9, 1e-3)),
    "precision": st.sampled_from(["auto", "float32", "float64"]),
    "against": _some("flow", "modified", "sde", "adam", "heavy-ball"),
    "curvature": st.one_of(st.just("auto"), st.integers(0, 2)),
    "focus_level": st.floats(0, 1),
    "fit_level": st.floats(0, 100),
}
OFTEN = ("task", "steps", "saves", "hypers", "paradigms", "seeds")


@st.composite
def _requests(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments by name: no two of a good one contradict each other often."""
    beside_limits = draw(st.integers(0, 3)) == 0
    given: dict[str, Any] = {}
    for name, good in GOOD.items():
        if name == "against" and not beside_limits:
            continue
        if beside_limits and name in ("flow_seeds", "precision", "optimiser", "order"):
            continue
        if name in OFTEN or (name == "against") or draw(st.integers(0, 3)) == 0:
            given[name] = draw(good)
    if isinstance(given.get("saves"), list):
        given["steps"] = given["saves"][-1] or 1
        given["saves"] = [0, 1] if given["saves"] == [0] else given["saves"]
    read = [*ALWAYS, *_read_by(given)]
    names = draw(st.lists(st.sampled_from(read), max_size=3, unique=True))
    given["hypers"] = {name: draw(HYPERS[name]) for name in names}
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2]))):
        name = draw(st.sampled_from([*GOOD, "hypers", "hypers", "hypers"]))
        if name == "hypers":
            hyper = draw(st.sampled_from([*HYPERS, "temprature", "a b", "save", 3]))
            given["hypers"] = {**dict(given["hypers"]), hyper: draw(JUNK)}
        else:
            given[name] = draw(JUNK)
    return given


def _read_by(given: Mapping[str, Any]) -> list[str]:
    """Hyperparameters that some of the components asked for read."""
    paradigms = given["paradigms"]
    several = paradigms if isinstance(paradigms, list) else [paradigms]
    read = ["strength"] if OWN in several else []
    if "hybrid" in several or PARADIGMS["hybrid"] in several:
        read.append("switch_time")
    optimiser = given.get("optimiser")
    name = optimiser.name if isinstance(optimiser, Optimiser) else optimiser
    read += ["momentum"] if name == "momentum" else []
    read += ["beta1"] if name in ("adam", "adamw") else []
    return read + (["alpha"] if given.get("attention") == "imposed" else [])


REQUESTS = _requests()


def otherwise(value: Any, exact: bool) -> Any:
    """The same request in another notation.

    Args:
        value: an argument.
        exact: whether JAX holds 64 bits.
    """
    if isinstance(value, dict):
        return {name: otherwise(each, exact) for name, each in value.items()}
    if isinstance(value, list) and value and all(isinstance(each, float) for each in value):
        # Not by jax.numpy, which compiles a program for it.
        array = np.asarray(value)
        return jax.device_put(array) if exact and len(value) % 2 else array
    if isinstance(value, list):
        return tuple(otherwise(each, exact) for each in value)
    if isinstance(value, range):
        return list(value)
    if isinstance(value, Model | Paradigm | Task | AttentionMap | bool):
        return value
    if isinstance(value, int):
        # What 64 bits do not hold has no other notation.
        return np.int64(value) if abs(value) < 2**63 else value
    return np.float64(value) if isinstance(value, float) else value
