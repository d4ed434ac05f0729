"""The modules eks_access_entry and eks_pod_identity_association against the emulated AWS."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import eks_access_entry, eks_pod_identity_association
from emulated_aws import Emulated

VIEW, EDIT = (f"arn:aws:eks::aws:cluster-access-policy/AmazonEKS{name}Policy" for name in ("View", "Edit"))


@pytest.fixture
def cluster(aws: Emulated) -> Emulated:
    """Return the emulated AWS with a cluster."""
    aws.cluster()
    return aws


def entry(aws: Emulated, **more: Any) -> dict[str, Any]:
    """Return the options of an access entry."""
    return {"cluster_name": aws.name, "principal_arn": aws.roles["other"], **more}


def association(aws: Emulated, **more: Any) -> dict[str, Any]:
    """Return the options of a Pod Identity association."""
    return {"cluster_name": aws.name, "namespace": "polls", "service_account": "polls", "role_arn": aws.roles["pods.eks"], **more}


def live_policies(aws: Emulated) -> dict[str, Any]:
    """Return the policies of the entry as EKS has them."""
    found = aws.client("eks").list_associated_access_policies(clusterName=aws.name, principalArn=aws.roles["other"])
    return {one["policyArn"]: (one["accessScope"]["type"], one["accessScope"].get("namespaces") or []) for one in found["associatedAccessPolicies"]}


# --- Access entries --------------------------------------------------------------------------------------------------


def test_an_access_entry_is_made_once_with_its_policies(cluster: Emulated) -> None:
    policies = [{"policy": "AmazonEKSViewPolicy"}, {"policy": EDIT, "namespaces": ["polls", "jobs"]}]
    wanted = entry(cluster, kubernetes_groups=["developers", "admins"], policies=policies, tags={"a": "b"})
    found = cluster.beats(eks_access_entry, **wanted)["access_entry"]
    assert sorted(found["kubernetes_groups"]) == ["admins", "developers"]
    assert {one["policy_arn"] for one in found["policies"]} == {VIEW, EDIT}
    assert live_policies(cluster) == {VIEW: ("cluster", []), EDIT: ("namespace", ["jobs", "polls"])}
    assert found["tags"] == {"a": "b"}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"kubernetes_groups": ["a"]}, {"kubernetes_groups": ["b", "c"]}),
        ({"kubernetes_groups": ["a"]}, {"kubernetes_groups": []}),
        ({}, {"username": "somebody"}),
        ({"tags": {"a": "1"}}, {"tags": {"b": "2"}}),
        ({"policies": [{"policy": VIEW}]}, {"policies": [{"policy": EDIT}]}),
        ({"policies": [{"policy": VIEW}]}, {"policies": [{"policy": VIEW, "namespaces": ["polls"]}]}),
        ({"policies": [{"policy": VIEW, "namespaces": ["polls"]}]}, {"policies": [{"policy": VIEW, "namespaces": ["polls", "jobs"]}]}),
        ({"policies": [{"policy": VIEW}, {"policy": EDIT}]}, {"policies": []}),
    ],
    ids=lambda value: "-".join(value),
)
def test_what_an_entry_gives_is_changed_once(cluster: Emulated, first: dict[str, Any], then: dict[str, Any]) -> None:
    cluster.run(eks_access_entry, **entry(cluster, **first))
    cluster.beats(eks_access_entry, **entry(cluster, **then))


def test_policies_and_groups_that_are_left_out_are_left_as_they_are(cluster: Emulated) -> None:
    cluster.run(eks_access_entry, **entry(cluster, kubernetes_groups=["a"], policies=[{"policy": VIEW}]))
    answer = cluster.run(eks_access_entry, **entry(cluster))
    assert answer["changed"] is False
    assert answer["access_entry"]["kubernetes_groups"] == ["a"]
    assert set(live_policies(cluster)) == {VIEW}


def test_the_type_of_an_entry_is_not_changed(cluster: Emulated) -> None:
    cluster.run(eks_access_entry, **entry(cluster))
    message = cluster.refusal(eks_access_entry, **entry(cluster, type="EC2_LINUX"))
    assert "type cannot be changed: it is STANDARD, wanted is EC2_LINUX. Remove the entry (state: absent), then create it again." in message


def test_an_entry_of_nodes_is_made_without_groups(cluster: Emulated) -> None:
    found = cluster.beats(eks_access_entry, **entry(cluster, type="EC2_LINUX"))["access_entry"]
    assert found["type"] == "EC2_LINUX"


def test_a_principal_that_there_is_not_is_refused(cluster: Emulated) -> None:
    assert "invalid principal" in cluster.refusal(eks_access_entry, **entry(cluster, principal_arn="arn:aws:iam::123456789012:role/none"))


def test_a_session_is_no_principal(cluster: Emulated) -> None:
    message = cluster.refusal(eks_access_entry, **entry(cluster, principal_arn="arn:aws:sts::123456789012:assumed-role/admins/me"))
    assert "principal_arn is the ARN of a session. Use the ARN of the role itself" in message


def test_a_policy_that_there_is_not_is_refused(cluster: Emulated) -> None:
    message = cluster.refusal(eks_access_entry, **entry(cluster, policies=[{"policy": "Nope"}]))
    assert "AWS refuses eks:AssociateAccessPolicy (InvalidParameterException): The policyArn parameter format is not valid." in message


def test_an_entry_is_removed_once(cluster: Emulated) -> None:
    cluster.run(eks_access_entry, **entry(cluster))
    cluster.beats(eks_access_entry, **entry(cluster), state="absent")
    assert cluster.client("eks").list_access_entries(clusterName=cluster.name)["accessEntries"] == []


@pytest.mark.parametrize("module", [eks_access_entry, eks_pod_identity_association])
def test_before_there_is_a_cluster_check_mode_goes_on_and_a_run_names_it(aws: Emulated, module: Any) -> None:
    options = (entry if module is eks_access_entry else association)(aws)
    assert aws.run(module, check=True, **options)["changed"]
    assert f"there is no EKS cluster {aws.name} in this account and region." in aws.refusal(module, **options)
    assert aws.run(module, **options, state="absent")["changed"] is False


# --- Pod Identity ----------------------------------------------------------------------------------------------------


def test_an_association_is_made_once(cluster: Emulated) -> None:
    found = cluster.beats(eks_pod_identity_association, **association(cluster, tags={"a": "b"}))["association"]
    assert (found["namespace"], found["service_account"], found["role_arn"]) == ("polls", "polls", cluster.roles["pods.eks"])
    assert found["association_id"]
    assert found["tags"] == {"a": "b"}


@pytest.mark.parametrize(
    "then",
    [
        {"role_arn": "arn:aws:iam::123456789012:role/berth-other"},
        {"target_role_arn": "arn:aws:iam::210987654321:role/data"},
        {"disable_session_tags": True},
        {"tags": {"b": "2"}},
    ],
    ids="-".join,
)
def test_an_association_is_changed_once(cluster: Emulated, then: dict[str, Any]) -> None:
    cluster.run(eks_pod_identity_association, **association(cluster, tags={"a": "1"}))
    cluster.beats(eks_pod_identity_association, **association(cluster, **then))


def test_an_association_is_removed_once_and_others_stay(cluster: Emulated) -> None:
    cluster.run(eks_pod_identity_association, **association(cluster))
    cluster.run(eks_pod_identity_association, **association(cluster, service_account="other"))
    cluster.beats(eks_pod_identity_association, **association(cluster), state="absent")
    left = cluster.client("eks").list_pod_identity_associations(clusterName=cluster.name)["associations"]
    assert [one["serviceAccount"] for one in left] == ["other"]


def test_an_association_with_a_role_that_there_is_not_is_refused(cluster: Emulated) -> None:
    refusal = cluster.refusal(eks_pod_identity_association, **association(cluster, role_arn="arn:aws:iam::123456789012:role/none"))
    assert f"{cluster.name}/polls/polls" in refusal and "Role provided in the request does not exist" in refusal
