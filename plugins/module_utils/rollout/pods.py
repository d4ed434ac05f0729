"""What is wrong with a pod of the current revision: its containers, their command, memory and probes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..kube import probes, served_files
from ..kube.objects import Object, condition, dig
from . import symptoms
from .advice import advised
from .model import ANSWERED, CREATED_SOON, ERRORS, LISTENS, NEVER, RETRIED, RETRIED_OLD, TRANSIENT, Finding, Snapshot
from .placement import claim_problem, mount_findings, unschedulable
from .pull import pull_finding
from .reading import container_statuses, current_pods, ending, event_time, events_of, is_of_this_attempt, is_ready, is_young, label_of, name_of


def pod_findings(snapshot: Snapshot, pod: Object, since: str, scheduling_grace: float) -> Iterable[Finding]:
    """Yield what keeps a pod of the current revision from becoming ready."""
    if is_ready(pod) or dig(pod, "metadata", "deletionTimestamp"):
        return
    if dig(pod, "status", "phase") in ("Succeeded", "Failed"):
        return
    events = events_of(snapshot.events, dig(pod, "metadata", "uid"))
    unscheduled = condition(pod, "PodScheduled", "False")
    if unscheduled and unscheduled.get("reason") == "Unschedulable":
        yield from unschedulable(snapshot, pod, unscheduled.get("message") or "", events, since, scheduling_grace)
        return
    if claim := claim_problem(snapshot, pod, "", since):
        summary, detail, grace = claim
        yield Finding("volume", summary, "Pending", detail, name_of(pod), grace=grace)
        return
    found = False
    for status in container_statuses(pod):
        for finding in _container_findings(snapshot, pod, status, events, since):
            found = True
            yield finding
    if not found:
        yield from mount_findings(pod, events, since)


def _container_findings(snapshot: Snapshot, pod: Object, status: Object, events: Sequence[Object], since: str) -> Iterable[Finding]:
    waiting = dig(status, "state", "waiting") or {}
    reason, message = waiting.get("reason") or "", waiting.get("message") or ""
    where = {"pod": name_of(pod), "container": status["name"]}
    born = dig(pod, "metadata", "creationTimestamp")
    retried = RETRIED if is_young(born, since) else RETRIED_OLD
    image = status.get("image") or ""

    if reason == "InvalidImageName":
        yield Finding("image-name", f"The image name {image} is not valid", reason, message, **where, grace=0)
    elif reason == "ErrImageNeverPull":
        yield Finding("image-never", f"The image {image} is not on the node", reason, message, **where, grace=0)
    elif reason in _PULL_REASONS:
        yield pull_finding(image, reason, message, events, where, born, since)
    elif reason == "CreateContainerConfigError" and _STARTING.search(message):
        summary = "The node's kubelet has just started, and has not read the Services yet"
        yield Finding("starting", summary, reason, message, **where, grace=NEVER)
    elif reason == "CreateContainerConfigError":
        grace = TRANSIENT if _TRANSIENT.search(message) else retried
        way = CONFIGURE if _OWN.search(message) else ""
        yield Finding("config", _missing(status["name"], message), reason, message, **where, grace=grace, advice=way)
    elif reason in _CREATE_REASONS:
        grace = TRANSIENT if _TRANSIENT.search(message) else retried
        summary = f"The container {status['name']} cannot be started"
        cause = "command" if _NO_COMMAND.search(message) else "container"
        yield Finding(cause, summary, reason, message, **where, grace=grace)
    elif snapshot.workload["kind"] != "Job":
        # A Job counts its own failures (backoffLimit): one container that ends is not the end of the Job.
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
# An overloaded node or runtime, or the kubelet's cache of Secrets is behind.
_TRANSIENT = re.compile(
    r"failed to sync|deadline exceeded|timed? ?out|is reserved for|connection refused|unavailable|try again",
    re.IGNORECASE,
)
# getServiceEnvVarMap in pkg/kubelet/kubelet_pods.go: it tries to reach the API server again at growing intervals.
_STARTING = re.compile(r"services have not yet been read at least once")
_NO_COMMAND = re.compile(r"executable file not found|no such file or directory|permission denied|exec format error")


# Named by roles/config, with a fingerprint of their contents.
_OWN = re.compile(r'(?:secret|configmap) "[^"]+-[0-9a-f]{10}" not found')
CONFIGURE = "The inventory's settings or secrets have changed since they were applied: run site.yml without --tags, or include the tag config."


def _missing(container: str, message: str) -> str:
    """Name the missing Secret or ConfigMap, or the missing key in one, that a container needs."""
    if match := re.search(r"couldn't find key (\S+) in (Secret|ConfigMap) [^/\s]+/(\S+)", message):
        return f"The {match[2]} {match[3]} has no key {match[1]}, which container {container} needs"
    if match := re.search(r'(secret|configmap) "([^"]+)" not found', message):
        kind = "Secret" if match[1] == "secret" else "ConfigMap"
        return f"There is no {kind} {match[2]}, which container {container} needs"
    if "runAsNonRoot" in message:
        return f"The image of container {container} runs as root, which the pod does not allow (runAsNonRoot)"
    return f"The container {container} cannot be configured"


BUSY = "The web server for files has more connections than it can handle: raise berth_app_replicas, so that each pod has fewer."


def _crash(
    workload: Object,
    sockets: Sequence[tuple[str, int]],
    pod: Object,
    status: Object,
    reason: str,
    message: str,
    events: Sequence[Object],
    where: dict[str, Any],
    since: str,
) -> Iterable[Finding]:
    name = status["name"]
    running = dig(status, "state", "running")
    ended = dig(status, "state", "terminated") or dig(status, "lastState", "terminated") or {}
    restarts = status.get("restartCount") or 0
    about = [event for event in events if name in _event_container(event)]
    unready = [event for event in about if event.get("reason") == "Unhealthy"]
    down = bool(dig(status, "state", "terminated", "exitCode"))
    # An init container stays terminated until the back-off is over: only then does it show as waiting.
    looping = reason == "CrashLoopBackOff" or (restarts >= (1 if down else 2) and ended and not status.get("ready"))
    if looping:
        counts = is_of_this_attempt(ended.get("finishedAt"), dig(pod, "metadata", "creationTimestamp"), since)
        # One that runs again may come up this time; the back-off means that it has ended at least twice.
        patience = CREATED_SOON if running else 0
        cause, summary = _crash_cause(name, ended, restarts if running else restarts + 1, about)
        yield Finding(
            cause,
            summary,
            ended.get("reason") or reason,
            ended.get("message") or message,
            **where,
            grace=patience if counts else NEVER,
            advice=BUSY if (name, cause) == (served_files.CONTAINER, "memory") else "",
            # The last run's log of a container that is waiting or running again is the previous log, except
            # in the moment between its end and the back-off.
            log="current" if dig(status, "state", "terminated") else "previous",
        )
    elif running and not status.get("ready"):
        probe = next((str(event.get("message")) for event in unready), "")
        if probe or dig(pod, "status", "phase") == "Running":
            cause, summary, way, grace = _unready(workload, name, probe, sockets)
            counts = not unready or is_of_this_attempt(event_time(unready[0]), dig(pod, "metadata", "creationTimestamp"), since)
            yield Finding(cause, summary, "NotReady", probe, **where, grace=grace if counts else NEVER, log="current", steady=summary, advice=way)
    elif ended and dig(ended, "exitCode") not in (None, 0):
        yield Finding(
            _crash_cause(name, ended, restarts + 1, about)[0],
            f"The container {name} {ending(ended)}",
            ended.get("reason") or "Error",
            ended.get("message") or "",
            **where,
            log="current" if dig(status, "state", "terminated") else "previous",
        )


# pkg/probe/http/http.go of Kubernetes 1.36.
STATUS = re.compile(r"HTTP probe failed with statuscode: (\d+)")
_LATER = (408, 425, 429)
"""4xx answers that ask the client to retry: https://www.iana.org/assignments/http-status-codes"""


def _web_probe(workload: Object, container: str, event: str) -> probes.Probe | None:
    """Return the request of the web pod's probe that an event is about; None for any other workload, whose probes no variable describes."""
    if label_of(workload, "app.kubernetes.io/component") != "web":
        return None
    spec: dict[str, Any] = next((each for each in dig(workload, "spec", "template", "spec", "containers") or [] if each["name"] == container), {})
    kind = f"{event.split(' ', 1)[0].lower()}Probe"
    return next((probe for probe in probes.probes(spec) if kind in probe.kinds), None)


def _of_others(workload: Object, container: str) -> set[int]:
    """Return the ports of a pod's other containers, which share its network."""
    others = [each for each in dig(workload, "spec", "template", "spec", "containers") or [] if each["name"] != container]
    return {port["containerPort"] for each in others for port in each.get("ports") or []}


def _unready(workload: Object, name: str, event: str, sockets: Sequence[tuple[str, int]]) -> tuple[str, str, str, float]:
    """Return (cause, summary, advice, grace) for a container that runs but is not ready; ``event`` is its probe's latest message."""
    plain = "readiness", f"The container {name} runs but is not ready", "", NEVER
    probe = _web_probe(workload, name, event)
    if probe is None:
        return plain
    if "connection refused" in event:
        own = [socket for socket in sockets if socket[1] not in _of_others(workload, name)]
        symptom = symptoms.wrong_port(probe.port, own, advised(workload, "{command}"))
        return (symptom.cause, f"The container {name} runs but is not ready: {symptom.summary}", symptom.advice, LISTENS) if symptom else plain
    match = STATUS.search(event)
    status = int(match[1]) if match else 0
    if status < 400 or status in _LATER or status > 500:
        return plain
    answer = probes.Answer(status)
    summary = f"The container {name} runs but is not ready: {probes.told(probe, answer)}"
    way = probes.way(probe, answer)
    return "answer", summary, f"{way[0].upper()}{way[1:]}.", ANSWERED if status < 500 else ERRORS


def refused_pod(snapshot: Snapshot) -> tuple[str, str] | None:
    """Return the pod and the container of a web pod that refuses its probe's connections, or None."""
    for pod in current_pods(snapshot):
        for status in dig(pod, "status", "containerStatuses") or []:
            if not dig(status, "state", "running") or status.get("ready"):
                continue
            for event in events_of(snapshot.events, dig(pod, "metadata", "uid")):
                said = str(event.get("message"))
                if event.get("reason") == "Unhealthy" and "connection refused" in said and _web_probe(snapshot.workload, status["name"], said):
                    return name_of(pod), status["name"]
    return None


def failing_page(workload: Object, finding: Finding) -> probes.Probe | None:
    """Return the request of a web pod's probe that the app answers with an error of its own; None for any other finding."""
    match = STATUS.search(finding.message) if finding.cause == "answer" else None
    return _web_probe(workload, finding.container, finding.message) if match and int(match[1]) >= 500 else None


def _crash_cause(name: str, ended: Object, runs: int, events: Sequence[Object]) -> tuple[str, str]:
    times = f"{runs} times" if runs > 1 else "again"
    if ended.get("reason") == "OOMKilled":
        return "memory", f"The container {name} uses more memory than its limit and is killed (OOMKilled)"
    if ended.get("reason") in ("StartError", "ContainerCannotRun"):
        return "command", f"The container {name} cannot run its command"
    probe = _killed_by(events, ended.get("exitCode"))
    if probe:
        return "liveness", f"The container {name} fails its {probe} probe and is restarted"
    if ended.get("exitCode") == 0:
        return "ended", f"The container {name} ended by itself (exit code 0), {times}"
    return "crash", f"The container {name} crashes: it {ending(ended)}, {times}"


def _killed_by(events: Sequence[Object], code: int | None) -> str:
    """Return the probe because of which the kubelet stopped a container; "" if it ended for another reason.

    A container that ends by itself also stops answering probes, so exit code 0 needs the kubelet's own event.
    """
    pattern, reason = (r"\w+ \S+ failed (liveness|startup) probe", "Killing") if code == 0 else (r"(?i)(liveness|startup) probe", "Unhealthy")
    if code not in (0, 137, 143):
        return ""
    found = (re.match(pattern, str(event.get("message"))) for event in events if event.get("reason") == reason)
    return next((match[1].lower() for match in found if match), "")


def _event_container(event: Object) -> str:
    match = re.search(r"\{([^}]+)\}", dig(event, "involvedObject", "fieldPath") or "")
    return match[1] if match else ""
