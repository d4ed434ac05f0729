#!/usr/bin/env python3
"""Stand in for what EKS Auto Mode does with nodes and volumes, so that a release meets on this machine's cluster what it meets on AWS.

Pages without a host are of docs.aws.amazon.com/eks/latest/userguide.

* There is no node until pods wait for one, and then it takes a while: Karpenter, which Auto Mode runs, gathers pods for up to ten seconds
  (karpenter.sh/docs/reference/settings, BATCH_MAX_DURATION), says ``Nominated`` of each, and boots a machine, which takes 45 to 65 seconds
  (kube.fm/faster-eks-node-and-pod-startup-jan). Here the machine's own node has a taint meanwhile.
* Nodes of the pool for all are amd64 ones (set-builtin-node-pools.html): a pod that asks for others gets none.
* There is no StorageClass (create-storage-class.html), so those of the machine's own cluster are put aside. Nothing makes volumes.
* Network policies are without effect until the ConfigMap amazon-vpc-cni switches them on (auto-net-pol.html): until then what enforces them here does not run.

Runs until it is ended: ``auto_mode.py --kubeconfig FILE --directory PLACE``. ``--restore`` takes it all back, be it that it runs or was killed.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import kubernetes
import urllib3

Json = dict[str, Any]
TAINT = "emulated-aws/no-node"
LABELS = {"eks.amazonaws.com/compute-type": "auto", "karpenter.sh/nodepool": "general-purpose"}
ARCH, ARCHITECTURE = "kubernetes.io/arch", "amd64"
ENFORCER, SUSPENDED = "kube-router", {"emulated-aws/enforces": "policies"}
SWITCH = ("amazon-vpc-cni", "enable-network-policy-controller")
BATCH, BOOT = 10.0, 45.0
KEPT = "storage-classes.json"


class Kube(Protocol):
    """What it asks of Kubernetes."""

    def nodes(self) -> list[Json]:
        """Return the nodes."""

    def change_node(self, name: str, body: Json) -> None:
        """Change a node."""

    def pods(self) -> list[Json]:
        """Return the pods of all namespaces that have no node."""

    def event(self, pod: Json, kind: str, reason: str, message: str) -> None:
        """Tell something about a pod."""

    def storage_classes(self) -> list[Json]:
        """Return the StorageClasses."""

    def make_storage_class(self, body: Json) -> None:
        """Make a StorageClass where it is not there."""

    def remove_storage_class(self, name: str) -> None:
        """Remove a StorageClass."""

    def enforce(self, suspended: bool) -> None:
        """Have what enforces policies run, or not."""

    def setting(self, name: str, key: str) -> str:
        """Return a value of a ConfigMap in kube-system, empty where there is none."""


def waits(pod: Json) -> bool:
    """Whether a pod finds no node."""
    conditions = pod["status"].get("conditions") or []
    return any(each["type"] == "PodScheduled" and each["status"] == "False" and each.get("reason") == "Unschedulable" for each in conditions)


def architectures(spec: Json) -> list[str]:
    """Return the architectures that a pod asks for, none where any will do."""
    wanted = [spec["nodeSelector"][ARCH]] if ARCH in (spec.get("nodeSelector") or {}) else []
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or []:
        for each in term.get("matchExpressions") or []:
            if each["key"] == ARCH and each["operator"] == "In":
                wanted += each["values"]
    return wanted


class AutoMode:
    """Does with nodes and volumes what Auto Mode does.

    Args:
        kube: The cluster.
        directory: Where what is put aside is kept.
        batch: Seconds for which pods are gathered.
        boot: Seconds from the first pod that waits until its node is there.
        now: The time.
    """

    def __init__(self, kube: Kube, directory: Path, batch: float = BATCH, boot: float = BOOT, now: Callable[[], float] = time.monotonic) -> None:
        self.kube, self.directory, self.batch, self.boot, self.now = kube, directory, batch, boot, now
        self.first: float | None = None
        self.told: set[str] = set()
        self.there = self.enforces = False

    def begin(self) -> None:
        """Take away what Auto Mode does not have yet."""
        classes = self.kube.storage_classes()
        if classes:
            kept = self.directory / KEPT
            before = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []  # of one that was killed
            by_name = {each["metadata"]["name"]: each for each in [*classes, *before]}
            kept.write_text(json.dumps([*by_name.values()]), encoding="utf-8")
        for each in classes:
            self.kube.remove_storage_class(each["metadata"]["name"])
        self.kube.enforce(suspended=True)
        for node in self.kube.nodes():
            taints = [each for each in node["spec"].get("taints") or [] if each["key"] != TAINT]
            self.kube.change_node(node["metadata"]["name"], {"spec": {"taints": [*taints, {"key": TAINT, "effect": "NoSchedule"}]}})

    def round(self) -> None:
        """Look at the cluster once."""
        if not self.enforces and self.kube.setting(*SWITCH) == "true":
            self.enforces = True
            self.kube.enforce(suspended=False)
            print("Network policies are enforced.", flush=True)
        if not self.there:
            self.provide([pod for pod in self.kube.pods() if waits(pod)])

    def provide(self, waiting: list[Json]) -> None:
        """Bring a node, some time after pods began to wait for one."""
        able = [pod for pod in waiting if ARCHITECTURE in (architectures(pod["spec"]) or [ARCHITECTURE])]
        for pod in waiting:
            if pod not in able:
                self.tell(pod, "Warning", "FailedScheduling", f"no instance type met all requirements, incompatible with nodepool, {ARCH} In [{ARCHITECTURE}]")
        if not able:
            self.first = None
            return
        if self.first is None:
            self.first = self.now()
        waited = self.now() - self.first
        if waited >= self.batch:
            for pod in able:
                self.tell(pod, "Normal", "Nominated", "Pod should schedule on: nodeclaim/general-purpose-emulated")
        if waited >= self.boot:
            self.bring()
            print(f"A node is there after {waited:.0f} s, for {', '.join(sorted(pod['metadata']['name'] for pod in able))}.", flush=True)

    def bring(self) -> None:
        """Let pods have the node."""
        self.there = True
        for node in self.kube.nodes():
            taints = [each for each in node["spec"].get("taints") or [] if each["key"] != TAINT]
            self.kube.change_node(node["metadata"]["name"], {"metadata": {"labels": LABELS}, "spec": {"taints": taints or None}})

    def tell(self, pod: Json, kind: str, reason: str, message: str) -> None:
        """Tell something about a pod once."""
        if f"{pod['metadata']['uid']}{reason}" not in self.told:
            self.told.add(f"{pod['metadata']['uid']}{reason}")
            self.kube.event(pod, kind, reason, message)

    def restore(self) -> None:
        """Put everything back."""
        self.bring()
        for node in self.kube.nodes():
            self.kube.change_node(node["metadata"]["name"], {"metadata": {"labels": dict.fromkeys(LABELS)}})
        self.kube.enforce(suspended=False)
        kept = self.directory / KEPT
        for each in json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []:
            metadata = {key: value for key, value in each["metadata"].items() if key in ("name", "labels", "annotations")}
            self.kube.make_storage_class({**each, "metadata": metadata})
        kept.unlink(missing_ok=True)


@contextlib.contextmanager
def unless(*statuses: int) -> Iterator[None]:
    """Pass over answers of the API server that say that there is nothing to do."""
    try:
        yield
    except kubernetes.client.ApiException as error:
        if error.status not in statuses:
            raise


class Cluster:
    """A real cluster.

    Args:
        kubeconfig: Its path.
    """

    def __init__(self, kubeconfig: str) -> None:
        api = kubernetes.config.new_client_from_config(kubeconfig)
        self.core, self.storage, self.apps = kubernetes.client.CoreV1Api(api), kubernetes.client.StorageV1Api(api), kubernetes.client.AppsV1Api(api)
        self.plain = api.sanitize_for_serialization

    def nodes(self) -> list[Json]:
        """Return the nodes."""
        return self.plain(self.core.list_node())["items"]

    def change_node(self, name: str, body: Json) -> None:
        """Change a node."""
        # A strategic merge would add to the taints.
        self.core.patch_node(name, body, _content_type="application/merge-patch+json")

    def pods(self) -> list[Json]:
        """Return the pods of all namespaces that have no node."""
        return self.plain(self.core.list_pod_for_all_namespaces(field_selector="spec.nodeName=,status.phase=Pending"))["items"]

    def event(self, pod: Json, kind: str, reason: str, message: str) -> None:
        """Tell something about a pod."""
        metadata, now = pod["metadata"], datetime.datetime.now(datetime.UTC).isoformat()
        body = {
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": {"kind": "Pod", "apiVersion": "v1"} | {key: metadata[key] for key in ("name", "namespace", "uid")},
            "type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "eks-auto-mode/compute"},
        }
        with unless(404):
            self.core.create_namespaced_event(metadata["namespace"], body)

    def storage_classes(self) -> list[Json]:
        """Return the StorageClasses."""
        return self.plain(self.storage.list_storage_class())["items"]

    def make_storage_class(self, body: Json) -> None:
        """Make a StorageClass where it is not there."""
        with unless(409):
            self.storage.create_storage_class(body)

    def remove_storage_class(self, name: str) -> None:
        """Remove a StorageClass."""
        with unless(404):
            self.storage.delete_storage_class(name)

    def enforce(self, suspended: bool) -> None:
        """Have what enforces policies run, or not; rules that it made before stay."""
        selector = SUSPENDED if suspended else dict.fromkeys(SUSPENDED)
        body = {"spec": {"template": {"spec": {"nodeSelector": selector}}}}
        with unless(404):
            self.apps.patch_namespaced_daemon_set(ENFORCER, "kube-system", body, _content_type="application/merge-patch+json")

    def setting(self, name: str, key: str) -> str:
        """Return a value of a ConfigMap in kube-system, empty where there is none."""
        with unless(404):
            return (self.plain(self.core.read_namespaced_config_map(name, "kube-system")).get("data") or {}).get(key, "")
        return ""


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True, help="of the cluster's administrator")
    parser.add_argument("--directory", required=True, type=Path, help="where what is put aside is kept")
    parser.add_argument("--boot", type=float, default=BOOT, help="seconds until a node is there; %(default)s as on AWS")
    parser.add_argument("--restore", action="store_true", help="put everything back, and end")
    given = parser.parse_args()
    mode = AutoMode(Cluster(given.kubeconfig), given.directory, boot=given.boot)
    if given.restore:
        mode.restore()
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    mode.begin()
    print("There is no node.", flush=True)
    while True:
        try:
            mode.round()
        except (kubernetes.client.ApiException, urllib3.exceptions.HTTPError) as error:
            print(" ".join(str(error).split())[:300], file=sys.stderr, flush=True)
        time.sleep(0.5)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
