"""Units that a solution is counted in, so that an absolute error assumes no scale of it."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.integrate.solution import Function

__all__ = ["counted_in", "in_units", "own_units", "times_units"]


def own_units(tree: PyTree) -> PyTree[Float[Array, ""]]:
    """The unit of every leaf: about its root mean square, a power of two.

    A leaf of zeros has the smallest unit of the others; where all are zeros, it is 1. A power of
    two, so that counting in it rounds nothing: what is solved in units is the same equation, bit
    for bit, for starts that differ by powers of two, and a leaf near 1 is left as it is.

    Args:
        tree: floats of one kind, such as parameters, or their velocities.
    """
    leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, tree))
    sizes = [_power_of_two(_root_mean_square(leaf)) for leaf in leaves]
    known = [jnp.where(size > 0, size, jnp.inf) for size in sizes]
    least = _least(known)
    least = jnp.where(jnp.isfinite(least), least, 1.0)
    units = [jnp.where(jnp.isfinite(size), size, least) for size in known]
    # The path does not depend on its units, and so neither do its derivatives.
    return jax.lax.stop_gradient(jax.tree.unflatten(structure, units))


def _least(sizes: Sequence[Array]) -> Array:
    return jnp.min(jnp.stack(sizes)) if sizes else jnp.ones(())


def _root_mean_square(leaf: Array) -> Array:
    # Over the largest first: squares of small numbers would be 0, those of large ones infinite.
    largest = jnp.max(jnp.abs(leaf), initial=0.0)
    shares = leaf / jnp.where(largest > 0, largest, 1.0)
    return largest * jnp.sqrt(jnp.mean(shares**2)) if leaf.size else largest


def _power_of_two(size: Array) -> Array:
    """The power of two that is nearest to a size in its logarithm; 0 of 0."""
    mantissa, _ = jnp.frexp(size)  # from 1/2 to 1, and the rest is a power of two
    nearest = jnp.where(mantissa < 0.5**0.5, 2 * mantissa, mantissa)
    return size / jnp.where(size > 0, nearest, 1.0)


def counted_in(units: PyTree, tree: PyTree) -> PyTree:
    """The leaves of `tree` over their units."""
    return jax.tree.map(lambda leaf, unit: leaf / unit, tree, units)


def times_units(units: PyTree, tree: PyTree) -> PyTree:
    """The leaves of `tree`, which are counted in these units, as they are."""
    return jax.tree.map(lambda leaf, unit: leaf * unit, tree, units)


def in_units(function: Function, units: PyTree) -> Function:
    """A function of time, value and ``args`` as one of the value counted in units."""

    def of_counted(t: Array, y: PyTree, args: PyTree) -> PyTree:
        return function(t, times_units(units, y), args)

    return of_counted
