"""What keeps pods from being evicted is said with the pods, the nodes and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube.evictions import KEEP, lost, matches, obstacles
from ansible_collections.berth.platform.plugins.modules import k8s_evictions_info
from fake_api import Api, kubeconfig, running
from module_run import run

DEPLOYMENT = [{"kind": "ReplicaSet", "controller": True}]


def pod(name: str, owners: list[dict[str, Any]] | None = None, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    """Return a pod of the app."""
    owners = DEPLOYMENT if owners is None else owners
    described = {"name": name, "namespace": "polls", "labels": {"app": "polls"}, "ownerReferences": owners, **metadata}
    return {"metadata": described, "spec": {"nodeName": "node-1"}, "status": {"phase": phase}}


def budget(allowed: int, healthy: int = 2, needed: int = 2, expected: int = 2, name: str = "polls", **spec: Any) -> dict[str, Any]:
    """Return a PodDisruptionBudget of the app."""
    spec = {"selector": {"matchLabels": {"app": "polls"}}, "minAvailable": needed, **spec}
    status = {"disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": needed, "expectedPods": expected}
    return {"metadata": {"name": name, "namespace": "polls"}, "spec": spec, "status": status}


def test_a_budget_that_never_allows_an_eviction_is_named_with_its_pods_and_nodes() -> None:
    assert obstacles([budget(0)], [pod("a"), pod("b")]) == [
        "PodDisruptionBudget polls/polls (minAvailable 2) does not allow any eviction: 2 of 2 pods are healthy and 2 have to be (a on node-1, b on node-1). "
        "With 2 it never allows one: run more pods, or lower the budget's requirement."
    ]


def test_a_budget_that_waits_for_an_unhealthy_pod_says_so() -> None:
    (sentence,) = obstacles([budget(0, healthy=1, needed=1)], [pod("a"), pod("b")])
    assert sentence.endswith("1 of 2 pods are healthy and 1 have to be (a on node-1, b on node-1). Fix the pods that are not healthy, and it will.")


def test_many_pods_are_not_all_named() -> None:
    (sentence,) = obstacles([budget(0)], [pod(f"p{number}") for number in range(8)])
    assert "p4 on node-1 and 3 more)" in sentence


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [pod("done", phase="Succeeded")],
        [pod("agent", owners=[{"kind": "DaemonSet", "controller": True}])],
        [pod("static", owners=[{"kind": "Node", "controller": True}])],
        [pod("going", deletionTimestamp="2026-11-23T00:00:00Z")],
        [pod("elsewhere", namespace="other")],
        [pod("another", labels={"app": "other"})],
    ],
    ids=lambda pods: pods[0]["metadata"]["name"] if pods else "none",
)
def test_a_budget_without_a_pod_that_would_be_evicted_is_no_matter(pods: list[dict[str, Any]]) -> None:
    assert obstacles([budget(0)], pods) == []


def test_a_budget_that_allows_an_eviction_is_no_matter() -> None:
    assert obstacles([budget(1)], [pod("a")]) == []


def test_a_pod_under_two_budgets_cannot_be_evicted_whatever_they_allow() -> None:
    (sentence,) = obstacles([budget(1), budget(1, name="second")], [pod("a")])
    assert sentence.startswith("Pod polls/a is covered by several PodDisruptionBudgets, polls, second, so it can never be evicted.")


def test_a_pod_that_auto_mode_may_not_move_is_named() -> None:
    (sentence,) = obstacles([], [pod("a", annotations={KEEP: "true"})])
    assert sentence.startswith(f"Pod polls/a has the annotation {KEEP}")


def test_a_pod_that_nothing_makes_anew_is_named() -> None:
    assert lost([pod("a"), pod("by-hand", owners=[])]) == ["Pod polls/by-hand is not managed by a Deployment or the like: once evicted, it is gone for good."]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "polls"}}, True),
        ({"matchLabels": {"app": "polls", "tier": "web"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["polls", "x"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["polls"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
    ],
)
def test_a_selector_selects_as_kubernetes_does(selector: dict[str, Any] | None, expected: bool) -> None:
    assert matches(selector, {"app": "polls"}) is expected


@pytest.fixture
def api() -> Iterator[Api]:
    """Run an API server for one test."""
    with running(Api()) as server:
        yield server


def test_the_module_asks_twice_and_says_what_it_found(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api.queue = [(200, {"items": [budget(0)]}), (200, {"items": [pod("a"), pod("by-hand", owners=[])]})]
    answer = run(k8s_evictions_info, capsys, kubeconfig=kubeconfig(tmp_path, api.url))
    assert [path for _, path, _, _ in api.seen] == ["/apis/policy/v1/poddisruptionbudgets", "/api/v1/pods"]
    assert answer["changed"] is False and len(answer["blocked"]) == 1 and len(answer["lost"]) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((403, {"message": "no"}), "does not let this user list poddisruptionbudgets in all namespaces: no. Grant it with a ClusterRole."),
        ((500, {}), "answers 500 when asked for all poddisruptionbudgets: it gives no reason."),
    ],
)
def test_a_refusal_is_one_message(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: Any, words: str) -> None:
    api.queue = [answer]
    failed = run(k8s_evictions_info, capsys, kubeconfig=kubeconfig(tmp_path, api.url))
    assert failed["failed"] and words in failed["msg"] and "Traceback" not in json.dumps(failed)


def test_a_kubeconfig_that_is_not_there_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = run(k8s_evictions_info, capsys, kubeconfig=str(tmp_path / "none"))
    assert failed["failed"] and "There is no kubeconfig" in failed["msg"] and "site.yml creates it" in failed["msg"]
