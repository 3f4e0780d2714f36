"""Selective dependence classification tasks: pure functions that return NumPy arrays.

In each bag of segments one alone, the foreground, decides the label. To add a task, write a
function that returns a `jaxattn.core.contracts.Task` and list it in `TASKS`; nothing else knows.
"""

from collections.abc import Callable

from jaxattn.core.contracts import Task
from jaxattn.tasks.digits import digits
from jaxattn.tasks.mosaic import mosaic
from jaxattn.tasks.orthogonal import orthogonal, orthogonal_population

__all__ = ["TASKS", "digits", "mosaic", "orthogonal", "orthogonal_population"]

TASKS: dict[str, Callable[..., Task]] = {
    "digits": digits,
    "orthogonal": orthogonal,
    "orthogonal-population": orthogonal_population,
}
"""Tasks by the name a command line calls them; every argument has a default."""
