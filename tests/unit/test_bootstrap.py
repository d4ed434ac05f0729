"""What `make` does before Ansible starts: which Python it takes, what it says without one, and that it is quick the second time.

How .venv is made is in test_make_venv.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
NEEDED = ("cat", "cksum", "dirname", "grep", "head", "id", "sh")
MADE_FROM = ("requirements.txt", "scripts/make_venv.py", "scripts/berth_start.py")
WORDS = """#!/bin/sh
case "$1 $2" in
"-c "*platform*) echo {version} ;;
"-c "*) echo {good_for} ;;
*) echo "$0 asked: $*" >&2; exit 7 ;;
esac
"""
NEW = WORDS.format(version="3.13.1", good_for="basehelper")
OLD = WORDS.format(version="3.11.2", good_for="helper")
WITHOUT_VENV = WORDS.format(version="3.13.1", good_for="base")
OLD_WITHOUT_VENV = WORDS.format(version="3.11.2", good_for="")
BROKEN = "#!/bin/sh\nexit 127\n"
LIVES = "#!/bin/sh\nexit 0\n"
Bootstrap = Callable[..., subprocess.CompletedProcess[str]]


def program(path: Path, text: str) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def bootstrap(tmp_path: Path) -> Bootstrap:
    """Return a function that runs the script in a project of its own, on a machine without any Python, as an ordinary user."""
    (tmp_path / "bin").mkdir()
    for name in NEEDED:
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    user(tmp_path, 1000)
    script = (PROJECT / "scripts" / "bootstrap").read_text(encoding="utf-8")
    assert script.count("/usr/local/bin/python3") == 1
    program(tmp_path / "scripts" / "bootstrap", script.replace("/usr/local/bin/python3", str(tmp_path / "absent")))
    for name in MADE_FROM:
        shutil.copy(PROJECT / name, tmp_path / name)

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        machine = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path), **environment}
        return subprocess.run([tmp_path / "scripts" / "bootstrap", *arguments], env=machine, capture_output=True, text=True, check=False)

    return run


def user(tmp_path: Path, number: int) -> None:
    """Make the machine's user the one with this number."""
    (tmp_path / "bin" / "id").unlink(missing_ok=True)
    program(tmp_path / "bin" / "id", f"#!/bin/sh\necho {number}\n")


def made(tmp_path: Path, python: str = LIVES, lock: str = "") -> None:
    """Make an environment that fits, but for what is given."""
    program(tmp_path / ".venv" / "bin" / "python", python)
    collection = tmp_path / ".venv/lib/python3.12/site-packages/ansible_collections/berth/platform"
    collection.parent.mkdir(parents=True, exist_ok=True)
    if not collection.is_symlink():
        collection.symlink_to(tmp_path)
    fits = subprocess.run(["cksum", *MADE_FROM], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    (tmp_path / ".venv" / ".made-from").write_text(lock or fits, encoding="utf-8")


def elsewhere(root: Path) -> None:
    """Let the environment be one that another checkout made."""
    collection = next(root.glob(".venv/lib/python3.12/site-packages/ansible_collections/berth/platform"))
    collection.unlink()
    (root / "other").mkdir()
    collection.symlink_to(root / "other")


def taken(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """Return the interpreter that makes the environment, and the one that is given to it for the environment's own."""
    found = re.fullmatch(r"(\S+) asked: -I scripts/make_venv.py (?:\d+ \d+ \S+\s){3}(\S*)\n", done.stderr)
    assert found, done
    return found[1], found[2]


def test_an_environment_that_fits_the_requirements_is_left_alone_within_a_moment(bootstrap: Bootstrap, tmp_path: Path) -> None:
    made(tmp_path)
    began = time.monotonic()
    done = bootstrap()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - began < 2
    assert bootstrap("--check").returncode == 0
    assert sorted(os.listdir(tmp_path / ".venv")) == [".made-from", "bin", "lib"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda root: made(root, lock="of before"),
        lambda root: made(root, python=BROKEN),
        lambda root: (made(root), (root / ".venv" / "bin" / "python").unlink()),
        lambda root: (made(root), (root / ".venv" / ".made-from").unlink()),
        lambda root: (made(root), (root / ".venv" / ".made-from").write_text("", encoding="utf-8")),
        lambda root: (made(root), (root / "requirements.txt").write_text("ansible==1\n", encoding="utf-8")),
        lambda root: (made(root), (root / "scripts" / "make_venv.py").write_text("pass\n", encoding="utf-8")),
        lambda root: (root / ".venv" / "bin").mkdir(parents=True),
        lambda root: (root / ".venv").symlink_to("/nowhere"),
        lambda root: (made(root), elsewhere(root)),
    ],
    ids=[
        "other requirements of before",
        "upgraded python",
        "removed python",
        "cut off before the end",
        "cut off at the very end",
        "other requirements",
        "made otherwise",
        "hardly begun",
        "dangling link",
        "plugins of another checkout",
    ],
)
def test_whatever_does_not_fit_or_is_half_made_makes_it_anew(bootstrap: Bootstrap, tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    spoil(tmp_path)
    python = program(tmp_path / "bin" / "python3", NEW)
    assert bootstrap("--check").returncode == 1
    assert taken(bootstrap()) == (str(python), str(python))


@pytest.mark.parametrize(
    "path", ["{0}/.venv/bin:{0}/bin", "{0}/bin:{0}/.venv/bin", "{0}/.venv/bin/:{0}/./.venv/bin:{0}/bin", "/odd dir*:{0}/.venv/bin:{0}/bin"]
)
def test_what_a_half_made_environment_holds_is_not_taken_for_a_python(bootstrap: Bootstrap, tmp_path: Path, path: str) -> None:
    program(tmp_path / ".venv" / "bin" / "python3.13", NEW)  # as it is where make or an activated shell looks first
    python = program(tmp_path / "bin" / "python3", NEW)
    assert taken(bootstrap(PATH=path.format(tmp_path))) == (str(python), str(python))


@pytest.mark.parametrize("place", ["home/.pyenv/versions/3.12.4/bin/python3", "home/.local/share/uv/python/cpython-3.13.1-linux/bin/python3", "bin/python3.14"])
def test_a_python_off_the_path_is_found_where_version_managers_keep_it(bootstrap: Bootstrap, tmp_path: Path, place: str) -> None:
    program(tmp_path / "bin" / "python3", OLD_WITHOUT_VENV)
    python = program(tmp_path / place, NEW)
    assert taken(bootstrap()) == (str(python), str(python))


def test_a_pyenv_root_and_a_python_that_are_named_are_taken(bootstrap: Bootstrap, tmp_path: Path) -> None:
    managed = program(tmp_path / "managed" / "versions" / "3.13.0" / "bin" / "python3", NEW)
    assert taken(bootstrap(PYENV_ROOT=str(tmp_path / "managed")))[1] == str(managed)
    named = program(tmp_path / "named", NEW)
    assert taken(bootstrap(PYENV_ROOT=str(tmp_path / "managed"), BERTH_PYTHON=str(named)))[1] == str(named)
    brought = program(tmp_path / "uv" / "cpython-3.13.1-linux" / "bin" / "python3", NEW)
    assert taken(bootstrap(UV_PYTHON_INSTALL_DIR=str(tmp_path / "uv")))[1] == str(brought)


@pytest.mark.parametrize("text", [OLD, BROKEN, None], ids=["old", "broken", "absent"])
def test_a_python_that_is_named_and_will_not_do_is_refused_rather_than_replaced(bootstrap: Bootstrap, tmp_path: Path, text: str | None) -> None:
    program(tmp_path / "bin" / "python3", NEW)
    if text:
        program(tmp_path / "named", text)
    done = bootstrap(BERTH_PYTHON=str(tmp_path / "named"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"bootstrap: BERTH_PYTHON={tmp_path}/named is not a working Python 3.12 or newer. Set it to another one, or unset it to search for one.\n"
    )


def test_an_older_python_helps_where_there_is_no_new_one_and_where_the_new_one_lacks_venv(bootstrap: Bootstrap, tmp_path: Path) -> None:
    old = program(tmp_path / "bin" / "python3", OLD)
    assert taken(bootstrap()) == (str(old), "")
    new = program(tmp_path / "bin" / "python3.13", WITHOUT_VENV)
    assert taken(bootstrap()) == (str(old), str(new))


def test_without_a_python_it_says_what_it_tried_and_what_to_do(bootstrap: Bootstrap, tmp_path: Path) -> None:
    old = program(tmp_path / "bin" / "python3", OLD_WITHOUT_VENV)
    broken = program(tmp_path / "home" / ".pyenv" / "versions" / "3.12.0" / "bin" / "python3", BROKEN)
    done = bootstrap()
    assert done.returncode == 1
    assert f"Tried:\n  {old} (3.11.2)\n  {broken} (does not run)\n" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr
    assert "BERTH_PYTHON=/path/to/python3 make dev" in done.stderr


def test_without_anything_called_python_it_says_so(bootstrap: Bootstrap) -> None:
    done = bootstrap()
    assert done.returncode == 1
    assert "Tried:\n  nothing called python3 was found\n" in done.stderr


def test_root_gets_the_venv_module_from_debian_without_a_question(bootstrap: Bootstrap, tmp_path: Path) -> None:
    user(tmp_path, 0)
    python = tmp_path / "bin" / "python3"
    words = f'#!/bin/sh\n[ "$DEBIAN_FRONTEND" = noninteractive ] || exit 1\necho noise\n[ "$3" = update ] || mv {python}.new {python}\n'
    program(tmp_path / "bin" / "apt-get", words)
    (tmp_path / "bin" / "mv").symlink_to(str(shutil.which("mv")))
    program(python, OLD_WITHOUT_VENV)
    program(python.with_suffix(".new"), OLD)
    done = bootstrap()
    assert taken(done) == (str(python), "")
    assert done.stdout == "bootstrap: no Python with the venv module found; installing Debian's python3 and python3-venv\n"


def test_what_apt_complains_about_is_told(bootstrap: Bootstrap, tmp_path: Path) -> None:
    user(tmp_path, 0)
    program(tmp_path / "bin" / "apt-get", "#!/bin/sh\necho 'E: Unable to fetch some archives' >&2\necho 'E: more' >&2\nexit 100\n")
    done = bootstrap()
    assert done.returncode == 1
    assert "found\napt-get could not install them: E: Unable to fetch some archives\nInstall one" in done.stderr
