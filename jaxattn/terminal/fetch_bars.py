"""How files come, on standard error: a live bar each on a terminal, nothing elsewhere."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

__all__ = ["FetchBars"]


class _FileBar:
    """Of one file, by the methods of tqdm that pooch calls."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None)

    @property
    def total(self) -> Any:
        """Bytes of the file."""
        return self._progress.tasks[self._progress.task_ids.index(self._task)].total

    @total.setter
    def total(self, count: int) -> None:
        self._progress.update(self._task, total=count)

    def update(self, count: int) -> None:
        """So many bytes more."""
        self._progress.advance(self._task, count)

    def reset(self) -> None:
        """Count from 0 again."""
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        """Nothing more will come."""
        self._progress.stop_task(self._task)


class FetchBars:
    """A bar for each file that is fetched."""

    def __init__(self) -> None:
        """Nothing is shown before the first file."""
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "FetchBars":
        """Open the live display."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self._progress.stop()

    def of(self, name: str) -> Any:
        """The bar of the file of this name."""
        return _FileBar(self._progress, name)
