"""The modules eks_info and eks_upgrade_insights_info against the emulated EKS."""

from __future__ import annotations

from ansible_collections.berth.platform.plugins.modules import (
    eks_access_entry,
    eks_addon,
    eks_info,
    eks_node_group,
    eks_pod_identity_association,
    eks_upgrade_insights_info,
)
from emulated_aws import Emulated


def test_a_cluster_that_there_is_not_has_nothing(aws: Emulated) -> None:
    answer = aws.run(eks_info, name=aws.name)
    empty = {"cluster": {}, "node_groups": [], "addons": [], "access_entries": [], "pod_identity_associations": []}
    assert {name: answer[name] for name in empty} == empty
    assert (answer["exists"], answer["changed"]) == (False, False)


def test_everything_of_a_cluster_is_read_in_one_go(aws: Emulated) -> None:
    aws.cluster(tags={"CamelCase": "kept"}, bootstrap_self_managed_addons=True)
    key = {"cluster_name": aws.name}
    aws.run(eks_node_group, **key, name="general", node_role_arn=aws.roles["ec2"], subnet_ids=aws.subnets, labels={"myLabel": "x"})
    for name in ("coredns", "vpc-cni"):
        aws.run(eks_addon, **key, name=name)
    aws.run(eks_access_entry, **key, principal_arn=aws.roles["other"], policies=[{"policy": "AmazonEKSViewPolicy"}])
    aws.run(eks_pod_identity_association, **key, namespace="polls", service_account="polls", role_arn=aws.roles["pods.eks"])
    answer = aws.run(eks_info, name=aws.name)
    assert answer["exists"]
    assert answer["cluster"]["tags"] == {"CamelCase": "kept"}
    assert answer["node_groups"][0]["labels"] == {"myLabel": "x"}
    assert [one["addon_name"] for one in answer["addons"]] == ["coredns", "vpc-cni"]
    entry = next(one for one in answer["access_entries"] if one["principal_arn"] == aws.roles["other"])
    assert [one["policy_arn"].rsplit("/")[-1] for one in entry["policies"]] == ["AmazonEKSViewPolicy"]
    assert [one["service_account"] for one in answer["pod_identity_associations"]] == ["polls"]


def test_a_cluster_with_nothing_in_the_way_has_no_blockers(aws: Emulated) -> None:
    aws.cluster()
    aws.run(eks_addon, cluster_name=aws.name, name="coredns")
    answer = aws.run(eks_upgrade_insights_info, name=aws.name)
    assert (answer["current"], answer["version"], answer["blockers"], answer["warnings_found"]) == ("1.33", "1.34", [], [])
    assert answer["addons"][0]["compatible"]
    assert answer["addons"][0]["default_version"] == answer["addons"][0]["version"]
    assert [one["insight_status"]["status"] for one in answer["insights"]] == ["PASSING"]


def test_what_is_in_the_way_is_said_with_what_to_do(aws: Emulated) -> None:
    aws.cluster()
    resource = {"insightStatus": {"status": "ERROR", "reason": ""}, "kubernetesResourceUri": "/apis/batch/v1beta1/cronjobs/clearsessions"}
    aws.control(
        insights=[
            {
                "name": "Deprecated APIs removed in Kubernetes v1.34",
                "status": "ERROR",
                "reason": "Deprecated API usage detected.",
                "recommendation": "Update the manifests.",
                "resources": [resource],
            },
            {"name": "kube-proxy version skew", "status": "WARNING", "reason": "kube-proxy is two versions behind."},
        ]
    )
    answer = aws.run(eks_upgrade_insights_info, name=aws.name)
    assert answer["blockers"] == [
        "Deprecated APIs removed in Kubernetes v1.34. Deprecated API usage detected. Update the manifests (/apis/batch/v1beta1/cronjobs/clearsessions)."
    ]
    assert answer["warnings_found"] == ["kube-proxy version skew. kube-proxy is two versions behind."]


def test_another_version_than_the_next_is_refused(aws: Emulated) -> None:
    aws.cluster()
    assert "check 1.34 first, not 1.36" in aws.refusal(eks_upgrade_insights_info, name=aws.name, version="1.36")


def test_an_upgrade_of_no_cluster_is_refused(aws: Emulated) -> None:
    assert "there is no such cluster in this region and account" in aws.refusal(eks_upgrade_insights_info, name=aws.name)
