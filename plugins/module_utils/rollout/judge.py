"""Decide from Kubernetes objects whether a rollout is complete, can still succeed, or is certain to fail.

Everything here is a function of plain dicts, as the API server returns them; nothing is read from a cluster.
`judge` looks at one snapshot of a workload and lists what is wrong with it (findings). A finding says how long it
must be seen in a row before it is certain (its grace), and `Patience` keeps those clocks. `describe` makes the
message.

What counts as evidence:

- Only pods of the current revision: the newest ReplicaSet's, the update revision's, the Job's own.
- Of an attempt that began before the wait, only what happened since the wait began: a back-off of up to five
  minutes shows an old error that may have been cured since, e.g. a registry that was down.
  https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy

Reasons and messages are those of Kubernetes 1.36: pkg/kubelet/images/types.go, pkg/kubelet/images/image_manager.go,
pkg/kubelet/kuberuntime/kuberuntime_container.go, pkg/kubelet/container/sync_result.go and pkg/controller in
https://github.com/kubernetes/kubernetes/tree/v1.36.3
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import math
import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..kube import probes
from ..kube.objects import Object, condition, dig
from . import symptoms
from .symptoms import Symptom

NEVER = math.inf
"""Grace of a finding that explains a timeout and is never certain by itself."""
SETTLED = 2.0
"""Seconds for what is not retried differently: seen in two polls, so not a state between two updates."""
RETRIED = 5.0
"""Seconds for what the kubelet tries again by itself and a cache may have delayed."""
RETRIED_OLD = 20.0
"""The same on a pod from before the wait: the kubelet's next try comes within 10 s and half of that as jitter
(backOffPeriod and workerBackOffPeriodJitterFactor in pkg/kubelet/pod_workers.go)."""
CREATED_SOON = 10.0
"""Seconds for an object that may be created in the same breath: a ServiceAccount, a claim, a Secret of a volume."""
TRANSIENT = 45.0
"""Seconds for a network error: image pulls are tried at about 0, 10 and 30 s, so three of them failed."""
SCHEDULING = 30.0
"""Seconds in which an autoscaler has told that it makes a node (Karpenter and EKS Auto Mode batch for 10 s)."""
STARTING_NODE = 60.0
"""Seconds for a node that is starting: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""
ANSWERED = 5.0
"""Seconds for what the app itself answers a probe and will not answer differently, such as 404."""
ERRORS = 12.0
"""Seconds for an error of the app's (500), which the first requests alone may show."""
LISTENS = 8.0
"""Seconds in which an app that listens on another port may still begin to listen on the right one: some open one for metrics first."""
STAYS = timedelta(seconds=5)
"""How long a pod without a readiness probe must have run: such a pod is ready the moment that it starts, and a
process that crashes at its start would count as rolled out."""
YOUNG = timedelta(seconds=60)
"""An attempt that began this long before the wait is the one that is waited for."""

ADVICE: dict[str, str] = {
    "image-missing": "Build and push the image (playbooks/image.yml); where it is there, berth_registry leads elsewhere.",
    "image-denied": "Give the cluster access to the registry: check berth_registry and its pull credentials.",
    "image-name": "Correct what the image's name is made of: berth_registry_host and berth_app_name.",
    "image-never": "Load the image onto the node, or let the kubelet pull it (imagePullPolicy IfNotPresent).",
    "registry": "Check that the node reaches the registry at the address that berth_registry names, and trusts it.",
    "config": "Add the missing name to berth_app_secrets or berth_app_settings and run playbooks/config.yml again.",
    "container": "The container runtime refuses the container as it is described: correct what its message names.",
    "command": "The image has no such command, or may not run it: correct {command} or the image.",
    "crash": "Mend what the log shows; a missing setting belongs in berth_app_settings or berth_app_secrets.",
    "ended": "The command must keep running in the foreground: correct {command}.",
    "memory": "Raise the memory limit in {resources}, or make the process use less.",
    "liveness": "The process runs but its probe fails: see its log, or give it more time (startup_seconds in "
    "berth_app_probe) or more CPU in berth_app_resources.",
    "readiness": "The process runs but is not ready: its log says what it waits for (the database, a migration).",
    "quota": "Lower {resources} or {pods}, or raise berth_quota.",
    "pod-security": "Make the pod meet the namespace's Pod Security level: non-root, no privilege escalation, all "
    "capabilities dropped, seccomp RuntimeDefault.",
    "webhook": "The webhook decides what may run here: meet what it asks for, or ask who runs it.",
    "webhook-down": "The webhook's own service does not answer: repair it, or remove its configuration.",
    "serviceaccount": "Create the ServiceAccount, or correct its name in the pod template.",
    "refused": "Correct the field that the message names.",
    "terminating": "Wait until the namespace is gone, then run the playbook again.",
    "resources": "Lower the requests in {resources} or {pods}, or add a node.",
    "placement": "Correct nodeSelector, affinity or tolerations, or label a node accordingly.",
    "volume": "Create what the volume needs: a default StorageClass, the named one, or the claim itself.",
    "mount": "The volume cannot be mounted yet: see the event.",
    "evicted": "The node puts the pod out as soon as it starts: free the resource that the message names.",
    "job": "Mend what the log shows, then run the playbook again: a new Job takes the failed one's place.",
    "job-deadline": "Look at what took so long; where it needs its time, {more_time}, then run the playbook again.",
    "deadline": "See the pods below; where they only need more time, {more_time}.",
    "paused": "Resume it: kubectl rollout resume.",
    "waiting": "Look at it with playbooks/ops/status.yml; where it only needs more time, {more_time}.",
}
"""What to do, by cause: one sentence, or one that names two ways. What is in braces is a key of WAYS."""

WAYS: dict[str, dict[str, str]] = {
    "": {"more_time": "give it more time", "command": "the container's command", "resources": "berth_app_resources", "pods": "berth_app_replicas"},
    "web": {"more_time": "raise berth_app_timeout", "command": "berth_app_command"},
    "release": {"more_time": "raise berth_app_timeout", "command": "berth_app_release_commands"},
    "schedule": {"more_time": "raise the timeout of the schedule in berth_app_schedules", "command": "the command in berth_app_schedules"},
    "process": {
        "more_time": "raise berth_app_timeout",
        "command": "its command in berth_app_processes",
        "resources": "its resources in berth_app_processes",
        "pods": "its replicas there",
    },
    "database": {"more_time": "raise berth_database_timeout"},
    "database-login": {"more_time": "raise berth_database_timeout"},
}
"""How ADVICE is followed, by the component's label of a workload that Berth made; with an empty one, of any other and of what is not told apart."""


@dataclass(frozen=True)
class Finding:
    """Something that keeps a rollout from completing."""

    cause: str
    """A key of ADVICE."""
    summary: str
    """What is wrong: the message's first line, without a full stop."""
    reason: str
    """Kubernetes' own word, e.g. ErrImagePull."""
    message: str = ""
    """Kubernetes' own text."""
    pod: str = ""
    container: str = ""
    grace: float = NEVER
    """Seconds that it must be seen in a row to be certain; 0 for at once."""
    log: str = ""
    """Which log explains it: ``current``, ``previous`` (of the container that crashed) or none."""
    steady: str = ""
    """What must not change while it is waited for, e.g. the number of pods."""
    advice: str = ""
    """What to do, where ADVICE cannot know it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two findings of two polls the same one; not the pod, which its controller may replace."""
        return self.cause, self.container, self.steady


@dataclass(frozen=True)
class Snapshot:
    """One workload and what belongs to it, as read in one poll."""

    workload: Object
    pods: Sequence[Object] = ()
    """Pods that its selector matches, of any revision and owner."""
    replicasets: Sequence[Object] = ()
    revisions: Sequence[Object] = ()
    """ControllerRevisions that its selector matches (DaemonSet)."""
    events: Sequence[Object] = ()
    """Events of the workload, its pods, its newest ReplicaSet and their claims."""
    claims: Mapping[str, Object | None] = field(default_factory=dict)
    """PersistentVolumeClaims of its pods by name; None when there is no such claim."""
    now: str = ""
    """The cluster's time of this poll, RFC 3339."""
    sockets: Sequence[tuple[str, int]] = ()
    """Address and port of what listens in the pod that refuses its probes, as far as it is known."""


@dataclass(frozen=True)
class Verdict:
    """What one snapshot tells."""

    complete: bool
    progress: str
    """Where it stands, e.g. ``1 of 2 pods ready (polls-abc: ContainerCreating)``."""
    state: dict[str, Any]
    """kind, name, revision (str), replicas (int, wanted), ready (int), images (list of str)."""
    findings: tuple[Finding, ...] = ()
    """The most telling first."""


class Patience:
    """Remembers since when each finding has been seen in a row."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str, str], float] = {}

    def certain(self, findings: Iterable[Finding], now: float) -> Finding | None:
        """Return the first finding that has been seen for its grace, or None.

        Args:
            findings: Of the poll at ``now``.
            now: Seconds of a clock that only goes forward.
        """
        found = list(findings)
        self._since = {finding.key: self._since.get(finding.key, now) for finding in found}
        for finding in found:
            if now - self._since[finding.key] >= finding.grace:
                return finding
        return None


def advice(cause: str, workload: Object) -> str:
    """Return what to do about a finding of that cause in a workload."""
    return advised(workload, ADVICE[cause])


def advice_of(finding: Finding, workload: Object) -> str:
    """Return what to do about a finding in a workload."""
    return finding.advice or advice(finding.cause, workload)


def advised(workload: Object, text: str) -> str:
    """Return a text of ADVICE with the variables of a workload in it."""
    return text.format(**WAYS[""] | WAYS.get(_label(workload, "app.kubernetes.io/component"), {}))


# -- Reading objects ---------------------------------------------------------------------------------------------


def owned_by(thing: Object, owner: Object) -> bool:
    """Tell whether ``owner`` is the controller of an object (by uid: names come back)."""
    references = dig(thing, "metadata", "ownerReferences") or []
    uid = dig(owner, "metadata", "uid")
    return any(reference.get("controller") and reference.get("uid") == uid for reference in references)


def template_images(workload: Object) -> list[str]:
    """Return the images of a workload's containers, init containers last."""
    spec = dig(workload, "spec", "template", "spec") or {}
    return [c["image"] for key in ("containers", "initContainers") for c in spec.get(key) or [] if c.get("image")]


def newest_replicaset(snapshot: Snapshot) -> Object | None:
    """Return the Deployment's ReplicaSet with the highest revision, or None before there is one."""
    owned = [each for each in snapshot.replicasets if owned_by(each, snapshot.workload)]
    return max(owned, key=_revision_number, default=None)


def current_pods(snapshot: Snapshot) -> list[Object]:
    """Return the pods of the workload's current revision, the oldest first."""
    workload = snapshot.workload
    kind = workload["kind"]
    if kind == "Deployment":
        newest = newest_replicaset(snapshot)
        pods = [pod for pod in snapshot.pods if newest and owned_by(pod, newest)]
    else:
        pods = [pod for pod in snapshot.pods if owned_by(pod, workload)]
        revision = ""
        if kind == "StatefulSet":
            revision = dig(workload, "status", "updateRevision") or ""
        elif kind == "DaemonSet":
            revision = _daemonset_revision(snapshot)
        if revision:
            # A StatefulSet's label is the ControllerRevision's name, a DaemonSet's only the hash at its end.
            pods = [pod for pod in pods if revision.endswith(_label(pod, "controller-revision-hash") or "\0")]
    return sorted(pods, key=lambda pod: (dig(pod, "metadata", "creationTimestamp") or "", pod["metadata"]["name"]))


def event_subjects(snapshot: Snapshot) -> list[str]:
    """Return the uids of the objects whose events can explain why a workload is not complete.

    At most four, so that a poll stays cheap: pods of one workload mostly fail alike.
    """
    pods = current_pods(snapshot)
    troubled = [pod for pod in pods if not _ready(pod) and dig(pod, "status", "phase") != "Succeeded"]
    subjects = [*troubled[:2]]
    if len(_live(pods)) < _wanted(snapshot.workload):
        newest = newest_replicaset(snapshot)
        subjects.append(newest or snapshot.workload)
    claims = [claim for claim in snapshot.claims.values() if claim and dig(claim, "status", "phase") != "Bound"]
    return [uid for each in [*subjects, *claims[:1]] if (uid := dig(each, "metadata", "uid"))]


def unbound_claims(pods: Iterable[Object]) -> list[str]:
    """Return the names of the claims of the pods that wait for a node, in order and once each.

    A pod whose volume is being made for the node that was chosen has neither the node nor a condition yet:
    https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
    """
    names: dict[str, None] = {}
    for pod in pods:
        if not dig(pod, "spec", "nodeName") and not condition(pod, "PodScheduled"):
            for volume in dig(pod, "spec", "volumes") or []:
                if name := dig(volume, "persistentVolumeClaim", "claimName"):
                    names[name] = None
    return list(names)


def selector_of(workload: Object) -> str:
    """Return a workload's selector as a query takes it, e.g. ``app=polls,tier in (web)``."""
    parts = [f"{key}={value}" for key, value in (dig(workload, "spec", "selector", "matchLabels") or {}).items()]
    for rule in dig(workload, "spec", "selector", "matchExpressions") or []:
        key, values = rule["key"], ",".join(rule.get("values") or [])
        parts.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(
                rule["operator"], f"!{key}"
            )
        )
    return ",".join(parts)


def _label(thing: Object, name: str) -> str:
    return dig(thing, "metadata", "labels", name) or ""


def _revision_number(thing: Object) -> int:
    try:
        return int(dig(thing, "metadata", "annotations", "deployment.kubernetes.io/revision") or 0)
    except ValueError:
        return 0


def _daemonset_revision(snapshot: Snapshot) -> str:
    owned = [each for each in snapshot.revisions if owned_by(each, snapshot.workload)]
    newest = max(owned, key=lambda each: each.get("revision") or 0, default=None)
    return newest["metadata"]["name"] if newest else ""


def _ready(pod: Object) -> bool:
    return condition(pod, "Ready") is not None and not dig(pod, "metadata", "deletionTimestamp")


def _live(pods: Iterable[Object]) -> list[Object]:
    return [
        pod
        for pod in pods
        if not dig(pod, "metadata", "deletionTimestamp") and dig(pod, "status", "phase") not in ("Failed", "Succeeded")
    ]


def _wanted(workload: Object) -> int:
    kind, spec, status = workload["kind"], workload.get("spec") or {}, workload.get("status") or {}
    if kind == "DaemonSet":
        return status.get("desiredNumberScheduled") or 0
    if kind == "Job":
        completions = spec.get("completions")
        return completions if completions is not None else (spec.get("parallelism") or 1)
    replicas = spec.get("replicas")
    return 1 if replicas is None else replicas


def parse_time(text: str | None) -> datetime | None:
    """Return a time of RFC 3339 to the second, None for anything else."""
    # Events carry microseconds (eventTime) or seconds; the seconds are enough.
    try:
        return datetime.strptime((text or "")[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return None


def event_time(event: Object) -> str:
    """Return when an event was last seen, RFC 3339; empty where it does not say."""
    return (
        dig(event, "series", "lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or dig(event, "metadata", "creationTimestamp")
        or ""
    )


def events_of(events: Iterable[Object], uid: str | None) -> list[Object]:
    """Return an object's events, the latest first."""
    mine = [event for event in events if uid and dig(event, "involvedObject", "uid") == uid]
    return sorted(mine, key=lambda event: event_time(event)[:19], reverse=True)


def _began(workload: Object) -> str:
    """Return when the workload's spec was last changed: the latest write that is not one of its controller."""
    writes = [
        entry.get("time") or ""
        for entry in dig(workload, "metadata", "managedFields") or []
        if not entry.get("subresource") and entry.get("manager") != "kube-controller-manager"
    ]
    return max([dig(workload, "metadata", "creationTimestamp") or "", *writes])


def _young(began: str | None, since: str) -> bool:
    """Tell whether an attempt that began then is the one that is waited for since ``since``."""
    start, wait = parse_time(began), parse_time(since)
    return start is None or wait is None or start >= wait - YOUNG


def _counts(seen: str | None, began: str | None, since: str) -> bool:
    """Tell whether what the cluster saw at ``seen`` belongs to the attempt that is waited for."""
    at, start, wait = parse_time(seen), parse_time(began), parse_time(since)
    if _young(began, since):
        return at is None or start is None or at >= start
    return at is not None and wait is not None and at >= wait


# -- The verdict -------------------------------------------------------------------------------------------------


def judge(snapshot: Snapshot, since: str = "", scheduling_grace: float = SCHEDULING) -> Verdict:
    """Say where a workload stands and what is wrong with it.

    Args:
        snapshot: The workload and what belongs to it.
        since: The cluster's time when the wait began, RFC 3339; empty to count everything as new.
        scheduling_grace: Seconds until a pod that fits on no node is given up.
    """
    workload = snapshot.workload
    complete, note = _JUDGES[workload["kind"]](workload)
    pods = current_pods(snapshot)
    if workload["kind"] == "Job" and not complete:
        # The Job's own status follows its pods' containers two or three seconds later.
        complete = condition(workload, "Failed") is None and len(succeeded(pods)) >= _wanted(workload)
    if complete and unproved(workload) and not _proved(pods, snapshot.now):
        complete, note = False, f"must stay so for {STAYS.seconds} s, for there is no readiness probe"
    verdict = Verdict(complete, _progress(workload, pods, complete, note), state_of(snapshot))
    if complete:
        return verdict
    findings = [*_workload_findings(snapshot, since)]
    if _observed(workload):
        findings += _refusals(snapshot, pods, since)
        for pod in pods:
            findings += _pod_findings(snapshot, pod, since, scheduling_grace)
        findings += _evictions(pods, since)
    findings.sort(key=lambda finding: (finding.grace == NEVER, _RANK.get(finding.cause, 0)))
    return Verdict(False, verdict.progress, verdict.state, tuple(findings))


def unproved(workload: Object) -> bool:
    """Tell whether a workload's pods count as ready without having shown anything."""
    spec = workload.get("spec") or {}
    containers = dig(spec, "template", "spec", "containers") or []
    return (
        workload["kind"] != "Job"
        and not spec.get("minReadySeconds")
        and not all(container.get("readinessProbe") for container in containers)
    )


def _proved(pods: Iterable[Object], now: str) -> bool:
    present = parse_time(now)
    for pod in _live(pods):
        ready = condition(pod, "Ready")
        since = parse_time(ready.get("lastTransitionTime")) if ready else None
        if since is None or (present is not None and present - since < STAYS):
            return False
    return True


def succeeded(pods: Iterable[Object]) -> list[Object]:
    """Return the pods of a Job whose containers have all ended well, also those that the kubelet does not call Succeeded yet."""
    return [pod for pod in pods if dig(pod, "status", "phase") == "Succeeded" or _ended_well(pod)]


def _ended_well(pod: Object) -> bool:
    statuses = dig(pod, "status", "containerStatuses") or []
    return bool(statuses) and all(dig(status, "state", "terminated", "exitCode") == 0 for status in statuses)


def state_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return what the module returns for a workload: kind, name, revision, replicas, ready, images."""
    workload = snapshot.workload
    status = workload.get("status") or {}
    kind = workload["kind"]
    revision, ready = "", status.get("readyReplicas") or 0
    if kind == "Deployment":
        number = _revision_number(workload)
        revision = str(number) if number else ""
    elif kind == "StatefulSet":
        revision = status.get("updateRevision") or ""
    elif kind == "DaemonSet":
        revision, ready = _daemonset_revision(snapshot), status.get("numberReady") or 0
    else:
        revision, ready = dig(workload, "metadata", "uid") or "", max(status.get("succeeded") or 0, len(succeeded(current_pods(snapshot))))
    return {
        "kind": kind,
        "name": workload["metadata"]["name"],
        "revision": revision,
        "replicas": _wanted(workload),
        "ready": ready,
        "images": template_images(workload),
    }


def _observed(workload: Object) -> bool:
    if workload["kind"] == "Job":
        return True
    return (dig(workload, "status", "observedGeneration") or 0) >= (dig(workload, "metadata", "generation") or 1)


# These four follow kubectl rollout status, with OnDelete added, which kubectl does not wait for:
# https://github.com/kubernetes/kubectl/blob/v0.36.3/pkg/polymorphichelpers/rollout_status.go


def _deployment(workload: Object) -> tuple[bool, str]:
    status, wanted = workload.get("status") or {}, _wanted(workload)
    updated = status.get("updatedReplicas") or 0
    old = (status.get("replicas") or 0) - updated
    if not _observed(workload) or updated < wanted:
        return False, ""
    if old > 0:
        return False, f"{old} pod{'s' if old > 1 else ''} of the previous revision left"
    return (status.get("availableReplicas") or 0) >= updated, ""


def _statefulset(workload: Object) -> tuple[bool, str]:
    status, wanted = workload.get("status") or {}, _wanted(workload)
    if not status.get("observedGeneration") or not _observed(workload):
        return False, ""
    if (status.get("readyReplicas") or 0) < wanted:
        return False, ""
    if dig(workload, "spec", "updateStrategy", "type") == "OnDelete":
        return True, "new revision waits for its pods to be deleted" if _outdated(status) else ""
    partition = dig(workload, "spec", "updateStrategy", "rollingUpdate", "partition") or 0
    return (status.get("updatedReplicas") or 0) >= wanted - partition, ""


def _outdated(status: Object) -> bool:
    return status.get("updateRevision") != status.get("currentRevision")


def _daemonset(workload: Object) -> tuple[bool, str]:
    status, wanted = workload.get("status") or {}, _wanted(workload)
    if not _observed(workload):
        return False, ""
    on_delete = dig(workload, "spec", "updateStrategy", "type") == "OnDelete"
    if not on_delete and (status.get("updatedNumberScheduled") or 0) < wanted:
        return False, ""
    return (status.get("numberAvailable") or 0) >= wanted, ""


def _job(workload: Object) -> tuple[bool, str]:
    return condition(workload, "Complete") is not None, ""


_JUDGES = {"Deployment": _deployment, "StatefulSet": _statefulset, "DaemonSet": _daemonset, "Job": _job}


def _progress(workload: Object, pods: Sequence[Object], complete: bool, note: str) -> str:
    wanted = _wanted(workload)
    if workload["kind"] == "Job":
        if complete:
            return "complete"
        live = _live(pods)
        failed = dig(workload, "status", "failed") or 0
        text = f"running ({_name(live[-1])}: {pod_state(live[-1])})" if live else "no pod yet"
        return text + (f", {failed} failed" if failed else "")
    ready = sum(_ready(pod) for pod in pods)
    if complete and not pods:
        ready = wanted
    text = f"{ready} of {wanted} pod{'s' if wanted != 1 else ''} ready"
    waiting = [pod for pod in pods if not _ready(pod) and not dig(pod, "metadata", "deletionTimestamp")]
    if waiting and not complete:
        text += f" ({_name(waiting[0])}: {pod_state(waiting[0])})"
    return text + (f", {note}" if note else "")


def _name(thing: Object) -> str:
    return thing["metadata"]["name"]


def pod_state(pod: Object) -> str:
    """Return a pod's state in the words of kubectl get pods: ContainerCreating, Init:CrashLoopBackOff, Running..."""
    status = pod.get("status") or {}
    if scheduled := condition(pod, "PodScheduled", "False"):
        return scheduled.get("reason") or "Pending"
    for each in status.get("initContainerStatuses") or []:
        state = each.get("state") or {}
        if dig(state, "terminated", "exitCode") == 0 or each.get("started"):
            continue
        if word := dig(state, "waiting", "reason") or dig(state, "terminated", "reason"):
            return word if word == "PodInitializing" else f"Init:{word}"
        return f"Init:{each['name']}"
    for each in status.get("containerStatuses") or []:
        if word := dig(each, "state", "waiting", "reason") or dig(each, "state", "terminated", "reason"):
            return word
    if status.get("phase") == "Running" and not _ready(pod):
        return "Running, not ready"
    return status.get("reason") or status.get("phase") or "Pending"


# -- What is wrong with the workload itself ----------------------------------------------------------------------


def _workload_findings(snapshot: Snapshot, since: str) -> Iterable[Finding]:
    workload = snapshot.workload
    kind = workload["kind"]
    spec = workload.get("spec") or {}
    if kind == "Job":
        yield from _job_findings(snapshot)
        return
    if kind == "Deployment" and spec.get("paused"):
        yield Finding("paused", "The rollout is paused", "DeploymentPaused", grace=SETTLED)
    stalled = condition(workload, "Progressing", "False")
    if not stalled or not _observed(workload):
        return
    reason, message = stalled.get("reason") or "", stalled.get("message") or ""
    if reason == "ProgressDeadlineExceeded":
        seconds = spec.get("progressDeadlineSeconds") or 600
        counts = _counts(stalled.get("lastUpdateTime"), _began(workload), since)
        summary = f"There was no progress for {seconds} s (progressDeadlineSeconds)"
        yield Finding("deadline", summary, reason, message, grace=SETTLED if counts else NEVER)
    elif reason in ("ReplicaSetCreateError", "FailedCreate"):
        yield Finding("refused", "The ReplicaSet cannot be created", reason, message, grace=RETRIED)


def _job_findings(snapshot: Snapshot) -> Iterable[Finding]:
    job = snapshot.workload
    # FailureTarget comes first and Failed when the pods are gone, with their logs (Kubernetes 1.31 on).
    failed = condition(job, "Failed") or condition(job, "FailureTarget")
    if failed:
        pods = current_pods(snapshot)
        guilty = [pod for pod in pods if dig(pod, "status", "phase") == "Failed"] or pods
        pod = guilty[-1] if guilty else None
        status = _telling_container(pod) if pod else None
        again = bool(status) and not dig(status, "state", "terminated") and dig(status, "lastState", "terminated")
        reason = failed.get("reason") or "Failed"
        yield Finding(
            "job-deadline" if reason == "DeadlineExceeded" else "job",
            _JOB_REASONS.get(reason, "The Job failed").format(seconds=dig(job, "spec", "activeDeadlineSeconds")) + _exit(status),
            reason,
            failed.get("message") or "",
            _name(pod) if pod else "",
            status["name"] if status else "",
            grace=0,
            log="" if not status else "previous" if again else "current",
        )
    elif dig(job, "spec", "suspend"):
        yield Finding("paused", "The Job is suspended (spec.suspend)", "JobSuspended", grace=SETTLED)


# https://kubernetes.io/docs/concepts/workloads/controllers/job/#handling-pod-and-container-failures
_JOB_REASONS = {
    "BackoffLimitExceeded": "The Job failed as often as it may (backoffLimit)",
    "DeadlineExceeded": "The Job took longer than its {seconds} s (activeDeadlineSeconds)",
    "PodFailurePolicy": "The Job failed by its podFailurePolicy",
    "FailedIndexes": "Indexes of the Job failed",
    "MaxFailedIndexesExceeded": "More indexes of the Job failed than may (maxFailedIndexes)",
}


def _container_statuses(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _telling_container(pod: Object) -> Object | None:
    """Return the status of the container that made a pod fail, else of the one that ran when it was ended, else of the first main one."""
    statuses = _container_statuses(pod)
    failed = (
        each for each in statuses if (dig(each, "state", "terminated", "exitCode") or dig(each, "lastState", "terminated", "exitCode")) not in (None, 0)
    )
    running = (each for each in statuses if dig(each, "state", "running"))
    main = iter(dig(pod, "status", "containerStatuses") or [])
    return next(failed, None) or next(running, None) or next(main, None)


def failed_run(pod: Object) -> tuple[str, str, bool] | None:
    """Return the latest failed run in a pod: container, an identity of the run, whether it is the previous one's."""
    for status in _container_statuses(pod):
        for key in ("state", "lastState"):
            ended = dig(status, key, "terminated")
            if ended and ended.get("exitCode"):
                run = f"{_name(pod)}/{status['name']}/{ended.get('finishedAt')}"
                return status["name"], run, key == "lastState"
    return None


def _exit(status: Object | None) -> str:
    if not status:
        return ""
    if dig(status, "state", "running"):
        return f": container {status['name']} was at work"
    ended = dig(status, "state", "terminated") or dig(status, "lastState", "terminated")
    return f": container {status['name']} {ending(ended)}" if ended else ""


def ending(ended: Object) -> str:
    """Say how a container ended, from its terminated state."""
    if ended.get("reason") == "OOMKilled":
        return "was killed for using more memory than its limit (OOMKilled)"
    if ended.get("signal"):
        return f"was ended by signal {ended['signal']}"
    return f"ended with exit code {ended.get('exitCode', 0)}"


# (What the API server's refusal says, cause, summary, grace). The first that matches counts.
_REFUSALS: tuple[tuple[str, str, str, float], ...] = (
    (
        r'failed calling webhook "(?P<name>[^"]+)"',
        "webhook-down",
        "The admission webhook {name} does not answer",
        TRANSIENT,
    ),
    (r"object has been modified|status unknown for quota|etcdserver|timeout", "refused", "", TRANSIENT),
    (r"exceeded quota: (?P<name>[^,]+)", "quota", "The quota {name} has no room for the pod", CREATED_SOON),
    (r"failed quota: (?P<name>[^:]+)", "quota", "The quota {name} wants requests and limits in the pod", SETTLED),
    (
        r"(?:maximum|minimum|limit to request ratio) .*? per (?:Pod|Container)",
        "quota",
        "A LimitRange refuses the pod",
        SETTLED,
    ),
    (r'violates PodSecurity "(?P<name>[^"]+)"', "pod-security", "Pod Security ({name}) refuses the pod", SETTLED),
    (r'admission webhook "(?P<name>[^"]+)" denied', "webhook", "The admission webhook {name} refuses the pod", SETTLED),
    (r"ValidatingAdmissionPolicy '(?P<name>[^']+)'", "webhook", "The admission policy {name} refuses the pod", SETTLED),
    (
        r'serviceaccount "(?P<name>[^"]+)" not found',
        "serviceaccount",
        "There is no ServiceAccount {name}",
        CREATED_SOON,
    ),
    (r"being terminated", "terminating", "The namespace is being deleted", SETTLED),
    (r"is invalid|Invalid value|is forbidden", "refused", "The API server refuses the pod", CREATED_SOON),
)


def _refusals(snapshot: Snapshot, pods: Sequence[Object], since: str) -> Iterable[Finding]:
    """Find pods that the API server does not let the controller create.

    A Deployment shows it as a condition of its ReplicaSet, the other kinds only as events.
    """
    workload = snapshot.workload
    if len(_live(pods)) >= _wanted(workload):
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
    counts = _counts(seen, _began(workload), since)
    status = workload.get("status") or {}
    # Pods of the previous revision that still go may make room in the quota.
    steady = ":".join(
        str(status.get(key) or 0) for key in ("replicas", "updatedReplicas", "availableReplicas", "active")
    )
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


def _evictions(pods: Sequence[Object], since: str) -> Iterable[Finding]:
    """Find a node that puts each new pod out again: three of the revision, or it may have been chance."""
    out = [
        pod
        for pod in pods
        if dig(pod, "status", "phase") == "Failed"
        and dig(pod, "status", "reason")
        and _young(dig(pod, "metadata", "creationTimestamp"), since)
    ]
    if len(out) >= 3:
        status = out[-1]["status"]
        summary = f"{len(out)} pods were put out by their node ({status['reason']})"
        yield Finding("evicted", summary, status["reason"], status.get("message") or "", _name(out[-1]), grace=0)


# -- What is wrong with a pod ------------------------------------------------------------------------------------


def _pod_findings(snapshot: Snapshot, pod: Object, since: str, scheduling_grace: float) -> Iterable[Finding]:
    if _ready(pod) or dig(pod, "metadata", "deletionTimestamp"):
        return
    if dig(pod, "status", "phase") in ("Succeeded", "Failed"):
        return
    events = events_of(snapshot.events, dig(pod, "metadata", "uid"))
    unscheduled = condition(pod, "PodScheduled", "False")
    if unscheduled and unscheduled.get("reason") == "Unschedulable":
        yield from _unschedulable(snapshot, pod, unscheduled.get("message") or "", events, since, scheduling_grace)
        return
    if claim := _claim(snapshot, pod, "", since):
        summary, detail, grace = claim
        yield Finding("volume", summary, "Pending", detail, _name(pod), grace=grace)
        return
    found = False
    for status in _container_statuses(pod):
        for finding in _container_findings(snapshot, pod, status, events, since):
            found = True
            yield finding
    if not found:
        yield from _mounts(pod, events, since)


def _container_findings(
    snapshot: Snapshot, pod: Object, status: Object, events: Sequence[Object], since: str
) -> Iterable[Finding]:
    waiting = dig(status, "state", "waiting") or {}
    reason, message = waiting.get("reason") or "", waiting.get("message") or ""
    where = {"pod": _name(pod), "container": status["name"]}
    born = dig(pod, "metadata", "creationTimestamp")
    retried = RETRIED if _young(born, since) else RETRIED_OLD
    image = status.get("image") or ""

    if reason == "InvalidImageName":
        yield Finding("image-name", f"The image name {image} is not valid", reason, message, **where, grace=0)
    elif reason == "ErrImageNeverPull":
        yield Finding("image-never", f"The image {image} is not on the node", reason, message, **where, grace=0)
    elif reason in _PULL_REASONS:
        yield _pull(image, reason, message, events, where, born, since)
    elif reason == "CreateContainerConfigError":
        grace = TRANSIENT if _TRANSIENT.search(message) else retried
        yield Finding("config", _missing(status["name"], message), reason, message, **where, grace=grace)
    elif reason in _CREATE_REASONS:
        grace = TRANSIENT if _TRANSIENT.search(message) else retried
        summary = f"The container {status['name']} cannot be started"
        cause = "command" if _NO_COMMAND.search(message) else "container"
        yield Finding(cause, summary, reason, message, **where, grace=grace)
    elif snapshot.workload["kind"] != "Job":
        # A Job counts its own failures (backoffLimit): a container that ends is not its end.
        yield from _crash(snapshot.workload, snapshot.sockets, pod, status, reason, message, events, where, since)


_PULL_REASONS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)
_CREATE_REASONS = (
    "CreateContainerError",
    "RunContainerError",
    "PreCreateHookError",
    "PreStartHookError",
    "PostStartHookError",
)
# An overloaded node or runtime; the kubelet's own cache of Secrets that has not caught up.
_TRANSIENT = re.compile(
    r"failed to sync|deadline exceeded|timed? ?out|is reserved for|connection refused|unavailable|try again",
    re.IGNORECASE,
)
_NO_COMMAND = re.compile(r"executable file not found|no such file or directory|permission denied|exec format error")

# What a registry's answer means: (pattern, cause, summary, definitive). Codes and words are those of
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes and of the three clients that
# kubelets use (containerd, CRI-O, Docker). An answer about the image or the credentials is definitive; a registry
# that does not answer may come back.
_PULL_ANSWERS: tuple[tuple[re.Pattern[str], str, str, bool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), cause, summary, definitive)
    for pattern, cause, summary, definitive in (
        (r"toomanyrequests|429|rate limit", "registry", "the registry's rate limit is reached", False),
        (
            r"no match for platform|no matching manifest",
            "image-missing",
            "it is not built for the node's platform",
            True,
        ),
        (r"no such host", "registry", "the registry's name does not resolve", True),
        (r"http response to https client", "registry", "the registry speaks HTTP and the node expects HTTPS", True),
        (r"x509|certificate", "registry", "the node does not trust the registry's certificate", True),
        (
            r"unauthorized|authentication required|authorization failed|insufficient_scope|no basic auth|denied|forbidden"
            + r"|\b40[13]\b",
            "image-denied",
            "the registry refuses access, or has no such repository",
            True,
        ),
        (
            r"not found|manifest unknown|manifest_unknown|name unknown|name_unknown|not known to registry|\b404\b",
            "image-missing",
            "the registry has no such image",
            True,
        ),
        (r"signature", "image-denied", "its signature is not accepted", True),
        (r"no space left", "container", "the node's disk is full", True),
        (
            r"connection refused|no route to host|network is unreachable",
            "registry",
            "the registry does not answer",
            False,
        ),
    )
)


def pull_answer(image: str, message: str) -> tuple[str, str, bool]:
    """Say why an image could not be pulled: (cause, half a sentence, whether trying again is in vain).

    Args:
        image: Its reference; left out of the message before matching, since a name may contain any word.
        message: The kubelet's message of ErrImagePull or ImagePullBackOff.
    """
    bare = re.sub(r'"[^"]*"', "", message.replace(image, "") if image else message)
    for pattern, cause, summary, definitive in _PULL_ANSWERS:
        if pattern.search(bare):
            return cause, summary, definitive
    return "registry", "the registry did not deliver it", False


def _pull(
    image: str,
    reason: str,
    message: str,
    events: Sequence[Object],
    where: dict[str, str],
    born: str | None,
    since: str,
) -> Finding:
    failures = [
        event
        for event in events
        if event.get("reason") == "Failed" and str(event.get("message")).startswith("Failed to pull image")
    ]
    if failures and ":" not in message.removeprefix(f'Back-off pulling image "{image}"'):
        # Before 1.31 the back-off hides the error: it is in the event only.
        message = failures[0]["message"]
    cause, why, definitive = pull_answer(image, message)
    seen = event_time(failures[0]) if failures else ""
    grace = NEVER
    if _counts(seen, born, since):
        grace = 0 if definitive else TRANSIENT
    return Finding(cause, f"The image {image} cannot be pulled: {why}", reason, message, **where, grace=grace)


def _missing(container: str, message: str) -> str:
    """Name the Secret or ConfigMap, or the key in one, that a container cannot be configured without."""
    if match := re.search(r"couldn't find key (\S+) in (Secret|ConfigMap) [^/\s]+/(\S+)", message):
        return f"The {match[2]} {match[3]} has no key {match[1]}, which container {container} needs"
    if match := re.search(r'(secret|configmap) "([^"]+)" not found', message):
        kind = "Secret" if match[1] == "secret" else "ConfigMap"
        return f"There is no {kind} {match[2]}, which container {container} needs"
    if "runAsNonRoot" in message:
        return f"The image of container {container} runs as root, which the pod forbids (runAsNonRoot)"
    return f"The container {container} cannot be configured"


def _crash(
    workload: Object,
    sockets: Sequence[tuple[str, int]],
    pod: Object,
    status: Object,
    reason: str,
    message: str,
    events: Sequence[Object],
    where: dict[str, str],
    since: str,
) -> Iterable[Finding]:
    name = status["name"]
    running = dig(status, "state", "running")
    ended = dig(status, "state", "terminated") or dig(status, "lastState", "terminated") or {}
    restarts = status.get("restartCount") or 0
    unready = [event for event in events if event.get("reason") == "Unhealthy" and name in _event_container(event)]
    down = bool(dig(status, "state", "terminated", "exitCode"))
    # An init container keeps its end as its state until the back-off is over: only then it is said to wait.
    looping = reason == "CrashLoopBackOff" or (restarts >= (1 if down else 2) and ended and not status.get("ready"))
    if looping:
        counts = _counts(ended.get("finishedAt"), dig(pod, "metadata", "creationTimestamp"), since)
        # One that runs again may come up this time; the back-off says that it came down at least twice.
        patience = CREATED_SOON if running else 0
        cause, summary = _crash_cause(name, ended, restarts if running else restarts + 1, unready)
        yield Finding(
            cause,
            summary,
            ended.get("reason") or reason,
            ended.get("message") or message,
            **where,
            grace=patience if counts else NEVER,
            # A container that is waiting or running again has its last run's log as the previous one's, except
            # in the moment between its end and the back-off.
            log="current" if dig(status, "state", "terminated") else "previous",
        )
    elif running and not status.get("ready"):
        probe = next((str(event.get("message")) for event in unready), "")
        if probe or dig(pod, "status", "phase") == "Running":
            cause, summary, way, grace = _unready(workload, name, probe, sockets)
            counts = not unready or _counts(event_time(unready[0]), dig(pod, "metadata", "creationTimestamp"), since)
            yield Finding(cause, summary, "NotReady", probe, **where, grace=grace if counts else NEVER, log="current", steady=summary, advice=way)
    elif ended and dig(ended, "exitCode") not in (None, 0):
        yield Finding(
            _crash_cause(name, ended, restarts + 1, unready)[0],
            f"The container {name} {ending(ended)}",
            ended.get("reason") or "Error",
            ended.get("message") or "",
            **where,
            log="current" if dig(status, "state", "terminated") else "previous",
        )


# pkg/probe/http/http.go of Kubernetes 1.36.
_STATUS = re.compile(r"HTTP probe failed with statuscode: (\d+)")
_LATER = (408, 425, 429)
"""Answers of 4xx that ask to come again: https://www.iana.org/assignments/http-status-codes"""


def _web_probe(workload: Object, container: str, event: str) -> probes.Probe | None:
    """Return the request that an event of a web pod's probe is about, None for that of any other workload, which no variable describes."""
    if _label(workload, "app.kubernetes.io/component") != "web":
        return None
    spec = next((each for each in dig(workload, "spec", "template", "spec", "containers") or [] if each["name"] == container), {})
    kind = f"{event.split(' ', 1)[0].lower()}Probe"
    return next((probe for probe in probes.probes(spec) if kind in probe.kinds), None)


def _unready(workload: Object, name: str, event: str, sockets: Sequence[tuple[str, int]]) -> tuple[str, str, str, float]:
    """Return (cause, summary, advice, grace) for a container that runs and is not ready; ``event`` is its probe's latest message."""
    plain = "readiness", f"The container {name} runs but is not ready", "", NEVER
    probe = _web_probe(workload, name, event)
    if probe is None:
        return plain
    if "connection refused" in event:
        symptom = symptoms.wrong_port(probe.port, sockets, advised(workload, "{command}"))
        return (symptom.cause, f"The container {name} runs but is not ready: {symptom.summary}", symptom.advice, LISTENS) if symptom else plain
    match = _STATUS.search(event)
    status = int(match[1]) if match else 0
    if status < 400 or status in _LATER or status > 500:
        return plain
    answer = probes.Answer(status)
    summary = f"The container {name} runs but is not ready: {probes.told(probe, answer)}"
    way = probes.way(probe, answer)
    return "answer", summary, f"{way[0].upper()}{way[1:]}.", ANSWERED if status < 500 else ERRORS


def refused_pod(snapshot: Snapshot) -> tuple[str, str] | None:
    """Return the pod and the container of a web pod that refuses its probe's connections, None where none does."""
    for pod in current_pods(snapshot):
        for status in dig(pod, "status", "containerStatuses") or []:
            if not dig(status, "state", "running") or status.get("ready"):
                continue
            for event in events_of(snapshot.events, dig(pod, "metadata", "uid")):
                said = str(event.get("message"))
                if event.get("reason") == "Unhealthy" and "connection refused" in said and _web_probe(snapshot.workload, status["name"], said):
                    return _name(pod), status["name"]
    return None


def _crash_cause(name: str, ended: Object, runs: int, unhealthy: Sequence[Object]) -> tuple[str, str]:
    times = f"{runs} times" if runs > 1 else "again"
    if ended.get("reason") == "OOMKilled":
        return "memory", f"The container {name} uses more memory than its limit and is killed (OOMKilled)"
    if ended.get("reason") in ("StartError", "ContainerCannotRun"):
        return "command", f"The container {name} cannot run its command"
    killing = [event for event in unhealthy if re.match(r"(Liveness|Startup) probe", str(event.get("message")))]
    if killing and ended.get("exitCode") in (0, 137, 143):
        probe = str(killing[0]["message"]).split(" ", 1)[0].lower()
        return "liveness", f"The container {name} fails its {probe} probe and is restarted"
    if ended.get("exitCode") == 0:
        return "ended", f"The container {name} ended by itself (exit code 0), {times}"
    return "crash", f"The container {name} crashes: it {ending(ended)}, {times}"


def _event_container(event: Object) -> str:
    match = re.search(r"\{([^}]+)\}", dig(event, "involvedObject", "fieldPath") or "")
    return match[1] if match else ""


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].strip() if text.strip() else ""


# Taints that a node carries while it starts or recovers.
_PASSING_TAINT = re.compile(
    r"node\.(?:kubernetes\.io/(?:not-ready|unreachable|network-unavailable|\w+-pressure|unschedulable)"
    r"|cloudprovider\.kubernetes\.io/uninitialized)"
)
# Cluster Autoscaler says TriggeredScaleUp, Karpenter and EKS Auto Mode say Nominated.
_SCALING_EVENTS = ("TriggeredScaleUp", "Nominated")


def _unschedulable(
    snapshot: Snapshot, pod: Object, message: str, events: Sequence[Object], since: str, scheduling_grace: float
) -> Iterable[Finding]:
    where = {"pod": _name(pod)}
    if claim := _claim(snapshot, pod, message, since):
        summary, detail, grace = claim
        yield Finding("volume", summary, "Unschedulable", detail or message, **where, grace=grace)
        return
    leaving = any(dig(each, "metadata", "deletionTimestamp") for each in snapshot.pods)
    scaling = any(event.get("reason") in _SCALING_EVENTS for event in events)
    if _PASSING_TAINT.search(message):
        grace = max(STARTING_NODE, scheduling_grace)
    elif scaling or leaving or dig(pod, "status", "nominatedNodeName"):
        grace = NEVER
    else:
        grace = scheduling_grace
    lacking = sorted(set(re.findall(r"Insufficient ([\w/-]+(?:\.[\w/-]+)*)", message)))
    if lacking or "Too many pods" in message:
        summary = f"No node has room for the pod ({', '.join(lacking) or 'too many pods'})"
        yield Finding("resources", summary, "Unschedulable", message, **where, grace=grace)
    elif "no nodes available" in message or message.startswith("0/0 nodes"):
        yield Finding("resources", "The cluster has no node", "Unschedulable", message, **where, grace=grace)
    else:
        yield Finding("placement", "No node suits the pod", "Unschedulable", message, **where, grace=grace)


def _claim(snapshot: Snapshot, pod: Object, message: str, since: str) -> tuple[str, str, float] | None:
    """Return (summary, message, grace) for the claim that keeps a pod from a node, or None.

    Args:
        message: The scheduler's, empty while it waits for the volume of a node that it has chosen.
    """
    for name in unbound_claims([pod]):
        if name not in snapshot.claims:
            continue
        claim = snapshot.claims[name]
        if claim is None:
            return f"There is no PersistentVolumeClaim {name}", "", CREATED_SOON
        phase = dig(claim, "status", "phase")
        if phase == "Lost":
            return f"The PersistentVolumeClaim {name} has lost its volume", "", 0
        if phase == "Bound":
            continue
        storage_class = dig(claim, "spec", "storageClassName")
        events = events_of(snapshot.events, dig(claim, "metadata", "uid"))
        failures = [event for event in events if event.get("reason") == "ProvisioningFailed"]
        for event in events:
            said = str(event.get("message"))
            if "no storage class is set" in said:
                return (
                    f"The PersistentVolumeClaim {name} has no StorageClass, and none is the default",
                    said,
                    CREATED_SOON,
                )
            if re.search(r"storageclass\S* \"[^\"]+\" not found", said):
                return (
                    f"The PersistentVolumeClaim {name} wants the StorageClass {storage_class}, which does not exist",
                    said,
                    CREATED_SOON,
                )
            if event.get("reason") == "ProvisioningFailed":
                # A provisioner tries again, and the second try often ends what the first began.
                again = sum(dig(each, "series", "count") or each.get("count") or 1 for each in failures) > 1
                counts = _counts(event_time(event), dig(claim, "metadata", "creationTimestamp"), since)
                grace = TRANSIENT if again and counts else NEVER
                return f"No volume can be made for the PersistentVolumeClaim {name}", said, grace
        if not message or "unbound immediate PersistentVolumeClaims" in message:
            said = str(events[0].get("message")) if events else ""
            return f"The PersistentVolumeClaim {name} is not bound to a volume", said, NEVER
    return None


def _mounts(pod: Object, events: Sequence[Object], since: str) -> Iterable[Finding]:
    """Find what keeps a pod's containers from being created at all: volumes and the pod's network."""
    for event in events:
        reason, said = event.get("reason"), str(event.get("message"))
        if reason not in ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"):
            continue
        counts = _counts(event_time(event), dig(pod, "metadata", "creationTimestamp"), since)
        lost = re.search(r'(secret|configmap) "([^"]+)" not found', said)
        key = re.search(r"references non-existent (secret|config) key: (\S+)", said)
        if lost or key:
            kind = "Secret" if (lost or key)[1] == "secret" else "ConfigMap"
            summary = f"There is no {kind} {lost[2]}" if lost else f"The {kind} has no key {key[2]}"
            grace = CREATED_SOON if counts else NEVER
            yield Finding("config", f"{summary}, which a volume needs", reason, said, _name(pod), grace=grace)
        elif reason == "FailedCreatePodSandBox":
            yield Finding("container", "The pod's network or sandbox cannot be made", reason, said, _name(pod))
        else:
            yield Finding("mount", "A volume cannot be mounted", reason, said, _name(pod))
        return


# Which of several findings explains best: the more specific first.
_RANK = {
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


# -- The message -------------------------------------------------------------------------------------------------

_LINE = 1000  # characters of a line in a message: a log line of JSON may hold a whole traceback
_EVENTS = 3


def best(findings: Iterable[Finding]) -> Finding | None:
    """Return the finding that explains best why a workload is not complete; one that is more than a deadline."""
    found = list(findings)
    return next((finding for finding in found if finding.cause != "deadline"), found[0] if found else None)


def describe(
    state: Mapping[str, Any],
    finding: Finding,
    namespace: str,
    headline: str = "",
    log_lines: Sequence[str] = (),
    events: Sequence[Object] = (),
    workload: Object | None = None,
    symptom: Symptom | None = None,
) -> str:
    """Make the one message of a failed rollout.

    Args:
        state: As in Verdict.state.
        finding: What is wrong.
        namespace: Of the workload.
        headline: Put before what is wrong, e.g. that the time is over.
        log_lines: The container's last lines.
        events: Of the pod or the workload, the latest first.
        workload: As read, for advice that depends on what it is.
        symptom: What the log says.
    """
    summary = f"{finding.summary}: {symptom.summary}" if symptom else finding.summary
    lines = [f"{headline}: {summary[0].lower()}{summary[1:]}." if headline else f"{summary}."]
    where = [f"{state['kind']} {state['name']} in namespace {namespace}"]
    if finding.pod:
        where.append(f"pod {finding.pod}")
    if finding.container:
        where.append(f"container {finding.container}")
    lines.append(f"{', '.join(where)}: {finding.reason}")
    if finding.message and _first_line(finding.message) not in finding.summary:
        lines += [f"  {_clip(line)}" for line in finding.message.strip().splitlines()[-5:]]
    if log_lines:
        lines.append("Last log lines" + (" (of the run that crashed):" if finding.log == "previous" else ":"))
        lines += [f"  {line}" for line in folded(map(_clip, log_lines))]
    told = event_lines(events, known=finding.message)
    if told:
        lines.append("Events:")
        lines += [f"  {line}" for line in told]
    lines.append(f"What to do: {symptom.advice if symptom else advice_of(finding, workload or {})}")
    return "\n".join(lines)


_BY_LOG = ("crash", "ended", "readiness", "liveness", "job", "job-deadline")


def symptom_of(finding: Finding, lines: Sequence[str], workload: Object) -> Symptom | None:
    """Return what a log says about a finding that only the log explains; None where it says nothing that is known, or the finding is plain."""
    erring = finding.cause == "answer" and _STATUS.search(finding.message) and finding.grace == ERRORS
    if finding.cause in _BY_LOG or erring:
        return symptoms.of_log(lines, advised(workload, "{command}"))
    return None


def folded(lines: Iterable[str]) -> list[str]:
    """Return lines with those that follow each other and are the same as one.

    >>> folded(["Not Found: /readyz", "Not Found: /readyz", "ok"])
    ['Not Found: /readyz (2 times)', 'ok']
    """
    counted = [(line, sum(1 for _ in same)) for line, same in itertools.groupby(lines)]
    return [f"{line} ({count} times)" if count > 1 and line else line for line, count in counted]


def event_lines(events: Iterable[Object], known: str = "") -> list[str]:
    """Return the latest warnings as lines: each message once, whatever names it quotes, and none that is known."""
    lines: list[str] = []
    told = {_shape(known)}
    for event in events:
        said = " ".join(str(event.get("message") or "").split())
        shape = _shape(said)
        if event.get("type") != "Warning" or shape in told:
            continue
        told.add(shape)
        count = dig(event, "series", "count") or event.get("count") or 1
        lines.append(_clip(f"{event.get('reason')}: {said}" + (f" ({count} times)" if count > 1 else "")))
    return lines[:_EVENTS]


def _shape(said: str) -> str:
    return re.sub(r'"[^"]*"', "", " ".join(said.split()))


def _clip(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= _LINE else f"{line[:_LINE]}..."


# -- Secrets -----------------------------------------------------------------------------------------------------

_SHORTEST = 6
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE|CREDENTIAL|API_?KEY|ACCESS_?KEY|DSN", re.IGNORECASE)


def secret_names(pod_spec: Object) -> list[str]:
    """Return the names of the Secrets that a pod's environment and volumes refer to, in order and once each."""
    names: dict[str, None] = {}
    for container in _containers(pod_spec):
        for source in container.get("envFrom") or []:
            names[dig(source, "secretRef", "name") or ""] = None
        for variable in container.get("env") or []:
            names[dig(variable, "valueFrom", "secretKeyRef", "name") or ""] = None
    for volume in pod_spec.get("volumes") or []:
        names[dig(volume, "secret", "secretName") or ""] = None
        for source in dig(volume, "projected", "sources") or []:
            names[dig(source, "secret", "name") or ""] = None
    return [name for name in names if name]


def secret_values(pod_spec: Object, secrets: Iterable[Object]) -> set[str]:
    """Return what must not be shown of a pod's output.

    Args:
        pod_spec: Its containers' literal values count when their name says that they are secret.
        secrets: The Secrets that it refers to, as read (``data`` in base64).
    """
    values: set[str] = set()
    for secret in secrets:
        for encoded in (secret.get("data") or {}).values():
            values.add(encoded)
            try:
                text = base64.b64decode(encoded).decode()
            except (binascii.Error, UnicodeDecodeError, ValueError):
                continue
            # Of a key or certificate, each line is as secret as the whole.
            values.update({text.strip(), *(line.strip() for line in text.splitlines())})
    for container in _containers(pod_spec):
        for variable in container.get("env") or []:
            if variable.get("value") and _SECRET_NAME.search(variable.get("name") or ""):
                values.add(variable["value"])
    return {value for value in values if len(value) >= _SHORTEST}


def redact(text: str, values: Iterable[str]) -> str:
    """Replace secret values by ``***``, also where they appear in a URL, in JSON or in Python's repr."""
    forms: set[str] = set()
    for value in values:
        forms |= {
            value,
            urllib.parse.quote(value),
            urllib.parse.quote(value, safe=""),
            urllib.parse.quote_plus(value),
            json.dumps(value)[1:-1],
            repr(value)[1:-1],
        }
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _containers(pod_spec: Object) -> list[Object]:
    return [c for key in ("initContainers", "containers") for c in pod_spec.get(key) or []]
