"""RDS instances, the meaning of their states, and the snapshots that Berth makes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .databases import Databases, databases, tags_of
from .session import GONE, Aws

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status
WORKS = ("available", "storage-optimization")
"""States in which an instance can be used and changed; storage optimization takes hours."""
STUCK = (
    "failed",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "insufficient-capacity",
    "restore-error",
    "stopped",
    "storage-full",
)
"""States that last until somebody intervenes."""
ADVICE = {
    **dict.fromkeys(STUCK, "its events in the RDS console say why. Fix what they name, then run the same command again"),
    "deleting": "once it is gone, run the same command again",
    GONE: "somebody has deleted it. Run the same command again",
}
"""What to do about an instance that will not recover by itself."""


def databases_of(aws: Aws) -> Databases:
    """Return the instances of the environment in a task's options C(environment) and C(name)."""
    return databases(aws.list("describe_db_instances", "DBInstances"), aws.options["environment"], aws.options["name"])


def wait_until_it_works(aws: Aws, name: str) -> None:
    """Wait until an instance works.

    Args:
        aws: The task's work.
        name: The instance's identifier.

    Raises:
        Refused: It never will without intervention, or the wait timed out.
    """

    def status() -> tuple[str, str]:
        now = status_of(aws, name)
        return now, ADVICE.get(now, "")

    aws.wait.until(aws.subject, status, WORKS, dict.fromkeys(ADVICE, 0))


def wait_until_it_is_gone(aws: Aws, name: str) -> None:
    """Wait until an instance that is being deleted no longer exists.

    Args:
        aws: The task's work.
        name: The instance's identifier.

    Raises:
        Refused: The wait timed out.
    """
    aws.wait.until(aws.subject, lambda: (status_of(aws, name), ""), [GONE], {})


def status_of(aws: Aws, name: str) -> str:
    """Return an instance's state, or GONE."""
    found = aws.find("describe_db_instances", "DBInstances", DBInstanceIdentifier=name)
    return found[0]["DBInstanceStatus"] if found else GONE


BACKUP = {"berth:purpose": "backup"}
"""The tag of a snapshot that backup.yml made. RDS copies an instance's tags to all its snapshots, so they alone do not show who made one."""


def backup_name(name: str, now: datetime) -> str:
    """Return the name, in UTC, of a snapshot that is made now.

    >>> backup_name("polls-prod", datetime(2027, 3, 27, 12, 0, 5))
    'polls-prod-backup-20270327120005'
    """
    return f"{name}-backup-{now:%Y%m%d%H%M%S}"


def backups(snapshots: Sequence[Mapping[str, Any]], name: str, tags: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return the snapshots that Berth made as backups of an environment, newest first: both name and tags have to match.

    Args:
        snapshots: As RDS describes them.
        name: The name of the environment's resources, with which Berth begins their names.
        tags: The environment's own tags, without :data:`BACKUP`.
    """
    pattern, wanted = re.compile(rf"{re.escape(name)}-backup-\d{{14}}"), (dict(tags) | BACKUP).items()
    mine = [
        one for one in snapshots if one.get("SnapshotType") == "manual" and pattern.fullmatch(one["DBSnapshotIdentifier"]) and wanted <= tags_of(one).items()
    ]
    return sorted(mine, key=lambda one: str(one["DBSnapshotIdentifier"]), reverse=True)


def outdated(mine: Sequence[Mapping[str, Any]], keep: int) -> list[str]:
    """Return the names of the backups to remove: complete ones beyond the newest ``keep``, and older ones that failed.

    Args:
        mine: As :func:`backups` returns them. One that is being made does not count, because it may fail.
        keep: At least 1.
    """
    whole = [str(one["DBSnapshotIdentifier"]) for one in mine if one["Status"] == "available"]
    newest = whole[0] if whole else ""
    return whole[keep:] + [str(one["DBSnapshotIdentifier"]) for one in mine if one["Status"] == "failed" and str(one["DBSnapshotIdentifier"]) < newest]
