import jax
import numpy as np
import pytest
from helpers import EPS, PRECISION, hyper, jit
from hypothesis import given
from hypothesis import strategies as st

from jaxattn.core.contracts import Example, Reader
from jaxattn.problems.attention import softmax
from jaxattn.problems.inference import INFERENCE_RULES
from jaxattn.problems.measures import (
    BINS,
    CELLS,
    DECILES,
    EDGES,
    MOST_CLASSES,
    SHOWN,
    View,
    measure_examples,
    task_measures,
)

COUNT, SEGMENTS, CLASSES = 12, 4, 3

LABELS = task_measures(SEGMENTS, CLASSES)

FOCUS = (
    "error_cell",
    "error_cell_by_class",
    "answer_map",
    "focus_accuracy",
    "attention_foreground",
    "attention_foreground_decile",
    "mu",
    "nu",
)
OTHERS = ("loss", "accuracy", "attention_entropy", "attention_shown")

# Percentages up to 100 are means of COUNT numbers; each sum, product and quotient rounds once.
TOLERANCE = 100 * 4 * COUNT * EPS


def batch_of(rng: np.random.Generator, classes: int = CLASSES) -> Example:
    """Segments are what a focus model says of them, and their logits."""
    scores = rng.normal(size=(COUNT, SEGMENTS)).astype(PRECISION)
    logits = 2 * rng.normal(size=(COUNT, SEGMENTS, classes)).astype(PRECISION)
    place = rng.integers(0, SEGMENTS, COUNT)
    mask = rng.random((COUNT, SEGMENTS)) < 0.8
    mask[np.arange(COUNT), place] = True
    mask[np.arange(COUNT), (place + 1) % SEGMENTS] = True
    return Example(
        segments=(scores, logits),
        mask=mask,
        label=rng.integers(0, classes, COUNT).astype(np.int32),
        foreground=np.arange(SEGMENTS) == place[:, None],
        weight=rng.uniform(0.5, 1.5, COUNT).astype(PRECISION),
    )


def see(example: Example) -> View:
    scores, logits = example.segments
    return View(
        scores, softmax.apply(scores, example, hyper()), logits, Reader(lambda value: value)
    )


measured = jit(lambda batch: measure_examples(see, batch))


def chance(logits):
    return np.exp(logits) / np.sum(np.exp(logits))


def spelt_out(batch: Example) -> dict[str, np.ndarray]:
    """Every measure by a loop over the examples."""
    sums, total = {}, 0
    on_all, attention = [], []
    for i in range(COUNT):
        scores, logits = (leaf[i] for leaf in batch.segments)
        mask, on, label = batch.mask[i], batch.foreground[i], batch.label[i]
        a = np.where(mask, np.exp(scores), 0)
        a = a / a.sum()
        read = [
            chance(logits[np.argmax(a)]),
            sum(w * chance(row) for w, row in zip(a, logits, strict=True)),
            chance(a @ logits),
        ]
        focused = bool(on[np.argmax(a)])
        right = [int(np.argmax(p) == label) for p in read]
        f = int(focused)
        cells = [[f * r, (1 - f) * r, f * (1 - r), (1 - f) * (1 - r)] for r in right]
        alone = logits[on][0]
        answered = [np.histogram2d([a[on].sum()], [p[label]], [EDGES, EDGES])[0] for p in read]
        row = {
            "loss": [-np.log(p[label]) for p in read],
            "accuracy": [100 * r for r in right],
            "error_cell": 100 * np.array(cells),
            "error_cell_by_class": [
                [[100 * cell * (kind == label) for cell in row] for kind in range(CLASSES)]
                for row in cells
            ],
            "answer_map": 100 * np.array(answered),
            "focus_accuracy": 100 * focused,
            "attention_foreground": a[on].sum(),
            "attention_entropy": -sum(w * np.log(w) for w in a if w > 0),
            "mu": alone[label] - np.delete(alone, label).mean(),
            "nu": scores[on][0] - scores[mask & ~on].mean(),
        }
        on_all.append(a[on].sum())
        attention.append(a)
        for name, value in row.items():
            sums[name] = sums.get(name, 0) + batch.weight[i] * np.asarray(value)
        total += batch.weight[i]
    means = {name: value / total for name, value in sums.items()}
    shown = np.array(attention[:SHOWN])
    deciles = np.quantile(on_all, DECILES)
    return means | {"attention_foreground_decile": deciles, "attention_shown": shown}


def test_every_measure_is_its_definition(rng):
    for _ in range(5):
        batch = batch_of(rng)
        found, expected = measured(batch), spelt_out(batch)
        assert found.keys() == expected.keys() == {spec.name for spec in LABELS}
        for name, value in found.items():
            np.testing.assert_allclose(value, expected[name], rtol=0, atol=TOLERANCE, err_msg=name)


def test_every_measure_has_the_shape_its_labels_say(rng):
    found = measured(batch_of(rng))
    for spec in LABELS:
        assert found[spec.name].shape == tuple(len(values) for values in spec.coords)
        assert len(spec.dims) == len(spec.coords)
        assert found[spec.name].dtype == PRECISION


def test_the_four_cells_sum_to_100_and_true_predictions_to_the_accuracy(rng):
    assert CELLS == ("FTPT", "FFPT", "FTPF", "FFPF")
    for _ in range(20):
        found = measured(batch_of(rng))
        cells = found["error_cell"]
        assert cells.shape == (len(INFERENCE_RULES), 4)
        np.testing.assert_allclose(cells.sum(axis=-1), 100, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(
            cells[:, 0] + cells[:, 1], found["accuracy"], rtol=0, atol=TOLERANCE
        )
        np.testing.assert_allclose(
            cells[:, 0] + cells[:, 2], found["focus_accuracy"], rtol=0, atol=TOLERANCE
        )


def test_the_cells_of_all_classes_sum_to_the_cells(rng):
    for _ in range(20):
        found = measured(batch_of(rng))
        by_class = found["error_cell_by_class"]
        assert by_class.shape == (len(INFERENCE_RULES), CLASSES, len(CELLS))
        np.testing.assert_allclose(
            by_class.sum(axis=1), found["error_cell"], rtol=0, atol=TOLERANCE
        )


def test_the_cells_of_a_class_by_their_sum_are_those_of_its_examples_alone(rng):
    batch = batch_of(rng)
    by_class = np.asarray(measured(batch)["error_cell_by_class"])
    for kind in np.unique(batch.label):
        weight = np.where(batch.label == kind, batch.weight, 0).astype(PRECISION)
        alone = measured(batch._replace(weight=weight))["error_cell"]
        of_class = by_class[:, kind]
        share = weight.sum() / batch.weight.sum()
        np.testing.assert_allclose(of_class.sum(axis=-1), 100 * share, rtol=0, atol=TOLERANCE)
        # What rounding left in a share is as much more of it as the class is less of all.
        np.testing.assert_allclose(of_class / share, alone, rtol=0, atol=2 * TOLERANCE / share)


@pytest.mark.parametrize("classes", [MOST_CLASSES, MOST_CLASSES + 1])
def test_cells_are_told_by_class_where_classes_are_few(rng, classes):
    found = measured(batch_of(rng, classes))
    assert found.keys() == {spec.name for spec in task_measures(SEGMENTS, classes)}
    assert ("error_cell_by_class" in found) == (classes == MOST_CLASSES)


@given(st.randoms(use_true_random=False))
def test_permuting_segments_changes_no_measure(random):
    batch = batch_of(np.random.default_rng(random.randrange(2**32)))
    order = np.array(random.sample(range(SEGMENTS), SEGMENTS))
    permuted = batch._replace(
        segments=tuple(leaf[:, order] for leaf in batch.segments),
        mask=batch.mask[:, order],
        foreground=batch.foreground[:, order],
    )
    a, b = measured(batch), measured(permuted)
    a["attention_shown"] = a["attention_shown"][:, order]
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=0, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("filling", [0.0, -1.0, 3e38])
def test_padding_changes_no_measure(rng, filling):
    batch = batch_of(rng)

    def lengthen(leaf, value):
        widths = [(0, 0), (0, 3)] + [(0, 0)] * (leaf.ndim - 2)
        return np.pad(leaf, widths, constant_values=value)

    padded = batch._replace(
        segments=tuple(lengthen(leaf, filling) for leaf in batch.segments),
        mask=lengthen(batch.mask, False),
        foreground=lengthen(batch.foreground, False),
    )
    a, b = measured(batch), measured(padded)
    np.testing.assert_array_equal(b["attention_shown"][:, SEGMENTS:], 0)
    b["attention_shown"] = b["attention_shown"][:, :SEGMENTS]
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=0, atol=TOLERANCE, err_msg=name)


def test_examples_of_weight_zero_are_not_counted(rng):
    batch = batch_of(rng)
    weight = np.ones(COUNT, PRECISION)
    weight[COUNT // 2 :] = 0
    a = measured(batch._replace(weight=weight))
    half = jax.tree.map(lambda leaf: leaf[: COUNT // 2], batch._replace(weight=weight))
    b = measured(half)
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=0, atol=TOLERANCE, err_msg=name)


def test_an_unknown_foreground_makes_measures_of_the_focus_nan_and_no_others(rng):
    batch = batch_of(rng)
    known, unknown = measured(batch), measured(batch._replace(foreground=batch.foreground & False))
    for name in FOCUS:
        assert np.all(np.isnan(unknown[name])), name
    for name in OTHERS:
        np.testing.assert_array_equal(unknown[name], known[name])
    assert {*FOCUS, *OTHERS} == known.keys()


def test_measures_of_the_focus_count_the_examples_whose_foreground_is_known(rng):
    batch = batch_of(rng)
    known = np.arange(COUNT) < COUNT // 2
    mixed = measured(batch._replace(foreground=batch.foreground & known[:, None]))
    alone = measured(jax.tree.map(lambda leaf: leaf[: COUNT // 2], batch))
    whole = measured(batch)
    for name in FOCUS:
        np.testing.assert_allclose(mixed[name], alone[name], rtol=0, atol=TOLERANCE, err_msg=name)
    for name in OTHERS:
        np.testing.assert_allclose(mixed[name], whole[name], rtol=0, atol=TOLERANCE, err_msg=name)


def test_a_bag_without_background_has_no_score_gap_and_spoils_no_mean(rng):
    batch = batch_of(rng)
    mask = batch.mask.copy()
    mask[0] = batch.foreground[0]
    found = measured(batch._replace(mask=mask))
    others = measured(jax.tree.map(lambda leaf: leaf[1:], batch))
    np.testing.assert_allclose(found["nu"], others["nu"], rtol=0, atol=TOLERANCE)
    assert all(np.all(np.isfinite(value)) for value in found.values())


def test_means_are_weighted_and_percentages_exact():
    scores = np.array([[5.0, 0.0], [0.0, 5.0]], PRECISION)
    logits = np.array([[[9.0, 0, 0], [0, 9, 0]], [[9, 0, 0], [0, 9, 0]]], PRECISION)
    batch = Example(
        segments=(scores, logits),
        mask=np.ones((2, 2), bool),
        label=np.zeros(2, np.int32),
        foreground=np.array([[True, False], [True, False]]),
        weight=np.array([3.0, 1.0], PRECISION),
    )
    found = measured(batch)
    np.testing.assert_array_equal(found["focus_accuracy"], 75)
    np.testing.assert_array_equal(found["accuracy"][0], 75)
    np.testing.assert_array_equal(found["error_cell"][0], [75, 0, 0, 25])
    np.testing.assert_allclose(found["mu"], 9, rtol=10 * EPS)
    np.testing.assert_allclose(found["nu"], 2.5, rtol=10 * EPS)


def answers_of(attention: list[float], chance: list[float], weight: list[float]) -> Example:
    """Bags of two segments: so much attention on the first, so sure of the right of two classes."""
    a, s = np.array(attention), np.array(chance)
    with np.errstate(divide="ignore"):
        scores = np.log(np.stack([a, 1 - a], axis=-1))
        logits = np.log(np.stack([s, 1 - s], axis=-1))[:, None].repeat(2, axis=1)
    return Example(
        segments=(scores.astype(PRECISION), logits.astype(PRECISION)),
        mask=np.ones((len(a), 2), bool),
        label=np.zeros(len(a), np.int32),
        foreground=np.tile([True, False], (len(a), 1)),
        weight=np.array(weight, PRECISION),
    )


def test_exactly_0_is_in_the_first_bin_and_exactly_1_in_the_last() -> None:
    # Scores of 0 and -inf make shares of exactly 1 and 0, which no rounding moves.
    found = measured(answers_of([1.0, 0.0], [1.0, 0.0], [1, 1]))["answer_map"]
    expected = np.zeros((5, 5))
    expected[4, 4] = expected[0, 0] = 50
    for rule in found[:2]:  # the average of infinite logits, weighted by 0, is unknown
        np.testing.assert_array_equal(rule, expected)


@pytest.mark.parametrize("place", range(1, 5))
def test_a_share_is_in_the_bin_between_its_edges(place: int) -> None:
    assert EDGES == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    assert BINS == (0.1, 0.3, 0.5, 0.7, 0.9)
    # A few roundings of a logarithm and a softmax off the edge, on either side of it.
    near = [EDGES[place] - 100 * EPS, EDGES[place] + 100 * EPS]
    for attention, chance in ((near, [0.5, 0.5]), ([0.5, 0.5], near)):
        found = np.asarray(measured(answers_of(attention, chance, [1, 1]))["answer_map"])
        if chance is near:
            found = found.swapaxes(1, 2)
        for rule in found:
            assert rule[place - 1, 2] == rule[place, 2] == 50


def test_the_attention_of_the_first_examples_is_nan_where_there_is_none(rng) -> None:
    batch = batch_of(rng)
    whole = measured(batch)["attention_shown"]
    few = jax.tree.map(lambda leaf: leaf[:2], batch)
    for part in (few, batch._replace(weight=batch.weight * (np.arange(COUNT) < 2))):
        found = measured(part)["attention_shown"]
        assert found.shape == (SHOWN, SEGMENTS)
        np.testing.assert_allclose(found[:2], whole[:2], rtol=0, atol=TOLERANCE)
        assert np.all(np.isnan(found[2:]))


def test_the_map_of_answers_is_weighted_and_sums_to_100_of_what_is_known(rng) -> None:
    batch = answers_of([0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [3, 1, 4])
    known = np.array([[True], [True], [False]])
    found = measured(batch._replace(foreground=batch.foreground & known))["answer_map"]
    for rule in found:
        assert rule[4, 4] == 75
        assert rule[0, 0] == 25
    for _ in range(5):
        cells = measured(batch_of(rng))["answer_map"]
        np.testing.assert_allclose(cells.sum(axis=(1, 2)), 100, rtol=0, atol=TOLERANCE)
