"""What every engine is: numbers of chunks in, what they came to out, in any order.

A chunk is a pure function of its number, so where it runs, how often and in what order changes
nothing. Whoever opened the engine is the only one to write files.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from jaxattn.core.contracts import InputError

__all__ = ["Engine", "LostWork", "Work", "alone", "keep_busy", "labelled", "listed"]

Work = Callable[[int], Any]
"""What one chunk comes to, from its number; picklable, and the same in any process."""

Results = Iterator[tuple[int, Any]]

_NAMED = 5
"""Numbers that a message lists before it only counts."""


class LostWork(InputError):
    """Chunks that were asked for and not computed, for no fault in what they compute.

    `numbers` are theirs. Whatever was yielded before is whole; the rest may be asked for again.
    """

    def __init__(self, numbers: Iterable[int], what: str) -> None:
        self.numbers = tuple(sorted(numbers))
        super().__init__(f"{listed(self.numbers)} not computed: {what}")


def listed(numbers: tuple[int, ...]) -> str:
    """Chunks as a person reads them: "chunk 3", "chunks 3, 4, 5, 6, 7 and 12 more"."""
    first = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"chunk{'s' if len(numbers) > 1 else ''} {first}{more}"


def alone(name: str) -> None:
    """The barrier of a process that has no other to wait for."""
    del name


@dataclass(frozen=True)
class Engine:
    """Where chunks are computed.

    ``results(work, numbers)`` yields ``(number, work(number))`` as they finish, in any order.
    What a chunk raises comes out with the chunk's number. Leaving the loop early gives up what
    is not finished.

    With several hosts every one of them runs the same program: this one is `process` of
    `processes`, computes its own share of the numbers, and ``barrier(name)`` waits for the
    others. In all other engines the opener is process 0 of 1 and waits for nobody.
    """

    name: str
    results: Callable[[Work, Iterable[int]], Results]
    process: int = 0
    processes: int = 1
    barrier: Callable[[str], None] = alone
    elsewhere: bool = False
    """Whether chunks are computed on other machines than the opener's."""


def keep_busy(
    executor: Executor,
    work: Work,
    numbers: Iterable[int],
    at_once: Callable[[], int],
    lost: str,
    losses: tuple[type[BaseException], ...] = (BrokenExecutor, CancelledError),
) -> Results:
    """Keep an executor supplied, and yield each chunk as it finishes.

    A million numbers and a slow disk need no memory: no number is taken and no result kept
    beyond `at_once` of them.

    Args:
        executor: computes ``work(number)``.
        work: what one chunk comes to.
        numbers: which chunks.
        at_once: how many may be submitted and not yet yielded; asked each time.
        lost: what to say when the executor breaks or cancels a chunk.
        losses: how it tells so.

    Raises:
        LostWork: the executor lost chunks.
        Exception: what a chunk raised, with its number.
    """
    queue = iter(numbers)
    waiting: dict[Future[Any], int] = {}
    try:
        while True:
            for number in islice(queue, max(0, at_once() - len(waiting))):
                waiting[executor.submit(work, number)] = number
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                with labelled(waiting[future]):
                    content = future.result()
                yield waiting.pop(future), content
                del content
    except losses as error:
        raise LostWork(waiting.values(), lost) from error
    finally:
        for future in waiting:
            future.cancel()


@contextmanager
def labelled(number: int) -> Iterator[None]:
    """Say in which chunk something went wrong."""
    try:
        yield
    except LostWork:
        raise
    except InputError as error:
        raise InputError(f"chunk {number}: {error}") from error
    except BaseException as error:
        error.add_note(f"(in chunk {number})")
        raise
