"""What containers request, and what they may not exceed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..module_utils.kube.resources import with_resources

DOCUMENTATION = """
name: with_resources
short_description: Put some requests and limits in the place of others
description:
  - What is not given follows what is, so that no limit is below its request.
options:
  _input: {description: C(requests) and C(limits)., type: dict, required: true}
  given: {description: Those that go before., type: dict, required: true}
"""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """Return them by name."""
        return {"with_resources": with_resources}
