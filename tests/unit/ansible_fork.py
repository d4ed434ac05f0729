"""Ansible's commands in forks of a process that has imported Ansible already, which costs a process of their own half a second each."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import multiprocessing.util
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, NoReturn

LONGEST = 2**17  # bytes of a request: a command with its environment
# What a run imports, and no command does before it starts.
IMPORTED = (
    "ansible.cli.adhoc",
    "ansible.cli.inventory",
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.executor.task_queue_manager",
)
# The kinds of plugins of which a run needs many, with their documentation.
LOADED = ("action", "callback", "connection", "filter", "inventory", "lookup", "shell", "strategy", "test")
COLOURS = ("ANSIBLE_FORCE_COLOR", "ANSIBLE_NOCOLOR")  # no run has any, whatever these say: it prints into a file


class Run:
    """A command that was started; what it has, it has of ``subprocess.Popen``.

    Args:
        command: A command of Ansible's, such as ``["ansible-playbook", "site.yml"]``, or a program of Python's, as ``[sys.executable, "-c", text, argument]``.
        output: Where it prints.
        errors: Where it prints errors.
        cwd: Its directory, by default this process's.
        env: Its environment, by default this process's.
        aws: Whether it is one of many that ask AWS, whose services' descriptions take longer to read than all else.
    """

    def __init__(
        self, command: Sequence[str], output: IO[bytes], errors: IO[bytes], cwd: Path | None = None, env: Mapping[str, str] | None = None, aws: bool = False
    ) -> None:
        self.command = command
        self.returncode: int | None = None
        environment, directory = dict(os.environ if env is None else env), str(cwd or Path.cwd())
        request = {"program": program(command), "command": list(command), "directory": directory, "environment": environment}
        self._answers, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, open(os.devnull, "rb") as nothing:
            given = [nothing.fileno(), output.fileno(), errors.fileno(), theirs.fileno()]
            socket.send_fds(server(settings(environment, directory), aws), [json.dumps(request).encode()], given)
        self.pid = int(self._answers.recv(64))
        """It leads a session of its own."""

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit status, or the negative number of the signal that ended it, as soon as it has ended.

        Raises:
            subprocess.TimeoutExpired: It has not, ``timeout`` seconds later.
        """
        if self.returncode is None:
            self._answers.settimeout(timeout)
            try:
                self.returncode = int(self._answers.recv(64))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.command, timeout or 0) from None
            self._answers.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it in a way that nothing can prevent."""
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode


def run(
    command: Sequence[str],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stderr: int = subprocess.PIPE,
    timeout: float | None = None,
    aws: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Return what a command of Ansible's did, as ``subprocess.run`` does, without anything to read on its standard input.

    Args:
        command: The command.
        cwd: Its directory, by default this process's.
        env: Its environment, by default this process's.
        stderr: ``subprocess.STDOUT`` for one output of both, as on a terminal.
        timeout: Seconds after which it is ended, by default none.
        aws: Whether it is one of many that ask AWS.

    Raises:
        subprocess.TimeoutExpired: It was.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = Run(command, output, output if stderr == subprocess.STDOUT else errors, cwd, env, aws)
        try:
            code = started.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()
            raise
        return subprocess.CompletedProcess(command, code, read(output), read(errors))


def program(command: Sequence[str]) -> str:
    """Return the name in ansible.cli of the program that a command starts, ``python`` for a program of Python's."""
    if list(command[:2]) == [sys.executable, "-c"]:
        return "python"
    name = Path(command[0]).name
    if name == "ansible":
        return "adhoc"
    assert name.startswith("ansible-"), f"{command[0]} is no command of Ansible's"
    return name.removeprefix("ansible-")


def read(file: IO[bytes]) -> str:
    """Return what a command has written, with newlines as text has them."""
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def settings(environment: Mapping[str, str], directory: str) -> tuple[tuple[str, str], ...]:
    """Return the part of the environment that Ansible reads while it is imported: forks of one process have it in common.

    docs.ansible.com/ansible/latest/reference_appendices/config.html: the file that ANSIBLE_CONFIG names, else that of the current directory.
    """
    found = {name: value for name, value in environment.items() if name.startswith("ANSIBLE_") and name not in COLOURS}
    if "ANSIBLE_HOME" not in found:
        found["HOME"] = environment.get("HOME", "")
    if "ANSIBLE_CONFIG" in found:
        found["ANSIBLE_CONFIG"] = os.path.join(directory, found["ANSIBLE_CONFIG"])
    elif os.path.exists(here := os.path.join(directory, "ansible.cfg")):
        found["ANSIBLE_CONFIG"] = here
    return tuple(sorted(found.items()))


@functools.cache
def server(given: tuple[tuple[str, str], ...], aws: bool) -> socket.socket:
    """Start a process that has imported Ansible with these settings and, for ``aws``, its clients; return the way to it."""
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | dict(given)
    with other:
        process = subprocess.Popen(
            [sys.executable, __file__, str(other.fileno()), *(["aws"] if aws else [])],
            cwd="/",  # where no ansible.cfg lies that the commands do not have
            env=environment,
            pass_fds=[other.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        own.close()
        process.wait()

    atexit.register(end)
    return own


def serve(way: socket.socket, aws: bool) -> None:
    """Start the commands that are asked for, and tell each one's process and its end."""
    load(aws)
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for ready in select.select([way, *running], [], [])[0]:
            if ready is not way:
                pid, answers = running.pop(ready)
                os.close(ready)
                with answers:
                    answers.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
                continue
            request, descriptors, _, _ = socket.recv_fds(way, LONGEST, 4)
            if not request:
                return
            *standard, answering = descriptors
            answers = socket.socket(fileno=answering)
            pid = os.fork()
            if pid == 0:
                for each in (way, answers, *(other for _, other in running.values())):
                    each.close()
                become(json.loads(request), standard)
            for descriptor in standard:
                os.close(descriptor)
            answers.send(str(pid).encode())
            running[os.pidfd_open(pid)] = pid, answers


def load(aws: bool) -> None:
    """Do what every run does before its first task, and what does not depend on its playbook."""
    for name in IMPORTED:
        importlib.import_module(name)
    from ansible import cli
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins import loader

    loader.init_plugin_loader()
    cli.init_plugin_loader = lambda _paths: None  # once is enough
    for kind in LOADED:
        for _ in getattr(loader, f"{kind}_loader").all(class_only=True):
            pass
    # Once for all what each run does.
    warm_up = importlib.import_module("ansible_collections.berth.platform.plugins.callback.warm_up")
    sys.meta_path.insert(0, warm_up.WithBytecode())
    warm_up.import_own("filter")
    warm_up.preload(aws)
    warm_up.read_once(SimpleNamespace(get_loader=DataLoader))
    for kind in ("action", "callback"):
        for file in warm_up.PLUGINS.glob(f"{kind}/*.py"):
            getattr(loader, f"{kind}_loader").get(f"berth.platform.{file.stem}", class_only=True)
    gc.disable()  # a run ends before it is worth its time
    gc.freeze()  # else each fork would copy what the collector looks at


def become(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Be, from now on, the command that a request asks for."""
    from ansible import cli, constants

    code: Any = 1
    try:
        os.setsid()
        for standard, descriptor in enumerate(descriptors):
            os.dup2(descriptor, standard)
            os.close(descriptor)
        os.chdir(request["directory"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        tempfile.tempdir = None  # as this environment has it
        atexit._clear()  # they remove the directory that all forks have in common, and in which each gets its own
        constants.DEFAULT_LOCAL_TMP = tempfile.mkdtemp(dir=constants.DEFAULT_LOCAL_TMP)
        sys.argv = request["command"]
        if request["program"] == "python":
            _, _, text, *arguments = sys.argv
            sys.argv = ["-c", *arguments]
            exec(compile(text, "<string>", "exec"), {"__name__": "__main__"})
            raise SystemExit(0)
        (kind,) = cli_of(importlib.import_module(f"ansible.cli.{request['program']}"), cli.CLI)
        kind.cli_executor(sys.argv)
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        multiprocessing.util._exit_function()  # removes the directory of the socket by which a run's workers ask it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def cli_of(module: Any, base: type) -> list[Any]:
    """Return the class of a program in its module."""
    return [found for found in vars(module).values() if isinstance(found, type) and issubclass(found, base) and found.__module__ == module.__name__]


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), "aws" in sys.argv[2:])
