"""Request a page until the app answers. The documentation is in plugins/modules/page_answer.py."""

from __future__ import annotations

import time
import urllib.parse
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.kube import access
from ..module_utils.kube.client import Cluster, KubeError
from ..module_utils.progress import report
from ..module_utils.rollout import page_error

ARGUMENTS = {
    "url": {"type": "str", "required": True},
    "below": {"type": "int", "default": 500},
    "styled": {"type": "str", "default": ""},
    "static": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 15},
    "kubeconfig": {"type": "path"},
    "namespace": {"type": "str", "default": ""},
    "name": {"type": "str", "default": ""},
}
ASK = 10.0  # seconds for one answer
PAUSE = 0.5  # seconds between two requests


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer. Retry on silence and errors until the time is up."""
        result = super().run(tmp, task_vars) | {"changed": False}
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        end = time.monotonic() + given["timeout"]
        while not 200 <= (answer := access.ask(given["url"], ASK)).status < given["below"] and time.monotonic() < end:
            report(f"{given['url']}: {answer.text}")
            time.sleep(PAUSE)
        served = 200 <= answer.status < given["below"]
        admin = access.ask(urllib.parse.urljoin(given["url"], given["styled"]), ASK) if served and given["styled"] else None
        other = unstyled(admin, given["static"]) if admin else ""
        elsewhere = admin is not None and not other and bool(access.style_sheet(admin))
        own = unstyled(answer, given["static"], elsewhere) if served and not other else ""
        raised = self._raised(given) if answer.status >= 500 and given["name"] else ""
        result |= {"status": answer.status, "answer": f"{answer.text}{'; ' if raised else ''}{raised}", "served": served}
        if other and given["static"]:
            return result | {"failed": True, "msg": f"The app is released and its pages are served, but {other}"}
        # A project's own page may link to a style sheet that does not exist anywhere.
        return result | {"warnings": [lacks for lacks in (own, other) if lacks]}

    @staticmethod
    def _raised(given: dict[str, Any]) -> str:
        """Return the exception that the page raises in a pod, if that can be found out."""
        try:
            cluster = Cluster(given["kubeconfig"], None)
        except KubeError:
            return ""
        return page_error.told(page_error.of_url(cluster, given["namespace"], given["name"], given["url"]))


def unstyled(page: access.Answer, static: str = "", elsewhere: bool = False) -> str:
    """Return why visitors see a page without its style sheet; empty if they see it, or if there is no such page.

    Args:
        page: The page.
        static: The URL at which the web server next to the app serves static files; empty without one.
        elsewhere: Whether another page's style sheet is served.
    """
    sheet = access.style_sheet(page) if page.good else ""
    if not sheet or (answer := access.ask(sheet, ASK)).good:
        return ""
    what = f"{sheet}, the style sheet of {page.url}, is not served: {answer.text}."
    if elsewhere:
        return f"{what} Static files as such are served: correct the link in the page's template, or add the file."
    what += " Pages have no styles and pictures."
    if not static:
        return (
            f"{what} Serve the static files in the project with WhiteNoise (whitenoise.readthedocs.io), or set the directory that has them in the image in "
            "berth_app_static, and have the image run collectstatic."
        )
    if not urllib.parse.urlsplit(sheet).path.startswith(static):
        return f"{what} Static files are served at {static}: set berth_app_static.url to STATIC_URL in the settings, which is different."
    return f"{what} Have the image run collectstatic, and set berth_app_static.path to the directory that it writes to (STATIC_ROOT)."
