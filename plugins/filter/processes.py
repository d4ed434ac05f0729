"""What runs beside web, as Kubernetes objects."""

from __future__ import annotations

from typing import Any

from ..module_utils.kube import processes


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"process_objects": processes.objects, "rollout_seconds": processes.rollout_seconds}
