"""Sign an image in its registry with cosign and the user's key."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .registry import ImageError, Registry, login

# docs.sigstore.dev/cosign/key_management; earlier versions wrote COSIGN
KEY = re.compile(r"-----BEGIN ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY-----")
PATIENCE = 300  # seconds
WRONG_PASSWORD = "The password of the key is wrong: correct berth_image_signing_password, or the environment variable COSIGN_PASSWORD."


def problem(key: str) -> str:
    """Return why a key cannot be used here, "" if it can."""
    if not shutil.which("cosign"):
        return "needs cosign, which this machine does not have; install it (docs.sigstore.dev/cosign/system_config/installation), or remove the key"
    path = Path(key).expanduser()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}; name the private key that cosign generate-key-pair created"
    return "" if KEY.search(text) else f"{path} is not a cosign private key; create one with cosign generate-key-pair"


def statement(key: str, name: str) -> str:
    """Return the text that records a signature: which key signed which image (C(repository@digest))."""
    return f"{hashlib.sha256(Path(key).expanduser().read_bytes()).hexdigest()} {name}\n"


def signed(registry: Registry, repository: str, digest: str, key: str, record: Path) -> bool:
    """Whether the record says that a key has signed an image, and the registry still has a signature of it.

    Raises:
        ImageError: The registry does not answer.
    """
    text = record.read_text(encoding="utf-8") if record.is_file() else ""
    return text == statement(key, f"{registry.host}/{repository}@{digest}") and registry.has_signature(repository, digest)


def sign(registry: Registry, repository: str, digest: str, key: str, password: str, record: Path) -> None:
    """Sign an image by its digest, and record that.

    Raises:
        ImageError: Signing failed.
    """
    name = f"{registry.host}/{repository}@{digest}"
    with tempfile.TemporaryDirectory(prefix="berth-sign-") as directory, login(registry.host, registry.username, registry.password) as config:
        # Not on the command line, which every user of the machine can see.
        environment = {**os.environ, "COSIGN_PASSWORD": password} | ({"DOCKER_CONFIG": config} if config else {})
        _run(["sign", "--yes", "--key", str(Path(key).expanduser()), *_without_sigstore(directory, environment), name], environment)
    record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    record.write_text(statement(key, name), encoding="utf-8")


def _without_sigstore(directory: str, environment: dict[str, str]) -> list[str]:
    """Return cosign's options that keep the image's name out of Sigstore's public log.

    Since cosign 3 that takes a configuration file without these services: github.com/sigstore/cosign/issues/4503. It also takes a file without their
    keys: otherwise cosign fetches them, and waits a minute for them on a network without a way out.
    """
    found = re.search(r'GitVersion"?:\s*"?v(\d+)', _run(["version"], environment), re.IGNORECASE)
    if found and int(found[1]) < 3:
        return ["--tlog-upload=false"]
    services, keys = str(Path(directory, "signing-config.json")), str(Path(directory, "trusted-root.json"))
    _run(["signing-config", "create", "--out", services], environment)
    _run(["trusted-root", "create", "--out", keys], environment)
    return ["--signing-config", services, "--trusted-root", keys]


def _run(words: list[str], environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(
            ["cosign", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(f"cosign {words[0]} failed: {error}.") from error
    if done.returncode:
        # cosign prints each error twice.
        lines = [line for line in done.stderr.strip().splitlines() if "error during command execution: " not in line] or done.stderr.strip().splitlines()
        advice = f"\n{WRONG_PASSWORD}" if "decryption failed" in done.stderr else ""
        raise ImageError(f"cosign {words[0]} ended with exit code {done.returncode}. Its last lines:\n" + "\n".join(lines[-5:]) + advice)
    return done.stdout
