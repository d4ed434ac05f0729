"""What backups are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ansible.module_utils

# Ansible makes the project's module_utils known to modules only, and this runs in Ansible's own process.
MODULE_UTILS = str(Path(__file__).resolve().parents[1] / "module_utils")
if MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(MODULE_UTILS)

from ansible.module_utils.berth_encryption import recipient_program  # noqa: E402

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
