"""A process that imports, starts no backend of JAX, and forks: see `forked`.

Run as a script, with a socket's number and the names of modules.
"""

import gc
import importlib
import json
import os
import socket
import sys
import warnings
from typing import Any


def _fork() -> int:
    with warnings.catch_warnings():
        # Of threads, which a child has not: those of BLAS, which starts them again by itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _waited_for(pid: int) -> dict[str, Any]:
    _, status, used = os.wait4(pid, 0)
    return {"code": os.waitstatus_to_exitcode(status), "seconds": used.ru_utime + used.ru_stime}


def serve(line: socket.socket) -> dict[str, Any]:
    """Fork children and wait for them; return in each of them what it is to do."""
    while True:
        text, files, _, _ = socket.recv_fds(line, 1 << 20, 2)
        if not text:
            os._exit(0)
        asked = json.loads(text)
        if "wait" in asked:
            answer = _waited_for(asked["wait"])
        elif pid := _fork():
            answer = {"pid": pid}
            for file in files:
                os.close(file)
        else:
            line.close()
            for file, place in zip(files, (1, 2), strict=True):
                os.dup2(file, place)
                os.close(file)
            return asked
        line.sendall(json.dumps(answer).encode())


def main() -> None:
    """Import, and serve; in a child, do what was asked, as ``python -c`` does."""
    number, *modules = sys.argv[1:]
    for name in modules:
        importlib.import_module(name)
    # A child that looked for rubbish among what was imported, as at its end, would copy all of it.
    gc.freeze()
    asked = serve(socket.socket(fileno=int(number)))
    os.setsid()
    os.chdir(asked["folder"])
    sys.argv, sys.path[0] = asked["argv"], ""
    sys.modules["__main__"] = own = type(sys)("__main__")
    exec(compile(asked["code"], "<string>", "exec"), own.__dict__)


if __name__ == "__main__":
    main()
