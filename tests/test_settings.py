"""Settings: names resolved, defaults that work, and every refusal in one line."""

import jax
import pytest

from jaxattn.contracts import InputError
from jaxattn.settings import Settings

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
    "an empty batch": ({"batch_size": 0}, "batch size: got 0"),
    "a tolerance of one": ({"flow_rtol": 1.0}, "between 0 and 1"),
}


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


def test_a_flow_without_64_bits_says_how_to_switch_them_on() -> None:
    from jaxattn.jobs import plan_jobs

    was = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(InputError, match="JAX_ENABLE_X64=1") as caught:
            plan_jobs(Settings(flow_seeds=1))
    finally:
        jax.config.update("jax_enable_x64", was)
    assert "\n" not in str(caught.value)
