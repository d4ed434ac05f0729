"""Whether a host answers as a registry."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible.module_utils import berth_preflight
from ansible.module_utils.berth_preflight import silent_registry


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], str]]:
    """Return a function that starts a TLS server which answers /v2/ with a status, and returns its host and port."""
    certificate = tmp_path / "tls.pem"
    request = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(certificate)]
    subprocess.run([*request, *names, *files], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("no_proxy", "localhost")
    # One on this machine would be asked without TLS.
    monkeypatch.setattr(berth_preflight, "local", lambda host: False)
    servers = []

    def start(status: int) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/v2/" else 404)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, tmp_path / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"localhost:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [200, 401])
def test_a_registry_answers_with_or_without_a_login(status: int, registry: Callable[[int], str]) -> None:
    assert silent_registry(registry(status)) == ""


def test_a_web_server_is_no_registry(registry: Callable[[int], str]) -> None:
    assert "answers 404" in silent_registry(registry(404))


def test_a_registry_whose_certificate_is_not_trusted_does_not_count(
    registry: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = registry(200)
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "certificate verify failed" in silent_registry(host)


def test_a_port_on_which_nobody_listens_does_not_answer() -> None:
    assert "does not answer" in silent_registry("localhost:1")
