"""What a command of Ansible's finds when it starts from .venv: a locale that works, and the project's ansible.cfg wherever it is called."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "berth_start.py"
specification = importlib.util.spec_from_file_location("berth_start", SCRIPT)
assert specification and specification.loader
berth_start = importlib.util.module_from_spec(specification)
specification.loader.exec_module(berth_start)

# Asks what Ansible asks first of all (ansible/cli/__init__.py, initialize_locale), then tells of its environment.
COMMAND = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
import berth_start, json, locale, os
locale.setlocale(locale.LC_ALL, "")
assert locale.getlocale()[1].lower() in ("utf-8", "utf8"), locale.getlocale()
assert sys.getfilesystemencoding().lower() == "utf-8"
print(json.dumps({{"LC_ALL": os.environ.get("LC_ALL"), "arguments": sys.argv[1:], "says": "é"}}, ensure_ascii=False))
"""


def command(directory: Path, name: str) -> Path:
    """Write a command that begins as those in .venv do."""
    path = directory / name
    path.write_text(COMMAND, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ({}, None),  # Python itself sees to it, where nobody asks for anything
        ({"LC_ALL": "C"}, "C.UTF-8"),
        ({"LC_ALL": "POSIX"}, "C.UTF-8"),
        ({"LC_ALL": "xx_YY.UTF-8"}, "C.UTF-8"),  # of a language that is not installed
        ({"LC_ALL": "nonsense"}, "C.UTF-8"),
        ({"LC_ALL": "C", "LANG": "C.UTF-8"}, "C.UTF-8"),
        ({"LANG": "C"}, None),
        ({"LANG": "xx_YY.UTF-8"}, "C.UTF-8"),
        ({"LANG": "C.UTF-8", "LC_TIME": "xx_YY.UTF-8"}, "C.UTF-8"),
        ({"LANG": "C.UTF-8", "LC_CTYPE": "C"}, None),
        ({"LC_ALL": "", "LANG": "xx_YY"}, "C.UTF-8"),
        ({"LC_ALL": "C.UTF-8"}, "C.UTF-8"),
        ({"LANG": "C.UTF-8"}, None),
        ({"LANG": "C.UTF-8", "LC_ALL": "C.utf8"}, "C.utf8"),  # works: left as it is
    ],
    ids=str,
)
def test_ansible_starts_whatever_the_locale(tmp_path: Path, given: dict[str, str], becomes: str | None) -> None:
    done = subprocess.run(
        [command(tmp_path, "ansible-playbook"), "a b", "é"], env={"PATH": os.environ["PATH"], **given}, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["arguments"] == ["a b", "é"] and told["says"] == "é"
    assert told["LC_ALL"] == becomes


def test_any_other_program_is_left_alone(tmp_path: Path) -> None:
    environment = {"LC_ALL": "C"}
    assert not berth_start.start(["python", str(tmp_path / "molecule"), "test"], environment)
    assert not berth_start.start(["python"], environment)
    assert environment == {"LC_ALL": "C"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with an ansible.cfg, beside a directory that is none of it."""
    root = tmp_path / "project"
    (root / "inventories" / "dev").mkdir(parents=True)
    (root / "ansible.cfg").touch()
    (root / "site.yml").touch()
    (tmp_path / "project-2").mkdir()
    (tmp_path / "project-2" / "site.yml").touch()
    for name in ("own.yml", "own.yml.txt"):
        (tmp_path / "project-2" / name).write_text("- ansible.builtin.import_playbook: berth.platform.site\n", encoding="utf-8")
    (tmp_path / "link").symlink_to(root)
    return root


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["{0}/project/site.yml", "-i", "{0}/project/inventories/dev"], True),
        (["project/site.yml"], True),
        (["../{1}/project/site.yml"], True),
        (["link/site.yml"], True),
        (["-i", "project/inventories/dev", "all", "-m", "ping"], True),
        (["--inventory=project/inventories/dev", "all"], True),
        (["project-2/site.yml"], False),
        (["berth.platform.ops.status", "-i", "inventories/dev"], True),
        (["project-2/own.yml", "-i", "inventories/dev"], True),
        (["project-2/own.yml.txt"], False),
        (["berth.platformer.site"], False),
        (["project/absent.yml"], False),
        (["--version"], False),
        (["-e", "a=b", "", "-"], False),
        ([], False),
    ],
    ids=str,
)
def test_a_playbook_or_inventory_of_the_project_brings_the_projects_settings(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], found: bool
) -> None:
    monkeypatch.chdir(project.parent)
    given = [word.format(project.parent, project.parent.name) for word in words]
    assert berth_start.configuration(str(project), given) == (str(project / "ansible.cfg") if found else None)


def test_a_directory_with_settings_of_its_own_keeps_them_for_playbooks_that_are_called_by_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    (project.parent / "ansible.cfg").touch()
    assert berth_start.configuration(str(project), ["berth.platform.site"]) is None
    assert berth_start.configuration(str(project), ["project/site.yml"]) == str(project / "ansible.cfg")


def test_settings_that_are_named_are_taken(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = project / ".venv" / "lib"
    (packages / "ansible_collections" / "berth").mkdir(parents=True)
    (packages / "ansible_collections" / "berth" / "platform").symlink_to(project)
    monkeypatch.setattr(berth_start, "__file__", str(packages / "berth_start.py"))
    environment = {"LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": "/own.cfg"}
    berth_start.start(["python", "/x/ansible-playbook", str(project / "site.yml")], environment)
    assert environment["ANSIBLE_CONFIG"] == "/own.cfg"
    del environment["ANSIBLE_CONFIG"]
    berth_start.start(["python", "/x/ansible-playbook", str(project / "site.yml")], environment)
    assert environment["ANSIBLE_CONFIG"] == str(project / "ansible.cfg")
    assert "ANSIBLE_INVENTORY" not in environment


def test_the_installed_collection_brings_its_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "ansible_collections" / "berth" / "platform" / "ansible.cfg"
    settings.parent.mkdir(parents=True)
    settings.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(berth_start, "__file__", str(tmp_path / "berth_start.py"))
    environment = {"LC_ALL": "C.UTF-8"}
    berth_start.start(["python", "/x/ansible-playbook", "berth.platform.ops.status"], environment)
    assert environment["ANSIBLE_CONFIG"] == str(settings)
    assert environment["ANSIBLE_INVENTORY"] == "/dev/null"  # the settings name one that only a clone has
    own = {"LC_ALL": "C.UTF-8", "ANSIBLE_INVENTORY": "hosts"}
    berth_start.start(["python", "/x/ansible-playbook", "berth.platform.ops.status"], own)
    assert own["ANSIBLE_INVENTORY"] == "hosts"


def test_an_environment_without_a_project_around_it_names_no_settings(project: Path) -> None:
    (project / "ansible.cfg").unlink()
    assert berth_start.configuration(str(project), [str(project / "site.yml")]) is None
