"""Find the instance of RDS that an environment uses."""

from __future__ import annotations

DOCUMENTATION = """
module: rds_instances_info
short_description: Find the instance of RDS that an environment uses
description:
  - A restore makes another instance beside the one in use, which is kept. This finds all of an environment's, and tells which one is in use.
  - The one in use is that whose tag C(berth:serving-since) is the latest. The one that has the environment's own name needs no tag.
  - M(amazon.aws.rds_instance_info) asks for the tags of every instance of the account, which the deployer's policy does not allow.
  - Changes nothing.
options:
  environment: {description: "The environment's name, as the tag C(berth:environment) has it.", type: str, required: true}
  name: {description: The name of its resources., type: str, required: true}
  db_instance_identifier:
    description: The instance that C(instances) is to have. By default it is the one in use.
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
  description: The instance in use, or the one that was asked for; none where that is not there.
  returned: success
  type: list
  elements: dict
  contains:
    db_instance_identifier: {description: Its name., type: str}
    db_instance_status: {description: Its state., type: str}
    endpoint: {description: "Where it answers, C(address) and C(port).", type: dict}
    tags: {description: Its tags., type: dict}
    restoring: {description: "What it is being restored from, until the app has gone over to it; empty otherwise.", type: str}
    never_used: {description: "Whether its data are elsewhere too, for it is still being made or the app never went over to it.", type: bool}
others:
  description: The environment's other instances, the newest first, likewise.
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
