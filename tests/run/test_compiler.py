"""What the compiler is told: nothing that could change a bit, unless it is asked to be quick."""

import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import study_of

from jaxattn.core.contracts import InputError
from jaxattn.core.streams import streams
from jaxattn.run import compiler
from jaxattn.run.compare import run
from jaxattn.run.compiler import for_once, name_of, options_for
from jaxattn.run.conditions import hardware, refuse_other, thread_pool
from jaxattn.run.stage import Stage, Where

CLIENT = SimpleNamespace(platform_version="1")
SMALL = {"task": "orthogonal-population", "paradigms": ("soft",), "saves": 2, "steps": 5}


known = pytest.mark.skipif(
    not compiler._is_known(compiler.QUICK), reason="this XLA has dropped an option"
)


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


@known
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
        quick = dict(compiler.QUICK)
        # The start of a linear model is nothing to compile; what adds up nothing is found quickly.
        assert told.count(None if asked == "auto" else quick) >= 3
        assert asked == "auto" or set(map(str, told)) == {str(quick)}
    assert programs["quick"] == f"{programs['auto']} quick"


ENTRIES = np.random.default_rng(0).normal(size=(8, 67))
"""More than one vector of a processor, and not whole ones."""
ONE_BY_ONE = {
    "add multiply": lambda x: x * 1.2345 + x * x * 0.3331 - x,
    "divide sqrt maximum": lambda x: jnp.sqrt(jnp.maximum(x, -x)) / 3.7,
    "exponential log": lambda x: jnp.exp(x) + jnp.log(jnp.abs(x)),
    "log_plus_one": lambda x: jnp.log1p(jnp.abs(x)),
    "erf erf_inv": lambda x: jax.lax.erf_inv(0.999 * jax.lax.erf(x)),
    "next_after": lambda x: jnp.nextafter(x, 0.0),
    "select": lambda x: jnp.where(x > 0.0, x, -x),
    "several products": lambda x: (x * 1.1 + (x + 1.0) * x) * x + x * x * jnp.exp(-x),
}


@known
@pytest.mark.default_xla
@pytest.mark.parametrize("name", ONE_BY_ONE)
@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.needs_x64)])
def test_what_is_found_entry_by_entry_is_the_same_beside_any_others(name, dtype):
    found = {}
    for rows, columns in ((8, 67), (1, 67), (3, 67), (8, 1), (5, 16)):
        given = ENTRIES[:rows, :columns].astype(dtype)
        lowered = jax.jit(ONE_BY_ONE[name]).lower(given)
        assert for_once((), lowered, "cpu") == compiler.QUICK
        found[rows, columns] = lowered.compile(dict(compiler.QUICK))(given)
    for (rows, columns), some in found.items():
        np.testing.assert_array_equal(some, found[8, 67][:rows, :columns])


@known
@pytest.mark.default_xla
def test_drawn_starts_have_the_same_bits_quickly():
    problem = study_of("digits", paradigms="soft").problem("soft")

    def start(seed):
        return problem.init(streams(seed).init, {"init_scale": jnp.ones(())})

    seeds = np.arange(5, dtype=np.uint32)
    lowered = jax.jit(jax.vmap(start)).lower(seeds)
    assert for_once((), lowered, "cpu") == compiler.QUICK
    own, quick = (lowered.compile(o)(seeds) for o in (None, dict(compiler.QUICK)))
    jax.tree.map(np.testing.assert_array_equal, own, quick)


@pytest.mark.parametrize(
    "adds_up",
    [
        lambda x: x.sum(),
        lambda x: x @ x.T,
        lambda x: jnp.cumsum(x, axis=0),
        lambda x: jnp.zeros(3).at[x[0].astype(int) % 3].add(1.0),
        lambda x: jax.lax.scan(lambda at, row: (at + row.sum(), ()), 0.0, x)[0],
        lambda x: jnp.linalg.qr(x)[0],
    ],
    ids=["sum", "matmul", "cumsum", "scatter", "in a loop", "qr"],
)
def test_what_adds_up_is_compiled_as_xla_does(adds_up):
    lowered = jax.jit(adds_up).lower(jnp.ones((4, 4)))
    assert for_once((), lowered, "cpu") == ()


def test_where_an_option_was_dropped_nothing_is_compiled_quickly(monkeypatch):
    monkeypatch.setattr(compiler, "QUICK", (("xla_no_such_option", 1),))
    assert for_once((), jax.jit(jnp.negative).lower(jnp.ones(3)), "cpu") == ()


def test_what_is_asked_for_is_not_replaced_nor_an_accelerator_told():
    lowered = jax.jit(jnp.negative).lower(jnp.ones(3))
    assert for_once(compiler.DETERMINISTIC, lowered, "cpu") == compiler.DETERMINISTIC
    assert for_once((), lowered, "gpu") == ()


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
