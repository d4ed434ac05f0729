#!/usr/bin/env python3
"""Write what a recording asked AWS to make as a template of CloudFormation, for the linters of those: what cfn-lint and checkov know, no emulator does.

    tests/aws/cloudformation.py ~/.cache/berth/tests/aws/recording.jsonl >template.json

Nobody makes a stack of it. It ends where the recording first deletes a cluster, and what had been deleted before is in it.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Properties = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """How a request that makes something becomes a resource: its parameters are the properties of the same names, but for what is said here.

    Args:
        kind: The resource's type.
        answers: Where the answer has what others call it by (keys, with dots), and the attribute that CloudFormation has for it: empty for its own reference.
        renamed: Other names; empty for parameters that have no property.
        shaped: What the properties are otherwise.
    """

    kind: str
    answers: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    shaped: Callable[[Properties], Properties] = dict


@dataclass(frozen=True)
class Changed:
    """How a request that changes something becomes properties of a resource.

    Args:
        kind: The resource's type.
        whose: The parameters that name it; what made it has them too, or they are ids.
        shaped: The properties that the parameters become; lists are added to.
    """

    kind: str
    whose: tuple[str, ...]
    shaped: Callable[[Properties], Properties]


def one_rule(given: Properties) -> Properties:
    """Return a rule of a security group, of which a request has a list."""
    [permission] = given["IpPermissions"]
    [source] = permission.get("UserIdGroupPairs", []) + permission.get("IpRanges", [])
    names = {"GroupId": "SourceSecurityGroupId", "CidrIp": "CidrIp", "Description": "Description"}
    rule = {key: permission[key] for key in ("IpProtocol", "FromPort", "ToPort")}
    return {"GroupId": given["GroupId"], **rule, **{names[key]: value for key, value in source.items() if key in names}}


def cluster(given: Properties) -> Properties:
    """Return a cluster, whose log types have names of their own."""
    types = [kind for setup in given["Logging"]["ClusterLogging"] if setup["Enabled"] for kind in setup["Types"]]
    return {**given, "Logging": {"ClusterLogging": {"EnabledTypes": [{"Type": kind} for kind in types]}}}


def role(given: Properties) -> Properties:
    """Return a role with its trust as an object."""
    return {**given, "AssumeRolePolicyDocument": json.loads(given["AssumeRolePolicyDocument"])}


def record(given: Properties) -> Properties:
    """Return a record of a hosted zone, of which a request has a list of changes."""
    found = given["ChangeBatch"]["Changes"][0]["ResourceRecordSet"]
    values = {"ResourceRecords": [one["Value"] for one in found["ResourceRecords"]]} if "ResourceRecords" in found else {}
    ttl = {"TTL": str(found["TTL"])} if "TTL" in found else {}
    return {"HostedZoneId": given["HostedZoneId"], **found, **values, **ttl}


OPERATIONS: dict[tuple[str, str], Made | Changed] = {
    ("ec2", "CreateVpc"): Made("AWS::EC2::VPC", {"Vpc.VpcId": ""}),
    ("ec2", "ModifyVpcAttribute"): Changed("AWS::EC2::VPC", ("VpcId",), lambda given: {key: on["Value"] for key, on in given.items()}),
    ("ec2", "CreateInternetGateway"): Made("AWS::EC2::InternetGateway", {"InternetGateway.InternetGatewayId": ""}),
    ("ec2", "AttachInternetGateway"): Made("AWS::EC2::VPCGatewayAttachment"),
    ("ec2", "CreateSubnet"): Made("AWS::EC2::Subnet", {"Subnet.SubnetId": ""}),
    ("ec2", "ModifySubnetAttribute"): Changed("AWS::EC2::Subnet", ("SubnetId",), lambda given: {key: on["Value"] for key, on in given.items()}),
    ("ec2", "AllocateAddress"): Made("AWS::EC2::EIP", {"AllocationId": "AllocationId"}),
    ("ec2", "CreateNatGateway"): Made("AWS::EC2::NatGateway", {"NatGateway.NatGatewayId": ""}),
    ("ec2", "CreateRouteTable"): Made("AWS::EC2::RouteTable", {"RouteTable.RouteTableId": ""}),
    ("ec2", "CreateRoute"): Made("AWS::EC2::Route"),
    ("ec2", "AssociateRouteTable"): Made("AWS::EC2::SubnetRouteTableAssociation"),
    ("ec2", "CreateVpcEndpoint"): Made("AWS::EC2::VPCEndpoint", {"VpcEndpoint.VpcEndpointId": ""}),
    ("ec2", "CreateSecurityGroup"): Made("AWS::EC2::SecurityGroup", {"GroupId": "GroupId"}, {"Description": "GroupDescription"}),
    ("ec2", "AuthorizeSecurityGroupIngress"): Made("AWS::EC2::SecurityGroupIngress", shaped=one_rule),
    ("ec2", "CreateLaunchTemplate"): Made("AWS::EC2::LaunchTemplate"),
    ("iam", "CreateRole"): Made("AWS::IAM::Role", {"Role.Arn": "Arn"}, shaped=role),
    ("iam", "AttachRolePolicy"): Changed("AWS::IAM::Role", ("RoleName",), lambda given: {"ManagedPolicyArns": [given["PolicyArn"]]}),
    ("kms", "CreateKey"): Made("AWS::KMS::Key", {"KeyMetadata.KeyId": "", "KeyMetadata.Arn": "Arn"}),
    ("kms", "EnableKeyRotation"): Changed("AWS::KMS::Key", ("KeyId",), lambda _: {"EnableKeyRotation": True}),
    ("kms", "CreateAlias"): Made("AWS::KMS::Alias"),
    ("logs", "CreateLogGroup"): Made("AWS::Logs::LogGroup"),
    ("logs", "PutRetentionPolicy"): Changed("AWS::Logs::LogGroup", ("LogGroupName",), dict),
    ("eks", "CreateCluster"): Made("AWS::EKS::Cluster", {"cluster.resourcesVpcConfig.clusterSecurityGroupId": "ClusterSecurityGroupId"}, shaped=cluster),
    ("eks", "CreateNodegroup"): Made("AWS::EKS::Nodegroup"),
    ("eks", "CreateAddon"): Made("AWS::EKS::Addon"),
    ("eks", "CreateAccessEntry"): Made("AWS::EKS::AccessEntry"),
    ("eks", "AssociateAccessPolicy"): Changed("AWS::EKS::AccessEntry", ("ClusterName", "PrincipalArn"), lambda given: {"AccessPolicies": [given]}),
    ("eks", "CreatePodIdentityAssociation"): Made("AWS::EKS::PodIdentityAssociation"),
    ("rds", "CreateDBSubnetGroup"): Made("AWS::RDS::DBSubnetGroup"),
    ("rds", "CreateDBParameterGroup"): Made("AWS::RDS::DBParameterGroup", renamed={"DBParameterGroupFamily": "Family"}),
    ("rds", "CreateDBInstance"): Made(
        # The password is of no use once RDS keeps one of its own, which is the next request.
        "AWS::RDS::DBInstance", renamed={"VpcSecurityGroupIds": "VPCSecurityGroups", "MasterUserPassword": ""},
        shaped=lambda given: {**given, "AllocatedStorage": str(given["AllocatedStorage"])},
    ),
    ("rds", "ModifyDBInstance"): Changed("AWS::RDS::DBInstance", ("DBInstanceIdentifier",), dict),
    ("ecr", "CreateRepository"): Made("AWS::ECR::Repository"),
    ("ecr", "PutLifecyclePolicy"): Changed("AWS::ECR::Repository", ("RepositoryName",), lambda given: {"LifecyclePolicy": given}),
    ("acm", "RequestCertificate"): Made("AWS::CertificateManager::Certificate", {"CertificateArn": ""}),
    ("route53", "ChangeResourceRecordSets"): Made("AWS::Route53::RecordSet", shaped=record),
}  # fmt: skip
# What concerns the request, and no resource.
DROPPED = ("ClientToken", "ClientRequestToken", "RegistryId", "ApplyImmediately", "VersionDescription")
# Types whose tags are a map in CloudFormation, too.
MAPPED_TAGS = ("AWS::EKS::Nodegroup",)


def upper(value: Any) -> Any:
    """Return a value with keys as CloudFormation has them; the keys of tags are data."""
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: found if key == "tags" else upper(found) for key, found in value.items()}
    return [upper(found) for found in value] if isinstance(value, list) else value


def tagged(kind: str, given: Properties) -> Properties:
    """Return properties with tags as CloudFormation has them."""
    found = dict(given)
    if kind != "AWS::EC2::LaunchTemplate" and "TagSpecifications" in found:
        found["Tags"] = found.pop("TagSpecifications")[0]["Tags"]
    if isinstance(tags := found.get("Tags"), dict) and kind not in MAPPED_TAGS:
        found["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    if kind == "AWS::KMS::Key":
        found["Tags"] = [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in found["Tags"]]
    return found


def referring(value: Any, known: dict[str, Any]) -> Any:
    """Return a value with references in the place of ids."""
    if isinstance(value, dict):
        return {key: referring(found, known) for key, found in value.items()}
    if isinstance(value, list):
        return [referring(found, known) for found in value]
    return known.get(value, value) if isinstance(value, str) else value


def template(lines: Iterable[str]) -> dict[str, Any]:
    """Return the template of what the requests of a recording make."""
    resources: dict[str, dict[str, Any]] = {}
    known: dict[str, Any] = {}
    for line in itertools.takewhile(lambda one: one["operation"] != "DeleteCluster", map(json.loads, lines)):
        how = OPERATIONS.get((line["service"], line["operation"]))
        if how is None or "answer" not in line:
            continue
        given = {key: value for key, value in upper(line["parameters"]).items() if key not in DROPPED}
        if isinstance(how, Changed):
            change(resources, how, referring(given, known))
            continue
        if deletes(given):
            continue
        properties = how.shaped(tagged(how.kind, given))
        names = {key: how.renamed.get(key, key) for key in properties}
        name = f"{how.kind.rpartition('::')[2]}{len(resources) + 1}"
        resources[name] = {"Type": how.kind, "Properties": {names[key]: referring(value, known) for key, value in properties.items() if names[key]}}
        for path, attribute in how.answers.items():
            found = line["answer"]
            for key in path.split("."):
                found = found[key]
            known[found] = {"Fn::GetAtt": [name, attribute]} if attribute else {"Ref": name}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def deletes(given: Properties) -> bool:
    """Whether a change of records deletes one."""
    return any(one["Action"] == "DELETE" for one in given.get("ChangeBatch", {}).get("Changes", []))


def change(resources: dict[str, dict[str, Any]], how: Changed, given: Properties) -> None:
    """Change the newest resource that a request names."""
    for name, resource in reversed(resources.items()):
        properties = resource["Properties"]
        if resource["Type"] == how.kind and all(given[key] in ({"Ref": name}, {"Fn::GetAtt": [name, "Arn"]}, properties.get(key)) for key in how.whose):
            for key, value in how.shaped({key: value for key, value in given.items() if key not in how.whose}).items():
                before = properties.get(key)
                properties[key] = [*before, *(one for one in value if one not in before)] if isinstance(before, list) else value
            return
    raise ValueError(f"Nothing is a {how.kind} of {[given[key] for key in how.whose]}")


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    print(json.dumps(template(parser.parse_args().recording.read_text(encoding="utf-8").splitlines()), indent=2))


if __name__ == "__main__":
    main()
