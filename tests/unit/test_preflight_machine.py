"""What preflight sees of a machine."""

from __future__ import annotations

import base64
import json
import os
import platform
import socket
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.plugin_utils import preflight
from ansible_collections.berth.platform.plugins.plugin_utils.preflight import Listener, Machine
from fake_api import Api, certificate, running


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Return address and port of a socket that listens."""
    family, address = request.param
    with socket.socket(family) as listening:
        listening.bind((address, 0))
        listening.listen()
        yield address, listening.getsockname()[1]


def machine(root: Path, release: str) -> Machine:
    """Return a machine with an os-release file."""
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text(release, encoding="utf-8")
    return Machine(root)


@pytest.mark.parametrize(("key", "name"), preflight.SYSTEMS.items(), ids=lambda value: str(value))
def test_a_supported_system_is_known_by_its_name(key: tuple[str, str], name: str, tmp_path: Path) -> None:
    found = machine(tmp_path, f'PRETTY_NAME="Something else"\nID={key[0]}\nVERSION_ID="{key[1]}"\n')
    assert found.system() == name
    assert found.unsupported() == ""


@pytest.mark.parametrize("release", ["ID=debian\nVERSION_ID=11\n", "ID=ubuntu\nVERSION_ID=22.04\n", "ID=debian\n", ""])
def test_another_system_is_not_supported(release: str, tmp_path: Path) -> None:
    assert "kubeadm works on Debian 12, Debian 13, Ubuntu 24.04 (amd64, arm64)" in machine(tmp_path, release).unsupported()


def test_another_architecture_is_not_supported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "not on Debian 13 (riscv64)" in machine(tmp_path, "ID=debian\nVERSION_ID=13\n").unsupported()


def test_a_cluster_is_berths_when_its_record_is_there(tmp_path: Path) -> None:
    manifests = tmp_path / "etc/kubernetes/manifests"
    manifests.mkdir(parents=True)
    assert Machine(tmp_path).foreign_cluster() == [], "an empty directory is no cluster"

    (manifests / "etcd.yaml").touch()
    assert Machine(tmp_path).foreign_cluster() == ["/etc/kubernetes/manifests"]

    (tmp_path / "var/lib/berth").mkdir(parents=True)
    (tmp_path / "var/lib/berth/cluster.json").touch()
    assert Machine(tmp_path).foreign_cluster() == []
    assert not Machine(tmp_path).has_whole_cluster()

    (tmp_path / "var/lib/berth/initialized").touch()
    assert Machine(tmp_path).has_whole_cluster()


def test_who_listens_on_a_port_is_found_and_named(listener: tuple[str, int]) -> None:
    address, port = listener
    found = preflight.taken(port, address, preflight.listeners())
    assert found is not None
    assert preflight.holder(found) == (os.getpid(), os.path.realpath(sys.executable))
    assert preflight.held_by(found) == f"{Path(os.path.realpath(sys.executable)).name} (process {os.getpid()})"


def test_what_berth_put_on_the_machine_may_hold_a_port(listener: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    found = preflight.taken(listener[1], listener[0], preflight.listeners())
    assert not preflight.is_berths(found)
    monkeypatch.setattr(preflight.cluster, "DIRECTORY", Path(os.path.realpath(sys.executable)).parent)
    assert preflight.is_berths(found)


@pytest.mark.parametrize(
    ("wanted", "held", "conflict"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "::", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("10.245.0.1", "127.0.0.1", False),
        ("127.0.0.1", "::1", False),
    ],
)
def test_a_port_is_taken_on_the_same_address_or_on_all(wanted: str, held: str, conflict: bool) -> None:
    others = [Listener(held, 6443, "1"), Listener(wanted, 6444, "2")]
    assert (preflight.taken(6443, wanted, others) is not None) == conflict


@pytest.mark.parametrize(
    ("service", "port", "refused"),
    [
        (("shop", "web"), 30099, True),
        (("polls-dev", "old"), 30099, True),  # of the app's earlier name
        (("polls-dev", "polls"), 30099, False),
        (("shop", "web"), 30098, False),
        (("shop", "web"), 0, False),
        (None, 30099, False),  # the cluster does not answer
    ],
)
def test_a_node_port_of_another_service_is_found_before_anything_is_built(tmp_path: Path, service: tuple[str, str] | None, port: int, refused: bool) -> None:
    directory = tmp_path / "etc/kubernetes"
    (directory / "pki").mkdir(parents=True)
    files = certificate(directory / "pki")
    files[0].with_name("ca.crt").write_bytes(files[0].read_bytes())
    names = ("client-certificate-data", "client-key-data")
    lines = [f"{name}: {base64.b64encode(file.read_bytes()).decode()}\n" for name, file in zip(names, files, strict=True)]
    (directory / "admin.conf").write_text("".join(lines), encoding="utf-8")
    api = Api(files)
    namespace, name = service or ("", "")
    ports = [{"port": 80}, {"port": 81, "nodePort": 30099}]
    api.answers["/api/v1/services"] = (200, {"items": [{"metadata": {"namespace": namespace, "name": name}, "spec": {"ports": ports}}]})
    (tmp_path / "var/lib/berth").mkdir(parents=True)
    record = {"settings": {"address": "127.0.0.1", "api_port": str(api.server_port)}}
    (tmp_path / "var/lib/berth/cluster.json").write_text(json.dumps(record), encoding="utf-8")
    if not service:
        api.server_close()

    with running(api) if service else nullcontext():
        text = preflight.other_service(Machine(tmp_path), port, ("polls-dev", "polls"))

    assert text == (
        f"port 30099 is the node port of Service {name} in namespace {namespace}; choose another port, or 0 to let Kubernetes choose" if refused else ""
    )


def test_a_machine_without_a_cluster_has_no_node_port_of_another_service(tmp_path: Path) -> None:
    assert preflight.other_service(Machine(tmp_path), 30099, ("polls-dev", "polls")) == ""


def test_space_beneath_two_directories_of_one_file_system_adds_up(tmp_path: Path) -> None:
    state = os.statvfs(tmp_path)
    free = state.f_bavail * state.f_frsize // 2**20
    most = free * 3 // 4
    assert preflight.lacking_space([(tmp_path / "not/there/yet", most)]) == []
    found = preflight.lacking_space([(tmp_path / "a", most), (tmp_path / "b", most)])
    assert len(found) == 1
    assert f"needs {2 * most} MiB of disk space under {tmp_path}/a and {tmp_path}/b" in found[0]


def test_memory_is_what_the_kernel_says_is_there_and_available() -> None:
    total = preflight.memory_mb("MemTotal")
    assert 0 < preflight.memory_mb("MemAvailable") < total <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    assert preflight.capacity() == {"cpu": os.sysconf("SC_NPROCESSORS_ONLN"), "memory": total * 2**20}


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("current-context: kubernetes-admin@berth\n", False),
        ("current-context: polls-dev@berth\n", False),
        ("current-context: production\n", True),
        ("", True),
    ],
)
def test_a_kubeconfig_is_foreign_unless_berth_wrote_it(text: str, foreign: bool, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    assert not preflight.foreign_kubeconfig(path), "one that is not there is nobody's"
    path.write_text(text, encoding="utf-8")
    assert preflight.foreign_kubeconfig(path) == foreign


def test_a_directory_is_no_kubeconfig_of_berths(tmp_path: Path) -> None:
    assert preflight.foreign_kubeconfig(tmp_path)
