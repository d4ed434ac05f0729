"""What preflight makes of AWS's answers: who would be locked out of a new cluster, and what a cluster keeps."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.aws import preflight as looking

ACCOUNT = "123456789012"
USER = f"arn:aws:iam::{ACCOUNT}:user/deployer"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deployer"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/me@example.com"


def entry(principal: str, policy: str = "cluster-admin", **more: Any) -> dict[str, Any]:
    """Return one of berth_eks_access."""
    return {"principal": principal, "policy": policy, **more}


@pytest.mark.parametrize(
    ("caller", "access"),
    [
        (USER, [entry(USER)]),
        (SESSION, [entry(ROLE)]),
        (SESSION, [entry(f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-central-1/deployer")]),
        (USER, [entry(ROLE, "view"), entry(USER, "view", namespaces=["polls"]), entry(USER)]),
        ("arn:aws-cn:sts::1:assumed-role/deployer/me", [entry("arn:aws-cn:iam::1:role/deployer")]),
    ],
)
def test_whoever_comes_in_as_administrator_may_make_the_cluster(caller: str, access: list[dict[str, Any]]) -> None:
    assert looking.locked_out(caller, access) == []


@pytest.mark.parametrize(
    ("caller", "access", "path", "words"),
    [
        (USER, [], ("berth_eks_access",), f"gives no access to {USER}, who runs this"),
        (USER, [entry(ROLE)], ("berth_eks_access",), "add this user or role with policy: cluster-admin"),
        (SESSION, [entry(USER)], ("berth_eks_access",), "arn:...:role/NAME of the session"),
        (SESSION, [entry("arn:aws:iam::999999999999:role/deployer")], ("berth_eks_access",), "gives no access to"),
        (SESSION, [entry(f"{ROLE}-eu")], ("berth_eks_access",), "gives no access to"),
        (USER, [entry(ROLE), entry(USER, "view")], ("berth_eks_access", 1, "policy"), "set it to cluster-admin"),
        (USER, [entry(USER, namespaces=["polls"])], ("berth_eks_access", 0, "policy"), "without namespaces"),
        (f"arn:aws:iam::{ACCOUNT}:root", [entry(USER)], ("berth_aws_account",), "use those of an IAM role or user"),
    ],
)
def test_whoever_would_be_locked_out_is_told_before_anything_is_made(
    caller: str, access: list[dict[str, Any]], path: tuple[str | int, ...], words: str
) -> None:
    (found,) = looking.locked_out(caller, access)
    assert found[0] == path and words in found[1]


@pytest.mark.parametrize(
    ("networks", "address", "words"),
    [
        ([], "", "name the network that you connect from, like 203.0.113.7/32"),
        ([], "198.51.100.7", "like 198.51.100.7/32"),
        (["203.0.113.0/24"], "198.51.100.7", "does not include 198.51.100.7, this machine's public address"),
        (["203.0.113.0/24"], "203.0.113.9", ""),
        (["203.0.113.0/24"], "", ""),
        (["2001:db8::/32", "203.0.113.0/24"], "203.0.113.9", ""),
    ],
)
def test_an_api_server_that_nobody_would_reach_is_told_before_it_is_made(networks: list[str], address: str, words: str) -> None:
    found = looking.unreachable(networks, address)
    assert bool(found) == bool(words)
    assert not words or words in found[0][1]


SUBNETS = [{"SubnetId": f"subnet-{zone}", "AvailabilityZone": f"eu-central-1{zone}", "VpcId": "vpc-1", "AvailableIpAddressCount": 99} for zone in "abc"]


@pytest.mark.parametrize(
    ("made_in", "wanted", "refused"),
    [("ab", "abc", True), ("abc", "abc", False), ("ab", "ab", False), ("", "abc", False)],
)
def test_a_cluster_in_somebody_elses_network_keeps_its_zones(made_in: str, wanted: str, refused: bool) -> None:
    vpc = {"id": "vpc-1", "private_subnet_ids": [f"subnet-{zone}" for zone in wanted]}
    cluster = {"resourcesVpcConfig": {"vpcId": "vpc-1", "subnetIds": [f"subnet-{zone}" for zone in made_in]}} if made_in else None
    answers = {"cluster": looking.Answer(cluster), "subnets": looking.Answer(SUBNETS)}
    found = looking.Findings({"vpc": vpc, "environment": "prod", "zones": []}, answers).own_network()
    assert [path for path, _ in found] == ([("berth_aws_vpc", "private_subnet_ids")] if refused else [])
