"""The page of `make bench` says what its JSON holds. No clock here, and no PyTorch."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The page imports what lies beside it.
for beside in ("limits_ratios", "first_figure_page"):
    sys.modules[beside] = load(beside)
report, counting = load("report"), load("counting")

PEERS = ("PyTorch eager, threads: 1", "PyTorch eager, threads: 2")


def benchmark(question, data, units=1, **facts):
    return {"stats": {"data": data}, "extra_info": {"question": question, "units": units, **facts}}


def training(paradigm, seeds, seconds, peers, question="seeds", case="linear"):
    """`seconds` and the peers' are those of one step of one seed, round by round."""
    return benchmark(
        question,
        [each * seeds * 10 for each in seconds],
        units=seeds * 10,
        case=case,
        paradigm=paradigm,
        seeds=seeds,
        tile=16,
        compile_s=3.25,
        first_call_s=4.5,
        operations=2e6,
        bytes=1e6,
        steps_of_a_seed=1000,
        peers={
            name: {"units": 5, "seconds": [5 * each for each in series]}
            for name, series in peers.items()
        },
    )


def results(*more):
    return {
        "datetime": "2026-01-02T03:04:05",
        "machine_info": {
            "cpu": {"brand_raw": "A Processor"},
            "machine": "x86_64",
            "cores": 2,
            "versions": {"jax": "0.0"},
            "load_at_start": [0.2, 0.1, 0.1],
        },
        "benchmarks": [
            benchmark("machine", [0.5, 0.25, 0.25], units=50e9, limit="operations"),
            benchmark("machine", [1.0], units=10e9, limit="bytes"),
            *more,
        ],
    }


def line(page, *words):
    found = [row for row in page.splitlines() if all(word in row for word in words)]
    assert len(found) == 1, found
    return [cell.strip() for cell in found[0].strip("|").split("|")]


def test_a_ratio_is_the_median_of_rounds_run_in_turn():
    # Load from the second round on, which the peer feels only in the third: a ratio of the two
    # medians would say 1.
    one = training("hard", 64, [1.0, 10.0, 10.0], {PEERS[0]: [3.0, 10.0, 30.0]})
    assert report.times_as_fast(one, PEERS[0]) == pytest.approx(3.0)
    assert report.each(one) == pytest.approx(10.0)
    assert report.peer(one, PEERS[0]) == pytest.approx(10.0)


@pytest.mark.parametrize(("seconds", "met"), [(1e-3, "yes"), (1.3e-3, "**no**")])
def test_a_target_is_held_against_the_faster_of_the_peers(seconds, met):
    peers = {PEERS[0]: [3e-3], PEERS[1]: [9e-3]}
    page = report.page(results(training("hard", 64, [seconds], peers)))
    cells = line(page, "times PyTorch", "hard")
    assert cells[2:] == [f"{3e-3 / seconds:.2f}", met]


@pytest.mark.parametrize(("seconds", "met"), [(1.05e-3, "yes"), (1.2e-3, "**no**")])
def test_the_cost_of_more_seeds_is_taken_from_the_same_rounds(seconds, met):
    peers = {PEERS[0]: [3e-3], "64 seeds": [1e-3]}
    page = report.page(results(training("lvml", 1024, [seconds], peers)))
    assert line(page, "a seed of 1,024")[2:] == [f"{seconds / 1e-3:.2f}", met]


def test_a_share_is_of_the_limit_measured_in_the_same_run():
    page = report.page(results(training("soft", 4, [1e-4], {PEERS[0]: [5e-4]})))
    assert "sgemm 200 GFLOP/s" in page
    assert "memory 10.0 GB/s" in page
    cells = line(page, "soft", "0.5 (1)")
    # 2e6 operations in 1e-4 s are 20 GFLOP/s; 1e6 bytes are 10 GB/s.
    assert cells == ["soft", "4", "0.1", "0.5 (1)", "5.0", "10 %", "100 %", "", "3.2", "4.5"]


def test_euler_is_shown_extrapolated_and_with_an_error_of_its_own():
    name = "NumPy Euler, extrapolated"
    one = benchmark(
        "theory",
        [0.004],
        rtol=1e-8,
        compile_s=1.25,
        first_call_s=1.5,
        errors={"jaxattn": 2e-9, name: 3e-5},
        peers={name: {"units": 0.0025, "seconds": [0.5]}},
    )
    page = report.page(results(one))
    ours = line(page, "jaxattn, rtol 1e-08")
    assert ours == ["jaxattn, rtol 1e-08", "4", "2e-09", "1", "1.2", "1.5"]
    assert line(page, name) == [name, "200,000", "3e-05", "5e+04", "", ""]


def test_a_seed_of_fixed_focus_is_all_of_its_steps():
    one = training("hard", 16, [1e-4], {PEERS[0]: [5e-4]}, "fixed focus", "fixed-focus")
    page = report.page(results(one))
    assert line(page, "hard", "| 10 | 2 |") == ["hard", "10", "2"]


def test_a_page_measured_beside_others_says_so():
    busy = results()
    assert "others were using" not in report.page(busy)
    busy["machine_info"]["load_at_start"] = [3.1, 2.0, 1.0]
    assert "others were using" in report.page(busy)


def test_operations_of_a_linear_step_are_those_of_its_matrix_products():
    sizes = {"batch": 256, "segments": 20, "features": 21, "classes": 20}
    bags = 256 * 20
    # Outputs and the kernel's gradient; the inputs are data and have none.
    score, logits = 2 * 2 * bags * 21, 2 * 2 * bags * 21 * 20
    assert counting.step("hard", **sizes).operations == score + logits
    assert counting.step("lvml", **sizes) == counting.step("hard", **sizes)
    # Soft reads one average a bag, whose gradient goes back to the attention.
    mean, read = 2 * 2 * bags * 21, 3 * 2 * 256 * 21 * 20
    assert counting.step("soft", **sizes).operations == score + mean + read


def test_a_fixed_focus_pays_for_no_score():
    sizes = {"batch": 8, "segments": 4, "features": 6, "classes": 3, "hidden": (5,)}
    free = counting.step("hard", **sizes, learns_focus=False)
    focus = 2 * 8 * 4 * (2 * 6 * 5 + 3 * 5 * 1)
    assert counting.step("hard", **sizes).operations - free.operations == focus


SCIPY = "scipy solve_ivp, LSODA", "scipy solve_ivp, DOP853", "scipy odeint"
ERROR = {"largest": 1e-6, "rms": 1e-8}


def sizes(paradigm, what, ours, peers):
    """`ours` and the peers' are seconds for all 4,096 rows, of which the peers ran 64."""
    return benchmark(
        "sizes",
        [ours],
        units=4096,
        paradigm=paradigm,
        what=what,
        processor=[ours / 2],
        rtol={"jaxattn": 1e-8},
        errors={"jaxattn": ERROR},
        peers={
            name: {"units": 64, "seconds": [all_rows / 64], "processor": [all_rows / 64]}
            for name, all_rows in zip(SCIPY, peers, strict=True)
        },
    )


def test_many_sizes_are_held_against_the_best_of_scipys_methods_over_all_paradigms():
    # LSODA is the slower one for one paradigm, and the faster one in all.
    page = report.page(
        results(
            sizes("soft", "100 times", 0.1, [6.0, 5.0, 2.0]),
            sizes("hard", "100 times", 0.1, [2.0, 9.0, 2.0]),
        )
    )
    assert line(page, "ODE, 100 times", "LSODA", ">=")[1:] == [">= 40", "40", "80", "yes"]
    assert line(page, "ODE, 100 times", "odeint", ">=")[1:] == [">= 40", "20", "40", "**no**"]
    assert "DOP853" not in "".join(row for row in page.splitlines() if ">=" in row)
    assert line(page, "soft, 100 times", "jaxattn") == [
        *("soft, 100 times", "jaxattn", "100", "50", "1.0e-08", "1e-06", "1e-08"),
    ]


def test_an_orbit_is_held_against_the_ode_that_ran_beside_it():
    peers = {"orbit": 0.01, "ODE, most accurate": 0.2, "ODE, LSODA's accuracy": 0.05}
    one = benchmark(
        "closed form",
        [0.1],
        units=4096,
        paradigm="hard",
        processor=[0.1],
        errors={},
        peers={
            name: {"units": 4096, "seconds": [each], "processor": [each]}
            for name, each in peers.items()
        },
    )
    page = report.page(results(sizes("hard", "end", 1.0, [1, 2, 3]), one))
    assert line(page, "orbit, hard", "most accurate")[1:] == [">= 10", "20", "20", "yes"]
    assert line(page, "orbit, hard", "LSODA's")[1:] == [">= 10", "5", "5", "**no**"]
    assert line(page, "closed form in time, hard")[1:] == [">= 1", "2", "2", "yes"]


def precision():
    def point(solver, error, evaluations, **more):
        return {
            "solver": solver, "rtol": 1e-8, "error": error, "evaluations": evaluations,
            "seconds": 0.002, "processor": 0.001, **more,
        }  # fmt: skip

    return benchmark(
        "work and precision",
        [1.0],
        paradigm="soft",
        batch=256,
        closed_form={"seconds": 0.002, "processor": 0.001},
        points=[
            point("tsit5", 1e-5, 100, processor_in_batch=1e-5),
            point("tsit5", 2e-7, 1900, processor_in_batch=2e-5),
            point("tsit5", 1e-8, 2500, processor_in_batch=3e-5),
            point("scipy LSODA", 1e-10, 3000),
        ],
    )


def test_work_is_that_of_the_cheapest_tolerance_which_is_as_accurate():
    page = report.page(results(precision()))
    first, second = (row for row in page.splitlines() if row.startswith("| tsit5"))
    assert first == "| tsit5 | 1,900 | 1 | 0.02 |"
    assert second == "| tsit5 | not reached |  |  |"


def test_work_and_precision_are_drawn_with_a_line_for_each_solver():
    figure = load("drawing").work_and_precision([precision()["extra_info"]] * 3)
    assert [len(ax.lines) for ax in figure.axes] == [2] * 3 + [5] * 3  # batches, closed form
    assert all(ax.xaxis_inverted() for ax in figure.axes)


def test_opening_a_store_is_held_against_its_target_by_the_rows_of_a_chunk():
    def store(at_once, seconds):
        return benchmark(
            "store",
            [seconds],
            at_once=at_once,
            rows=100_200,
            chunks=100_200 // at_once,
            results_bytes=1_234_567,
            chunk_bytes=300,
            chunk_numbers=200,
            peers={"hash all chunks": {"units": 1, "seconds": [0.75]}},
        )

    page = report.page(results(store(64, 0.25), store(256, 0.125)))
    assert "A store of 100,200 rows" in page
    assert line(page, "open, ms")[1:] == ["**250**", "**125**"]
    assert line(page, "hash all chunks, ms")[1:] == ["750", "750"]
    assert line(page, "over those of its numbers")[1:] == ["1.50", "1.50"]


def of_limits(seconds, processor):
    """One round each: ours takes `seconds` for 20 steps of 2 seeds, and 1 s for a flow."""
    threads = "PyTorch eager, threads: 1", "torchdiffeq, threads: 1"
    peers = {
        "flow": {"units": 2, "seconds": [2.0], "processor": [2.0]},
        threads[0]: {"units": 10, "seconds": [1.0], "processor": [1.0]},
        threads[1]: {"units": 1, "seconds": [4.0], "processor": [4.0]},
    }
    return benchmark(
        "limits", [seconds], 40, paradigm="hard", steps=100, rates=[1, 2], peers=peers,
        processor=[processor],
    )  # fmt: skip


@pytest.mark.parametrize(("processor", "met"), [(1.0, "yes"), (4.0, "no")])
def test_rates_and_their_flow_are_held_together_against_the_target_by_both_clocks(processor, met):
    # A seed: 200 steps, 5 s of ours (20 s by the processor) and 20 s of PyTorch's, and a flow.
    page = report.page(results(of_limits(1.0, processor)))
    found = line(page, "| hard |")
    assert found[1] == f"4.0 ({4 / processor:.1f})"
    assert found[2] == "4.0 (4.0)"
    assert found[-2:] == ["2.5", met]


def test_overhead_and_work_of_solvers_are_shown():
    peers = {"hand-written Tsit5": {"units": 50, "seconds": [1.0], "processor": [1.0]}}
    counts = {"flow": 100, "hand-written Tsit5": 50}
    over = benchmark(
        "solver overhead", [2.2], 100, case="mlp", peers=peers, gradients=counts, processor=[2.1]
    )
    point = {"solver": "tsit5", "log_time": True, "reached": True, "gradients": 1234, "rtol": 1e-6,
             "seconds": 0.5}  # fmt: skip
    missed = {"solver": "bosh3", "log_time": False, "reached": False}
    work = benchmark(
        "work to an error", [1.0], case="mlp", parameters=9, goal=1e-6, points=[point, missed]
    )
    page = report.page(results(over, work))
    assert line(page, "10.0% (5.0%)")[2:] == ["100", "50"]
    assert line(page, "tsit5, log time")[1:] == ["1,234", "1e-06", "500"]
    assert line(page, "bosh3")[1] == "not reached"
