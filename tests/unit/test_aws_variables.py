"""What of an inventory for AWS is refused without asking AWS."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.machine import artifacts
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import aws as aws_variables
from module_run import plugin
from role_options import options

OPTIONS = options("preflight")
EMPTY = {"str": "", "list": [], "dict": {}, "bool": False, "int": 0, "path": ""}
GOOD = {
    "berth_app_name": "polls",
    "berth_aws_account": "123456789012",
    "berth_aws_region": "eu-central-1",
    "berth_aws_zones": ["eu-central-1a", "eu-central-1b"],
    "berth_eks_version": "1.35",
    "berth_eks_access": [{"principal": "arn:aws:iam::123456789012:role/deployer", "policy": "cluster-admin"}],
}


def known(name: str, **given: Any) -> Any:
    """Return a variable of a good inventory, ``given`` before that, or its default."""
    return (GOOD | given).get(name, OPTIONS[name].get("default", EMPTY[OPTIONS[name]["type"]]))


def problems(**given: Any) -> dict[tuple[str | int, ...], str]:
    """Return what is wrong with an inventory, by where."""
    return {problem.path: problem.text for problem in aws_variables.problems(lambda name: known(name, **given), "prod", set())}


def test_an_inventory_that_says_little_is_good() -> None:
    assert problems() == {}


@pytest.mark.parametrize(("machine", "refused"), [("x86_64", False), ("aarch64", True), ("arm64", True), ("riscv64", True)])
def test_nodes_of_eks_run_no_image_of_a_machine_of_another_kind(machine: str, refused: bool) -> None:
    said = artifacts.foreign(aws_variables.NODES, machine)
    assert bool(said) == refused
    assert not refused or said.startswith("nodes are amd64, and this machine makes images for ")


@pytest.mark.parametrize(("machine", "refused"), [("x86_64", False), ("aarch64", True)])
def test_preflight_refuses_a_machine_that_makes_images_of_another_kind(machine: str, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    preflight = plugin("action/preflight.py")
    monkeypatch.setattr(preflight.platform, "machine", lambda: machine)
    check = object.__new__(preflight.Check)
    check.inventory = SimpleNamespace(host="prod")
    monkeypatch.setattr(check, "get", known, raising=False)
    texts = {problem.path: problem.text for problem in check.eks_problems(set())}
    assert set(texts) == ({("berth_provider",)} if refused else set())
    assert not refused or texts["berth_provider",].endswith("run this on such a machine")


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({}, True),
        ({"berth_eks_addons": {"aws-ebs-csi-driver": ""}}, False),
        ({"berth_database_storage_class": "gp3"}, False),
        ({"berth_database": "rds"}, False),
        ({"berth_eks_compute": "auto"}, False),
    ],
)
def test_a_database_in_a_cluster_that_makes_no_volumes_is_refused(given: dict[str, Any], refused: bool) -> None:
    found = problems(**{"berth_eks_compute": "nodes"} | given)
    assert set(found) == ({("berth_database",)} if refused else set())
    assert not refused or 'add aws-ebs-csi-driver: "" to berth_eks_addons, or set this to rds' in found["berth_database",]
