import time

import numpy as np
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.problems.data import check, everything
from jaxattn.tasks import TASKS, orthogonal, orthogonal_population

CLASSES, SEGMENTS, POINTS = 20, 20, 2000


def published_bag(j: int) -> tuple[int, list[int], list[int]]:
    """Bag j by the procedure of PAPER 3.1, call by call: label, class and point of each patch."""
    points = [np.arange(POINTS) for _ in range(CLASSES + 1)]
    np.random.seed(j)
    label = np.random.randint(0, CLASSES)
    kinds, chosen = [], []
    for patch in range(SEGMENTS):
        kind = label if patch == 0 else np.random.randint(CLASSES, CLASSES + 1)
        kinds.append(int(kind))
        chosen.append(int(np.random.choice(points[kind], size=1)[0]))
    return int(label), kinds, chosen


def assert_published(examples, row: int, j: int) -> None:
    label, kinds, chosen = published_bag(j)
    assert examples.label[row] == label
    np.testing.assert_array_equal(examples.segments[row] // POINTS, kinds)
    np.testing.assert_array_equal(examples.segments[row] % POINTS, chosen)


def test_the_bags_of_dataset_seed_0_are_the_published_draws_call_by_call():
    made = orthogonal(CLASSES, SEGMENTS, train=300, test=20, points=POINTS, validation=9).make(0)
    for j in range(300):
        assert_published(made["train"].examples, j, j)
    for j in range(20):
        assert_published(made["test"].examples, j, 300 + j)
    for j in range(9):
        assert_published(made["validation"].examples, j, 320 + j)
    assert list(orthogonal(validation=0).make(0)) == ["train", "test"]


def test_the_first_four_bags_are_what_four_random_states_give():
    examples = orthogonal().make(0)["train"].examples
    for j in range(4):
        stream = np.random.RandomState(j)
        assert examples.label[j] == stream.randint(0, CLASSES)
        chosen = [stream.choice(POINTS, 1)[0] for _ in range(SEGMENTS)]
        np.testing.assert_array_equal(examples.segments[j] % POINTS, chosen)


def test_another_dataset_seed_draws_from_the_pair_of_seed_and_bag():
    examples = orthogonal(3, 4, train=5, test=2, points=11).make(7)["train"].examples
    for j in range(5):
        stream = np.random.RandomState([7, j])
        assert examples.label[j] == stream.randint(0, 3)
        np.testing.assert_array_equal(examples.segments[j] % 11, stream.randint(0, 11, 4))


def test_base_points_lie_on_their_own_axis_with_the_published_spread():
    pool = orthogonal().make(0)["train"].pool
    assert pool.shape == ((CLASSES + 1) * POINTS, CLASSES + 1)
    by_class = pool.reshape(CLASSES + 1, POINTS, CLASSES + 1)
    own = np.array([by_class[c, :, c] for c in range(CLASSES + 1)])
    off_axis = by_class[~np.eye(CLASSES + 1, dtype=bool)[:, None].repeat(POINTS, 1)]
    assert not off_axis.any()
    # The standard deviation of 2000 draws is known to 1 / sqrt(4000) = 1.6 %: five sigma is 8 %.
    np.testing.assert_allclose(own[:-1].std(1), 1e-5, rtol=0.08)
    np.testing.assert_allclose(own[:-1].mean(1), 1, atol=5e-5)
    np.testing.assert_allclose(own[-1].std(), 0.1, rtol=0.08)
    np.testing.assert_allclose(own[-1].mean(), 0, atol=5 * 0.1 / np.sqrt(POINTS))
    assert (pool == pool.astype(np.float32)).all(), "a float32 run sees the very same points"


def test_segment_0_is_the_foreground_and_carries_the_label():
    task = orthogonal(4, 3, train=50, test=5, points=10)
    bags = everything(task.make(2)["train"], "float32")
    assert bags.foreground[:, 0].all()
    assert not bags.foreground[:, 1:].any()
    np.testing.assert_array_equal(np.argmax(bags.segments[:, 0], -1), bags.label)
    assert not np.asarray(bags.segments[:, 1:, :-1]).any()


def test_labels_are_balanced():
    label = orthogonal().make(0)["train"].examples.label
    # Each class is binomial(5000, 1/20): 250 with standard deviation 15.4.
    np.testing.assert_allclose(np.bincount(label, minlength=CLASSES), 250, atol=5 * 15.4)


def test_equal_seeds_give_equal_arrays_and_different_seeds_differ():
    task = orthogonal(3, 4, train=30, test=10, points=20)
    first, again, other = task.make(1), task.make(np.int64(1)), task.make(2)
    for split in ("train", "test"):
        for a, b in zip(first[split].examples, again[split].examples, strict=True):
            np.testing.assert_array_equal(a, b)
        assert (first[split].examples.segments != other[split].examples.segments).any()
    assert first["train"].pool is other["test"].pool, "all seeds and splits share one pool"
    assert not first["train"].pool.flags.writeable


def test_a_longer_training_set_keeps_its_earlier_bags():
    short = orthogonal(3, 4, train=30, test=10, points=20)
    long = orthogonal(3, 4, train=40, test=10, points=20)
    for seed in (0, 5):
        a, b = short.make(seed)["train"].examples, long.make(seed)["train"].examples
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y[:30])


def test_drawing_leaves_numpys_own_generator_alone():
    np.random.seed(5)
    orthogonal(3, 4, train=5, test=5, points=7).make(3)
    assert np.random.randint(10**6) == np.random.RandomState(5).randint(10**6)


def test_the_published_size_is_drawn_in_well_under_a_second_and_a_half():
    task = orthogonal()
    start = time.perf_counter()
    task.make(1)
    assert time.perf_counter() - start < 1.5  # 0.05 to 0.1 s alone on the machine


@pytest.mark.parametrize(
    "task",
    [orthogonal(3, 4, train=9, test=6, points=5), orthogonal(), orthogonal_population(4, 6)],
    ids=["small", "published", "population"],
)
def test_made_data_is_sound_and_has_the_shapes_of_the_template(task):
    for seed in (0, 3):
        for split, data in task.make(seed).items():
            check(data, f"{task.name}, {split}", task.classes)
            assert data.examples.label.dtype == np.int32
            bags = everything(data, "float32")
            for leaf, one in zip(bags, task.template, strict=True):
                assert leaf.shape[1:] == one.shape
            assert bags.mask.shape[1] == task.segments


def test_the_population_is_one_exact_bag_a_class():
    task = orthogonal_population(3, 5)
    assert task.solvable
    assert set(task.make(0)) == {"train"}
    data = task.make(0)["train"]
    assert data.pool is None
    np.testing.assert_array_equal(data.examples.segments[:, 0], np.eye(3))
    assert (data.examples.segments[:, 1:] == 0).all()
    np.testing.assert_array_equal(data.examples.label, [0, 1, 2])
    np.testing.assert_array_equal(data.examples.foreground, np.arange(5)[None] == np.zeros((3, 1)))
    np.testing.assert_array_equal(task.make(9)["train"].examples.segments, data.examples.segments)


def test_equal_configurations_are_one_task_however_they_are_written():
    assert orthogonal(3, 4, 9, 6, 5) is orthogonal(
        points=5, test=6, train=np.int64(9), segments=4, classes=3
    )
    assert orthogonal(3, 4, 9, 6, 5) is not orthogonal(3, 4, 9, 7, 5)
    assert orthogonal_population(3) is TASKS["orthogonal-population"](classes=3, segments=5)
    assert TASKS["orthogonal"]() is orthogonal()
    assert not orthogonal().solvable


@pytest.mark.parametrize("factory", [orthogonal, orthogonal_population])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"segments": 1}, "segments: got 1, expected an integer >= 2 .*; use 2"),
        ({"classes": 1}, "classes: got 1, expected an integer >= 2 .*; use 2"),
        ({"segments": True}, "segments: got True, expected an integer"),
    ],
)
def test_a_bag_of_one_segment_and_a_task_of_one_class_are_refused(factory, arguments, message):
    with pytest.raises(InputError, match=message):
        factory(**arguments)


@pytest.mark.parametrize("name", ["train", "test", "points"])
@pytest.mark.parametrize("value", [0, -3])
def test_sizes_below_1_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name}: got {value}, expected an integer >= 1; use 1"):
        orthogonal(**{name: value})


@pytest.mark.parametrize("seed", [-1, 2**32, True])
@pytest.mark.parametrize("task", [orthogonal(3, 4, 9, 6, 5), orthogonal_population()])
def test_a_dataset_seed_that_numpy_cannot_take_is_refused(task, seed):
    with pytest.raises(InputError, match="dataset seed: got"):
        task.make(seed)
