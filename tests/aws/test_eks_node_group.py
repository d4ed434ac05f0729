"""The module eks_node_group against the emulated EKS."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import eks_cluster, eks_node_group
from emulated_aws import Emulated

TAINT = {"key": "dedicated", "value": "web", "effect": "NO_SCHEDULE"}


@pytest.fixture
def cluster(aws: Emulated) -> Emulated:
    """Return the emulated AWS with a cluster that has a network."""
    aws.cluster(bootstrap_self_managed_addons=True)
    return aws


def options(aws: Emulated, **more: Any) -> dict[str, Any]:
    """Return the options of a node group."""
    scaling = {"min_size": 2, "max_size": 4}
    return {"name": "general", "cluster_name": aws.name, "node_role_arn": aws.roles["ec2"], "subnet_ids": aws.subnets[:2], "scaling": scaling, **more}


def make(aws: Emulated, **more: Any) -> dict[str, Any]:
    """Make a node group and return it."""
    answer = aws.run(eks_node_group, **options(aws, **more))
    assert answer.get("changed"), answer
    return answer["node_group"]


# --- Creation --------------------------------------------------------------------------------------------------------


def test_a_node_group_is_made_once_and_as_wanted(cluster: Emulated) -> None:
    group = cluster.beats(
        eks_node_group,
        **options(
            cluster,
            ami_type="AL2023_ARM_64_STANDARD",
            instance_types=["m7g.large", "m6g.large"],
            capacity_type="SPOT",
            disk_size=40,
            scaling={"min_size": 1, "max_size": 5, "desired_size": 3},
            update_config={"max_unavailable_percentage": 33},
            labels={"role": "web", "number": 1},
            taints=[TAINT],
            tags={"environment": "dev"},
        ),
    )["node_group"]
    assert group["status"] == "ACTIVE"
    assert group["ami_type"] == "AL2023_ARM_64_STANDARD"
    assert group["instance_types"] == ["m7g.large", "m6g.large"]
    assert group["scaling_config"] == {"min_size": 1, "max_size": 5, "desired_size": 3}
    assert group["labels"] == {"role": "web", "number": "1"}
    assert group["taints"] == [TAINT]
    assert group["tags"] == {"environment": "dev"}


def test_a_node_group_has_amazon_linux_2023_and_begins_with_the_fewest_nodes_where_nothing_is_said(cluster: Emulated) -> None:
    group = cluster.beats(eks_node_group, **options(cluster))["node_group"]
    assert group["ami_type"] == "AL2023_x86_64_STANDARD"
    assert group["scaling_config"]["desired_size"] == 2


def test_a_node_group_with_a_launch_template_follows_its_version(cluster: Emulated) -> None:
    ec2 = cluster.client("ec2")
    data = {"MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}}
    identifier = ec2.create_launch_template(LaunchTemplateName=cluster.name, LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_launch_template_version(LaunchTemplateId=identifier, LaunchTemplateData=data, SourceVersion="1")
    group = cluster.beats(eks_node_group, **options(cluster, launch_template={"id": identifier, "version": "1"}))["node_group"]
    assert group["launch_template"]["version"] == "1"
    group = cluster.beats(eks_node_group, **options(cluster, launch_template={"id": identifier, "version": "2"}))["node_group"]
    assert group["launch_template"]["version"] == "2"


def test_check_mode_before_there_is_a_cluster_says_what_would_be_made(aws: Emulated) -> None:
    answer = aws.run(eks_node_group, check=True, **options(aws))
    assert (answer["changed"], answer["node_group"]["nodegroup_arn"], answer["node_group"]["status"]) == (True, "", "ABSENT")


def test_node_groups_can_be_begun_side_by_side(cluster: Emulated) -> None:
    cluster.control(seconds={"eks": 2})
    for name in ("one", "two"):
        assert cluster.run(eks_node_group, **options(cluster, name=name, wait=False))["node_group"]["status"] == "CREATING"
    for name in ("one", "two"):
        assert cluster.run(eks_node_group, **options(cluster, name=name))["node_group"]["status"] == "ACTIVE"


def test_a_node_group_that_fails_is_reported_with_eks_reason_and_made_anew_by_the_next_run(cluster: Emulated) -> None:
    issue = {"code": "NodeCreationFailure", "message": "Instances failed to join the kubernetes cluster", "resourceIds": ["i-0a", "i-0b"]}
    cluster.control(outcomes={"nodegroup/general": {"status": "CREATE_FAILED", "issues": [issue]}})
    expected = f"EKS node group {cluster.name}/general is CREATE_FAILED: NodeCreationFailure: Instances failed to join the kubernetes cluster (i-0a, i-0b)."
    assert cluster.refusal(eks_node_group, **options(cluster)) == expected
    first = cluster.client("eks").describe_nodegroup(clusterName=cluster.name, nodegroupName="general")["nodegroup"]
    assert cluster.refusal(eks_node_group, **options(cluster)) == expected
    second = cluster.client("eks").describe_nodegroup(clusterName=cluster.name, nodegroupName="general")["nodegroup"]
    assert second["nodegroupArn"] != first["nodegroupArn"]
    cluster.control()
    assert cluster.run(eks_node_group, **options(cluster))["node_group"]["status"] == "ACTIVE"


def test_a_degraded_node_group_is_a_failure_with_its_reason(cluster: Emulated) -> None:
    make(cluster)
    issue = {"code": "AsgInstanceLaunchFailures", "message": "Could not launch Spot Instances.", "resourceIds": []}
    cluster.control(outcomes={"nodegroup/general": {"status": "DEGRADED", "issues": [issue]}})
    assert "is DEGRADED: AsgInstanceLaunchFailures: Could not launch Spot Instances." in cluster.refusal(eks_node_group, **options(cluster))


# --- Updates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ({}, {"scaling": {"min_size": 1, "max_size": 6, "desired_size": 4}}, {"scaling_config": {"min_size": 1, "max_size": 6, "desired_size": 4}}),
        ({}, {"scaling": {"min_size": 3, "max_size": 6}}, {"scaling_config": {"min_size": 3, "max_size": 6, "desired_size": 3}}),
        ({}, {"update_config": {"max_unavailable": 2}}, {"update_config": {"max_unavailable": 2}}),
        (
            {"update_config": {"max_unavailable": 2}},
            {"update_config": {"max_unavailable_percentage": 50}},
            {"update_config": {"max_unavailable_percentage": 50}},
        ),
        ({"labels": {"a": "1", "b": "2"}}, {"labels": {"a": "2", "c": "3"}}, {"labels": {"a": "2", "c": "3"}}),
        ({"labels": {"a": "1"}}, {"labels": {}}, {"labels": {}}),
        ({}, {"taints": [TAINT]}, {"taints": [TAINT]}),
        ({"taints": [TAINT]}, {"taints": [{**TAINT, "value": "db"}]}, {"taints": [{**TAINT, "value": "db"}]}),
        ({"taints": [TAINT]}, {"taints": [{**TAINT, "effect": "NO_EXECUTE"}]}, {"taints": [{**TAINT, "effect": "NO_EXECUTE"}]}),
        ({"taints": [TAINT]}, {"taints": []}, {"taints": []}),
        ({"tags": {"a": "1"}}, {"tags": {"b": "2"}}, {"tags": {"b": "2"}}),
        ({"release_version": "1.33.0-20260901"}, {"release_version": "1.33.0-20261001"}, {"release_version": "1.33.0-20261001"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_aws_can_change_is_changed_once(cluster: Emulated, first: dict[str, Any], then: dict[str, Any], expected: dict[str, Any]) -> None:
    make(cluster, **first)
    group = cluster.beats(eks_node_group, **options(cluster, **{**first, **then}))["node_group"]
    assert {name: group[name] for name in expected} == expected


def test_nodes_are_upgraded_after_the_control_plane(cluster: Emulated) -> None:
    make(cluster)
    cluster.run(eks_cluster, name=cluster.name, version="1.34")
    cluster.control(seconds={"eks": 0.3})
    answer = cluster.beats(eks_node_group, name="general", cluster_name=cluster.name, version="1.34")
    assert answer["node_group"]["version"] == "1.34"
    assert answer["diff"] == {"before": {"version": "1.33"}, "after": {"version": "1.34"}}


def test_nodes_are_not_upgraded_before_the_control_plane(cluster: Emulated) -> None:
    make(cluster)
    assert "should be equal to or less than the cluster's" in cluster.refusal(eks_node_group, name="general", cluster_name=cluster.name, version="1.34")


def test_an_autoscalers_choice_is_let_be(cluster: Emulated) -> None:
    make(cluster)
    eks = cluster.client("eks")
    eks.update_nodegroup_config(clusterName=cluster.name, nodegroupName="general", scalingConfig={"desiredSize": 4})
    assert cluster.run(eks_node_group, **options(cluster))["changed"] is False


def test_an_upgrade_that_a_disruption_budget_holds_up_says_which_pod(cluster: Emulated) -> None:
    make(cluster)
    error = {"errorCode": "PodEvictionFailure", "errorMessage": "Reached max retries while trying to evict pods from nodes", "resourceIds": ["ip-10-0-1-7"]}
    cluster.control(outcomes={"update/VersionUpdate": {"status": "Failed", "errors": [error]}})
    message = cluster.refusal(eks_node_group, **options(cluster, release_version="1.33.0-20261101.1"))
    assert "VersionUpdate is Failed: PodEvictionFailure: Reached max retries while trying to evict pods from nodes (ip-10-0-1-7)." in message
    assert "force_update" in message


def test_many_changes_are_made_in_one_run(cluster: Emulated) -> None:
    make(cluster)
    cluster.control(seconds={"eks": 0.3})
    changes = {"labels": {"a": "b"}, "scaling": {"min_size": 1, "max_size": 3}, "release_version": "1.33.0-20261102", "tags": {"c": "d"}}
    answer = cluster.beats(eks_node_group, **options(cluster, **changes))
    assert set(answer["diff"]["after"]) == set(changes)


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"ami_type": "BOTTLEROCKET_x86_64"}, "ami_type cannot be changed: it is AL2023_x86_64_STANDARD, wanted is BOTTLEROCKET_x86_64."),
        ({"instance_types": ["m7i.xlarge"]}, "instance_types cannot be changed: it is m7i.large, wanted is m7i.xlarge."),
        ({"capacity_type": "SPOT"}, "capacity_type cannot be changed: it is ON_DEMAND, wanted is SPOT."),
        ({"disk_size": 80}, "disk_size cannot be changed: it is 40, wanted is 80."),
        ({"subnet_ids": ["subnet-0a"]}, "subnet_ids cannot be changed: it is subnet-"),
        ({"node_role_arn": "arn:aws:iam::123456789012:role/berth-other"}, "node_role_arn cannot be changed: it is arn:aws:iam::123456789012:role/berth-ec2"),
        ({"launch_template": {"name": "other"}, "disk_size": None}, "launch_template cannot be changed: it is nothing, wanted is "),
        ({"version": "1.32"}, "version is 1.33, and EKS cannot downgrade nodes to 1.32."),
        ({"scaling": {"min_size": 3, "max_size": 2}}, "scaling contradicts itself: min_size 3, desired_size -, max_size 2."),
        ({"launch_template": {"name": "other", "version": "$Latest"}, "disk_size": None}, "launch_template.version must be a number"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_in_words_and_changes_nothing(cluster: Emulated, wanted: dict[str, Any], message: str) -> None:
    first = {"instance_types": ["m7i.large"], "disk_size": 40}
    make(cluster, **first)
    key = {"clusterName": cluster.name, "nodegroupName": "general"}
    before = cluster.client("eks").describe_nodegroup(**key)["nodegroup"]
    given = {name: value for name, value in options(cluster, **{**first, **wanted}, labels={"a": "b"}).items() if value is not None}
    for check in (True, False):
        answer = cluster.run(eks_node_group, check=check, **given)
        assert answer["failed"]
        assert answer["msg"].startswith(f"EKS node group {cluster.name}/general in eu-central-1: {message}"), answer["msg"]
    assert cluster.client("eks").describe_nodegroup(**key)["nodegroup"] == before


def test_an_unknown_cluster_is_named(aws: Emulated) -> None:
    refused = f"there is no EKS cluster {aws.name} in this account and region. Create it first, or correct its name or the region."
    assert aws.refusal(eks_node_group, **options(aws)) == f"EKS node group {aws.name}/general in eu-central-1: {refused}"


def test_a_new_node_group_says_what_it_needs(cluster: Emulated) -> None:
    assert "a new node group needs node_role_arn and subnet_ids." in cluster.refusal(eks_node_group, name="general", cluster_name=cluster.name)


def test_an_instance_type_that_there_is_not_is_named(cluster: Emulated) -> None:
    assert "zz.huge" in cluster.refusal(eks_node_group, **options(cluster, instance_types=["zz.huge"]))


def test_a_role_that_there_is_not_is_named(cluster: Emulated) -> None:
    role = "arn:aws:iam::123456789012:role/none"
    assert role in cluster.refusal(eks_node_group, **options(cluster, node_role_arn=role))


# --- Deletion --------------------------------------------------------------------------------------------------------


def test_a_node_group_is_deleted_once(cluster: Emulated) -> None:
    make(cluster)
    cluster.control(seconds={"eks": 1})
    cluster.beats(eks_node_group, name="general", cluster_name=cluster.name, state="absent")
    assert cluster.client("eks").list_nodegroups(clusterName=cluster.name)["nodegroups"] == []


def test_a_deletion_can_be_begun_and_waited_for_later(cluster: Emulated) -> None:
    make(cluster)
    cluster.control(seconds={"eks": 16})
    key = {"name": "general", "cluster_name": cluster.name, "state": "absent"}
    assert cluster.run(eks_node_group, **key, wait=False)["changed"]
    assert cluster.client("eks").list_nodegroups(clusterName=cluster.name)["nodegroups"] == ["general"]
    assert not cluster.run(eks_node_group, **key)["changed"]
    assert cluster.client("eks").list_nodegroups(clusterName=cluster.name)["nodegroups"] == []


def test_without_a_cluster_there_is_nothing_to_delete(aws: Emulated) -> None:
    assert aws.run(eks_node_group, name="general", cluster_name=aws.name, state="absent")["changed"] is False


def test_nodes_of_a_cluster_without_a_network_never_become_ready(aws: Emulated) -> None:
    aws.cluster()
    assert "NodeCreationFailure: Unhealthy nodes in the kubernetes cluster" in aws.refusal(eks_node_group, **options(aws))
