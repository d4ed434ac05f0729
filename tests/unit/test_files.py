"""Many files in one task: each whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import files
from module_run import run

Captured = pytest.CaptureFixture[str]


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return path.stat().st_mode & 0o7777


def write(capsys: Captured, check: bool = False, **file: Any) -> dict[str, Any]:
    """Run the module for one file."""
    return run(files, capsys, check, files=[{name: str(value) for name, value in file.items()}])


def names(directory: Path) -> list[str]:
    """Return everything below a directory."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_a_new_file_gets_its_content_its_mode_and_its_directories(tmp_path: Path, capsys: Captured) -> None:
    answer = write(capsys, path=tmp_path / "a/b/c", content="grüße\n", mode="0750")
    assert answer["changed"] and answer["changed_paths"] == [str(tmp_path / "a/b/c")]
    assert (tmp_path / "a/b/c").read_text() == "grüße\n" and mode(tmp_path / "a/b/c") == 0o750
    assert names(tmp_path) == ["a", "a/b", "a/b/c"]


def test_a_file_that_is_right_is_not_touched(tmp_path: Path, capsys: Captured) -> None:
    write(capsys, path=tmp_path / "f", content="x")
    before = (tmp_path / "f").stat()
    answer = write(capsys, path=tmp_path / "f", content="x")
    assert not answer["changed"] and answer["diff"] == []
    assert (tmp_path / "f").stat() == before


def test_a_wrong_mode_alone_is_mended(tmp_path: Path, capsys: Captured) -> None:
    write(capsys, path=tmp_path / "f", content="x", mode="0644")
    assert write(capsys, path=tmp_path / "f", content="x", mode="0600")["changed"]
    assert mode(tmp_path / "f") == 0o600


def test_a_file_that_is_open_keeps_its_old_content_whole(tmp_path: Path, capsys: Captured) -> None:
    write(capsys, path=tmp_path / "f", content="old " * 10_000)
    with (tmp_path / "f").open() as reader:
        write(capsys, path=tmp_path / "f", content="new")
        assert reader.read() == "old " * 10_000
    assert (tmp_path / "f").read_text() == "new"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    write(capsys, path=tmp_path / "f", content="old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "f"))

    monkeypatch.setattr(Path, "chmod", full)
    answer = write(capsys, path=tmp_path / "f", content="new")
    assert answer["msg"] == f"{tmp_path}/f cannot be written: No space left on device ({tmp_path}/f)."
    assert (tmp_path / "f").read_text() == "old" and names(tmp_path) == ["f"]


def test_what_a_killed_run_left_half_written_does_not_hinder_the_next(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / ".f.berth").write_text("hal")
    write(capsys, path=tmp_path / "f", content="whole")
    assert (tmp_path / "f").read_text() == "whole" and names(tmp_path) == ["f"]


def test_a_private_file_is_never_readable_by_others(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").write_text("secret")
    seen = []
    real = Path.chmod
    monkeypatch.setattr(Path, "chmod", lambda path, wanted: (seen.append((path.name, path.stat().st_mode & 0o777)), real(path, wanted))[1])
    old = os.umask(0)
    try:
        write(capsys, path=tmp_path / "f", content="secret", mode="0600")
    finally:
        os.umask(old)
    assert seen == [(".f.berth", 0o600)] and mode(tmp_path / "f") == 0o600


def test_a_copy_follows_its_source_and_is_a_file_of_its_own(tmp_path: Path, capsys: Captured) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"\xff\x00one")
    assert write(capsys, path=target, src=source, mode="0600")["changed"]
    assert target.read_bytes() == b"\xff\x00one" and target.stat().st_ino != source.stat().st_ino
    assert mode(target) == 0o600 and mode(source) != 0o600
    assert not write(capsys, path=target, src=source, mode="0600")["changed"]
    source.write_bytes(b"another")
    assert write(capsys, path=target, src=source, mode="0600")["changed"]
    assert target.read_bytes() == b"another"


def test_a_link_shares_its_sources_bytes_and_is_made_once(tmp_path: Path, capsys: Captured) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("x")
    assert write(capsys, path=target, src=source, link=True, mode="0755")["changed"]
    assert target.stat().st_ino == source.stat().st_ino and names(tmp_path) == ["source", "target"]
    assert not write(capsys, path=target, src=source, link=True, mode="0755")["changed"]


def test_where_a_link_cannot_be_made_it_is_copied(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def cross(*_: Any, **__: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", cross)
    (tmp_path / "source").write_text("x")
    write(capsys, path=tmp_path / "target", src=tmp_path / "source", link=True)
    assert (tmp_path / "target").read_text() == "x" and (tmp_path / "target").stat().st_nlink == 1


def test_a_missing_source_is_named(tmp_path: Path, capsys: Captured) -> None:
    answer = write(capsys, path=tmp_path / "target", src=tmp_path / "source")
    assert answer["msg"] == f"{tmp_path}/target cannot be written: No such file or directory ({tmp_path}/source)."
    assert names(tmp_path) == []


def test_a_directory_in_the_place_of_a_file_is_an_error(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "source").touch()
    assert "cannot be written: Is a directory" in write(capsys, path=tmp_path / "f", content="x")["msg"]
    assert "cannot be written: Is a directory" in write(capsys, path=tmp_path / "f", src=tmp_path / "source")["msg"]
    assert names(tmp_path) == ["f", "source"]


@pytest.mark.parametrize("wrong", ["644 ", "rw", "0o644", "420x", "999"])
def test_a_mode_that_is_not_octal_is_refused(tmp_path: Path, capsys: Captured, wrong: str) -> None:
    assert write(capsys, path=tmp_path / "f", content="x", mode=wrong)["msg"].startswith(f"The mode {wrong} of {tmp_path}/f is not octal")
    assert names(tmp_path) == []


@pytest.mark.parametrize("file", [{}, {"content": "x", "src": "/y"}])
def test_a_file_has_either_content_or_a_source(tmp_path: Path, capsys: Captured, file: dict[str, str]) -> None:
    assert write(capsys, path=tmp_path / "f", **file)["failed"]
    assert names(tmp_path) == []


def test_files_directories_and_dangling_links_are_removed(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "directory/below").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    wanted = [str(tmp_path / name) for name in ("directory", "link", "dangling", "missing")]
    answer = run(files, capsys, absent=wanted)
    assert answer["changed_paths"] == wanted[:3]
    assert names(tmp_path) == ["kept", "kept/file"]
    assert not run(files, capsys, absent=wanted)["changed"]


def test_check_mode_says_what_would_change_and_writes_nothing(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "old").write_text("x")
    answer = run(files, capsys, True, files=[{"path": str(tmp_path / "a/new"), "content": "y"}], absent=[str(tmp_path / "old")])
    assert answer["changed_paths"] == [str(tmp_path / "a/new"), str(tmp_path / "old")]
    assert names(tmp_path) == ["old"] and (tmp_path / "old").read_text() == "x"


def test_the_difference_shows_the_text(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "f").write_text("before\n")
    assert write(capsys, path=tmp_path / "f", content="after\n")["diff"] == [
        {"before_header": f"{tmp_path}/f", "after_header": f"{tmp_path}/f", "before": "before\n", "after": "after\n"}
    ]


@pytest.mark.parametrize(("was", "becomes"), [(0o600, "0600"), (0o600, "0644"), (0o644, "0600")])
def test_the_difference_never_shows_what_only_the_owner_may_read(tmp_path: Path, capsys: Captured, was: int, becomes: str) -> None:
    (tmp_path / "f").write_text("hunter2")
    (tmp_path / "f").chmod(was)
    answer = write(capsys, path=tmp_path / "f", content="hunter3", mode=becomes)
    assert answer["changed"] and "hunter" not in str(answer["diff"])


def test_a_file_that_is_no_text_can_be_replaced_by_text(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "f").write_bytes(b"\xff\xfe")
    assert write(capsys, path=tmp_path / "f", content="text")["changed"]
    assert (tmp_path / "f").read_text() == "text"
