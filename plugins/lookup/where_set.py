"""The file and line that set a variable in an inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase

from ..plugin_utils.inventory.locate import Inventory

DOCUMENTATION = """
name: where_set
short_description: Return where the inventory sets a variable
description:
  - For messages that say what to change. For a variable that the inventory does not set, it is the file to set it in.
options:
  _terms: {description: "Names of variables; none for the file for the environment's variables.", type: list, elements: str}
"""

EXAMPLES = """
- name: Refuse a port that is taken
  ansible.builtin.fail:
    msg: "Set berth_app_node_port in {{ lookup('where_set', 'berth_app_node_port') }} to another port."
"""

RETURN = """
_raw: {description: "Files relative to the project, each with C(:line) if it sets the variable.", type: list, elements: str}
"""


class LookupModule(LookupBase):
    """The lookup plugin."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return where each variable in ``terms`` is set, or the file for the environment's variables."""
        inventory = Inventory.of(variables or {}, self._loader, Path(__file__).resolve().parents[2])
        return [inventory.where_set(term) for term in terms] or [inventory.home()]
