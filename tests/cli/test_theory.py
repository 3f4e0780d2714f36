"""`jaxattn theory`, by the ODE solver, in closed form, and both."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Answer, once, run_many

SMALL = "theory --segments 5 --classes 3 --t-end 400 --points 30"
ALL = f"{SMALL} --paradigms soft hard lvml hybrid --switch-time 40"
LARGE = "theory --segments 1000000 --classes 1000000 --t-end 1e12 --points 30"

ASKED = {
    "both": f"{ALL} --method both --json --out both",
    "ode": f"{ALL} --method ode --json",
    "closed form": f"{ALL} --method closed-form --json",
    "large": f"{LARGE} --method closed-form --json --out large",
    "default switch": f"{SMALL} --paradigms hybrid --method closed-form --json",
    "a quarter": f"{SMALL} --paradigms hybrid --method closed-form --switch-time 100 --json",
    "table": f"{SMALL} --method both",
}
REFUSED = {
    "--method exact": "unknown method: got 'exact', expected one of both, closed-form, ode",
    "--method odes": "did you mean 'ode'?",
    "--switch-time 401": "switch time: got 401.0, expected a number in [0, 400], the horizon.",
    "--switch-time inf": "switch time: got inf, expected a number in [0, 400]",
    "--switch-time nan": "switch time: got nan, expected a number in [0, 400]",
    "--t-end inf": "bad t_end: got inf, expected a positive number",
    "--t-end -3": "bad t_end: got -3.0, expected a positive number",
    "--t-end 1e16 --method closed-form": "t_end: got 1e+16, expected at most 1e+15",
    "--segments 2000000000 --method both": "bad segments: got 2e+09, expected a number in [2, 1e+",
    "--classes 2000000000 --method both": "bad classes: got 2e+09, expected a number in [2, 1e+09]",
    "--classes 1 --method closed-form": "classes: got 1, expected at least 2",
    "--segments -5 --method both": "segments: got -5, expected at least 2",
}


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Answer]]:
    def make(folder: Path) -> dict[str, Answer]:
        refused = {case: f"{SMALL} {case} --out new" for case in REFUSED}
        cases = {**ASKED, **refused}
        answers, _ = run_many([case.split() for case in cases.values()], folder)
        return dict(zip(cases, answers, strict=True))

    return once(tmp_path_factory, "theory", make)


def said(answered: tuple[Path, dict[str, Answer]], case: str) -> Any:
    code, out, err = answered[1][case]
    assert (code, err, out.count("\n")) == (0, "", 1)
    return json.loads(out)


def test_every_method_says_the_same_and_which_it_was(
    answered: tuple[Path, dict[str, Answer]],
) -> None:
    found = {case: said(answered, case) for case in ("both", "ode", "closed form")}
    assert {case: one["method"] for case, one in found.items()} == {
        "both": "both",
        "ode": "ode",
        "closed form": "closed-form",
    }
    paradigms = {case: one["paradigms"] for case, one in found.items()}
    for name in ("soft", "hard", "lvml", "hybrid"):
        ode, exact, both = (paradigms[case][name] for case in ("ode", "closed form", "both"))
        assert list(exact) == list(ode) == ["t", "mu", "nu", "alpha", "beta", "invariant_drift"]
        assert list(both) == [*ode, "ode_vs_closed_form"]
        assert {key: both[key] for key in exact} == exact  # what is shown is the exact one
        for key in ("mu", "nu", "alpha", "beta"):
            np.testing.assert_allclose(ode[key], exact[key], rtol=0, atol=1e-8)
        gap = max(np.max(np.abs(np.subtract(ode[key], exact[key]))) for key in ("mu", "nu"))
        assert both["ode_vs_closed_form"] == pytest.approx(gap, rel=1e-6, abs=1e-15)
        assert 0 < both["ode_vs_closed_form"] < 1e-8
        assert exact["invariant_drift"] < 1e-13
        assert exact["invariant_drift"] < ode["invariant_drift"] < 1e-8


def test_the_closed_form_is_finite_at_the_largest_sizes_and_times(
    answered: tuple[Path, dict[str, Answer]],
) -> None:
    for found in said(answered, "large")["paradigms"].values():
        for key in ("t", "mu", "nu", "alpha", "beta"):
            assert np.isfinite(found[key]).all()
            # A rise from 1e-6 by 1e-24 is none in the digits of alpha and beta.
            assert np.all(np.diff(found[key]) > 0 if key in "t mu nu" else np.diff(found[key]) >= 0)
        assert found["t"][-1] == 1e12
        assert found["invariant_drift"] < 1e-13


def test_a_hybrid_turns_after_a_quarter_of_the_horizon_unless_told(
    answered: tuple[Path, dict[str, Answer]],
) -> None:
    assert said(answered, "default switch") == said(answered, "a quarter")


def test_numbers_and_figure_are_written_for_closed_forms_too(
    answered: tuple[Path, dict[str, Answer]],
) -> None:
    folder, _ = answered
    for name, case in (("both", "both"), ("large", "large")):
        assert json.loads((folder / name / "theory.json").read_text()) == said(answered, case)
        for kind in ("png", "svg"):
            assert (folder / name / "figures" / f"theory.{kind}").stat().st_size > 10_000


def test_the_table_says_how_far_the_solver_is_from_the_closed_form(
    answered: tuple[Path, dict[str, Answer]],
) -> None:
    code, out, _ = answered[1]["table"]
    assert code == 0
    assert "ODE - closed form" in out
    line = next(line for line in out.splitlines() if "lvml" in line)
    assert 0 < float(line.split()[-2]) < 1e-8


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(
    case: str, answered: tuple[Path, dict[str, Answer]]
) -> None:
    folder, answers = answered
    code, out, err = answers[case]
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert REFUSED[case] in err
    assert not (folder / "new").exists()
