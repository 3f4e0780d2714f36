"""What every benchmark shares: its peers timed in turn with it, and facts about the machine."""

import os
import platform
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np
import pytest

Work = Callable[[], Any]


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    names = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMP_NUM_THREADS", "XLA_FLAGS", "NPROC")
    machine_info |= {
        "cores": os.cpu_count(),
        "load_at_start": os.getloadavg(),
        "versions": {
            "jax": jax.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "environment": {name: os.environ[name] for name in names if name in os.environ},
    }
    # Not all of them have PyTorch as their peer.
    if find_spec("torch"):
        import torch

        machine_info["versions"]["torch"] = torch.__version__
        machine_info["torch_threads"] = torch.get_num_threads()


def pytest_addoption(parser: Any) -> None:
    parser.addoption("--rounds", type=int, help="rounds of bench_12, in place of its own")


@pytest.fixture
def rounds(request: Any) -> int | None:
    """How many rounds are asked for on the command line."""
    return request.config.getoption("--rounds")


@pytest.fixture
def in_turn(benchmark: Any) -> Callable[..., None]:
    """Time something and its peers alternately, round by round, so that both meet the same load.

    ``in_turn(work, {name: (peer, units)}, units=..., rounds=..., **facts)``: `units` is how many
    times the thing compared (a seed-step, a figure) is done by one call. Each was called before.
    """

    def measure(
        work: Work,
        peers: dict[str, tuple[Work, float]],
        *,
        units: float,
        rounds: int,
        **facts: Any,
    ) -> None:
        seconds: dict[str, list[float]] = {name: [] for name in peers}
        processor: dict[str, list[float]] = {name: [] for name in peers}
        own: list[float] = []

        def time_peers() -> None:
            for name, (peer, _) in peers.items():
                began, spent = time.perf_counter(), time.process_time()
                peer()
                seconds[name].append(time.perf_counter() - began)
                processor[name].append(time.process_time() - spent)

        def timed() -> None:
            spent = time.process_time()
            work()
            own.append(time.process_time() - spent)

        benchmark.extra_info |= {
            **facts,
            "units": units,
            "processor": own,
            "peers": {
                name: {"units": count, "seconds": seconds[name], "processor": processor[name]}
                for name, (_, count) in peers.items()
            },
        }
        benchmark.pedantic(timed, setup=time_peers, rounds=rounds, iterations=1)

    return measure


@pytest.fixture
def in_64_bits() -> Any:
    """Theory runs in float64; training is timed as it runs by default, with x64 off."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)
