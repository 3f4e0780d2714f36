"""Final parameters of a sweep: those of the run that its labels name, and a message otherwise."""

import shutil

import jax
import numpy as np
import pytest

import jaxattn
from jaxattn.core.contracts import InputError, Splits
from jaxattn.engine.checkpoints import write_params
from jaxattn.run.tiles import make_row
from jaxattn.tasks import orthogonal
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

SIZES = {"classes": 3, "segments": 4, "train": 12, "test": 6, "validation": 0, "points": 8}
SPEC = {
    "task": {"name": "orthogonal", **SIZES},
    "settings": {"steps": 6, "saves": 2, "batch_size": 4, "vary": ["data"]},
    "axes": {
        "paradigm": ["soft"],
        "learning_rate": [0.5, 2.0],
        "seed": {"count": 3},
    },
    "layout": {"tile": 2, "chunk": 4},
    "output": {"params": True, "measures": ["accuracy"]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("params") / "sweep"
    assert jaxattn.sweeps.run(SPEC, folder).failed == 0
    return folder


def by_hand(rate, seed):
    task = orthogonal(**SIZES)
    made = task.make(seed)
    data = jax.tree.map(
        lambda leaf: leaf.astype("float32") if leaf.dtype.kind == "f" else leaf,
        Splits(made["train"], made),
    )
    problem = jaxattn.attention_problem(task, "linear", "soft")
    train = make_train(problem, as_optimiser("sgd"), (0, 6), jaxattn.Order("shuffled", 4), "last")
    row = make_row(problem, train, True, False)
    hyper = {"learning_rate": np.float32(rate), "temperature": np.float32(1)}
    return jax.jit(row)(np.uint32(seed), hyper, data).params


NAMES = ["lr=[0.1,0.2]", "star*", "q?x", "gs:", "file:x", "back\\slash", "a%20b", "{x}", "~", "é\n"]


@pytest.mark.parametrize("name", NAMES)
def test_the_folder_of_a_sweep_may_have_any_name(folder, tmp_path, name):
    """As a copy, and written to anew: what orbax takes for patterns and addresses is a name."""
    copied = shutil.copytree(folder, tmp_path / "copied" / name)
    labels = {"learning_rate": 0.5, "seed": 1}
    there = jaxattn.sweeps.final_params(folder, **labels)
    shutil.rmtree(copied / "params" / "0000001")
    params = {"a": np.arange(6.0).reshape(2, 3)}
    write_params(copied, 1, params)
    assert [path.name for path in (tmp_path / "copied").iterdir()] == [name]
    assert len(list((copied / "params").iterdir())) == 2
    jax.tree.map(
        np.testing.assert_array_equal, jaxattn.sweeps.final_params(copied, **labels), there
    )


@pytest.mark.parametrize(("rate", "seed"), [(0.5, 0), (2.0, 0), (0.5, 2)])
def test_labels_name_the_run_whose_parameters_come_back(folder, rate, seed):
    found = jaxattn.sweeps.final_params(folder, learning_rate=rate, seed=seed)
    # Six steps in float32, in a tile and alone: a few roundings of parameters below 1.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
        found,
        by_hand(rate, seed),
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"learning_rate": 0.5}, "got no seed"),
        ({"learning_rate": 0.5, "seed": 7}, "got seed = 7"),
        ({"learning_rate": 0.5, "seed": 1, "width": 3}, "got 'width'"),
    ],
)
def test_a_run_that_is_not_there_is_said_in_one_line(folder, labels, words):
    with pytest.raises(InputError, match=words) as refused:
        jaxattn.sweeps.final_params(folder, **labels)
    assert "\n" not in str(refused.value)


def test_a_run_that_is_not_finished_is_said(folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shutil.rmtree(copy / "params" / "0000000")
    with pytest.raises(InputError, match="not finished"):
        jaxattn.sweeps.final_params(copy, learning_rate=0.5, seed=0)
    # Without its own file the chunk is computed again, and its parameters with it.
    (copy / "chunks" / "0000000.nc").unlink()
    assert jaxattn.sweeps.resume(copy).computed == 1
    again, before = (
        jaxattn.sweeps.final_params(one, learning_rate=0.5, seed=0) for one in (copy, folder)
    )
    jax.tree.map(np.testing.assert_array_equal, again, before)
