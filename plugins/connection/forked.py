"""The connection ``local``, whose modules do without a Python interpreter of their own."""

from __future__ import annotations

import atexit
import os
import re
import shlex
import signal
import sys
import tempfile
import traceback
import types
from typing import Any, NoReturn

import ansible
from ansible import constants, module_utils
from ansible.module_utils import _internal
from ansible.module_utils._internal._ansiballz import _loader
from ansible.plugins.connection.local import Connection as LocalConnection

DOCUMENTATION = """
name: forked
short_description: Run modules on this machine in forks of Ansible's process
description:
  - The connection C(local), with one difference. A module that would run in the interpreter that Ansible itself runs in is not given a
    new process of it, but a fork of Ansible's worker, where Python has started and most of what modules import is there already.
  - A fork ends with its module, so nothing that a module does to its process reaches Ansible or the next module.
  - Everything else goes the way of C(local), such as commands, modules with C(become), with C(async) or for another interpreter.
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

# Modules that keep what an API server has in a file with a name that anybody can work out, in the directory for temporary files. There is no
# setting for it, so they get the run's own directory, where nobody else reads or writes.
DISCOVERERS = "ansible_collections.kubernetes.core."
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


def module_environment(command: str) -> dict[str, str] | None:
    """Return the environment variables of a shell command that only sets some and starts this interpreter on what it reads.

    ``command`` is what ActionBase._execute_module() makes of a pipelined module: ``/bin/sh -c 'NAME=value ... PYTHON && sleep 0'``.
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
    """Starts modules without an interpreter of their own where that makes no difference to them."""

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command, or the module that an interpreter would read from ``in_data``; return its code, output and errors."""
        environment = module_environment(cmd) if in_data and not self.become else None
        if environment is None:
            return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        # Files rather than pipes: a service that the module leaves running may keep them open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            pid = os.fork()
            if pid == 0:
                run_module(in_data or b"", environment, self.cwd, output.fileno(), errors.fileno())
            _, status = os.waitpid(pid, 0)
            output.seek(0)
            errors.seek(0)
            return os.waitstatus_to_exitcode(status), output.read(), errors.read()


def run_module(source: bytes, environment: dict[str, str], directory: str | None, output: int, errors: int) -> NoReturn:
    """Be, from now on, an interpreter that was started to run ``source``, the wrapper in which Ansible sends a module."""
    code: Any = 1
    try:
        atexit._clear()  # Ansible's own: they remove the directory that its other workers use
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
        _internal.is_controller = False  # warnings go into the module's result
        _loader.run_module = from_payload(_loader.run_module)
        exec(compile(source, "<stdin>", "exec"), main.__dict__)
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            atexit._run_exitfuncs()  # the module's own
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code if isinstance(code, int) else int(code is not None))


def from_payload(run: Any) -> Any:
    """Return ``run``, the wrapper's last step, with the project's own modules and module_utils to be had from what the wrapper unpacked."""

    def run_with_payload(*, modlib_path: str, module_fqn: str, **how: Any) -> None:
        if module_fqn.startswith(DISCOVERERS):
            tempfile.tempdir = constants.DEFAULT_LOCAL_TMP
        for package in (ansible, module_utils):
            package.__path__.insert(0, os.path.join(modlib_path, *package.__name__.split(".")))
        run(modlib_path=modlib_path, module_fqn=module_fqn, **how)

    return run_with_payload
