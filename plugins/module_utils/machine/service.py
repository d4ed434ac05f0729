"""Long-running processes of this machine: systemd units if systemd is PID 1, otherwise processes under runit's supervisor."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

SERVICES = Path("/var/lib/berth/services")
LOGS = Path("/var/log/berth")
PIDS = Path("/run/berth")
UNITS = Path("/etc/systemd/system")
START_TIMEOUT = 60  # seconds a supervisor gets to answer on a busy machine; one that has ended is not waited for
STOP_TIMEOUT = 60  # seconds a service gets to end before it is killed
ENDINGS = 3  # after so many, a second apart, a service will not come up by itself any more
LOOK = 0.3  # seconds between two checks of a service; runsv and our units restart one after a second


class ServiceError(Exception):
    """A service cannot be started or stopped; the text is for the user."""


@dataclass
class Service:
    """A process that keeps running after Ansible has ended.

    ``command`` is the program and its arguments; ``before`` is a program that prepares the machine for it (after a reboot too);
    ``wait_for`` is a file without which it would exit immediately; ``listens`` is where it accepts connections, a path or ``host:port``;
    ``reads`` are the files that it reads only at its start.
    """

    name: str
    command: list[str] = field(default_factory=list)
    description: str = ""
    before: str | None = None
    wait_for: str | None = None
    listens: str | None = None
    reads: list[str] = field(default_factory=list)

    def has_read(self) -> str:
        """Return a comment that changes with the files that the service reads at its start."""
        digest = hashlib.sha256(b"".join(hashlib.sha256(Path(file).read_bytes()).digest() for file in self.reads))
        return f"# What it has read: {digest.hexdigest()[:16]}"


def manager() -> str:
    """Return ``systemd`` or ``runit``: what starts services on this machine (sd_booted(3))."""
    return "systemd" if Path("/run/systemd/system").is_dir() else "runit"


def backend(services: Path = SERVICES) -> Systemd | Runit:
    """Return the backend of this machine."""
    return Systemd() if manager() == "systemd" else Runit(services)


class Watch:
    """Counts how often a service ends from now on; ``look`` has to be called more than once a second."""

    def __init__(self, machine: Systemd | Runit, name: str) -> None:
        self.machine, self.name = machine, name
        self.before = machine.endings(name)

    def hopeless(self) -> bool:
        """Whether it has ended so often that waiting for it is pointless."""
        return self.machine.endings(self.name) - self.before >= ENDINGS


def last_words(machine: Systemd | Runit, name: str, since: float, lines: int = 8) -> str:
    """Return the last errors of a service (or its last lines if it marks none as errors), below a line that says where they are from.

    Args:
        since: Seconds since the epoch; earlier runs are ignored.
        lines: The maximum number. Of repeated lines, only the last one counts.
    """
    found = machine.log(name, since)
    errors = [line for line in found if re.match(r"E\d{4} |[Ee]rror|panic|(time=\S+ )?level=(error|fatal)", line)]
    # klog's lines begin with time and process, which always differ (kubernetes.io/docs/concepts/cluster-administration/system-logs).
    words: dict[str, str] = {}
    for line in reversed(errors or found):
        words.setdefault(re.sub(r"^E\d{4} \S+ +\d+ ", "", line), line)
    told = "\n".join(reversed(list(words.values())[:lines])) or "(none)"
    return f"{'Last errors' if errors else 'Last output'} of {name} ({machine.place(name)}):\n{told}"


def wait_until_it_listens(machine: Systemd | Runit, name: str, address: str, since: float, timeout: float) -> None:
    """Wait until a service that was started at ``since`` (seconds since the epoch) accepts connections at ``address``, a path or ``host:port``.

    Raises:
        ServiceError: It keeps ending, or ``timeout`` seconds are over; the message has its last lines.
    """
    watch, end = Watch(machine, name), time.monotonic() + timeout
    while not listens(address):
        if watch.hopeless() or time.monotonic() > end:
            what = "keeps exiting" if watch.hopeless() else f"does not answer at {address} within {timeout:.0f} s"
            raise ServiceError(f"The service {name} {what}. {last_words(machine, name, since)}")
        time.sleep(0.1)


def listens(address: str) -> bool:
    """Whether something accepts connections at ``address``, a path or ``host:port``."""
    host, _, port = address.rpartition(":")
    family, place = (socket.AF_UNIX, address) if address.startswith("/") else (socket.AF_INET, (host, int(port)))
    with socket.socket(family) as connection:
        connection.settimeout(1)
        return connection.connect_ex(place) == 0


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceError(f"{shlex.join(command)} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def private_directory(path: Path) -> None:
    """Ensure a directory, with its parents, that only its user can read, and close one that is already there.

    svlogd(8) makes its files readable to everybody, whatever the umask: only the directory keeps others out.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)


def _write(path: Path, content: str, mode: int) -> bool:
    """Write ``path`` if it differs; return whether it did."""
    if path.is_file() and path.read_text(encoding="utf-8") == content and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.berth")
    half.write_text(content, encoding="utf-8")
    half.chmod(mode)
    half.replace(path)
    return True


def _has_ended(pid_file: Path) -> bool:
    """Whether the process that a file names has ended; False while the file has not been written yet."""
    try:
        number = int(pid_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False
    try:
        state = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state in ("Z", "X")  # it only waits for its parent to collect its exit status (proc_pid_stat(5))


class Runit:
    """One ``runsv`` per service (runsv(8)): restarts it if it ends, keeps its pid, pipes its output to ``svlogd``."""

    def __init__(self, services: Path = SERVICES) -> None:
        self.services = services
        self._seen: dict[str, set[tuple[str, bytes]]] = {}

    def write(self, service: Service) -> bool:
        """Write the service's files; return whether they differed."""
        directory = self.services / service.name
        lines = ["#!/bin/sh", f"# {service.description}", *([service.has_read()] if service.reads else []), "exec 2>&1"]
        if service.wait_for:
            lines.append(f"[ -e {shlex.quote(service.wait_for)} ] || exec sleep 0.2")
        if service.before:
            lines.append(f"{shlex.quote(service.before)} || exit 1")
        lines.append(f"exec {shlex.join(service.command)}")
        log = LOGS / service.name
        private_directory(LOGS)
        private_directory(log)
        logger = f"#!/bin/sh\nexec svlogd -tt {shlex.quote(str(log))}\n"
        return _write(directory / "log" / "run", logger, 0o755) | _write(directory / "run", "\n".join(lines) + "\n", 0o755)

    def known(self, name: str) -> bool:
        """Whether there is a service of this name, running or not."""
        return (self.services / name).is_dir()

    def at_boot(self, name: str) -> bool:
        """Whether a boot leaves it as it is: nothing starts it then, and nothing can have disabled that."""
        return True

    def endings(self, name: str) -> int:
        """Return how often the service has ended, as far as this object has seen: each state that the service enters has its own time."""
        try:
            status = (self.services / name / "supervise" / "status").read_bytes()
        except OSError:
            return 0
        # 12 bytes of time (TAI64N), then 4 of the process id, which is 0 while it is down (runsv.c, update_status()).
        since, pid = status[:12], status[12:16]
        self._seen.setdefault(name, set()).add(("up", pid) if any(pid) else ("down", since))
        states = [state for state, _ in self._seen[name]]
        return max(states.count("up") - 1, states.count("down"))

    def log(self, name: str, since: float) -> list[str]:
        """Return its log lines from ``since`` (seconds since the epoch) on, without their times."""
        try:
            text = (LOGS / name / "current").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        first = time.strftime("%Y-%m-%d_%H:%M:%S", time.gmtime(since))  # as svlogd -tt writes it, in UTC
        return [line.partition(" ")[2] for line in text.splitlines() if line >= first]

    def place(self, name: str) -> str:
        """Return where to read its log."""
        return str(LOGS / name / "current")

    def running(self, name: str) -> bool:
        """Whether the supervisor of the service and the service itself run."""
        return self._status(name).startswith("run:")

    def pid(self, name: str) -> int:
        """Return the process id, 0 if it does not run."""
        try:
            return int((self.services / name / "supervise" / "pid").read_text().strip() or 0) if self.running(name) else 0
        except (OSError, ValueError):
            return 0

    def _status(self, name: str) -> str:
        """Return sv(8)'s status of the service; empty if there is none, such as before runit is installed."""
        try:
            done = subprocess.run(["sv", "status", str(self.services / name)], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return ""
        return done.stdout if done.returncode == 0 else ""

    def _supervised(self, name: str) -> bool:
        return self._status(name).partition(":")[0] not in ("", "fail")

    def start(self, name: str) -> None:
        """Start the supervisor if it does not run, and the service."""
        directory = self.services / name
        if not self._supervised(name):
            PIDS.mkdir(parents=True, exist_ok=True)
            pid_file = PIDS / f"{name}.pid"
            pid_file.unlink(missing_ok=True)
            # Its own session, and none of our open files: it has to outlive the run that started it.
            _run(
                "start-stop-daemon",
                "--start",
                "--background",
                "--make-pidfile",
                "--pidfile",
                str(pid_file),
                "--chdir",
                "/",
                "--startas",
                shutil.which("runsv") or "runsv",
                "--",
                str(directory),
            )
            end = time.monotonic() + START_TIMEOUT
            while not self._supervised(name):
                if _has_ended(pid_file) or time.monotonic() > end:
                    raise ServiceError(f"The supervisor of {name} did not start. Try: runsv {directory}")
                time.sleep(0.05)
        _run("sv", "up", str(directory))

    def restart(self, name: str) -> None:
        """Restart it, with the files as they are now."""
        if self._supervised(name):
            _run("sv", "-w", str(STOP_TIMEOUT), "force-restart", str(self.services / name))
        else:
            self.start(name)

    def stop(self, name: str) -> bool:
        """Stop the service and its supervisor; return whether anything ran."""
        if not self._supervised(name):
            return False
        # Waits for the supervisor too: a start that found it shutting down would be lost.
        _run("sv", "-w", str(STOP_TIMEOUT), "force-shutdown", str(self.services / name))
        (PIDS / f"{name}.pid").unlink(missing_ok=True)
        return True

    def remove(self, name: str) -> bool:
        """Stop the service and remove its files; return whether there was anything."""
        there = self.known(name)
        stopped = self.stop(name)
        shutil.rmtree(self.services / name, ignore_errors=True)
        return there or stopped


class Systemd:
    """Units named ``berth-<name>.service``."""

    def _unit(self, name: str) -> str:
        return f"berth-{name}.service"

    def write(self, service: Service) -> bool:
        """Write the unit; return whether it differed."""
        command = service.command
        if service.wait_for:
            # A unit's condition would be checked only once, and the file may come later.
            command = ["/bin/sh", "-c", 'until [ -e "$0" ]; do sleep 0.2; done; exec "$@"', service.wait_for, *command]
        # systemd expands % and $ itself, even inside quotes (systemd.service(5), "Command lines").
        start = shlex.join(command).replace("%", "%%").replace("$", "$$")
        lines = [
            *([service.has_read()] if service.reads else []),
            "[Unit]",
            f"Description={service.description}",
            "Wants=network-online.target",
            "After=network-online.target",
            "StartLimitIntervalSec=0",
            "[Service]",
            *([f"ExecStartPre={service.before}"] if service.before else []),
            f"ExecStart={start}",
            "Restart=always",
            "RestartSec=1",
            # The containers of containerd and the kubelet outlive a restart of either.
            "KillMode=process",
            "Delegate=yes",
            "LimitNOFILE=1048576",
            "TasksMax=infinity",
            "OOMScoreAdjust=-999",
            "[Install]",
            "WantedBy=multi-user.target",
        ]
        changed = _write(UNITS / self._unit(service.name), "\n".join(lines) + "\n", 0o644)
        if changed:
            _run("systemctl", "daemon-reload")
        return changed

    def known(self, name: str) -> bool:
        """Whether there is a unit of this name, running or not."""
        return (UNITS / self._unit(name)).exists()

    def at_boot(self, name: str) -> bool:
        """Whether the unit starts at boot; somebody may have started a permanently stopped one by hand."""
        return subprocess.run(["systemctl", "is-enabled", "--quiet", self._unit(name)], check=False).returncode == 0

    def endings(self, name: str) -> int:
        """Return how often the unit was restarted since somebody started it."""
        return int(_run("systemctl", "show", "--property=NRestarts", "--value", self._unit(name)).strip() or 0)

    def log(self, name: str, since: float) -> list[str]:
        """Return the latest lines of its journal from ``since`` (seconds since the epoch) on."""
        command = ["journalctl", "--unit", self._unit(name), "--since", f"@{since:.0f}", "--output", "cat", "--lines", "500", "--no-pager", "--quiet"]
        try:
            return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stdout.splitlines()
        except FileNotFoundError:
            return []

    def place(self, name: str) -> str:
        """Return the command that shows its journal."""
        return f"journalctl --unit {self._unit(name)}"

    def running(self, name: str) -> bool:
        """Whether the unit is active."""
        return subprocess.run(["systemctl", "is-active", "--quiet", self._unit(name)], check=False).returncode == 0

    def pid(self, name: str) -> int:
        """Return the process id, 0 if it does not run."""
        return int(_run("systemctl", "show", "--property=MainPID", "--value", self._unit(name)).strip() or 0)

    def start(self, name: str) -> None:
        """Start the unit, now and at boot."""
        _run("systemctl", "enable", "--quiet", self._unit(name))
        _run("systemctl", "start", self._unit(name))

    def restart(self, name: str) -> None:
        """Restart it."""
        _run("systemctl", "enable", "--quiet", self._unit(name))
        _run("systemctl", "restart", self._unit(name))

    def stop(self, name: str) -> bool:
        """Stop the unit, now and at boot; return whether it ran."""
        if not self.known(name):
            return False
        was_running = self.running(name)
        _run("systemctl", "disable", "--quiet", "--now", self._unit(name))
        return was_running

    def remove(self, name: str) -> bool:
        """Stop the unit and remove it; return whether there was one."""
        if not self.known(name):
            return False
        self.stop(name)
        (UNITS / self._unit(name)).unlink()
        _run("systemctl", "daemon-reload")
        return True
