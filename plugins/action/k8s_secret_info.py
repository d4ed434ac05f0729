"""Compare a Secret with what it should hold. The documentation is in plugins/modules/k8s_secret_info.py."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.kube.apply import LAST_APPLIED
from ..module_utils.kube.client import Cluster, KubeError, NotFound, Unreachable

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str", "default": ""},
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "data": {"type": "dict", "required": True},
    "labels": {"type": "dict", "default": {}},
}
TIME = "%Y-%m-%dT%H:%M:%SZ"


def compared(live: dict[str, Any] | None, data: dict[str, str], now: str) -> dict[str, Any]:
    """Return whether a Secret exists and holds ``data`` (in base64), its annotations, and the second after ``now`` (RFC 3339)."""
    soon = (datetime.strptime(now, TIME) + timedelta(seconds=1)).strftime(TIME) if now else ""
    if live is None:
        return {"exists": False, "matches": False, "annotations": {}, "soon": soon}
    matches = (live.get("data") or {}) == data
    return {"exists": True, "matches": matches, "annotations": own_annotations(live), "soon": soon}


def own_annotations(live: dict[str, Any]) -> dict[str, str]:
    """Return a Secret's annotations without last-applied, which contains the whole Secret."""
    return {name: value for name, value in (live["metadata"].get("annotations") or {}).items() if name != LAST_APPLIED}


def labelled(cluster: Cluster, namespace: str, labels: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the annotations of the Secrets that have all ``labels``, by name; none without labels."""
    if not labels:
        return {}
    found = cluster.items("Secret", namespace, labelSelector=",".join(f"{key}={value}" for key, value in sorted(labels.items())))
    return {each["metadata"]["name"]: own_annotations(each) for each in found}


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the Secret's state, without its data."""
        result = super().run(tmp, task_vars) | {"changed": False, "labelled": {}}
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        if self._task.check_mode and not Path(given["kubeconfig"]).exists():
            return result | compared(None, given["data"], "")
        try:
            cluster = Cluster(given["kubeconfig"], given["context"] or None)
            result["labelled"] = labelled(cluster, given["namespace"], given["labels"])
            live = cluster.get("Secret", given["namespace"], given["name"])
        except NotFound:
            return result | compared(None, given["data"], cluster.now)
        except Unreachable as error:
            if self._task.check_mode:
                return result | compared(None, given["data"], "")
            return result | {"failed": True, "msg": str(error)}
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
        return result | compared(live, given["data"], cluster.now)
