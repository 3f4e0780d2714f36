"""Parts of an experiment that are no sweep: what is finished is kept, and not made again."""

import pytest
import xarray as xr

from jaxattn.experiments.in_chunks import run_once
from jaxattn.reports.experiment import Listeners
from jaxattn.results.files import RESULTS
from jaxattn.run.stopwatch import Stopwatch


@pytest.fixture
def to(tmp_path):
    return Listeners(lambda _: None, lambda _: None, Stopwatch(), tmp_path / "chunks")


def once(to, spec, value, made):
    def make(hears):
        made.append(spec)
        hears.keep(xr.Dataset())
        return xr.Dataset({"loss": value}, attrs={"spec": spec, "schema_version": 1})

    return run_once("fixed-digits", spec, make, to)


def test_what_is_finished_is_not_made_again_and_another_is(to):
    made = []
    heard = to._replace(keep=lambda _: pytest.fail("a part is not the result so far"))
    assert once(heard, "small", 1.0, made)["loss"] == 1.0
    assert once(heard, "small", 2.0, made)["loss"] == 1.0
    assert once(heard, "paper", 3.0, made)["loss"] == 3.0
    assert once(heard, "paper", 4.0, made)["loss"] == 3.0
    assert made == ["small", "paper"]


def test_what_stops_in_the_middle_leaves_nothing_behind(to):
    def stops(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_once("fixed-digits", "small", stops, to)
    assert not to.chunks.exists()


@pytest.mark.parametrize("length", [0, 1000, -1])
def test_a_damaged_part_is_made_again(to, length):
    once(to, "small", 1.0, [])
    file = to.chunks / "fixed-digits" / RESULTS
    file.write_bytes(file.read_bytes()[:length])
    assert once(to, "small", 2.0, made := [])["loss"] == 2.0
    assert once(to, "small", 3.0, made)["loss"] == 2.0
    assert made == ["small"]


def test_without_a_folder_it_is_made_each_time(to):
    made = []
    for value in (1.0, 2.0):
        assert once(to._replace(chunks=None), "small", value, made)["loss"] == value
    assert len(made) == 2
