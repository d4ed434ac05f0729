"""What the tests do with the emulated AWS: run a module, four beats of one, faults and outcomes."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import boto3
import eks_cluster
import emulated
import pytest
from module_run import run

KEY = f"arn:aws:kms:{emulated.REGION}:{emulated.ACCOUNT}:key/"


def trust(service: str) -> dict[str, Any]:
    """Return the trust policy of a role for an AWS service."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:TagSession"]}],
    }


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
        self.instance.control.write_text(json.dumps(content), encoding="utf-8")

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

    def cluster_options(self, **options: Any) -> dict[str, Any]:
        """Return the options of a cluster."""
        return {"name": self.name, "version": "1.33", "role_arn": self.roles["eks"], "subnet_ids": self.subnets[:2], **options}

    def cluster(self, **options: Any) -> dict[str, Any]:
        """Make a cluster and return it."""
        answer = self.run(eks_cluster, **self.cluster_options(**options))
        assert answer.get("changed"), answer
        return answer["cluster"]
