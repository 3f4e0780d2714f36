"""What a stranger adds touches one file each: tried on a copy of the package, in a process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import jaxattn

PACKAGE = Path(jaxattn.__file__).parent

TASK = '''
"""Coins: the foreground shows heads or tails."""

import numpy as np

from jaxattn.core.contracts import Data, Task
from jaxattn.tasks.bags import template, unpadded


def coins(bags: int = 4) -> Task:
    def make(seed: int) -> dict[str, Data]:
        label = np.arange(bags) % 2
        segments = np.zeros((bags, 3, 2))
        segments[np.arange(bags), 0, label] = 1
        foreground = np.broadcast_to(np.arange(3) == 0, (bags, 3)).copy()
        return {"train": Data(unpadded(segments, label, foreground))}

    return Task("coins", 3, 2, make, template(make(0)["train"]), default_model="bilinear")


TASKS = {"coins": coins}
'''

MODEL = '''
"""A model of two arrays."""

import jax.numpy as jnp

from jaxattn.core.contracts import Model


def bilinear(classes: int) -> Model:
    def init(key, example, hyper):
        row = example.segments[0]
        return {"focus": 0 * row, "classify": jnp.eye(row.size, classes, dtype=row.dtype)}

    return Model(
        init,
        lambda params, example, key: example.segments,
        lambda params, example, values: values @ params["focus"],
        lambda params, value: value @ params["classify"],
        random_start=False,
    )


MODELS = {"bilinear": bilinear}
'''

# A paradigm is a loss and its place in the table of paradigms, both in one file.
PARADIGM = '''
def _best(log_attention, values, read, label, context):
    """The segment that says the label best, whatever attention it has."""
    return jnp.min(-_each(read, values, label) - log_attention), ()


best = Paradigm("best", _best)

PARADIGMS: '''

COMPARES = """
import jaxattn

ds = jaxattn.compare("coins", paradigms=("best", "soft"), seeds=1, steps=2, saves=2, batch_size=2)
assert ds["paradigm"].values.tolist() == ["best", "soft"]
assert ds["status"].values.ravel().tolist() == [int(jaxattn.Status.DONE)] * 2
assert '"task":"coins"' in ds.attrs["spec"] and '"model":"bilinear"' in ds.attrs["spec"]
"""


@pytest.mark.slow
def test_a_task_a_model_and_a_paradigm_touch_one_file_each(tmp_path: Path) -> None:
    copy = tmp_path / "jaxattn"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "tasks" / "coins.py").write_text(TASK, encoding="utf-8")
    (copy / "models" / "bilinear.py").write_text(MODEL, encoding="utf-8")
    paradigms = copy / "problems" / "paradigms.py"
    before = paradigms.read_text(encoding="utf-8")
    after = before.replace("PARADIGMS: ", PARADIGM, 1).replace(", em, ", ", em, best, ", 1)
    assert len(after) == len(before) + len(PARADIGM) - len("PARADIGMS: ") + len(", best")
    paradigms.write_text(after, encoding="utf-8")

    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", COMPARES],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
