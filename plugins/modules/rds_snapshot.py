"""Make a snapshot of an RDS instance."""

from __future__ import annotations

DOCUMENTATION = """
module: rds_snapshot
short_description: Back an RDS instance up with a snapshot
description:
  - Creates a snapshot, named after the environment and the time in UTC, waits until it is complete, then removes the oldest ones that it created before.
  - Waits for a busy instance, for example during RDS's daily backup.
  - Removes only snapshots whose name and tags both say that this module created them for this environment.
  - M(amazon.aws.rds_instance_snapshot) neither waits for a busy instance nor limits the number of snapshots.
options:
  db_instance_identifier: {description: The instance's name., type: str, required: true}
  environment: {description: "The environment's name, as the tag C(berth:environment) has it.", type: str, required: true}
  name:
    description: The name of the environment's resources, with which those of snapshots begin. By default the instance's.
    type: str
  keep: {description: "How many of these snapshots are kept, the new one among them; at least 1.", type: int, required: true}
  snapshot_tags:
    description: Further tags of the snapshot.
    type: dict
    default: {}
  wait_timeout: {description: Total seconds to wait., type: int, default: 3600}
attributes:
  check_mode: {support: full, description: Says what would be made and removed.}
  diff_mode: {support: none, description: A snapshot is made in every run.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Back the database up
  berth.platform.rds_snapshot:
    db_instance_identifier: polls-prod
    environment: prod
    keep: 7
  register: backup
"""

RETURN = """
snapshot:
  description: The snapshot's name, polls-prod-backup-20270327120005 for instance. A check makes one up.
  returned: success
  type: str
kept:
  description: The names of those that there are now, newest first.
  returned: success
  type: list
  elements: str
removed:
  description: The names of those that were removed.
  returned: success
  type: list
  elements: str
"""

import time
from datetime import UTC, datetime
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ..module_utils.aws import session
from ..module_utils.aws.databases import owner
from ..module_utils.aws.rds import BACKUP, backup_name, backups, outdated, status_of, wait_until_it_works
from ..module_utils.aws.session import GONE, Aws, Refused, run, strings

OPTIONS: dict[str, Any] = {
    "db_instance_identifier": {"type": "str", "required": True},
    "environment": {"type": "str", "required": True},
    "name": {"type": "str"},
    "keep": {"type": "int", "required": True},
    "snapshot_tags": {"type": "dict", "default": {}},
    "wait_timeout": {"type": "int", "default": 3600},
}


def main() -> None:
    """Run the module."""
    run(work, "rds", "RDS instance {db_instance_identifier}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Make the snapshot, and remove those that are too many then."""
    instance, keep = aws.options["db_instance_identifier"], aws.options["keep"]
    name = aws.options["name"] or instance
    if keep < 1:
        raise Refused(f"keep is {keep}, which would remove the new snapshot too: set it to 1 or more.")
    if status_of(aws, instance) == GONE:
        raise Refused("there is no such instance in this region and account. Make it first, or correct db_instance_identifier.")
    own = owner(aws.options["environment"], name)
    new = backup_name(name, datetime.now(UTC)) if aws.check else create(aws, instance, name, strings(aws.options["snapshot_tags"]) | own | BACKUP)
    # Of all instances: a restore makes another one.
    mine = backups(aws.list("describe_db_snapshots", "DBSnapshots", SnapshotType="manual"), name, own)
    if aws.check:
        mine = [{"DBSnapshotIdentifier": new, "Status": "available"}, *mine]
        aws.changed = True
    removed = outdated(mine, keep)
    for one in removed:
        aws.change("delete_db_snapshot", DBSnapshotIdentifier=one)
    return {"snapshot": new, "kept": [one["DBSnapshotIdentifier"] for one in mine if one["DBSnapshotIdentifier"] not in removed], "removed": removed}


def create(aws: Aws, instance: str, name: str, tags: dict[str, str]) -> str:
    """Begin a snapshot as soon as the instance is not busy, wait until it is whole, and return its name.

    Raises:
        Refused: The instance or the snapshot needs somebody's help, or the time is over.
    """
    while True:
        wait_until_it_works(aws, instance)
        new = backup_name(name, datetime.now(UTC))
        given = [{"Key": key, "Value": value} for key, value in tags.items()]
        try:
            aws.change("create_db_snapshot", DBInstanceIdentifier=instance, DBSnapshotIdentifier=new, Tags=given)
            break
        except is_boto3_error_code(("InvalidDBInstanceState", "InvalidDBInstanceStateFault")):
            # RDS began something else, such as its daily backup, since it was asked.
            if time.monotonic() >= aws.wait.end:
                raise
        time.sleep(session.PAUSE)

    def status() -> tuple[str, str]:
        found = aws.find("describe_db_snapshots", "DBSnapshots", DBSnapshotIdentifier=new)
        return (found[0]["Status"], f"{found[0].get('PercentProgress', 0)} %") if found else (GONE, "somebody has deleted it")

    aws.wait.until(f"RDS snapshot {new}", status, ["available"], {"failed": 0, GONE: 30})
    return new


if __name__ == "__main__":
    main()
