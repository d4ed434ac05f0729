"""What pods may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..module_utils.kube.egress import egress_rules

DOCUMENTATION = """
name: egress_rules
short_description: Turn what an inventory says of calls to the outside into rules
description:
  - C(internet) are all addresses but those of private networks, of the machine itself and of a cloud's metadata.
options:
  _input: {description: C(internet), C(none), or egress rules of a NetworkPolicy., type: raw, required: true}
"""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., list[dict[str, Any]]]]:
        """Return them by name."""
        return {"egress_rules": egress_rules}
