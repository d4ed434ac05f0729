"""Which ConfigMaps and Secrets pods refer to. All functions take plain dicts, as the API server returns them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .objects import dig

Object = Mapping[str, Any]

WORKLOADS = ("Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
"""Kinds with a pod spec."""
_TEMPLATES = {"Pod": ("spec",), "CronJob": ("spec", "jobTemplate", "spec", "template", "spec")}


def pod_path(kind: str) -> tuple[str, ...]:
    """Return the path of the pod spec in an object of a kind in WORKLOADS."""
    return _TEMPLATES.get(kind, ("spec", "template", "spec"))


def pod_spec(workload: Object) -> Object:
    """Return the spec of the pods that an object of a kind in WORKLOADS is or creates."""
    return dig(workload, *pod_path(workload["kind"])) or {}


def references(spec: Object) -> set[tuple[str, str]]:
    """Return kind and name of each ConfigMap and Secret that a pod spec refers to.

    Fields: kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1
    """
    found = [("Secret", each.get("name")) for each in spec.get("imagePullSecrets") or []]
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        for source in container.get("envFrom") or []:
            found += _named(source, {"configMapRef": "ConfigMap", "secretRef": "Secret"})
        for variable in container.get("env") or []:
            found += _named(variable.get("valueFrom") or {}, {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"})
    for volume in spec.get("volumes") or []:
        found += _volume(volume)
        for source in dig(volume, "projected", "sources") or []:
            found += _volume(source)
    return {(kind, name) for kind, name in found if name}


def referenced(workloads: Iterable[Object]) -> set[tuple[str, str]]:
    """Return kind and name of everything that the objects, each with its ``kind``, refer to."""
    return {reference for workload in workloads for reference in references(pod_spec(workload))}


def _named(source: Object, kinds: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for field, kind in kinds.items():
        if name := dig(source, field, "name"):
            yield kind, name


def _volume(volume: Object) -> Iterator[tuple[str, str]]:
    yield from _named(volume, {"configMap": "ConfigMap", "secret": "Secret"})
    if name := dig(volume, "secret", "secretName"):
        yield "Secret", name
