"""The project's own objects: where their manifests are, and what Berth does not apply."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..module_utils.kube.apply import INSTANCE, MANAGED_BY, OWN, documents, flatten

TEMPLATE = ".j2"
"""The suffix of files that are templates; others are used unchanged, including braces."""
APART = frozenset({"Namespace", "Node", "PersistentVolume", "StorageClass", "IngressClass", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"})
"""Kinds that are certainly not namespaced; for others, the API server knows."""


def found(pattern: str, bases: Iterable[Path]) -> list[Path]:
    """Return the files that a pattern matches in the first of the directories that has any, sorted by name.

    >>> found("/no/such/*.yml", [Path("/")])
    []
    """
    if Path(pattern).is_absolute():
        bases, pattern = [Path("/")], pattern.lstrip("/")
    for base in bases:
        if files := sorted(path for path in base.glob(pattern) if path.is_file()):
            return files
    return []


def of_text(text: str) -> list[dict[str, Any]]:
    """Return the objects of a manifest.

    Raises:
        ValueError: It is not YAML, or something in it is not a Kubernetes object.
    """
    read = documents(text)
    if wrong := next((each for each in read if each is not None and not isinstance(each, dict)), None):
        raise ValueError(f"{type(wrong).__name__} instead of an object")
    try:
        objects = flatten(read)
    except AttributeError as error:
        raise ValueError("a List contains something other than an object") from error
    for each in objects:
        for key in ("apiVersion", "kind"):
            if not isinstance(each, dict) or not isinstance(each.get(key), str):
                raise ValueError(f"an object has no {key}")
        metadata = each.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            raise ValueError(f"a {each['kind']} has no metadata.name")
    return objects


def problem(item: Mapping[str, Any], namespace: str, app: str, names: Mapping[str, Iterable[str]]) -> str:
    """Return why an object is not applied, "" if nothing is wrong with it.

    Args:
        item: The object.
        namespace: The app's namespace.
        app: The app's name.
        names: See ``taken``.
    """
    title, metadata = f"{item['kind']} {item['metadata']['name']}", item["metadata"]
    if item["kind"] in APART:
        return f"{title} is not namespaced, so it is not part of the app; apply it with kubectl"
    if metadata.get("namespace", namespace) != namespace:
        return f"{title} is in the namespace {metadata['namespace']}, but the app's is {namespace}; remove its namespace, or apply it with kubectl"
    if any(re.fullmatch(each, metadata["name"]) for each in names.get(item["kind"], ())):
        return f"{title} has a name that Berth uses itself; call it {app}-own-{metadata['name']}"
    return ""


def taken(app: str, processes: Iterable[str], schedules: Iterable[str], aliases: Iterable[str]) -> dict[str, list[str]]:
    """Return the names (regular expressions) that Berth itself uses in the app's namespace, by kind."""
    name, any_hash = re.escape(app), "[0-9a-f]+"
    mine = [name, *(f"{name}-{re.escape(process)}" for process in processes)]
    configuration = [f"{name}-{any_hash}", "database.*"]
    return {
        "Deployment": [*mine, "cache"],
        "PodDisruptionBudget": mine,
        "HorizontalPodAutoscaler": mine,
        "StatefulSet": ["database"],
        "CronJob": [f"{name}-{re.escape(schedule)}" for schedule in schedules],
        "Job": [f"{name}-(release|migrations|command)-.*", "database-login-.*", "network-policy-probe"],
        "Service": [name, "database", "cache", *map(re.escape, aliases)],
        "Ingress": [name],
        "ConfigMap": [*configuration, f"{name}-own-kinds"],
        "Secret": [*configuration, f"{name}-fingerprint-key", "registry", "cache"],
        "PersistentVolumeClaim": ["data-database-0"],
        "NetworkPolicy": ["default-deny", "allow-(dns|web|app-egress|app-to-database|database-from-app|cache-from-app|app-to-cache)"],
        "ResourceQuota": [name],
        "LimitRange": [name],
    }


def prepared(item: Mapping[str, Any], app: str) -> dict[str, Any]:
    """Return an object with the labels that identify it in later releases."""
    labels = {**(item["metadata"].get("labels") or {}), MANAGED_BY: "berth", INSTANCE: app, OWN: "true"}
    return {**_stored(item), "metadata": {**item["metadata"], "labels": labels}}


def _stored(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as the API server stores it, so that both can be compared: a Secret's ``stringData`` becomes part of its ``data``.

    https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/
    """
    if item["kind"] != "Secret" or not isinstance(item.get("stringData"), dict):
        return dict(item)
    texts = {name: base64.b64encode(str(value).encode()).decode() for name, value in item["stringData"].items()}
    return {**{key: value for key, value in item.items() if key != "stringData"}, "data": {**(item.get("data") or {}), **texts}}
