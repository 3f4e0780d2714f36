"""Sweeps of problems of one's own: named by import paths, stored, resumed and opened as all are."""

import json

import numpy as np
import pytest

import jaxattn
from jaxattn.core.contracts import InputError
from jaxattn.study.parse import from_plain
from jaxattn.study.spec_hash import spec_hash, to_plain
from jaxattn.sweeps import as_spec, resume, run

TABLES = {
    "problem": {"from": "own_components:chain", "depth": 2},
    "data": {"from": "own_components:pairs", "noise": 0.1},
    "measures": {"whole": "own_components:size_of_all", "first": "own_components:of_first"},
    "settings": {"steps": 6, "saves": 3, "keep": ["w0", "v"]},
    "axes": {"width": [2, 3], "learning_rate": [0.05, 0.1], "seed": {"count": 2}},
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep") / "out"
    run(TABLES, folder)
    return folder


@pytest.mark.slow
def test_its_rows_are_those_of_compare(swept):
    from own_components import chain, of_first, pairs, size_of_all

    whole = jaxattn.open(swept).load()
    assert list(whole["paradigm"].values) == ["chain", "vector"]
    assert whole["params.w0"].sizes["w0_1"] == 3
    assert list(whole["split"].values) == ["train", "test"]
    compared = jaxattn.compare(
        problems=chain(width=2),
        data=lambda seed: pairs(seed, noise=0.1),
        measures={"whole": size_of_all, "first": of_first},
        hypers={"learning_rate": (0.05, 0.1)},
        seeds=2,
        steps=6,
        saves=3,
        keep=("w0", "v"),
        progress=False,
    )
    at_two = whole.sel(width=2)
    for name in ("objective", "whole", "first", "params.v", "gradient_norm"):
        expected = compared[name]
        if "part" in expected.dims:
            expected = expected.reindex(part=whole["part"])
        np.testing.assert_array_equal(
            at_two[name].transpose(*expected.dims), expected, err_msg=name
        )
    kept = at_two["params.w0"].sel(w0_1=[0, 1])
    np.testing.assert_array_equal(kept, compared["params.w0"])
    assert np.isnan(at_two["params.w0"].sel(w0_1=2)).all()


@pytest.mark.slow
def test_a_sweep_that_is_resumed_runs_nothing_again_and_is_exported_whole(swept, tmp_path):
    assert resume(swept).computed == 0
    whole = jaxattn.open(swept).load()
    assert (whole["status"] == jaxattn.Status.DONE).all()
    jaxattn.report(whole, tmp_path / "report")
    again = jaxattn.open(tmp_path / "report").load()
    for name in ("params.v", "whole", "first"):
        np.testing.assert_array_equal(again[name], whole[name])


def test_a_spec_is_read_back_as_it_was_written():
    spec = from_plain(TABLES)
    again = from_plain(json.loads(json.dumps(to_plain(spec))))
    assert spec_hash(again) == spec_hash(spec)
    assert spec.settings["evaluate"] == "all"
    assert spec.roles["width"] == "problem argument"
    assert [axis.name for axis in spec.axes] == ["paradigm", "width", "learning_rate", "seed"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"problem": {}}, "problem: got no from"),
        ({"data": None}, "data: got no table beside the other"),
        ({"task": {"name": "orthogonal"}}, "task: got a table beside"),
        ({"problem": {"from": "own_components:nothing"}}, "cannot be imported"),
        ({"problem": {"from": "own_components:bags"}}, "which makes Task"),
        ({"problem": {"from": "own_components:chain", "depht": 3}}, "did you mean 'depth'"),
        ({"axes": {"paradigm": ["chian"], "seed": {"count": 2}}}, "did you mean 'chain'"),
        ({"measures": {"whole": "own_components:A_NUMBER"}}, "which is int"),
        ({"settings": {"keep": ["w7"]}}, "keep: got 'w7'"),
        ({"settings": {"hypers": {"scael": 1.0}}}, "scael"),
        ({"data": {"from": "own_components:pairs", "seed": 3}}, "expected an argument of"),
    ],
    ids=str,
)
def test_what_cannot_be_run_is_refused_in_one_line(changed, said):
    tables = {key: at for key, at in (TABLES | changed).items() if at is not None}
    with pytest.raises(InputError, match=said) as caught:
        from_plain(tables)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_objects_stand_for_import_paths_where_the_engine_is_local(swept, tmp_path):
    from own_components import chain, of_first, pairs, size_of_all

    objects = TABLES | {
        "problem": {"from": chain, "depth": 2},
        "data": {"from": pairs, "noise": 0.1},
        "measures": {"whole": size_of_all, "first": of_first},
    }
    assert spec_hash(as_spec(objects)) == spec_hash(as_spec(objects))
    run(objects, tmp_path / "out")
    here, there = (jaxattn.open(folder).load() for folder in (tmp_path / "out", swept))
    for name in ("objective", "first", "params.v"):
        np.testing.assert_array_equal(here[name], there[name])
    assert resume(tmp_path / "out", spec=objects).computed == 0
    for engine, workers in (("local", 2), ("dask", None)):
        with pytest.raises(InputError, match="expected local and one"):
            run(objects, tmp_path / "other", engine=engine, workers=workers)
    assert not (tmp_path / "other").exists()


def test_ready_problems_and_data_are_objects_too():
    problem = jaxattn.problem(
        lambda key, hyper: {"w": np.zeros(3)},
        lambda params, batch, hyper: ((batch["x"] @ params["w"] - batch["y"]) ** 2).mean(),
    )
    x = np.ones((4, 3))
    spec = as_spec(
        {
            "problem": {"from": {"mine": problem}},
            "data": {"from": {"x": x, "y": x[:, 0]}},
            "axes": {"learning_rate": np.array([0.1, 0.2]), "seed": [0]},
        }
    )
    assert [axis.name for axis in spec.axes] == ["paradigm", "learning_rate", "seed"]
    assert dict(spec.axes[0].columns)["paradigm"] == ("mine",)
