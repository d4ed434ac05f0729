"""AWS's eventual consistency: what was made a moment ago is not found at first, where AWS says so or public code waits for it.

A test switches it on with a seed (control.py, "lag"): it decides how many uses of each new resource find nothing, so that a run can be had again.
docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html, docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html ("Changes that I make are not
always immediately visible"), docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html ("AWS KMS eventual consistency").
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import control

LONGEST = 20.0  # seconds after which everything is known, however seldom it was used
_LOCK = threading.Lock()
_LEFT: dict[str, dict[str, int]] = {}  # by kind, how many more uses find nothing
_UNTIL: dict[tuple[str, str], float] = {}
_MADE: dict[str, int] = {}


@dataclass(frozen=True)
class Lag:
    """How a kind of resource is not found at first.

    Args:
        made: The call that makes it.
        named: Where its id is: a pattern in the call's answer, or the name of a parameter.
        listed: The call that lists it, in whose answer it is missing; empty where none that counts does.
        code, message, status: What a call that names it is answered.
        most: The uses at most that find nothing.
        source: Who says so.
    """

    made: str
    named: re.Pattern[str] | str
    listed: str
    code: str
    message: str
    source: str
    status: int = 400
    most: int = 2


def of_ec2(made: str, prefix: str, listed: str, code: str, message: str, source: str) -> Lag:
    """Return the lag of a resource of EC2, whose id is in the answer."""
    return Lag(f"ec2:{made}", re.compile(rf">({prefix}-[0-9a-f]+)<"), f"ec2:{listed}", code, message, source, most=1)


TERRAFORM = "github.com/hashicorp/terraform-provider-aws"
KINDS = {
    "vpc": of_ec2(
        "CreateVpc", "vpc", "DescribeVpcs", "InvalidVpcID.NotFound", "The vpc ID '{}' does not exist", f"{TERRAFORM}/pull/18391, /pull/31877"
    ),
    "subnet": of_ec2(
        "CreateSubnet", "subnet", "DescribeSubnets", "InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist",
        f"{TERRAFORM}, internal/service/ec2/vpc_subnet.go",
    ),
    "internet gateway": of_ec2(
        "CreateInternetGateway", "igw", "DescribeInternetGateways", "InvalidInternetGatewayID.NotFound", "The internetGateway ID '{}' does not exist",
        f"{TERRAFORM}, internal/service/ec2/vpc_internet_gateway.go",
    ),
    "route table": of_ec2(
        "CreateRouteTable", "rtb", "DescribeRouteTables", "InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist",
        f"{TERRAFORM}, internal/service/ec2/vpc_route_table.go",
    ),
    "security group": of_ec2(
        "CreateSecurityGroup", "sg", "DescribeSecurityGroups", "InvalidGroup.NotFound", "The security group '{}' does not exist",
        "github.com/boto/boto3/issues/620",
    ),
    "address": of_ec2(
        "AllocateAddress", "eipalloc", "DescribeAddresses", "InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist",
        f"{TERRAFORM}, internal/service/ec2/ec2_eip.go",
    ),
    "key": Lag(
        "kms:CreateKey", re.compile(r'"KeyId": ?"([0-9a-f-]+)"'), "kms:ListKeys", "NotFoundException", "Key '{}' does not exist",
        f"{TERRAFORM}, internal/service/kms/key.go and alias.go",
    ),
    "alias": Lag(
        "kms:CreateAlias", "AliasName", "kms:ListAliases", "NotFoundException", "Alias {} is not found.", f"{TERRAFORM}, internal/service/kms/alias.go"
    ),
    "role": Lag(
        "iam:CreateRole", "RoleName", "", "NoSuchEntity", "The role with name {} cannot be found.",
        f"{TERRAFORM}, internal/service/iam/role.go", status=404,
    ),
    # What EKS knows of a role: it has its own idea of it, and ministack_plus.py its words (internal/service/eks/cluster.go there).
    "role for EKS": Lag("iam:CreateRole", "RoleName", "", "", "", f"{TERRAFORM}, internal/service/eks, and /pull/35736"),
    "load balancer": Lag(
        "elasticloadbalancing:CreateLoadBalancer", re.compile(r"<LoadBalancerArn>([^<]+)<"), "elasticloadbalancing:DescribeLoadBalancers",
        "LoadBalancerNotFound", "One or more load balancers not found", f"{TERRAFORM}, internal/service/elbv2/load_balancer.go",
    ),
}  # fmt: skip


def note(service: str, action: str, parameters: Mapping[str, Any], answer: str) -> None:
    """Note what a call that went well has made."""
    seed = control.content().get("lag")
    if seed is None:
        return
    for kind, lag in KINDS.items():
        if lag.made != f"{service}:{action}":
            continue
        found = parameters.get(lag.named) if isinstance(lag.named, str) else (match := lag.named.search(answer)) and match[1]
        if not found:
            raise LookupError(f"the answer to {action} does not name the {kind} that it made, as {lag.named} has it")
        with _LOCK:
            _MADE[kind] = _MADE.get(kind, 0) + 1
            _LEFT.setdefault(kind, {})[str(found)] = random.Random(f"{seed} {kind} {_MADE[kind]}").randint(0, lag.most)
            _UNTIL[kind, str(found)] = time.monotonic() + LONGEST


def used(kind: str, name: str) -> bool:
    """Whether a use of what was made finds nothing, and one less will."""
    if control.content().get("lag") is None:
        return False
    with _LOCK:
        left = _LEFT.get(kind, {}).get(name, 0) if time.monotonic() < _UNTIL.get((kind, name), 0.0) else 0
        if left:
            _LEFT[kind][name] = left - 1
    return left > 0


def refusal(service: str, action: str, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the error that a call gets because it names what is not known yet; filters are no names."""
    named = {str(value) for key, value in parameters.items() if not key.startswith("Filter")}
    for kind, lag in KINDS.items():
        if not lag.code or not lag.made.startswith(f"{service}:") or lag.made == f"{service}:{action}":
            continue
        for name in named & set(_LEFT.get(kind, {})):
            if used(kind, name):
                return {"code": lag.code, "message": lag.message.format(name), "status": lag.status}
    return None


def without(service: str, action: str, answer: bytes) -> bytes:
    """Return an answer that lists, without what is not known yet."""
    for kind, lag in KINDS.items():
        if lag.listed != f"{service}:{action}":
            continue
        hidden = {name for name in list(_LEFT.get(kind, {})) if name.encode() in answer and used(kind, name)}
        if hidden:
            answer = without_json(answer, hidden) if answer[:1] == b"{" else without_xml(answer, hidden)
    return answer


def without_json(answer: bytes, hidden: set[str]) -> bytes:
    """Return a JSON answer's lists without what is hidden."""
    content = json.loads(answer)
    kept = {key: [one for one in value if not hidden & set(map(str, one.values()))] if isinstance(value, list) else value for key, value in content.items()}
    return json.dumps(kept).encode()


def without_xml(answer: bytes, hidden: set[str]) -> bytes:
    """Return an XML answer's lists without what is hidden."""
    root = ElementTree.fromstring(answer)
    for parent in root.iter():
        for item in list(parent):
            if item.tag.rpartition("}")[2] in ("item", "member") and hidden & {child.text for child in item}:
                parent.remove(item)
    if "}" in root.tag:
        ElementTree.register_namespace("", root.tag[1:].partition("}")[0])
    return ElementTree.tostring(root)
