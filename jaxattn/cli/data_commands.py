"""What can be asked of data sets on the command line: one dataclass a command.

Nothing heavy is imported here, so that ``--help`` answers at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

__all__ = ["Data", "DataCheck", "DataFetch", "DataList"]


@dataclass
class DataList:
    """Say which sets of images have a name, whether they are here, and which layouts are read.

    Example: jaxattn data list
    """

    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""


@dataclass
class DataCheck:
    """Read a data set of images, or of posts with rationales, and say what is in it or wrong.

    Nothing that a file holds is run, and its sizes are looked at before memory is taken for them.

    Example: jaxattn data check cifar-10-batches-py
    """

    path: Annotated[Path, tyro.conf.Positional]
    """A folder, or a file that ends in .npz."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""


@dataclass
class DataFetch:
    """Fetch a published set of images: what is there already and whole is not fetched again.

    It is put where tasks look for it: in JAXATTN_DATA where that is set, or in the user's folder of
    data.

    Example: jaxattn data fetch fashion-mnist
    """

    name: Annotated[str, tyro.conf.Positional]
    """mnist, fashion-mnist, cifar10 or cifar100."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""


@dataclass
class Data:
    """Data sets of images: what can be read, whether yours can, and fetching the published ones."""

    do: (
        Annotated[DataList, tyro.conf.subcommand("list")]
        | Annotated[DataCheck, tyro.conf.subcommand("check")]
        | Annotated[DataFetch, tyro.conf.subcommand("fetch")]
    )
