"""The live objects of an environment, and how they relate to each other. Nothing is read here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.apply import MANAGED_BY, OWN
from ..kube.evictions import matches
from ..kube.objects import condition, dig
from ..kube.references import WORKLOADS, pod_path, pod_spec

Object = Mapping[str, Any]

LASTING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
"""Kinds that keep pods running."""
SERVING = (*LASTING, "Pod")
KINDS = (
    *WORKLOADS,
    "Service",
    "Ingress",
    "ConfigMap",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "LimitRange",
    "Namespace",
    "Node",
)
"""The kinds that an audit inspects."""


@dataclass(frozen=True)
class Container:
    """A container of a workload's pods, and where its description is."""

    workload: Object
    path: str
    spec: Object

    @property
    def image(self) -> str:
        """The image's reference."""
        return str(self.spec.get("image") or "")

    def secured(self, field: str) -> Any:
        """Return a setting of its security context, or the pod's where it has none of its own."""
        own = dig(self.spec, "securityContext", field)
        return dig(pod_spec(self.workload), "securityContext", field) if own is None else own


@dataclass(frozen=True)
class Live:
    """The objects that an audit inspects.

    Attributes:
        objects: Those of one namespace by kind, each with its ``kind``, and the nodes; a kind that could not be read is absent.
        environment: The environment's name.
        namespace: The namespace's.
        app: The app's.
        provider: Of the cluster.
        others: Names of other environments, or of namespaces, of the cluster.
    """

    objects: Mapping[str, Sequence[Object]]
    environment: str
    namespace: str
    app: str
    provider: str = "existing"
    others: tuple[str, ...] = ()

    def of(self, *kinds: str) -> list[Object]:
        """Return the objects of these kinds."""
        return [each for kind in kinds for each in self.objects.get(kind, ())]

    def workloads(self, *kinds: str) -> list[Object]:
        """Return what holds a description of pods, of these kinds or of all: not what another of them made, such as a pod of a Job, nor what has ended."""
        return [each for each in self.of(*(kinds or WORKLOADS)) if not made_by_workload(each) and not ended(each)]

    def containers(self, *kinds: str) -> Iterator[Container]:
        """Yield the containers of ``workloads``, init containers first."""
        for workload in self.workloads(*kinds):
            yield from containers(workload)

    def selected(self, selector: Object | None, *kinds: str) -> list[Object]:
        """Return the workloads whose pods a label selector matches; None matches none."""
        return [] if selector is None else [each for each in self.workloads(*kinds) if matches(selector, pod_labels(each))]

    def behind(self, service: Object) -> list[Object]:
        """Return the workloads to whose pods a Service sends requests."""
        labels = dig(service, "spec", "selector")
        return self.selected({"matchLabels": labels}) if labels else []

    def serves(self, workload: Object) -> bool:
        """Whether a Service sends requests to a workload's pods, or one of their containers says that it listens."""
        listens = any(each.spec.get("ports") for each in containers(workload))
        return listens or any(workload in self.behind(service) for service in self.of("Service"))

    def pods(self, workload: Object) -> list[Object]:
        """Return the pods that a workload has now, itself where it is one."""
        wanted = {"matchLabels": pod_labels(workload)}
        return [workload] if workload["kind"] == "Pod" else [each for each in self.of("Pod") if wanted["matchLabels"] and matches(wanted, labels(each))]

    def replicas(self, workload: Object) -> int:
        """Return how many pods are wanted, at least."""
        for scaler in self.of("HorizontalPodAutoscaler"):
            if target(scaler) == (workload["kind"], name(workload)):
                return int(dig(scaler, "spec", "minReplicas") or 1)
        wanted = dig(workload, "spec", "replicas")
        return 1 if wanted is None else int(wanted)


def name(thing: Object) -> str:
    """Return an object's name."""
    return str(thing["metadata"]["name"])


def title(thing: Object) -> str:
    """Return kind and name."""
    return f"{thing['kind']} {name(thing)}"


def labels(thing: Object) -> dict[str, str]:
    """Return an object's labels."""
    return dig(thing, "metadata", "labels") or {}


def made_by_berth(thing: Object) -> bool:
    """Whether one of Berth's own templates made an object."""
    return labels(thing).get(MANAGED_BY) == "berth" and OWN not in labels(thing)


def own(thing: Object) -> bool:
    """Whether a manifest of ``berth_app_objects`` made an object."""
    return OWN in labels(thing)


def owners(thing: Object) -> set[str]:
    """Return the kinds of what made an object, and makes it again."""
    return {str(each.get("kind")) for each in dig(thing, "metadata", "ownerReferences") or []}


def made_by_workload(thing: Object) -> bool:
    """Whether another of the objects that are looked at made it, or a node its own pod. What an operator made stands for itself."""
    return bool(owners(thing) & {*WORKLOADS, "Node"})


def ended(thing: Object) -> bool:
    """Whether a Job or a pod has run, and does not again."""
    finished = thing["kind"] == "Job" and (condition(thing, "Complete") or condition(thing, "Failed"))
    return bool(finished) or dig(thing, "status", "phase") in ("Succeeded", "Failed")


def pod_labels(workload: Object) -> dict[str, str]:
    """Return the labels of a workload's pods."""
    return dig(workload, *pod_path(workload["kind"])[:-1], "metadata", "labels") or {}


def containers(workload: Object) -> Iterator[Container]:
    """Yield the containers of a workload's pods, init containers first."""
    path = ".".join(pod_path(workload["kind"]))
    for field in ("initContainers", "containers"):
        for each in pod_spec(workload).get(field) or []:
            yield Container(workload, f"{path}.{field}[{each.get('name', '')}]", each)


def mains(workload: Object) -> list[Container]:
    """Return the containers that run side by side."""
    return [each for each in containers(workload) if ".containers[" in each.path]


def pod_field(workload: Object, field: str) -> str:
    """Return the path of a field of a workload's pods."""
    return ".".join((*pod_path(workload["kind"]), field))


def labels_field(workload: Object) -> str:
    """Return the path of the labels of a workload's pods."""
    return ".".join((*pod_path(workload["kind"])[:-1], "metadata", "labels"))


def target(scaler: Object) -> tuple[str, str]:
    """Return kind and name of what an autoscaler scales."""
    reference = dig(scaler, "spec", "scaleTargetRef") or {}
    return str(reference.get("kind", "")), str(reference.get("name", ""))
