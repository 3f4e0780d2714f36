"""A copy of the package in which one file is written or changed, as a stranger would do it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent / "jaxattn"


class Copy:
    """The package copied to a folder; one file of it may be changed, and a child imports it."""

    def __init__(self, folder: Path) -> None:
        # With its compiled files, so that the child need not make them all anew.
        shutil.copytree(PACKAGE, folder / "jaxattn")
        self.folder = folder
        self.changed: set[str] = set()

    def write(self, file: str, text: str) -> None:
        """Write a new file, named from the package: ``flow/limits/mine.py``."""
        path = self.folder / "jaxattn" / file
        assert not path.exists()
        path.write_text(text, encoding="utf-8")
        self.changed.add(file)

    def change(self, file: str, *pairs: tuple[str, str]) -> None:
        """Replace texts of a file, each of which it holds once."""
        path = self.folder / "jaxattn" / file
        text = path.read_text(encoding="utf-8")
        for old, new in pairs:
            assert text.count(old) == 1, f"{file} does not hold once: {old}"
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        self.changed.add(file)

    def tell(self, code: str) -> Any:
        """What a child process that imports the copy says, as JSON, by its variable ``said``."""
        assert len(self.changed) == 1, f"one file is enough: {self.changed}"
        ask = f"import json, jaxattn\n{code}\nprint(json.dumps([jaxattn.__file__, said]))"
        paths = os.pathsep.join([str(self.folder), str(PACKAGE.parent / "tests")])
        environment = {**os.environ, "PYTHONPATH": paths}
        done = subprocess.run(
            [sys.executable, "-c", ask],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        origin, said = json.loads(done.stdout.splitlines()[-1])
        assert Path(origin).is_relative_to(self.folder)
        return said
