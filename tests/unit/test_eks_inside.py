"""What Berth makes within a cluster of EKS: without it network policies do nothing, and no volume is made."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible_fork
import pytest
import yaml
from fake_api import Api, kubeconfig, running

ROOT = Path(__file__).resolve().parents[2]
CONFIGMAP = "/api/v1/namespaces/kube-system/configmaps/amazon-vpc-cni"
Inside = Callable[..., str]


class Applying(Api):
    """An API server that makes of a ConfigMap what is applied to it."""

    def reply(self, method: str, path: str, body: str) -> tuple[int, Any]:
        """Return status and content of the answer to a request."""
        status, content = super().reply(method, path, body)
        if method == "PATCH":
            content = {**content, "data": {**content["data"], **yaml.safe_load(body)["data"]}}
        return status, content


@pytest.fixture
def inside(tmp_path: Path) -> Inside:
    """Return a function that foretells what is made, with the given variables, and returns what is printed."""
    tasks = [{"name": "Foretell", "ansible.builtin.include_role": {"name": "eks", "tasks_from": "inside"}}]
    play = [{"name": "Foretell", "hosts": "berth", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    host = {"ansible_connection": "berth.platform.forked", "ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts.yml").write_text(json.dumps({"berth": {"hosts": {"prod": host}}}), encoding="utf-8")
    settings = {"ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_PIPELINING": "true"}

    def run(**variables: Any) -> str:
        given = {"berth_app_name": "polls", "berth_kubeconfig": str(tmp_path / "nowhere")} | variables
        command = ["ansible-playbook", "play.yml", "-i", "hosts.yml", "--check", "--diff", "-e", json.dumps(given)]
        answer = ansible_fork.run(command, cwd=tmp_path, env=os.environ | settings)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    return run


def test_auto_mode_is_told_to_enforce_network_policies(inside: Inside) -> None:
    printed = inside()
    assert "+++ after: ConfigMap amazon-vpc-cni" in printed
    assert "enable-network-policy-controller: 'true'" in printed


def test_nodes_are_told_by_their_addon(inside: Inside) -> None:
    assert "ConfigMap" not in inside(berth_eks_compute="nodes")


def test_the_configmap_of_nodes_that_were_there_before_is_taken_over(inside: Inside, tmp_path: Path) -> None:
    live = {"kind": "ConfigMap", "metadata": {"name": "amazon-vpc-cni", "labels": {"app.kubernetes.io/managed-by": "Helm"}}, "data": {}}
    with running(Applying()) as api:
        api.answers[CONFIGMAP] = 200, live
        printed = inside(berth_kubeconfig=kubeconfig(tmp_path, api.url))
    assert "+  enable-network-policy-controller: 'true'" in printed
    assert all("dryRun=All" in path for method, path, *_ in api.seen if method == "PATCH")


@pytest.mark.parametrize(
    ("variables", "made"),
    [
        ({}, "provisioner: ebs.csi.eks.amazonaws.com"),
        ({"berth_eks_compute": "nodes", "berth_eks_addons": {"aws-ebs-csi-driver": ""}}, "provisioner: ebs.csi.aws.com"),
        ({"berth_eks_compute": "nodes"}, ""),
    ],
    ids=["Auto Mode", "nodes with the driver", "nodes without it"],
)
def test_volumes_have_a_class_where_something_makes_them(variables: dict[str, Any], made: str, inside: Inside) -> None:
    printed = inside(**variables)
    assert ("+++ after: StorageClass" in printed) == bool(made)
    assert made in printed
    assert "is-default-class" not in printed
