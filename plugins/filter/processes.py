"""The app's processes and probes, as parts of Kubernetes objects."""

from __future__ import annotations

from typing import Any

from ..module_utils.kube import probes, processes


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "process_objects": processes.objects,
            "rollout_seconds": processes.rollout_seconds,
            "web_rollout_seconds": probes.rollout_seconds,
            "probes": probes.of_inventory,
            "stays_seconds": probes.stays_seconds,
        }
