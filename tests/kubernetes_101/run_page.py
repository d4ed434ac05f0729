"""Run the commands of docs/kubernetes-101.md, and compare what they print with what the page says, or write it into the page.

python tests/kubernetes_101/run_page.py --write    # in dev, just after make dev
python tests/kubernetes_101/run_page.py --environment molecule --namespace polls-default
"""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import executable_page as page
from executable_page import Place, Step

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs/kubernetes-101.md"
HANGS = 900.0
"""Seconds for all of it, after which it is given up: each command that waits has a time of its own."""
LEFT = ("pod/look", "service/outside")
"""What a run that was cut off may have left in the namespace default."""


class Shell:
    """A shell that keeps its variables from one command to the next, as a terminal does.

    Args:
        directory: Where it works.
        environment: Its environment variables.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        command = ["bash", "--noprofile", "--norc"]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self._process = subprocess.Popen(command, cwd=directory, env=dict(environment), text=True, errors="replace", start_new_session=True, **streams)
        self._guard = threading.Timer(HANGS, self._kill)
        self._guard.daemon = True
        self._guard.start()

    def run(self, command: str) -> list[str]:
        """Return what a command prints, by lines.

        Raises:
            EOFError: The shell ended: a command did that, or all of it took too long.
        """
        mark = uuid.uuid4().hex
        self._process.stdin.write(f"{{ {command}\n}} </dev/null 2>&1\nprintf '\\n%s\\n' {mark}\n")
        self._process.stdin.flush()
        text = ""
        while not text.endswith(f"\n{mark}\n"):
            line = self._process.stdout.readline()
            if not line:
                raise EOFError(f"The shell ended in {command}: {text}")
            text += line
        return text[: -len(mark) - 2].splitlines()

    def _kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the shell and what it started."""
        self._guard.cancel()
        if self._process.poll() is None:
            self._kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            stream.close()


def outputs(steps: list[Step], place: Place, tell: Callable[[str], None] = print) -> list[list[str]]:
    """Run the steps of a page in their order; return what each prints, as it would in dev.

    Raises:
        EOFError: see Shell.
    """
    # Molecule's settings of Ansible are none of a reader's.
    given = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KUBECONFIG"))}
    shell = Shell(PROJECT, {**given, "ANSIBLE_NOCOLOR": "true", "LC_ALL": "C.UTF-8", "PATH": f"{Path(sys.executable).parent}:{given['PATH']}"})
    try:
        found = []
        for number, step in enumerate(steps):
            began = time.monotonic()
            found.append([place.output(line) for line in shell.run(place.command(step.command))])
            tell(f"{time.monotonic() - began:6.1f} s  {step.command.splitlines()[0]}")
            if number == 0:  # which says where kubectl finds the cluster
                shell.run(f"kubectl --namespace default delete {' '.join(LEFT)} --ignore-not-found")
        return found
    finally:
        shell.close()


def differences(steps: list[Step], printed: list[list[str]]) -> list[str]:
    """Return what is not as the page says, a text for each command."""
    found = []
    for step, lines in zip(steps, printed, strict=True):
        if not page.same(step.output, lines):
            compared = difflib.unified_diff(page.compared(step.output), page.compared(lines), "the page", "today", lineterm="", n=99)
            found.append("\n".join([f"{PAGE.name}:{step.line}: $ {step.command}", *compared, "printed:", *lines]))
    return found


def main() -> int:
    """Run the page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write what was printed into the page")
    parser.add_argument("--all", action="store_true", help="with --write, also what is true already but for ages and names, so that all is of one run")
    parser.add_argument("--environment", default="dev", help="its inventory is inventories/ENVIRONMENT")
    parser.add_argument("--namespace", default="polls-dev", help="that of the environment")
    given = parser.parse_args()
    text = PAGE.read_text(encoding="utf-8")
    steps = page.steps(text)
    printed = outputs(steps, Place(given.environment, given.namespace, str(PROJECT)), lambda line: print(line, flush=True))
    if given.write:
        new = [page.rewritten(step.output, lines, given.all) for step, lines in zip(steps, printed, strict=True)]
        PAGE.write_text(page.written(text, new), encoding="utf-8")
        return 0
    wrong = differences(steps, printed)
    print("\n\n".join([*wrong, f"{len(wrong)} of {len(steps)} commands do not print what the page says."]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
