"""A terminal of this machine, connected to a command that runs in a container."""

from __future__ import annotations

import contextlib
import json
import os
import select
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..progress import report

# Channels of the connection (k8s.io/apimachinery/pkg/util/remotecommand).
OUT, STATUS, SIZE = 1, 3, 4
LOOK = 0.02  # seconds between two polls of both sides: fast enough that typing feels immediate
ALIVE = 5.0  # seconds between two signs of life, without which the run reports that the task is still running


def terminal(pid: int, proc: Path = Path("/proc")) -> str:
    """Return the terminal of the ansible-playbook that a process belongs to, "" if it has none.

    Ansible's workers have no terminal (ansible/executor/process/worker.py). The run's own input shows whether it is interactive.
    """
    found = ""
    while pid > 1:
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
            if any(os.path.basename(word) == b"ansible-playbook" for word in words[:3]):
                found = os.readlink(proc / str(pid) / "fd" / "0")
            pid = int((proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
            continue
        break
    return found if found.startswith(("/dev/pts/", "/dev/tty")) else ""


class Ended(Exception):
    """The connection broke before the command had ended."""


def converse(connection: Any, path: str, code: Callable[[bytes], int | None]) -> int:
    """Connect a terminal to a command until the command has ended, and return its exit code.

    Args:
        connection: As Cluster.execute returns it.
        path: The terminal.
        code: Returns the exit code in a status of the connection, None if it has none.

    Raises:
        Ended: The connection broke before the command had ended.
        OSError: The terminal cannot be used.
    """
    device = os.open(path, os.O_RDWR | os.O_NOCTTY)
    before = termios.tcgetattr(device)
    try:
        tty.setraw(device, termios.TCSADRAIN)  # what was typed ahead is kept
        status = _carry(connection, device)
    finally:
        termios.tcsetattr(device, termios.TCSADRAIN, before)
        os.close(device)
    found = code(status)
    if found is None:
        raise Ended("The connection to the container broke before the command had ended.")
    return found


def _carry(connection: Any, device: int) -> bytes:
    """Pass input and output between both sides until one of them ends; return the command's status."""
    status, size, spoke = b"", None, 0.0
    while connection.is_open():
        now = os.get_terminal_size(device)
        if now != size:
            size = now
            connection.write_channel(SIZE, json.dumps({"Width": size.columns, "Height": size.lines}).encode())
        if select.select([device], [], [], LOOK)[0]:
            if not (typed := os.read(device, 4096)):
                break
            connection.write_stdin(typed)
        connection.update(timeout=LOOK)
        os.write(device, connection.read_channel(OUT) or b"")
        status += connection.read_channel(STATUS) or b""
        if status:
            break
        if time.monotonic() - spoke > ALIVE:
            spoke = time.monotonic()
            report("")
    return status
