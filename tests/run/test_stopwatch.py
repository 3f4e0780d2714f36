import jax
import jax.numpy as jnp
import pytest

from jaxattn.run.stopwatch import Stopwatch


def test_compiling_counts_only_what_jax_compiles():
    watch = Stopwatch()
    function = jax.jit(lambda x: jnp.sin(x) @ x)
    with watch.compiling("first"):
        function(jnp.ones((3, 3)))
    with watch.compiling("again"):
        function(jnp.zeros((3, 3)))
    assert watch.seconds["first"]["compile"] > 0
    assert watch.seconds["again"] == {"compile": 0.0, "run": 0.0}


def test_what_waits_behind_another_run_counts_once():
    watch = Stopwatch()
    watch.ran("train", 10.0, 14.0)
    watch.ran("train", 11.0, 15.0)  # queued from 11, but the device was free at 14
    watch.ran("flow", 20.0, 21.5)
    assert watch.seconds["train"]["run"] == pytest.approx(5.0)
    assert watch.seconds["flow"]["run"] == pytest.approx(1.5)
