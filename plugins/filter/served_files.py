"""The web server next to the app, which serves uploads and static files."""

from __future__ import annotations

from typing import Any

from ..module_utils.kube import served_files


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"served_files": served_files.served, "served_files_parts": served_files.parts, "web_ports": served_files.ports}
