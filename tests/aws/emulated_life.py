"""An environment's whole life in the emulated AWS, which several tests look at."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import emulated
import pytest
from emulated_aws import account, hold, play, tell
from fake_api import Api

SEED = 238  # by which the first of every kind is not found at once
# What an inventory may change, all of it at once.
CHANGES: dict[str, Any] = {
    "berth_eks_compute": "nodes",
    "berth_aws_nat": "zone",
    "berth_aws_endpoints": ["s3", "ecr.api"],
    "berth_aws_tags": {"team": "other"},
    "berth_eks_log_days": 30,
    "berth_eks_addons": {"aws-ebs-csi-driver": "", "coredns": ""},
    "berth_eks_access": [{"principal": f"arn:aws:iam::{emulated.ACCOUNT}:user/deployer", "policy": "cluster-admin", "groups": ["people"]}],
    "berth_eks_pod_identities": [{"namespace": "a", "service_account": "b", "policies": ["AmazonS3ReadOnlyAccess"]}],
    "berth_rds_class": "db.m7g.large",
}


@dataclass(frozen=True)
class Life:
    """An environment's life in AWS.

    Args:
        calls: What the emulators were called for.
        recording: Every request and its answer.
        bounds: The boundary of each role, by its name, after each of the first runs.
        counts: How many there are of what must not be made twice, likewise.
    """

    calls: Path
    recording: Path
    bounds: list[dict[str, str]] = field(default_factory=list)
    counts: list[dict[str, int]] = field(default_factory=list)


def live(server: tuple[Api, Path], directory: Path) -> Life:
    """Let an environment live in an account of its own: made, run again, changed, upgraded, published, removed, made once more.

    Nothing in it is known everywhere as soon as it is made (emulators/lag.py).

    Args:
        server: The API server behind its cluster, with its authority.
        directory: Where its kubeconfig is.
    """
    found = Life(emulated.CACHE / "calls.jsonl", emulated.CACHE / "recording.jsonl")
    with account("life", *server) as own, pytest.MonkeyPatch.context() as patch:
        for name, value in own.environment().items():
            patch.setenv(name, value)
        entry = public_entry()
        tell(own, lag=SEED)
        for variables in ({"berth_eks_version": "1.34"}, {"berth_eks_version": "1.34"}, {"berth_eks_version": "1.34", **CHANGES}):
            # No cluster answers here, so that there is no record of whose the kubeconfig is.
            (directory / "kubeconfig").unlink(missing_ok=True)
            play(own, directory, "tests/aws/playbooks/provide.yml", **variables)
            found.bounds.append(bounds())
            found.counts.append(counts())
            boto3.client("iam").delete_role_permissions_boundary(RoleName="polls-rehearsal-cluster")  # as an earlier Berth made it
        hold(server[0])
        play(own, directory, "playbooks/ops/upgrade.yml", ops_upgrade_confirm="1.35", **CHANGES)
        play(own, directory, "tests/aws/playbooks/publish.yml", **entry)
        play(own, directory, "tests/aws/playbooks/remove.yml", **CHANGES)
        play(own, directory, "tests/aws/playbooks/begin.yml")  # finds the key whose deletion is scheduled
        # For scripts/aws-policy and compare.py: the emulators' own files go with them.
        shutil.copy(own.calls, found.calls)
        shutil.copy(own.recording, found.recording)
    return found


def public_entry() -> dict[str, str]:
    """Make a hosted zone and a load balancer, which are there before Berth, and return the variables of a public entry."""
    ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
    boto3.client("route53").create_hosted_zone(Name="permissions.example", CallerReference="permissions")
    vpc = ec2.create_vpc(CidrBlock="10.90.0.0/16")["Vpc"]["VpcId"]
    zones = {"eu-central-1a": "10.90.0.0/24", "eu-central-1b": "10.90.1.0/24"}
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"] for zone, block in zones.items()]
    balancer = elb.create_load_balancer(Name="permissions", Subnets=subnets)["LoadBalancers"][0]
    return {"berth_entry_host": "polls.permissions.example", "berth_entry_zone": "permissions.example", "test_address": balancer["DNSName"]}


def bounds() -> dict[str, str]:
    """Return the boundary of each of the environment's roles, by the role's name."""
    iam = boto3.client("iam")
    names = (role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("polls-rehearsal-"))
    return {name: iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "") for name in names}


def counts() -> dict[str, int]:
    """Return how many keys, networks, security groups and addresses of the environment there are."""
    ec2, kms = boto3.client("ec2"), boto3.client("kms")
    own = [{"Name": "tag:berth:environment", "Values": ["rehearsal"]}]
    found = {"keys": [key for key in kms.list_keys()["Keys"] if kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]]}
    found |= {"networks": ec2.describe_vpcs(Filters=own)["Vpcs"], "groups": ec2.describe_security_groups(Filters=own)["SecurityGroups"]}
    return {kind: len(things) for kind, things in found.items()} | {"addresses": len(ec2.describe_addresses(Filters=own)["Addresses"])}
