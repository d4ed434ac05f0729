"""The module aws_sweep against the emulated services."""

from __future__ import annotations

from typing import Any

from ansible_collections.berth.platform.plugins.modules import aws_sweep, ecr_repository, vpc
from emulated_aws import Emulated
from module_run import plugin


def sweep(aws: Emulated, **more: Any) -> dict[str, Any]:
    """Return what a sweep says."""
    return aws.run(aws_sweep, **{"environment": aws.name, "name": aws.name, "repository": aws.name, **more})


def kinds(answer: dict[str, Any]) -> set[str]:
    """Return the kinds of what is left."""
    return {item["what"] for item in answer["remains"]}


def test_an_environment_that_never_was_leaves_nothing(aws: Emulated) -> None:
    answer = sweep(aws)
    assert (answer["remains"], answer["kept"]) == ([], [])


def test_everything_that_berth_makes_is_found(aws: Emulated) -> None:
    subnets = plugin("filter/aws.py").vpc_subnets("10.60.0.0/16", ["eu-central-1a", "eu-central-1b"])
    aws.run(vpc, environment=aws.name, name=aws.name, cidr="10.60.0.0/16", subnets=subnets, endpoints=["s3", "ecr.api"])
    aws.run(ecr_repository, name=aws.name)
    aws.cluster()
    aws.client("logs").create_log_group(logGroupName=f"/aws/eks/{aws.name}/cluster")
    aws.client("iam").create_role(RoleName=f"{aws.name}-node", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
    aws.client("secretsmanager").create_secret(Name=f"{aws.name}/app", SecretString="x")
    tags = [{"Key": "berth:environment", "Value": aws.name}]
    aws.client("acm").request_certificate(DomainName=f"{aws.name}.example", ValidationMethod="DNS", Tags=tags)
    rds = aws.client("rds")
    rds.create_db_subnet_group(DBSubnetGroupName=aws.name, DBSubnetGroupDescription="x", SubnetIds=aws.subnets[:2])
    rds.create_db_parameter_group(DBParameterGroupName=f"{aws.name}-postgres17", DBParameterGroupFamily="postgres17", Description="x")
    rds.create_db_instance(
        DBInstanceIdentifier=aws.name,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="berth",
        MasterUserPassword="a-long-password",
        DBSubnetGroupName=aws.name,
    )
    answer = sweep(aws)
    assert answer["failed"] and f"{len(answer['remains'])} resources of {aws.name} are left in AWS:" in answer["msg"]
    assert kinds(answer) == {
        "VPC",
        "subnet",
        "route table",
        "internet gateway",
        "NAT gateway",
        "address",
        "security group",
        "endpoint",
        "EKS cluster",
        "ECR repository",
        "RDS instance",
        "RDS subnet group",
        "RDS parameter group",
        "IAM role",
        "log group",
        "secret",
        "certificate",
    }


def test_what_a_clusters_nodes_have_left_is_found(aws: Emulated) -> None:
    tags = [{"Key": "cluster.k8s.amazonaws.com/name", "Value": aws.name}]
    specification = [{"ResourceType": "network-interface", "Tags": tags}]
    ec2 = aws.client("ec2")
    made = ec2.create_network_interface(SubnetId=aws.subnets[0], TagSpecifications=specification)["NetworkInterface"]["NetworkInterfaceId"]
    assert [(item["what"], item["id"]) for item in sweep(aws)["remains"]] == [("network interface", made)]
    ec2.delete_network_interface(NetworkInterfaceId=made)


def test_snapshots_and_scheduled_keys_are_kept_and_no_failure(aws: Emulated) -> None:
    rds, kms = aws.client("rds"), aws.client("kms")
    rds.create_db_instance(
        DBInstanceIdentifier=aws.name,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="berth",
        MasterUserPassword="a-long-password",
    )
    rds.delete_db_instance(DBInstanceIdentifier=aws.name, FinalDBSnapshotIdentifier=f"{aws.name}-final")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{aws.name}", TargetKeyId=key)
    assert kinds(sweep(aws)) == {"KMS key"}
    kms.schedule_key_deletion(KeyId=key)
    answer = sweep(aws)
    assert answer["remains"] == []
    assert {(item["what"], item["id"]) for item in answer["kept"]} == {("RDS snapshot", f"{aws.name}-final"), ("KMS key", key)}


def test_another_environment_whose_name_begins_alike_is_no_remains(aws: Emulated) -> None:
    aws.client("logs").create_log_group(logGroupName=f"/aws/eks/{aws.name}two/cluster")
    aws.run(ecr_repository, name=f"{aws.name}two")
    assert sweep(aws)["remains"] == []


def test_a_service_that_cannot_be_asked_is_a_failure(aws: Emulated) -> None:
    aws.control(faults=[{"service": "logs", "code": "AccessDeniedException", "status": 400, "message": "no", "count": 9}])
    answer = sweep(aws)
    assert answer["failed"] and "logs could not be searched: the permission logs:DescribeLogGroups is missing" in answer["msg"]
