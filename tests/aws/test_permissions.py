"""The IAM policies that are committed allow every call that an environment's life in AWS makes, and nothing that it does not need."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import emulated
import pytest
from emulated_aws import account, hold, play
from fake_api import Api

PROJECT = Path(__file__).resolve().parents[2]
NAMES = {
    "partition": "aws", "account": emulated.ACCOUNT, "region": emulated.REGION, "environment": "rehearsal", "name": "polls-rehearsal", "repository": "polls",
}  # fmt: skip
LONGEST = 6144  # characters of a managed policy: docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
KEPT = emulated.CACHE / "calls.jsonl"
ADVICE = f"run scripts/aws-policy --write {KEPT}, and look at what it adds"
# What an inventory may change, all of it at once.
CHANGES: dict[str, Any] = {
    "berth_eks_compute": "nodes",
    "berth_aws_nat": "zone",
    "berth_aws_zones": ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    "berth_aws_endpoints": ["s3", "ecr.api"],
    "berth_aws_tags": {"team": "other"},
    "berth_eks_log_days": 30,
    "berth_eks_addons": {"aws-ebs-csi-driver": "", "coredns": ""},
    "berth_eks_access": [],
    "berth_eks_pod_identities": [{"namespace": "a", "service_account": "b", "policies": ["AmazonS3ReadOnlyAccess"]}],
    "berth_rds_class": "db.m7g.large",
}


@pytest.fixture(scope="module")
def policy() -> ModuleType:
    """Return scripts/aws-policy as a module."""
    loader = importlib.machinery.SourceFileLoader("aws_policy", str(PROJECT / "scripts/aws-policy"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("aws_policy", loader))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


@pytest.fixture(scope="module")
def own(api_server: tuple[Api, Path]) -> Iterator[emulated.Instance]:
    """Start an account of its own, in which nothing is called but what an environment needs."""
    with account("life", *api_server) as found:
        yield found


@pytest.fixture(scope="module")
def entry(own: emulated.Instance) -> Iterator[dict[str, str]]:
    """Make a hosted zone and a load balancer, which are there before Berth, and return the variables of a public entry."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.environment().items():
            patch.setenv(name, value)
        ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
        boto3.client("route53").create_hosted_zone(Name="permissions.example", CallerReference="permissions")
        vpc = ec2.create_vpc(CidrBlock="10.90.0.0/16")["Vpc"]["VpcId"]
        zones = {"eu-central-1a": "10.90.0.0/24", "eu-central-1b": "10.90.1.0/24"}
        subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"] for zone, block in zones.items()]
        balancer = elb.create_load_balancer(Name="permissions", Subnets=subnets)["LoadBalancers"][0]
        yield {"berth_entry_host": "polls.permissions.example", "berth_entry_zone": "permissions.example", "test_address": balancer["DNSName"]}


@pytest.fixture(scope="module")
def called(
    own: emulated.Instance, api_server: tuple[Api, Path], tmp_path_factory: pytest.TempPathFactory, policy: ModuleType, entry: dict[str, str]
) -> list[dict[str, Any]]:
    """Let an environment live: made, run again, changed, upgraded, published, removed, made once more; return the calls."""
    directory = tmp_path_factory.mktemp("life")
    for variables in ({"berth_eks_version": "1.34"}, {"berth_eks_version": "1.34"}, {"berth_eks_version": "1.34", **CHANGES}):
        # No cluster answers here, so that there is no record of whose the kubeconfig is.
        (directory / "kubeconfig").unlink(missing_ok=True)
        play(own, directory, "tests/aws/playbooks/provide.yml", **variables)
    hold(api_server[0])
    play(own, directory, "playbooks/ops/upgrade.yml", ops_upgrade_confirm="1.35", **CHANGES)
    play(own, directory, "tests/aws/playbooks/publish.yml", **entry)
    play(own, directory, "tests/aws/playbooks/remove.yml", **CHANGES)
    play(own, directory, "tests/aws/playbooks/begin.yml")  # finds the key whose deletion is scheduled
    # For scripts/aws-policy: the emulators' own files go with them.
    shutil.copy(own.calls, KEPT)
    return policy.calls([KEPT])


@pytest.fixture(scope="module")
def committed(policy: ModuleType) -> dict[str, Any]:
    """Return the policies of roles/eks/files."""
    return json.loads(policy.FILE.read_text(encoding="utf-8"))


def test_the_committed_policies_allow_every_call_of_an_environments_life(called: list[dict[str, Any]], committed: dict[str, Any], policy: ModuleType) -> None:
    assert len({policy.action(call) for call in called}) > 100
    assert sorted({refusal for call in called if (refusal := policy.refused(call, committed, NAMES))}) == [], ADVICE


def test_the_committed_policies_are_those_that_follow_from_the_calls(called: list[dict[str, Any]], committed: dict[str, Any], policy: ModuleType) -> None:
    assert policy.policies(called) == committed, ADVICE


def test_a_call_that_is_not_allowed_is_found(committed: dict[str, Any], policy: ModuleType) -> None:
    call = {"service": "s3", "operation": "ListBuckets", "names": {}}
    assert policy.refused(call, committed, NAMES) == "s3:ListBuckets"
    call = {"service": "iam", "operation": "DeleteRole", "names": {"RoleName": "somebody-elses"}}
    assert policy.refused(call, committed, NAMES) == f"iam:DeleteRole of arn:aws:iam::{emulated.ACCOUNT}:role/somebody-elses"
    assert policy.refused({**call, "names": {"RoleName": "polls-rehearsal-node"}}, committed, NAMES) == ""


def test_iam_takes_the_policies(committed: dict[str, Any], policy: ModuleType) -> None:
    for name, document in committed.items():
        text = json.dumps(document, separators=(",", ":"))
        assert len(text.replace("${name}", "a-name-of-20-letters")) < LONGEST, name
        assert len({statement["Sid"] for statement in document["Statement"]}) == len(document["Statement"])


def test_whoever_has_the_policies_passes_the_simulation(instance: emulated.Instance, aws: Any, committed: dict[str, Any], tmp_path: Path) -> None:
    """The look before anything is made finds nothing missing of what Berth itself asks for."""
    iam = aws.client("iam")
    iam.create_user(UserName="limited")
    try:
        for name, document in committed.items():
            text = json.dumps(document)
            for key, value in NAMES.items():
                text = text.replace(f"${{{key}}}", value)
            iam.put_user_policy(UserName="limited", PolicyName=name, PolicyDocument=text)
        key = iam.create_access_key(UserName="limited")["AccessKey"]
        own = emulated.Instance(instance.name)
        leading = instance.env.read_text(encoding="utf-8")
        lines = [line for line in leading.splitlines() if not line.startswith(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))]
        lines += [f"AWS_ACCESS_KEY_ID={key['AccessKeyId']}", f"AWS_SECRET_ACCESS_KEY={key['SecretAccessKey']}"]
        try:
            own.env.write_text("\n".join(lines) + "\n", encoding="utf-8")
            assert "provider eks" in play(own, tmp_path, "playbooks/preflight.yml")
        finally:
            own.env.write_text(leading, encoding="utf-8")
    finally:
        for name in committed:
            iam.delete_user_policy(UserName="limited", PolicyName=name)


def test_the_runbook_writes_the_policies_of_an_environment(tmp_path: Path, instance: emulated.Instance, committed: dict[str, Any]) -> None:
    play(instance, tmp_path, "playbooks/ops/permissions.yml")
    written = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "iam").iterdir()}
    assert set(written) == set(committed)
    assert "${" not in json.dumps(written)
    roles = next(one for one in written["cluster"]["Statement"] if one["Sid"] == "Roles")
    assert roles["Resource"] == [f"arn:aws:iam::{emulated.ACCOUNT}:role/polls-rehearsal-*"]


def test_statements_that_an_environment_may_not_need_are_among_the_policies(committed: dict[str, Any]) -> None:
    """Preflight leaves them out by their names."""
    names = {statement["Sid"] for document in committed.values() for statement in document["Statement"]}
    assert {"Certificates", "Zones", "Records", "Database", "MasterSecret", "Images"} <= names
