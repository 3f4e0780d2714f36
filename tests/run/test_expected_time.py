"""How long training takes, foretold from what its programs do."""

import os

import jax
import numpy as np
import pytest
from helpers import study_of

from jaxattn.core.contracts import Data, Splits
from jaxattn.run import expected_time
from jaxattn.run.data_source import Sources
from jaxattn.run.expected_time import expected_seconds
from jaxattn.run.job import plan_jobs

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
)


def foretold(steps: int = 100, compiling: float = 0.0, **asked) -> float:
    study = study_of(
        "orthogonal-population", **{"paradigms": "soft", "saves": 2, "steps": steps, **asked}
    )
    jobs, sources = plan_jobs(study), Sources(study)
    data = sources.of(jobs[0], jobs[0].plan.chunk(0).rows)
    for job in jobs:
        # Constants are computed while it is traced, if it is for the first time.
        rows = job.plan.chunk(0).rows
        job.traces(job.plan.seed_of(rows), job.hypers_of(rows), data)
    before = len(compiled)
    seconds = expected_seconds(jobs, data, float(steps), compiling)
    assert len(compiled) == before
    assert seconds is not None
    return seconds


def test_it_grows_with_steps_saves_and_rows_and_nothing_is_compiled() -> None:
    short = foretold()
    assert 1.5 < foretold(200) / short < 2.0  # what is done once, and at saves, does not
    assert foretold(saves=51) > 1.2 * short
    many = {"hypers": {"learning_rate": tuple(np.linspace(0.1, 1, 256).tolist())}}
    # A tile is as dear with few rows as with all of them.
    assert foretold(hypers={"learning_rate": (0.1, 0.2)}) == short
    assert foretold(**many) > 3 * short


def test_what_is_still_to_be_compiled_comes_on_top_and_each_paradigm_takes_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two = {"paradigms": ("soft", "hard")}
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert foretold(compiling=5.0, **two) == pytest.approx(5.0 + foretold(**two))
    alone = foretold(**two)
    assert alone > 1.5 * foretold()
    # Of one tile each, they run side by side.
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert foretold(**two) == pytest.approx(alone / 2)


def test_of_an_accelerator_nothing_is_foretold(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        platform = "gpu"

    monkeypatch.setattr(expected_time.jax, "local_devices", lambda: [Device()])
    assert expected_seconds([], Splits(Data(()), {}), 1.0, 1.0) is None
