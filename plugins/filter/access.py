"""An environment's permissions in its cluster."""

from __future__ import annotations

from typing import Any

from ..module_utils.credential import account_name
from ..module_utils.kube.existing import namespace_rules

DOCUMENTATION = """
name: namespace_rules
short_description: The rules of a Role for everything that a run does in its namespace
options:
  _input: {description: The namespace., type: str, required: true}
"""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"account_name": account_name, "namespace_rules": namespace_rules}
