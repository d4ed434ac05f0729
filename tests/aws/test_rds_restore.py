"""A database that is restored into an instance of its own, used, left again and removed, against the emulated RDS."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.aws.databases import RESTORING, SERVING
from ansible_collections.berth.platform.plugins.modules import eks_cluster, rds_instances_info, rds_remove, rds_restore, rds_serve, rds_snapshot
from emulated_aws import Emulated, play
from fake_api import Api
from kept_cluster import KeptCluster

ENVIRONMENT = "prod"


def made(aws: Emulated, **more: Any) -> str:
    """Make the environment's database with all that a restore has to take over, and a snapshot of it; return the snapshot's name."""
    rds, name = aws.client("rds"), aws.name
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="of a try", SubnetIds=aws.subnets)
    rds.create_db_parameter_group(DBParameterGroupName=f"{name}-postgres17", DBParameterGroupFamily="postgres17", Description="of a try")
    group = aws.client("ec2").create_security_group(GroupName=name, Description="of a try", VpcId=aws.vpc)["GroupId"]
    given: dict[str, Any] = {
        "Engine": "postgres",
        "EngineVersion": "17.4",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "StorageEncrypted": True,
        "MasterUsername": "berth",
        "MasterUserPassword": "longenough1",
        "DBSubnetGroupName": name,
        "DBParameterGroupName": f"{name}-postgres17",
        "VpcSecurityGroupIds": [group],
        "BackupRetentionPeriod": 14,
        "DeletionProtection": True,
        "CopyTagsToSnapshot": True,
        "Tags": [{"Key": "berth:environment", "Value": ENVIRONMENT}, {"Key": "berth:name", "Value": name}],
    }
    rds.create_db_instance(DBInstanceIdentifier=name, **(given | more))
    rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-before-easter")
    return f"{name}-before-easter"


def call(aws: Emulated, module: Any, check: bool = False, **options: Any) -> dict[str, Any]:
    """Return what a module answers for the environment."""
    return aws.run(module, check=check, environment=ENVIRONMENT, name=aws.name, **options)


def read(aws: Emulated, name: str) -> dict[str, Any]:
    """Return an instance with its tags by their names."""
    (found,) = aws.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    return {**found, "tags": {tag["Key"]: tag["Value"] for tag in found["TagList"]}}


def in_use(aws: Emulated) -> str:
    """Return the instance in use."""
    return call(aws, rds_instances_info)["instances"][0]["db_instance_identifier"]


def there(aws: Emulated) -> set[str]:
    """Return the environment's instances."""
    found = aws.client("rds").describe_db_instances()["DBInstances"]
    return {one["DBInstanceIdentifier"] for one in found if one["DBInstanceIdentifier"].startswith(aws.name)}


def test_a_snapshot_becomes_an_instance_beside_the_one_in_use_with_its_settings_and_once(aws: Emulated) -> None:
    snapshot, new = made(aws), f"{aws.name}-r01"
    foretold = call(aws, rds_restore, check=True, snapshot=snapshot)
    assert foretold["changed"] and there(aws) == {aws.name}
    done = call(aws, rds_restore, snapshot=snapshot, instance_tags={"team": "web"})
    assert (done["instance"], done["previous"], done["source"]) == (new, aws.name, f"snapshot {snapshot}")
    assert {key: foretold[key] for key in ("instance", "previous", "source")} == {key: done[key] for key in ("instance", "previous", "source")}
    live, before = read(aws, new), read(aws, aws.name)
    for setting in ("DBInstanceClass", "VpcSecurityGroups", "BackupRetentionPeriod", "StorageEncrypted", "CopyTagsToSnapshot"):
        assert live[setting] == before[setting], setting
    assert live["DBSubnetGroup"]["DBSubnetGroupName"] == aws.name
    assert [one["DBParameterGroupName"] for one in live["DBParameterGroups"]] == [f"{aws.name}-postgres17"]
    assert live["tags"] == {"team": "web", "berth:environment": ENVIRONMENT, "berth:name": aws.name, RESTORING: f"snapshot {snapshot}"}
    again = call(aws, rds_restore)
    assert (again["instance"], again["changed"]) == (new, False)
    assert in_use(aws) == aws.name


def test_a_point_in_time_becomes_an_instance_and_one_outside_the_window_is_refused_with_the_window(aws: Emulated) -> None:
    made(aws)
    time = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert call(aws, rds_restore, time=time)["source"] == f"time {time}"
    assert read(aws, f"{aws.name}-r01")["tags"][RESTORING] == f"time {time}"
    call(aws, rds_remove, db_instance_identifier=f"{aws.name}-r01")
    message = aws.refusal(rds_restore, environment=ENVIRONMENT, name=aws.name, time="2026-01-01T00:00:00Z")
    assert re.search(rf"RDS cannot restore 2026-01-01T00:00:00Z, only {aws.name} from 20\S+Z to 20\S+Z\.$", message)
    assert there(aws) == {aws.name}


def test_a_snapshot_and_a_time_are_refused_together(aws: Emulated) -> None:
    message = aws.refusal(rds_restore, environment=ENVIRONMENT, name=aws.name, snapshot="a", time="2027-03-27T12:00:00Z")
    assert "mutually exclusive" in message


def test_the_app_goes_over_to_a_restored_instance_and_back_and_what_is_left_is_removed(aws: Emulated) -> None:
    made(aws)
    first, new = aws.name, call(aws, rds_restore)["instance"]
    for check in (True, False):
        assert call(aws, rds_serve, check=check, db_instance_identifier=new)["changed"]
    assert in_use(aws) == new and RESTORING in read(aws, new)["tags"]
    assert call(aws, rds_serve, db_instance_identifier=new, settled=True)["changed"]
    assert call(aws, rds_serve, db_instance_identifier=new, settled=True)["changed"] is False
    assert RESTORING not in read(aws, new)["tags"] and SERVING in read(aws, new)["tags"]
    # A backup is one of the environment, whichever instance it is of.
    backup = aws.run(rds_snapshot, db_instance_identifier=new, name=first, environment=ENVIRONMENT, keep=7)["snapshot"]
    assert backup.startswith(f"{first}-backup-")
    assert call(aws, rds_restore, instance=first) | {"invocation": None} == {
        "instance": first,
        "previous": new,
        "source": "",
        "changed": False,
        "invocation": None,
    }
    call(aws, rds_serve, db_instance_identifier=first)
    assert in_use(aws) == first
    assert "it is in use" in aws.refusal(rds_remove, environment=ENVIRONMENT, name=first, db_instance_identifier=first)
    gone = call(aws, rds_remove, db_instance_identifier=new)
    assert there(aws) == {first}
    kept = aws.client("rds").describe_db_snapshots(DBSnapshotIdentifier=gone["snapshot"])["DBSnapshots"]
    assert [one["DBInstanceIdentifier"] for one in kept] == [new]


@pytest.mark.long  # ansible-playbook, five times; tests/unit/test_rds_restore.py has the decisions
def test_site_yml_looks_after_the_instance_in_use_and_changes_nothing_of_the_tags_that_tell_it(aws: Emulated, tmp_path: Path) -> None:
    name = "polls-rehearsal"
    rds, group = aws.client("rds"), aws.client("ec2").create_security_group(GroupName=aws.name, Description="x", VpcId=aws.vpc)["GroupId"]
    given: dict[str, Any] = {"test_network": {"vpc_id": aws.vpc, "private_subnet_ids": aws.subnets[:2], "security_group_id": group}}
    aws.name, given["berth_deletion_protection"] = name, True
    try:
        play(aws.instance, tmp_path, "tests/aws/playbooks/database.yml", **given)
        rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-before-easter")
        refused = play(aws.instance, tmp_path, "playbooks/ops/restore.yml", good=False, ops_snapshot="mistyped")
        assert f"RDS has no snapshot mistyped. The newest of {name}: {name}-before-easter" in " ".join(refused.split())
        both = play(aws.instance, tmp_path, "playbooks/ops/restore.yml", good=False, ops_snapshot="a", ops_time="2027-03-27T12:00:00Z")
        assert "Nothing was changed: ops_snapshot and ops_time are both given" in " ".join(both.split())
        assert there(aws) == {name}
        options = {"environment": "rehearsal", "name": name}
        new = aws.run(rds_restore, **options)["instance"]
        aws.run(rds_serve, **options, db_instance_identifier=new)
        play(aws.instance, tmp_path, "tests/aws/playbooks/database.yml", **given)
        assert read(aws, new)["MaxAllocatedStorage"] == 100 and read(aws, new)["DeletionProtection"]
        again = play(aws.instance, tmp_path, "tests/aws/playbooks/database.yml", **given)
        assert re.search(r"changed=0 ", again), again
        assert SERVING in read(aws, new)["tags"] and there(aws) == {name, new}
    finally:
        for one in there(aws):
            rds.modify_db_instance(DBInstanceIdentifier=one, DeletionProtection=False)
            rds.delete_db_instance(DBInstanceIdentifier=one, SkipFinalSnapshot=True)
        rds.delete_db_snapshot(DBSnapshotIdentifier=f"{name}-before-easter")


@pytest.mark.long  # ansible-playbook, six times
def test_the_runbook_has_the_app_use_the_restored_database_and_a_release_that_fails_leaves_it_where_it_was(
    aws: Emulated, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, cluster, rds = "polls-rehearsal", KeptCluster(), aws.client("rds")
    monkeypatch.setattr(api, "reply", cluster.reply)
    group = aws.client("ec2").create_security_group(GroupName=aws.name, Description="x", VpcId=aws.vpc)["GroupId"]
    aws.name = name
    given: dict[str, Any] = {
        "test_network": {"vpc_id": aws.vpc, "private_subnet_ids": aws.subnets[:2], "security_group_id": group},
        "berth_aws_vpc": {"id": aws.vpc, "private_subnet_ids": aws.subnets[:2]},
        "berth_app_secrets": {"DJANGO_SECRET_KEY": "x"},
        "berth_database_password": "pa55word-of-the-app",
        "berth_confirm": "rehearsal",
    }

    def host() -> str:
        (found,) = [one for one in cluster.objects.values() if one["kind"] == "ConfigMap" and one["metadata"]["name"] in used()]
        return found["data"]["DATABASE_HOST"].partition(".")[0]

    def used() -> list[str]:
        (web,) = [one for one in cluster.objects.values() if one["kind"] == "Deployment"]
        return [source["configMapRef"]["name"] for source in web["spec"]["template"]["spec"]["containers"][0]["envFrom"] if "configMapRef" in source]

    def service() -> str:
        return cluster.objects[f"/api/v1/namespaces/{name}/services/database"]["spec"]["externalName"].partition(".")[0]

    try:
        aws.run(eks_cluster, **aws.cluster_options(name=name))
        play(aws.instance, tmp_path, "tests/aws/playbooks/database.yml", **given)
        rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-before-easter")
        play(aws.instance, tmp_path, "tests/aws/playbooks/release.yml", **given)
        assert (host(), service()) == (name, name)
        said = " ".join(play(aws.instance, tmp_path, "playbooks/ops/restore.yml", **given).split())
        assert f"The app of rehearsal uses RDS instance {name}-r01 with the data of snapshot {name}-before-easter. It switched from" in said
        assert (host(), service()) == (f"{name}-r01", f"{name}-r01")
        assert RESTORING not in read(aws, f"{name}-r01")["tags"]
        # As one leaves it that was cut off before the last step.
        (arn,) = [one["DBInstanceArn"] for one in rds.describe_db_instances(DBInstanceIdentifier=f"{name}-r01")["DBInstances"]]
        rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": RESTORING, "Value": f"snapshot {name}-before-easter"}])
        play(aws.instance, tmp_path, "tests/aws/playbooks/release.yml", **given)
        tags = read(aws, f"{name}-r01")["tags"]
        assert RESTORING not in tags and SERVING in tags
        again = play(aws.instance, tmp_path, "tests/aws/playbooks/release.yml", **given)
        assert re.search(r"changed=0 ", again), again
        cluster.failing = "polls-release"
        failed = " ".join(play(aws.instance, tmp_path, "playbooks/ops/restore.yml", good=False, ops_instance=name, **given).split())
        assert f"RDS instance {name}-r01 is in use again; {name} is kept" in failed
        assert host() == f"{name}-r01"
        found = aws.run(rds_instances_info, environment="rehearsal", name=name)["instances"]
        assert [one["db_instance_identifier"] for one in found] == [f"{name}-r01"]
    finally:
        aws.run(eks_cluster, name=name, state="absent")
        for one in there(aws):
            rds.delete_db_instance(DBInstanceIdentifier=one, SkipFinalSnapshot=True)
