"""The connection ``local``, with modules that run without a Python interpreter of their own."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import platform
import re
import shlex
import signal
import sys
import tempfile
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import ansible
from ansible import module_utils
from ansible.playbook.play_context import PlayContext
from ansible.plugins.connection.local import Connection as LocalConnection
from ansible.utils.display import Display

DOCUMENTATION = """
name: forked
short_description: Run modules on this machine in forks of Ansible's process
description:
  - The connection C(local), with one difference. A module that would run in the interpreter that Ansible itself runs in is not given a
    new process of it, but a fork of Ansible's worker, where Python has started and most of what modules import is there already.
  - A fork ends with its module, so nothing that a module does to its process reaches Ansible or the next module.
  - Everything else goes the way of C(local), such as commands, modules with C(become), with C(async) or for another interpreter.
  - Where Ansible is not what this needs, all modules go that way too, and a line says so at C(-v).
author: Berth
options:
  become_success_timeout:
    description: Number of seconds to wait for become to succeed.
    type: int
    default: 10
    vars:
      - name: ansible_local_become_success_timeout
  become_strip_preamble:
    description: Strip internal become output preceding command execution.
    type: bool
    default: true
    vars:
      - name: ansible_local_become_strip_preamble
extends_documentation_fragment:
  - connection_pipelining
"""

# Modules that store an API server's data in a file with a predictable name, in the directory for temporary files. There is no
# setting for it, so they get the run's own directory, where nobody else reads or writes.
DISCOVERERS = "ansible_collections.kubernetes.core."
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
display = Display()


class Private(NamedTuple):
    """A name that ansible-core or Python may change in any release, and what it has to be so that modules can run in forks."""

    module: str
    name: str
    expected: str
    fits: Callable[[Any], bool]

    def get(self) -> Any:
        """Return the object with the name."""
        return getattr(importlib.import_module(self.module), self.name)

    def set(self, value: Any) -> None:
        """Bind the name to another object."""
        setattr(importlib.import_module(self.module), self.name, value)

    def holds(self) -> bool:
        """Whether it exists, and is what it has to be."""
        with contextlib.suppress(Exception):  # if looking at it fails in any way, it is something else
            return self.fits(self.get())
        return False


def has_payloads_keywords(value: Any) -> bool:
    """Whether something is a function with only keyword parameters, including those that ``from_payload`` reads."""
    parameters = inspect.signature(value).parameters.values()
    return {"modlib_path", "module_fqn"} <= {each.name for each in parameters} and all(each.kind is each.KEYWORD_ONLY for each in parameters)


def calls_run_module(value: Any) -> bool:
    """Whether something is a function in a file that calls the one that ``from_payload`` replaces."""
    return "_loader.run_module(" in Path(inspect.getfile(value)).read_text(encoding="utf-8")


def makes_connections(value: Any) -> bool:
    """Whether something is a class whose objects have what ``Connection`` reads."""
    return {"become", "cwd"} <= vars(value(PlayContext())).keys()


# Everything private that this file uses. Nothing else here may name any of it.
IS_CONTROLLER = Private("ansible.module_utils._internal", "is_controller", "a boolean", lambda value: isinstance(value, bool))
RUN_MODULE = Private(
    "ansible.module_utils._internal._ansiballz._loader", "run_module", "a function of keywords, modlib_path and module_fqn among them", has_payloads_keywords
)
WRAPPER = Private("ansible._internal._ansiballz._wrapper", "_ansiballz_main", "a function that calls _loader.run_module", calls_run_module)
LOCAL = Private("ansible.plugins.connection.local", "Connection", "a connection with become and cwd", makes_connections)
LOCAL_TEMPORARY = Private("ansible.constants", "DEFAULT_LOCAL_TMP", "a path", lambda value: isinstance(value, str))
FORGET_EXIT_FUNCTIONS = Private("atexit", "_clear", "a function", callable)
CALL_EXIT_FUNCTIONS = Private("atexit", "_run_exitfuncs", "a function", callable)
PRIVATE = (IS_CONTROLLER, RUN_MODULE, WRAPPER, LOCAL, LOCAL_TEMPORARY, FORGET_EXIT_FUNCTIONS, CALL_EXIT_FUNCTIONS)


@functools.cache
def misfits() -> tuple[Private, ...]:
    """Return the private names that are missing or something else; if there are any, the run reports that at -v."""
    found = tuple(each for each in PRIVATE if not each.holds())
    if found and first_in_run():
        versions = f"ansible-core {ansible.__version__} on Python {platform.python_version()}"
        lacking = ", and no ".join(f"{each.module}.{each.name} that is {each.expected}" for each in found)
        display.v(f"berth.platform.forked runs modules as local does, which takes longer: {versions} has no {lacking}.")
    return found


def first_in_run() -> bool:
    """Whether no other process of this run has asked: each task has a process of its own."""
    try:
        Path(LOCAL_TEMPORARY.get(), "forked_misfits").touch(exist_ok=False)
    except FileExistsError:
        return False
    except (AttributeError, TypeError, OSError):
        return True  # better a line from each than none at all
    return True


def module_environment(command: str) -> dict[str, str] | None:
    """Return the environment variables of a shell command that only sets some and starts this interpreter on its input.

    ``command`` is what ActionBase._execute_module() builds for a pipelined module: ``/bin/sh -c 'NAME=value ... PYTHON && sleep 0'``.
    None for any other command.
    """
    match shlex.split(command):
        case [_, "-c", script]:
            *assignments, interpreter = shlex.split(script.removesuffix(" && sleep 0")) or [""]
            found = [ASSIGNMENT.fullmatch(word) for word in assignments]
            if interpreter == sys.executable and all(found):
                return {each[1]: each[2] for each in found if each}
    return None


class Connection(LocalConnection):
    """Starts modules without an interpreter of their own if that makes no difference to them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.forks = not misfits()

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command, or the module that an interpreter would read from ``in_data``; return its code, output and errors."""
        environment = module_environment(cmd) if self.forks and in_data and not self.become else None
        if environment is None:
            return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        # Files instead of pipes, because a service that the module leaves running may keep them open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            pid = os.fork()
            if pid == 0:
                run_module(in_data or b"", environment, self.cwd, output.fileno(), errors.fileno())
            _, status = os.waitpid(pid, 0)
            output.seek(0)
            errors.seek(0)
            return os.waitstatus_to_exitcode(status), output.read(), errors.read()


def run_module(source: bytes, environment: dict[str, str], directory: str | None, output: int, errors: int) -> NoReturn:
    """Become an interpreter that was started to run ``source``, the wrapper in which Ansible sends a module."""
    code: Any = 1
    try:
        FORGET_EXIT_FUNCTIONS.get()()  # Ansible's own: they remove the directory that its other workers use
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        null = os.open(os.devnull, os.O_RDONLY)
        for descriptor, standard in ((null, 0), (output, 1), (errors, 2)):
            os.dup2(descriptor, standard)
        sys.stdin, sys.stdout, sys.stderr = (open(number, "w" if number else "r", closefd=False) for number in range(3))  # noqa: SIM115
        os.chdir(directory or ".")
        os.environ.update(environment)
        sys.argv = ["-"]
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        IS_CONTROLLER.set(False)  # warnings go into the module's result
        RUN_MODULE.set(from_payload(RUN_MODULE.get()))
        exec(compile(source, "<stdin>", "exec"), main.__dict__)
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            CALL_EXIT_FUNCTIONS.get()()  # the module's own
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code if isinstance(code, int) else int(code is not None))


def from_payload(run: Any) -> Any:
    """Return ``run``, the wrapper's last step; it imports the project's own modules and module_utils from what the wrapper unpacked."""

    def run_with_payload(*, modlib_path: str, module_fqn: str, **how: Any) -> None:
        if module_fqn.startswith(DISCOVERERS):
            tempfile.tempdir = LOCAL_TEMPORARY.get()
        for package in (ansible, module_utils):
            package.__path__ = [os.path.join(modlib_path, *package.__name__.split(".")), *package.__path__]
        run(modlib_path=modlib_path, module_fqn=module_fqn, **how)

    return run_with_payload
