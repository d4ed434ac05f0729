"""What runs beside web, as Kubernetes objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ansible.module_utils

# Ansible makes the project's module_utils known to modules only, and this runs in Ansible's own process.
MODULE_UTILS = str(Path(__file__).resolve().parents[1] / "module_utils")
if MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(MODULE_UTILS)

from ansible.module_utils import berth_processes  # noqa: E402


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"process_objects": berth_processes.objects, "rollout_seconds": berth_processes.rollout_seconds}
