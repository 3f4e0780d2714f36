"""Selective dependence classification tasks: pure functions that return NumPy arrays.

In each bag of segments one alone, the foreground, decides the label. To add a task, write a
function that returns a `jaxattn.core.contracts.Task` in a module of this folder and name it in that
module's own `TASKS`; nothing else knows.
"""

from collections.abc import Callable, Mapping

from jaxattn.core.contracts import Task
from jaxattn.core.lookup import discover
from jaxattn.tasks.captions import captions
from jaxattn.tasks.digits import digits
from jaxattn.tasks.mosaic import mosaic
from jaxattn.tasks.orthogonal import orthogonal, orthogonal_population
from jaxattn.tasks.published import cifar10, cifar100, fashion_mnist, mnist
from jaxattn.tasks.rationales import rationales

__all__ = [
    "TASKS",
    "captions",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "mnist",
    "mosaic",
    "orthogonal",
    "orthogonal_population",
    "rationales",
]

TASKS: Mapping[str, Callable[..., Task]] = {
    name: factory for tasks in discover("jaxattn.tasks", "TASKS") for name, factory in tasks.items()
}
"""Tasks by the name a command line calls them; every argument has a default."""
