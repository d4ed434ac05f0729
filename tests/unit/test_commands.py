"""A message's commands can be typed as they are, in a clone and where Berth is installed without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.plugin_utils.commands import ROOT, typed

STATUS = "next: ansible-playbook playbooks/ops/status.yml -i inventories/dev"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (STATUS, "next: ansible-playbook berth.platform.ops.status -i inventories/dev"),
        ("playbooks/destroy.yml asks for it; playbooks/ops/logs.yml, too.", "berth.platform.destroy asks for it; berth.platform.ops.logs, too."),
        ("Then: ansible-playbook site.yml -i inventories/shop", "Then: ansible-playbook berth.platform.site -i inventories/shop"),
        ("There is no release. Run site.yml --tags app.", "There is no release. Run berth.platform.site --tags app."),
        ("(/srv/shop/site.yml:3), my-site.yml and ../site.yml", "(/srv/shop/site.yml:3), my-site.yml and ../site.yml"),
        ("/srv/shop/playbooks/ops/own.yml and my-playbooks/own.yml", "/srv/shop/playbooks/ops/own.yml and my-playbooks/own.yml"),
        ("nothing to type", "nothing to type"),
    ],
)
def test_without_a_clone_a_playbook_is_named_as_the_collections(tmp_path: Path, said: str, expected: str) -> None:
    assert typed(said, root=tmp_path / "wheel", here=tmp_path) == expected


def test_a_site_yml_of_ones_own_is_named_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "site.yml").touch()
    assert typed("ansible-playbook site.yml -i inventories/shop", root=tmp_path / "wheel", here=tmp_path) == "ansible-playbook site.yml -i inventories/shop"


def test_in_a_clone_a_message_is_left_as_it_is_and_beside_it_is_not(tmp_path: Path) -> None:
    assert (ROOT / "site.yml").exists()
    assert typed(STATUS, here=ROOT) == STATUS
    assert typed(STATUS, here=tmp_path) == "next: ansible-playbook berth.platform.ops.status -i inventories/dev"


def inventory(path: Path) -> str:
    """Make an inventory; return its path."""
    path.mkdir(parents=True)
    (path / "hosts.yml").touch()
    return str(path)


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ("inventories/dev", "dev", "inventories/dev"),
        ("ops/dev", "dev", "ops/dev"),
        ("ops/dev/hosts.yml", "dev", "ops/dev/hosts.yml"),
        ("ops/our cluster", "dev", "'ops/our cluster'"),  # the host in it is named dev
        ("../elsewhere/prod-eu", "prod-eu", "{parent}/elsewhere/prod-eu"),
        ("ops/dev", "other", "inventories/other"),  # which is there
        ("absent", "dev", "inventories/dev"),
    ],
)
def test_a_command_names_the_inventory_of_this_run(tmp_path: Path, given: str, environment: str, expected: str) -> None:
    here = tmp_path / "here"
    inventory(here / "inventories/other")
    path = (here / given).resolve()
    if given != "absent":
        inventory(path.parent if path.suffix else path)
    said = typed(f"ansible-playbook own.yml -i inventories/{environment}.", here=here, inventories=[str(path)])
    assert said == f"ansible-playbook own.yml -i {expected.format(parent=tmp_path)}."


def test_of_several_inventories_the_one_that_has_the_name_is_named(tmp_path: Path) -> None:
    given = [inventory(tmp_path / "a/shared"), inventory(tmp_path / "a/dev")]
    said = "ansible-playbook own.yml -i\n    inventories/dev, or -i inventories/prod"
    assert typed(said, here=tmp_path, inventories=given) == "ansible-playbook own.yml -i\n    a/dev, or -i inventories/prod"
