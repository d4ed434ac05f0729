"""Replace pods that started before a point in time, and wait until their replacements are ready."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_pods_replace
short_description: Replace pods that started before a point in time, and wait until their replacements are ready
description:
  - Deletes all pods at once rather than one by one, so it is meant for pods that no longer work, as after a change of the database password.
  - Their controllers create new ones from the same template. A rollout that is in progress or has failed is not touched.
  - If they are not ready in time, that is a warning and not a failure, because the next release may fix it.
options:
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) if omitted.
    type: path
  context: {description: Context of the kubeconfig; its current one if omitted., type: str}
  namespace: {description: Namespace of the pods., type: str, required: true}
  pods: {description: Names of the pods., type: list, elements: str, required: true}
  before: {description: "RFC 3339. The module waits for it, so that the replacements start after it.", type: str, required: true}
  timeout: {description: Seconds to wait., type: int, default: 60}
attributes:
  check_mode: {support: full, description: "Says which pods it would replace."}
"""

EXAMPLES = """
- name: Replace the pods that have the old password
  berth.platform.k8s_pods_replace:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    pods: [polls-6d5f7c4b8-x2x7k]
    before: "2026-01-31T12:00:00Z"
"""

RETURN = """
replaced: {description: Names of the pods that were replaced., type: list, elements: str, returned: success}
ready: {description: Whether as many pods are ready as before., type: bool, returned: success}
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import client
from ..module_utils.kube.client import Cluster, KubeError
from ..module_utils.kube.objects import condition
from ..module_utils.progress import report

Pod = Mapping[str, Any]
LOOK = 0.5  # seconds between two polls


def controller(pod: Pod) -> str:
    """Return the UID of the controller that recreates a pod; empty if there is none."""
    references = pod["metadata"].get("ownerReferences") or []
    return next((reference["uid"] for reference in references if reference.get("controller")), "")


def serving(pods: Iterable[Pod]) -> Counter[str]:
    """Count the ready pods that are not terminating, by controller."""
    return Counter(controller(pod) for pod in pods if condition(pod, "Ready") and not pod["metadata"].get("deletionTimestamp"))


def replace(
    cluster: Cluster, namespace: str, names: Iterable[str], before: str, timeout: float, sleep: Callable[[float], None] = time.sleep
) -> tuple[list[str], bool]:
    """Replace pods; return the names of those that existed, and whether as many are ready as before.

    Raises:
        KubeError: The API server does not answer, or denies the request.
    """
    pods = cluster.items("Pod", namespace)
    while cluster.now < before:
        sleep(LOOK)
        pods = cluster.items("Pod", namespace)
    old = [pod for pod in pods if pod["metadata"]["name"] in set(names) and controller(pod) and pod["metadata"]["creationTimestamp"] < before]
    makers = {controller(pod) for pod in old}
    wanted = Counter({maker: count for maker, count in serving(pods).items() if maker in makers})
    for pod in old:
        cluster.delete("Pod", namespace, pod["metadata"]["name"], pod["metadata"]["uid"], "Background")
    end = time.monotonic() + timeout
    while not (there := wanted <= serving(cluster.items("Pod", namespace))) and time.monotonic() < end:
        report(f"{len(old)} pods replaced, {sum(wanted.values())} are to be ready")
        sleep(LOOK)
    return [pod["metadata"]["name"] for pod in old], there


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **client.CONNECTION_OPTIONS,
            "pods": {"type": "list", "elements": "str", "required": True},
            "before": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    options = module.params
    if module.check_mode:
        module.exit_json(changed=bool(options["pods"]), replaced=options["pods"], ready=True)
    try:
        cluster = Cluster(options["kubeconfig"], options["context"])
        replaced, ready = replace(cluster, options["namespace"], options["pods"], options["before"], options["timeout"])
    except KubeError as error:
        module.fail_json(msg=str(error))
    if not ready:
        module.warn(f"The replacements of {', '.join(replaced)} are not ready after {options['timeout']} s; playbooks/ops/status.yml says why.")
    module.exit_json(changed=bool(replaced), replaced=replaced, ready=ready)


if __name__ == "__main__":
    main()
