"""What does the sweep engine cost: bytes, files, labels, log, against the same rows run bare?"""

import itertools

import jax
import numpy as np
import pytest

from jaxattn.engine.cost.layout import choose_layout
from jaxattn.engine.run_sweep import run_sweep
from jaxattn.run.chunk import remembered
from jaxattn.run.tiles import fetch
from jaxattn.study.axes import Axis
from jaxattn.study.spec import Layout, Spec
from jaxattn.study.spec_hash import spec_json

SEEDS, ROUNDS = 256, 3


@pytest.mark.parametrize("paradigm", ["soft", "hard"])
def test_engine(paradigm, in_turn, tmp_path):
    spec = Spec(
        task={"name": "orthogonal"},
        axes=(
            Axis("paradigm", (("paradigm", (paradigm,)),)),
            Axis("seed", (("seed", tuple(range(SEEDS))),)),
        ),
        settings={"steps": 500, "saves": 11, "batch_size": 256, "vary": ("init",)},
        layout=Layout(tile=16, chunk=64),
    )
    sweep = choose_layout(spec)
    sweep, (runner,) = remembered(spec_json(sweep.spec))
    folders = (tmp_path / str(number) for number in itertools.count())

    def engine():
        outcome = run_sweep(sweep.spec, next(folders))
        assert (outcome.rows, outcome.failed) == (SEEDS, 0)

    def bare():
        chunks = (sweep.locate(number)[2] for number in range(sweep.chunk_count))
        out = [fetch(runner.job.run(*runner.arguments(chunk.rows))) for chunk in chunks]
        assert sum(np.asarray(part.status).size for part in out) == SEEDS

    engine(), bare()
    in_turn(
        engine,
        {"the same rows bare": (bare, SEEDS)},
        units=SEEDS,
        rounds=ROUNDS,
        question="engine",
        paradigm=paradigm,
        chunks=sweep.chunk_count,
        devices=len(jax.local_devices()),
    )
