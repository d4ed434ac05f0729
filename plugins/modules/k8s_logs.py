"""The last log lines of several pods, in chronological order."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_logs
short_description: Read the last log lines of pods together
description:
  - Returns the last lines of all containers of the pods that match a selector, in chronological order, each with its time and pod.
  - Converts JSON lines to text. Removes control characters.
  - Replaces values of the Secrets that a pod refers to with C(***), if the user may read the Secrets.
options:
  kubeconfig: {description: The kubeconfig., type: path, required: true}
  namespace: {description: The pods' namespace., type: str, required: true}
  selector: {description: Labels of the pods., type: dict, required: true}
  lines: {description: "The number of lines, of all pods together.", type: int, default: 50}
  probes: {description: "Whether to include access log lines of Kubernetes' health checks.", type: bool, default: false}
  previous: {description: "Whether to read the log of the previous run, which crashed.", type: bool, default: false}
attributes:
  check_mode: {support: full, description: Reads only.}
  diff_mode: {support: none, description: Nothing is changed.}
"""

EXAMPLES = """
- name: Read the app's log
  berth.platform.k8s_logs:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    selector: {app.kubernetes.io/name: polls}
    lines: 100
"""

RETURN = """
lines: {description: "The lines, the newest last.", type: list, elements: str, returned: always}
pods: {description: The pods' names., type: list, elements: str, returned: always}
notes: {description: "Containers without a log, each with the reason, and how many lines were omitted.", type: list, elements: str, returned: always}
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import access_log, client, probes
from ..module_utils.kube import logs as log_lines
from ..module_utils.kube.client import Cluster, KubeError, Unreachable
from ..module_utils.kube.objects import dig
from ..module_utils.kube.redact import redact, unshown
from ..module_utils.rollout.reading import pod_state

LOOK = 2000
"""Lines of a container to search for lines that do not come from health checks: more than an hour of these."""


def logs(cluster: Cluster, namespace: str, pods: list[dict[str, Any]], options: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return the log of each container by a short name, and why some have none, or not everything.

    Raises:
        Unreachable: The API server does not answer.
    """
    found: dict[str, str] = {}
    notes = []
    left_out = 0
    lines = options["lines"] if options["probes"] else max(options["lines"], LOOK)
    short = log_lines.short_names(pod["metadata"]["name"] for pod in pods)
    for pod in pods:
        name = pod["metadata"]["name"]
        containers = [each for key in ("initContainers", "containers") for each in dig(pod, "spec", key) or []]
        asked = [] if options["probes"] else [probe.path for each in containers for probe in probes.probes(each)]
        for container in (each["name"] for each in containers):
            source = short[name] if len(containers) == 1 else f"{short[name]}/{container}"
            query: dict[str, str | int] = {"container": container, "tailLines": lines, "timestamps": "true"}
            try:
                text = cluster.log(namespace, name, **(query | ({"previous": "true"} if options["previous"] else {})))
                found[source], number = access_log.without_probes(text, asked)
                left_out += number
            except Unreachable:
                raise
            except KubeError as error:
                state = pod_state(pod)
                if "previous terminated container" in str(error):
                    notes.append(f"{source} has run only once")
                else:
                    notes.append(f"{source}: {error}" if state == "Running" else f"{source} has no log: its pod is {state}")
    if left_out:
        notes.append(f"{left_out} lines of Kubernetes' health checks are omitted; -e ops_probes=true shows them")
    return found, notes


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kubeconfig": {"type": "path", "required": True},
            "namespace": {"type": "str", "required": True},
            "selector": {"type": "dict", "required": True},
            "lines": {"type": "int", "default": 50},
            "probes": {"type": "bool", "default": False},
            "previous": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    namespace, lines = module.params["namespace"], module.params["lines"]
    if lines < 1:
        module.fail_json(msg=f"lines is {lines}; set it to the number of lines that you want to see.")
    try:
        cluster = Cluster(module.params["kubeconfig"], None)
        selector = ",".join(f"{name}={value}" for name, value in module.params["selector"].items())
        pods = cluster.items("Pod", namespace, labelSelector=selector)
        found, notes = logs(cluster, namespace, pods, module.params)
        values = unshown(cluster, namespace, *(pod["spec"] for pod in pods))
    except KubeError as error:
        module.fail_json(msg=str(error))
    told = [redact(line, values) for line in log_lines.merged(found, lines)]
    module.exit_json(changed=False, lines=told, pods=[pod["metadata"]["name"] for pod in pods], notes=notes)


if __name__ == "__main__":
    main()
