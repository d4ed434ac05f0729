"""The module eks_addon against the emulated EKS."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import eks_addon
from emulated_aws import Emulated
from emulated_life import Life

OLD, NEW = "v1.12.0-eksbuild.1", "v1.12.4-eksbuild.1"


@pytest.fixture
def cluster(aws: Emulated) -> Emulated:
    """Return the emulated AWS with a cluster."""
    aws.cluster()
    return aws


def options(aws: Emulated, **more: Any) -> dict[str, Any]:
    """Return the options of an add-on."""
    return {"name": "coredns", "cluster_name": aws.name, "resolve_conflicts": "OVERWRITE", **more}


def make(aws: Emulated, **more: Any) -> dict[str, Any]:
    """Make an add-on and return it."""
    answer = aws.run(eks_addon, **options(aws, **more))
    assert answer.get("changed"), answer
    return answer["addon"]


def test_an_addon_is_made_once_and_as_wanted(cluster: Emulated) -> None:
    wanted = {"version": OLD, "configuration_values": {"replicaCount": 3}, "service_account_role_arn": cluster.roles["other"], "tags": {"a": "b"}}
    addon = cluster.beats(eks_addon, **options(cluster, **wanted))["addon"]
    assert (addon["status"], addon["addon_version"], addon["configuration_values"]) == ("ACTIVE", OLD, '{"replicaCount": 3}')
    assert addon["tags"] == {"a": "b"}


def test_an_addon_has_eks_own_version_where_none_is_said(cluster: Emulated) -> None:
    assert cluster.beats(eks_addon, **options(cluster))["addon"]["addon_version"] == NEW


@pytest.mark.parametrize(
    ("first", "then", "diff"),
    [
        ({"version": OLD}, {"version": NEW}, ({"version": OLD}, {"version": NEW})),
        ({"configuration_values": {"a": {"b": 1}}}, {"configuration_values": {"a": {"b": 2}}}, None),
        ({"configuration_values": {"a": 1}}, {"configuration_values": {}}, None),
        ({}, {"service_account_role_arn": "arn:aws:iam::123456789012:role/berth-other"}, None),
        ({"tags": {"a": "1"}}, {"tags": {"b": "2"}}, ({"tags": {"a": "1"}}, {"tags": {"b": "2"}})),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_aws_can_change_is_changed_once(cluster: Emulated, first: dict[str, Any], then: dict[str, Any], diff: tuple[Any, Any] | None) -> None:
    make(cluster, **first)
    answer = cluster.beats(eks_addon, **options(cluster, **{**first, **then}))
    if diff:
        assert (answer["diff"]["before"], answer["diff"]["after"]) == diff


def test_an_update_keeps_the_settings_that_it_does_not_name(cluster: Emulated) -> None:
    make(cluster, version=OLD, configuration_values={"replicaCount": 3}, service_account_role_arn=cluster.roles["other"])
    addon = cluster.run(eks_addon, **options(cluster, version=NEW))["addon"]
    assert addon["configuration_values"] == '{"replicaCount": 3}'
    assert addon["service_account_role_arn"] == cluster.roles["other"]


def test_the_order_of_keys_is_no_difference(cluster: Emulated) -> None:
    make(cluster, configuration_values={"a": 1, "b": 2})
    assert cluster.run(eks_addon, **options(cluster, configuration_values={"b": 2, "a": 1}))["changed"] is False


def test_a_degraded_addon_gets_a_grace_and_is_then_a_failure_with_its_reason(cluster: Emulated) -> None:
    issue = {"code": "InsufficientNumberOfReplicas", "message": "The add-on has not the desired number of replicas.", "resourceIds": []}
    cluster.control(outcomes={"addon/coredns": {"status": "DEGRADED", "issues": [issue]}})
    begun = time.monotonic()
    message = cluster.refusal(eks_addon, **options(cluster, degraded_grace=1))
    assert time.monotonic() - begun > 1
    assert message.startswith(f"EKS add-on {cluster.name}/coredns is DEGRADED: InsufficientNumberOfReplicas: The add-on has not")


def test_an_addon_that_recovers_within_its_grace_is_no_failure(cluster: Emulated) -> None:
    cluster.control(outcomes={"addon/coredns": {"status": "DEGRADED", "issues": []}})
    assert cluster.run(eks_addon, **options(cluster, wait=False))["addon"]["status"] == "DEGRADED"
    cluster.control()
    assert cluster.run(eks_addon, **options(cluster))["addon"]["status"] == "ACTIVE"


def test_an_addon_that_fails_is_reported_with_eks_reason_and_made_anew_by_the_next_run(cluster: Emulated) -> None:
    issue = {"code": "ConfigurationConflict", "message": "Conflicts found when trying to apply.", "resourceIds": []}
    cluster.control(outcomes={"addon/coredns": {"status": "CREATE_FAILED", "issues": [issue]}})
    assert "is CREATE_FAILED: ConfigurationConflict: Conflicts found when trying to apply." in cluster.refusal(eks_addon, **options(cluster))
    first = cluster.client("eks").describe_addon(clusterName=cluster.name, addonName="coredns")["addon"]["addonArn"]
    cluster.refusal(eks_addon, **options(cluster))
    assert cluster.client("eks").describe_addon(clusterName=cluster.name, addonName="coredns")["addon"]["addonArn"] != first


def test_an_update_that_fails_is_reported_with_eks_reason(cluster: Emulated) -> None:
    make(cluster, version=OLD)
    error = {"errorCode": "ConfigurationConflict", "errorMessage": "Conflicts found.", "resourceIds": []}
    cluster.control(outcomes={"update/AddonUpdate": {"status": "Failed", "errors": [error]}})
    assert "AddonUpdate is Failed: ConfigurationConflict: Conflicts found." in cluster.refusal(eks_addon, **options(cluster, version=NEW))


def test_a_failed_update_is_cleared_by_the_next_run_also_where_nothing_differs(cluster: Emulated) -> None:
    make(cluster)
    cluster.control(outcomes={"addon/coredns": {"status": "UPDATE_FAILED", "issues": []}})
    before = cluster.client("eks").list_updates(name=cluster.name)["updateIds"]
    assert cluster.run(eks_addon, **options(cluster, wait=False))["changed"]
    assert len(cluster.client("eks").list_updates(name=cluster.name)["updateIds"]) == len(before) + 1


def test_a_version_that_there_is_not_is_refused_with_those_that_there_are(cluster: Emulated) -> None:
    message = cluster.refusal(eks_addon, **options(cluster, version="v9.9.9-eksbuild.1"))
    assert "Addon version specified is not supported: coredns v9.9.9-eksbuild.1. Versions for Kubernetes 1.33: " in message
    assert NEW in message and OLD in message


def test_an_addon_that_there_is_not_is_refused(cluster: Emulated) -> None:
    assert "Addon no-such-addon specified is not supported" in cluster.refusal(eks_addon, **options(cluster, name="no-such-addon"))


def test_an_unknown_cluster_is_named(aws: Emulated) -> None:
    assert f"there is no EKS cluster {aws.name} in this account and region." in aws.refusal(eks_addon, **options(aws))


def test_check_mode_before_there_is_a_cluster_says_what_would_be_made(aws: Emulated) -> None:
    answer = aws.run(eks_addon, check=True, **options(aws, version=NEW))
    assert (answer["changed"], answer["addon"]["addon_arn"], answer["addon"]["addon_version"]) == (True, "", NEW)


def test_an_addon_is_deleted_once(cluster: Emulated) -> None:
    make(cluster)
    cluster.beats(eks_addon, name="coredns", cluster_name=cluster.name, state="absent")
    assert cluster.client("eks").list_addons(clusterName=cluster.name)["addons"] == []


def test_without_a_cluster_there_is_nothing_to_delete(aws: Emulated) -> None:
    assert aws.run(eks_addon, name="coredns", cluster_name=aws.name, state="absent")["changed"] is False


def test_the_network_of_an_environments_node_group_is_told_to_enforce_policies(life: Life) -> None:
    """docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html."""
    lines = map(json.loads, life.recording.read_text(encoding="utf-8").splitlines())
    asked = [line["parameters"] for line in lines if line["operation"] == "CreateAddon" and line["parameters"]["addonName"] == "vpc-cni"]
    assert [json.loads(parameters.get("configurationValues", "{}")) for parameters in asked] == [{"enableNetworkPolicy": "true"}]
