"""The cache's configuration, and the app's variables for it."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.inventory import cache


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"cache_configuration": cache.configuration, "cache_environment": cache.environment, "cache_port": cache.port}
