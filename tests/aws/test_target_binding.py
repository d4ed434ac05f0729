"""The stand-in for what makes targets of pods, with a cluster of plain objects."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import yaml
from target_binding import GATE, LABEL, Binding, condition, endpoints, injection
from target_group import Settings, TargetGroup, settings

Json = dict[str, Any]
ROLES = Path(__file__).resolve().parents[2] / "roles"
ANNOTATION = r"^    (alb\.ingress\.kubernetes\.io/[a-z-]+): (.+)$"
SELECTOR = {"app.kubernetes.io/component": "web"}


def pod(name: str, ready: str = "True", gates: list[str] | None = None) -> Json:
    """Return a pod whose containers are ready or not."""
    conditions = [{"type": "ContainersReady", "status": ready}]
    return {
        "metadata": {"name": name, "namespace": "polls-test"},
        "spec": {"readinessGates": [{"conditionType": gate} for gate in gates or []]},
        "status": {"conditions": conditions},
    }


def endpoint(name: str, address: str, **state: bool) -> Json:
    """Return what an EndpointSlice has of a pod."""
    return {"addresses": [address], "conditions": {"ready": False, "terminating": False} | state, "targetRef": {"kind": "Pod", "name": name}}


def endpoint_slice(*found: Json) -> Json:
    """Return an EndpointSlice of a Service with a port for pages and another one."""
    return {"ports": [{"name": "http", "port": 8000}, {"name": "metrics", "port": 9000}], "endpoints": list(found)}


class FakeKube:
    """A cluster with an Ingress and its Service."""

    def __init__(self) -> None:
        path = {"backend": {"service": {"name": "polls", "port": {"name": "http"}}}}
        annotations = {"alb.ingress.kubernetes.io/healthcheck-path": "/ready"}
        self.found: Json | None = {"metadata": {"annotations": annotations}, "spec": {"rules": [{"http": {"paths": [path]}}]}}
        self.slices: list[Json] = []
        self.made: list[Json] = []
        self.policies: list[str] = []

    def ingress(self, _namespace: str, _name: str) -> Json | None:
        """Return the Ingress."""
        return self.found

    def service(self, _namespace: str, name: str) -> Json | None:
        """Return its Service."""
        return {"spec": {"selector": SELECTOR}} if name == "polls" else None

    def endpoint_slices(self, _namespace: str, _service: str) -> list[Json]:
        """Return the Service's EndpointSlices."""
        return self.slices

    def pods(self, _namespace: str) -> list[Json]:
        """Return the pods."""
        return self.made

    def set_condition(self, pod: Json, condition: Json) -> None:
        """Set a condition."""
        others = [each for each in pod["status"]["conditions"] if each["type"] != condition["type"]]
        pod["status"]["conditions"] = [*others, condition]

    def inject(self, policy: Json) -> None:
        """Note a policy."""
        self.policies.append(policy["policy"]["metadata"]["name"])

    def inject_no_more(self, name: str) -> None:
        """Forget a policy."""
        self.policies.remove(name)


def test_targets_are_the_ready_pods_and_those_that_wait_for_the_gate_alone() -> None:
    made = {name: pod(name, "False" if name == "starts" else "True") for name in ("serves", "waits", "starts", "ends")}
    found = endpoint_slice(
        endpoint("serves", "10.0.0.1", ready=True),
        endpoint("waits", "10.0.0.2"),
        endpoint("starts", "10.0.0.3"),
        endpoint("ends", "10.0.0.4", terminating=True),
        endpoint("gone", "10.0.0.5", ready=True),
    )
    assert sorted(endpoints([found], made, "http")) == [("10.0.0.1", 8000), ("10.0.0.2", 8000)]


def test_what_berth_says_of_its_load_balancer_is_heeded() -> None:
    template = (ROLES / "entry" / "templates" / "ingress.yaml.j2").read_text(encoding="utf-8")
    annotations = {name: value.strip("'\"") for name, value in re.findall(ANNOTATION, template, re.MULTILINE)}
    found = settings(annotations | {"alb.ingress.kubernetes.io/healthcheck-path": "/ready"})
    assert found == {"path": "/ready", "codes": frozenset({200}), "delay": 30.0}
    more = settings({"alb.ingress.kubernetes.io/healthcheck-interval-seconds": "10", "alb.ingress.kubernetes.io/unhealthy-threshold-count": "3"})
    assert more == {"interval": 10.0, "unhealthy": 3}


def test_pods_get_the_gate_where_the_namespace_has_the_label_that_berth_gives_it() -> None:
    ours = yaml.safe_load((ROLES / "namespace" / "vars" / "main.yml").read_text(encoding="utf-8"))["__namespace_gate"]
    made = injection("polls-test", f"{GATE}x", SELECTOR)
    matched = made["policy"]["spec"]["matchConstraints"]
    assert matched["namespaceSelector"]["matchLabels"] == {**ours, "kubernetes.io/metadata.name": "polls-test"} and LABEL in ours
    assert matched["objectSelector"]["matchLabels"] == SELECTOR
    assert made["binding"]["spec"]["policyName"] == made["policy"]["metadata"]["name"]


def test_a_pod_is_told_that_it_is_a_target_once_it_is_healthy() -> None:
    async def scenario() -> None:
        kube, group = FakeKube(), TargetGroup(Settings(interval=60.0, lag=0.0))
        binding = Binding(kube, group, "polls-test", "polls", look_every=0.0)
        gated, old = pod("gated", gates=[binding.gate]), pod("old")
        kube.made, kube.slices = [gated, old], [endpoint_slice(endpoint("gated", "127.0.0.1"), endpoint("old", "127.0.0.2", ready=True))]
        await binding.round()
        assert group.settings.path == "/ready" and sorted(group.targets) == [("127.0.0.1", 8000), ("127.0.0.2", 8000)]
        assert condition(gated, binding.gate) == "False"
        group.become(group.targets["127.0.0.1", 8000], "healthy")
        await binding.round()
        assert condition(gated, binding.gate) == "True" and condition(old, binding.gate) == ""
        kube.slices = [endpoint_slice(endpoint("gated", "127.0.0.1", ready=True), endpoint("old", "127.0.0.2", terminating=True))]
        await binding.round()
        assert [target.place[0] for target in group.draining] == ["127.0.0.2"]

    asyncio.run(scenario())


def test_pods_get_the_gate_for_as_long_as_there_is_the_ingress() -> None:
    async def scenario() -> None:
        kube, group = FakeKube(), TargetGroup(Settings(lag=0.0))
        binding, kept = Binding(kube, group, "polls-test", "polls"), kube.found
        kube.found = None
        await binding.round()
        assert kube.policies == []
        kube.found = kept
        await binding.round()
        await binding.round()
        assert kube.policies == ["emulated-readiness-gate-polls-test"]
        assert kept
        kept["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        await binding.round()
        assert kube.policies == []

    asyncio.run(scenario())
