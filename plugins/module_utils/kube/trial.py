"""Let the API server say what an apply would change in an object, and whose fields. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import ownership
from .apply import autoscalers_of, declared, foreign
from .client import Cluster, NotFound, kind_of

Object = dict[str, Any]
INVALID = 422


@dataclass(frozen=True)
class Trial:
    """What an apply would do to an object."""

    wanted: Object
    live: Object | None
    """The object as it is; None if it does not exist."""
    after: Object | None = None
    """The object as it would be; None if the API server could not say, e.g. because the namespace or the kind does not exist yet."""
    force: bool = False
    """Whether the apply takes over what others have set."""
    patch: ownership.Operations = field(default_factory=list)
    """The patch that moves all of Berth's fields to the apply, before it."""
    conflicts: tuple[ownership.Conflict, ...] = ()
    """Fields that others have set and own."""
    refusal: Object | None = None
    """The Status with which the API server refuses the object."""

    @property
    def changes(self) -> bool:
        """Whether the object, or the owner of its fields, would change."""
        if self.live is None or self.after is None or self.patch or self.live["metadata"].get("deletionTimestamp"):
            return True
        return declared(self.live) != declared(self.after) or ownership.applied(self.live) != ownership.applied(self.after)


def may_be_taken(wanted: Object) -> bool:
    """Whether a new object asks for something that may be taken already, such as a node port.

    >>> may_be_taken({"kind": "Service", "spec": {"ports": [{"nodePort": 30080}]}}), may_be_taken({"kind": "Deployment"})
    (True, False)
    """
    ports = (wanted.get("spec") or {}).get("ports") or [] if wanted["kind"] == "Service" else []
    return any("nodePort" in port for port in ports)


def refused(trials: Sequence[Trial]) -> Trial | None:
    """Return the first trial whose apply the API server is certain to refuse because it is invalid.

    A trial alone may also fail because the patch before the apply is missing, or because an admission webhook does not support dry runs.
    """
    return next((each for each in trials if each.refusal and each.refusal.get("code") == INVALID and not each.patch), None)


def attempt(cluster: Cluster, wanted: Object, live: Object | None, take_over: bool) -> Trial:
    """Try an apply. An object that is certainly as wanted costs no request.

    Args:
        cluster: The cluster.
        wanted: The object.
        live: The object as it is; None if it does not exist.
        take_over: Whether to take over what others have set. Fields that Berth has never applied server-side are always taken over.

    Raises:
        Unreachable, KubeError: As described in those classes.
    """
    if ownership.settled(wanted, live):
        return Trial(wanted, live, live)
    patch = ownership.handover(wanted, live) if live else []
    force = take_over or (live is not None and ownership.applied(live) is None)
    try:
        status, answer = _ask(cluster, wanted, live, force)
        found = ownership.conflicts(answer) if status == 409 else []
        theirs = tuple(each for each in found if not _is_ours(cluster, wanted, live, each))
        if found and not theirs:
            force = True
            status, answer = _ask(cluster, wanted, live, force)
    except NotFound:
        return Trial(wanted, live)
    if status >= 300:
        return Trial(wanted, live, None, force, patch, theirs, answer if status != 404 else None)
    after = ownership.pruned(answer, ownership.ours(wanted, live), wanted) if live and patch else answer
    return Trial(wanted, live, after, force, patch)


def _ask(cluster: Cluster, wanted: Object, live: Object | None, force: bool) -> tuple[int, Object]:
    body, metadata = wanted, wanted["metadata"]
    if live and ownership.hands_over_replicas(wanted, live):  # they stay as they are
        body = wanted | {"spec": {**(wanted.get("spec") or {}), "replicas": live["spec"]["replicas"]}}
    return cluster.try_apply(kind_of(wanted), metadata.get("namespace", ""), metadata["name"], body, ownership.MANAGER, force)


def _is_ours(cluster: Cluster, wanted: Object, live: Object | None, conflict: ownership.Conflict) -> bool:
    """Whether a conflict is with Berth itself: with its own patch, or with the number of pods set by its own autoscaler, which is or was removed."""
    if conflict.manager == ownership.MANAGER:
        return True
    if conflict.field != ownership.REPLICAS or not ownership.takes_back_replicas(wanted, live):
        return False
    there = autoscalers_of(wanted, cluster.items("HorizontalPodAutoscaler", wanted["metadata"]["namespace"]))
    return any(not foreign(wanted, each) for each in there) or (conflict.manager == ownership.AUTOSCALER and not there)
