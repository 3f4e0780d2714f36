"""What is timed from process start to a Dataset on disk, by jaxattn and by the script."""

from dataclasses import asdict, dataclass, replace

EVERY = ("soft", "hard", "lvml", "hybrid")


@dataclass(frozen=True)
class Study:
    """The digits' MLP with its defaults: 5 segments, 3 classes, minibatches of 256, plain SGD."""

    paradigms: tuple[str, ...]
    rates: tuple[float, ...]
    seeds: int
    steps: int
    spans: int
    """Between saves, of equally many steps."""
    flow_seeds: int = 0

    def plain(self, out: str, **more: object) -> dict[str, object]:
        """What either side is told."""
        return asdict(self) | {"out": out} | more


DEMO = Study(EVERY, (0.02, 0.05), seeds=8, steps=800, spans=40)
STUDIES = {
    "tiny": Study(("soft", "hard", "lvml"), (0.05,), seeds=4, steps=125, spans=25),
    "demo": DEMO,
    "large": Study(("hard",), (0.0125, 0.025, 0.05, 0.1, 0.2), seeds=64, steps=800, spans=40),
    # Of two seeds, the training beside them too, on both sides.
    "flows": replace(DEMO, seeds=2, flow_seeds=2),
}
