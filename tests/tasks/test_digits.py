import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxattn.core.contracts import InputError
from jaxattn.problems.data import check, everything
from jaxattn.tasks import TASKS, digits

module = import_module("jaxattn.tasks.digits")  # where a name of the package is the task
IMAGES, LABELS = load_digits(return_X_y=True)


def image_numbers(pool: np.ndarray) -> np.ndarray:
    """Which of scikit-learn's images each pool row is; all 1,797 are different."""
    number = {image.tobytes(): i for i, image in enumerate(IMAGES)}
    assert len(number) == len(IMAGES)
    return np.array([number[row.tobytes()] for row in (pool * 0.5 + 0.5) * 16])


def test_the_pool_is_scikit_learns_digits_scaled_to_plus_minus_one():
    pool = digits().make(0)["train"].pool
    assert pool.shape == (1797, 64)
    assert pool.dtype == np.float64
    assert pool.min() == -1
    assert pool.max() == 1
    np.testing.assert_array_equal(np.sort(image_numbers(pool)), np.arange(1797))


@pytest.mark.parametrize("file", [None, "datasets/data/elsewhere.csv.gz", "__init__.py"])
def test_images_are_those_of_scikit_learn_wherever_it_keeps_them(file, monkeypatch):
    if file:
        monkeypatch.setattr(module, "_FILE", file)
    for ours, theirs in zip(module._images(), (IMAGES, LABELS), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("seed", [0, 1])
def test_no_image_is_in_mosaics_of_two_splits(seed):
    made = digits(train=3000, test=3000, validation=3000).make(seed)
    numbers = image_numbers(made["train"].pool)
    shown = {split: set(numbers[data.examples.segments].ravel()) for split, data in made.items()}
    assert sum(map(len, shown.values())) == len(set.union(*shown.values()))
    # A quarter of each class, rounded: 450 of 1,797; an eighth of the rest: 169; nearly every image
    # is drawn at this size.
    assert 440 <= len(shown["test"]) <= 450
    assert 160 <= len(shown["validation"]) <= 169
    assert 1140 <= len(shown["train"]) <= 1178


def test_every_mosaic_hides_one_foreground_digit_which_is_its_label():
    task = digits(foreground=(8, 1, 4))
    for data in task.make(0).values():
        kinds = LABELS[image_numbers(data.pool)][data.examples.segments]
        np.testing.assert_array_equal(np.isin(kinds, (1, 4, 8)), data.examples.foreground)
        expected = np.array([1, 4, 8])[data.examples.label]
        np.testing.assert_array_equal(kinds[data.examples.foreground], expected)


def test_the_first_four_mosaics_are_what_four_random_states_give():
    data = digits().make(0)["train"]
    kinds = LABELS[image_numbers(data.pool)][:1178]
    foreground, background = np.flatnonzero(kinds <= 2), np.flatnonzero(kinds > 2)
    for i in range(4):
        np.random.seed(i)
        bg_idx = np.random.randint(0, len(background), 4)
        fg_idx = np.random.randint(0, len(foreground))
        position = np.random.randint(0, 5)
        expected = np.insert(background[bg_idx], position, foreground[fg_idx])
        np.testing.assert_array_equal(data.examples.segments[i], expected)


def test_labels_are_balanced():
    label = digits().make(0)["train"].examples.label
    # Binomial(2048, 1/3) has mean 683 and standard deviation 21.3; classes differ by 3 % in images.
    np.testing.assert_allclose(np.bincount(label), 683, atol=5 * 21.3 + 20)


def test_made_data_is_sound_and_has_the_shapes_of_the_template():
    task = digits()
    assert (task.name, task.segments, task.classes, task.solvable) == ("digits", 5, 3, False)
    assert "2048 train mosaics of 1178 images" in task.summary
    for split, data in task.make(2).items():
        check(data, f"digits, {split}", task.classes)
        assert data.examples.segments.dtype == data.examples.label.dtype == np.int32
        bags = everything(data, "float32")
        for leaf, one in zip(bags, task.template, strict=True):
            assert leaf.shape[1:] == one.shape


def test_equal_configurations_are_one_task_however_they_are_written():
    assert digits() is TASKS["digits"](foreground=[2, 1, 0], test=1024)
    assert digits(np.array([0, 1, 2])) is digits()
    assert digits(segments=4) is not digits()


def test_scikit_learn_is_not_imported_for_the_digits_that_it_brings():
    code = (
        "import sys, jaxattn.tasks as t; t.orthogonal(3, 3, 4, 4, 4).make(0); t.digits(); "
        "assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"foreground": (0, 11)}, "got class 11, expected classes of the data: 0, 1, .*9; pick"),
        ({"foreground": (-1, 2)}, "foreground: got -1, expected an integer >= 0"),
        ({"foreground": (True, 2)}, "foreground: got True, expected an integer"),
        ({"foreground": ()}, "foreground: got \\(\\), expected at least 2 different classes"),
        ({"foreground": (3,)}, "foreground: got \\(3,\\), expected at least 2"),
        ({"foreground": (3, 3)}, "foreground: got \\(3, 3\\), expected at least 2"),
        ({"foreground": range(10)}, "got all 10 classes, expected some left as background"),
        ({"segments": 1}, "segments: got 1, expected an integer >= 2"),
        ({"train": 0}, "train: got 0, expected an integer >= 1"),
        ({"test": 0}, "test: got 0, expected an integer >= 1"),
    ],
)
def test_what_makes_no_mosaic_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        digits(**arguments)
