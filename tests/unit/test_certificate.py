"""The certificate of the database in the cluster."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Cluster, KubeError, NotFound
from fake_api import Api, kubeconfig, running
from module_run import plugin

SECRETS = "/api/v1/namespaces/polls-dev/secrets"
NAMES = ["database", "database.polls-dev.svc"]
certificates = plugin("action/k8s_certificate.py")


@pytest.fixture
def api() -> Iterator[Api]:
    """Return an API server that answers."""
    with running(Api()) as server:
        yield server


@pytest.fixture
def cluster(api: Api, tmp_path: Path) -> Cluster:
    """Return the way to it."""
    return Cluster(kubeconfig(tmp_path, api.url), None)


@pytest.mark.parametrize(("name", "known"), [("database", True), ("database.polls-dev.svc", True), ("database.other.svc", False), ("localhost", False)])
def test_a_client_knows_the_server_by_each_of_its_names_and_by_no_other(tmp_path: Path, name: str, known: bool) -> None:
    made = certificates.certificate(NAMES)
    for file, pem in made.items():
        (tmp_path / file).write_bytes(pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks, answers = client.wrap_bio(incoming, outgoing, server_hostname=name), server.wrap_bio(outgoing, incoming, server_side=True)
    refused = False
    for _ in range(4):
        for side in (asks, answers):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                refused = True
            except ssl.SSLError:
                continue
    assert refused is not known and (asks.version() == "TLSv1.3" if known else True)


def test_openssl_finds_nothing_to_object_to(tmp_path: Path) -> None:
    for file, pem in certificates.certificate(NAMES).items():
        (tmp_path / file).write_bytes(pem)
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(tmp_path / "ca.crt"), str(tmp_path / "tls.crt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_two_environments_have_authorities_of_their_own() -> None:
    assert certificates.certificate(NAMES)["ca.crt"] != certificates.certificate(NAMES)["ca.crt"]


def test_the_secret_is_made_once_without_the_authoritys_key(api: Api, cluster: Cluster) -> None:
    api.answers[SECRETS] = (201, {})
    authority = certificates.make(cluster, "polls-dev", "database-tls", NAMES, {"app.kubernetes.io/managed-by": "berth"})
    body = json.loads(api.seen[-1][3])
    assert body["immutable"] is True and set(body["data"]) == {"tls.crt", "tls.key", "ca.crt"}
    api.answers[f"{SECRETS}/database-tls"] = (200, body)
    assert certificates.read(cluster, "polls-dev", "database-tls") == authority


def test_names_that_came_later_are_told(api: Api, cluster: Cluster) -> None:
    data = {key: base64.b64encode(pem).decode() for key, pem in certificates.certificate(["database"]).items()}
    api.answers[f"{SECRETS}/database-tls"] = (200, {"data": data})
    assert certificates.missing(cluster, "polls-dev", "database-tls", ["database", "pghost"]) == ["pghost"]
    api.answers[f"{SECRETS}/database-tls"] = (200, {"data": {"tls.crt": base64.b64encode(b"none").decode()}})
    assert certificates.missing(cluster, "polls-dev", "database-tls", ["database"]) == ["database"]


def test_what_another_run_has_made_meanwhile_is_taken(api: Api, cluster: Cluster) -> None:
    api.answers[SECRETS] = (409, {"message": "already exists"})
    api.answers[f"{SECRETS}/database-tls"] = (200, {"data": {"ca.crt": base64.b64encode(b"theirs").decode()}})
    assert certificates.make(cluster, "polls-dev", "database-tls", NAMES, {}) == "theirs"


def test_a_secret_without_an_authority_is_not_taken_for_one(api: Api, cluster: Cluster) -> None:
    api.answers[f"{SECRETS}/database-tls"] = (200, {"data": {}})
    with pytest.raises(NotFound):
        certificates.read(cluster, "polls-dev", "database-tls")


def test_a_refusal_names_the_secret(api: Api, cluster: Cluster) -> None:
    api.answers[SECRETS] = (403, {"message": "secrets is forbidden"})
    with pytest.raises(KubeError, match="does not allow Berth to create Secret database-tls in namespace polls-dev: secrets is forbidden"):
        certificates.make(cluster, "polls-dev", "database-tls", NAMES, {})
