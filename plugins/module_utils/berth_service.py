"""Long-running processes of this machine: systemd units where systemd is PID 1, else processes under runit's supervisor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

SERVICES = Path("/var/lib/berth/services")
LOGS = Path("/var/log/berth")
PIDS = Path("/run/berth")
UNITS = Path("/etc/systemd/system")
START_TIMEOUT = 5  # seconds a supervisor gets to answer
STOP_TIMEOUT = 60  # seconds a service gets to end before it is killed


class ServiceError(Exception):
    """A service that cannot be started or stopped; the text is for the user."""


@dataclass
class Service:
    """One process that shall go on running after Ansible has ended.

    ``command`` is the program and its arguments; ``before`` a program that prepares the machine for it (after a reboot too);
    ``wait_for`` a file without which it would end at once.
    """

    name: str
    command: list[str] = field(default_factory=list)
    description: str = ""
    before: str | None = None
    wait_for: str | None = None


def manager() -> str:
    """Return ``systemd`` or ``runit``: what starts services on this machine (sd_booted(3))."""
    return "systemd" if Path("/run/systemd/system").is_dir() else "runit"


def backend(services: Path = SERVICES) -> Systemd | Runit:
    """Return the backend of this machine."""
    return Systemd() if manager() == "systemd" else Runit(services)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceError(f"{shlex.join(command)} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _write(path: Path, content: str, mode: int) -> bool:
    """Write ``path`` when it differs; return whether it did."""
    if path.is_file() and path.read_text(encoding="utf-8") == content and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.berth")
    half.write_text(content, encoding="utf-8")
    half.chmod(mode)
    half.replace(path)
    return True


class Runit:
    """One ``runsv`` a service (runsv(8)): restarts it when it ends, keeps its pid, gives its output to ``svlogd``."""

    def __init__(self, services: Path = SERVICES) -> None:
        self.services = services

    def write(self, service: Service) -> bool:
        """Write the service's files; return whether they differed."""
        directory = self.services / service.name
        lines = ["#!/bin/sh", f"# {service.description}", "exec 2>&1"]
        if service.wait_for:
            lines.append(f"[ -e {shlex.quote(service.wait_for)} ] || exec sleep 0.2")
        if service.before:
            lines.append(f"{shlex.quote(service.before)} || exit 1")
        lines.append(f"exec {shlex.join(service.command)}")
        log = LOGS / service.name
        log.mkdir(parents=True, exist_ok=True)
        logger = f"#!/bin/sh\nexec svlogd -tt {shlex.quote(str(log))}\n"
        return _write(directory / "log" / "run", logger, 0o755) | _write(directory / "run", "\n".join(lines) + "\n", 0o755)

    def running(self, name: str) -> bool:
        """Whether the supervisor of the service and the service itself are there."""
        return self._status(name).startswith("run:")

    def pid(self, name: str) -> int:
        """Return the process id, 0 when it does not run."""
        try:
            return int((self.services / name / "supervise" / "pid").read_text().strip() or 0) if self.running(name) else 0
        except (OSError, ValueError):
            return 0

    def _status(self, name: str) -> str:
        """Return what sv(8) says of the service; empty where there is none, as before runit is installed."""
        try:
            done = subprocess.run(["sv", "status", str(self.services / name)], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return ""
        return done.stdout if done.returncode == 0 else ""

    def _supervised(self, name: str) -> bool:
        return self._status(name).partition(":")[0] not in ("", "fail")

    def start(self, name: str) -> None:
        """Start the supervisor where it is missing, and the service."""
        directory = self.services / name
        if not self._supervised(name):
            PIDS.mkdir(parents=True, exist_ok=True)
            pid_file = PIDS / f"{name}.pid"
            pid_file.unlink(missing_ok=True)
            # Its own session and no open files of ours: it has to outlive the run that started it.
            _run(
                "start-stop-daemon", "--start", "--background", "--make-pidfile", "--pidfile", str(pid_file),
                "--chdir", "/", "--startas", shutil.which("runsv") or "runsv", "--", str(directory),
            )  # fmt: skip
            end = time.monotonic() + START_TIMEOUT
            while not self._supervised(name):
                if time.monotonic() > end:
                    raise ServiceError(f"The supervisor of {name} did not start. Try: runsv {directory}")
                time.sleep(0.05)
        _run("sv", "up", str(directory))

    def restart(self, name: str) -> None:
        """Start it anew, with the files as they are now."""
        if self._supervised(name):
            _run("sv", "-w", str(STOP_TIMEOUT), "force-restart", str(self.services / name))
        else:
            self.start(name)

    def stop(self, name: str) -> bool:
        """Stop the service and its supervisor; return whether anything ran."""
        if not self._supervised(name):
            return False
        # Waits for the supervisor too: a start that met it on its way out would be lost.
        _run("sv", "-w", str(STOP_TIMEOUT), "force-shutdown", str(self.services / name))
        (PIDS / f"{name}.pid").unlink(missing_ok=True)
        return True

    def remove(self, name: str) -> bool:
        """Stop the service and remove its files; return whether there was anything."""
        there = (self.services / name).is_dir()
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
            # A condition of the unit would be looked at once, and the file may come later.
            command = ["/bin/sh", "-c", 'until [ -e "$0" ]; do sleep 0.2; done; exec "$@"', service.wait_for, *command]
        # systemd replaces % and $ itself, also between quotes (systemd.service(5), "Command lines").
        start = shlex.join(command).replace("%", "%%").replace("$", "$$")
        lines = [
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

    def running(self, name: str) -> bool:
        """Whether the unit is active."""
        return subprocess.run(["systemctl", "is-active", "--quiet", self._unit(name)], check=False).returncode == 0

    def pid(self, name: str) -> int:
        """Return the process id, 0 when it does not run."""
        return int(_run("systemctl", "show", "--property=MainPID", "--value", self._unit(name)).strip() or 0)

    def start(self, name: str) -> None:
        """Start the unit, now and at boot."""
        _run("systemctl", "enable", "--quiet", self._unit(name))
        _run("systemctl", "start", self._unit(name))

    def restart(self, name: str) -> None:
        """Start it anew."""
        _run("systemctl", "enable", "--quiet", self._unit(name))
        _run("systemctl", "restart", self._unit(name))

    def stop(self, name: str) -> bool:
        """Stop the unit, now and at boot; return whether it ran."""
        if not (UNITS / self._unit(name)).exists():
            return False
        was_running = self.running(name)
        _run("systemctl", "disable", "--quiet", "--now", self._unit(name))
        return was_running

    def remove(self, name: str) -> bool:
        """Stop the unit and remove it; return whether there was one."""
        unit = UNITS / self._unit(name)
        if not unit.exists():
            return False
        self.stop(name)
        os.unlink(unit)
        _run("systemctl", "daemon-reload")
        return True
