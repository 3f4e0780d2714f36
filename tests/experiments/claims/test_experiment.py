"""The claims side by side: what makes one hold, in theory and on sets that are learnt."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from experiment_runs import assert_labelled_and_kept
from helpers import compiled_quickly
from matplotlib.backends.backend_agg import FigureCanvasAgg

from jaxattn.core.contracts import Status
from jaxattn.experiments import mosaics
from jaxattn.experiments.claims import figures
from jaxattn.experiments.claims.config import Claims
from jaxattn.experiments.claims.experiment import CLAIMS, falls_of, run, sweeps
from jaxattn.experiments.claims.findings import CLAIMS as COMPARED
from jaxattn.experiments.claims.findings import (
    FAILS,
    HOLDS,
    UNDECIDED,
    _force,
    _of,
    _signature,
    findings,
    numbers,
    of_set,
)
from jaxattn.experiments.claims.theory import exact
from jaxattn.experiments.fixed_focus.config import FixedFocus
from jaxattn.experiments.in_chunks import joined
from jaxattn.reports.experiment import Listeners
from jaxattn.results.joined import absent_rows
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.theory import time_to_focus

SETS = replace(
    CLAIMS.scales["smoke"].sets[0], train=64, test=64, validation=32, evaluate=32, batch_size=32,
    steps=4, saves=3,
)  # fmt: skip
TINY = Claims((SETS,), (FixedFocus(classes=3, segments=3, bags=24, points=5, epochs=2),), seeds=2)
SETS_INDEX = xr.IndexVariable("data", ["digits", "clothes"])


def table(*rows):
    """Contrasts ``(question, a, b, estimate, verdict)``, as `contrasts` gives them."""
    names = ("question", "a", "b", "estimate", "verdict")
    more = {"low": -1.0, "high": 2.0, "p": 0.1, "unit": "1", "seeds": 8, "needed": np.nan}
    return pd.DataFrame(
        [{**dict(zip(names, row, strict=True)), **more, "side": np.sign(row[3])} for row in rows]
    )


@pytest.mark.parametrize(
    ("estimate", "word", "verdict"),
    [
        (-1.0, "differs", HOLDS),
        (1.0, "differs", FAILS),
        (-1.0, "equal", FAILS),
        (-1.0, "undecided", UNDECIDED),
    ],
)
def test_a_claim_holds_where_a_difference_of_its_sign_was_shown(estimate, word, verdict):
    early = COMPARED[0]
    assert (early.a, early.b, early.sign) == ("soft", "hard", -1)
    line = _of(early, table(("first-to-focus", "soft", "hard", estimate, word)))
    assert line["verdict"] == verdict
    why = {"differs": "reversed", "equal": "equal within delta"}
    assert line.get("why_not") == (why[word] if verdict == FAILS else None)
    # Whichever way round the table has it.
    turned = _of(early, table(("first-to-focus", "hard", "soft", -estimate, word)))
    assert (turned["verdict"], turned["difference"]) == (verdict, line["difference"])
    assert (turned["low"], turned["high"]) == (-2.0, 1.0)
    assert _of(early, table(("accuracy", "soft", "hard", -1.0, word)))["seeds"] == 0


def test_models_have_a_signature_where_each_two_were_told_apart():
    pairs = [("soft", "hard"), ("soft", "lvml"), ("hard", "lvml")]
    shown = [("accuracy", *pair, 1.0, "differs") for pair in pairs]
    alike = [("accuracy", *pair, 0.0, "equal") for pair in pairs]
    assert _signature(table(*shown))["verdict"] == HOLDS
    assert _signature(table(*alike))["verdict"] == FAILS
    some = _signature(table(*shown[:2], ("accuracy", *pairs[2], 0.1, "undecided")))
    assert (some["verdict"], some["not_told_apart"]) == (UNDECIDED, "hard and lvml")


@pytest.mark.parametrize(
    ("soft", "hard", "verdict"),
    [
        ([0.8, 0.81, 0.82], [0, 0.01, 0], HOLDS),
        ([0, 0.01, 0], [0.8, 0.8, 0.8], FAILS),
        ([0.8, 0.0, 0.1], [0.0, 0.1, 0.0], UNDECIDED),
    ],
)
def test_the_force_falls_more_under_soft_where_the_interval_says_so(soft, hard, verdict):
    falls = xr.DataArray([soft, hard], {"paradigm": ["soft", "hard"]}, ("paradigm", "seed"))
    assert _force(falls)["verdict"] == verdict


@pytest.mark.needs_x64
def test_theory_says_when_by_the_closed_form():
    lines = {line["claim"]: line for line in exact([claim.name for claim in COMPARED])}
    assert len(lines) == len(COMPARED) + 2
    first = [float(time_to_focus(name, 0.5, segments=5, classes=3)) for name in ("soft", "hard")]
    # To the spacing of the times that are looked at, at both ends.
    assert lines["early"]["difference"] == pytest.approx(first[0] - first[1], abs=2 * 100 / 2000)
    assert lines["force"]["difference"] == pytest.approx(0.01 * np.log(3))


def test_small_is_the_published_images_made_smaller(monkeypatch):
    # Which tables a sweep is made of, without reading images.
    asked, spec = [], mosaics.sweep_of(SETS, ("loss",))
    monkeypatch.setattr(mosaics, "from_plain", lambda tables: asked.append(tables) or spec)
    for sizes in (*CLAIMS.scales["small"].sets, *CLAIMS.scales["paper"].sets):
        mosaics.sweep_of(sizes, ("loss",))
    downsamples = [table["task"].get("downsample") for table in asked]
    models = [table["model"]["name"] for table in asked]
    assert downsamples == [None, None, 2, None, None, None]
    assert models == ["mlp", "mlp", "cnn-small", "mlp", "mlp", "cnn-cifar10"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rationales", "captions"])
def test_text_is_learnt_from_beside_images_save_by_save_with_the_seeds_that_are_asked_for(name):
    spec = sweeps(replace(CLAIMS.scales["smoke"], seeds=5))[name]
    assert spec.settings["saves"] == CLAIMS.scales["smoke"].sets[0].saves
    (seeds,) = (axis for axis in spec.axes if axis.name == "seed")
    assert len(seeds) == 5


@pytest.mark.slow
@pytest.mark.needs_x64
def test_all_are_said_of_every_set_and_drawn(tmp_path):
    kept = []
    with compiled_quickly():
        ds = run(TINY, Listeners(lambda _: None, kept.append, Stopwatch(), tmp_path / "chunks"))
    assert ds["data"].values.tolist() == ["digits"]
    assert len(kept) == 1
    assert_labelled_and_kept(ds, tmp_path)
    lines = {(line["claim"], line["data"]): line for line in numbers(ds)}
    names = [claim.name for claim in COMPARED]
    expected = [(name, data) for name in ("signature", *names) for data in ("theory", "digits")]
    assert set(lines) == {*expected, ("force", "theory"), ("force", "orthogonal")}
    # Two seeds decide nothing.
    assert {lines[name, "digits"]["verdict"] for name in names} <= {UNDECIDED, FAILS}
    said = findings(ds)
    assert len(said) == 3 + len(names)
    assert all("theory" in sentence for sentence in said[:-1])
    steps = CLAIMS.scales["paper"].sets[0].steps
    assert said[-1].startswith(f"digits was learnt from for 4 steps; scale paper takes {steps}, ")
    for drawing in CLAIMS.figures(ds):
        assert drawing.draw().axes
    # Beside another set of more seeds.
    one = ds.drop_dims("fixed_data").isel(data=0, drop=True)
    # What has an axis that the other has not, as the words of a post, is left out.
    both = joined([one.assign(words=("word", [1.0, 2.0])), one], SETS_INDEX)
    cards = [one.assign_attrs(data_card=card) for card in ("40 posts", "3 images")]
    assert joined([cards[0], one], SETS_INDEX).attrs["data_card"] == "40 posts"
    assert joined(cards, SETS_INDEX).attrs["data_card"] == "40 posts; 3 images"
    assert set(both.data_vars) == set(one.data_vars)
    both = both.reindex(seed=[0, 1, 2], fill_value=absent_rows(both))
    assert both["status"].dtype == np.int8
    assert of_set(both, "clothes").sizes["seed"] == 2
    told = {(line["claim"], line["data"]): line for line in numbers(both)}
    expected = {**lines["early", "digits"], "data": "clothes"}
    np.testing.assert_equal(told["early", "clothes"], expected)
    titles = [drawing.draw().axes[0].get_title(loc="left") for drawing in CLAIMS.figures(both)]
    assert [title.split(",")[0] for title in titles[1:]] == ["digits", "clothes"]


def test_what_the_gain_lost_is_told_by_seed():
    gaps = np.array([[[1.0, 2.0, 1.0], [1.0, 1.0, 1.0]]])[:, None, :, :, None]
    dims = ("paradigm", "alpha", "seed", "save", "split")
    ds = xr.Dataset(
        {"gap": (dims, gaps), "status": (("paradigm", "alpha", "seed"), np.zeros((1, 1, 2), int))},
        {"paradigm": ["soft"], "alpha": [0.6], "seed": [0, 1], "split": ["train"]},
    ).expand_dims(dynamics=["train"])
    ds["status"] = ds["status"] + int(Status.DONE)
    np.testing.assert_allclose(falls_of(ds).values, [[0.5, 0.0]])


def test_no_words_of_the_verdicts_run_into_others(monkeypatch):
    sets = ("theory", "digits", "fashion-mnist", "cifar10", "rationales", "captions", "orthogonal")
    line = {"verdict": FAILS, "why_not": "equal within delta", "difference": -0.00454}
    lines = [
        line | {"claim": claim, "data": data, "unit": "log odds"}
        for claim in ("early", "late")
        for data in sets
    ]
    monkeypatch.setattr(figures, "require", lambda *_: None)
    monkeypatch.setattr(figures, "numbers", lambda _: lines)
    figure = figures.verdicts(xr.Dataset())
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (ax,) = figure.axes
    words = [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()]
    boxes = [one.get_window_extent(canvas.get_renderer()) for one in words]
    assert len(boxes) == 2 * 7 + 7 + 2
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
