"""The IAM policies that are committed allow every call that an environment's life in AWS makes, and nothing that it does not need."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import emulated
import pytest
from ansible_collections.berth.platform.plugins.plugin_utils import iam as iam_roles
from emulated_aws import play
from emulated_life import CHANGES, Life

PROJECT = Path(__file__).resolve().parents[2]
ADVICE = f"run scripts/aws-policy --write {emulated.CACHE / 'calls.jsonl'}, and look at what it adds"

# What of it is filled into the policies, and a hosted zone by its id.
NAMES = iam_roles.names(
    environment="rehearsal",
    name="polls-rehearsal",
    account=emulated.ACCOUNT,
    region=emulated.REGION,
    repository="polls",
    identities=CHANGES["berth_eks_pod_identities"],
    addons=CHANGES["berth_eks_addons"],
    vpc={},
    zone="Z0123456789",
)


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
def called(life: Life, policy: ModuleType) -> list[dict[str, Any]]:
    """Return the calls of an environment's life."""
    return policy.calls([life.calls])


def test_every_role_is_made_bounded_and_one_of_before_is_bounded_by_the_next_run(called: list[dict[str, Any]], life: Life) -> None:
    assert [len(found) for found in life.bounds] == [2, 2, 5]
    assert {arn for found in life.bounds for arn in found.values()} == {f"arn:aws:iam::{emulated.ACCOUNT}:policy/polls-rehearsal-boundary"}
    assert any(call["operation"] == "PutRolePermissionsBoundary" for call in called)


@pytest.fixture(scope="module")
def committed(policy: ModuleType) -> dict[str, Any]:
    """Return the policies of roles/eks/files."""
    return json.loads(policy.FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def own_policies(policy: ModuleType) -> dict[str, Any]:
    """Return the policies of roles/eks/files, filled in for the environment."""
    return iam_roles.policies(policy.FILE.read_text(encoding="utf-8"), NAMES)


def test_the_committed_policies_allow_every_call_of_an_environments_life(
    called: list[dict[str, Any]], own_policies: dict[str, Any], policy: ModuleType
) -> None:
    assert len({policy.action(call) for call in called}) > 100
    assert sorted({refusal for call in called if (refusal := policy.refused(call, own_policies, NAMES))}) == [], ADVICE


def test_the_committed_policies_are_those_that_follow_from_the_calls(called: list[dict[str, Any]], committed: dict[str, Any], policy: ModuleType) -> None:
    assert policy.policies(called) == committed, ADVICE


def test_a_call_that_is_not_allowed_is_found(own_policies: dict[str, Any], policy: ModuleType) -> None:
    call = {"service": "s3", "operation": "ListBuckets", "names": {}}
    assert policy.refused(call, own_policies, NAMES) == "s3:ListBuckets"
    call = {"service": "iam", "operation": "DeleteRole", "names": {"RoleName": "somebody-elses"}}
    assert policy.refused(call, own_policies, NAMES) == f"iam:DeleteRole of arn:aws:iam::{emulated.ACCOUNT}:role/somebody-elses"
    assert policy.refused({**call, "names": {"RoleName": "polls-rehearsal-node"}}, own_policies, NAMES) == ""


def test_whoever_has_the_policies_passes_the_simulation(instance: emulated.Instance, aws: Any, own_policies: dict[str, Any], tmp_path: Path) -> None:
    """The look before anything is made finds nothing missing of what Berth itself asks for."""
    iam = aws.client("iam")
    iam.create_user(UserName="limited")
    try:
        for name, document in own_policies.items():
            iam.put_user_policy(UserName="limited", PolicyName=name, PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName="limited")["AccessKey"]
        own = emulated.Instance(instance.name)
        leading = instance.env.read_text(encoding="utf-8")
        lines = [line for line in leading.splitlines() if not line.startswith(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))]
        lines += [f"AWS_ACCESS_KEY_ID={key['AccessKeyId']}", f"AWS_SECRET_ACCESS_KEY={key['SecretAccessKey']}"]
        try:
            own.env.write_text("\n".join(lines) + "\n", encoding="utf-8")
            access = [{"principal": f"arn:aws:iam::{emulated.ACCOUNT}:user/limited", "policy": "cluster-admin"}]
            assert "provider eks" in play(own, tmp_path, "playbooks/preflight.yml", berth_eks_access=access)
        finally:
            own.env.write_text(leading, encoding="utf-8")
    finally:
        for name in own_policies:
            iam.delete_user_policy(UserName="limited", PolicyName=name)


def test_the_runbook_writes_the_policies_of_an_environment_and_its_boundary(tmp_path: Path, instance: emulated.Instance, committed: dict[str, Any]) -> None:
    identity = {"namespace": "polls", "service_account": "mail", "policies": ["AmazonSESFullAccess"]}
    printed = play(instance, tmp_path, "playbooks/ops/permissions.yml", berth_eks_pod_identities=[identity])
    assert f"{tmp_path}/iam/apply.sh role NAME" in " ".join(printed.split())
    written = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "iam").glob("*.json")}
    assert set(written) == {*committed, "boundary"}
    assert "${" not in json.dumps(written)
    roles = next(one for one in written["identities"]["Statement"] if one["Sid"] == "NewRoles")
    assert roles["Resource"] == [f"arn:aws:iam::{emulated.ACCOUNT}:role/polls-rehearsal-{name}" for name in ("cluster", "node", "node-group", "polls-mail")]


# What the script calls: it notes it, knows the network's policy only, and has two versions of that besides the one that counts.
AWS_CLI = """#!/bin/sh
echo "$*" >>"$0.calls"
case "$*" in
  "sts "*) echo "${CALLER:-123456789012}" ;;
  "iam get-policy "*-network) ;;
  "iam get-policy "*) exit 254 ;;
  "iam list-policy-versions "*) printf 'v1\tv2\n' ;;
esac
"""


def test_the_administrators_script_makes_or_renews_the_policies_and_attaches_all_but_the_boundary(tmp_path: Path, instance: emulated.Instance) -> None:
    play(instance, tmp_path, "playbooks/ops/permissions.yml")
    cli, script = tmp_path / "bin" / "aws", tmp_path / "iam" / "apply.sh"
    cli.parent.mkdir()
    cli.write_text(AWS_CLI, encoding="utf-8")
    cli.chmod(0o755)

    def apply(*arguments: str, caller: str = emulated.ACCOUNT) -> tuple[int, str, list[str]]:
        cli.with_name("aws.calls").write_text("", encoding="utf-8")
        environment = {"PATH": f"{cli.parent}:/usr/bin:/bin", "CALLER": caller}
        done = subprocess.run([script, *arguments], env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr, cli.with_name("aws.calls").read_text(encoding="utf-8").splitlines()

    code, _, called = apply("role", "deployer")
    prefix = f"arn:aws:iam::{emulated.ACCOUNT}:policy/polls-rehearsal"
    assert code == 0
    assert f"iam delete-policy-version --policy-arn {prefix}-network --version-id v2" in called
    assert f"iam create-policy-version --policy-arn {prefix}-network --policy-document file://network.json --set-as-default --output text" in called
    assert "iam create-policy --policy-name polls-rehearsal-boundary --policy-document file://boundary.json --output text" in called
    attached = {call.rpartition("-")[2] for call in called if call.startswith("iam attach-role-policy --role-name deployer")}
    assert attached == {"entry", "look", "network", "cluster", "identities", "data"}
    assert "these credentials belong to account 999999999999" in apply("user", "x", caller="999999999999")[1]
    assert [call.split()[0] for call in apply("user", "x", caller="999999999999")[2]] == ["sts"]
    for wrong in ((), ("role",), ("group", "x"), ("role", "a", "b")):
        code, said, called = apply(*wrong)
        assert code == 2 and said.startswith(f"Usage: {script} user|role NAME") and called == []


def test_the_runbook_wants_the_id_of_the_zone_that_records_are_written_in(tmp_path: Path, instance: emulated.Instance) -> None:
    entry = {"berth_entry": "loadbalancer", "berth_entry_host": "polls.example.com"}
    printed = play(instance, tmp_path, "playbooks/ops/permissions.yml", good=False, berth_entry_zone="example.com", **entry)
    assert "is example.com, and a policy needs the zone's id: set it to that" in " ".join(printed.split())
    play(instance, tmp_path, "playbooks/ops/permissions.yml", berth_entry_zone="Z0123456789ABC", **entry)
    records = next(one for one in json.loads((tmp_path / "iam/entry.json").read_text(encoding="utf-8"))["Statement"] if one["Sid"] == "Records")
    assert records["Resource"] == ["arn:aws:route53:::hostedzone/Z0123456789ABC"]


def test_statements_that_an_environment_may_not_need_are_among_the_policies(committed: dict[str, Any]) -> None:
    """Preflight leaves them out by their names."""
    names = {statement["Sid"] for document in committed.values() for statement in document["Statement"]}
    entry = {"Certificates", "NewCertificate", "OwnCertificate", "TagCertificate", "UntagCertificate", "Zones", "Changes", "Records"}
    assert entry | {"Database", "OldBackups", "GivenSnapshot", "NewMasterSecret", "MasterSecret", "Images"} <= names
