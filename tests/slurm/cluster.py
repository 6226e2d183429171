"""A real SLURM on this one machine: controller, node daemon and munge, in a folder of its own.

    python tests/slurm/cluster.py install          # Debian's slurm-wlm and munge, where they can be had
    python tests/slurm/cluster.py start FOLDER     # and stop FOLDER

The node claims more cores than there may be and two pretended GPUs (device files that no program opens), so
that jobs which ask for a GPU are queued as on a cluster. Of the daemons' files all but /etc/slurm lie in the
folder; that one must be there, since a job's own srun reads no other. A configuration that is not of this
script is left alone: then nothing is started.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

CONFIGURATION = Path("/etc/slurm")
MARK = "# Written by Podura's tests; any other file is left alone."
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue")
CORES, MEMORY_MB, GPUS = 6, 12_000, 2

SLURM_CONF = """{mark}
ClusterName=podura
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
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
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SlurmdParameters=config_overrides
GresTypes=gpu
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=100000
SlurmctldTimeout=30
SlurmdTimeout=60
MessageTimeout=30
KillWait=10
OverTimeLimit=0
MinJobAge=7200
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:pretended:{gpus} State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""


class NoSlurmError(Exception):
    """SLURM cannot be had here; the message says why."""


def missing() -> list[str]:
    """Programs of SLURM and munge that are not installed."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


def install() -> None:
    """Install Debian's packages. Raises NoSlurmError where that cannot be done."""
    if not missing():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoSlurmError(
            f"{', '.join(missing())} are not installed, and only root on Debian can do that here"
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = ["apt-get", "install", "-y", "--no-install-recommends", "slurm-wlm", "munge"]
    for command in (packages, ["apt-get", "update"], packages):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if not missing():
            return
    raise NoSlurmError(f"apt-get could not install slurm-wlm and munge: {done.stderr.strip()[-300:]}")


class Cluster:
    """One node that is all of a cluster. Raises NoSlurmError where it cannot be started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().split(".")[0]

    def start(self) -> None:
        if os.geteuid() != 0:
            raise NoSlurmError("SLURM's daemons are started by root, and this is another user")
        if absent := missing():
            raise NoSlurmError(f"{', '.join(absent)} are not installed (Debian: slurm-wlm, munge)")
        configuration = CONFIGURATION / "slurm.conf"
        if configuration.exists() and not configuration.read_text().startswith(MARK):
            raise NoSlurmError(f"{configuration} is there already and not of these tests")
        if processes("slurmctld") or processes("slurmd"):
            raise NoSlurmError("SLURM is running on this machine already")
        self._write_configuration()
        self._start_munge()
        self.start_daemon("slurmctld")
        self.start_daemon("slurmd")
        wait_for(lambda: self.node_state() == "idle", 60, f"the node is {self.node_state()}, not idle")
        self._try_a_job()

    def _try_a_job(self) -> None:
        """Where a first job does not run (in some containers), none of the tests' would."""
        command = ["sbatch", "--wait", f"--chdir={self.folder}", "--output=/dev/null", "--wrap=srun true"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        except subprocess.TimeoutExpired:
            raise NoSlurmError("a job of nothing does not end") from None
        if done.returncode:
            raise NoSlurmError(f"a job of nothing does not run: {done.stderr.strip()[-300:]}")

    def stop(self) -> None:
        """End what start began, however far that came, and nothing else."""
        if (self.folder / "slurmctld.started").exists() and processes("slurmctld"):
            subprocess.run(["scancel", "--quiet", f"--user={os.getuid()}"], check=False, timeout=60)
            wait_for(lambda: not self.jobs(), 60, "jobs do not end")
        for name in ("slurmd", "slurmctld"):
            self.end_daemon(name, signal.SIGTERM)
        self._stop_munge()
        if (self.folder / "configured").exists():
            for name in ("slurm.conf", "gres.conf"):
                (CONFIGURATION / name).unlink(missing_ok=True)

    def start_daemon(self, name: str) -> None:
        """Start slurmctld or slurmd, which goes on from the state that it finds in the folder."""
        with (self.folder / f"{name}.out").open("a") as output:
            command = [shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin"), "-D"]
            process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        (self.folder / f"{name}.started").write_text(str(process.pid))
        self._children = {**getattr(self, "_children", {}), name: process}
        if name == "slurmctld":
            wait_for(self._answers, 60, "slurmctld does not answer")

    def end_daemon(self, name: str, number: signal.Signals) -> None:
        """End the daemon that this script started: its process id is in the folder."""
        file = self.folder / f"{name}.started"
        if not file.exists():
            return
        pid = int(file.read_text())
        if pid in processes(name):
            os.kill(pid, number)
        if child := getattr(self, "_children", {}).pop(name, None):
            child.wait(timeout=60)
        wait_for(lambda: pid not in processes(name), 60, f"{name} does not end")
        file.unlink()

    def node_state(self) -> str:
        return self.ask("sinfo", "--noheader", "--format=%t", "--partition=cpu").strip("* \n")

    def jobs(self, states: str = "PENDING,CONFIGURING,RUNNING,COMPLETING") -> list[dict[str, str]]:
        """Jobs that SLURM knows: id, state, comment (the rule and its wildcards)."""
        rows = self.ask("squeue", "--noheader", f"--states={states}", "--format=%i|%T|%k").splitlines()
        return [dict(zip(("id", "state", "comment"), row.split("|"), strict=True)) for row in rows]

    def facts(self, job: str) -> dict[str, str]:
        """What scontrol says of a job: TimeLimit, MinMemoryNode, Partition, TresPerJob ..."""
        words = self.ask("scontrol", "--oneliner", "show", "job", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def ask(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=90)
        return done.stdout

    def _answers(self) -> bool:
        done = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, check=False, timeout=90)
        return " is UP" in done.stdout

    def _write_configuration(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        devices = [self.folder / f"gpu_{number}" for number in range(GPUS)]
        for number, device in enumerate(devices):
            if not device.exists():
                # Two character devices that exist everywhere: null and zero.
                os.mknod(device, 0o20666, os.makedev(1, (3, 5)[number]))
        CONFIGURATION.mkdir(exist_ok=True)
        (self.folder / "configured").touch()
        (CONFIGURATION / "slurm.conf").write_text(
            SLURM_CONF.format(
                mark=MARK, host=self.host, folder=self.folder, cores=CORES, memory=MEMORY_MB, gpus=GPUS
            )
        )
        (CONFIGURATION / "gres.conf").write_text(
            f"{MARK}\nName=gpu Type=pretended File={self.folder}/gpu_[0-{GPUS - 1}]\n"
        )

    def _start_munge(self) -> None:
        if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0:
            return
        key, place = Path("/etc/munge/munge.key"), Path("/run/munge")
        if not key.exists():
            raise NoSlurmError("munge has no key: install Debian's package munge")
        place.mkdir(exist_ok=True)
        shutil.chown(place, "munge", "munge")
        done = subprocess.run(
            ["runuser", "-u", "munge", "--", "/usr/sbin/munged"], capture_output=True, text=True
        )
        if done.returncode:
            raise NoSlurmError(f"munged does not start: {done.stderr.strip()}")
        wait_for((place / "munge.socket.2").exists, 30, "munged does not answer")
        (self.folder / "munged.started").write_text(Path("/run/munge/munged.pid").read_text())

    def _stop_munge(self) -> None:
        file = self.folder / "munged.started"
        if file.exists():
            pid = int(file.read_text())
            if pid in processes("munged"):
                os.kill(pid, signal.SIGTERM)
            file.unlink()


def processes(name: str) -> list[int]:
    """Process ids of programs of a name."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() == name:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], object], seconds: float, complaint: str) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise NoSlurmError(complaint)
        time.sleep(0.2)


def main() -> None:
    words = sys.argv[1:]
    try:
        if words == ["install"]:
            install()
        elif len(words) == 2 and words[0] in {"start", "stop"}:
            cluster = Cluster(Path(words[1]).resolve())
            cluster.start() if words[0] == "start" else cluster.stop()
        else:
            sys.exit(__doc__)
    except NoSlurmError as error:
        # Not a failure: the tests that need it are skipped, with the same words.
        print(f"No SLURM here: {error}.", file=sys.stderr)


if __name__ == "__main__":
    main()
