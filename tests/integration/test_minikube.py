"""The minikube modules against a replay of recorded calls: every state there is, and what they make of it."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import ansible_fork
import pytest
import replay
import yaml
from ansible_collections.berth.platform.plugins.module_utils.kube import identity
from ansible_collections.berth.platform.plugins.module_utils.machine import minikube as decisions
from ansible_collections.berth.platform.plugins.module_utils.machine import minikube_calls as calls
from ansible_collections.berth.platform.plugins.module_utils.machine.minikube import Observed, Refusal, Wanted
from ansible_collections.berth.platform.plugins.modules import minikube, minikube_images, minikube_info
from ansible_collections.berth.platform.plugins.plugin_utils import preflight
from fake_api import EMPTIED
from module_run import run
from role_options import options

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "minikube"
RECORDED = {call["name"]: call for call in map(json.loads, (DATA / "recorded.jsonl").read_text(encoding="utf-8").splitlines())}
PROFILE = "dev"
# What the recorded cluster was made with.
SETTINGS: dict[str, Any] = {
    "driver": "docker",
    "memory": "6000",
    "cpus": "2",
    "kubernetes_version": "v1.36.3",
    "container_runtime": "containerd",
    "cni": "bridge",
    "feature_gates": {"KubeletInUserNamespace": True},
    "extra_config": ["kube-proxy.mode=nftables"],
    "base_image": "local/kicbase:v1",
    "addons": ["default-storageclass", "metrics-server", "storage-provisioner"],
    "force": True,
    "inventory": "inventories/dev/group_vars/all/main.yml",
}
READING = ("profile list", "status", "addons list", "image ls", "ip", "service list")


class Machine:
    """A machine with a home of its own, a replay of minikube and a container engine.

    Attributes:
        replay: Where the replay keeps its state and finds its orders.
        home: MINIKUBE_HOME.
    """

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys = root, capsys
        self.replay, self.home, self.kubeconfig = root / "replay", root / "cache" / "minikube", root / "environment" / "kubeconfig"
        self.progress_file = root / "progress"
        for path in (self.replay, self.kubeconfig.parent):
            path.mkdir(parents=True)
        self.given("absent")

    @property
    def state(self) -> dict[str, Any]:
        """What the replay is in."""
        return json.loads((self.replay / "state.json").read_text(encoding="utf-8"))

    def order(self, **changes: Any) -> None:
        """Change what the replay is in."""
        old = self.state if (self.replay / "state.json").exists() else {}
        (self.replay / "state.json").write_text(json.dumps(old | changes), encoding="utf-8")

    def given(self, state: str, ours: bool = True, made: bool = True, **config: Any) -> None:
        """Have the recorded cluster in a state, with other settings where ``config`` has them."""
        profile = json.loads(RECORDED["22-profile-list-running"]["stdout"])["valid"][0]["Config"] | config
        addons = ["default-storageclass", "metrics-server", "storage-provisioner"]
        self.order(state=state, config=profile, addons=[] if state == "absent" else addons, images={}, runtime="containerd")
        if state == "absent":
            return
        (self.home / ".minikube" / "profiles" / PROFILE).mkdir(parents=True)
        (self.home / ".minikube" / "profiles" / PROFILE / "config.json").touch()
        if ours:
            record = {"made": made, "addons": addons, "certificates": [], "container_runtime": "containerd", "extra_config": ["kube-proxy.mode=nftables"]}
            self.note(record)
        if state == "stopped":
            self.kubeconfig.write_text(EMPTIED, encoding="utf-8")
        elif state != "interrupted":
            self.lead_to(PROFILE)

    def note(self, record: dict[str, Any]) -> None:
        """Write what an earlier run noted."""
        path = self.home / ".minikube" / "berth" / f"{PROFILE}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record), encoding="utf-8")

    @property
    def record(self) -> dict[str, Any] | None:
        """What the last run noted."""
        path = self.home / ".minikube" / "berth" / f"{PROFILE}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def lead_to(self, name: str) -> None:
        """Write a kubeconfig that leads to a cluster."""
        content = {"clusters": [{"name": name, "cluster": {"server": "https://192.168.49.2:8443"}}], "current-context": name}
        self.kubeconfig.write_text(json.dumps(content), encoding="utf-8")

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run the module ``minikube``."""
        return self._run(minikube, check, **({"kubeconfig": str(self.kubeconfig)} | SETTINGS | options))

    def images(self, check: bool = False, **images: Path) -> dict[str, Any]:
        """Run the module ``minikube_images``."""
        return self._run(minikube_images, check, images={"docker.io/library/" + name.replace("_", ":"): str(path) for name, path in images.items()})

    def info(self, **options: Any) -> dict[str, Any]:
        """Run the module ``minikube_info``."""
        return self._run(minikube_info, False, **({"kubeconfig": str(self.kubeconfig)} | options))

    def _run(self, module: Any, check: bool, **options: Any) -> dict[str, Any]:
        (self.replay / "calls").unlink(missing_ok=True)
        return run(module, self.capsys, check, **({"binary": str(DATA / "replay.py"), "home": str(self.home), "profile": PROFILE} | options))

    @property
    def calls(self) -> list[str]:
        """The calls of the last run, without their options."""
        path = self.replay / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [" ".join(word for word in json.loads(line) if not word.startswith("--")) for line in lines]

    @property
    def changes(self) -> list[str]:
        """The calls of the last run that are not just a look."""
        return [call for call in self.calls if call not in READING]

    def arguments(self, verb: str) -> list[str]:
        """Return the options of the last run's last call of a verb."""
        lines = (self.replay / "calls").read_text(encoding="utf-8").splitlines()
        return next(words for words in reversed([json.loads(line) for line in lines]) if words[0] == verb)

    @property
    def progress(self) -> list[str]:
        """What a person at the terminal saw."""
        return self.progress_file.read_text(encoding="utf-8").splitlines() if self.progress_file.exists() else []


class Forked(subprocess.Popen):  # type: ignore[type-arg]
    """A process that replays minikube in a fork of this one, instead of an interpreter of its own; any other is as it is."""

    def __init__(self, command: list[str], **how: Any) -> None:
        fork = {"preexec_fn": functools.partial(replayed, command[1:], how["env"])} if command[0] == str(DATA / "replay.py") else {}
        super().__init__(command, **how, **fork)


def replayed(words: list[str], environment: dict[str, str]) -> NoReturn:
    """Replay a call of minikube with the standard files that this process has been given, and end."""
    code = 1
    try:
        os.closerange(3, 1024)  # subprocess waits until the last of them is closed, as a new program has it
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
        os.environ.clear()
        os.environ.update(environment)
        code = replay.main(words)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def content_of(directory: Path) -> dict[str, str]:
    """Return the checksum of every file below a directory."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.rglob("*")) if path.is_file()}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Machine]:
    """Return a machine without a cluster. Whatever a test does, the user's own minikube and kubeconfig stay as they are."""
    user = tmp_path / "user"
    for name in (".kube/config", ".minikube/config/config.json", ".minikube/profiles/dev/config.json"):
        (user / name).parent.mkdir(parents=True)
        (user / name).write_text("the user's own", encoding="utf-8")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "docker").symlink_to(DATA / "docker")
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("REPLAY", str(tmp_path / "replay"))
    monkeypatch.setenv("BERTH_PROGRESS", str(tmp_path / "progress"))
    monkeypatch.setenv("KUBECONFIG", str(user / ".kube" / "config"))
    monkeypatch.setenv("MINIKUBE_DRIVER", "virtualbox")
    monkeypatch.setattr(subprocess, "Popen", Forked)
    before = content_of(user)
    yield Machine(tmp_path, capsys)
    assert content_of(user) == before
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


# --- Every state there is, times every state that is wanted -----------------------

REFUSED_LOST = "cannot be started: its container or virtual machine was removed by somebody. Its contents are lost. Set minikube_recreate: true"
REFUSED_FOREIGN = "minikube has a profile dev that Berth did not create"
# What is there, how the module calls it, and the steps (or the refusal) to started, stopped and absent.
STATES: list[tuple[str, dict[str, Any], str, list[str] | str, list[str] | str, list[str] | str]] = [
    ("absent", {}, "absent", ["start", "enable metrics-server"], [], []),
    ("running", {}, "running", [], ["stop"], ["delete"]),
    ("stopped", {}, "stopped", ["start"], [], ["delete"]),
    ("paused", {}, "paused", ["unpause"], ["unpause", "stop"], ["delete"]),
    ("kubelet", {}, "unready", ["start"], ["stop"], ["delete"]),
    ("silent", {}, "unready", ["stop", "start"], ["stop"], ["delete"]),
    ("failed", {}, "unready", ["start"], ["stop"], ["delete"]),
    ("interrupted", {}, "partial", ["start"], ["stop"], ["delete"]),
    ("interrupted", {"made": False}, "partial", ["start"], ["stop"], ["delete"]),
    ("running", {"made": False}, "partial", ["start"], ["stop"], ["delete"]),
    ("gone", {}, "lost", REFUSED_LOST, [], ["delete"]),
    ("gone", {"made": False}, "lost", ["delete", "start", "enable metrics-server"], [], ["delete"]),
    ("damaged", {}, "lost", "its configuration is damaged", [], ["delete"]),
    ("damaged", {"made": False}, "lost", ["delete", "start", "enable metrics-server"], [], ["delete"]),
    ("running", {"ours": False}, "foreign", REFUSED_FOREIGN, REFUSED_FOREIGN, REFUSED_FOREIGN),
    ("stopped", {"ours": False}, "foreign", REFUSED_FOREIGN, REFUSED_FOREIGN, REFUSED_FOREIGN),
]
TABLE = [
    pytest.param(state, given, found, wanted, expected, id=f"{state}{'-' if given else ''}{'-'.join(f'{k}={v}' for k, v in given.items())}-to-{wanted}")
    for state, given, found, *cells in STATES
    for wanted, expected in zip(("started", "stopped", "absent"), cells, strict=True)
]
END = {"started": "running", "stopped": "stopped", "absent": "absent"}


@pytest.mark.parametrize(("state", "given", "found", "wanted", "expected"), TABLE)
def test_every_state_is_led_to_every_wanted_one_and_stays_there(
    machine: Machine, state: str, given: dict[str, Any], found: str, wanted: str, expected: list[str] | str
) -> None:
    machine.given(state, **given)
    before = machine.state, content_of(machine.root / "cache"), content_of(machine.kubeconfig.parent)
    foreseen = machine.run(check=True, state=wanted)
    assert machine.changes == []
    assert (machine.state, content_of(machine.root / "cache"), content_of(machine.kubeconfig.parent)) == before
    result = machine.run(state=wanted)
    if isinstance(expected, str):
        assert expected in result["msg"]
        assert foreseen["msg"] == result["msg"]
        assert machine.changes == []
        assert machine.state == before[0]
        return
    assert (result["found"], result["steps"], result["changed"]) == (found, expected, bool(expected))
    assert (foreseen["found"], foreseen["steps"], foreseen["changed"]) == (found, expected, bool(expected))
    assert machine.changes == [("addons " if " " in step else "") + step for step in expected]
    if expected:
        assert machine.state["state"] == END[wanted]
        assert (machine.record is None) == (wanted == "absent")
    again = machine.run(state=wanted)
    assert (again["changed"], again["steps"], machine.changes) == (False, [], [])


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("21-status-running", "running"),
        ("65b-status-paused", "paused"),
        ("66-status-kubelet-stopped", "unready"),
        ("68-status-stopped", "stopped"),
        ("80-status-container-gone", "lost"),
        ("81b-status", "unready"),
        ("82c-status", "lost"),
        ("98b-status", "partial"),
    ],
)
def test_a_recorded_status_is_the_state_that_it_was_recorded_in(name: str, state: str) -> None:
    profiles = {"valid": [{"Name": "minikube"}], "invalid": []}
    assert decisions.classify(profiles, "minikube", RECORDED[name]["stdout"], {"made": True})[0] == state


# What minikube calls a host (pkg/minikube/machine and libmachine/state), besides Running.
ODD = ["Stopped", "Nonexistent", "Paused", "Saved", "Starting", "Stopping", "Error", "Timeout", ""]


@pytest.mark.parametrize("part", ["Host", "Kubelet"])
@pytest.mark.parametrize("odd", ODD)
def test_a_worker_that_does_not_run_makes_a_cluster_unready(part: str, odd: str) -> None:
    node = json.loads(RECORDED["21-status-running"]["stdout"])
    worker = node | {"Name": "dev-m02", "Worker": True, "APIServer": "Irrelevant", "Kubeconfig": "Irrelevant"}
    profiles = {"valid": [{"Name": "dev"}]}
    assert decisions.classify(profiles, "dev", json.dumps([node, worker]), {"made": True})[0] == "running"
    state, reason, _ = decisions.classify(profiles, "dev", json.dumps([node, worker | {part: odd}]), {"made": True})
    assert (state, reason) == ("unready", "dev-m02 is not running")


@pytest.mark.parametrize("odd", ODD)
def test_a_node_is_stopped_paused_lost_or_else_named_as_minikube_calls_it(odd: str) -> None:
    node = json.loads(RECORDED["21-status-running"]["stdout"]) | {"Host": odd, "Kubelet": odd, "APIServer": odd}
    found = decisions.classify({"valid": [{"Name": "dev"}]}, "dev", json.dumps(node), {"made": True})
    named = {"Stopped": ("stopped", ""), "Paused": ("paused", ""), "Nonexistent": ("lost", "its container or virtual machine was removed by somebody")}
    assert found == (*named.get(odd, ("unready", f"the node is {odd or 'in an unknown state'}")), False)


def test_a_worker_that_was_removed_costs_a_start_and_not_the_cluster(machine: Machine) -> None:
    machine.given("worker-gone", Nodes=[{"Name": "", "ControlPlane": True, "Worker": True}, {"Name": "m02", "Worker": True}])
    seen = machine.info()
    assert (seen["state"], seen["reason"]) == ("unready", "dev-m02 is not running")
    assert machine.run(nodes=2, check=True)["steps"] == ["start"]
    assert machine.run(nodes=2)["steps"] == ["start"]
    assert machine.changes == ["start"]
    assert not machine.run(nodes=2)["changed"]


# --- A first start ------------------------------------------------------------------


def test_a_first_start_gives_minikube_every_setting(machine: Machine) -> None:
    more = {"registry_mirrors": ["https://mirror.example.org"], "insecure_registries": ["10.0.0.1:5000"], "extra_arguments": ["--preload=false"]}
    machine.run(**more, nodes=2, disk="20g")
    given = set(machine.arguments("start"))
    assert given >= {
        "--output=json",
        "--interactive=false",
        "--wait=all",
        "--embed-certs",
        "--profile=dev",
        "--driver=docker",
        "--nodes=2",
        "--cpus=2",
        "--memory=6000",
        "--disk-size=20g",
        "--kubernetes-version=v1.36.3",
        "--container-runtime=containerd",
        "--cni=bridge",
        "--feature-gates=KubeletInUserNamespace=true",
        "--extra-config=kube-proxy.mode=nftables",
        "--base-image=local/kicbase:v1",
        "--force",
        "--registry-mirror=https://mirror.example.org",
        "--insecure-registry=10.0.0.1:5000",
        "--preload=false",
    }


def test_what_is_left_to_minikube_is_not_said(machine: Machine) -> None:
    options = {name: "" for name in ("driver", "cpus", "memory", "kubernetes_version", "container_runtime", "cni", "base_image")}
    machine.run(**options, feature_gates={}, extra_config=[], force=False)
    fixed = ["--output=json", "--interactive=false", "--wait=all", "--embed-certs", "--profile=dev"]
    assert sorted(machine.arguments("start")) == sorted(["start", *fixed])


def test_a_later_start_says_only_what_an_existing_profile_can_take(machine: Machine) -> None:
    machine.given("stopped")
    machine.run()
    assert not [word for word in machine.arguments("start") if re.match("--(memory|cpus|disk-size|nodes|driver|registry-mirror)", word)]


def test_the_kubeconfig_is_the_environments_own_and_only_its_user_reads_it(machine: Machine) -> None:
    machine.run()
    assert machine.kubeconfig.stat().st_mode & 0o777 == 0o600
    machine.kubeconfig.chmod(0o644)
    machine.run()
    assert machine.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_a_person_sees_the_steps_of_a_start(machine: Machine) -> None:
    machine.run()
    assert "minikube: [8/19] Creating docker container (CPUs=2, Memory=6000MB)" in machine.progress
    assert "minikube: enable metrics-server" in machine.progress


def test_proxies_are_in_the_environment_and_never_on_a_command_line(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "http://me:secret@proxy.example.org:3128"
    seen = calls.Minikube(Path("m"), machine.home, PROFILE, None, minikube.proxies({"https_proxy": address, "http_proxy": None})).environment
    assert (seen["HTTPS_PROXY"], seen["https_proxy"]) == (address, address)
    assert "192.168.49.0/24" in seen["NO_PROXY"]
    machine.run(proxies={"https_proxy": address})
    assert "secret" not in (machine.replay / "calls").read_text(encoding="utf-8")


def test_a_users_own_minikube_variables_do_not_get_in_the_way(machine: Machine) -> None:
    seen = calls.Minikube(Path("m"), machine.home, PROFILE).environment
    assert "MINIKUBE_DRIVER" not in seen
    assert seen["MINIKUBE_HOME"] == str(machine.home)
    assert seen["KUBECONFIG"] != os.environ["KUBECONFIG"]


# --- What is refused ------------------------------------------------------------------

ADVICE = "Change it back in inventories/dev/group_vars/all/main.yml, or remove the cluster with playbooks/destroy.yml"


@pytest.mark.parametrize("state", ["running", "stopped", "paused", "kubelet", "silent", "interrupted"])
@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"driver": "podman"}, "minikube_driver: is docker, but podman is wanted"),
        ({"memory": "3000"}, "minikube_memory: is 6000, but 3000 is wanted"),
        ({"memory": "4g"}, "minikube_memory: is 6000, but 4096 is wanted"),
        ({"cpus": "4"}, "minikube_cpus: is 2, but 4 is wanted"),
        ({"disk": "40g"}, "minikube_disk: is 20000, but 40960 is wanted"),
        ({"nodes": 2}, "minikube_nodes: is 1, but 2 is wanted"),
        ({"container_runtime": "docker"}, "minikube_container_runtime: is containerd, but docker is wanted"),
        ({"cni": "calico"}, "minikube_cni: is bridge, but calico is wanted"),
        ({"kubernetes_version": "v1.35.1"}, "minikube_kubernetes_version: is v1.36.3, but v1.35.1 is wanted"),
        ({"base_image": "local/kicbase:v2"}, "minikube_base_image: is local/kicbase:v1, but local/kicbase:v2 is wanted"),
        ({"registry_mirrors": ["https://m.example.org"]}, 'minikube_registry_mirrors: is [], but ["https://m.example.org"] is wanted'),
        ({"insecure_registries": ["10.0.0.1:5000"]}, 'minikube_insecure_registries: is [], but ["10.0.0.1:5000"] is wanted'),
        ({"extra_config": []}, 'minikube_extra_config: is ["kube-proxy.mode=nftables"], but [] is wanted'),
    ],
)
def test_a_setting_that_the_profile_cannot_take_is_named_before_minikube_is_started(machine: Machine, state: str, change: dict[str, Any], line: str) -> None:
    machine.given(state)
    before = machine.state
    message = machine.run(**change)["msg"]
    assert line in message
    assert ADVICE in message
    assert machine.changes == []
    assert machine.state == before


PROXY = "http://me:secret@proxy.example.org:3128"


@pytest.mark.parametrize("state", ["running", "stopped"])
@pytest.mark.parametrize(
    ("first", "then", "line"),
    [
        ({}, {"cni": "auto"}, "minikube_cni: is bridge, but auto is wanted"),
        ({}, {"cni": ""}, "minikube_cni: is bridge, but auto is wanted"),
        ({}, {"cni": "/etc/passwd"}, "minikube_cni: is bridge, but /etc/passwd is wanted"),
        ({"cni": "auto"}, {}, "minikube_cni: is auto, but bridge is wanted"),
        ({}, {"memory": "max"}, "minikube_memory: is 6000, but max is wanted"),
        ({}, {"memory": "no-limit"}, "minikube_memory: is 6000, but no-limit is wanted"),
        ({}, {"cpus": "max"}, "minikube_cpus: is 2, but max is wanted"),
        ({"disk": ""}, {"disk": "max"}, "minikube_disk: is 20000, but max is wanted"),
        (
            {},
            {"proxies": {"https_proxy": PROXY}},
            "minikube_proxies: is the value that it was created with, but another value (either may contain a password) is wanted",
        ),
        (
            {"proxies": {"https_proxy": PROXY}},
            {},
            "minikube_proxies: is the value that it was created with, but another value (either may contain a password) is wanted",
        ),
    ],
)
def test_a_setting_that_minikube_does_not_tell_again_is_named_as_well(
    machine: Machine, state: str, first: dict[str, Any], then: dict[str, Any], line: str
) -> None:
    machine.run(**first)
    if state == "stopped":
        machine.run(state="stopped")
    assert not machine.run(**first, check=True)["changed"] or state == "stopped"
    before = machine.state
    message = machine.run(**then)["msg"]
    assert line in message.splitlines()
    assert ADVICE in message
    assert "secret" not in message + json.dumps(machine.record)
    assert machine.changes == []
    assert machine.state == before


@pytest.mark.parametrize("settings", [{"memory": "max", "cpus": "max"}, {"memory": "", "cpus": ""}, {"cni": ""}, {"proxies": {"http_proxy": PROXY}}])
def test_a_setting_that_minikube_does_not_tell_again_stays_as_it_was_given(machine: Machine, settings: dict[str, Any]) -> None:
    machine.run(**settings)
    assert not machine.run(**settings)["changed"]
    machine.run(state="stopped")
    assert machine.run(**settings)["steps"] == ["start"]


def test_a_manifest_of_the_network_that_holds_something_else_by_now_is_named(machine: Machine, tmp_path: Path) -> None:
    manifest = tmp_path / "cni.yaml"
    missing = machine.run(cni=str(manifest))["msg"]
    assert missing == f"minikube_cni: {manifest} cannot be read: No such file or directory"
    assert machine.changes == []
    manifest.write_text("kind: DaemonSet")
    machine.run(cni=str(manifest))
    assert not machine.run(cni=str(manifest))["changed"]
    manifest.write_text("kind: Deployment")
    message = machine.run(cni=str(manifest))["msg"]
    assert f"minikube_cni: is {manifest} as it was at the first start, but its present content is wanted" in message
    manifest.unlink()
    assert machine.run(state="stopped")["changed"]


def test_of_a_profile_of_before_what_was_not_noted_is_noted_and_a_later_change_named(machine: Machine) -> None:
    machine.given("running")
    assert not machine.run(memory="max", proxies={"http_proxy": PROXY})["changed"]
    assert "minikube_proxies: is the value that it was created with" in machine.run(memory="max")["msg"]


def test_other_extra_arguments_are_given_with_a_start_and_a_word_about_what_it_cannot_do(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    # Not from the answer: Ansible keeps a process's warnings, and all runs of a test are one process.
    monkeypatch.setattr(minikube.AnsibleModule, "warn", lambda _module, words: warned.append(words))
    machine.run()
    more = {"extra_arguments": ["--apiserver-ips=10.0.0.1"]}
    for check in (True, False):
        warned.clear()
        result = machine.run(**more, check=check)
        assert (result["steps"], result["reason"]) == (["start"], "the extra arguments differ")
        assert len(warned) == 1
        assert "minikube_extra_arguments: the minikube profile dev was started with others" in warned[0]
        assert "remove the cluster with playbooks/destroy.yml" in warned[0]
    assert "--apiserver-ips=10.0.0.1" in machine.arguments("start")
    warned.clear()
    assert not machine.run(**more)["changed"]
    assert warned == []
    assert machine.run()["steps"] == ["start"]


def test_all_changed_settings_are_named_at_once(machine: Machine) -> None:
    machine.given("running")
    message = machine.run(driver="podman", memory="3000")["msg"]
    assert "minikube_driver" in message
    assert "minikube_memory" in message


def test_a_first_start_that_was_cut_off_is_begun_anew_with_changed_settings(machine: Machine) -> None:
    machine.given("interrupted", made=False)
    assert machine.run(memory="3000")["steps"] == ["delete", "start", "enable metrics-server"]
    assert machine.state["config"]["Memory"] == 3000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"memory": "1000"}, "minikube_memory: 1000 MB is too little: Kubernetes needs 1800"),
        ({"memory": "much"}, "minikube_memory: 'much' is not a size"),
        ({"cpus": "1"}, "minikube_cpus: 1 is too few: Kubernetes needs 2"),
        ({"cpus": "two"}, "minikube_cpus: 'two' is not a number"),
        ({"kubernetes_version": "1.36"}, "minikube_kubernetes_version: '1.36' is not a version"),
        ({"extra_config": ["mode=nftables"]}, "minikube_extra_config: 'mode=nftables' is not component.key=value"),
        ({"profile": "d"}, "minikube_profile: 'd' is not a valid container name"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_is_made(machine: Machine, change: dict[str, Any], words: str) -> None:
    message = machine.run(**change)["msg"]
    assert words in message
    assert "inventories/dev/group_vars/all/main.yml" in message
    assert machine.calls == []
    assert not machine.home.exists()


@pytest.mark.parametrize("kind", ["container", "volume"])
def test_a_container_or_volume_of_somebody_else_with_our_name_is_not_touched(machine: Machine, kind: str) -> None:
    (machine.replay / f"{kind}s").write_text("other\ndev\n", encoding="utf-8")
    for check in (True, False):
        message = machine.run(check=check)["msg"]
        assert f"docker has a {kind} named dev that Berth did not create" in message
        assert "Set minikube_profile" in message
    assert machine.calls == []
    for state in ("stopped", "absent"):
        assert not machine.run(state=state)["changed"]


def test_a_container_whose_name_only_begins_like_ours_is_in_nobodys_way(machine: Machine) -> None:
    (machine.replay / "containers").write_text("dev-database\n", encoding="utf-8")
    assert machine.run()["changed"]


def test_a_kubeconfig_that_leads_elsewhere_is_not_overwritten(machine: Machine) -> None:
    machine.lead_to("production")
    before = machine.kubeconfig.read_text(encoding="utf-8")
    message = machine.run()["msg"]
    assert "set berth_kubeconfig in inventories/dev/group_vars/all/main.yml to a path of its own" in message
    machine.kubeconfig.write_text("no kubeconfig at all: [", encoding="utf-8")
    assert "not overwritten" in machine.run()["msg"]
    machine.lead_to("production")
    machine.run(state="absent")
    assert machine.kubeconfig.read_text(encoding="utf-8") == before


def test_a_second_project_with_an_environment_of_the_same_name_does_not_get_the_firsts_cluster(machine: Machine) -> None:
    machine.run()
    first = machine.kubeconfig
    before = machine.state, content_of(machine.root / "cache"), content_of(first.parent)
    second = {"kubeconfig": str(machine.root / "second" / "kubeconfig")}
    for state in ("started", "stopped", "absent"):
        for check in (True, False):
            message = machine.run(check=check, state=state, **second)["msg"]
            assert f"the minikube profile dev belongs to the environment whose kubeconfig is {first}" in message
            assert f"if that project was moved or is gone, remove {machine.home}/.minikube/berth/dev.owner, and run again" in message
            assert machine.calls == []
    assert "Set minikube_profile in inventories/dev/group_vars/all/main.yml to another name, or if" in machine.run(**second)["msg"]
    assert (machine.info(**second)["state"], machine.info()["state"]) == ("foreign", "running")
    assert not (machine.root / "second").exists()
    assert (machine.state, content_of(machine.root / "cache"), content_of(first.parent)) == before


def test_a_project_that_was_moved_gets_its_cluster_back(machine: Machine) -> None:
    machine.run()
    moved = machine.root / "moved"
    machine.kubeconfig.parent.rename(moved)
    machine.kubeconfig = moved / "kubeconfig"
    message = machine.run()["msg"]
    Path(re.findall("remove (/.*?), and run again", message)[0]).unlink()
    assert not machine.run()["changed"]
    assert machine.run(kubeconfig=str(machine.root / "environment" / "kubeconfig"))["msg"], "from now on it is the moved project's"


def test_a_profile_is_its_environments_own_by_whatever_name_the_kubeconfig_is_called(machine: Machine) -> None:
    machine.run()
    (machine.root / "link").symlink_to(machine.kubeconfig.parent)
    assert not machine.run(kubeconfig=str(machine.root / "link" / "kubeconfig"))["changed"]


def test_a_profile_of_before_whose_owner_was_not_noted_is_of_who_uses_it_next(machine: Machine) -> None:
    machine.given("running")
    assert not machine.run()["changed"]
    assert "belongs to the environment" in machine.run(kubeconfig=str(machine.root / "second" / "kubeconfig"))["msg"]


def test_a_first_start_that_was_cut_off_is_its_environments_own(machine: Machine) -> None:
    machine.order(start=["81-start-container-gone failed"])
    machine.run()
    assert "belongs to the environment" in machine.run(kubeconfig=str(machine.root / "second" / "kubeconfig"))["msg"]


def test_a_name_is_free_when_the_cluster_is_deleted(machine: Machine) -> None:
    machine.run()
    machine.run(state="absent")
    (machine.root / "second").mkdir()
    assert machine.run(kubeconfig=str(machine.root / "second" / "kubeconfig"))["changed"]


def test_the_kubeconfig_leads_nowhere_while_the_cluster_is_stopped_and_back_afterwards(machine: Machine) -> None:
    machine.given("running")
    led = machine.kubeconfig.read_text(encoding="utf-8")
    machine.run(state="stopped")
    assert machine.kubeconfig.read_text(encoding="utf-8") == EMPTIED
    assert machine.run()["steps"] == ["start"]
    assert json.loads(machine.kubeconfig.read_text(encoding="utf-8"))["clusters"] == json.loads(led)["clusters"]


def test_the_users_own_kubeconfig_is_refused(machine: Machine) -> None:
    message = machine.run(kubeconfig=str(machine.root / "user" / ".kube" / "config"))["msg"]
    assert "is the user's own and is left alone" in message


def test_an_engine_that_is_down_is_not_taken_for_a_lost_cluster(machine: Machine) -> None:
    machine.given("gone")
    (machine.replay / "down").touch()
    message = machine.run(recreate=True)["msg"]
    assert "The driver docker of the minikube profile dev does not answer: Cannot connect to the Docker daemon" in message
    assert machine.changes == []


# --- What a running cluster takes on -----------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kubernetes_version": "v1.37.0"}, "Kubernetes is v1.36.3, but v1.37.0 is wanted"),
        ({"feature_gates": {"KubeletInUserNamespace": True, "Other": False}}, "the feature gates differ"),
        ({"feature_gates": {}}, "the feature gates differ"),
        ({"extra_config": ["kube-proxy.mode=iptables"]}, "the extra configuration differs"),
        ({"extra_config": ["kube-proxy.mode=nftables", "kubelet.max-pods=200"]}, "the extra configuration differs"),
    ],
)
def test_a_change_that_a_start_gives_to_a_running_cluster_is_given_once(machine: Machine, change: dict[str, Any], reason: str) -> None:
    machine.given("running")
    result = machine.run(**change)
    assert (result["steps"], result["reason"]) == (["start"], reason)
    assert not machine.run(**change)["changed"]


def test_a_runtime_that_a_foreign_start_overwrote_in_the_profile_is_repaired(machine: Machine) -> None:
    machine.given("running")
    config = machine.state["config"]
    config["KubernetesConfig"]["ContainerRuntime"] = "docker"
    machine.order(config=config)
    assert machine.run()["steps"] == ["start"]
    assert machine.state["config"]["KubernetesConfig"]["ContainerRuntime"] == "containerd"
    assert not machine.run()["changed"]


def test_a_kubeconfig_that_was_deleted_is_written_again(machine: Machine) -> None:
    machine.given("running")
    machine.kubeconfig.unlink()
    assert machine.run()["reason"] == "the kubeconfig does not point to the cluster"
    assert machine.kubeconfig.exists()


def test_authorities_are_put_where_minikube_takes_them_from_and_removed_again(machine: Machine) -> None:
    authority = machine.root / "company.crt"
    authority.write_text("-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n", encoding="utf-8")
    machine.run(certificates=[str(authority)])
    installed = machine.home / ".minikube" / "certs" / "berth-dev-company.pem"
    assert installed.read_text(encoding="utf-8") == authority.read_text(encoding="utf-8")
    assert not machine.run(certificates=[str(authority)])["changed"]
    authority.write_text("-----BEGIN CERTIFICATE-----\nNEW\n-----END CERTIFICATE-----\n", encoding="utf-8")
    assert machine.run(certificates=[str(authority)])["reason"] == "the certificate authorities differ"
    assert machine.run()["steps"] == ["start"]
    assert not installed.exists()


def test_a_file_that_is_no_certificate_is_refused(machine: Machine) -> None:
    (machine.root / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n", encoding="utf-8")
    assert "contains no PEM certificate" in machine.run(certificates=[str(machine.root / "key.pem")])["msg"]
    assert "minikube_certificates: /nowhere.pem cannot be read" in machine.run(certificates=["/nowhere.pem"])["msg"]


# --- Addons --------------------------------------------------------------------------------


def test_an_addon_is_enabled_and_disabled_once(machine: Machine) -> None:
    machine.given("running")
    wanted = SETTINGS["addons"]
    assert machine.run(addons=[*wanted, "ingress"])["steps"] == ["enable ingress"]
    assert not machine.run(addons=[*wanted, "ingress"])["changed"]
    assert machine.run(addons=wanted)["steps"] == ["disable ingress"]
    assert not machine.run(addons=wanted)["changed"]


def test_minikubes_own_addons_are_disabled_when_they_are_not_wanted(machine: Machine) -> None:
    assert machine.run(addons=["storage-provisioner"])["steps"] == ["start", "disable default-storageclass"]
    assert machine.state["addons"] == ["storage-provisioner"]


def test_an_addon_that_somebody_enabled_by_hand_stays(machine: Machine) -> None:
    machine.given("running")
    machine.order(addons=[*machine.state["addons"], "dashboard"])
    assert not machine.run()["changed"]
    assert "dashboard" in machine.state["addons"]


def test_an_addon_that_was_wanted_and_found_enabled_is_disabled_when_it_is_no_longer_wanted(machine: Machine) -> None:
    machine.given("running")
    machine.order(addons=[*machine.state["addons"], "dashboard"])
    assert not machine.run(addons=[*SETTINGS["addons"], "dashboard"])["changed"]
    assert machine.run()["steps"] == ["disable dashboard"]


def test_an_unknown_addon_is_refused_with_those_that_exist(machine: Machine) -> None:
    machine.given("running")
    message = machine.run(addons=["metrics-serwer"])["msg"]
    assert "minikube_addons: minikube has no addon metrics-serwer; it has" in message
    assert "metrics-server" in message
    assert machine.changes == []


def test_an_unknown_addon_of_a_new_cluster_ends_with_minikubes_reason(machine: Machine) -> None:
    message = machine.run(addons=["metrics-serwer"])["msg"]
    assert "metrics-serwer is not a valid addon (MK_ADDON_ENABLE, exit code 10). Set minikube_addons" in message


# --- Failures --------------------------------------------------------------------------------


def test_a_failed_start_ends_with_minikubes_reason_id_and_message(machine: Machine) -> None:
    machine.order(start=["81-start-container-gone failed"])
    message = machine.run()["msg"]
    assert "minikube start failed: failed to start node: wait 6m0s for node" in message
    assert "(GUEST_START, exit code 80)" in message
    assert "╭" not in message
    assert machine.run()["found"] == "partial", "the next run knows that it is ours and goes on"
    assert machine.state["state"] == "running"


def test_after_a_start_that_failed_before_it_made_anything_nothing_is_deleted(machine: Machine) -> None:
    """``minikube delete`` would go by the name, and take what somebody else's minikube made meanwhile."""
    machine.order(start=["early"])
    assert "K8S_DOWNGRADE_UNSUPPORTED" in machine.run()["msg"]
    (machine.replay / "containers").write_text("dev\n", encoding="utf-8")
    assert "docker has a container named dev that Berth did not create" in machine.run()["msg"]
    assert not machine.run(state="absent")["changed"]
    assert machine.changes == []
    (machine.replay / "containers").unlink()
    machine.order(start=[])
    changed = {"container_runtime": "docker"}
    assert machine.run(**changed)["steps"] == ["start", "enable metrics-server"]
    assert not machine.run(**changed)["changed"]


def test_a_long_message_of_another_program_is_cut_to_its_end(machine: Machine) -> None:
    machine.order(start=["95-nofg-start failed"])
    message = machine.run()["msg"]
    assert "could not bootstrap the admin user" in message
    assert len(message.splitlines()) < 20


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("61-start-other-driver", "(GUEST_DRIVER_MISMATCH, exit code 81). Delete the existing 'minikube' cluster using: 'minikube delete'"),
        ("62-start-other-runtime", "docker not running (RUNTIME_ENABLE, exit code 90). Set minikube_container_runtime."),
        ("63-start-older-k8s", "cluster to v1.35.1 (K8S_DOWNGRADE_UNSUPPORTED, exit code 106). Set minikube_kubernetes_version."),
    ],
)
def test_a_recorded_failure_is_told_with_its_reason_and_advice(name: str, words: str) -> None:
    call = RECORDED[name]
    assert words in calls.failure(call["stdout"], call["stderr"], call["exit"])


def test_with_force_errors_that_minikube_passed_over_are_no_failure(machine: Machine) -> None:
    call = RECORDED["60-start-other-mem"]
    assert call["exit"] == 0
    assert "RSRC_INSUFFICIENT_CORES" in call["stdout"]
    machine.order(start=["60-start-other-mem running"])
    machine.lead_to(PROFILE)
    assert machine.run()["changed"]


def test_the_cause_that_minikube_named_before_its_last_words_is_told_as_well() -> None:
    # As v1.38.1 ends with --force where Docker's engine is down.
    events = [
        {"name": "PROVIDER_DOCKER_NOT_RUNNING", "message": "Cannot connect to the Docker daemon", "exitcode": "63", "advice": "Start the Docker service"},
        {"name": "MK_USAGE", "message": "Ensure your Docker is running and is healthy.", "exitcode": "14", "advice": "", "issues": ""},
    ]
    output = "\n".join(json.dumps({"type": "io.k8s.sigs.minikube.error", "data": data}) for data in events)
    assert calls.failure(output, "", 14) == (
        "Ensure your Docker is running and is healthy (MK_USAGE, exit code 14). Before that: Cannot connect to the Docker daemon "
        "(PROVIDER_DOCKER_NOT_RUNNING). Start the Docker service. Set minikube_driver to one that works on this machine."
    )


def test_roots_refusal_names_the_setting(machine: Machine) -> None:
    event = {"type": "io.k8s.sigs.minikube.error", "data": {"name": "DRV_AS_ROOT", "message": "no root", "exitcode": "37", "advice": "", "issues": ""}}
    assert "no root (DRV_AS_ROOT, exit code 37). Run as another user who may use the driver, or set minikube_force: true." in calls.failure(
        json.dumps(event), "", 37
    )


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("K8S_OLD_UNSUPPORTED", " Set minikube_kubernetes_version."),
        ("K8S_NEW_UNSUPPORTED", " Set minikube_kubernetes_version."),
        ("K8S_DOWNGRADE_UNSUPPORTED", " Set minikube_kubernetes_version."),
        ("K8S_FAIL_CONNECT", " Set minikube_proxies or minikube_registry_mirrors."),
        ("K8S_INSTALL_FAILED_CONTAINER_RUNTIME_NOT_RUNNING", " Set minikube_container_runtime."),
        ("K8S_INSTALL_FAILED", ""),
    ],
)
def test_what_minikube_says_about_kubernetes_names_the_setting_that_helps(reason: str, advice: str) -> None:
    data = {"name": reason, "message": "Kubernetes is not right", "exitcode": "106", "advice": ""}
    told = calls.failure(json.dumps({"type": "io.k8s.sigs.minikube.error", "data": data}), "", 106)
    assert told == f"Kubernetes is not right ({reason}, exit code 106).{advice}"


@pytest.mark.parametrize("interrupt", [signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def test_a_start_that_takes_too_long_is_ended_at_a_step_that_is_named_and_the_next_run_goes_on(machine: Machine, interrupt: Any) -> None:
    machine.order(start=["hang"])
    signal.signal(signal.SIGINT, interrupt)
    begin = time.monotonic()
    message = machine.run(timeout=1)["msg"]
    assert time.monotonic() - begin < 10
    assert "minikube start took longer than 1 s, at «" in message
    assert "set minikube_timeout to more" in message
    result = machine.run()
    assert (result["found"], result["steps"]) == ("partial", ["start", "enable metrics-server"])
    assert machine.record and machine.record["made"]


@pytest.mark.parametrize("state", ["stopped", "kubelet", "silent", "interrupted", "paused"])
def test_a_cluster_that_does_not_come_up_is_kept_unless_it_may_be_recreated(machine: Machine, state: str) -> None:
    machine.given(state)
    broken = {"start": ["81-start-container-gone failed"]}
    machine.order(**broken)
    change = {"kubernetes_version": "v1.37.0"}  # has a paused one start as well
    message = machine.run(**change)["msg"]
    assert "GUEST_START" in message
    assert "minikube_recreate: true in inventories/dev/group_vars/all/main.yml deletes and recreates it" in message
    assert "delete" not in machine.changes
    machine.order(**broken)
    result = machine.run(**change, recreate=True)
    assert result["changed"]
    assert machine.changes[-3:] == ["delete", "start", "addons enable metrics-server"]
    assert machine.state["state"] == "running"
    assert not machine.run(**change)["changed"]


def test_a_start_that_says_done_without_a_cluster_is_no_success(machine: Machine) -> None:
    machine.order(start=["29-start-again-same kubelet"])
    assert "minikube reports that dev has started, but it is unready: the kubelet is not running" in machine.run()["msg"]


def test_a_lost_cluster_is_made_anew_when_that_is_allowed(machine: Machine) -> None:
    machine.given("gone")
    assert machine.run(recreate=True)["steps"] == ["delete", "start", "enable metrics-server"]
    assert machine.state["state"] == "running"
    assert not machine.run(recreate=True)["changed"]


def test_a_program_that_is_not_there_is_named_and_a_new_environment_can_be_checked_without_it(machine: Machine) -> None:
    missing = str(machine.root / "no-minikube")
    assert machine.run(check=True, binary=missing)["steps"] == ["start", "enable metrics-server"]
    assert not machine.home.exists()
    assert f"{missing} cannot be run: No such file or directory" in machine.run(binary=missing)["msg"]


@pytest.mark.parametrize("config", ["whole", "damaged"])
def test_a_program_that_is_still_to_be_fetched_is_no_changed_setting(machine: Machine, config: str) -> None:
    """As after the pin has moved: the cluster is there, and the program of the new version is not."""
    machine.given("running")
    stored = machine.home / ".minikube" / "profiles" / PROFILE / "config.json"
    stored.write_text(json.dumps(machine.state["config"]) if config == "whole" else "{", encoding="utf-8")
    missing = str(machine.root / "no-minikube")
    result = machine.run(check=True, binary=missing)
    assert (result["found"], result["steps"]) == ("unready", ["start"])
    assert result["reason"] == f"{missing} does not exist yet, so its state is unknown"
    if config == "whole":
        message = machine.run(check=True, binary=missing, memory="3000")["msg"]
        assert message.count(" is wanted") == 1 and "minikube_memory: is 6000, but 3000 is wanted" in message
        assert machine.info(binary=missing)["version"] == "v1.36.3"


@pytest.mark.parametrize("state", ["started", "stopped", "absent"])
def test_without_the_program_nothing_is_done_and_the_playbook_that_provides_it_is_named(machine: Machine, state: str) -> None:
    machine.given("running")
    before = content_of(machine.root / "cache")
    missing = str(machine.root / "no-minikube")
    for recreate in (False, True):
        message = machine.run(binary=missing, state=state, recreate=recreate)["msg"]
        assert message == f"{missing} cannot be run: No such file or directory. Run playbooks/cluster.yml, which provides it, then run this again."
    assert content_of(machine.root / "cache") == before


def test_after_a_removal_nothing_of_the_profile_is_left(machine: Machine) -> None:
    machine.run()
    machine.run(state="absent")
    assert not machine.kubeconfig.exists()
    assert machine.record is None


# --- Facts --------------------------------------------------------------------------------------


def test_the_facts_of_a_running_cluster(machine: Machine) -> None:
    machine.given("running")
    facts = machine.info(services=True)
    assert (facts["state"], facts["version"], facts["driver"], facts["container_runtime"]) == ("running", "v1.36.3", "docker", "containerd")
    assert (facts["ip"], facts["endpoint"]) == ("192.168.49.2", "https://192.168.49.2:8443")
    assert facts["addons"] == SETTINGS["addons"]
    assert facts["services"] == [{"namespace": "default", "name": "web", "urls": ["http://192.168.49.2:31202"]}]
    assert machine.changes == []


@pytest.mark.parametrize(("state", "given", "found"), [row[:3] for row in STATES])
def test_the_facts_of_every_state_are_read_without_changing_it(machine: Machine, state: str, given: dict[str, Any], found: str) -> None:
    machine.given(state, **given)
    before = machine.state, content_of(machine.root / "cache")
    facts = machine.info(services=True)
    assert facts["state"] == found
    assert (facts["ip"] != "") == (found == "running")
    assert machine.changes == []
    assert (machine.state, content_of(machine.root / "cache")) == before


# --- Images ---------------------------------------------------------------------------------------


def archive(path: Path, name: str, content: bytes) -> Path:
    """Write an image archive, and return it."""
    digest = hashlib.sha256(content).hexdigest()
    manifest = json.dumps([{"Config": f"{digest}.json", "RepoTags": [name], "Layers": []}]).encode()
    with tarfile.open(path, "w") as tar:
        for member, data in ((f"{digest}.json", content), ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def postgres(tmp_path: Path) -> Path:
    """Return an archive."""
    return archive(tmp_path / "postgres.tar", "docker.io/library/postgres:17", b"one")


def test_an_image_is_loaded_once_and_again_when_its_content_changes(machine: Machine, postgres: Path) -> None:
    machine.given("running")
    assert machine.images(check=True, postgres_17=postgres)["loaded"] == ["docker.io/library/postgres:17"]
    assert machine.changes == []
    assert machine.images(postgres_17=postgres)["changed"]
    assert any(line.startswith("minikube: image 1 of 1: docker.io/library/postgres:17") for line in machine.progress)
    assert not machine.images(postgres_17=postgres)["changed"]
    assert machine.changes == []
    archive(postgres, "docker.io/library/postgres:17", b"two")
    assert machine.images(postgres_17=postgres)["loaded"] == ["docker.io/library/postgres:17"]


def test_a_load_that_fails_in_silence_is_found_out(machine: Machine, postgres: Path) -> None:
    machine.given("running")
    machine.order(deaf=True)
    message = machine.images(postgres_17=postgres)["msg"]
    assert "said nothing, and these images are not in the node: docker.io/library/postgres:17" in message


def test_an_archive_of_another_image_is_found_out(machine: Machine, postgres: Path) -> None:
    machine.given("running")
    assert "not in the node: docker.io/library/python:3" in machine.images(python_3=postgres)["msg"]


@pytest.mark.parametrize("state", ["stopped", "absent", "gone"])
def test_nothing_is_loaded_into_a_cluster_that_does_not_run(machine: Machine, postgres: Path, state: str) -> None:
    machine.given(state)
    assert machine.images(check=True, postgres_17=postgres)["changed"]
    assert "does not run, so no image can be loaded" in machine.images(postgres_17=postgres)["msg"]
    assert machine.changes == []


def test_what_is_no_image_archive_is_named(machine: Machine, tmp_path: Path) -> None:
    machine.given("running")
    (tmp_path / "x.tar").write_text("x", encoding="utf-8")
    assert "x.tar is no image archive" in machine.images(x_1=tmp_path / "x.tar")["msg"]
    assert "gone.tar cannot be read: No such file" in machine.images(x_1=tmp_path / "gone.tar")["msg"]
    assert machine.images(check=True, x_1=tmp_path / "gone.tar")["changed"], "it may still be made"


def test_the_name_that_dockers_own_runtime_gives_an_image_is_the_same() -> None:
    assert minikube_images.short("docker.io/library/python:3.13-slim") == minikube_images.short("python:3.13-slim")
    assert minikube_images.short("docker.io/rancher/x:1") == "rancher/x:1"
    assert minikube_images.short("quay.io/library/x:1") == "quay.io/library/x:1"


# --- What this machine can drive -------------------------------------------------------------------


def test_the_driver_of_a_machine_is_the_first_that_answers(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions.os, "geteuid", lambda: 1000)
    assert decisions.drivable() == ("docker", "docker answers")
    assert decisions.drivable("docker") == ("docker", "docker answers")


def test_root_is_told_what_minikube_needs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions.os, "geteuid", lambda: 0)
    driver, reason = decisions.drivable()
    assert driver == ""
    assert "minikube refuses to use it as root: run as another user who may use it, or set minikube_force: true" in reason
    assert decisions.drivable(force=True)[0] == "docker"
    assert decisions.drivable("none")[0] == "none"


def test_where_nothing_answers_every_driver_is_named_with_its_reason(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.replay / "down").touch()
    monkeypatch.setenv("PATH", f"{machine.root / 'bin'}:/bin")
    monkeypatch.setattr(decisions.shutil, "which", lambda tool: "/bin/docker" if tool == "docker" else None)
    driver, reason = decisions.drivable()
    assert driver == ""
    assert "docker: Cannot connect to the Docker daemon" in reason
    assert "podman: not installed" in reason
    assert "vfkit: this system is not macOS" in reason


def test_an_engine_that_hangs_does_not_hold_anybody_up(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.root / "bin" / "docker").unlink()
    (machine.root / "bin" / "docker").write_text("#!/bin/sh\nexec sleep 30\n", encoding="utf-8")
    (machine.root / "bin" / "docker").chmod(0o755)
    monkeypatch.setattr(decisions, "PROBE_TIMEOUT", 0.2)
    assert decisions.drivable("docker") == ("", "docker: does not answer within 0.2 s")


def program(machine: Machine, name: str, script: str) -> None:
    """Put a program on the machine's path, which notes how it was called."""
    path = machine.root / "bin" / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> "$REPLAY/programs"\n{script}\n', encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("driver", "name", "call"),
    [
        ("kvm2", "virsh", "virsh --connect qemu:///system domcapabilities --virttype kvm"),
        ("kvm", "virsh", "virsh --connect qemu:///system domcapabilities --virttype kvm"),
        ("qemu2", "qemu-system-x86_64", "qemu-system-x86_64 --version"),
        ("qemu", "qemu-system-x86_64", "qemu-system-x86_64 --version"),
        ("podman", "podman", "podman version --format {{.Version}}"),
    ],
)
def test_a_driver_is_asked_for_by_its_program_and_named_with_what_it_says_when_it_fails(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, driver: str, name: str, call: str
) -> None:
    monkeypatch.setenv("PATH", f"{machine.root / 'bin'}:/bin")
    monkeypatch.setattr(decisions.platform, "system", lambda: "Linux")
    monkeypatch.setattr(decisions.platform, "machine", lambda: "x86_64")
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    found = decisions.shutil.which  # this machine may have the program in /bin
    monkeypatch.setattr(decisions.shutil, "which", lambda tool: (path := found(tool)) and (path if path.startswith(str(machine.root)) else None))
    monkeypatch.setattr(decisions.os, "geteuid", lambda: 0)
    assert decisions.drivable(driver, force=True) == ("", f"{driver}: not installed")
    program(machine, name, "echo 5.0")
    assert decisions.drivable(driver, force=True) == (driver, f"{driver} answers")
    assert (machine.replay / "programs").read_text(encoding="utf-8") == f"{call}\n"
    program(machine, name, "echo a line before >&2; echo no permission >&2; exit 3")
    assert decisions.drivable(driver, force=True) == ("", f"{driver}: no permission")
    program(machine, name, "exit 3")
    assert decisions.drivable(driver, force=True) == ("", f"{driver}: exits 3")


@pytest.mark.parametrize(
    ("name", "system", "user", "command"),
    [
        ("podman", "Linux", 1000, ["sudo", "-n", "podman"]),
        ("podman", "Linux", 0, ["podman"]),
        ("podman", "Darwin", 501, ["podman"]),
        ("docker", "Linux", 1000, ["docker"]),
    ],
)
def test_podman_is_called_as_root_on_linux(monkeypatch: pytest.MonkeyPatch, name: str, system: str, user: int, command: list[str]) -> None:
    monkeypatch.setattr(decisions.platform, "system", lambda: system)
    monkeypatch.setattr(decisions.os, "geteuid", lambda: user)
    assert decisions.engine(name) == command


def test_podman_that_sudo_would_ask_a_password_for_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    program(machine, "podman", "echo 5.0")
    program(machine, "sudo", "echo sudo: a password is required >&2; exit 1")
    monkeypatch.setattr(decisions.platform, "system", lambda: "Linux")
    monkeypatch.setattr(decisions.os, "geteuid", lambda: 1000)
    assert decisions.drivable("podman") == ("", "podman: sudo: a password is required")
    assert (machine.replay / "programs").read_text(encoding="utf-8") == "sudo -n podman version --format {{.Version}}\n"


@pytest.mark.parametrize("driver", ["kvm2", "kvm"])
def test_a_virtual_machine_of_somebody_else_with_our_name_is_not_touched(machine: Machine, driver: str) -> None:
    program(machine, "virsh", "printf 'dev\nother\n'")
    message = machine.run(driver=driver)["msg"]
    assert "libvirt has a virtual machine named dev that Berth did not create" in message
    assert machine.calls == []


# --- Decisions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"), [("4096", 4096), ("4g", 4096), ("4GiB", 4096), ("512mb", 512), ("1.5g", 1536), ("max", None), ("0", None), ("", None)]
)
def test_a_size_is_read_as_minikube_reads_it(text: str, size: int | None) -> None:
    assert decisions.megabytes(text) == size


@pytest.mark.parametrize(("driver", "own"), decisions.DRIVER_ALIASES.items())
def test_a_driver_may_be_called_by_its_other_name(machine: Machine, driver: str, own: str) -> None:
    assert machine.run(driver=driver)["steps"] == ["start", "enable metrics-server"]
    assert f"--driver={driver}" in machine.arguments("start")
    machine.order(config=machine.state["config"] | {"Driver": own})
    assert not machine.run(driver=driver)["changed"]
    assert not machine.run(driver=own)["changed"]


def test_a_driver_has_more_than_one_name() -> None:
    observed = Observed("running", config={"Driver": "qemu2"}, record={"made": True})
    assert decisions.differences(observed, Wanted("dev", driver="qemu")) == []


def test_with_the_driver_none_the_machines_own_memory_counts() -> None:
    observed = Observed("running", config={"Driver": "none", "Memory": 999, "CPUs": 1}, record={"made": True})
    assert decisions.differences(observed, Wanted("dev", memory="4g", cpus="4")) == []


def test_a_decision_changes_nothing_and_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions.subprocess, "run", lambda *_, **__: pytest.fail("asked somebody"))
    assert decisions.decide(Observed("absent"), Wanted("dev")).steps == ["start", "disable default-storageclass", "disable storage-provisioner"]
    with pytest.raises(Refusal):
        decisions.decide(Observed("foreign", "x"), Wanted("dev"))


# --- The role ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ansible_home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the directory of Ansible's own files, which all plays share."""
    return str(tmp_path_factory.mktemp("ansible"))


@pytest.fixture
def play(machine: Machine, ansible_home: str) -> Callable[..., str]:
    """Return a function that runs tasks of a role, or of the provider, on the machine, as the environment dev, and returns what it printed."""
    plugins = {"ACTION_PLUGINS": "action", "FILTER_PLUGINS": "filter", "LIBRARY": "modules", "MODULE_UTILS": "module_utils"}
    settings = {f"ANSIBLE_{name}": str(ROOT / "plugins" / directory) for name, directory in plugins.items()}
    settings |= {"ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_PIPELINING": "true"}
    settings |= {"ANSIBLE_HOME": ansible_home, "ANSIBLE_REMOTE_TEMP": ansible_home, "XDG_CACHE_HOME": str(machine.root / "ansible")}
    given = {
        "berth_kubeconfig": str(machine.kubeconfig),
        "berth_namespace": "polls-dev",
        "berth_provider": "minikube",
        "minikube_home": str(machine.home),
        "artifacts_facts": {"binaries": {"minikube": str(DATA / "replay.py"), "kubectl": "/bin/true"}, "versions": {"kubernetes": "v1.36.3"}, "images": {}},
        "minikube_images": {},
    }

    def run_tasks(role: str, tasks: str, **variables: Any) -> str:
        of_role = {"ansible.builtin.include_role": {"name": role, "tasks_from": tasks}}
        of_provider = {"ansible.builtin.include_tasks": str(ROOT / "playbooks/providers/minikube" / f"{tasks}.yml")}
        tasks_of_play = [of_provider if role == "provider" else of_role, {"ansible.builtin.debug": {"var": "minikube_facts"}}]
        content = [{"hosts": "dev", "gather_facts": False, "tasks": tasks_of_play}]
        (machine.root / "play.yml").write_text(json.dumps(content), encoding="utf-8")
        command = ["ansible-playbook", "-i", "dev,", "-c", "berth.platform.forked", str(machine.root / "play.yml")]
        extra = given | {"ansible_python_interpreter": sys.executable} | variables
        done = ansible_fork.run([*command, "-e", json.dumps(extra)], env=os.environ | settings)
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed
        return printed

    return run_tasks


def test_a_destroy_that_only_stops_lets_the_next_run_find_its_own_cluster(machine: Machine, play: Callable[..., str]) -> None:
    machine.given("running")
    record = {"environment": "dev", "provider": "minikube", "cluster": "1111", "authority": ""}
    identity.write(machine.kubeconfig, record)
    play("provider", "absent", minikube_on_destroy="stop")
    assert machine.state["state"] == "stopped"
    assert identity.read(machine.kubeconfig) == record
    assert not preflight.foreign_kubeconfig(machine.kubeconfig)


def test_a_destroy_that_deletes_leaves_neither_kubeconfig_nor_record(machine: Machine, play: Callable[..., str]) -> None:
    machine.given("running")
    identity.write(machine.kubeconfig, {"environment": "dev", "provider": "minikube", "cluster": "1111", "authority": ""})
    play("provider", "absent")
    assert machine.state["state"] == "absent"
    assert list(machine.kubeconfig.parent.iterdir()) == []


def test_the_facts_say_why_a_cluster_is_what_it_is(machine: Machine, play: Callable[..., str]) -> None:
    machine.given("gone")
    assert '"reason": "its container or virtual machine was removed by somebody"' in play("minikube", "facts")


def test_the_dashboards_command_is_whole(machine: Machine, play: Callable[..., str]) -> None:
    command = f"KUBECONFIG={machine.kubeconfig} MINIKUBE_HOME={machine.home} {DATA / 'replay.py'} dashboard --url --profile dev"
    assert command in play("minikube", "dashboard")


def test_people_get_the_programs_where_they_want_them(machine: Machine, play: Callable[..., str]) -> None:
    directory = machine.root / "programs"
    assert "minikube_facts" in play("minikube", "main", minikube_programs_directory=str(directory), minikube_cni="bridge")
    assert {path.name for path in directory.iterdir()} == {"minikube", "kubectl"}
    assert (directory / "minikube").read_bytes() == (DATA / "replay.py").read_bytes()
    assert os.access(directory / "minikube", os.X_OK)


def test_a_cluster_of_the_defaults_enforces_network_policies(machine: Machine, play: Callable[..., str]) -> None:
    assert '"network_policy": "enforced"' in play("minikube", "main")
    assert "--cni=calico" in machine.arguments("start")


def test_the_role_gives_the_module_every_option_from_the_variable_of_its_name() -> None:
    given = yaml.safe_load((ROOT / "roles/minikube/tasks/start.yml").read_text(encoding="utf-8"))[0]["berth.platform.minikube"]
    others = {"binary": "{{ __minikube_binary }}", "inventory": "{{ __minikube_inventory }}"}
    assert given == {name: others.get(name, f"{{{{ minikube_{name} }}}}") for name in minikube.OPTIONS if name != "state"}


def test_the_role_takes_what_the_module_takes() -> None:
    for name in ("driver", "container_runtime"):
        assert options("minikube")[f"minikube_{name}"]["choices"] == minikube.OPTIONS[name]["choices"]
