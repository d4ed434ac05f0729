"""Berth's code with the real programs that it calls for an image, as far as they are on the PATH: grype, trivy and cosign; and the schema of the SBOM.

No network is needed. A scanner has its database, or it says that it has none. The registry is the program of github.com/distribution/distribution.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import sbom, scan, signature
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError, Registry, silence
from programs import needs

PASSWORD = "s3cret"
FILES = {
    "etc/os-release": b"ID=debian\nVERSION_ID=12\n",
    "var/lib/dpkg/status": b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2.36-9)\nVersion: 2.36-9+b1\n",
    "opt/venv/lib/python3.13/site-packages/Django-4.2.1.dist-info/METADATA": b"Name: Django\nVersion: 4.2.1\nLicense: BSD-3-Clause\n\n",
}


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    """Return the SBOM of an image."""
    sbom.write(sbom.document(FILES, "polls", "content-1", "sha256:1", datetime.datetime.now(datetime.UTC)), tmp_path / "content-1.cdx.json")
    return tmp_path / "content-1.cdx.json"


def test_the_sbom_is_valid_by_the_schema_of_its_version(bill: Path) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json", reason="pip install cyclonedx-python-lib[validation]")
    schema = pytest.importorskip("cyclonedx.schema")
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_5).validate_str(bill.read_text(encoding="utf-8")) is None


@pytest.mark.parametrize("program", [pytest.param(name, marks=needs(name)) for name in scan.SCANNERS])
def test_a_scanner_takes_the_sbom_and_its_answer_is_read_or_its_reason_is_passed_on(bill: Path, program: str) -> None:
    try:
        found = scan.ask(program, bill)
    except scan.ScanError as error:
        assert "it ended with" in str(error) and len(str(error).splitlines()) > 1, f"no reason: {error}"
        pytest.skip(f"{program} has no database: {error}")
    assert {each.kind for each in found} <= {"deb", "pypi"}


# --- cosign -------------------------------------------------------------------------
@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Return a registry of this machine's."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {"version": "0.1", "storage": {"filesystem": {"rootdirectory": f"{tmp_path}/registry"}}, "http": {"addr": host}}
    (tmp_path / "registry.yml").write_text(json.dumps(settings), encoding="utf-8")
    with (tmp_path / "registry.log").open("wb") as log, subprocess.Popen(["registry", "serve", f"{tmp_path}/registry.yml"], stdout=log, stderr=log) as server:
        end = time.monotonic() + 30
        while silence(host, "http") and server.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        yield Registry(host)
        server.terminate()


def push(registry: Registry) -> str:
    """Return the digest of an image without layers, which is pushed."""

    def put(url: str, content: bytes, kind: str) -> None:
        urllib.request.urlopen(urllib.request.Request(url, content, {"Content-Type": kind}, method="PUT")).close()

    configuration = b'{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}'
    part = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(configuration), "size": len(configuration)}
    with urllib.request.urlopen(f"http://{registry.host}/v2/polls/blobs/uploads/", b"") as begun:
        put(f"{begun.headers['Location']}&digest={part['digest']}", configuration, "application/octet-stream")
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": part, "layers": []}).encode()
    put(f"http://{registry.host}/v2/polls/manifests/1", manifest, kind)
    return digest(manifest)


def digest(content: bytes) -> str:
    """Return what a registry calls a content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@needs("cosign", "registry")
def test_cosign_signs_as_it_is_called_and_verifies_it_without_the_public_log(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = os.environ | {"COSIGN_PASSWORD": PASSWORD}
    subprocess.run(["cosign", "generate-key-pair"], cwd=tmp_path, env=made, check=True, capture_output=True)
    image, key, record = push(registry), str(tmp_path / "cosign.key"), tmp_path / "content-1.signed"
    assert signature.problem(key) == ""
    with pytest.raises(ImageError, match="berth_image_signing_password"):
        signature.sign(registry, "polls", image, key, "wrong", record)
    assert not signature.signed(registry, "polls", image, key, record)
    signature.sign(registry, "polls", image, key, PASSWORD, record)
    assert not (tmp_path / ".sigstore").exists(), "it looked for Sigstore's keys"
    assert signature.signed(registry, "polls", image, key, record)
    # Some versions would fetch Sigstore's root of trust, which has no part in this.
    subprocess.run(["cosign", "trusted-root", "create", "--out", f"{tmp_path}/root.json"], check=True)
    verify = ["cosign", "verify", "--key", f"{tmp_path}/cosign.pub", "--insecure-ignore-tlog=true", "--trusted-root", f"{tmp_path}/root.json"]
    done = subprocess.run([*verify, f"{registry.host}/polls@{image}"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[0]["critical"]["image"]["docker-manifest-digest"] == image
