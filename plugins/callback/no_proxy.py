"""Access clusters on this machine without a proxy."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

from ..module_utils.machine import proxies
from ..plugin_utils import run

DOCUMENTATION = """
name: no_proxy
type: notification
short_description: Access clusters on this machine without the environment's proxy
description:
  - Sets C(NO_PROXY) so that processes of the run do not access a cluster or a registry on this machine through the environment's proxy, as soon
    as an environment's kubeconfig points to such a cluster.
  - Does nothing if the environment has no proxy.
requirements:
  - to be listed in C(callbacks_enabled)
"""

NODE = "10.245.0.1"  # the default of berth_node_address


def clusters(play: Any) -> tuple[list[Path], list[str]]:
    """Return the environments' kubeconfigs whose paths can be determined, and the addresses of clusters that this machine will have."""
    kubeconfigs, nodes = [], []
    for values in run.variables(play).values():
        nodes.append(str(values.get("berth_node_address", NODE)))
        with contextlib.suppress(AnsibleError, TypeError):
            kubeconfigs.append(Path(Templar(play.get_loader(), variables=values).template(values.get("berth_kubeconfig"))))
    return kubeconfigs, nodes


class CallbackModule(CallbackBase):
    """Looks at the kubeconfigs before each task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "no_proxy"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._kubeconfigs: dict[Path, float] = {}
        self._nodes: list[str] = []

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Determine where the kubeconfigs are."""
        if proxies.named(os.environ):
            kubeconfigs, self._nodes = clusters(play)
            self._kubeconfigs = dict.fromkeys(kubeconfigs, -1.0)
            self._go_past_proxies()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool = False) -> None:
        """Check whether a kubeconfig has been written since."""
        self._go_past_proxies()

    v2_playbook_on_handler_task_start = v2_playbook_on_cleanup_task_start = v2_playbook_on_task_start

    def _go_past_proxies(self) -> None:
        written = {path: path.stat().st_mtime if path.exists() else 0.0 for path in self._kubeconfigs}
        if written != self._kubeconfigs:
            self._kubeconfigs = written
            os.environ.update(proxies.exceptions(os.environ, written, self._nodes))
