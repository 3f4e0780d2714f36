"""Published sets of images by name: where their files come from, and where they are looked for."""

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import platformdirs

from jaxattn.core.contracts import InputError
from jaxattn.tasks.readers.cifar import BATCHES, NAMES_10
from jaxattn.tasks.readers.idx import NAMES as IDX_NAMES
from jaxattn.tasks.readers.images import ImageSet
from jaxattn.tasks.readers.read import read_images

__all__ = [
    "ANIMALS_AND_PEOPLE",
    "SETS",
    "Location",
    "PublishedSet",
    "RemoteFile",
    "content_of",
    "find",
    "home",
    "read_set",
    "stamp",
]

Location: TypeAlias = str | os.PathLike[str]
"""Of a folder, or of a file that ends in .npz."""


class RemoteFile(NamedTuple):
    """A file as its publisher gives it out."""

    url: str
    sha256: str
    """Of the file as it is sent."""


class PublishedSet(NamedTuple):
    """A set of images that has a name."""

    shape: tuple[int, ...]
    """Of an image."""
    classes: tuple[str, ...]
    """What the classes are called, by number."""
    files: tuple[RemoteFile, ...]
    parts: tuple[str, ...]
    """Files that are read, by their names without the ending of a packing."""
    expected: str
    """The same in words."""
    unpacked: str = ""
    """Folder within an archive; empty where the files are read as they are."""
    installed: str = ""
    """Where a package of the system puts it."""
    package: str = ""
    """Of Debian and Ubuntu."""


_IDX = tuple(name for names in IDX_NAMES.values() for name in names)
_IDX_WORDS = "train-images-idx3-ubyte, train-labels-idx1-ubyte and the two t10k-..., .gz or not"


def _idx_files(address: str, *sums: str) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(f"{address}/{name}.gz", known) for name, known in zip(_IDX, sums, strict=True)
    )


ANIMALS_AND_PEOPLE: tuple[str, ...] = (
    *("beaver", "dolphin", "otter", "seal", "whale"),
    *("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    *("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    *("bear", "leopard", "lion", "tiger", "wolf"),
    *("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    *("fox", "porcupine", "possum", "raccoon", "skunk"),
    *("crab", "lobster", "snail", "spider", "worm"),
    *("baby", "boy", "girl", "man", "woman"),
    *("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    *("hamster", "mouse", "rabbit", "shrew", "squirrel"),
)
"""The classes of CIFAR-100 that are foreground (PAPER 3.3)."""

_THINGS_AND_PLANTS = (
    *("orchid", "poppy", "rose", "sunflower", "tulip"),
    *("bottle", "bowl", "can", "cup", "plate"),
    *("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    *("clock", "keyboard", "lamp", "telephone", "television"),
    *("bed", "chair", "couch", "table", "wardrobe"),
    *("bridge", "castle", "house", "road", "skyscraper"),
    *("cloud", "forest", "mountain", "plain", "sea"),
    *("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    *("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    *("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
)

_CIFAR = "https://www.cs.toronto.edu/~kriz"

SETS: Mapping[str, PublishedSet] = {
    "mnist": PublishedSet(
        (28, 28),
        tuple(map(str, range(10))),
        # The author's own server asks for a password; this is the copy that PyTorch reads.
        _idx_files(
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        _IDX,
        _IDX_WORDS,
    ),
    "fashion-mnist": PublishedSet(
        (28, 28),
        (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        _idx_files(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        _IDX,
        _IDX_WORDS,
        installed="/usr/share/datasets/fashion-mnist",
        package="dataset-fashion-mnist",
    ),
    "cifar10": PublishedSet(
        (32, 32, 3),
        NAMES_10,
        (
            RemoteFile(
                f"{_CIFAR}/cifar-10-python.tar.gz",
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            ),
        ),
        (*BATCHES, "test_batch"),
        "data_batch_1 to data_batch_5 and test_batch, or the same ending in .bin",
        unpacked="cifar-10-batches-py",
    ),
    "cifar100": PublishedSet(
        (32, 32, 3),
        tuple(sorted((*ANIMALS_AND_PEOPLE, *_THINGS_AND_PLANTS))),
        (
            RemoteFile(
                f"{_CIFAR}/cifar-100-python.tar.gz",
                "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            ),
        ),
        ("train", "test"),
        "train and test, or the same ending in .bin",
        unpacked="cifar-100-python",
    ),
}
"""By the name that a command line calls them."""


def home(name: str) -> Path:
    """The folder of a set that is fetched: in ``JAXATTN_DATA``, or where a user's data belong.

    Raises:
        InputError: there is no such place.
    """
    if told := os.environ.get("JAXATTN_DATA"):
        return Path(told) / name
    try:
        return platformdirs.user_data_path("jaxattn") / name
    except RuntimeError as error:  # nobody's home, as of a user that a container does not know
        raise InputError(
            f"{name}: got no home folder, expected a place for data; set JAXATTN_DATA to a folder"
        ) from error


def find(name: str, data: Location | None = None) -> Path:
    """Where a set lies, from the root: at `data`, or where it was fetched to or a package put it.

    Its files lie in that folder, or in the one within it that its archive unpacks to.

    Args:
        name: of the set.
        data: a folder, or a file that ends in .npz, as `read_images` reads.

    Raises:
        InputError: nowhere, with what to put where.
    """
    published = SETS[name]
    if data is not None:
        return _innermost(Path(data).absolute(), published)
    fetched = home(name).absolute()
    place = _innermost(fetched, published)
    # Files are put there one by one, an archive's folder at once.
    if place != fetched or all(_has(fetched, part) for part in published.parts):
        return place
    if published.installed and Path(published.installed).is_dir():
        return Path(published.installed)
    package = f", install Debian's {published.package}" if published.package else ""
    raise InputError(
        f"{name}: got no data in {fetched}, expected {published.expected}; run jaxattn data fetch "
        f"{name}{package}, or set JAXATTN_DATA to the folder that holds them in its folder {name}"
    )


def _innermost(folder: Path, published: PublishedSet) -> Path:
    """The folder that an archive unpacks to, where it lies in this one; else this one."""
    inner = folder / published.unpacked
    return inner if inner.is_dir() else folder


def _has(folder: Path, part: str) -> bool:
    """Whether a file lies there under one of the names that readers know."""
    names = (part, part.replace("-idx", ".idx"))
    return any((folder / f"{name}{end}").exists() for name in names for end in ("", ".gz", ".bin"))


def read_set(name: str, data: Location | None = None) -> ImageSet:
    """A set by name, if it is what it is called.

    Args:
        name: of the set.
        data: where it lies; see `find`.

    Raises:
        InputError: it is nowhere, what `read_images` refuses, images of another shape, other
            classes, or no test images.
    """
    published, path = SETS[name], find(name, data)
    whole = read_images(path)
    shape = whole.train.pixels.shape[1:]
    if shape != published.shape or len(whole.classes) > len(published.classes):
        raise InputError(
            f"{path}: got images of shape {shape} in {len(whole.classes)} classes, expected "
            f"{name}: {published.shape} in {len(published.classes)}; is it another set?"
        )
    if whole.test is None:
        raise InputError(
            f"{path}: got no test images, expected those of {name} too: {published.expected}; add "
            "them"
        )
    return whole._replace(classes=published.classes)


def content_of(whole: ImageSet) -> str:
    """SHA-256 of all images and their classes in order, whatever files they lie in."""
    digest = sha256()
    for part in (whole.train, whole.test):
        for array in part or ():
            plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            digest.update(f"{plain.dtype.str}{plain.shape}".encode())
            digest.update(plain.data)
    return digest.hexdigest()


def stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells that files were changed: name, size and time of each; nothing if none is there."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple(
        (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.exists()
    )
