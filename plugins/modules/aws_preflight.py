"""Ask AWS what would prevent an environment."""

from __future__ import annotations

DOCUMENTATION = """
module: aws_preflight
short_description: Check with AWS whether an environment can be created
description:
  - Checks the credentials, the account, the region, its zones, what EKS, EC2 and RDS offer there, and existing resources that cannot be changed. If
    something has yet to be created, it checks quotas and permissions too.
  - Sends its requests in parallel, takes seconds, and changes nothing. Permissions are checked by dry run where EC2 has one, and by IAM's simulation of
    O(statements) where the caller may use it.
  - M(preflight) calls it once all checks that need no AWS have passed, and adds where each variable is set.
options:
  account: {description: The account that the credentials must belong to., type: str, required: true}
  zones: {description: The availability zones., type: list, elements: str, required: true}
  environment: {description: The environment's name., type: str, required: true}
  name: {description: The name of its resources in AWS., type: str, required: true}
  network: {description: The VPC's network (CIDR)., type: str, required: true}
  vpc:
    description: A VPC that is managed outside Berth, with C(id) and C(private_subnet_ids); empty for a VPC that Berth creates.
    type: dict
    default: {}
  nat: {description: The NAT gateways., type: str, choices: [none, one, zone], default: one}
  version: {description: The Kubernetes version., type: str, required: true}
  compute: {description: What manages the nodes., type: str, choices: [auto, nodes], default: auto}
  types:
    description: The node group's instance types.
    type: list
    elements: str
    default: []
  rds:
    description: >-
      C(class), C(version), C(multi_az) and C(storage_max) (GiB) of the database. If it is to be restored from a snapshot, also C(snapshot) (its name or ARN)
      and C(app). Empty if there is no database in RDS.
    type: dict
    default: {}
  boundary:
    description: The ARN of the permissions boundary of the roles that Berth creates; empty for none.
    type: str
    default: ""
  access:
    description: Who has access to the cluster, in the form of C(berth_eks_access). If omitted, the caller's own access is not checked.
    type: list
    elements: dict
  public_access: {description: Networks (CIDR) that may reach the API server., type: list, elements: str, default: []}
  statements:
    description: The statements of the IAM policy that Berth needs, with account, region and names filled in.
    type: list
    elements: dict
    default: []
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none, description: Changes nothing.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Ask AWS
  berth.platform.aws_preflight:
    region: eu-central-1
    account: "123456789012"
    zones: [eu-central-1a, eu-central-1b]
    environment: prod
    name: polls-prod
    network: 10.60.0.0/16
    version: "1.35"
  register: aws
"""

RETURN = """
problems:
  description: The problems found.
  returned: always
  type: list
  elements: dict
  contains:
    path: {description: The inventory variable, with the keys and indexes within it., type: list}
    text: {description: "What is wrong with it, and what to do.", type: str}
"""

import contextlib
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils.aws.preflight import ATTEMPTS, look
from ..module_utils.aws.session import EXPIRED, NOT_ACCEPTED, Refused, explain

with contextlib.suppress(ImportError):  # AnsibleAWSModule says that boto3 is missing.
    from botocore import exceptions as boto

OPTIONS: dict[str, Any] = {
    "account": {"type": "str", "required": True},
    "zones": {"type": "list", "elements": "str", "required": True},
    "environment": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
    "vpc": {"type": "dict", "default": {}},
    "nat": {"type": "str", "choices": ["none", "one", "zone"], "default": "one"},
    "version": {"type": "str", "required": True},
    "compute": {"type": "str", "choices": ["auto", "nodes"], "default": "auto"},
    "types": {"type": "list", "elements": "str", "default": []},
    "rds": {"type": "dict", "default": {}},
    "boundary": {"type": "str", "default": ""},
    "access": {"type": "list", "elements": "dict"},
    "public_access": {"type": "list", "elements": "str", "default": []},
    "statements": {"type": "list", "elements": "dict", "default": []},
}


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(argument_spec=OPTIONS, supports_check_mode=True)
    try:
        problems, left_out = look(module, module.params)
    except Refused as refusal:
        problems, left_out = [((blamed(refusal.__cause__),), str(refusal))], []
    except (boto.BotoCoreError, boto.ClientError) as error:  # can be raised as early as the creation of a client
        problems, left_out = [((blamed(error),), explain(error, "sts", ATTEMPTS))], []
    except ValueError as error:
        # botocore raises this for an invalid address only.
        text = f"the address of AWS is wrong: {error}. Check AWS_ENDPOINT_URL* in the environment"
        problems, left_out = [(("berth_aws_region",), text)], []
    for text in left_out:
        module.warn(text)
    module.exit_json(changed=False, problems=[{"path": list(path), "text": text.rstrip(".")} for path, text in problems])


def blamed(error: BaseException | None) -> str:
    """Return the variable to report a failed request at: the account or the region."""
    if isinstance(error, boto.ClientError):
        return "berth_aws_account" if error.response["Error"]["Code"] in (*EXPIRED, *NOT_ACCEPTED) else "berth_aws_region"
    credentials = (
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.TokenRetrievalError,
        boto.SSOError,
        boto.ProfileNotFound,
    )
    return "berth_aws_account" if isinstance(error, credentials) else "berth_aws_region"


if __name__ == "__main__":
    main()
