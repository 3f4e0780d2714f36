"""Settings: names resolved, defaults that work, and every refusal in one line."""

import json
import os
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import InputError
from jaxattn.models import mlp
from jaxattn.problems.paradigms import hard
from jaxattn.run import compare as comparison
from jaxattn.study.settings import Settings, settings_for


@pytest.fixture
def as_people_run_it():
    """Without the types that only the tests check, so that wrong ones reach the code."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


REFUSALS = {
    "an unknown task": ({"task": "digitz"}, "did you mean 'digits'"),
    "an unknown paradigm": ({"paradigms": ("sotf",)}, "did you mean 'soft'"),
    "an unknown optimiser": ({"optimiser": "adan"}, "did you mean 'adam'"),
    "an unknown model": ({"model": "mpl"}, "did you mean 'mlp'"),
    "an unknown attention map": ({"attention": "sofmax"}, "did you mean 'softmax'"),
    "an unknown schedule": ({"schedule": "cosin"}, "did you mean 'cosine'"),
    "an unknown hyperparameter": ({"hypers": {"temprature": 1.0}}, "did you mean 'temperature'"),
    "an unknown order": ({"order": "random"}, "expected one of fixed"),
    "an unknown precision": ({"precision": "float16"}, "float32, float64"),
    "something seeds cannot vary": ({"vary": ("weather",)}, "got weather"),
    "a negative rate": ({"hypers": {"learning_rate": (-0.1,)}}, "got -0.1"),
    "a rate of zero": ({"hypers": {"learning_rate": (0.0,)}}, "got 0,"),
    "a rate that is NaN": ({"hypers": {"learning_rate": (float("nan"),)}}, "got nan"),
    "a rate that overflows": ({"hypers": {"learning_rate": (1e300,)}}, "float32"),
    "a repeated rate": ({"hypers": {"learning_rate": (0.1, 0.1)}}, "each once"),
    "no rates": ({"hypers": {"learning_rate": ()}}, "at least one value"),
    "attention above one": ({"attention": "imposed", "hypers": {"alpha": 1.5}}, "at most 1"),
    "no steps": ({"steps": 0}, "steps: got 0"),
    "no seeds": ({"seeds": ()}, "seeds: got none"),
    "no paradigms": ({"paradigms": ()}, "paradigms: got none"),
    "a paradigm twice": ({"paradigms": ("soft", "soft")}, "each once"),
    "a single save": ({"saves": 1}, "saves: got 1"),
    "saves that do not end the run": ({"saves": (0, 5), "steps": 10}, "from 0 to 10"),
    "saves that stand still": ({"saves": (0, 4, 4, 10), "steps": 10}, "increasing"),
    "a save between two steps": ({"saves": (0, 2.5, 10), "steps": 10}, "saves: got 2.5"),
    "no saves at all": ({"saves": ()}, "saves: got []"),
    "half a step": ({"steps": 2.5}, "steps: got 2.5, expected an integer"),
    "steps that are NaN": ({"steps": float("nan")}, "steps: got nan"),
    "half a seed": ({"seeds": (0, 0.5)}, "seeds: got 0.5"),
    "a negative seed": ({"seeds": (0, -1)}, "seeds: got -1"),
    "half an example a batch": ({"batch_size": 2.5}, "batch size: got 2.5, expected an integer"),
    "no examples to measure": ({"evaluate": 0}, "evaluate: got 0"),
    "fewer flows than none": ({"flow_seeds": -1}, "flow_seeds: got -1"),
    "a rate that is a word": ({"hypers": {"learning_rate": "fast"}}, "got 'fast'"),
    "a table of rates": ({"hypers": {"learning_rate": [[0.1, 0.2]]}}, "learning_rate: got [["),
    "a rate that underflows": ({"hypers": {"learning_rate": 1e-60}}, "float32"),
    "an infinite temperature": ({"hypers": {"temperature": float("inf")}}, "got inf"),
    "a hyper nothing reads": ({"paradigms": ("soft",), "hypers": {"switch_time": 1.0}}, "switch"),
    "an empty batch": ({"batch_size": 0}, "batch size: got 0"),
    "an unknown solver": ({"flow_solver": "tsit6"}, "did you mean 'tsit5'"),
    "a tolerance of one": ({"flow_rtol": 1.0}, "between 0 and 1"),
}


@pytest.mark.usefixtures("as_people_run_it")
@pytest.mark.parametrize("name", REFUSALS)
def test_settings_refuse_in_one_line(name: str) -> None:
    asked, said = REFUSALS[name]
    with pytest.raises(InputError) as caught:
        Settings(**asked)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_defaults_are_the_four_paradigms_on_digits_with_the_tasks_own_model() -> None:
    plain = Settings().describe()
    assert plain["paradigms"] == ["soft", "hard", "lvml", "hybrid"]
    assert (plain["task"], plain["model"], plain["optimiser"]) == ("digits", "mlp", "sgd")
    assert plain["vary"] == ["init"]


def test_seeds_of_a_model_that_starts_from_zero_vary_the_data() -> None:
    assert Settings(task="orthogonal").varied() == ("data",)


def test_saves_are_increasing_steps_from_the_first_to_the_last() -> None:
    saves = Settings(steps=7, saves=41).save_steps()
    assert saves == (0, 1, 2, 3, 4, 5, 6, 7)
    assert Settings(steps=100, saves=3).save_steps() == (0, 50, 100)


def test_a_number_is_a_constant_and_a_sequence_an_axis() -> None:
    settings = Settings(hypers={"learning_rate": 0.1, "temperature": (0.5, 1.0)})
    assert settings.axes() == {"learning_rate": (0.1,), "temperature": (0.5, 1.0)}
    assert "temperature" not in settings.constants()
    # Without a word on it the switch follows each run's own length.
    assert "switch_time" not in settings.constants()
    assert Settings(hypers={"switch_time": 3.0}).constants()["switch_time"] == 3.0


@pytest.mark.parametrize("kind", [float, np.float32, np.float64, np.array, jnp.asarray])
def test_a_number_of_any_library_is_a_number(kind) -> None:
    settings = Settings(hypers={"learning_rate": kind(0.25), "temperature": kind(2.0)})
    assert settings.axes() == {"learning_rate": (0.25,)}
    assert settings.constants()["temperature"] == 2.0
    several = Settings(hypers={"temperature": np.array([0.5, 2.0])})
    assert several.axes()["temperature"] == (0.5, 2.0)
    assert type(several.axes()["temperature"][0]) is float


@pytest.mark.usefixtures("as_people_run_it")
def test_compare_takes_one_paradigm_or_several_and_seeds_by_number_or_by_name(monkeypatch) -> None:
    monkeypatch.setattr(comparison, "run", lambda asked, **_: asked)

    def mine(log_attention, values, read, label, context):
        return 0.0

    for one, name in (("soft", "soft"), (hard, "hard"), (mine, "mine")):
        assert comparison.compare(paradigms=one).names() == (name,)
        assert comparison.compare(paradigms=[one]).names() == (name,)
    assert comparison.compare(seeds=3).seeds == (0, 1, 2)
    assert comparison.compare(seeds=np.int64(2)).seeds == (0, 1)
    assert comparison.compare(seeds=[5, 2]).seeds == (5, 2)
    assert comparison.compare(seeds=np.arange(2)).describe()["seeds"] == [0, 1]


def test_a_description_is_plain_and_the_same_for_equal_settings() -> None:
    def described(**more) -> str:
        return canonical_json(
            Settings(hypers={"learning_rate": np.array([0.1])}, **more).describe()
        )

    assert described() == described(seeds=tuple(range(8)))
    assert json.loads(described())["hypers"]["learning_rate"] == [0.1]
    assert described() != described(order="fixed")


def test_a_flow_without_64_bits_says_how_to_switch_them_on() -> None:
    from jaxattn.run.job import plan_jobs

    was = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(InputError, match="JAX_ENABLE_X64=1") as caught:
            plan_jobs(Settings(flow_seeds=1))
    finally:
        jax.config.update("jax_enable_x64", was)
    assert "\n" not in str(caught.value)


def test_a_component_is_also_named_by_its_import_path():
    named = Settings(
        task="own_components:bags",
        model="own_components:model",
        paradigms=("soft", "own_components:focus_free"),
        optimiser="own_components:slow",
    )
    assert named.names() == ("soft", "focus_free")
    assert named.made_task().segments == 4
    assert named.made_optimiser().name == "slow"
    with pytest.raises(InputError, match="PYTHONPATH"):
        Settings(task="no_such_module:bags")


@pytest.mark.parametrize(
    ("optimiser", "hypers", "decay"),
    [
        ("momentum", {"momentum": 1.0}, "1"),
        ("momentum", {"friction": 4.0, "learning_rate": 0.25}, "-1"),
        ("adam", {"tau1": 0.1, "learning_rate": 0.6}, "-0.5"),
        ("rmsprop", {"tau": 0.1, "learning_rate": (0.1, 0.6)}, "-0.5"),
    ],
)
def test_averages_that_forget_nothing_or_less_are_refused(optimiser, hypers, decay):
    settings = Settings("orthogonal", optimiser=optimiser, hypers=hypers)
    with pytest.raises(InputError, match=f"{optimiser}: got a moving average with decay {decay} a"):
        settings.refuse_decays()


def test_beside_limits_tolerances_are_as_tight_as_the_model_is_smooth():
    def method(model, **given):
        found = settings_for(task="digits", model=model, against=("flow",), **given)
        return found.flow_solver, found.flow_rtol

    assert method("linear") == ("dopri8", 1e-10)
    assert method("mlp") == ("bosh3", 1e-5)
    assert method(partial(mlp, depth=0)) == ("dopri8", 1e-10)
    # What is asked for holds, the rest still follows the model.
    assert method("mlp", flow_solver="tsit5") == ("tsit5", 1e-5)
    assert method("mlp", flow_rtol=1e-7) == ("bosh3", 1e-7)


def test_settings_are_made_before_jax_computes_anything():
    # Hosts that share a sweep have to meet before any of them does. Here JAX could not.
    script = "from jaxattn.study.settings import Settings; Settings('orthogonal', optimiser='adam')"
    environment = {**os.environ, "JAX_PLATFORMS": "none-such"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
