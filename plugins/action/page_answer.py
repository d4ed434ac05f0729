"""Ask a page until the app answers it. The documentation is in plugins/modules/page_answer.py."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.kube import access
from ..module_utils.progress import report

ARGUMENTS = {
    "url": {"type": "str", "required": True},
    "below": {"type": "int", "default": 500},
    "timeout": {"type": "int", "default": 15},
}
ASK = 10.0  # seconds for one answer
PAUSE = 0.5  # seconds between two requests


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer; silence and errors are asked again, until the time is over."""
        result = super().run(tmp, task_vars) | {"changed": False}
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        end = time.monotonic() + given["timeout"]
        while not 200 <= (answer := access.ask(given["url"], ASK)).status < given["below"] and time.monotonic() < end:
            report(f"{given['url']}: {answer.text}")
            time.sleep(PAUSE)
        return result | {"status": answer.status, "answer": answer.text, "served": 200 <= answer.status < given["below"]}
