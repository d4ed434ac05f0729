"""A cluster that somebody else made: what is copied of its kubeconfig, what is found out, and what is refused before anything is written."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_fork
import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.kube import identity
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Cluster
from ansible_collections.berth.platform.plugins.module_utils.kube.existing import NEEDED, ExistingError, capabilities, read_context
from fake_api import UID, Api, running
from module_run import plugin, run

existing_cluster = plugin("modules/existing_cluster.py")
PROJECT = Path(__file__).resolve().parents[2]
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
STORAGE = "/apis/storage.k8s.io/v1/storageclasses"
NODE = "127.0.0.1"  # says at once that no kubelet listens
DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


class Reviewing(Api):
    """An API server of a cluster that has everything, and allows everything but what is ``denied``, (verb, resource); ``asked`` is what it was asked about.

    A ``denied`` with a third part, a name, is of everything but the object of that name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.denied: set[tuple[str, ...]] = set()
        self.asked: list[tuple[str, str, str, str]] = []
        self.answers = {
            UID: (200, {"metadata": {"uid": "1111-here"}}),
            "/version": (200, {"gitVersion": "v1.36.3"}),
            "/apis": (200, {"groups": [{"name": "metrics.k8s.io"}, {"name": "gateway.networking.k8s.io"}]}),
            STORAGE: (200, {"items": [{"metadata": {"name": "slow"}}, {"metadata": {"name": "fast", "annotations": DEFAULT}}]}),
            "/api/v1/nodes": (200, {"items": [{"status": {"addresses": [{"type": "InternalIP", "address": NODE}]}}]}),
            "/api/v1/services": (200, {"items": [{"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.8"}]}}}]}),
        }

    def answer(self, path: str, body: str) -> tuple[int, Any]:
        """Answer a review from what is denied."""
        if path != REVIEW:
            return super().answer(path, body)
        asked = json.loads(body)["spec"]["resourceAttributes"]
        resource = asked["resource"] + (f"/{asked['subresource']}" if asked["subresource"] else "")
        verb, name = asked["verb"], asked["name"]
        self.asked.append((verb, resource, asked["namespace"], name))
        limits = {one[2] for one in self.denied if len(one) == 3 and one[:2] == (verb, resource)}
        return 201, {"status": {"allowed": (verb, resource) not in self.denied and not limits - {name}}}


@pytest.fixture
def api() -> Iterator[Reviewing]:
    """Run an API server of a cluster that has everything."""
    with running(Reviewing()) as server:
        yield server


@pytest.fixture
def source(api: Reviewing, tmp_path: Path) -> Path:
    """Return a person's own kubeconfig, with a second context and a key in a file."""
    directory = tmp_path / "home"
    directory.mkdir()
    (directory / "key.pem").write_text("a key")
    path = directory / "config"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": n, "cluster": {"server": api.url}} for n in ("one", "two")],
        "users": [{"name": "one", "user": {"token": "a-token"}}, {"name": "two", "user": {"client-key": "key.pem"}}],
        "contexts": [{"name": n, "context": {"cluster": n, "user": n}} for n in ("one", "two")],
        "current-context": "two",
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def take_on(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs the module for the context one."""

    def call(check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"source": str(source), "context": "one", "kubeconfig": str(tmp_path / "own" / "kubeconfig"), "namespace": "polls"}
        return run(existing_cluster, capsys, check, **(arguments | options))

    return call


def test_only_the_named_context_is_copied_for_the_user_alone_and_the_source_stays_as_it_was(take_on: Any, source: Path, tmp_path: Path) -> None:
    before = hashlib.sha256(source.read_bytes()).hexdigest()
    assert take_on()["changed"]
    assert not take_on()["changed"], "the second time there is nothing to do"
    own = tmp_path / "own" / "kubeconfig"
    assert own.stat().st_mode & 0o777 == 0o600
    assert [one["name"] for one in yaml.safe_load(own.read_text())["contexts"]] == ["one"]
    assert hashlib.sha256(source.read_bytes()).hexdigest() == before


# Each was refused, and only warned of, to an account that had nothing else.
@pytest.mark.parametrize(("group", "resource", "verb"), [("apps", "replicasets", "patch")])
def test_what_only_warns_where_it_is_refused_is_asked_for_too(group: str, resource: str, verb: str) -> None:
    assert verb in {each for found in NEEDED if found[:2] == (group, resource) for each in found[2]}


def test_what_the_cluster_offers_is_told(take_on: Any) -> None:
    found = take_on()
    assert (found["version"], found["storage_class"], found["storage_classes"]) == ("v1.36.3", "fast", ["slow", "fast"])
    assert (found["metrics"], found["node_address"]) == (True, "")
    assert found["offers"] == "Kubernetes v1.36.3; default StorageClass: fast; metrics: yes; load balancer: in use; Gateway API: yes"


def test_what_is_not_there_or_cannot_be_seen_is_told_too(take_on: Any, api: Reviewing) -> None:
    api.answers |= {"/apis": (200, {"groups": []}), "/api/v1/services": (403, {}), STORAGE: (200, {"items": []})}
    assert take_on()["offers"] == "Kubernetes v1.36.3; default StorageClass: none; metrics: no; load balancer: none seen; Gateway API: no"
    api.answers[STORAGE] = (403, {})
    assert "; default StorageClass: not readable by this user; " in take_on()["offers"]


def test_a_node_is_named_only_when_it_can_be_reached_from_here(source: Path) -> None:
    cluster = Cluster(str(source), "one")
    assert capabilities(cluster, reach=lambda address: True)["node_address"] == NODE
    assert capabilities(cluster, reach=lambda address: False)["node_address"] == ""


def test_a_check_writes_nothing(take_on: Any, tmp_path: Path) -> None:
    assert take_on(check=True)["changed"]
    assert not (tmp_path / "own").exists()


def test_everything_that_a_release_does_is_asked_for_in_its_namespace(take_on: Any, api: Reviewing) -> None:
    take_on()
    wanted = {(verb, resource, "polls", "") for _, resource, verbs in NEEDED for verb in verbs}
    assert set(api.asked) == wanted | {("get", "namespaces", "polls", "polls"), ("create", "namespaces", "", "")}


def test_a_database_in_the_cluster_asks_for_more_than_one_elsewhere(take_on: Any, api: Reviewing) -> None:
    api.denied = {("create", "statefulsets")}
    assert "failed" not in take_on()
    assert "statefulsets.apps: create" in take_on(needs_storage=True)["msg"]
    verbs = {verb for verb, resource, namespace, _ in api.asked if (resource, namespace) == ("statefulsets", "polls")}
    assert verbs == {"get", "list", "create", "patch", "delete"}


def test_a_namespace_that_is_there_need_not_be_created(take_on: Any, api: Reviewing) -> None:
    api.answers["/api/v1/namespaces/polls"] = (200, {})
    take_on()
    assert {one for one in api.asked if one[1] == "namespaces"} == {("get", "namespaces", "polls", "polls"), ("patch", "namespaces", "polls", "polls")}


def test_rights_to_that_one_namespace_are_enough(take_on: Any, api: Reviewing) -> None:
    """A Role in it, or a ClusterRole with its name, allows no more."""
    api.answers["/api/v1/namespaces/polls"] = (200, {})
    api.denied = {("get", "namespaces", "polls"), ("patch", "namespaces", "polls")}
    assert "failed" not in take_on()
    api.denied = {("get", "namespaces", "others"), ("patch", "namespaces", "others")}
    assert "  namespaces: get, patch" in take_on()["msg"]


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([NODE], ""),
        ([NODE, "127.0.0.2"], ""),
        (["192.0.2.7"], "its nodes are elsewhere (192.0.2.7)"),
        ([NODE, "192.0.2.7"], "its nodes are elsewhere (192.0.2.7)"),
        (["2001:db8::7"], "its nodes are elsewhere (2001:db8::7)"),
        (["no address"], "its nodes are elsewhere (no address)"),
        (None, "this user may not list its nodes"),
        ([], "it has no nodes"),
    ],
)
def test_a_registry_on_this_machine_needs_nodes_on_this_machine(take_on: Any, api: Reviewing, tmp_path: Path, nodes: list[str] | None, said: str) -> None:
    """Else it is known after the build, when a node cannot pull."""
    items = [{"status": {"addresses": [{"type": "InternalIP", "address": node}, {"type": "Hostname", "address": "n"}]}} for node in nodes or []]
    api.answers["/api/v1/nodes"] = (200, {"items": items}) if nodes is not None else (403, {})
    answer = take_on(needs_registry=True)
    if said:
        assert f"berth_registry is not set, so images would go to this machine, and {said}" in answer["msg"], answer["msg"]
        assert "set berth_registry: external and berth_registry_host" in answer["msg"]
        assert not (tmp_path / "own").exists()
    else:
        assert "failed" not in answer, answer["msg"]
    assert "failed" not in take_on(), "the inventory names a registry"


def test_missing_permissions_are_listed_together_and_nothing_is_written(take_on: Any, api: Reviewing, tmp_path: Path) -> None:
    api.denied = {("create", "deployments"), ("patch", "deployments"), ("get", "pods/log")}
    answer = take_on()
    assert answer["failed"], answer
    assert "  deployments.apps: create, patch\n" in answer["msg"] + "\n" and "  pods/log: get" in answer["msg"], answer["msg"]
    assert not (tmp_path / "own").exists()


def test_a_cluster_is_reviewed_before_anything_is_written_or_fetched(api: Reviewing, source: Path, tmp_path: Path) -> None:
    """Neither is its place claimed, nor are programs and images fetched, minutes before the refusal."""
    api.denied = {("create", "deployments")}
    host = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "berth_provider": "existing",
        "berth_existing_kubeconfig": str(source),
        "berth_existing_context": "one",
        "berth_kubeconfig": str(tmp_path / "own" / "kubeconfig"),
        "berth_namespace": "polls",
        "berth_registry": "external",
    }
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(json.dumps({"berth": {"hosts": {"dev": host}}}))
    environment = os.environ | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = ["ansible-playbook", "playbooks/cluster.yml", "-i", str(inventory)]
    done = ansible_fork.run(command, cwd=PROJECT, env=environment)
    assert done.returncode != 0 and "deployments.apps: create" in done.stdout + done.stderr, done.stdout
    assert "nothing was changed" in done.stdout + done.stderr
    assert not (tmp_path / "own").exists()
    assert not [path for path in tmp_path.rglob("artifacts*") if path.is_dir()]
    assert re.findall(r"^TASK \[(.*?)\]", done.stdout, re.MULTILINE)[-1] == "existing : Use the cluster"
    assert "artifacts :" not in done.stdout and "Claim" not in done.stdout


@pytest.mark.parametrize(
    ("machine", "nodes", "refused"),
    [
        ("x86_64", ["amd64"], False),
        ("aarch64", ["arm64"], False),
        ("arm64", ["amd64"], True),
        ("x86_64", ["arm64", "arm64"], True),
        ("x86_64", ["arm64", "amd64"], False),
        ("x86_64", ["s390x"], True),
        ("x86_64", [], False),
    ],
)
def test_nodes_that_run_no_image_of_this_machine_are_refused(
    machine: str, nodes: list[str], refused: bool, take_on: Any, api: Reviewing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is known after the build, when a pod ends with exec format error."""
    monkeypatch.setattr(existing_cluster.platform, "machine", lambda: machine)
    api.answers["/api/v1/nodes"] = (200, {"items": [{"status": {"addresses": [], "nodeInfo": {"architecture": one}}} for one in nodes]})
    answer = take_on()
    assert bool(answer.get("failed")) == refused, answer
    assert not refused or ("run this on a machine like the nodes" in answer["msg"] and not (tmp_path / "own").exists())


def test_a_volume_needs_a_default_storage_class_or_a_named_one(take_on: Any, api: Reviewing) -> None:
    api.answers[STORAGE] = (200, {"items": [{"metadata": {"name": "slow"}}]})
    assert "set berth_database_storage_class to one of them (slow)" in take_on(needs_storage=True)["msg"]
    assert "there is no such StorageClass; there is slow" in take_on(needs_storage=True, storage_class="fast")["msg"]
    assert "failed" not in take_on(needs_storage=True, storage_class="slow")


def test_volumes_of_the_app_need_their_classes_and_the_rights_to_make_them(take_on: Any, api: Reviewing) -> None:
    api.answers[STORAGE] = (200, {"items": [{"metadata": {"name": "slow"}}]})
    assert "set berth_app_volumes.media.storage_class to one of them (slow)" in take_on(volumes={"media": ""})["msg"]
    assert "berth_app_volumes.media.storage_class is fast, but there is no such StorageClass; there is slow" in take_on(volumes={"media": "fast"})["msg"]
    assert "failed" not in take_on(volumes={"media": "slow"})
    assert {"create", "patch"} <= {verb for verb, resource, *_ in api.asked if resource == "persistentvolumeclaims"}


def test_storage_classes_that_may_not_be_read_do_not_stop_a_release(take_on: Any, api: Reviewing) -> None:
    api.answers[STORAGE] = (403, {})
    assert take_on(needs_storage=True)["storage_classes"] is None


def test_scaling_by_load_needs_metrics(take_on: Any, api: Reviewing) -> None:
    api.answers["/apis"] = (200, {"groups": []})
    assert "nothing serves metrics.k8s.io" in take_on(needs_metrics=True)["msg"]


def test_a_context_that_leads_elsewhere_than_before_is_refused_until_it_is_accepted(take_on: Any, api: Reviewing, tmp_path: Path) -> None:
    take_on()
    own = tmp_path / "own" / "kubeconfig"
    identity.write(own, {"environment": "staging", "provider": "existing", "cluster": "1111-here"})
    before = own.read_text()
    api.answers[UID] = (200, {"metadata": {"uid": "2222-elsewhere"}})
    api.asked.clear()
    answer = take_on()
    assert answer["failed"] and "-e berth_cluster_id=2222-elsewhere" in answer["msg"], answer
    assert answer["msg"].startswith("The context one of ") and f"({own.parent}/cluster.json)" in answer["msg"], answer
    assert own.read_text() == before and api.asked == []
    assert "failed" not in take_on(accept="2222-elsewhere")


def test_a_cluster_that_does_not_answer_is_named(take_on: Any, source: Path) -> None:
    source.write_text(source.read_text().replace("127.0.0.1", "127.0.0.2"))
    assert "http://127.0.0.2" in take_on()["msg"] and "does not answer" in take_on()["msg"]


def test_files_that_the_kubeconfig_names_are_read_in(source: Path) -> None:
    [user] = read_context(source, "two")["users"]
    assert user["user"] == {"client-key-data": base64.b64encode(b"a key").decode()}


def test_a_program_beside_the_kubeconfig_is_named_in_full(source: Path) -> None:
    document = yaml.safe_load(source.read_text())
    document["users"][0]["user"] = {"exec": {"command": "./token", "apiVersion": "client.authentication.k8s.io/v1"}}
    source.write_text(yaml.safe_dump(document))
    assert read_context(source, "one")["users"][0]["user"]["exec"]["command"] == str(source.parent / "token")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["contexts"].pop(), "berth_existing_context: .* has no context two; it has one"),
        (lambda d: d["users"].pop(), "berth_existing_context: two of .* names the user two, which the file does not have"),
        (lambda d: d["users"][1]["user"].update({"client-key": "nowhere"}), "its client-key .*/nowhere cannot be read: No such file"),
    ],
)
def test_an_incomplete_kubeconfig_is_refused_with_the_variable_to_change(source: Path, change: Any, message: str) -> None:
    document = yaml.safe_load(source.read_text())
    change(document)
    source.write_text(yaml.safe_dump(document))
    with pytest.raises(ExistingError, match=message):
        read_context(source, "two")


@pytest.mark.parametrize("text", ["{", "- a list", ""])
def test_a_file_that_is_no_kubeconfig_is_refused(source: Path, text: str) -> None:
    source.write_text(text)
    with pytest.raises(ExistingError, match="berth_existing_"):
        read_context(source, "one")
