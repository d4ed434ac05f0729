"""What containers request, and what they may not exceed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible.module_utils

# Ansible makes the project's module_utils known to modules only, and this runs in Ansible's own process.
MODULE_UTILS = str(Path(__file__).resolve().parents[1] / "module_utils")
if MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(MODULE_UTILS)

from ansible.module_utils.berth_resources import with_resources  # noqa: E402

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
