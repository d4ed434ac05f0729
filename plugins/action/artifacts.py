"""Provide binaries and images in a cache. The documentation is in plugins/modules/artifacts.py."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.machine.artifacts import OPTIONS, ArtifactError, from_cache, settings_of


class ActionModule(ActionBase):
    """The action plugin: checking a complete cache needs no separate process, which would take most of a second."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Answer from the cache, and run the module only if something must be made or removed."""
        result = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(argument_spec=OPTIONS)
        try:
            answer = from_cache(settings_of(options)) if options["state"] == "present" else None
        except ArtifactError as error:
            return result | {"failed": True, "msg": str(error)}
        return result | (answer or self._execute_module(task_vars=task_vars))
