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


def test_in_a_clone_a_message_is_left_as_it_is() -> None:
    assert (ROOT / "site.yml").exists()
    assert typed(STATUS) == STATUS
