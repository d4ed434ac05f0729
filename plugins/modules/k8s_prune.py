"""Remove objects that have our labels but are no longer declared."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_prune
short_description: Remove objects that are no longer declared
description:
  - Removes the objects in a namespace that have all labels in O(selector) and are not in O(keep).
  - Leaves objects that another object owns (such as a CronJob's Jobs) to their owner.
  - Objects that a removed object owns are removed after it, such as the pods of a Job.
  - PersistentVolumeClaims and Namespaces are never removed.
options:
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) if omitted.
    type: path
  context:
    description: Context of the kubeconfig; its current one if omitted.
    type: str
  namespace:
    description: Namespace to prune. Nothing outside it is touched.
    type: str
    required: true
  selector:
    description:
      - Labels that an object must have, all of them, with these values.
      - Must include C(app.kubernetes.io/managed-by), so that it cannot match objects that others created.
    type: dict
    required: true
  keep:
    description: The declared objects, which are kept.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description: Kind of the object.
        type: str
        required: true
      name:
        description: Name of the object.
        type: str
        required: true
  kinds:
    description: Kinds to prune. Write a kind that Berth does not use itself as C(apiVersion/kind), such as C(monitoring.coreos.com/v1/ServiceMonitor).
    type: list
    elements: str
    default:
      - Deployment
      - StatefulSet
      - Job
      - CronJob
      - Service
      - Ingress
      - PodDisruptionBudget
      - HorizontalPodAutoscaler
      - ConfigMap
      - Secret
      - NetworkPolicy
      - ServiceAccount
      - Role
      - RoleBinding
  keep_referenced:
    description: Whether to keep a ConfigMap or Secret while a pod, or anything that creates pods (such as a ReplicaSet of an earlier release), refers to it.
    type: bool
    default: false
  wait:
    description: Seconds to wait until the removed objects and everything that they owned are gone; 0 does not wait. Taking longer is not a failure.
    type: int
    default: 0
attributes:
  check_mode:
    support: full
    description: Says what would be removed.
  diff_mode:
    support: full
    description: Shows kinds and names only, never the objects' content.
"""

EXAMPLES = """
- name: Remove what the app no longer declares
  berth.platform.k8s_prune:
    kubeconfig: "{{ app_kubeconfig }}"
    namespace: polls-dev
    selector:
      app.kubernetes.io/managed-by: berth
      app.kubernetes.io/instance: polls
      app.kubernetes.io/component: app
    keep:
      - {kind: Deployment, name: polls}
      - {kind: Service, name: polls}
"""

RETURN = """
removed:
  description: The objects that were removed, or would be in check mode, in the order of the kinds and by name.
  returned: always
  type: list
  elements: dict
  contains:
    kind: {description: Kind of the object., type: str}
    name: {description: Name of the object., type: str}
  sample: [{kind: CronJob, name: polls-clearsessions}]
"""

import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import client
from ..module_utils.kube.client import Cluster, KubeError, NotFound
from ..module_utils.kube.references import WORKLOADS, referenced

MANAGED_BY = "app.kubernetes.io/managed-by"
DEFAULT_KINDS = (
    "Deployment",
    "StatefulSet",
    "Job",
    "CronJob",
    "Service",
    "Ingress",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "ConfigMap",
    "Secret",
    "NetworkPolicy",
    "ServiceAccount",
    "Role",
    "RoleBinding",
)
PROTECTED = ("PersistentVolumeClaim", "PersistentVolume", "Namespace")
"""Kinds whose removal deletes data that cannot be recovered."""


def refusal(selector: Mapping[str, Any], kinds: Iterable[str]) -> str:
    """Return why this must not be pruned, or an empty string.

    Args:
        selector: Labels of the objects.
        kinds: Kinds to prune.
    """
    if not selector.get(MANAGED_BY):
        return f"The selector has no {MANAGED_BY}, so it could match objects that others created. Add {MANAGED_BY} to selector."
    protected = [kind for kind in kinds if kind in PROTECTED]
    if protected:
        return (
            f"{' and '.join(protected)} objects are never pruned, because their data would be lost. "
            "Remove them from kinds; playbooks/destroy.yml removes data if you tell it to."
        )
    unknown = [kind for kind in kinds if kind not in DEFAULT_KINDS and "/" not in kind]
    if unknown:
        return f"k8s_prune does not know the kind {unknown[0]}. It knows {', '.join(DEFAULT_KINDS)}."
    return ""


def surplus(objects: Iterable[Mapping[str, Any]], keep: Iterable[Mapping[str, str]], selector: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the objects to remove.

    Args:
        objects: As listed, each with its ``kind``.
        keep: The declared objects: ``kind`` and ``name`` of each.
        selector: Labels that an object must have. The API server has already selected by them; an object in its answer that does
            not match is left alone anyway.

    An object with an owner is left to its owner, and one that is being deleted counts as gone.
    """
    declared = {(each["kind"], each["name"]) for each in keep}
    found = []
    for each in objects:
        metadata = each["metadata"]
        labels = metadata.get("labels") or {}
        if any(labels.get(key) != str(value) for key, value in selector.items()):
            continue
        if metadata.get("ownerReferences") or metadata.get("deletionTimestamp"):
            continue
        if (each["kind"], metadata["name"]) not in declared:
            found.append(each)
    return sorted(found, key=lambda each: (_order(each["kind"]), each["metadata"]["name"]))


def _order(kind: str) -> tuple[int, str]:
    """Return the sort key of a kind; kinds that Berth does not use come last."""
    return (DEFAULT_KINDS.index(kind) if kind in DEFAULT_KINDS else len(DEFAULT_KINDS), kind)


def listed(cluster: Cluster, kinds: Iterable[str], namespace: str, query: str) -> list[Mapping[str, Any]]:
    """Return the objects of these kinds that have the labels in ``query``, which is a selector as in the API."""
    objects: list[Mapping[str, Any]] = []
    for kind in kinds:
        # An API that this cluster does not serve has no objects.
        with contextlib.suppress(NotFound):
            objects += cluster.items(kind, namespace, labelSelector=query)
    return objects


def unreferenced(cluster: Cluster, namespace: str, going: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the objects to remove, without those that something that creates pods refers to.

    Raises:
        KubeError: The objects that may refer to them cannot be read.
    """
    if not any(each["kind"] in ("ConfigMap", "Secret") for each in going):
        return going
    doomed = {each["metadata"]["uid"] for each in going}
    makers = listed(cluster, WORKLOADS, namespace, "")
    while owned := {each["metadata"]["uid"] for each in makers if _owners(each) & doomed} - doomed:  # a CronJob's Jobs, then their pods
        doomed |= owned
    needed = referenced(each for each in makers if each["metadata"]["uid"] not in doomed)
    return [each for each in going if (each["kind"], each["metadata"]["name"]) not in needed]


def _owners(each: Mapping[str, Any]) -> set[str]:
    return {reference["uid"] for reference in each["metadata"].get("ownerReferences") or []}


def main() -> None:
    """Run the module."""
    named = {"kind": {"type": "str", "required": True}, "name": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            **client.CONNECTION_OPTIONS,
            "selector": {"type": "dict", "required": True},
            "keep": {"type": "list", "elements": "dict", "required": True, "options": named},
            "kinds": {"type": "list", "elements": "str", "default": list(DEFAULT_KINDS)},
            "keep_referenced": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    options = module.params
    kinds = list(dict.fromkeys(options["kinds"]))
    if message := refusal(options["selector"], kinds):
        module.fail_json(msg=message)
    query = ",".join(f"{key}={value}" for key, value in sorted(options["selector"].items()))
    removed: list[dict[str, str]] = []
    try:
        cluster = Cluster(options["kubeconfig"], options["context"])
        going = surplus(listed(cluster, kinds, options["namespace"], query), options["keep"], options["selector"])
        if options["keep_referenced"]:
            going = unreferenced(cluster, options["namespace"], going)
        for each in going:
            name = each["metadata"]["name"]
            if not module.check_mode:
                # Either way, the garbage collector removes what the object owns (a Job's pods, ReplicaSets): after it, or before it if
                # this module waits. Without a policy, the API of Jobs would leave the pods behind.
                # https://kubernetes.io/docs/concepts/architecture/garbage-collection/#cascading-deletion
                policy = "Foreground" if options["wait"] else "Background"
                cluster.delete(each["kind"], options["namespace"], name, each["metadata"]["uid"], policy)
            removed.append({"kind": each["kind"], "name": name})
        end = time.monotonic() + (0 if module.check_mode else options["wait"])
        gone = {each["metadata"]["uid"] for each in going}
        found = list(dict.fromkeys(each["kind"] for each in going))
        while time.monotonic() < end and any(each["metadata"]["uid"] in gone for each in listed(cluster, found, options["namespace"], query)):
            time.sleep(1)
    except KubeError as error:
        module.fail_json(msg=str(error), changed=bool(removed) and not module.check_mode, removed=removed)
    lines = "".join(f"{each['kind']} {each['name']}\n" for each in removed)
    module.exit_json(changed=bool(removed), removed=removed, diff={"before": lines, "after": ""})


if __name__ == "__main__":
    main()
