"""Say which of an environment's instances of RDS is in use."""

from __future__ import annotations

DOCUMENTATION = """
module: rds_serve
short_description: Say which of an environment's instances of RDS is in use
description:
  - Tags the instance with C(berth:serving-since), by which every run of Berth finds it, on any machine.
  - Changes nothing except the instance's tags.
options:
  environment: {description: "The environment's name, as the tag C(berth:environment) has it.", type: str, required: true}
  name: {description: The name of its resources., type: str, required: true}
  db_instance_identifier: {description: The instance., type: str, required: true}
  settled:
    description: Whether the app has gone over to it, so that a restore into it is complete.
    type: bool
    default: false
attributes:
  check_mode: {support: full, description: Says whether another instance would be in use.}
  diff_mode: {support: full, description: Shows which instance is in use.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Use the restored instance
  berth.platform.rds_serve:
    environment: prod
    name: polls-prod
    db_instance_identifier: polls-prod-r01
"""

RETURN = """
since: {description: "Since when it is in use, in UTC; empty if no other instance was ever in use.", returned: success, type: str}
"""

from datetime import UTC, datetime
from typing import Any

from ..module_utils.aws.databases import RESTORING, SERVING, identifier, serving_since, tags_of
from ..module_utils.aws.rds import databases_of
from ..module_utils.aws.session import Aws, Refused, run

OPTIONS: dict[str, Any] = {
    "environment": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "db_instance_identifier": {"type": "str", "required": True},
    "settled": {"type": "bool", "default": False},
}


def main() -> None:
    """Run the module."""
    run(work, "rds", "RDS instance {db_instance_identifier}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Tag the instance where another one is in use."""
    found, name = databases_of(aws), aws.options["db_instance_identifier"]
    target = found.named(name)
    if target is None:
        raise Refused(f"{aws.options['name']} has no such instance. There are: {', '.join(map(identifier, found.all)) or 'none'}.")
    since = tags_of(target).get(SERVING, "")
    if target is not found.serving:
        since = serving_since(datetime.now(UTC), found)
        aws.note({"in_use": (identifier(found.serving) if found.serving else None, name)})
        aws.change("add_tags_to_resource", ResourceName=target["DBInstanceArn"], Tags=[{"Key": SERVING, "Value": since}])
    if aws.options["settled"] and RESTORING in tags_of(target):
        aws.note({"restoring": (tags_of(target)[RESTORING], "")})
        aws.change("remove_tags_from_resource", ResourceName=target["DBInstanceArn"], TagKeys=[RESTORING])
    return {"since": since}


if __name__ == "__main__":
    main()
