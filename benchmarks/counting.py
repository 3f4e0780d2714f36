"""Work of one step of one seed, counted by hand: what the machine's limits are held against.

Operations are those of the matrix products alone (a multiply and an add are two): exp and log are
not in the count, and on a CPU they cost as much as the products of the linear model. Bytes are what
a step moves when each layer's outputs and their gradients are written once and read once, in
float32, and the parameters and their gradients likewise; what is shared by the seeds of a tile
(the minibatch) is left out. Most of it may stay in a cache.
"""

from itertools import pairwise
from typing import NamedTuple

FLOAT = 4


class Work(NamedTuple):
    operations: float
    bytes: float


def _dense(inputs: int, widths: tuple[int, ...], *, input_gradient: bool) -> Work:
    """Dense layers on `inputs` vectors, `widths` from the first to the last: there and back.

    Each layer multiplies three times: outputs, gradient of the kernel, gradient of its inputs; the
    first one needs the last of these only where what it reads was learnt.
    """
    operations = moved = 0.0
    for number, (of, to) in enumerate(pairwise(widths)):
        products = 3 if number or input_gradient else 2
        operations += products * 2 * inputs * of * to
        moved += 4 * inputs * to + 4 * of * to
    return Work(operations, FLOAT * moved)


def step(
    paradigm: str,
    *,
    batch: int,
    segments: int,
    features: int,
    classes: int,
    hidden: tuple[int, ...] = (),
    learns_focus: bool = True,
) -> Work:
    """One gradient step: focus model, classification model and, for soft, the average.

    Soft reads one averaged value a bag, the others read every segment.
    """
    bags = batch * segments
    parts = []
    if learns_focus:
        parts.append(_dense(bags, (features, *hidden, 1), input_gradient=False))
    soft = paradigm == "soft"
    parts.append(
        _dense(
            batch if soft else bags,
            (features, *hidden, classes),
            input_gradient=soft and learns_focus,
        )
    )
    if soft:
        # The mean of the segments and, back, the product of its gradient with each segment.
        products = 2 if learns_focus else 1
        parts.append(Work(products * 2 * bags * features, FLOAT * 4 * batch * features))
    return Work(sum(part.operations for part in parts), sum(part.bytes for part in parts))
