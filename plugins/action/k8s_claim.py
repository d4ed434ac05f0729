"""Let a volume claim grow, or say why it cannot. The documentation is in plugins/modules/k8s_claim.py."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.plugins.action import ActionBase

# Ansible makes the project's module_utils known to modules only, and this runs in Ansible's own process.
PROJECT = Path(__file__).resolve().parents[2]
MODULE_UTILS = str(PROJECT / "plugins" / "module_utils")
if MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(MODULE_UTILS)

from ansible.module_utils import berth_fixed, berth_volumes  # noqa: E402
from ansible.module_utils.berth_inventory import Inventory  # noqa: E402
from ansible.module_utils.berth_kube import Cluster, Forbidden, KubeError, NotFound, Unreachable  # noqa: E402
from ansible.module_utils.berth_progress import report  # noqa: E402
from ansible.module_utils.berth_rollout import dig  # noqa: E402
from ansible.module_utils.berth_volumes import Wanted  # noqa: E402

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
        """Grow the claim and return its size before."""
        result = super().run(tmp, task_vars) | {"changed": False, "before": "", "recreated": False}
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        wanted = Wanted(**{name: given[name] for name in ("name", "size", "storage_class", "size_variable", "class_variable")})
        check = self._task.check_mode
        if check and not Path(given["kubeconfig"]).exists():
            return result
        try:
            cluster = Cluster(given["kubeconfig"], given["context"] or None)
            claim = cluster.get("PersistentVolumeClaim", given["namespace"], wanted.name)
            if problem := berth_volumes.problem(wanted, claim, _storage_class(cluster, claim)):
                inventory = Inventory.of(task_vars or {}, self._loader, PROJECT)
                return result | {"failed": True, "msg": berth_fixed.message([problem], inventory.locate)}
            patch = berth_volumes.growth(wanted, claim)
            if patch and not check:
                grow(cluster, given["namespace"], wanted, patch, given["timeout"])
            recreated = release(cluster, given["namespace"], given["statefulset"], wanted, check)
        except NotFound:  # it is still to be made
            return result
        except Unreachable as error:
            return result if check else result | {"failed": True, "msg": str(error)}
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
        sizes = [f"PersistentVolumeClaim {wanted.name}: {size}\n" for size in (berth_volumes.size_of(claim), wanted.size)]
        diff = {"before": sizes[0], "after": sizes[1]} if patch else {}
        return result | {"changed": bool(patch), "before": berth_volumes.size_of(claim), "recreated": recreated, "diff": diff}


def _storage_class(cluster: Cluster, claim: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return cluster.get("StorageClass", "", dig(claim, "spec", "storageClassName") or "")
    except (NotFound, Forbidden):
        return None


def grow(cluster: Cluster, namespace: str, wanted: Wanted, patch: berth_volumes.Operations, timeout: float) -> None:
    """Patch the claim and wait until its volume has grown.

    Raises:
        KubeError: The API server refuses, or it took longer than ``timeout`` seconds.
    """
    claim = cluster.patch("PersistentVolumeClaim", namespace, wanted.name, patch)
    storage_class = _storage_class(cluster, claim) or {}
    if storage_class.get("provisioner") in berth_volumes.UNLIMITED:
        cluster.patch("PersistentVolume", "", claim["spec"]["volumeName"], [{"op": "replace", "path": "/spec/capacity/storage", "value": wanted.size}])
        capacity = {"op": "replace", "path": "/status/capacity/storage", "value": wanted.size}
        cluster.patch("PersistentVolumeClaim", namespace, wanted.name, [capacity], "/status")
    end = time.monotonic() + timeout
    while not berth_volumes.grown(wanted, claim):
        if time.monotonic() > end:
            raise KubeError(f"The volume {wanted.name} has not grown to {wanted.size} after {timeout} s; playbooks/ops/status.yml says how it is.")
        report(f"volume {wanted.name}: growing to {wanted.size}")
        time.sleep(1)
        claim = cluster.get("PersistentVolumeClaim", namespace, wanted.name)


def release(cluster: Cluster, namespace: str, name: str, wanted: Wanted, check: bool) -> bool:
    """Delete a StatefulSet whose template of the claim says something else, and leave its pod: the next apply makes it again, and it takes the pod over.

    Returns whether it was, or in check mode would be.
    """
    if not name:
        return False
    statefulset = cluster.get("StatefulSet", namespace, name)
    template = dig(statefulset, "spec", "volumeClaimTemplates", 0) or {}
    if not berth_volumes.differs(template, wanted):
        return False
    if not check:
        cluster.delete("StatefulSet", namespace, name, statefulset["metadata"]["uid"], "Orphan")
    return True
