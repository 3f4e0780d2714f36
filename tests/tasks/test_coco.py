import json

import numpy as np
import pytest
from coco_files import change, write_part
from PIL import Image

from jaxattn.core.contracts import InputError
from jaxattn.core.words import EOS, PAD, RESERVED, UNK, text_of
from jaxattn.problems.check_data import check_splits
from jaxattn.tasks.coco import coco, tiles_in, words_of

ASKED = {"longest": 8, "least": 1}


@pytest.fixture
def folder(tmp_path):
    for part in ("train2014", "val2014"):
        write_part(tmp_path, part)
    return tmp_path


def left_out(folder, **asked):
    """What a warning and the summary of a task say."""
    with pytest.warns(UserWarning, match="left out") as told:
        task = coco(folder, **asked)
    (warning,) = told
    assert str(warning.message).split(": ", 1)[1] in task.summary
    return task.summary


def named(task, examples):
    """Of every example: each word that has cells, and which."""
    return [
        [
            (task.caption_words[word], np.flatnonzero(cells).tolist())
            for word, cells in zip(label, tiles, strict=True)
            if cells.any()
        ]
        for label, tiles in zip(examples.label, examples.foreground, strict=True)
    ]


def test_captions_are_words_with_the_end_and_their_boxes_are_cells(folder):
    task = coco(folder, **ASKED)
    check_splits(task, task.make(0))
    assert task.caption_words[:4] == RESERVED
    assert coco(folder, **ASKED, sha256=task.content) is task
    with pytest.raises(InputError, match="expected 00, those that were asked for"):
        coco(folder, **ASKED, sha256="00")
    found = {}
    for seed in range(8):
        data = task.make(seed)["test"]
        texts = [text_of(label, task.caption_words) for label in data.examples.label]
        found |= dict(zip(texts, named(task, data.examples), strict=True))
    top_left, bottom_right = [0, 1, 4, 5], [11, 15]
    assert found == {
        "a dog left of a cat .": [("dog", top_left), ("cat", bottom_right)],
        "two dogs !": [("dogs", top_left)],
        # Too small for the centre of a cell: the cell that it lies in. Two dogs are no one box.
        "a traffic light and a dog": [("traffic", [2]), ("light", [2])],
        "no dog": [],
        "nothing here": [],
    }
    assert set(data.examples.label[:, -1]) <= {PAD, EOS}
    assert coco(folder, **ASKED) is task


def test_references_are_all_captions_also_those_that_are_too_long_or_rare(folder):
    path = folder / "captions_val2014.json"
    for said in ("A dog left of a cat.", "?? 123", "Dog, dog, dog, dog, dog, dog, zebra"):
        change(path, "annotations", {"image_id": 1, "caption": said, "id": 9})
    change(path, "annotations", {"image_id": 3, "caption": "123", "id": 9})
    task = coco(folder, longest=8, least=2)
    assert task.references["test"] == (
        ("a dog left of a cat .", "two dogs !", "? ?", "a dog left of a cat .",
         "dog dog dog dog dog dog zebra"),
        ("a traffic light and a dog", "no dog"),
        ("nothing here",),
    )  # fmt: skip
    # Each is of the example that is in its place, whatever the seed draws of it.
    examples, pool, _ = task.make(3)["test"]
    known = np.load(folder / "features_val2014.npz")["features"][[1, 2, 0]]
    np.testing.assert_array_equal(pool[examples.segments], known)
    # Of the first image every caption is too long now: it is no example.
    with pytest.warns(UserWarning, match="1 images whose captions are all too long"):
        fewer = coco(folder, longest=3, least=2).references
    assert fewer["train"] == task.references["train"][1:] == task.references["test"][1:]


def test_segments_are_the_features_of_the_image_that_was_spoken_of(folder):
    task = coco(folder, **ASKED)
    data = task.make(0)["train"]
    known = np.load(folder / "features_train2014.npz")
    rows = data.pool[data.examples.segments]
    # In the order of their numbers 1, 2, 3; in the file they are 3, 1, 2.
    np.testing.assert_array_equal(rows, known["features"][[1, 2, 0]])
    assert task.template.segments.dtype == np.float32


def test_rare_words_are_unknown_and_long_captions_are_counted(folder):
    task = coco(folder, longest=8, least=3)
    assert task.caption_words == (*RESERVED, "a", "dog")
    labels = task.make(0)["train"].examples.label
    assert UNK in labels
    assert "images whose captions" not in task.summary
    # Three words and the end are too many, two and the end are not.
    said = "1 images whose captions are all too long or empty"
    assert said in left_out(folder, longest=3, least=1)


@pytest.mark.parametrize(
    ("file", "of", "record", "words"),
    [
        ("captions_val2014.json", "annotations", {"image_id": 99, "caption": "lost"},
         "1 captions of images not listed, first annotation 5 of captions_val2014.json"),
        ("instances_val2014.json", "annotations", {"image_id": 1, "category_id": 0, "bbox": []},
         "1 boxes of unknown images or categories, first annotation 5 of instances_val2014.json"),
    ],
)  # fmt: skip
def test_what_belongs_to_nothing_is_left_out_and_counted(folder, file, of, record, words):
    change(folder / file, of, record)
    assert words in left_out(folder, **ASKED)


def test_an_image_without_features_is_counted(folder):
    path = folder / "captions_val2014.json"
    change(path, "images", {"id": 7, "file_name": "7.png", "width": 1, "height": 1})
    change(path, "annotations", {"image_id": 7, "caption": "seven"})
    words = "1 images without features in features_val2014.npz, first 7"
    assert words in left_out(folder, **ASKED)


def test_images_become_patches_and_those_that_cannot_be_read_are_counted(folder):
    for part in ("train2014", "val2014"):
        (folder / f"features_{part}.npz").unlink()
        (folder / part).mkdir()
        for number, colour in ((1, "red"), (3, "white")):
            Image.new("RGB", (80, 40), colour).save(folder / part / f"{number}.png")
        (folder / part / "2.png").write_bytes(b"no image")
    words = "1 images that are missing or cannot be read, first 2.png"
    assert words in left_out(folder, **ASKED, grid=2, patch=1)
    task = coco(folder, **ASKED, grid=2, patch=1)
    data = task.make(0)["test"]
    expected = [[[1, -1, -1]] * 4, [[1, 1, 1]] * 4]
    np.testing.assert_array_equal(data.pool[data.examples.segments], expected)


def cut(folder):
    path = folder / "captions_val2014.json"
    path.write_text(path.read_text()[:200])
    return "captions_val2014.json: got JSON that is cut or damaged"


def nameless(folder):
    change(folder / "captions_val2014.json", "annotations", {"image_id": 1})
    return "captions_val2014.json: got annotations 5 without 'caption'"


def flat(folder):
    np.savez(folder / "features_val2014.npz", image_id=[1], features=np.ones((1, 5, 2)))
    return r"features_val2014.npz: got features of shape \(1, 5, 2\)"


def broken(folder):
    (folder / "features_val2014.npz").write_bytes(b"PK no archive")
    return "features_val2014.npz: got a file that cannot be read"


def no_number(folder):
    np.savez(folder / "features_val2014.npz", image_id=[1], features=np.full((1, 4, 2), np.nan))
    return "features_val2014.npz: got NaN or infinity in the features of image 1"


def other(folder):
    np.savez(folder / "features_val2014.npz", image_id=[1], features=np.ones((1, 4, 2)))
    return "got features of shapes"


def boxless(folder):
    change(
        folder / "instances_val2014.json",
        "annotations",
        {"image_id": 1, "category_id": 18, "bbox": [1]},
    )
    return r"instances_val2014.json: got bbox \[1\] of annotation 5"


def untrained(folder):
    (folder / "captions_train2014.json").unlink()
    return "got captions of val2014, expected one part that is called train"


def listless(folder):
    (folder / "captions_val2014.json").write_text(json.dumps({"images": {}}))
    return "captions_val2014.json: got no list 'images'"


@pytest.mark.parametrize(
    "spoil", [cut, nameless, flat, broken, no_number, other, boxless, untrained, listless]
)
def test_what_cannot_be_read_is_refused_with_file_and_record(folder, spoil):
    words = spoil(folder)
    with pytest.raises(InputError, match=words):
        coco(folder, **ASKED)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="coco: got no folder"):
        coco(tmp_path / "nowhere")


def test_words_are_lower_case_without_accents_and_a_box_is_at_least_a_cell():
    assert words_of("Un CAFÉ, s'il-vous plaît!") == ["un", "cafe", "s", "il", "vous", "plait", "!"]
    assert tiles_in((0.0, 0.0, 1.0, 1.0), 3).all()
    np.testing.assert_array_equal(np.flatnonzero(tiles_in((0.99, 0.99, 1.0, 1.0), 3)), [8])
