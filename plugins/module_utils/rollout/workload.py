"""What is wrong with a workload itself: its deadline, a failed Job, pods that cannot be created, pods that are evicted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..kube.objects import Object, condition, dig
from .advice import advice
from .model import CREATED_SOON, NEVER, RETRIED, SETTLED, TRANSIENT, Finding, Snapshot
from .reading import (
    began_at,
    current_pods,
    event_time,
    events_of,
    exit_of,
    is_observed,
    is_of_this_attempt,
    is_young,
    live_pods,
    name_of,
    newest_replicaset,
    telling_container,
    wanted_pods,
    was_short_of_memory,
)


def workload_findings(snapshot: Snapshot, since: str) -> Iterable[Finding]:
    """Yield what is wrong with the workload itself: it is paused, its deadline has passed, its Job has failed."""
    workload = snapshot.workload
    kind = workload["kind"]
    spec = workload.get("spec") or {}
    if kind == "Job":
        yield from _job_findings(snapshot)
        return
    if kind == "Deployment" and spec.get("paused"):
        yield Finding("paused", "The rollout is paused", "DeploymentPaused", grace=SETTLED)
    stalled = condition(workload, "Progressing", "False")
    if not stalled or not is_observed(workload):
        return
    reason, message = stalled.get("reason") or "", stalled.get("message") or ""
    if reason == "ProgressDeadlineExceeded":
        seconds = spec.get("progressDeadlineSeconds") or 600
        counts = is_of_this_attempt(stalled.get("lastUpdateTime"), began_at(workload), since)
        summary = f"There was no progress for {seconds} s (progressDeadlineSeconds)"
        yield Finding("deadline", summary, reason, message, grace=SETTLED if counts else NEVER)
    elif reason in ("ReplicaSetCreateError", "FailedCreate"):
        yield Finding("refused", "The ReplicaSet cannot be created", reason, message, grace=RETRIED)


def _job_findings(snapshot: Snapshot) -> Iterable[Finding]:
    job = snapshot.workload
    # FailureTarget comes first, Failed only when the pods and their logs are gone (since Kubernetes 1.31).
    failed = condition(job, "Failed") or condition(job, "FailureTarget")
    if failed:
        pods = current_pods(snapshot)
        guilty = [pod for pod in pods if dig(pod, "status", "phase") == "Failed"] or pods
        pod = guilty[-1] if guilty else None
        status = telling_container(pod) if pod else None
        again = bool(status) and not dig(status, "state", "terminated") and dig(status, "lastState", "terminated")
        reason = failed.get("reason") or "Failed"
        yield Finding(
            "job-deadline" if reason == "DeadlineExceeded" else "job",
            _JOB_REASONS.get(reason, "The Job failed").format(seconds=dig(job, "spec", "activeDeadlineSeconds")) + exit_of(status),
            reason,
            failed.get("message") or "",
            name_of(pod) if pod else "",
            status["name"] if status else "",
            grace=0,
            log="" if not status else "previous" if again else "current",
            advice=advice("memory", job) if was_short_of_memory(status) else "",
        )
    elif dig(job, "spec", "suspend"):
        yield Finding("paused", "The Job is suspended (spec.suspend)", "JobSuspended", grace=SETTLED)


# https://kubernetes.io/docs/concepts/workloads/controllers/job/#handling-pod-and-container-failures
_JOB_REASONS = {
    "BackoffLimitExceeded": "The Job used up its retries (backoffLimit)",
    "DeadlineExceeded": "The Job took longer than its {seconds} s (activeDeadlineSeconds)",
    "PodFailurePolicy": "The Job failed, and a retry would not help",
    "FailedIndexes": "Some indexes of the Job failed",
    "MaxFailedIndexesExceeded": "More indexes of the Job failed than allowed (maxFailedIndexes)",
}
# (Pattern in the API server's refusal, cause, summary, grace). The first match counts.
_REFUSALS: tuple[tuple[str, str, str, float], ...] = (
    (
        r'failed calling webhook "(?P<name>[^"]+)"',
        "webhook-down",
        "The admission webhook {name} does not answer",
        TRANSIENT,
    ),
    (r"object has been modified|status unknown for quota|etcdserver|timeout", "refused", "", TRANSIENT),
    (r"exceeded quota: (?P<name>[^,]+)", "quota", "The quota {name} has no room for the pod", CREATED_SOON),
    (r"failed quota: (?P<name>[^:]+)", "quota", "The quota {name} requires requests and limits in the pod", SETTLED),
    (
        r"(?:maximum|minimum|limit to request ratio) .*? per (?:Pod|Container)",
        "quota",
        "A LimitRange rejects the pod",
        SETTLED,
    ),
    (r'violates PodSecurity "(?P<name>[^"]+)"', "pod-security", "Pod Security ({name}) rejects the pod", SETTLED),
    (r'admission webhook "(?P<name>[^"]+)" denied', "webhook", "The admission webhook {name} rejects the pod", SETTLED),
    (r"ValidatingAdmissionPolicy '(?P<name>[^']+)'", "webhook", "The admission policy {name} rejects the pod", SETTLED),
    (
        r'serviceaccount "(?P<name>[^"]+)" not found',
        "serviceaccount",
        "There is no ServiceAccount {name}",
        CREATED_SOON,
    ),
    (r"being terminated", "terminating", "The namespace is being deleted", SETTLED),
    (r"is invalid|Invalid value|is forbidden", "refused", "The API server rejects the pod", CREATED_SOON),
)


def refusals(snapshot: Snapshot, pods: Sequence[Object], since: str) -> Iterable[Finding]:
    """Find pods that the API server does not allow the controller to create.

    A Deployment shows this as a condition of its ReplicaSet, other kinds only as events.
    """
    workload = snapshot.workload
    if len(live_pods(pods)) >= wanted_pods(workload):
        return
    subject = (newest_replicaset(snapshot) or workload) if workload["kind"] == "Deployment" else workload
    events = events_of(snapshot.events, dig(subject, "metadata", "uid"))
    failure = next((event for event in events if event.get("reason") == "FailedCreate"), None)
    refused = condition(subject, "ReplicaFailure")
    seen, message = "", ""
    if refused and refused.get("reason") == "FailedCreate":
        seen, message = refused.get("lastTransitionTime") or "", refused.get("message") or ""
        if failure:
            seen = max(seen[:19], event_time(failure)[:19])
    elif failure and workload["kind"] != "Deployment":
        created = next((event for event in events if event.get("reason") == "SuccessfulCreate"), None)
        if created and event_time(created)[:19] > event_time(failure)[:19]:
            return
        seen, message = event_time(failure), failure.get("message") or ""
    if not message:
        return
    counts = is_of_this_attempt(seen, began_at(workload), since)
    status = workload.get("status") or {}
    # Pods of the previous revision that are still terminating may free quota.
    steady = ":".join(str(status.get(key) or 0) for key in ("replicas", "updatedReplicas", "availableReplicas", "active"))
    for pattern, cause, summary, grace in _REFUSALS:
        if match := re.search(pattern, message):
            yield Finding(
                cause,
                summary.format(**match.groupdict()) or "The pod cannot be created",
                "FailedCreate",
                message,
                grace=grace if counts else NEVER,
                steady=f"{steady}:{len(snapshot.pods)}" if cause == "quota" else "",
            )
            return
    yield Finding("refused", "The pod cannot be created", "FailedCreate", message, grace=TRANSIENT if counts else NEVER)


def evictions(pods: Sequence[Object], since: str) -> Iterable[Finding]:
    """Find a node that evicts every new pod: three pods of the revision, as fewer may be chance."""
    out = [
        pod
        for pod in pods
        if dig(pod, "status", "phase") == "Failed" and dig(pod, "status", "reason") and is_young(dig(pod, "metadata", "creationTimestamp"), since)
    ]
    if len(out) >= 3:
        status = out[-1]["status"]
        summary = f"{len(out)} pods were evicted by their node ({status['reason']})"
        yield Finding("evicted", summary, status["reason"], status.get("message") or "", name_of(out[-1]), grace=0)
