"""The module rds_snapshot against the emulated RDS."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.aws import session
from ansible_collections.berth.platform.plugins.modules import rds_snapshot
from emulated_aws import Emulated, play


def back_up(aws: Emulated, check: bool = False, keep: int = 7, **more: Any) -> dict[str, Any]:
    """Return what a backup of the environment prod answers."""
    return aws.run(rds_snapshot, check=check, db_instance_identifier=aws.name, environment="prod", keep=keep, **more)


def there(aws: Emulated) -> dict[str, dict[str, str]]:
    """Return the tags of the instance's snapshots, by their names."""
    found = aws.client("rds").describe_db_snapshots(DBInstanceIdentifier=aws.name, SnapshotType="manual")["DBSnapshots"]
    return {one["DBSnapshotIdentifier"]: {tag["Key"]: tag["Value"] for tag in one["TagList"]} for one in found}


def other(aws: Emulated, name: str, **tags: str) -> str:
    """Make a snapshot that is not the module's, and return its name."""
    given = [{"Key": key.replace("__", ":"), "Value": value} for key, value in tags.items()]
    aws.client("rds").create_db_snapshot(DBInstanceIdentifier=aws.name, DBSnapshotIdentifier=name, Tags=given)
    return name


def own(aws: Emulated, time_of_it: str) -> str:
    """Make a backup of an earlier time, and return its name."""
    return other(aws, f"{aws.name}-backup-{time_of_it}", berth__environment="prod", berth__name=aws.name, berth__purpose="backup")


def test_a_backup_has_a_name_of_its_own_and_says_whose_it_is(aws: Emulated) -> None:
    aws.database()
    answer = back_up(aws, snapshot_tags={"team": "web"})
    assert answer["changed"] and re.fullmatch(rf"{aws.name}-backup-\d{{14}}", answer["snapshot"])
    assert there(aws) == {answer["snapshot"]: {"team": "web", "berth:environment": "prod", "berth:name": aws.name, "berth:purpose": "backup"}}


def test_a_check_says_what_would_be_made_and_removed_and_does_neither(aws: Emulated) -> None:
    aws.database()
    old = own(aws, "20260101000000")
    answer = back_up(aws, check=True, keep=1)
    assert (answer["changed"], answer["removed"]) == (True, [old])
    assert answer["kept"] == [answer["snapshot"]]
    assert list(there(aws)) == [old]


def test_the_oldest_backups_of_the_environment_go_and_nothing_else_does(aws: Emulated) -> None:
    aws.database()
    oldest, newer = own(aws, "20260101000000"), own(aws, "20260102000000")
    kept = {
        other(aws, f"{aws.name}-final-20250101000000", berth__environment="prod", berth__name=aws.name),
        other(aws, f"{aws.name}-before-the-big-change", berth__environment="prod", berth__name=aws.name, berth__purpose="backup"),
        other(aws, f"{aws.name}-backup-20250101000000", berth__environment="prod", berth__name=aws.name),  # RDS copied the instance's tags
        other(aws, f"{aws.name}-backup-20250102000000", berth__environment="staging", berth__name=aws.name, berth__purpose="backup"),
    }
    answer = back_up(aws, keep=2)
    assert answer["removed"] == [oldest]
    assert answer["kept"] == [answer["snapshot"], newer]
    assert there(aws).keys() == kept | {answer["snapshot"], newer}


def test_an_instance_that_is_busy_is_waited_for(aws: Emulated) -> None:
    aws.database()
    aws.control(outcomes={f"db/{aws.name}": {"status": "backing-up", "until": time.time() + 1}})
    assert back_up(aws)["snapshot"] in there(aws)


def test_one_that_became_busy_since_it_was_asked_is_tried_again(aws: Emulated, monkeypatch: Any) -> None:
    monkeypatch.setattr(session, "PAUSE", 0.0)
    aws.database()
    busy = {"service": "rds", "action": "CreateDBSnapshot", "code": "InvalidDBInstanceState", "status": 400, "message": "not available", "count": 2}
    aws.control(faults=[busy])
    assert back_up(aws)["snapshot"] in there(aws)


def test_one_that_stays_busy_is_named_with_its_state(aws: Emulated) -> None:
    aws.database()
    aws.control(outcomes={f"db/{aws.name}": {"status": "modifying"}})
    message = aws.refusal(rds_snapshot, db_instance_identifier=aws.name, environment="prod", keep=7, wait_timeout=1)
    assert message.startswith(f"RDS instance {aws.name} is still modifying after 1 s (wait_timeout).")


def test_a_quota_that_is_used_up_is_said_and_no_older_backup_is_removed_for_it(aws: Emulated) -> None:
    aws.database()
    old = own(aws, "20260101000000")
    full = {"code": "SnapshotQuotaExceeded", "status": 400, "message": "Cannot create more than 100"}
    aws.control(faults=[{"service": "rds", "action": "CreateDBSnapshot", "count": 1, **full}])
    message = aws.refusal(rds_snapshot, db_instance_identifier=aws.name, environment="prod", keep=1)
    assert "a quota of the account is used up (rds:CreateDBSnapshot: Cannot create more than 100)" in message
    assert list(there(aws)) == [old]


def test_an_instance_that_is_not_there_is_named_also_in_a_check(aws: Emulated) -> None:
    for check in (False, True):
        assert back_up(aws, check=check)["msg"].startswith(f"RDS instance {aws.name} in eu-central-1: there is no such instance")


@pytest.mark.long  # ansible-playbook, twice
def test_the_runbook_backs_up_without_a_cluster_and_prints_the_name(aws: Emulated, tmp_path: Path) -> None:
    name = aws.name = "polls-rehearsal"
    aws.database()
    before = set(there(aws))  # what other tests of the rehearsal have left
    try:
        printed = " ".join(play(aws.instance, tmp_path, "playbooks/ops/backup.yml").split())
        (made,) = set(there(aws)) - before
        assert f"RDS snapshot {made} contains the data of rehearsal." in printed
        assert "Not backed up" not in printed
        volumes = {"media": {"path": "/data/media", "size": "1Gi"}}
        told = " ".join(play(aws.instance, tmp_path, "playbooks/ops/backup.yml", "--check", berth_app_volumes=volumes).split())
        assert "Not backed up: the files in berth_app_volumes (media)" in told
        refused = play(aws.instance, tmp_path, "playbooks/ops/backup.yml", good=False, ops_file="/tmp/polls.dump")
        assert "Nothing was backed up: ops_file is /tmp/polls.dump" in " ".join(refused.split())
        assert set(there(aws)) - before == {made}
    finally:
        aws.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        aws.client("rds").delete_db_subnet_group(DBSubnetGroupName=name)
