"""What every test costs in processor time, set-up and children counted: the dearest, and a limit.

A clock on the wall measures the neighbours too. A fixture that several tests share is counted for
the first that asks for it, in each xdist worker.
"""

import resource
from collections.abc import Generator

import pytest

MOST_SECONDS = 20
"""More than any test may take that is not marked slow: those are what `make test` waits for."""

SHOWN = 20

_ELSEWHERE = [0.0]
_BEGUN = pytest.StashKey[float]()
_NAME = "processor_seconds"


def spent() -> float:
    """Processor seconds of this process, of all its threads and of the children it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used) + sum(_ELSEWHERE)


def spent_elsewhere(seconds: float) -> None:
    """Count seconds of a process that a child of this one has waited for, as that child tells.

    Once the child itself is waited for, the system counts them too: take them away again.
    """
    _ELSEWHERE.append(seconds)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    item.stash[_BEGUN] = spent()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    try:
        done = yield
    finally:
        seconds = spent() - item.stash[_BEGUN]
        item.user_properties.append((_NAME, seconds))
    if seconds > MOST_SECONDS and item.get_closest_marker("slow") is None:
        pytest.fail(
            f"got {seconds:.1f} s of processor time, expected at most {MOST_SECONDS} s; make the "
            "test smaller, or mark it slow.",
            pytrace=False,
        )
    return done


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds = {
        report.nodeid: dict(report.user_properties)[_NAME]
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "teardown"
    }
    if not seconds:
        return
    whole = sum(seconds.values())
    terminalreporter.section(f"{SHOWN} dearest of {len(seconds)} tests, {whole:.0f} s of processor")
    for name in sorted(seconds, key=seconds.__getitem__, reverse=True)[:SHOWN]:
        terminalreporter.write_line(f"{seconds[name]:6.1f} s  {name}")
