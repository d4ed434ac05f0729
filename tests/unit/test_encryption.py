"""Backups that are encrypted for real, with age and GnuPG, while they are written, and decrypted while they are read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils import encryption
from ansible_collections.berth.platform.plugins.module_utils.encryption import EncryptionError
from ansible_collections.berth.platform.plugins.modules import pod_command
from module_run import plugin, run

OUT, STATUS = pod_command.OUT, pod_command.STATUS
SUCCESS = b'{"status": "Success"}'
DUMP = b"PGDMP" + bytes(range(256)) * 1000
AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
needs = {name: pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed") for name in ("age", "gpg", "ssh-keygen")}


class Keys:
    """The keys of one person; ``recipient`` is told to others, ``identity`` is a file."""

    def __init__(self, recipient: str, identity: str = "") -> None:
        self.recipient, self.identity = recipient, identity


def tool(*command: str) -> str:
    """Run a program, and return what it prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def keys(kind: str, directory: Path) -> Keys:
    """Make keys of a kind."""
    file = directory / f"{kind}.key"
    if kind == "age":
        tool("age-keygen", "--output", str(file))
        return Keys(tool("age-keygen", "-y", str(file)).strip(), str(file))
    if kind == "ssh":
        tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@here", "-f", str(file))
        return Keys(file.with_suffix(".key.pub").read_text(encoding="utf-8").strip(), str(file))
    tool("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", f"{kind}@example.org", "future-default", "default", "never")
    listed = tool("gpg", "--batch", "--with-colons", "--list-keys", f"{kind}@example.org")
    return Keys(re.findall(r"^fpr:+(\w+):", listed, re.MULTILINE)[0])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give GnuPG a directory of its own, with a path that is short enough for its agent's socket."""
    gpgconf = shutil.which("gpgconf")
    with tempfile.TemporaryDirectory(prefix="berth-gpg-", dir="/tmp") as place:
        monkeypatch.setenv("GNUPGHOME", place)
        yield tmp_path
        if gpgconf:
            subprocess.run([gpgconf, "--homedir", place, "--kill", "all"], check=False, capture_output=True)


class Pod:
    """A container: its command prints a dump, or reads what it is given."""

    def __init__(self, output: bytes = b"", size: int = 0, fails: bool = False) -> None:
        status = b'{"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "1"}]}}'
        self.frames = [(OUT, output[start : start + 5000]) for start in range(0, len(output), 5000)]
        self.end = status if fails else SUCCESS
        self.given = b""
        self.size = size
        self.seen: list[bytes] = []

    def is_open(self) -> bool:
        """Whether the command runs; one that reads ends when it has all, or is told of no more."""
        return bool(self.frames or len(self.given) < self.size)

    def update(self, timeout: float = 0) -> None:
        """Wait for nothing."""

    def read_channel(self, channel: int) -> bytes:
        """Return what came on a channel."""
        if channel == OUT and self.frames:
            return self.frames.pop(0)[1]
        return self.end if channel == STATUS and not self.is_open() and not self.frames and not self.ended() else b""

    def ended(self) -> bool:
        """Whether the status was told already."""
        told, self.told = getattr(self, "told", False), True
        return told

    def write_stdin(self, data: bytes) -> None:
        """Read."""
        self.given += data

    def close(self) -> None:
        """End."""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path) -> Any:
    """Return a function that runs the module against a pod."""

    class Cluster:
        def __init__(self, *_: Any) -> None:
            pass

        def get(self, *_: Any) -> None:
            """Find the pod."""

        def execute(self, _namespace: str, _pod: str, _container: str, words: list[str], stdin: bool = False) -> Pod:
            """Start the command, which has been told how much it will read."""
            if stdin:
                assert pod
                pod.size = int(words[4])
            return pod

    pod: Any = None

    def answer(using: Pod, check: bool = False, **options: Any) -> dict[str, Any]:
        nonlocal pod
        pod = using
        arguments = {"kubeconfig": "k", "namespace": "polls", "pod": "database-0", "container": "postgresql", "command": ["pg_dump"]}
        return run(pod_command, capsys, check, **arguments, **options)

    monkeypatch.setattr(pod_command, "Cluster", Cluster)
    monkeypatch.chdir(home)
    return answer


KINDS = [
    pytest.param("age", marks=needs["age"]),
    pytest.param("ssh", marks=[needs["age"], needs["ssh-keygen"]]),
    pytest.param("gpg", marks=needs["gpg"]),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_goes_encrypted_to_the_disk_and_comes_back_as_it_was(command: Any, home: Path, kind: str) -> None:
    mine = keys(kind, home)
    answer = command(Pod(DUMP), output="made/polls.dump", recipient=mine.recipient)
    file = home / "made" / "polls.dump"
    assert answer.get("msg") is None
    assert (answer["size"], file.stat().st_mode & 0o777) == (len(DUMP), 0o600)
    assert b"PGDMP" not in file.read_bytes()
    assert [path.name for path in file.parent.iterdir()] == ["polls.dump"]
    pod = Pod()
    restored = command(pod, input=str(file), identity=mine.identity)
    assert restored.get("msg") is None
    assert pod.given == DUMP
    assert pod.size == len(DUMP)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dump_that_fails_leaves_no_file(command: Any, home: Path, kind: str) -> None:
    mine = keys(kind, home)
    answer = command(Pod(DUMP, fails=True), output="made/polls.dump", recipient=mine.recipient)
    assert "pg_dump in Pod database-0" in answer["msg"]
    assert list((home / "made").iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_backup_is_refused_before_the_pod_gets_a_byte(command: Any, home: Path, kind: str, check: bool, damage: str) -> None:
    mine = keys(kind, home)
    command(Pod(DUMP), output="polls.dump", recipient=mine.recipient)
    content = bytearray((home / "polls.dump").read_bytes())
    if damage == "changed":
        content[-200] ^= 1
    (home / "polls.dump").write_bytes(content[:-100] if damage == "cut" else content)
    pod = Pod()
    answer = command(pod, check, input="polls.dump", identity=mine.identity)
    assert answer["failed"]
    assert re.search(r"polls.dump cannot be decrypted: \S", answer["msg"])
    assert pod.given == b""


@needs["age"]
def test_a_backup_for_somebody_else_is_refused_with_what_to_do(command: Any, home: Path) -> None:
    mine = keys("age", home)
    command(Pod(DUMP), output="polls.dump", recipient=AGE)
    assert "cannot be decrypted: age: error: no identity matched" in command(Pod(), True, input="polls.dump", identity=mine.identity)["msg"]
    assert "name the file with your identity in berth_backup_identity" in command(Pod(), True, input="polls.dump")["msg"]
    assert "berth_backup_identity: there is no file /nowhere" in command(Pod(), True, input="polls.dump", identity="/nowhere")["msg"]


@needs["gpg"]
def test_a_gpg_backup_without_its_private_key_is_refused(command: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(Pod(DUMP), output="polls.dump", recipient=keys("gpg", home).recipient)
    (home / "empty").mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home / "empty"))
    pod = Pod()
    assert "cannot be decrypted: gpg: " in command(pod, input="polls.dump")["msg"]
    assert pod.given == b""


@needs["gpg"]
@pytest.mark.parametrize("check", [False, True])
def test_a_gpg_key_that_is_not_there_or_has_expired_is_refused_before_anything_is_copied(command: Any, home: Path, check: bool) -> None:
    unknown = "0123456789ABCDEF0123456789ABCDEF01234567"
    answer = command(Pod(DUMP), check, output="made/polls.dump", recipient=unknown)
    assert f"Nothing can be encrypted for {unknown} (berth_backup_recipient): gpg: " in answer["msg"]
    old = ["--faked-system-time", "20200101T000000"]
    tool("gpg", "--batch", "--quiet", *old, "--passphrase", "", "--quick-generate-key", "old@example.org", "future-default", "default", "1d")
    expired = re.findall(r"^fpr:+(\w+):", tool("gpg", "--batch", "--with-colons", "--list-keys", "old@example.org"), re.MULTILINE)[0]
    assert "Nothing can be encrypted" in command(Pod(DUMP), check, output="made/polls.dump", recipient=expired)["msg"]
    assert not (home / "made").exists()


@pytest.mark.parametrize(("recipient", "program"), [(AGE, "age"), ("0123456789ABCDEF", "gpg")])
def test_a_missing_program_is_named_before_anything_is_copied(command: Any, home: Path, monkeypatch: pytest.MonkeyPatch, recipient: str, program: str) -> None:
    monkeypatch.setenv("PATH", str(home))
    answer = command(Pod(DUMP), output="made/polls.dump", recipient=recipient)
    assert re.fullmatch(rf"berth_backup_recipient needs {program}, which this machine does not have\. Install it: apt-get install \w+", answer["msg"])
    assert not (home / "made").exists()


@needs["age"]
def test_a_program_that_ends_in_the_middle_of_a_backup_leaves_no_file(command: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "bin").mkdir()
    once = home / "once"
    (home / "bin" / "age").write_text(f"#!/bin/sh\n[ -e {once} ] || {{ touch {once}; exec cat; }}\necho 'age: error: no more' >&2\nexit 1\n")
    (home / "bin" / "age").chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:{os.environ['PATH']}")
    answer = command(Pod(DUMP * 4), output="made/polls.dump", recipient=AGE)
    assert answer["msg"] == "The file could not be encrypted: age: error: no more"
    assert list((home / "made").iterdir()) == []


@pytest.mark.parametrize(
    ("recipient", "program"),
    [
        (AGE, "age"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN me@here", "age"),
        ("0123456789ABCDEF", "gpg"),
        ("0x0123456789abcdef", "gpg"),
        ("0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567", "gpg"),
        ("", ""),
        ("89ABCDEF", ""),  # anybody makes a key with this id
        ("me@example.org", ""),  # whose key is found by that name is not certain
        ("AGE-SECRET-KEY-1QQQ", ""),
        ("age1short", ""),
        ("--output=/etc/passwd", ""),
        ("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBB", ""),
    ],
)
def test_a_recipient_is_told_by_how_it_is_written(recipient: str, program: str) -> None:
    assert encryption.recipient_program(recipient) == program
    assert bool(encryption.recipient_problem(recipient)) == bool(recipient and not program)
    if recipient and not program:
        with pytest.raises(EncryptionError, match="berth_backup_recipient: .* is not a recipient"):
            encryption.check_recipient(recipient)
    assert plugin("filter/backup.py").backup_suffix(recipient) == (f".dump.{program}" if program else ".dump")


@pytest.mark.parametrize(
    ("start", "program"),
    [
        (b"PGDMP\x01\x10", ""),
        (b"", ""),
        (b"age-encryption.org/v1\n-> X25519 ", "age"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "age"),
        (b"-----BEGIN PGP MESSAGE-----\n", "gpg"),
        (b"\x85\x01\x0c\x03", "gpg"),
        (b"\x84\x5e\x03", "gpg"),
        (b"\xc1\xc0\x4c\x03", "gpg"),
        (b"age-encryption.org/v2\n", ""),
    ],
)
def test_an_encrypted_file_is_told_by_its_content(tmp_path: Path, start: bytes, program: str) -> None:
    (tmp_path / "file").write_bytes(start)
    assert encryption.file_program(tmp_path / "file") == program
