"""How much memory pods use, and which of the app's containers are close to their limit. From Kubernetes objects to data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..formats import quantity
from ..kube import processes, served_files
from ..kube.objects import dig
from .incidents import MEMORY
from .model import plain_problem

Object = Mapping[str, Any]
METRICS = "metrics.k8s.io/v1beta1/PodMetrics"
"""The kind that holds the resource use of a pod; metrics-server serves it."""
NEAR = 0.9
"""The fraction of its limit above which a container is close to it: requests differ, and Python returns little memory."""
MIB = 2**20


@dataclass(frozen=True)
class Use:
    """The memory use of a pod's fullest container, in MiB."""

    container: str
    used: int
    limit: int
    """0 if there is none."""

    def __str__(self) -> str:
        """Return it as a cell of a table."""
        return f"{self.used}/{self.limit} Mi" if self.limit else f"{self.used} Mi"


def uses(pods: Iterable[Object], metrics: Iterable[Object]) -> dict[str, Use]:
    """Return the memory use of each pod's fullest container, by the pod's name: the container that uses the largest part of its limit.

    Args:
        pods: As read from the API server.
        metrics: Objects of the kind METRICS.
    """
    used = {
        (each["metadata"]["name"], container["name"]): quantity(dig(container, "usage", "memory")) or 0
        for each in metrics
        for container in each.get("containers") or []
    }
    found: dict[str, Use] = {}
    for pod in pods:
        name = pod["metadata"]["name"]
        mine = [
            Use(each["name"], int(used[name, each["name"]] / MIB), int((quantity(dig(each, "resources", "limits", "memory")) or 0) / MIB))
            for each in dig(pod, "spec", "containers") or []
            if (name, each["name"]) in used
        ]
        if mine:
            found[name] = max(mine, key=lambda use: use.used / use.limit if use.limit else 0)
    return found


def problems(pods: Iterable[Object], found: Mapping[str, Use]) -> list[dict[str, str]]:
    """Return a problem for each of the app's pods that is close to its limit. A database fills its memory with caches that it can drop."""
    own = ("web", processes.COMPONENT)
    near = [
        (pod["metadata"]["name"], use)
        for pod in pods
        if (use := found.get(pod["metadata"]["name"]))
        and use.container != served_files.CONTAINER
        and dig(pod, "metadata", "labels", "app.kubernetes.io/component") in own
        and use.used > NEAR * use.limit > 0
    ]
    told = "the container {0.container} uses {0.used} of {0.limit} MiB, and is killed at the limit (OOMKilled)"
    return [plain_problem("Pod", name, "memory", told.format(use), MEMORY, use.container) for name, use in near]
