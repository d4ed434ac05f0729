"""Where pods may connect to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..module_utils.kube.egress import egress_rules

DOCUMENTATION = """
name: egress_rules
short_description: Turn the inventory's setting for egress into NetworkPolicy rules
description:
  - C(internet) means all addresses except private networks, the machine itself and cloud metadata.
options:
  _input: {description: C(internet), C(none), or egress rules of a NetworkPolicy., type: raw, required: true}
"""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., list[dict[str, Any]]]]:
        """Return them by name."""
        return {"egress_rules": egress_rules}
