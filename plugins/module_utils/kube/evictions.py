"""What keeps pods from being evicted when a node is drained: kubernetes.io/docs/tasks/run-application/configure-pdb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

SHOWN = 5
"""How many pods a message names."""

# karpenter.sh/docs/concepts/disruption: what keeps EKS Auto Mode from replacing a pod's node.
KEEP = "karpenter.sh/do-not-disrupt"


def obstacles(budgets: list[Object], pods: list[Object]) -> list[str]:
    """Return what prevents the eviction of pods now, one message each, with what to do.

    Args:
        budgets, pods: All PodDisruptionBudgets and Pods of the cluster, as the API server lists them.
    """
    covered: dict[tuple[str, str], list[str]] = {}
    found = []
    evictable = [pod for pod in pods if _evictable(pod)]
    for budget in budgets:
        namespace, name = budget["metadata"]["namespace"], budget["metadata"]["name"]
        own = [pod for pod in evictable if pod["metadata"]["namespace"] == namespace and matches(budget["spec"].get("selector"), pod["metadata"].get("labels"))]
        for pod in own:
            covered.setdefault((namespace, pod["metadata"]["name"]), []).append(name)
        if own and not budget.get("status", {}).get("disruptionsAllowed"):
            found.append(_sentence(budget, own))
    for (namespace, several), names in covered.items():
        if len(names) > 1:
            # The eviction API answers this with 500: kubernetes.io/docs/concepts/scheduling-eviction/api-eviction
            text = f"Pod {namespace}/{several} is covered by several PodDisruptionBudgets, {', '.join(names)}, so it can never be evicted."
            found.append(f"{text} Change the selectors so that only one matches it.")
    for pod in evictable:
        if (pod["metadata"].get("annotations") or {}).get(KEEP) == "true":
            text = f"Pod {pod['metadata']['namespace']}/{pod['metadata']['name']} has the annotation {KEEP}, so its node cannot be replaced."
            found.append(f"{text} Remove the annotation, or delete the pod when that is safe.")
    return found


def lost(pods: list[Object]) -> list[str]:
    """Return the pods that nothing recreates once they are evicted, one message each."""
    return [
        f"Pod {pod['metadata']['namespace']}/{pod['metadata']['name']} is not managed by a Deployment or the like: once evicted, it is gone for good."
        for pod in pods
        if _evictable(pod) and not any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences") or [])
    ]


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a policy/v1 label selector matches ``labels``: a missing selector matches nothing, an empty one everything.

    The rules are those of kubernetes.io/docs/concepts/overview/working-with-objects/labels.
    """
    if selector is None:
        return False
    labels = labels or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or []:
        key, values = rule["key"], rule.get("values") or []
        good = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not good.get(rule["operator"], False):
            return False
    return True


def _evictable(pod: Object) -> bool:
    """Whether draining a node evicts a pod: it runs, and belongs neither to a DaemonSet nor to the kubelet."""
    owners = {owner.get("kind") for owner in pod["metadata"].get("ownerReferences") or []}
    return pod.get("status", {}).get("phase") in ("Running", "Pending") and not owners & {"DaemonSet", "Node"} and "deletionTimestamp" not in pod["metadata"]


def _sentence(budget: Object, pods: list[Object]) -> str:
    status, spec = budget.get("status", {}), budget["spec"]
    rule = next((f"{key} {spec[key]}" for key in ("minAvailable", "maxUnavailable") if key in spec), "no rule")
    healthy, needed, expected = (status.get(key, 0) for key in ("currentHealthy", "desiredHealthy", "expectedPods"))
    names = [f"{pod['metadata']['name']} on {pod['spec'].get('nodeName') or 'no node yet'}" for pod in pods]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    text = f"PodDisruptionBudget {budget['metadata']['namespace']}/{budget['metadata']['name']} ({rule}) does not allow any eviction:"
    text = f"{text} {healthy} of {expected} pods are healthy and {needed} have to be ({', '.join(names[:SHOWN])}{more})."
    if needed >= expected:
        return f"{text} With {expected} it never allows one: run more pods, or lower the budget's requirement."
    return f"{text} Fix the pods that are not healthy, and it will."
