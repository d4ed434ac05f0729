"""A copied inventory is noticed before anything is changed: what still belongs to the environment that it was copied from is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.berth.platform.plugins.plugin_utils.project import environments

CACHE = "{{ inventory_dir | dirname | dirname }}/.cache/{{ inventory_hostname }}/kubeconfig"
DEV = {"berth_provider": "auto", "berth_kubeconfig": CACHE, "berth_namespace": "shop-dev", "berth_app_node_port": 30080}
EXISTING = {**DEV, "berth_provider": "existing", "berth_existing_kubeconfig": "/kube", "berth_existing_context": "kind"}


def template(value: Any, variables: Any) -> Any:
    return Templar(DataLoader(), variables=dict(variables)).template(value)


def inventory(place: Path, directory: str, host: str, variables: dict[str, Any]) -> environments.Environment:
    """Write an inventory, and return its environment."""
    main = place / "inventories" / directory / "group_vars" / "all" / "main.yml"
    main.parent.mkdir(parents=True)
    main.write_text(yaml.safe_dump(variables), encoding="utf-8")
    hosts = place / "inventories" / directory / "hosts.yml"
    hosts.write_text(yaml.safe_dump({"berth": {"hosts": {host: {"ansible_connection": "local"}}}}), encoding="utf-8")
    return environments.Environment(host, hosts.parent, f"inventories/{directory}")


def problems(place: Path, mine: environments.Environment, variables: dict[str, Any]) -> dict[str, str]:
    """Return what is said of an environment, by variable."""
    given = {name: environments.worked_out(template, value, mine.directory, mine.name) for name, value in variables.items()}
    provider = "kubeadm" if variables["berth_provider"] == "auto" else variables["berth_provider"]
    others = environments.beside(mine.directory.parent, mine.directory, place, template)
    return {problem.variable: problem.text for problem in environments.problems(mine, provider, given.get, others)}


COPIES = {
    "nothing changed": ("dev", {}, {"dev", "berth_namespace", "berth_app_node_port"}),
    "the host alone": ("shop", {}, {"berth_namespace", "berth_app_node_port"}),
    "the namespace left": ("shop", {"berth_app_node_port": 30081}, {"berth_namespace"}),
    "the port left": ("shop", {"berth_namespace": "other"}, {"berth_app_node_port"}),
    "no port of its own": ("shop", {"berth_namespace": "other", "berth_app_node_port": 0}, set()),
    "everything changed": ("shop", {"berth_namespace": "other", "berth_app_node_port": 30081}, set()),
    "another cluster": ("shop", {"berth_provider": "minikube"}, set()),
    "a context of another cluster": ("shop", EXISTING, set()),
}


@pytest.mark.parametrize("host, changed, named", COPIES.values(), ids=COPIES)
def test_what_a_copy_still_has_of_the_other_environment_is_named(tmp_path: Path, host: str, changed: dict[str, Any], named: set[str]) -> None:
    inventory(tmp_path, "dev", "dev", DEV)
    copy = inventory(tmp_path, "shop", host, {**DEV, **changed})
    said = problems(tmp_path, copy, {**DEV, **changed})
    assert set(said) == named
    assert all("inventories/dev" in text for text in said.values())


def test_a_kubeconfig_of_another_environment_is_named(tmp_path: Path) -> None:
    inventory(tmp_path, "dev", "dev", DEV)
    mine = {"berth_provider": "minikube", "berth_kubeconfig": str(tmp_path / ".cache" / "dev" / "kubeconfig")}
    said = problems(tmp_path, inventory(tmp_path, "shop", "shop", mine), mine)
    assert said == {"berth_kubeconfig": "is the kubeconfig of the environment dev (inventories/dev); name a path of this environment's own"}


def test_a_public_host_name_of_another_environment_is_named_wherever_its_cluster_is(tmp_path: Path) -> None:
    entry = {"berth_provider": "eks", "berth_entry": "loadbalancer", "berth_entry_host": "shop.example.com", "berth_namespace": "shop"}
    inventory(tmp_path, "prod", "prod", entry)
    said = problems(tmp_path, inventory(tmp_path, "stage", "stage", entry), entry)
    assert said == {"berth_entry_host": "shop.example.com is the host name of the environment prod (inventories/prod); choose another one"}


def test_two_contexts_of_one_cluster_are_one_place_and_others_are_not(tmp_path: Path) -> None:
    inventory(tmp_path, "one", "one", EXISTING)
    assert set(problems(tmp_path, inventory(tmp_path, "two", "two", EXISTING), EXISTING)) == {"berth_namespace", "berth_app_node_port"}
    elsewhere = {**EXISTING, "berth_existing_context": "k3s"}
    assert problems(tmp_path, inventory(tmp_path, "three", "three", elsewhere), elsewhere) == {}


@pytest.mark.parametrize("host", ["dev", "shop"])
def test_the_environment_that_was_copied_goes_on(tmp_path: Path, host: str) -> None:
    original = inventory(tmp_path, "dev", "dev", DEV)
    inventory(tmp_path, "shop", host, DEV)
    kubeconfig = tmp_path / ".cache" / "dev" / "kubeconfig"
    kubeconfig.parent.mkdir(parents=True)
    kubeconfig.touch()
    assert problems(tmp_path, original, DEV) == {}


def test_the_others_of_an_encrypted_or_broken_inventory_are_no_reason_to_fail(tmp_path: Path) -> None:
    mine = inventory(tmp_path, "shop", "shop", DEV)
    inventory(tmp_path, "prod", "prod", DEV)
    directory = tmp_path / "inventories" / "prod" / "group_vars" / "all"
    (directory / "vault.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n", encoding="utf-8")
    (directory / "broken.yml").write_text("a: [\n", encoding="utf-8")
    (directory / "tags.yml").write_text("password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nnever: !unsafe '{{ x }}'\n", encoding="utf-8")
    assert set(problems(tmp_path, mine, DEV)) == {"berth_namespace", "berth_app_node_port"}


def test_what_cannot_be_worked_out_of_another_inventory_is_left_out(tmp_path: Path) -> None:
    inventory(tmp_path, "dev", "dev", {**DEV, "berth_namespace": "{{ nobody_knows }}"})
    assert set(problems(tmp_path, inventory(tmp_path, "shop", "shop", DEV), DEV)) == {"berth_app_node_port"}


def test_a_template_of_another_inventory_is_worked_out_as_that_inventorys() -> None:
    assert environments.worked_out(template, CACHE, Path("/srv/inventories/dev"), "dev") == "/srv/.cache/dev/kubeconfig"
    with pytest.raises(AnsibleError):
        template(environments.trust_as_template("{{ nobody_knows }}"), {})


HOSTS = {
    "a group at the top": ("berth:\n  hosts:\n    dev: {a: 1}\n    two:\n", ["dev", "two"]),
    "a child of all": ("all:\n  children:\n    berth:\n      hosts: {dev: }\n    web: {hosts: {other: }}\n", ["dev"]),
    "INI": ("[berth]\ndev ansible_connection=local\n# none\n[web]\nother\n", ["dev"]),
    "a plugin that asks somebody else": ("plugin: amazon.aws.aws_ec2\nregions: [eu-central-1]\n", []),
    "a script": ("#!/bin/sh\nexit 1\n", []),
}


@pytest.mark.parametrize("text, found", HOSTS.values(), ids=HOSTS)
def test_the_environments_of_another_inventory_are_read_without_running_anything(tmp_path: Path, text: str, found: list[str]) -> None:
    (tmp_path / "hosts").write_text(text, encoding="utf-8")
    assert environments.hosts(tmp_path / "hosts") == found
