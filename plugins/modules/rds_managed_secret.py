"""Let RDS keep an instance's master password in Secrets Manager."""

from __future__ import annotations

DOCUMENTATION = """
module: rds_managed_secret
short_description: Let RDS keep an instance's master password in Secrets Manager
description:
  - M(amazon.aws.rds_instance) can only make an instance with a password. This module hands the password over to RDS, which makes
    another one, keeps it in Secrets Manager and rotates it; nobody else knows it.
  - The secret is deleted with the instance.
options:
  db_instance_identifier: {description: The instance's name., type: str, required: true}
  kms_key_id:
    description: The ARN of the KMS key that encrypts the secret. Secrets Manager's own key if omitted. Cannot be changed.
    type: str
  wait:
    description: Whether to wait until the secret exists.
    type: bool
    default: true
  wait_timeout: {description: Seconds to wait for everything together., type: int, default: 1800}
attributes:
  check_mode: {support: full, description: Reports whether the password would be handed over.}
  diff_mode: {support: full, description: Shows whether RDS keeps the password.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Let RDS keep the master password
  berth.platform.rds_managed_secret:
    db_instance_identifier: polls-prod
  register: master
"""

RETURN = """
secret:
  description: The secret. Its value is JSON with C(username) and C(password).
  returned: always
  type: dict
  contains:
    secret_arn: {description: Its ARN; empty before it exists., type: str}
    secret_status: {description: "C(creating), C(active), C(rotating) or C(impaired); empty before it exists.", type: str}
    kms_key_id: {description: The KMS key., type: str}
"""

from typing import Any

from ..module_utils.aws.rds import wait_until_it_works
from ..module_utils.aws.session import Aws, Refused, refuse_fixed, run, snake, wait_options

OPTIONS: dict[str, Any] = {"db_instance_identifier": {"type": "str", "required": True}, "kms_key_id": {"type": "str"}, **wait_options(1800)}


def main() -> None:
    """Run the module."""
    run(work, "rds", "RDS instance {db_instance_identifier}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Hand the password over unless that is already done."""
    name = {"DBInstanceIdentifier": aws.options["db_instance_identifier"]}

    def secret() -> dict[str, Any] | None:
        found = aws.find("describe_db_instances", "DBInstances", **name)
        return found[0].get("MasterUserSecret") or {} if found else None

    def secret_status() -> tuple[str, str]:
        return (secret() or {}).get("SecretStatus") or "creating", ""

    live = secret()
    if live is None and not aws.check:
        raise Refused("there is no such instance in this region and account. Make it first, or correct db_instance_identifier.")
    if not live:
        aws.note({"managed_secret": (False, True)})
        if not aws.check:
            wait_until_it_works(aws, aws.options["db_instance_identifier"])
        key = {"MasterUserSecretKmsKeyId": aws.options["kms_key_id"]} if aws.options["kms_key_id"] else {}
        aws.change("modify_db_instance", **name, ManageMasterUserPassword=True, ApplyImmediately=True, **key)
    elif aws.options["kms_key_id"] and live.get("KmsKeyId") != aws.options["kms_key_id"]:
        advice = "Give the instance a password of its own, then hand it over again with the other key; or leave the option as it is."
        refuse_fixed({"kms_key_id": (live.get("KmsKeyId"), aws.options["kms_key_id"])}, {"kms_key_id": advice})
    if aws.options["wait"] and not aws.check:
        aws.wait.until(f"{aws.subject}: master secret", secret_status, ["active", "rotating"], {"impaired": 0})
    return {"secret": {"secret_arn": "", "secret_status": "", "kms_key_id": "", **snake(secret() or {})}}


if __name__ == "__main__":
    main()
