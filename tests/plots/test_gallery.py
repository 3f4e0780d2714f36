"""A gallery holds the figures that a result allows, and no other."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from example_results import end, example_result
from matplotlib.figure import Figure

from jaxattn import plots
from jaxattn.core.contracts import InputError, Status

EVERY = [
    "overview",
    "answers",
    "focus",
    "accuracy",
    "error_cells",
    "error_cells_by_class",
    "answer_maps",
    "distribution_attention_foreground",
    "distribution_accuracy",
    "rate_sensitivity",
    "attention_on_images",
    "beside_flow",
    "population",
]


def names(ds: xr.Dataset, solved: xr.Dataset | None = None) -> list[str]:
    return [drawing.name for drawing in plots.gallery(ds, solved)]


def without(*gone: str) -> list[str]:
    return [name for name in EVERY if name not in gone]


@pytest.fixture(scope="module")
def whole() -> xr.Dataset:
    return example_result(flow_seeds=2, theory=True, saves=5)


def test_a_result_that_has_everything_has_every_figure_in_order(whole: xr.Dataset) -> None:
    assert names(whole) == EVERY
    assert names(example_result(flow_seeds=2), solved=whole) == EVERY


def test_a_figure_that_a_result_cannot_give_is_not_there(whole: xr.Dataset) -> None:
    assert names(example_result(theory=True)) == without("beside_flow")
    assert names(example_result(flow_seeds=1)) == without("population")
    assert names(whole.sel(learning_rate=[0.05])) == without("rate_sensitivity")
    assert names(whole.drop_vars("picture")) == without("attention_on_images")
    many = whole.drop_vars(["error_cell_by_class", "class"])
    assert names(many) == without("error_cells_by_class")
    one = example_result(seeds=1, flow_seeds=1, theory=True)
    of_seeds = ("answers", "distribution_attention_foreground", "distribution_accuracy")
    assert names(one) == without(*of_seeds)
    lost = end(whole, Status.DIVERGED, seed=[0, 1])
    assert names(lost) == without("beside_flow")


def test_an_unknown_foreground_leaves_the_figures_of_the_answers() -> None:
    ds = example_result(flow_seeds=1)
    for name in ("attention_foreground", "error_cell", "answer_map", "mu", "nu"):
        ds[name][:] = np.nan
    ds["error_cell_by_class"][:] = np.nan
    assert names(ds) == [
        "answers",
        "accuracy",
        "distribution_accuracy",
        "rate_sensitivity",
        "attention_on_images",
    ]


def test_a_result_of_which_every_run_failed_has_no_figures() -> None:
    assert names(end(example_result(), Status.DIVERGED)) == []
    ds = example_result(flow_seeds=2, theory=True)
    ds["status"][:] = int(Status.SOLVER_FAILED)
    assert names(ds) == []
    assert names(ds.sel(dynamics=["flow"])) == []


@pytest.mark.slow
def test_every_figure_is_drawn_whole_and_known_to_nobody_else(
    whole: xr.Dataset, tmp_path: Path
) -> None:
    for drawing in plots.gallery(end(whole, Status.DIVERGED, paradigm="hard", seed=3)):
        figure = drawing.draw()
        assert isinstance(figure, Figure)
        assert any(ax.has_data() for ax in figure.axes)
        assert drawing.draw() is not figure
        figure.savefig(tmp_path / f"{drawing.name}.png", dpi=40)
    assert not plt.get_fignums()


def test_captions_say_what_is_shown_and_its_numbers(whole: xr.Dataset) -> None:
    ds = end(whole, Status.DIVERGED, paradigm="hard", seed=3)
    captions = {drawing.name: drawing.caption for drawing in plots.gallery(ds)}
    for name, caption in captions.items():
        assert caption.endswith(".")
        assert len(caption.split()) > 30, name
        assert "nan" not in caption.split()
        if name not in ("population", "rate_sensitivity", "answers"):
            assert "digits, learning rate 0.05, test split" in caption
    assert "each at its own best learning rate" in captions["answers"]
    assert "digits, test split" in captions["answers"]
    at = {"dynamics": "train", "learning_rate": 0.05, "split": "test", "paradigm": "lvml"}
    median = float(ds["attention_foreground"].sel(at).isel(save=-1).median("seed"))
    assert f"lvml {median:.2f}" in captions["focus"]
    assert "5 to 6 seeds (left out 1 of 24 runs: 1 diverged)" in captions["accuracy"]
    cells = ds["error_cell"].sel(at).sel(inference="average-output").isel(save=-1).mean("seed")
    assert f"lvml: {float(cells[0]):.0f} % focus and answer true" in captions["error_cells"]
    by_class = ds["error_cell_by_class"].sel(at).sel(inference="average-output").isel(save=-1)
    wrong = by_class.mean("seed").sel(cell=["FFPT", "FFPF"])
    missed = wrong.sum("cell")
    # The example gives its last class most of FFPT, and most of FFPF.
    of_last = 100 * missed.sel({"class": 2}) / missed.sum()
    right = 100 * wrong.sel({"class": 2, "cell": "FFPT"}) / missed.sel({"class": 2})
    assert (
        f"the focus of lvml is wrong ({float(missed.sum()):.0f} % of all), "
        f"{float(of_last):.0f} % are of class 2, and {float(right):.0f} % of those are answered"
    ) in captions["error_cells_by_class"]


def test_a_focus_that_is_never_wrong_is_said_to_be_so(whole: xr.Dataset) -> None:
    ds = whole.copy(deep=True)
    ds["error_cell_by_class"].loc[{"paradigm": "hard", "cell": ["FFPT", "FFPF"]}] = 0
    captions = {drawing.name: drawing.caption for drawing in plots.gallery(ds)}
    assert "The focus of hard is wrong on no example." in captions["error_cells_by_class"]


def test_titles_are_short_and_names_are_their_own(whole: xr.Dataset) -> None:
    drawings = plots.gallery(whole)
    assert len({drawing.name for drawing in drawings}) == len(drawings)
    assert len({drawing.title for drawing in drawings}) == len(drawings)
    assert all(len(drawing.title) <= 60 for drawing in drawings)


def test_a_paradigm_of_which_nothing_is_done_is_not_in_the_captions(whole: xr.Dataset) -> None:
    ds = end(whole, Status.DIVERGED, paradigm="hard")
    captions = {drawing.name: drawing.caption for drawing in plots.gallery(ds)}
    assert "hard" not in captions["focus"].split("ends at")[1]
    assert "hard" not in captions["error_cells"]


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected what jaxattn\.compare"):
        plots.gallery(xr.Dataset())


def test_a_flow_of_fewer_examples_is_not_called_that_of_the_training(whole: xr.Dataset) -> None:
    def told(counts: list[int]) -> tuple[str, str]:
        ds = whole.assign_coords(learning_examples=("dynamics", counts))
        (entry,) = (one for one in plots.gallery(ds) if one.name == "beside_flow")
        return entry.title, entry.caption

    title, caption = told([900, 900, 900])
    assert title == "Training beside its gradient flow"
    assert "do not learn the same" not in caption
    title, caption = told([900, 512, 900])
    assert title == "Training beside a gradient flow of fewer examples"
    assert "the flow learns from the first 512 of 900 examples" in caption


@pytest.mark.parametrize("name", ["focus", "beside_flow", "rate_sensitivity"])
def test_a_paradigm_whose_name_begins_with_an_underscore_is_in_the_legend(name: str) -> None:
    """What begins so, matplotlib leaves out of a legend."""
    ds = example_result(("soft", "_mine"), flow_seeds=2, saves=5)
    (drawing,) = (each for each in plots.gallery(ds) if each.name == name)
    figure = drawing.draw()
    legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
    texts = [text.get_text() for legend in legends for text in legend.get_texts()]
    assert sum("soft" in text for text in texts) == sum("_mine" in text for text in texts) == 1


DRAWN = """
import sys
from example_results import example_result
from jaxattn import plots

for drawing in plots.gallery(example_result(saves=5)):
    plots.save(drawing.draw(), sys.argv[1], drawing.name)
assert "matplotlib.pyplot" not in sys.modules
"""


@pytest.mark.slow
def test_figures_need_no_backend_of_pyplot_and_no_tex(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    environment = {
        **os.environ,
        "MPLBACKEND": "module://absent",
        "MATPLOTLIBRC": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [sys.executable, "-c", DRAWN, str(tmp_path / "figures")]
    subprocess.run(command, env=environment, check=True, timeout=200)
    assert len(list((tmp_path / "figures").glob("*.png"))) > 5
