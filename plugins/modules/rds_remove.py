"""Remove an instance of RDS that an environment does not use."""

from __future__ import annotations

DOCUMENTATION = """
module: rds_remove
short_description: Remove an instance of RDS that an environment does not use any more
description:
  - Turns off its deletion protection, deletes it, and waits until it is gone. Refuses to delete the one in use.
  - Keeps its data in a final snapshot, unless it is a restore that the app never switched to, whose data is still in its source.
options:
  environment: {description: "The environment's name, as the tag C(berth:environment) has it.", type: str, required: true}
  name: {description: The name of its resources., type: str, required: true}
  db_instance_identifier: {description: The instance., type: str, required: true}
  skip_final_snapshot: {description: Whether to delete its data too., type: bool, default: false}
  wait_timeout: {description: Total seconds to wait., type: int, default: 3600}
attributes:
  check_mode: {support: full, description: Says what would be removed and kept.}
  diff_mode: {support: none, description: An instance is removed.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Remove the instance from before the restore
  berth.platform.rds_remove:
    environment: prod
    name: polls-prod
    db_instance_identifier: polls-prod
"""

RETURN = """
snapshot: {description: The name of the last snapshot; empty for none., returned: success, type: str}
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..module_utils.aws.databases import Databases, final_name, identifier, never_used
from ..module_utils.aws.rds import databases_of, wait_until_it_is_gone, wait_until_it_works
from ..module_utils.aws.session import Aws, Refused, run

OPTIONS: dict[str, Any] = {
    "environment": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "db_instance_identifier": {"type": "str", "required": True},
    "skip_final_snapshot": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 3600},
}


def main() -> None:
    """Run the module."""
    run(work, "rds", "RDS instance {db_instance_identifier}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Remove the instance."""
    found, name = databases_of(aws), aws.options["db_instance_identifier"]
    target = removable(found, name, aws.options["name"])
    snapshot = "" if aws.options["skip_final_snapshot"] or never_used(target) else final_name(aws.options["name"], datetime.now(UTC))
    if target["DBInstanceStatus"] != "deleting":
        if target.get("DeletionProtection"):
            if not aws.check:
                wait_until_it_works(aws, name)
            aws.change("modify_db_instance", DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
            if not aws.check:
                wait_until_it_works(aws, name)
        kept = {"FinalDBSnapshotIdentifier": snapshot} if snapshot else {}
        aws.change("delete_db_instance", DBInstanceIdentifier=name, SkipFinalSnapshot=not snapshot, **kept)
    if not aws.check:
        wait_until_it_is_gone(aws, name)
    return {"snapshot": snapshot}


def removable(found: Databases, name: str, own: str) -> Mapping[str, Any]:
    """Return the instance that is to be removed; ``own`` is the name of the environment's resources.

    Raises:
        Refused: It is in use, or does not belong to the environment.
    """
    others = ", ".join(map(identifier, found.others)) or "none"
    target = found.named(name)
    if target is None:
        raise Refused(f"{own} has no such instance. Those that are not in use: {others}.")
    if target is found.serving:
        raise Refused(f"it is in use. Those that are not: {others}.")
    return target


if __name__ == "__main__":
    main()
