"""The commands of the README, run as they stand there in a clean clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
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
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")  # made in a minute by this very test's own make test
    variables = tmp_path / "inventories" / "dev" / "group_vars" / "all" / "main.yml"
    variables.write_text(variables.read_text(encoding="utf-8").replace("polls-dev", "polls-readme"), encoding="utf-8")
    return tmp_path


def test_the_readmes_commands_do_what_it_says(clone: Path) -> None:
    todo = [command for command in commands() if command not in RUN_BY]
    assert todo == ["make dev", "make down"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_", "VIRTUAL_ENV"))}
    try:
        for command in todo:
            done = subprocess.run(command.split(), cwd=clone, env=environment, capture_output=True, text=True, timeout=900, check=False)
            assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
            if command == "make dev":
                address = re.search(r"polls answers at (\S+)", done.stdout)
                assert address, done.stdout[-2000:]
                assert address[1] in (ROOT / "README.md").read_text(encoding="utf-8")
                with urllib.request.urlopen(address[1], timeout=10) as page:
                    assert "What is cool about Python?" in page.read().decode()
    finally:
        subprocess.run(["make", "down", "PURGE=yes"], cwd=clone, env=environment, capture_output=True, check=False)
        shutil.rmtree("/var/lib/berth/volumes/polls-readme", ignore_errors=True)
    assert not Path("/var/lib/berth").exists()
