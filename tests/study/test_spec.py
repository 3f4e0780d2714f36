"""A spec: read, refused in one line, written down, hashed, compared."""

import copy
import json
import re
import tomllib
from dataclasses import fields, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.engine.cost.layout import choose_layout
from jaxattn.engine.spec_file import read_spec
from jaxattn.study.axes import Axis
from jaxattn.study.groups import make_groups
from jaxattn.study.parse import from_plain, parse_spec
from jaxattn.study.settings import DEFAULTS, FIXED, OWN_TABLES, STATIC, YOUNGER, Settings
from jaxattn.study.spec import Layout, Spec
from jaxattn.study.spec_hash import difference, spec_hash, spec_json, to_plain

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "sweep.toml"

TEXT = """
[task]
name = "orthogonal"
train = 8
test = 8
points = 8
[model]
name = "linear"
[settings]
steps = 20
saves = [0, 10, 20]
batch_size = "all"
[settings.hypers]
focus_rate = 2
[axes]
seed = { count = 3, first = 5 }
learning_rate = { log = [0.01, 1], count = 3 }
paradigm = ["soft", "hybrid"]
segments = [3, 4]
size = { zip = { classes = [2, 3], start = ["zeros", "normal"] } }
[layout]
memory = "2 GiB"
tile = 4
chunk = 8
[output]
measures = ["objective", "accuracy"]
dynamics = ["flow", "train"]
params = true
[stop]
converged = { measure = "objective", below = 1e-3 }
diverged = true
every = 10
"""

SMALL: dict[str, Any] = {
    "task": {"name": "orthogonal", "train": 8, "test": 8, "points": 8, "validation": 0},
    "settings": {"steps": 20, "saves": 3},
    "axes": {"paradigm": ["soft"], "learning_rate": [0.1, 0.2], "seed": [0, 1]},
}


@pytest.fixture(autouse=True, scope="module")
def _as_people_run_it():
    """Without the types that only the tests check, so that wrong ones reach the code."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def changed(**tables: Any) -> dict[str, Any]:
    """The small spec with these keys of its tables instead; None drops one."""
    made = copy.deepcopy(SMALL)
    for name, table in tables.items():
        if not isinstance(table, dict):
            made[name] = table
            continue
        merged = {**made.get(name, {}), **table}
        made[name] = {key: value for key, value in merged.items() if value is not None}
    return made


def test_a_file_says_how_many_saves_on_a_logarithmic_scale():
    spec = parse_spec(TEXT.replace("saves = [0, 10, 20]", 'saves = "log:4"'))
    assert spec.settings["saves"] == "log:4"
    assert {group.study.save_steps for group in make_groups(spec)} == {(0, 1, 4, 20)}
    assert spec_hash(parse_spec(TEXT)) != spec_hash(spec)


def test_a_file_says_all_that_a_spec_holds():
    spec = parse_spec(TEXT)
    assert spec.task == {"name": "orthogonal", "train": 8, "test": 8, "points": 8}
    assert spec.model == {"name": "linear"}
    assert spec.settings["saves"] == [0, 10, 20]
    assert spec.settings["batch_size"] is None
    assert spec.settings["hypers"] == {"focus_rate": 2.0}
    assert spec.layout == Layout(tile=4, chunk=8, memory=2 << 30)
    assert spec.measures == ("accuracy", "objective")
    assert spec.dynamics == ("train", "flow")
    assert spec.keep_params
    assert spec.stop is not None
    assert spec.stop["converged"] == {"measure": "objective", "below": 1e-3}


def test_the_axes_keep_their_order_but_the_paradigm_comes_first_and_the_seed_last():
    axes = parse_spec(TEXT).axes
    assert [axis.name for axis in axes] == [
        *("paradigm", "learning_rate", "segments", "size", "seed"),
    ]
    assert axes[1].columns == (("learning_rate", (0.01, 0.1, 1.0)),)
    assert axes[-1].columns == (("seed", (5, 6, 7)),)


def test_every_name_on_an_axis_is_known_for_what_it_is():
    assert parse_spec(TEXT).roles == {
        "paradigm": "paradigm",
        "learning_rate": "hyper",
        "segments": "task argument",
        "classes": "task argument",
        "start": "model argument",
        "seed": "seed",
    }
    axes = {"optimiser": ["sgd", "adam"], "beta1": [0.5, 0.9], "model": ["linear", "mlp"]}
    assert from_plain(changed(axes=axes)).roles.items() >= {
        ("optimiser", "setting"),
        ("beta1", "hyper"),
        ("model", "model"),
    }


def test_arguments_of_the_tasks_own_model_may_vary_too():
    tables = changed(task={"name": None}, axes={"task": ["orthogonal"], "bias": [True, False]})
    assert from_plain(tables).roles["bias"] == "model argument"


def test_a_spec_built_in_python_is_the_one_that_is_read_and_checked_alike():
    built = Spec(
        task=SMALL["task"],
        settings=SMALL["settings"],
        axes=(
            Axis("seed", (("seed", (0, 1)),)),
            Axis("learning_rate", (("learning_rate", (0.1, 0.2)),)),
            Axis("paradigm", (("paradigm", ("soft",)),)),
        ),
    )
    assert built == from_plain(SMALL)
    assert hash(built) == hash(from_plain(SMALL))
    with pytest.raises(InputError, match="did you mean 'steps'"):
        replace(built, settings={"stepz": 3})


def test_what_is_not_said_of_the_settings_is_written_out():
    defaults = {one.name: DEFAULTS.get(one.name, one.default) for one in fields(Settings)}
    written = {*FIXED, *STATIC} - {*YOUNGER}
    known = {name: at for name, at in defaults.items() if name in written}
    known["against"] = []
    said = from_plain(changed(settings={"steps": None, "saves": None})).settings
    assert said == {**known, "hypers": {}}
    swept = from_plain(changed(axes={"batch_size": [4, 8]})).settings
    assert "batch_size" not in swept


def test_every_field_of_the_settings_has_its_place_in_a_spec():
    places = [*FIXED, *STATIC, *OWN_TABLES]
    assert sorted(places) == sorted(one.name for one in fields(Settings))


def test_what_is_written_down_is_read_back_the_same():
    for spec in (parse_spec(TEXT), from_plain(SMALL)):
        again = from_plain(json.loads(spec_json(spec)))
        assert again == spec
        assert spec_json(again) == spec_json(spec)
        assert spec_hash(again) == spec_hash(spec)
        assert from_plain(to_plain(spec)) == spec


def test_a_value_that_comes_again_with_others_beside_it_is_read_back():
    zipped = {"zip": {"learning_rate": [0.1, 0.1, 0.2], "temperature": [1, 2, 1]}}
    spec = from_plain(changed(axes={"learning_rate": None, "size": zipped}))
    assert from_plain(json.loads(spec_json(spec))) == spec


def test_a_layout_that_was_worked_out_is_kept():
    laid = replace(from_plain(SMALL), layout=Layout(groups=((4, 2),)))
    assert from_plain(json.loads(spec_json(laid))) == laid
    assert spec_hash(laid) != spec_hash(from_plain(SMALL))


def test_the_hash_is_of_what_is_asked_and_not_of_how_it_is_written():
    tables = tomllib.loads(TEXT)
    turned = {
        name: dict(reversed(table.items())) if name not in ("axes", "output") else table
        for name, table in reversed(tables.items())
    }
    turned["axes"] = copy.deepcopy(tables["axes"])
    zipped = turned["axes"]["size"]["zip"]
    turned["axes"]["size"]["zip"] = dict(reversed(zipped.items()))
    turned["axes"]["learning_rate"] = [0.01, 0.1, 1]
    turned["output"] = {**tables["output"], "dynamics": ["train", "flow"]}
    turned["settings"]["order"] = "shuffled"
    assert spec_hash(from_plain(turned)) == spec_hash(from_plain(tables))
    turned["output"]["processes"] = turned["output"].pop("dynamics")  # as specs said before
    assert spec_hash(from_plain(turned)) == spec_hash(from_plain(tables))


def test_a_setting_that_came_later_leaves_specs_from_before_as_they_were():
    # Written down before flow_atol was a setting: directories that bear it are resumed.
    before = "2a303ff426f88679dc3e64db60957eb8a17c7244a14b971fa1434b8475ac1c02"
    assert spec_hash(from_plain(SMALL)) == before
    assert spec_hash(from_plain(changed(settings={"flow_atol": "auto"}))) == before
    closer = from_plain(changed(settings={"flow_atol": 1e-9}))
    assert spec_hash(closer) != before
    assert from_plain(json.loads(spec_json(closer))) == closer
    assert difference(from_plain(SMALL), closer) == ["settings.flow_atol: none there, 1e-09 here"]


def test_the_hash_knows_the_order_of_the_axes():
    axes = {"learning_rate": [0.1], "segments": [3], "classes": [2]}
    ends = {"paradigm": ["soft"], "seed": [0]}
    hashes = {
        spec_hash(from_plain({**SMALL, "axes": {**ends, **{name: axes[name] for name in order}}}))
        for order in permutations(axes)
    }
    assert len(hashes) == 6


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("task", "train", 9),
        ("settings", "steps", 21),
        ("axes", "seed", [0, 2]),
        ("layout", "tile", 2),
        ("layout", "memory", "1 MiB"),
        ("output", "measures", ["accuracy"]),
        ("output", "params", True),
        ("stop", "diverged", True),
        ("model", "name", "mlp"),
    ],
)
def test_the_hash_knows_every_part(table, key, value):
    assert spec_hash(from_plain(changed(**{table: {key: value}}))) != spec_hash(from_plain(SMALL))


def test_a_time_to_reach_a_level_is_kept_with_the_measure_that_reaches_it():
    output = {"measures": ["time_to_focus", "loss"]}
    kept = from_plain(changed(output=output)).measures
    assert kept == ("attention_foreground", "loss", "time_to_focus")


@pytest.mark.parametrize(
    ("memory", "count"),
    [
        ("512 MiB", 512 * 2**20),
        ("2GiB", 2**31),
        ("1.5 kB", 1500),
        ("7", 7),
        (10**9, 10**9),
        ("1 GB", 10**9),
    ],
)
def test_memory_is_bytes_or_has_a_unit(memory, count):
    assert from_plain(changed(layout={"memory": memory})).layout.memory == count


def test_numpy_numbers_are_as_good_as_pythons():
    axes = {"learning_rate": np.asarray([0.1, 0.2]), "seed": list(np.arange(2))}
    assert from_plain(changed(axes=axes)) == from_plain(SMALL)
    ends = {"range": [np.float64(0.5), np.float32(2)], "count": np.int64(4)}
    spec = from_plain(changed(axes={"temperature": ends}))
    assert spec.axes[2].columns[0][1] == (0.5, 1.0, 1.5, 2.0)


def test_a_component_of_ones_own_is_named_by_its_import_path():
    tables = changed(
        task={**dict.fromkeys(SMALL["task"]), "name": "own_components:bags", "classes": 2},
        model={"name": "own_components:model"},
        settings={"optimiser": "own_components:slow"},
        axes={
            "paradigm": ["soft", "own_components:focus_free"],
            "segments": [3, 4],
            "noise": [0.5, 1.0],
            "gain": [1.0, 2.0],
        },
    )
    spec = from_plain(tables)
    assert spec.roles["noise"] == "task argument"
    assert spec.roles["gain"] == "model argument"
    assert from_plain(json.loads(spec_json(spec))) == spec


OWN = dict.fromkeys(SMALL["task"])
REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a table that is none": (changed(task=3), "task: got 3, expected a table"),
    "an unknown table": (changed(axis={}), "did you mean 'axes'"),
    "no axes": ({"task": {"name": "digits"}}, "no [axes]"),
    "axes that are text": (changed(axes="seed"), "expected a table"),
    "an axis in a list that has no name": (
        changed(axes=[{"columns": {"seed": [0]}}]),
        "expected a name for each axis",
    ),
    "no task": (changed(task={"name": None}), "task: got no name"),
    "an unknown task": (changed(task={"name": "orthogonaal"}), "did you mean 'orthogonal'"),
    "an unknown argument": (changed(task={"trian": 5}), "did you mean 'train'"),
    "an argument of a wrong kind": (changed(task={"train": "many"}), "train: got 'many'"),
    "an argument that is too large": (changed(task={"points": 2**52}), "which it refuses"),
    "an argument of nothing": (
        changed(model={"name": "linear", "width": 3}),
        "expected an argument of linear: bias, start",
    ),
    "an argument that one task has not": (
        changed(task=OWN, axes={"task": ["orthogonal", "digits"], "classes": [3, 4]}),
        "task: got 'classes', expected an argument of digits",
    ),
    "an unknown model": (changed(model={"name": "mpl"}), "did you mean 'mlp'"),
    "an unknown start": (changed(axes={"start": ["zeros", "nowhere"]}), "start of linear"),
    "an unknown setting": (changed(settings={"stepz": 3}), "did you mean 'steps'"),
    "a hyperparameter among the settings": (
        changed(settings={"temperature": 2.0}),
        "belong in [settings.hypers]",
    ),
    "an unknown hyperparameter": (
        changed(settings={"hypers": {"temprature": 2.0}}),
        "did you mean 'temperature'",
    ),
    "a hyperparameter that is true": (
        changed(settings={"hypers": {"temperature": True}}),
        "temperature: got True, expected a number",
    ),
    "a negative rate": (changed(axes={"learning_rate": [0.1, -0.1]}), "got -0.1"),
    "a rate that is a word": (changed(axes={"learning_rate": ["fast"]}), "expected a number"),
    "a rate that is true": (changed(axes={"learning_rate": [True]}), "expected a number"),
    "a rate that overflows": (changed(axes={"learning_rate": [0.1, 1e300]}), "float32"),
    "a rate that is NaN": (changed(axes={"learning_rate": [float("nan")]}), "finite"),
    "a number of steps that is true": (changed(settings={"steps": True}), "steps: got True"),
    "half a step": (changed(settings={"steps": 2.5}), "settings.steps: got 2.5"),
    "a word for a number": (changed(settings={"fit_level": "high"}), "expected a number"),
    "a number for a word": (changed(settings={"order": 3}), "expected a name in quotes"),
    "a date": (changed(settings={"steps": tomllib.loads("d = 2020-01-01")["d"]}), "got datetime"),
    "flows by number": (changed(settings={"flow_seeds": 2}), "dynamics in [output]"),
    "something seeds cannot vary": (changed(settings={"vary": ["weather"]}), "init, data"),
    "saves beyond the end": (changed(settings={"saves": [0, 30]}), "from 0 to 20"),
    "an unknown axis": (changed(axes={"segmants": [3]}), "did you mean 'segments'"),
    "an unknown axis of hyperparameters": (
        changed(axes={"temprature": [1.0]}),
        "did you mean 'temperature'",
    ),
    "a hyperparameter that no run reads": (changed(axes={"alpha": [0.5]}), "got 'alpha'"),
    "steps on an axis": (
        changed(settings={"steps": None}, axes={"steps": [10, 20]}),
        "move it to [settings]",
    ),
    "an empty axis": (changed(axes={"temperature": []}), "got no values"),
    "no paradigm": (changed(axes={"paradigm": None}), 'add paradigm = ["soft", "hard"]'),
    "no seed": (changed(axes={"seed": None}), "add seed = { count = 8 }"),
    "an unknown paradigm": (changed(axes={"paradigm": ["sotf"]}), "did you mean 'soft'"),
    "a paradigm that is a number": (changed(axes={"paradigm": [1]}), "expected a name in quotes"),
    "a paradigm along another axis": (
        changed(axes={"paradigm": None, "z": {"zip": {"paradigm": ["soft"], "segments": [3]}}}),
        "expected an axis of its own",
    ),
    "a seed that is true": (changed(axes={"seed": [True]}), "seed: got True"),
    "half a seed": (changed(axes={"seed": [0.5]}), "seed: got 0.5"),
    "a negative seed": (changed(axes={"seed": [-1]}), "seed: got -1"),
    "a seed beyond the last": (changed(axes={"seed": [2**32]}), "from 0 to 4294967295"),
    "an unknown optimiser": (changed(axes={"optimiser": ["sgd", "adan"]}), "did you mean 'adam'"),
    "a batch of none": (changed(axes={"batch_size": [0, 8]}), "axis batch_size: got 0"),
    "a precision that is a number": (changed(axes={"precision": [32]}), "name in quotes"),
    "an unknown precision": (changed(axes={"precision": ["float16"]}), "float32, float64"),
    "a bag of one": (changed(axes={"segments": [3, 1]}), "segments: got 1"),
    "a name on two axes": (
        changed(axes={"z": {"zip": {"learning_rate": [0.1], "segments": [3]}}}),
        "on the axes learning_rate and z",
    ),
    "a name on an axis and in the task": (changed(axes={"train": [8]}), "in [task]"),
    "a name on an axis and in the settings": (
        changed(settings={"order": "fixed"}, axes={"order": ["fixed"]}),
        "in [settings]",
    ),
    "a name on an axis and among the hyperparameters": (
        changed(settings={"hypers": {"learning_rate": 1.0}}),
        "in [settings.hypers]",
    ),
    "a name on an axis and in the model": (
        changed(model={"start": "zeros"}, axes={"start": ["zeros"]}),
        "in [model]",
    ),
    "a task on an axis and in its table": (changed(axes={"task": ["digits"]}), "in [task]"),
    "an axis named as what varies": (
        changed(axes={"segments": {"zip": {"segments": [3], "classes": [2]}}}),
        "rename the axis",
    ),
    "an axis named as a measure": (
        changed(axes={"accuracy": {"zip": {"segments": [3], "classes": [2]}}}),
        "rename the axis",
    ),
    "an axis named as a dimension": (
        changed(axes={"split": {"zip": {"segments": [3], "classes": [2]}}}),
        "rename the axis",
    ),
    "too many runs": (
        changed(
            axes={
                "learning_rate": {"range": [0.1, 1.0], "count": 2000},
                "temperature": {"range": [0.1, 1.0], "count": 2000},
                "seed": {"count": 2000},
            }
        ),
        "got 8000000000 runs",
    ),
    "an unknown key of the layout": (changed(layout={"tiles": 3}), "did you mean 'tile'"),
    "a layout that is text": (changed(layout="small"), "layout: got 'small'"),
    "a tile of none": (changed(layout={"tile": 0}), "layout.tile: got 0"),
    "a tile that is true": (changed(layout={"tile": True}), "layout.tile: got True"),
    "a chunk of broken tiles": (changed(layout={"tile": 4, "chunk": 6}), "use 8"),
    "memory in an unknown unit": (changed(layout={"memory": "2 Gib"}), '"512 MiB" or "2 GiB"'),
    "no memory": (changed(layout={"memory": 0}), "layout.memory: got 0"),
    "padding without lengths": (changed(layout={"pad_segments": True}), "an axis of segments"),
    "padding that is a word": (changed(layout={"pad_segments": "yes"}), "true or false"),
    "groups that are none": (changed(layout={"groups": [4]}), "pairs [tile, tiles]"),
    "a group of no rows": (changed(layout={"groups": [[0, 1]]}), "layout.groups: tile: got 0"),
    "an unknown measure": (changed(output={"measures": ["acuracy"]}), "did you mean 'accuracy'"),
    "no measures": (changed(output={"measures": []}), "expected a list"),
    "a measure twice": (changed(output={"measures": ["loss", "loss"]}), "each once"),
    "measures that are text": (changed(output={"measures": "loss"}), "expected a list"),
    "dynamics by both names": (
        changed(output={"dynamics": ["train"], "processes": ["train"]}),
        "got the key 'processes', expected one of dynamics",
    ),
    "an unknown dynamics": (changed(output={"dynamics": ["fly"]}), "expected some of train, flow"),
    "parameters that are a word": (changed(output={"params": "yes"}), "output.params: got 'yes'"),
    "an unknown key of the output": (changed(output={"measure": []}), "did you mean 'measures'"),
    "an unknown key of the stop": (changed(stop={"divergd": True}), "did you mean 'diverged'"),
    "an unknown measure to stop by": (
        changed(stop={"converged": {"measure": "objectiv", "below": 1}}),
        "did you mean 'objective'",
    ),
    "a measure to stop by that is none": (
        changed(stop={"converged": {"measure": ["a\nb"], "below": 1}}),
        "got the measure",
    ),
    "a stop that is a word": (changed(stop={"diverged": "yes"}), "got diverged = 'yes'"),
    "a stop every now and then": (changed(stop={"every": 0.5}), "got every = 0.5"),
    "nothing to import": (
        changed(axes={"paradigm": ["no_such_module:loss"]}),
        "is its folder on PYTHONPATH?",
    ),
    "nothing of that name": (
        changed(axes={"paradigm": ["own_components:los"]}),
        "package.module:attribute",
    ),
    "an empty path": (changed(axes={"paradigm": [":"]}), "cannot be imported"),
    "something that is no function": (
        changed(axes={"paradigm": ["own_components:A_NUMBER"]}),
        "which is int, expected a function",
    ),
    "something that makes no task": (
        changed(task={**OWN, "name": "own_components:no_task"}),
        "which makes int, expected a jaxattn task",
    ),
    "something that takes no classes": (changed(model={"name": "json:loads"}), "which it refuses"),
    "a key with a blank": (changed(settings={"batch size": 3}), "letters, digits and _"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_run_is_refused_in_one_line_that_says_so(case):
    tables, words = REFUSALS[case]
    with pytest.raises(InputError) as refused:
        from_plain(tables)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[axes]\nseed = [0,\n= 3", "(at line 3, column 1)"),
        ("[axes]\nseed = [0]\nseed = [1]\n", "(at line 3"),
        ("a = " + "[" * 10_000, "got what is no TOML"),
        ("a = 1" + "0" * 5000, "got what is no TOML"),
        ("a = nan", "expected a finite number"),
        ("", "no [axes]"),
    ],
)
def test_bad_toml_is_refused_with_the_place_where_it_has_one(text, words):
    with pytest.raises(InputError) as refused:
        parse_spec(text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_difference_says_what_is_there_and_what_is_here():
    there = from_plain(changed(axes={"temperature": [1.0], "seed": {"count": 64}}))
    here = from_plain(
        changed(
            settings={"steps": 30, "hypers": {"focus_rate": 2}},
            axes={"segments": [3, 4], "seed": {"count": 65}, "learning_rate": [0.1, 0.3]},
            layout={"tile": 4},
            stop={"diverged": True},
        )
    )
    assert difference(there, here) == [
        "axes.learning_rate: 0.1, 0.2 there, 0.1, 0.3 here",
        "axes.seed: 64 values there, 65 values here",
        "axes.segments: none there, 3, 4 here",
        "axes.temperature: 1.0 there, none here",
        "layout.tile: none there, 4 here",
        "settings.hypers.focus_rate: none there, 2.0 here",
        "settings.steps: 20 there, 30 here",
        "stop.diverged: none there, true here",
    ]


def test_a_difference_in_a_long_list_or_in_the_order_of_the_axes_is_found():
    rates = [0.001 * (1 + at) for at in range(200)]
    there = from_plain(changed(axes={"learning_rate": rates, "segments": [3]}))
    rates[150] = 0.5
    here = from_plain(changed(axes={"learning_rate": rates, "segments": [3]}))
    assert difference(there, here) == [
        "axes.learning_rate: value 151 of 200 is 0.151 there, 0.5 here"
    ]
    other = from_plain({**SMALL, "axes": dict(reversed(to_toml(there)["axes"].items()))})
    assert difference(there, other) == [
        "order of axes: paradigm, learning_rate, segments, seed there, "
        "paradigm, segments, learning_rate, seed here"
    ]


def to_toml(spec: Spec) -> dict[str, Any]:
    return {**to_plain(spec), "axes": {axis.name: axis.columns[0][1] for axis in spec.axes}}


def test_equal_specs_do_not_differ():
    assert difference(parse_spec(TEXT), parse_spec(TEXT)) == []


def test_a_file_is_read_and_named_in_what_it_is_refused_for(tmp_path):
    (tmp_path / "good.toml").write_text(TEXT)
    assert read_spec(tmp_path / "good.toml") == parse_spec(TEXT)
    (tmp_path / "bad.toml").write_text(TEXT.replace("steps", "stepz"))
    with pytest.raises(InputError, match=re.escape("bad.toml: settings: got 'stepz'")):
        read_spec(tmp_path / "bad.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    for name in ("latin.toml", "missing.toml", "."):
        with pytest.raises(InputError, match="expected a TOML file") as refused:
            read_spec(tmp_path / name)
        assert "\n" not in str(refused.value)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "windows.toml").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert read_spec(tmp_path / "windows.toml") == parse_spec(TEXT)


def test_the_example_is_read_with_all_that_stands_in_its_comments():
    text = EXAMPLE.read_text(encoding="utf-8")
    spec = read_spec(EXAMPLE)
    assert choose_layout(spec).chunk_count >= 12
    shown = re.sub(r"^# (size|draw|\[stop\]|converged|diverged|every)\b", r"\1", text, flags=re.M)
    shown = shown.replace("# [stop]", "[stop]")
    shown = re.sub(r"^(classes|train|\[settings.hypers\]|focus_rate) .*$", "", shown, flags=re.M)
    whole = parse_spec(shown)
    assert {axis.name for axis in whole.axes} >= {"size", "draw"}
    assert whole.stop is not None


def test_every_line_of_the_example_that_says_something_says_why():
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        assert not line or line == "[axes]" or "# " in line or line == "#"
        assert len(line) <= 110
