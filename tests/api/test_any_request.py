"""Any arguments of `jaxattn.compare` at all: resolved, or refused in one line, and nothing done."""

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import prod
from typing import Any

import jax
import jaxtyping
import numpy as np
import pytest
import xarray as xr
from any_request import JUNK, REQUESTS, TASKS, otherwise
from helpers import compiled_quickly, slow_but
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

import jaxattn
from jaxattn.api import compare as door
from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import InputError, Status
from jaxattn.reports.comparison import report_into
from jaxattn.results.dataset import spec_of
from jaxattn.results.files import write_results
from jaxattn.study.groups import THEORY, groups_of
from jaxattn.study.settings import Settings
from jaxattn.study.study import Study, resolve_settings

X64 = bool(jax.config.jax_enable_x64)
REQUESTS_RUN = 12
"""Of those accepted, run to their end."""

compiled: list[str] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
)


@pytest.fixture
def as_people_run_it() -> Iterator[None]:
    """Without the types that only the tests check, so that wrong ones reach the code."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def nowhere(tmp_path, monkeypatch) -> Iterator[None]:
    """An empty folder, which is home too; it is empty afterwards."""
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def nothing_compiled() -> Iterator[None]:
    # What an earlier test has compiled would not be compiled again.
    jax.clear_caches()
    before = len(compiled)
    yield
    assert len(compiled) == before


def _resolved(asked: Mapping[str, Any]) -> Study | str:
    """What `compare` would run, or what it says."""
    try:
        return resolve_settings(Settings(**asked))
    except InputError as error:
        return str(error)


def _is_refusal(said: str) -> bool:
    return said.isprintable() and "got" in said and len(said) < 1000


def _described(study: Study) -> str:
    text = canonical_json(study.describe())
    assert all(map(math.isfinite, _numbers(study.describe())))
    return text


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers(each)
    elif isinstance(value, int | float):
        yield value


def _is_what_was_asked(study: Study, asked: Mapping[str, Any]) -> None:
    hypers = asked.get("hypers") or {}
    swept = {name: at for name, at in hypers.items() if np.ndim(at)}
    for name, values in swept.items():
        assert study.axes[name] == tuple(map(float, values))
    assert set(study.axes) == {"learning_rate", *swept}
    seeds = asked.get("seeds", 8)
    assert study.seeds == tuple(seeds if np.ndim(seeds) else range(seeds))
    saves, steps = asked.get("saves", 41), asked.get("steps", 800)
    assert study.save_steps[0] == 0
    assert study.save_steps[-1] == steps
    assert all(np.diff(study.save_steps) > 0)
    if isinstance(saves, str):
        assert len(study.save_steps) <= int(saves[len("log:") :])
    else:
        expected = len(saves) if np.ndim(saves) else min(saves, steps + 1)
        assert len(study.save_steps) == expected
    assert study.dynamics[0] == "train"
    if study.settings.against:
        return  # whose groups look at clocks, which are computed
    groups = groups_of(study)
    for group in groups:
        read = {axis.name for axis in group.axes}
        assert group.points == prod(len(study.axes[name]) for name in read)
    trained = [group for group in groups if group.dynamics == "train"]
    assert [group.paradigm for group in trained] == list(study.names)
    assert all(group.seeds == study.seeds for group in trained)
    solved = {group.paradigm for group in groups if group.dynamics == THEORY}
    assert solved == set(study.exact)


def _once_more(study: Study) -> dict[str, Any]:
    """What a result says was asked for, as arguments again, the components themselves apart."""
    said = json.loads(_described(study))
    itself = ("task", "model", "paradigms", "optimiser", "schedule", "attention", "flow_solver")
    del said["smooth"]
    return said | {name: getattr(study.settings, name) for name in itself}


@pytest.mark.usefixtures("as_people_run_it", "nowhere", "nothing_compiled")
@pytest.mark.parametrize("count", slow_but([100], [100, 900]))
def test_any_arguments_are_resolved_or_refused_in_one_line_and_nothing_is_done(count) -> None:
    seen = {True: 0, False: 0}

    @settings(max_examples=count, suppress_health_check=[HealthCheck.too_slow])
    @given(REQUESTS)
    @example({"model": np.array([1, 2])})
    @example({"optimiser": [], "schedule": {}})
    @example({"paradigms": np.array("soft")})
    @example({"against": "flow", "order": np.array([])})
    @example({"vary": "two\nlines\x1b[2J"})
    @example({"evaluate": np.ma.array([0.1, 0.2], mask=[False, True])})
    def check(asked: dict[str, Any]) -> None:
        study = _resolved(asked)
        seen[isinstance(study, Study)] += 1
        if isinstance(study, str):
            assert _is_refusal(study)
            return
        _is_what_was_asked(study, asked)
        said = _described(study)
        for other in (otherwise(asked, X64), _once_more(study)):
            again = _resolved(other)
            assert isinstance(again, Study), again
            assert _described(again) == said

    # Others for each number of them.
    seed(count)(check)()
    assert min(seen.values()) > count // 4, "requests at random are to be both good and bad"


@pytest.mark.usefixtures("as_people_run_it", "nowhere", "nothing_compiled")
def test_each_argument_may_be_anything_at_all(monkeypatch) -> None:
    monkeypatch.setattr(door, "run", lambda study, **_: study)
    names = [name for name in door.compare.__annotations__ if name != "return"]

    @settings(max_examples=250)
    @given(st.sampled_from(names), JUNK)
    def check(name: str, value: Any) -> None:
        try:
            said = _described(jaxattn.compare(**{"task": TASKS[-1], "seeds": 1, name: value}))
        except InputError as error:
            said = str(error)
        assert said.startswith("{") or _is_refusal(said)

    check()


# --- some of those accepted, run to their end


def _features(asked: Mapping[str, Any]) -> set[tuple[str, str]]:
    """What is particular about a request: its names, and the kinds of its numbers."""
    features = set()
    for name, value in asked.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            said = getattr(each, "name", None) or getattr(each, "__name__", None) or each
            said = "log" if name == "saves" and isinstance(each, str) else said
            is_one = isinstance(said, str) or name == "curvature"
            features.add((name, str(said) if is_one else type(value).__name__))
    return features | {("hypers", name) for name in asked["hypers"]}


def _programs(asked: Mapping[str, Any]) -> int:
    """About how many are compiled, each for seconds."""
    given = (asked.get(name, []) for name in ("paradigms", "against"))
    paradigms, limits = (len(at) if isinstance(at, list) else 1 for at in given)
    return paradigms * (1 + limits + bool(asked.get("flow_seeds")))


def _accepted() -> list[dict[str, Any]]:
    """Requests that are resolved, different from each other; the same in every run."""
    found: list[dict[str, Any]] = []

    @settings(max_examples=300, database=None)
    @given(REQUESTS)
    def collect(asked: dict[str, Any]) -> None:
        # Of the smallest size: anything at all may be a large number, too.
        counts = [value for value in asked.values() if isinstance(value, int)]
        if max(counts, default=0) < 10 and isinstance(_resolved(asked), Study):
            found.append(asked)

    collect()
    chosen: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    while len(chosen) < REQUESTS_RUN:
        # Of those that show as much that is new, one that has little to compile.
        chosen.append(max(found, key=lambda at: (len(_features(at) - seen), -_programs(at))))
        seen |= _features(chosen[-1])
    return chosen


@lru_cache(maxsize=1)
def accepted() -> list[dict[str, Any]]:
    return _accepted()


@pytest.mark.slow
@pytest.mark.needs_x64
@pytest.mark.usefixtures("as_people_run_it")
@pytest.mark.parametrize("place", range(REQUESTS_RUN))
def test_what_is_accepted_is_run_to_its_end(place: int, tmp_path) -> None:
    asked = accepted()[place]
    study = _resolved(asked)
    assert isinstance(study, Study)
    with compiled_quickly():
        ds = jaxattn.compare(**asked)
    assert ds["paradigm"].values.tolist() == list(study.names)
    assert set(ds["dynamics"].values) - {THEORY} == set(study.dynamics)
    assert ds["seed"].values.tolist() == list(study.seeds)
    for name, values in study.axes.items():
        assert ds[name].values.tolist() == list(values)
    assert ds.sizes["save"] == len(study.save_steps)
    # Some rates are too large, and that is seen.
    trained = ds["status"].sel(dynamics="train")
    assert trained.isin([Status.DONE, Status.DIVERGED]).all()
    done = ds["status"] == Status.DONE
    assert done.sel(dynamics="train").any()
    for name in ("objective", "gradient_norm", "loss", "accuracy"):
        at = ds[name].sel(dynamics="train").where(done.sel(dynamics="train"), 0)
        assert np.isfinite(at).all(), name
    assert spec_of(ds) == json.loads(_described(study))
    write_results(ds, tmp_path)
    opened = jaxattn.open(tmp_path)
    del opened.attrs["content_hash"]
    xr.testing.assert_identical(opened, ds)
    ds.to_netcdf(tmp_path / "plain.nc")
    path, said = report_into(tmp_path)
    assert path.read_text().startswith("<!doctype html>")
    assert all(finding.text for finding in said)
