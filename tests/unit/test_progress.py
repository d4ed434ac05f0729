"""Progress is written where it is asked for, and is never a reason to fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.progress import report


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
