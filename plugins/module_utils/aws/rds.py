"""RDS instances: which of their states mean what."""

from __future__ import annotations

from .session import GONE, Aws

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status
WORKS = ("available", "storage-optimization")
"""States of an instance that can be used and changed; the storage is optimized for hours."""
STUCK = (
    "failed", "inaccessible-encryption-credentials", "inaccessible-encryption-credentials-recoverable", "incompatible-network",
    "incompatible-option-group", "incompatible-parameters", "incompatible-restore", "insufficient-capacity", "restore-error", "stopped", "storage-full",
)  # fmt: skip
"""States that last until somebody does something."""
ADVICE = {
    **dict.fromkeys(STUCK, "its events in RDS's console say why. Mend what they name, then run the same command again"),
    "deleting": "when it is gone, run the same command again",
    GONE: "somebody has deleted it. Run the same command again",
}
"""What to do about an instance that will not work by itself."""


def wait_until_it_works(aws: Aws, name: str) -> None:
    """Wait until an instance works.

    Args:
        aws: The task's work.
        name: The instance's identifier.

    Raises:
        Refused: It never will without somebody's help, or the time is over.
    """

    def status() -> tuple[str, str]:
        now = status_of(aws, name)
        return now, ADVICE.get(now, "")

    aws.wait.until(aws.subject, status, WORKS, dict.fromkeys(ADVICE, 0))


def wait_until_it_is_gone(aws: Aws, name: str) -> None:
    """Wait until an instance that is being deleted does not exist any more.

    Args:
        aws: The task's work.
        name: The instance's identifier.

    Raises:
        Refused: The time is over.
    """
    aws.wait.until(aws.subject, lambda: (status_of(aws, name), ""), [GONE], {})


def status_of(aws: Aws, name: str) -> str:
    """Return an instance's state, or GONE."""
    found = aws.find("describe_db_instances", "DBInstances", DBInstanceIdentifier=name)
    return found[0]["DBInstanceStatus"] if found else GONE
