"""The module eks_cluster against the emulated EKS."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from ansible_collections.berth.platform.plugins.modules import eks_cluster
from emulated_aws import KEY, Emulated

AUTO = {"auto_mode": True, "auto_mode_node_role_arn": "arn:aws:iam::123456789012:role/berth-ec2"}


# --- Creation --------------------------------------------------------------------------------------------------------


def test_a_cluster_is_made_once_and_as_wanted(aws: Emulated) -> None:
    options = aws.cluster_options(
        endpoint_public_access=True,
        public_access_cidrs=["203.0.113.0/24"],
        logging=["api", "audit"],
        kms_key_arn=f"{KEY}a",
        service_ipv4_cidr="10.100.0.0/16",
        deletion_protection=True,
        zonal_shift=True,
        tags={"environment": "dev", "number": 1},
    )
    cluster = aws.beats(eks_cluster, **options)["cluster"]
    assert cluster["status"] == "ACTIVE"
    assert cluster["endpoint"].startswith("https://")
    assert cluster["certificate_authority"]["data"]
    assert cluster["resources_vpc_config"]["public_access_cidrs"] == ["203.0.113.0/24"]
    assert cluster["tags"] == {"environment": "dev", "number": "1"}


def test_a_cluster_is_closed_and_without_an_administrator_where_nothing_is_said(aws: Emulated) -> None:
    cluster = aws.beats(eks_cluster, **aws.cluster_options())["cluster"]
    assert cluster["resources_vpc_config"]["endpoint_public_access"] is False
    assert cluster["resources_vpc_config"]["endpoint_private_access"] is True
    assert cluster["access_config"]["authentication_mode"] == "API"
    assert cluster["upgrade_policy"] == {"support_type": "STANDARD"}
    assert aws.client("eks").list_access_entries(clusterName=aws.name)["accessEntries"] == []


def test_auto_mode_is_made_in_one_go(aws: Emulated) -> None:
    cluster = aws.beats(eks_cluster, **aws.cluster_options(**AUTO))["cluster"]
    assert cluster["compute_config"] == {"enabled": True, "node_pools": ["general-purpose", "system"], "node_role_arn": aws.roles["ec2"]}
    assert cluster["kubernetes_network_config"]["elastic_load_balancing"] == {"enabled": True}
    assert cluster["storage_config"] == {"block_storage": {"enabled": True}}


def test_check_mode_leaves_an_empty_account_empty_and_answers_with_what_a_role_reads(aws: Emulated) -> None:
    answer = aws.run(eks_cluster, check=True, **aws.cluster_options())
    assert answer["cluster"]["identity"]["oidc"]["issuer"] == ""
    assert answer["cluster"]["certificate_authority"]["data"] == ""
    assert answer["cluster"]["version"] == "1.33"
    assert aws.name not in aws.client("eks").list_clusters()["clusters"]


def test_a_cluster_can_be_begun_and_waited_for_later(aws: Emulated) -> None:
    aws.control(seconds={"eks": 3})
    answer = aws.run(eks_cluster, **aws.cluster_options(wait=False))
    assert (answer["cluster"]["status"], answer["cluster"]["endpoint"], answer["cluster"]["certificate_authority"]) == ("CREATING", "", {"data": ""})
    waited = aws.run(eks_cluster, **aws.cluster_options())
    assert (waited["changed"], waited["cluster"]["status"]) == (False, "ACTIVE")


def test_progress_is_told_while_waiting(aws: Emulated, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_PROGRESS", str(tmp_path / "progress"))
    aws.control(seconds={"eks": 3})
    aws.cluster()
    assert (tmp_path / "progress").read_text().splitlines() == [f"EKS cluster {aws.name}: CREATING", f"EKS cluster {aws.name}: ACTIVE"]


def test_a_cluster_that_fails_is_reported_with_eks_reason_and_made_anew_by_the_next_run(aws: Emulated) -> None:
    issue = {"code": "Ec2SubnetNotFound", "message": "The subnet was deleted.", "resourceIds": [aws.subnets[0]]}
    aws.control(outcomes={f"cluster/{aws.name}": {"status": "FAILED", "issues": [issue]}})
    message = aws.refusal(eks_cluster, **aws.cluster_options())
    assert message == f"EKS cluster {aws.name} is FAILED: Ec2SubnetNotFound: The subnet was deleted ({aws.subnets[0]})."
    aws.control(outcomes={f"cluster/{aws.name}": {"status": "FAILED", "issues": [issue]}}, seconds={"eks": 0.3})
    assert aws.run(eks_cluster, **aws.cluster_options(wait=False))["cluster"]["status"] == "CREATING"
    aws.control()
    assert aws.run(eks_cluster, **aws.cluster_options())["cluster"]["status"] == "ACTIVE"


def test_a_failed_cluster_is_not_cleared_away_by_a_task_that_could_not_make_another(aws: Emulated) -> None:
    issue = {"code": "AccessDenied", "message": "The role is not what it was.", "resourceIds": []}
    aws.control(outcomes={f"cluster/{aws.name}": {"status": "FAILED", "issues": [issue]}})
    aws.run(eks_cluster, **aws.cluster_options(wait=False))
    assert aws.refusal(eks_cluster, name=aws.name) == f"EKS cluster {aws.name} is FAILED: AccessDenied: The role is not what it was."
    assert aws.client("eks").describe_cluster(name=aws.name)["cluster"]["status"] == "FAILED"


def test_a_wait_that_is_too_short_says_so(aws: Emulated) -> None:
    aws.control(seconds={"eks": 30})
    message = aws.refusal(eks_cluster, **aws.cluster_options(wait_timeout=1))
    assert message.startswith(f"EKS cluster {aws.name} is still CREATING after 1 s (wait_timeout).")


# --- Updates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then", "diff"),
    [
        ({}, {"version": "1.34"}, ({"version": "1.33"}, {"version": "1.34"})),
        ({"authentication_mode": "CONFIG_MAP"}, {"authentication_mode": "API_AND_CONFIG_MAP"}, None),
        ({"authentication_mode": "API_AND_CONFIG_MAP"}, {"authentication_mode": "API"}, None),
        ({}, {"endpoint_public_access": True, "public_access_cidrs": ["203.0.113.0/24"]}, None),
        ({"endpoint_public_access": True, "public_access_cidrs": ["203.0.113.0/24"]}, {"public_access_cidrs": ["198.51.100.0/24", "203.0.113.0/24"]}, None),
        ({"endpoint_public_access": True, "public_access_cidrs": ["203.0.113.0/24"]}, {"endpoint_public_access": False}, None),
        ({}, {"endpoint_public_access": True, "public_to_world": True}, None),
        ({}, {"logging": ["audit", "api"]}, ({"logging": []}, {"logging": ["api", "audit"]})),
        ({"logging": ["api", "audit"]}, {"logging": []}, None),
        ({}, {"kms_key_arn": f"{KEY}a"}, ({"kms_key_arn": ""}, {"kms_key_arn": f"{KEY}a"})),
        ({}, {"upgrade_policy": "EXTENDED"}, None),
        ({}, {"deletion_protection": True}, None),
        ({"deletion_protection": True}, {"deletion_protection": False}, None),
        ({}, {"zonal_shift": True}, None),
        ({}, AUTO, None),
        ({}, {"auto_mode": True, "auto_mode_node_pools": []}, None),
        (AUTO, {"auto_mode": False}, None),
        (AUTO, {"auto_mode_node_pools": ["system"]}, None),
        ({"tags": {"a": "1", "b": "2"}}, {"tags": {"a": "2", "c": "3"}}, ({"tags": {"a": "1", "b": "2"}}, {"tags": {"a": "2", "c": "3"}})),
        ({"tags": {"a": "1"}}, {"tags": {"b": "2"}, "purge_tags": False}, ({"tags": {"a": "1"}}, {"tags": {"a": "1", "b": "2"}})),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_aws_can_change_is_changed_once(aws: Emulated, first: dict[str, Any], then: dict[str, Any], diff: tuple[Any, Any] | None) -> None:
    aws.cluster(**first)
    answer = aws.beats(eks_cluster, **aws.cluster_options(**{**first, **then}))
    assert answer["cluster"]["status"] == "ACTIVE"
    if diff:
        assert (answer["diff"]["before"], answer["diff"]["after"]) == diff


def test_subnets_and_security_groups_are_changed(aws: Emulated) -> None:
    aws.cluster()
    group = aws.client("ec2").create_security_group(GroupName=aws.name, Description="of a try", VpcId=aws.vpc)["GroupId"]
    more = aws.client("ec2").create_subnet(VpcId=aws.vpc, CidrBlock="10.90.200.0/24", AvailabilityZone="eu-central-1a")["Subnet"]["SubnetId"]
    wanted = [*aws.subnets[:2], more]
    cluster = aws.beats(eks_cluster, **aws.cluster_options(subnet_ids=wanted, security_group_ids=[group]))["cluster"]
    assert sorted(cluster["resources_vpc_config"]["subnet_ids"]) == sorted(wanted)
    assert cluster["resources_vpc_config"]["security_group_ids"] == [group]


def test_many_changes_are_made_one_after_another_in_one_run(aws: Emulated) -> None:
    aws.cluster()
    aws.control(seconds={"eks": 0.3})
    changes = {"version": "1.34", "logging": ["api"], "deletion_protection": True, "upgrade_policy": "EXTENDED", "tags": {"a": "b"}}
    answer = aws.beats(eks_cluster, **aws.cluster_options(**changes))
    assert answer["cluster"]["version"] == "1.34"
    assert set(answer["diff"]["after"]) == set(changes)


def test_an_option_that_is_left_out_is_left_as_it_is(aws: Emulated) -> None:
    aws.cluster(logging=["api"], deletion_protection=True, tags={"a": "b"}, upgrade_policy="EXTENDED")
    answer = aws.run(eks_cluster, name=aws.name)
    assert answer["changed"] is False
    assert answer["cluster"]["deletion_protection"] is True


def test_an_update_that_fails_is_reported_with_eks_reason(aws: Emulated) -> None:
    aws.cluster()
    error = {"errorCode": "InsufficientFreeAddresses", "errorMessage": "One or more subnets has no free addresses.", "resourceIds": [aws.subnets[0]]}
    aws.control(outcomes={"update/VersionUpdate": {"status": "Failed", "errors": [error]}})
    message = aws.refusal(eks_cluster, **aws.cluster_options(version="1.34"))
    assert message == (
        f"EKS cluster {aws.name}: VersionUpdate is Failed: InsufficientFreeAddresses: One or more subnets has no free addresses ({aws.subnets[0]})."
    )


def test_an_update_waits_for_the_one_that_somebody_else_began(aws: Emulated) -> None:
    aws.cluster()
    aws.control(seconds={"eks": 0.5})
    aws.client("eks").update_cluster_config(name=aws.name, deletionProtection=True)
    assert aws.run(eks_cluster, name=aws.name, version="1.34")["cluster"]["version"] == "1.34"


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"version": "1.35"}, "version is 1.33, and EKS goes up one minor version at a time. Set version to 1.34 first"),
        ({"version": "1.32"}, "version is 1.33, and EKS does not go back to 1.32. Leave version at 1.33 or above"),
        ({"version": "stable"}, "stable is not an EKS version"),
        ({"authentication_mode": "CONFIG_MAP"}, "authentication_mode is API, and EKS does not go back to CONFIG_MAP"),
        ({"role_arn": "arn:aws:iam::123456789012:role/berth-other"}, "role_arn cannot be changed: it is arn:aws:iam::123456789012:role/berth-eks, wanted"),
        ({"service_ipv4_cidr": "10.99.0.0/16"}, "service_ipv4_cidr cannot be changed: it is 172.20.0.0/16, wanted is 10.99.0.0/16. Create a cluster with"),
        ({"ip_family": "ipv6"}, "ip_family cannot be changed: it is ipv4, wanted is ipv6."),
        ({"kms_key_arn": f"{KEY}b"}, f"kms_key_arn cannot be changed: it is {KEY}a, wanted is {KEY}b."),
        ({"kms_key_arn": ""}, f"kms_key_arn cannot be changed: it is {KEY}a, wanted is nothing."),
        ({"auto_mode_node_role_arn": "arn:aws:iam::123456789012:role/berth-other"}, "auto_mode_node_role_arn cannot be changed: it is arn:aws:iam"),
        ({"endpoint_public_access": True}, "the public endpoint would be open to the whole internet (0.0.0.0/0)."),
        ({"endpoint_public_access": True, "public_access_cidrs": ["::/0"]}, "the public endpoint would be open to the whole internet (::/0)."),
        ({"endpoint_public_access": True, "public_access_cidrs": ["203.0.113.7/24"]}, "public_access_cidrs: 203.0.113.7/24 has host bits set."),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_in_words_and_changes_nothing(aws: Emulated, wanted: dict[str, Any], message: str) -> None:
    aws.cluster(kms_key_arn=f"{KEY}a", **AUTO)
    before = aws.client("eks").describe_cluster(name=aws.name)["cluster"]
    options = {"name": aws.name, **wanted, "tags": {"changed": "yes"}}
    for check in (True, False):
        answer = aws.run(eks_cluster, check=check, **options)
        assert answer["failed"]
        assert answer["msg"].startswith(f"EKS cluster {aws.name} in eu-central-1: {message}"), answer["msg"]
    assert aws.client("eks").describe_cluster(name=aws.name)["cluster"] == before


def test_auto_mode_is_not_turned_on_without_what_it_needs(aws: Emulated) -> None:
    aws.cluster()
    assert "Auto Mode's node pools need auto_mode_node_role_arn" in aws.refusal(eks_cluster, name=aws.name, auto_mode=True)


def test_the_way_from_the_config_map_to_access_entries_goes_in_two_steps(aws: Emulated) -> None:
    aws.cluster(authentication_mode="CONFIG_MAP")
    assert "Set API_AND_CONFIG_MAP first" in aws.refusal(eks_cluster, name=aws.name, authentication_mode="API")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"version": "1.20"}, "AWS refuses eks:CreateCluster (InvalidParameterException): unsupported Kubernetes version."),
        ({"role_arn": "arn:aws:iam::123456789012:role/none"}, "Role with arn: arn:aws:iam::123456789012:role/none, could not be assumed"),
        ({"subnet_ids": ["subnet-0123456789abcdef0"]}, "subnet-0123456789abcdef0"),
        ({"role_arn": None}, "a new cluster needs role_arn."),
        ({"subnet_ids": None, "role_arn": None}, "a new cluster needs role_arn and subnet_ids."),
        ({"auto_mode": True}, "Auto Mode's node pools need auto_mode_node_role_arn"),
        ({"auto_mode": True, "authentication_mode": "CONFIG_MAP"}, "Auto Mode needs access entries: set authentication_mode to API."),
        ({"endpoint_public_access": True}, "the public endpoint would be open to the whole internet"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_cluster_that_cannot_be_made_is_refused_in_words(aws: Emulated, wanted: dict[str, Any], message: str) -> None:
    options = {name: value for name, value in aws.cluster_options(**wanted).items() if value is not None}
    assert message in aws.refusal(eks_cluster, **options)
    assert aws.name not in aws.client("eks").list_clusters()["clusters"]


def test_one_zone_is_refused(aws: Emulated) -> None:
    assert "at least two different AZs" in aws.refusal(eks_cluster, **aws.cluster_options(subnet_ids=aws.subnets[:1]))


# --- Deletion --------------------------------------------------------------------------------------------------------


def test_a_cluster_is_deleted_once(aws: Emulated) -> None:
    aws.cluster()
    aws.control(seconds={"eks": 0.3})
    aws.beats(eks_cluster, name=aws.name, state="absent")
    assert aws.name not in aws.client("eks").list_clusters()["clusters"]


@pytest.fixture
def own_role(aws: Emulated) -> str:
    """Return the ARN of a role like that of all nodes, which no other test's cluster holds in a profile."""
    iam, shared = aws.client("iam"), aws.roles["ec2"].rsplit("/", 1)[-1]
    trust = iam.get_role(RoleName=shared)["Role"]["AssumeRolePolicyDocument"]
    arn: str = iam.create_role(RoleName=f"{aws.name}-node", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    for policy in iam.list_attached_role_policies(RoleName=shared)["AttachedPolicies"]:
        iam.attach_role_policy(RoleName=f"{aws.name}-node", PolicyArn=policy["PolicyArn"])
    return arn


def test_a_cluster_is_gone_when_its_instance_profile_has_let_go_of_the_nodes_role(aws: Emulated, own_role: str) -> None:
    """DeleteCluster ends before that, and a role that a profile holds cannot be deleted."""
    role = own_role
    aws.cluster(auto_mode=True, auto_mode_node_role_arn=role)
    aws.control(seconds={"profile": 2})
    assert aws.run(eks_cluster, name=aws.name, state="absent", auto_mode_node_role_arn=role)["changed"]
    assert aws.client("iam").list_instance_profiles_for_role(RoleName=role.rsplit("/", 1)[-1])["InstanceProfiles"] == []
    aws.control()
    assert not aws.run(eks_cluster, name=aws.name, state="absent", auto_mode_node_role_arn=f"{role}-gone")["changed"]


def test_a_profile_that_stays_is_not_waited_for_without_end(aws: Emulated, own_role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What removes the role takes it out of the profile, then."""
    role = own_role
    aws.cluster(auto_mode=True, auto_mode_node_role_arn=role)
    aws.control(seconds={"profile": 600})
    monkeypatch.setattr(eks_cluster, "LETTING_GO", 0.2)
    assert aws.run(eks_cluster, name=aws.name, state="absent", auto_mode_node_role_arn=role)["changed"]
    iam = aws.client("iam")
    for profile in iam.list_instance_profiles_for_role(RoleName=role.rsplit("/", 1)[-1])["InstanceProfiles"]:
        iam.remove_role_from_instance_profile(InstanceProfileName=profile["InstanceProfileName"], RoleName=role.rsplit("/", 1)[-1])


def test_a_deletion_can_be_begun_and_waited_for_later(aws: Emulated) -> None:
    aws.cluster()
    aws.control(seconds={"eks": 4})
    assert aws.run(eks_cluster, name=aws.name, state="absent", wait=False)["changed"]
    assert aws.client("eks").describe_cluster(name=aws.name)["cluster"]["status"] == "DELETING"
    assert not aws.run(eks_cluster, name=aws.name, state="absent")["changed"]
    assert aws.name not in aws.client("eks").list_clusters()["clusters"]


def test_a_cluster_that_is_being_deleted_is_made_anew_when_it_is_gone(aws: Emulated) -> None:
    aws.cluster()
    aws.control(seconds={"eks": 0.5})
    aws.run(eks_cluster, name=aws.name, state="absent", wait=False)
    assert aws.run(eks_cluster, **aws.cluster_options())["cluster"]["status"] == "ACTIVE"


def test_a_cluster_that_is_still_being_made_is_deleted_when_it_can_be(aws: Emulated) -> None:
    aws.control(seconds={"eks": 0.5})
    aws.run(eks_cluster, **aws.cluster_options(wait=False))
    assert aws.run(eks_cluster, name=aws.name, state="absent")["changed"]
    assert aws.name not in aws.client("eks").list_clusters()["clusters"]


def test_a_protected_cluster_is_not_deleted_and_the_message_says_how_to_lift_that(aws: Emulated) -> None:
    aws.cluster(deletion_protection=True)
    for check in (True, False):
        answer = aws.run(eks_cluster, check=check, name=aws.name, state="absent")
        assert answer["msg"] == (
            f"EKS cluster {aws.name} in eu-central-1: deletion protection is on. "
            "To delete the cluster, set deletion_protection to false with state: present first."
        )


def test_a_cluster_with_nodes_is_not_deleted_and_the_message_names_them(aws: Emulated) -> None:
    aws.cluster()
    aws.client("eks").create_nodegroup(clusterName=aws.name, nodegroupName="general", nodeRole=aws.roles["ec2"], subnets=aws.subnets)
    assert "it still has node groups: general. Delete them first." in aws.refusal(eks_cluster, name=aws.name, state="absent")


# --- Trouble between us and AWS --------------------------------------------------------------------------------------


def test_throttling_is_waited_out(aws: Emulated) -> None:
    aws.control(faults=[{"service": "eks", "action": ".", "code": "ThrottlingException", "status": 429, "count": 2}])
    assert aws.run(eks_cluster, **aws.cluster_options())["cluster"]["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"code": "ExpiredTokenException", "status": 403}, "the AWS credentials have expired (ExpiredTokenException). Log in again"),
        ({"code": "UnrecognizedClientException", "status": 403}, "AWS does not accept the credentials (UnrecognizedClientException"),
        ({"code": "AccessDeniedException", "status": 403, "message": "User: x is not authorized to perform: eks:Foo"}, "the permission eks:Foo is missing"),
        ({"code": "AccessDeniedException", "status": 403}, "the permission eks:DescribeCluster is missing"),
        ({"code": "ResourceLimitExceededException", "status": 400}, "a quota of the account is used up"),
    ],
    ids=lambda value: value.get("code") if isinstance(value, dict) else "",
)
def test_a_refusal_of_aws_is_one_message_that_says_what_to_do(aws: Emulated, fault: dict[str, Any], message: str) -> None:
    aws.control(faults=[{"service": "eks", "action": ".", "count": 1, **fault}])
    assert aws.refusal(eks_cluster, **aws.cluster_options()).startswith(f"EKS cluster {aws.name} in eu-central-1: {message}")


def test_somebody_without_permission_is_told_which_one_is_missing(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName=aws.name)
    key = iam.create_access_key(UserName=aws.name)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    assert "the permission eks:DescribeCluster is missing" in aws.refusal(eks_cluster, **aws.cluster_options())


def test_a_wrong_key_is_not_accepted(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    assert "AWS does not accept the credentials" in aws.refusal(eks_cluster, **aws.cluster_options())


# What EKS says of a role until all of AWS knows it, with its policies: resourceClusterCreate in
# github.com/hashicorp/terraform-provider-aws, internal/service/eks/cluster.go
SETTLING = [
    "roleArn, {role}, does not exist",
    "Error in role params",
    "Role with arn: {role}, could not be assumed because it does not exist or the trusted entity is not correct",
    "The provided role doesn't have the Amazon EKS Managed Policies associated with it. Please ensure the following policy is attached: "
    "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy",
    "IAM role's policy must include the `ec2:DescribeSubnets` action",
]


def test_a_role_that_iam_has_only_just_made_is_waited_for_whatever_eks_says_meanwhile(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    said = [message.format(role=aws.roles["eks"]) for message in SETTLING]
    fault = {"service": "eks", "action": "^POST /clusters$", "code": "InvalidParameterException", "status": 400, "count": 1}
    aws.control(faults=[{**fault, "message": message} for message in said])
    monkeypatch.setattr("ansible_collections.berth.platform.plugins.module_utils.aws.session.PATIENCE", 60.0)
    monkeypatch.setattr("ansible_collections.berth.platform.plugins.module_utils.aws.session.PAUSE", 0.0)
    assert aws.run(eks_cluster, **aws.cluster_options())["cluster"]["status"] == "ACTIVE"


def test_an_update_that_eks_still_believes_to_go_on_is_tried_again(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.cluster()
    message = f"Cluster {aws.name} currently has update in progress"
    aws.control(faults=[{"service": "eks", "action": "/update-config$", "code": "ResourceInUseException", "status": 409, "message": message, "count": 1}])
    monkeypatch.setattr("ansible_collections.berth.platform.plugins.module_utils.aws.session.PATIENCE", 10.0)
    assert aws.run(eks_cluster, name=aws.name, zonal_shift=True)["changed"]


def test_what_was_begun_before_a_lost_connection_is_gone_on_with(aws: Emulated) -> None:
    boto3.client("eks").create_cluster(
        name=aws.name,
        version="1.33",
        roleArn=aws.roles["eks"],
        resourcesVpcConfig={"subnetIds": aws.subnets[:2], "endpointPrivateAccess": True, "endpointPublicAccess": False},
        accessConfig={"authenticationMode": "API"},
    )
    answer = aws.run(eks_cluster, **aws.cluster_options(upgrade_policy="STANDARD", tags={"a": "b"}))
    assert answer["changed"]
    assert set(answer["diff"]["after"]) == {"upgrade_policy", "tags"}
