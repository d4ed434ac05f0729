"""The commands of the README, run as they stand there in a clean clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pictures
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "polls-doc"  # as long as polls-dev, so that lines with it are cut off alike
ALWAYS = r"(?:Check|Provide|Give|Release) |polls answers|release:|next:|ansible-playbook "  # of a first run's lines; others depend on the machine
REHEARSAL = "molecule/rehearsal"
RUN_BY = {
    "make test": "this test is part of it",
    "tests/aws/rehearsal start": REHEARSAL,
    "set -a; . ~/.cache/berth/tests/aws/run/default/env; set +a": REHEARSAL,
    "ansible-playbook site.yml -i inventories/rehearsal": REHEARSAL,
    "ansible-playbook playbooks/destroy.yml -i inventories/rehearsal -e berth_confirm=rehearsal": REHEARSAL,
    "tests/aws/rehearsal stop": REHEARSAL,
}


def commands() -> list[str]:
    """Return the commands of the README's console blocks, in order."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a clone of the working tree whose dev environment has a namespace of its own, so that no kept volume is touched."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    # It was made in a minute by this very test's own make test. A link to it would be another checkout's, and be made once more.
    near = (ROOT / ".venv").stat().st_dev == tmp_path.stat().st_dev
    shutil.copytree(ROOT / ".venv", tmp_path / ".venv", symlinks=True, copy_function=os.link if near else shutil.copy2)
    variables = tmp_path / "inventories" / "dev" / "group_vars" / "all" / "main.yml"
    variables.write_text(variables.read_text(encoding="utf-8").replace("polls-dev", NAMESPACE), encoding="utf-8")
    return tmp_path


def typed(command: str, directory: Path, environment: Mapping[str, str]) -> str:
    """Run a command in a terminal, and return what it wrote there."""
    script = ["script", "--quiet", "--return", "--command", f"stty cols {pictures.COLUMNS}; {command}", "/dev/null"]
    done = subprocess.run(script, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=900, check=False)
    written = done.stdout.decode()
    assert done.returncode == 0, written[-5000:]
    return written


def pulls(namespace: str) -> str:
    """Return what was pulled for the pods of a namespace, by its events."""
    kubectl = ["/var/lib/berth/bin/kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--namespace", namespace]
    command = [*kubectl, "get", "events", "--field-selector", "reason=Pulling", "--output", "custom-columns=MESSAGE:.message", "--no-headers"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_readmes_commands_do_what_it_says(clone: Path) -> None:
    todo = [command for command in commands() if command not in RUN_BY]
    assert todo == ["make dev", "make down"]
    others = ("ANSIBLE_", "MAKE", "MFLAGS", "MOLECULE_", "NO_COLOR", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)} | {"TERM": "xterm"}
    written = {}
    try:
        for command in todo:
            written[command] = typed(command, clone, environment)
            if command == "make dev":
                address = re.search(r"polls answers at (\S+)", written[command])
                assert address, written[command][-2000:]
                assert address[1] in (ROOT / "README.md").read_text(encoding="utf-8")
                with urllib.request.urlopen(address[1], timeout=10) as page:
                    assert "What is cool about Python?" in page.read().decode()
                # Pods of the cluster's own whose images came after them would have failed to pull them, on a slow disk only.
                assert pulls("kube-system") == pulls("local-path-storage") == ""
    finally:
        subprocess.run(["make", "down", "PURGE=yes"], cwd=clone, env=environment, capture_output=True, check=False)
        shutil.rmtree(f"/var/lib/berth/volumes/{NAMESPACE}", ignore_errors=True)
    assert not Path("/var/lib/berth").exists()
    pictures.keep("make-dev", pictures.of_terminal("make dev", written["make dev"].replace(NAMESPACE, "polls-dev")), ALWAYS)
