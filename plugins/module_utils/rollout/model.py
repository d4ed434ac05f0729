"""The input and the output of judging a rollout: snapshot, findings, verdict, and how long a finding must be seen to be certain."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ..kube.objects import Object

NEVER = math.inf
"""Grace of a finding that explains a timeout but is never certain by itself."""
SETTLED = 2.0
"""Seconds for what a retry does not change: seen in two polls, so not a state between two updates."""
RETRIED = 5.0
"""Seconds for what the kubelet retries by itself and a cache may have delayed."""
RETRIED_OLD = 20.0
"""The same for a pod from before the wait: the kubelet's next try comes within 10 s plus up to half of that as jitter
(backOffPeriod and workerBackOffPeriodJitterFactor in pkg/kubelet/pod_workers.go)."""
CREATED_SOON = 10.0
"""Seconds for an object that may be created at the same time: a ServiceAccount, a claim, a Secret of a volume."""
TRANSIENT = 45.0
"""Seconds for a network error: image pulls are tried at about 0, 10 and 30 s, so three of them failed."""
SCHEDULING = 30.0
"""Seconds within which an autoscaler has announced a new node (Karpenter and EKS Auto Mode batch for 10 s)."""
ANOTHER_RELEASE = 60.0
"""Seconds within which the release of another environment, which may not be read, gives back the room of its extra pod."""
STARTING_NODE = 60.0
"""Seconds for a node that is starting: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""
ANSWERED = 5.0
"""Seconds for an app's answer to a probe that will not change, such as 404."""
ERRORS = 12.0
"""Seconds for an error of the app (500), which may affect only the first requests."""
LISTENS = 8.0
"""Seconds within which an app that listens on another port may still open the right one: some open a metrics port first."""
STAYS = timedelta(seconds=5)
"""How long a pod without a readiness probe must have run: such a pod is ready the moment it starts, and a
process that crashes on startup would count as rolled out."""
YOUNG = timedelta(seconds=60)
"""An attempt that began at most this long before the wait is the one being waited for."""


@dataclass(frozen=True)
class Finding:
    """Something that keeps a rollout from completing."""

    cause: str
    """A key of ADVICE."""
    summary: str
    """What is wrong: the message's first line, without a full stop."""
    reason: str
    """Kubernetes' reason, e.g. ErrImagePull."""
    message: str = ""
    """Kubernetes' message."""
    pod: str = ""
    container: str = ""
    grace: float = NEVER
    """Seconds for which it must be seen without a break to be certain; 0 for at once."""
    log: str = ""
    """Which log explains it: ``current``, ``previous`` (of the container that crashed) or none."""
    steady: str = ""
    """What must not change during its grace, e.g. the number of pods."""
    advice: str = ""
    """What to do, if ADVICE cannot know it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies a finding across polls; not the pod, which its controller may replace."""
        return self.cause, self.container, self.steady


@dataclass(frozen=True)
class Snapshot:
    """A workload and the objects that belong to it, as read in one poll."""

    workload: Object
    pods: Sequence[Object] = ()
    """Pods that match its selector, of any revision and owner."""
    replicasets: Sequence[Object] = ()
    revisions: Sequence[Object] = ()
    """ControllerRevisions that match its selector (DaemonSet)."""
    events: Sequence[Object] = ()
    """Events of the workload, its pods, its newest ReplicaSet and their claims."""
    claims: Mapping[str, Object | None] = field(default_factory=dict)
    """PersistentVolumeClaims of its pods by name; None if there is no such claim."""
    nodes: Sequence[Object] = ()
    """The cluster's nodes, while they lack room for one of its pods and as far as they may be read."""
    neighbours: Sequence[Object] | None = None
    """The pods of all namespaces, likewise; None if they may not be read, as by an environment's account."""
    now: str = ""
    """The cluster's time at this poll, RFC 3339."""
    sockets: Sequence[tuple[str, int]] = ()
    """Addresses and ports that listen in the pod that refuses its probes, as far as known."""


@dataclass(frozen=True)
class Verdict:
    """What one snapshot shows."""

    complete: bool
    progress: str
    """The progress, e.g. ``1 of 2 pods ready (polls-abc: ContainerCreating)``."""
    state: dict[str, Any]
    """kind, name, revision (str), replicas (int, wanted), ready (int), images (list of str)."""
    findings: tuple[Finding, ...] = ()
    """The most informative first."""


def plain_problem(kind: str, name: str, cause: str, summary: str, advice: str, container: str = "") -> dict[str, str]:
    """Return a problem of an environment that no pod's log or message explains further, as plugins/modules/environment_status.py describes problems."""
    nothing = {"pod": "", "message": "", "log": ""}
    return {"kind": kind, "name": name, "container": container, "cause": cause, "summary": summary, "advice": advice, **nothing}


class Patience:
    """Remembers since when each finding has been seen without a break."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str, str], float] = {}

    def certain(self, findings: Iterable[Finding], now: float) -> Finding | None:
        """Return the first finding that has been seen for its grace, or None.

        Args:
            findings: The findings of the poll at ``now``.
            now: Seconds of a monotonic clock.
        """
        found = list(findings)
        self._since = {finding.key: self._since.get(finding.key, now) for finding in found}
        for finding in found:
            if now - self._since[finding.key] >= finding.grace:
                return finding
        return None
