"""What the tests on real minikube put in the place of a registry, and an engine that leaves the machine as it was."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import ipaddress
import json
import re
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import engine
import pytest
import retag
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "minikube"
# The bounding set of a process that can have every capability, and of one that cannot have CAP_SYS_RESOURCE.
ALL, WITHOUT = "CapBnd:\t000001ffffffffff\n", "CapBnd:\t000001fffeffffff\n"


@pytest.fixture(scope="module")
def runtime() -> ModuleType:
    """Load the runtime, whose name has no suffix."""
    path = str(SOURCE / "runc-without-sys-resource")
    spec = importlib.util.spec_from_file_location("runtime", path, loader=importlib.machinery.SourceFileLoader("runtime", path))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def go_mod(directory: Path) -> str:
    """Return the version of minikube's module that a go.mod pins."""
    found = re.search(r"^(?:require )?\s*k8s\.io/minikube (\S+)", (directory / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    assert found, directory
    return found[1]


def test_the_node_is_made_of_the_files_of_the_minikube_that_runs_it() -> None:
    variables = yaml.safe_load((SOURCE / "vars.yml").read_text(encoding="utf-8"))
    assert go_mod(SOURCE / "go") == variables["minikube_version"]


def test_a_machine_that_cannot_grant_the_capability_is_told_from_one_that_can() -> None:
    assert engine.lacks_sys_resource(WITHOUT)
    assert not engine.lacks_sys_resource(ALL)


def test_a_privileged_container_is_asked_for_nothing_that_cannot_be_granted(runtime: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.resource, "getrlimit", lambda _: (1024, 20000))
    process: dict[str, Any] = {
        "capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "effective": ["CAP_SYS_RESOURCE"], "ambient": None},
        "oomScoreAdj": -999,
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1048576, "hard": 1048576}, {"type": "RLIMIT_LOCKS", "soft": 7, "hard": 7}],
    }
    runtime.reduce(process, {"CAP_CHOWN"})
    assert process["capabilities"] == {"bounding": ["CAP_CHOWN"], "effective": [], "ambient": []}
    assert process["oomScoreAdj"] == int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))
    assert process["rlimits"] == [{"type": "RLIMIT_NOFILE", "soft": 20000, "hard": 20000}, {"type": "RLIMIT_LOCKS", "soft": 7, "hard": 7}]


def test_where_every_capability_can_be_granted_limits_and_scores_stay(runtime: ModuleType) -> None:
    process: dict[str, Any] = {"oomScoreAdj": -999, "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1 << 40, "hard": 1 << 40}]}
    runtime.reduce(process, {"CAP_SYS_RESOURCE"})
    assert process == {"oomScoreAdj": -999, "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1 << 40, "hard": 1 << 40}]}


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["--root", "/r", "create", "--bundle", "/b", "--pid-file", "/p", "id"], "/b/config.json"),
        (["run", "--bundle=/b", "id"], "/b/config.json"),
        (["exec", "--process", "/tmp/process", "--detach", "id"], "/tmp/process"),
        (["exec", "id", "true"], None),
        (["delete", "--force", "id"], None),
    ],
)
def test_the_runtime_finds_what_describes_the_process(runtime: ModuleType, arguments: list[str], file: str | None) -> None:
    assert runtime.configuration(arguments) == (Path(file) if file else None)


def test_the_engine_takes_a_network_that_the_machine_does_not_use() -> None:
    networks = [ipaddress.IPv4Network(network) for network in ("10.246.0.0/16", "10.247.0.128/25", "192.0.2.0/24")]
    assert str(engine.free_network(networks)) == "172.30.246.0/24"


def test_a_machine_that_uses_every_network_is_refused() -> None:
    with pytest.raises(engine.EngineError, match="no network left"):
        engine.free_network([ipaddress.IPv4Network("0.0.0.0/1"), ipaddress.IPv4Network("128.0.0.0/1")])


def test_no_network_of_the_engine_is_one_of_a_cluster_of_berths() -> None:
    defaults = (ROOT / "roles" / "kubeadm" / "defaults" / "main.yml").read_text(encoding="utf-8")
    clusters = [ipaddress.IPv4Network(network) for network in re.findall(r"\b\d+\.\d+\.\d+\.\d+/(?!0\b)\d+\b", defaults)]
    assert len(clusters) >= 2
    assert [network for network in map(ipaddress.IPv4Network, engine.NETWORKS) if any(map(network.overlaps, clusters))] == []


def test_an_archive_under_another_name_holds_the_same_image(tmp_path: Path) -> None:
    members = {"layer.tar": b"layer", "config.json": b"{}", "manifest.json": json.dumps([{"RepoTags": ["a:1"], "Layers": ["layer.tar"]}]).encode()}
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    retag.main(str(tmp_path / "a.tar"), "registry.example.org/b:2", str(tmp_path / "made" / "b.tar"))
    with tarfile.open(tmp_path / "made" / "b.tar") as archive:
        read = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert read == members | {"manifest.json": json.dumps([{"RepoTags": ["registry.example.org/b:2"], "Layers": ["layer.tar"]}]).encode()}
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["b.tar"]
