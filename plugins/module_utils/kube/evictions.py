"""What keeps pods from being evicted, as it happens when a node is drained: kubernetes.io/docs/tasks/run-application/configure-pdb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

SHOWN = 5
"""How many pods a sentence names."""

# karpenter.sh/docs/concepts/disruption: what keeps EKS Auto Mode from replacing a pod's node.
KEEP = "karpenter.sh/do-not-disrupt"


def obstacles(budgets: list[Object], pods: list[Object]) -> list[str]:
    """Return what does not let pods be evicted now, a sentence each with what to do.

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
            # The eviction API answers 500 to that: kubernetes.io/docs/concepts/scheduling-eviction/api-eviction
            text = f"Pod {namespace}/{several} is covered by several PodDisruptionBudgets, {', '.join(names)}, so it cannot be evicted at all."
            found.append(f"{text} Let only one select it.")
    for pod in evictable:
        if (pod["metadata"].get("annotations") or {}).get(KEEP) == "true":
            text = f"Pod {pod['metadata']['namespace']}/{pod['metadata']['name']} has the annotation {KEEP}, so its node is not replaced."
            found.append(f"{text} Take it off, or end the pod when it may.")
    return found


def lost(pods: list[Object]) -> list[str]:
    """Return pods that nothing makes again once they are evicted, a sentence each."""
    return [
        f"Pod {pod['metadata']['namespace']}/{pod['metadata']['name']} belongs to no Deployment or the like: evicted, it is gone for good."
        for pod in pods
        if _evictable(pod) and not any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences") or [])
    ]


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a label selector of policy/v1 selects something with ``labels``: none selects nothing, an empty one everything.

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
    """Whether draining a node evicts a pod: it runs, and is neither a DaemonSet's nor the kubelet's own."""
    owners = {owner.get("kind") for owner in pod["metadata"].get("ownerReferences") or []}
    return pod.get("status", {}).get("phase") in ("Running", "Pending") and not owners & {"DaemonSet", "Node"} and "deletionTimestamp" not in pod["metadata"]


def _sentence(budget: Object, pods: list[Object]) -> str:
    status, spec = budget.get("status", {}), budget["spec"]
    rule = next((f"{key} {spec[key]}" for key in ("minAvailable", "maxUnavailable") if key in spec), "no rule")
    healthy, needed, expected = (status.get(key, 0) for key in ("currentHealthy", "desiredHealthy", "expectedPods"))
    names = [f"{pod['metadata']['name']} on {pod['spec'].get('nodeName') or 'no node yet'}" for pod in pods]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    text = f"PodDisruptionBudget {budget['metadata']['namespace']}/{budget['metadata']['name']} ({rule}) lets no pod be evicted:"
    text = f"{text} {healthy} of {expected} pods are healthy and {needed} have to be ({', '.join(names[:SHOWN])}{more})."
    if needed >= expected:
        return f"{text} It never does with {expected}: run more pods, or lower what it asks for."
    return f"{text} Mend the pods that are not healthy, and it does."
