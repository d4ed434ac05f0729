"""Wait for an RDS instance."""

from __future__ import annotations

DOCUMENTATION = """
module: rds_instance_wait
short_description: Wait until an RDS instance is available, or is gone
description:
  - M(amazon.aws.rds_instance) waits too, but does not stop early in a state that needs intervention, such as C(storage-full),
    and does not report what it waits for.
  - Changes nothing.
options:
  db_instance_identifier: {description: The instance's name., type: str, required: true}
  state:
    description: What to wait for. An instance whose storage is being optimized works.
    type: str
    choices: [present, absent]
    default: present
  wait_timeout: {description: Seconds to wait., type: int, default: 3600}
attributes:
  check_mode: {support: full, description: Waits for nothing.}
  diff_mode: {support: none, description: Nothing is changed.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Wait until the database works
  berth.platform.rds_instance_wait:
    db_instance_identifier: polls-prod
  register: database
"""

RETURN = """
instances:
  description: The instance, as M(amazon.aws.rds_instance_info) describes it, without its tags; none when it is gone.
  returned: always
  type: list
  elements: dict
  contains:
    db_instance_identifier: {description: Its name., type: str}
    db_instance_status: {description: Its state., type: str}
    endpoint: {description: "Where it answers, C(address) and C(port).", type: dict}
"""

from typing import Any

from ..module_utils.aws.rds import wait_until_it_is_gone, wait_until_it_works
from ..module_utils.aws.session import Aws, run, snake

OPTIONS: dict[str, Any] = {
    "db_instance_identifier": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "wait_timeout": {"type": "int", "default": 3600},
}


def main() -> None:
    """Run the module."""
    run(work, "rds", "RDS instance {db_instance_identifier}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Wait for the instance."""
    name = aws.options["db_instance_identifier"]
    if not aws.check:
        (wait_until_it_works if aws.options["state"] == "present" else wait_until_it_is_gone)(aws, name)
    return {"instances": [snake(one) for one in aws.find("describe_db_instances", "DBInstances", DBInstanceIdentifier=name) or []]}


if __name__ == "__main__":
    main()
