"""What `make` does before Ansible starts: which Python it takes, what it says without one, and that it is quick the second time."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
NEEDED = ("awk", "cat", "cksum", "dirname", "id", "mktemp", "rm", "sh")
OLD = "#!/bin/sh\ncase $2 in *platform*) echo 3.11.2 ;; *) exit 1 ;; esac\n"
NEW = "#!/bin/sh\ncase $1 in -m) echo asked: $* >&2; exit 7 ;; esac\n"
"""A Python that will do, and makes nothing: the virtual environment itself is made in tests/bare."""


def program(path: Path, text: str) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def bootstrap(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the script in a project of its own, on a machine without any Python, as an ordinary user."""
    for name in NEEDED:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "bin" / "id").unlink()
    program(tmp_path / "bin" / "id", "#!/bin/sh\necho 1000\n")
    script = (PROJECT / "scripts" / "bootstrap").read_text(encoding="utf-8")
    assert script.count("/usr/local/bin/python3") == 1
    program(tmp_path / "scripts" / "bootstrap", script.replace("/usr/local/bin/python3", str(tmp_path / "absent")))
    shutil.copy(PROJECT / "requirements.txt", tmp_path)

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        machine = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path), **environment}
        return subprocess.run([tmp_path / "scripts" / "bootstrap"], env=machine, capture_output=True, text=True, check=False)

    return run


def test_an_environment_that_fits_the_requirements_is_left_alone_within_a_moment(
    bootstrap: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    program(tmp_path / ".venv" / "bin" / "ansible-playbook", "")
    lock = subprocess.run(["cksum", "requirements.txt"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    (tmp_path / ".venv" / ".lock").write_text(lock, encoding="utf-8")
    began = time.monotonic()
    done = bootstrap()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - began < 2
    assert sorted(os.listdir(tmp_path / ".venv")) == [".lock", "bin"]


def test_changed_requirements_make_it_anew(bootstrap: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    program(tmp_path / ".venv" / "bin" / "ansible-playbook", "")
    (tmp_path / ".venv" / ".lock").write_text("of before", encoding="utf-8")
    python = program(tmp_path / "bin" / "python3", NEW)
    assert bootstrap().stdout == f"bootstrap: making .venv with {python} (once; about a minute)\n"
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("place", ["home/.pyenv/versions/3.12.4/bin/python3", "home/.local/share/uv/python/cpython-3.13.1-linux/bin/python3", "bin/python3.14"])
def test_a_python_off_the_path_is_found_where_version_managers_keep_it(
    bootstrap: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, place: str
) -> None:
    program(tmp_path / "bin" / "python3", OLD)
    python = program(tmp_path / place, NEW)
    done = bootstrap()
    assert done.stdout == f"bootstrap: making .venv with {python} (once; about a minute)\n"
    assert done.stderr == "asked: -m venv .venv\n"


def test_a_pyenv_root_and_a_python_that_are_named_are_taken(bootstrap: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    managed = program(tmp_path / "managed" / "versions" / "3.13.0" / "bin" / "python3", NEW)
    assert str(managed) in bootstrap(PYENV_ROOT=str(tmp_path / "managed")).stdout
    named = program(tmp_path / "named", NEW)
    assert str(named) in bootstrap(PYENV_ROOT=str(tmp_path / "managed"), BERTH_PYTHON=str(named)).stdout


def test_without_a_python_it_says_what_it_tried_and_what_to_do(bootstrap: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    old = program(tmp_path / "bin" / "python3", OLD)
    broken = program(tmp_path / "home" / ".pyenv" / "versions" / "3.12.0" / "bin" / "python3", "#!/bin/sh\nexit 127\n")
    done = bootstrap()
    assert done.returncode == 1
    assert f"Tried:\n  {old} (3.11.2)\n  {broken} (does not run)\n" in done.stderr
    assert "BERTH_PYTHON=/path/to/python3 make dev" in done.stderr


def test_without_anything_called_python_it_says_so(bootstrap: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = bootstrap()
    assert done.returncode == 1
    assert "Tried:\n  nothing called python3 was found\n" in done.stderr
