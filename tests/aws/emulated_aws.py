"""What the tests do with the emulated AWS: run a module or a playbook, four beats of a module, faults and outcomes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import ansible_fork
import aws_recorder
import boto3
import emulated
import pytest
from ansible_collections.berth.platform.plugins.modules import eks_cluster
from fake_api import Api
from module_run import run

PROJECT = Path(__file__).resolve().parents[2]
KEY = f"arn:aws:kms:{emulated.REGION}:{emulated.ACCOUNT}:key/"

# The quotas of VPCs, addresses and clusters: what the tests leave behind fills an account up.
ROOM = {"L-F678F1CE": 1000, "L-0263D0A3": 1000, "L-1194D53C": 1000}


def trust(service: str) -> dict[str, Any]:
    """Return the trust policy of a role for an AWS service."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:TagSession"]}],
    }


def deployment(instance: emulated.Instance, directory: Path, playbook: str, *arguments: str, **variables: Any) -> dict[str, Any]:
    """Return how a playbook is run as the deployer of the rehearsal, for subprocess.

    Args:
        directory: Where the kubeconfig is, and what Berth caches.
        arguments: Further ones of ansible-playbook.
        variables: Of the inventory, as with -e.
    """
    leading = dict(line.split("=", 1) for line in instance.env.read_text(encoding="utf-8").splitlines())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | leading
    environment |= {"XDG_CACHE_HOME": str(directory), "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment |= aws_recorder.switched_on(instance.recording)
    variables |= {"berth_kubeconfig": str(directory / "kubeconfig"), "berth_secrets_directory": str(directory / "secrets")}
    variables["berth_database_ca"] = str(PROJECT / "tests/inventories/valid/authority.pem")
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, playbook, "-i", "inventories/rehearsal", "-e", json.dumps(variables), *arguments]
    return {"args": command, "cwd": PROJECT, "env": environment, "text": True, "stdin": subprocess.DEVNULL}


def play(instance: emulated.Instance, directory: Path, playbook: str, *arguments: str, good: bool = True, **variables: Any) -> str:
    """Run a playbook, as :func:`deployment` says, and return what it prints; ``good`` is whether it has to end well."""
    how = deployment(instance, directory, playbook, *arguments, **variables)
    done = ansible_fork.run(how["args"], cwd=how["cwd"], env=how["env"], aws=True)
    printed = done.stdout + done.stderr
    assert (done.returncode == 0) is good, printed
    assert "Traceback" not in printed, printed
    return printed


@contextlib.contextmanager
def account(name: str, server: Api, authority: Path) -> Iterator[emulated.Instance]:
    """Have emulators of this run's own, behind whose clusters is ``server``, and end them afterwards."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that they end with a run that is told to end, too
    found = emulated.Instance(f"{name}-{os.getpid()}")
    try:
        emulated.start(found, endpoint=server.url, ca_file=str(authority))
        tell(found)
        yield found
    except emulated.EmulatorError as error:
        pytest.fail(str(error), pytrace=False)
    finally:
        emulated.stop(found)


def tell(instance: emulated.Instance, **content: Any) -> None:
    """Tell the emulators about faults, times and outcomes (emulators/control.py); unless told otherwise, quotas leave room."""
    instance.control.write_text(json.dumps({"quotas": ROOM} | content), encoding="utf-8")


def hold(api: Api, budgets: Sequence[Any] = (), pods: Sequence[Any] = ()) -> None:
    """Let an API server have these PodDisruptionBudgets and Pods."""
    api.answers |= {"/apis/policy/v1/poddisruptionbudgets": (200, {"items": [*budgets]}), "/api/v1/pods": (200, {"items": [*pods]})}


class Emulated:
    """The emulated AWS within one test.

    Args:
        instance: Where it runs.
        capsys: Pytest's fixture; modules print their answer.
        name: A name for what the test makes.
        subnets, roles, vpc: What there is already.
    """

    def __init__(self, instance: emulated.Instance, capsys: pytest.CaptureFixture[str], name: str, subnets: list[str], roles: dict[str, str], vpc: str) -> None:
        self.instance, self.capsys, self.name = instance, capsys, name
        self.subnets, self.roles, self.vpc = subnets, roles, vpc

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        return boto3.client(service)

    def control(self, **content: Any) -> None:
        """Tell the emulators about faults, times and outcomes (emulators/control.py)."""
        tell(self.instance, **content)

    def run(self, module: ModuleType, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Return what a module answers."""
        return run(module, self.capsys, check, **arguments)

    def beats(self, module: ModuleType, **arguments: Any) -> dict[str, Any]:
        """Check, do, check again, do again: check mode foretells the change and its diff, and then nothing is left to change.

        Returns the answer of the last beat, with the diff of the second.
        """
        foretold = self.run(module, check=True, **arguments)
        assert foretold.get("changed"), foretold
        done = self.run(module, **arguments)
        assert done.get("changed"), done
        assert done["diff"] == foretold["diff"]
        for check in (True, False):
            again = self.run(module, check=check, **arguments)
            assert again.get("changed") is False, again
            assert "diff" not in again
        return {**again, "diff": done["diff"]}

    def refusal(self, module: ModuleType, **arguments: Any) -> str:
        """Return the message with which a module fails, the same in check mode."""
        answer = self.run(module, **arguments)
        assert answer.get("failed"), answer
        assert "Traceback" not in json.dumps(answer)
        return answer["msg"]

    def database(self) -> None:
        """Make a database with a password."""
        rds = self.client("rds")
        rds.create_db_subnet_group(DBSubnetGroupName=self.name, DBSubnetGroupDescription="of a try", SubnetIds=self.subnets)
        rds.create_db_instance(
            DBInstanceIdentifier=self.name,
            Engine="postgres",
            EngineVersion="17.4",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            MasterUsername="polls",
            MasterUserPassword="longenough1",
            DBSubnetGroupName=self.name,
        )

    def cluster_options(self, **options: Any) -> dict[str, Any]:
        """Return the options of a cluster."""
        return {"name": self.name, "version": "1.33", "role_arn": self.roles["eks"], "subnet_ids": self.subnets[:2], **options}

    def cluster(self, **options: Any) -> dict[str, Any]:
        """Make a cluster and return it."""
        answer = self.run(eks_cluster, **self.cluster_options(**options))
        assert answer.get("changed"), answer
        return answer["cluster"]
