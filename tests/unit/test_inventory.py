"""Where an inventory sets a variable, and which of its files Ansible does not read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import ansible_fork
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.berth.platform.plugins.plugin_utils.inventory.locate import Inventory

HOSTS = "berth: {hosts: {dev: }}\n"
VAULT = "$ANSIBLE_VAULT;1.1;AES256\n3336\n"
PASSWORD = VaultSecret(b"secret")


def inventory(project: Path, files: dict[str, str | None], sources: tuple[str, ...] = ("inv",), password: bool = False) -> Inventory:
    """Return the inventory of the host dev, of the group berth, after writing ``files``; None makes a directory."""
    for name, text in {"inv/hosts.yml": HOSTS, **files}.items():
        path = project / name
        (path if text is None else path.parent).mkdir(parents=True, exist_ok=True)
        if text is not None:
            path.write_text(text, encoding="utf-8")
    loader = DataLoader()
    if password:
        loader.set_vault_secrets([("default", PASSWORD)])
    variables: dict[str, Any] = {
        "ansible_inventory_sources": [str(project / source) for source in sources],
        "playbook_dir": str(project / "playbooks"),
        "inventory_hostname": "dev",
        "groups": {"all": ["dev"], "berth": ["dev"], "ungrouped": []},
        "group_names": ["berth"],
    }
    return Inventory.of(variables, loader, project)


def encrypted(text: str) -> str:
    """Return ``text`` as ansible-vault writes it."""
    return VaultLib([("default", PASSWORD)]).encrypt(text.encode()).decode()


# --- Where a variable is set ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"inv/group_vars/all.yml": "a: 1\nx: 1\n"}, "inv/group_vars/all.yml:2"),
        ({"inv/group_vars/all/main.yml": "x: 1\n"}, "inv/group_vars/all/main.yml:1"),
        ({"inv/group_vars/all/main.yml": "x: 1\n", "inv/group_vars/all.yml": "x: 2\n"}, "inv/group_vars/all/main.yml:1"),
        ({"inv/group_vars/all.yml": "x: 1\n", "inv/group_vars/all.yaml": "x: 2\n"}, "inv/group_vars/all.yml:1"),
        ({"inv/group_vars/all.yml": "x: 1\n", "inv/group_vars/berth.yml": "x: 2\n"}, "inv/group_vars/berth.yml:1"),
        ({"inv/group_vars/berth.yml": "x: 1\n", "inv/host_vars/dev.yml": "\nx: 2\n"}, "inv/host_vars/dev.yml:2"),
        ({"inv/group_vars/all/a.yml": "x: 1\n", "inv/group_vars/all/b/c.yml": "x: 2\n"}, "inv/group_vars/all/b/c.yml:1"),
        ({"inv/group_vars/all/main.yml": "x: 1\n", "inv/group_vars/all/main.yml.bak": "x: 2\n"}, "inv/group_vars/all/main.yml:1"),
        ({"inv/hosts.yml": "berth:\n  hosts:\n    dev:\n      x: 1\n"}, "inv/hosts.yml:4"),
        ({"inv/hosts.yml": "", "inv/hosts.ini": "[berth]\ndev x=1\n"}, "inv/hosts.ini:2"),
        ({"playbooks/group_vars/all.yml": "x: 1\n", "inv/group_vars/all.yml": "x: 2\n"}, "playbooks/group_vars/all.yml:1"),
        ({"inv/group_vars/all/main.yml": "y: 1\n"}, ""),
    ],
)
def test_a_variable_is_found_in_the_file_whose_value_counts(tmp_path: Path, files: dict[str, str], place: str) -> None:
    assert inventory(tmp_path, files).locate("x") == place


@pytest.mark.parametrize(
    ("files", "home"),
    [
        ({"inv/group_vars/all/main.yml": "y: 1\n", "other/group_vars/all/main.yml": "y: 1\n"}, "other/group_vars/all/main.yml"),
        ({"inv/group_vars/all/main.yml": "y: 1\n", "other/hosts.yml": HOSTS}, "inv/group_vars/all/main.yml"),
        ({"other/hosts.yml": HOSTS}, "inv/group_vars/all/main.yml"),
    ],
)
def test_of_several_inventories_a_missing_variable_belongs_in_the_last_that_has_some(tmp_path: Path, files: dict[str, str], home: str) -> None:
    assert inventory(tmp_path, files, ("inv", "other")).where_set("x") == home


def test_a_variable_is_found_in_an_encrypted_file_where_its_password_was_given(tmp_path: Path) -> None:
    files = {"inv/group_vars/all/main.yml": "a: 1\n", "inv/group_vars/all/vault.yml": encrypted("vault_a: 1\nvault_x: 2\n")}
    assert inventory(tmp_path, files, password=True).locate("vault_x") == "inv/group_vars/all/vault.yml:2"
    assert inventory(tmp_path, files).locate("vault_x") == ""


@pytest.mark.parametrize(
    ("files", "home"),
    [
        ({}, "inv/group_vars/all/main.yml"),
        ({"inv/group_vars/all.yml": "a: 1\n"}, "inv/group_vars/all.yml"),
        ({"inv/group_vars/all.yaml": "a: 1\n"}, "inv/group_vars/all.yaml"),
        ({"inv/group_vars/berth.yml": "a: 1\n"}, "inv/group_vars/berth.yml"),
        ({"inv/group_vars/all/a.yml": "a: 1\n", "inv/group_vars/all/main.yml": "b: 1\n"}, "inv/group_vars/all/main.yml"),
        ({"inv/group_vars/all/settings.yml": "a: 1\n"}, "inv/group_vars/all/settings.yml"),
        ({"inv/group_vars/all/vault.yml": VAULT}, "inv/group_vars/all/main.yml"),
        ({"inv/group_vars/all/vault.yml": VAULT, "inv/group_vars/berth.yml": "a: 1\n"}, "inv/group_vars/berth.yml"),
        # Ansible no longer reads this one, so nothing belongs there.
        ({"inv/group_vars/all/vault.yml": VAULT, "inv/group_vars/all.yml": "a: 1\n"}, "inv/group_vars/all/main.yml"),
    ],
)
def test_a_variable_that_is_set_nowhere_belongs_in_a_file_that_ansible_reads(tmp_path: Path, files: dict[str, str], home: str) -> None:
    assert inventory(tmp_path, files).where_set("x") == home


@pytest.mark.parametrize(
    ("files", "way"),
    [
        ({"inv/group_vars/all/main.yml": "a: 1\n"}, "define it with: ansible-vault create inv/group_vars/all/vault.yml"),
        ({"inv/group_vars/all/vault.yml": VAULT}, "define it with: ansible-vault edit inv/group_vars/all/vault.yml"),
        ({"inv/group_vars/berth/secrets.yml": VAULT}, "define it with: ansible-vault edit inv/group_vars/berth/secrets.yml"),
        (
            {"inv/group_vars/all.yml": "a: 1\n"},
            "move inv/group_vars/all.yml to inv/group_vars/all/main.yml, then define it with: ansible-vault create inv/group_vars/all/vault.yml",
        ),
        ({"inv/group_vars/vault.yml": VAULT}, ""),  # to be moved first
    ],
)
def test_a_secret_that_is_missing_is_told_with_the_command_that_defines_it(tmp_path: Path, files: dict[str, str], way: str) -> None:
    assert inventory(tmp_path, files).vault() == way


# --- What Ansible does not read ---------------------------------------------------------------------------------------
X = "x: 1\n"
CERTAIN = [
    ({"inv/group_vars/vault.yml": VAULT}, "inv/group_vars/vault.yml", "for the group vault, which does not exist; move it to inv/group_vars/all/vault.yml"),
    (
        {"inv/group_vars/all.yml": X, "inv/group_vars/secrets": X},
        "inv/group_vars/secrets",
        "for the group secrets, which does not exist; move inv/group_vars/all.yml to inv/group_vars/all/main.yml, then move it to inv/group_vars/all/secrets",
    ),
    ({"inv/group_vars/vault/a.yml": X, "inv/group_vars/vault/b.yml": X}, "inv/group_vars/vault", "group vault"),
    ({"inv/group_vars/berht.yml": X}, "inv/group_vars/berht.yml", "for the group berht, which does not exist, did you mean berth?"),
    ({"inv/group_vars/dev.yml": X}, "inv/group_vars/dev.yml", "for the group dev"),
    ({"inv/group_vars/all.vars.yml": X}, "inv/group_vars/all.vars.yml", "for the group all.vars"),
    ({"inv/group_vars/all.d/a.yml": X}, "inv/group_vars/all.d", "for the group all.d"),
    ({"inv/host_vars/production.yml": X}, "inv/host_vars/production.yml", "for the host production, which does not exist; its name must be one of dev"),
    ({"inv/host_vars/devel.yml": X}, "inv/host_vars/devel.yml", "did you mean dev?"),
    (
        {"inv/group_vars/all.yml": X, "inv/group_vars/all/vault.yml": VAULT},
        "inv/group_vars/all.yml",
        "it reads inv/group_vars/all/ instead; move it to inv/group_vars/all/main.yml",
    ),
    (
        {"inv/group_vars/all.yml": X, "inv/group_vars/all/main.yml": X},
        "inv/group_vars/all.yml",
        "it reads inv/group_vars/all/ instead; move it to inv/group_vars/all/all.yml",
    ),
    ({"inv/group_vars/all.yml": X, "inv/group_vars/all": None}, "inv/group_vars/all.yml", "it reads inv/group_vars/all/ instead"),
    (
        {"inv/group_vars/berth.yml": X, "inv/group_vars/berth.yaml": X},
        "inv/group_vars/berth.yaml",
        "it reads inv/group_vars/berth.yml instead; move its content into inv/group_vars/berth.yml",
    ),
    ({"inv/group_vars/all.json": '{"x": 1}', "inv/group_vars/all": X}, "inv/group_vars/all.json", "it reads inv/group_vars/all instead"),
    ({"inv/host_vars/dev.yml": X, "inv/host_vars/dev/x.yml": X}, "inv/host_vars/dev.yml", "it reads inv/host_vars/dev/ instead"),
    ({"inv/group_vars/all.YML": X}, "inv/group_vars/all.YML", "its name does not end in .yml, .yaml, .json; rename it to all.yml"),
    (
        {"inv/group_vars/all/vars.d/a.yml": X},
        "inv/group_vars/all/vars.d/a.yml",
        "it ignores directories with a dot in their name; rename inv/group_vars/all/vars.d",
    ),
    ({"inv/vault.yml": "vault_x: 1\n"}, "inv/vault.yml", "variables belong in inv/group_vars; move it to inv/group_vars/all/vault.yml"),
    ({"inv/all.yml": "berth_app_name: x\n"}, "inv/all.yml", "move it to inv/group_vars/all/main.yml"),
]
UNCERTAIN = [
    ({"inv/group_vars/all.yaml.bak": X}, "inv/group_vars/all.yaml.bak", "its name does not end in .yml, .yaml, .json"),
    ({"inv/group_vars/all/vault.yml.plain": X}, "inv/group_vars/all/vault.yml.plain", "its name does not end in"),
    ({"inv/group_vars/all.yml~": X}, "inv/group_vars/all.yml~", "it ignores names that start with a dot or end with ~"),
    ({"inv/group_vars/all/.vault.yml": VAULT}, "inv/group_vars/all/.vault.yml", "names that start with a dot"),
    ({"inv/group_vars/.all.yml": X}, "inv/group_vars/.all.yml", "names that start with a dot"),
    ({"group_vars/all.yml": X}, "group_vars/all.yml", "it reads group_vars in inv and playbooks only; move it to inv/group_vars/all/main.yml"),
    ({"playbooks/group_vars/prod.yml": X}, "playbooks/group_vars/prod.yml", "for the group prod"),  # perhaps one of another inventory
]
NOTHING = [
    {"inv/group_vars/all.yml": X, "inv/group_vars/berth/a.yml": X, "inv/host_vars/dev.json": '{"x": 1}'},
    {"inv/group_vars/ungrouped.yml": X, "inv/host_vars/localhost.yml": X},
    {"inv/group_vars/all/without-a-suffix": X, "inv/group_vars/all/deep/er/a.yaml": X},
    {"inv/group_vars/README.md": "# How\n\nhere: and there\n", "inv/group_vars/README": "What lies here.\n", "inv/group_vars/.gitkeep": ""},
    {"inv/group_vars/empty.yml": "---\n# not yet\n", "inv/group_vars/nothing.yml": ""},
    {"inv/group_vars/all/.all.yml.swp": "b0VIM 9.0\0\0", "inv/group_vars/all/notes.txt": "call them\n"},
    {"inv/kubeconfig": "apiVersion: v1\n", "inv/cluster.json": '{"cluster": "x"}', "inv/group.cfg": "vault_x: 1\n"},
    {"other/group_vars/vault.yml": VAULT},
]


@pytest.mark.parametrize(("files", "path", "text"), CERTAIN)
def test_a_file_that_was_meant_to_set_variables_and_is_not_read_is_a_problem(tmp_path: Path, files: dict[str, str | None], path: str, text: str) -> None:
    (found,) = inventory(tmp_path, files).unread()
    assert (str(found.path.relative_to(tmp_path)), found.certain) == (path, True)
    assert text in found.text


@pytest.mark.parametrize(("files", "path", "text"), UNCERTAIN)
def test_a_file_that_may_have_been_put_away_is_no_more_than_a_warning(tmp_path: Path, files: dict[str, str | None], path: str, text: str) -> None:
    (found,) = inventory(tmp_path, files).unread()
    assert (str(found.path.relative_to(tmp_path)), found.certain) == (path, False)
    assert text in found.text


@pytest.mark.parametrize("files", NOTHING)
def test_what_ansible_reads_and_what_sets_no_variables_is_not_told(tmp_path: Path, files: dict[str, str | None]) -> None:
    assert inventory(tmp_path, files).unread() == []


def test_the_variables_of_such_a_file_are_known_by_name(tmp_path: Path) -> None:
    files = {"all.yml": "a: 1\nb: 2\n", "all/c.yml": "c: 3\n", "x/d.yml": "d: 4\n", "all.bak": "e: 5\n"}
    made = inventory(tmp_path, {f"inv/group_vars/{name}": text for name, text in files.items()})
    assert made.names_unread() == {"a", "b", "d"}


def test_a_link_that_leads_nowhere_is_told_and_an_editors_lock_is_not(tmp_path: Path) -> None:
    made = inventory(tmp_path, {"inv/group_vars": None})
    (tmp_path / "inv/group_vars/all.yml").symlink_to("../../shared.yml")
    (tmp_path / "inv/group_vars/.#all.yml").symlink_to("root@machine.1:2")
    (found,) = made.unread()
    assert found.certain and "it is a link to ../../shared.yml, which does not exist" in found.text


@pytest.mark.parametrize("source", ["inv/hosts.yml", "inv"])
def test_the_inventory_may_be_named_by_its_file_or_by_its_directory(tmp_path: Path, source: str) -> None:
    files = {"inv/group_vars/vault.yml": VAULT, "inv/vault.yml": "vault_x: 1\n"}
    found = inventory(tmp_path, files, (source,)).unread()
    assert [(one.path.name, one.certain) for one in found] == [("vault.yml", True), ("vault.yml", True)]


def test_group_vars_that_several_inventories_share_may_be_for_groups_of_the_others(tmp_path: Path) -> None:
    files = {"inv/staging.yml": HOSTS, "inv/group_vars/staging.yml": X}
    (found,) = inventory(tmp_path, files, ("inv/hosts.yml",)).unread()
    assert not found.certain


# --- Against Ansible itself -------------------------------------------------------------------------------------------
NAMES = ["all", "berth", "dev", "vault", ".all", "all.d", "all/main", "berth/deep/a", "berth/deep.d/a", "berth/.hidden"]
SUFFIXES = ["", ".yml", ".yaml", ".json", ".YML", ".yml.bak", ".yml~", ".txt"]


@pytest.fixture(scope="module")
def defaults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a configuration of Ansible's that leaves everything as it is, one for all runs."""
    path = tmp_path_factory.mktemp("defaults") / "ansible.cfg"
    path.touch()
    return path


@pytest.mark.parametrize("directory", ["group_vars", "host_vars"])
@pytest.mark.parametrize("order", [1, -1])
def test_what_is_told_as_unread_is_what_ansible_does_not_read(tmp_path: Path, defaults: Path, directory: str, order: int) -> None:
    names = [f"inv/{directory}/{name}{suffix}" for name in NAMES for suffix in SUFFIXES][::order]
    files: dict[str, str | None] = {}
    for number, name in enumerate(names):
        # A file cannot lie beneath another one.
        if not any(name.startswith(f"{other}/") or other.startswith(f"{name}/") for other in files):
            files[name] = f'{{"berth_x{number}": 1}}'
    told = {one.path for one in inventory(tmp_path, files).unread()}
    done = ansible_fork.run(["ansible-inventory", "-i", "inv", "--host", "dev"], cwd=tmp_path, env=os.environ | {"ANSIBLE_CONFIG": str(defaults)})
    assert done.returncode == 0, done.stderr
    read = set(json.loads(done.stdout))
    unread = {name for name, text in files.items() if set(json.loads(str(text))).isdisjoint(read)}
    assert {name for name in files if {tmp_path / name, *(tmp_path / name).parents} & told} == unread
