"""What the load balancer controller of EKS Auto Mode does in the cluster for the targets of one Ingress.

It registers a pod whose containers are ready, and deregisters one that is being deleted (pkg/backend/endpoint_resolver.go of the AWS Load Balancer
Controller, which Auto Mode runs). Into pods that are made once there is a target group, in a namespace with Auto Mode's label, it puts a readiness gate, whose
condition it sets when it next looks at the targets' health: kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/pod_readiness_gate. A policy
of the API server does that here for the controller's webhook.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import sys
from collections.abc import Mapping
from typing import Any, Protocol

import kubernetes
import urllib3
from target_group import Place, TargetGroup, settings

Json = dict[str, Any]
LABEL = "eks.amazonaws.com/pod-readiness-gate-inject"
GATE = "target-health.eks.amazonaws.com/"
LOOK = 15.0  # seconds between two looks at the targets' health (defaultRequeueDuration in pkg/targetgroupbinding/resource_manager.go)
PAUSE = 0.5  # seconds between two looks at the cluster; the controller watches it
REASONS = {"initial": "Elb.InitialHealthChecking", "unhealthy": "Target.FailedHealthChecks", "draining": "Target.DeregistrationInProgress"}


class Kube(Protocol):
    """What the controller asks of Kubernetes."""

    def ingress(self, namespace: str, name: str) -> Json | None:
        """Return an Ingress, None where there is none."""

    def service(self, namespace: str, name: str) -> Json | None:
        """Return a Service, None where there is none."""

    def endpoint_slices(self, namespace: str, service: str) -> list[Json]:
        """Return the EndpointSlices of a Service."""

    def pods(self, namespace: str) -> list[Json]:
        """Return the pods of a namespace."""

    def set_condition(self, pod: Json, condition: Json) -> None:
        """Set a condition of a pod."""

    def inject(self, policy: Json) -> None:
        """Have pods changed as they are made."""

    def inject_no_more(self, name: str) -> None:
        """Have pods left as they are."""


def condition(pod: Json, kind: str) -> str:
    """Return the status of a pod's condition."""
    return next((each["status"] for each in pod["status"].get("conditions") or [] if each["type"] == kind), "")


def endpoints(slices: list[Json], pods: Mapping[str, Json], port: str) -> dict[Place, Json]:
    """Return the pods that are to be targets by their places: the ready ones, and those that lack nothing but the gate."""
    found: dict[Place, Json] = {}
    for each in slices:
        numbers = [number["port"] for number in each.get("ports") or [] if number.get("name", "") == port]
        for endpoint in each.get("endpoints") or []:
            pod, state = pods.get((endpoint.get("targetRef") or {}).get("name", "")), endpoint.get("conditions") or {}
            if pod and not state.get("terminating") and (state.get("ready") or condition(pod, "ContainersReady") == "True"):
                found |= {(endpoint["addresses"][0], number): pod for number in numbers}
    return found


def injection(namespace: str, gate: str, selector: Json) -> Json:
    """Return the policy that puts a gate into the pods of a Service, and its binding."""
    name = f"emulated-readiness-gate-{namespace}"
    place = {"matchLabels": {LABEL: "enabled", "kubernetes.io/metadata.name": namespace}}
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    # In two steps, as Kubernetes' own example has it: objects in a list are what the API server cannot convert, and it refuses every pod then.
    path, added = "/spec/readinessGates", f'Object.spec.readinessGates{{conditionType: "{gate}"}}'
    put = f'[JSONPatch{{op: "add", path: "{path}", value: []}}, JSONPatch{{op: "add", path: "{path}/-", value: {added}}}]'
    labels = {"app.kubernetes.io/part-of": "emulated-aws"}
    return {
        "policy": {
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "failurePolicy": "Ignore",  # as the controller's own
                "reinvocationPolicy": "Never",
                "matchConstraints": {"namespaceSelector": place, "objectSelector": {"matchLabels": selector}, "resourceRules": [pods]},
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": put}}],
            },
        },
        "binding": {"metadata": {"name": name, "labels": labels}, "spec": {"policyName": name}},
    }


class Binding:
    """Keeps the targets as an Ingress wants them.

    Args:
        kube: The cluster.
        group: The targets.
        namespace: Where the Ingress is.
        ingress: Its name.
        look_every: Seconds between two looks at the targets' health.
        quicker: Settings of the group that are not the Ingress's.
    """

    def __init__(
        self, kube: Kube, group: TargetGroup, namespace: str, ingress: str, look_every: float = LOOK, quicker: Mapping[str, Any] | None = None
    ) -> None:
        self.kube, self.group, self.namespace, self.ingress = kube, group, namespace, ingress
        self.look_every, self.quicker = look_every, dict(quicker or {})
        self.gate = f"{GATE}k8s-{namespace[:8]}-{ingress[:8]}-emulated"
        self.injects = ""
        self.next_look = 0.0

    async def run(self) -> None:
        """Look at the cluster again and again."""
        while True:
            try:
                await self.round()
            except (kubernetes.client.ApiException, urllib3.exceptions.HTTPError) as error:
                print(" ".join(str(error).split())[:300], file=sys.stderr, flush=True)
            await asyncio.sleep(PAUSE)

    async def round(self) -> None:
        """Look at the cluster once."""
        ingress = await asyncio.to_thread(self.kube.ingress, self.namespace, self.ingress)
        if not ingress or ingress["metadata"].get("deletionTimestamp"):
            self.group.want([])
            await asyncio.to_thread(self.leave)
            return
        self.group.settings = dataclasses.replace(self.group.settings, **settings(ingress["metadata"].get("annotations") or {}) | self.quicker)
        wanted = await asyncio.to_thread(self.endpoints, ingress)
        self.group.want(wanted)
        if asyncio.get_running_loop().time() >= self.next_look:
            self.next_look = asyncio.get_running_loop().time() + self.look_every
            states = {place: target.state for place, target in self.group.targets.items()}
            await asyncio.to_thread(self.tell, wanted, states)

    def endpoints(self, ingress: Json) -> dict[Place, Json]:
        """Return the pods that are to be targets, and have later ones get the gate."""
        backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
        service = self.kube.service(self.namespace, backend["name"])
        if not service:
            return {}
        if not self.injects:
            policy = injection(self.namespace, self.gate, service["spec"]["selector"])
            self.kube.inject(policy)
            self.injects = policy["policy"]["metadata"]["name"]
        pods = {pod["metadata"]["name"]: pod for pod in self.kube.pods(self.namespace)}
        return endpoints(self.kube.endpoint_slices(self.namespace, backend["name"]), pods, backend["port"]["name"])

    def tell(self, pods: Mapping[Place, Json], states: Mapping[Place, str]) -> None:
        """Set the gate's condition of the pods that have it."""
        for place, pod in pods.items():
            state = states.get(place, "initial")
            status = "True" if state == "healthy" else "False"
            gated = any(each["conditionType"] == self.gate for each in pod["spec"].get("readinessGates") or [])
            if gated and condition(pod, self.gate) != status:
                now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                self.kube.set_condition(pod, {"type": self.gate, "status": status, "reason": REASONS.get(state, ""), "lastTransitionTime": now})

    def leave(self) -> None:
        """Take away what changes pods."""
        if self.injects:
            self.kube.inject_no_more(self.injects)
            self.injects = ""


class Cluster:
    """A real cluster.

    Args:
        kubeconfig: Its path.
    """

    def __init__(self, kubeconfig: str) -> None:
        api = kubernetes.config.new_client_from_config(kubeconfig)
        self.core, self.networking = kubernetes.client.CoreV1Api(api), kubernetes.client.NetworkingV1Api(api)
        self.discovery, self.admission = kubernetes.client.DiscoveryV1Api(api), kubernetes.client.AdmissionregistrationV1Api(api)
        self.plain = api.sanitize_for_serialization

    def ingress(self, namespace: str, name: str) -> Json | None:
        """Return an Ingress, None where there is none."""
        return self.unless_absent(self.networking.read_namespaced_ingress, name, namespace)

    def service(self, namespace: str, name: str) -> Json | None:
        """Return a Service, None where there is none."""
        return self.unless_absent(self.core.read_namespaced_service, name, namespace)

    def unless_absent(self, call: Any, *arguments: Any) -> Json | None:
        """Return what a call returns, None where there is no such object."""
        try:
            return self.plain(call(*arguments))
        except kubernetes.client.ApiException as error:
            if error.status != 404:
                raise
            return None

    def endpoint_slices(self, namespace: str, service: str) -> list[Json]:
        """Return the EndpointSlices of a Service."""
        return self.plain(self.discovery.list_namespaced_endpoint_slice(namespace, label_selector=f"kubernetes.io/service-name={service}"))["items"]

    def pods(self, namespace: str) -> list[Json]:
        """Return the pods of a namespace."""
        return self.plain(self.core.list_namespaced_pod(namespace))["items"]

    def set_condition(self, pod: Json, condition: Json) -> None:
        """Set a condition of a pod; one that is gone meanwhile needs none."""
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        self.unless_absent(self.core.patch_namespaced_pod_status, name, namespace, {"status": {"conditions": [condition]}})

    def inject(self, policy: Json) -> None:
        """Have pods changed as they are made."""
        name = policy["policy"]["metadata"]["name"]
        self.inject_no_more(name)  # one that a program that was killed has left
        self.admission.create_mutating_admission_policy(policy["policy"])
        self.admission.create_mutating_admission_policy_binding(policy["binding"])

    def inject_no_more(self, name: str) -> None:
        """Have pods left as they are."""
        self.unless_absent(self.admission.delete_mutating_admission_policy_binding, name)
        self.unless_absent(self.admission.delete_mutating_admission_policy, name)
