"""The connection forked where Ansible or Python lacks a name that nobody promises to keep: it is the connection local then."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ansible
import ansible_fork
import pytest
from ansible import constants
from module_run import PLUGINS, plugin

forked = plugin("connection/forked.py")

NAMES = {f"{each.module}.{each.name}": each for each in forked.PRIVATE}
# The first one prints the command line of the process that its module is: an interpreter's or, in a fork, Ansible's own.
TASKS = {
    "command": {"ansible.builtin.command": {"argv": ["sh", "-c", "tr '\\0' ' ' </proc/$PPID/cmdline; echo careful >&2; exit 3"]}, "ignore_errors": True},
    "files": {"berth.platform.files": {"files": [{"path": "hosts/{{ inventory_hostname }}/file", "content": "of our own"}]}},
    "copy": {"ansible.builtin.copy": {"content": "copied", "dest": "hosts/{{ inventory_hostname }}/copied", "mode": "0600"}},
}
OTHER_EACH_TIME = {"start", "end", "delta", "src", "exception"}
# Runs a playbook. While the connection of a host is made, this process lacks the name that the host is called by.
LACKING = """
import sys
from ansible.cli import playbook
from ansible_collections.berth.platform.plugins.connection import forked
names = {f"{each.module}.{each.name}": each for each in forked.PRIVATE}
make = forked.Connection.__init__
def make_without(self, play_context, *more, **given):
    away = names[play_context.remote_addr]
    value = away.get()
    delattr(sys.modules[away.module], away.name)
    forked.misfits.cache_clear()
    try:
        make(self, play_context, *more, **given)
    finally:
        away.set(value)
forked.Connection.__init__ = make_without
playbook.main(sys.argv[1:])
"""


def command(here: Path, connections: Mapping[str, str], *tasks: str) -> list[str]:
    """Write a playbook of tasks for hosts with these connections; return the arguments that run it."""
    hosts = {name: {"ansible_connection": connection, "ansible_python_interpreter": sys.executable} for name, connection in connections.items()}
    (here / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    results = ", ".join(f"'{task}': dict(groups.all | zip(groups.all | map('extract', hostvars, '{task}')))" for task in tasks)
    keep = {"content": f"{{{{ {{{results}}} | to_json }}}}", "dest": f"{here}/results.json", "mode": "0600"}
    registered = [TASKS[task] | {"register": task} for task in tasks]
    written = {"ansible.builtin.copy": keep, "connection": "local", "run_once": True}
    (here / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [*registered, written]}]))
    return ["-i", "hosts.json", "-v", "play.yml"]


def results(here: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what the tasks ended with, by task and host, without what is another each time and the hosts' own names."""
    found = json.loads((here / "results.json").read_text())
    return {task: {host: same(host, result) for host, result in hosts.items()} for task, hosts in found.items()}


def same(host: str, result: dict[str, Any]) -> dict[str, Any]:
    """Return what has to be the same in a task's result on each host."""
    found: dict[str, Any] = json.loads(json.dumps(result).replace(f"hosts/{host}/", ""))
    return {key: value for key, value in found.items() if key not in OTHER_EACH_TIME}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """What is said at -v in a run of its own, which has not looked at the names yet."""
    lines: list[str] = []
    monkeypatch.setattr(forked.display, "v", lines.append)
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    forked.misfits.cache_clear()
    yield lines
    forked.misfits.cache_clear()


def test_the_ansible_and_python_of_the_requirements_have_every_name(said: list[str]) -> None:
    assert forked.misfits() == () and said == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("instead", [None, object()], ids=["missing", "something else"])
def test_a_name_that_is_missing_or_something_else_is_told_once_a_run(name: str, instead: Any, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    away = NAMES[name]
    if instead is None:
        monkeypatch.delattr(name)
    else:
        monkeypatch.setattr(name, instead)
    assert forked.misfits() == (away,)
    forked.misfits.cache_clear()  # as in the process of the next task
    assert forked.misfits() == (away,)
    assert len(said) == (2 if away is forked.LOCAL_TEMPORARY else 1)  # without the run's own directory each process says it
    assert "runs modules as local does" in said[0] and f" has no {name} that is {away.expected}." in said[0] and "\n" not in said[0]


@pytest.mark.parametrize("instead", [lambda *, modlib_path: None, lambda modlib_path, module_fqn: None, lambda *, module_fqn, **_: None])
def test_a_function_with_other_parameters_is_something_else(instead: Any, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{forked.RUN_MODULE.module}.run_module", instead)
    assert forked.misfits() == (forked.RUN_MODULE,)


def test_a_connection_that_knows_no_directory_is_something_else(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{forked.LOCAL.module}.Connection", lambda _: SimpleNamespace(become=None))
    assert forked.misfits() == (forked.LOCAL,)


def test_all_that_is_missing_is_told_in_one_line(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(NAMES)[:2]:
        monkeypatch.delattr(name)
    forked.misfits()
    (line,) = said
    assert all(name in line for name in list(NAMES)[:2])


def test_the_connection_uses_no_other_private_name() -> None:
    """What a module or a function promises has no underscore before it; os._exit is documented all the same."""
    nodes = list(ast.walk(ast.parse((PLUGINS / "connection/forked.py").read_text(encoding="utf-8"))))
    imported = {part for node in nodes if isinstance(node, ast.ImportFrom) for part in [*(node.module or "").split("."), *(name.name for name in node.names)]}
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert {name for name in imported | used if name.startswith("_") and not name.endswith("__")} == {"_exit"}


def test_tasks_end_as_over_local_whichever_name_is_missing(tmp_path: Path) -> None:
    hosts = {name: "berth.platform.forked" for name, each in NAMES.items() if each is not forked.LOCAL} | {"local": "local"}
    arguments = ["ansible-playbook", *command(tmp_path, hosts, "command", "files")]
    environment = os.environ | {"ANSIBLE_PIPELINING": "true"}
    ran = ansible_fork.run([sys.executable, "-c", LACKING, *arguments], cwd=tmp_path, env=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for task, ended in results(tmp_path).items():
        assert ended == dict.fromkeys(hosts, ended["local"]), task
    assert all((tmp_path / "hosts" / host / "file").read_text() == "of our own" for host in hosts)


def test_an_ansible_that_calls_a_name_otherwise_runs_the_same_tasks_over_both(tmp_path: Path) -> None:
    other(tmp_path / "other")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "other"), "ANSIBLE_PIPELINING": "true"}
    arguments = command(tmp_path, {"forked": "berth.platform.forked", "local": "local"}, *TASKS)
    ran = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for task, ended in results(tmp_path).items():
        assert ended["forked"] == ended["local"], task
    assert ran.stdout.count("berth.platform.forked runs modules as local does") == 1
    assert f" has no {forked.RUN_MODULE.module}.run_module that is " in ran.stdout


def other(directory: Path) -> None:
    """Make this Ansible's package again, of links but for the files where the function that runs a module has another name."""
    ours = Path(ansible.__file__).parent
    renamed = {"module_utils/_internal/_ansiballz/_loader.py": "\ndef run_module(", "_internal/_ansiballz/_wrapper.py": "_loader.run_module("}
    links(ours, directory / "ansible", [Path(file) for file in renamed])
    for file, text in renamed.items():
        source = (ours / file).read_text(encoding="utf-8")
        assert text in source
        (directory / "ansible" / file).write_text(source.replace(text, text.replace("run_module", "start_module")), encoding="utf-8")


def links(source: Path, target: Path, files: list[Path]) -> None:
    """Make a directory whose entries are links to another's, but for ``files`` and the directories above them."""
    target.mkdir(parents=True)
    for entry in source.iterdir():
        within = [Path(*file.parts[1:]) for file in files if file.parts[0] == entry.name]
        if within and entry.is_dir():
            links(entry, target / entry.name, within)
        elif not within:
            (target / entry.name).symlink_to(entry)
