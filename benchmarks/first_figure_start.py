"""Seconds since a process was started, at which something begins in it; see `bench_12`.

python benchmarks/first_figure_start.py SINCE jax|compare

``SINCE`` is when it was started, by ``time.time``.
"""

import sys
import time

SHORT = 0.05
"""What takes less to compile is no program of a run, but a conversion of an array."""


def main(since: float, what: str) -> None:
    import jax

    if what == "jax":
        print(time.time() - since)
        return
    begun = []

    def add(event: str, seconds: float, **_: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration" and seconds > SHORT:
            begun.append(time.time() - seconds)

    jax.monitoring.register_event_duration_secs_listener(add)
    import jaxattn

    jaxattn.compare("digits", paradigms="soft", seeds=1, steps=2, saves=2, progress=False)
    print(min(begun) - since)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
