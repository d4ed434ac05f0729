"""Locks between runs.

A run has its environment to itself. It shares what belongs to this machine, such as its cluster, with the runs of other environments,
until a step changes it and has to be alone. The kernel releases a lock when the last process of a run has closed it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

MACHINE = "run.lock"
GATE = "run-gate.lock"
"""Held by a run that waits to be alone, so that later runs cannot overtake it."""
VARIABLE = "BERTH_RUN_LOCKS"
"""The environment variable with the descriptors of a run's locks, which its processes inherit (JSON)."""
POLL = 0.5
"""Seconds between two attempts."""
SPEAK = 30.0
"""Seconds between two messages of a waiting run."""

Say = Callable[[str], None]


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(59.6), duration(372)
    ('59 s', '6 min 12 s')
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def take(handle: int, mode: int, holders: Callable[[], str], say: Say) -> None:
    """Take a lock (LOCK_EX or LOCK_SH), and report now and then which runs it waits for; ``holders`` describes them."""
    began: float | None = None
    spoke = 0.0
    while True:
        try:
            fcntl.flock(handle, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            if began is None:
                began = spoke = now
                say(f"Waiting for {holders()}.")
            elif now - spoke >= SPEAK:
                spoke = now
                say(f"Waiting for {duration(now - began)} now, for {holders()}.")
            time.sleep(POLL)
        else:
            return


class Run:
    """The locks of one run.

    Args:
        environments: The run's environments, each with the directory of its lock file.
        machine: Where the machine's own lock files are; None for a run that shares nothing on it, and only has its environments to itself.
        playbook: What it runs, for the runs that wait for it.
        say: Prints a line.

    Raises:
        OSError: A file cannot be made.
    """

    def __init__(self, environments: Mapping[str, Path], machine: Path | None, playbook: str, say: Say) -> None:
        self.directory: Path | None = machine
        self.say = say
        self.handles: dict[str, int] = {}
        self.info: dict[str, Any] = {"pid": os.getpid(), "playbook": playbook, "began": time.time(), "machine": ""}
        for name, directory in sorted(environments.items()):  # in one order, so that no two runs wait for each other
            handle = _open(directory / f"run-{name}.lock")
            take(handle, fcntl.LOCK_EX, partial(self._same, handle, name), say)
            self.handles[name] = handle
            self._note("waits" if machine else "")
        self.machine = _open(machine / MACHINE) if machine else None
        self.gate = _open(machine / GATE) if machine else None
        self.use(alone=False)
        os.environ[VARIABLE] = json.dumps(
            {"directory": str(machine or ""), "handles": self.handles, "machine": self.machine, "gate": self.gate, "info": self.info}
        )

    @classmethod
    def inherited(cls, say: Say) -> Run | None:
        """Return the locks of the run that this process belongs to; None if it has no locks."""
        run = cls.__new__(cls)
        try:
            known = json.loads(os.environ[VARIABLE])
            directory, run.say = Path(known["directory"]), say
            run.handles, run.machine, run.gate, run.info = known["handles"], known["machine"], known["gate"], known["info"]
            # A playbook that a task of a run has started inherits its variable, but not its files.
            if not os.path.samestat(os.fstat(run.machine), (directory / MACHINE).stat()):
                return None
            run.directory = directory
        except (KeyError, OSError, TypeError, ValueError):
            return None
        return run

    def use(self, alone: bool) -> None:
        """Get exclusive or shared use of this machine. A run that shares it gives that up before it waits for exclusive use."""
        if self.machine is None or self.gate is None:
            return
        fcntl.flock(self.machine, fcntl.LOCK_UN)
        self._note("waits")
        take(self.gate, fcntl.LOCK_EX, self._others, self.say)
        try:
            take(self.machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, self._others, self.say)
        finally:
            fcntl.flock(self.gate, fcntl.LOCK_UN)
        self._note("alone" if alone else "shares")

    def _note(self, machine: str) -> None:
        self.info["machine"] = machine
        for handle in self.handles.values():
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(self.info).encode(), 0)

    def _same(self, handle: int, name: str) -> str:
        """Describe another run of an environment."""
        info = _read(os.pread(handle, 4096, 0))
        if not info:
            return f"another run of the environment {name}"
        if not alive(info["pid"]):  # Ansible's workers hold the lock too, and outlive a killed run
            return f"the task during which the run before of the environment {name} (process {info['pid']}) was killed"
        return f"another run of the environment {name}, {_described(info)}"

    def _others(self) -> str:
        """Describe the runs that use this machine."""
        found = [(name, info) for name, info in self._runs() if info["machine"] in ("shares", "alone")] or list(self._runs())
        if not found:
            return "a run that does not say which it is"
        words = [f"the environment {name}, {_described(info)}" for name, info in found]
        return " and ".join(words) + (", which changes the cluster" if any(info["machine"] == "alone" for _, info in found) else "")

    def _runs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in sorted(self.directory.glob("run-*.lock")) if self.directory else ():
            with contextlib.suppress(OSError):
                info = _read(path.read_bytes())
                if info and info["machine"] and info["pid"] != self.info["pid"] and alive(info["pid"]):
                    yield path.stem.removeprefix("run-"), info


def _open(path: Path) -> int:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _read(content: bytes) -> dict[str, Any]:
    """Return what a run has written into its lock; nothing if that was another version of Berth, or it has not written it yet."""
    try:
        info = json.loads(content)
        return info if {"pid", "playbook", "began", "machine"} <= info.keys() else {}
    except (ValueError, AttributeError):
        return {}


def _described(info: dict[str, Any]) -> str:
    return f"{info['playbook']} (process {info['pid']}, under way for {duration(time.time() - info['began'])})"
