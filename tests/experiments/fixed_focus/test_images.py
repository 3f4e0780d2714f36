"""Fixed focus on images: what is read, what the ceilings mean, and what is said of it."""

import gzip
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from experiment_runs import assert_labelled_and_kept, smoke
from helpers import EPS, hyper
from image_files import write_idx

from jaxattn.cli.main import main
from jaxattn.core.contracts import Status
from jaxattn.core.streams import streams
from jaxattn.experiments.fixed_focus.config import ALPHAS, MOMENTUM, FixedFocusImages
from jaxattn.experiments.fixed_focus.experiment import (
    FIXED_FOCUS_IMAGES,
    PRECISION,
    data_of,
    dataset_of,
    drawings,
    losses_of,
    problem_of,
    train,
)
from jaxattn.experiments.fixed_focus.figures import fixed_focus
from jaxattn.experiments.fixed_focus.findings import findings
from jaxattn.problems.data import everything
from jaxattn.reports.experiment import Listeners, Tally
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.tasks.readers.catalogue import SETS
from jaxattn.theory.fixed_focus import LIMITS, ahead_of

NAME = "fashion-mnist"
CONFIG = FixedFocusImages(
    bags=12, batch_size=5, epochs=3, seeds=2, segments=4, images=NAME, width=3
)


def pixels() -> np.ndarray:
    """Three images of each of ten classes: 0, 1 and 2 light a row each, all others are black."""
    drawn = np.zeros((30, 28, 28), np.uint8)
    for kind in range(3):
        drawn[kind::10, kind] = 255
    return drawn


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A hand-made set where fetched ones are looked for."""
    folder = tmp_path_factory.mktemp("data") / NAME
    folder.mkdir()
    write_idx(folder, pixels(), np.arange(30) % 10, pack=gzip.compress)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXATTN_DATA", str(folder.parent))
        yield folder


@pytest.fixture(scope="module")
def trained(images):
    listeners = Listeners(lambda progress: None, lambda ds: None, Stopwatch())
    rows = train(CONFIG, "lvml", data_of(CONFIG), Tally(listeners, "train", CONFIG.rows))
    return rows, dataset_of(CONFIG, {"lvml": rows})


def bags():
    return everything(data_of(CONFIG).learn, PRECISION)


def start(problem):
    """Parameters of seed 0; no focus is asked, but it is there."""
    return problem.init(streams(0).init, hyper(PRECISION))


def measured(name, classify):
    """Losses of all bags at every alpha, and at a little more, of this classifier."""
    problem, batch = problem_of(CONFIG.task, CONFIG.model, name), bags()
    params = start(problem) | {"classify": jax.tree.map(jnp.asarray, classify)}

    def at(alpha):
        return losses_of(problem, params, batch, hyper(PRECISION) | {"alpha": alpha})

    return jax.vmap(at)(jnp.asarray(ALPHAS, PRECISION))


def test_the_first_image_of_a_bag_is_foreground_and_the_others_are_not(images):
    batch = bags()
    assert batch.foreground.tolist() == [[True, False, False, False]] * CONFIG.bags
    # A lit row is 1 and black is -1; which row is lit is the label.
    lit = batch.segments.mean(axis=-1)
    assert np.all(lit[:, 1:] == -1)
    np.testing.assert_array_equal(lit[:, 0].argmax(axis=-1), batch.label)


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_the_losses_are_those_of_images_read_one_by_one(images, name):
    problem, batch = problem_of(CONFIG.task, CONFIG.model, name), bags()
    params = start(problem)["classify"]

    def wrong(images):
        """Cross-entropy of images ``[..., pixel]`` by hand."""
        hidden = images.reshape(*images.shape[:-2], -1).astype(float)
        for number in range(2):
            layer = params[f"Dense_{number}"]
            hidden = np.maximum(hidden, 0) if number else hidden
            hidden = hidden @ np.asarray(layer["kernel"], float) + np.asarray(layer["bias"], float)
        top = hidden - np.log(np.sum(np.exp(hidden), axis=-1, keepdims=True))
        label = np.asarray(batch.label).reshape(-1, *(1,) * (top.ndim - 1))
        return -np.take_along_axis(top, label, axis=-1)[..., 0]

    shown, found = np.asarray(batch.segments), measured(name, params)
    for key, alphas in (("loss", ALPHAS), ("loss_ahead", np.asarray(ahead_of(np.array(ALPHAS))))):
        for alpha, value in zip(alphas, np.asarray(found[key]), strict=True):
            weights = np.array([alpha, *[(1 - alpha) / 3] * 3])
            each = wrong(shown)
            expected = {
                "soft": wrong(np.tensordot(shown, weights, axes=([1], [0]))),
                "hard": each @ weights,
                "lvml": -np.log(np.exp(-each) @ weights),
            }[name]
            # Sums of 784 products of order one in float32.
            np.testing.assert_allclose(value, expected.mean(), rtol=1e-4)


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_perfect_classifier_uniform_on_the_background_has_the_ceilings_as_its_losses(
    images, name
):
    # A unit for each class: 896 where its row is lit, 0 where it is black, both without rounding.
    kernel = np.zeros((28, 28, 3), PRECISION)
    for kind in range(3):
        kernel[kind, :, kind] = 16
    first = {"kernel": kernel.reshape(784, 3), "bias": np.full(3, 16 * 28, PRECISION)}
    second = {"kernel": np.eye(3, dtype=PRECISION), "bias": np.zeros(3, PRECISION)}
    found = measured(name, {"Dense_0": first, "Dense_1": second})
    ahead = np.asarray(ahead_of(np.array(ALPHAS)))
    for key, alphas in (("loss", np.array(ALPHAS)), ("loss_ahead", ahead)):
        # A right answer's loss is below e^-179. The limits, of order one, are taken in float32.
        atol = 10 * np.finfo(PRECISION).eps
        np.testing.assert_allclose(found[key], LIMITS[name](alphas, 3), rtol=0, atol=atol)


def test_the_result_says_its_images_its_classes_and_whose_the_ceilings_are(trained, tmp_path):
    rows, ds = trained
    assert np.all(rows.status == Status.DONE)
    assert rows.step[0, 0].tolist() == [0, 3, 6, 9]
    assert_labelled_and_kept(ds, tmp_path)
    spec = ds.attrs["spec"]
    for part in ('"fixed-focus-images"', f'"task":"{NAME}"', '"classes":3', '"model":"mlp"'):
        assert part in spec
    assert ds["gap_limit"].attrs["long_name"].endswith("uniform on the background")
    np.testing.assert_allclose(
        ds["loss_limit"].sel(paradigm="lvml"), LIMITS["lvml"](np.array(ALPHAS), 3), rtol=10 * EPS
    )
    said = " ".join(findings(ds))
    assert "% of a perfect classifier's" in said
    assert "its limit" not in said


def test_the_figure_names_the_perfect_classifier_and_the_network(trained):
    _, ds = trained
    figure = fixed_focus(ds)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "perfect classifier, its value at the right" in words
    said = " ".join(figure.get_supxlabel().split())
    assert "task of 3 classes, 4 segments and 12 bags; mlp classifier" in said
    (drawing,) = drawings(ds)
    assert "uniform on the background" in drawing.caption


def test_the_paper_scale_is_the_published_size_of_cifar10():
    paper = FIXED_FOCUS_IMAGES.scales["paper"]
    sizes = (paper.images, paper.segments, paper.bags, paper.batch_size, paper.epochs)
    assert sizes == ("cifar10", 5, 10_000, 256, 100)
    assert FIXED_FOCUS_IMAGES.scales["paper-cifar100"] == replace(paper, images="cifar100")
    assert (paper.rates, MOMENTUM) == ({"soft": 0.004, "hard": 0.01, "lvml": 0.05}, 0.9)


@pytest.mark.needs_x64
def test_without_the_images_the_command_says_what_to_do_and_exits_2(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAXATTN_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("EQX_ON_ERROR", "nan")  # set by the command, and put back by this
    monkeypatch.setitem(SETS, NAME, SETS[NAME]._replace(installed=""))
    words = "reproduce fixed-focus-images --scale smoke --no-cache --out run"
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert f"run jaxattn data fetch {NAME}" in said.err
    assert not (tmp_path / "run" / "results.nc").exists()


@pytest.mark.slow
@pytest.mark.needs_x64
def test_the_smoke_command_trains_and_draws(images, tmp_path):
    said = smoke("fixed-focus-images", tmp_path, ["fixed_focus"])
    assert {(x["paradigm"], x["alpha"]) for x in said["numbers"]} == {
        (name, alpha) for name in LIMITS for alpha in ALPHAS
    }
