"""What stands in for a load balancer answers as one does, and as the look from outside wants it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import front
import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import entry

HOST = "polls.rehearsal.example"


class Site(BaseHTTPRequestHandler):
    """A site that says what it was asked with."""

    def do_GET(self) -> None:
        """Answer with the headers that matter."""
        self.send_response(200)
        self.send_header("Seen", f"{self.headers['Host']} {self.headers['X-Forwarded-Proto']}")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Run a site and its front; return the ports of https and of http."""
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    made = [site, *front.servers(HOST, f"http://127.0.0.1:{site.server_port}", tmp_path, "127.0.0.1", (0, 0))]
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}) for server in made]
    for thread in threads:
        thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    yield made[1].server_port, made[2].server_port
    for server, thread in zip(made, threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_visitor_gets_the_site_by_https(ports: tuple[int, int]) -> None:
    assert entry.visit(HOST, "127.0.0.1", port=ports[0]).good
    assert entry.visit("other.example", "127.0.0.1", port=ports[0]).kind == "certificate"


def test_http_leads_to_https_and_another_host_nowhere(ports: tuple[int, int]) -> None:
    for host, wanted in ((HOST, (301, f"https://{HOST}:443/polls/")), ("other.example", (404, None))):
        connection = http.client.HTTPConnection("127.0.0.1", ports[1], timeout=5)
        connection.request("GET", "/polls/", headers={"Host": host})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Location")) == wanted
        connection.close()
