"""What is recorded of AWS says everything but secrets, and what the emulators answer otherwise is told."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_recorder
import compare
import emulated
import pytest
from emulated_aws import Emulated
from emulated_life import Life

PROGRAM = Path(__file__).parent / "record"
ASKS = """
import boto3, botocore
from botocore.config import Config
rds = boto3.client("rds", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
try:
    rds.create_db_instance(DBInstanceIdentifier="secrets", DBInstanceClass="none", Engine="postgres", MasterUserPassword="longenough1")
except botocore.exceptions.ClientError:
    pass
rds.describe_db_engine_versions(Engine="postgres")
secret = boto3.client("secretsmanager").create_secret(Name="recorded", SecretString="longenough2")
boto3.client("secretsmanager").get_secret_value(SecretId=secret["ARN"])
boto3.client("secretsmanager").delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
boto3.client("ecr").get_authorization_token()
boto3.client("sts").get_caller_identity()
"""


def shape(service: str, operation: str) -> Any:
    """Return AWS's description of what an operation is given."""
    return compare.model(service).operation_model(operation).input_shape


@pytest.fixture(scope="module")
def lines(life: Life) -> list[dict[str, Any]]:
    """Return the requests of an environment's life."""
    return [json.loads(line) for line in life.recording.read_text(encoding="utf-8").splitlines()]


def test_what_a_command_asks_of_aws_is_recorded_without_secrets_for_its_owner_alone(aws: Emulated, tmp_path: Path) -> None:
    aws.control(faults=[{"service": "rds", "action": "DescribeDBEngineVersions", "code": "Throttling", "status": 400, "count": 1}])
    file = tmp_path / "aws.jsonl"
    for _ in range(2):
        subprocess.run([PROGRAM, file, sys.executable, "-c", ASKS], env=os.environ, check=True)
    text = file.read_text(encoding="utf-8")
    found = [json.loads(line) for line in text.splitlines()]
    first = [(one["service"], one["operation"], one.get("status"), one.get("error", {}).get("code")) for one in found[:4]]
    assert first[0] == ("rds", "CreateDBInstance", 400, "InvalidParameterValue")
    assert first[1:3] == [("rds", "DescribeDBEngineVersions", 400, "Throttling"), ("rds", "DescribeDBEngineVersions", 200, None)]
    assert len(found) == 8 + 7
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert found[0]["parameters"]["MasterUserPassword"] == aws_recorder.REMOVED
    assert found[-2]["answer"]["authorizationData"][0]["authorizationToken"] == aws_recorder.REMOVED
    assert found[-1]["answer"]["Account"] == aws_recorder.ACCOUNT
    assert "longenough" not in text and emulated.ACCOUNT not in text


def test_every_kind_of_call_of_a_run_is_recorded(lines: list[dict[str, Any]]) -> None:
    asked = {(one["service"], one["operation"]) for one in lines}
    # Berth's own modules, amazon.aws's, and a lookup.
    assert {("eks", "CreateCluster"), ("ec2", "CreateVpc"), ("rds", "CreateDBInstance"), ("iam", "CreateRole"), ("secretsmanager", "GetSecretValue")} <= asked
    assert [one for one in lines if "unrecorded" in one] == []


def test_every_call_that_the_emulators_got_is_recorded(lines: list[dict[str, Any]], life: Life) -> None:
    got = [json.loads(line) for line in life.calls.read_text(encoding="utf-8").splitlines()]
    names = {"elasticloadbalancing": "elbv2", "servicequotas": "service-quotas", "tagging": "resourcegroupstaggingapi"}
    asked = {(names.get(one["service"], one["service"]), one["operation"]) for one in got if one["by"] != "test"}
    assert asked - {(one["service"], one["operation"]) for one in lines} == set()


def test_an_environments_secrets_are_not_recorded(life: Life) -> None:
    text = life.recording.read_text(encoding="utf-8")
    assert emulated.ACCOUNT not in text
    for line in map(json.loads, text.splitlines()):
        if line["operation"] == "GetSecretValue" and "answer" in line:
            assert line["answer"]["SecretString"] == aws_recorder.REMOVED
        if line["operation"] == "DescribeCluster" and "answer" in line:
            assert line["answer"]["cluster"].get("certificateAuthority", {}).get("data", aws_recorder.REMOVED) == aws_recorder.REMOVED


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("arn:aws:iam::123456789012:role/a", f"arn:aws:iam::{aws_recorder.ACCOUNT}:role/a"),
        ("team123456789012", f"team{aws_recorder.ACCOUNT}"),
        ("vpc-0123456789012abcd", "vpc-0123456789012abcd"),
        ("1761052800000", "1761052800000"),
        (
            "https://x/?X-Amz-Security-Token=abc%2F&X-Amz-Expires=1&X-Amz-Signature=def",
            "https://x/?X-Amz-Security-Token=(removed)&X-Amz-Expires=1&X-Amz-Signature=(removed)",
        ),
        ("the key AKIAIOSFODNN7EXAMPLE", "the key (removed)"),
        ("Encoded authorization failure message: ab-C_9", "Encoded authorization failure message: (removed)"),
        ({"clientRequestToken": "x", "ManageMasterUserPassword": True}, {"clientRequestToken": "(removed)", "ManageMasterUserPassword": True}),
        ({"certificateAuthority": {"data": "x"}, "data": "y"}, {"certificateAuthority": {"data": "(removed)"}, "data": "y"}),
        ({"a": [b"x", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"]}, {"a": ["(removed)", "(removed)\n"]}),
    ],
)
def test_secrets_and_accounts_are_removed_and_no_more(given: Any, shown: Any) -> None:
    assert aws_recorder.clean(given) == shown


def test_what_aws_describes_as_sensitive_is_removed() -> None:
    given = {"LaunchTemplateData": {"UserData": "x", "ImageId": "ami-1"}}
    assert aws_recorder.clean(given, shape("ec2", "CreateLaunchTemplate"))["LaunchTemplateData"] == {"UserData": "(removed)", "ImageId": "ami-1"}
    assert aws_recorder.clean({"Name": "a", "Value": "b"}, shape("ssm", "PutParameter")) == {"Name": "a", "Value": "(removed)"}


def test_what_cannot_be_recorded_does_not_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_recorder.switched_on(tmp_path / "aws.jsonl").items():
        monkeypatch.setenv(name, value)
    model = compare.model("sts").operation_model("GetCallerIdentity")
    kept = {aws_recorder.KEPT: {"model": model, "parameters": {}}}
    aws_recorder.write_answer(parsed_response={"ResponseMetadata": "broken"}, context=kept, exception=None)
    aws_recorder.write_answer(parsed_response=None, context=kept, exception=ConnectionError("no route to 123456789012"))
    first, second = map(json.loads, (tmp_path / "aws.jsonl").read_text(encoding="utf-8").splitlines())
    assert first["unrecorded"] == "AttributeError"
    assert second["error"] == {"code": "ConnectionError", "message": f"no route to {aws_recorder.ACCOUNT}"}


def held(aws: Path, emulators: Path) -> tuple[int, str]:
    """Return how compare.py ends, and what it prints."""
    done = subprocess.run([sys.executable, compare.__file__, aws, emulators], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_the_comparison_ends_as_diff_does(tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = [{"Account": "1"}, {"Account": "1", "UserId": "2"}]
    files = [tmp_path / "one.jsonl", tmp_path / "other.jsonl"]
    for file, answer in zip(files, answers, strict=True):
        file.write_text(json.dumps({"service": "sts", "operation": "GetCallerIdentity", "answer": answer}) + "\n", encoding="utf-8")
    assert held(files[0], files[0]) == (0, "Both answer alike.\n")
    assert held(*files) == (1, "sts GetCallerIdentity: only emulators: UserId (string)\n")
    assert held(tmp_path / "none", files[0]) == (1, f"{tmp_path / 'none'} cannot be read: No such file or directory.\n")


def test_a_recording_agrees_with_itself_and_what_one_lacks_is_told(life: Life) -> None:
    texts = life.recording.read_text(encoding="utf-8").splitlines()
    recording = compare.read(texts)
    assert compare.differences(recording, compare.read(texts)) == []
    other = [json.loads(text) for text in texts if json.loads(text)["operation"] != "CreateVpc"]
    for line in other:
        if line["operation"] == "DescribeCluster" and "answer" in line:
            line["answer"]["cluster"].pop("platformVersion")
            line["answer"]["cluster"]["deletionProtection"] = "no"
        if line["operation"] == "GetRole" and "error" in line:
            line["error"]["code"] = "AccessDenied"
    assert compare.differences(recording, compare.read(map(json.dumps, other))) == [
        "ec2 CreateVpc: only AWS asked for it",
        "eks DescribeCluster: only AWS: cluster.deletionProtection (boolean)",
        "eks DescribeCluster: only AWS: cluster.platformVersion (string)",
        "eks DescribeCluster: only emulators: cluster.deletionProtection (string)",
        "iam GetRole: only AWS: the error NoSuchEntity",
        "iam GetRole: only emulators: the error AccessDenied",
    ]


def test_the_keys_of_maps_are_data_and_those_of_structures_are_not() -> None:
    answer = {"cluster": {"tags": {"a": "b", "c": "d"}, "resourcesVpcConfig": {"subnetIds": ["x", "y"]}}}
    assert sorted(set(compare.keys(answer, compare.described("eks", "DescribeCluster")))) == [
        "cluster (structure)",
        "cluster.resourcesVpcConfig (structure)",
        "cluster.resourcesVpcConfig.subnetIds (list)",
        "cluster.resourcesVpcConfig.subnetIds[] (string)",
        "cluster.tags (map)",
        "cluster.tags.* (string)",
    ]
