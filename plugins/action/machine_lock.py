"""Lock this machine for changes. The documentation is in plugins/modules/machine_lock.py."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..plugin_utils.run_lock import Run

ARGUMENTS = {"alone": {"type": "bool", "required": True}}


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take the lock in the requested mode. It belongs to the whole run, whose processes share its descriptors."""
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        if not self._task.check_mode and (run := Run.inherited(Display().display)):
            run.use(alone=given["alone"])
        return result | {"changed": False}
