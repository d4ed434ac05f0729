"""The emulated AWS on ports of its own, with a network and roles, and Berth's modules for it in this process."""

from __future__ import annotations

import functools
import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import emulated
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent / "recorder"))

from ansible_collections.berth.platform.plugins.module_utils.aws import session
from emulated_aws import Emulated, account, hold, tell, trust
from emulated_life import Life, live
from fake_api import Api, certificate, running

# botocore reads the descriptions of services again for every session, and each run of a module has its own.
LOADER = functools.cache(botocore.session.create_loader)


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Path]]:
    """Run the API server behind every cluster, and return it with its authority."""
    files = certificate(tmp_path_factory.mktemp("tls"))
    with running(Api(files)) as server:
        yield server, files[0]


@pytest.fixture
def api(api_server: tuple[Api, Path]) -> Iterator[Api]:
    """Return the API server behind every cluster, without PodDisruptionBudgets and Pods."""
    hold(api_server[0])
    yield api_server[0]
    api_server[0].answers.clear()


@pytest.fixture(scope="session")
def instance(api_server: tuple[Api, Path]) -> Iterator[emulated.Instance]:
    """Start the emulators for this run of the tests, and end them with it."""
    with account("tests", *api_server) as found:
        yield found


@pytest.fixture(scope="session")
def shared(instance: emulated.Instance) -> dict[str, Any]:
    """Make what all tests use: two subnets in two zones, and roles."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in instance.environment().items():
            patch.setenv(name, value)
        ec2, iam = boto3.client("ec2"), boto3.client("iam")
        vpc = ec2.create_vpc(CidrBlock="10.90.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.90.{number}.0/24", AvailabilityZone=f"eu-central-1{zone}")["Subnet"]["SubnetId"]
            for number, zone in enumerate("abc")
        ]
        roles = {
            service: iam.create_role(RoleName=f"berth-{service}", AssumeRolePolicyDocument=json.dumps(trust(f"{service}.amazonaws.com")))["Role"]["Arn"]
            for service in ("eks", "ec2", "pods.eks")
        }
        other = iam.create_role(RoleName="berth-other", AssumeRolePolicyDocument=json.dumps(trust("pods.eks.amazonaws.com")))["Role"]["Arn"]
        return {"subnets": subnets, "roles": {**roles, "other": other}, "vpc": vpc}


@pytest.fixture
def aws(instance: emulated.Instance, shared: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Emulated]:
    """Return the emulated AWS, with an environment that leads there and no faults."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in instance.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore.session, "create_loader", LOADER)
    monkeypatch.setattr(session, "PATIENCE", 0.0)
    monkeypatch.setattr(session, "LONGEST_PAUSE", 0.05)
    yield Emulated(instance, capsys, f"t{uuid.uuid4().hex[:8]}", **shared)
    tell(instance)


@pytest.fixture(scope="session")
def life(api_server: tuple[Api, Path], tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Let an environment live in an account of its own."""
    return live(api_server, tmp_path_factory.mktemp("life"))
