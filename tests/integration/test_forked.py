"""The connection forked, beside local: the same playbook over both, run for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from fake_api import Api, running
from module_run import PLUGINS, plugin

forked = plugin("connection/forked.py")

MODULES = {
    # What it is to be told from the other side by, and what it leaves behind in its process.
    "process": """
import atexit, os, pathlib, signal, subprocess, sys
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.berth_words import WORD
module = AnsibleModule({"here": {"type": "path"}, "secret": {"no_log": True}}, supports_check_mode=True)
seen = {
    "argv": sys.argv[1:], "directory": os.getcwd(), "given": os.environ.get("GIVEN"), "left": os.environ.get("LEFT"), "read": sys.stdin.read(),
    "forked": "ansible.executor.task_executor" in sys.modules, "word": WORD, "check": module.check_mode, "secret": module.params["secret"],
    "ends_at_sigterm": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "temporary": module.tmpdir,
}
os.environ["LEFT"] = "left"
os.chdir("/")
if module.params["here"]:
    atexit.register(pathlib.Path(module.params["here"], "ended").touch)
    if seen["forked"]:  # local would wait for it
        subprocess.Popen(["sleep", "30"])  # keeps the output open
print("not a part of the result")
module.warn("careful")
module.exit_json(changed=False, **seen)
""",
    "broken": """
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({})
raise RuntimeError("broken in two")
""",
    "killed": """
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
""",
    "silent": """
import sys
from ansible.module_utils.basic import AnsibleModule
sys.exit("said to nobody")
""",
}
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - process: {{here: {here}, secret: hidden}}
      environment: {{GIVEN: "it's given"}}
      register: first
    - process: {{here: "{{{{ item }}}}"}}
      loop: ["", ""]
      register: second
    - process: {{}}
      check_mode: true
      register: checked
    - process: {{}}
      async: 60
      poll: 1
      register: asynchronous
    - process: {{}}
      become: true
      become_method: ansible.builtin.su
      register: become
    - ansible.builtin.command: "false"
      ignore_errors: true
      register: command
    - ansible.builtin.copy: {{content: "{{{{ command.rc }}}}", dest: {here}/copied, mode: "0600"}}
      register: copied
    - broken:
      ignore_errors: true
      register: broken
    - killed:
      ignore_errors: true
      register: killed
    - silent:
      ignore_errors: true
      register: silent
    - ansible.builtin.copy:
        content: "{{{{ dict(first=first, second=second.results, checked=checked, asynchronous=asynchronous, become=become, command=command, copied=copied,
          broken=broken, killed=killed, silent=silent) | to_json }}}}"
        dest: {here}/results.json
        mode: "0600"
"""


def run(directory: Path, connection: str) -> dict[str, Any]:
    """Run the playbook over a connection; return its tasks' results, and what it ``said``, its ``seconds`` and its ``directory``."""
    (directory / "modules").mkdir(parents=True)
    (directory / "module_utils").mkdir()
    (directory / "module_utils/berth_words.py").write_text('WORD = "of our own"\n')
    for name, text in MODULES.items():
        (directory / f"modules/{name}.py").write_text(f"#!/usr/bin/python\n{text}")
    (directory / "play.yml").write_text(PLAY.format(here=directory))
    (directory / "ansible.cfg").write_text(
        f"[defaults]\nlibrary = modules\nmodule_utils = module_utils\nconnection_plugins = {PLUGINS / 'connection'}\npipelining = true\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(directory / "ansible.cfg"), "ANSIBLE_BECOME_ALLOW_SAME_USER": "true"}
    # Where HOME is not the user's own, Ansible looks for a job elsewhere than it has written it: "could not find job".
    environment |= {"ANSIBLE_ASYNC_DIR": str(directory / "jobs")}
    interpreter = f"ansible_python_interpreter={sys.executable}"
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", connection, "-e", interpreter, "-vvv", "play.yml"]
    started = time.monotonic()
    ran = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    results: dict[str, Any] = json.loads((directory / "results.json").read_text())
    return results | {"said": ran.stdout + ran.stderr, "seconds": time.monotonic() - started, "directory": directory}


@pytest.fixture(scope="module")
def over_forked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("over") / "forked", "forked")


@pytest.fixture(scope="module")
def over_local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("over") / "local", "local")


def test_a_module_runs_in_a_fork_and_finds_what_an_interpreter_would_give_it(over_forked: dict[str, Any], over_local: dict[str, Any]) -> None:
    first, same = over_forked["first"], over_local["first"]
    assert (first["forked"], same["forked"]) == (True, False)
    for key in ("argv", "given", "left", "read", "word", "check", "ends_at_sigterm", "secret", "warnings"):
        assert first[key] == same[key], key
    assert first["given"] == "it's given" and first["word"] == "of our own" and first["warnings"] == ["careful"]
    assert Path(first["directory"]).name == "forked"
    assert first["secret"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" and "hidden" not in over_forked["said"]


def test_nothing_that_a_module_does_to_its_process_reaches_the_next(over_forked: dict[str, Any]) -> None:
    for result in [*over_forked["second"], over_forked["checked"]]:
        assert result["forked"] and result["left"] is None and result["given"] is None
        assert Path(result["directory"]).name == "forked"


def test_what_a_module_wants_done_at_its_end_is_done_and_its_directory_is_gone(over_forked: dict[str, Any]) -> None:
    first = over_forked["first"]
    assert (over_forked["directory"] / "ended").exists()
    assert not Path(first["temporary"]).exists()


def test_a_process_that_a_module_leaves_running_is_not_waited_for(over_forked: dict[str, Any]) -> None:
    assert over_forked["seconds"] < 30


def test_check_mode_reaches_the_module(over_forked: dict[str, Any]) -> None:
    assert over_forked["checked"]["check"] is True and over_forked["first"]["check"] is False


@pytest.mark.parametrize("how", ["asynchronous", "become"])
def test_what_needs_a_process_of_its_own_gets_one(how: str, over_forked: dict[str, Any]) -> None:
    if how == "become" and os.geteuid() != 0:
        pytest.skip("su asks for a password")
    assert over_forked[how]["forked"] is False


@pytest.mark.parametrize("name", ["command", "broken", "killed", "silent"])
def test_a_module_that_fails_says_the_same_over_both(name: str, over_forked: dict[str, Any], over_local: dict[str, Any]) -> None:
    mine, theirs = over_forked[name], over_local[name]
    assert mine["failed"] is True
    for key in ("msg", "rc", "module_stdout"):
        assert mine.get(key) == theirs.get(key), key


def test_ansibles_own_modules_do_the_same_over_both(over_forked: dict[str, Any], over_local: dict[str, Any]) -> None:
    for key in ("changed", "checksum", "mode", "size", "state"):
        assert over_forked["copied"][key] == over_local["copied"][key]


def test_what_an_api_server_has_is_kept_where_nobody_else_reads_or_writes(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    resource = {"name": "pods", "singularName": "pod", "kind": "Pod", "namespaced": True, "verbs": ["get", "list"]}
    # Ansible's sockets lie in the temporary directory, and tmp_path is too long for their names.
    with running(Api()) as api, tempfile.TemporaryDirectory(prefix="runs-") as temporary:
        api.answers = {
            "/version": (200, {"major": "1", "minor": "35"}),
            "/api": (200, {"kind": "APIVersions", "versions": ["v1"]}),
            "/apis": (200, {"kind": "APIGroupList", "groups": []}),
            "/api/v1": (200, {"kind": "APIResourceList", "groupVersion": "v1", "resources": [resource]}),
            "/api/v1/namespaces/polls/pods": (200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}),
        }
        context = {"name": "dev", "context": {"cluster": "dev", "user": "dev"}}
        clusters, users = [{"name": "dev", "cluster": {"server": api.url}}], [{"name": "dev", "user": {"token": "t"}}]
        whole = {"apiVersion": "v1", "kind": "Config", "clusters": clusters, "users": users, "contexts": [context], "current-context": "dev"}
        kubeconfig.write_text(json.dumps(whole))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "K8S_"))}
        environment |= {"TMPDIR": temporary, "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS / "connection"), "ANSIBLE_PIPELINING": "true"}
        task = {"kubernetes.core.k8s_info": {"kind": "Pod", "namespace": "polls", "kubeconfig": str(kubeconfig)}}
        play = [{"hosts": "localhost", "gather_facts": False, "tasks": [task, task]}]
        (tmp_path / "play.yml").write_text(json.dumps(play))
        interpreter = f"ansible_python_interpreter={sys.executable}"
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "forked", "-e", interpreter, "play.yml"]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120)
        asked = [path for _, path, *_ in api.seen]
        left = os.listdir(temporary)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert asked.count("/api/v1/namespaces/polls/pods") == 2 and asked.count("/api/v1") == 1  # the second task has found what the first one kept
    assert left == []


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        (f"/bin/sh -c '{sys.executable} && sleep 0'", {}),
        (f"/bin/sh -c '{sys.executable}'", {}),
        (f"/bin/sh -c 'A=1 B='\"'\"'x y=z'\"'\"' {sys.executable} && sleep 0'", {"A": "1", "B": "x y=z"}),
        ("/bin/sh -c '/usr/bin/another-python && sleep 0'", None),
        (f"/bin/sh -c '{sys.executable} /tmp/module.py && sleep 0'", None),
        (f"/bin/sh -c 'cd /tmp && {sys.executable} && sleep 0'", None),
        (f"/bin/sh -c 'sudo {sys.executable} && sleep 0'", None),
        ("/bin/sh -c ''", None),
        ("/bin/sh", None),
    ],
)
def test_only_a_command_that_starts_this_interpreter_on_what_it_reads_is_taken(command: str, environment: dict[str, str] | None) -> None:
    assert forked.module_environment(command) == environment
