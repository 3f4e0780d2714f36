"""The continuous limits by name, found in the files beside this one, and whose limits they are."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import discover, resolve
from jaxattn.flow.limits.base import Limit
from jaxattn.flow.limits.gradient import LIMIT as FLOW
from jaxattn.problems.minibatches import ORDERS, Order
from jaxattn.training.optimisers import Optimiser
from jaxattn.training.schedules import SCHEDULES

__all__ = ["LIMITS", "limit_for", "limits_of", "optimiser_of"]

LIMITS: Mapping[str, Limit] = {
    limit.name: limit
    for limit in sorted(
        discover("jaxattn.flow.limits", "LIMIT"), key=lambda limit: (limit.place, limit.name)
    )
}
"""The `LIMIT` of every module of this folder, by `Limit.place` and then by name."""


def limits_of(optimiser: Optimiser) -> tuple[str, ...]:
    """Names of the limits that training with this optimiser has."""
    return tuple(name for name, one in LIMITS.items() if _is_of(one, optimiser))


def _is_of(limit: Limit, optimiser: Optimiser) -> bool:
    return not limit.families or optimiser.family in limit.families


def optimiser_of(names: Sequence[str]) -> str:
    """The optimiser that all these limits are of; gradient descent, where they leave a choice.

    Raises:
        InputError: an unknown name; limits of different optimisers.
    """
    limits = [_limit(name) for name in names]
    for family in ("sgd", *(name for limit in limits for name in limit.families)):
        if all(not limit.families or family in limit.families for limit in limits):
            return family
    each = ", ".join(
        f"{limit.name} of {' or '.join(limit.families)}" for limit in limits if limit.families
    )
    raise InputError(
        f"against: got limits of different optimisers ({each}), expected those of one; compare "
        "once for each optimiser."
    )


def limit_for(asked: Any, optimiser: Optimiser, order: Order) -> Limit:
    """A limit by name or itself, for training with this optimiser and minibatches in this order.

    Args:
        asked: a name, or a `Limit`.
        optimiser: that of the training.
        order: how its minibatches are drawn.

    Raises:
        InputError: an unknown name; a limit of other optimisers, or of minibatches in another
            order; a learning rate that changes from step to step, which only gradient flow follows.
    """
    limit = _limit(asked)
    if not _is_of(limit, optimiser):
        known = ", ".join(limits_of(optimiser))
        raise InputError(
            f"{limit.name}: got the optimiser {optimiser.name!r}, expected "
            f"{' or '.join(limit.families)}; of {optimiser.name} these limits are known: {known}."
        )
    if limit is not FLOW and optimiser.schedule is not SCHEDULES["constant"]:
        raise InputError(
            f"{limit.name}: got a learning rate that changes during the run, expected the schedule "
            "constant; of the limits only flow follows a schedule."
        )
    _refuse_order(limit, order)
    return limit


def _limit(asked: Any) -> Limit:
    limit = resolve("limit", LIMITS, asked)
    if not isinstance(limit, Limit):
        raise InputError(
            f"limit: got {type(limit).__name__}, expected a Limit, or one of {', '.join(LIMITS)}."
        )
    return limit


def _refuse_order(limit: Limit, order: Order) -> None:
    if limit.batch_orders is None or (not limit.batch_orders and order.batch_size is None):
        return
    if not limit.batch_orders:
        raise InputError(
            f"{limit.name}: got minibatches of {order.batch_size}, expected full batches, as steps "
            "scaled by the size of the gradient do not follow its mean; leave the batch size out."
        )
    expected = _words(limit)
    if order.batch_size is None:
        raise InputError(
            f"{limit.name}: got full batches, expected minibatches in the order {expected}; "
            "full batches make no noise, and their limit is modified."
        )
    if order.kind not in limit.batch_orders:
        others = (other for other in LIMITS.values() if other.batch_orders and other is not limit)
        known = ", ".join(f"{other.name} is of {_words(other)}" for other in others)
        raise InputError(
            f"{limit.name}: got the order {order.kind!r}, expected {expected}; {known}."
        )


def _words(limit: Limit) -> str:
    """The orders of a limit that can be asked for by name: fresh batches come with their data."""
    return " or ".join(order for order in limit.batch_orders or () if order in ORDERS)
