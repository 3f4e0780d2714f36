"""How curved a loss is, and which way: from its Hessian, which is never written down."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxattn.core.contracts import Hyper, InputError, MeasureSpec, Params
from jaxattn.core.errors import needs_extra
from jaxattn.core.streams import PRNG
from jaxattn.probes.position import coordinates_of
from jaxattn.probes.probe import Loss, Probe

__all__ = ["DEPTH", "Curvature", "sharpness", "top_curvature", "top_eigenvalues"]

DEPTH = 64
"""Steps of Lanczos, where there are so many parameters."""


class Curvature(NamedTuple):
    """The most curved directions at one place."""

    eigenvalues: Float[Array, " eigenvalue"]
    """Falling."""
    direction: Float[Array, " parameter"]
    """Of length 1, with either sign; see `top_curvature`."""


def sharpness(count: int = 1, depth: int = DEPTH, direction: bool = False) -> Probe:
    """The probe of the `count` largest eigenvalues of the Hessian, by `top_eigenvalues`.

    Measures ``sharpness []``, the largest one, and ``eigenvalues [count]``, falling. They are those
    of the Hessian as the optimiser sees it, scaled on both sides by the root of the probe's
    `scale`: so ``learning_rate * sharpness`` is what `jaxattn.training.stability.edge` bounds.
    Along training by Adam it is preconditioned by the second moment, and NaN before the first step.
    With `direction` also ``top_direction [coordinate]``: that of `top_curvature`, in the
    coordinates in which `jaxattn.probes.position.position` has parameters.

    Raises:
        InputError: count below 1 or above depth, or the extra ``curvature`` is not installed; when
            measuring, more eigenvalues than parameters.
    """
    if not 1 <= count <= depth:
        raise InputError(
            f"sharpness: got {count} eigenvalues from {depth} steps of Lanczos, expected at least "
            "1 and at most one a step; change count or depth."
        )
    _lanczos()  # what is missing is said before anything is compiled
    return _sharpness(count, depth, direction)


@lru_cache(maxsize=64)
def _sharpness(count: int, depth: int, direction: bool) -> Probe:
    def measure(loss: Loss, params: Params, hyper: Hyper, scale: Params) -> dict[str, Array]:
        del hyper
        if not direction:
            largest = top_eigenvalues(loss, params, scale, count, depth)
            return {"sharpness": largest[0], "eigenvalues": largest}
        largest, where = top_curvature(loss, params, scale, count, depth)
        top = coordinates_of(where)
        return {"sharpness": largest[0], "eigenvalues": largest, "top_direction": top}

    steepest = MeasureSpec(
        "top_direction", ("coordinate",), long_name="direction of the largest eigenvalue"
    )

    return Probe(
        "sharpness",
        measure,
        (
            MeasureSpec("sharpness", unit="1/time", long_name="largest eigenvalue of the Hessian"),
            MeasureSpec(
                "eigenvalues",
                ("eigenvalue",),
                (tuple(range(1, count + 1)),),
                unit="1/time",
                long_name="largest eigenvalues of the Hessian",
            ),
            *((steepest,) if direction else ()),
        ),
    )


def top_eigenvalues(
    loss: Loss, params: Params, scale: Params, count: int = 1, depth: int = DEPTH
) -> Float[Array, " eigenvalue"]:
    """The `count` largest eigenvalues of ``S^(1/2) H S^(1/2)``, falling; H: the Hessian of `loss`.

    The largest by sign, not by size: a direction in which the loss falls away does not unsettle
    descent. Of a step ``theta -= learning_rate * S * gradient`` these are the rates at which errors
    shrink; for Adam S is the inverse of ``sqrt(v_hat + eps_root) + eps``.

    Lanczos from one fixed random vector, orthogonalised against all before it (matfree), makes
    ``min(parameters, depth)`` steps. Each is one product of the Hessian with a vector, about as
    long as a gradient, and one more sets the size: 64 steps take as long as 60 to 80 gradients
    (benchmarks/bench_10_curvature.py), and ``depth`` times the memory of the parameters.

    With as many steps as parameters the result is exact but for rounding. With fewer it is never
    too large, and falls short by about ``4 parameters exp(-4 depth sqrt(gap)) (largest -
    smallest)`` at most, where gap is ``(first - second) / (second - smallest)`` (Saad, Numerical
    Methods for Large Eigenvalue Problems, 2011, chapter 6): for 500 parameters 64 steps give six
    digits from a gap of 1% on. Where the first two are closer, the second stands in for the first,
    and the gap to the third counts. Equal eigenvalues are listed as often as they occur where
    every step is made, else perhaps fewer times. Rounding is the machine's precision to the power
    3/4, of the largest second derivative: five digits in float32, eleven in float64.

    Args:
        loss: of the parameters alone, twice differentiable.
        params: where; NaN there gives NaN.
        scale: the diagonal of S, not negative, shaped like `params`.
        count: how many eigenvalues.
        depth: most steps of Lanczos.

    Raises:
        InputError: more eigenvalues than parameters or steps, or the extra ``curvature`` is not
            installed.
    """
    return _decomposed(loss, params, scale, count, depth)[0]


def top_curvature(
    loss: Loss, params: Params, scale: Params, count: int = 1, depth: int = DEPTH
) -> Curvature:
    """`top_eigenvalues`, and the direction of the first, of the same steps of Lanczos.

    It is the one along which steps ``theta -= learning_rate * S * gradient`` on a quadratic
    multiply errors by 1 minus the learning rate times the largest eigenvalue, and mix in nothing
    else: what grows is ``w . error``, w the left eigenvector of ``S H``, which is ``S^(-1/2)``
    times the eigenvector (0 where S is), and for S = 1 the Hessian's own. It is made of Lanczos's
    vectors, and off by about the root of what the eigenvalue falls short by over its gap to the
    second; where there is no gap it is one of many.

    Args and Raises are those of `top_eigenvalues`.
    """
    eigenvalues, root, basis, tridiagonal = _decomposed(loss, params, scale, count, depth)
    vector = _top_vector(*tridiagonal) @ basis
    left = jnp.where(root > 0, vector / jnp.where(root > 0, root, 1), 0 * vector)
    return Curvature(eigenvalues, left / jnp.linalg.norm(left))


def _decomposed(
    loss: Loss, params: Params, scale: Params, count: int, depth: int
) -> tuple[Array, Array, Array, tuple[Array, Array]]:
    """The eigenvalues, the root of S, Lanczos's vectors ``[step, parameter]``, what they make."""
    lanczos = _lanczos()
    point, unravel = ravel_pytree(params)
    steps = min(point.size, depth)
    if count > steps:
        raise InputError(
            f"sharpness: got {count} eigenvalues of {point.size} parameters in {depth} steps of "
            f"Lanczos, expected at most {steps}; ask for fewer."
        )
    root = jnp.sqrt(ravel_pytree(scale)[0])
    gradient = jax.grad(lambda flat: loss(unravel(flat)))

    def curve(vector: Float[Array, " parameter"]) -> Float[Array, " parameter"]:
        return root * jax.jvp(gradient, (point,), (root * vector,))[1]

    of_start, of_tilt = jax.random.split(jax.random.key(0, impl=PRNG))
    start = jax.random.normal(of_start, point.shape, point.dtype)
    size = jnp.max(jnp.abs(curve(start)))
    # Once all directions that the Hessian tells apart are used up (many parameters may not matter
    # at all, or alike), what Lanczos divides by is rounding or 0. A small random diagonal tells
    # all apart: the least that stands out from the square of rounding. By Weyl it moves no
    # eigenvalue by more. The size keeps squares of small numbers above 0.
    least = jnp.finfo(point.dtype).eps ** 0.75
    tilt = least * jax.random.uniform(of_tilt, point.shape, point.dtype, -1, 1)
    unit = jnp.where(size > 0, size, 1)
    # Nothing is differentiated through it.
    decompose = lanczos(steps, materialize=False, reortho="full", custom_vjp=False)
    basis, (diagonal, beside), *_ = decompose(lambda each: curve(each) / unit + tilt * each, start)
    # By bisection, in XLA's own operations: a call of LAPACK inside a loop takes threads of its
    # pool, and two programs at once on two cores then wait for each other for ever.
    eigenvalues = jax.scipy.linalg.eigh_tridiagonal(
        diagonal, beside, eigvals_only=True, select="i", select_range=(steps - count, steps - 1)
    )
    return size * eigenvalues[::-1], root, basis, (diagonal, beside)


def _top_vector(
    diagonal: Float[Array, " step"], beside: Float[Array, " less"]
) -> Float[Array, " step"]:
    """The eigenvector of the largest eigenvalue of a small symmetric tridiagonal matrix.

    By powers: the matrix, moved to have positive eigenvalues alone, is squared as often as its
    precision has bits, which parts whatever eigenvalues it tells apart. Of equal ones it is one
    vector of theirs. No call of LAPACK, see `top_eigenvalues`.
    """
    matrix = jnp.diag(diagonal) + jnp.diag(beside, 1) + jnp.diag(beside, -1)
    # By Gershgorin no eigenvalue is below the least of these; further by the largest entry, so that
    # a matrix of one entry does not vanish.
    lowest = jnp.min(diagonal - jnp.sum(jnp.abs(matrix), axis=1) + jnp.abs(diagonal))
    lowest = lowest - jnp.max(jnp.abs(matrix))

    def square(_: Any, power: Float[Array, "step step"]) -> Float[Array, "step step"]:
        power = jnp.matmul(power, power, precision="highest")
        return power / jnp.max(jnp.abs(power))

    moved = matrix - lowest * jnp.eye(diagonal.size, dtype=diagonal.dtype)
    bits = jnp.finfo(diagonal.dtype).nmant + 2  # moved so far, gaps are a quarter at least
    power = jax.lax.fori_loop(0, bits, square, moved / jnp.max(jnp.abs(moved)))
    # All its columns are that vector, and this one is the longest.
    vector = power[:, jnp.argmax(jnp.diag(power))]
    return vector / jnp.linalg.norm(vector)


def _lanczos() -> Callable[..., Any]:
    with needs_extra("sharpness", "curvature"):
        from matfree.decomp import tridiag_sym
    return tridiag_sym
