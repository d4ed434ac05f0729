"""Read workloads, pods and events: which pods are of the current revision, what they are doing, and when something happened."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ..kube.client import Cluster
from ..kube.objects import Object, condition, dig
from .model import YOUNG, Snapshot


def owned_by(thing: Object, owner: Object) -> bool:
    """Whether ``owner`` is the controller of an object (by uid: names are reused)."""
    references = dig(thing, "metadata", "ownerReferences") or []
    uid = dig(owner, "metadata", "uid")
    return any(reference.get("controller") and reference.get("uid") == uid for reference in references)


def template_images(workload: Object) -> list[str]:
    """Return the images of a workload's containers, init containers last."""
    spec = dig(workload, "spec", "template", "spec") or {}
    return [c["image"] for key in ("containers", "initContainers") for c in spec.get(key) or [] if c.get("image")]


def newest_replicaset(snapshot: Snapshot) -> Object | None:
    """Return the Deployment's ReplicaSet with the highest revision, or None if there is none yet."""
    owned = [each for each in snapshot.replicasets if owned_by(each, snapshot.workload)]
    return max(owned, key=revision_number, default=None)


def current_pods(snapshot: Snapshot) -> list[Object]:
    """Return the pods of the workload's current revision, oldest first."""
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
            revision = daemonset_revision(snapshot)
        if revision:
            # A StatefulSet's label is the ControllerRevision's name, a DaemonSet's only the hash at its end.
            pods = [pod for pod in pods if revision.endswith(label_of(pod, "controller-revision-hash") or "\0")]
    return sorted(pods, key=lambda pod: (dig(pod, "metadata", "creationTimestamp") or "", pod["metadata"]["name"]))


def newest_ready(cluster: Cluster, namespace: str, name: str) -> Object | None:
    """Return a ready pod of a Deployment's newest revision, or None.

    Raises:
        KubeError: The API server does not answer or refuses this user, or there is no such Deployment.
    """
    workload = {**cluster.get("Deployment", namespace, name), "kind": "Deployment"}
    selector = selector_of(workload)
    snapshot = Snapshot(workload, cluster.items("Pod", namespace, labelSelector=selector), cluster.items("ReplicaSet", namespace, labelSelector=selector))
    return next((each for each in reversed(current_pods(snapshot)) if condition(each, "Ready")), None)


def event_subjects(snapshot: Snapshot) -> list[str]:
    """Return the uids of the objects whose events can explain why a workload is not complete.

    At most four, so that a poll stays cheap: the pods of a workload mostly fail in the same way.
    """
    pods = current_pods(snapshot)
    troubled = [pod for pod in pods if not is_ready(pod) and dig(pod, "status", "phase") != "Succeeded"]
    subjects = [*troubled[:2]]
    if len(live_pods(pods)) < wanted_pods(snapshot.workload):
        newest = newest_replicaset(snapshot)
        subjects.append(newest or snapshot.workload)
    claims = [claim for claim in snapshot.claims.values() if claim and dig(claim, "status", "phase") != "Bound"]
    return [uid for each in [*subjects, *claims[:1]] if (uid := dig(each, "metadata", "uid"))]


def unbound_claims(pods: Iterable[Object]) -> list[str]:
    """Return the names of the claims of pods that wait for a node, in order and without duplicates.

    While a pod's volume is being created for the chosen node, the pod has neither the node nor a condition:
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
    """Return a workload's selector as a query parameter, e.g. ``app=polls,tier in (web)``."""
    parts = [f"{key}={value}" for key, value in (dig(workload, "spec", "selector", "matchLabels") or {}).items()]
    for rule in dig(workload, "spec", "selector", "matchExpressions") or []:
        key, values = rule["key"], ",".join(rule.get("values") or [])
        parts.append({"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(rule["operator"], f"!{key}"))
    return ",".join(parts)


def label_of(thing: Object, name: str) -> str:
    """Return the value of a label, or ""."""
    return dig(thing, "metadata", "labels", name) or ""


def revision_number(thing: Object) -> int:
    """Return a ReplicaSet's revision as its Deployment counts it, 0 if it has none."""
    try:
        return int(dig(thing, "metadata", "annotations", "deployment.kubernetes.io/revision") or 0)
    except ValueError:
        return 0


def daemonset_revision(snapshot: Snapshot) -> str:
    """Return the name of a DaemonSet's newest ControllerRevision, "" if there is none yet."""
    owned = [each for each in snapshot.revisions if owned_by(each, snapshot.workload)]
    newest = max(owned, key=lambda each: each.get("revision") or 0, default=None)
    return newest["metadata"]["name"] if newest else ""


def is_ready(pod: Object) -> bool:
    """Whether the pod receives traffic from its Services."""
    return condition(pod, "Ready") is not None and not dig(pod, "metadata", "deletionTimestamp")


def live_pods(pods: Iterable[Object]) -> list[Object]:
    """Return the pods that have not ended and are not being deleted."""
    return [pod for pod in pods if not dig(pod, "metadata", "deletionTimestamp") and dig(pod, "status", "phase") not in ("Failed", "Succeeded")]


def wanted_pods(workload: Object) -> int:
    """Return how many pods the workload should have."""
    kind, spec, status = workload["kind"], workload.get("spec") or {}, workload.get("status") or {}
    if kind == "DaemonSet":
        return status.get("desiredNumberScheduled") or 0
    if kind == "Job":
        completions = spec.get("completions")
        return completions if completions is not None else (spec.get("parallelism") or 1)
    replicas = spec.get("replicas")
    return 1 if replicas is None else replicas


def parse_time(text: str | None) -> datetime | None:
    """Return an RFC 3339 time to the second, None for anything else."""
    # Events carry microseconds (eventTime) or seconds; the seconds are enough.
    try:
        return datetime.strptime((text or "")[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return None


def event_time(event: Object) -> str:
    """Return when an event was last seen, RFC 3339; empty if it does not say."""
    return dig(event, "series", "lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or dig(event, "metadata", "creationTimestamp") or ""


def events_of(events: Iterable[Object], uid: str | None) -> list[Object]:
    """Return an object's events, latest first."""
    mine = [event for event in events if uid and dig(event, "involvedObject", "uid") == uid]
    return sorted(mine, key=lambda event: event_time(event)[:19], reverse=True)


def began_at(workload: Object) -> str:
    """Return when the workload's spec was last changed: the latest write that is not its controller's."""
    writes = [
        entry.get("time") or ""
        for entry in dig(workload, "metadata", "managedFields") or []
        if not entry.get("subresource") and entry.get("manager") != "kube-controller-manager"
    ]
    return max([dig(workload, "metadata", "creationTimestamp") or "", *writes])


def is_young(began: str | None, since: str) -> bool:
    """Whether an attempt that began then is the one that has been waited for since ``since``."""
    start, wait = parse_time(began), parse_time(since)
    return start is None or wait is None or start >= wait - YOUNG


def is_of_this_attempt(seen: str | None, began: str | None, since: str) -> bool:
    """Whether what the cluster saw at ``seen`` belongs to the attempt that is waited for."""
    at, start, wait = parse_time(seen), parse_time(began), parse_time(since)
    if is_young(began, since):
        return at is None or start is None or at >= start
    return at is not None and wait is not None and at >= wait


def succeeded(pods: Iterable[Object]) -> list[Object]:
    """Return a Job's pods whose containers have all succeeded, including those that the kubelet does not report as Succeeded yet."""
    return [pod for pod in pods if dig(pod, "status", "phase") == "Succeeded" or _ended_well(pod)]


def _ended_well(pod: Object) -> bool:
    statuses = dig(pod, "status", "containerStatuses") or []
    return bool(statuses) and all(dig(status, "state", "terminated", "exitCode") == 0 for status in statuses)


def is_observed(workload: Object) -> bool:
    """Whether the controller has seen the newest version of the workload."""
    if workload["kind"] == "Job":
        return True
    return (dig(workload, "status", "observedGeneration") or 0) >= (dig(workload, "metadata", "generation") or 1)


def name_of(thing: Object) -> str:
    """Return the object's name."""
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
    if status.get("phase") == "Running" and not is_ready(pod):
        return "Running, not ready"
    return status.get("reason") or status.get("phase") or "Pending"


def container_statuses(pod: Object) -> list[Object]:
    """Return the statuses of a pod's containers, init containers first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def telling_container(pod: Object) -> Object | None:
    """Return the status of the container that made a pod fail, else of the one that was running when the pod was stopped, else of the first main one."""
    statuses = container_statuses(pod)
    failed = (each for each in statuses if (dig(each, "state", "terminated", "exitCode") or dig(each, "lastState", "terminated", "exitCode")) not in (None, 0))
    running = (each for each in statuses if dig(each, "state", "running"))
    main = iter(dig(pod, "status", "containerStatuses") or [])
    return next(failed, None) or next(running, None) or next(main, None)


def failed_run(pod: Object) -> tuple[str, str, bool] | None:
    """Return the latest failed run in a pod: the container, an identity of the run, and whether it is the container's previous run."""
    for status in container_statuses(pod):
        for key in ("state", "lastState"):
            ended = dig(status, key, "terminated")
            if ended and ended.get("exitCode"):
                run = f"{name_of(pod)}/{status['name']}/{ended.get('finishedAt')}"
                return status["name"], run, key == "lastState"
    return None


def exit_of(status: Object | None) -> str:
    """Return what happened to a container, to be added to a sentence; "" if nothing is known."""
    if not status:
        return ""
    if dig(status, "state", "running"):
        return f": container {status['name']} was still running"
    ended = dig(status, "state", "terminated") or dig(status, "lastState", "terminated")
    return f": container {status['name']} {ending(ended)}" if ended else ""


def was_short_of_memory(status: Object | None) -> bool:
    """Whether a container's last run was killed for the memory that it used."""
    return any(dig(status, state, "terminated", "reason") == "OOMKilled" for state in ("state", "lastState"))


def ending(ended: Object) -> str:
    """Say how a container ended, from its terminated state."""
    if ended.get("reason") == "OOMKilled":
        return "was killed for using more memory than its limit (OOMKilled)"
    if ended.get("signal"):
        return f"was terminated by signal {ended['signal']}"
    return f"ended with exit code {ended.get('exitCode', 0)}"


def first_line(text: str) -> str:
    """Return the first line of a text that is not empty."""
    return text.strip().splitlines()[0].strip() if text.strip() else ""
