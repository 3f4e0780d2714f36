"""A sweep and a comparison are one pipeline: the same rows, the same values, the same labels."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from helpers import compiled_quickly

import jaxattn
from jaxattn.core.contracts import InputError
from jaxattn.experiments import report
from jaxattn.tasks import digits, orthogonal, orthogonal_population

BAGS = {"classes": 3, "segments": 4, "train": 24, "test": 8, "validation": 8, "points": 40}
SMALL = {"steps": 8, "saves": 3, "evaluate": 8, "flow_examples": 16}


def swept(folder: Path, task: dict, settings: dict, axes: dict, **more: object) -> xr.Dataset:
    spec = {"task": task, "settings": settings, "axes": axes, **more}
    with compiled_quickly():
        jaxattn.sweeps.run(spec, folder / "sweep")
    return jaxattn.open(folder / "sweep").load()


def assert_same(sweep: xr.Dataset, compared: xr.Dataset) -> None:
    """Every variable and coordinate that one has the other has, with the same bits."""
    assert set(sweep.variables) == set(compared.variables)
    for name in compared.variables:
        one, other = sweep[name].transpose(*compared[name].dims), compared[name]
        np.testing.assert_array_equal(one.values, other.values, err_msg=str(name))


@pytest.mark.needs_x64
@pytest.mark.slow
def test_limits_beside_a_sweep_are_those_beside_a_comparison(tmp_path: Path) -> None:
    axes = {"paradigm": ["soft"], "learning_rate": [0.4, 0.2], "seed": {"count": 2}}
    named = {"name": "orthogonal", **BAGS}
    found = swept(tmp_path, named, {**SMALL, "against": ["modified"]}, axes)
    with compiled_quickly():
        hypers = {"learning_rate": (0.4, 0.2)}
        asked = jaxattn.compare(
            orthogonal(**BAGS), None, "soft", hypers, 2, against="modified", **SMALL
        )
    assert {"distance", "moved", "sharpness", "distance_along_top"} <= set(found)
    assert (found["distance"].sel(dynamics="modified").isel(save=-1) > 0).all()
    assert_same(found, asked)
    page = report(tmp_path / "sweep").path.read_text()
    assert "When training leaves its limits" in page


@pytest.mark.needs_x64
@pytest.mark.slow
def test_a_sweep_of_the_solvable_setting_has_theory_and_curvature(tmp_path: Path) -> None:
    axes = {"paradigm": ["soft", "hybrid"], "learning_rate": [0.4, 0.2], "seed": [0]}
    settings = {"steps": 8, "saves": 3, "batch_size": "all", "curvature": 1, "precision": "float64"}
    named = {"name": "orthogonal-population", "classes": 3, "segments": 4}
    found = swept(tmp_path, named, settings, axes)
    with compiled_quickly():
        hypers = {"learning_rate": (0.4, 0.2)}
        asked = jaxattn.compare(
            orthogonal_population(3, 4), None, ("soft", "hybrid"), hypers, 1, **settings
        )
    assert found["dynamics"].values.tolist() == ["train", "theory"]
    assert_same(found, asked)


@pytest.mark.slow
def test_a_sweep_of_images_has_their_pictures_where_all_runs_have_seen_the_same(tmp_path) -> None:
    task = {"name": "digits", "train": 16, "test": 8}
    axes = {"paradigm": ["soft"], "seed": [0, 1]}
    found = swept(tmp_path, task, {"steps": 2, "saves": 2}, axes)
    asked = jaxattn.compare(digits(train=16, test=8), None, "soft", {}, 2, steps=2, saves=2)
    for name in ("picture", "picture_foreground", "picture_seen"):
        xr.testing.assert_equal(found[name], asked[name])


def test_limits_beside_a_sweep_are_refused_where_they_cannot_be() -> None:
    spec = {
        "task": {"name": "orthogonal", **BAGS},
        "settings": {**SMALL, "against": "flow"},
        "axes": {"paradigm": ["soft"], "seed": [0]},
    }
    with pytest.raises(InputError, match="expected train alone"):
        jaxattn.sweeps.as_spec({**spec, "output": {"dynamics": ["train", "flow"]}})
    with pytest.raises(InputError, match="limits of different optimisers"):
        jaxattn.sweeps.as_spec({**spec, "settings": {"against": ["adam", "heavy-ball"]}})
    with pytest.raises(InputError, match="did you mean 'flow'"):
        jaxattn.sweeps.as_spec({**spec, "settings": {"against": ["flwo"]}})
    made = jaxattn.sweeps.as_spec(spec).settings
    assert (made["precision"], made["batch_size"], made["optimiser"]) == ("float64", None, "sgd")


@pytest.mark.needs_x64
@pytest.mark.parametrize("asked", [{"against": ["flow"]}, {"curvature": 1}])
def test_runs_that_may_stop_have_no_limits_and_no_curvature(asked: dict, tmp_path: Path) -> None:
    spec = {
        "task": {"name": "orthogonal", **BAGS},
        "settings": {**SMALL, **asked},
        "axes": {"paradigm": ["soft"], "seed": [0]},
        "stop": {"diverged": True},
    }
    with pytest.raises(InputError, match=f"stop: got {next(iter(asked))} beside it"):
        jaxattn.sweeps.run(spec, tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()
