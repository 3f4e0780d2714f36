"""What each host of a test runs: its share of some chunks, written where all can see them."""

import sys
import time
from pathlib import Path

import chunk_work
import jax

from jaxattn.engine.executors.hosts import share_of
from jaxattn.engine.executors.open import open_engine


def main(folder: Path, late: float, options: dict[str, str]) -> None:
    jax.config.update("jax_enable_x64", True)
    with open_engine("hosts" if options else "auto", options=options) as engine:
        assert engine.processes == 2
        missing = [n for n in range(9) if not (folder / str(n)).exists()]
        engine.barrier("the missing are listed")
        for number, content in engine.results(
            chunk_work.compute, share_of(missing, engine.process, engine.processes)
        ):
            (folder / str(number)).write_bytes(content)
        if engine.process == 1:
            time.sleep(late)
        engine.barrier("all is written")
        if engine.process == 0:
            (folder / "count").write_text(str(sum((folder / str(n)).exists() for n in range(9))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), dict(word.split("=", 1) for word in sys.argv[3:]))
