"""One command, timed: wall, processor and memory, from the start of its process to a file.

python benchmarks/child.py FOLDER PATTERN COMMAND...

Prints one JSON object. In a process of its own, which imports next to nothing: Linux counts what
the parent of a new process holds as that one's peak memory. ``{since}`` in the command becomes when
it was started, by ``time.time``.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def timed(folder: Path, pattern: str, command: list[str]) -> dict[str, object]:
    """What the command takes until the last file of `pattern` is written; none: until it ends."""
    since = time.time()
    words = [word.replace("{since}", repr(since)) for word in command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        ended = time.time()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(process.returncode)
    written = [file.stat().st_mtime for file in folder.glob(pattern)] if pattern else [ended]
    return {
        "wall": max(written) - since,
        "processor": used.ru_utime + used.ru_stime,
        "peak": 1024 * used.ru_maxrss,  # Linux counts in KiB
        "said": said,
    }


if __name__ == "__main__":
    where, files, *rest = sys.argv[1:]
    print(json.dumps(timed(Path(where), files, rest)))
