"""Progress is written where it is asked for, and is never a reason to fail."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.progress import report
from ansible_collections.berth.platform.plugins.plugin_utils import progress_file


def test_each_report_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In order, with line breaks turned into spaces."""
    path = tmp_path / "progress"
    monkeypatch.setenv("BERTH_PROGRESS", str(path))
    report("Deployment polls: 1 of 2 pods ready")
    report("two\nlines")
    assert path.read_text() == "Deployment polls: 1 of 2 pods ready\ntwo lines\n"


def test_nothing_is_written_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unset or empty variable means no."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BERTH_PROGRESS", raising=False)
    report("x")
    monkeypatch.setenv("BERTH_PROGRESS", "")
    report("x")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_fails_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A directory stands where the file should be."""
    monkeypatch.setenv("BERTH_PROGRESS", str(tmp_path))
    report("x")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have temporary files below a directory of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(directory: Path, name: str = "berth-progress-left") -> Path:
    """Make a file as a run that was killed leaves it."""
    path = directory / name
    path.touch(mode=0o600)
    return path


def test_what_a_killed_run_has_left_is_removed_by_the_next_one(temporary: Path) -> None:
    left(temporary), left(temporary, "berth-progress-another")
    handle, path = progress_file.make()
    assert list(temporary.iterdir()) == [path]
    os.close(handle)
    _, second = progress_file.make()
    assert list(temporary.iterdir()) == [second]


def test_the_file_of_a_run_stays_while_a_process_of_it_lives(temporary: Path) -> None:
    handle, path = progress_file.make()
    worker = os.dup(handle)  # as a fork has it
    os.close(handle)
    progress_file.sweep()
    assert path.exists()
    os.close(worker)
    progress_file.sweep()
    assert not path.exists()


@pytest.mark.parametrize("what", ["another user's", "a link", "a directory", "a pipe", "another name"])
def test_what_is_no_file_of_this_users_runs_stays(what: str, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = temporary / "berth-progress-x"
    match what:
        case "another user's":
            left(temporary, path.name)
            monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
        case "a link":
            path.symlink_to(left(temporary, "precious"))
        case "a directory":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case _:
            path = left(temporary, "berth-other-x")
    before = sorted(temporary.iterdir())
    progress_file.sweep()
    assert sorted(temporary.iterdir()) == before


def test_a_file_that_another_run_took_for_left_is_made_once_more(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looked between the making of the file and its lock."""
    make, made = tempfile.mkstemp, []

    def first_is_swept(**options: str) -> tuple[int, str]:
        found = make(**options)
        if not made:
            progress_file.sweep()
        made.append(found[1])
        return found

    monkeypatch.setattr(tempfile, "mkstemp", first_is_swept)
    _, path = progress_file.make()
    assert [str(path)] == made[1:] == [str(each) for each in temporary.iterdir()]
