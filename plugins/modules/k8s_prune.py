"""Remove objects that are labelled as ours and no longer declared."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_prune
short_description: Remove what is no longer declared
description:
  - Removes the objects of a namespace that carry all labels of O(selector) and are not in O(keep).
  - What an object of another kind owns (a CronJob its Jobs) is left to its owner.
  - What an object owns goes after it, e.g. the pods of a Job.
  - PersistentVolumeClaims and Namespaces are never removed.
options:
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) when left out.
    type: path
  context:
    description: Context of the kubeconfig; its current one when left out.
    type: str
  namespace:
    description: Namespace to look in. Nothing outside of it is touched.
    type: str
    required: true
  selector:
    description:
      - Labels that an object must carry, all of them, with these values.
      - Must include C(app.kubernetes.io/managed-by), so that what others made cannot be meant.
    type: dict
    required: true
  keep:
    description: What is declared, and so stays.
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
    description: Kinds to look at; one that is not among Berth's as C(apiVersion/kind), such as C(monitoring.coreos.com/v1/ServiceMonitor).
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
    description: Whether a ConfigMap or Secret stays while a pod, or anything that makes pods (a ReplicaSet of an earlier release, too), refers to it.
    type: bool
    default: false
  wait:
    description: Seconds to wait until what was removed is gone with all that it owned; 0 does not wait. That it takes longer is no failure.
    type: int
    default: 0
attributes:
  check_mode:
    support: full
    description: Says what would be removed.
  diff_mode:
    support: full
    description: Shows kinds and names only, never what the objects hold.
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
  description: What was removed, or would be in check mode, in the order of the kinds and by name.
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
"""Kinds whose removal takes data along that cannot be had again."""


def refusal(selector: Mapping[str, Any], kinds: Iterable[str]) -> str:
    """Return why this must not be pruned, or an empty string.

    Args:
        selector: Labels that the objects carry.
        kinds: Kinds to look at.
    """
    if not selector.get(MANAGED_BY):
        return f"The selector names no {MANAGED_BY}, so it could mean objects that others made. Add {MANAGED_BY} to selector."
    protected = [kind for kind in kinds if kind in PROTECTED]
    if protected:
        return (
            f"{' and '.join(protected)} objects are never pruned, for their data would be lost. "
            "Take them out of kinds; playbooks/destroy.yml removes data, when it is told to."
        )
    unknown = [kind for kind in kinds if kind not in DEFAULT_KINDS and "/" not in kind]
    if unknown:
        return f"k8s_prune does not know the kind {unknown[0]}. It knows {', '.join(DEFAULT_KINDS)}."
    return ""


def surplus(objects: Iterable[Mapping[str, Any]], keep: Iterable[Mapping[str, str]], selector: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the objects that are to be removed.

    Args:
        objects: As listed, each with its ``kind``.
        keep: What is declared: ``kind`` and ``name`` of each.
        selector: Labels that an object must carry. The API server has selected by them already; an answer that does
            not fit is left alone all the same.

    An object with an owner is left to it, and one that is being deleted is gone as far as we are concerned.
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
    """Return what kinds are sorted by; those of others come last."""
    return (DEFAULT_KINDS.index(kind) if kind in DEFAULT_KINDS else len(DEFAULT_KINDS), kind)


def listed(cluster: Cluster, kinds: Iterable[str], namespace: str, query: str) -> list[Mapping[str, Any]]:
    """Return the objects of these kinds that carry the labels of ``query``, as the API writes a selector."""
    objects: list[Mapping[str, Any]] = []
    for kind in kinds:
        # An API that this cluster does not serve has no objects.
        with contextlib.suppress(NotFound):
            objects += cluster.items(kind, namespace, labelSelector=query)
    return objects


def unreferenced(cluster: Cluster, namespace: str, going: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return of the objects that are to go those that nothing which makes pods refers to.

    Raises:
        KubeError: What refers to them cannot be read.
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
                # Either way the garbage collector takes what the object owns (pods of a Job, ReplicaSets): after it, or before it where
                # somebody waits for that. Without a policy the API of Jobs would leave the pods behind.
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
