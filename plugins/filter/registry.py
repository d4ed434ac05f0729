"""The address of a registry's API, and the name of its logins."""

from __future__ import annotations

from collections.abc import Callable

from ..module_utils.image.registry import api_root, login_key

DOCUMENTATION = """
name: registry_api
short_description: The address of a registry's API
description:
  - Turns C(host[:port][/path]) into the root of the API, also for Docker Hub. The filter C(registry_login) gives the name of its logins.
options:
  _input: {description: "The registry, C(host[:port][/path]).", type: str, required: true}
"""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[[str], str]]:
        """Return them by name."""
        return {"registry_api": api_root, "registry_login": login_key}
