"""A command that is run once with a release's image and configuration: the Job that runs it, and its result.

All functions take plain dicts, as the API server returns them; nothing is read from a cluster.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..kube.objects import condition, dig
from .advice import advice
from .reading import ending
from .rollback import Release

Object = Mapping[str, Any]

COMPONENT = "command"
"""The label of such a Job and its pod."""
KEPT = 600
"""Seconds for which Kubernetes keeps a Job that ended after its caller was killed."""
LAST = 20
"""Lines of output that the message of a failed command shows."""
_OF_POD = ("automountServiceAccountToken", "enableServiceLinks", "imagePullSecrets", "securityContext", "serviceAccountName", "volumes")
_OF_CONTAINER = ("envFrom", "image", "imagePullPolicy", "resources", "securityContext", "volumeMounts", "workingDir")


def serving(found: Sequence[Release]) -> Release | None:
    """Return the newest of a Deployment's releases (newest first) that has ready pods; if none has any, the newest of all."""
    return next((each for each in found if each.ready), found[0] if found else None)


def labels(app: str) -> dict[str, str]:
    """Return the labels of an app's commands, which network policies select."""
    # Not the app's name: a release removes objects that carry it and are not declared.
    names = {"name": "manage", "instance": app, "component": COMPONENT, "managed-by": "berth"}
    return {f"app.kubernetes.io/{key}": value for key, value in names.items()}


def job(release: Release, app: str, words: Sequence[str], timeout: int, waits: bool = False) -> dict[str, Any]:
    """Return the Job that runs ``manage.py`` the way a release's pods would.

    Args:
        release: The release whose image, configuration and security context it uses.
        app: The app's name.
        words: The arguments of ``manage.py``.
        timeout: Seconds after which Kubernetes ends it.
        waits: Whether its pod only waits, because the command is started in it from a terminal.
    """
    command = ["python", "-c", f"import time; time.sleep({timeout})"] if waits else ["python", "manage.py", *words]
    pod = dig(release.replicaset, "spec", "template", "spec") or {}
    container = {key: release.container[key] for key in _OF_CONTAINER if key in release.container}
    # Output is visible as soon as it is printed, not once a buffer is full.
    environment = [*(release.container.get("env") or []), {"name": "PYTHONUNBUFFERED", "value": "1"}]
    spec = {key: pod[key] for key in _OF_POD if key in pod} | {
        "restartPolicy": "Never",
        "containers": [{"name": "manage", **container, "env": environment, "command": command}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": f"{app}-manage-", "labels": labels(app)},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": timeout,
            "ttlSecondsAfterFinished": KEPT,
            "template": {"metadata": {"labels": labels(app)}, "spec": spec},
        },
    }


class Output:
    """What a command has printed so far, assembled from repeated reads of the end of its log."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._latest: list[str] = []

    @property
    def since(self) -> str:
        """The second from which the next read has to start, RFC 3339; empty before the first line."""
        return f"{self._latest[-1][:19]}Z" if self._latest else ""

    def add(self, log: str) -> list[str]:
        """Add a read, whose lines have times as with ``timestamps=true``, and return the lines that are new."""
        known = Counter(self._latest)
        new = []
        for stamped in log.splitlines():
            if known[stamped]:
                known[stamped] -= 1
            else:
                new.append(stamped)
        second = (new or self._latest or [""])[-1][:19]
        self._latest = [each for each in [*self._latest, *new] if each[:19] == second]
        told = [each.partition(" ")[2] for each in new]
        self.lines += told
        return told


def state(pod: Object | None) -> tuple[bool, Object | None]:
    """Return whether a command's container has started, and how it ended: its ``terminated`` state, or None if it has not ended."""
    status = dig(pod or {}, "status", "containerStatuses", 0, "state") or {}
    return bool(status.get("running") or status.get("terminated")), status.get("terminated")


def overdue(job: Object) -> bool:
    """Whether Kubernetes is ending a Job, or has ended it, because it exceeded its deadline."""
    found = condition(job, "FailureTarget") or condition(job, "Failed") or {}
    return found.get("reason") == "DeadlineExceeded"


def exit_code(status: bytes) -> int | None:
    """Return the exit code in the status of a connection to a container, or None if it has none.

    https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go
    """
    try:
        said = json.loads(status)
        if said["status"] == "Success":
            return 0
        return int(next(cause["message"] for cause in said["details"]["causes"] if cause["reason"] == "ExitCode"))
    except (ValueError, KeyError, TypeError, StopIteration):
        return None


def failure(words: Sequence[str], why: str, lines: Sequence[str], way: str = "") -> str:
    """Return the message of a command that failed: why, its last lines and, if known, what to do."""
    said = [f"manage.py {words[0]} {why}."]
    said += ["Its last lines:", *(f"  {line}" for line in lines[-LAST:])] if lines else ["It printed nothing."]
    return "\n".join([*said, *([f"What to do: {way}"] if way else [])])


def ended(words: Sequence[str], how: Object, lines: Sequence[str]) -> str:
    """Return the message of a command by its ``terminated`` state; empty if it succeeded."""
    if not how.get("exitCode"):
        return ""
    return failure(words, ending(how), lines, advice("memory", {}) if how.get("reason") == "OOMKilled" else "")
