"""What a person sees of a sweep on a terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxattn.engine.running import Outcome

__all__ = ["outcome_lines", "status_lines"]


def outcome_lines(outcome: Outcome, folder: Path) -> list[str]:
    """How a sweep ended, and where its results are."""
    failed = f", {outcome.failed} failed (diverged or not solved)" if outcome.failed else ""
    kept = outcome.chunks - outcome.computed
    before = f" ({kept} of them before)" if kept else ""
    return [
        f"{outcome.rows} runs{failed}, in {outcome.chunks} chunks{before}, "
        f"{outcome.seconds:.0f} s.",
        f'All of it: jaxattn.open("{folder}").',
    ]


def status_lines(found: Mapping[str, Any]) -> list[str]:
    """How far a sweep is."""
    done = found["chunks"]["whole"]
    lines = [
        f"{done} of {found['chunks']['all']} chunks are finished, {found['runs']['done']} of "
        f"{found['runs']['all']} runs."
    ]
    for name, count in found["runs"].items():
        if name not in ("all", "done") and count:
            lines.append(f"{count} runs {name.replace('_', ' ')}.")
    for state, numbers in found["not_whole"].items():
        lines.append(f"{state}: chunks {', '.join(map(str, numbers))}.")
    if found["holder"]:
        lines.append(f"{found['holder']} is at work on it.")
    elif done < found["chunks"]["all"]:
        lines.append(f"Go on with: jaxattn sweep resume {found['folder']}")
    return lines
