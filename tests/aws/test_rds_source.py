"""A database that is made of a snapshot, by the role against the emulated RDS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from emulated_aws import Emulated, play

NAME = "polls-rehearsal"


@pytest.mark.long  # ansible-playbook, three times; tests/unit/test_rds_source.py has the decisions
def test_a_database_is_made_of_a_snapshot_with_every_setting_of_the_inventory_and_once(aws: Emulated, tmp_path: Path) -> None:
    rds, group = aws.client("rds"), aws.client("ec2").create_security_group(GroupName=aws.name, Description="x", VpcId=aws.vpc)["GroupId"]
    rds.create_db_instance(
        DBInstanceIdentifier=aws.name,
        Engine="postgres",
        EngineVersion="17.4",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        StorageEncrypted=True,
        MasterUsername="berth",
        MasterUserPassword="longenough1",
        BackupRetentionPeriod=1,
    )
    rds.create_db_snapshot(DBInstanceIdentifier=aws.name, DBSnapshotIdentifier=f"{aws.name}-final")
    given = {
        "test_network": {"vpc_id": aws.vpc, "private_subnet_ids": aws.subnets[:2], "security_group_id": group},
        "berth_rds_snapshot": f"{aws.name}-final",
        "berth_rds_storage": {"min": 40, "max": 200},
        "berth_rds_backup_days": 14,
    }
    try:
        play(aws.instance, tmp_path, "tests/aws/playbooks/database.yml", "--check", **given)
        assert NAME not in [one["DBInstanceIdentifier"] for one in rds.describe_db_instances()["DBInstances"]]
        play(aws.instance, tmp_path, "tests/aws/playbooks/database.yml", **given)
        (made,) = rds.describe_db_instances(DBInstanceIdentifier=NAME)["DBInstances"]
        calls = aws.instance.calls.read_text(encoding="utf-8").splitlines()
        assert [call for call in calls if "RestoreDBInstanceFromDBSnapshot" in call and f"{aws.name}-final" in call]
        wanted = {**made, **made.get("PendingModifiedValues", {})}
        assert (made["StorageEncrypted"], made["CopyTagsToSnapshot"], made["PubliclyAccessible"]) == (True, True, False)
        assert (wanted["AllocatedStorage"], wanted["MaxAllocatedStorage"], wanted["BackupRetentionPeriod"]) == (40, 200, 14)
        assert made["DBInstanceClass"] == "db.t4g.medium" and made["DBSubnetGroup"]["DBSubnetGroupName"] == NAME
        assert [one["DBParameterGroupName"] for one in made["DBParameterGroups"]] == [f"{NAME}-postgres17"]
        assert {"Key": "berth:environment", "Value": "rehearsal"} in made["TagList"]
        assert made["MasterUserSecret"]["SecretStatus"] == "active"
        rds.delete_db_snapshot(DBSnapshotIdentifier=f"{aws.name}-final")
        again = play(aws.instance, tmp_path, "tests/aws/playbooks/database.yml", **given)
        assert re.search(r"changed=0 ", again), again
    finally:
        for name in (NAME, aws.name):
            rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
