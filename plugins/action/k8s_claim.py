"""Expand a volume claim, or say why that is not possible. The documentation is in plugins/modules/k8s_claim.py."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.kube import fixed, volumes
from ..module_utils.kube.client import Cluster, Forbidden, KubeError, NotFound, Unreachable
from ..module_utils.kube.objects import dig
from ..module_utils.kube.volumes import Wanted
from ..module_utils.progress import report
from ..plugin_utils.inventory.locate import Inventory

PROJECT = Path(__file__).resolve().parents[2]

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str", "default": ""},
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "size": {"type": "str", "required": True},
    "storage_class": {"type": "str", "default": ""},
    "size_variable": {"type": "str", "required": True},
    "class_variable": {"type": "str", "required": True},
    "statefulset": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 300},
}


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Expand the claim, and return its size before."""
        result = super().run(tmp, task_vars) | {"changed": False, "before": "", "recreated": False}
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        wanted = Wanted(**{name: given[name] for name in ("name", "size", "storage_class", "size_variable", "class_variable")})
        check = self._task.check_mode
        if check and not Path(given["kubeconfig"]).exists():
            return result
        try:
            cluster = Cluster(given["kubeconfig"], given["context"] or None)
            claim = cluster.get("PersistentVolumeClaim", given["namespace"], wanted.name)
            if problem := volumes.problem(wanted, claim, _storage_class(cluster, claim)):
                inventory = Inventory.of(task_vars or {}, self._loader, PROJECT)
                return result | {"failed": True, "msg": fixed.message([problem], inventory.locate)}
            patch = volumes.growth(wanted, claim)
            if patch and not check:
                grow(cluster, given["namespace"], wanted, claim, patch, given["timeout"])
            recreated = release(cluster, given["namespace"], given["statefulset"], wanted, check)
        except NotFound:  # it does not exist yet
            return result
        except Unreachable as error:
            return result if check else result | {"failed": True, "msg": str(error)}
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
        sizes = [f"PersistentVolumeClaim {wanted.name}: {size}\n" for size in (volumes.size_of(claim), wanted.size)]
        diff = {"before": sizes[0], "after": sizes[1]} if patch else {}
        return result | {"changed": bool(patch), "before": volumes.size_of(claim), "recreated": recreated, "diff": diff}


def _storage_class(cluster: Cluster, claim: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return cluster.get("StorageClass", "", dig(claim, "spec", "storageClassName") or "")
    except (NotFound, Forbidden):
        return None


def grow(cluster: Cluster, namespace: str, wanted: Wanted, claim: dict[str, Any], patch: volumes.Operations, timeout: float) -> None:
    """Patch the claim, whose size shows until the end that there is something to do, and wait until its volume has grown.

    Raises:
        KubeError: The API server rejects it, or it took longer than ``timeout`` seconds.
    """
    storage_class = _storage_class(cluster, claim) or {}
    if storage_class.get("provisioner") in volumes.UNLIMITED:
        cluster.patch("PersistentVolume", "", claim["spec"]["volumeName"], [{"op": "replace", "path": "/spec/capacity/storage", "value": wanted.size}])
        capacity = {"op": "replace", "path": "/status/capacity/storage", "value": wanted.size}
        cluster.patch("PersistentVolumeClaim", namespace, wanted.name, [capacity], "/status")
    claim = cluster.patch("PersistentVolumeClaim", namespace, wanted.name, patch)
    end = time.monotonic() + timeout
    while not volumes.grown(wanted, claim):
        if time.monotonic() > end:
            raise KubeError(f"The volume {wanted.name} has not grown to {wanted.size} after {timeout} s; playbooks/ops/status.yml shows its state.")
        report(f"volume {wanted.name}: growing to {wanted.size}")
        time.sleep(1)
        claim = cluster.get("PersistentVolumeClaim", namespace, wanted.name)


def release(cluster: Cluster, namespace: str, name: str, wanted: Wanted, check: bool) -> bool:
    """Delete a StatefulSet whose claim template differs, but keep its pod: the next apply creates it again, and it adopts the pod.

    Returns whether it was deleted, or in check mode would be.
    """
    if not name:
        return False
    statefulset = cluster.get("StatefulSet", namespace, name)
    template = dig(statefulset, "spec", "volumeClaimTemplates", 0) or {}
    if not volumes.differs(template, wanted):
        return False
    if not check:
        cluster.delete("StatefulSet", namespace, name, statefulset["metadata"]["uid"], "Orphan")
    return True
