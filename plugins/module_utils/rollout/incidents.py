"""What went wrong in a namespace in the last hour and is over: restarts and evicted pods, from Kubernetes objects to data.

Once a pod has been replaced or its container restarted, the problem can no longer be seen a minute later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from ..kube.objects import condition, dig
from .reading import event_time, parse_time

Object = Mapping[str, Any]
HOUR = timedelta(hours=1)
"""How long the API server keeps events (--event-ttl)."""

# What a message of the kubelet means, and what to do. Messages: pkg/kubelet/eviction/helpers.go and eviction_manager.go of Kubernetes 1.36.
EVICTIONS: tuple[tuple[str, str], ...] = (
    (r'Usage of EmptyDir volume "(?P<volume>[^"]+)" exceeds', "Give the directory more room in berth_app_writable, or let the app write less there."),
    (r"ephemeral local storage usage|exceeds its local ephemeral storage limit", "Let the app write less, or to a volume."),
    (r"low on resource: (?:ephemeral-storage|inodes|nodefs|imagefs)", "Free space on the node's disk: df -h on the node shows the usage."),
    (r"low on resource: memory", "Lower requests in berth_app_resources or berth_app_replicas, or give the node more memory."),
    (r"low on resource: pids", "Let the app start fewer processes."),
)
MEMORY = "Raise the memory limit in berth_app_resources, or reduce the memory that the process uses."
PROBE = "Check its log of that time (playbooks/ops/logs.yml); give it more CPU in berth_app_resources, or correct berth_app_liveness_path."
ERROR = "Its log of that time says why (playbooks/ops/logs.yml). Mend the page, or correct berth_app_liveness_path."
CRASH = "Its log says why (playbooks/ops/logs.yml)."


@dataclass(frozen=True)
class Incident:
    """A problem that is over."""

    pod: str
    container: str
    """Empty if it was the whole pod."""
    at: str
    """RFC 3339."""
    text: str
    """What happened, as a phrase."""
    advice: str
    times: int = 1
    previous: bool = False
    """Whether the log of the container's previous run says more."""


def incidents(pods: Iterable[Object], events: Iterable[Object], now: str) -> list[dict[str, Any]]:
    """Return what happened in the hour before ``now`` (RFC 3339), latest first, each as the fields of Incident.

    Args:
        pods: The namespace's pods, including those that have ended.
        events: The namespace's events.
        now: The cluster's time.
    """
    held, told = list(pods), list(events)
    found = [*_evictions(held, told), *_restarts(held, told)]
    recent = {(each.pod, each.container, each.text): each for each in found if _recent(each.at, now)}
    return [asdict(each) for each in sorted(recent.values(), key=lambda each: each.at, reverse=True)]


def _recent(at: str, now: str) -> bool:
    began, end = parse_time(at), parse_time(now)
    return began is not None and end is not None and end - began <= HOUR


def _evictions(pods: Iterable[Object], events: Iterable[Object]) -> Iterator[Incident]:
    for event in events:
        if event.get("reason") == "Evicted" and dig(event, "involvedObject", "kind") == "Pod":
            yield _evicted(dig(event, "involvedObject", "name") or "", event_time(event), str(event.get("message") or ""))
    for pod in pods:
        if dig(pod, "status", "reason") == "Evicted":
            at = dig(condition(pod, "DisruptionTarget"), "lastTransitionTime") or dig(pod, "metadata", "creationTimestamp") or ""
            yield _evicted(pod["metadata"]["name"], at, dig(pod, "status", "message") or "")


def _evicted(pod: str, at: str, message: str) -> Incident:
    said = " ".join(message.split()).rstrip(". ")
    advice = next((advice for pattern, advice in EVICTIONS if re.search(pattern, said)), "Check the node: kubectl describe node.")
    return Incident(pod, "", at, f"was evicted by its node: {said}", advice)


def _restarts(pods: Iterable[Object], events: Iterable[Object]) -> Iterator[Incident]:
    events = list(events)
    codes = dict(filter(None, map(_code, events)))
    probed = {(dig(event, "involvedObject", "name"), match[1]): event for event in events if (match := _probe(event))}
    phrases = {key: _probed(codes.get(key, "")) for key in probed}
    for pod in pods:
        for status in [*(dig(pod, "status", "initContainerStatuses") or []), *(dig(pod, "status", "containerStatuses") or [])]:
            ended = dig(status, "lastState", "terminated")
            if ended and status.get("restartCount") and (told := _restart(ended, phrases.get((pod["metadata"]["name"], status["name"])))):
                text, advice = told
                yield Incident(pod["metadata"]["name"], status["name"], ended.get("finishedAt") or "", text, advice, status["restartCount"], True)
    names = {pod["metadata"]["name"] for pod in pods}
    for (name, container), event in probed.items():
        if name not in names:  # replaced since: only its event is left
            yield Incident(name or "", container, event_time(event), *phrases[name, container], event.get("count") or 1)


def _probed(code: str) -> tuple[str, str]:
    """Say that a container was restarted because of its probe, which was answered with an HTTP status or, if that is "", not in time."""
    return (f"answered its liveness probe with {code} and was restarted", ERROR) if code else ("did not answer its liveness probe and was restarted", PROBE)


def _code(event: Object) -> tuple[tuple[str | None, str], str] | None:
    """Return the pod, the container and the HTTP status of an event in which the kubelet says that a probe failed (pkg/probe/http/http.go)."""
    said = re.match(r"(?:Liveness|Startup) probe failed: HTTP probe failed with statuscode: (\d+)", str(event.get("message")))
    container = re.search(r"\{(\S+)\}", dig(event, "involvedObject", "fieldPath") or "")
    return ((dig(event, "involvedObject", "name"), container[1]), said[1]) if said and container else None


def _probe(event: Object) -> re.Match[str] | None:
    """Match an event in which the kubelet says that it restarts a container because of its probe (pkg/kubelet/kuberuntime/kuberuntime_manager.go)."""
    if event.get("reason") != "Killing":
        return None
    return re.match(r"Container (\S+) failed (?:liveness|startup) probe", str(event.get("message")))


def _restart(ended: Object, probed: tuple[str, str] | None) -> tuple[str, str] | None:
    """Say why a container was restarted, and what to do; None if it was no problem: its machine was stopped, or it was told to stop."""
    code, reason = ended.get("exitCode"), ended.get("reason")
    if reason == "OOMKilled":
        return "used more memory than its limit, was killed (OOMKilled) and restarted", MEMORY
    if probed:
        return probed
    if code in (0, 143) or reason == "Unknown":
        return None
    return f"ended with exit code {code} and was restarted", CRASH
