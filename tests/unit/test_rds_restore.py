"""Which instance of RDS an environment uses, what a restore makes another one of, and what it refuses before anything is made."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.berth.platform.plugins.filter.rds import (
    rds_protected,
    rds_removals,
    rds_restore_asked,
    rds_restore_failed,
    rds_restore_said,
    restore_refused,
)
from ansible_collections.berth.platform.plugins.module_utils.aws.databases import RESTORING, SERVING, databases, serving_since
from ansible_collections.berth.platform.plugins.module_utils.aws.rds_restore import Asked, Found, Restore, plan
from ansible_collections.berth.platform.plugins.module_utils.aws.session import Refused
from ansible_collections.berth.platform.plugins.modules.rds_remove import removable

OWN = {"berth:environment": "prod", "berth:name": "polls-prod"}
OTHER = {"berth:environment": "staging", "berth:name": "polls-staging"}
NOON, ONE = "2027-03-27T12:00:00Z", "2027-03-27T13:00:00Z"
SNAPSHOT = "polls-prod-backup-20270327120000"
ARN = "arn:aws:rds:eu-central-1:123456789012:snapshot:"


def tagged(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as RDS describes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def instance(name: str = "polls-prod", since: str = "", restoring: str = "", owner: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Return an instance as RDS describes it."""
    tags = dict(OWN if owner is None else owner) | ({SERVING: since} if since else {}) | ({RESTORING: restoring} if restoring else {})
    return {
        "DBInstanceIdentifier": name,
        "DBInstanceStatus": "available",
        "EngineVersion": "17.6",
        "DBInstanceClass": "db.t4g.medium",
        "MultiAZ": True,
        "DBSubnetGroup": {"DBSubnetGroupName": "polls-prod"},
        "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}],
        "DBParameterGroups": [{"DBParameterGroupName": "polls-prod-postgres17", "ParameterApplyStatus": "in-sync"}],
        "AutoMinorVersionUpgrade": True,
        "BackupRetentionPeriod": 14,
        "PreferredBackupWindow": "02:00-03:00",
        "DeletionProtection": True,
        "TagList": tagged(tags),
        **more,
    }


def snapshot(name: str = SNAPSHOT, of: str = "polls-prod", tags: dict[str, str] | None = None, hour: int = 12, **more: Any) -> dict[str, Any]:
    """Return a snapshot as RDS describes it."""
    return {
        "DBSnapshotIdentifier": name,
        "DBSnapshotArn": f"{ARN}{name}",
        "DBInstanceIdentifier": of,
        "Status": "available",
        "Encrypted": True,
        "EngineVersion": "17.4",
        "SnapshotCreateTime": datetime(2027, 3, 27, hour, tzinfo=UTC),
        "TagList": tagged(OWN if tags is None else tags),
        **more,
    }


def backup(of: str = "polls-prod", first: int = 1, last: int = 27) -> dict[str, Any]:
    """Return what RDS keeps of an instance by itself, from one day of March to another."""
    window = {"EarliestTime": datetime(2027, 3, first, 3, tzinfo=UTC), "LatestTime": datetime(2027, 3, last, 12, tzinfo=UTC)}
    return {"DBInstanceIdentifier": of, "RestoreWindow": window}


def planned(instances: list[Any] | None = None, snapshots: list[Any] | None = None, backups: list[Any] | None = None, **asked: Any) -> Restore:
    """Return what is to be done in an account that has these, by default an instance, a snapshot of it and what RDS keeps."""
    there = [instance()] if instances is None else instances
    found = Found(there, [snapshot()] if snapshots is None else snapshots, [backup()] if backups is None else backups)
    return plan(Asked("prod", "polls-prod", **asked), found)


# --- Which one is in use ---------------------------------------------------------------------------------------------

FIRST, RESTORED, AFTER = instance(), instance("polls-prod-r01", NOON), instance("polls-prod-r02", ONE)


@pytest.mark.parametrize(
    ("there", "serving", "others"),
    [
        ([FIRST], "polls-prod", []),
        ([instance(owner={})], "polls-prod", []),  # one that an earlier Berth made
        ([FIRST, RESTORED], "polls-prod-r01", ["polls-prod"]),
        ([AFTER, FIRST, RESTORED], "polls-prod-r02", ["polls-prod-r01", "polls-prod"]),
        ([instance(since=ONE), RESTORED], "polls-prod", ["polls-prod-r01"]),  # it went back
        ([RESTORED], "polls-prod-r01", []),  # the first one was removed
        ([FIRST, instance("polls-prod-r01", restoring="snapshot a")], "polls-prod", ["polls-prod-r01"]),  # not yet
        ([instance("polls-prod-r01", restoring="snapshot a")], None, ["polls-prod-r01"]),  # never, also when the one in use was lost
        ([FIRST, instance("polls-prod-r01", ONE, owner=OTHER)], "polls-prod", []),
        ([FIRST, instance("polls-prod-eu", ONE)], "polls-prod", []),
        ([instance("shop-prod")], None, []),
        ([], None, []),
    ],
)
def test_the_instance_in_use_is_the_one_that_was_put_in_use_last(there: list[Any], serving: str | None, others: list[str]) -> None:
    found = databases(there, "prod", "polls-prod")
    assert (found.serving or {}).get("DBInstanceIdentifier") == serving
    assert [one["DBInstanceIdentifier"] for one in found.others] == others


@pytest.mark.parametrize(("hour", "since"), [(14, "2027-03-27T14:00:00Z"), (13, "2027-03-27T13:00:01Z"), (9, "2027-03-27T13:00:01Z")])
def test_a_machine_whose_clock_is_behind_puts_an_instance_in_use_all_the_same(hour: int, since: str) -> None:
    assert serving_since(datetime(2027, 3, 27, hour, tzinfo=UTC), databases([FIRST, AFTER], "prod", "polls-prod")) == since


# --- What is made ----------------------------------------------------------------------------------------------------


def test_a_restored_instance_has_from_the_one_in_use_what_aws_does_not_copy_but_for_the_protection() -> None:
    made = planned(tags={"team": "web", "cost": 7})
    assert (made.instance, made.previous, made.source) == ("polls-prod-r01", "polls-prod", f"snapshot {SNAPSHOT}")
    assert made.operation == "restore_db_instance_from_db_snapshot"
    assert made.parameters == {
        "DBInstanceIdentifier": "polls-prod-r01",
        "DBSnapshotIdentifier": SNAPSHOT,
        "DBInstanceClass": "db.t4g.medium",
        "MultiAZ": True,
        "DBSubnetGroupName": "polls-prod",
        "VpcSecurityGroupIds": ["sg-1"],
        "DBParameterGroupName": "polls-prod-postgres17",
        "AutoMinorVersionUpgrade": True,
        "BackupRetentionPeriod": 14,
        "PreferredBackupWindow": "02:00-03:00",
        "CopyTagsToSnapshot": True,
        "PubliclyAccessible": False,
        "Tags": tagged({"team": "web", "cost": "7", **OWN, RESTORING: f"snapshot {SNAPSHOT}"}),
    }


EARLIER, LATER = snapshot("earlier", hour=8), snapshot("later", hour=15)


@pytest.mark.parametrize(
    ("snapshots", "asked", "source"),
    [
        ([EARLIER, LATER, snapshot()], {}, "later"),
        ([EARLIER, snapshot("foreign", "shop-prod", {}, hour=20)], {}, "earlier"),
        ([EARLIER, snapshot("new", hour=20, Status="creating")], {}, "earlier"),
        ([EARLIER, LATER], {"snapshot": "earlier"}, "earlier"),
        ([EARLIER, LATER], {"snapshot": f"{ARN}earlier"}, "earlier"),
        ([snapshot("rds:polls-prod-2027-03-27-02-07", tags={})], {}, "rds:polls-prod-2027-03-27-02-07"),
        ([snapshot("of-a-restored-one", "polls-prod-r03", {})], {}, "of-a-restored-one"),
        ([snapshot("a-copy", "polls-old")], {"snapshot": "a-copy"}, "a-copy"),  # the tags say whose it is
    ],
)
def test_it_is_made_of_the_snapshot_that_is_named_or_of_the_newest_that_is_whole(snapshots: list[Any], asked: dict[str, str], source: str) -> None:
    assert planned(snapshots=snapshots, **asked).parameters["DBSnapshotIdentifier"] == source


@pytest.mark.parametrize(
    ("instances", "backups", "time", "source"),
    [
        ([FIRST], [backup()], "2027-03-20T12:00:00Z", "polls-prod"),
        ([FIRST], [backup("polls-prod-eu"), backup()], "2027-03-20T13:00:00+01:00", "polls-prod"),
        ([FIRST], [backup()], "2027-03-27T12:00:00Z", "polls-prod"),
        # A restore began new backups: what was before is in those of the instance before.
        ([FIRST, RESTORED], [backup(), backup("polls-prod-r01", 26, 27)], "2027-03-20T12:00:00Z", "polls-prod"),
        ([FIRST, RESTORED], [backup(), backup("polls-prod-r01", 19, 27)], "2027-03-20T12:00:00Z", "polls-prod-r01"),
    ],
)
def test_a_point_in_time_is_taken_from_the_instance_that_has_it(instances: list[Any], backups: list[Any], time: str, source: str) -> None:
    made = planned(instances, backups=backups, time=time)
    assert made.operation == "restore_db_instance_to_point_in_time"
    assert made.parameters["SourceDBInstanceIdentifier"] == source
    assert made.parameters["RestoreTime"] == datetime.fromisoformat(time)
    assert made.parameters["TargetDBInstanceIdentifier"] == made.instance


def test_the_name_is_one_that_no_instance_of_the_account_has() -> None:
    there = [FIRST, RESTORED, instance("polls-prod-r02", owner=OTHER)]
    assert planned(there).instance == "polls-prod-r03"


# --- What is there already -------------------------------------------------------------------------------------------

HALF = instance("polls-prod-r01", restoring=f"snapshot {SNAPSHOT}")
SWITCHED = instance("polls-prod-r01", NOON, f"snapshot {SNAPSHOT}")
BY_TIME = instance("polls-prod-r01", restoring="time 2027-03-20T12:00:00Z")


@pytest.mark.parametrize(
    ("half", "asked"),
    [
        (HALF, {}),
        (HALF, {"snapshot": SNAPSHOT}),
        (HALF, {"snapshot": f"{ARN}{SNAPSHOT}"}),
        (SWITCHED, {"snapshot": SNAPSHOT}),  # cut off before the app had gone over
        (BY_TIME, {"time": "2027-03-20T13:00:00+01:00"}),
    ],
)
def test_a_restore_that_was_cut_off_is_gone_on_with(half: dict[str, Any], asked: dict[str, str]) -> None:
    newer = [snapshot(), snapshot("newer", hour=20)]
    found = planned([FIRST, half], newer, **asked)
    assert (found.instance, found.previous, found.operation) == ("polls-prod-r01", "polls-prod", "")


def test_a_restore_by_an_arn_is_gone_on_with_by_the_name_too() -> None:
    tags = {tag["Key"]: tag["Value"] for tag in planned(snapshot=f"{ARN}{SNAPSHOT}").parameters["Tags"]}
    assert tags[RESTORING] == f"snapshot {SNAPSHOT}"


def test_once_the_app_has_gone_over_the_same_command_restores_again() -> None:
    assert planned([FIRST, RESTORED], snapshot=SNAPSHOT).instance == "polls-prod-r02"


def test_a_restore_that_is_being_removed_is_not_gone_on_with() -> None:
    assert planned([FIRST, HALF | {"DBInstanceStatus": "deleting"}]).instance == "polls-prod-r02"


@pytest.mark.parametrize(
    ("there", "wanted", "previous"),
    [
        ([FIRST, RESTORED], "polls-prod", "polls-prod-r01"),
        ([FIRST, RESTORED, AFTER], "polls-prod-r01", "polls-prod-r02"),
        ([instance(since=ONE), RESTORED], "polls-prod", "polls-prod-r01"),  # cut off when it had gone back, and run again
        ([FIRST, RESTORED], "polls-prod-r01", "polls-prod"),
    ],
)
def test_it_goes_back_to_an_instance_that_is_there(there: list[Any], wanted: str, previous: str) -> None:
    assert planned(there, instance=wanted) == Restore(wanted, previous, "")


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "asked", "words"),
    [
        ({}, {"snapshot": "mistyped"}, f"RDS has no snapshot mistyped. The newest of polls-prod: {SNAPSHOT}."),
        ({"snapshots": []}, {"snapshot": "mistyped"}, "polls-prod has none; playbooks/ops/backup.yml makes one."),
        ({"snapshots": []}, {}, "RDS has no complete snapshot of polls-prod. playbooks/ops/backup.yml makes one"),
        ({"snapshots": [snapshot(Status="creating")]}, {}, "RDS has no complete snapshot of polls-prod"),
        ({"snapshots": [snapshot("a", "shop-prod", {}), snapshot()]}, {"snapshot": "a"}, f"of polls-prod's databases. The newest of polls-prod: {SNAPSHOT}."),
        ({"snapshots": [snapshot("a", "polls-staging", OTHER)]}, {"snapshot": f"{ARN}a"}, "is from polls-staging, which is not one of polls-prod's databases"),
        ({"snapshots": [snapshot("a", "polls-prod-eu", OTHER)]}, {"snapshot": "a"}, "is from polls-prod-eu"),
        ({"snapshots": [snapshot(Status="creating")]}, {"snapshot": SNAPSHOT}, f"{SNAPSHOT} is creating: wait until it is available"),
        ({"snapshots": [snapshot(Status="failed")]}, {"snapshot": SNAPSHOT}, f"{SNAPSHOT} is failed: it has failed; use another one"),
        ({"snapshots": [snapshot(Encrypted=False)]}, {"snapshot": SNAPSHOT}, f"{SNAPSHOT} is not encrypted"),
        ({"snapshots": [snapshot(EngineVersion="16.9")]}, {"snapshot": SNAPSHOT}, f"{SNAPSHOT} is from PostgreSQL 16, but the database runs 17"),
        ({}, {"time": "2027-02-20T12:00:00Z"}, "RDS cannot restore 2027-02-20T12:00:00Z, only polls-prod from 2027-03-01T03:00:00Z to 2027-03-27T12"),
        ({}, {"time": "2027-03-27T12:00:01Z"}, "RDS cannot restore 2027-03-27T12:00:01Z"),
        ({"backups": []}, {"time": "2027-03-20T12:00:00Z"}, "berth_rds_backup_days is 0"),
        ({}, {"time": "2027-03-20T12:00:00"}, "ops_time is '2027-03-20T12:00:00', which is not a time with a zone"),
        ({"instances": []}, {"time": "yesterday"}, "ops_time is 'yesterday', which is not a time with a zone"),
        ({"instances": []}, {}, "prod has no database in RDS"),
        ({"instances": [HALF]}, {}, "prod has no database in RDS"),
        ({}, {"instance": "polls-staging"}, "this environment has no instance polls-staging. It has: polls-prod (in use)."),
        ({"instances": [FIRST, HALF]}, {"snapshot": "other"}, f"-e ops_snapshot={SNAPSHOT} continues it; -e ops_remove=polls-prod-r01 removes"),
        ({"instances": [FIRST, BY_TIME]}, {"snapshot": SNAPSHOT}, "-e ops_time=2027-03-20T12:00:00Z continues it; -e ops_remove=polls-prod-r01"),
        ({"instances": [FIRST, SWITCHED]}, {"time": "2027-03-20T12:00:00Z"}, f"-e ops_snapshot={SNAPSHOT} continues it."),
        ({"instances": [FIRST, *(instance(f"polls-prod-r{n:02}", NOON) for n in range(1, 100))]}, {}, "there are 99 restored instances"),
    ],
)  # fmt: skip
def test_what_cannot_be_restored_is_refused_with_what_there_is(account: dict[str, Any], asked: dict[str, str], words: str) -> None:
    with pytest.raises(Refused) as refusal:
        planned(**account, **asked)
    assert words in str(refusal.value)


def test_everything_that_is_wrong_with_a_snapshot_is_said_at_once() -> None:
    with pytest.raises(Refused) as refusal:
        planned(snapshots=[snapshot(Status="failed", Encrypted=False, EngineVersion="16.9")], snapshot=SNAPSHOT)
    assert len(str(refusal.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("given", "in_rds", "words"),
    [
        ({"ops_snapshot": "a", "ops_time": NOON}, True, "ops_snapshot and ops_time are both given"),
        ({"ops_snapshot": "a", "ops_time": NOON, "ops_remove": "b"}, True, "ops_snapshot, ops_time and ops_remove are all given"),
        ({"ops_instance": "a", "ops_remove": "a"}, True, "ops_instance and ops_remove are both given"),
        ({"ops_file": "polls.dump"}, True, "cannot be restored from a file"),
        ({"ops_time": NOON}, False, "ops_time is for berth_database: rds"),
        ({"ops_file": "polls.dump", "ops_snapshot": "a", "ops_time": NOON}, False, "ops_snapshot and ops_time are for berth_database: rds"),
        ({"ops_file": "polls.dump", "ops_time": ""}, False, ""),
        ({"ops_time": NOON, "ops_snapshot": ""}, True, ""),
        ({}, True, ""),
    ],
)
def test_options_that_do_not_go_together_are_named(given: dict[str, str], in_rds: bool, words: str) -> None:
    found = restore_refused(given, in_rds)
    assert words in found and bool(found) is bool(words)


# --- What is said and removed ----------------------------------------------------------------------------------------

DONE = {"instance": "polls-prod-r01", "previous": "polls-prod", "source": f"snapshot {SNAPSHOT}"}
COMMAND = "ansible-playbook playbooks/ops/restore.yml -i inventories/prod"


def test_a_restore_says_when_the_app_went_over_and_the_way_back() -> None:
    said = rds_restore_said(DONE, "prod", "12:00:05", "12:01:10", False)
    assert f"uses RDS instance polls-prod-r01 with the data of snapshot {SNAPSHOT}. It switched from 12:00:05 to 12:01:10 UTC; each old pod served" in said
    assert f"{COMMAND} -e ops_instance=polls-prod goes back" in said and f"{COMMAND} -e ops_remove=polls-prod removes" in said
    assert "ops_" not in rds_restore_said(DONE | {"previous": ""}, "prod", "12:00:05", "12:01:10", False)


def test_a_check_says_what_would_be_done_and_that_nothing_was() -> None:
    assert rds_restore_said(DONE, "prod", "", "", True) == f"{rds_restore_asked(DONE, 'prod')}. Nothing was changed, because this was a check."


def test_a_restore_that_failed_says_what_is_in_use() -> None:
    said = rds_restore_failed("The Job failed.", DONE, "prod")
    assert said.startswith("The Job failed.\nRDS instance polls-prod is in use again; polls-prod-r01 is kept")
    assert "in use again" not in rds_restore_failed("The Job failed.", DONE | {"previous": ""}, "prod")


def described(name: str, **more: Any) -> dict[str, Any]:
    """Return an instance as rds_instances_info does."""
    return {"db_instance_identifier": name, "db_instance_status": "available", "deletion_protection": False, "never_used": False, **more}


def test_every_instance_goes_with_the_environment_and_each_one_that_was_used_leaves_a_snapshot() -> None:
    others = [described("polls-prod-r02", never_used=True), described("polls-prod"), described("polls-prod-r03", db_instance_status="deleting")]
    found = {"instances": [described("polls-prod-r01")], "others": others}
    now = datetime(2027, 3, 27, 12, 0, 0)
    gone = {one["instance"]: one["snapshot"] for one in rds_removals(found, "polls-prod", now, False)}
    last, before = "polls-prod-final-20270327120000", "polls-prod-final-20270327115958"
    assert gone == {"polls-prod-r01": last, "polls-prod-r02": "", "polls-prod": before}
    assert {one["snapshot"] for one in rds_removals(found, "polls-prod", now, True)} == {""}


def test_protected_instances_are_all_named_with_what_takes_the_protection_away() -> None:
    found = {"instances": [described("polls-prod-r01", deletion_protection=True)], "others": [described("polls-prod", deletion_protection=True)]}
    mine, other = rds_protected(found, "inventories/prod/group_vars/all.yml", "prod")
    assert mine.startswith(
        "Nothing was removed: RDS instance polls-prod-r01 is protected from deletion. Set berth_deletion_protection: false in inventories/prod"
    )
    assert other.startswith("RDS instance polls-prod, ") and f"{COMMAND} -e ops_remove=polls-prod removes it." in other
    assert rds_protected({"instances": [described("polls-prod")], "others": []}, "", "prod") == []


@pytest.mark.parametrize(("name", "words"), [("polls-prod-r01", "it is in use. Those that are not: polls-prod."), ("shop-prod", "has no such instance")])
def test_an_instance_in_use_or_of_somebody_else_is_not_removed(name: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        removable(databases([FIRST, RESTORED, instance("shop-prod")], "prod", "polls-prod"), name, "polls-prod")


def test_a_restore_that_was_cut_off_is_over_once_a_run_has_released_the_app_with_it() -> None:
    """Else the next restore would take it for half done. tests/aws/test_rds_restore.py sees the tag go."""
    tasks = yaml.safe_load((Path(__file__).resolve().parents[2] / "playbooks" / "app.yml").read_text(encoding="utf-8"))[0]["tasks"]
    released = next(number for number, task in enumerate(tasks) if "app" in task.get("loop", []))
    settled = next(number for number, task in enumerate(tasks) if (task.get("ansible.builtin.include_role") or {}).get("tasks_from") == "rds_settle")
    assert released < settled
