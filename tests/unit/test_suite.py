"""The tests themselves: nothing is left out without a word."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import ansible_fork
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
CASES = """
import pytest
@pytest.mark.skipif(True, reason="no such tool")
def test_a(): pass
def test_b(): pytest.skip("no such server")
@pytest.fixture
def server(): pytest.skip("no such server")
def test_c(server): pass
def test_d(): pass
@pytest.mark.xfail
def test_e(): assert False
"""


@pytest.mark.parametrize(("everything", "outcomes"), [("", "1 passed, 3 skipped, 1 xfailed"), ("yes", "1 failed, 1 passed, 1 xfailed, 2 errors")])
def test_a_test_that_would_be_skipped_fails_where_every_tool_has_to_be_there(tmp_path: Path, everything: str, outcomes: str) -> None:
    (tmp_path / "test_cases.py").write_text(CASES, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "tests"), "BERTH_TEST_EVERYTHING": everything}
    command = [sys.executable, "-m", "pytest", "-q", "-rN", "-p", "conftest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert re.search(r"^(.*) in [\d.]+s", done.stdout, re.MULTILINE)[1] == outcomes, done.stdout
    assert done.stdout.count("no such") == (3 if everything else 0)


def test_a_forked_run_leaves_nothing_in_the_temporary_directory(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text('[{"hosts": "localhost", "gather_facts": false, "tasks": [{"ansible.builtin.debug": {}}]}]', encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary:  # a socket's name has to be short
        done = ansible_fork.run(["ansible-playbook", "play.yml", "-i", "localhost,", "-c", "local"], cwd=tmp_path, env=os.environ | {"TMPDIR": temporary})
        assert (done.returncode, os.listdir(temporary)) == (0, []), done.stderr


@pytest.mark.parametrize("path", [path for path in sorted(PROJECT.glob("molecule/**/*.yml")) if "builtin.tempfile:" in path.read_text(encoding="utf-8")])
def test_a_scenario_removes_what_it_makes_in_the_temporary_directory_however_it_ends(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    made = re.findall(r"builtin\.tempfile:\n(?:.*\n)+?\s+register: (\w+)", text)
    assert len(made) == text.count("builtin.tempfile:")
    _, _, end = text.partition("      always:\n")
    assert [name for name in made if f"{{{{ {name}.path" not in end] == []


@pytest.mark.parametrize("environment", ["beside", "dev", "minikube", "molecule", "prod", "rehearsal"])
def test_only_environments_of_users_renew_their_images_when_a_period_begins(environment: str) -> None:
    # A run that is compared with an earlier one would rebuild, where midnight is between them.
    inventory = yaml.safe_load((PROJECT / "inventories" / environment / "group_vars/all/main.yml").read_text(encoding="utf-8"))
    assert inventory.get("berth_image_max_age") == (None if environment in ("dev", "prod") else 0)


def test_make_scenario_names_the_scenarios_there_are(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/bootstrap").symlink_to("/bin/true")
    (tmp_path / "Makefile").symlink_to(PROJECT / "Makefile")
    for name in ("one", "two"):
        (tmp_path / "molecule" / name).mkdir(parents=True)
        (tmp_path / "molecule" / name / "molecule.yml").touch()
    for given in ((), ("S=three",)):
        done = subprocess.run(["make", "-C", str(tmp_path), "scenario", *given], capture_output=True, text=True, check=False)
        assert done.returncode != 0 and "make scenario: set S to one of: one two.\n" in done.stderr
