"""What provides the cluster with berth_provider: auto, by who runs it, what answers here, what was decided before and what the user named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import identity
from ansible_collections.berth.platform.plugins.module_utils.machine import minikube
from ansible_collections.berth.platform.plugins.plugin_utils import provider as providers
from module_run import plugin

ROOT, USER = 0, 1000
CLAIMED = {"environment": "dev", "provider": "existing", "cluster": ""}
LIVED_IN = {"environment": "dev", "provider": "existing", "cluster": "1111-here"}
UNREADABLE_UID = {"environment": "dev", "provider": "eks", "cluster": "", "authority": "authority:aaaa"}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Have each test decide again: within a run it is decided once."""
    providers.decide.cache_clear()
    yield
    providers.decide.cache_clear()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, set[str]], list[str]]:
    """Return a function that makes this a machine where ``answering`` drivers answer to the user ``uid``; it returns those that are asked."""

    def make(uid: int, answering: set[str]) -> list[str]:
        asked: list[str] = []

        def probe(driver: str) -> str:
            asked.append(driver)
            return "" if driver in answering else "is not there"

        monkeypatch.setattr(os, "geteuid", lambda: uid)
        monkeypatch.setattr(minikube, "probe", probe)
        return asked

    return make


@pytest.mark.parametrize(
    ("uid", "answering", "record", "force", "driver", "provider"),
    [
        (ROOT, set(), None, False, "", "kubeadm"),
        (ROOT, {"docker"}, None, False, "", "kubeadm"),
        (ROOT, {"docker"}, None, True, "", "minikube"),
        (ROOT, {"docker"}, None, True, "docker", "minikube"),
        (ROOT, {"docker"}, None, True, "kvm2", "kubeadm"),
        (ROOT, {"docker"}, None, False, "docker", "kubeadm"),
        (ROOT, {"none"}, None, False, "none", "minikube"),
        (ROOT, {"none"}, None, True, "", "kubeadm"),
        (USER, set(), None, False, "", "kubeadm"),
        (USER, set(), None, True, "", "kubeadm"),
        (USER, {"docker"}, None, False, "", "minikube"),
        (USER, {"podman"}, None, False, "", "minikube"),
        (USER, {"docker"}, None, False, "podman", "kubeadm"),
        (USER, {"podman"}, None, False, "podman", "minikube"),
        (USER, {"qemu2"}, None, False, "qemu", "minikube"),
        # What it lives in stays, whatever answers.
        (ROOT, set(), LIVED_IN, False, "", "existing"),
        (USER, {"docker"}, LIVED_IN, False, "", "existing"),
        (ROOT, {"docker"}, LIVED_IN, True, "docker", "existing"),
        (USER, {"docker"}, UNREADABLE_UID, False, "", "eks"),
        # A first try with another provider that was refused, or cut off, is no cluster.
        (ROOT, set(), CLAIMED, False, "", "kubeadm"),
        (USER, set(), CLAIMED, False, "", "kubeadm"),
        (USER, {"docker"}, CLAIMED, False, "", "minikube"),
        (ROOT, {"docker"}, CLAIMED, True, "", "minikube"),
    ],
)
def test_auto_takes_what_the_environment_lives_in_else_what_minikube_can_drive_here_else_kubeadm(
    machine: Callable[[int, set[str]], list[str]],
    tmp_path: Path,
    uid: int,
    answering: set[str],
    record: dict[str, str] | None,
    force: bool,
    driver: str,
    provider: str,
) -> None:
    machine(uid, answering)
    path = str(tmp_path / "kubeconfig")
    if record:
        identity.write(path, record)
    assert providers.decide("auto", path, driver, force)[0] == provider
    assert plugin("lookup/provider.py").provider("auto", path, driver, force) == provider


@pytest.mark.parametrize("wanted", ["kubeadm", "minikube", "existing", "eks"])
def test_a_provider_that_is_named_is_taken_whatever_is_there(machine: Callable[[int, set[str]], list[str]], tmp_path: Path, wanted: str) -> None:
    asked = machine(USER, {"docker"})
    identity.write(tmp_path / "kubeconfig", LIVED_IN)
    assert providers.decide(wanted, str(tmp_path / "kubeconfig"), "docker", True) == (wanted, "")
    assert asked == []


def test_only_the_driver_that_is_named_is_looked_for(machine: Callable[[int, set[str]], list[str]], tmp_path: Path) -> None:
    asked = machine(USER, {"docker", "podman"})
    assert providers.decide("auto", str(tmp_path / "kubeconfig"), "podman", False) == ("minikube", "podman answers")
    assert asked == ["podman"]


def test_root_waits_for_no_engine_that_minikube_would_not_drive(machine: Callable[[int, set[str]], list[str]], tmp_path: Path) -> None:
    """One that does not answer takes seconds."""
    asked = machine(ROOT, {"docker"})
    assert providers.decide("auto", str(tmp_path / "kubeconfig"), "docker", False) == ("kubeadm", "")
    assert asked == []


@pytest.mark.parametrize(
    ("force", "provider"), [("yes", "minikube"), (True, "minikube"), ("no", "kubeadm"), (False, "kubeadm"), (None, "kubeadm"), ("", "kubeadm")]
)
def test_force_may_be_written_as_people_write_it(machine: Callable[[int, set[str]], list[str]], tmp_path: Path, force: object, provider: str) -> None:
    machine(ROOT, {"docker"})
    assert plugin("lookup/provider.py").provider("auto", str(tmp_path / "kubeconfig"), "", force) == provider
