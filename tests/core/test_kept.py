"""What is kept by an object: the same for equal arguments, and gone with it."""

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

from jaxattn.core import kept as module
from jaxattn.core.kept import kept


class Holder:
    """Something with attributes."""


class Pair(NamedTuple):
    name: str
    function: Callable[[], None]


@kept
def made(owner: Any, number: int = 0, *, word: str = "") -> Any:
    """Something that holds what it was made of, as a closure does."""
    return lambda: (owner, number, word)


@kept
def width_of_a_float(owner: Any) -> int:
    """Bytes, as JAX is set."""
    del owner
    return jnp.zeros(()).dtype.itemsize


def local() -> Callable[[], None]:
    def function() -> None:
        pass

    return function


OWNERS: list[Callable[[], Any]] = [
    Holder,
    local,
    lambda: partial(local),
    lambda: Pair("one", local()),
    lambda: (3, Pair("one", local())),
]


@pytest.mark.parametrize("owner", OWNERS)
def test_equal_arguments_give_the_same_object_and_others_another(owner: Any) -> None:
    one, other = owner(), owner()
    assert made(one, 1) is made(one, 1)
    results = [made(one, 1), made(one, 2), made(one, word="a"), made(other, 1), made(one)]
    assert len(set(results)) == len(results)
    assert [make()[0] for make in results] == [one, one, one, other, one]


def test_what_32_bits_made_is_not_that_of_64() -> None:
    owner = Holder()
    for wide in (False, True, False):
        with jax.enable_x64(wide):
            assert width_of_a_float(owner) == (8 if wide else 4)


@pytest.mark.parametrize("owner", OWNERS)
def test_what_is_made_goes_with_what_it_was_made_of(owner: Any) -> None:
    one = owner()
    result = weakref.ref(made(one, 1))
    gc.collect()
    assert result() is not None
    del one
    gc.collect()
    assert result() is None


def test_names_numbers_and_functions_of_a_module_have_the_module() -> None:
    for owner in ("name", 3, local, (local, "name")):
        assert made(owner) is made(owner)
    assert not hasattr(local, module._NAME)


def test_what_was_used_longest_ago_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    one = Holder()
    first, second = made(one, 0), weakref.ref(made(one, 1))
    for number in (2, 0, 3, 4):
        made(one, number)
    gc.collect()
    assert made(one, 0) is first
    assert second() is None


def test_an_owner_is_copied_and_pickled_without_what_it_keeps() -> None:
    one = Holder()
    made(one)
    for other in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert made(other)()[0] is other
