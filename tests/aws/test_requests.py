"""What an environment's life sends to AWS is what AWS's descriptions of its services, and the linters of its templates, let pass."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aws_recorder
import cloudformation
import compare
import emulated
import pytest
from botocore.model import Shape
from emulated_life import Life

# Classes of characters that Python's regular expressions do not know.
CLASSES = {r"\p{L}": "a-zA-ZÀ-ɏ", r"\p{M}": "", r"\p{Z}": r"\s", r"\p{S}": "$+<=>^`|~", r"\p{N}": "0-9", r"\p{P}": r"!-/:-@\[-`{-~", r"\p{ASCII}": r"\x00-\x7f"}
# What cfn-lint finds, as rule and resource type, and why it stays.
ANSWERED = {
    ("W3010", "AWS::EC2::Subnet"): "berth_aws_zones: which zones is the inventory's business, for a cluster keeps those that it was made in",
    ("W3691", "AWS::RDS::DBInstance"): "RDS takes a major version alone, and makes its default minor one of it; cfn-lint knows whole versions only",
}


def python_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern of AWS's descriptions for Python."""
    for name, characters in CLASSES.items():
        pattern = pattern.replace(name, characters)
    return re.compile(pattern)


def wrong(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Return what of a request AWS's description does not allow, beyond the types and lower bounds that botocore itself looks at."""
    if shape.type_name == "structure":
        for key, found in value.items():
            yield from wrong(found, shape.members[key], f"{path}.{key}")
    elif shape.type_name == "list":
        for found in value:
            yield from wrong(found, shape.member, f"{path}[]")
    elif shape.type_name == "map":
        for key, found in value.items():
            yield from wrong(key, shape.key, f"{path}.{key}")
            yield from wrong(found, shape.value, f"{path}.{key}")
    if value == aws_recorder.REMOVED:
        return
    allowed = shape.metadata
    size = len(value) if isinstance(value, str | list | dict) else value
    if not allowed.get("min", 0) <= size <= allowed.get("max", float("inf")):
        yield f"{path}: {value} is not between {allowed.get('min')} and {allowed.get('max')}"
    if "enum" in allowed and value not in allowed["enum"]:
        yield f"{path}: {value} is not one of {', '.join(allowed['enum'])}"
    if "pattern" in allowed and not python_pattern(allowed["pattern"]).fullmatch(value):
        yield f"{path}: {value} does not match {allowed['pattern']}"


def wrongs(line: dict[str, Any]) -> list[str]:
    """Return what is wrong with a recorded request."""
    shape = compare.model(line["service"]).operation_model(line["operation"]).input_shape
    return [f"{line['service']} {line['operation']}{problem}" for problem in wrong(line["parameters"], shape)] if shape else []


def test_every_request_keeps_to_the_patterns_enumerations_and_bounds_of_awss_descriptions(life: Life) -> None:
    lines = map(json.loads, life.recording.read_text(encoding="utf-8").splitlines())
    assert sorted({problem for line in lines for problem in wrongs(line)}) == []


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "problem"),
    [
        ("eks", "CreateCluster", {"name": "a.b"}, ".name: a.b does not match"),
        ("eks", "CreateCluster", {"upgradePolicy": {"supportType": "LONG"}}, ".upgradePolicy.supportType: LONG is not one of STANDARD, EXTENDED"),
        ("iam", "CreateRole", {"RoleName": "r" * 65}, ".RoleName: rrr"),
        ("iam", "CreateRole", {"Tags": [{"Key": "a;b", "Value": "c"}]}, ".Tags[].Key: a;b does not match"),
        ("kms", "CreateKey", {"Tags": [{"TagKey": "k" * 129, "TagValue": "c"}]}, ".Tags[].TagKey: kkk"),
    ],
)
def test_a_request_that_breaks_a_description_is_found(service: str, operation: str, parameters: dict[str, Any], problem: str) -> None:
    [found] = wrongs({"service": service, "operation": operation, "parameters": parameters})
    assert found.startswith(f"{service} {operation}{problem}")


@pytest.fixture(scope="module")
def template(life: Life) -> dict[str, Any]:
    """Return what the life makes as a template of CloudFormation."""
    return cloudformation.template(life.recording.read_text(encoding="utf-8").splitlines())


def linted(template: dict[str, Any], file: Path) -> set[tuple[str, str]]:
    """Return the rules that cfn-lint finds broken, each with the type of the resource."""
    file.write_text(json.dumps(template), encoding="utf-8")
    program = emulated.ENVIRONMENT / "bin" / "cfn-lint"
    done = subprocess.run([program, "--regions", emulated.REGION, "--format", "json", file], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    return {(one["Rule"]["Id"], template["Resources"][one["Location"]["Path"][1]]["Type"]) for one in found}


def test_cfn_lint_finds_nothing_in_what_is_made_that_is_not_answered(template: dict[str, Any], tmp_path: Path) -> None:
    assert linted(template, tmp_path / "template.json") == set(ANSWERED)


def test_cfn_lint_finds_a_request_that_aws_would_refuse(template: dict[str, Any], tmp_path: Path) -> None:
    database, cluster = ({"Type": kind, "Properties": first(template, kind)} for kind in ("AWS::RDS::DBInstance", "AWS::EKS::Cluster"))
    database["Properties"] |= {"BackupRetentionPeriod": 36, "EngineVersion": "17.6"}
    cluster["Properties"] |= {"RoleArn": "no-arn", "ResourcesVpcConfig": {"SubnetIds": ["subnet-1"]}}
    found = linted({"Resources": {"Database": database, "Cluster": cluster}}, tmp_path / "template.json")
    assert {kind for rule, kind in found if rule.startswith("E")} == {"AWS::RDS::DBInstance", "AWS::EKS::Cluster"}


def first(template: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the properties of the first resource of a type."""
    return next(dict(one["Properties"]) for one in template["Resources"].values() if one["Type"] == kind)


def test_the_template_has_all_that_the_life_makes(template: dict[str, Any], life: Life) -> None:
    lines = [json.loads(line) for line in life.recording.read_text(encoding="utf-8").splitlines()]
    makes = {(one["service"], one["operation"]) for one in lines if one["operation"].startswith(("Create", "Allocate", "Request", "Run", "Put"))}
    # Tags are properties from the beginning; a boundary of an older role comes later.
    assert makes - set(cloudformation.OPERATIONS) == {("ec2", "CreateTags"), ("iam", "PutRolePermissionsBoundary")}
    assert first(template, "AWS::EC2::Route")["GatewayId"] == {"Ref": "InternetGateway2"}
    assert first(template, "AWS::KMS::Key")["EnableKeyRotation"] is True
    assert first(template, "AWS::EC2::Subnet")["VpcId"] == {"Ref": "VPC1"}


def test_every_rule_of_a_security_group_says_what_it_is_for(template: dict[str, Any]) -> None:
    rules = [one["Properties"] for one in template["Resources"].values() if one["Type"] == "AWS::EC2::SecurityGroupIngress"]
    assert [rule.get("Description") for rule in rules] == ["pods of the cluster", "the VPC"]
