"""The plugins import each other, and roles include each other, as docs/architecture.md has it, and never in a circle."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml
from module_run import PLUGINS

PAGE = PLUGINS.parent / "docs/architecture.md"
ROLES = PLUGINS.parent / "roles"


def imported(path: Path) -> set[Path]:
    """Return the files of the collection that a plugin imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            files = [package.with_suffix(".py")] if package.with_suffix(".py").is_file() else [package / f"{name.name}.py" for name in node.names]
            assert all(file.is_file() for file in files), f"{path} imports what is not there: {files}"
            found |= set(files)
    return found


@functools.cache
def imports() -> dict[Path, set[Path]]:
    """Return what each plugin imports."""
    return {path: imported(path) for path in PLUGINS.rglob("*.py")}


def drawn() -> set[tuple[str, str]]:
    """Return the arrows of the page's diagram."""
    return set(re.findall(r"^ +(\w+) --> (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def arrows() -> set[tuple[str, str]]:
    """Return from which directory of plugins/, or package of module_utils, to which one imports go."""
    found = set()
    for path, targets in imports().items():
        for target in targets:
            here, there = (file.relative_to(PLUGINS).parts for file in (path, target))
            if here[0] != there[0]:
                found.add((here[0], there[0]))
            elif here[0] == "module_utils" and len(here) == len(there) == 3 and here[1] != there[1]:
                found.add((here[1], there[1]))
    return found


def test_the_page_draws_the_imports_there_are_and_no_others() -> None:
    assert drawn() == arrows()


def test_no_two_files_import_each_other_in_a_circle() -> None:
    tuple(TopologicalSorter(imports()).static_order())


def test_modules_import_nothing_that_only_ansibles_own_process_has() -> None:
    assert not [path for path, targets in imports().items() if path.parent.name == "modules" and any("plugin_utils" in target.parts for target in targets)]


def test_no_message_of_ansibles_is_told_twice() -> None:
    """Ansible puts the message of an error's cause behind the error's own, which has it already."""
    raised = [(path, node) for path in PLUGINS.rglob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Raise)]
    ansible = [(path, node) for path, node in raised if isinstance(node.exc, ast.Call) and getattr(node.exc.func, "id", "").startswith("Ansible")]
    assert ansible
    assert [f"{path}:{node.lineno}" for path, node in ansible if node.cause and not (isinstance(node.cause, ast.Constant) and node.cause.value is None)] == []


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z0-9_]+\.(?:py|yml))?)`", PAGE.read_text(encoding="utf-8"))
    assert named and not [name for name in named if not ((PLUGINS.parent / name).exists() or (PLUGINS / name).exists())]


# --- Roles -------------------------------------------------------------------------------------------------------------


def layers() -> dict[str, int]:
    """Return the height of each role, by the page."""
    (line,) = re.findall(r"^From the lowest: (.+)\.$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {role: height for height, layer in enumerate(line.split("; ")) for role in layer.split(", ")}


def included_roles(tasks: Any) -> Iterator[str]:
    """Yield the roles that tasks include, those within blocks too, as they are named there."""
    for task in tasks or []:
        yield from (str(task[f"ansible.builtin.{way}_role"]["name"]) for way in ("include", "import") if f"ansible.builtin.{way}_role" in task)
        for part in ("block", "rescue", "always"):
            yield from included_roles(task.get(part))


def test_the_page_knows_the_height_of_every_role() -> None:
    assert set(layers()) == {path.name for path in ROLES.iterdir()}


def test_a_role_includes_itself_and_lower_roles_only() -> None:
    heights = layers()
    found = {
        (path.parts[-3], name) for path in ROLES.glob("*/tasks/*.yml") for name in included_roles(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader))
    }
    assert ("image", "minikube") in found  # it finds what there is
    assert {(role, name) for role, name in found if name != role and heights.get(name, len(heights)) >= heights[role]} == set()


def test_no_role_includes_the_tasks_of_playbooks() -> None:
    found = [path for path in ROLES.glob("*/tasks/*.yml") if re.search(r"(include|import)_tasks: .*(playbooks|providers)/", path.read_text(encoding="utf-8"))]
    assert found == []
