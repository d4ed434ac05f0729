"""Note that a release is complete, with all that belongs to it."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_released
short_description: Note that a release is complete, with all that belongs to it
description:
  - Notes on the ReplicaSet of each Deployment's newest revision when it was complete (annotation C(berth/completed)), where the last note is not there already.
  - It is what a release that fails goes back to; see M(k8s_rollback). A user who may not write there is warned.
options:
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) when left out.
    type: path
  context: {description: Context of the kubeconfig; its current one when left out., type: str}
  namespace: {description: Namespace of the Deployments., type: str, required: true}
  deployments: {description: Names of the Deployments., type: list, elements: str, required: true}
attributes:
  check_mode: {support: full, description: "Says what it would note."}
"""

EXAMPLES = """
- name: Note that the release is complete
  berth.platform.k8s_released:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    deployments: [polls, polls-worker]
"""

RETURN = """
noted: {description: Names of the Deployments whose revision was noted., type: list, elements: str, returned: success}
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import client
from ..module_utils.kube.client import Cluster, Forbidden, KubeError
from ..module_utils.rollout import rollback


def note(cluster: Cluster, namespace: str, names: list[str], check: bool) -> list[str]:
    """Note that the Deployments' newest revisions are complete; return the names of those that were not noted.

    Raises:
        KubeError: The API server does not answer, or not to this user.
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
        module.warn(f"It is not noted that the release is complete, so a later one that fails does not go back to it. {error}")
    except KubeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(noted), noted=noted)


if __name__ == "__main__":
    main()
