"""A run that is killed or fails leaves nothing that the next one cannot go on with, and nothing that destroy does not find."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from emulated_aws import Emulated, deployment, play

PROVIDE, REMOVE = "tests/aws/playbooks/provide.yml", "tests/aws/playbooks/remove.yml"
TASKS = ["Begin | Create the control plane", "Rds | Start the instance"]
# Each takes most of a minute: make test leaves them out.
MORE_TASKS = [
    "Begin | Provide the network",
    "Begin | Provide the IAM roles",
    "Begin | Provide the key that encrypts Secrets",
    "Rds | Provide the subnet group",
    "Rds | Provide the security group",
    "Ecr | Provide the repository",
    "Ready | Wait for the control plane",
    "Add-ons | Provide the add-ons",
]


def killed(aws: Emulated, directory: Path, task: str) -> None:
    """Make an environment, and kill the run with all its processes in the midst of a task."""
    aws.control(seconds={"eks": 3, "rds": 3})
    how = deployment(aws.instance, directory, PROVIDE)
    how["env"] |= {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}  # which names each task
    with subprocess.Popen(**how, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as process:
        assert process.stdout
        printed = ""
        for line in process.stdout:
            printed += line
            if f": {task}]" in line:
                break
        else:
            pytest.fail(f"There was no task {task}:\n{printed}")
        time.sleep(0.7)
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("task", [*TASKS, *(pytest.param(task, marks=pytest.mark.long) for task in MORE_TASKS)])
def test_nothing_is_left_of_an_environment_whose_making_was_killed(aws: Emulated, tmp_path: Path, task: str) -> None:
    killed(aws, tmp_path, task)
    # The sweep ends it with an error while something remains.
    assert "Look for leftover resources in AWS" in play(aws.instance, tmp_path, REMOVE, "-v")


def test_the_run_after_a_killed_one_goes_on(aws: Emulated, tmp_path: Path) -> None:
    killed(aws, tmp_path, "Rds | Provide the security group")
    play(aws.instance, tmp_path, PROVIDE)
    play(aws.instance, tmp_path, REMOVE)


def test_the_run_after_one_that_an_addon_failed_goes_on(aws: Emulated, tmp_path: Path) -> None:
    """An add-on is begun long before it is waited for."""
    addons = {"berth_eks_addons": {"coredns": ""}}
    issue = {"code": "ConfigurationConflict", "message": "Conflicts found when trying to apply.", "resourceIds": []}
    aws.control(outcomes={"addon/coredns": {"status": "CREATE_FAILED", "issues": [issue]}})
    told = "coredns is CREATE_FAILED: ConfigurationConflict: Conflicts found when trying to apply."
    assert told in play(aws.instance, tmp_path, PROVIDE, good=False, **addons)
    aws.control()
    (tmp_path / "kubeconfig").unlink()  # no cluster answers here, so that there is no record of whose it is
    play(aws.instance, tmp_path, PROVIDE, **addons)
    play(aws.instance, tmp_path, REMOVE, **addons)
