"""Have the API server say what an apply would do to an object, and to whom. Nothing is changed."""

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
    """As it is; None where there is none."""
    after: Object | None = None
    """As it would be; None where the API server could not say, such as of an object whose namespace or kind is still to be made."""
    force: bool = False
    """Whether the apply takes over what others have set."""
    patch: ownership.Operations = field(default_factory=list)
    """What makes all that is Berth's the apply's, before it."""
    conflicts: tuple[ownership.Conflict, ...] = ()
    """What others have set, and is theirs."""
    refusal: Object | None = None
    """The Status with which the API server refuses the object."""

    @property
    def changes(self) -> bool:
        """Whether the object would become another, or its fields somebody else's."""
        if self.live is None or self.after is None or self.patch or self.live["metadata"].get("deletionTimestamp"):
            return True
        return declared(self.live) != declared(self.after) or ownership.applied(self.live) != ownership.applied(self.after)


def may_be_taken(wanted: Object) -> bool:
    """Whether an object that is to be made asks for what somebody else may have already, as a node port.

    >>> may_be_taken({"kind": "Service", "spec": {"ports": [{"nodePort": 30080}]}}), may_be_taken({"kind": "Deployment"})
    (True, False)
    """
    ports = (wanted.get("spec") or {}).get("ports") or [] if wanted["kind"] == "Service" else []
    return any("nodePort" in port for port in ports)


def refused(trials: Sequence[Trial]) -> Trial | None:
    """Return the first whose apply the API server is sure to refuse, as it is invalid.

    A trial alone may fail for lack of the patch that comes before the apply, or by an admission webhook that knows no trials.
    """
    return next((each for each in trials if each.refusal and each.refusal.get("code") == INVALID and not each.patch), None)


def attempt(cluster: Cluster, wanted: Object, live: Object | None, take_over: bool) -> Trial:
    """Try an apply out. What is surely as it is wanted costs no request.

    Args:
        cluster: Where.
        wanted: The object.
        live: As it is there; None where it is not.
        take_over: Whether to take over what others have set. What Berth has never applied from the API server's side is taken over.

    Raises:
        Unreachable, KubeError: see there.
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
    """Whether what is in the way is Berth's own: a patch of its own, or the number of pods that its own autoscaler has set, which is to go or has gone."""
    if conflict.manager == ownership.MANAGER:
        return True
    if conflict.field != ownership.REPLICAS or not ownership.takes_back_replicas(wanted, live):
        return False
    there = autoscalers_of(wanted, cluster.items("HorizontalPodAutoscaler", wanted["metadata"]["namespace"]))
    return any(not foreign(wanted, each) for each in there) or (conflict.manager == ownership.AUTOSCALER and not there)
