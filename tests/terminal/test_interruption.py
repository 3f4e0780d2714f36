"""Ctrl-C where Python has to ignore it."""

import gc
import signal
import sys
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from jaxattn.terminal.interruption import interruption_heard


def press(*_: object) -> None:
    """Ctrl-C, as the main thread meets it."""
    signal.raise_signal(signal.SIGINT)


class Object:
    """Something that dies."""


class Pressed:
    def __del__(self) -> None:
        press()


class InACycle(Pressed):
    def __init__(self) -> None:
        self.me = self


def of_a_weak_reference() -> None:
    kept, gone = [], Object()
    kept.append(weakref.ref(gone, press))
    del gone


def of_a_finaliser() -> None:
    Pressed()


def of_the_collector() -> None:
    InACycle()
    gc.collect()


@pytest.fixture(autouse=True)
def hook() -> Iterator[list[object]]:
    """What is ignored, in place of pytest's own hook, which would call it a warning."""
    before, ignored = sys.unraisablehook, list[object]()
    sys.unraisablehook = lambda what: ignored.append(what.exc_type)
    yield ignored
    sys.unraisablehook = before


@pytest.mark.parametrize("ignoring", [of_a_weak_reference, of_a_finaliser, of_the_collector])
def test_an_ignored_ctrl_c_wakes_what_runs(
    ignoring: Callable[[], None], hook: list[object]
) -> None:
    ignoring()
    assert hook == [KeyboardInterrupt]  # Python alone goes on
    # It comes while it sleeps.
    with interruption_heard(), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        ignoring()
        time.sleep(60)
    assert hook == [KeyboardInterrupt]


def test_it_is_tried_until_it_is_heard() -> None:
    came_in = []

    class Slow:
        def __del__(self) -> None:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                came_in.append("again")
                raise

    # It comes while it sleeps.
    with interruption_heard(), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        Pressed()
        Slow()
        time.sleep(60)
    assert came_in == ["again"]


def test_anything_else_is_ignored_as_before(hook: list[object]) -> None:
    class Faulty:
        def __del__(self) -> None:
            raise ValueError

    before = sys.unraisablehook
    with interruption_heard():
        Faulty()
    assert hook == [ValueError]
    assert sys.unraisablehook is before
