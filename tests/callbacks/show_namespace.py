"""What runs in a scenario's namespace when a playbook of Molecule's has failed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Cluster, KubeError
from ansible_collections.berth.platform.plugins.module_utils.kube.logs import readable
from ansible_collections.berth.platform.plugins.module_utils.kube.objects import dig
from ansible_collections.berth.platform.plugins.module_utils.kube.redact import redact, unshown
from ansible_collections.berth.platform.plugins.module_utils.rollout.reading import container_statuses, event_time, exit_of, name_of, pod_state

DOCUMENTATION = """
name: show_namespace
type: aggregate
short_description: Show a scenario's namespaces when its playbook has failed
description:
  - Molecule takes the namespace away next, and with it the reason. So the state and last log lines of each container, and the latest events,
    are printed before, without the values of Secrets.
requirements: [enabled in Molecule's configuration]
"""
KUBECONFIGS = {"minikube": Path(__file__).resolve().parents[2] / ".cache/minikube/kubeconfig"}
"""Of the scenarios that have a cluster of their own."""
LINES = 20
"""Of each container's log."""
EVENTS = 30


def shown(cluster: Cluster, namespace: str) -> list[str]:
    """Return a namespace's pods with the ends of their logs, and its latest events, as lines without secrets.

    Raises:
        KubeError: The API server does not say what there is.
    """
    pods = cluster.items("Pod", namespace)
    events = sorted(cluster.items("Event", namespace), key=event_time)[-EVENTS:]
    lines = [line for pod in pods for line in _pod(cluster, namespace, pod)]
    lines += [f"event {dig(each, 'involvedObject', 'name')}: {each.get('reason')}: {' '.join(str(each.get('message')).split())}" for each in events]
    values = unshown(cluster, namespace, *(pod["spec"] for pod in pods))
    return [f"in {namespace}: {redact(line, values)}" for line in lines]


def _pod(cluster: Cluster, namespace: str, pod: dict[str, Any]) -> Iterator[str]:
    yield f"pod {name_of(pod)}: {pod_state(pod)}"
    for status in container_statuses(pod):
        restarts = status.get("restartCount") or 0
        yield f"  container {status['name']}: {restarts} restarts{exit_of(status)}"
        for previous in ["true", "false"] if restarts else ["false"]:
            query = {"container": status["name"], "tailLines": LINES, "previous": previous}
            try:
                log = cluster.log(namespace, name_of(pod), **query)
            except KubeError as error:
                log = f"({error})"
            yield from (f"    {line}" for entry in log.splitlines() for line in readable(entry))


def of_scenario(cluster: Cluster, scenario: str) -> list[str]:
    """Return the namespaces of Berth's that a scenario works in."""
    namespaces = cluster.items("Namespace", "", labelSelector="app.kubernetes.io/managed-by=berth")
    return [name_of(each) for each in namespaces if name_of(each).endswith(f"-{scenario}")]


class CallbackModule(CallbackBase):
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "show_namespace"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Show them where a host has failed. Of the runs that a scenario starts itself, many are meant to fail."""
        scenario = os.environ.get("MOLECULE_SCENARIO_NAME", "")
        by = Path(f"/proc/{os.getppid()}/cmdline").read_bytes().split(b"\0")
        if not scenario or not any(word.endswith(b"/molecule") for word in by) or not (stats.failures or stats.dark):
            return
        kubeconfig = KUBECONFIGS.get(scenario, Path("/etc/kubernetes/admin.conf"))
        if not kubeconfig.exists():
            return
        try:
            cluster = Cluster(str(kubeconfig), None)
            for namespace in of_scenario(cluster, scenario):
                for line in shown(cluster, namespace):
                    self._display.display(line)
        except KubeError as error:
            self._display.display(f"The namespaces of {scenario} cannot be shown: {error}")
