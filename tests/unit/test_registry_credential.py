"""Who may push to the registry of this machine."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from ansible_collections.berth.platform.plugins.modules import registry_credential
from module_run import run

REGISTRY = "localhost:5001"


def generate(directory: Path, capsys: pytest.CaptureFixture[str], check: bool = False) -> dict[str, Any]:
    """Return what the module answers."""
    return run(registry_credential, capsys, check, directory=str(directory / "berth"), registry=REGISTRY, hosts=str(directory / "certs.d"))


def test_the_password_stays_and_what_was_lost_beside_it_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = generate(tmp_path, capsys)
    assert first["changed"] and len(first["password"]) >= 32
    user, digest = (tmp_path / "berth/htpasswd").read_text().strip().split(":")
    assert user == first["username"] and bcrypt.checkpw(first["password"].encode(), digest.encode())
    again = generate(tmp_path, capsys)
    assert not again["changed"] and again["password"] == first["password"]
    for lost in ("berth/htpasswd", f"certs.d/{REGISTRY}/hosts.toml"):
        (tmp_path / lost).write_text("server = 'http://127.0.0.1:5001'")
        mended = generate(tmp_path, capsys)
        assert mended["changed"] and mended["password"] == first["password"]
        assert not generate(tmp_path, capsys)["changed"]


def test_containerd_logs_in_and_pushes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(tmp_path, capsys)
    hosts = tomllib.loads((tmp_path / f"certs.d/{REGISTRY}/hosts.toml").read_text())
    host = hosts["host"][hosts["server"]]
    assert hosts["server"] == "http://127.0.0.1:5001" and host["capabilities"] == ["pull", "resolve"]
    assert host["header"]["Authorization"].startswith("Basic ")


def test_nobody_else_reads_any_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(tmp_path, capsys)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3 and {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_check_writes_nothing_and_knows_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(tmp_path, capsys, check=True) | {"changed": True, "username": "", "password": ""} == generate(tmp_path, capsys, check=True)
    assert list(tmp_path.iterdir()) == []
    made = generate(tmp_path, capsys)
    assert generate(tmp_path, capsys, check=True)["password"] == made["password"]
