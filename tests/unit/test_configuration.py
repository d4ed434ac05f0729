"""Configuration that belongs to its release: names by content, the login that changes, and what refers to what."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Cluster, KubeError, NotFound
from ansible_collections.berth.platform.plugins.module_utils.kube.references import WORKLOADS, pod_spec, referenced, references
from ansible_collections.berth.platform.plugins.modules import k8s_pods_replace
from fake_api import Api, kubeconfig, running
from module_run import plugin

Json = dict[str, Any]
SECRETS = "/api/v1/namespaces/polls-dev/secrets"
PODS = "/api/v1/namespaces/polls-dev/pods"

fingerprints = plugin("action/k8s_fingerprint.py")
secret_info = plugin("action/k8s_secret_info.py")
objects = plugin("filter/objects.py")


@pytest.fixture
def api() -> Iterator[Api]:
    """Return an API server that answers."""
    with running(Api()) as server:
        yield server


@pytest.fixture
def cluster(api: Api, tmp_path: Path) -> Cluster:
    """Return the way to it."""
    return Cluster(kubeconfig(tmp_path, api.url), None)


# --- Fingerprints ----------------------------------------------------------
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, True),
        ({"a": "1"}, {"a": "2"}, False),
        ({"a": "1"}, {"a": "1", "b": ""}, False),
        ({"a": "12", "b": "3"}, {"a": "1", "b": "23"}, False),
        ({}, {"a": ""}, False),
        ({"a": "é"}, {"a": "e"}, False),
    ],
)
def test_a_fingerprint_changes_exactly_when_the_content_does(one: Json, other: Json, same: bool) -> None:
    assert (fingerprints.fingerprint(b"key", one) == fingerprints.fingerprint(b"key", other)) is same


def test_without_the_key_a_fingerprint_tells_nothing_of_the_content() -> None:
    assert fingerprints.fingerprint(b"key", {"PASSWORD": "hunter2"}) != fingerprints.fingerprint(b"another", {"PASSWORD": "hunter2"})


def test_a_fingerprint_may_end_the_name_of_an_object() -> None:
    found = fingerprints.fingerprint(b"key", {"a": "1"})
    assert len(found) == 10
    assert set(found) <= set("0123456789abcdef")


def test_the_key_is_made_once_and_is_the_one_that_is_read(api: Api, cluster: Cluster) -> None:
    api.answers[SECRETS] = (201, {})
    key = fingerprints.make_key(cluster, "polls-dev", "polls-fingerprint-key", {"app.kubernetes.io/managed-by": "berth"})
    body = json.loads(api.seen[-1][3])
    assert body["immutable"] is True
    assert body["metadata"] == {"name": "polls-fingerprint-key", "labels": {"app.kubernetes.io/managed-by": "berth"}}
    api.answers[f"{SECRETS}/polls-fingerprint-key"] = (200, body)
    assert fingerprints.read_key(cluster, "polls-dev", "polls-fingerprint-key") == key
    assert len(key) == 32


def test_a_key_that_another_run_has_made_meanwhile_is_taken(api: Api, cluster: Cluster) -> None:
    api.answers[SECRETS] = (409, {"message": "already exists"})
    api.answers[f"{SECRETS}/k"] = (200, {"data": {"key": base64.b64encode(b"theirs").decode()}})
    assert fingerprints.make_key(cluster, "polls-dev", "k", {}) == b"theirs"


def test_a_key_that_may_not_be_made_is_told(api: Api, cluster: Cluster) -> None:
    api.answers[SECRETS] = (403, {"message": "secrets is forbidden"})
    with pytest.raises(KubeError, match="does not allow Berth to create Secret k in namespace polls-dev: secrets is forbidden"):
        fingerprints.make_key(cluster, "polls-dev", "k", {})


def test_a_secret_without_a_key_counts_as_none(api: Api, cluster: Cluster) -> None:
    api.answers[f"{SECRETS}/k"] = (200, {"data": {}})
    with pytest.raises(NotFound):
        fingerprints.read_key(cluster, "polls-dev", "k")


# --- The login -------------------------------------------------------------
@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (None, (False, False)),
        ({"metadata": {}, "data": {"PASSWORD": "bmV3"}}, (True, True)),
        ({"metadata": {}, "data": {"PASSWORD": "b2xk"}}, (True, False)),
        ({"metadata": {}, "data": {"PASSWORD": "bmV3", "MORE": ""}}, (True, False)),
        ({"metadata": {}}, (True, False)),
    ],
)
def test_a_secret_is_compared_with_what_it_should_hold(live: Json | None, expected: tuple[bool, bool]) -> None:
    found = secret_info.compared(live, {"PASSWORD": "bmV3"}, "2026-01-31T23:59:59Z")
    assert (found["exists"], found["matches"]) == expected
    assert found["soon"] == "2026-02-01T00:00:00Z"
    assert "bmV3" not in json.dumps(found)


def test_nothing_that_is_told_of_a_secret_holds_its_values() -> None:
    applied = json.dumps({"data": {"PASSWORD": "b2xk"}})
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": applied, "berth/password-since": "2026-01-31T12:00:00Z"}
    found = secret_info.compared({"metadata": {"annotations": annotations}, "data": {"PASSWORD": "b2xk"}}, {"PASSWORD": "bmV3"}, "")
    assert found["annotations"] == {"berth/password-since": "2026-01-31T12:00:00Z"}
    assert "b2xk" not in json.dumps(found)


def pod(name: str, created: str, owner: str = "rs", ready: bool = True, **more: Any) -> Json:
    """Return a pod whose environment comes from the Secret ``login``."""
    metadata: Json = {"name": name, "uid": f"uid-{name}", "creationTimestamp": created}
    metadata |= {"ownerReferences": [{"controller": True, "uid": owner}]} if owner else {}
    spec = {"containers": [{"name": "web", "envFrom": [{"secretRef": {"name": "login"}}]}]}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    found = {"kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
    return found | {key: found.get(key, {}) | value for key, value in more.items()}


@pytest.mark.parametrize(
    ("case", "chosen"),
    [
        (pod("a", "2026-01-31T11:59:59Z"), ["a"]),
        (pod("a", "2026-01-31T12:00:00Z"), []),
        (pod("a", "2026-01-31T11:59:59Z", metadata={"deletionTimestamp": "2026-01-31T12:00:00Z"}), []),
        (pod("a", "2026-01-31T11:59:59Z", status={"phase": "Succeeded"}), []),
        (pod("a", "2026-01-31T11:59:59Z", status={"phase": "Failed"}), []),
        (pod("a", "2026-01-31T11:59:59Z", spec={"containers": [{"name": "web"}]}), []),
    ],
)
def test_pods_with_another_password_are_those_that_began_before_it_changed(case: Json, chosen: list[str]) -> None:
    assert objects.pods_with_secret([case], ["another", "login"], "2026-01-31T12:00:00Z") == chosen
    assert objects.pods_with_secret([case], ["login"], "") == []
    assert objects.pods_with_secret([case], ["another"], "2026-01-31T12:00:00Z") == []


class Pods:
    """A cluster whose pods are replaced by others, a look later, until ``broken`` ones come."""

    def __init__(self, pods: list[Json], broken: bool = False) -> None:
        self.pods, self.broken = pods, broken
        self.now = "2026-01-31T11:59:59Z"
        self.deleted: list[str] = []

    def items(self, _kind: str, _namespace: str) -> list[Json]:
        """List the pods."""
        return self.pods

    def delete(self, _kind: str, _namespace: str, name: str, _uid: str, _policy: str) -> None:
        """Delete a pod; its controller makes another, unless there is none."""
        assert self.now >= "2026-01-31T12:00:00Z", "deleted too soon"
        gone = next(each for each in self.pods if each["metadata"]["name"] == name)
        self.deleted.append(name)
        self.pods = [each for each in self.pods if each is not gone]
        self.pods.append(pod(f"{name}-next", self.now, k8s_pods_replace.controller(gone), ready=not self.broken))

    def sleep(self, _seconds: float) -> None:
        """Let a second pass."""
        self.now = "2026-01-31T12:00:00Z"


OLD = "2026-01-31T11:00:00Z"
SINCE = "2026-01-31T12:00:00Z"


def test_old_pods_are_replaced_once_others_are_sure_to_begin_with_the_new_password() -> None:
    cluster = Pods([pod("a", OLD), pod("b", OLD), pod("other", OLD, "another")])
    assert k8s_pods_replace.replace(cluster, "polls-dev", ["a", "b"], SINCE, 60, cluster.sleep) == (["a", "b"], True)
    assert cluster.deleted == ["a", "b"]


def test_pods_that_nothing_makes_again_or_that_have_taken_the_name_since_are_left_alone() -> None:
    cluster = Pods([pod("mine", OLD, owner=""), pod("a", SINCE)])
    assert k8s_pods_replace.replace(cluster, "polls-dev", ["mine", "a"], SINCE, 60, cluster.sleep) == ([], True)


def test_pods_that_were_not_ready_are_not_waited_for() -> None:
    cluster = Pods([pod("a", OLD, ready=False)], broken=True)
    assert k8s_pods_replace.replace(cluster, "polls-dev", ["a"], SINCE, 60, cluster.sleep) == (["a"], True)


def test_pods_that_do_not_come_back_are_told() -> None:
    cluster = Pods([pod("a", OLD)], broken=True)
    assert k8s_pods_replace.replace(cluster, "polls-dev", ["a"], SINCE, 0, cluster.sleep) == (["a"], False)


# --- What refers to what ---------------------------------------------------
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": [{"envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}]}]}, {("ConfigMap", "a"), ("Secret", "b")}),
        ({"initContainers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}]}]}, {("Secret", "a")}),
        ({"containers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "a", "key": "k"}}}, {"name": "X", "value": "b"}]}]}, {("ConfigMap", "a")}),
        ({"volumes": [{"secret": {"secretName": "a"}}, {"configMap": {"name": "b"}}, {"emptyDir": {}}]}, {("Secret", "a"), ("ConfigMap", "b")}),
        ({"volumes": [{"projected": {"sources": [{"secret": {"name": "a"}}, {"configMap": {"name": "b"}}]}}]}, {("Secret", "a"), ("ConfigMap", "b")}),
        ({"imagePullSecrets": [{"name": "registry"}]}, {("Secret", "registry")}),
        ({"containers": [{"name": "web"}], "volumes": None}, set()),
    ],
)
def test_every_way_to_refer_to_a_configmap_or_secret_is_seen(spec: Json, expected: set[tuple[str, str]]) -> None:
    assert references(spec) == expected


@pytest.mark.parametrize("kind", WORKLOADS)
def test_whatever_makes_pods_is_looked_into(kind: str) -> None:
    spec = {"containers": [{"envFrom": [{"secretRef": {"name": "a"}}]}]}
    within: Json = {"spec": {"template": {"spec": spec}}}
    shape = {"Pod": {"spec": spec}, "CronJob": {"spec": {"jobTemplate": within}}}.get(kind, within)
    assert pod_spec({"kind": kind, **shape}) == spec
    assert referenced([{"kind": kind, **shape}]) == {("Secret", "a")}
