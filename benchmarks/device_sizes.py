"""How much `make bench-device` does on which device. No JAX here: arguments are read first."""

from dataclasses import dataclass

LINEAR, MLP = "linear", "mlp"
TRAIN, FLOW, SWEEP = "train", "flow", "sweep"


@dataclass(frozen=True)
class Sizes:
    """How much of each measurement; chosen by the device alone."""

    name: str
    side: int
    """Of the matrices that are multiplied."""
    length: int
    """Of the arrays that are read and written."""
    measured: tuple[tuple[str, str, str, int], ...]
    """What, model, paradigm, rows a call: what matters most first, should time be short."""
    steps: dict[str, int]
    """Of training, by model."""
    flow_steps: int
    """A flow goes to the time of so many steps."""
    flow_examples: int
    chunk: tuple[int, int, int]
    """Of the sweep: rows of a chunk, steps, chunks."""
    saves: int
    evaluate: int
    """Examples that the sweep measures, of each split."""
    rounds: int
    seconds: float
    """After which nothing more is begun."""


TINY = Sizes(
    name="tiny",
    side=64,
    length=1 << 12,
    measured=((TRAIN, LINEAR, "hard", 2), (SWEEP, LINEAR, "hard", 2), (FLOW, LINEAR, "soft", 1)),
    steps={LINEAR: 3, MLP: 3},
    flow_steps=2,
    flow_examples=16,
    chunk=(2, 3, 1),
    saves=2,
    evaluate=16,
    rounds=1,
    seconds=3600,
)
"""To see that all of it works: its figures mean nothing."""

SMALL = Sizes(
    name="small",
    side=2048,
    length=1 << 25,
    measured=(
        (TRAIN, LINEAR, "hard", 16),
        (TRAIN, MLP, "hard", 4),
        (SWEEP, MLP, "hard", 4),
        (FLOW, MLP, "soft", 1),
        *((TRAIN, LINEAR, "hard", rows) for rows in (1, 64)),
        *((TRAIN, MLP, "hard", rows) for rows in (1, 32)),
        (TRAIN, LINEAR, "soft", 16),
        (TRAIN, MLP, "soft", 4),
        (FLOW, MLP, "soft", 4),
    ),
    steps={LINEAR: 40, MLP: 20},
    flow_steps=100,
    flow_examples=256,
    chunk=(16, 50, 2),
    saves=6,
    evaluate=512,
    rounds=3,
    seconds=300,
)
"""For a CPU."""

LARGE = Sizes(
    name="large",
    side=8192,
    length=1 << 28,
    measured=(
        *((TRAIN, model, "hard", rows) for rows in (256, 16, 1024) for model in (LINEAR, MLP)),
        (SWEEP, MLP, "hard", 512),
        *((FLOW, MLP, "soft", rows) for rows in (64, 2)),
        *((TRAIN, model, "soft", 256) for model in (LINEAR, MLP)),
        (FLOW, MLP, "hard", 16),
        *((TRAIN, model, "hard", rows) for rows in (4096, 64) for model in (LINEAR, MLP)),
        *((TRAIN, model, "lvml", 256) for model in (LINEAR, MLP)),
        (FLOW, MLP, "soft", 256),
    ),
    steps={LINEAR: 200, MLP: 200},
    flow_steps=200,
    flow_examples=512,
    chunk=(1024, 400, 2),
    saves=11,
    evaluate=512,
    rounds=3,
    seconds=390,
)
"""For an accelerator."""

SIZES = {sizes.name: sizes for sizes in (TINY, SMALL, LARGE)}


def suits(platform: str) -> Sizes:
    """What a device of this platform is given to do."""
    return SMALL if platform == "cpu" else LARGE
