"""An API server for tests of what talks to one."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

UID = "/api/v1/namespaces/kube-system"
"""The path that tells one cluster from another."""
EMPTIED = 'apiVersion: v1\nclusters: null\ncontexts: null\ncurrent-context: ""\nkind: Config\npreferences: {}\nusers: null\n'
"""The kubeconfig that ``minikube stop`` leaves (DeleteContext in pkg/minikube/kubeconfig)."""


class Api(ThreadingHTTPServer):
    """An API server that answers as a test tells it to.

    ``answers`` are (status, content) by path; ``queue``, where it is not empty, goes before them: its first one answers the next request.
    ``seen`` are the requests so far, each (method, path with its query, Authorization header, body).

    Args:
        files: A certificate and its key, as ``certificate`` makes them, to answer with TLS.
    """

    # Of many requests at once none is sent again, a second later, because there was no room for it.
    request_queue_size = 64
    daemon_threads = True

    def __init__(self, files: tuple[Path, Path] | None = None) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.queue: list[tuple[int, Any]] = []
        self.seen: list[tuple[str, str, str | None, str]] = []
        super().__init__(("127.0.0.1", 0), Request)
        self.url = f"{'https' if files else 'http'}://127.0.0.1:{self.server_port}"
        if files:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*files)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def reply(self, method: str, path: str, body: str) -> tuple[int, Any]:
        """Return status and content of the answer to a request for ``path`` with its query."""
        return self.answer(path.partition("?")[0], body)

    def answer(self, path: str, body: str) -> tuple[int, Any]:
        """Return status and content of the answer to a request for ``path``, which is without its query."""
        return self.queue.pop(0) if self.queue else self.answers.get(path, (404, {"message": "not found"}))


class Request(BaseHTTPRequestHandler):
    """One request."""

    server: Api

    def do_GET(self) -> None:
        """Answer it."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.seen.append((self.command, self.path, self.headers.get("authorization"), body))
        status, answer = self.server.reply(self.command, self.path, body)
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_DELETE = do_PATCH = do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def running[Server: ThreadingHTTPServer](server: Server) -> Iterator[Server]:
    """Have a server answer meanwhile."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(directory: Path) -> tuple[Path, Path]:
    """Make a certificate of this machine that is its own authority; return it and its key."""
    made, key = directory / "tls.pem", directory / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*request, *names, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True)
    return made, key


def kubeconfig(directory: Path, url: str, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    """Write a kubeconfig for a server and return its path; ``cluster`` is what else it says of it."""
    path = directory / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
                "users": [{"name": "u", "user": user or {"token": "first"}}],
                "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "dev",
            }
        )
    )
    return str(path)
