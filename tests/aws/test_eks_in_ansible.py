"""The modules as Ansible packs and runs them, and as ansible-doc shows them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from emulated_aws import Emulated

PROJECT = Path(__file__).resolve().parents[2]
PATTERNS = ("eks_*.py", "rds_*.py")
MODULES = sorted(path.stem for pattern in PATTERNS for path in (PROJECT / "plugins" / "modules").glob(pattern))


def ansible(program: str, *arguments: str) -> str:
    """Return what one of Ansible's programs prints."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False).stdout


def test_ansible_packs_and_runs_a_module(aws: Emulated) -> None:
    aws.cluster()
    arguments = ["-m", "berth.platform.eks_info", "-a", f"name={aws.name}", "-e", f"ansible_python_interpreter={sys.executable}"]
    shown = ansible("ansible", "localhost", "-i", "localhost,", "-c", "local", "-o", *arguments)
    assert "SUCCESS" in shown, shown
    assert f'"name": "{aws.name}"' in shown


def test_a_failure_is_shown_as_its_message_alone(aws: Emulated) -> None:
    arguments = ["-m", "berth.platform.eks_cluster", "-a", f"name={aws.name} version=1.34", "-e", f"ansible_python_interpreter={sys.executable}"]
    shown = ansible("ansible", "localhost", "-i", "localhost,", "-c", "local", "-o", *arguments)
    assert f"EKS cluster {aws.name} in eu-central-1: a new cluster needs role_arn and subnet_ids." in shown
    assert "Traceback" not in shown


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    """Return what ansible-doc shows of the modules."""
    return json.loads(ansible("ansible-doc", "--json", *(f"berth.platform.{name}" for name in MODULES)))


@pytest.mark.parametrize("name", MODULES)
def test_ansible_doc_shows_a_module(name: str, documented: dict[str, Any]) -> None:
    shown = documented[f"berth.platform.{name}"]
    assert shown["doc"]["short_description"]
    assert {"region", "profile"} <= set(shown["doc"]["options"])
    assert shown["examples"].strip()
    assert shown["return"]
