"""Debian 12 as it comes, whose python3 is 3.11: the first command gets a Python, or says which file to bring, and is right about it.

The tests build on each other, in this order.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import importlib.metadata
import ipaddress
import json
import platform
import re
import shutil
import ssl
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import other_system
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from other_system import System

RELEASE = "20260101"
NAME = f"cpython-3.13.99+{RELEASE}-{platform.machine()}-unknown-linux-gnu-install_only_stripped.tar.gz"
ADDRESS = f"https://github.com/astral-sh/python-build-standalone/releases/download/{RELEASE}/{NAME.replace('+', '%2B')}"
VERSION = "3.13"  # that which bootstrap asks for


def own_python() -> Path:
    """Return the root of a Python of that version on this machine; skip the tests where there is none."""
    found = [*Path.home().glob(f".pyenv/versions/{VERSION}*/bin/python3"), Path(shutil.which(f"python{VERSION}") or "/nowhere")]
    for python in found:
        done = subprocess.run([python, "-c", "import sys; print(sys.base_prefix)"], capture_output=True, text=True, check=False) if python.exists() else None
        if done and done.returncode == 0:
            return Path(done.stdout.strip())
    pytest.skip(f"this machine has no Python {VERSION} to make an archive of")


def archive(directory: Path) -> Path:
    """Make a Python of the shape in which uv fetches it."""
    own, copy = own_python(), directory / "python"
    (copy / "bin").mkdir(parents=True)
    shutil.copy((own / "bin" / f"python{VERSION}").resolve(), copy / "bin" / f"python{VERSION}")
    for name in ("python", "python3"):
        (copy / "bin" / name).symlink_to(f"python{VERSION}")
    without = shutil.ignore_patterns("test", "site-packages", "__pycache__", "*.a", "idlelib", "tkinter")
    shutil.copytree(own / "lib" / f"python{VERSION}", copy / "lib" / f"python{VERSION}", ignore=without, symlinks=True)
    (copy / "lib" / f"python{VERSION}" / "site-packages").mkdir()
    for library in (own / "lib").glob("libpython*.so*"):
        shutil.copy(library, copy / "lib", follow_symlinks=False)
    other_system.run("patchelf", "--set-rpath", "$ORIGIN/../lib", copy / "bin" / f"python{VERSION}")
    with tarfile.open(directory / NAME, "w:gz", compresslevel=1) as tar:
        tar.add(copy, "python")
    return directory / NAME


@pytest.fixture(scope="module")
def debian() -> Iterator[System]:
    """Yield a Debian 12 that is not booted; nothing of the bootstrap needs that."""
    other_system.install()
    machine = System("bookworm")
    try:
        yield machine
    finally:
        machine.remove()


@pytest.fixture(scope="module")
def python(debian: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive for uv's list of Pythons, which this test writes: with that checksum, so that uv itself takes it."""
    made = archive(tmp_path_factory.mktemp("python"))
    release = {
        "name": "cpython",
        "arch": {"family": platform.machine(), "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": 3,
        "minor": 13,
        "patch": 99,
        "prerelease": "",
        "url": ADDRESS,
        "sha256": hashlib.sha256(made.read_bytes()).hexdigest(),
        "variant": None,
        "build": RELEASE,
    }
    (debian.place / "root/downloads.json").write_text(json.dumps({f"cpython-3.13.99-linux-{platform.machine()}-gnu": release}))
    return made


def bootstrap(debian: System) -> subprocess.CompletedProcess[str]:
    """Run the first part of every make, with an address of Pythons at which there is none."""
    return debian.chroot("make bootstrap", UV_PYTHON_DOWNLOADS_JSON_URL="/root/downloads.json")


def test_where_no_python_can_be_fetched_the_message_names_the_file_and_its_place(debian: System, python: Path) -> None:
    assert "3.11" in debian.chroot("python3 --version").stdout
    done = bootstrap(debian)
    assert done.returncode != 0
    assert "installing Debian's python3 and python3-venv" in done.stdout
    assert "uv fetches Python 3.13.99" in done.stdout
    assert "bootstrap: Python 3.13.99 could not be fetched from https://" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert f"download {ADDRESS} elsewhere, copy it to {other_system.PROJECT}/.cache/python/{RELEASE}/{NAME} and run the same command again" in done.stderr
    assert not (debian.place / "root/berth/.venv").exists()


def test_the_same_command_goes_on_once_the_file_is_where_the_message_says(debian: System, python: Path) -> None:
    said = bootstrap(debian).stderr
    place = re.search(r"copy it to (\S+) and run", said)
    assert place
    target = debian.place / place[1].lstrip("/")
    target.parent.mkdir(parents=True)
    shutil.copy(python, target)
    done = bootstrap(debian)
    assert done.returncode == 0, done.stderr
    version = debian.chroot("cd / && /root/berth/.venv/bin/ansible-playbook --version", LC_ALL="C")
    assert "ansible-playbook [core 2." in version.stdout, version.stderr
    assert "/root/.local/share/uv/python/" in (debian.place / "root/berth/.venv/pyvenv.cfg").read_text()


def test_what_is_up_to_date_is_left_alone_wherever_the_project_moves(debian: System) -> None:
    before = (debian.place / "root/berth/.venv").stat().st_ino
    moved = debian.chroot("mv /root/berth '/root/a b' && cd '/root/a b' && make bootstrap && .venv/bin/ansible --version && mv '/root/a b' /root/berth")
    assert moved.returncode == 0, moved.stderr
    assert "bootstrap:" not in moved.stdout
    assert (debian.place / "root/berth/.venv").stat().st_ino == before


# --- Whom the machine trusts -------------------------------------------------
class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a directory without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def certificate(name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return an authority, or with an issuer a certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer[0].subject if issuer else subject, subject, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=9)
    ).add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    if issuer:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def wheel(directory: Path, name: str, version: str, files: dict[str, bytes]) -> str:
    """Make a package; return its line for a requirements file."""
    about = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{about}/RECORD"]).encode()
    made = directory / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for file, content in files.items():
            entry = zipfile.ZipInfo(file)
            entry.external_attr = 0o100755 << 16  # pip keeps whether it is a program
            archive.writestr(entry, content)
    page = directory / "simple" / name
    page.mkdir(parents=True)
    (page / "index.html").write_text(f'<a href="/{made.name}">{made.name}</a>')
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(made.read_bytes()).hexdigest()}\n"


@pytest.fixture
def index(debian: System, tmp_path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the address of an index with uv and a small package, and the authority (PEM) of its certificate; the project wants no more than these."""
    packages = tmp_path / "packages"
    packages.mkdir()
    uv = importlib.metadata.distribution("uv")
    program = Path(str(uv.locate_file("../../../bin/uv"))).read_bytes()
    lines = [
        wheel(packages, "ansible", "1.0", {"ansible/__init__.py": b""}),
        wheel(packages, "uv", uv.version, {f"uv-{uv.version}.data/scripts/uv": program}),
    ]
    (debian.place / "root/berth/requirements.txt").write_text("".join(lines))
    authority = certificate("a company's authority")
    own, key = certificate("127.0.0.1", authority)
    chain = tmp_path / "chain.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + own.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(packages)))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}/simple", authority[0].public_bytes(serialization.Encoding.PEM)
    server.shutdown()


@pytest.mark.parametrize("way", ["variable", "file"])
def test_an_authority_of_the_systems_store_is_trusted_by_pip_and_by_uv_and_another_one_is_named(debian: System, index: tuple[str, bytes], way: str) -> None:
    address, authority = index
    configuration = debian.place / "etc/pip.conf"
    environment = {"PIP_INDEX_URL": address} if way == "variable" else {}
    if way == "file":
        configuration.write_text(f"[global]\nindex-url = {address}\n")
    refused = debian.chroot("rm -rf .venv && make bootstrap", **environment)
    assert refused.returncode != 0
    index = address.removesuffix("/simple")
    assert f"could not be fetched from {index}: its certificate is from an authority that this machine does not trust." in refused.stderr
    own = debian.place / "usr/local/share/ca-certificates/company.crt"
    own.write_bytes(authority)
    where = ".venv/bin/python -c 'import ansible; print(ansible.__file__)'"
    done = debian.chroot(f"update-ca-certificates >/dev/null 2>&1 && make bootstrap && {where}", **environment)
    own.unlink()
    configuration.unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    assert "/root/berth/.venv/lib/python3.13/site-packages/ansible/__init__.py" in done.stdout
