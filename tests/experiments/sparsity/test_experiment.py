"""The table of attention maps: what is measured, trained, said of it and drawn."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from helpers import bags, compiled_quickly, one_of

from jaxattn.core.contracts import Reader, Status
from jaxattn.experiments.sparsity.experiment import SPARSITY, drawings, run, sweeps
from jaxattn.experiments.sparsity.findings import _against_softmax, findings, numbers
from jaxattn.experiments.sparsity.measures import distance, sparsity
from jaxattn.experiments.sparsity.published import published
from jaxattn.experiments.sparsity.statistic import COLUMNS, DIMS, ends_of
from jaxattn.problems.log_attention import log_of
from jaxattn.problems.measures import View
from jaxattn.reports.experiment import Listeners
from jaxattn.run.stopwatch import Stopwatch

TINY = replace(
    SPARSITY.scales["smoke"], attention=("softmax", "sparsemax+entropy"), train=64, test=64,
    validation=32, evaluate=32, batch_size=32, steps=4, saves=2, seeds=2,
)  # fmt: skip


@pytest.mark.parametrize(
    ("attention", "segments", "far"),
    [
        ([1, 0, 0, 0], 1, 0),
        ([0.5, 0.5, 0, 0], 2, np.sqrt(0.5)),
        ([0.25] * 4, 4, np.sqrt(0.75**2 + 3 * 0.25**2)),
        ([0.985, 0.009, 0.006, 0], 1, np.sqrt(0.015**2 + 0.009**2 + 0.006**2)),
    ],
)
def test_sparsity_counts_and_the_distance_is_from_the_nearest_corner(attention, segments, far):
    log_attention = log_of(jnp.asarray(attention, "float32"))
    example = one_of(bags(np.random.default_rng(0), 1))
    view = View(log_attention, log_attention, log_attention, Reader(lambda value: value))
    assert sparsity[0](view, example) == segments
    np.testing.assert_allclose(distance[0](view, example), far, rtol=1e-5, atol=1e-7)


def made_up(**shifts):
    """Ends of eight seeds: each map that much more than softmax in every column, and noise."""
    softmax = 10 + np.random.default_rng(0).normal(size=8)
    noise = 1e-3 * np.tile([1, -1], 4)
    values = [softmax, *(softmax + shift + noise for shift in shifts.values())]
    coords = {"attention": ["softmax", *shifts], "learning_rate": [0.1], "seed": np.arange(8)}
    table = np.stack(values)[:, None]
    return xr.Dataset({name: (DIMS, table) for name in COLUMNS}, coords)


def test_maps_are_held_against_softmax_seed_by_seed():
    against = _against_softmax(made_up(sparsemax=-2.0, entmax=0.0), 1e-12)
    for name in COLUMNS:
        less, alike = (against[(0.1, attention, name)] for attention in ("sparsemax", "entmax"))
        assert less["verdict"] == "differs"
        assert less["low"] <= less["difference"] <= less["high"] < 0
        assert alike["verdict"] == "equal"
    assert _against_softmax(made_up(), 1e-12) == {}


def test_what_was_published_is_of_its_own_images_alone():
    assert published("cifar10", "softmax", "entropy") == pytest.approx((0.958 + 1.124 + 1) / 3)
    assert published("cifar10", "entmax", "entropy") is None
    assert published("digits", "softmax", "entropy") is None


@pytest.mark.slow
def test_a_small_run_is_kept_told_and_drawn(tmp_path):
    (spec,) = sweeps(TINY).values()
    columns = dict(column for axis in spec.axes for column in axis.columns)
    assert columns["attention"] == TINY.attention
    kept = []
    with compiled_quickly():
        ds = run(TINY, Listeners(lambda _: None, kept.append, Stopwatch(), tmp_path / "chunks"))
    assert kept[-1].equals(ds)
    for name in ("sparsity", "simplex_distance"):
        assert {"units", "long_name"} <= set(ds[name].attrs)
    ends = ends_of(ds)
    assert (ends["sparsity"].sel(attention=TINY.attention[1]) < 5).all()
    # Means of single examples between the corners and the centre of the simplex.
    assert (ends["distance"] <= np.sqrt(1 - 1 / 5)).all()
    lines = numbers(ds)
    assert len(lines) == 2 * len(COLUMNS)
    for line in lines:
        at = {"attention": line["attention"], "learning_rate": line["learning_rate"]}
        values = ends[line["measure"]].sel(at).values
        assert line["mean"] == pytest.approx(values.mean())
    said = " ".join(findings(ds))
    assert "segments with attention, against softmax: undecided with sparsemax+entropy." in said
    for drawing in drawings(ds):
        drawing.draw()
    ds["status"].loc[{"attention": TINY.attention[1], "seed": 1}] = Status.DIVERGED
    assert {line["seeds"] for line in numbers(ds) if "sparsemax" in line["attention"]} == {1}
