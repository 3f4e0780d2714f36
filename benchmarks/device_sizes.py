"""How much `make bench-device` does on which device. No JAX here: arguments are read first."""

from dataclasses import dataclass

LINEAR, MLP = "linear", "mlp"


@dataclass(frozen=True)
class Sizes:
    """How much of each measurement; chosen by the device alone."""

    name: str
    side: int
    """Of the matrices that are multiplied."""
    length: int
    """Of the arrays that are read and written."""
    training: tuple[tuple[str, str, int], ...]
    """Model, paradigm, rows a call."""
    steps: dict[str, int]
    """Of training, by model."""
    flows: tuple[tuple[str, str, int], ...]
    flow_steps: int
    """A flow goes to the time of so many steps."""
    flow_examples: int
    sweep: tuple[str, str, int, int, int]
    """Model, paradigm, rows of a chunk, steps, chunks."""
    sweep_tile: int
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
    training=((LINEAR, "hard", 2),),
    steps={LINEAR: 3, MLP: 3},
    flows=((LINEAR, "soft", 1),),
    flow_steps=2,
    flow_examples=16,
    sweep=(LINEAR, "hard", 2, 3, 1),
    sweep_tile=2,
    saves=2,
    evaluate=16,
    rounds=1,
    seconds=60,
)
"""To see that all of it works: its figures mean nothing."""

SMALL = Sizes(
    name="small",
    side=2048,
    length=1 << 25,
    training=(
        *((LINEAR, "hard", rows) for rows in (1, 16, 64)),
        (LINEAR, "soft", 16),
        *((MLP, "hard", rows) for rows in (1, 4, 32)),
        (MLP, "soft", 4),
    ),
    steps={LINEAR: 40, MLP: 20},
    flows=((MLP, "soft", 1), (MLP, "soft", 4)),
    flow_steps=100,
    flow_examples=256,
    sweep=(MLP, "hard", 16, 50, 2),
    sweep_tile=4,
    saves=6,
    evaluate=512,
    rounds=3,
    seconds=120,
)
"""For a CPU."""

LARGE = Sizes(
    name="large",
    side=8192,
    length=1 << 28,
    training=(
        *((LINEAR, "hard", rows) for rows in (16, 256, 4096)),
        *((MLP, "hard", rows) for rows in (16, 256, 1024)),
        *((model, how, 256) for model in (LINEAR, MLP) for how in ("soft", "lvml")),
        (LINEAR, "hard", 64),
        (MLP, "hard", 64),
        (LINEAR, "hard", 1024),
        (MLP, "hard", 4096),
    ),
    steps={LINEAR: 200, MLP: 200},
    flows=((MLP, "soft", 2), (MLP, "soft", 64), (MLP, "hard", 16), (MLP, "soft", 256)),
    flow_steps=200,
    flow_examples=512,
    sweep=(MLP, "hard", 1024, 400, 2),
    sweep_tile=512,
    saves=11,
    evaluate=512,
    rounds=3,
    seconds=390,
)
"""For an accelerator. What is asked first is measured first, should time be short."""

SIZES = {sizes.name: sizes for sizes in (TINY, SMALL, LARGE)}


def suits(platform: str) -> Sizes:
    """What a device of this platform is given to do."""
    return SMALL if platform == "cpu" else LARGE
