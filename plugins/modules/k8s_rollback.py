"""Roll a Deployment back to an earlier release."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_rollback
short_description: Roll a Deployment back to an earlier release
description:
  - Restores the pod template and the annotations of an earlier revision, as C(kubectl rollout undo) does.
    The label C(app.kubernetes.io/version) goes back with it.
  - CronJobs that run the image and configuration of the current release switch to those of the earlier release, and to its user.
  - Deployments of the app's processes go back to their own revision of that release. A process that the release did not have is removed.
  - Marks the release that it leaves (annotation C(berth/left) of its ReplicaSet), so that a second rollback goes further back.
  - The configuration goes back too, because the pod template names the ConfigMap and the Secret of its release.
  - Does not wait; see M(k8s_rollout). The database is not changed.
options:
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) if omitted.
    type: path
  context:
    description: Context of the kubeconfig; its current one if omitted.
    type: str
  namespace:
    description: Namespace of the Deployment.
    type: str
    required: true
  name:
    description: Name of the Deployment.
    type: str
    required: true
  revision:
    description:
      - The revision to go back to. A number that it had earlier works too.
      - 0 is the newest one with another image or configuration that is not marked as left.
    type: int
    default: 0
  configuration:
    description: Whether the earlier release runs with its own configuration or with the current one.
    type: str
    choices: [release, current]
    default: release
  cron_selector:
    description: Labels of the CronJobs that follow; empty for none.
    type: dict
    default: {}
  process_selector:
    description: Labels of the Deployments of the app's processes, which go back too; empty for none.
    type: dict
    default: {}
  undo:
    description:
      - Whether to go back to the last complete release (M(k8s_released)), unless it is the current one.
      - If no complete release is kept, nothing is changed.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Says which release it would go back to.
  diff_mode:
    support: full
    description: Shows version, revision and image.
seealso:
  - name: kubectl rollout undo
    description: This module restores the same parts of a revision.
    link: https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_undo/
"""

EXAMPLES = """
- name: Go back to the previous release
  berth.platform.k8s_rollback:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    name: polls
    cron_selector:
      app.kubernetes.io/instance: polls
      app.kubernetes.io/component: schedule
"""

RETURN = """
target:
  description: The release that it went back to, with its earlier revision number.
  returned: success; with O(undo) only if a release was complete
  type: dict
  contains:
    revision: {description: The Deployment's revision number., type: int}
    version: {description: "The release's version, from the annotation C(kubernetes.io/change-cause).", type: str}
    image: {description: The first container's image., type: str}
    environment: {description: "The ConfigMaps and Secrets in its C(envFrom).", type: list, elements: dict}
    user: {description: "The numeric user and group of its pods, such as C(1000:1000).", type: str}
    created: {description: "When it was first released, RFC 3339.", type: str}
    ready: {description: The number of its ready pods., type: int}
    current: {description: Whether it was the current release., type: bool}
left:
  description: The release that it left, in the form of RV(target).
  returned: success
  type: dict
history:
  description: All kept releases, the newest first, each in the form of RV(target).
  returned: success
  type: list
  elements: dict
logins:
  description:
    - The Secrets of the database logins of C(target) and C(left). Their names depend on server, database and user.
    - Empty if not known. Returned only with O(configuration=release), because only then the database settings go back.
  returned: success, if there is a release to go back to
  type: dict
  contains:
    target: {description: The login of RV(target)., type: str}
    left: {description: The login of RV(left)., type: str}
followed: {description: CronJobs and Deployments of processes that now run the earlier release., returned: success, type: list, elements: str}
removed: {description: Deployments of processes that the earlier release did not have., returned: success, type: list, elements: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils import database_variables
from ..module_utils.kube import client
from ..module_utils.kube.client import Cluster, Forbidden, KubeError, NotFound
from ..module_utils.rollout import rollback
from ..module_utils.rollout.rollback import Refused, Release


def shown(release: Release) -> str:
    """Return a release as text for a diff."""
    names = [source["name"] for each in release.environment for key, source in each.items() if key.endswith("Ref")]
    return f"version: {release.version}\nimage: {release.image}\nconfiguration: {', '.join(names)}\n"


def selected(cluster: Cluster, kind: str, namespace: str, selector: dict[str, str]) -> list[dict[str, Any]]:
    """Return the objects of a kind that have all labels in ``selector``; none if it is empty."""
    query = ",".join(f"{key}={value}" for key, value in selector.items())
    return cluster.items(kind, namespace, labelSelector=query) if query else []


def login(cluster: Cluster, namespace: str, release: Release) -> str:
    """Return the Secret of a release's database login, whatever its variables are called; "" if it is not known."""
    for name in (source["secretRef"]["name"] for source in release.environment if "secretRef" in source):
        if name.startswith(database_variables.LOGIN):
            return str(name)
        if name.startswith(database_variables.ENV):
            try:
                return database_variables.login_of(cluster.get("Secret", namespace, name))
            except (NotFound, Forbidden):
                return ""
    return ""


def go_back(cluster: Cluster, options: dict[str, Any], check: bool) -> dict[str, Any]:
    """Go back, and return the module's result.

    Raises:
        Refused: There is no release to go back to.
        KubeError: The API server denies it, or the Deployment was changed meanwhile.
    """
    namespace, name = options["namespace"], options["name"]
    try:
        deployment = cluster.get("Deployment", namespace, name)
    except NotFound:
        raise Refused(f"Nothing was changed: there is no Deployment {name} in the namespace {namespace}, so nothing is released.") from None
    replicasets = cluster.items("ReplicaSet", namespace)
    found = rollback.releases(deployment, replicasets)
    target = rollback.last_complete(found) if options["undo"] else rollback.choose(name, found, options["revision"])
    if target is None:
        return {"changed": False, "history": [each.told() for each in found], "followed": [], "removed": []}
    left = next(each for each in found if each.current)
    environment = left.environment if options["configuration"] == "current" else target.environment
    changes = options["configuration"] == "release" and not options["undo"]
    logins = {key: login(cluster, namespace, each) for key, each in (("target", target), ("left", left))} if changes else None
    patches: list[tuple[str, str, rollback.Operations]] = []
    if not target.current:
        patches.append(("Deployment", name, rollback.operations(deployment, target, environment)))
        patches.append(("ReplicaSet", left.replicaset["metadata"]["name"], rollback.leaving(left, target)))
        for each in selected(cluster, "CronJob", namespace, options["cron_selector"]):
            patches.append(("CronJob", each["metadata"]["name"], rollback.following(each, left, target, environment)))
    removed = []
    for each in selected(cluster, "Deployment", namespace, options["process_selector"]):
        mine = rollback.companion(rollback.releases(each, replicasets), target, complete=options["undo"])
        if mine is None:
            removed.append(each)
        elif not mine.current:
            patches.append(("Deployment", each["metadata"]["name"], rollback.operations(each, mine, environment)))
    patches = [patch for patch in patches if patch[2]]
    if not check:
        for kind, called, operations in patches:
            cluster.patch(kind, namespace, called, operations)
        for each in removed:
            cluster.delete("Deployment", namespace, each["metadata"]["name"], each["metadata"]["uid"], "Background")
    return {
        "changed": bool(patches or removed),
        "target": target.told() | {"environment": environment},
        "left": left.told(),
        **({"logins": logins} if logins else {}),
        "history": [each.told() for each in found],
        "followed": [each for kind, each, _ in patches if kind != "ReplicaSet" and (kind, each) != ("Deployment", name)],
        "removed": [each["metadata"]["name"] for each in removed],
        "diff": {"before": shown(left), "after": shown(target)},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **client.CONNECTION_OPTIONS,
            "name": {"type": "str", "required": True},
            "revision": {"type": "int", "default": 0},
            "configuration": {"type": "str", "choices": ["release", "current"], "default": "release"},
            "cron_selector": {"type": "dict", "default": {}},
            "process_selector": {"type": "dict", "default": {}},
            "undo": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    try:
        cluster = Cluster(module.params["kubeconfig"], module.params["context"])
        result = go_back(cluster, module.params, module.check_mode)
    except (Refused, KubeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
