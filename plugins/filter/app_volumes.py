"""The app's volumes, as parts of Kubernetes objects."""

from __future__ import annotations

from typing import Any

from ..module_utils.kube import app_volumes as volumes


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "volume_claims": volumes.claims,
            "volume_classes": volumes.classes,
            "volume_mounts": volumes.mounts,
            "volume_owner_problem": volumes.stranded,
            "volume_pods": volumes.pods,
            "volume_problem": volumes.unshared,
            "volume_security": volumes.security,
            "volume_volumes": volumes.pod_volumes,
            "workload_user": volumes.user,
            "with_backup": volumes.with_backup,
        }
