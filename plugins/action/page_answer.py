"""Ask a page until the app answers it. The documentation is in plugins/modules/page_answer.py."""

from __future__ import annotations

import time
import urllib.parse
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.kube import access
from ..module_utils.progress import report

ARGUMENTS = {
    "url": {"type": "str", "required": True},
    "below": {"type": "int", "default": 500},
    "styled": {"type": "str", "default": ""},
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
        served = 200 <= answer.status < given["below"]
        warning = unstyled(urllib.parse.urljoin(given["url"], given["styled"])) if served and given["styled"] else ""
        return result | {"status": answer.status, "answer": answer.text, "served": served, "warnings": [warning] if warning else []}


def unstyled(url: str) -> str:
    """Return why visitors see a page without its style sheet; empty where they see it, or where there is no such page."""
    page = access.ask(url, ASK)
    sheet = access.style_sheet(page) if page.good else ""
    if not sheet or (answer := access.ask(sheet, ASK)).good:
        return ""
    return (
        f"{sheet}, the style sheet of {page.url}, is not served: {answer.text}. Pages come without styles and pictures. "
        "Serve the static files in the project with WhiteNoise (whitenoise.readthedocs.io), and have its image run collectstatic."
    )
