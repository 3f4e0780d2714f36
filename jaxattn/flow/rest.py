"""Whether gradient flow is at rest: by how much it would still move, were its loss a quadratic.

Explicit solvers hover about an optimum, at their tolerance, in the directions in which the loss is
steep. The norm of the gradient does not tell that from a slow way along a flat valley, nor from
the first moments of an escape from a saddle. What tells is how far the flow goes until its end:
with ``A`` the Hessian, ``g`` the gradient here and ``s`` the time left it moves by
``-phi(A) g`` with ``phi(a) = (1 - exp(-s a)) / a``, in every eigendirection of its own: by
``1 / a`` times the gradient where it is steep, by ``s`` times it where it is flat, and by
exponentially more where it falls away.

It is computed in the Krylov space of the gradient (Lanczos), with one eigenvalue more, at 0, which
stands for all that these steps did not resolve (Gauss-Radau): so where no eigenvalue is negative it
is not underestimated (G. H. Golub and G. Meurant, Matrices, Moments and Quadrature with
Applications, 2010, chapter 6). Parts of the gradient that are rounding are left out, but for
directions in which the loss falls away.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree

from jaxattn.core.contracts import Params
from jaxattn.flow.limits.base import RunContext

__all__ = ["DEPTH", "stays"]

DEPTH = 64
"""Most products with the Hessian of one look. Hovering about a valley whose steep directions span a
factor of 300 in curvature is recognised after 32 with a time of 1e9 to go, measured; where there
are fewer parameters it is exact."""

_LARGEST = 600.0
"""What is exponentiated at most: no overflow in float64, and beyond every tolerance."""


def stays(
    context: RunContext, units: PyTree, rtol: float | Array, end: Float[Array, ""]
) -> Callable[[Float[Array, ""], Params, None], Bool[Array, ""]]:
    """``stays(time, params, args)``: whether a flow moves by its tolerance at most until `end`.

    The tolerance is `rtol` of the root mean square of the parameters and one unit, in the `units`.

    Args:
        context: of the run, whose loss does not depend on time.
        units: of each leaf of the parameters; see `flow.units`.
        rtol: of the flow.
        end: its last time.
    """

    def at(time: Float[Array, ""], params: Params, args: None) -> Bool[Array, ""]:
        del args
        flat, unravel = ravel_pytree(params)
        like = jax.tree.map(lambda leaf, unit: jnp.broadcast_to(unit, leaf.shape), params, units)
        unit, _ = ravel_pytree(like)
        # In coordinates over the roots of the parts' rates the flow is that of a gradient.
        scale, _ = ravel_pytree(context.scale(jax.tree.map(jnp.ones_like, params)))
        root = jnp.sqrt(scale)

        def gradient(flat: Array) -> Array:
            return ravel_pytree(context.gradient(time, unravel(flat)))[0]

        def product(vector: Array) -> Array:
            return root * jax.jvp(gradient, (flat,), (root * vector,))[1]

        rounding = jnp.finfo(flat.dtype).eps * jnp.linalg.norm(root * (jnp.abs(flat) + unit))
        moved = root * _way(product, root * gradient(flat), end - time, rounding)
        tolerance = rtol * (_mean_size(flat / unit) + 1)
        return _mean_size(moved / unit) <= tolerance

    return at


def _mean_size(vector: Array) -> Array:
    return jnp.sqrt(jnp.mean(vector**2))


def _way(
    product: Callable[[Array], Array],
    gradient: Float[Array, " n"],
    left: Float[Array, ""],
    rounding: Float[Array, ""],
) -> Float[Array, " n"]:
    """How far the flow goes in the time `left`, but for its sign.

    Args:
        product: of the Hessian with a vector.
        gradient: here.
        left: the time to go.
        rounding: of the point, by which the gradient is wrong times the Hessian's size.
    """
    depth = min(DEPTH, gradient.size)
    length = jnp.linalg.norm(gradient)
    basis, diagonal, beside = _lanczos(product, gradient, length, depth)
    small = jnp.diag(diagonal) + jnp.diag(beside[:-1], 1) + jnp.diag(beside[:-1], -1)
    values, vectors = jnp.linalg.eigh(small)
    # The last entry with which the larger matrix has the eigenvalue 0.
    known = jnp.where(values == 0, jnp.inf, values)
    last = beside[-1] ** 2 * jnp.sum(vectors[-1] ** 2 / known)
    corner = jnp.zeros(depth).at[-1].set(beside[-1])
    whole = jnp.block([[small, corner[:, None]], [corner[None], last[None, None]]])
    values, vectors = jnp.linalg.eigh(whole)
    size = jnp.max(jnp.abs(values))
    parts = length * vectors[0]
    flat = jnp.abs(values) <= (depth + 1) * jnp.finfo(values.dtype).eps * size
    values = jnp.where(flat, 0.0, values)
    parts = jnp.where((jnp.abs(parts) <= rounding * size) & (values >= 0), 0.0, parts)
    reach = -jnp.expm1(jnp.minimum(-values * left, _LARGEST)) / jnp.where(flat, 1.0, values)
    return (vectors @ (jnp.where(flat, left, reach) * parts)) @ basis


def _lanczos(
    product: Callable[[Array], Array],
    start: Float[Array, " n"],
    length: Float[Array, ""],
    depth: int,
) -> tuple[Float[Array, "depth_plus_1 n"], Float[Array, " depth"], Float[Array, " depth"]]:
    """Lanczos's vectors, the diagonal and what is beside it; zeros where the space is exhausted."""
    zero = jnp.zeros(depth, start.dtype)
    basis = jnp.zeros((depth + 1, start.size), start.dtype)
    basis = basis.at[0].set(start / jnp.where(length > 0, length, 1.0))

    def step(at: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        basis, diagonal, beside = state
        image = product(basis[at])
        rest = image
        # Twice is enough.
        for _ in range(2):
            rest = rest - (basis @ rest) @ basis
        size = jnp.linalg.norm(rest)
        exhausted = size <= depth * jnp.finfo(size.dtype).eps * jnp.linalg.norm(image)
        following = jnp.where(exhausted, 0.0, rest / jnp.where(exhausted, 1.0, size))
        return (
            basis.at[at + 1].set(following),
            diagonal.at[at].set(basis[at] @ image),
            beside.at[at].set(jnp.where(exhausted, 0.0, size)),
        )

    return jax.lax.fori_loop(0, depth, step, (basis, zero, zero))
