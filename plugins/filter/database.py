"""The app's variables for the database."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.inventory import database_names as names


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"database_settings": names.settings, "database_secret_names": names.secret_names, "database_secrets": names.secrets}
