"""Data sets of images: as they are published, and refused by name where they are not."""

import gzip
import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from image_files import batch, idx, planes, write_cifar, write_idx
from PIL import Image

from jaxattn.core.contracts import InputError
from jaxattn.tasks.readers import read_images
from jaxattn.tasks.readers.idx import read_idx
from jaxattn.tasks.readers.pickles import read_pickle


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8), np.arange(12) % 10


def gzipped(data: bytes) -> bytes:
    """Without the time: xdist's workers call a test by its bytes, and both must say the same."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress])
def test_idx_is_read_plain_and_gzipped(tmp_path, images, pack) -> None:
    pixels, kinds = images[0][..., 0], images[1]
    write_idx(tmp_path, pixels, kinds, pack)
    found = read_images(tmp_path)
    for part in (found.train, found.test):
        np.testing.assert_array_equal(part.pixels, pixels)
        np.testing.assert_array_equal(part.kinds, kinds)
    assert found.classes == tuple("0123456789")


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_cifar_is_read_whatever_protocol_wrote_it(tmp_path, images, protocol) -> None:
    write_cifar(tmp_path, *images, protocol)
    meta = {b"label_names": [name.encode() for name in "abcdefghij"]}
    (tmp_path / "batches.meta").write_bytes(pickle.dumps(meta, protocol=protocol))
    found = read_images(tmp_path)
    np.testing.assert_array_equal(found.train.pixels, np.concatenate([images[0]] * 5))
    np.testing.assert_array_equal(found.test.kinds, images[1])
    assert found.classes == tuple("abcdefghij")


def test_cifar_100_has_its_fine_classes(tmp_path, images) -> None:
    for name in ("train", "test"):
        whole = {**batch(*images, b"fine_labels"), b"coarse_labels": [0] * 12}
        (tmp_path / name).write_bytes(pickle.dumps(whole, protocol=2))
    found = read_images(tmp_path)
    np.testing.assert_array_equal(found.train.kinds, images[1])
    assert len(found.classes) == 100


@pytest.mark.parametrize(("labels", "names"), [(1, 6), (2, 2)])
def test_cifar_as_bytes_has_its_last_label(tmp_path, images, labels, names) -> None:
    pixels, kinds = images
    leading = np.stack([*[np.zeros(12, int)] * (labels - 1), kinds], axis=1).astype(np.uint8)
    record = np.concatenate([leading, planes(pixels)], axis=1).tobytes()
    written = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
    for name in written if names == 6 else ["train", "test"]:
        (tmp_path / f"{name}.bin").write_bytes(record)
    found = read_images(tmp_path)
    np.testing.assert_array_equal(found.test.pixels, pixels)
    np.testing.assert_array_equal(found.test.kinds, kinds)


@pytest.mark.parametrize("split", [False, True])
def test_folders_of_images_are_classes_by_name(tmp_path, images, split) -> None:
    for part in ("train", "test") if split else (".",):
        for number, pixels in enumerate(images[0]):
            folder = tmp_path / part / ("dog" if number % 2 else "cat")
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{number:02}.png")
    found = read_images(tmp_path)
    assert found.classes == ("cat", "dog")
    np.testing.assert_array_equal(found.train.kinds, [0] * 6 + [1] * 6)
    in_order = np.concatenate([images[0][::2], images[0][1::2]])
    np.testing.assert_array_equal(found.train.pixels, in_order)
    assert (found.test is not None) == split


def test_one_picture_in_colour_makes_all_so(tmp_path) -> None:
    for name, shape in (("a", (4, 4)), ("b", (4, 4, 3))):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full(shape, 7, np.uint8)).save(tmp_path / name / "0.png")
    np.testing.assert_array_equal(read_images(tmp_path).train.pixels, np.full((2, 4, 4, 3), 7))


@pytest.mark.parametrize("names", [("X", "y", "X_test", "y_test"), ("x_train", "y_train")])
def test_npz_is_read_under_either_names(tmp_path, images, names) -> None:
    path = tmp_path / "set.npz"
    np.savez_compressed(path, **dict(zip(names, images * 2, strict=False)))
    found = read_images(path)
    np.testing.assert_array_equal(found.train.pixels, images[0])
    assert (found.test is not None) == (len(names) == 4)


# --- refused


HEADER = bytes([0, 0, 8, 3])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "begins with nothing"),
        (HEADER + struct.pack(">3I", 2**31, 28, 28), "2147483648 x 28 x 28 entries"),
        (gzipped(HEADER + struct.pack(">3I", 2**31, 28, 28)), "begins with 1f8b"),
        (HEADER + struct.pack(">2I", 1, 1), "expected all of them"),
        (bytes([3, 8, 0, 0]) + struct.pack("<3I", 1, 2, 2) + b"abcd", "little-endian"),
        (bytes([0, 0, 13, 1]) + struct.pack(">If", 1, 1.0), "type 0x0d"),
        (idx(np.zeros((2, 3), np.uint8)) + b"x", "more entries"),
        (idx(np.zeros((2, 3), np.uint8))[:-1], "expected all of them"),
    ],
)
def test_an_idx_file_that_is_not_what_it_says_is_refused(tmp_path, content, said) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_idx(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzipped(idx(np.arange(200, dtype=np.uint8)))[:-20], "truncated or damaged"),
        (b"no gzip at all", "truncated or damaged"),
        (gzipped(HEADER + struct.pack(">3I", 2**31, 28, 28)), "at most"),
        (gzipped(idx(np.zeros(9, np.uint8))[:-1]), "got 8 entries"),
    ],
)
def test_a_gzipped_idx_file_too(tmp_path, content, said) -> None:
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_idx(path)


class Runs:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def proto(*operations: bytes) -> bytes:
    return b"\x80\x02" + b"".join(operations) + b"."


LONG = b"X" + struct.pack("<I", 10**6) + b"a" * 10**6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "asks for os.system, expected"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "asks for __builtin__.eval, expected"),
        (pickle.dumps([1]), "got a list"),
        (pickle.dumps({"a": 1.5}), "BINFLOAT"),
        (pickle.dumps({"a": {1}}), "EMPTY_SET"),
        (pickle.dumps({"a": (1, 2)}), "got a tuple"),
        (pickle.dumps({"a": [[1]]}), "got a list"),
        (pickle.dumps({"a": np.zeros(2)}), "type 'f8'"),
        (pickle.dumps({"a": np.array([None])}), "type 'O8'"),
        (pickle.dumps({"a": np.zeros((2, 2), np.uint8, order="F")}), "row after row"),
        (pickle.dumps({"a": b"x" * 300})[:-9], "truncated or damaged"),
        (b"", "truncated or damaged"),
        # Lengths and places that Python would take memory for, and then read.
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".", "truncated or damaged"),
        (proto(b"}r" + struct.pack("<I", 2**31)), "got a place"),
        # A function is no place to write to.
        (proto(b"cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb"), "changes a function"),
        # A text of a million letters, as bytes again and again.
        (
            proto(
                b"}X\x01\x00\x00\x00a](",
                b"c_codecs\nencode\n" + LONG + b"q\x01X\x06\x00\x00\x00latin1q\x02\x86R",
                b"c_codecs\nencode\nh\x01h\x02\x86R" * 9,
                b"es",
            ),
            "again and again",
        ),
    ],
)
def test_a_pickle_of_anything_else_is_refused_and_nothing_is_run(tmp_path, content, said) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as refusal:
        read_pickle(path)
    assert str(path) in str(refusal.value)


def test_what_a_pickle_asks_to_run_is_not_run(tmp_path) -> None:
    path, touched = tmp_path / "data_batch_1", tmp_path / "owned"
    path.write_bytes(pickle.dumps({"data": Runs(touched)}))
    with pytest.raises(InputError, match="nothing of it was run"):
        read_pickle(path)
    assert not touched.exists()


def test_a_list_under_many_names_is_looked_at_once(tmp_path) -> None:
    path, many = tmp_path / "batch", list(range(1000))
    path.write_bytes(pickle.dumps(dict.fromkeys(range(1000), many)))
    assert read_pickle(path)[999] == many


def npz(header: dict, data: bytes) -> bytes:
    file, member = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(member, header)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", member.getvalue() + data)
        archive.writestr("y.npy", member.getvalue() + data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (npz({"descr": "|u1", "fortran_order": False, "shape": (2**40,)}, b"abc"), "fill it"),
        (npz({"descr": "|O", "fortran_order": False, "shape": (1,)}, b"N."), "fill it"),
        (b"PK\x03\x04 no zip", "cannot read"),
    ],
)
def test_an_npz_file_that_is_not_what_it_says_is_refused(tmp_path, content, said) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_images(path)


def test_an_npz_file_damaged_in_the_middle_is_refused(tmp_path, images) -> None:
    path = tmp_path / "set.npz"
    np.savez_compressed(path, X=images[0], y=images[1])
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot read"):
        read_images(path)


def spoil(folder: Path, pixels: np.ndarray, kinds: np.ndarray, how: str) -> None:
    write_idx(folder, pixels, kinds)
    labels = folder / "train-labels-idx1-ubyte"
    if how == "no labels":
        labels.unlink()
    elif how == "too few labels":
        labels.write_bytes(idx(kinds[:-1].astype(np.uint8)))
    elif how == "no images":
        (folder / "train-images-idx3-ubyte").write_bytes(idx(pixels[:0]))
        labels.write_bytes(idx(kinds[:0].astype(np.uint8)))
    elif how == "another size":
        (folder / "t10k-images-idx3-ubyte").write_bytes(idx(pixels[:, :9]))
    elif how == "a link out":
        outside = folder.parent / "outside"
        outside.write_bytes(labels.read_bytes())
        labels.unlink()
        labels.symlink_to(outside)
    elif how == "a link to nothing":
        labels.unlink()
        labels.symlink_to(folder / "nothing")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no labels", "without train-labels"),
        ("too few labels", "one label for each image"),
        ("no images", "one or more"),
        ("another size", "one shape"),
        ("a link out", "a link out of"),
        ("a link to nothing", "leads nowhere"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(tmp_path, images, how, said) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    spoil(folder, images[0][..., 0], images[1], how)
    with pytest.raises(InputError, match=said):
        read_images(folder)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", "data_batch_3"),
        ("class 10", "labels from 0 to 10"),
        ("grey", r"\[image, 3072\]"),
    ],
)
def test_batches_that_are_not_cifar_are_refused(tmp_path, images, how, said) -> None:
    pixels, kinds = images
    write_cifar(tmp_path, pixels, kinds, 2)
    if how == "missing":
        (tmp_path / "data_batch_3").unlink()
    else:
        wrong = batch(pixels, kinds + (how == "class 10"))
        if how == "grey":
            wrong[b"data"] = wrong[b"data"][:, :1024]
        (tmp_path / "data_batch_1").write_bytes(pickle.dumps(wrong, protocol=2))
    with pytest.raises(InputError, match=said):
        read_images(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"), [(b"no picture", "cannot be read"), (None, "bring all to one size")]
)
def test_pictures_that_do_not_fit_are_refused(tmp_path, content, said) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name / "0.png")
    other = tmp_path / "dog" / "1.png"
    if content is None:
        Image.fromarray(np.zeros((5, 4), np.uint8)).save(other)
    else:
        other.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_images(tmp_path)


@pytest.mark.parametrize("there", ["nothing", "a file", "an empty folder"])
def test_what_is_no_data_set_is_refused_with_what_is(tmp_path, there) -> None:
    path = tmp_path / "here"
    if there == "a file":
        path.write_bytes(b"")
    elif there == "an empty folder":
        path.mkdir()
    with pytest.raises(InputError, match=r"expected a folder|no known layout"):
        read_images(path)
