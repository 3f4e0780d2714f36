"""Text with rationales in numbers and in sentences, both made from their Dataset alone."""

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status
from jaxattn.experiments.claims.findings import claims_of, sentences
from jaxattn.experiments.wording import Line, band_of, learnt_from

__all__ = ["claims_on_text", "findings", "numbers"]

_OF_FOCUS = (
    *("focus_accuracy", "attention_foreground"),
    *("token_f1", "token_iou", "token_auprc"),
)
_BY_RULE = ("accuracy", "comprehensiveness", "sufficiency")


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each paradigm and rule of inference, of held-out posts at the end of training.

    Median and `BAND` over the seeds that finished; ``own`` marks the paradigm's own rule. What is
    of the focus does not depend on the rule, and is in all of them.
    """
    ended = ds.sel(dynamics="train", split="test").isel(save=-1, learning_rate=0)
    lines: list[Line] = []
    for name in map(str, ds["paradigm"].values):
        own = ended.sel(paradigm=name)
        done = (own["status"] == Status.DONE).values
        focus = {what: band_of(own[what].values[done]) for what in _OF_FOCUS}
        natural = str(own["natural_inference"].values)
        for rule in map(str, ds["inference"].values):
            by_rule = own.sel(inference=rule)
            line: Line = {"paradigm": name, "inference": rule, "own": rule == natural}
            line |= {"seeds": int(done.sum())}
            line |= {what: band_of(by_rule[what].values[done]) for what in _BY_RULE}
            lines.append(line | focus)
    return lines


def claims_on_text(ds: xr.Dataset) -> list[Line]:
    """A line for each claim of the abstract, as `jaxattn reproduce all` has it of a set of images.

    Args:
        ds: a result of the experiment.
    """
    return claims_of(ds, "rationales")


def findings(ds: xr.Dataset) -> list[str]:
    """What was learnt from, the claims, and how far attended words are those of people."""
    said = learnt_from(ds)
    said += sentences(claims_on_text(ds))
    own = [line for line in numbers(ds) if line["own"] and line["seeds"]]
    for what, form, words in (
        ("accuracy", ".1f", "accuracy in per cent, each by its own rule"),
        ("focus_accuracy", ".1f", "most attended word is of the rationale, per cent of posts"),
        ("attention_foreground", ".3f", "attention on the rationale"),
        ("token_f1", ".3f", "F1 of attended words against the rationale"),
        ("comprehensiveness", ".3f", "chance lost without attended words"),
        ("sufficiency", ".3f", "chance lost with attended words alone"),
    ):
        told = [
            f"{line['paradigm']} {line[what]['median']:{form}}"
            for line in own
            if line[what]["median"] is not None and np.isfinite(line[what]["median"])
        ]
        if told:
            said.append(f"Held-out posts, {words}: {', '.join(told)} (medians over seeds).")
    return said
