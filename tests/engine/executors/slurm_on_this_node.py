"""A real SLURM of one node, brought up by its own daemons below a folder, and taken down again.

Debian: apt-get install slurm-wlm slurmdbd munge mariadb-server. It needs to be root, as SLURM's
daemons start jobs in the name of others, and touches nothing outside the folder.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDED = (
    *("munged", "slurmctld", "slurmd", "slurmdbd", "sbatch", "srun", "sacct"),
    *("mariadbd", "mariadb-install-db", "mariadb"),
)

SLURM_CONF = """
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmdUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/builtin
SchedulerParameters=sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
KillWait=2
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[2]}
AccountingStoragePass={folder}/munge/socket
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={ports[2]}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[3]}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""

PLUGIN = "CgroupPlugin=cgroup/v{version}\n"


def missing() -> str:
    """Why it cannot be brought up here; nothing if it can."""
    if os.geteuid() != 0:
        return "SLURM's daemons need root"
    absent = [name for name in NEEDED if not shutil.which(name, path=_path())]
    return f"not installed: {', '.join(absent)}" if absent else ""


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which SLURM's commands find it."""
    for name in ("munge", "state", "spool", "db"):
        (folder / name).mkdir()
    (folder / "munge").chmod(0o711)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    facts = {
        "folder": folder,
        "host": socket.gethostname().split(".")[0],
        "ports": _free_ports(4),
        "password": secrets.token_hex(8),
    }
    (folder / "slurm.conf").write_text(SLURM_CONF.format(**facts))
    (folder / "slurmdbd.conf").write_text(SLURMDBD_CONF.format(**facts))
    (folder / "slurmdbd.conf").chmod(0o600)
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    (folder / "cgroup.conf").write_text(PLUGIN.format(version=2 if unified else 1))
    environment = {"PATH": _path(), "SLURM_CONF": str(folder / "slurm.conf")}
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: object) -> None:
        log = (folder / f"{words[0]}.said").open("wb")
        command = [str(word) for word in words]
        with log:
            started.append(
                subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
            )

    def answers(*words: str, given: str = "", says: str = "") -> Callable[[], bool]:
        def asked() -> bool:
            done = subprocess.run(
                words,
                env={**os.environ, **environment},
                input=given,
                capture_output=True,
                text=True,
                timeout=30,
            )
            return done.returncode == 0 and says in done.stdout

        return asked

    try:
        munge = folder / "munge"
        places = [f"--{one}={munge / one.split('-')[0]}" for one in ("key-file", "socket")]
        places += [f"--{one}={munge / one}" for one in ("pid-file", "log-file", "seed-file")]
        start("munged", "--foreground", "--force", *places)
        _until(lambda: (munge / "socket").exists(), folder)
        subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", f"--datadir={folder / 'db'}"),
                *("--user=root", "--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )
        start(
            *("mariadbd", "--no-defaults", f"--datadir={folder / 'db'}", "--user=root"),
            *("--bind-address=127.0.0.1", f"--port={facts['ports'][3]}"),
            *(f"--socket={folder / 'db.sock'}", f"--pid-file={folder / 'db.pid'}"),
            "--innodb-buffer-pool-size=32M",
        )
        grant = "".join(
            f"CREATE USER IF NOT EXISTS slurm@'{place}' IDENTIFIED BY '{facts['password']}';"
            f"GRANT ALL ON slurm.* TO slurm@'{place}';"
            for place in ("localhost", "127.0.0.1")
        )
        sql = ("mariadb", "--no-defaults", "-u", "root", "-S", str(folder / "db.sock"))
        _until(answers(*sql, given=grant), folder)
        start("slurmdbd", "-D")
        _until(answers("sacctmgr", "-n", "show", "cluster"), folder)
        start("slurmctld", "-D", "-i")
        _until(answers("scontrol", "ping", says="UP"), folder)
        start("slurmd", "-D")
        _until(answers("sinfo", "-h", says="idle"), folder)
        yield environment
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _until(ready: Callable[[], bool], folder: Path, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            said = {log.name: log.read_text()[-500:] for log in folder.glob("*.log")}
            raise TimeoutError(f"SLURM did not come up: {said}")
        time.sleep(0.1)


if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as place, slurm(Path(place)) as found:
        subprocess.run(sys.argv[1:] or ["sinfo"], env={**os.environ, **found}, check=True)
