"""The upgrade looks first, names what is in the way, asks, and goes one minor version at a time; nothing else upgrades by the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import eks_addon, eks_cluster, eks_node_group
from emulated_aws import Emulated, hold, play
from fake_api import Api, kubeconfig
from test_evictions import budget, pod

NAME = "polls-rehearsal"
RUNBOOK = "playbooks/ops/upgrade.yml"
OLD = "v0.8.0-eksbuild.2"


@pytest.fixture
def cluster(aws: Emulated) -> Iterator[None]:
    """Make a cluster of 1.34 with nodes and an add-on."""
    aws.run(eks_cluster, **aws.cluster_options(name=NAME, version="1.34", bootstrap_self_managed_addons=True))
    options = {"node_role_arn": aws.roles["ec2"], "subnet_ids": aws.subnets[:2], "instance_types": ["t3.large"]}
    aws.run(eks_node_group, cluster_name=NAME, name=NAME, **options)
    aws.run(eks_addon, cluster_name=NAME, name="metrics-server", version=OLD)
    yield
    aws.control()
    aws.run(eks_node_group, cluster_name=NAME, name=NAME, state="absent")
    aws.run(eks_cluster, name=NAME, state="absent")


Upgrade = Callable[..., str]


@pytest.fixture
def upgrade(aws: Emulated, cluster: None, api: Api, api_server: tuple[Api, Path], tmp_path: Path) -> Upgrade:
    """Return a function that runs the runbook on a machine that knows the cluster."""
    kubeconfig(tmp_path, api.url, **{"certificate-authority": str(api_server[1])})

    def run(version: str = "1.35", *arguments: str, good: bool = True, **variables: Any) -> str:
        wanted = {"berth_eks_version": version, "berth_eks_compute": "nodes", "berth_eks_addons": {"metrics-server": ""}} | variables
        return play(aws.instance, tmp_path, RUNBOOK, *arguments, good=good, **wanted)

    return run


def versions(aws: Emulated) -> tuple[str, str, str]:
    """Return the versions of the control plane, the nodes and the add-on."""
    eks = aws.client("eks")
    return (
        eks.describe_cluster(name=NAME)["cluster"]["version"],
        eks.describe_nodegroup(clusterName=NAME, nodegroupName=NAME)["nodegroup"]["version"],
        eks.describe_addon(clusterName=NAME, addonName="metrics-server")["addon"]["addonVersion"],
    )


def test_the_control_plane_goes_first_then_the_nodes_then_the_add_ons(aws: Emulated, upgrade: Upgrade) -> None:
    aws.control(addons={"1.35": {"metrics-server": ["v0.9.0-eksbuild.1"]}})
    printed = upgrade(ops_upgrade_confirm="1.35")
    plan = "the control plane from 1.34 to 1.35; then the nodes of polls-rehearsal to 1.35; then the add-on metrics-server to v0.9.0-eksbuild.1."
    assert plan in " ".join(printed.split())
    order = [printed.index(task) for task in ("Upgrade the control plane ", "Replace the nodes", "Upgrade add-ons")]
    assert order == sorted(order)
    assert versions(aws) == ("1.35", "1.35", "v0.9.0-eksbuild.1")
    assert "there is nothing to upgrade" in upgrade()


def test_check_mode_only_looks(aws: Emulated, upgrade: Upgrade) -> None:
    assert "To be upgraded: the control plane from 1.34 to 1.35" in upgrade("1.35", "--check")
    assert versions(aws) == ("1.34", "1.34", OLD)


@pytest.mark.parametrize("answer", ["yes", "1.34", ""])
def test_nothing_is_upgraded_unless_the_version_is_typed(aws: Emulated, upgrade: Upgrade, answer: str) -> None:
    printed = upgrade(good=False, ops_upgrade_confirm=answer)
    assert f'Nothing was changed: "{answer}" is not the version.' in printed
    assert versions(aws) == ("1.34", "1.34", OLD)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.36", 'EKS goes up one minor version at a time: set berth_eks_version to "1.35" first'),
        ("1.33", 'EKS does not go back to an earlier version: set berth_eks_version to "1.34"'),
    ],
)
def test_a_skipped_version_and_the_way_back_are_refused(aws: Emulated, upgrade: Upgrade, version: str, words: str) -> None:
    assert words in upgrade(version, good=False, ops_upgrade_confirm=version)
    assert versions(aws) == ("1.34", "1.34", OLD)


def test_all_that_is_in_the_way_is_named_before_anything_is_changed(aws: Emulated, upgrade: Upgrade, api: Api) -> None:
    insight = {"name": "Deprecated APIs removed in Kubernetes v1.35", "status": "ERROR", "reason": "Deprecated API usage detected", "recommendation": "Mend it"}
    aws.control(insights=[insight], addons={"1.35": {"metrics-server": ["v0.9.0-eksbuild.1"]}})
    hold(api, [budget(0)], [pod("a"), pod("by-hand", owners=[])])
    printed = upgrade(good=False, ops_upgrade_confirm="1.35", berth_eks_addons={"metrics-server": OLD})
    told = printed[printed.index("Fix these problems first:") :]
    assert "Deprecated APIs removed in Kubernetes v1.35. Deprecated API usage detected. Mend it." in told
    assert f"berth_eks_addons.metrics-server: {OLD} does not run with Kubernetes 1.35; set it to v0.9.0-eksbuild.1" in told
    assert "PodDisruptionBudget polls/polls (minAvailable 2) does not allow any eviction" in told
    assert "Check before the upgrade: Pod polls/by-hand is not managed by a Deployment" in " ".join(printed.split())
    assert versions(aws) == ("1.34", "1.34", OLD)


def test_with_auto_mode_a_budget_is_a_warning(aws: Emulated, upgrade: Upgrade, api: Api) -> None:
    hold(api, [budget(0)], [pod("a")])
    assert "Check before the upgrade: PodDisruptionBudget polls/polls" in " ".join(upgrade("1.35", "--check", berth_eks_compute="auto").split())


def test_nodes_that_are_not_replaced_name_what_blocks_them_and_the_next_run_goes_on(aws: Emulated, upgrade: Upgrade, api: Api) -> None:
    hold(api, [], [pod("a")])
    errors = [{"errorCode": "PodEvictionFailure", "errorMessage": "Reached max retries while trying to evict pods", "resourceIds": ["node-1"]}]
    # The control plane's update is of the same type, so it goes first.
    aws.run(eks_cluster, name=NAME, version="1.35")
    aws.control(outcomes={"update/VersionUpdate": {"status": "Failed", "errors": errors}})
    printed = " ".join(upgrade(good=False, ops_upgrade_confirm="1.35").split())
    assert "PodEvictionFailure: Reached max retries while trying to evict pods (node-1)" in printed
    assert "run the same command again: it continues with the nodes" in printed
    assert versions(aws) == ("1.35", "1.34", OLD)
    aws.control()
    assert "To be upgraded: the nodes of polls-rehearsal to 1.35." in " ".join(upgrade(ops_upgrade_confirm="1.35").split())
    assert versions(aws) == ("1.35", "1.35", OLD)


def test_the_phase_of_the_cluster_does_not_upgrade_by_the_way(aws: Emulated, upgrade: Upgrade, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").unlink()
    printed = play(aws.instance, tmp_path, "tests/aws/playbooks/begin.yml", good=False, berth_eks_version="1.35")
    assert "An upgrade from 1.34 to 1.35 cannot be undone" in printed
    assert "To see what blocks it, confirm it and run it: ansible-playbook playbooks/ops/upgrade.yml -i inventories/rehearsal" in printed
    assert versions(aws) == ("1.34", "1.34", OLD)
    printed = play(aws.instance, tmp_path, "playbooks/preflight.yml", good=False, berth_eks_version="1.35")
    assert "berth_eks_version: is 1.35, but the cluster runs 1.34" in printed and "(-e)" in printed


def test_a_cluster_that_is_not_eks_is_refused(aws: Emulated, tmp_path: Path) -> None:
    assert "is not an EKS cluster, and Berth determines its version" in play(aws.instance, tmp_path, RUNBOOK, good=False, berth_provider="kubeadm")
