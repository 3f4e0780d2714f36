"""Tasks of published sets of images: found, read, drawn as published, told by what they hold."""

import gzip
import pickle
from pathlib import Path

import jax
import numpy as np
import pytest
from image_files import batch, write_cifar, write_idx

import jaxattn
from jaxattn.cli.main import main
from jaxattn.core.contracts import InputError
from jaxattn.study.parse import from_plain
from jaxattn.study.settings import Settings
from jaxattn.study.spec_hash import difference, spec_hash, to_plain
from jaxattn.study.study import resolve_settings
from jaxattn.tasks import TASKS, cifar10, cifar100, fashion_mnist, mnist
from jaxattn.tasks.downsample import downsampled
from jaxattn.tasks.readers import read_images
from jaxattn.tasks.readers.catalogue import ANIMALS_AND_PEOPLE, SETS, content_of, find

SIZES = {"train": 12, "test": 6, "validation": 0}
NAMES = ("mnist", "fashion-mnist", "cifar10", "cifar100")
REAL = Path("/usr/share/datasets/fashion-mnist")


@pytest.fixture(autouse=True)
def nothing_is_here(tmp_path, monkeypatch):
    """No data of the machine's: neither fetched nor of a package."""
    monkeypatch.setenv("JAXATTN_DATA", str(tmp_path / "fetched"))
    for name, published in SETS.items():
        monkeypatch.setitem(SETS, name, published._replace(installed=""))


def write(name: str, folder: Path, seed: int = 0) -> Path:
    """A small set of this name: every class, as often in training as in test."""
    folder.mkdir(parents=True, exist_ok=True)
    published = SETS[name]
    classes = len(published.classes)
    count = max(classes, 30)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, *published.shape), dtype=np.uint8)
    kinds = np.arange(count) % classes
    if name == "cifar100":
        for part in ("train", "test"):
            (folder / part).write_bytes(pickle.dumps(batch(pixels, kinds, b"fine_labels")))
    elif name == "cifar10":
        write_cifar(folder, pixels, kinds, protocol=2)
    else:
        write_idx(folder, pixels, kinds)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_task_is_made_of_the_files_at_a_path(tmp_path, name) -> None:
    task = TASKS[name](write(name, tmp_path / "here"), **SIZES)
    assert task.name == name
    assert task.classes == {"mnist": 2, "cifar100": 50}.get(name, 3)
    assert task.template.segments.shape == (5, *SETS[name].shape)
    made = task.make(0)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(made["train"].pool)} == {"uint8"}
    whole = read_images(tmp_path / "here")
    rows = made["test"].pool.values[made["test"].examples.segments]
    last = len(whole.train.kinds)
    assert (made["test"].examples.segments >= last).all(), "of the official test images"
    assert rows.shape == (6, 5, *SETS[name].shape)
    np.testing.assert_array_equal(made["train"].pool.values[last:], whole.test.pixels)


def test_mosaics_are_the_published_draws_from_images_in_their_published_order(tmp_path) -> None:
    folder = write("cifar10", tmp_path)
    whole = read_images(folder).train
    is_foreground = whole.kinds < 3
    made = cifar10(folder, **SIZES, new_mosaics=4).make(0)
    for split, start in (("train", 0), ("new-mosaics", 12)):
        data = made[split]
        shown = data.pool.values[data.examples.segments]
        for row in range(len(shown)):
            stream = np.random.RandomState(start + row)
            bg_idx = stream.randint(0, (~is_foreground).sum(), 4)
            fg_idx, position = stream.randint(0, is_foreground.sum()), stream.randint(0, 5)
            expected = list(whole.pixels[~is_foreground][bg_idx])
            expected.insert(position, whole.pixels[is_foreground][fg_idx])
            np.testing.assert_array_equal(shown[row], expected)
            assert data.examples.label[row] == whole.kinds[is_foreground][fg_idx]


def test_the_foreground_of_cifar100_is_the_ten_superclasses_of_the_paper(tmp_path) -> None:
    classes = SETS["cifar100"].classes
    assert len(set(classes)) == 100
    assert len(set(ANIMALS_AND_PEOPLE)) == 50
    # As the publisher's meta file has them.
    assert [classes.index(name) for name in ("apple", "beaver", "keyboard", "worm")] == [
        0,
        4,
        39,
        99,
    ]
    task = cifar100(write("cifar100", tmp_path), **SIZES)
    label = task.make(0)["train"].examples.label
    assert label.max() < 50


def test_classes_may_be_given_by_name(tmp_path) -> None:
    folder = write("cifar10", tmp_path)
    named = cifar10(folder, foreground=("cat", "airplane"), **SIZES)
    assert named is cifar10(folder, foreground=(0, 3), **SIZES)
    with pytest.raises(InputError, match="foreground: got 'zebra', expected classes of cifar10"):
        cifar10(folder, foreground=("cat", "zebra"))


def test_tasks_of_one_set_share_their_images(tmp_path) -> None:
    folder = write("mnist", tmp_path)
    five, seven = (mnist(folder, segments=count, **SIZES).make(0)["train"] for count in (5, 7))
    assert five.pool.values is seven.pool.values


@pytest.mark.parametrize("name", NAMES)
def test_what_is_nowhere_is_refused_with_what_to_put_where(tmp_path, name) -> None:
    with pytest.raises(InputError, match=f"{name}: got no data in") as refused:
        TASKS[name]()
    line = str(refused.value)
    assert f"jaxattn data fetch {name}" in line
    # Commands that read images have no word in common for where they lie.
    assert "--data" not in line
    assert f"set JAXATTN_DATA to the folder that holds them in its folder {name}" in line
    assert str(tmp_path / "fetched" / name) in line
    assert SETS[name].expected in line


def test_what_was_fetched_comes_before_what_a_package_put_there(tmp_path, monkeypatch) -> None:
    package = write("fashion-mnist", tmp_path / "package")
    published = SETS["fashion-mnist"]._replace(installed=str(package))
    monkeypatch.setitem(SETS, "fashion-mnist", published)
    assert find("fashion-mnist") == package
    assert fashion_mnist(**SIZES) is fashion_mnist(package, **SIZES)
    fetched = tmp_path / "fetched" / "fashion-mnist"
    fetched.mkdir(parents=True)
    for file in published.files:
        assert find("fashion-mnist") == package, "a set is not there before all of it is"
        (fetched / Path(file.url).name).touch()
    assert find("fashion-mnist") == fetched


def test_the_folder_of_an_archive_is_found_in_the_folder_it_was_unpacked_to(tmp_path) -> None:
    inner = write("cifar10", tmp_path / "cifar-10-batches-py")
    assert find("cifar10", tmp_path) == inner
    assert find("cifar10", inner) == inner


@pytest.mark.parametrize("name", NAMES)
def test_files_are_found_in_the_folder_of_their_set_as_where_data_are_said_to_lie(
    tmp_path, name
) -> None:
    own = write(name, tmp_path / "fetched" / name)
    assert find(name) == find(name, own) == own
    made = TASKS[name](**SIZES)
    assert made is TASKS[name](own, **SIZES)
    for file in own.iterdir():
        left = file.read_bytes()
        file.unlink()
        with pytest.raises(InputError, match="got no data in"):
            find(name)
        file.write_bytes(left)
    if inner := SETS[name].unpacked:
        # The folder of an archive goes before files beside it, in either place.
        unpacked = write(name, own / inner)
        assert find(name) == find(name, own) == unpacked


@pytest.mark.parametrize("ending", [".gz", ".bin"])
def test_files_are_found_by_all_names_that_readers_know(tmp_path, ending) -> None:
    name = {".gz": "mnist", ".bin": "cifar10"}[ending]
    own = tmp_path / "fetched" / name
    own.mkdir(parents=True)
    for part in SETS[name].parts:
        with pytest.raises(InputError, match="got no data in"):
            find(name)
        (own / f"{part.replace('-idx', '.idx')}{ending}").touch()
    assert find(name) == own


@pytest.mark.needs_x64
def test_the_missing_data_of_an_experiment_are_told_in_words_that_it_knows(
    capsys, monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EQX_ON_ERROR", "nan")  # set by the command, and put back by this
    words = "reproduce all --scale small --no-cache --out run"
    assert main(words.split()) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "set JAXATTN_DATA to" in err
    assert "--data" not in err


def test_images_are_made_smaller_and_are_told_by_what_was_published(tmp_path) -> None:
    folder = write("cifar10", tmp_path)
    whole, half = (cifar10(folder, **SIZES, downsample=block) for block in (1, 2))
    assert whole is cifar10(folder, **SIZES) is not half
    assert half is cifar10(folder, **SIZES, downsample=np.int64(2))
    assert half.template.segments.shape == (5, 16, 16, 3)
    assert half.content == whole.content == content_of(read_images(folder))
    large, small = (task.make(0) for task in (whole, half))
    for split in ("train", "test"):
        # The same mosaics, of the same images made smaller.
        for each in ("segments", "label", "foreground"):
            drawn = (getattr(made[split].examples, each) for made in (large, small))
            np.testing.assert_array_equal(*drawn)
        expected = downsampled(large[split].pool.values, 2)
        np.testing.assert_array_equal(small[split].pool.values, expected)
    with pytest.raises(InputError, match="downsample: got blocks of 3 x 3") as refused:
        cifar10(folder, downsample=3)
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="downsample: got 0, expected an integer >= 1"):
        cifar10(folder, downsample=0)


def test_a_sweep_of_smaller_images_is_another(tmp_path) -> None:
    folder = write("mnist", tmp_path)
    spec, small = sweep_of(folder), sweep_of(folder, downsample=2)
    assert small.task["downsample"] == 2
    assert small.task["sha256"] == spec.task["sha256"]
    assert spec_hash(small) != spec_hash(spec)
    assert from_plain(to_plain(small)) == small


def test_another_set_is_refused(tmp_path) -> None:
    ten, digits = write("cifar10", tmp_path / "ten"), write("mnist", tmp_path / "digits")
    hundred = write("cifar100", tmp_path / "hundred")
    with pytest.raises(InputError, match=r"got images of shape \(32, 32, 3\) in 10 classes, expe"):
        mnist(ten)
    with pytest.raises(InputError, match="in 100 classes, expected cifar10"):
        cifar10(hundred)
    for file in digits.glob("t10k*"):
        file.unlink()
    with pytest.raises(InputError, match="got no test images, expected those of mnist too"):
        mnist(digits)
    with pytest.raises(InputError, match="got nothing there"):
        mnist(tmp_path / "nowhere")


def test_content_is_told_by_images_and_classes_and_not_by_files(tmp_path) -> None:
    folder = write("mnist", tmp_path / "plain")
    packed = tmp_path / "packed"
    packed.mkdir()
    for file in folder.iterdir():
        (packed / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    content = mnist(folder, **SIZES).content
    assert mnist(packed, **SIZES).content == content == content_of(read_images(folder))
    whole = read_images(folder)
    moved = whole._replace(test=whole.test._replace(kinds=whole.test.kinds[::-1].copy()))
    assert content_of(moved) != content
    assert mnist(folder, **SIZES, sha256=content).content == content
    with pytest.raises(InputError, match=f"of SHA-256 {content}, expected 00, those that were ask"):
        mnist(folder, **SIZES, sha256="00")


def test_files_that_were_changed_are_read_anew(tmp_path) -> None:
    before = mnist(write("mnist", tmp_path), **SIZES)
    assert mnist(tmp_path, **SIZES) is before
    write("mnist", tmp_path, seed=1)
    assert mnist(tmp_path, **SIZES).content != before.content


def sweep_of(folder: Path, **more):
    return from_plain(
        {
            "task": {"name": "mnist", "data": str(folder), **SIZES, **more},
            "settings": {"steps": 2, "saves": 2},
            "axes": {"paradigm": ["soft"], "seed": [0]},
        }
    )


def test_a_sweep_is_fixed_by_what_its_data_hold_wherever_they_lie(tmp_path) -> None:
    here, there, other = (
        write("mnist", tmp_path / name, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    spec, moved, changed = map(sweep_of, (here, there, other))
    assert spec.task["sha256"] == mnist(here).content
    assert spec_hash(spec) == spec_hash(moved) != spec_hash(changed)
    assert difference(spec, moved) == []
    (line,) = difference(spec, changed)
    assert line.startswith("task.sha256: ")
    assert from_plain(to_plain(spec)) == spec, "and it is written down with its folder"
    write("mnist", here, seed=1)
    with pytest.raises(InputError, match=r"expected .* those that were asked for"):
        from_plain(to_plain(spec))


def test_a_sweep_of_a_task_without_data_on_disk_is_what_it_was(tmp_path) -> None:
    spec = from_plain({"task": {"name": "digits"}, "axes": {"paradigm": ["soft"], "seed": [0]}})
    assert "sha256" not in spec.task


def test_data_on_disk_are_compared_by_both_doors(tmp_path, capsys) -> None:
    folder, out = write("cifar10", tmp_path / "here"), tmp_path / "run"
    words = ["--seeds", "1", "--steps", "2", "--saves", "2", "--evaluate", "4", "--model", "linear"]
    sizes = ["--train", "12", "--test", "6", "--validation", "4", "--new-mosaics", "5"]
    more = ["--position", "first", "--downsample", "2"]
    asked = ["compare", "cifar10", "--data", str(folder), *sizes, *more]
    given = [
        *asked,
        *words,
        "--paradigms",
        "soft",
        "--figures",
        "none",
        "--out",
        str(out),
        "--no-cache",
    ]
    assert main(given) == 0, capsys.readouterr().err
    ds = jaxattn.open(out)
    assert list(ds["split"].values) == ["train", "new-mosaics", "validation", "test"]
    assert ds["picture"].shape[-3:] == (16, 16, 3)
    assert cifar10(folder).content in ds.attrs["spec"]
    assert ds["picture_foreground"].values[..., 0].all()
    python = resolve_settings(Settings(task="cifar10", data=folder))
    assert python.subject.task is cifar10(folder)
    assert python.describe()["content"] == cifar10(folder).content


@pytest.mark.parametrize("task", ["digits", "orthogonal"])
def test_data_beside_a_task_that_reads_none_are_refused(tmp_path, capsys, task) -> None:
    with pytest.raises(InputError, match=f"beside the task '{task}', which reads none, expected"):
        jaxattn.compare(task, data=tmp_path)
    assert main(["compare", task, "--data", str(tmp_path), "--no-cache"]) == 2
    assert "--data: " in capsys.readouterr().err


def test_nothing_at_the_path_is_one_line_and_2(tmp_path, capsys) -> None:
    assert main(["compare", "mnist", "--no-cache", "--out", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "jaxattn data fetch mnist" in err


@pytest.mark.data
@pytest.mark.skipif(not REAL.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_debians_fashion_mnist_is_the_published_set(monkeypatch) -> None:
    monkeypatch.setitem(SETS, "fashion-mnist", SETS["fashion-mnist"]._replace(installed=str(REAL)))
    whole = read_images(find("fashion-mnist"))
    for part, each in ((whole.train, 6000), (whole.test, 1000)):
        np.testing.assert_array_equal(np.bincount(part.kinds), np.full(10, each))
    assert "10000 images" in fashion_mnist().summary
