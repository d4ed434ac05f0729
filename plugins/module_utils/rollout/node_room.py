"""Which room the nodes have for a pod, which pods take it, and whether some of it is about to come free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..formats import quantity
from ..kube.objects import dig
from ..kube.resources import shown
from .model import Snapshot
from .reading import is_young, name_of

Object = Mapping[str, Any]
SHOWN = 5
"""How many namespaces a message names."""


@dataclass(frozen=True)
class Resource:
    """One of the resources that a node lacks for a pod.

    Attributes:
        name: As the scheduler says it, e.g. ``cpu``.
    """

    name: str

    def of_pod(self, pod: Object) -> Decimal:
        """Return how much a pod requests: https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers."""
        if self.name == "pods":
            return Decimal(1)
        running = sum((self._of(each) for each in dig(pod, "spec", "containers") or []), Decimal(0))
        first = Decimal(0)
        for each in dig(pod, "spec", "initContainers") or []:
            if each.get("restartPolicy") == "Always":  # a sidecar stays
                running += self._of(each)
            else:
                first = max(first, self._of(each))
        return max(running, first) + (quantity(dig(pod, "spec", "overhead", self.name)) or 0)

    def _of(self, container: Object) -> Decimal:
        return quantity(dig(container, "resources", "requests", self.name)) or Decimal(0)

    def of_node(self, node: Object) -> Decimal:
        """Return how much a node has for pods."""
        return quantity(dig(node, "status", "allocatable", self.name)) or Decimal(0)


def comes_free(snapshot: Snapshot) -> bool:
    """Whether room is about to come free: elsewhere in the cluster, pods are leaving or began within the last minute.

    The release of another environment has an extra pod for a moment.
    """
    mine = {dig(each, "metadata", "uid") for each in snapshot.pods}
    others = (each for each in _placed(snapshot.neighbours or ()) if dig(each, "metadata", "uid") not in mine)
    return any(dig(each, "metadata", "deletionTimestamp") or is_young(dig(each, "metadata", "creationTimestamp"), snapshot.now) for each in others)


def fits_an_empty_node(nodes: Iterable[Object], pod: Object, lacking: Iterable[str]) -> bool:
    """Whether one of the nodes would have room for the pod if nothing else were there."""
    resources = [Resource(name) for name in lacking]
    if not resources:
        return False
    return any(all(each.of_pod(pod) <= each.of_node(node) for each in resources) for node in nodes)


def _placed(pods: Iterable[Object]) -> list[Object]:
    """Return the pods that take room on a node."""
    return [pod for pod in pods if dig(pod, "spec", "nodeName") and dig(pod, "status", "phase") not in ("Succeeded", "Failed")]


def described(snapshot: Snapshot, pod: Object, lacking: Iterable[str]) -> str:
    """Return a line for each resource that nodes lack: what the pod requests, what the nodes have, and which namespaces have requested it.

    It is empty if the nodes may not be read.
    """
    lines = []
    for resource in map(Resource, lacking):
        amounts = [resource.of_node(node) for node in snapshot.nodes]
        if not amounts:
            continue
        of_pod = shown(resource.of_pod(pod), resource.name)
        if len(amounts) == 1:
            nodes = f"the node {name_of(snapshot.nodes[0])} has {shown(amounts[0], resource.name)}"
        else:
            nodes = f"the {len(amounts)} nodes have {shown(sum(amounts, Decimal(0)), resource.name)} (the largest {shown(max(amounts), resource.name)})"
        taken = _taken(resource, snapshot.neighbours or ())
        lines.append(f"{resource.name}: the pod requests {of_pod}, {nodes}" + (f"; already requested: {taken}" if taken else ""))
    return "\n".join(lines)


def _taken(resource: Resource, pods: Iterable[Object]) -> str:
    taken: dict[str, Decimal] = {}
    for each in _placed(pods):
        namespace = dig(each, "metadata", "namespace") or ""
        taken[namespace] = taken.get(namespace, Decimal(0)) + resource.of_pod(each)
    most = sorted(((amount, namespace) for namespace, amount in taken.items() if amount), reverse=True)
    named = [f"{namespace} {shown(amount, resource.name)}" for amount, namespace in most[:SHOWN]]
    if others := most[SHOWN:]:
        named.append(f"{len(others)} more {shown(sum((amount for amount, _ in others), Decimal(0)), resource.name)}")
    return ", ".join(named)
