"""Decide to which release a Deployment is rolled back, and what has to change for it.

All functions take plain dicts, as the API server returns them; nothing is read from a cluster. What a rollback reverts, and what it keeps,
follows kubectl: https://github.com/kubernetes/kubectl/blob/v0.36.3/pkg/polymorphichelpers/rollback.go
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.app_volumes import user
from ..kube.objects import dig
from .reading import owned_by, template_images

Object = Mapping[str, Any]
Operations = list[dict[str, Any]]
"""A JSON patch (RFC 6902)."""

LEFT = "berth/left"
"""Annotation of a ReplicaSet: its revision when the Deployment was rolled back from it."""
COMPLETED = "berth/completed"
"""Annotation of a ReplicaSet: when its release was last complete, with everything that belongs to it (RFC 3339)."""
REVISION = "deployment.kubernetes.io/revision"
REVISIONS = "deployment.kubernetes.io/revision-history"
"""Annotation of a ReplicaSet: its earlier revisions, separated by commas."""
VERSION = "kubernetes.io/change-cause"
VERSION_LABEL = "app.kubernetes.io/version"
HASH = "pod-template-hash"
"""The label by which the Deployment's controller tells ReplicaSets' pods apart; not part of the declared template."""
STAYS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISIONS,
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
    LEFT,
    COMPLETED,
)
"""Annotations that a rollback does not revert."""


class Refused(Exception):
    """There is no release to roll back to; the text is the message."""


@dataclass(frozen=True)
class Release:
    """A revision of a Deployment."""

    revision: int
    version: str
    image: str
    created: str
    """When its ReplicaSet was created, RFC 3339."""
    ready: int
    """The number of its pods that are ready."""
    current: bool
    """Whether it is the one that the Deployment declares now."""
    left: bool
    """Whether the Deployment was rolled back from it and has not returned to it."""
    completed: str
    """When it was last complete with everything that belongs to it, RFC 3339; empty if it never was, or if that was not recorded."""
    earlier: tuple[int, ...]
    """Its earlier revisions."""
    replicaset: Object

    @property
    def container(self) -> Object:
        """Its first container, from the pod template."""
        return dig(self.replicaset, "spec", "template", "spec", "containers", 0) or {}

    @property
    def environment(self) -> list[Object]:
        """The ConfigMaps and Secrets of its environment, as in a container's ``envFrom``."""
        return self.container.get("envFrom") or []

    @property
    def user(self) -> str:
        """The numeric user and group that its pods run as, such as ``1000:1000``."""
        return user(self.replicaset)

    def is_release_of(self, other: Release) -> bool:
        """Whether it runs the same as ``other``: a restart creates another revision of the same release."""
        return (self.image, self.environment) == (other.image, other.environment)

    def told(self) -> dict[str, Any]:
        """Return what a module returns about it."""
        names = ("revision", "version", "image", "environment", "user", "created", "ready", "current")
        return {name: getattr(self, name) for name in names}


def releases(deployment: Object, replicasets: Iterable[Object]) -> list[Release]:
    """Return the revisions of a Deployment that are still kept, newest first.

    Args:
        deployment: The Deployment.
        replicasets: Any ReplicaSets, including those of other Deployments.
    """
    mine = [(_number(_annotation(each, REVISION)), each) for each in replicasets if owned_by(each, deployment)]
    newest = max((number for number, _ in mine), default=0)
    return [
        Release(
            revision=number,
            version=_annotation(each, VERSION),
            image=next(iter(template_images(each)), ""),
            created=dig(each, "metadata", "creationTimestamp") or "",
            ready=dig(each, "status", "readyReplicas") or 0,
            current=number == newest,
            left=_annotation(each, LEFT) == str(number),
            completed=_annotation(each, COMPLETED),
            earlier=tuple(_number(word) for word in _annotation(each, REVISIONS).split(",") if word),
            replicaset=each,
        )
        for number, each in sorted(mine, key=lambda pair: pair[0], reverse=True)
    ]


def choose(name: str, found: Sequence[Release], wanted: int) -> Release:
    """Return the release to roll back to; the current one if that is the one wanted.

    Args:
        name: The Deployment's name.
        found: Its releases, newest first.
        wanted: A revision, possibly one that has since been renumbered; 0 for the newest with another image or configuration that was not
            rolled back from: one with the same image and configuration was only restarted or given other resources.

    Raises:
        Refused: There is none.
    """
    current = next((each for each in found if each.current), None)
    if current is None:
        raise Refused(f"Nothing was changed: the Deployment {name} has no revision yet, so there is none to roll back to.")
    if wanted:
        match = next((each for each in found if wanted == each.revision), None) or next((each for each in found if wanted in each.earlier), None)
        if match is None:
            raise Refused(f"Nothing was changed: {name} has no revision {wanted}. Its revisions are:\n{table(found)}")
        return match
    others = [each for each in found if not each.is_release_of(current)]
    match = next((each for each in others if not each.left), None)
    if match is None:
        why = "each of the others was rolled back from" if others else "the current one is the only one"
        raise Refused(f"Nothing was changed: there is no release of {name} to roll back to: {why}. To choose one, name its revision:\n{table(found)}")
    return match


def last_complete(found: Sequence[Release]) -> Release | None:
    """Return the release that was complete last; None if no kept release is known to have been complete."""
    return max((each for each in found if each.completed), key=lambda each: each.completed, default=None)


def companion(found: Sequence[Release], target: Release, complete: bool) -> Release | None:
    """Return the revision of a process that belongs to a release of the app: the one that was complete last, or else the newest.

    Args:
        found: The process's revisions, newest first.
        target: The app's release.
        complete: Whether it must have been complete.

    Returns None if the release did not have the process.
    """
    mine = [each for each in found if each.is_release_of(target) and (each.completed or not complete)]
    return max(mine, key=lambda each: (each.completed, each.revision), default=None)


def completing(found: Sequence[Release], now: str) -> Operations:
    """Return the patch that records on the current revision's ReplicaSet that it is complete; empty if the last such record is about it."""
    last, current = last_complete(found), next((each for each in found if each.current), None)
    if current is None or current is last:
        return []
    path = "/metadata/annotations"
    note = [{"op": "add", "path": f"{path}/{COMPLETED.replace('/', '~1')}", "value": now}]
    return note if dig(current.replicaset, "metadata", "annotations") else [{"op": "add", "path": path, "value": {COMPLETED: now}}]


def operations(deployment: Object, release: Release, environment: Sequence[Object] | None = None) -> Operations:
    """Return the patch that makes the Deployment declare ``release``. It fails if the Deployment has been changed in the meantime.

    Args:
        deployment: As read.
        release: The release to switch to.
        environment: Another configuration for it, as in a container's ``envFrom``; None for its own.
    """
    template = copy.deepcopy(dict(release.replicaset["spec"]["template"]))
    template.get("metadata", {}).get("labels", {}).pop(HASH, None)
    if environment is not None:
        for container in [*template["spec"]["containers"], *(template["spec"].get("initContainers") or [])]:
            if container.get("envFrom") == release.environment:
                container["envFrom"] = list(environment)
    annotations = dict(dig(deployment, "metadata", "annotations") or {})
    theirs = dig(release.replicaset, "metadata", "annotations") or {}
    annotations = {key: value for key, value in annotations.items() if key in STAYS} | {key: value for key, value in theirs.items() if key not in STAYS}
    labels = dict(dig(deployment, "metadata", "labels") or {})
    if VERSION_LABEL in labels:
        labels[VERSION_LABEL] = release.version[:63]
    return [
        _unchanged(deployment),
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
        {"op": "add", "path": "/metadata/labels", "value": labels},
    ]


def leaving(release: Release, target: Release) -> Operations:
    """Return the patch that records on a release's ReplicaSet that the Deployment was rolled back from it; empty if it moves forward."""
    if target.created >= release.created:
        return []
    return [{"op": "add", "path": f"/metadata/annotations/{LEFT.replace('/', '~1')}", "value": str(release.revision)}]


def following(cronjob: Object, left: Release, target: Release, environment: Sequence[Object]) -> Operations:
    """Return the patch that moves a CronJob from the ``left`` release to the target's image, user and ``environment``; empty if it does not run ``left``."""
    containers = dig(cronjob, "spec", "jobTemplate", "spec", "template", "spec", "containers") or []
    path = "/spec/jobTemplate/spec/template/spec"
    changed: Operations = []
    for number, each in enumerate(containers):
        if (each.get("image"), each.get("envFrom") or []) == (left.image, left.environment):
            changed.append({"op": "replace", "path": f"{path}/containers/{number}/image", "value": target.image})
            changed.append({"op": "add", "path": f"{path}/containers/{number}/envFrom", "value": list(environment)})
    if changed and (security := dig(target.replicaset, "spec", "template", "spec", "securityContext")):
        changed.append({"op": "add", "path": f"{path}/securityContext", "value": security})
    return [_unchanged(cronjob), *changed] if changed else []


def table(found: Sequence[Release]) -> str:
    """Return releases as lines for people, newest first."""
    width = max((len(each.version) for each in found), default=0)
    lines = []
    for each in found:
        state = "runs" if each.current else "rolled back from" if each.left else ""
        lines.append(f"  revision {each.revision:>3}  {each.version:<{width}}  since {each.created}  {state}".rstrip())
    return "\n".join(lines)


def _unchanged(thing: Object) -> dict[str, Any]:
    # Not resourceVersion: a rollout that fails changes the status all the time.
    return {"op": "test", "path": "/metadata/generation", "value": thing["metadata"]["generation"]}


def _annotation(thing: Object, name: str) -> str:
    return dig(thing, "metadata", "annotations", name) or ""


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
