"""The file and line in which an inventory sets a variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase

from ..plugin_utils.inventory.locate import Inventory

DOCUMENTATION = """
name: where_set
short_description: Say where the inventory sets a variable
description:
  - For messages that say what to change. Of a variable that the inventory does not set it is the file in which it belongs.
options:
  _terms: {description: "Names of variables; none for the file in which the environment's variables belong.", type: list, elements: str}
"""

EXAMPLES = """
- name: Refuse a port that is taken
  ansible.builtin.fail:
    msg: "Set berth_app_node_port in {{ lookup('where_set', 'berth_app_node_port') }} to another port."
"""

RETURN = """
_raw: {description: "Files, each with C(:line) where it sets the variable, relative to the project.", type: list, elements: str}
"""


class LookupModule(LookupBase):
    """The lookup plugin."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the place of each variable in ``terms``, or of the environment's variables."""
        inventory = Inventory.of(variables or {}, self._loader, Path(__file__).resolve().parents[2])
        return [inventory.where_set(term) for term in terms] or [inventory.home()]
