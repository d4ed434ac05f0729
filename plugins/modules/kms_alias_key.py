"""Create a KMS key together with its alias."""

from __future__ import annotations

DOCUMENTATION = """
module: kms_alias_key
short_description: Create a KMS key together with its alias
description:
  - A key that has been made is found again by its alias only. M(amazon.aws.kms_key) reads what a new key has before it gives it the alias, which a permission
    by tags may not allow for minutes (docs.aws.amazon.com/kms/latest/developerguide/tag-authorization.html); every run would make one more then.
  - This module calls nothing in between, and does not change an existing key.
options:
  alias: {description: "The alias, without C(alias/).", type: str, required: true}
  description: {description: What the key is for., type: str, default: ""}
  tags: {description: Tags of a new key., type: dict, default: {}}
attributes:
  check_mode: {support: full, description: Says whether a key would be created.}
  diff_mode: {support: full, description: Shows a new key.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Provide a key with that alias
  berth.platform.kms_alias_key:
    alias: polls-prod
    tags: {berth:environment: prod}
"""

RETURN = """
key_arn: {description: "The key's ARN; empty in check mode before it is created.", type: str, returned: always}
"""

import time
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ..module_utils.aws import session
from ..module_utils.aws.session import Aws, Refused, run, strings

OPTIONS: dict[str, Any] = {
    "alias": {"type": "str", "required": True},
    "description": {"type": "str", "default": ""},
    "tags": {"type": "dict", "default": {}},
}


def main() -> None:
    """Run the module."""
    run(work, "kms", "key alias/{alias}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Return the key with that alias; create it if there is none."""
    alias = f"alias/{aws.options['alias']}"
    if found := named(aws, alias):
        return {"key_arn": found["Arn"]}
    aws.note({"key": (None, alias)})
    tags = [{"TagKey": key, "TagValue": value} for key, value in strings(aws.options["tags"]).items()]
    made = aws.change("create_key", Description=aws.options["description"], Tags=tags).get("KeyMetadata", {})
    if made:
        name(aws, alias, made["KeyId"])
    return {"key_arn": made.get("Arn", "")}


def named(aws: Aws, alias: str) -> dict[str, Any]:
    """Return the key of an alias, {} if there is none."""
    try:
        return aws.client.describe_key(KeyId=alias)["KeyMetadata"]
    except is_boto3_error_code("NotFoundException"):
        return {}


def name(aws: Aws, alias: str, key: str) -> None:
    """Give a new key its alias, once the key is visible everywhere in KMS.

    Raises:
        Refused: The key does not become visible, or the alias existed but KMS did not show it.
    """
    end = time.monotonic() + session.PATIENCE
    while True:
        try:
            aws.client.create_alias(AliasName=alias, TargetKeyId=key)
            return
        except is_boto3_error_code("AlreadyExistsException") as error:
            if named(aws, alias).get("KeyId") == key:  # an attempt whose answer was lost
                return
            raise Refused(
                f"KMS did not show the alias a moment ago, and has it. The key {key} was made in vain: schedule its deletion, then run the same command again."
            ) from error
        except is_boto3_error_code("NotFoundException") as error:
            if time.monotonic() >= end:
                raise Refused(f"KMS has made the key {key} and does not know it yet. Schedule its deletion, then run the same command again.") from error
        time.sleep(session.PAUSE)


if __name__ == "__main__":
    main()
