"""AWS is eventually consistent: an environment is made all the same, and nothing of it twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import emulated
import pytest
from botocore.exceptions import ClientError
from emulated_aws import account, tell, trust
from emulated_life import SEED, Life
from fake_api import Api


@pytest.fixture(scope="module")
def slow(api_server: tuple[Api, Path]) -> Iterator[emulated.Instance]:
    """Start an account of its own, where nothing is known everywhere as soon as it is made."""
    with account("lag", *api_server) as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.environment().items():
            patch.setenv(name, value)
        tell(found, lag=SEED)
        yield found


def test_nothing_of_an_environment_is_made_twice(life: Life) -> None:
    once = {"keys": 1, "networks": 1, "groups": 1, "addresses": 1}
    # The changes of the third run add a group for endpoints, and an address for the second zone.
    assert life.counts == [once, once, {**once, "groups": 2, "addresses": 2}]


def refusals(use: Callable[..., Any], **names: Any) -> list[str]:
    """Return the codes with which a use is refused until it is not."""
    codes: list[str] = []
    while len(codes) < 5:
        try:
            use(**names)
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
        else:
            break
    return codes


def test_what_is_made_is_not_found_at_first(slow: emulated.Instance) -> None:
    ec2, iam, kms = (boto3.client(service) for service in ("ec2", "iam", "kms"))
    found = []
    for number in range(8):
        vpc = ec2.create_vpc(CidrBlock="10.91.0.0/16")["Vpc"]["VpcId"]
        key, alias, role = kms.create_key()["KeyMetadata"]["KeyId"], f"alias/late-{number}", f"late-{number}"
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust("eks.amazonaws.com")))
        found += [
            ("vpc", *refusals(ec2.create_tags, Resources=[vpc], Tags=[{"Key": "a", "Value": "b"}])),
            ("key", *refusals(kms.create_alias, AliasName=alias, TargetKeyId=key)),
            ("alias", *refusals(kms.describe_key, KeyId=alias)),
            ("role", *refusals(iam.get_role, RoleName=role)),
        ]
    codes = {"vpc": "InvalidVpcID.NotFound", "key": "NotFoundException", "alias": "NotFoundException", "role": "NoSuchEntity"}
    assert set(found) <= {(kind, *[code] * times) for kind, code in codes.items() for times in range(3)}
    assert {kind for kind, *refused in found if refused} == set(codes)


def test_what_is_made_is_not_listed_at_first(slow: emulated.Instance) -> None:
    ec2 = boto3.client("ec2")
    looks = set()  # how many find nothing
    for number in range(8):
        made = ec2.create_vpc(CidrBlock=f"10.{100 + number}.0.0/16")["Vpc"]["VpcId"]
        wanted = [{"Name": "cidr", "Values": [f"10.{100 + number}.0.0/16"]}]
        listed = [[vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=wanted)["Vpcs"]] for _ in range(3)]
        assert listed[-1] == [made]
        looks.add(listed.index([made]))
    assert looks - {0}
