"""The stand-in for Auto Mode, with a cluster of plain objects, and what Berth makes of what it does."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.rollout.judge import judge
from ansible_collections.berth.platform.plugins.module_utils.rollout.model import SCHEDULING, Snapshot
from auto_mode import ARCH, BATCH, BOOT, KEPT, LABELS, TAINT, AutoMode, architectures
from rollout_objects import deployment, replicaset, unschedulable

Json = dict[str, Any]
ROLE = Path(__file__).resolve().parents[2] / "roles" / "eks" / "templates"
OTHER: Json = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}
REFUSALS = ["0/1 nodes are available: 1 node(s) had untolerated taint(s).", "no nodes available to schedule pods"]


def from_template(name: str) -> Json:
    """Return an object of Berth's, without what Ansible fills in."""
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", (ROLE / name).read_text(encoding="utf-8"))
    return yaml.safe_load(text)


class FakeKube:
    """A cluster with one node."""

    def __init__(self) -> None:
        self.node: Json = {"metadata": {"name": "one", "labels": {}}, "spec": {"taints": [OTHER]}}
        self.waiting: list[Json] = []
        self.events: list[Json] = []
        self.classes: list[Json] = [{"metadata": {"name": "local-path", "uid": "1", "labels": {"a": "b"}}, "provisioner": "rancher.io/local-path"}]
        self.suspended: list[bool] = []
        self.config_maps: dict[str, Json] = {}

    def nodes(self) -> list[Json]:
        """Return the node."""
        return [self.node]

    def change_node(self, _name: str, body: Json) -> None:
        """Change the node as a merge patch does."""
        for key, value in (body.get("metadata") or {}).get("labels", {}).items():
            self.node["metadata"]["labels"] |= {key: value}
        self.node["metadata"]["labels"] = {key: value for key, value in self.node["metadata"]["labels"].items() if value is not None}
        self.node["spec"] |= body.get("spec") or {}

    def pods(self) -> list[Json]:
        """Return the pods that have no node."""
        return self.waiting

    def event(self, pod: Json, kind: str, reason: str, message: str) -> None:
        """Note an event."""
        involved = {"kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        self.events.append({"involvedObject": involved, "type": kind, "reason": reason, "message": message})

    def storage_classes(self) -> list[Json]:
        """Return the StorageClasses."""
        return list(self.classes)

    def make_storage_class(self, body: Json) -> None:
        """Make a StorageClass."""
        self.classes.append(body)

    def remove_storage_class(self, name: str) -> None:
        """Remove a StorageClass."""
        self.classes = [each for each in self.classes if each["metadata"]["name"] != name]

    def enforce(self, suspended: bool) -> None:
        """Note it."""
        self.suspended.append(suspended)

    def setting(self, name: str, key: str) -> str:
        """Return a value of a ConfigMap."""
        return self.config_maps.get(name, {}).get(key, "")


class Time:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return it."""
        return self.seconds


@pytest.fixture
def kube() -> FakeKube:
    """Return a cluster."""
    return FakeKube()


@pytest.fixture
def clock() -> Time:
    """Return a time."""
    return Time()


@pytest.fixture
def mode(kube: FakeKube, clock: Time, tmp_path: Path) -> AutoMode:
    """Return Auto Mode at its beginning."""
    made = AutoMode(kube, tmp_path, now=clock)
    made.begin()
    return made


def waiting(message: str = REFUSALS[0], **spec: Any) -> Json:
    """Return a pod of the rollout that finds no node."""
    made = unschedulable(replicaset(deployment()), message)
    made["spec"] |= spec
    return made


def taints(kube: FakeKube) -> list[str]:
    """Return the keys of the node's taints."""
    return [each["key"] for each in kube.node["spec"].get("taints") or []]


def test_there_is_a_node_some_time_after_a_pod_waits_for_one_and_it_stays(kube: FakeKube, clock: Time, mode: AutoMode) -> None:
    clock.seconds = 500.0
    mode.round()
    assert taints(kube) == [OTHER["key"], TAINT]
    kube.waiting = [waiting()]
    for clock.seconds in (500.0, 500.0 + BATCH - 1, 500.0 + BATCH, 500.0 + BOOT - 1):
        mode.round()
        assert (TAINT in taints(kube), len(kube.events)) == (True, int(clock.seconds >= 500.0 + BATCH))
    clock.seconds = 500.0 + BOOT
    mode.round()
    assert taints(kube) == [OTHER["key"]] and kube.node["metadata"]["labels"] == LABELS


@pytest.mark.parametrize("message", REFUSALS)
def test_a_release_waits_for_its_node(message: str, kube: FakeKube, clock: Time, mode: AutoMode) -> None:
    """That Auto Mode makes a node takes longer than a pod without one is given, so it is Auto Mode's word that counts."""
    assert BATCH < SCHEDULING < BOOT
    kube.waiting = [waiting(message)]
    web = deployment()
    since: dict[str, float] = {}
    for clock.seconds in itertools.takewhile(lambda second: second <= BOOT, map(float, itertools.count())):
        mode.round()
        verdict = judge(Snapshot(web, pods=kube.waiting, replicasets=[replicaset(web)], events=kube.events))
        for finding in verdict.findings:
            began = since.setdefault(f"{finding.cause}{finding.summary}", clock.seconds)
            assert clock.seconds - began < finding.grace, f"given up after {clock.seconds} s: {finding}"
    assert since and TAINT not in taints(kube)


def test_a_pod_that_asks_for_another_architecture_gets_no_node(kube: FakeKube, clock: Time, mode: AutoMode) -> None:
    kube.waiting = [waiting(nodeSelector={ARCH: "arm64"})]
    for clock.seconds in (0.0, BATCH, BOOT, 2 * BOOT):
        mode.round()
    assert TAINT in taints(kube) and [each["reason"] for each in kube.events] == ["FailedScheduling"]


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        ({}, []),
        ({"nodeSelector": {"disk": "fast"}}, []),
        ({"nodeSelector": {ARCH: "amd64"}}, ["amd64"]),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [{"matchExpressions": [{"key": ARCH, "operator": "In", "values": ["arm64"]}]}]
                        }
                    }
                }
            },
            ["arm64"],
        ),
    ],
)
def test_what_a_pod_asks_for_is_read_from_both_places(spec: Json, asked: list[str]) -> None:
    assert architectures(spec) == asked


def test_policies_are_enforced_once_berths_configmap_is_there(kube: FakeKube, mode: AutoMode) -> None:
    mode.round()
    assert kube.suspended == [True]
    made = from_template("network-policies.yaml.j2")
    kube.config_maps = {made["metadata"]["name"]: made["data"]}
    mode.round()
    mode.round()
    assert kube.suspended == [True, False]


def test_there_is_no_storage_class_but_berths_whose_nodes_are_there(kube: FakeKube, clock: Time, mode: AutoMode) -> None:
    assert kube.classes == []
    kube.waiting, clock.seconds = [waiting()], 0.0
    mode.round()
    clock.seconds = BOOT
    mode.round()
    (term,) = from_template("storage-class.yaml.j2")["allowedTopologies"]
    (wanted,) = term["matchLabelExpressions"]
    assert kube.node["metadata"]["labels"][wanted["key"]] in wanted["values"]


def test_all_of_it_is_put_back_once_however_often_it_began(kube: FakeKube, mode: AutoMode, tmp_path: Path) -> None:
    AutoMode(kube, tmp_path).begin()
    assert taints(kube).count(TAINT) == 1
    assert [each["metadata"]["name"] for each in json.loads((tmp_path / KEPT).read_text(encoding="utf-8"))] == ["local-path"]
    for _ in range(2):
        AutoMode(kube, tmp_path).restore()
        assert kube.classes == [{"metadata": {"name": "local-path", "labels": {"a": "b"}}, "provisioner": "rancher.io/local-path"}]
        assert taints(kube) == [OTHER["key"]] and kube.node["metadata"]["labels"] == {} and kube.suspended[-1] is False
