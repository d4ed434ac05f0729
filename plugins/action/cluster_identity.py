"""Hold an environment to its own cluster. The documentation is in plugins/modules/cluster_identity.py."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.plugins.action import ActionBase

# Ansible makes the project's module_utils known to modules only, and this runs in Ansible's own process.
MODULE_UTILS = str(Path(__file__).resolve().parents[1] / "module_utils")
if MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(MODULE_UTILS)

from ansible.module_utils import berth_identity  # noqa: E402
from ansible.module_utils.berth_inventory import Inventory  # noqa: E402
from ansible.module_utils.berth_kube import Cluster, KubeError, Unreachable  # noqa: E402

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "environment": {"type": "str", "required": True},
    "provider": {"type": "str", "required": True},
    "step": {"type": "str", "choices": ["compare", "claim", "record"], "default": "record"},
    "accept": {"type": "str", "default": ""},
    "vouched": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare, and record what is new."""
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        given["place"] = Inventory.of(task_vars or {}, self._loader, Path(__file__).resolve().parents[2]).where_set("berth_kubeconfig")
        try:
            return result | (self._record(given) if given["step"] == "record" else self._compare(given))
        except (berth_identity.IdentityError, KubeError, OSError) as error:
            return result | {"failed": True, "msg": str(error)}

    def _compare(self, given: dict[str, Any]) -> dict[str, Any]:
        """Refuse a kubeconfig that leads elsewhere; where nothing answers to it, nothing can be changed either."""
        kubeconfig = given["kubeconfig"]
        found = ""
        berth_identity.refuse_owner(kubeconfig, given["environment"], given["place"])
        if Path(kubeconfig).exists():
            with contextlib.suppress(KubeError):
                identity = Cluster(kubeconfig, None, guarded=False).identity()
                found = str(identity)
                if text := berth_identity.refusal(kubeconfig, berth_identity.read(kubeconfig), identity, given["accept"]):
                    raise berth_identity.IdentityError(text)
        if given["step"] == "claim" and not self._task.check_mode and not berth_identity.read(kubeconfig):
            berth_identity.write(kubeconfig, {"environment": given["environment"], "provider": given["provider"], "cluster": ""})
        return {"changed": False, "cluster": found}

    def _record(self, given: dict[str, Any]) -> dict[str, Any]:
        """Record the cluster, and refuse another than the recorded one."""
        kubeconfig, check = given["kubeconfig"], self._task.check_mode
        if check and not Path(kubeconfig).exists():
            return {"changed": True, "cluster": ""}

        def ask() -> berth_identity.Identity:
            return Cluster(kubeconfig, None, guarded=False).identity()

        try:
            record = berth_identity.hold(kubeconfig, given["environment"], given["provider"], ask, given["accept"], given["vouched"], given["place"])
        except Unreachable as error:
            if check:
                return {"changed": False, "cluster": ""}
            raise KubeError(f"{error}. Run playbooks/cluster.yml; it starts a cluster that stands still.") from error
        changed = record != berth_identity.read(kubeconfig)
        if changed and not check:
            berth_identity.write(kubeconfig, record)
        return {"changed": changed, "cluster": str(berth_identity.identity(record))}
