"""What the compiler is told: nothing unless it is asked to be quick, and results say so."""

import json

import jax
import jax.numpy as jnp
import pytest
from helpers import study_of

from jaxattn.core.contracts import InputError
from jaxattn.run import compiler
from jaxattn.run.compare import run
from jaxattn.run.compiler import options_for
from jaxattn.run.stage import Stage, Where

SMALL = {"task": "orthogonal-population", "paradigms": ("soft",), "saves": 2, "steps": 5}


def test_what_is_no_compiler_is_refused():
    with pytest.raises(InputError, match="compiler: got 'fast', expected one of auto, quick"):
        study_of(**SMALL, compiler="fast")


def test_a_release_that_has_dropped_the_options_is_refused(monkeypatch):
    monkeypatch.setattr(compiler, "QUICK", (("xla_no_such_option", 1),))
    assert options_for("auto") == ()
    with pytest.raises(InputError, match="compiler: got 'quick', expected options"):
        options_for("quick")


def test_quick_is_for_a_cpu(monkeypatch):
    class Device:
        platform = "gpu"

    monkeypatch.setattr(compiler.jax, "local_devices", lambda: [Device()])
    with pytest.raises(InputError, match="compiler: got 'quick' on a gpu, expected a CPU"):
        options_for("quick")


def test_programs_are_compiled_as_asked_and_a_result_says_so(monkeypatch):
    told = []
    compile_one = jax.stages.Lowered.compile

    def compiling(lowered, compiler_options=None):
        told.append(compiler_options)
        return compile_one(lowered, compiler_options)

    monkeypatch.setattr(jax.stages.Lowered, "compile", compiling)
    programs = {}
    for asked in ("auto", "quick"):
        told.clear()
        made_with = json.loads(run(study_of(**SMALL, seeds=1, compiler=asked)).attrs["made_with"])
        programs[asked] = made_with["programs"]["soft train"]
        own = None if asked == "auto" else dict(compiler.QUICK)
        assert told
        assert all(options == own for options in told[-4:])
    assert programs["quick"] == f"{programs['auto']} quick"


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
