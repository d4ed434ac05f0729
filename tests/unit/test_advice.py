"""Every variable, playbook and file that a message or a page names is there: advice that cannot be followed is none."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
# Names that are no variables of the inventory: Python's modules, and the mistake of which the README tells.
OTHERS = {path.stem for folder in ("plugins", "scripts") for path in (PROJECT / folder).rglob("berth_*.py")} | {"berth_app_replica"}
TEXTS = sorted(
    path
    for pattern in (
        "plugins/**/*.py",
        "roles/**/*.yml",
        "roles/**/*.j2",
        "roles/**/*.sh",
        "roles/**/*.py",
        "playbooks/**/*",
        "*.md",
        "*.yml",
        "scripts/*",
        "inventories/**/*.yml",
        "docs/**/*.md",
        "app/**/*.py",
        "Makefile",
        "Dockerfile",
    )
    for path in PROJECT.glob(pattern)
    if path.is_file() and path.suffix not in (".pyc", ".json") and path.name != "CHANGELOG.md"
)

loader = SourceFileLoader("variables", str(PROJECT / "scripts" / "variables"))
variables = importlib.util.module_from_spec(importlib.util.spec_from_loader("variables", loader))
loader.exec_module(variables)


@functools.cache
def said(path: Path) -> list[str]:
    """Return what a file says: of Python its strings, docstrings as well; of anything else all of it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return [text]
    return [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def found(pattern: str) -> set[tuple[str, str]]:
    """Return each match of a pattern's first group, with the file that says it."""
    return {(match, str(path.relative_to(PROJECT))) for path in TEXTS for text in said(path) for match in re.findall(pattern, text)}


def names(pattern: str) -> set[str]:
    """Return each match of a pattern."""
    return {name for name, _ in found(pattern)}


def test_every_variable_that_is_named_exists() -> None:
    known = set(variables.options()) | OTHERS
    families = {name for name in known if name.startswith("berth_")}
    wrong = {(name, where) for name, where in found(r"\b(berth_[a-z0-9_]*[a-z0-9])\b(?!\.py)") if name not in known}
    # A family of variables is named by its beginning, as in berth_app_*.
    assert {(name, where) for name, where in wrong if not any(other.startswith(f"{name}_") for other in families)} == set()


def test_every_playbook_that_is_named_exists() -> None:
    named = found(r"\b((?:playbooks|ops)/[a-z_/]+\.(?:yml|md))\b")
    assert {(name, where) for name, where in named if not (PROJECT / "playbooks" / name.removeprefix("playbooks/")).is_file()} == set()


def test_every_option_of_a_runbook_that_is_named_is_read_by_one() -> None:
    read = {name for path in (PROJECT / "playbooks").rglob("*.yml") for name in re.findall(r"\b(ops_[a-z_]+)\b", path.read_text(encoding="utf-8"))}
    assert names(r"-e (ops_[a-z_]+)") <= read


def test_every_tag_that_is_named_is_a_phase() -> None:
    phases = {tag for play in yaml.safe_load((PROJECT / "playbooks/site.yml").read_text(encoding="utf-8")) for tag in play["tags"]}
    assert {tag for tags in names(r"--tags ([a-z]+(?:,[a-z]+)*)") for tag in tags.split(",")} <= phases


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert names(r"`make ([a-z]+)") | names(r"\bmake (dev|down|test|lock)\b") <= targets


@pytest.mark.parametrize("name", ["berth_app_image", "berth_timeouts"])
def test_a_variable_that_does_not_exist_would_be_seen(name: str) -> None:
    known = set(variables.options()) | OTHERS
    assert name not in known
    assert not any(other.startswith(f"{name}_") for other in known)
