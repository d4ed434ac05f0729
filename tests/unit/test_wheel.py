"""The wheel: what a directory that is no clone of this repository runs Berth from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

PROJECT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections/berth/platform/"
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
INCLUDED = SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
REQUIRED = SETTINGS["project"]["dependencies"]
# Paths from a playbook's or a role's directory to another file of the collection, and those that the clone alone would have.
UPWARD = re.compile(r"(?:playbook_dir|role_path)(?: \| dirname)* (?:~ '|\}\}/?)?(/?(?:\.\./)+[\w./-]+)|(?:playbook_dir|role_path) \}\}/((?:\.\./)+[\w./-]+)")


def has(path: str) -> bool:
    """Whether the wheel has a file or directory of the project."""
    return any(path == source or path.startswith(f"{source}/") for source in INCLUDED)


def sources() -> list[Path]:
    """Return the roles' and playbooks' own YAML files."""
    return sorted(path for place in ("roles", "playbooks") for path in (PROJECT / place).rglob("*.yml"))


def test_the_wheel_holds_the_collection_where_ansible_looks_for_it() -> None:
    start = {"scripts/berth.pth": "berth.pth", "scripts/berth_start.py": "berth_start.py"}
    assert {source: start.get(source, COLLECTION + source) for source in INCLUDED} == INCLUDED
    assert [source for source in INCLUDED if not (PROJECT / source).exists()] == []


@pytest.mark.parametrize("path", ["plugins", "roles", "playbooks", "meta/runtime.yml", "ansible.cfg", "galaxy.yml", "docs/installed.md", "LICENSE"])
def test_the_wheel_has_what_a_run_reads(path: str) -> None:
    assert (PROJECT / path).exists() and has(path)


@pytest.mark.parametrize("path", ["tests", "molecule", "bench", ".git", ".venv", ".cache", "app", "inventories", "Dockerfile", "scripts/test"])
def test_the_wheel_has_nothing_of_the_clone_alone(path: str) -> None:
    assert not has(path) and not any(source.startswith(f"{path}/") for source in INCLUDED)


def test_every_file_outside_of_it_that_a_role_or_playbook_names_is_in_the_wheel() -> None:
    named = {}
    for path in sources():
        base = PROJECT.joinpath(*path.relative_to(PROJECT).parts[:2]) if path.is_relative_to(PROJECT / "roles") else path.parent
        for found in UPWARD.finditer(path.read_text(encoding="utf-8")):
            target = (base / (found[1] or found[2]).lstrip("/")).resolve()
            named[f"{path.relative_to(PROJECT)}: {target.relative_to(PROJECT)}"] = target
    assert any("scripts/eks-token" in name for name in named)  # it finds what there is
    assert [name for name, target in named.items() if not target.exists() or not has(str(target.relative_to(PROJECT)))] == []


def test_no_role_or_playbook_looks_for_berths_own_files_beside_the_inventory() -> None:
    own = re.compile(r"inventory_dir ~ '[./]*/(scripts|roles|plugins|playbooks)\b")
    assert [str(path) for path in sources() if own.search(path.read_text(encoding="utf-8"))] == []


def test_the_version_has_one_place() -> None:
    version = SETTINGS["tool"]["hatch"]["version"]
    assert "version" not in SETTINGS["project"] and SETTINGS["project"]["dynamic"] == ["version"] and version["path"] == "galaxy.yml"
    text = (PROJECT / "galaxy.yml").read_text(encoding="utf-8")
    assert re.findall(version["pattern"], text, flags=re.MULTILINE) == [yaml.safe_load(text)["version"]]


def test_the_wheel_starts_as_the_clones_environment_does() -> None:
    start = (PROJECT / "scripts" / "berth.pth").read_text(encoding="utf-8")
    assert repr(start).replace("'", '"') in (PROJECT / "scripts" / "make_venv.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("requirement", REQUIRED)
def test_the_wheel_asks_for_versions_that_the_tests_run_with(requirement: str) -> None:
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    pinned = re.search(rf"^{wanted.name}==(\S+)", (PROJECT / "requirements.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert pinned and wanted.specifier.contains(pinned[1])


@pytest.mark.parametrize("clone", [True, False], ids=["clone", "wheel"])
def test_a_new_inventory_goes_into_the_clone_or_the_current_directory(tmp_path: Path, clone: bool) -> None:
    if clone:
        (tmp_path / "inventories").mkdir()
    play = yaml.safe_load((PROJECT / "playbooks" / "new.yml").read_text(encoding="utf-8"))[0]
    task = next(task for task in play["tasks"] if "berth.platform.inventory_new" in task)
    variables = {"playbook_dir": str(tmp_path / "playbooks"), "__beside": trust_as_template(play["vars"]["__beside"])}
    directory = trust_as_template(task["berth.platform.inventory_new"]["directory"])
    assert Templar(DataLoader(), variables=variables).template(directory) == (str(tmp_path / "inventories") if clone else "inventories")


def test_nothing_is_kept_beside_an_installed_playbook() -> None:
    kept = [line for path in sources() for line in path.read_text(encoding="utf-8").splitlines() if ".cache" in line]
    assert kept and [line for line in kept if "playbook_dir" in line or "role_path" in line] == []
