"""What does a segment cost in short bags and in long ones, its gradient in pieces and at once?"""

from dataclasses import replace

import pytest
from cases import BATCH, LINEAR, MLP, PARADIGMS, training

SEEDS, STEPS, IN_CACHE = 16, 40, 1280
SEGMENTS = (5, 20, 80)


@pytest.mark.parametrize("segments", SEGMENTS)
@pytest.mark.parametrize("paradigm", PARADIGMS)
@pytest.mark.parametrize("case", [LINEAR, MLP], ids=lambda case: case.name)
def test_segments(in_turn, case, paradigm, segments):
    """Digits for both: bags of any length that share one pool of images."""
    long = replace(case, task_name="digits", segments=segments)
    how = {"seeds": SEEDS, "tile": case.model.tile, "saves": (0, STEPS)}
    sweep = training(long, paradigm, piece=IN_CACHE // segments, **how)
    at_once = training(long, paradigm, piece=BATCH, **how)
    sweep(), at_once()
    in_turn(
        sweep,
        {"at once": (at_once, SEEDS * STEPS * segments)},
        units=SEEDS * STEPS * segments,
        rounds=5,
        question="segments",
        case=case.name,
        paradigm=paradigm,
        segments=segments,
    )
