"""A separate Python environment for programs that most runs do without, made from pinned requirements when it is first needed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# Variables that make pip install into another environment than its own, or Python look elsewhere.
ASTRAY = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONHOME", "PYTHONPATH")


class NotMade(Exception):
    """The environment cannot be made; the text is for the user."""


def recipes(directory: Path, requirements: Path, uv: str) -> list[list[list[str]]]:
    """Return the ways to make an environment, fastest first, each as a list of commands.

    Pip, which is slower, reads this machine's pip configuration, such as one with a company's own index.

    Args:
        directory: Where to make it.
        requirements: Its packages, with hashes.
        uv: The program, empty if there is none.
    """
    python = str(directory / "bin" / "python")
    hashed = ["--require-hashes", "--requirement", str(requirements)]
    with_pip = [
        [sys.executable, "-m", "venv", "--clear", str(directory)],
        [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *hashed],
    ]
    with_uv = [
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(directory)],
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *hashed],
    ]
    return [with_uv, with_pip] if uv else [with_pip]


def made_from(requirements: Path) -> str:
    """Return what identifies an environment: the packages and the Python that it was made from."""
    return hashlib.sha256(requirements.read_bytes()).hexdigest() + f" {sys.version.split()[0]}"


def provide(directory: Path, requirements: Path, what: str, given: Mapping[str, str]) -> Path:
    """Return the interpreter of an environment. It is made unless it exists and matches the current requirements.

    Args:
        directory: Where it is. While it is being made, it is next to that.
        requirements: Its packages, with hashes.
        what: Its purpose, for the message.
        given: The environment variables.

    Raises:
        NotMade: It cannot be made.
    """
    python, mark = directory / "bin" / "python", directory / ".made-from"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{directory}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be making it
        if python.exists() and mark.is_file() and mark.read_text(encoding="ascii") == made_from(requirements):
            return python
        new = directory.with_name(f"{directory.name}.new")
        beside = Path(sys.executable).with_name("uv")
        uv = str(beside) if beside.is_file() else shutil.which("uv") or ""
        variables = {"UV_SYSTEM_CERTS": "true", **{name: value for name, value in given.items() if name not in ASTRAY}}
        said = ""
        for recipe in recipes(new, requirements, uv):
            if not (said := _run(recipe, variables)):
                break
        else:
            shutil.rmtree(new, ignore_errors=True)
            raise NotMade(
                f"The Python packages for {what} ({requirements}) could not be installed: {said}. "
                "They come from PyPI, or from the index in pip's configuration. Fix that, then run the same command again."
            )
        (new / ".made-from").write_text(made_from(requirements), encoding="ascii")
        shutil.rmtree(directory, ignore_errors=True)
        os.rename(new, directory)
    return python


def _run(commands: list[list[str]], variables: Mapping[str, str]) -> str:
    """Run commands one after another; return the last line of the first failing command's output, empty if none fails."""
    for command in commands:
        try:
            done = subprocess.run(
                command,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:
            return f"{command[0]}: {error.strerror}"
        if done.returncode:
            return (done.stdout.strip().splitlines() or [f"{command[0]} ended with exit code {done.returncode}"])[-1].strip().rstrip(".")
    return ""
