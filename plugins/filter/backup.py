"""The names of backups."""

from __future__ import annotations

from typing import Any

from ..module_utils.encryption import recipient_program

DOCUMENTATION = """
name: backup_suffix
short_description: The suffix of a backup's name, with or without encryption
description:
  - C(.dump), followed by C(.age) or C(.gpg) if the backup is encrypted.
options:
  _input: {description: "The recipient; empty for no encryption.", type: str, required: true}
"""


def backup_suffix(recipient: str) -> str:
    """Return the suffix of the name of a backup that is encrypted for ``recipient``.

    >>> backup_suffix("")
    '.dump'
    """
    program = recipient_program(recipient)
    return f".dump.{program}" if program else ".dump"


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"backup_suffix": backup_suffix}
