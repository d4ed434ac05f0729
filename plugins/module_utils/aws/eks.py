"""What Berth's own modules for EKS share: an EKS resource with its status, its updates and the reasons that EKS gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .session import GONE, Aws, Refused, snake

FAILURES = ("FAILED", "CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED")
STILLBORN = ("FAILED", "CREATE_FAILED")
"""The statuses of resources that could not be created. They never worked; EKS can only delete them."""

STALE = 10.0
"""Seconds for which EKS may still show an earlier state."""


def reasons(problems: list[Mapping[str, Any]]) -> str:
    """Return the reasons that EKS gives, in one line.

    Args:
        problems: ``health.issues`` of a resource or ``errors`` of an update.
    """
    found = []
    for problem in problems:
        code, message = problem.get("code") or problem.get("errorCode"), problem.get("message") or problem.get("errorMessage") or ""
        what = ", ".join(problem.get("resourceIds") or [])
        found.append(f"{code}: {' '.join(message.split()).rstrip('.')}{f' ({what})' if what else ''}")
    return "; ".join(found)


def issues(resource: Mapping[str, Any]) -> str:
    """Return the health issues of a described cluster, node group or add-on, in one line; empty if there are none."""
    return reasons((resource.get("health") or {}).get("issues") or [])


def shown_cluster(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Return a described cluster in snake_case; values that EKS sets when it has made the cluster are empty until then, and in check mode."""
    later = {"arn": "", "status": "ABSENT", "version": "", "endpoint": "", "certificateAuthority": {"data": ""}, "identity": {"oidc": {"issuer": ""}}}
    return snake({**later, **cluster})


def minor(version: str) -> tuple[int, int]:
    """Return a Kubernetes version's numbers.

    Raises:
        Refused: It is not a valid version.
    """
    parts = str(version).split(".")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise Refused(f"{version} is not an EKS version: give major and minor as a string, like '1.34'.")
    return int(parts[0]), int(parts[1])


class Resource:
    """An EKS resource with a status: a cluster, a node group or an add-on.

    Args:
        aws: The task's work.
        operation, result: The call that describes it, and the key of its answer.
        names: The parameters that name it.
        update: The parameters of DescribeUpdate that name it.
        grace: Seconds for which it may be DEGRADED before that is a failure.
    """

    def __init__(self, aws: Aws, operation: str, result: str, names: dict[str, str], update: dict[str, str], grace: float = 0) -> None:
        self.aws, self.names = aws, names
        self._operation, self._result, self._update_names, self._grace = operation, result, update, grace
        self._update: Mapping[str, Any] | None = None

    def look(self) -> dict[str, Any] | None:
        """Return the described resource, None if there is none."""
        return self.aws.find(self._operation, self._result, **self.names)

    def ready(self) -> None:
        """Wait until it is ACTIVE.

        Raises:
            Refused: It has failed or the wait timed out; with EKS's reason.
        """
        bad = {**dict.fromkeys(FAILURES, STALE), **dict.fromkeys(STILLBORN, 0), "DEGRADED": self._grace, GONE: 0}
        self.aws.wait.until(self.aws.subject, self._status, ["ACTIVE"], bad)

    def waited(self, described: dict[str, Any]) -> dict[str, Any]:
        """Return its description when everything is done, or its current state if the task does not wait."""
        if self.aws.check or not self.aws.options["wait"]:
            return described
        self.finish()
        self.ready()
        return self.look() or described

    def settle(self) -> dict[str, Any] | None:
        """Wait until EKS is not working on it, and return it; an update or a deletion can start only then."""
        self.aws.wait.until(self.aws.subject, self._status, ["ACTIVE", "DEGRADED", *FAILURES, GONE], {})
        return self.look()

    def gone(self) -> None:
        """Wait until it no longer exists."""
        self.aws.wait.until(self.aws.subject, self._status, [GONE], {"DELETE_FAILED": STALE})

    def update(self, operation: str, **parameters: Any) -> None:
        """Start an update; EKS does one at a time, so wait for the previous one first."""
        if not self.aws.check:
            self.finish()
            self.settle()
        self._update = self.aws.change(operation, **parameters).get("update")

    def finish(self) -> None:
        """Wait until the update that was started last is done."""
        update, self._update = self._update, None
        if update:
            subject = f"{self.aws.subject}: {update['type']}"
            try:
                self.aws.wait.until(subject, lambda: self._update_status(update["id"]), ["Successful"], {"Failed": 0, "Cancelled": 0})
            except Refused as error:
                if "PodEvictionFailure" not in str(error):
                    raise
                advice = "A PodDisruptionBudget may prevent it: check the pods on these nodes, or set force_update to evict them anyway."
                raise Refused(f"{error} {advice}") from None

    def remove(self, operation: str, **parameters: Any) -> None:
        """Delete it if it exists, after EKS has finished working on it."""
        live = self.look()
        if live and live["status"] != "DELETING" and (self.aws.check or self.settle()):
            self.aws.note({"state": ("present", "absent")})
            self.aws.change(operation, **self.names, **parameters)
        if self.aws.options["wait"] and not self.aws.check:
            self.gone()

    def without_remains(self, delete: str, needed: tuple[str, ...] = ()) -> dict[str, Any] | None:
        """Return the described resource; one that is being deleted or could not be created is removed and counts as missing.

        Args:
            delete: The operation that deletes it.
            needed: Options that recreating it needs; without them, a resource that could not be created is kept, so that its reason is reported.
        """
        live = self.look()
        if not live or live["status"] not in (*STILLBORN, "DELETING"):
            return live
        if live["status"] in STILLBORN and not all(self.aws.options[name] for name in needed):
            return live
        if live["status"] in STILLBORN:
            self.aws.module.warn(f"{self.aws.subject} could not be created and is recreated: {issues(live) or 'AWS gave no reason'}")
            self.aws.change(delete, **self.names)
        if not self.aws.check:
            self.gone()
        return None

    def _status(self) -> tuple[str, str]:
        live = self.look()
        return (live["status"], issues(live)) if live else (GONE, "")

    def _update_status(self, identifier: str) -> tuple[str, str]:
        update = self.aws.client.describe_update(updateId=identifier, **self._update_names)["update"]
        return update["status"], reasons(update.get("errors") or [])
