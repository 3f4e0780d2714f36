"""Which closed theory describes a problem exactly: by what its components are, not their names."""

from jaxattn.core.contracts import AttentionMap, Model, Paradigm, Task
from jaxattn.models.linear import is_linear_from_zero
from jaxattn.problems.attention import softmax
from jaxattn.problems.paradigms import known_as

__all__ = ["theory_of"]


def theory_of(task: Task, model: Model, attention: AttentionMap, paradigm: Paradigm) -> str | None:
    """The paradigm of `jaxattn.reduced` whose path gradient flow follows exactly; None if none.

    That is so where the task is solvable, a linear pair starts from zero under softmax attention
    without a penalty and the loss draws nothing (THEORY section 2), at temperature 1 and with one
    learning rate for both parts, which are for the one who sets them to see to.
    """
    exact = (
        task.solvable
        and is_linear_from_zero(model, task.classes)
        and attention.apply is softmax.apply
        and attention.penalise is None
        and not paradigm.stochastic
    )
    return known_as(paradigm) if exact else None
