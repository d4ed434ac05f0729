"""What AWS knows to be wrong is said before anything is made, all of it at once, with the variable that is to blame."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import emulated
import pytest
from ansible_collections.berth.platform.plugins.module_utils.aws import preflight as looking
from ansible_collections.berth.platform.plugins.modules import aws_preflight, eks_cluster, eks_node_group, vpc
from emulated_aws import ROOM, Emulated, play
from module_run import plugin

ZONES = ["eu-central-1a", "eu-central-1b"]
RDS = {"class": "db.t4g.medium", "version": "17", "multi_az": True, "storage_max": 100}
DENIED = {"code": "UnauthorizedOperation", "status": 403, "message": "You are not authorized to perform this operation."}


def tell(aws: Emulated, quotas: dict[str, int] | None = None, **content: Any) -> None:
    """Tell the emulators what goes wrong; other tests' networks are no matter for a quota."""
    aws.control(quotas=ROOM | (quotas or {}), **content)


def options(aws: Emulated, **more: Any) -> dict[str, Any]:
    """Return the options of an environment against which nothing is to be said."""
    wanted = {
        "account": emulated.ACCOUNT,
        "region": emulated.REGION,
        "zones": ZONES,
        "environment": aws.name,
        "name": aws.name,
        "network": "10.60.0.0/16",
        "version": "1.33",
        "rds": RDS,
    }
    return wanted | more


def problems(aws: Emulated, **more: Any) -> dict[str, str]:
    """Return what is wrong by variable, as people write it."""
    answer = aws.run(aws_preflight, **options(aws, **more))
    assert "problems" in answer, answer
    found = [(".".join(map(str, problem["path"])), problem["text"]) for problem in answer["problems"]]
    assert len(dict(found)) == len(found)
    return dict(found)


def network(aws: Emulated, zones: list[str] = ZONES) -> dict[str, Any]:
    """Make the environment's network as the role does."""
    subnets = plugin("filter/aws.py").vpc_subnets("10.60.0.0/16", zones)
    tags = {"berth:name": aws.name}
    return aws.run(vpc, environment=aws.name, name=aws.name, cidr="10.60.0.0/16", subnets=subnets, nat="none", endpoints=[], tags=tags)


def test_nothing_is_said_of_what_is_right_and_nothing_is_made(aws: Emulated) -> None:
    before = len(aws.client("ec2").describe_vpcs()["Vpcs"])
    assert problems(aws, compute="nodes", types=["t3.large"]) == {}
    assert len(aws.client("ec2").describe_vpcs()["Vpcs"]) == before


def test_it_takes_no_longer_than_a_glance(aws: Emulated) -> None:
    began = time.monotonic()
    assert problems(aws) == {}
    assert time.monotonic() - began < 5


# --- Who and where ---------------------------------------------------------------------------------------------------


def test_missing_credentials_are_one_problem(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    found = problems(aws)
    assert list(found) == ["berth_aws_account"]
    assert "no AWS credentials" in found["berth_aws_account"] and "AWS_PROFILE" in found["berth_aws_account"]


def test_a_profile_that_is_not_there_is_one_problem(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    found = problems(aws)
    assert list(found) == ["berth_aws_account"] and "nowhere" in found["berth_aws_account"]


@pytest.mark.parametrize(
    ("code", "words"),
    [("ExpiredToken", "have expired"), ("InvalidClientTokenId", "does not accept the credentials")],
)
def test_credentials_that_are_no_good_are_one_problem(aws: Emulated, code: str, words: str) -> None:
    tell(aws, faults=[{"service": "sts", "code": code, "status": 403, "message": "no", "count": 99}])
    found = problems(aws)
    assert list(found) == ["berth_aws_account"] and words in found["berth_aws_account"]


def test_another_account_is_refused_before_anything_else_is_looked_at(aws: Emulated) -> None:
    found = problems(aws, account="999999999999", version="1.2")
    assert list(found) == ["berth_aws_account"]
    assert f"is 999999999999, but the credentials are those of arn:aws:iam::{emulated.ACCOUNT}:" in found["berth_aws_account"]


def test_a_region_that_there_is_not_is_named_with_the_nearest(aws: Emulated) -> None:
    assert problems(aws, region="eu-centrl-1") == {"berth_aws_region": "AWS has no region eu-centrl-1, did you mean eu-central-1?"}


def test_a_region_that_is_not_enabled_is_no_matter_of_the_credentials(aws: Emulated) -> None:
    """Its services refuse everybody's credentials; only the home region knows why."""
    tell(aws, faults=[{"service": "sts", "code": "InvalidClientTokenId", "status": 403, "message": "no", "count": 1}])
    found = looking.region_problems("af-south-1", [{"RegionName": "af-south-1", "OptInStatus": "not-opted-in"}])
    assert "af-south-1 is not enabled in the account" in found[0][1]
    assert problems(aws) == {}, "the second look, in the home region, succeeds"


def test_throttling_is_one_clear_message(aws: Emulated) -> None:
    tell(aws, faults=[{"service": "ec2", "action": ".", "code": "RequestLimitExceeded", "status": 503, "message": "Request limit exceeded.", "count": 99}])
    found = problems(aws)
    assert list(found) == ["berth_aws_region"]
    assert f"AWS still throttles ec2:DescribeRegions after {looking.ATTEMPTS} attempts" in found["berth_aws_region"]


def test_a_few_throttled_calls_are_tried_again(aws: Emulated) -> None:
    tell(aws, faults=[{"service": "ec2", "action": "DescribeVpcs", "code": "RequestLimitExceeded", "status": 503, "message": "x", "count": 2}])
    assert problems(aws) == {}


def test_a_lost_connection_is_one_clear_message(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:9")
    found = problems(aws)
    assert list(found) == ["berth_aws_region"] and "AWS does not answer" in found["berth_aws_region"]


def test_what_is_no_aws_is_one_clear_message(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "no address")
    found = problems(aws)
    assert list(found) == ["berth_aws_region"] and "AWS_ENDPOINT_URL" in found["berth_aws_region"]


def test_a_cluster_that_its_maker_could_not_use_is_refused_while_there_is_none(aws: Emulated, tmp_path: Path) -> None:
    other = {"principal": f"arn:aws:iam::{emulated.ACCOUNT}:role/others", "policy": "cluster-admin"}
    given: dict[str, Any] = {"berth_eks_access": [other], "berth_eks_public_access": []}
    printed = " ".join(play(aws.instance, tmp_path, "playbooks/preflight.yml", good=False, **given).split())
    assert f"gives no access to arn:aws:iam::{emulated.ACCOUNT}:user/deployer, who runs this" in printed
    assert "is empty, so the API server answers within the VPC only, which does not exist yet" in printed


# --- What AWS offers -------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_said_at_once(aws: Emulated) -> None:
    rds = {"class": "db.z9.huge", "version": "12", "multi_az": False, "storage_max": 100}
    found = problems(aws, zones=["eu-central-1a", "eu-central-1f"], version="1.20", compute="nodes", types=["t3.large", "zz9.huge", "m7g.large"], rds=rds)
    assert found["berth_aws_zones.1"] == "eu-central-1 has no zone eu-central-1f for this account; it has eu-central-1a, eu-central-1b, eu-central-1c"
    assert found["berth_eks_version"] == "EKS has no version 1.20 in eu-central-1; it has 1.32, 1.33, 1.34, 1.35, 1.36"
    assert found["berth_eks_nodes.types.1"] == "EC2 has no instance type zz9.huge in eu-central-1"
    assert "EC2 has no m7g.large in eu-central-1f" in found["berth_eks_nodes.types.2"]
    assert found["berth_rds_version"] == "RDS has no PostgreSQL 12 in eu-central-1; it has 13, 14, 15, 16, 17, 18"
    assert "RDS has no class db.z9.huge" in found["berth_rds_class"]


def test_a_type_of_another_processor_than_the_nodes_system_is_refused(aws: Emulated) -> None:
    found = problems(aws, compute="nodes", types=["m7g.large"])
    assert "m7g.large is arm64, but the nodes' system is x86_64" in found["berth_eks_nodes.types.0"]


@pytest.mark.parametrize(
    ("rds", "variable", "words"),
    [
        ({"version": "17.5"}, "berth_rds_version", "RDS has no PostgreSQL 17.5 in eu-central-1; it has 17.4, 17.6"),
        ({"class": "db.m8g.large", "version": "15"}, "berth_rds_class", "db.m8g.large does not run PostgreSQL 15, only 16, 17, 18"),
        ({"class": "db.t3.micro"}, "berth_rds_multi_az", "db.t3.micro cannot have a standby"),
    ],
)
def test_a_class_and_a_version_have_to_go_together(aws: Emulated, rds: dict[str, Any], variable: str, words: str) -> None:
    found = problems(aws, rds=RDS | rds)
    assert list(found) == [variable] and words in found[variable]


def test_zones_without_control_planes_are_refused() -> None:
    answers = {"zones": looking.Answer([{"ZoneName": "us-east-1e", "ZoneId": "use1-az3"}])}
    wanted = {"zones": ["us-east-1e"], "region": "us-east-1"}
    assert "EKS has no control planes in us-east-1e" in looking.Findings(wanted, answers).zones()[0][1]


# --- What is there and does not change -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.32", "is 1.32, but the cluster runs 1.33: EKS does not go back"),
        ("1.35", 'EKS goes up one minor version at a time; set it to "1.34" first'),
        ("1.34", "ansible-playbook playbooks/ops/upgrade.yml -i inventories/"),
    ],
)
def test_another_version_than_the_clusters_is_refused_with_the_way_there(aws: Emulated, version: str, words: str) -> None:
    made = network(aws)
    aws.cluster(subnet_ids=made["private_subnet_ids"])
    assert problems(aws) == {}
    found = problems(aws, version=version)
    assert list(found) == ["berth_eks_version"] and words in found["berth_eks_version"]


@pytest.mark.parametrize(
    ("more", "variable", "words"),
    [
        ({"network": "10.61.0.0/16"}, "berth_aws_network", "cannot be changed: it is 10.60.0.0/16, wanted is 10.61.0.0/16; set it to 10.60.0.0/16 again"),
        ({"zones": ZONES[::-1]}, "berth_aws_zones", "the subnets are in eu-central-1a, eu-central-1b, in this order, and cannot be moved"),
        ({"name": "other"}, "berth_aws_name", "cannot be changed: the environment's resources are named"),
    ],
)
def test_what_cannot_be_changed_of_the_network_is_named_with_what_to_do(aws: Emulated, more: dict[str, Any], variable: str, words: str) -> None:
    network(aws)
    assert problems(aws) == {}
    assert problems(aws, zones=[*ZONES, "eu-central-1c"]) == {}, "there is no cluster yet, so that a zone can be added"
    found = problems(aws, **more)
    assert list(found) == [variable] and words in found[variable]


def test_a_cluster_does_not_move_to_another_vpc(aws: Emulated) -> None:
    aws.cluster()
    found = problems(aws)
    assert f"cannot be changed: the cluster is in {aws.vpc}, which Berth did not create" in found["berth_aws_vpc"]


def test_what_cannot_be_changed_of_a_node_group_is_named_with_what_to_do(aws: Emulated) -> None:
    made = network(aws)
    aws.cluster(subnet_ids=made["private_subnet_ids"], bootstrap_self_managed_addons=True)
    nodes = {"node_role_arn": aws.roles["ec2"], "subnet_ids": made["private_subnet_ids"], "instance_types": ["t3.large"]}
    aws.run(eks_node_group, cluster_name=aws.name, name=aws.name, **nodes)
    assert problems(aws, compute="nodes", types=["t3.large"]) == {}
    found = problems(aws, compute="nodes", types=["t3.xlarge"], zones=[*ZONES, "eu-central-1c"])
    assert "a node group keeps its types, t3.large" in found["berth_eks_nodes.types"]
    assert "has eu-central-1c, but EKS keeps a cluster in the zones that it was created in, eu-central-1a, eu-central-1b" in found["berth_aws_zones"]
    aws.run(eks_cluster, name=aws.name, version="1.34")
    found = problems(aws, compute="nodes", types=["t3.large"], version="1.34")
    assert "the nodes run 1.33 and the control plane 1.34: an upgrade was interrupted" in found["berth_eks_version"]


@pytest.mark.parametrize(
    ("rds", "variable", "words"),
    [
        ({"version": "15"}, "berth_rds_version", "is 15, but the database runs 16.9: RDS cannot downgrade"),
        ({"storage_max": 30}, "berth_rds_storage.max", "30 GiB is less than the database already has, 50 GiB"),
    ],
)
def test_a_database_neither_goes_back_nor_shrinks(aws: Emulated, rds: dict[str, Any], variable: str, words: str) -> None:
    aws.client("rds").create_db_instance(
        DBInstanceIdentifier=aws.name,
        Engine="postgres",
        EngineVersion="16.9",
        DBInstanceClass="db.t4g.medium",
        AllocatedStorage=50,
        MasterUsername="berth",
        MasterUserPassword="made-up-for-this",
    )
    assert problems(aws, rds=RDS | {"version": "16"}) == {}
    assert problems(aws) == {}, "a new major version is a way"
    found = problems(aws, rds=RDS | {"version": "16"} | rds)
    assert list(found) == [variable] and words in found[variable]


def test_a_new_database_is_made_of_no_snapshot_that_is_not_there_or_is_anothers(aws: Emulated) -> None:
    assert "RDS has no snapshot nowhere in eu-central-1" in problems(aws, rds=RDS | {"app": "polls", "snapshot": "nowhere"})["berth_rds_snapshot"]
    rds, other = aws.client("rds"), f"{aws.name}-other"
    rds.create_db_instance(
        DBInstanceIdentifier=other,
        Engine="postgres",
        EngineVersion="17.4",
        DBInstanceClass="db.t4g.medium",
        AllocatedStorage=20,
        StorageEncrypted=True,
        MasterUsername="berth",
        MasterUserPassword="made-up-for-this",
    )
    arn = rds.create_db_snapshot(DBInstanceIdentifier=other, DBSnapshotIdentifier=other)["DBSnapshot"]["DBSnapshotArn"]
    assert f"if it is intended, name it by its ARN, {arn}" in problems(aws, rds=RDS | {"app": "polls", "snapshot": other})["berth_rds_snapshot"]
    assert problems(aws, rds=RDS | {"app": "polls", "snapshot": arn}) == {}


# --- A VPC that somebody else looks after ----------------------------------------------------------------------------


def test_a_vpc_that_suits_passes(aws: Emulated) -> None:
    aws.client("ec2").modify_vpc_attribute(VpcId=aws.vpc, EnableDnsHostnames={"Value": True})
    assert problems(aws, vpc={"id": aws.vpc, "private_subnet_ids": aws.subnets[:2]}) == {}


def test_all_that_is_known_of_a_vpc_is_looked_at(aws: Emulated) -> None:
    ec2 = aws.client("ec2")
    other = ec2.create_vpc(CidrBlock="10.91.0.0/16")["Vpc"]["VpcId"]
    try:
        subnet = ec2.create_subnet(VpcId=other, CidrBlock="10.91.0.0/28", AvailabilityZone="eu-central-1a")["Subnet"]["SubnetId"]
        found = problems(aws, vpc={"id": other, "private_subnet_ids": [subnet, aws.subnets[0]]})
        assert f"{aws.subnets[0]} is in {aws.vpc}, not in {other}" in found["berth_aws_vpc.private_subnet_ids.1"]
        assert "all of them are in eu-central-1a" in found["berth_aws_vpc.private_subnet_ids"]
        assert "has DNS hostnames switched off" in found["berth_aws_vpc.id"]
    finally:
        ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=other)


def test_a_vpc_or_a_subnet_that_is_not_there_is_named(aws: Emulated) -> None:
    found = problems(aws, vpc={"id": "vpc-0", "private_subnet_ids": aws.subnets[:2]})
    assert found["berth_aws_vpc.id"] == "there is no VPC vpc-0 in this account and region"
    found = problems(aws, vpc={"id": aws.vpc, "private_subnet_ids": ["subnet-0", aws.subnets[0], "subnet-1"]})
    for number in (0, 2):
        assert found[f"berth_aws_vpc.private_subnet_ids.{number}"] == f"there is no subnet subnet-{number // 2} in this account and region"


def test_a_subnet_without_free_addresses_is_named() -> None:
    subnet = {"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/28", "AvailableIpAddressCount": 3, "AvailabilityZone": "a"}
    answers = {"vpcs": looking.Answer([{"VpcId": "vpc-1"}]), "subnets": looking.Answer([subnet])}
    wanted = {"vpc": {"id": "vpc-1", "private_subnet_ids": ["subnet-1"]}, "region": "x"}
    assert "has 3 free addresses, but EKS needs 6" in looking.Findings(wanted, answers).network()[0][1]


# --- Quotas and permissions ------------------------------------------------------------------------------------------


def test_quotas_that_leave_no_room_are_named_with_their_codes(aws: Emulated) -> None:
    there = len(aws.client("ec2").describe_vpcs()["Vpcs"])
    tell(aws, quotas={"L-F678F1CE": there, "L-0263D0A3": 1, "L-1194D53C": 0})
    found = problems(aws, nat="zone")
    assert f"the account's quota of VPCs has no room for 1 more: {there} of {there} in eu-central-1 are in use" in found["berth_aws_network"]
    assert "quota of elastic IP addresses has no room for 2 more" in found["berth_aws_nat"] and "L-0263D0A3 of ec2" in found["berth_aws_nat"]
    assert "L-1194D53C of eks" in found["berth_aws_name"]


def test_quotas_of_what_is_there_or_is_not_made_are_not_looked_at(aws: Emulated) -> None:
    made = network(aws)
    aws.cluster(subnet_ids=made["private_subnet_ids"])
    tell(aws, quotas={"L-F678F1CE": 0, "L-0263D0A3": 0, "L-1194D53C": 0})
    assert problems(aws, nat="zone") == {}


def test_refused_permissions_are_listed_by_their_actions(aws: Emulated) -> None:
    faults = [{"service": "ec2", "action": f"^{action}$", **DENIED, "count": 9} for action in ("CreateVpc", "AllocateAddress", "DescribeAvailabilityZones")]
    faults.append({"service": "rds", "action": "DescribeDBInstances", "code": "AccessDenied", "status": 403, "message": "no", "count": 9})
    tell(aws, faults=faults)
    found = problems(aws)
    assert list(found) == ["berth_aws_account"]
    assert (
        "is not allowed to ec2:AllocateAddress, ec2:CreateVpc, ec2:DescribeAvailabilityZones, rds:DescribeDBInstances; add these to its IAM policy"
        in (found["berth_aws_account"])
    )


def test_a_missing_boundary_is_refused_with_the_command_that_makes_it(aws: Emulated) -> None:
    boundary = f"arn:aws:iam::{emulated.ACCOUNT}:policy/{aws.name}-boundary"
    found = problems(aws, boundary=boundary)
    assert list(found) == ["berth_aws_account"]
    assert (
        f"has no policy {boundary}, without which no role is created; ansible-playbook playbooks/ops/permissions.yml -i inventories/{aws.name} writes it"
        in (found["berth_aws_account"])
    )
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    aws.client("iam").create_policy(PolicyName=f"{aws.name}-boundary", PolicyDocument=json.dumps(document))
    assert problems(aws, boundary=boundary) == {}


def test_permissions_without_a_dry_run_are_simulated(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName=aws.name)
    allowed = ["sts:*", "ec2:*", "rds:*", "iam:SimulatePrincipalPolicy", "iam:GetRole", "servicequotas:*", "eks:Describe*", "eks:List*"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]}
    iam.put_user_policy(UserName=aws.name, PolicyName="all", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=aws.name)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    statements = [{"Action": ["eks:CreateCluster", "eks:DescribeCluster"], "Resource": [f"arn:aws:eks:eu-central-1:{emulated.ACCOUNT}:cluster/{aws.name}"]}]
    found = problems(aws, statements=statements)
    assert f"user/{aws.name} is not allowed to eks:CreateCluster; add this to its IAM policy" in found["berth_aws_account"]
    assert problems(aws) == {}


def test_a_look_that_is_not_allowed_is_left_out_and_said(aws: Emulated) -> None:
    fault = {"service": "servicequotas", "action": ".", "code": "AccessDeniedException", "status": 400, "message": "no", "count": 9}
    tell(aws, faults=[fault])
    answer = aws.run(aws_preflight, **options(aws))
    assert answer["problems"] == []
    assert any("is not allowed to servicequotas:GetServiceQuota" in str(warning) for warning in answer["warnings"])
