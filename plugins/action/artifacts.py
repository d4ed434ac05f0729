"""Have binaries and images in a cache. The documentation is in plugins/modules/artifacts.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.plugins.action import ActionBase

# Ansible makes the project's module_utils known to modules only, and this runs in Ansible's own process.
MODULE_UTILS = str(Path(__file__).resolve().parents[1] / "module_utils")
if MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(MODULE_UTILS)

from ansible.module_utils.berth_artifacts import OPTIONS, ArtifactError, from_cache, settings_of  # noqa: E402


class ActionModule(ActionBase):
    """The action plugin: a look at a cache that is whole needs no process of its own, which would take most of a second."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Answer from the cache, and leave to the module what has still to be made or removed."""
        result = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(argument_spec=OPTIONS)
        try:
            answer = from_cache(settings_of(options)) if options["state"] == "present" else None
        except ArtifactError as error:
            return result | {"failed": True, "msg": str(error)}
        return result | (answer or self._execute_module(task_vars=task_vars))
