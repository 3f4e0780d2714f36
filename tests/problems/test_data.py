import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.core.contracts import Data, Example, InputError
from jaxattn.core.pixels import Pixels
from jaxattn.problems.data import check, everything, head, pad, size, take

BAGS, SEGMENTS, FEATURES, ROWS, CLASSES = 6, 3, 4, 5, 3


def values(rng: np.random.Generator) -> Data:
    """Six bags of three segments; the last segment of bag 0 is masked out."""
    mask = np.ones((BAGS, SEGMENTS), bool)
    mask[0, -1] = False
    foreground = np.zeros((BAGS, SEGMENTS), bool)
    foreground[:, 0] = True
    return Data(
        Example(
            segments=rng.normal(size=(BAGS, SEGMENTS, FEATURES)),
            mask=mask,
            label=np.arange(BAGS, dtype=np.int32) % CLASSES,
            foreground=foreground,
            weight=np.linspace(0.5, 1, BAGS),
        )
    )


def pooled(rng: np.random.Generator) -> Data:
    data = values(rng)
    indices = rng.integers(0, ROWS, (BAGS, SEGMENTS)).astype(np.int32)
    return change(data, segments=indices)._replace(pool=rng.normal(size=(ROWS, FEATURES)))


def change(data: Data, **leaves: object) -> Data:
    return data._replace(examples=data.examples._replace(**leaves))


def with_entry(array: np.ndarray, where: tuple[int, ...], value: object) -> np.ndarray:
    array = array.copy()
    array[where] = value
    return array


def assert_equal(a: object, b: object) -> None:
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_size_counts_the_examples(rng):
    assert size(values(rng)) == BAGS


def test_take_fills_in_the_pool_rows(rng):
    data = pooled(rng)
    batch = take(data, jnp.array([4, 0]), jnp.float32)
    expected = data.pool[data.examples.segments[[4, 0]]]
    np.testing.assert_array_equal(batch.segments, expected.astype(np.float32))
    np.testing.assert_array_equal(batch.label, data.examples.label[[4, 0]])
    np.testing.assert_array_equal(batch.mask, data.examples.mask[[4, 0]])
    np.testing.assert_array_equal(batch.foreground, data.examples.foreground[[4, 0]])


def test_take_of_a_pool_equals_take_of_the_values_it_stands_for(rng):
    data = pooled(rng)
    spelt_out = change(data, segments=data.pool[data.examples.segments])._replace(pool=None)
    order = np.array([5, 5, 1])
    assert_equal(take(data, order, "float32"), take(spelt_out, order, "float32"))


def test_take_fills_each_leaf_of_a_tree_of_segments_from_its_own_pool(rng):
    data = pooled(rng)
    indices = data.examples.segments
    tree = change(data, segments={"image": indices, "token": indices[:, ::-1]})
    tree = tree._replace(pool={"image": data.pool, "token": np.arange(10, 10 + ROWS)})
    batch = take(tree, np.arange(BAGS), jnp.float32)
    assert batch.segments["image"].shape == (BAGS, SEGMENTS, FEATURES)
    np.testing.assert_array_equal(batch.segments["token"], indices[:, ::-1] + 10)
    check(tree, "tree", CLASSES)


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", pytest.param("float64", marks=pytest.mark.needs_x64)]
)
def test_take_casts_floating_segments_and_weights_to_the_asked_type(rng, dtype):
    for data in (values(rng), pooled(rng)):
        batch = take(data, jnp.arange(2), dtype)
        assert batch.segments.dtype == batch.weight.dtype == dtype
        assert batch.label.dtype == jnp.int32
        assert batch.mask.dtype == batch.foreground.dtype == bool


def test_take_leaves_token_ids_as_they_are(rng):
    tokens = rng.integers(0, 30000, (BAGS, SEGMENTS)).astype(np.int32)
    batch = take(change(values(rng), segments=tokens), jnp.arange(BAGS), jnp.float32)
    assert batch.segments.dtype == jnp.int32
    np.testing.assert_array_equal(batch.segments, tokens)


def test_take_with_one_number_gives_one_example(rng):
    one = take(pooled(rng), jnp.asarray(2), jnp.float32)
    assert one.segments.shape == (SEGMENTS, FEATURES)
    assert one.weight.shape == ()


def test_take_clips_numbers_out_of_range_to_the_nearest_example(rng):
    data = pooled(rng)
    clipped = take(data, np.array([-1, BAGS]), "float32")
    assert_equal(clipped, take(data, np.array([0, BAGS - 1]), "float32"))


def test_take_is_the_same_compiled_and_under_vmap(rng):
    data, order = pooled(rng), np.array([[3, 1], [0, 5]])
    compiled = jax.jit(take, static_argnums=2)(data, order, "float32")
    looped = jax.tree.map(
        lambda *leaves: jnp.stack(leaves), *(take(data, row, "float32") for row in order)
    )
    assert_equal(compiled, looped)
    assert_equal(jax.vmap(lambda row: take(data, row, "float32"))(order), looped)


def test_everything_is_take_of_all_examples_in_order(rng):
    for data in (values(rng), pooled(rng)):
        assert_equal(everything(data, jnp.float32), take(data, jnp.arange(BAGS), jnp.float32))


def test_taking_float64_data_gives_no_warning_at_either_width(rng):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        everything(pooled(rng), jnp.float32)
        take(values(rng), jnp.arange(2), jnp.float32)


def test_head_keeps_the_first_examples_and_the_whole_pool(rng):
    data = pooled(rng)
    short = head(data, 2)
    assert size(short) == 2
    assert short.pool is data.pool
    assert_equal(everything(short, "float32"), take(data, np.arange(2), "float32"))
    assert size(head(data, 100)) == BAGS
    with pytest.raises(InputError, match="got 0 examples"):
        head(data, 0)


def test_bytes_are_read_on_their_scale_as_if_the_pool_held_floats(rng):
    indices = pooled(rng).examples.segments
    rows = rng.integers(0, 256, (ROWS, 2, FEATURES), dtype=np.uint8)
    data = change(pooled(rng), segments={"image": indices, "row": indices})
    number = rng.normal(size=(ROWS, 1))
    pixels = Pixels(rows, mean=0.3, std=(0.2, 0.3, 0.4, 0.5))
    held = data._replace(pool={"image": pixels, "row": number})
    floats = data._replace(pool={"image": pixels[:], "row": number})
    check(held, "bytes", CLASSES)
    read, expected = (everything(each, "float32").segments for each in (held, floats))
    # Rounded at the difference, of numbers up to 255, and after the division by 255 std.
    np.testing.assert_allclose(read["image"], expected["image"], atol=2**-23 * 2 / 0.2)
    np.testing.assert_array_equal(read["row"], expected["row"])
    assert read["image"].dtype == jnp.float32
    assert_equal(head(held, 2).pool, held.pool)
    check(pad(held, SEGMENTS + 1), "padded", CLASSES)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (Pixels(np.zeros((ROWS, 3))), "got Pixels of float64, expected bytes"),
        (Pixels(np.zeros((ROWS, 3), np.uint8), std=0.0), "got std 0.0 of Pixels of shape (5, 3)"),
        (Pixels(np.zeros((ROWS, 3), np.uint8), mean=(0.5, 0.5)), "got mean (0.5, 0.5) of Pixels"),
        (Pixels(np.zeros((0, 3), np.uint8)), "expected at least one row"),
    ],
)
def test_bytes_on_no_scale_are_refused(rng, pixels, message):
    with pytest.raises(InputError, match=re.escape(message)):
        check(pooled(rng)._replace(pool=pixels), "digits, train", CLASSES)


def test_padding_adds_masked_segments_and_changes_nothing_else(rng):
    for data in (values(rng), pooled(rng)):
        longer = pad(data, SEGMENTS + 2)
        examples = longer.examples
        assert examples.mask.shape == examples.foreground.shape == (BAGS, SEGMENTS + 2)
        assert not examples.mask[:, SEGMENTS:].any()
        assert not examples.foreground[:, SEGMENTS:].any()
        assert not examples.segments[:, SEGMENTS:].any()
        assert examples.segments.dtype == data.examples.segments.dtype
        assert isinstance(examples.segments, np.ndarray)
        back = jax.tree.map(lambda leaf: leaf[:, :SEGMENTS], examples[:2])
        assert_equal(back, data.examples[:2])
        assert_equal((examples.label, examples.weight), (data.examples.label, data.examples.weight))
        check(longer, "padded", CLASSES)


def test_padding_arrays_on_a_device_equals_padding_numpy_arrays(rng):
    data = pooled(rng)
    on_device = pad(jax.tree.map(jnp.asarray, data), 5)
    assert isinstance(on_device.examples.mask, jax.Array)
    assert_equal(everything(on_device, "float32"), everything(pad(data, 5), "float32"))


def test_padding_to_the_same_length_changes_nothing_and_to_a_shorter_one_is_refused(rng):
    data = values(rng)
    assert_equal(pad(data, SEGMENTS), data)
    with pytest.raises(InputError, match="got bags of 3 segments, expected at most 2"):
        pad(data, 2)


def test_padding_reaches_the_foreground_of_every_word(rng):
    data = in_words(rng)
    padded = pad(data, SEGMENTS + 1)
    assert padded.examples.foreground.shape == (BAGS, 2, SEGMENTS + 1)
    check(padded, "words", CLASSES)


def in_words(rng: np.random.Generator) -> Data:
    """Bags with two labels each, as captions have."""
    data = values(rng)
    label, foreground = data.examples.label, data.examples.foreground
    return change(
        data,
        label=np.stack([label, label], 1),
        foreground=np.stack([foreground, foreground], 1),
    )


def test_check_accepts_sound_data_of_every_kind(rng):
    data = values(rng)
    check(data, "values", CLASSES)
    check(pooled(rng), "pool", CLASSES)
    check(in_words(rng), "words", CLASSES)
    check(jax.tree.map(jnp.asarray, pooled(rng)), "on a device", CLASSES)
    check(change(data, foreground=np.zeros_like(data.examples.mask)), "unknown truth", CLASSES)
    check(change(data, weight=np.array([1.0, 0, 0, 0, 0, 0])), "padded last batch", CLASSES)
    check(change(data, segments=jnp.zeros((BAGS, SEGMENTS, 2), jnp.bfloat16)), "half", CLASSES)


def _spoilt(rng: np.random.Generator) -> dict[str, tuple[Data, str]]:
    data, pool = values(rng), pooled(rng)
    segments, mask, label, foreground, weight = data.examples
    indices = pool.examples.segments
    return {
        "an empty set": (
            Data(jax.tree.map(lambda leaf: leaf[:0], data.examples)),
            "got 0 bags of 3 segments",
        ),
        "bags without segments": (
            change(data, segments=segments[:, :0], mask=mask[:, :0], foreground=foreground[:, :0]),
            "got 6 bags of 0 segments",
        ),
        "a fully padded bag": (
            change(data, mask=with_entry(mask, (4,), False)),
            "bag 4 with every segment masked out",
        ),
        "NaN in the segments": (
            change(data, segments=with_entry(segments, (2, 1, 0), np.nan)),
            "segments: got nan at (2, 1, 0)",
        ),
        "infinity where masked out": (
            change(data, segments=with_entry(segments, (0, 2, 0), np.inf)),
            "segments: got inf at (0, 2, 0)",
        ),
        "NaN in the pool": (
            pool._replace(pool=with_entry(pool.pool, (1, 3), np.nan)),
            "pool: got nan at (1, 3)",
        ),
        "segments of another length": (
            change(data, segments=segments[:, :2]),
            "got segments of shape (6, 2, 4), expected (6, 3, ...)",
        ),
        "fewer segments than bags": (change(data, segments=segments[:4]), "got segments of shape"),
        "a flat mask": (change(data, mask=mask[0]), "got a mask of shape (3,)"),
        "no segments at all": (change(data, segments={}), "0 segment arrays"),
        "one foreground for all": (
            change(data, foreground=foreground[0]),
            "got foreground of shape (3,), expected (6, 3)",
        ),
        "too few labels": (change(data, label=label[:5]), "got label of shape (5,), expected (6,)"),
        "a scalar label": (change(data, label=label[0]), "labels of shape ()"),
        "too few weights": (change(data, weight=weight[:5]), "got weight of shape (5,)"),
        "labels as floats": (
            change(data, label=label.astype(float)),
            "got label of type float64, expected integers",
        ),
        "a mask of numbers": (
            change(data, mask=mask.astype(float)),
            "got mask of type float64, expected bool",
        ),
        "text as segments": (
            change(data, segments=np.full((BAGS, SEGMENTS), "word")),
            "got segments of type <U4, expected numbers",
        ),
        "a pool index too high": (
            change(pool, segments=with_entry(indices, (3, 0), ROWS)),
            "got pool index 5 in bag 3, expected 0 to 4",
        ),
        "a negative pool index": (
            change(pool, segments=with_entry(indices, (1, 2), -1)),
            "got pool index -1 in bag 1",
        ),
        "values beside a pool": (
            change(pool, segments=segments),
            "got segments of type float64 beside a pool",
        ),
        "an empty pool": (pool._replace(pool=pool.pool[:0]), "expected at least one row"),
        "a pool of another structure": (
            pool._replace(pool={"image": pool.pool}),
            "expected the same structure",
        ),
        "a negative label": (
            change(data, label=with_entry(label, (5,), -1)),
            "got label -1 in bag 5, expected 0 to 2",
        ),
        "a label too high": (
            change(data, label=with_entry(label, (0,), 3)),
            "got label 3 in bag 0",
        ),
        "a negative weight": (
            change(data, weight=with_entry(weight, (1,), -0.5)),
            "got weight -0.5 of bag 1",
        ),
        "a weight that is NaN": (
            change(data, weight=with_entry(weight, (1,), np.nan)),
            "got weight nan of bag 1",
        ),
        "an infinite weight": (
            change(data, weight=with_entry(weight, (1,), np.inf)),
            "got weight inf of bag 1",
        ),
        "no weight": (change(data, weight=weight * 0), "got only zero weights"),
        "foreground where masked out": (
            change(data, foreground=with_entry(foreground, (0, 2), True)),
            "got foreground at masked-out segment 2 of bag 0",
        ),
    }


@pytest.mark.parametrize("fault", sorted(_spoilt(np.random.default_rng(0))))
def test_check_refuses_in_one_line_that_says_got_expected_and_fix(rng, fault):
    data, message = _spoilt(rng)[fault]
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        check(data, "digits, train", CLASSES)
    line = str(refused.value)
    assert line.startswith("digits, train")
    assert "\n" not in line
    assert "got" in line
    assert "expected" in line
    assert ";" in line
