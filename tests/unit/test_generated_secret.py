"""A secret is made up once, kept from others, and the same for everybody who asks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from module_run import PLUGINS, plugin

lookup = plugin("lookup/generated_secret.py")


def test_a_secret_is_long_made_of_plain_characters_and_kept(tmp_path: Path) -> None:
    secret = lookup.generated_secret(tmp_path / "key")
    assert re.fullmatch(r"[A-Za-z0-9_-]{50}", secret)
    assert lookup.generated_secret(tmp_path / "key") == secret
    assert lookup.generated_secret(tmp_path / "other") != secret
    assert sorted(os.listdir(tmp_path)) == ["key", "other"]


def test_only_the_owner_can_read_the_file_and_enter_its_directory(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        lookup.generated_secret(tmp_path / "secrets/key")
    finally:
        os.umask(old)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets/key").stat().st_mode & 0o777 == 0o600


def test_a_secret_of_ones_own_is_taken_without_the_line_break(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("my own\n")
    (tmp_path / "key").chmod(0o600)
    assert lookup.generated_secret(tmp_path / "key") == "my own"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused_without_showing_it(tmp_path: Path, mode: int) -> None:
    (tmp_path / "key").write_text("hunter2")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(AnsibleError) as raised:
        lookup.generated_secret(tmp_path / "key")
    assert f"{tmp_path}/key can be read by others (mode {mode:04o}). Run: chmod 600 {tmp_path}/key" in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("content", ["", "\n", "  \n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(AnsibleError, match="key is empty. Write the secret into it, or remove it"):
        lookup.generated_secret(tmp_path / "key")


def test_where_no_file_can_be_the_variable_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AnsibleError, match=r"file/key cannot be read or written: .*Check berth_secrets_directory"):
        lookup.generated_secret(tmp_path / "file/key")


def test_a_link_that_leads_nowhere_is_an_error_and_not_an_endless_wait(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "nowhere")
    with pytest.raises(AnsibleError, match="key cannot be read or written: No such file"):
        lookup.generated_secret(tmp_path / "key")


def test_check_mode_writes_nothing_and_reads_what_is_there(tmp_path: Path) -> None:
    answer = lookup.LookupModule().run([str(tmp_path / "secrets/key")], {"ansible_check_mode": True})
    assert answer == [lookup.PLACEHOLDER] and os.listdir(tmp_path) == []
    secret = lookup.generated_secret(tmp_path / "key")
    assert lookup.LookupModule().run([str(tmp_path / "key")], {"ansible_check_mode": True}) == [secret]


def test_several_processes_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(PLUGINS / "lookup")!r})
from generated_secret import generated_secret
print("ready", flush=True)
sys.stdin.readline()
print(*[generated_secret(Path({str(tmp_path)!r}, f"key-{{number}}")) for number in range(200)])
"""
    processes = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=30)[0] for process in processes]
    assert answers[0] == answers[1] and len(set(answers[0].split())) == 200
    assert all(name.startswith("key-") for name in os.listdir(tmp_path))
