"""Bind an environment to its own cluster. The documentation is in plugins/modules/cluster_identity.py."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.kube import identity as identities
from ..module_utils.kube.client import Cluster, KubeError, Unreachable
from ..plugin_utils.inventory.locate import Inventory

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "environment": {"type": "str", "required": True},
    "provider": {"type": "str", "required": True},
    "step": {"type": "str", "choices": ["compare", "claim", "record"], "default": "record"},
    "accept": {"type": "str", "default": ""},
    "vouched": {"type": "bool", "default": False},
    "patience": {"type": "int", "default": 0},
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
        except (identities.IdentityError, KubeError, OSError) as error:
            return result | {"failed": True, "msg": str(error)}

    def _compare(self, given: dict[str, Any]) -> dict[str, Any]:
        """Refuse a kubeconfig that points to another cluster. If no cluster answers, nothing can be changed either."""
        kubeconfig = given["kubeconfig"]
        found = ""
        identities.refuse_owner(kubeconfig, given["environment"], given["place"])
        if Path(kubeconfig).exists():
            with contextlib.suppress(KubeError):
                identity = Cluster(kubeconfig, None, guarded=False).identity()
                found = str(identity)
                if text := identities.refusal(kubeconfig, identities.read(kubeconfig), identity, given["accept"]):
                    raise identities.IdentityError(text)
        if given["step"] == "claim" and not self._task.check_mode and not identities.read(kubeconfig):
            identities.write(kubeconfig, {"environment": given["environment"], "provider": given["provider"], "cluster": ""})
        return {"changed": False, "cluster": found}

    def _record(self, given: dict[str, Any]) -> dict[str, Any]:
        """Record the cluster, and refuse any other than the recorded one."""
        kubeconfig, check = given["kubeconfig"], self._task.check_mode
        if check and not Path(kubeconfig).exists():
            return {"changed": True, "cluster": ""}

        def ask() -> identities.Identity:
            return Cluster(kubeconfig, None, guarded=False).identity(patience=0 if check else given["patience"])

        try:
            record = identities.hold(kubeconfig, given["environment"], given["provider"], ask, given["accept"], given["vouched"], given["place"])
        except Unreachable as error:
            if check:
                return {"changed": False, "cluster": ""}
            raise KubeError(f"{error}. Run playbooks/cluster.yml; it starts a stopped cluster.") from error
        changed = record != identities.read(kubeconfig)
        if changed and not check:
            identities.write(kubeconfig, record)
        return {"changed": changed, "cluster": str(identities.identity(record))}
