"""Rows of a sweep that end early, as its results and its status tell."""

import jax
import numpy as np
import pytest

import jaxattn
from jaxattn.core.contracts import InputError, Status

SAVES = [0, 4, 8, 12, 16]
SIZES = {"classes": 3, "segments": 3, "train": 8, "validation": 0, "test": 4, "points": 4}
FAST, SLOW, WILD = 5.0, 1e-3, 1e25


def spec(**more):
    return {
        "task": {"name": "orthogonal", **SIZES},
        "model": {"name": "linear", "start": "normal"},
        "settings": {"steps": 16, "saves": SAVES, "batch_size": 1, "vary": ["init"]},
        "axes": {
            "paradigm": ["soft"],
            "learning_rate": [FAST, SLOW, WILD],
            "seed": {"count": 2},
        },
        "layout": {"tile": 2, "chunk": 6},
        # Not what rows stop by, which has to be measured all the same.
        "output": {"measures": ["accuracy"], "params": True},
        **more,
    }


# Fast rows fit eight bags in a few steps; slow ones cannot in sixteen.
STOP = {"every": 1, "converged": {"measure": "loss", "below": 0.3}}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stops")
    found = {"stopped": folder / "stopped", "whole": folder / "whole"}
    assert jaxattn.sweeps.run(spec(stop=STOP), found["stopped"]).failed == 2
    assert jaxattn.sweeps.run(spec(), found["whole"]).failed == 2
    return found


@pytest.mark.slow
def test_rows_end_where_they_converge_or_diverge_and_say_so(folders):
    ds = jaxattn.open(folders["stopped"]).isel(paradigm=0, dynamics=0).load()
    status = ds["status"].transpose("learning_rate", "seed").values
    assert (status[0] == Status.CONVERGED).all()
    assert (status[1] == Status.DONE).all()
    assert (status[2] == Status.DIVERGED).all()
    steps = ds["steps"].transpose("learning_rate", "seed").values
    assert (steps[1] == SAVES[-1]).all()
    assert (steps[[0, 2]] < SAVES[-1]).all(), "nobody was stopped"
    for rate in (0, 1, 2):
        for seed in (0, 1):
            row = ds["objective"].isel(learning_rate=rate, seed=seed).values
            made = np.asarray(SAVES) <= steps[rate, seed]
            assert np.isnan(row[~made]).all()
            if rate < 2:
                assert np.isfinite(row[made]).all()
    counted = jaxattn.sweeps.status(folders["stopped"])["runs"]
    assert (counted["converged"], counted["diverged"], counted["done"]) == (2, 2, 6)


@pytest.mark.slow
def test_up_to_its_stop_a_row_is_what_it_is_in_a_sweep_without_stops(folders):
    stopped, whole = (
        jaxattn.open(folders[name])["objective"].sel(learning_rate=[FAST, SLOW]).load()
        for name in ("stopped", "whole")
    )
    made = np.isfinite(stopped.values)
    # Two programs: a few roundings of float32 in sixteen steps.
    np.testing.assert_allclose(stopped.values[made], whole.values[made], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_the_parameters_of_a_stopped_row_are_those_of_its_stop(folders):
    labels = {"paradigm": "soft", "seed": 1}
    slow, slow_whole = (
        jaxattn.sweeps.final_params(folders[name], learning_rate=SLOW, **labels)
        for name in ("stopped", "whole")
    )
    fast, fast_whole = (
        jaxattn.sweeps.final_params(folders[name], learning_rate=FAST, **labels)
        for name in ("stopped", "whole")
    )

    def leaf(params):
        return params["classify"]["Dense_0"]["kernel"]

    np.testing.assert_allclose(leaf(slow), leaf(slow_whole), rtol=1e-4, atol=1e-6)
    assert np.abs(leaf(fast) - leaf(fast_whole)).max() > 1e-2, "it went on learning"


@pytest.mark.needs_x64
def test_a_rule_that_flows_cannot_follow_is_refused_before_anything_is_written(tmp_path):
    output = {"dynamics": ["train", "flow"]}
    with pytest.raises(InputError, match="stop") as refused:
        jaxattn.sweeps.run(spec(stop=STOP, output=output), tmp_path / "none")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"output": {"dynamics": ["flow"]}}, "a flow runs in float64"),
        ({"settings": {"steps": 2, "precision": "float64"}}, "precision float64 runs in float64"),
    ],
)
def test_float64_is_refused_where_it_is_off_before_anything_is_written(tmp_path, changed, words):
    with jax.enable_x64(False), pytest.raises(InputError, match=words):
        jaxattn.sweeps.run(spec(**changed), tmp_path / "none")
    assert not (tmp_path / "none").exists()
