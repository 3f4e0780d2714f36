"""The report of problems of one's own: what it begins with, and that it is of nothing else."""

import html
import re
from pathlib import Path

import pytest
import xarray as xr
from example_results import end
from own_results import own_flows, own_result

import jaxattn
from jaxattn import plots
from jaxattn.core.contracts import Status
from jaxattn.reports import comparison

TIMES = "\N{MULTIPLICATION SIGN}"


def page(ds: xr.Dataset, folder: Path) -> str:
    return html.unescape(jaxattn.report(ds, folder / "report").read_text())


def headings(text: str) -> list[str]:
    return re.findall(r"<h2 [^>]*>([^<]*)</h2>", text)


def columns(text: str, title: str) -> list[str]:
    table = text.split(f"<h3>{title}</h3>")[1].split("</thead>")[0]
    return re.findall(r'<button type="button">([^<]*)</button>', table)


def test_it_begins_with_the_curves_then_ends_and_gaps_and_names_no_attention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The figures are drawn by others.
    few = own_result(saves=5)
    wide = few["error"].expand_dims(unit_of=range(11)).transpose(..., "unit_of")
    few = few.assign(wide=wide)
    first = [one for one in plots.gallery(few) if one.name in ("curves_objective", "curves_modes")]
    monkeypatch.setattr(comparison.plots, "gallery", lambda *_: first)
    text = page(few, tmp_path)
    assert headings(text)[:3] == ["Curves", "Ends and gaps", "Findings"]
    runs = " \N{MULTIPLICATION SIGN} ".join(["2 problems", "2 learning rates", "4 seeds"])
    assert f"16 training runs: {runs}; 160 steps of sgd, full batch;" in text
    assert "beside them the gradient flow, the modified flow and the theory saxe." in text
    assert "<h1>own data: shallow and deep</h1>" in text
    seen_first = text.split("<h2 ")[1]
    assert re.findall(r"<h3>([^<]*)</h3>", seen_first) == ["Training loss", "Strength of each mode"]
    assert columns(text, "At the end") == [
        *("problem", "learning rate", "split", "dynamics", "seeds"),
        *("training loss [V]", "overlap with the target", "error of the map [V]"),
        *(f"strength of each mode {mode}" for mode in (0, 1, 2)),
    ]
    assert "Too many numbers for columns: wide; select some to draw." in text
    assert "How far theories are" in text
    assert columns(text, "Orders of the limits")[:3] == ["limit", "problem", "slope"]
    seen = re.sub(r'src="data:[^"]*"|made with|jaxattn: a JAX toolkit[^}]*', "", text)
    for word in ("attention", "paradigm", "Vashisht", "focus", "accura", "nan"):
        assert not re.search(rf"\b{word}", seen.split("</style>")[1].split("<script>")[0]), word


@pytest.mark.slow
def test_a_flow_alone_has_a_page_of_its_times(tmp_path: Path) -> None:
    text = page(own_flows(), tmp_path)
    assert f"3 runs of the gradient flow: 1 problem {TIMES} 3 seeds;" in text
    assert "49 times from 1 to 1e+12; seeds vary the initial parameters; beside them" in text
    assert columns(text, "At the end")[:3] == ["dynamics", "seeds", "training loss [V]"]
    assert "No run failed." in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "ds",
    [
        own_result(("deep",), (0.1,), 1, ("train",), (), False, saves=5),
        own_result(limits=(), saves=5).drop_vars(["modes", "overlap", "error", "mode", "split"]),
        end(own_result(saves=5), Status.DIVERGED),
        own_result(saves=5).sel(dynamics=["flow"]),
    ],
    ids=["one of all", "objective alone", "training failed", "the flow of it"],
)
def test_every_result_has_a_page(ds: xr.Dataset, tmp_path: Path) -> None:
    text = page(ds, tmp_path)
    assert "Ends and gaps" in headings(text)
    drawn = {path.stem for path in (tmp_path / "report" / "figures").glob("*.png")}
    assert {one.name for one in plots.gallery(ds)} == drawn
    assert "curves_objective" in drawn
    assert "could not" not in text


def test_figures_of_attention_are_not_asked_for_whatever_the_measures_are_called() -> None:
    ds = own_result(saves=5).rename(error="accuracy", overlap="attention_foreground")
    names = [one.name for one in plots.gallery(ds)]
    assert names[:4] == [
        *("curves_objective", "curves_modes", "curves_attention_foreground", "curves_accuracy")
    ]
    assert not {"focus", "accuracy", "overview", "beside_flow"} & set(names)
