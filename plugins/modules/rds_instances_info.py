"""Find the RDS instance that an environment uses."""

from __future__ import annotations

DOCUMENTATION = """
module: rds_instances_info
short_description: Find the RDS instance that an environment uses
description:
  - A restore makes another instance and keeps the one in use. This module finds all instances of an environment, and which one is in use.
  - The instance in use is the one with the latest tag C(berth:serving-since). The instance with the environment's own name needs no tag.
  - M(amazon.aws.rds_instance_info) reads the tags of every instance in the account, which the deployer's policy does not allow.
  - Changes nothing.
options:
  environment: {description: "The environment's name, as in the tag C(berth:environment).", type: str, required: true}
  name: {description: The name of its resources., type: str, required: true}
  db_instance_identifier:
    description: The instance that RV(instances) returns. By default, the one in use.
    type: str
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none, description: Changes nothing.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Find the database
  berth.platform.rds_instances_info:
    environment: prod
    name: polls-prod
  register: database
"""

RETURN = """
instances:
  description: The instance in use, or the one that was asked for; empty if it does not exist.
  returned: success
  type: list
  elements: dict
  contains:
    db_instance_identifier: {description: Its name., type: str}
    db_instance_status: {description: Its state., type: str}
    endpoint: {description: "Its C(address) and C(port).", type: dict}
    tags: {description: Its tags., type: dict}
    restoring: {description: "What it is being restored from, until the app has switched to it; empty otherwise.", type: str}
    never_used: {description: "Whether its data also exists elsewhere, because it is still being made or the app never switched to it.", type: bool}
others:
  description: The environment's other instances, newest first, in the same form.
  returned: success
  type: list
  elements: dict
"""

from typing import Any

from ..module_utils.aws.databases import RESTORING, identifier, never_used, tags_of
from ..module_utils.aws.rds import databases_of
from ..module_utils.aws.session import Aws, run, snake

OPTIONS: dict[str, Any] = {
    "environment": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "db_instance_identifier": {"type": "str"},
}


def main() -> None:
    """Run the module."""
    run(work, "rds", "RDS instances of {name}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Look for the instances."""
    found, wanted = databases_of(aws), aws.options["db_instance_identifier"]
    one = found.named(wanted) if wanted else found.serving
    described = {
        identifier(each): {**snake(each), "tags": tags_of(each), "restoring": tags_of(each).get(RESTORING, ""), "never_used": never_used(each)}
        for each in found.all
    }
    return {
        "instances": [described[identifier(one)]] if one else [],
        "others": [each for name, each in described.items() if one is None or name != identifier(one)],
    }


if __name__ == "__main__":
    main()
