"""Encrypt a file while it is written, and decrypt it while it is read, with age or GnuPG: plaintext is never on disk."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

CHUNK = 1 << 16  # bytes
INSTALL = {"age": "apt-get install age", "gpg": "apt-get install gnupg"}
# github.com/C2SP/C2SP/blob/main/age.md#header, and its armor
AGE = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")
GPG_ARMOR = b"-----BEGIN PGP MESSAGE-----"
# The beginning of a message to a public key: a packet of type 1, in the old or new format (www.rfc-editor.org/rfc/rfc9580#section-4.2).
GPG = (0x84, 0x85, 0x86, 0xC1)
# A key's id or fingerprint. Anybody can make another key with the same 8-digit id: evil32.com
GPG_KEY = re.compile(r"(0x)?([0-9A-Fa-f]{16}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})!?")
AGE_KEY = re.compile(r"age1[0-9a-z]{20,}")  # github.com/C2SP/C2SP/blob/main/age.md#the-x25519-recipient-type
SSH_KEY = re.compile(r"ssh-(rsa|ed25519) [A-Za-z0-9+/=]{40,}( .*)?")  # the types that age accepts


class EncryptionError(Exception):
    """A file cannot be encrypted or decrypted here; the text is for the user."""


def recipient_program(recipient: str) -> str:
    """Return what encrypts for a recipient, ``age`` or ``gpg``; "" if it is not a recipient.

    >>> recipient_program("0123456789ABCDEF0123456789ABCDEF01234567")
    'gpg'
    """
    if AGE_KEY.fullmatch(recipient) or SSH_KEY.fullmatch(recipient):
        return "age"
    return "gpg" if GPG_KEY.fullmatch(recipient.replace(" ", "")) else ""


def file_program(path: Path) -> str:
    """Return what decrypts a file, judging by its first bytes: ``age`` or ``gpg``; "" if it is not encrypted."""
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(AGE):
        return "age"
    return "gpg" if start.startswith(GPG_ARMOR) or start[:1] in {bytes([each]) for each in GPG} else ""


def recipient_problem(recipient: str) -> str:
    """Return what is wrong with how a recipient is written, "" if nothing is."""
    if not recipient or recipient_program(recipient):
        return ""
    return (
        f"{recipient!r} is not a recipient; use an age recipient (age1...), a public SSH key (ssh-ed25519 ...), "
        "or the fingerprint of a GPG key, as gpg --list-keys shows it"
    )


def _encrypting(recipient: str) -> list[str]:
    if problem := recipient_problem(recipient):
        raise EncryptionError(f"berth_backup_recipient: {problem}.")
    program = recipient_program(recipient)
    _need(program, "berth_backup_recipient")
    if program == "age":
        return ["age", "--encrypt", "--recipient", recipient]
    # A user who puts a fingerprint into the inventory trusts that key.
    return ["gpg", "--batch", "--no-tty", "--quiet", "--trust-model", "always", "--recipient", recipient.replace(" ", ""), "--output", "-", "--encrypt"]


def _decrypting(path: Path, identity: str) -> list[str]:
    """Return the command that decrypts its input, [] for a file that is not encrypted."""
    program = file_program(path)
    if not program:
        return []
    _need(program, str(path))
    if program == "gpg":
        return ["gpg", "--batch", "--no-tty", "--quiet", "--decrypt"]
    if not identity:
        raise EncryptionError(f"{path} is encrypted with age: name the file with your identity in berth_backup_identity.")
    if not Path(identity).is_file():
        raise EncryptionError(f"berth_backup_identity: there is no file {identity}, but {path} is encrypted with age.")
    return ["age", "--decrypt", "--identity", identity]


def _need(program: str, why: str) -> None:
    if not shutil.which(program):
        raise EncryptionError(f"{why} needs {program}, which this machine does not have. Install it: {INSTALL[program]}")


@contextlib.contextmanager
def _running(command: list[str], why: str, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; if it fails, report that with ``why``. It does not outlive the block."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stderr=said, **streams)

        def failed() -> EncryptionError:
            said.seek(0)
            words = said.read().decode("utf-8", "replace").strip().splitlines()
            return EncryptionError(f"{why}: {' '.join(words[-3:]) or f'{command[0]} ended with exit code {process.returncode}'}")

        try:
            yield process
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
            if process.wait():
                raise failed()
        except BrokenPipeError as error:
            process.wait()
            raise failed() from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if stream:
                        stream.close()


def check_recipient(recipient: str) -> None:
    """Check whether data can be encrypted for a recipient, by doing it.

    Raises:
        EncryptionError: The program or the key is missing, or the key is unusable, for example expired.
    """
    why = f"Nothing can be encrypted for {recipient} (berth_backup_recipient)"
    with _running(_encrypting(recipient), why, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        pass


@contextlib.contextmanager
def encrypted(target: IO[bytes], recipient: str) -> Iterator[IO[bytes]]:
    """Yield a file to write to; its content is encrypted for ``recipient`` and goes to ``target``, a real file. Without a recipient, yield ``target``.

    Raises:
        EncryptionError: As for check_recipient.
    """
    if not recipient:
        yield target
        return
    with _running(_encrypting(recipient), "The file could not be encrypted", stdin=subprocess.PIPE, stdout=target) as process:
        assert process.stdin
        yield process.stdin


@contextlib.contextmanager
def clear(path: Path, identity: str) -> Iterator[IO[bytes]]:
    """Yield the content of a file, decrypted if it is encrypted. If that fails, the content ends early: clear_size says why.

    Raises:
        EncryptionError: The program or the key is missing.
    """
    command = _decrypting(path, identity)
    with path.open("rb") as source:
        if not command:
            yield source
            return
        process = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert process.stdout
            yield process.stdout
        finally:
            process.kill()  # the reader may not want all of it
            process.communicate()


def clear_size(path: Path, identity: str) -> int:
    """Return the length of a file's plaintext in bytes. An encrypted file is decrypted to its end, which verifies key and file.

    Raises:
        EncryptionError: The program or the key is missing, or the file is damaged.
    """
    command = _decrypting(path, identity)
    if not command:
        return path.stat().st_size
    with path.open("rb") as source, _running(command, f"{path} cannot be decrypted", stdin=source, stdout=subprocess.PIPE) as process:
        content = process.stdout
        assert content
        return sum(len(chunk) for chunk in iter(lambda: content.read(CHUNK), b""))
