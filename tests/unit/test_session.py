"""A command gets the terminal of the run: what is typed reaches it, what it prints is seen, and the terminal is as it was in the end."""

from __future__ import annotations

import json
import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import session
from ansible_collections.berth.platform.plugins.module_utils.rollout.command import exit_code

SUCCESS = b'{"metadata": {}, "status": "Success"}'
FAILURE = b'{"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}'


class Connection:
    """A command that prints what is typed in capitals, and ends at ``.``, with ``status``; or whose connection breaks there, without one.

    Somebody types ``keys`` at the ``keyboard`` once it runs.
    """

    def __init__(self, keyboard: int, keys: bytes, status: bytes = SUCCESS) -> None:
        self.keyboard, self.keys = keyboard, keys
        self.status, self.open, self.typed, self.sizes = status, True, b"", []
        self.channels: dict[int, bytes] = {}

    def is_open(self) -> bool:
        return self.open

    def update(self, timeout: float) -> None:
        os.write(self.keyboard, self.keys)
        self.keys = b""
        if self.typed.endswith(b"."):
            self.open, self.channels[session.STATUS] = False, self.status

    def read_channel(self, channel: int) -> bytes:
        return self.channels.pop(channel, b"")

    def write_channel(self, channel: int, data: bytes) -> None:
        assert channel == session.SIZE
        self.sizes.append(json.loads(data))

    def write_stdin(self, data: bytes) -> None:
        self.typed += data
        self.channels[session.OUT] = data.upper()


@pytest.fixture
def keyboard() -> Iterator[tuple[int, str]]:
    """Return the side of a terminal at which somebody types, and the terminal's path."""
    side, terminal = pty.openpty()
    yield side, os.ttyname(terminal)
    os.close(side)
    os.close(terminal)


@pytest.mark.parametrize(("status", "code"), [(SUCCESS, 0), (FAILURE, 3)])
def test_what_is_typed_reaches_the_command_and_what_it_prints_is_seen(keyboard: tuple[int, str], status: bytes, code: int) -> None:
    side, path = keyboard
    connection = Connection(side, b"hello\x03.", status)  # Ctrl-C is the command's, too
    termios.tcsetwinsize(side, (24, 80))
    before = termios.tcgetattr(side)
    assert session.converse(connection, path, exit_code) == code
    assert connection.typed == b"hello\x03."
    assert connection.sizes == [{"Width": 80, "Height": 24}]
    assert os.read(side, 100).endswith(b"HELLO\x03.")
    assert termios.tcgetattr(side) == before


def test_a_connection_that_breaks_is_told_from_a_command_that_ended(keyboard: tuple[int, str]) -> None:
    side, path = keyboard
    before = termios.tcgetattr(side)
    with pytest.raises(session.Ended, match="broke before"):
        session.converse(Connection(side, b".", b""), path, exit_code)
    assert termios.tcgetattr(side) == before


PLAYBOOK, BASH = "python3\0/venv/bin/ansible-playbook\0site.yml", "-bash"
RUNS = {
    "somebody types": ([(30, PLAYBOOK, "/dev/null"), (20, PLAYBOOK, "/dev/pts/3"), (10, BASH, "/dev/pts/3")], "/dev/pts/3"),
    "a pipe feeds the run": ([(30, PLAYBOOK, "/dev/null"), (20, PLAYBOOK, "pipe:[1]"), (10, BASH, "/dev/pts/3")], ""),
    "its input is nothing, in a terminal": ([(20, PLAYBOOK, "/dev/null"), (10, BASH, "/dev/pts/3")], ""),
    "make runs it": ([(20, PLAYBOOK, "/dev/pts/1"), (15, "make\0dev", "/dev/pts/1"), (10, BASH, "/dev/pts/1")], "/dev/pts/1"),
    "no playbook": ([(20, "python3\0-", "/dev/pts/1")], ""),
}


@pytest.mark.parametrize("processes, found", RUNS.values(), ids=RUNS)
def test_the_terminal_is_the_one_that_the_run_itself_reads_from(tmp_path: Path, processes: list[tuple[int, str, str]], found: str) -> None:
    parents = [pid for pid, _, _ in processes[1:]] + [1]
    for (pid, command, reads), parent in zip(processes, parents, strict=True):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "cmdline").write_text(command, encoding="utf-8")
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a (b) c) S {parent} 1 1", encoding="utf-8")
        (tmp_path / str(pid) / "fd" / "0").symlink_to(reads)
    assert session.terminal(processes[0][0], tmp_path) == found


@pytest.mark.parametrize(
    ("status", "code"), [(SUCCESS, 0), (FAILURE, 3), (b"", None), (b"{}", None), (b'{"status": "Failure", "reason": "InternalError"}', None)]
)
def test_an_exit_code_is_one_that_the_command_had(status: bytes, code: int | None) -> None:
    assert exit_code(status) == code
