#!/usr/bin/env python3
"""Answer as a load balancer with TLS does: for one host name, with a certificate of an authority of its own, on behalf of what serves the site.

Port 443 forwards to ``--upstream`` with the headers that AWS' load balancers add, port 80 redirects to it. ``DIRECTORY/authority.pem`` is the
authority: SSL_CERT_FILE leads programs to it. The host name has to resolve to ``--listen``. Runs until it is ended.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}  # RFC 9110, section 7.6.1


def certificate(host: str, directory: Path) -> tuple[Path, Path]:
    """Write an authority and a certificate of it for a host name; return the certificate and its key."""
    now = datetime.datetime.now(datetime.UTC)
    keys = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "emulated load balancer")])

    def builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        numbered = x509.CertificateBuilder().issuer_name(authority).subject_name(subject).serial_number(x509.random_serial_number())
        return numbered.public_key(key.public_key()).not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=30))

    root = builder(authority, keys[0]).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    named = builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])]), keys[1])
    leaf = named.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "authority.pem").write_bytes(root.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    files = directory / "front.pem", directory / "front.key"
    files[0].write_bytes(leaf.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    files[1].touch(mode=0o600)
    files[1].write_bytes(keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


class Front(BaseHTTPRequestHandler):
    """Forwards requests for the host name, or redirects them to https."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    host = ""
    secure = False

    def forward(self) -> None:
        """Answer a request of any method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if (self.headers.get("Host") or "").partition(":")[0] != self.host:
            self.answer(404, {}, b"")
        elif not self.secure:
            self.answer(301, {"Location": f"https://{self.host}:443{self.path}"}, b"")
        else:
            target = urlsplit(self.upstream)
            connection = http.client.HTTPConnection(target.hostname or "", target.port or 80, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            headers |= {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "443", "X-Forwarded-For": self.client_address[0]}
            try:
                connection.request(self.command, self.path, body or None, headers)
                found = connection.getresponse()
                self.answer(found.status, {name: value for name, value in found.getheaders() if name.lower() not in HOP_BY_HOP}, found.read())
            except (OSError, http.client.HTTPException):
                self.answer(503, {}, b"")
            finally:
                connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = forward

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing about what goes well."""


def servers(host: str, upstream: str, directory: Path, address: str, ports: tuple[int, int] = (443, 80)) -> list[ThreadingHTTPServer]:
    """Return the servers of https and of http, which do not serve yet."""
    made = []
    for port, secure in zip(ports, (True, False), strict=True):
        handler = type("Handler", (Front,), {"upstream": upstream, "host": host, "secure": secure})
        server = ThreadingHTTPServer((address, port), handler)
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate(host, directory))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        made.append(server)
    return made


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", required=True, help="the host name")
    parser.add_argument("--upstream", required=True, help="what serves the site, as http://ADDRESS:PORT")
    parser.add_argument("--directory", required=True, type=Path, help="where the authority is written")
    parser.add_argument("--listen", default="127.0.0.1", help="the address")
    given = parser.parse_args()
    made = servers(given.host, given.upstream, given.directory, given.listen)
    for server in made[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"https://{given.host}/ answers at {given.listen}; its authority: {given.directory / 'authority.pem'}", flush=True)
    made[0].serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
