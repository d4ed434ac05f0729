"""What is wrong with a pod that no node accepts, or whose volumes are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..kube.objects import Object, condition, dig
from . import node_room
from .model import ANOTHER_RELEASE, CREATED_SOON, NEVER, STARTING_NODE, TRANSIENT, Finding, Snapshot
from .reading import current_pods, event_time, events_of, is_of_this_attempt, name_of, unbound_claims

# Taints that a node carries while it starts or recovers.
_PASSING_TAINT = re.compile(
    r"node\.(?:kubernetes\.io/(?:not-ready|unreachable|network-unavailable|\w+-pressure|unschedulable)"
    r"|cloudprovider\.kubernetes\.io/uninitialized)"
)
# Cluster Autoscaler says TriggeredScaleUp, Karpenter and EKS Auto Mode say Nominated.
_SCALING_EVENTS = ("TriggeredScaleUp", "Nominated")


def unschedulable(snapshot: Snapshot, pod: Object, message: str, events: Sequence[Object], since: str, scheduling_grace: float) -> Iterable[Finding]:
    """Yield why no node accepts the pod, from the scheduler's ``message``.

    An autoscaler that is adding a node gets ``scheduling_grace`` seconds. What other environments take for a moment is waited for.
    """
    where = {"pod": name_of(pod)}
    if claim := claim_problem(snapshot, pod, message, since):
        summary, detail, grace = claim
        yield Finding("volume", summary, "Unschedulable", detail or message, **where, grace=grace)
        return
    lacking = lacks(message)
    leaving = any(dig(each, "metadata", "deletionTimestamp") for each in snapshot.pods)
    fits = node_room.fits_an_empty_node(snapshot.nodes, pod, lacking)
    scaling = any(event.get("reason") in _SCALING_EVENTS for event in events)
    if _PASSING_TAINT.search(message):
        grace = max(STARTING_NODE, scheduling_grace)
    elif scaling or leaving or dig(pod, "status", "nominatedNodeName") or (fits and node_room.comes_free(snapshot)):
        grace = NEVER
    elif fits and snapshot.neighbours is None:
        grace = max(ANOTHER_RELEASE, scheduling_grace)
    else:
        grace = scheduling_grace
    if lacking:
        summary = f"No node has room for the pod ({', '.join(lacking).replace('pods', 'too many pods')})"
        said = "\n".join(filter(None, (message, node_room.described(snapshot, pod, lacking))))
        yield Finding("resources", summary, "Unschedulable", said, **where, grace=grace)
    elif "no nodes available" in message or message.startswith("0/0 nodes"):
        yield Finding("resources", "The cluster has no nodes", "Unschedulable", message, **where, grace=grace)
    else:
        yield Finding("placement", "No node matches the pod's placement rules", "Unschedulable", message, **where, grace=grace)


def lacks(message: str) -> list[str]:
    """Return the names of the resources that nodes lack, from the scheduler's message.

    >>> lacks("0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 2 Too many pods.")
    ['cpu', 'memory', 'pods']
    """
    found = set(re.findall(r"Insufficient ([\w/-]+(?:\.[\w/-]+)*)", message)) | ({"pods"} if "Too many pods" in message else set())
    return sorted(found)


def wants_room(snapshot: Snapshot) -> bool:
    """Whether one of the workload's pods waits because nodes lack room."""
    waiting = (condition(pod, "PodScheduled", "False") or {} for pod in current_pods(snapshot))
    return any(lacks(each.get("message") or "") for each in waiting)


def claim_problem(snapshot: Snapshot, pod: Object, message: str, since: str) -> tuple[str, str, float] | None:
    """Return (summary, message, grace) for the claim that keeps a pod from a node, or None.

    Args:
        message: The scheduler's message, empty while it waits for the volume on a node that it has chosen.
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
                    f"The PersistentVolumeClaim {name} has no StorageClass, and the cluster has no default one",
                    said,
                    CREATED_SOON,
                )
            if re.search(r"storageclass\S* \"[^\"]+\" not found", said):
                return (
                    f"The PersistentVolumeClaim {name} needs the StorageClass {storage_class}, which does not exist",
                    said,
                    CREATED_SOON,
                )
            if event.get("reason") == "ProvisioningFailed":
                # A provisioner retries, and the second try often completes what the first began.
                again = sum(dig(each, "series", "count") or each.get("count") or 1 for each in failures) > 1
                counts = is_of_this_attempt(event_time(event), dig(claim, "metadata", "creationTimestamp"), since)
                grace = TRANSIENT if again and counts else NEVER
                return f"No volume can be created for the PersistentVolumeClaim {name}", said, grace
        if not message or "unbound immediate PersistentVolumeClaims" in message:
            said = str(events[0].get("message")) if events else ""
            return f"The PersistentVolumeClaim {name} is not bound to a volume", said, NEVER
    return None


def mount_findings(pod: Object, events: Sequence[Object], since: str) -> Iterable[Finding]:
    """Find what keeps a pod's containers from being created at all: volumes and the pod's network."""
    for event in events:
        reason, said = event.get("reason"), str(event.get("message"))
        if reason not in ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"):
            continue
        counts = is_of_this_attempt(event_time(event), dig(pod, "metadata", "creationTimestamp"), since)
        lost = re.search(r'(secret|configmap) "([^"]+)" not found', said)
        key = re.search(r"references non-existent (secret|config) key: (\S+)", said)
        if missing := lost or key:
            kind = "Secret" if missing[1] == "secret" else "ConfigMap"
            summary = f"There is no {kind} {lost[2]}" if lost else f"The {kind} has no key {missing[2]}"
            grace = CREATED_SOON if counts else NEVER
            yield Finding("config", f"{summary}, which a volume needs", reason, said, name_of(pod), grace=grace)
        elif reason == "FailedCreatePodSandBox":
            yield Finding("container", "The pod's network or sandbox cannot be created", reason, said, name_of(pod))
        else:
            yield Finding("mount", "A volume cannot be mounted", reason, said, name_of(pod))
        return
