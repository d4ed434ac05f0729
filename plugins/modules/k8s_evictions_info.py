"""Report what prevents pods from being evicted."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_evictions_info
short_description: Report what prevents pods from being evicted
description:
  - Checks all PodDisruptionBudgets and pods of a cluster, before nodes are drained.
  - Sends two requests, and changes nothing.
options:
  kubeconfig: {description: The kubeconfig., type: path, required: true}
requirements: [kubernetes]
attributes:
  check_mode: {support: full, description: Reads only.}
  diff_mode: {support: none, description: Nothing is changed.}
"""

EXAMPLES = """
- name: Check what blocks the replacement of nodes
  berth.platform.k8s_evictions_info:
    kubeconfig: .cache/prod/kubeconfig
  register: __evictions
"""

RETURN = """
blocked: {description: "What prevents evictions now, a sentence each with advice.", returned: always, type: list, elements: str}
lost: {description: "Pods that nothing recreates once they are evicted, a sentence each.", returned: always, type: list, elements: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import client, evictions

PATHS = {"poddisruptionbudgets": "/apis/policy/v1/poddisruptionbudgets", "pods": "/api/v1/pods"}


def listed(cluster: client.Cluster, plural: str) -> list[dict[str, Any]]:
    """Return all objects of a kind, in all namespaces.

    Raises:
        client.KubeError: The API server does not answer, or denies the request.
    """
    status, answer = cluster.ask(PATHS[plural])
    if status == 200:
        return answer.get("items") or []
    said = answer.get("message") or "it gives no reason"
    if status in (401, 403):
        raise client.Forbidden(f"The API server does not let this user list {plural} in all namespaces: {said}. Grant it with a ClusterRole.")
    raise client.KubeError(f"The API server answers {status} when asked for all {plural}: {said}.")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"kubeconfig": {"type": "path", "required": True}}, supports_check_mode=True)
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    try:
        cluster = client.Cluster(module.params["kubeconfig"], None)
        budgets, pods = (listed(cluster, plural) for plural in PATHS)
    except client.KubeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, blocked=evictions.obstacles(budgets, pods), lost=evictions.lost(pods))


if __name__ == "__main__":
    main()
