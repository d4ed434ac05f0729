"""What an existing cluster that Berth did not create allows and offers."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import ipaddress
import itertools
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:  # preflight reads a kubeconfig here without the Kubernetes client, which is slow to import
    from .client import Cluster

KUBELET_PORT = 10250  # https://kubernetes.io/docs/reference/networking/ports-and-protocols/
REACH = 1.0  # seconds within which a node has to accept a connection

APPLY = ("get", "create", "patch")
# What a release does in its namespace: API group, resource, verbs. Used by k8s_apply, k8s_rollout, k8s_released and k8s_prune.
NEEDED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "resourcequotas", APPLY),
    ("", "limitranges", APPLY),
    ("", "configmaps", (*APPLY, "list", "delete")),
    ("", "secrets", (*APPLY, "list", "delete")),
    ("", "services", (*APPLY, "list", "delete")),
    ("", "pods", ("get", "list", "delete")),
    ("", "pods/log", ("get",)),
    ("", "pods/portforward", ("create", "get")),
    ("", "events", ("list",)),
    ("", "persistentvolumeclaims", ("get", "list")),
    ("apps", "deployments", (*APPLY, "list", "delete")),
    ("apps", "replicasets", ("list", "patch")),
    ("apps", "statefulsets", ("list",)),
    ("apps", "daemonsets", ("list",)),
    ("batch", "jobs", (*APPLY, "list", "delete")),
    ("batch", "cronjobs", (*APPLY, "list", "delete")),
    ("autoscaling", "horizontalpodautoscalers", (*APPLY, "list", "delete")),
    ("networking.k8s.io", "networkpolicies", (*APPLY, "list", "delete")),
    ("policy", "poddisruptionbudgets", (*APPLY, "list", "delete")),
)
# What it does in addition if the database is in the cluster.
NEEDED_BY_DATABASE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("apps", "statefulsets", (*APPLY, "delete")),
    ("", "persistentvolumeclaims", ("patch",)),
    ("", "pods/exec", ("create", "get")),
)
# What it does in addition if the app has volumes, whose files are backed up through a pod.
NEEDED_BY_VOLUMES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "persistentvolumeclaims", ("create", "patch")),
    ("", "pods/exec", ("create", "get")),
)
# What runbooks read in addition; without it, a status or an audit says what it could not read.
READ_BY_RUNBOOKS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("networking.k8s.io", "ingresses", ("get", "list")),
    ("", "limitranges", ("list",)),
    ("metrics.k8s.io", "pods", ("list",)),
)


def namespace_rules(namespace: str) -> list[dict[str, list[str]]]:
    """Return the rules of a Role for everything that a run and the runbooks do in an existing namespace.

    The namespace itself can only be read: anyone who may change its labels can lift the restrictions on its pods
    (https://kubernetes.io/docs/concepts/security/pod-security-admission/). A resource that is in two lists gets the verbs of both, and a resource
    that can be listed can also be read individually and watched, as kubectl does.
    """
    verbs: dict[tuple[str, str], list[str]] = {}
    for group, resource, more in (*NEEDED, *NEEDED_BY_DATABASE, *NEEDED_BY_VOLUMES, *READ_BY_RUNBOOKS):
        verbs.setdefault((group, resource), []).extend((*more, "get", "watch") if "list" in more else more)
    rules = [{"apiGroups": [group], "resources": [resource], "verbs": list(dict.fromkeys(allowed))} for (group, resource), allowed in verbs.items()]
    return [{"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [namespace], "verbs": ["get"]}, *rules]


class ExistingError(Exception):
    """The kubeconfig cannot be used; the text is for the user and starts with the variable to change."""


def read_context(source: Path, name: str) -> dict[str, Any]:
    """Return a kubeconfig with only one context of ``source``, its files inlined and its paths made absolute.

    Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/

    Raises:
        ExistingError: There is no such file or context, or it is incomplete.
    """
    try:
        document = yaml.safe_load(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExistingError(f"berth_existing_kubeconfig: {source} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ExistingError(f"berth_existing_kubeconfig: {source} is not YAML") from error
    document = document if isinstance(document, dict) else {}
    contexts = {one.get("name"): one.get("context") or {} for one in document.get("contexts") or []}
    if name not in contexts:
        known = ", ".join(sorted(map(str, contexts))) or "none"
        raise ExistingError(f"berth_existing_context: {source} has no context {name}; it has {known}")
    found: dict[str, Any] = {}
    for kind in ("cluster", "user"):
        entries = {one.get("name"): one.get(kind) or {} for one in document.get(f"{kind}s") or []}
        wanted = contexts[name].get(kind)
        if wanted not in entries:
            raise ExistingError(f"berth_existing_context: {name} of {source} names the {kind} {wanted}, which the file does not have")
        found[kind] = _flat(entries[wanted], source.parent)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": found["cluster"]}],
        "users": [{"name": name, "user": found["user"]}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def _flat(entry: dict[str, Any], base: Path) -> dict[str, Any]:
    """Return a cluster or user with the content of the files that it names; token files stay files, because they change."""
    flat = dict(entry)
    for field in ("certificate-authority", "client-certificate", "client-key"):
        if path := flat.pop(field, None):
            try:
                flat[f"{field}-data"] = base64.b64encode((base / path).read_bytes()).decode()
            except OSError as error:
                raise ExistingError(f"berth_existing_kubeconfig: its {field} {base / path} cannot be read: {error.strerror}") from error
    if "tokenFile" in flat:
        flat["tokenFile"] = str(base / flat["tokenFile"])
    command = (flat.get("exec") or {}).get("command", "")
    if os.sep in command:  # relative to the kubeconfig, which will be in another directory
        flat["exec"] = {**flat["exec"], "command": str(base / command)}
    return flat


def refused(cluster: Cluster, namespace: str, database: bool = False, volumes: bool = False) -> list[str]:
    """Return what a release does but the user may not do, as ``resource: verbs`` phrases.

    Asked with SelfSubjectAccessReview (https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/), several at a time.
    The namespace itself is only created if it is missing; if it exists, rights to it alone are enough, which a Role in it grants
    (https://kubernetes.io/docs/reference/access-authn-authz/authorization/: a request for a namespace is one within it).

    Args:
        cluster: The cluster, as this user.
        namespace: The app's namespace.
        database: Whether the database is in the cluster too.
        volumes: Whether the app has volumes.

    Raises:
        Unreachable, KubeError: The API server does not answer.
    """
    needed = [*NEEDED, *(NEEDED_BY_DATABASE if database else ()), *(NEEDED_BY_VOLUMES if volumes else ())]
    questions = list(dict.fromkeys((group, resource, verb, namespace, "") for group, resource, verbs in needed for verb in verbs))
    there, _ = cluster.ask(f"/api/v1/namespaces/{namespace}")
    questions.append(("", "namespaces", "get", namespace, namespace))
    questions.append(("", "namespaces", "patch", namespace, namespace) if there == 200 else ("", "namespaces", "create", "", ""))
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda question: _allowed(cluster, *question), questions))
    denied: dict[str, list[str]] = {}
    for (group, resource, verb, *_), allowed in zip(questions, answers, strict=True):
        if not allowed:
            denied.setdefault(f"{resource}.{group}" if group else resource, []).append(verb)
    return [f"{resource}: {', '.join(verbs)}" for resource, verbs in denied.items()]


def _allowed(cluster: Cluster, group: str, resource: str, verb: str, namespace: str, name: str) -> bool:
    plural, _, subresource = resource.partition("/")
    attributes = {"group": group, "resource": plural, "subresource": subresource, "verb": verb, "namespace": namespace, "name": name}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    _, answer = cluster.ask("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    return bool((answer.get("status") or {}).get("allowed"))


def capabilities(cluster: Cluster, reach: Callable[[str], bool] | None = None) -> dict[str, Any]:
    """Return what the cluster offers; ``reach`` says whether a node's address can be reached from here.

    ``version``; ``storage_classes`` and ``storage_class`` (the default one, "" for none); ``metrics``, ``gateway`` (their API groups are served);
    ``load_balancer`` (a cloud's or another implementation is in use); ``node_address`` (one that can be reached from here, "" for none);
    ``nodes``, the addresses of each; ``architectures``, each of theirs once. What the user may not read counts as missing, except storage classes and
    nodes, which are then None.
    """
    _, version = cluster.ask("/version")
    _, groups = cluster.ask("/apis")
    served = {group["name"] for group in groups.get("groups") or []}
    status, classes = cluster.ask("/apis/storage.k8s.io/v1/storageclasses")
    names = [item["metadata"]["name"] for item in classes.get("items") or []] if status == 200 else None
    default = [
        item["metadata"]["name"]
        for item in classes.get("items") or []
        if (item["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    ]
    seen, listed = cluster.ask("/api/v1/nodes")
    nodes = [
        [address["address"] for kind in ("ExternalIP", "InternalIP") for address in node["status"].get("addresses") or [] if address["type"] == kind]
        for node in listed.get("items") or []
    ]
    _, services = cluster.ask("/api/v1/services?limit=500")
    balanced = any((item["status"].get("loadBalancer") or {}).get("ingress") for item in services.get("items") or [])
    return {
        "version": version.get("gitVersion", ""),
        "storage_classes": names,
        "storage_class": default[0] if default else "",
        "metrics": "metrics.k8s.io" in served,
        "gateway": "gateway.networking.k8s.io" in served,
        "load_balancer": balanced,
        "nodes": nodes if seen == 200 else None,
        "architectures": sorted({(node["status"].get("nodeInfo") or {}).get("architecture", "") for node in listed.get("items") or []} - {""}),
        "node_address": next(filter(reach or reachable, itertools.chain(*nodes)), ""),
    }


def described(offered: dict[str, Any]) -> str:
    """Return what ``capabilities`` found as one line."""
    default = "not readable by this user" if offered["storage_classes"] is None else offered["storage_class"] or "none"
    return "; ".join(
        (
            f"Kubernetes {offered['version'] or 'of an unknown version'}",
            f"default StorageClass: {default}",
            f"metrics: {'yes' if offered['metrics'] else 'no'}",
            f"load balancer: {'in use' if offered['load_balancer'] else 'none seen'}",
            f"Gateway API: {'yes' if offered['gateway'] else 'no'}",
        )
    )


def elsewhere(nodes: list[list[str]] | None) -> str:
    """Return why a node may not reach a service on this machine's loopback, as a phrase; "" if all nodes are this machine."""
    if nodes is None:
        return "this user may not list its nodes"
    if not nodes:
        return "it has no nodes"
    away = [", ".join(addresses) for addresses in nodes if not any(map(own, addresses))]
    return f"its nodes are elsewhere ({'; '.join(away)})" if away else ""


def own(address: str) -> bool:
    """Whether an address is this machine's: a socket can be bound only to such an address. Nothing is sent."""
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as look:
        look.bind((str(ipaddress.ip_address(address)), 0))
        return True
    return False


def reachable(address: str) -> bool:
    """Whether a node's kubelet accepts a connection from here, and so do its node ports."""
    with contextlib.suppress(OSError), socket.create_connection((address, KUBELET_PORT), timeout=REACH):
        return True
    return False
