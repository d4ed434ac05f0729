"""Destroy refuses what is protected before anything is removed, and says how to lift that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.modules import eks_cluster
from emulated_aws import Emulated, play
from fake_api import Api, kubeconfig

NAME = "polls-rehearsal"


@pytest.fixture
def cluster(aws: Emulated) -> Iterator[None]:
    """Make a cluster that is protected."""
    aws.run(eks_cluster, **aws.cluster_options(name=NAME, deletion_protection=True))
    yield
    aws.run(eks_cluster, **aws.cluster_options(name=NAME, deletion_protection=False))
    aws.run(eks_cluster, name=NAME, state="absent")


@pytest.fixture
def instance_of_rds(aws: Emulated) -> Iterator[None]:
    """Make an instance of RDS that is protected."""
    rds = aws.client("rds")
    rds.create_db_instance(DBInstanceIdentifier=NAME, DBInstanceClass="db.t4g.medium", Engine="postgres", DeletionProtection=True)
    yield
    rds.modify_db_instance(DBInstanceIdentifier=NAME, DeletionProtection=False)
    rds.delete_db_instance(DBInstanceIdentifier=NAME, SkipFinalSnapshot=True)


@pytest.mark.parametrize(("protected", "name"), [("cluster", "EKS cluster"), ("instance_of_rds", "RDS instance")])
def test_nothing_is_removed_while_something_is_protected(
    aws: Emulated, api: Api, api_server: tuple[Api, Path], tmp_path: Path, request: pytest.FixtureRequest, protected: str, name: str
) -> None:
    request.getfixturevalue(protected)
    kubeconfig(tmp_path, api.url, **{"certificate-authority": str(api_server[1])})
    already = len(api.seen)
    printed = " ".join(play(aws.instance, tmp_path, "playbooks/destroy.yml", good=False, berth_confirm="rehearsal").split())
    assert f"Nothing was removed: {name} {NAME} is protected from deletion. Set berth_deletion_protection: false in" in printed
    assert not [path for method, path, *_ in api.seen[already:] if method == "DELETE"]


@pytest.mark.long  # test_vpc.py has the module alone
def test_of_somebody_elses_network_destroy_takes_the_databases_security_group_and_no_more(aws: Emulated, tmp_path: Path) -> None:
    tags = [{"Key": "berth:environment", "Value": "rehearsal"}, {"Key": "berth:name", "Value": NAME}]
    ec2 = aws.client("ec2")
    specification = [{"ResourceType": "security-group", "Tags": tags}]
    ec2.create_security_group(GroupName=f"{NAME}-database", Description="x", VpcId=aws.vpc, TagSpecifications=specification)
    given = {"id": aws.vpc, "private_subnet_ids": aws.subnets[:2]}
    # The sweep at its end would find the group.
    assert "Look for leftover resources in AWS" in play(aws.instance, tmp_path, "tests/aws/playbooks/remove.yml", "-v", berth_aws_vpc=given)
    assert len(ec2.describe_subnets(SubnetIds=aws.subnets)["Subnets"]) == len(aws.subnets)
