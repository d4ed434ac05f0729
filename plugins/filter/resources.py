"""Requests and limits of containers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..module_utils.kube.resources import with_resources

DOCUMENTATION = """
name: with_resources
short_description: Override some requests and limits
description:
  - Values that are not given follow those that are, so that no limit is below its request.
options:
  _input: {description: C(requests) and C(limits)., type: dict, required: true}
  given: {description: The values that override them., type: dict, required: true}
"""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """Return them by name."""
        return {"with_resources": with_resources}
