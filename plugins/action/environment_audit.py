"""Audit an environment. The documentation is in plugins/modules/environment_audit.py."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils import providers
from ..module_utils.audit import report
from ..module_utils.audit.check import SEVERITIES
from ..module_utils.audit.live import KINDS, Live
from ..module_utils.kube.client import Cluster, Forbidden, KubeError, NotFound
from ..plugin_utils.inventory.locate import Inventory

ARGUMENTS = {
    "environment": {"type": "str", "required": True},
    "cluster": {"type": "dict", "required": True},
    "kubeconfig": {"type": "path", "required": True},
    "namespace": {"type": "str", "required": True},
    "app": {"type": "str", "required": True},
    "level": {"type": "str", "choices": list(SEVERITIES), "default": "error"},
}
PROJECT = Path(__file__).resolve().parents[2]


def read(cluster: Cluster, namespace: str) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Return the objects by kind, and why the omitted kinds could not be read.

    Raises:
        KubeError: The API server does not answer, or denies this user.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    unread: dict[str, str] = {}
    for kind in KINDS:
        try:
            found[kind] = [_namespace(cluster, namespace)] if kind == "Namespace" else cluster.items(kind, namespace)
        except NotFound:
            found[kind] = []
        except Forbidden:
            own = kind == "Namespace"
            unread[kind] = f"the namespace {namespace} itself: this user may not get it" if own else f"{kind} objects: this user may not list them"
    return found, unread


def _namespace(cluster: Cluster, name: str) -> dict[str, Any]:
    return cluster.get("Namespace", name, name) | {"kind": "Namespace"}


def others(cluster: Cluster, facts: dict[str, Any], unread: dict[str, str]) -> tuple[str, ...]:
    """Return the names of the cluster's other users if they can be known, otherwise note that in ``unread``."""
    if not providers.of(facts.get("provider")).borrowed:  # a provider that creates clusters knows their environments
        return tuple(facts.get("shared_with") or [])
    try:
        return tuple(each["metadata"]["name"] for each in cluster.items("Namespace", ""))
    except Forbidden:
        unread["namespaces"] = "the cluster's namespaces: this user may not list them, so not checked: shared-cluster"
        return ()


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the findings."""
        result, variables = super().run(tmp, task_vars), task_vars or {}
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            cluster = Cluster(given["kubeconfig"], None)
            objects, unread = read(cluster, given["namespace"])
            neighbours = others(cluster, given["cluster"], unread)
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
        live = Live(objects, given["environment"], given["namespace"], given["app"], given["cluster"].get("provider", ""), neighbours)
        found = report.findings(live, Inventory.of(variables, self._loader, PROJECT).where_set)
        return result | {
            "changed": False,
            "text": report.text(live, found, unread),
            "findings": [asdict(each) for each in found],
            "failing": len(report.failing(found, given["level"])),
        }
