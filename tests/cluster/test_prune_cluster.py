"""Pruning against a real cluster: what goes, what stays, and that check mode only says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import k8s_prune
from cluster_objects import until
from kubernetes import client

Json = dict[str, Any]
pytestmark = pytest.mark.cluster

OURS = {"app.kubernetes.io/managed-by": "berth", "app.kubernetes.io/instance": "polls"}
KEEP = [{"kind": "ConfigMap", "name": "kept"}]


def config_map(name: str, labels: Json | None = None) -> Json:
    """Return an empty ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or OURS}, "data": {}}


def job(name: str) -> Json:
    """Return a Job whose pod hangs, for its image is not to be had."""
    security = {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "web", "image": "localhost:1/absent:1", "securityContext": security}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": OURS},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }


def names(api: client.ApiClient, namespace: str) -> set[str]:
    """Return the names of the ConfigMaps, without the cluster's own."""
    found = client.CoreV1Api(api).list_namespaced_config_map(namespace).items
    return {each.metadata.name for each in found} - {"kube-root-ca.crt"}


def test_what_is_no_longer_declared_goes_and_all_else_stays(
    run: Callable[..., Json], apply: Callable[..., None], api: client.ApiClient, namespace: str
) -> None:
    """A second run has nothing left to do."""
    foreign = config_map("foreign", {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "polls"})
    apply(config_map("kept"), config_map("old"), foreign)
    result = run(k8s_prune, selector=OURS, keep=KEEP)
    assert result["changed"]
    assert result["removed"] == [{"kind": "ConfigMap", "name": "old"}]
    assert names(api, namespace) == {"kept", "foreign"}
    again = run(k8s_prune, selector=OURS, keep=KEEP)
    assert (again["changed"], again["removed"]) == (False, [])


def test_check_mode_says_what_would_go_and_removes_nothing(run: Callable[..., Json], apply: Callable[..., None], api: client.ApiClient, namespace: str) -> None:
    """The difference shows names, and never what an object holds."""
    apply(config_map("kept"), config_map("old"))
    result = run(k8s_prune, check=True, selector=OURS, keep=KEEP)
    assert result["changed"]
    assert result["diff"] == {"before": "ConfigMap old\n", "after": ""}
    assert names(api, namespace) == {"kept", "old"}


def test_a_job_goes_with_its_pods(run: Callable[..., Json], apply: Callable[..., None], api: client.ApiClient, namespace: str) -> None:
    """The API's own default for Jobs would leave them."""
    core = client.CoreV1Api(api)
    apply(job("migrate"))
    until(lambda: core.list_namespaced_pod(namespace).items, "the Job's pod")
    assert run(k8s_prune, selector=OURS, keep=[])["removed"] == [{"kind": "Job", "name": "migrate"}]
    until(lambda: not core.list_namespaced_pod(namespace).items, "the pod's end", 60)


def test_who_waits_finds_nothing_of_it_left(run: Callable[..., Json], apply: Callable[..., None], api: client.ApiClient, namespace: str) -> None:
    """Neither the object nor what it owned."""
    core = client.CoreV1Api(api)
    apply(job("migrate"))
    until(lambda: core.list_namespaced_pod(namespace).items, "the Job's pod")
    assert run(k8s_prune, selector=OURS, keep=[], wait=60)["removed"] == [{"kind": "Job", "name": "migrate"}]
    assert client.BatchV1Api(api).list_namespaced_job(namespace).items == []
    assert core.list_namespaced_pod(namespace).items == []


def test_a_claim_is_refused(run: Callable[..., Json]) -> None:
    """Before anything is read."""
    result = run(k8s_prune, selector=OURS, keep=[], kinds=["PersistentVolumeClaim"])
    assert result["failed"]
    assert result["msg"].startswith("PersistentVolumeClaim objects are never pruned")
