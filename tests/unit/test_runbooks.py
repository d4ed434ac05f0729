"""The runbooks: each has its page, each page fits a screen and ends in its command, and the index leads to all of them."""

from __future__ import annotations

import re
from pathlib import Path

import ansible_fork
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
OPS = PROJECT / "playbooks" / "ops"
PAGES = sorted(path for path in OPS.glob("*.md") if path.name != "README.md")
READMES = [PROJECT / "README.md", OPS / "README.md"]
PLAYBOOKS = sorted(OPS.glob("*.yml"))
# Does its work outside ops/, and has its page here.
ELSEWHERE = {"destroy": "playbooks/destroy.yml"}
SCREEN = 50  # lines
WIDTH = 200  # columns of a line of prose, which wraps


def playbook_of(page: Path) -> str:
    """Return the playbook of a page, relative to the project."""
    return ELSEWHERE.get(page.stem, f"playbooks/ops/{page.stem}.yml")


def test_every_runbook_has_its_page_and_every_page_its_runbook() -> None:
    assert {path.stem for path in PLAYBOOKS} | set(ELSEWHERE) == {path.stem for path in PAGES}
    assert [page.name for page in PAGES if not (PROJECT / playbook_of(page)).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_fits_a_screen(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= SCREEN
    assert [line for line in lines if len(line) > WIDTH] == []
    assert lines[0].startswith(f"# {page.stem}: ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_ends_in_one_command_and_has_no_other(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.endswith(f"\n```console\n$ ansible-playbook {playbook_of(page)} -i inventories/dev\n```\n")
    assert text.count("```") == 2


@pytest.mark.parametrize("path", [*PAGES, *READMES], ids=lambda path: str(path.relative_to(PROJECT)))
def test_the_links_of_a_page_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).is_file()] == []


def test_the_index_leads_to_every_page() -> None:
    rows = re.findall(r"^\| (.+) \| (.+) \|$", (OPS / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for _, runbooks in rows for name in re.findall(r"\]\((\w+)\.md\)", runbooks)}
    assert named == {page.stem for page in PAGES}


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_an_option_of_a_runbook_is_told_at_its_top_and_on_its_page(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    used = set(re.findall(r"\bops_\w+", text))
    assert set(re.findall(r"^#   (ops_\w+) ", head, re.MULTILINE)) == used
    assert set(re.findall(r"-e (ops_\w+)=", path.with_suffix(".md").read_text(encoding="utf-8"))) == used
    assert f"See {path.stem}.md." in head


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_runbook_that_waits_for_nobody_changes_nothing_of_the_cluster(path: Path) -> None:
    changing = ("k8s:", "k8s_apply:", "background_service:", "tasks_from: stop", "tasks_from: start", "/stop.yml", "/start.yml")
    for play in yaml.safe_load(path.read_text(encoding="utf-8")):
        if play.get("vars", {}).get("run_lock", True) is False:
            assert not [word for word in changing if re.search(rf"(?<!_){word}", yaml.safe_dump(play["tasks"]))]


@pytest.mark.parametrize("path", [*PLAYBOOKS, PROJECT / "playbooks" / "destroy.yml"], ids=lambda path: path.stem)
def test_a_runbook_that_changes_something_first_makes_sure_that_it_is_the_environments_cluster(path: Path) -> None:
    for play in yaml.safe_load(path.read_text(encoding="utf-8")):
        if "tasks" in play and play.get("vars", {}).get("run_lock", True):
            roles = [task.get("ansible.builtin.import_role") or {} for task in play["tasks"]]
            asking = [task for task in play["tasks"] if "include_tasks" in str(task) and "confirm" in str(task)]
            assert {"name": "cluster", "tasks_from": "guard"} in roles[: len(asking) + 1]


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_runbook_that_names_a_cluster_for_kubectl_first_makes_sure_that_it_is_the_environments(path: Path) -> None:
    """Else commands that mean the environment reach another cluster by its name."""
    for play in yaml.safe_load(path.read_text(encoding="utf-8")):
        tasks = play.get("tasks", [])
        naming = [number for number, task in enumerate(tasks) if task.get("berth.platform.kubeconfig_context", {"state": "absent"}).get("state") != "absent"]
        guards = [task for task in tasks[: min(naming, default=0)] if task.get("ansible.builtin.import_role") == {"name": "cluster", "tasks_from": "guard"}]
        for number in naming:
            assert [guard.get("when") for guard in guards] == [tasks[number].get("when")]


def test_the_runbook_kubeconfig_names_a_cluster() -> None:
    """Or the test above holds nothing."""
    tasks = [task for play in yaml.safe_load((OPS / "kubeconfig.yml").read_text(encoding="utf-8")) for task in play["tasks"]]
    naming = [task["berth.platform.kubeconfig_context"] for task in tasks if "berth.platform.kubeconfig_context" in task]
    assert [given.get("state", "present") for given in naming] == ["present", "absent"]


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_runbook_is_a_playbook(path: Path) -> None:
    command = ["ansible-playbook", "--syntax-check", str(path.relative_to(PROJECT)), "-i", "inventories/dev"]
    done = ansible_fork.run(command, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
