"""The small client: which request it makes, and what it says when the API server refuses one."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import re
import select
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.kube import client
from ansible_collections.berth.platform.plugins.module_utils.kube.client import (
    KINDS,
    Cluster,
    Forbidden,
    KubeError,
    NotFound,
    Unreachable,
    beyond_escapes,
    encoded,
    path_of,
    read_or_make,
)
from fake_api import EMPTIED, Api, kubeconfig, running


@pytest.fixture
def api() -> Iterator[Api]:
    """Run an API server for one test."""
    with running(Api()) as server:
        yield server


@pytest.fixture
def cluster(api: Api, tmp_path: Path) -> Cluster:
    """Return a client of the API server."""
    return Cluster(kubeconfig(tmp_path, api.url), None)


def test_every_kind_has_the_path_of_its_api() -> None:
    """The core group lies elsewhere than the others."""
    assert path_of("Pod", "polls-dev", "x") == "/api/v1/namespaces/polls-dev/pods/x"
    assert path_of("Deployment", "polls-dev") == "/apis/apps/v1/namespaces/polls-dev/deployments"
    for prefix, _plural, group in KINDS.values():
        assert prefix.split("/")[1:-1] == (["apis", group] if group else ["api"])


def test_a_list_is_asked_for_once_and_its_items_know_their_kind(api: Api, cluster: Cluster) -> None:
    """A list's items come without one."""
    api.queue = [(200, {"items": [{"metadata": {"name": "x"}}]})]
    assert cluster.items("Pod", "polls-dev", labelSelector="a=b") == [{"metadata": {"name": "x"}, "kind": "Pod"}]
    assert api.seen == [("GET", "/api/v1/namespaces/polls-dev/pods?labelSelector=a%3Db", "Bearer first", "")]


def test_the_servers_own_time_is_known_after_a_request(api: Api, cluster: Cluster) -> None:
    """Its clock and this machine's may differ."""
    api.queue = [(200, {})]
    cluster.get("Pod", "polls-dev", "x")
    assert len(cluster.now) == len("2026-03-01T12:00:00Z")
    assert cluster.now.endswith("Z")


def test_an_object_is_deleted_by_its_uid(api: Api, cluster: Cluster) -> None:
    """So that one which was made again in between stays."""
    api.queue = [(200, {})]
    cluster.delete("Job", "polls-dev", "x", "uid-1", "Background")
    method, path, _token, body = api.seen[0]
    assert (method, path) == ("DELETE", "/apis/batch/v1/namespaces/polls-dev/jobs/x")
    assert json.loads(body) == {"propagationPolicy": "Background", "preconditions": {"uid": "uid-1"}}


def test_an_object_that_is_gone_already_is_deleted_without_complaint(api: Api, cluster: Cluster) -> None:
    """Gone is what was wanted."""
    api.queue = [(404, {"message": "not found"})]
    cluster.delete("Job", "polls-dev", "x", "uid-1", "Background")
    assert len(api.seen) == 1


@pytest.mark.parametrize(
    ("status", "answer", "error", "message"),
    [
        (404, {"message": 'pods "x" not found'}, NotFound, 'Pod x in namespace polls-dev: pods "x" not found'),
        (
            403,
            {"message": 'User "weak" cannot get resource "pods"'},
            Forbidden,
            (
                'Kubernetes does not allow this user to get pods in namespace polls-dev: User "weak" cannot get resource "pods". '
                'Grant it with a Role: apiGroups [""], resources ["pods"], verbs ["get"].'
            ),
        ),
        (503, "no healthy upstream", Unreachable, "The API server answers 503 for Pod x: no healthy upstream"),
        (429, {"message": "slow down"}, Unreachable, "The API server answers 429 for Pod x: slow down"),
        (
            400,
            {"message": "bad name"},
            KubeError,
            "The API server refuses to GET Pod x in namespace polls-dev: bad name",
        ),
    ],
)
def test_a_refusal_becomes_one_message(api: Api, cluster: Cluster, status: int, answer: Any, error: type[KubeError], message: str) -> None:
    """With what was asked for and what the server said."""
    api.queue = [(status, answer)]
    with pytest.raises(error) as raised:
        cluster.get("Pod", "polls-dev", "x")
    assert str(raised.value) == message
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "PersistentVolume pv-1 in the cluster: no"),
        (
            403,
            "Kubernetes does not allow this user to patch persistentvolumes in the cluster: no. "
            'Grant it with a ClusterRole: apiGroups [""], resources ["persistentvolumes"], verbs ["patch"].',
        ),
        (422, "The API server refuses to PATCH PersistentVolume pv-1 in the cluster: no"),
    ],
)
def test_what_is_in_no_namespace_is_said_to_be_in_the_cluster(api: Api, cluster: Cluster, status: int, message: str) -> None:
    """Where no Role of a namespace would grant anything."""
    api.queue = [(status, {"message": "no"})]
    with pytest.raises(KubeError) as raised:
        cluster.patch("PersistentVolume", "", "pv-1", [])
    assert str(raised.value) == message


def test_a_list_that_may_not_be_read_names_the_permission(api: Api, cluster: Cluster) -> None:
    """In the words of a Role."""
    api.queue = [(403, {"message": "no"})]
    with pytest.raises(Forbidden, match=r'apiGroups \["apps"\], resources \["deployments"\], verbs \["list"\]'):
        cluster.items("Deployment", "polls-dev")


ACCOUNT = {"message": 'services is forbidden: User "system:serviceaccount:berth-accounts:dev" cannot list resource'}


def test_in_a_namespace_that_is_not_there_an_environments_account_finds_nothing(api: Api, cluster: Cluster) -> None:
    """It has its rights from a Role in that namespace, so whatever it asks for is refused."""
    api.queue = [(403, ACCOUNT), (403, ACCOUNT)]
    assert cluster.items("Service", "n") == []
    api.queue = [(403, ACCOUNT), (403, ACCOUNT)]
    with pytest.raises(NotFound, match="no such namespace"):
        cluster.get("Service", "n", "polls")


def test_what_an_environments_account_may_not_read_in_the_whole_cluster_is_not_taken_for_empty(api: Api, cluster: Cluster) -> None:
    api.queue = [(403, ACCOUNT)]
    with pytest.raises(Forbidden, match="ClusterRole"):
        cluster.items("Pod", "")


def test_in_a_namespace_of_its_own_an_environments_account_is_told_which_right_it_lacks(api: Api, cluster: Cluster) -> None:
    api.queue = [(403, ACCOUNT), (200, {"kind": "Namespace"})]
    with pytest.raises(Forbidden, match=re.escape('resources ["services"], verbs ["list"]')):
        cluster.items("Service", "n")


def test_what_may_not_be_made_names_the_permission(api: Api, cluster: Cluster) -> None:
    api.queue = [(403, {"message": "no"})]
    with pytest.raises(Forbidden, match=r'create jobs in namespace polls-dev: no(.|\n)*apiGroups \["batch"\], resources \["jobs"\], verbs \["create"\]'):
        cluster.create("Job", "polls-dev", {"metadata": {"generateName": "polls-"}})


def test_what_is_made_is_returned_with_its_name(api: Api, cluster: Cluster) -> None:
    api.queue = [(201, {"metadata": {"name": "polls-x1"}})]
    assert cluster.create("Job", "polls-dev", {"metadata": {"generateName": "polls-"}})["metadata"]["name"] == "polls-x1"
    assert [(method, path, body) for method, path, _, body in api.seen] == [
        ("POST", "/apis/batch/v1/namespaces/polls-dev/jobs", '{"metadata": {"generateName": "polls-"}}')
    ]


def test_a_token_that_ran_out_is_read_again(api: Api, cluster: Cluster, tmp_path: Path) -> None:
    """A token of EKS lasts for a quarter of an hour, a wait may last longer."""
    kubeconfig(tmp_path, api.url, {"token": "second"})
    api.queue = [(401, {"message": "Unauthorized"}), (200, {"kind": "Pod"})]
    assert cluster.get("Pod", "polls-dev", "x") == {"kind": "Pod"}
    assert [token for _method, _path, token, _body in api.seen] == ["Bearer first", "Bearer second"]


def test_credentials_that_are_not_accepted_are_said_to_be(api: Api, cluster: Cluster) -> None:
    """After one try with the kubeconfig read again."""
    api.queue = [(401, {}), (401, {})]
    with pytest.raises(KubeError, match="does not accept the credentials of .*kubeconfig"):
        cluster.get("Pod", "polls-dev", "x")


def test_an_exec_plugin_gives_the_token(api: Api, tmp_path: Path) -> None:
    """As aws eks get-token does."""
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "kind": "ExecCredential",
        "status": {"token": "from-exec"},
    }
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "echo",
            "args": [json.dumps(credential)],
            "interactiveMode": "Never",
        }
    }
    api.queue = [(200, {})]
    Cluster(kubeconfig(tmp_path, api.url, user), "dev").get("Pod", "polls-dev", "x")
    assert api.seen[0][2] == "Bearer from-exec"


def test_a_server_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    """Which is worth another try, unlike a refusal."""
    with pytest.raises(Unreachable, match="The API server http://127.0.0.1:1 does not answer"):
        Cluster(kubeconfig(tmp_path, "http://127.0.0.1:1"), None).get("Pod", "polls-dev", "x")


def test_a_kubeconfig_that_lacks_a_context_is_said_to(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match="The kubeconfig .*kubeconfig cannot be used: .*Check berth_kubeconfig"):
        Cluster(kubeconfig(tmp_path, "http://127.0.0.1:1"), "nowhere")


def test_a_kubeconfig_that_is_not_there_is_that_of_an_environment_that_is_not(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match=r"There is no kubeconfig .*/absent \(berth_kubeconfig\): .* was destroyed\. site\.yml creates it\."):
        Cluster(str(tmp_path / "absent"), None)


def test_a_kubeconfig_without_a_context_leads_to_a_cluster_that_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(EMPTIED)
    cluster = Cluster(str(tmp_path / "kubeconfig"), None)
    for ask in (cluster.identity, cluster.version, lambda: cluster.get("Pod", "polls-dev", "x")):
        with pytest.raises(Unreachable, match="The kubeconfig .*kubeconfig does not point to a cluster: it has no context"):
            ask()
    with pytest.raises(KubeError, match="cannot be used: .*Check berth_kubeconfig"):
        Cluster(str(tmp_path / "kubeconfig"), "dev")


@pytest.mark.parametrize("text", ["", "[]", "contexts: [{", "kind: Config\ncontexts: [{name: dev, context: {cluster: dev, user: dev}}]\n"])
def test_a_kubeconfig_that_is_none_or_lacks_its_current_context_is_not_taken_for_one_of_a_stopped_cluster(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    with pytest.raises(KubeError, match="cannot be used") as raised:
        Cluster(str(tmp_path / "kubeconfig"), None)
    assert not isinstance(raised.value, Unreachable)


@pytest.mark.parametrize(("answer", "version"), [((200, {"gitVersion": "v1.36.3"}), "v1.36.3"), ((403, {"message": "no"}), ""), ((200, "no JSON"), "")])
def test_the_version_is_told_or_empty(api: Api, cluster: Cluster, answer: tuple[int, Any], version: str) -> None:
    api.queue = [answer]
    assert cluster.version() == version
    assert api.seen[0][1] == "/version"


def test_a_log_that_the_node_removed_is_none_and_one_that_tells_of_such_is_shown(api: Api, cluster: Cluster) -> None:
    """The kubelet says so with status 200, where the log would be."""
    gone = "unable to retrieve container logs for containerd://219436b7"
    api.queue = [(200, gone), (200, f"{gone}\nstarting\n")]
    with pytest.raises(NotFound, match="Pod polls-2-abcde in namespace polls-dev"):
        cluster.log("polls-dev", "polls-2-abcde", previous="true")
    assert cluster.log("polls-dev", "polls-2-abcde") == f"{gone}\nstarting\n"


# --- What is made where it is missing ----------------------------------------
@pytest.mark.parametrize(
    ("there", "check", "make", "answer"),
    [
        (True, False, True, ("theirs", False)),
        (True, True, True, ("theirs", False)),
        (False, False, True, ("made", True)),
        (False, False, False, ("", False)),
        (False, True, True, ("", True)),
        (False, True, False, ("", False)),
    ],
)
def test_what_is_missing_is_made_once_and_never_in_a_check(api: Api, tmp_path: Path, there: bool, check: bool, make: bool, answer: tuple[str, bool]) -> None:
    made: list[Cluster] = []

    def read(cluster: Cluster) -> str:
        if not there:
            raise NotFound("nothing")
        return "theirs"

    def make_it(cluster: Cluster) -> str:
        made.append(cluster)
        return "made"

    assert read_or_make(kubeconfig(tmp_path, api.url), "", check, read, make_it if make else None, "") == answer
    assert len(made) == (answer[0] == "made")


def test_a_check_needs_no_cluster(tmp_path: Path) -> None:
    def unreachable(cluster: Cluster) -> str:
        raise Unreachable("no answer")

    assert read_or_make(str(tmp_path / "none"), "", True, unreachable, lambda cluster: "made", "") == ("", True)
    there = kubeconfig(tmp_path, "https://127.0.0.1:1")
    assert read_or_make(there, "", True, unreachable, None, "") == ("", False)
    with pytest.raises(Unreachable):
        read_or_make(there, "", False, unreachable, None, "")


@pytest.mark.parametrize("text", ["🗳", "a🗳b🏁", "\\ud83d\\uddf3", "\\\\🗳", "\\🗳\\", "ü\u2028\u0085\x7f\x01\t\"'", "\U0010ffff", "", "\ufeff\ufffd"])
def test_what_is_sent_is_the_same_in_json_and_in_yaml(text: str) -> None:
    sent = encoded({"data": {text: [text, {"a": text}]}}).decode()
    assert json.loads(sent) == yaml.safe_load(sent) == {"data": {text: [text, {"a": text}]}}


@pytest.mark.parametrize(("text", "beyond"), [("🗳", True), ("ü€中", False), ("\\ud83d", False), ("", False)])
def test_only_what_json_escapes_twice_is_beyond_its_escapes(text: str, beyond: bool) -> None:
    assert beyond_escapes({"data": {"a": [text]}}) is beyond


def inline(certificate: bytes, key: bytes) -> dict[str, Any]:
    """Return a kubeconfig that holds a certificate and a key."""
    data, secret = (base64.b64encode(each).decode() for each in (certificate, key))
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": data}}, {"name": "d"}],
        "users": [{"name": "u", "user": {"client-certificate-data": data, "client-key-data": secret}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


def test_a_key_of_a_kubeconfig_is_never_in_a_file_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible ends its last worker before Python has removed anything."""
    kubeconfig, temporary = tmp_path / "kubeconfig", tmp_path / "temporary"
    kubeconfig.write_text(yaml.safe_dump(inline(b"a certificate", b"a key")), encoding="utf-8")
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    configuration = Cluster(str(kubeconfig), None)._client.configuration
    paths = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
    assert [Path(path).read_text(encoding="utf-8") for path in paths] == ["a certificate", "a certificate", "a key"]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("text", ["", "a", "[]", "clusters: x", "clusters: [1]", "clusters: [{name: a, cluster: 3}]"])
def test_a_kubeconfig_that_is_none_is_said_to_be(tmp_path: Path, text: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(text, encoding="utf-8")
    with pytest.raises(KubeError, match="cannot be used"):
        Cluster(str(kubeconfig), None)


def test_where_memory_is_no_file_a_worker_removes_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubeconfig, temporary = tmp_path / "kubeconfig", tmp_path / "temporary"
    kubeconfig.write_text(yaml.safe_dump(inline(b"a certificate", b"a key")), encoding="utf-8")
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.delattr(os, "memfd_create")
    written = multiprocessing.get_context("fork").Queue()

    def work() -> None:
        Cluster(str(kubeconfig), None)
        written.put(len(list(temporary.iterdir())))

    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    assert written.get(timeout=30) > 0
    worker.join(30)
    assert (worker.exitcode, list(temporary.iterdir())) == (0, [])


@pytest.mark.parametrize(("name", "printed"), [("Kubernetes port forward proxy: 8000", False), ("another", True)])
def test_a_tunnel_that_is_closed_under_its_thread_prints_no_traceback(monkeypatch: pytest.MonkeyPatch, name: str, printed: bool) -> None:
    seen = []
    monkeypatch.setattr(threading, "excepthook", seen.append)
    for _ in range(2):
        client.quieten_forwarders()
    thread = threading.Thread(target=lambda: select.select([-1], [], []), name=name)
    thread.start()
    thread.join(30)
    assert bool(seen) is printed
