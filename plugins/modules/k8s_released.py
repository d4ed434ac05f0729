"""Record that a release is complete, with everything that belongs to it."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_released
short_description: Record that a release is complete, with everything that belongs to it
description:
  - Records when each Deployment's newest revision was complete, in the annotation C(berth/completed) of its ReplicaSet, unless it is the last one recorded.
  - A release that fails goes back to this revision; see M(k8s_rollback). If the user may not write the annotation, the module only warns.
options:
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) if omitted.
    type: path
  context: {description: Context of the kubeconfig; its current one if omitted., type: str}
  namespace: {description: Namespace of the Deployments., type: str, required: true}
  deployments: {description: Names of the Deployments., type: list, elements: str, required: true}
attributes:
  check_mode: {support: full, description: "Says what it would record."}
"""

EXAMPLES = """
- name: Record that the release is complete
  berth.platform.k8s_released:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    deployments: [polls, polls-worker]
"""

RETURN = """
noted: {description: Names of the Deployments whose revision was recorded., type: list, elements: str, returned: success}
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import client
from ..module_utils.kube.client import Cluster, Forbidden, KubeError
from ..module_utils.rollout import rollback


def note(cluster: Cluster, namespace: str, names: list[str], check: bool) -> list[str]:
    """Record that the Deployments' newest revisions are complete; return the names of those that were not recorded before.

    Raises:
        KubeError: The API server does not answer, or denies this user.
    """
    replicasets = cluster.items("ReplicaSet", namespace)
    noted = []
    for name in names:
        found = rollback.releases(cluster.get("Deployment", namespace, name), replicasets)
        if patch := rollback.completing(found, cluster.now):
            noted.append(name)
            if not check:
                cluster.patch("ReplicaSet", namespace, found[0].replicaset["metadata"]["name"], patch)
    return noted


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**client.CONNECTION_OPTIONS, "deployments": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    noted: list[str] = []
    try:
        cluster = Cluster(module.params["kubeconfig"], module.params["context"])
        noted = note(cluster, module.params["namespace"], module.params["deployments"], module.check_mode)
    except Forbidden as error:
        module.warn(f"The release is complete, but that could not be recorded, so a later release that fails will not go back to it. {error}")
    except KubeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(noted), noted=noted)


if __name__ == "__main__":
    main()
