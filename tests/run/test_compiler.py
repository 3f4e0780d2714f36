"""What the compiler is told: by what one row costs, as asked, and in every result."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import study_of

from jaxattn.core.contracts import InputError
from jaxattn.run import compiler
from jaxattn.run.compare import run
from jaxattn.run.compiler import QUICK, SHORT, options_for, seconds_of, words_of
from jaxattn.run.data_source import Sources
from jaxattn.run.job import plan_jobs
from jaxattn.run.stage import Stage, Where

SMALL = {"task": "orthogonal-population", "paradigms": ("soft",), "saves": 2, "steps": 5}


def options_of(**asked):
    """What the first program of a study is told; nothing is compiled."""
    study = study_of(**{**SMALL, **asked})
    job = plan_jobs(study)[0]
    rows = job.plan.chunk(0).rows
    return job.options(job.plan.seed_of(rows), job.hypers_of(rows), Sources(study).of(job, rows))


def test_a_short_row_is_compiled_quickly_and_a_long_one_thoroughly():
    assert options_for("auto", SHORT) == QUICK
    assert options_for("auto", np.nextafter(SHORT, 2 * SHORT)) == ()
    assert options_of() == QUICK
    assert options_of(steps=10**8) == ()


def test_what_is_asked_for_is_done_whatever_a_row_costs():
    assert options_of(steps=10**8, compiler="quick") == QUICK
    assert options_of(compiler="thorough") == ()
    with pytest.raises(InputError, match="compiler: got 'fast', expected one of auto, quick"):
        study_of(**SMALL, compiler="fast")


MORE = (
    {"seeds": 500},
    {"hypers": {"learning_rate": (0.1, 0.2, 0.3)}},
    {"paradigms": ("soft", "hard")},
)


@pytest.mark.parametrize("more", MORE)
def test_more_rows_change_nothing_of_it(more, monkeypatch):
    study = study_of(**SMALL)
    job = plan_jobs(study)[0]
    rows = job.plan.chunk(0).rows
    stages, _ = job.traces(
        job.plan.seed_of(rows), job.hypers_of(rows), Sources(study).of(job, rows)
    )
    # At the edge itself, where a little more would tip it.
    row = seconds_of(stages, 5 / 2) / job.plan.tile
    monkeypatch.setattr("jaxattn.run.compiler.SHORT", row)
    assert options_of(**more) == QUICK
    monkeypatch.setattr("jaxattn.run.compiler.SHORT", 0.999 * row)
    assert options_of(**more) == ()


def test_a_release_that_has_dropped_the_options_is_not_asked_for_them(monkeypatch):
    monkeypatch.setattr(compiler, "QUICK", (("xla_no_such_option", 1),))
    assert options_for("auto", 0.0) == ()
    with pytest.raises(InputError, match="compiler: got 'quick', expected options"):
        options_for("quick", 0.0)


def test_a_result_says_how_its_programs_were_compiled():
    for asked in ("quick", "thorough"):
        made_with = json.loads(run(study_of(**SMALL, seeds=1, compiler=asked)).attrs["made_with"])
        assert made_with["programs"]["soft train"].split()[-1] == asked
    assert words_of(QUICK) == "quick"


def test_a_program_is_compiled_under_the_flags_of_who_asks_for_it():
    double = Stage(lambda x: x * jnp.asarray(2.0))
    where = Where(jax.local_devices()[0])
    for wide in (True, False, True):
        with jax.enable_x64(wide):
            given = jnp.ones(3, float)
            out = double.compiled(where, given).result()(given)
        assert out.dtype == ("float64" if wide else "float32")
    # Two programs, each made once.
    assert len(double._made) == 2
