"""The app's URL: which addresses are asked, when a port-forward is made, and that it is found and ended again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import access
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Forbidden, NotFound
from ansible_collections.berth.platform.plugins.module_utils.machine.kubeadm import alive
from ansible_collections.berth.platform.plugins.modules import app_url
from fake_api import running
from module_run import PLUGINS, run

Json = dict[str, Any]
FORWARDER = PLUGINS.parent / "playbooks/ops/files/port_forward.py"
# What the forwarder does without a cluster: it answers itself.
STAND_IN = """
import http.server, sys
from pathlib import Path

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({status})
        self.end_headers()

server = http.server.HTTPServer(("127.0.0.1", 0), Page)
Path(sys.argv[5]).write_text(str(server.server_port))
server.serve_forever()
"""


def service(port: int = 0, **status: Any) -> Json:
    """Return a Service with a node port."""
    return {"metadata": {"name": "polls"}, "spec": {"ports": [{"port": 80, **({"nodePort": port} if port else {})}]}, "status": status}


def node(address: str) -> Json:
    """Return a node with an address."""
    return {"status": {"addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": "n"}]}}


# --- Addresses -------------------------------------------------------------
def test_a_node_port_of_this_machine_is_one_of_the_loopback_address() -> None:
    assert access.candidates(service(30080), [], [node("127.0.0.9")]) == ["http://127.0.0.1:30080/"]


def test_a_node_port_of_another_machine_is_not_looked_for_on_this_one() -> None:
    """Another environment's app may answer there."""
    assert access.candidates(service(30080), [], [node("192.0.2.1"), node("2001:db8::1")]) == [
        "http://192.0.2.1:30080/",
        "http://[2001:db8::1]:30080/",
    ]


def test_what_is_made_for_visitors_comes_first() -> None:
    rules = [{"host": "polls.example", "http": {"paths": [{"backend": {"service": {"name": "polls"}}}]}}, {"host": "other.example"}]
    ingress = {"spec": {"rules": rules, "tls": [{"hosts": ["polls.example"]}]}}
    balanced = service(30080, loadBalancer={"ingress": [{"hostname": "lb.example"}]})
    assert access.candidates(balanced, [ingress], [])[:2] == ["https://polls.example/", "http://lb.example/"]


@pytest.mark.parametrize(
    ("path", "url"), [("/", "http://127.0.0.1:30080/"), ("/shop/", "http://127.0.0.1:30080/shop/"), ("/shop", "http://127.0.0.1:30080/shop")]
)
def test_the_page_that_the_inventory_names_is_asked_for(path: str, url: str) -> None:
    assert access.candidates(service(30080), [], [node("127.0.0.9")], path) == [url]


def test_a_service_inside_the_cluster_has_no_address() -> None:
    assert access.candidates(service(), [], [node("127.0.0.1")]) == []


# --- Answers ---------------------------------------------------------------
class Page(BaseHTTPRequestHandler):
    """Answers with its server's statuses, the last one again and again."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(self.server.statuses[0] if len(self.server.statuses) == 1 else self.server.statuses.pop(0))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def site() -> Iterator[ThreadingHTTPServer]:
    """Run a site that answers 200 unless a test says otherwise."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.statuses = [200]
    with running(server):
        yield server


@pytest.mark.parametrize(("status", "good"), [(200, True), (204, True), (400, False), (404, False), (500, False)])
def test_a_page_is_good_and_an_error_is_not(site: ThreadingHTTPServer, status: int, good: bool) -> None:
    site.statuses = [status]
    answer = access.ask(f"http://127.0.0.1:{site.server_port}/", 2)
    assert (answer.status, answer.good) == (status, good)


def test_a_proxy_of_the_environment_is_not_asked(site: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert access.ask(f"http://127.0.0.1:{site.server_port}/", 2).good


def test_silence_is_told_as_what_it_is() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert access.ask(f"http://127.0.0.1:{port}/", 1).text == "nothing listens there"
        silent.listen()
        assert access.ask(f"http://127.0.0.1:{port}/", 0.2).text == "no answer"


# --- The module ------------------------------------------------------------
class FakeCluster:
    """A cluster with one Service on a node that is this machine."""

    port = 0
    found = True

    def __init__(self, *_: Any) -> None:
        pass

    def get(self, kind: str, *_: Any) -> Json:
        """Return the Service."""
        if not self.found:
            raise NotFound("no")
        return service(self.port)

    def items(self, kind: str, *_: Any) -> list[Json]:
        """Return the node; Ingresses are forbidden."""
        if kind == "Ingress":
            raise Forbidden("no")
        return [node("127.0.0.1")]


@pytest.fixture
def opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Yield a function that runs the module, and end what it started."""
    monkeypatch.setattr(app_url, "Cluster", FakeCluster)
    (tmp_path / "forwarder.py").write_text(STAND_IN.format(status=200))

    def call(**options: Any) -> Json:
        defaults = {"kubeconfig": str(tmp_path / "k"), "namespace": "n", "name": "polls", "directory": str(tmp_path), "timeout": 1}
        return run(app_url, capsys, **({**defaults, "forwarder": str(tmp_path / "forwarder.py")} | options))

    yield call
    record = tmp_path / "port-forward.json"
    if record.exists():
        os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)


def assert_ends(pid: int) -> None:
    """Wait until a process that this one started has ended, whoever hears of it first."""
    end = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < end, f"process {pid} goes on"
        time.sleep(0.05)


def test_an_address_that_answers_needs_no_port_forward(opens: Any, site: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCluster, "port", site.server_port)
    answer = opens()
    assert (answer["changed"], answer["via"], answer["url"]) == (False, "direct", f"http://127.0.0.1:{site.server_port}/")


def test_a_site_that_is_only_just_starting_is_waited_for(opens: Any, site: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCluster, "port", site.server_port)
    site.statuses = [503, 503, 200]
    assert opens(timeout=10)["via"] == "direct"


def test_an_app_that_answers_with_errors_is_said_and_not_hidden_by_a_port_forward(
    opens: Any, site: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeCluster, "port", site.server_port)
    site.statuses = [500]
    assert opens()["msg"].startswith(f"The app answers with an error: http://127.0.0.1:{site.server_port}/: 500")


def test_a_port_forward_is_made_once_found_again_and_ended(opens: Any, tmp_path: Path) -> None:
    first = opens()
    assert (first["changed"], first["via"]) == (True, "forward")
    second = opens()
    assert (second["changed"], second["url"], second["pid"]) == (False, first["url"], first["pid"])
    assert opens(state="closed")["changed"]
    assert_ends(first["pid"])
    assert not opens(state="closed")["changed"]


def test_a_port_forward_of_another_app_is_not_taken_for_this_ones(opens: Any) -> None:
    first = opens()
    second = opens(name="other")
    assert second["changed"] and second["pid"] != first["pid"]
    assert_ends(first["pid"])


def test_a_process_id_that_went_to_another_program_is_left_alone(opens: Any, tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    (tmp_path / "port-forward.json").write_text(json.dumps({"pid": other.pid, "port": 1, "target": ["a", "b", "c"]}))
    assert not opens(state="closed")["changed"]
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_port_forward_that_cannot_start_says_why(opens: Any, tmp_path: Path) -> None:
    (tmp_path / "forwarder.py").write_text("raise SystemExit('no port of 127.0.0.1 is free')")
    assert opens()["msg"] == "The port-forward did not start: no port of 127.0.0.1 is free"


def test_a_port_forward_that_leads_nowhere_is_not_left_running(opens: Any, tmp_path: Path) -> None:
    (tmp_path / "forwarder.py").write_text(STAND_IN.format(status=500))
    assert "does not answer through a port-forward either (500" in opens()["msg"]
    assert not (tmp_path / "port-forward.json").exists()


def test_a_check_starts_nothing(opens: Any, tmp_path: Path) -> None:
    assert opens(check=True)["changed"]
    assert not (tmp_path / "port-forward.json").exists()


def test_where_nothing_is_released_there_is_no_url(opens: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCluster, "found", False)
    assert opens()["msg"] == "There is no Service polls in the namespace n, so nothing is released. Run site.yml."


# --- The forwarder ---------------------------------------------------------
def test_the_forwarder_takes_another_port_where_the_wanted_one_is_taken_and_ends_with_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "k").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = subprocess.Popen([sys.executable, str(FORWARDER), str(tmp_path / "k"), "n", "polls", str(port), str(tmp_path / "ready")])
        try:
            end = time.monotonic() + 20
            while not (tmp_path / "ready").exists():
                assert time.monotonic() < end and process.poll() is None
                time.sleep(0.05)
            assert int((tmp_path / "ready").read_text()) != port
            (tmp_path / "k").unlink()
            assert process.wait(10) == 0
        finally:
            process.kill()
