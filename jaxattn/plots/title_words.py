"""Words that titles and captions share: what was run, of how many seeds, what was left out."""

from collections import Counter
from collections.abc import Iterable

from jaxattn.plots.finished_rows import Curves
from jaxattn.plots.selection import Setting
from jaxattn.results.dataset import spec_of

__all__ = ["left_out", "measured_words", "run_words", "seeds_words", "setting_words"]


def left_out(drawn: Iterable[Curves]) -> str:
    """How many runs are not drawn and how they ended; "" where all are."""
    drawn = list(drawn)
    counts = Counter(ending for one in drawn for ending in one.missing)
    if not counts:
        return ""
    endings = ", ".join(f"{count} {ending}" for ending, count in sorted(counts.items()))
    return f"left out {counts.total()} of {sum(one.asked for one in drawn)} runs: {endings}"


def seeds_words(drawn: Iterable[Curves]) -> str:
    """How many seeds are behind the curves: "8 seeds", or "6 to 8 seeds"."""
    counts = [len(one.seeds) for one in drawn if len(one.seeds)] or [0]
    low, high = min(counts), max(counts)
    return (f"{low} seed" if low == high else f"{low} to {high} seed") + "s" * (high != 1)


def setting_words(setting: Setting, *more: str) -> str:
    """What a title begins with: the task, the setting, and `more`."""
    task = str(spec_of(setting.ds).get("task", ""))
    return ", ".join(part for part in (task, setting.words, *more) if part)


def measured_words(
    setting: Setting, measure: str, split: str, inference: str | None = None, *more: str
) -> str:
    """`setting_words` of a figure of one measure, with the split and inference rule it is of."""
    dims = setting.ds[measure].dims
    return setting_words(
        setting,
        f"{split} split" if "split" in dims else "",
        f"answers by {inference}" if inference and "inference" in dims else "",
        *more,
    )


def run_words(setting: Setting, *more: str) -> str:
    """What a caption begins with: what was run, as far as the result says, and `more`."""
    spec = spec_of(setting.ds)
    parts = [str(spec[name]) for name in ("task", "model", "optimiser") if spec.get(name)]
    if spec.get("schedule") not in (None, "constant"):
        parts.append(f"{spec['schedule']} schedule")
    if "batch_size" in spec:
        size = spec["batch_size"]
        order = f", {spec['order']}" if "order" in spec else ""
        parts.append("full batch" if size is None else f"batches of {size}{order}")
    return ", ".join(part for part in (*parts, setting.words, *more) if part)
