"""The commands of data sets: what is said of a good one, and of one made to harm."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image
from post_files import post, posts_in, six_posts

from jaxattn.cli.main import main
from jaxattn.tasks.readers import LAYOUTS, POST_LAYOUTS
from jaxattn.tasks.readers.catalogue import SETS


def test_the_layouts_that_are_understood_are_listed(capsys) -> None:
    assert main(["data", "list"]) == 0
    told = capsys.readouterr().out
    layouts = {**LAYOUTS, **POST_LAYOUTS}
    assert all(layout in told for layout in layouts)
    assert main(["data", "list", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["layouts"] == layouts
    assert list(record["sets"]) == list(SETS)


def test_sets_that_are_not_here_are_listed_with_how_to_fetch_them(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("JAXATTN_DATA", str(tmp_path))
    assert main(["data", "list"]) == 0
    assert "not here: jaxattn data fetch cifar10" in capsys.readouterr().out


def test_a_good_data_set_is_told_in_a_table_and_as_json(tmp_path, capsys) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / name / "0.png")
    assert main(["data", "check", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "folders of images" in told
    assert "2 of 4 x 6" in told
    assert "cat, dog" in told
    assert main(["data", "check", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "layout": "folders of images",
        "classes": ["cat", "dog"],
        "shape": [4, 6],
        "images": {"train": 2},
    }


@pytest.mark.parametrize("number", [1, 5])
def test_a_pickle_that_would_run_something_is_refused_with_2_and_not_run(
    tmp_path, capsys, number
) -> None:
    touched = tmp_path / "owned"
    good = {b"data": np.zeros((1, 3072), np.uint8), b"labels": [0]}
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        (tmp_path / name).write_bytes(pickle.dumps(good, protocol=2))
    harm = f"cos\nsystem\n(S'touch {touched}'\ntR."
    (tmp_path / f"data_batch_{number}").write_text(harm)
    assert main(["data", "check", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert not touched.exists()
    assert out == ""
    assert err.count("\n") == 1
    assert "os.system" in err


def test_a_data_set_that_is_not_there_is_refused_with_2(tmp_path, capsys) -> None:
    assert main(["data", "check", str(tmp_path / "nowhere")]) == 2
    assert "got nothing there" in capsys.readouterr().err


def test_posts_are_told_with_all_that_had_to_be_decided_and_none_of_their_words(
    tmp_path, capsys
) -> None:
    records, divisions = six_posts()
    records["a"] = post("unsayable q r", "x", ("0 1",))
    posts_in(tmp_path, {**records, "more": post("p")}, divisions)
    assert main(["data", "check", str(tmp_path), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["layout"] == "HateXplain"
    assert card["train posts"] == "2: x 1, y 1"
    assert card["unknown words of test"] == "2 of 5"
    assert card["rationales of another length than their post, cut or filled up with 0"] == 1
    assert card["posts in no split, left out"] == 1
    assert main(["data", "check", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "2: x 1, y 1" in told
    assert "unsayable" not in told


def test_posts_cut_off_in_the_middle_are_refused_with_2_and_nothing_is_written(
    tmp_path, capsys
) -> None:
    path = posts_in(tmp_path, *six_posts()) / "dataset.json"
    path.write_bytes(path.read_bytes()[:100])
    out = tmp_path / "bad"
    words = ["compare", "rationales", "--data", str(tmp_path), "--out", str(out), "--no-cache"]
    assert main(words) == 2
    assert "dataset.json: got JSON that breaks off" in capsys.readouterr().err
    assert not out.exists()
