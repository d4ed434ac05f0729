"""Check the probes of a Deployment's newest pod. The documentation is in plugins/modules/k8s_probes.py."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.kube import probes
from ..module_utils.kube.client import Cluster, Forbidden, KubeError
from ..module_utils.rollout.reading import newest_ready

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str", "default": ""},
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
}


def asked(cluster: Cluster, namespace: str, name: str) -> tuple[dict[str, int], list[str]]:
    """Return the status of each path, and any problems.

    Raises:
        KubeError: There is no ready pod of the newest revision, or the API server does not allow the request.
    """
    pod = newest_ready(cluster, namespace, name)
    if pod is None:
        raise KubeError(f"No pod of the newest revision of {name} is ready in namespace {namespace}.")
    answers, wrong = {}, []
    for container in pod["spec"]["containers"]:
        for probe in probes.probes(container):
            with cluster.port_forward(namespace, pod["metadata"]["name"], probe.port) as connect:
                answer = probes.ask(probe, connect)
            answers[probe.path] = answer.status
            if problem := probes.problem(probe, answer):
                wrong.append(f"{pod['metadata']['name']}: {problem}")
    return answers, wrong


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answers, or fail with the problems."""
        result = super().run(tmp, task_vars) | {"changed": False, "answers": {}}
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            answers, wrong = asked(Cluster(given["kubeconfig"], given["context"] or None), given["namespace"], given["name"])
        except Forbidden as error:
            return result | {"warnings": [f"The probes of the app's pods were not checked. {error}"]}
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
        if wrong:
            lines = ["The app runs, but is not as healthy as it looks.", *wrong]
            return result | {"failed": True, "msg": "\n".join(lines), "answers": answers}
        return result | {"answers": answers}
