import gc
import time

import jax
import numpy as np
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.problems.data import check, everything
from jaxattn.tasks import mosaic

COUNT = 80
Y = np.tile([7, 3, 5, 9], COUNT // 4)
X = np.arange(COUNT, dtype=float)[:, None] + np.array([0.0, 0.5])  # image i starts with i
BYTES = np.random.default_rng(0).integers(0, 256, (COUNT, 4, 3), dtype=np.uint8)
FOREGROUND = (9, 5)
SIZES = {"segments": 4, "train": 60, "test": 25, "validation": 15}


def small(**changes: object):
    arguments = {"foreground": FOREGROUND, **SIZES, **changes}
    return mosaic(X, Y, **arguments)


def images_of(data) -> np.ndarray:
    """The number of the image at each position."""
    return data.pool[data.examples.segments][..., 0].astype(int)


def split_images(data) -> list[np.ndarray]:
    """The image numbers of the parts of the pool (training, validation, test), in their order."""
    numbers = data.pool[:, 0].astype(int)
    return np.split(numbers, np.flatnonzero(np.diff(numbers) < 0) + 1)


def published_mosaic(images: np.ndarray, i: int, segments: int) -> tuple[list[int], int, int]:
    """Mosaic i by PAPER 3.4 among these images: image numbers, foreground position, label."""
    foreground = [image for image in images if Y[image] in FOREGROUND]
    background = [image for image in images if Y[image] not in FOREGROUND]
    np.random.seed(i)
    bg_idx = np.random.randint(0, len(background), segments - 1)
    fg_idx = np.random.randint(0, len(foreground))
    position = np.random.randint(0, segments)
    chosen = [background[index] for index in bg_idx]
    chosen.insert(position, foreground[fg_idx])
    return chosen, position, sorted(FOREGROUND).index(Y[foreground[fg_idx]])


@pytest.mark.parametrize("segments", [2, 4, 9])
def test_the_mosaics_of_dataset_seed_0_are_the_published_draws(segments):
    made = small(segments=segments).make(0)
    train_images, validation_images, test_images = split_images(made["train"])
    for split, images, start, count in (
        ("train", train_images, 0, 60),
        ("test", test_images, 60, 25),
        ("validation", validation_images, 85, 15),
    ):
        data = made[split]
        for row in range(count):
            chosen, position, label = published_mosaic(images, start + row, segments)
            np.testing.assert_array_equal(images_of(data)[row], chosen)
            assert np.flatnonzero(data.examples.foreground[row]) == [position]
            assert data.examples.label[row] == label


def test_the_first_four_mosaics_are_what_four_random_states_give():
    data = small().make(0)["train"]
    images, *_ = split_images(data)
    background = images[~np.isin(Y[images], FOREGROUND)]
    foreground = images[np.isin(Y[images], FOREGROUND)]
    for i in range(4):
        stream = np.random.RandomState(i)
        bg_idx = stream.randint(0, len(background), 3)
        fg_idx, position = stream.randint(0, len(foreground)), stream.randint(0, 4)
        expected = np.insert(background[bg_idx], position, foreground[fg_idx])
        np.testing.assert_array_equal(images_of(data)[i], expected)


def test_another_dataset_seed_draws_from_the_pair_of_seed_and_mosaic():
    data = small().make(11)["train"]
    images, *_ = split_images(data)
    background = images[~np.isin(Y[images], FOREGROUND)]
    for i in range(5):
        drawn = np.random.RandomState([11, i]).randint(0, len(background), 3)
        shown = images_of(data)[i][~data.examples.foreground[i]]
        np.testing.assert_array_equal(shown, background[drawn])


def test_the_images_of_the_splits_are_disjoint_and_together_all_images():
    for seed in (0, 1):
        made = small(train=400, test=400, validation=400).make(seed)
        assert made["train"].pool is made["test"].pool is made["validation"].pool
        parts = split_images(made["train"])
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(COUNT))
        for split, images in zip(("train", "validation", "test"), parts, strict=True):
            assert set(images_of(made[split]).ravel()) == set(images), "all are used, no other"


def test_without_validation_its_images_are_for_training_and_the_test_stays_as_it_is():
    without, made = small(validation=0).make(0), small().make(0)
    assert list(without) == ["train", "test"]
    train_images, test_images = split_images(without["train"])
    parts = split_images(made["train"])
    np.testing.assert_array_equal(train_images, np.sort(np.concatenate(parts[:2])))
    np.testing.assert_array_equal(test_images, parts[2])
    np.testing.assert_array_equal(images_of(without["test"]), images_of(made["test"]))


def test_images_are_divided_class_by_class():
    made = small(test_fraction=0.3, validation_fraction=0.5).make(0)
    for images, count in zip(split_images(made["train"]), (7, 7, 6), strict=True):
        np.testing.assert_array_equal(np.unique(Y[images], return_counts=True)[1], count)


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_each_class_has_an_image_in_every_split_even_at_extreme_fractions(fraction):
    made = small(test_fraction=min(fraction, 0.9), validation_fraction=fraction).make(0)
    for images in split_images(made["train"]):
        assert set(Y[images]) == set(Y)


@pytest.mark.parametrize("validation", [0, 6])
def test_as_many_images_of_a_class_as_there_are_splits_are_enough(validation):
    splits = 3 if validation else 2
    count = 4 * splits
    task = mosaic(X[:count], Y[:count], FOREGROUND, train=6, test=6, validation=validation)
    shown = [set(images_of(data).ravel()) for data in task.make(0).values()]
    assert len(shown) == splits
    assert sum(map(len, shown)) == len(set.union(*shown))


def test_one_foreground_image_a_mosaic_carries_the_label():
    for data in small().make(3).values():
        assert (data.examples.foreground.sum(1) == 1).all()
        kinds = Y[images_of(data)]
        np.testing.assert_array_equal(np.isin(kinds, FOREGROUND), data.examples.foreground)
        expected = np.array([5, 9])[data.examples.label]
        np.testing.assert_array_equal(kinds[data.examples.foreground], expected)


def test_labels_and_positions_are_balanced():
    examples = small(train=4000).make(0)["train"].examples
    # Binomial(4000, 1/2) has standard deviation 31.6, binomial(4000, 1/4) 27.4.
    np.testing.assert_allclose(np.bincount(examples.label), 2000, atol=5 * 31.6)
    np.testing.assert_allclose(examples.foreground.sum(0), 1000, atol=5 * 27.4)


def test_equal_seeds_give_equal_arrays_and_different_seeds_differ():
    task = small()
    first, again, other = task.make(1), task.make(np.int64(1)), task.make(2)
    for split in ("train", "test"):
        for a, b in zip(first[split].examples, again[split].examples, strict=True):
            np.testing.assert_array_equal(a, b)
        assert (first[split].examples.segments != other[split].examples.segments).any()
    assert first["train"].pool is other["test"].pool, "all seeds and splits share one pool"


def test_a_longer_training_set_keeps_its_earlier_mosaics():
    for seed in (0, 4):
        short, long = small().make(seed)["train"], small(train=90).make(seed)["train"]
        np.testing.assert_array_equal(short.pool, long.pool)
        for a, b in zip(short.examples, long.examples, strict=True):
            np.testing.assert_array_equal(a, b[:60])


@pytest.mark.parametrize("shape", [(5,), (3, 4), (3, 4, 2)])
def test_images_keep_their_shape(rng, shape):
    task = mosaic(rng.normal(size=(COUNT, *shape)), Y, FOREGROUND, train=8, test=4)
    assert task.template.segments.shape == (5, *shape)
    for split, data in task.make(0).items():
        check(data, split, task.classes)
        bags = everything(data, "float32")
        for leaf, one in zip(bags, task.template, strict=True):
            assert leaf.shape[1:] == one.shape


def test_classes_may_be_strings():
    names = np.array(["ant", "bee", "cat", "dog"])[Y // 2 - 1]
    kinds = {3: "ant", 5: "bee", 7: "cat", 9: "dog"}
    for y in (names, names.astype(object), names.tolist()):
        made = mosaic(X, y, (kinds[9], kinds[5]), **SIZES).make(0)
        for split, data in small().make(0).items():
            np.testing.assert_array_equal(images_of(made[split]), images_of(data))
            np.testing.assert_array_equal(made[split].examples.label, data.examples.label)


def test_float32_images_stay_float32_and_whole_numbers_become_float64():
    assert mosaic(X.astype(np.float32), Y, FOREGROUND).make(0)["train"].pool.dtype == np.float32
    assert mosaic(X.astype(np.int16), Y, FOREGROUND).make(0)["train"].pool.dtype == np.float64


def test_bytes_stay_bytes_and_are_read_on_the_published_scale():
    task = mosaic(BYTES, Y, FOREGROUND, **SIZES)
    made = task.make(0)
    assert {leaf.dtype for data in made.values() for leaf in jax.tree.leaves(data.pool)} == {
        np.dtype(np.uint8)
    }
    scaled = mosaic((BYTES / 255 - 0.5) / 0.5, Y, FOREGROUND, **SIZES)
    # Of numbers up to 1 that are sums of numbers up to 2.
    close = {"rtol": 0, "atol": 4 * np.finfo(float).eps}
    np.testing.assert_allclose(task.template.segments, scaled.template.segments, **close)
    for split, data in made.items():
        check(data, split, task.classes)
        floats = scaled.make(0)[split]
        np.testing.assert_array_equal(data.examples.segments, floats.examples.segments)
        read, expected = (each.pool[each.examples.segments] for each in (data, floats))
        np.testing.assert_allclose(read, expected, **close)


def test_another_scale_is_another_task_with_a_number_for_each_colour_where_asked_for():
    images = np.repeat(BYTES[..., None], 3, -1)
    usual = mosaic(images, Y, FOREGROUND, **SIZES)
    assert mosaic(images, Y, FOREGROUND, **SIZES, scale=(0.5, 0.5)) is usual
    for mean, std in ((0.0, 1.0), ((0.1, 0.2, 0.3), np.array([0.2, 0.3, 0.4])), (0.3, [1, 2, 3])):
        task = mosaic(images, Y, FOREGROUND, **SIZES, scale=(mean, std))
        assert task is not usual
        pool = task.make(0)["train"].pool
        expected = (pool.values / 255 - np.asarray(mean)) / np.asarray(std)
        np.testing.assert_allclose(pool[:], expected, atol=1e-14)


def test_official_test_images_are_what_test_mosaics_show_and_no_others():
    held, kinds = 100 + X[:12], Y[:12]
    made = small(X_test=held, y_test=kinds).make(0)
    pool = made["train"].pool[:, 0].astype(int)
    np.testing.assert_array_equal(pool[-12:], np.arange(100, 112))
    np.testing.assert_array_equal(np.sort(pool[:-12]), np.arange(COUNT), "none of X is left out")
    assert (images_of(made["test"]) >= 100).all()
    for split in ("train", "validation"):
        assert (images_of(made[split]) < 100).all()
    shown = kinds[images_of(made["test"]) - 100]
    np.testing.assert_array_equal(np.isin(shown, FOREGROUND), made["test"].examples.foreground)
    whole = small(X_test=held, y_test=kinds, validation=0).make(0)["train"]
    np.testing.assert_array_equal(whole.pool[:COUNT], X, "in its own order: the published pools")


def test_new_mosaics_are_those_that_follow_of_the_training_images_and_change_no_other_split():
    made, without = small(new_mosaics=20).make(0), small().make(0)
    assert sorted(made) == ["new-mosaics", "test", "train", "validation"]
    for split, data in without.items():
        for a, b in zip(data.examples, made[split].examples, strict=True):
            np.testing.assert_array_equal(a, b)
    longer = small(train=80).make(0)["train"].examples
    for a, b in zip(made["new-mosaics"].examples, longer, strict=True):
        np.testing.assert_array_equal(a, b[60:])


def test_a_foreground_that_is_first_leaves_the_other_draws_as_they_are():
    fixed, free = small(position="first").make(0), small().make(0)
    for split, data in fixed.items():
        truth, random = data.examples.foreground, free[split].examples.foreground
        assert truth[:, 0].all()
        assert truth.sum() == len(truth)
        ours, theirs = images_of(data), images_of(free[split])
        np.testing.assert_array_equal(ours[:, 0], theirs[random])
        np.testing.assert_array_equal(ours[:, 1:].ravel(), theirs[~random])


def test_forty_thousand_mosaics_are_drawn_in_a_second():
    task = small(train=30000, test=1, validation=0, new_mosaics=10000)
    begun = time.process_time()
    made = task.make(0)
    assert time.process_time() - begun < 1
    assert len(made["train"].examples.label) + len(made["new-mosaics"].examples.label) == 40000


def test_the_callers_arrays_are_neither_changed_nor_shared():
    images, kinds = X.copy(), Y.copy()
    task = mosaic(images, kinds, FOREGROUND, **SIZES)
    before = task.make(0)["train"]
    np.testing.assert_array_equal(images, X)
    np.testing.assert_array_equal(kinds, Y)
    assert not np.shares_memory(before.pool, images)
    assert not before.pool.flags.writeable
    held = before.pool.copy()
    images[:], kinds[:] = -1, 3
    after = task.make(0)["train"]
    np.testing.assert_array_equal(after.pool, held)
    np.testing.assert_array_equal(after.examples.label, before.examples.label)


def test_equal_calls_give_one_task_while_it_is_in_use():
    task = small()
    assert mosaic(X.copy(), Y.tolist(), [5, 9], **SIZES) is task
    assert mosaic(np.asfortranarray(X), Y, FOREGROUND, **SIZES) is task
    assert mosaic(X + 1, Y, FOREGROUND, **SIZES) is not task
    assert mosaic(X, Y[::-1], FOREGROUND, **SIZES) is not task
    for changed in (
        {"segments": 3},
        {"train": 61},
        {"test": 26},
        {"test_fraction": 0.4},
        {"name": "other"},
        {"foreground": (3, 5)},
    ):
        assert small(**changed) is not task


@pytest.mark.slow
def test_a_task_that_nobody_holds_frees_its_images():
    from jaxattn.tasks.mosaic import _TASKS

    gc.collect()
    before = len(_TASKS)
    task = mosaic(X + 123, Y, FOREGROUND)
    assert len(_TASKS) == before + 1
    del task
    gc.collect()
    assert len(_TASKS) == before


def test_drawing_leaves_numpys_own_generator_alone():
    np.random.seed(5)
    small().make(3)
    assert np.random.randint(10**6) == np.random.RandomState(5).randint(10**6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": Y[:-1]}, "got 80 images and 79 classes, expected one class for each image;"),
        ({"X": X[:0], "y": Y[:0]}, "got 0 images"),
        ({"X": np.where(X == 12, np.nan, X)}, "X: got NaN or infinity in image 12"),
        ({"X": np.where(X == 3.5, np.inf, X)}, "X: got NaN or infinity in image 3"),
        ({"X": X[:, 0]}, "X: got float64 of shape \\(80,\\), expected numbers"),
        ({"X": X.astype(str)}, "X: got <U32 of shape"),
        ({"X": [[1.0], [1.0, 2.0]]}, "got items of different shapes"),
        ({"y": Y.astype(float)}, "y: got float64 of shape \\(80,\\), expected integers or strings"),
        ({"y": np.stack([Y, Y])}, "y: got int64 of shape \\(2, 80\\)"),
        ({"y": np.r_[Y[:-1], 8]}, "got 1 of class 8, expected at least 3"),
        (
            {"X": X[:4], "y": Y[:4], "validation": 0},
            "got 1 of class 3, expected at least 2 of each class to divide among the splits",
        ),
        ({"foreground": (5, 4)}, "got class 4, expected classes of the data: 3, 5, 7, 9; pick"),
        ({"foreground": ("5", 9)}, "got class '5', expected classes of the data"),
        ({"foreground": ()}, "foreground: got \\(\\), expected at least 2 different classes"),
        ({"foreground": (5,)}, "foreground: got \\(5,\\), expected at least 2 different classes"),
        ({"foreground": (5, 5)}, "got \\(5, 5\\), expected at least 2 different classes"),
        ({"foreground": (3, 5, 7, 9)}, "got all 4 classes, expected some left as background"),
        ({"foreground": "5"}, "foreground: got '5', expected several values; write"),
        ({"segments": 1}, "segments: got 1, expected an integer >= 2"),
        ({"train": 0}, "train: got 0, expected an integer >= 1"),
        ({"test": -1}, "test: got -1, expected an integer >= 1"),
        ({"test_fraction": 0.0}, "test_fraction: got 0.0, expected a number between 0 and 1"),
        ({"test_fraction": 1.0}, "test_fraction: got 1.0, expected"),
        ({"test_fraction": float("nan")}, "test_fraction: got nan"),
        ({"validation": -1}, "validation: got -1, expected an integer >= 0"),
        ({"validation_fraction": 1.0}, "validation_fraction: got 1.0, expected"),
        ({"new_mosaics": -1}, "new_mosaics: got -1, expected an integer >= 0"),
        ({"position": "last"}, "position: got 'last', expected random or first"),
        ({"X_test": X}, "y_test: got none beside X_test, expected both"),
        ({"y_test": Y}, "X_test: got none beside y_test, expected both"),
        ({"X_test": X[:, :1], "y_test": Y}, "X_test: got float64 of shape \\(1,\\) an image, exp"),
        (
            {"X_test": X.astype(np.uint8), "y_test": Y},
            "X_test: got uint8 of shape \\(2,\\) an image",
        ),
        ({"X_test": X, "y_test": Y[1:]}, "X_test and y_test: got 80 images and 79 classes"),
        ({"X_test": X, "y_test": Y + (Y == 3)}, "y_test: got class 4, expected classes of y: 3, 5"),
        ({"X_test": X[2:4], "y_test": Y[2:4]}, "X_test: got no background image, expected some"),
        ({"X_test": X[:2], "y_test": Y[:2]}, "X_test: got no image of class 5, expected some"),
        (
            {"scale": (0.5, 0.5)},
            "scale: got \\(0.5, 0.5\\) beside images of float64, expected none",
        ),
        ({"X": BYTES, "scale": 0.5}, "scale: got 0.5, expected \\(mean, std\\) of x / 255"),
        ({"X": BYTES, "scale": (0.5, 0)}, "scale: got \\(0.5, 0\\), expected \\(mean, std\\)"),
        ({"X": BYTES, "scale": (0.5, (1, 2))}, "scale: got \\(0.5, \\(1, 2\\)\\), expected"),
        ({"X": BYTES, "scale": (np.nan, 1)}, "scale: got \\(nan, 1\\), expected \\(mean, std"),
    ],
)
def test_what_makes_no_mosaic_is_refused_in_one_line(changes, message):
    with pytest.raises(InputError, match=message) as refused:
        mosaic(**{"X": X, "y": Y, "foreground": FOREGROUND, **changes})
    line = str(refused.value)
    assert "\n" not in line
    assert "expected" in line
    assert ";" in line


@pytest.mark.parametrize("seed", [-1, 2**32, True])
def test_a_dataset_seed_that_numpy_cannot_take_is_refused(seed):
    with pytest.raises(InputError, match="dataset seed: got"):
        small().make(seed)


MISSING = {
    "pixels": (np.ma.masked_array(X, mask=X > 20), Y),
    "classes": (X, np.ma.masked_array(Y, mask=np.arange(COUNT) == 3)),
    "a class that is none": (X, np.array([None, *Y[1:].tolist()], dtype=object)),
    "a class that is not a number": (X, np.array([float("nan"), *map(str, Y[1:])], dtype=object)),
    "classes of two types": (X, np.array(["7", *Y[1:].tolist()], dtype=object)),
}


@pytest.mark.parametrize("what", MISSING)
def test_what_is_missing_is_refused_and_not_learnt(what: str):
    with pytest.raises(InputError, match=r"missing|expected integers or strings"):
        mosaic(*MISSING[what], foreground=FOREGROUND, **SIZES)


def test_a_masked_array_with_nothing_masked_is_an_array():
    assert mosaic(np.ma.masked_array(X), Y, foreground=FOREGROUND, **SIZES) is small()
