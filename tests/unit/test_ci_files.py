"""The workflow files: each command in them exists, and no secret is written into one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from role_options import options

PROJECT = Path(__file__).resolve().parents[2]
OWN = PROJECT / ".github" / "workflows" / "ci.yml"
USERS = PROJECT / "docs" / "ci" / "github.yml"
GITLAB = PROJECT / "docs" / "ci" / "gitlab-ci.yml"
TARGETS = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def steps(path: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values() for step in job["steps"]]


def test_the_projects_own_workflow_runs_make_targets_that_there_are() -> None:
    called = [step["run"] for step in steps(OWN) if "run" in step]
    assert called == ["make lint", "make unit", "make test"]
    assert {command.split()[1] for command in called} <= TARGETS


@pytest.mark.parametrize("path", [USERS, GITLAB], ids=lambda path: path.name)
def test_the_users_workflow_checks_before_it_releases_with_playbooks_that_there_are(path: Path) -> None:
    called = re.findall(r"ansible-playbook berth\.platform\.(\S+)", path.read_text(encoding="utf-8"))
    assert called == ["preflight", "site"]
    assert [name for name in called if not (PROJECT / "playbooks" / f"{name.replace('.', '/')}.yml").is_file()] == []


@pytest.mark.parametrize("path", [OWN, USERS], ids=lambda path: path.name)
def test_no_expression_is_put_into_a_shells_command(path: Path) -> None:
    # A secret or a branch's name would be part of the command, and of its log: docs.github.com, "Script injections".
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


def test_a_push_goes_to_dev_and_only_a_tag_to_prod_one_at_a_time() -> None:
    jobs = yaml.safe_load(GITLAB.read_text(encoding="utf-8"))
    for name, condition in {"dev": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "prod": "$CI_COMMIT_TAG =~ /^v/"}.items():
        assert (jobs[name]["environment"], jobs[name]["resource_group"]) == (name, name)
        assert [rule["if"] for rule in jobs[name]["rules"]] == [condition]


@pytest.mark.parametrize("path", [USERS, GITLAB], ids=lambda path: path.name)
def test_every_berth_variable_that_a_workflow_names_exists(path: Path) -> None:
    named = set(re.findall(r"\bberth_[a-z_]+", path.read_text(encoding="utf-8")))
    assert named and named <= options("preflight").keys()


def test_a_commits_hooks_are_the_tools_of_make_lint() -> None:
    hooks = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    recipe = (PROJECT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    tools = re.findall(r"^\t(?:\$\(MAKE\) --no-print-directory )?(ruff \S+|\S+)", recipe, flags=re.MULTILINE)
    assert [hook["id"] for hook in hooks] == [tool.replace(" ", "-") for tool in tools]
