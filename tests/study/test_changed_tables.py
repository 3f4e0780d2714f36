"""Tables of a sweep in which something was changed: read as they say, or refused in one line."""

import json
from collections.abc import Iterator
from dataclasses import fields
from math import prod
from typing import Any

import jax
import jaxtyping
import numpy as np
import pytest
from any_request import JUNK
from any_table import CHANGED, GOOD, as_toml, is_small
from helpers import slow_but
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxattn.core.contracts import InputError
from jaxattn.study.groups import THEORY, make_groups
from jaxattn.study.parse import parse_spec
from jaxattn.study.spec_hash import spec_hash, spec_json
from jaxattn.sweeps import Axis, Layout, Spec, as_spec

compiled: list[str] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
)
FEW = 200
"""Rows of a sweep whose groups are looked at."""


@pytest.fixture(autouse=True)
def _as_people_run_it_in_an_empty_folder(tmp_path, monkeypatch) -> Iterator[None]:
    """Without the types that only the tests check; nothing is written, and nothing compiled."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    jaxtyping.config.update("jaxtyping_disable", True)
    jax.clear_caches()
    before = len(compiled)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
    assert len(compiled) == before
    assert list(tmp_path.iterdir()) == []


def _said(make: Any, *given: Any, **named: Any) -> str:
    """What is refused, which is one line; nothing where it is not."""
    try:
        make(*given, **named)
    except InputError as error:
        said = str(error)
    else:
        return ""
    assert said.isprintable()
    assert len(said) < 1000
    return said


def _text(tables: dict[str, Any]) -> str:
    """A TOML file of tables; empty, where they hold more than one can."""
    try:
        return "" if "null" in json.dumps(tables) else as_toml(tables)
    except TypeError:
        return ""


@pytest.mark.parametrize("count", slow_but([], [750]))
def test_a_changed_table_is_read_as_it_says_or_refused_in_one_line(count) -> None:
    seen = {True: 0, False: 0}
    toml = []

    @settings(max_examples=count)
    @given(CHANGED)
    @example({**GOOD[0], "model": np.array("linear")})
    @example({**GOOD[0], "settings": {"hypers": {"temperature": np.timedelta64(3, "ns")}}})
    @example(
        {**GOOD[0], "axes": {**GOOD[0]["axes"], "clip_norm": np.ma.array([1, 2], mask=[0, 1])}}
    )
    @example({**GOOD[0], "axes": {"paradigm": {"zip": {"temperature": [1, 2]}}, "seed": [0]}})
    @example({**GOOD[0], "settings": {"against": ["os:path"]}})
    def check(tables: dict[str, Any]) -> None:
        refused = bool(_said(as_spec, tables))
        seen[refused] += 1
        if refused:
            return
        spec = as_spec(tables)
        written = spec_json(spec)
        assert as_spec(json.loads(written)) == spec
        assert spec_json(as_spec(json.loads(written))) == written
        if text := _text(tables):
            toml.append(parse_spec(text))
            assert spec_hash(toml[-1]) == spec_hash(spec)
        if (rows := prod(map(len, spec.axes))) <= FEW:
            run = [group for group in make_groups(spec) if group.dynamics != THEORY]
            beside = spec.settings["against"]
            kinds = ("train", *beside) if beside else spec.dynamics
            assert sum(group.points * len(group.seeds) for group in run) == rows * len(kinds)
            assert {group.dynamics for group in run} == set(kinds)

    check()
    assert min(seen.values()) > count // 5, "changed tables are to be both good and bad"
    assert len(toml) > count // 5


@st.composite
def _parts(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """A part of a spec with something in it that may be anything."""
    junk = JUNK.filter(is_small)
    make = draw(st.sampled_from([Axis, Layout, Spec]))
    good = {
        Axis: {"name": "x", "columns": (("x", (1, 2)),)},
        Layout: {"tile": 2},
        Spec: {one.name: getattr(WHOLE, one.name) for one in fields(Spec) if one.init},
    }[make]
    name = draw(st.sampled_from([one.name for one in fields(make) if one.init]))
    value = draw(junk)
    if name == "columns":
        value = draw(st.sampled_from([value, (("x", value),), ((value, (1, 2)),), (value, value)]))
    return make, {**good, name: value}


WHOLE = as_spec(GOOD[0])


def test_parts_of_a_spec_are_refused_in_one_line_too() -> None:
    seen: list[str] = []

    @settings(max_examples=300)
    @given(_parts())
    def check(part: tuple[Any, dict[str, Any]]) -> None:
        make, given = part
        seen.append(_said(make, **given))

    check()
    assert sum(map(bool, seen)) > 150


def test_a_table_with_a_masked_entry_is_refused_for_it() -> None:
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    tables = {**GOOD[0], "axes": {**GOOD[0]["axes"], "temperature": masked}}
    assert "1 entries missing" in _said(as_spec, tables)


@pytest.mark.parametrize("name", ["learning_rate", "momentum", "classes", "order", "seed", "loss"])
def test_what_moves_together_is_not_called_like_something_else(name) -> None:
    together = {"zip": {"temperature": [1, 2], "clip_norm": [1, 2]}}
    tables = {**GOOD[0], "settings": {"optimiser": "momentum"}}
    axes = {"paradigm": ["soft"], "seed": [0], name: together}
    assert name in _said(as_spec, {**tables, "axes": axes})


def test_what_is_no_way_to_say_a_spec_is_refused_in_one_line() -> None:
    @settings(max_examples=100)
    @given(JUNK)
    def check(value: Any) -> None:
        assert _said(as_spec, value)

    check()
