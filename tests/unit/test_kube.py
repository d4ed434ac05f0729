"""The small client: which request it makes, and what it says when the API server refuses one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.berth_kube import KINDS, Cluster, Forbidden, KubeError, NotFound, Unreachable, path_of


class Api(BaseHTTPRequestHandler):
    """An API server that answers from its server's list."""

    def do_GET(self) -> None:
        """Answer the next request with the next answer."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.server.seen.append((self.command, self.path, self.headers.get("authorization"), body))
        status, answer = self.server.answers.pop(0)
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def api() -> Iterator[ThreadingHTTPServer]:
    """Run an API server for one test."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.seen, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def kubeconfig(directory: Path, port: int, user: dict[str, Any] | None = None) -> str:
    """Write a kubeconfig for a server on this machine and return its path."""
    path = directory / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "u", "user": user or {"token": "first"}}],
                "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "dev",
            }
        )
    )
    return str(path)


@pytest.fixture
def cluster(api: ThreadingHTTPServer, tmp_path: Path) -> Cluster:
    """Return a client of the API server."""
    return Cluster(kubeconfig(tmp_path, api.server_port), None)


def test_every_kind_has_the_path_of_its_api() -> None:
    """The core group lies elsewhere than the others."""
    assert path_of("Pod", "polls-dev", "x") == "/api/v1/namespaces/polls-dev/pods/x"
    assert path_of("Deployment", "polls-dev") == "/apis/apps/v1/namespaces/polls-dev/deployments"
    for prefix, _plural, group in KINDS.values():
        assert prefix.split("/")[1:-1] == (["apis", group] if group else ["api"])


def test_a_list_is_asked_for_once_and_its_items_know_their_kind(api: ThreadingHTTPServer, cluster: Cluster) -> None:
    """A list's items come without one."""
    api.answers = [(200, {"items": [{"metadata": {"name": "x"}}]})]
    assert cluster.items("Pod", "polls-dev", labelSelector="a=b") == [{"metadata": {"name": "x"}, "kind": "Pod"}]
    assert api.seen == [("GET", "/api/v1/namespaces/polls-dev/pods?labelSelector=a%3Db", "Bearer first", "")]


def test_the_servers_own_time_is_known_after_a_request(api: ThreadingHTTPServer, cluster: Cluster) -> None:
    """Its clock and this machine's may differ."""
    api.answers = [(200, {})]
    cluster.get("Pod", "polls-dev", "x")
    assert len(cluster.now) == len("2026-03-01T12:00:00Z")
    assert cluster.now.endswith("Z")


def test_an_object_is_deleted_by_its_uid(api: ThreadingHTTPServer, cluster: Cluster) -> None:
    """So that one which was made anew in between stays."""
    api.answers = [(200, {})]
    cluster.delete("Job", "polls-dev", "x", "uid-1", "Background")
    method, path, _token, body = api.seen[0]
    assert (method, path) == ("DELETE", "/apis/batch/v1/namespaces/polls-dev/jobs/x")
    assert json.loads(body) == {"propagationPolicy": "Background", "preconditions": {"uid": "uid-1"}}


def test_an_object_that_is_gone_already_is_deleted_without_complaint(
    api: ThreadingHTTPServer, cluster: Cluster
) -> None:
    """Gone is what was wanted."""
    api.answers = [(404, {"message": "not found"})]
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
                'Kubernetes does not let this user get pods in namespace polls-dev: User "weak" cannot get resource "pods". '
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
def test_a_refusal_becomes_one_message(
    api: ThreadingHTTPServer, cluster: Cluster, status: int, answer: Any, error: type[KubeError], message: str
) -> None:
    """With what was asked for and what the server said."""
    api.answers = [(status, answer)]
    with pytest.raises(error) as raised:
        cluster.get("Pod", "polls-dev", "x")
    assert str(raised.value) == message
    assert type(raised.value) is error


def test_a_list_that_may_not_be_read_names_the_permission(api: ThreadingHTTPServer, cluster: Cluster) -> None:
    """In the words of a Role."""
    api.answers = [(403, {"message": "no"})]
    with pytest.raises(Forbidden, match=r'apiGroups \["apps"\], resources \["deployments"\], verbs \["list"\]'):
        cluster.items("Deployment", "polls-dev")


def test_a_token_that_ran_out_is_read_again(api: ThreadingHTTPServer, cluster: Cluster, tmp_path: Path) -> None:
    """A token of EKS lasts for a quarter of an hour, a wait may last longer."""
    kubeconfig(tmp_path, api.server_port, {"token": "second"})
    api.answers = [(401, {"message": "Unauthorized"}), (200, {"kind": "Pod"})]
    assert cluster.get("Pod", "polls-dev", "x") == {"kind": "Pod"}
    assert [token for _method, _path, token, _body in api.seen] == ["Bearer first", "Bearer second"]


def test_credentials_that_are_not_accepted_are_said_to_be(api: ThreadingHTTPServer, cluster: Cluster) -> None:
    """After one try with the kubeconfig read again."""
    api.answers = [(401, {}), (401, {})]
    with pytest.raises(KubeError, match="does not accept the credentials of .*kubeconfig"):
        cluster.get("Pod", "polls-dev", "x")


def test_an_exec_plugin_gives_the_token(api: ThreadingHTTPServer, tmp_path: Path) -> None:
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
    api.answers = [(200, {})]
    Cluster(kubeconfig(tmp_path, api.server_port, user), "dev").get("Pod", "polls-dev", "x")
    assert api.seen[0][2] == "Bearer from-exec"


def test_a_server_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    """Which is worth another try, unlike a refusal."""
    with pytest.raises(Unreachable, match="The API server http://127.0.0.1:1 does not answer"):
        Cluster(kubeconfig(tmp_path, 1), None).get("Pod", "polls-dev", "x")


@pytest.mark.parametrize(("name", "context"), [("absent", None), ("kubeconfig", "nowhere")])
def test_a_kubeconfig_that_cannot_be_used_is_said_to_be(tmp_path: Path, name: str, context: str | None) -> None:
    """A missing file, a missing context."""
    kubeconfig(tmp_path, 1)
    with pytest.raises(KubeError, match=f"The kubeconfig .*{name} cannot be used: .*Check berth_kubeconfig"):
        Cluster(str(tmp_path / name), context)


@pytest.mark.parametrize(("answer", "version"), [((200, {"gitVersion": "v1.36.3"}), "v1.36.3"), ((403, {"message": "no"}), ""), ((200, "no JSON"), "")])
def test_the_version_is_told_or_empty(api: ThreadingHTTPServer, cluster: Cluster, answer: tuple[int, Any], version: str) -> None:
    api.answers = [answer]
    assert cluster.version() == version
    assert api.seen[0][1] == "/version"
