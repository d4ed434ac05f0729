"""Read objects of several kinds. The documentation is in plugins/modules/k8s_objects_info.py."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.kube.client import KINDS, Cluster, KubeError, NotFound, Unreachable

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str", "default": ""},
    "namespace": {"type": "str", "required": True},
    # With -v, Ansible shows what was read.
    "kinds": {"type": "list", "elements": "str", "required": True, "choices": sorted(KINDS.keys() - {"Secret"})},
    "name": {"type": "str", "default": ""},
    "selector": {"type": "dict", "default": {}},
}


def read(cluster: Cluster, kinds: list[str], namespace: str, name: str, selector: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects, each with its ``kind``, without those that do not exist.

    Args:
        cluster: The API server to ask.
        kinds: Kinds as in KINDS.
        namespace: Their namespace.
        name: The name of the object to read of each kind; empty for all.
        selector: Labels that each must have, with their values; ignored with a name.

    Raises:
        KubeError: The API server does not answer, or denies the request.
    """
    query = {"labelSelector": ",".join(f"{key}={value}" for key, value in selector.items())} if selector else {}
    found: list[dict[str, Any]] = []
    for kind in kinds:
        with contextlib.suppress(NotFound):
            # A user who may get an object is not always allowed to list its kind.
            found += [cluster.get(kind, namespace, name) | {"kind": kind}] if name else cluster.items(kind, namespace, **query)
    return found


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the objects; none in check mode if the cluster has yet to be created or started."""
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        if self._task.check_mode and not Path(given["kubeconfig"]).exists():
            return result | {"changed": False, "objects": []}
        try:
            cluster = Cluster(given["kubeconfig"], given["context"] or None)
            return result | {"changed": False, "objects": read(cluster, given["kinds"], given["namespace"], given["name"], given["selector"])}
        except Unreachable as error:
            return result | ({"changed": False, "objects": []} if self._task.check_mode else {"failed": True, "msg": str(error)})
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
