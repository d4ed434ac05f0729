"""A secret that Berth generates once and keeps outside git."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: generated_secret
short_description: Read a secret from a file, or generate it if the file does not exist
description:
  - The file has mode 0600 and its directory 0700. A file that others can read is refused.
  - In check mode nothing is written, and a missing secret is a placeholder.
options:
  _terms:
    description: Paths of the files.
    type: list
    elements: path
    required: true
"""

EXAMPLES = """
vault_django_secret_key: "{{ lookup('generated_secret', berth_secrets_directory ~ '/django_secret_key') }}"
"""

RETURN = """
_raw:
  description: The secrets, 50 characters each of letters, digits, C(-) and C(_).
  type: list
  elements: str
"""

PLACEHOLDER = "made-up-by-the-first-real-run"


def generated_secret(path: Path, check_mode: bool = False) -> str:
    """Return the secret in ``path``; generate it if there is none.

    Raises :class:`AnsibleError` if the file is empty, readable by others, or cannot be written.
    """
    try:
        if not path.exists():
            if check_mode:
                return PLACEHOLDER
            _write(path, secrets.token_urlsafe(38)[:50])
        mode = path.stat().st_mode
        if mode & 0o077:
            raise AnsibleError(f"{path} can be read by others (mode {mode & 0o777:04o}). Run: chmod 600 {path}")
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise AnsibleError(f"The secret {path} cannot be read or written: {error.strerror} ({error.filename}). Check berth_secrets_directory.") from None
    if not secret:
        raise AnsibleError(f"{path} is empty. Write the secret into it, or remove it to generate a new one.")
    return secret


def _write(path: Path, secret: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(half, path)  # unlike a rename, it never replaces a secret that another process has created meanwhile
    except FileExistsError:
        pass
    finally:
        half.unlink()


class LookupModule(LookupBase):
    """The lookup plugin."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the secret of each path in ``terms``."""
        check_mode = bool((variables or {}).get("ansible_check_mode"))
        return [generated_secret(Path(term).expanduser(), check_mode) for term in terms]
