"""The module vpc against the emulated EC2."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.aws import session
from ansible_collections.berth.platform.plugins.modules import vpc
from emulated_aws import Emulated
from module_run import plugin

OWNER = "berth:environment"
ZONES = ["eu-central-1a", "eu-central-1b"]


def options(aws: Emulated, **more: Any) -> dict[str, Any]:
    """Return the options of a network."""
    subnets = plugin("filter/aws.py").vpc_subnets("10.60.0.0/16", ZONES)
    return {"environment": aws.name, "name": aws.name, "cidr": "10.60.0.0/16", "subnets": subnets, "endpoints": ["s3", "ecr.api"], **more}


def tables(aws: Emulated, network: dict[str, Any]) -> dict[str, Any]:
    """Return where each subnet's default route leads."""
    found = aws.client("ec2").describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network["vpc_id"]]}])["RouteTables"]
    routes = {}
    for table in found:
        target = next((r.get("NatGatewayId") or r.get("GatewayId") for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0"), None)
        routes |= {a["SubnetId"]: target for a in table["Associations"] if a.get("SubnetId")}
    return routes


def living(aws: Emulated) -> list[str]:
    """Return the NAT gateways of the environment."""
    found = aws.client("ec2").describe_nat_gateways(Filter=[{"Name": f"tag:{OWNER}", "Values": [aws.name]}])["NatGateways"]
    return [nat["NatGatewayId"] for nat in found if nat["State"] == "available"]


def test_a_network_is_made_once_and_removed_once(aws: Emulated) -> None:
    foretold = aws.run(vpc, check=True, **options(aws))
    assert foretold["changed"] and not aws.client("ec2").describe_vpcs(Filters=[{"Name": f"tag:{OWNER}", "Values": [aws.name]}])["Vpcs"]
    made = aws.run(vpc, **options(aws))
    assert made["changed"] and set(made["diff"]["after"]) == set(foretold["diff"]["after"])
    for check in (True, False):
        assert aws.run(vpc, check=check, **options(aws))["changed"] is False
    gone = {"environment": aws.name, "name": aws.name, "state": "absent"}
    assert aws.run(vpc, check=True, **gone)["changed"] and aws.run(vpc, **gone)["changed"]
    for check in (True, False):
        assert aws.run(vpc, check=check, **gone)["changed"] is False


def test_private_subnets_leave_by_nat_and_public_ones_by_the_internet_gateway(aws: Emulated) -> None:
    network = aws.run(vpc, **options(aws))
    routes = tables(aws, network)
    assert {routes[subnet] for subnet in network["private_subnet_ids"]} == set(living(aws))
    assert all(routes[subnet].startswith("igw-") for subnet in network["public_subnet_ids"])
    assert len(network["nat_addresses"]) == 1


def test_nat_goes_from_one_to_one_a_zone_and_back_and_leaves_no_address(aws: Emulated) -> None:
    aws.run(vpc, **options(aws))
    network = aws.run(vpc, **options(aws, nat="zone"))
    assert len({tables(aws, network)[subnet] for subnet in network["private_subnet_ids"]}) == 2
    assert aws.run(vpc, **options(aws, nat="zone"))["changed"] is False
    aws.run(vpc, **options(aws))
    addresses = aws.client("ec2").describe_addresses(Filters=[{"Name": f"tag:{OWNER}", "Values": [aws.name]}])["Addresses"]
    assert (len(living(aws)), len(addresses)) == (1, 1)
    assert aws.run(vpc, **options(aws))["changed"] is False


def test_what_somebody_changed_by_hand_is_put_right(aws: Emulated) -> None:
    network, ec2 = aws.run(vpc, **options(aws)), aws.client("ec2")
    before = tables(aws, network)
    for table in ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network["vpc_id"]]}])["RouteTables"]:
        if any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in table["Routes"]):
            ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    ec2.modify_subnet_attribute(SubnetId=network["public_subnet_ids"][0], MapPublicIpOnLaunch={"Value": False})
    ec2.delete_tags(Resources=[network["private_subnet_ids"][0]], Tags=[{"Key": OWNER}])
    assert aws.run(vpc, check=True, **options(aws))["changed"]
    assert aws.run(vpc, **options(aws))["changed"]
    assert tables(aws, network) == before
    assert aws.run(vpc, **options(aws))["changed"] is False


def test_tags_of_load_balancers_stay(aws: Emulated) -> None:
    network, ec2 = aws.run(vpc, **options(aws)), aws.client("ec2")
    subnet = network["public_subnet_ids"][0]
    ec2.create_tags(Resources=[subnet], Tags=[{"Key": "elbv2.k8s.aws/cluster", "Value": "x"}])
    assert aws.run(vpc, **options(aws))["changed"] is False
    tags = {tag["Key"]: tag["Value"] for tag in ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["Tags"]}
    assert tags["elbv2.k8s.aws/cluster"] == "x" and tags["kubernetes.io/role/elb"] == "1"


@pytest.mark.parametrize("failing", ["CreateSubnet", "CreateNatGateway", "CreateRouteTable", "CreateVpcEndpoint", "AttachInternetGateway"])
def test_a_run_that_was_cut_off_goes_on_and_leaves_nothing_twice(aws: Emulated, failing: str) -> None:
    aws.control(faults=[{"service": "ec2", "action": f"^{failing}$", "code": "UnauthorizedOperation", "status": 403, "message": "not yours", "count": 1}])
    assert f"permission ec2:{failing} is missing" in aws.refusal(vpc, **options(aws))
    assert aws.run(vpc, **options(aws))["changed"]
    assert aws.run(vpc, **options(aws))["changed"] is False
    assert len(aws.client("ec2").describe_addresses(Filters=[{"Name": f"tag:{OWNER}", "Values": [aws.name]}])["Addresses"]) == 1
    aws.run(vpc, environment=aws.name, name=aws.name, state="absent")
    assert not aws.client("ec2").describe_vpcs(Filters=[{"Name": f"tag:{OWNER}", "Values": [aws.name]}])["Vpcs"]


def test_another_network_is_refused_with_what_to_do(aws: Emulated) -> None:
    aws.run(vpc, **options(aws))
    message = aws.refusal(vpc, **options(aws, cidr="10.61.0.0/16"))
    assert "cidr cannot be changed: it is 10.60.0.0/16, wanted is 10.61.0.0/16. Put 10.60.0.0/16 back" in message


def test_a_subnet_does_not_move_to_another_zone(aws: Emulated) -> None:
    aws.run(vpc, **options(aws))
    turned = plugin("filter/aws.py").vpc_subnets("10.60.0.0/16", ZONES[::-1])
    assert "cannot be changed: it is eu-central-1a, wanted is eu-central-1b" in aws.refusal(vpc, **options(aws, subnets=turned))


def test_a_network_that_is_still_used_says_by_what(aws: Emulated) -> None:
    network, ec2 = aws.run(vpc, **options(aws)), aws.client("ec2")
    interface = ec2.create_network_interface(SubnetId=network["private_subnet_ids"][0], Description="ELB app/polls")["NetworkInterface"]["NetworkInterfaceId"]
    message = aws.refusal(vpc, environment=aws.name, name=aws.name, state="absent", wait_timeout=1)
    assert f"{interface} (ELB app/polls)" in message and "then run the same command again" in message
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    assert aws.run(vpc, environment=aws.name, name=aws.name, state="absent")["changed"]


def left_behind(aws: Emulated, network: str, subnet: str, key: str, value: str) -> tuple[str, str]:
    """Make a security group and a network interface that is not attached, with a tag, and return their ids."""
    ec2, tags = aws.client("ec2"), [{"Key": key, "Value": value}]
    group = ec2.create_security_group(
        GroupName=f"{aws.name}-{key}-{value}", Description="x", VpcId=network, TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}]
    )["GroupId"]
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[group], TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}])
    return group, interface["NetworkInterface"]["NetworkInterfaceId"]


@pytest.mark.parametrize("key", ["eks:eks-cluster-name", "aws:eks:cluster-name", "cluster.k8s.amazonaws.com/name"])
def test_what_a_cluster_has_left_does_not_keep_the_network(aws: Emulated, key: str) -> None:
    network = aws.run(vpc, **options(aws))
    left_behind(aws, network["vpc_id"], network["private_subnet_ids"][0], key, aws.name)
    assert aws.run(vpc, environment=aws.name, name=aws.name, state="absent", wait_timeout=20)["changed"]
    assert not aws.client("ec2").describe_vpcs(Filters=[{"Name": f"tag:{OWNER}", "Values": [aws.name]}])["Vpcs"]


def test_what_is_somebody_elses_is_named_within_minutes_though_more_time_is_left(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    network, ec2 = aws.run(vpc, **options(aws)), aws.client("ec2")
    _, interface = left_behind(aws, network["vpc_id"], network["private_subnet_ids"][0], "team", "search")
    monkeypatch.setattr(vpc, "SOMEBODY_ELSES", 0)
    slept = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + slept[0], sleep=lambda seconds: slept.__setitem__(0, slept[0] + seconds))
    for module in (vpc, session):
        monkeypatch.setattr(module, "time", clock)
    message = aws.refusal(vpc, environment=aws.name, name=aws.name, state="absent", wait_timeout=600)
    assert slept[0] < 60
    assert interface in message and "Delete that, then run the same command again" in message
    assert ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"], "it is not ours to delete"


def test_of_somebody_elses_network_only_what_is_ours_goes(aws: Emulated) -> None:
    ec2 = aws.client("ec2")
    ours = [left_behind(aws, aws.vpc, aws.subnets[0], key, value)[0] for key, value in ((OWNER, aws.name), ("elbv2.k8s.aws/cluster", aws.name))]
    theirs = [left_behind(aws, aws.vpc, aws.subnets[0], key, "others")[0] for key in (OWNER, "eks:eks-cluster-name")]
    gone = {"environment": aws.name, "name": aws.name, "state": "absent", "vpc_id": aws.vpc, "wait_timeout": 20}
    assert aws.run(vpc, check=True, **gone)["changed"]
    assert aws.run(vpc, **gone)["changed"]
    assert not aws.run(vpc, **gone)["changed"]
    left = {group["GroupId"] for group in ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [aws.vpc]}])["SecurityGroups"]}
    assert left & {*ours, *theirs} == {*theirs}
    assert len(ec2.describe_subnets(SubnetIds=aws.subnets)["Subnets"]) == len(aws.subnets)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("ModifyVpcAttribute", "InvalidVpcID.NotFound"),
        ("AttachInternetGateway", "InvalidVpcID.NotFound"),
        ("ModifySubnetAttribute", "InvalidSubnetID.NotFound"),
        ("CreateNatGateway", "InvalidAllocationID.NotFound"),
        ("AssociateRouteTable", "InvalidRouteTableID.NotFound"),
        ("AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound"),
    ],
)
def test_what_was_made_a_moment_ago_need_not_be_known_everywhere(aws: Emulated, operation: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vpc, "PAUSE", 0)
    aws.control(faults=[{"service": "ec2", "action": f"^{operation}$", "code": code, "status": 400, "message": "does not exist", "count": 2}])
    assert aws.run(vpc, **options(aws))["changed"]
    aws.control()
    assert aws.run(vpc, environment=aws.name, name=aws.name, state="absent")["changed"]


def test_the_group_of_the_endpoints_gets_its_rule_where_a_run_was_cut_off_before_that(aws: Emulated) -> None:
    refused = {"service": "ec2", "action": "^AuthorizeSecurityGroupIngress$", "code": "UnauthorizedOperation", "status": 403, "message": "no", "count": 1}
    aws.control(faults=[refused])
    assert "ec2:AuthorizeSecurityGroupIngress" in aws.refusal(vpc, **options(aws))
    aws.run(vpc, **options(aws))
    (group,) = aws.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"{aws.name}-endpoints"]}])["SecurityGroups"]
    (rule,) = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
    assert rule["IpRanges"] == [{"CidrIp": "10.60.0.0/16", "Description": "the VPC"}]
