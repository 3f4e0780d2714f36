"""What the compiler is told: nothing unless it is asked to be quick, and results say so."""

import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest
from helpers import study_of

from jaxattn.core.contracts import InputError
from jaxattn.run import compiler
from jaxattn.run.compare import run
from jaxattn.run.compiler import name_of, options_for
from jaxattn.run.conditions import hardware, refuse_other, thread_pool
from jaxattn.run.stage import Stage, Where

CLIENT = SimpleNamespace(platform_version="1")
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
    on(monkeypatch, "gpu")
    with pytest.raises(InputError, match="compiler: got 'quick' on a gpu, expected a CPU"):
        options_for("quick")


def on(monkeypatch, platform):
    """As if JAX had no device but this one, and no other backend to ask for."""

    def devices(backend=None):
        assert backend is None, f"asked for {backend} where only {platform} is loaded"
        return [SimpleNamespace(platform=platform, device_kind="a", client=CLIENT)]

    monkeypatch.setattr(jax, "local_devices", devices)


def test_a_gpu_is_told_to_give_the_same_bits_again_and_the_record_says_so(monkeypatch):
    here = hardware()
    on(monkeypatch, "gpu")
    # XLA knows them here too, so that no release drops them unseen.
    assert options_for("auto") == compiler.DETERMINISTIC
    assert name_of(options_for("auto")) == hardware()["compiler"] == "deterministic"
    # What was computed without them is not gone on with.
    old = {name: at for name, at in hardware().items() if name != "compiler"}
    with pytest.raises(InputError, match="compiler: not set there, deterministic here"):
        refuse_other(old, hardware(), "a sweep", "begin a new one.")
    on(monkeypatch, "tpu")
    assert options_for("auto") == ()
    assert "compiler" not in {**hardware(), **here}


def test_a_gpu_whose_release_has_dropped_the_options_is_refused(monkeypatch):
    on(monkeypatch, "gpu")
    monkeypatch.setattr(compiler, "DETERMINISTIC", (("xla_no_such_option", True),))
    with pytest.raises(InputError, match="dropped some of xla_no_such_option; use a release"):
        options_for("auto")


def test_the_thread_pool_asks_for_no_cpu_where_none_is_loaded(monkeypatch):
    for name in ("PJRT_NPROC", "NPROC"):
        monkeypatch.setenv(name, "3")
    on(monkeypatch, "gpu")
    assert thread_pool() == 3
    on(monkeypatch, "cpu")
    monkeypatch.setenv("PJRT_NPROC", "1")
    assert thread_pool() == 1


@pytest.mark.skipif(not compiler._is_known(compiler.QUICK), reason="this XLA has dropped an option")
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
        assert made_with["tiles"] == {"soft train": 16}
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
