"""Tsit5 with PI control, written out by hand: what `jaxattn.integrate` is held against.

C. Tsitouras, Comput. Math. Appl. 62 (2011) 770. Nothing but the end is kept: no dense output, no
saves, no events, no statuses.
"""

import jax
import jax.numpy as jnp

A = (
    (0.161,),
    (-0.008480655492356989, 0.335480655492357),
    (2.8971530571054935, -6.359448489975075, 4.3622954328695815),
    (5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525),
    (
        5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401,
        -0.028269050394068383,
    ),
    (
        0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081,
        2.324710524099774,
    ),
)  # fmt: skip
C = (0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0)
ERROR = (
    0.0017800110522257714, 0.0008164344596567463, -0.007880878010261995, 0.1447110071732629,
    -0.5823571654525552, 0.45808210592918686, -1 / 66,
)  # fmt: skip
PROPORTIONAL, INTEGRAL, ORDER, SAFETY, SLOWEST, FASTEST = 0.3, 0.4, 5, 0.9, 0.2, 10.0


def _sum(y, step, weights, slopes):
    def leaf(start, *parts):
        return start + step * sum(w * part for w, part in zip(weights, parts, strict=True))

    return jax.tree.map(leaf, y, *slopes)


def _norm(tree):
    leaves = jax.tree.leaves(tree)
    total = sum(jnp.sum(leaf**2) for leaf in leaves)
    return jnp.sqrt(total / sum(leaf.size for leaf in leaves))


def tsit5(field, y0, end, step, rtol, atol):
    """The value at `end` of ``y' = field(t, y)``, and the counts of evaluations and steps."""

    def scaled(error, *sizes):
        return jax.tree.map(
            lambda e, *s: e / (atol + rtol * jnp.maximum(*map(jnp.abs, s))), error, *sizes
        )

    def body(state):
        time, step, y, slope, before, count, steps = state
        step = jnp.minimum(step, end - time)
        slopes = [slope]
        for place, weights in zip(C, A, strict=True):
            after = _sum(y, step, weights, slopes)
            slopes.append(field(time + place * step, after))
        error = _sum(jax.tree.map(jnp.zeros_like, y), step, ERROR, slopes)
        size = _norm(scaled(error, y, after))
        keep = size < 1
        inverse = 1 / size
        factor = SAFETY * inverse ** ((PROPORTIONAL + INTEGRAL) / ORDER)
        factor = factor * before ** (-PROPORTIONAL / ORDER)
        factor = jnp.clip(factor, jnp.where(keep, 1, SLOWEST), jnp.where(keep, FASTEST, SAFETY))
        y, slope = jax.tree.map(
            lambda new, old: jnp.where(keep, new, old), (after, slopes[-1]), (y, slope)
        )
        time, before = jnp.where(keep, time + step, time), jnp.where(keep, inverse, before)
        return time, step * factor, y, slope, before, count + 6, steps + 1

    start = jnp.zeros_like(end)
    slope, one = field(start, y0), jnp.ones_like(end)
    state = (start, step, y0, slope, one, jnp.asarray(1), jnp.asarray(0))
    _, _, y, _, _, count, steps = jax.lax.while_loop(lambda s: s[0] < end, body, state)
    return y, count, steps
