"""The command line: words to settings, and results to a terminal. No logic of its own.

Heavy imports happen inside the commands, so that ``--help`` answers at once.
"""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import tyro

from jaxattn.cli.commands import (
    Command,
    Compare,
    CriticalRate,
    Doctor,
    Report,
    Reproduce,
    Theory,
)
from jaxattn.cli.critical_rate import critical_rate
from jaxattn.cli.data import data
from jaxattn.cli.data_commands import Data
from jaxattn.cli.sweep import sweep
from jaxattn.cli.sweep_commands import Sweep
from jaxattn.cli.words import task_of, with_hypers
from jaxattn.core.errors import InputError, LateError
from jaxattn.core.text import file_name
from jaxattn.core.versions import version_of
from jaxattn.run.heap import collect_rarely
from jaxattn.terminal.interruption import interruption_heard
from jaxattn.terminal.output import answer, complain, print_json, show
from jaxattn.terminal.streams import finish_output, lasting_streams

__all__ = ["console", "main", "parse"]

UNFINISHED = 3
"""Exit code where some rows failed, or something after the results did, such as a figure."""

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code (0 done, 2 bad input, 3 some failed, 130 Ctrl-C)."""
    with lasting_streams():
        said: SystemExit | None = None
        try:
            code = _run(parse(arguments))
        except KeyboardInterrupt:
            complain("interrupted.")
            code = INTERRUPTED
        except SystemExit as end:  # of --help, or of words that are no command
            code, said = int(end.code or 0), end
        if error := finish_output():
            complain(
                f"could not write the answer: {error.strerror}; what the command wrote into files "
                "is whole."
            )
            return code or 1
        if said:
            raise said
        return code


def console() -> NoReturn:
    """The console script: `main`, then exit with its code.

    After Ctrl-C at once: what a device has begun cannot be cancelled, and Python would wait for it.
    """
    with collect_rarely(), interruption_heard():
        code = main()
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def parse(arguments: Sequence[str] | None = None) -> Command:
    """The command that these words (by default the process's own) ask for.

    Raises:
        SystemExit: 2 for what cannot be read, after saying why; 0 for ``--help``, ``--version``.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words == ["--version"]:
        show(f"jaxattn {version_of('jaxattn')}")
        sys.exit(0)
    return tyro.cli(
        Command,  # type: ignore[arg-type]  # a union of Annotated types: tyro reads it, mypy not
        prog="jaxattn",
        description="Watch attention networks learn: soft, hard, LVML, hybrid, on one time axis. "
        "--version alone says which release this is.",
        args=words,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )


def _run(command: Command) -> int:
    # The command imports jax, which takes a second in which a person may press Ctrl-C.
    try:
        # What reads data sets compiles nothing.
        if not isinstance(command, Data):
            _set_up(command.do.cache if isinstance(command, Sweep) else command.cache)
        return _RUN[type(command)](command)
    except InputError as error:
        complain(str(error))
        return 2
    except LateError as error:
        complain(str(error))
        return UNFINISHED
    except OSError as error:
        full = error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM)
        complain(
            f"could not write {error.filename or 'results'}: {error.strerror}; what was written "
            f"before is whole. Make {'room' if full else 'it writable'} and run again."
        )
        return 1


def _all_but_the_last(work: Callable[[], Any]) -> tuple[Any, LateError | None]:
    """What `work` computes, and what failed after its results were written."""
    try:
        return work(), None
    except LateError as error:
        if error.done is None:
            raise
        return error.done, error


def _ended(failed: bool, late: LateError | None) -> int:
    """The exit code of a command that has said its answer."""
    if late is not None:
        raise late
    return UNFINISHED if failed else 0


def _set_up(cache: bool) -> None:
    """Flags that a library must not set: float64 for flows and theory, a compilation cache."""
    # The solver's run-time checks are host callbacks, and JAX keeps no program with one in its
    # cache. What they would raise on comes back as NaN, which a row's status reports.
    os.environ.setdefault("EQX_ON_ERROR", "nan")
    import jax

    jax.config.update("jax_enable_x64", True)
    if cache and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        import platformdirs

        try:
            folder = platformdirs.user_cache_dir("jaxattn")
        except RuntimeError:  # nobody's home, as of a user that a container does not know
            return
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def _compare(command: Compare) -> int:
    from jaxattn.reports.compare_into import compare_into, count_failed
    from jaxattn.study.settings import Settings
    from jaxattn.study.study import resolve_settings

    here = Path.cwd()  # a component of one's own may leave it
    study = resolve_settings(
        Settings(task=task_of(command), hypers=_hypers(command), **_flags(command))
    )
    out = command.out or Path("runs") / file_name(study.subject.source.name)
    with _reporter(study) as reporter:
        hears = (reporter.on_progress, reporter.on_failed)
        ds, late = _all_but_the_last(
            lambda: compare_into(here / out, study, command.overwrite, *hears, command.figures)
        )
    _answer_compare(command, ds, out)
    return _ended(count_failed(ds) > 0, late)


def _reporter(study: Any) -> Any:
    from jaxattn.analysis.scope import too_few_words
    from jaxattn.terminal.progress_bar import Reporter

    return Reporter(too_few_words(len(study.seeds), len(study.names)))


def _answer_compare(command: Compare, ds: Any, out: Path) -> None:
    """Say what came out, judged where anything was trained; nothing of it loads before that."""
    from jaxattn.analysis.claims import claims
    from jaxattn.analysis.contrasts import contrasts, question_records
    from jaxattn.analysis.findings import findings
    from jaxattn.analysis.paired_differences import differences
    from jaxattn.analysis.subject import is_trained
    from jaxattn.analysis.summary import summary
    from jaxattn.reports.compare_into import count_failed
    from jaxattn.terminal.tables import claim_lines, results_table, sentences

    table = summary(ds)
    # Limits alone have nothing to be judged.
    judged = contrasts(ds) if is_trained(ds) else None
    claimed = [] if judged is None else claims(ds, judged)
    if command.json:
        asked = [] if judged is None else question_records(judged)
        paired = [] if judged is None else differences(ds).to_dict("records")
        records = {"questions": asked, "summary": table.to_dict("records")}
        records["claims"] = [claim._asdict() for claim in claimed]
        records["differences"] = paired
        print_json({**records, **_beside_limits(ds), "failed": count_failed(ds)})
        return
    show(*sentences(findings(ds, judged)), *claim_lines(claimed))
    if judged is not None:
        show(results_table(table, ds))
    figures = "" if command.figures == "none" else ", with figures"
    show(f"All of it{figures}: {out / 'report.html'}")


def _flags(command: Compare) -> dict[str, Any]:
    """The settings that are flags, as Python has them."""
    given = vars(command.settings)
    batch = "all" if given["batch_size"] == 0 else given["batch_size"]
    against = _split(given["against"])
    return {**given, "batch_size": batch, "against": against, "vary": given["vary"] or None}


def _split(words: Sequence[str]) -> tuple[str, ...]:
    """Names given apart or with commas between them, each once."""
    return tuple(dict.fromkeys(name for word in words for name in word.split(",") if name))


def _beside_limits(ds: Any) -> dict[str, Any]:
    """Training beside its limits, as JSON; orders where there are several learning rates."""
    from jaxattn.analysis.limit_departures import departure_records
    from jaxattn.analysis.limit_gaps import limits_in, orders_by_name

    orders = orders_by_name(ds)
    departures = {"departures": departure_records(ds)} if limits_in(ds) else {}
    return {"orders": orders, **departures} if orders else departures


def _hypers(command: Compare) -> dict[str, Any]:
    hypers: dict[str, Any] = {"learning_rate": command.learning_rates}
    if command.switch_time is not None:
        hypers["switch_time"] = command.switch_time
    return with_hypers(command.hypers, hypers)


def _theory(command: Theory) -> int:
    from jaxattn.core.contracts import Status
    from jaxattn.experiments.theory.command import solve_published, theory_into, theory_json
    from jaxattn.reduced import log_times
    from jaxattn.terminal.tables import theory_table

    times = log_times(command.t_end, command.points)
    size = (command.segments, command.classes)
    ds = solve_published(command.paradigms, *size, times, command.switch_time, command.method)
    written, late = _all_but_the_last(
        lambda: [] if command.out is None else theory_into(command.out, ds, command.overwrite)
    )
    record = theory_json(ds)
    answer(command.json, record, theory_table(record), *(f"wrote {path}" for path in written))
    return _ended(bool((ds["status"] != Status.DONE).any()), late)


def _report(command: Report) -> int:
    from jaxattn.experiments import report
    from jaxattn.terminal.tables import sentences

    page = report(command.folder)
    record = {
        "report": str(page.path),
        "findings": [finding._asdict() for finding in page.findings],
    }
    record |= {"numbers": page.numbers} if page.numbers else {}
    answer(command.json, record, *sentences(page.findings), f"wrote {page.path}")
    return 0


def _reproduce(command: Reproduce) -> int:
    from jaxattn.experiments import EXPERIMENTS, reproduce
    from jaxattn.terminal.progress_bar import Reporter
    from jaxattn.terminal.tables import ending, experiments_table, numbers_table

    if command.name is None:
        summaries = {experiment.name: experiment.summary for experiment in EXPERIMENTS.values()}
        answer(command.json, {"experiments": summaries}, experiments_table(EXPERIMENTS))
        return 0
    if command.plan:
        return _planned(command, command.name)
    name, out = command.name, command.out or Path("runs") / file_name(command.name)
    with Reporter() as reporter:
        how = (out, command.overwrite, reporter.on_progress, command.seeds, command.resume)
        data = _folder(command)
        reproduction, late = _all_but_the_last(lambda: reproduce(name, command.scale, *how, data))
    record = {
        "numbers": reproduction.numbers,
        "findings": reproduction.findings,
        "failed": reproduction.failed,
    }
    table = numbers_table(reproduction.numbers, reproduction.results)
    answer(command.json, record, table, *reproduction.findings, *ending(reproduction.failed, out))
    return _ended(reproduction.failed > 0, late)


def _folder(command: Reproduce) -> str | None:
    return None if command.data is None else str(command.data.absolute())


def _planned(command: Reproduce, name: str) -> int:
    from jaxattn.experiments import plan
    from jaxattn.terminal.sweep_tables import cost_lines, cost_table

    costs = plan(name, command.scale, command.seeds, _folder(command))
    lines: list[Any] = []
    for part, cost in costs.items():
        lines += [f"{part}:", cost_table(cost), *cost_lines(cost)]
    answer(command.json, {part: cost.plain() for part, cost in costs.items()}, *lines)
    return 0


def _doctor(command: Doctor) -> int:
    from jaxattn.cli.doctor import examine
    from jaxattn.terminal.tables import doctor_table

    health = examine()
    answer(command.json, health, doctor_table(health))
    return 0 if health["self_test"]["passed"] else UNFINISHED


_RUN: dict[type, Callable[[Any], int]] = {
    Compare: _compare,
    CriticalRate: critical_rate,
    Theory: _theory,
    Report: _report,
    Reproduce: _reproduce,
    Sweep: sweep,
    Data: data,
    Doctor: _doctor,
}
