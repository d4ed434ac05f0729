"""What a database is restored from, into which instance, and why it cannot be restored.

What a restore takes over from the previous instance: class, version, size and encryption are those of the snapshot or point in time; the security
groups, the parameter group, the subnet group and a standby have to be named, otherwise they are AWS's defaults; deletion protection and tags are not
taken over; backup retention is; a master password that RDS manages can only be requested for Oracle's engine, so it is handed over afterwards.
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .databases import RESTORING, SERVING, Databases, databases, identifier, owner, restored, tags_of
from .session import Refused, strings

NEWEST = 3
"""How many snapshots a message names."""
MOST = 99
"""The maximum number of restored instances; the policy of the user who runs Berth allows two digits (scripts/aws-policy)."""


@dataclass(frozen=True)
class Asked:
    """The wanted source: a snapshot (name or ARN), a time, or an existing instance; none of them for the newest snapshot. ``tags`` are the inventory's."""

    environment: str
    name: str
    snapshot: str = ""
    time: str = ""
    instance: str = ""
    tags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The wanted source, as in the tag :data:`RESTORING`; "" for the newest one."""
        if self.time:
            return f"time {shown(moment(self.time))}"
        return f"snapshot {self.snapshot.rpartition(':snapshot:')[2]}" if self.snapshot else ""


@dataclass(frozen=True)
class Found:
    """What RDS describes in the account: instances, snapshots and, for its automatic backups, the times that it can restore."""

    instances: Sequence[Mapping[str, Any]]
    snapshots: Sequence[Mapping[str, Any]]
    backups: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Restore:
    """What to do.

    ``instance`` is the one that the app switches to, ``previous`` the one in use before, ``source`` what it is made from ("" if it already exists).
    ``operation`` and ``parameters`` make it; they are empty if it already exists.
    """

    instance: str
    previous: str
    source: str
    operation: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


def moment(text: str) -> datetime:
    """Return a time that a user wrote.

    Raises:
        Refused: It is not a time, or has no time zone.

    >>> moment("2026-11-28T13:00:00+01:00")
    datetime.datetime(2026, 11, 28, 12, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Refused(f"ops_time is {text!r}, which is not a time with a zone: write it in UTC, like 2026-11-28T12:00:00Z.")
    return found.astimezone(UTC).replace(microsecond=0)


def shown(time: datetime) -> str:
    """Return a time in the usual notation.

    >>> shown(datetime(2026, 11, 28, 12, 0, tzinfo=UTC))
    '2026-11-28T12:00:00Z'
    """
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def plan(asked: Asked, found: Found) -> Restore:
    """Return what to do; an interrupted restore is resumed.

    Raises:
        Refused: It cannot be done; the text says why and what to do.
    """
    source = asked.source  # an invalid time is reported before anything else
    mine = databases(found.instances, asked.environment, asked.name)
    if mine.serving is None:
        raise Refused(
            f"{asked.environment} has no database in RDS that could be replaced. Set berth_rds_snapshot to a snapshot, then run site.yml: "
            "it creates the database from it."
        )
    if asked.instance:
        return _there(asked.instance, mine)
    half = [one for one in mine.all if RESTORING in tags_of(one) and one["DBInstanceStatus"] != "deleting"]
    fitting = [one for one in half if source in ("", tags_of(one)[RESTORING])]
    if fitting:
        return Restore(identifier(fitting[0]), _previous(fitting[0], mine), tags_of(fitting[0])[RESTORING])
    if half:
        raise Refused(_half_done(half[0], mine))
    name = _free(asked.name, found.instances)
    if asked.time:
        return _to_time(asked, found, mine, name)
    return _from_snapshot(asked, found, mine, name)


def own(snapshot: Mapping[str, Any], environment: str, name: str) -> bool:
    """Whether a snapshot is of an environment's database: of one of its own instances, or with its tags, which RDS copies from the instance."""
    source = str(snapshot["DBInstanceIdentifier"])
    return source == name or restored(name, source) or owner(environment, name).items() <= tags_of(snapshot).items()


def _there(wanted: str, mine: Databases) -> Restore:
    """Return the switch to an existing instance."""
    target = mine.named(wanted)
    if target is None:
        there = ", ".join(f"{identifier(one)}{' (in use)' if one is mine.serving else ''}" for one in mine.all)
        raise Refused(f"this environment has no instance {wanted}. It has: {there}.")
    return Restore(wanted, _previous(target, mine), "")


def _previous(target: Mapping[str, Any], mine: Databases) -> str:
    """Return the instance in use apart from ``target``; if ``target`` is in use already, the one before it."""
    if target is not mine.serving:
        return identifier(mine.serving) if mine.serving else ""
    used = [one for one in mine.others if SERVING in tags_of(one)]
    used.sort(key=lambda one: tags_of(one)[SERVING])
    first = [one for one in mine.others if SERVING not in tags_of(one) and RESTORING not in tags_of(one)]
    return next((identifier(one) for one in [*reversed(used), *first]), "")


def _half_done(half: Mapping[str, Any], mine: Databases) -> str:
    kind, _, what = tags_of(half)[RESTORING].partition(" ")
    text = f"a restore of {kind} {what} into {identifier(half)} is incomplete. -e ops_{kind}={what} continues it"
    return f"{text}." if half is mine.serving else f"{text}; -e ops_remove={identifier(half)} removes what was created."


def _free(name: str, instances: Sequence[Mapping[str, Any]]) -> str:
    taken = {identifier(one) for one in instances}
    free = next((one for one in (f"{name}-r{number:02}" for number in range(1, MOST + 1)) if one not in taken), "")
    if not free:
        raise Refused(f"there are {MOST} restored instances of {name}. Remove those that are not needed: -e ops_remove=NAME.")
    return free


def _copied(live: Mapping[str, Any], asked: Asked, source: str) -> dict[str, Any]:
    """Return what a restored instance takes over from the one in use, and its tags.

    Deletion protection is left out: a failed restore could not be removed. The inventory's settings add it before the app switches.
    """
    tags = strings(asked.tags) | owner(asked.environment, asked.name) | {RESTORING: source}
    found = {
        "DBInstanceClass": live["DBInstanceClass"],
        "MultiAZ": live.get("MultiAZ"),
        "DBSubnetGroupName": (live.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
        "VpcSecurityGroupIds": [group["VpcSecurityGroupId"] for group in live.get("VpcSecurityGroups") or []],
        "DBParameterGroupName": next((group["DBParameterGroupName"] for group in live.get("DBParameterGroups") or []), None),
        "AutoMinorVersionUpgrade": live.get("AutoMinorVersionUpgrade"),
        "BackupRetentionPeriod": live.get("BackupRetentionPeriod"),
        "PreferredBackupWindow": live.get("PreferredBackupWindow"),
        "CopyTagsToSnapshot": True,
        "PubliclyAccessible": False,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    return {key: value for key, value in found.items() if value not in (None, [], "")}


def _from_snapshot(asked: Asked, found: Found, mine: Databases, name: str) -> Restore:
    live = mine.serving or {}
    snapshot = _snapshot(asked, found)
    if problems := _unfit(snapshot, live):
        raise Refused("\n".join(problems))
    given = str(snapshot["DBSnapshotIdentifier"])
    source = f"snapshot {given}"
    parameters = {"DBInstanceIdentifier": name, "DBSnapshotIdentifier": given, **_copied(live, asked, source)}
    return Restore(name, identifier(live), source, "restore_db_instance_from_db_snapshot", parameters)


def _snapshot(asked: Asked, found: Found) -> Mapping[str, Any]:
    """Return the named snapshot, or the newest complete one.

    Raises:
        Refused: There is none, or it is another environment's.
    """
    ours = [one for one in found.snapshots if own(one, asked.environment, asked.name)]
    whole = sorted((one for one in ours if one["Status"] == "available"), key=lambda one: one["SnapshotCreateTime"], reverse=True)
    newest = ", ".join(str(one["DBSnapshotIdentifier"]) for one in whole[:NEWEST])
    said = f"The newest of {asked.name}: {newest}." if newest else f"{asked.name} has none; playbooks/ops/backup.yml makes one."
    if not asked.snapshot:
        if not whole:
            raise Refused(f"RDS has no complete snapshot of {asked.name}. playbooks/ops/backup.yml makes one, and -e ops_time=TIME restores a point in time.")
        return whole[0]
    named = next((one for one in found.snapshots if asked.snapshot in (one["DBSnapshotIdentifier"], one.get("DBSnapshotArn"))), None)
    if named is None:
        raise Refused(f"RDS has no snapshot {asked.snapshot}. {said}")
    if named not in ours:
        whose = f"{named['DBInstanceIdentifier']}, which is not one of {asked.name}'s databases"
        raise Refused(f"{asked.snapshot} is from {whose}. {said} To give a new environment another one's data, use berth_rds_snapshot.")
    return named


def _unfit(snapshot: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """Return why a snapshot cannot replace the database in use."""
    given, found = snapshot["DBSnapshotIdentifier"], []
    if snapshot["Status"] != "available":
        what = "it has failed; use another one" if snapshot["Status"] == "failed" else "wait until it is available, then run the same command again"
        found.append(f"{given} is {snapshot['Status']}: {what}.")
    if not snapshot.get("Encrypted"):
        found.append(f"{given} is not encrypted, so a database restored from it would not be either: copy it with a KMS key, and name the copy.")
    major, has = (str(one["EngineVersion"]).split(".", maxsplit=1)[0] for one in (live, snapshot))
    if major != has:
        found.append(
            f"{given} is from PostgreSQL {has}, but the database runs {major}: use one from {major}, or create a new environment from it (berth_rds_snapshot)."
        )
    return found


def _to_time(asked: Asked, found: Found, mine: Databases, name: str) -> Restore:
    """Return the restore of a point in time: of the instance in use or, if it did not exist then, of one before it."""
    wanted, live = moment(asked.time), mine.serving or {}
    windows = {identifier(one): window for one in mine.all if (window := _window(one, found.backups))}
    source = next((instance for instance, (first, last) in windows.items() if first <= wanted <= last), "")
    if not source:
        said = "; ".join(f"{instance} from {shown(first)} to {shown(last)}" for instance, (first, last) in windows.items())
        raise Refused(
            f"RDS cannot restore {shown(wanted)}, only {said}." if said else "RDS keeps no backups to restore a point in time from, because "
            "berth_rds_backup_days is 0 or the database is new. Take a snapshot: -e ops_snapshot=NAME."
        )  # fmt: skip
    parameters = {"SourceDBInstanceIdentifier": source, "TargetDBInstanceIdentifier": name, "RestoreTime": wanted, **_copied(live, asked, asked.source)}
    return Restore(name, identifier(live), asked.source, "restore_db_instance_to_point_in_time", parameters)


def _window(instance: Mapping[str, Any], backups: Sequence[Mapping[str, Any]]) -> tuple[datetime, datetime] | None:
    """Return the times between which RDS can restore (docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreWindow.html); None if it cannot."""
    for one in backups:
        window = one.get("RestoreWindow") or {}
        if one.get("DBInstanceIdentifier") == identifier(instance) and window.get("EarliestTime") and window.get("LatestTime"):
            return window["EarliestTime"], window["LatestTime"]
    return None
