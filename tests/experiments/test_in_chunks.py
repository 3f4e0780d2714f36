"""Parts of an experiment that are no sweep: what is finished is kept, and not made again."""

import pytest
import xarray as xr

from jaxattn.core.contracts import InputError
from jaxattn.experiments.in_chunks import run_once
from jaxattn.reports.experiment import Listeners
from jaxattn.results.files import RESULTS, open_run
from jaxattn.run.stopwatch import Stopwatch


@pytest.fixture
def to(tmp_path):
    return Listeners(lambda _: None, lambda _: None, Stopwatch(), tmp_path / "chunks")


def once(to, spec, value, made, schema=1):
    def make(hears):
        made.append(spec)
        hears.keep(xr.Dataset())
        return xr.Dataset({"loss": value}, attrs={"spec": spec, "schema_version": schema})

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


@pytest.mark.parametrize(
    "harm", [lambda whole: whole[:1000], lambda _: b"", lambda whole: whole[:-9] + bytes(9)]
)
def test_a_damaged_part_is_made_again_as_a_damaged_chunk_is(to, harm):
    once(to, "small", 1.0, [])
    file = to.chunks / "fixed-digits" / RESULTS
    file.write_bytes(harm(file.read_bytes()))
    for _ in range(2):
        assert once(to, "small", 2.0, [])["loss"] == 2.0
        assert open_run(file)["loss"] == 2.0


def test_a_part_of_a_newer_schema_is_refused_and_left_as_it_is(to):
    once(to, "small", 1.0, [], schema=10_000)
    with pytest.raises(InputError, match="newer"):
        once(to, "small", 2.0, [])


def test_without_a_folder_it_is_made_each_time(to):
    made = []
    for value in (1.0, 2.0):
        assert once(to._replace(chunks=None), "small", value, made)["loss"] == value
    assert len(made) == 2
