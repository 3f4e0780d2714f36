"""One Flax module as a function of its parameters, of a segment, and of a key in training."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import flax.linen as nn
import jax
from flax.errors import InvalidRngError
from jaxtyping import Array, Float, PyTree

from jaxattn.core.errors import InputError
from jaxattn.core.programs import program_of

__all__ = ["Network", "refuse_shared"]

_IN_TRAINING = {"deterministic": False, "train": True, "training": True, "is_training": True}
"""What a module's `__call__` may be told of training, and how; the opposite outside of it."""


@dataclass(frozen=True)
class Network:
    """A module, told whether it is in training where it can be told.

    Raises:
        InputError: it is no instance of `flax.linen.Module`.
    """

    owner: str
    """What to call it in messages."""
    module: Any
    """What a person hands in; looked at here."""
    stochastic: bool
    """Whether it is given keys in training."""

    def __post_init__(self) -> None:
        if isinstance(self.module, nn.Module):
            return
        got, of_class = type(self.module).__name__, isinstance(self.module, type)
        name = self.module.__name__ if of_class else got
        raise InputError(
            f"{self.owner}: got {'the class ' if of_class else ''}{name}, expected an instance of "
            f"flax.linen.Module; of a class of flax.nnx make nnx.bridge.to_linen({name}, ...), of "
            "anything else, such as Equinox, a Model of your own (docs/models.md)."
        )

    @property
    def flags(self) -> dict[str, bool]:
        """What its `__call__` can be told of training, and what it is told there."""
        known = inspect.signature(type(self.module).__call__).parameters
        return {name: said for name, said in _IN_TRAINING.items() if name in known}

    def init(self, key: Array, segment: PyTree) -> PyTree:
        """The parameters of one start.

        Raises:
            InputError: it has variables that are no parameters; undeclared, it is another one in
                training.
        """
        variables = self.module.init(key, segment, **self._told(training=False))
        if others := variables.keys() - {"params"}:
            raise InputError(
                f"{self.owner}: got a module with variables in {', '.join(sorted(others))}, which "
                "nothing here updates, expected parameters alone; in place of nn.BatchNorm take "
                "nn.LayerNorm or nn.GroupNorm: a model sees one segment at a time."
            )
        params = variables.get("params", {})
        if self.flags and not self.stochastic:
            self._refuse_training(params, segment)
        return params

    def __call__(self, params: PyTree, segment: PyTree, key: Array | None) -> Float[Array, "..."]:
        """What it makes of a segment: in training where there is a key, else outside of it.

        Raises:
            InputError: it draws outside training, too.
        """
        # A stream that a module calls otherwise is drawn from params, as Flax does.
        names = ("params", "dropout")
        rngs = None if key is None else dict(zip(names, jax.random.split(key), strict=True))
        try:
            return self.module.apply(
                {"params": params}, segment, **self._told(key is not None), rngs=rngs
            )
        except InvalidRngError as error:
            raise InputError(
                f"{self.owner}: got a module that draws although it is not told that it is in "
                "training, expected one whose __call__ takes `deterministic` and hands it on to "
                "nn.Dropout; then say pair(..., stochastic=True)."
            ) from error

    def _told(self, training: bool) -> dict[str, bool]:
        return {name: said is training for name, said in self.flags.items()}

    def _refuse_training(self, params: PyTree, segment: PyTree) -> None:
        def apply(training: bool) -> Any:
            return lambda params, segment: self.module.apply(
                {"params": params}, segment, **self._told(training)
            )

        shapes = jax.eval_shape(lambda: (params, segment))
        try:
            same = program_of(apply(True), *shapes).same_as(program_of(apply(False), *shapes))
        except InvalidRngError:
            same = False
        if not same:
            raise InputError(
                f"{self.owner}: got a module that is another one in training (as with dropout), "
                "expected one that is not; say pair(..., stochastic=True) to train it so, or set "
                "its rate to 0."
            )


def refuse_shared(focus: nn.Module, classifier: nn.Module) -> None:
    """Refuse one module inside both networks: each would have parameters of its own for it.

    Raises:
        InputError: with the module's class.
    """
    known = {id(module) for module in _modules_in(focus)}
    for module in _modules_in(classifier):
        if id(module) in known:
            name = type(module).__name__
            raise InputError(
                f"pair: got one {name} inside both modules, which would share no parameters, "
                f"expected modules of their own; make another {name}, or share one in `represent` "
                "of a Model of your own (docs/models.md)."
            )


def _modules_in(tree: Any) -> Iterator[nn.Module]:
    """The modules of a tree, and those that are their fields."""
    leaves = jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, nn.Module))
    for module in (leaf for leaf in leaves if isinstance(leaf, nn.Module)):
        yield module
        own = [field.name for field in fields(module) if field.name not in ("parent", "name")]
        yield from _modules_in([getattr(module, name, None) for name in own])
