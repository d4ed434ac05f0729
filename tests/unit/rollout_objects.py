"""Kubernetes objects as an API server of 1.36 returns them, for the tests of rollouts.

Messages of the kubelet, the scheduler and the controllers are word for word those of the real ones.
"""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]

BEGAN = "2026-03-01T12:00:00Z"
"""When the rollout under test was applied."""
SINCE = "2026-03-01T12:00:02Z"
"""When the wait for it began."""
LATER = "2026-03-01T12:00:20Z"
LONG_AGO = "2026-03-01T09:00:00Z"
"""When an earlier attempt was made, whose error may have been fixed since."""

IMAGE = "localhost:5000/polls@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
LABELS = {"app.kubernetes.io/name": "polls"}


def meta(name: str, uid: str, owner: Json | None = None, created: str = BEGAN, **more: Any) -> Json:
    """Return an object's metadata; ``owner`` becomes its controller."""
    metadata: Json = {"name": name, "uid": uid, "namespace": "polls-dev", "creationTimestamp": created, "generation": 1}
    if owner:
        metadata["ownerReferences"] = [
            {
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
            }
        ]
    return metadata | more


def template() -> Json:
    """Return a pod template with one container that has a readiness probe, and an init container."""
    return {
        "metadata": {"labels": LABELS},
        "spec": {
            "initContainers": [{"name": "wait", "image": "localhost:5000/wait:1"}],
            "containers": [{"name": "web", "image": IMAGE, "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8000}}}],
        },
    }


def deployment(created: str = BEGAN, spec: Json | None = None, **status: Any) -> Json:
    """Return a Deployment of two replicas whose rollout has just begun, with ``status`` on top."""
    return {
        "kind": "Deployment",
        "metadata": meta("polls", "d-1", created=created, annotations={"deployment.kubernetes.io/revision": "2"}, labels=LABELS),
        "spec": {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template()} | (spec or {}),
        "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2} | status,
    }


def replicaset(owner: Json, revision: int = 2, **status: Any) -> Json:
    """Return a ReplicaSet of a Deployment."""
    annotations = {"deployment.kubernetes.io/revision": str(revision)}
    return {
        "kind": "ReplicaSet",
        "metadata": meta(f"polls-{revision}", f"rs-{revision}", owner, annotations=annotations),
        "status": status,
    }


def statefulset(spec: Json | None = None, created: str = BEGAN, **status: Any) -> Json:
    """Return a StatefulSet of one replica that waits for its pod."""
    return {
        "kind": "StatefulSet",
        "metadata": meta("postgresql", "ss-1", created=created),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": LABELS},
            "template": template(),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        }
        | (spec or {}),
        "status": {
            "observedGeneration": 1,
            "updateRevision": "postgresql-7c9f",
            "currentRevision": "postgresql-7c9f",
            "replicas": 1,
        }
        | status,
    }


def daemonset(spec: Json | None = None, **status: Any) -> Json:
    """Return a DaemonSet that two nodes want."""
    return {
        "kind": "DaemonSet",
        "metadata": meta("agent", "ds-1"),
        "spec": {
            "selector": {"matchLabels": LABELS},
            "template": template(),
            "updateStrategy": {"type": "RollingUpdate"},
        }
        | (spec or {}),
        "status": {"observedGeneration": 1, "desiredNumberScheduled": 2} | status,
    }


def job(*conditions: Json, spec: Json | None = None, **status: Any) -> Json:
    """Return a Job with these conditions."""
    return {
        "kind": "Job",
        "metadata": meta("polls-migrate-3f2a", "j-1"),
        "spec": {"completions": 1, "parallelism": 1, "backoffLimit": 0, "template": template()} | (spec or {}),
        "status": {"conditions": list(conditions)} | status,
    }


def condition(kind: str, status: str = "True", reason: str = "", message: str = "", at: str = BEGAN) -> Json:
    """Return a condition of an object's status."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": at,
        "lastUpdateTime": at,
    }


def waiting(reason: str, message: str = "", **status: Any) -> Json:
    """Return the status of a container that waits."""
    return container(state={"waiting": {"reason": reason, "message": message}}, **status)


def ended(code: int, reason: str = "Error", at: str = LATER, **more: Any) -> Json:
    """Return the state of a container that has ended."""
    return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": at} | more}


def container(name: str = "web", **status: Any) -> Json:
    """Return a container's status; by default it is not ready."""
    return {"name": name, "image": IMAGE, "ready": False, "restartCount": 0, "state": {}, "lastState": {}} | status


def crashing(state: Json, restarts: int = 1) -> Json:
    """Return the status of a container that waits after a crash."""
    message = "back-off 10s restarting failed container=web pod=polls-2-abcde_polls-dev(p-1)"
    return waiting("CrashLoopBackOff", message, lastState=state, restartCount=restarts)


def pod(
    owner: Json,
    *statuses: Json,
    name: str = "polls-2-abcde",
    phase: str = "Pending",
    created: str = BEGAN,
    init: Json | None = None,
    conditions: list[Json] | None = None,
    labels: Json | None = None,
    **more: Any,
) -> Json:
    """Return a pod that ``owner`` controls; ``more`` goes into its status."""
    running = container("wait", state=ended(0, "Completed"), ready=True)
    return {
        "kind": "Pod",
        "metadata": meta(name, f"uid-{name}", owner, created, labels=LABELS | (labels or {})),
        "spec": copy.deepcopy(template()["spec"]),
        "status": {
            "phase": phase,
            "conditions": conditions if conditions is not None else [condition("Ready", "False", "ContainersNotReady")],
            "initContainerStatuses": [init or running],
            "containerStatuses": list(statuses),
        }
        | more,
    }


def ready_pod(owner: Json, name: str = "polls-2-ready", **more: Any) -> Json:
    """Return a pod that serves."""
    status = container(ready=True, state={"running": {"startedAt": BEGAN}})
    return pod(owner, status, name=name, phase="Running", conditions=[condition("Ready")], **more)


def unschedulable(owner: Json, message: str, **more: Any) -> Json:
    """Return a pod that no node takes."""
    return pod(owner, conditions=[condition("PodScheduled", "False", "Unschedulable", message)], **more)


def event(
    subject: Json,
    reason: str,
    message: str,
    at: str = LATER,
    kind: str = "Warning",
    container_name: str = "",
    count: int = 1,
) -> Json:
    """Return an event of an object, or of a container in it."""
    involved = {"uid": subject["metadata"]["uid"], "name": subject["metadata"]["name"]}
    if container_name:
        involved["fieldPath"] = f"spec.containers{{{container_name}}}"
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "count": count,
        "lastTimestamp": at,
        "involvedObject": involved,
    }


def claim(phase: str = "Pending", storage_class: str | None = None) -> Json:
    """Return a PersistentVolumeClaim."""
    spec: Json = {"storageClassName": storage_class} if storage_class else {}
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": meta("data-postgresql-0", "pvc-1"),
        "spec": spec,
        "status": {"phase": phase},
    }
