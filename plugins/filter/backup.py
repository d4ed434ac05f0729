"""What backups are called."""

from __future__ import annotations

from typing import Any

from ..module_utils.encryption import recipient_program

DOCUMENTATION = """
name: backup_suffix
short_description: The end of the name of a backup that is encrypted for somebody
description:
  - C(.dump), and C(.age) or C(.gpg) after it where it is encrypted.
options:
  _input: {description: "The recipient, empty for nobody.", type: str, required: true}
"""


def backup_suffix(recipient: str) -> str:
    """Return the end of the name of a backup that is encrypted for ``recipient``.

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
