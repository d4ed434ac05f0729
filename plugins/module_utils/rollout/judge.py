"""Decide from Kubernetes objects whether a rollout is complete, can still succeed, or is certain to fail.

All functions take plain dicts, as the API server returns them; nothing is read from a cluster.
`judge` looks at one snapshot of a workload and lists what is wrong with it (findings). A finding says how long it
must be seen without a break before it is certain (its grace); `model.Patience` keeps those clocks and `message.describe` writes the message.

What counts as evidence:

- Only pods of the current revision: the newest ReplicaSet's, the update revision's, the Job's own.
- For an attempt that began before the wait, only what happened since the wait began: a back-off of up to five
  minutes shows an old error that may have been resolved since, e.g. a registry that was down.
  https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy

Reasons and messages are those of Kubernetes 1.36: pkg/kubelet/images/types.go, pkg/kubelet/images/image_manager.go,
pkg/kubelet/kuberuntime/kuberuntime_container.go, pkg/kubelet/container/sync_result.go and pkg/controller in
https://github.com/kubernetes/kubernetes/tree/v1.36.3
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..kube.objects import Object, condition, dig
from .model import NEVER, SCHEDULING, STAYS, Snapshot, Verdict
from .pods import pod_findings
from .reading import (
    current_pods,
    daemonset_revision,
    is_observed,
    is_ready,
    live_pods,
    name_of,
    parse_time,
    pod_state,
    revision_number,
    succeeded,
    template_images,
    wanted_pods,
)
from .workload import evictions, refusals, workload_findings


def judge(snapshot: Snapshot, since: str = "", scheduling_grace: float = SCHEDULING) -> Verdict:
    """Report the state of a workload and what is wrong with it.

    Args:
        snapshot: The workload and the objects that belong to it.
        since: The cluster's time when the wait began, RFC 3339; empty to count everything as new.
        scheduling_grace: Seconds before a pod that fits on no node counts as failed.
    """
    workload = snapshot.workload
    complete, note = _JUDGES[workload["kind"]](workload)
    pods = current_pods(snapshot)
    if workload["kind"] == "Job" and not complete:
        # The Job's own status follows its pods' containers two or three seconds later.
        complete = condition(workload, "Failed") is None and len(succeeded(pods)) >= wanted_pods(workload)
    if complete and unproved(workload) and not _proved(pods, snapshot.now):
        complete, note = False, f"must stay ready for {STAYS.seconds} s, as there is no readiness probe"
    verdict = Verdict(complete, _progress(workload, pods, complete, note), state_of(snapshot))
    if complete:
        return verdict
    findings = [*workload_findings(snapshot, since)]
    if is_observed(workload):
        findings += refusals(snapshot, pods, since)
        for pod in pods:
            findings += pod_findings(snapshot, pod, since, scheduling_grace)
        findings += evictions(pods, since)
    findings.sort(key=lambda finding: (finding.grace == NEVER, RANK.get(finding.cause, 0)))
    return Verdict(False, verdict.progress, verdict.state, tuple(findings))


def unproved(workload: Object) -> bool:
    """Whether a workload's pods count as ready without having proved that they work."""
    spec = workload.get("spec") or {}
    containers = dig(spec, "template", "spec", "containers") or []
    return workload["kind"] != "Job" and not spec.get("minReadySeconds") and not all(container.get("readinessProbe") for container in containers)


def _proved(pods: Iterable[Object], now: str) -> bool:
    present = parse_time(now)
    for pod in live_pods(pods):
        ready = condition(pod, "Ready")
        since = parse_time(ready.get("lastTransitionTime")) if ready else None
        if since is None or (present is not None and present - since < STAYS):
            return False
    return True


def state_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return what the module returns for a workload: kind, name, revision, replicas, ready, images."""
    workload = snapshot.workload
    status = workload.get("status") or {}
    kind = workload["kind"]
    revision, ready = "", status.get("readyReplicas") or 0
    if kind == "Deployment":
        number = revision_number(workload)
        revision = str(number) if number else ""
    elif kind == "StatefulSet":
        revision = status.get("updateRevision") or ""
    elif kind == "DaemonSet":
        revision, ready = daemonset_revision(snapshot), status.get("numberReady") or 0
    else:
        revision, ready = dig(workload, "metadata", "uid") or "", max(status.get("succeeded") or 0, len(succeeded(current_pods(snapshot))))
    return {
        "kind": kind,
        "name": workload["metadata"]["name"],
        "revision": revision,
        "replicas": wanted_pods(workload),
        "ready": ready,
        "images": template_images(workload),
    }


# These four follow kubectl rollout status, plus OnDelete, which kubectl does not wait for:
# https://github.com/kubernetes/kubectl/blob/v0.36.3/pkg/polymorphichelpers/rollout_status.go


def _deployment(workload: Object) -> tuple[bool, str]:
    status, wanted = workload.get("status") or {}, wanted_pods(workload)
    updated = status.get("updatedReplicas") or 0
    old = (status.get("replicas") or 0) - updated
    if not is_observed(workload) or updated < wanted:
        return False, ""
    if old > 0:
        return False, f"{old} pod{'s' if old > 1 else ''} of the previous revision left"
    return (status.get("availableReplicas") or 0) >= updated, ""


def _statefulset(workload: Object) -> tuple[bool, str]:
    status, wanted = workload.get("status") or {}, wanted_pods(workload)
    if not status.get("observedGeneration") or not is_observed(workload):
        return False, ""
    if (status.get("readyReplicas") or 0) < wanted:
        return False, ""
    if dig(workload, "spec", "updateStrategy", "type") == "OnDelete":
        return True, "the new revision waits for the old pods to be deleted" if _outdated(status) else ""
    partition = dig(workload, "spec", "updateStrategy", "rollingUpdate", "partition") or 0
    return (status.get("updatedReplicas") or 0) >= wanted - partition, ""


def _outdated(status: Object) -> bool:
    return status.get("updateRevision") != status.get("currentRevision")


def _daemonset(workload: Object) -> tuple[bool, str]:
    status, wanted = workload.get("status") or {}, wanted_pods(workload)
    if not is_observed(workload):
        return False, ""
    on_delete = dig(workload, "spec", "updateStrategy", "type") == "OnDelete"
    if not on_delete and (status.get("updatedNumberScheduled") or 0) < wanted:
        return False, ""
    return (status.get("numberAvailable") or 0) >= wanted, ""


def _job(workload: Object) -> tuple[bool, str]:
    return condition(workload, "Complete") is not None, ""


_JUDGES = {"Deployment": _deployment, "StatefulSet": _statefulset, "DaemonSet": _daemonset, "Job": _job}


def _progress(workload: Object, pods: Sequence[Object], complete: bool, note: str) -> str:
    wanted = wanted_pods(workload)
    if workload["kind"] == "Job":
        if complete:
            return "complete"
        live = live_pods(pods)
        failed = dig(workload, "status", "failed") or 0
        text = f"running ({name_of(live[-1])}: {pod_state(live[-1])})" if live else "no pod yet"
        return text + (f", {failed} failed" if failed else "")
    ready = sum(is_ready(pod) for pod in pods)
    if complete and not pods:
        ready = wanted
    text = f"{ready} of {wanted} pod{'s' if wanted != 1 else ''} ready"
    waiting = [pod for pod in pods if not is_ready(pod) and not dig(pod, "metadata", "deletionTimestamp")]
    if waiting and not complete:
        text += f" ({name_of(waiting[0])}: {pod_state(waiting[0])})"
    return text + (f", {note}" if note else "")


# Which of several findings explains the problem best: more specific ones come first.
RANK = {
    cause: rank
    for rank, cause in enumerate(
        (
            "job",
            "job-deadline",
            "image-name",
            "image-never",
            "image-missing",
            "image-denied",
            "registry",
            "config",
            "command",
            "container",
            "starting",
            "memory",
            "liveness",
            "crash",
            "ended",
            "port",
            "loopback",
            "answer",
            "quota",
            "pod-security",
            "webhook",
            "webhook-down",
            "serviceaccount",
            "terminating",
            "refused",
            "volume",
            "resources",
            "placement",
            "mount",
            "evicted",
            "readiness",
            "paused",
            "deadline",
        )
    )
}
