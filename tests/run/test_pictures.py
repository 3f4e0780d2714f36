"""The pictures of a result are the examples whose attention it holds."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from helpers import PRECISION, study_of

from jaxattn import compare
from jaxattn.core.contracts import Data, InputError
from jaxattn.problems.data import everything
from jaxattn.problems.measures import SHOWN
from jaxattn.run.data_source import Sources
from jaxattn.run.job import plan_jobs
from jaxattn.run.pictures import pictures_of
from jaxattn.study.study import Study
from jaxattn.tasks import digits, mosaic, orthogonal

TASK = digits(train=8, test=3)


def asked_for(task: object = TASK, **more: object) -> Study:
    given = {"paradigms": ("soft",), "hypers": {}, "seeds": (3, 5), "steps": 2, "saves": 2}
    return study_of(task=task, precision=PRECISION, **{**given, **more})


def pictured(study: Study) -> xr.Dataset:
    """Without compiling anything."""
    return pictures_of(study, Sources(study), plan_jobs(study)[0])


@pytest.mark.parametrize(("vary", "seed"), [(("init",), 0), (("data",), 3)])
def test_they_are_the_first_examples_of_each_split_of_the_first_seed(vary, seed) -> None:
    found = pictured(asked_for(vary=vary))
    made = TASK.make(seed)
    for split, count in (("train", SHOWN), ("test", 3)):
        examples = everything(made[split], "float32")
        pictures = found["picture"].sel(split=split).values
        expected = np.asarray(examples.segments)[:count].reshape(count, 5, 8, 8)
        np.testing.assert_array_equal(pictures[:count], expected)
        assert np.isnan(pictures[count:]).all()
        foreground = found["picture_foreground"].sel(split=split).values
        np.testing.assert_array_equal(foreground[:count], examples.foreground[:count])
        assert not foreground[count:].any()
    assert found["picture"].dtype == np.float32


def test_seeds_that_vary_the_data_have_seen_other_pictures_than_the_first() -> None:
    assert pictured(asked_for(vary=("init",)))["picture_seen"].values.tolist() == [True, True]
    assert pictured(asked_for(vary=("data",)))["picture_seen"].values.tolist() == [True, False]


def test_no_more_examples_are_shown_than_are_measured() -> None:
    pictures = pictured(asked_for(evaluate=2))["picture"]
    assert np.isfinite(pictures[:, :2]).all()
    assert np.isnan(pictures[:, 2:]).all()


def test_masked_out_segments_have_no_picture() -> None:
    def make(seed: int) -> dict[str, Data]:
        data = TASK.make(seed)["train"]
        mask = data.examples.mask.copy()
        mask[1, ~data.examples.foreground[1]] = False
        return {"train": data._replace(examples=data.examples._replace(mask=mask))}

    pictures = pictured(asked_for(replace(TASK, make=make)))["picture"].values[0]
    assert np.isfinite(pictures[0]).all()
    assert np.isfinite(pictures[1]).all(axis=(1, 2)).sum() == 1


def test_a_task_without_pictures_adds_nothing() -> None:
    assert not pictured(asked_for(orthogonal(classes=3, segments=3, train=8, test=8))).variables


def test_segments_that_do_not_fit_the_picture_are_refused() -> None:
    with pytest.raises(InputError, match=r"got segments of shape \(64,\) and the picture \(8, 9\)"):
        pictured(asked_for(replace(TASK, picture=(8, 9))))


@pytest.mark.parametrize(
    ("shape", "picture"),
    [((4, 6), (4, 6)), ((4, 6, 3), (4, 6, 3)), ((24,), None), ((4, 6, 1), None)],
)
def test_images_are_pictures_where_they_are_grey_or_of_three_colours(rng, shape, picture) -> None:
    task = mosaic(rng.normal(size=(12, *shape)), np.arange(12) % 3, (0, 1), train=4, test=4)
    assert task.picture == picture
    assert ("picture" in pictured(asked_for(task))) == (picture is not None)


def test_a_result_holds_the_attention_on_its_pictures() -> None:
    ds = compare(TASK, paradigms=("soft",), seeds=2, steps=2, saves=2, batch_size=4)
    assert ds["picture"].dims == ("split", "shown", "segment", "height", "width")
    attention = ds["attention_shown"].squeeze(["paradigm", "dynamics", "learning_rate"])
    sums = attention.sum("segment", skipna=False).transpose(..., "shown")
    # Of float32 shares; and the test split has three examples.
    np.testing.assert_allclose(sums.sel(split=["train", "validation"]), 1, atol=1e-6)
    np.testing.assert_allclose(sums.sel(split="test")[..., :3], 1, atol=1e-6)
    assert np.isnan(sums.sel(split="test")[..., 3]).all()
    assert ds["attention_shown"].dtype == np.float32
    assert ds["picture_seen"].values.all()
