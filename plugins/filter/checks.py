"""The checks of the project before a release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils.rollout import checks
from ..plugin_utils.inventory.database_names import merged


def checks_container(base: Mapping[str, Any], script: str, release: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container that checks the project, based on the container of the release commands.

    Args:
        base: The container of the release commands.
        script: The text of roles/app/files/checks.py.
        release: What it checks: see ``module_utils.rollout.checks.given``.
    """
    return checks.container(base, script, {**release, "database_env": merged(release["database_env"])})


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"checks_container": checks_container}
