import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.core.pixels import Pixels, arrays_of, is_pixels

EVERY = np.arange(256, dtype=np.uint8)
COLOURS = {"mean": (0.49, 0.48, 0.45), "std": (0.25, 0.24, 0.26)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_byte_is_read_as_the_published_scale_says_to_one_rounding(dtype):
    exact = (EVERY.astype(np.longdouble) - 127.5) / 127.5
    read = Pixels(EVERY).scaled(EVERY, dtype)
    assert read.dtype == dtype
    # One division of numbers that are exact: half a unit in the last place, and no more.
    assert (np.abs(read - exact) <= np.finfo(dtype).eps / 2 * np.abs(exact)).all()


def test_numpy_and_jax_read_the_same_to_a_rounding():
    rows = EVERY.reshape(4, 64)
    ours, theirs = Pixels(rows)[:], jax.jit(lambda x: Pixels(x).scaled(x, "float32"))(rows)
    # XLA may multiply by the inverse: one rounding more.
    np.testing.assert_allclose(theirs, ours, rtol=2 * np.finfo("float32").eps)


def test_each_colour_may_have_its_own_scale():
    rows = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    pixels = Pixels(rows, **COLOURS)
    expected = (rows / 255 - np.array(COLOURS["mean"])) / np.array(COLOURS["std"])
    # The difference may cancel: absolute, in units of 1 / std.
    np.testing.assert_allclose(pixels[:], expected, atol=1e-14)
    np.testing.assert_array_equal(pixels[[3, 1]], pixels[:][[3, 1]])
    read = jax.jit(lambda x: pixels.scaled(x, "float32"))(rows)
    np.testing.assert_allclose(read, expected, atol=4 * np.finfo("float32").eps / 0.24)


def test_the_scale_is_part_of_the_structure_and_the_bytes_are_its_only_leaf():
    pixels = Pixels(EVERY[:, None])
    assert [leaf.dtype for leaf in jax.tree.leaves(pixels)] == [np.uint8]
    moved = jax.tree.map(jnp.asarray, pixels)
    assert jax.tree.structure(moved) == jax.tree.structure(pixels)
    other = Pixels(EVERY[:, None], mean=0.4)
    assert jax.tree.structure(other) != jax.tree.structure(pixels)
    assert str(jax.tree.structure(other)) != str(jax.tree.structure(pixels)), "fingerprints see it"


def test_a_pool_of_several_parts_has_an_array_for_each():
    pool = {"image": Pixels(EVERY[:, None]), "text": np.zeros((3, 2))}
    assert is_pixels(pool["image"])
    bare = arrays_of(pool)
    assert bare["image"] is pool["image"].values
    assert bare["text"] is pool["text"]
