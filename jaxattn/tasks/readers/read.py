"""Whatever layout a path has."""

from collections.abc import Mapping
from pathlib import Path

from jaxattn.core.contracts import InputError
from jaxattn.tasks.readers.arrays import read_npz
from jaxattn.tasks.readers.cifar import read_cifar
from jaxattn.tasks.readers.folders import read_folder
from jaxattn.tasks.readers.idx import read_idx_set
from jaxattn.tasks.readers.images import ImageSet

__all__ = ["LAYOUTS", "read_images"]

LAYOUTS: Mapping[str, str] = {
    "IDX": "train-images-idx3-ubyte and train-labels-idx1-ubyte, t10k-... to test, .gz or not",
    "CIFAR-10, for Python": "data_batch_1 to data_batch_5, test_batch, batches.meta",
    "CIFAR-100, for Python": "train, test, meta",
    "CIFAR-10, bytes": "data_batch_1.bin to data_batch_5.bin, test_batch.bin",
    "CIFAR-100, bytes": "train.bin, test.bin",
    "folders of images": "CLASS/IMAGE.png (or .jpg ...), or train/CLASS/... and test/CLASS/...",
    "npz": "a file ending in .npz with X and y, X_test and y_test (or x_train and so on)",
}
"""Files of each layout."""


def read_images(path: str | Path) -> ImageSet:
    """A data set of images in memory, checked: IDX, CIFAR, folders of images, or .npz.

    Args:
        path: a folder, or a file that ends in .npz.

    Raises:
        InputError: nothing there, no layout that is known, or what its reader refuses.
    """
    path = Path(path)
    if path.is_file() and path.suffix == ".npz":
        return read_npz(path)
    if not path.is_dir():
        there = "a file" if path.exists() else "nothing"
        raise InputError(f"{path}: got {there} there, expected a folder, or a file ending in .npz")
    for reader in (read_idx_set, read_cifar, read_folder):
        if (found := reader(path)) is not None:
            return found
    raise InputError(
        f"{path}: got a folder of no known layout, expected IDX (train-images-idx3-ubyte), CIFAR "
        "(data_batch_1, or train), or a folder of images for each class"
    )
