"""The plugins import each other as docs/architecture.md draws it, and never in a circle."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

from module_run import PLUGINS

PAGE = PLUGINS.parent / "docs/architecture.md"


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


FILES = {path: imported(path) for path in PLUGINS.rglob("*.py")}


def drawn() -> set[tuple[str, str]]:
    """Return the arrows of the page's diagram."""
    return set(re.findall(r"^ +(\w+) --> (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def arrows() -> set[tuple[str, str]]:
    """Return from which directory of plugins/, or package of module_utils, to which one imports go."""
    found = set()
    for path, targets in FILES.items():
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
    tuple(TopologicalSorter(FILES).static_order())


def test_modules_import_nothing_that_only_ansibles_own_process_has() -> None:
    assert not [path for path, targets in FILES.items() if path.parent.name == "modules" and any("plugin_utils" in target.parts for target in targets)]


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z0-9_]+\.(?:py|yml))?)`", PAGE.read_text(encoding="utf-8"))
    assert named and not [name for name in named if not ((PLUGINS.parent / name).exists() or (PLUGINS / name).exists())]
