"""Files that are believed only where nobody else can have written them."""

from __future__ import annotations

import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible import constants
from ansible.executor.module_common import _CachedModule
from ansible_collections.berth.platform.plugins.module_utils import private
from module_run import plugin

callback = plugin("callback/warm_up.py")
NOBODY = 65534
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


class Exploit:
    """What a stranger leaves: a pickle that makes a file when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a file of ours in a directory of ours."""
    directory = tmp_path / "cache"
    directory.mkdir(mode=0o700)
    path = directory / "file"
    path.write_bytes(b"content")
    path.chmod(0o600)
    return path


def linked(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


FOREIGN: dict[str, Callable[[Path], object]] = {
    "a file that all may write": lambda path: path.chmod(0o666),
    "a file that a group may write": lambda path: path.chmod(0o620),
    "a directory that all may write to": lambda path: path.parent.chmod(0o777),
    "a directory that a group may write to": lambda path: path.parent.chmod(0o770),
    "a directory above it that all may write to": lambda path: path.parent.parent.chmod(0o777),
    "a symbolic link": linked,
    "a pipe": as_pipe,
    "nothing": lambda path: path.unlink(),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
}
GIVEN_AWAY: dict[str, Callable[[Path], object]] = {
    "another's file": lambda path: os.chown(path, NOBODY, NOBODY),
    "another's directory": lambda path: os.chown(path.parent, NOBODY, NOBODY),
    "another's directory with a sticky bit": lambda path: (path.parent.chmod(0o1777), os.chown(path.parent, NOBODY, NOBODY)),
}
ALL_OF_THEM = [*FOREIGN, *(pytest.param(name, marks=root) for name in GIVEN_AWAY)]


def make_foreign(name: str, path: Path) -> None:
    (FOREIGN | GIVEN_AWAY)[name](path)


def test_what_only_we_can_have_written_is_read(place: Path) -> None:
    assert private.read(place) == private.read(place, private.ALL) == b"content"
    place.chmod(0o644)
    assert (private.read(place), private.read(place, private.ALL)) == (b"content", None)


@pytest.mark.parametrize("what", ALL_OF_THEM)
def test_what_others_may_have_written_is_not_read(place: Path, what: str) -> None:
    make_foreign(what, place)
    assert private.read(place) is None


def test_a_directory_of_all_users_with_a_sticky_bit_may_lie_on_the_way(place: Path) -> None:
    place.parent.parent.chmod(0o1777)
    assert private.read(place) == b"content" and private.directory(place.parent)


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o775, 0o1777])
def test_a_directory_is_made_anew_unless_it_was_closed_to_others(place: Path, mode: int) -> None:
    place.parent.chmod(mode)
    assert private.directory(place.parent) and place.exists() is (mode == 0o755)
    assert not place.parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@root
def test_a_directory_of_another_user_is_made_anew(place: Path) -> None:
    os.chown(place.parent, NOBODY, NOBODY)
    assert private.directory(place.parent) and not place.exists() and place.parent.stat().st_uid == 0


def test_a_link_in_the_place_of_a_directory_goes_and_what_it_leads_to_stays(place: Path) -> None:
    link = place.parent.parent / "link"
    link.symlink_to(place.parent)
    assert private.directory(link) and not link.is_symlink() and list(link.iterdir()) == [] and place.exists()


def test_a_directory_above_that_was_made_with_another_umask_is_closed(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o775)
    assert private.directory(tmp_path / "cache/mine") and (tmp_path / "cache").stat().st_mode & 0o777 == 0o755


def test_where_the_way_is_not_ours_nothing_is_touched(place: Path) -> None:
    place.parent.parent.chmod(0o777)
    place.parent.chmod(0o777)
    assert not private.directory(place.parent / "below" / "it") and place.exists()


# --- Payloads of modules -----------------------------------------------------
@pytest.fixture
def payloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Return a function that does what the callback does at the start of a run, and returns where Ansible looks for payloads."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))

    def started() -> Path:
        local = tmp_path / "local" / str(len(list((tmp_path / "local").iterdir())) if (tmp_path / "local").exists() else 0)
        local.mkdir(parents=True)
        monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(local))
        callback.keep_payloads()
        (local / "ansiballz_cache").mkdir(exist_ok=True)  # as Ansible itself does where there is none
        return local / "ansiballz_cache"

    return started


def test_our_own_payload_is_found_again(payloads: Callable[[], Path]) -> None:
    (payloads() / "module").write_bytes(pickle.dumps("payload"))
    assert _CachedModule.load(str(payloads() / "module")) == "payload"


@pytest.mark.parametrize("what", [name for name in ALL_OF_THEM if name not in ("a pipe", "nothing", "a directory")])
def test_code_in_a_payload_that_others_may_have_written_is_not_run(payloads: Callable[[], Path], tmp_path: Path, what: str) -> None:
    path = payloads().resolve() / "module"
    path.write_bytes(pickle.dumps(Exploit(tmp_path / "exploited")))
    make_foreign(what, path)
    found = payloads()
    if (found / "module").exists():
        _CachedModule.load(str(found / "module"))
    assert not (tmp_path / "exploited").exists()
    (found / "module").write_bytes(pickle.dumps("again"))
    assert _CachedModule.load(str(found / "module")) == "again"


@pytest.mark.parametrize("level", ["home", "home/berth/payloads"])
def test_payloads_below_a_directory_that_all_may_write_to_are_not_read(payloads: Callable[[], Path], tmp_path: Path, level: str) -> None:
    path = payloads().resolve() / "module"
    path.write_bytes(pickle.dumps(Exploit(tmp_path / "exploited")))
    (tmp_path / level).chmod(0o777)
    assert not (payloads() / "module").exists()
