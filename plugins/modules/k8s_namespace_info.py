"""Read a namespace and its labels."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_namespace_info
short_description: Read a namespace, or the reason why it cannot be read
description:
  - Sends one request, so that a role can decide before it changes anything. C(kubernetes.core.k8s_info) takes twice as long.
  - A missing cluster, or one that does not answer, is a result and not a failure.
options:
  kubeconfig: {description: Path of the kubeconfig., type: path, required: true}
  name: {description: The namespace., type: str, required: true}
  wait_absent:
    description: Seconds to wait until the namespace and everything in it is gone, before failing; 0 does not wait.
    type: int
    default: 0
requirements: [kubernetes]
attributes:
  check_mode: {support: full, description: Reads only.}
"""

EXAMPLES = """
- name: Read the namespace
  berth.platform.k8s_namespace_info:
    kubeconfig: .cache/dev/kubeconfig
    name: polls-dev
  register: __namespace

- name: Wait until everything in it is gone
  berth.platform.k8s_namespace_info:
    kubeconfig: .cache/dev/kubeconfig
    name: polls-dev
    wait_absent: 180
"""

RETURN = """
reachable: {description: Whether the API server answered., type: bool, returned: always}
reason: {description: "Why it is not C(reachable), and what to do.", type: str, returned: always}
exists: {description: Whether the namespace exists., type: bool, returned: always}
phase: {description: "C(Active) or C(Terminating); empty if it does not exist.", type: str, returned: always}
labels: {description: Its labels., type: dict, returned: always}
removal: {description: "What its removal waits for, according to the API server.", type: str, returned: always}
"""

import json
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import client


class Namespaces(client.Cluster):
    """The namespaces of one API server: the only kind here that is not namespaced."""

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a namespace as the API server has it, None if it does not exist.

        Raises:
            client.Unreachable: The API server does not answer, or not now.
            client.KubeError: It denies the request.
        """
        response = self._send("GET", f"/api/v1/namespaces/{name}", None)
        if response.status == 404:
            return None
        if response.status == 429 or response.status >= 500:
            raise client.Unreachable(f"The API server answers {response.status}")
        if response.status != 200:
            raise client.KubeError(
                f"The API server does not let the user of {self._source} (berth_kubeconfig) read the namespace {name}: "
                f"it answers {response.status}. Give that user the verb get on namespaces, or write a new kubeconfig "
                "with playbooks/cluster.yml."
            )
        return json.loads(response.data)


def answer(kubeconfig: str, name: str) -> dict[str, Any]:
    """Return the module's result for a namespace; the keys are those of RETURN.

    Raises:
        client.KubeError: The kubeconfig cannot be used, or the API server denies the request.
    """
    answered = {"reachable": True, "reason": "", "exists": False, "phase": "", "labels": {}, "removal": ""}
    silent = {**answered, "reachable": False}
    if not Path(kubeconfig).exists():
        there_is_none = f"There is no kubeconfig {kubeconfig} (berth_kubeconfig), so no cluster yet"
        return {**silent, "reason": f"{there_is_none}: run playbooks/cluster.yml first."}
    try:
        found = Namespaces(kubeconfig, None).read(name)
    except client.Unreachable as error:
        return {**silent, "reason": f"{error}. Run playbooks/cluster.yml first; it starts a stopped cluster."}
    if found is None:
        return answered
    # These conditions are absent until its removal, then true for what blocks it.
    # https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/namespace-v1/
    removal = [one["message"] for one in found["status"].get("conditions") or [] if one["status"] == "True"]
    return {
        **answered,
        "exists": True,
        "phase": found["status"]["phase"],
        "labels": found["metadata"].get("labels") or {},
        "removal": "; ".join(removal),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kubeconfig": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "wait_absent": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    kubeconfig, name, wait = (module.params[option] for option in ("kubeconfig", "name", "wait_absent"))
    end = time.monotonic() + wait
    try:
        found = answer(kubeconfig, name)
        while found["exists"] and time.monotonic() < end:
            time.sleep(1)
            found = answer(kubeconfig, name)
        if found["exists"] and wait:
            reason = found["removal"] or "it gives no reason"
            module.fail_json(msg=f"The namespace {name} is still there after {wait} seconds: {reason}.")
        module.exit_json(changed=False, **found)
    except client.KubeError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
