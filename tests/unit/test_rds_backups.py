"""Which of an account's snapshots are an environment's backups, and which of those are too many."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.filter.aws import rds_backup_said
from ansible_collections.berth.platform.plugins.module_utils.aws.rds import BACKUP, backups, outdated

OWNER = {"berth:environment": "prod", "berth:name": "polls-prod"}


def snapshot(name: str, status: str = "available", kind: str = "manual", **tags: str) -> dict[str, Any]:
    """Return a snapshot as RDS describes it, by default with the tags of a backup."""
    given = tags or OWNER | BACKUP
    return {"DBSnapshotIdentifier": name, "Status": status, "SnapshotType": kind, "TagList": [{"Key": k, "Value": v} for k, v in given.items()]}


@pytest.mark.parametrize(
    ("one", "is_ours"),
    [
        (snapshot("polls-prod-backup-20270327120000"), True),
        (snapshot("polls-prod-backup-20270327120000", **OWNER, **BACKUP, team="web"), True),
        (snapshot("polls-prod-backup-20270327120000", **OWNER), False),
        (snapshot("polls-prod-backup-20270327120000", **{**OWNER, "berth:environment": "staging"}, **BACKUP), False),
        (snapshot("polls-prod-backup-20270327120000", **{**OWNER, "berth:name": "shop-prod"}, **BACKUP), False),
        (snapshot("polls-prod-backup-20270327120000", kind="automated"), False),
        (snapshot("polls-prod-eu-backup-20270327120000"), False),
        (snapshot("polls-prod-final-20270327120000"), False),
        (snapshot("polls-prod-backup-before-easter"), False),
        ({"DBSnapshotIdentifier": "polls-prod-backup-20270327120000", "Status": "available", "SnapshotType": "manual"}, False),
    ],
    ids=str,
)
def test_only_what_name_and_tags_call_a_backup_of_the_environment_is_one(one: dict[str, Any], is_ours: bool) -> None:
    assert bool(backups([one], "polls-prod", OWNER)) is is_ours


@pytest.mark.parametrize(
    ("states", "keep", "gone"),
    [
        ({"3": "available", "2": "available", "1": "available"}, 2, ["1"]),
        ({"3": "available", "2": "available"}, 7, []),
        ({"3": "creating", "2": "available", "1": "available"}, 2, []),
        ({"3": "available", "2": "failed", "1": "available"}, 2, ["2"]),
        ({"3": "failed", "2": "available", "1": "available"}, 1, ["1"]),
        ({"3": "failed"}, 1, []),
        ({}, 1, []),
    ],
    ids=str,
)
def test_of_the_whole_ones_the_newest_stay_and_a_failed_one_counts_for_nothing(states: dict[str, str], keep: int, gone: list[str]) -> None:
    mine = backups([snapshot(f"polls-prod-backup-2027032712000{second}", status) for second, status in states.items()], "polls-prod", OWNER)
    assert [name[-1] for name in outdated(mine, keep)] == gone


def test_a_backup_says_its_name_what_went_and_the_way_back() -> None:
    said = rds_backup_said({"snapshot": "b", "removed": ["a", "c"]}, "prod", 7, False)
    assert said[:2] == ["RDS snapshot b contains the data of prod.", "Removed: a, c. 7 are kept (berth_rds_keep_snapshots)."]
    assert said[2:] == [
        "ansible-playbook playbooks/ops/restore.yml -i inventories/prod -e ops_snapshot=b restores them; "
        "a new environment gets them with berth_rds_snapshot: b in its inventory."
    ]


def test_a_check_claims_nothing_that_was_not_done() -> None:
    said = rds_backup_said({"snapshot": "b", "removed": ["a"]}, "prod", 7, True)
    assert said == ["RDS would make a snapshot of prod, like b.", "This would be removed: a. 7 are kept (berth_rds_keep_snapshots)."]
    assert rds_backup_said({"snapshot": "b", "removed": []}, "prod", 7, True) == ["RDS would make a snapshot of prod, like b."]
