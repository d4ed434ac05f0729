"""Restore an environment's database in RDS, into an instance beside the one in use."""

from __future__ import annotations

DOCUMENTATION = """
module: rds_restore
short_description: Restore a database in RDS into a new instance
description:
  - Creates an instance from a snapshot or a point in time, with the class, network and groups of the one in use, and waits until it is available.
  - The one in use is not changed and stays in use; M(berth.platform.rds_serve) switches over.
  - An interrupted restore is continued.
  - M(amazon.aws.rds_instance) copies nothing from the instance in use, and does not know which environment a snapshot belongs to.
options:
  environment: {description: "The environment's name, as the tag C(berth:environment) has it.", type: str, required: true}
  name: {description: The name of its resources., type: str, required: true}
  snapshot: {description: "The snapshot, by its name or ARN. By default the newest of the environment.", type: str}
  time: {description: "The point in time, with its zone.", type: str}
  instance: {description: "An existing instance to switch to. Nothing is created then.", type: str}
  instance_tags: {description: Tags in addition to Berth's own., type: dict, default: {}}
  wait_timeout: {description: Total seconds to wait., type: int, default: 7200}
attributes:
  check_mode: {support: full, description: Says what would be restored, or why it cannot be.}
  diff_mode: {support: none, description: An instance is made.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Restore the newest snapshot
  berth.platform.rds_restore:
    environment: prod
    name: polls-prod
  register: restored
"""

RETURN = """
instance: {description: The instance that works now., returned: success, type: str}
previous: {description: "The one that is in use until M(berth.platform.rds_serve) changes over.", returned: success, type: str}
source:
  description: What it was made of, such as C(snapshot NAME) or C(time 2026-11-28T12:00:00Z); empty for one that was there.
  returned: success
  type: str
"""

from typing import Any

from ..module_utils.aws.rds import wait_until_it_works
from ..module_utils.aws.rds_restore import Asked, Found, plan
from ..module_utils.aws.session import Aws, run

OPTIONS: dict[str, Any] = {
    "environment": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "snapshot": {"type": "str"},
    "time": {"type": "str"},
    "instance": {"type": "str"},
    "instance_tags": {"type": "dict", "default": {}},
    "wait_timeout": {"type": "int", "default": 7200},
}


def main() -> None:
    """Run the module."""
    run(work, "rds", "RDS restore of {name}", OPTIONS, mutually_exclusive=[("snapshot", "time", "instance")])


def work(aws: Aws) -> dict[str, Any]:
    """Make the instance where it is not there yet, and wait until it works."""
    given = aws.options
    wanted = {key: given[key] or "" for key in ("snapshot", "time", "instance")}
    asked = Asked(given["environment"], given["name"], tags=given["instance_tags"], **wanted)
    described = {
        "instances": aws.list("describe_db_instances", "DBInstances"),
        "snapshots": aws.list("describe_db_snapshots", "DBSnapshots"),
        "backups": aws.list("describe_db_instance_automated_backups", "DBInstanceAutomatedBackups") if asked.time else [],
    }
    wanted_restore = plan(asked, Found(**described))
    if wanted_restore.operation:
        aws.change(wanted_restore.operation, **wanted_restore.parameters)
    if not aws.check:
        aws.subject = f"RDS instance {wanted_restore.instance}"
        wait_until_it_works(aws, wanted_restore.instance)
    return {"instance": wanted_restore.instance, "previous": wanted_restore.previous, "source": wanted_restore.source}


if __name__ == "__main__":
    main()
