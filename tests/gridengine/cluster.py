"""A real Grid Engine on this one machine: master, execution daemon, queues and a parallel environment.

    python tests/gridengine/cluster.py start FOLDER     # and stop FOLDER

Debian's packages are unpacked into the folder and nothing is installed: programs, configuration, spool and
accounting all lie in it, and the ports are free ones. Outside is one link only, /usr/lib/gridengine, where
Debian's programs look for their library; it goes when the cluster is stopped. FOLDER/settings.sh sets what a
shell needs to ask it.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = ("gridengine-master", "gridengine-exec", "gridengine-client", "gridengine-common")
ARCHITECTURE = "lx-amd64"
LINK = Path("/usr/lib/gridengine")
SLOTS, GPUS = 6, 2

BOOTSTRAP = """admin_user none
default_domain none
ignore_fqdn true
spooling_method classic
spooling_lib libspoolc
spooling_params {root}/default/common;{spool}
binary_path {root}/bin
qmaster_spool_dir {spool}
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
jvm_threads 0
"""

# What differs from Debian's configuration of a cluster.
CONFIGURATION = {
    "execd_spool_dir": "{folder}/execd",
    "min_uid": "0",
    "min_gid": "0",
    "load_report_time": "00:00:05",
    "mailer": "/bin/true",
    "administrator_mail": "none",
    "reporting_params": "accounting=true reporting=false flush_time=00:00:01 joblog=false sharelog=00:00:00",
    "gid_range": "{gids}",
}

QUEUE = {
    "seq_no": "0",
    "load_thresholds": "NONE",
    "suspend_thresholds": "NONE",
    "nsuspend": "1",
    "suspend_interval": "00:05:00",
    "priority": "0",
    "min_cpu_interval": "00:05:00",
    "processors": "UNDEFINED",
    "qtype": "BATCH",
    "ckpt_list": "NONE",
    "pe_list": "smp",
    "rerun": "FALSE",
    "slots": f"{SLOTS}",
    "tmpdir": "/tmp",
    "shell": "/bin/bash",
    "shell_start_mode": "unix_behavior",
    "initial_state": "default",
    "notify": "00:00:60",
}
NOTHING = "prolog epilog starter_method suspend_method resume_method terminate_method owner_list user_lists "
NOTHING += "xuser_lists subordinate_list complex_values projects xprojects calendar"
LIMITS = "rt cpu fsize data stack core rss vmem"


class NoGridEngineError(Exception):
    """Grid Engine cannot be had here; the message says why."""


def unpack(folder: Path) -> None:
    """Put Debian's packages, and those of their libraries that are not installed, into a folder."""
    if platform.machine() != "x86_64":
        raise NoGridEngineError(f"its packages are taken for x86_64, and this is {platform.machine()}")
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise NoGridEngineError("its packages are Debian's, and this is another system")
    planned = subprocess.run(
        ["apt-get", "install", "--simulate", "--no-install-recommends", *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = {*PACKAGES, *re.findall(r"^Inst (\S+)", planned.stdout, re.MULTILINE)}
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["apt-get", "download", *sorted(wanted)], cwd=packages, capture_output=True, text=True, check=False
    )
    if planned.returncode or done.returncode:
        words = (planned.stderr if planned.returncode else done.stderr).strip()
        raise NoGridEngineError(f"apt-get does not give its packages: {words[-300:]}")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)


class Cluster:
    """One host that is all of a cluster. Raises NoGridEngineError where it cannot be started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "sge"
        self.host = socket.gethostname()
        self._children: dict[str, subprocess.Popen] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What programs need to find this cluster: the settings that its users source."""
        libraries = [self._programs, self.folder / "usr/lib/x86_64-linux-gnu"]
        settings = dict(
            line.removeprefix("export ").split("=", 1)
            for line in (self.folder / "settings.sh").read_text().splitlines()
        )
        return {
            **os.environ,
            **settings,
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": ":".join(str(path) for path in libraries),
        }

    def start(self) -> None:
        unpack(self.folder)
        self._link()
        self._write_configuration()
        self.start_daemon("sge_qmaster")
        self._add("-Ahgrp", "group_name @allhosts\nhostlist NONE\n", check=False)
        self.ask("qconf", "-as", self.host)
        self.ask("qconf", "-Ap", str(self.folder / "usr/share/gridengine/util/resources/pe/smp"))
        self._complexes()
        # No waiting for the next quarter of a minute.
        schedule = re.sub(r"(?m)^(schedule_interval) .*", r"\1 0:0:1", self.ask("qconf", "-ssconf"))
        self._add("-Msconf", re.sub(r"(?m)^(flush_\w+_sec) .*", r"\1 1", schedule))
        self.start_daemon("sge_execd")
        self._add("-Aq", queue("all.q", self.host))
        self._add("-Aq", queue("gpu.q", self.host, complex_values=f"gpu={GPUS}"))
        wait_for(self._host_reports, 90, "its host does not report")

    def stop(self) -> None:
        if (self.folder / "settings.sh").exists() and self._answers():
            self.ask("qdel", "-f", "-u", getpass.getuser(), check=False)
            wait_for(lambda: not self.jobs(), 60, "jobs do not end")
        for name in ("sge_execd", "sge_qmaster"):
            self.end_daemon(name)
        if LINK.is_symlink() and LINK.readlink() == self._programs:
            LINK.unlink()

    def start_daemon(self, name: str) -> None:
        """Start sge_qmaster or sge_execd, which goes on from the state that it finds in the folder."""
        with (self.folder / f"{name}.out").open("a") as output:
            process = subprocess.Popen(
                [self._programs / name],
                env={**self.environment, "SGE_ND": "1"},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        (self.folder / f"{name}.started").write_text(str(process.pid))
        self._children[name] = process
        if name == "sge_qmaster":
            wait_for(self._answers, 60, "its master does not answer")

    def end_daemon(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End the daemon that this script started: its process id is in the folder."""
        file = self.folder / f"{name}.started"
        if not file.exists():
            return
        pid = int(file.read_text())
        if running(pid, name):
            os.kill(pid, number)
        if child := self._children.pop(name, None):
            child.wait(timeout=60)
        wait_for(lambda: not running(pid, name), 60, f"{name} does not end")
        file.unlink()

    def jobs(self) -> dict[str, str]:
        """Jobs that wait or run, by id: the state."""
        rows = (line.split() for line in self.ask("qstat", "-u", "*").splitlines()[2:])
        return {words[0]: words[4] for words in rows}

    def asked(self, job: str) -> dict[str, str]:
        """What qstat says of a job that waits or runs."""
        lines = self.ask("qstat", "-j", job).splitlines()
        return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def finished(self) -> list[dict[str, str]]:
        """What the accounting has of all jobs that have ended, oldest first."""
        text = self.ask("qacct", "-j", check=False)
        found = []
        for block in re.split(r"^={10,}$", text, flags=re.MULTILINE):
            words = (line.split(None, 1) for line in block.splitlines())
            row = {pair[0]: pair[1].strip() for pair in words if len(pair) == 2}
            if "jobnumber" in row:
                # 137                  (Killed)
                row["exit_status"] = row["exit_status"].split()[0]
                found.append(row)
        return found

    def ask(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=90
        )
        if check and done.returncode:
            raise NoGridEngineError(f"{' '.join(command)}: {(done.stderr + done.stdout).strip()}")
        return done.stdout

    @property
    def _programs(self) -> Path:
        return self.folder / "usr/lib/gridengine"

    def _link(self) -> None:
        """Without it the programs do not find libspoolc.so; that of an installed package does as well."""
        if LINK.is_symlink() and not LINK.exists():
            # Of a cluster that was not stopped and whose folder is gone.
            LINK.unlink()
        if LINK.exists():
            return
        try:
            LINK.symlink_to(self._programs)
        except OSError as error:
            raise NoGridEngineError(f"its programs need the link {LINK}: {error.strerror}") from error

    def _answers(self) -> bool:
        return bool(self.ask("qconf", "-sh", check=False))

    def _host_reports(self) -> bool:
        return len(re.findall(rf"(?m)^\w+\.q@\S+ .*{ARCHITECTURE}\s*$", self.ask("qstat", "-f"))) == 2

    def _add(self, option: str, text: str, check: bool = True) -> None:
        """Give qconf a file."""
        file = self.folder / "qconf.txt"
        file.write_text(text)
        self.ask("qconf", option, str(file), check=check)

    def _complexes(self) -> None:
        """GPUs are counted, as an administrator does it."""
        self._add("-Mc", self.ask("qconf", "-sc") + "gpu gpu INT <= YES YES 0 0\n")

    def _write_configuration(self) -> None:
        common, spool = self.root / "default/common", self.folder / "qmaster"
        for made in (common, spool / "job_scripts", self.folder / "execd"):
            made.mkdir(parents=True, exist_ok=True)
        for name in ("bin", "lib", "utilbin"):
            (self.root / name).mkdir(exist_ok=True)
            (self.root / name / ARCHITECTURE).symlink_to(self._programs)
        (self.root / "util").symlink_to(self.folder / "usr/share/gridengine/util")
        ports = free_ports(2)
        (self.folder / "settings.sh").write_text(
            f"export SGE_ROOT={self.root}\nexport SGE_CELL=default\nexport SGE_ARCH={ARCHITECTURE}\n"
            f"export SGE_QMASTER_PORT={ports[0]}\nexport SGE_EXECD_PORT={ports[1]}\n"
        )
        (common / "bootstrap").write_text(BOOTSTRAP.format(root=self.root, spool=spool))
        (common / "act_qmaster").write_text(f"{self.host}\n")
        # The addresses of this machine may belong to other names, too.
        (common / "host_aliases").write_text(f"{' '.join(dict.fromkeys([self.host, *names()]))}\n")
        configuration = (self.folder / "usr/share/gridengine/default-configuration").read_text()
        # Groups by which the daemon follows a job's processes: not those of a Grid Engine that is installed.
        values = {"folder": self.folder, "gids": "65501-65530"}
        for name, value in CONFIGURATION.items():
            configuration = re.sub(rf"(?m)^{name} .*$", f"{name} {value.format(**values)}", configuration)
        (self.folder / "configuration").write_text(configuration)
        resources = self.folder / "usr/share/gridengine/util/resources"
        self.ask("spoolinit", "classic", "libspoolc", f"{common};{spool}", "init")
        self.ask("spooldefaults.bin", "configuration", str(self.folder / "configuration"))
        self.ask("spooldefaults.bin", "complexes", str(resources / "centry"))
        self.ask("spooldefaults.bin", "usersets", str(resources / "usersets"))
        self.ask("spooldefaults.bin", "managers", getpass.getuser())


def queue(name: str, host: str, **more: str) -> str:
    """The file that qconf takes for a queue."""
    rows = {"qname": name, **QUEUE, **dict.fromkeys(NOTHING.split(), "NONE")}
    rows |= {f"{kind}_{limit}": "INFINITY" for kind in "sh" for limit in LIMITS.split()}
    rows |= {"hostlist": host, **more}
    return "".join(f"{key} {value}\n" for key, value in rows.items())


def names() -> list[str]:
    """Other names of this machine's own address."""
    try:
        name, others, _ = socket.gethostbyaddr(socket.gethostbyname(socket.gethostname()))
    except OSError:
        return []
    return [name, *others]


def free_ports(number: int) -> list[int]:
    held = [socket.socket() for _ in range(number)]
    for one in held:
        one.bind(("", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def running(pid: int, name: str) -> bool:
    """Whether a process is a program of a name."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == name
    except OSError:
        return False


def wait_for(condition: Callable[[], object], seconds: float, complaint: str) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise NoGridEngineError(complaint)
        time.sleep(0.3)


def main() -> None:
    words = sys.argv[1:]
    if len(words) != 2 or words[0] not in {"start", "stop"}:
        sys.exit(__doc__)
    cluster = Cluster(Path(words[1]).resolve())
    try:
        cluster.start() if words[0] == "start" else cluster.stop()
    except NoGridEngineError as error:
        # Not a failure: the tests that need it are skipped, with the same words.
        print(f"No Grid Engine here: {error}.", file=sys.stderr)


if __name__ == "__main__":
    main()
