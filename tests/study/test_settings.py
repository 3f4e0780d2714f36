"""Settings: names resolved, defaults that work, and every refusal in one line."""

import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxtyping
import mpmath
import numpy as np
import pytest
from helpers import study_of

import jaxattn
from jaxattn import tasks
from jaxattn.api import compare as door
from jaxattn.cli.main import parse
from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import HyperSpec, InputError, Paradigm
from jaxattn.flow import LIMITS
from jaxattn.models import mlp
from jaxattn.problems.paradigms import PARADIGMS, hard
from jaxattn.study.settings import Settings, settings_table
from jaxattn.study.study import resolve_settings
from jaxattn.training.optimisers import OPTIMISERS


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
    "half an example a batch": ({"batch_size": 2.5}, "batch_size: got 2.5, expected an integer"),
    "no examples to measure": ({"evaluate": 0}, "evaluate: got 0"),
    "fewer flows than none": ({"flow_seeds": -1}, "flow_seeds: got -1"),
    "a rate that is a word": ({"hypers": {"learning_rate": "fast"}}, "got 'fast'"),
    "a table of rates": ({"hypers": {"learning_rate": [[0.1, 0.2]]}}, "learning_rate: got [["),
    "a rate that underflows": ({"hypers": {"learning_rate": 1e-60}}, "float32"),
    "a rate that XLA takes for 0": ({"hypers": {"learning_rate": 1e-39}}, "above 0 in float32"),
    "a temperature that XLA takes for 0": (
        {"precision": "float64", "hypers": {"temperature": (1.0, 1e-310)}},
        "above 0 in float64",
    ),
    "an infinite temperature": ({"hypers": {"temperature": float("inf")}}, "got inf"),
    "a hyper nothing reads": ({"paradigms": ("soft",), "hypers": {"switch_time": 1.0}}, "switch"),
    "an empty batch": ({"batch_size": 0}, "batch_size: got 0"),
    "an unknown solver": ({"flow_solver": "tsit6"}, "did you mean 'tsit5'"),
    "a tolerance of one": ({"flow_rtol": 1.0}, "between 0 and 1"),
    "a task that is a number": ({"task": 5}, "task: got int, expected Task"),
    "a task of other arguments": ({"task": lambda size: size}, "task: got TypeError"),
    "a factory of no task": ({"task": lambda: 5}, "task: got int, expected Task"),
    "a model that is a number": ({"model": 5}, "model: got int, expected Model"),
    "a model that raises": ({"model": lambda classes: {}[classes]}, "model: got KeyError ("),
    "a factory of no model": ({"model": lambda classes: 5}, "model: got int, expected Model"),
    "a paradigm that is a table": ({"paradigms": [{}]}, "paradigm: got dict, expected Paradigm"),
    "a paradigm that may change": (
        {"paradigms": hard._replace(hypers=[])},
        "paradigm: got one with a part that is unhashable type: 'list'",
    ),
    "a map that is a number": ({"attention": 5}, "attention map: got int, expected AttentionMap"),
    "an optimiser that is a number": ({"optimiser": 5}, "optimiser: got int, expected a name, or"),
    "an optimiser that may change": ({"optimiser": []}, "optimiser: got list of 0, expected"),
    "an optimiser that is a module": ({"optimiser": "os:path"}, "optimiser: got module, expected"),
    "a schedule that is a module": ({"schedule": "os:path"}, "schedule: got module, expected a"),
    "a limit that is a module": ({"against": "os:path"}, "limit: got module, expected a Limit"),
    "a schedule that is a number": ({"schedule": 5}, "schedule: got int, expected a name, or"),
    "a model that is nothing": ({"model": ""}, "unknown model: got ''"),
    "a model that is zero": ({"model": 0}, "model: got int, expected Model"),
    "losses in a table": ({"paradigms": {"soft": hard}}, "expected a list, in order"),
    "rates in a table": ({"hypers": {"learning_rate": {0.1: 1}}}, "expected a list, in order"),
    "rates without order": ({"hypers": {"learning_rate": {0.1, 0.2}}}, "in place of a set"),
    "seeds in bytes": ({"seeds": b"ab"}, "seeds: got b'ab', expected an integer"),
    "saves on no scale": ({"saves": "log"}, "saves: got 'log', expected 2 or more, log: and 2"),
    "saves on a scale of digits of no computer": ({"saves": "log:٤١"}, "saves: got 'log:"),
    "a single save on a scale": ({"saves": "log:1"}, "saves: log: got 1, expected at least 2"),
    "a scale among steps": ({"saves": (0, "log:4", 800)}, "saves: got 'log:4', expected an int"),
    "more saves on a scale than a spec has": ({"saves": "log:10000000"}, "at most 1000000"),
    "saves in bytes": ({"saves": b"\0\1", "steps": 1}, "saves: got b'"),
    "a complex rate": ({"hypers": {"learning_rate": np.complex128(1 + 2j)}}, "got np.complex128"),
    "a rate in letters": ({"hypers": {"learning_rate": np.array("0.1")}}, "got array('0.1'"),
    "a rate that is a time": ({"hypers": {"learning_rate": np.timedelta64(3, "ns")}}, "got np.tim"),
    "a rate that is missing": ({"hypers": {"temperature": np.ma.masked}}, "got masked"),
    "rates of which one is missing": (
        {"hypers": {"temperature": np.ma.array([1.0, 2.0], mask=[0, 1])}},
        "temperature: got masked_array(data=[1.0, --]",
    ),
    "more seeds than a spec has": ({"seeds": 10**7}, "at most 1000000"),
    "more saves than a spec has": ({"saves": 10**7, "steps": 10**8}, "at most 1000000"),
    "a limit twice": ({"against": ["flow", "flow"]}, "against: got flow, flow, expected each once"),
    "a limit itself": ({"against": [LIMITS["flow"]]}, "expected a list of names of limits"),
    "an array of orders": ({"order": np.array(["fixed", "fixed"])}, "a name of a minibatch order"),
    "an array of precisions": ({"precision": np.array(["float32"] * 2)}, "expected one of auto"),
    "seeds that are all one run": (
        {"task": "orthogonal", "vary": "init"},
        "vary: got init for several seeds, which are all the same run then, as this model starts",
    ),
    "seeds of which nothing differs": ({"vary": ()}, "vary: got nothing for several seeds"),
    "a solver that is a number": ({"flow_solver": 5}, "solver: got int, expected an adaptive"),
}


@pytest.mark.usefixtures("as_people_run_it")
@pytest.mark.parametrize("name", REFUSALS)
def test_settings_refuse_in_one_line(name: str) -> None:
    asked, said = REFUSALS[name]
    with pytest.raises(InputError) as caught:
        study_of(**asked)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_defaults_are_the_four_paradigms_on_digits_with_the_tasks_own_model() -> None:
    plain = study_of().describe()
    assert plain["paradigms"] == ["soft", "hard", "lvml", "hybrid"]
    assert (plain["task"], plain["model"], plain["optimiser"]) == ("digits", "mlp", "sgd")
    assert plain["vary"] == ["init"]


def test_seeds_of_a_model_that_starts_from_zero_vary_the_data() -> None:
    assert study_of(task="orthogonal").vary == ("data",)


@pytest.mark.parametrize(
    "asked",
    [{"vary": "data"}, {"vary": "init", "seeds": 1}, {"vary": (), "order": "with-replacement"}],
    ids=str,
)
def test_seeds_need_something_that_differs_between_them(asked) -> None:
    study = study_of(**{"task": "orthogonal", "seeds": 3, **asked})
    assert study.vary == ((asked["vary"],) if asked["vary"] else ())


def test_saves_are_increasing_steps_from_the_first_to_the_last() -> None:
    saves = study_of(steps=7, saves=41).save_steps
    assert saves == (0, 1, 2, 3, 4, 5, 6, 7)
    assert study_of(steps=100, saves=3).save_steps == (0, 50, 100)


@pytest.mark.parametrize("steps", [1, 2, 7, 800, 2**31 - 1])
@pytest.mark.parametrize("count", [2, 3, 4, 41])
def test_saves_in_equal_ratios_are_step_0_and_the_roundings_from_1_to_the_last(count, steps):
    saves = study_of(steps=steps, saves=f"log:{count}").save_steps
    assert (saves[0], saves[-1]) == (0, steps)
    assert all(np.diff(saves) > 0)
    # 50 digits where a step has 10: each rounds as the exact one does.
    with mpmath.workdps(50):
        shares = [mpmath.mpf(k) / (count - 2) for k in range(count - 1)] if count > 2 else [1]
        exact = {int(mpmath.nint(mpmath.mpf(steps) ** share)) for share in shares}
    assert set(saves[1:]) == exact


def test_a_number_is_a_constant_and_a_sequence_an_axis() -> None:
    study = study_of(hypers={"learning_rate": 0.1, "temperature": (0.5, 1.0)})
    assert study.axes == {"learning_rate": (0.1,), "temperature": (0.5, 1.0)}
    assert "temperature" not in study.constants
    # Without a word on it the switch follows each run's own length.
    assert "switch_time" not in study.constants
    assert study_of(hypers={"switch_time": 3.0}).constants["switch_time"] == 3.0


@pytest.mark.usefixtures("as_people_run_it")
def test_a_schedule_that_raises_is_refused_when_it_is_first_read() -> None:
    study = study_of(task="orthogonal", schedule=lambda hyper: hyper["nope"])
    with pytest.raises(InputError, match=r"^schedule: got TypeError .*, expected a function of h"):
        study.clock(study.grid)


@pytest.mark.parametrize("kind", [float, np.float32, np.float64, np.array, jnp.asarray])
def test_a_number_of_any_library_is_a_number(kind) -> None:
    study = study_of(hypers={"learning_rate": kind(0.25), "temperature": kind(2.0)})
    assert study.axes == {"learning_rate": (0.25,)}
    assert study.constants["temperature"] == 2.0
    several = study_of(hypers={"temperature": np.array([0.5, 2.0])})
    assert several.axes["temperature"] == (0.5, 2.0)
    assert type(several.axes["temperature"][0]) is float


@pytest.mark.usefixtures("as_people_run_it")
def test_compare_takes_one_paradigm_or_several_and_seeds_by_number_or_by_name(monkeypatch) -> None:
    monkeypatch.setattr(door, "run", lambda asked, **_: asked)

    def mine(log_attention, values, read, label, context):
        return 0.0

    for one, name in (("soft", "soft"), (hard, "hard"), (mine, "mine")):
        assert door.compare(paradigms=one).names == (name,)
        assert door.compare(paradigms=[one]).names == (name,)
    assert door.compare(seeds=3).seeds == (0, 1, 2)
    assert door.compare(seeds=np.int64(2)).seeds == (0, 1)
    assert door.compare(seeds=[5, 2]).seeds == (5, 2)
    assert door.compare(seeds=np.arange(2)).describe()["seeds"] == [0, 1]


def test_a_description_is_plain_and_the_same_for_equal_settings() -> None:
    def described(**more) -> str:
        return canonical_json(
            study_of(hypers={"learning_rate": np.array([0.1])}, **more).describe()
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
            plan_jobs(study_of(flow_seeds=1))
    finally:
        jax.config.update("jax_enable_x64", was)
    assert "\n" not in str(caught.value)


def test_a_component_is_also_named_by_its_import_path():
    named = study_of(
        task="own_components:bags",
        model="own_components:model",
        paradigms=("soft", "own_components:focus_free"),
        optimiser="own_components:slow",
    )
    assert named.names == ("soft", "focus_free")
    assert named.subject.source.segments == 4
    assert named.optimiser.name == "slow"
    with pytest.raises(InputError, match="PYTHONPATH"):
        study_of(task="no_such_module:bags")


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
    study = study_of("orthogonal", optimiser=optimiser, hypers=hypers)
    with pytest.raises(InputError, match=f"{optimiser}: got a moving average with decay {decay} a"):
        study.refuse_decays()


def test_beside_limits_tolerances_are_as_tight_as_the_model_is_smooth():
    def method(model, **given):
        found = study_of(task="digits", model=model, against=("flow",), **given).settings
        return found.flow_solver, found.flow_rtol

    assert method("linear") == ("dopri8", 1e-10)
    assert method("mlp") == ("bosh3", 1e-5)
    assert method(partial(mlp, depth=0)) == ("dopri8", 1e-10)
    # What is asked for holds, the rest still follows the model.
    assert method("mlp", flow_solver="tsit5") == ("tsit5", 1e-5)
    assert method("mlp", flow_rtol=1e-7) == ("bosh3", 1e-7)


def test_an_absolute_tolerance_follows_the_relative_one_or_is_what_is_asked_for():
    def error(**given):
        return study_of("digits", **given).settings.flow_atol

    assert error() == 1e-2 * 1e-4
    assert error(flow_rtol=1e-7) == 1e-2 * 1e-7
    assert error(against=("flow",)) == 1e-2 * 1e-5
    assert error(flow_rtol=1e-7, flow_atol=1e-20) == 1e-20


def test_settings_are_made_before_jax_computes_anything():
    # Hosts that share a sweep have to meet before any of them does. Here JAX could not.
    script = """if True:
        from jaxattn.study.settings import Settings
        from jaxattn.study.study import resolve_settings
        resolve_settings(Settings('orthogonal', optimiser='adam'))"""
    environment = {**os.environ, "JAX_PLATFORMS": "none-such"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# --- one table for every door


@pytest.mark.usefixtures("as_people_run_it")
@pytest.mark.parametrize("number", [np.int64(3), np.uint8(3), jnp.asarray(3), np.array(3)])
def test_a_count_of_any_library_is_a_count(number):
    found = Settings(steps=number, seeds=number, curvature=number, saves=[0, number])
    assert (found.steps, found.seeds, found.curvature) == (3, (0, 1, 2), 3)
    assert found.saves == (0, 3)
    assert {type(found.steps), type(found.seeds[0]), type(found.saves[1])} == {int}


@pytest.mark.usefixtures("as_people_run_it")
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"fit_level": 200.0}, "fit_level: got 200, expected a number from 0 to 100 %"),
        ({"fit_level": -1}, "fit_level: got -1"),
        ({"fit_level": float("nan")}, "fit_level: got nan, expected a finite number"),
        ({"focus_level": 50}, "focus_level: got 50, expected a number from 0 to 1"),
        ({"flow_rtol": 0}, "between 0 and 1"),
        ({"flow_rtol": "tight"}, "flow_rtol: got 'tight', expected a number"),
        ({"flow_atol": 0}, "flow_atol: got 0, expected a number between 0 and inf, auto"),
        ({"flow_atol": float("inf")}, "flow_atol: got inf, expected a finite number"),
        ({"flow_atol": "tight"}, "flow_atol: got 'tight', expected a number"),
        ({"steps": True}, "steps: got True, expected an integer"),
        ({"steps": np.True_}, "expected an integer"),
        ({"steps": "800"}, "steps: got '800', expected an integer"),
        ({"steps": 2**31}, "expected at least 1 and at most"),
        ({"steps": np.array([3, 4])}, "expected an integer"),
        ({"curvature": -1}, "curvature: got -1"),
        ({"curvature": 0.5}, "curvature: got 0.5"),
        ({"seeds": 2**33}, "seeds: got"),
        ({"seeds": (1, 1)}, "each value once"),
        ({"seeds": [2**32]}, "at most 4294967295"),
        ({"seeds": "all"}, "seeds: got 'all'"),
        ({"batch_size": "most"}, "got 'most', expected an integer, 1 or more, auto, all."),
        ({"vary": "datum"}, "vary: got datum, expected some of init, data"),
        ({"vary": 3}, "vary: got 3, expected a list of names"),
        ({"against": 1}, "against: got 1, expected a list of names"),
        ({"against": "flwo"}, "did you mean 'flow'"),
        ({"task": None}, "task: got none"),
        ({"hypers": [("learning_rate", 0.1)]}, "hypers: got"),
        ({"hypers": {"learning_rate": True}}, "learning_rate: got True"),
        ({"hypers": {"learning_rate": "0.1"}}, "learning_rate: got '0.1'"),
    ],
    ids=str,
)
def test_counts_and_levels_out_of_their_bounds_are_refused(asked, said):
    with pytest.raises(InputError) as caught:
        study_of(**asked)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("one", "several"),
    [
        ({"vary": ("init", "data")}, {"vary": ["data", "init", "data"]}),
        ({"flow_solver": "tsit5"}, {"flow_solver": np.str_("tsit5")}),
        ({"vary": "init"}, {"vary": ("init",)}),
        ({"against": "flow"}, {"against": ("flow",)}),
        ({"paradigms": "soft"}, {"paradigms": ["soft"]}),
        ({"saves": "log:4", "steps": 1000}, {"saves": (0, 1, 32, 1000), "steps": 1000}),
        ({"saves": np.str_("log:007")}, {"saves": "log:7"}),
        ({"batch_size": "all"}, {"batch_size": None}),
        ({}, {"batch_size": 256, "precision": "float32", "optimiser": "sgd", "curvature": 0}),
        (
            {"against": "adam", "task": "orthogonal"},
            {"against": "adam", "task": "orthogonal", "optimiser": "adam", "batch_size": "all"},
        ),
    ],
    ids=str,
)
def test_two_ways_to_ask_for_the_same_are_one_study(one, several):
    assert study_of(**one).describe() == study_of(**several).describe()


def test_a_call_of_compare_says_every_setting_with_its_default_and_a_line_on_it():
    parameters = inspect.signature(jaxattn.compare).parameters
    table = {one.name: one.default for one in fields(Settings)}
    assert list(parameters) == [*table, "progress", "on_chunk", "stopwatch"]
    assert {name: parameters[name].default for name in table} == table
    lines = inspect.getdoc(jaxattn.compare).split("Args:")[1].split("Returns:")[0]
    assert re.findall(r"^    (\w+): ", lines, flags=re.M) == list(parameters)
    assert not any(one.kind is one.VAR_KEYWORD for one in parameters.values())


@pytest.mark.parametrize(
    ("name", "hint"),
    [("stpes", "did you mean 'steps'?"), ("learning_rate", "belongs in hypers"), ("paradigm", "?")],
)
def test_an_argument_that_compare_does_not_have_is_named_with_the_nearest(name, hint):
    with pytest.raises(InputError, match=f"got the argument '{name}'") as caught:
        jaxattn.compare("orthogonal", **{name: 3})
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("words", "saves"),
    [("41", 41), ("log:41", "log:41"), ("0 10 100 800", (0, 10, 100, 800)), ("0", 0)],
)
def test_saves_are_counts_scales_or_steps_on_the_command_line_as_in_python(words, saves):
    assert parse(["compare", "digits", "--saves", *words.split()]).settings.saves == saves


@pytest.mark.parametrize(("words", "seeds"), [("4", 4), ("4 2", (4, 2))])
def test_seeds_are_how_many_or_which_on_the_command_line_as_in_python(words, seeds):
    assert parse(["compare", "digits", "--seeds", *words.split()]).settings.seeds == seeds
    assert parse(["compare", "--seeds", *words.split(), "--steps", "3", "digits"]).task == "digits"


def test_the_command_line_has_the_same_settings_with_the_same_defaults():
    flags = parse(["compare"]).settings
    for one in fields(Settings):
        if hasattr(flags, one.name):
            given = getattr(flags, one.name)
            assert given == one.default or (given, one.default) == ((), None), one.name
    own = {one.name for one in fields(Settings)} - set(vars(flags))
    assert own == {"task", "hypers", "problems", "data", "measures", "theory", "solve", "static"}


# --- names of hyperparameters


def named(name: str) -> Paradigm:
    """A loss that reads a hyperparameter of this name."""

    def loss(log_attention, values, read, label, context):
        return context.hyper[name] * -jax.nn.logsumexp(log_attention)

    return Paradigm("mine", lambda *given: (loss(*given), ()), hypers=(HyperSpec(name, 1.0),))


@pytest.mark.parametrize("name", ["time", "save", "seed", "split", "status", "objective", "step"])
def test_a_hyperparameter_has_no_name_that_results_have_for_something_else(name):
    with pytest.raises(InputError, match=f"hyperparameter '{name}': got a name that results have"):
        study_of("orthogonal", paradigms=named(name), hypers={name: (1.0, 2.0)})
    assert "strength" in study_of("orthogonal", paradigms=named("strength")).constants


def test_one_hyperparameter_has_one_default_in_a_comparison():
    other = named("temperature")
    with pytest.raises(InputError, match=r"hyperparameter 'temperature'.*expected one meaning"):
        study_of("orthogonal", paradigms=("soft", other))


def test_the_docs_have_the_table_of_settings():
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert settings_table() in page.read_text()


@pytest.mark.parametrize("name", ["", " ", "two\nlines", r"$\foo$", "a tab\t"])
@pytest.mark.parametrize("kind", ["paradigm", "optimiser", "task"])
def test_a_name_that_nothing_could_show_is_refused_before_anything_is_run(kind, name):
    task = tasks.orthogonal(classes=3, segments=4, train=8, test=4, validation=4)
    named = {
        "paradigm": {"paradigms": (PARADIGMS["soft"]._replace(name=name),)},
        "optimiser": {"optimiser": replace(OPTIMISERS["sgd"], name=name)},
        "task": {"task": replace(task, name=name)},
    }
    with pytest.raises(InputError, match=f"{kind}: got the name .* expected printable text"):
        resolve_settings(Settings(**{"task": task, **named[kind]}))
