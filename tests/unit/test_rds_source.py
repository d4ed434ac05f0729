"""Before a database is made of a snapshot, everything that stands in its way is named, with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.aws.preflight import Answer, Findings, snapshot_parameters, snapshot_problems

NAME = "polls-prod-final-20270327120000"
ARN = f"arn:aws:rds:eu-central-1:123456789012:snapshot:{NAME}"
WANTED = {"class": "db.t4g.medium", "version": "17", "multi_az": False, "storage_max": 100, "app": "polls", "snapshot": NAME}
TAGS = {"berth:environment": "prod", "berth:name": "polls-prod"}


def snapshot(tags: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Return a snapshot of the environment prod, as RDS describes it."""
    listed = [{"Key": key, "Value": value} for key, value in (TAGS if tags is None else tags).items()]
    found = {"DBSnapshotIdentifier": NAME, "DBInstanceIdentifier": "polls-prod", "Engine": "postgres", "EngineVersion": "17.4", "Status": "available"}
    return found | {"DBSnapshotArn": ARN, "Encrypted": True, "AllocatedStorage": 40, "TagList": listed} | more


@pytest.mark.parametrize(
    ("found", "wanted", "path", "words"),
    [
        (None, {}, ("berth_rds_snapshot",), f"RDS has no snapshot {NAME} in eu-central-1; aws rds describe-db-snapshots --region eu-central-1"),
        (snapshot(Engine="mysql"), {}, ("berth_rds_snapshot",), f"{NAME} is from mysql, but the database is PostgreSQL"),
        (snapshot(EngineVersion="18.1"), {}, ("berth_rds_version",), 'from 18.1; set it to "18"'),
        (snapshot(EngineVersion="16.9"), {}, ("berth_rds_version",), 'from 16.9; set it to "16", and upgrade once it exists'),
        (snapshot(EngineVersion="17.6"), {"version": "17.4"}, ("berth_rds_version",), "RDS cannot downgrade"),
        (snapshot(Status="creating"), {}, ("berth_rds_snapshot",), "is creating; wait until it is available"),
        (snapshot(Status="failed"), {}, ("berth_rds_snapshot",), "is failed; it has failed: use another one"),
        (snapshot(Encrypted=False), {}, ("berth_rds_snapshot",), "is not encrypted"),
        (snapshot(AllocatedStorage=200), {}, ("berth_rds_storage", "max"), f"100 GiB is less than the snapshot {NAME} has, 200 GiB"),
        (snapshot(DBInstanceIdentifier="shop-prod"), {}, ("berth_rds_snapshot",), f"if it is intended, name it by its ARN, {ARN}"),
        (snapshot(tags={}), {}, ("berth_rds_snapshot",), "is from polls-prod, which is not known to be a database of polls"),
    ],
)
def test_what_a_database_cannot_be_made_of_is_refused(found: dict[str, Any] | None, wanted: dict[str, Any], path: tuple[str, ...], words: str) -> None:
    ((where, text),) = snapshot_problems(WANTED | wanted, found, "polls-staging", "eu-central-1")
    assert where == path and words in text


@pytest.mark.parametrize(
    ("found", "wanted", "name"),
    [
        (snapshot(), {}, "polls-staging"),  # another environment of the app
        (snapshot(tags={}), {}, "polls-prod"),  # the instance of before, whoever made the snapshot
        (snapshot(), {"version": "17.6"}, "polls-staging"),
        (snapshot(AllocatedStorage=100), {}, "polls-staging"),
        (snapshot(DBInstanceIdentifier="shop-prod"), {"snapshot": ARN}, "polls-staging"),
    ],
)
def test_what_fits_is_taken(found: dict[str, Any], wanted: dict[str, Any], name: str) -> None:
    assert snapshot_problems(WANTED | wanted, found, name, "eu-central-1") == []


def test_once_the_database_is_there_the_snapshot_does_not_matter() -> None:
    wanted = {"rds": WANTED, "name": "polls-prod", "environment": "prod", "region": "eu-central-1"}
    gone = {"snapshot": Answer([])}
    assert Findings(wanted, gone | {"instances": Answer([{"DBInstanceIdentifier": "polls-prod"}])}).snapshot() == []
    assert len(Findings(wanted, gone | {"instances": Answer([{"DBInstanceIdentifier": "shop-prod"}])}).snapshot()) == 1


@pytest.mark.parametrize(
    ("given", "account", "asked"),
    [
        (NAME, "123456789012", {"DBSnapshotIdentifier": NAME}),
        (ARN, "123456789012", {"DBSnapshotIdentifier": NAME}),
        (ARN, "999999999999", {"DBSnapshotIdentifier": ARN, "IncludeShared": True}),
    ],
)
def test_a_snapshot_of_another_account_is_asked_for_among_those_that_are_shared(given: str, account: str, asked: dict[str, Any]) -> None:
    assert snapshot_parameters(given, account) == asked
