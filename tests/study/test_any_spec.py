"""Any spec at all is read, and comes back the same, or is refused in one line."""

import json
from math import prod
from typing import Any

import jaxtyping
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxattn.core.contracts import InputError
from jaxattn.engine.cost.layout import choose_layout
from jaxattn.study.parse import from_plain
from jaxattn.study.spec import Spec
from jaxattn.study.spec_hash import spec_hash, spec_json


@pytest.fixture(autouse=True)
def _as_people_run_it():
    """Without the types that only the tests check, so that wrong ones reach the code."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


NUMBERS = st.one_of(
    st.integers(-2, 9),
    st.floats(0.01, 2.0),
    st.sampled_from([0.0, float("inf"), float("nan"), 1e300, 10**30]),
)
JUNK = st.one_of(
    NUMBERS,
    st.booleans(),
    st.text("ab\n:./\"'", max_size=4),
    st.just([]),
    st.just({}),
    st.lists(NUMBERS, max_size=3),
)
RANGES = st.fixed_dictionaries(
    {"count": st.integers(0, 4)},
    optional={
        "range": st.lists(NUMBERS, min_size=2, max_size=2),
        "log": st.lists(NUMBERS, min_size=2, max_size=2),
    },
)


def _often(good: st.SearchStrategy, bad: st.SearchStrategy = JUNK) -> st.SearchStrategy:
    """What is mostly right: a spec of thirty such parts must have a chance to be."""
    return st.integers(0, 39).flatmap(lambda at: bad if at == 39 else good)


def _some(*values: Any) -> st.SearchStrategy:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


HYPERS = st.one_of(
    st.lists(st.floats(0.01, 2.0), min_size=1, max_size=3, unique=True),
    st.fixed_dictionaries(
        {"count": st.integers(2, 4)} | {"log": st.tuples(st.floats(0.01, 0.1), st.floats(1, 2))}
    ),
    st.fixed_dictionaries(
        {"count": st.integers(2, 4)} | {"range": st.tuples(st.floats(0.01, 0.1), st.floats(1, 2))}
    ),
    RANGES,
)
JOINT = st.one_of(
    st.fixed_dictionaries(
        {"zip": st.just({"classes": [2, 3], "start": ["zeros", "normal"]})},
    ),
    st.fixed_dictionaries(
        {
            "random": st.just({"clip_norm": {"log": [0.1, 1.0]}, "focus_rate": {"range": [0, 2]}}),
            "count": st.integers(1, 4),
        },
        optional={"seed": st.integers(0, 9)},
    ),
)
AXES = st.fixed_dictionaries(
    {
        "paradigm": _often(_some("soft", "hard", "lvml", "hybrid", "em")),
        "seed": _often(
            st.one_of(_some(0, 1, 7), st.fixed_dictionaries({"count": st.integers(1, 9)}))
        ),
    },
    optional={
        "learning_rate": _often(HYPERS),
        "temperature": _often(HYPERS),
        "segments": _often(_some(2, 3, 4)),
        "batch_size": _often(_some(2, 4)),
        "optimiser": _often(_some("sgd", "adam")),
        "draw": _often(JOINT),
        "size": _often(JOINT),
    },
)
SPECS = st.fixed_dictionaries(
    {
        "task": _often(st.just({"name": "orthogonal", "train": 8, "test": 8, "points": 8})),
        "axes": _often(
            st.tuples(AXES, st.randoms(use_true_random=False)).map(
                lambda pair: dict(pair[1].sample(list(pair[0].items()), len(pair[0])))
            )
        ),
    },
    optional={
        "model": _often(st.just({"name": "linear"})),
        "settings": _often(
            st.fixed_dictionaries(
                {},
                optional={
                    "steps": _often(st.integers(3, 50)),
                    "saves": _often(st.integers(2, 5)),
                    "order": _often(st.sampled_from(["fixed", "shuffled"])),
                    "vary": _often(_some("init", "data")),
                    "fit_level": _often(NUMBERS),
                    "hypers": _often(st.just({"focus_rate": 1})),
                    "step": JUNK,
                },
            )
        ),
        "layout": _often(
            st.fixed_dictionaries(
                {},
                optional={
                    "tile": _often(st.integers(1, 4)),
                    "memory": _often(st.sampled_from(["1 MiB", 10**9])),
                    "pad_segments": _often(st.just(False)),
                },
            )
        ),
        "output": _often(
            st.fixed_dictionaries(
                {},
                optional={
                    "measures": _often(_some("loss", "accuracy", "objective")),
                    "dynamics": _often(_some("train", "flow")),
                    "params": _often(st.booleans()),
                },
            )
        ),
        "stop": _often(
            st.fixed_dictionaries({}, optional={"diverged": st.booleans(), "every": JUNK})
        ),
    },
)


def _turned(tables: Any, order: Any) -> Any:
    """The same tables, the keys of all but the axes in another order."""
    if not isinstance(tables, dict):
        return tables
    keys = sorted(tables, key=lambda key: order.random())
    return {
        key: {name: _turned(one, order) for name, one in tables[key].items()}
        if key == "axes" and isinstance(tables[key], dict)
        else _turned(tables[key], order)
        for key in keys
    }


LAID_OUT = 8
"""Specs that are laid out: what their rows bring takes a second to find."""


def _rows_laid_out(spec: Spec) -> int:
    """Rows of the layout, all there, each once; 0 where it is refused in one line."""
    try:
        sweep = choose_layout(spec)
    except InputError as error:
        said = str(error)
    else:
        said = ""
    if said:
        assert said.startswith("layout.")
        assert "\n" not in said
        return 0
    assert sweep.rows == prod(map(len, spec.axes)) * len(spec.dynamics)
    assert sum(chunk.real.size for plan in sweep.plans for chunk in plan.chunks()) == sweep.rows
    return sweep.rows


def test_any_spec_is_read_or_refused_in_one_line():
    seen = {True: 0, False: 0}
    laid: list[int] = []

    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(SPECS, st.randoms(use_true_random=False))
    def check(tables: Any, order: Any) -> None:
        spec, said = None, ""
        try:
            spec = from_plain(tables)
        except InputError as error:
            said = str(error)
        seen[spec is not None] += 1
        assert "\n" not in said
        assert len(said) < 1000
        if spec is None:
            return
        if len(laid) < LAID_OUT:
            laid.append(_rows_laid_out(spec))
        written = spec_json(spec)
        assert from_plain(json.loads(written)) == spec
        assert spec_json(from_plain(json.loads(written))) == written
        assert spec_hash(from_plain(_turned(tables, order))) == spec_hash(spec)

    check()
    assert min(seen.values()) > 25, "specs at random are to be both good and bad"
    assert any(laid), "some specs at random are to be laid out"
