"""When the certificates of a cluster expire: those that kubeadm and the kubelet keep on this machine, and that of a kubeconfig, or its token.

The list of them: kubernetes.io/docs/setup/best-practices/certificates.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from .. import credential

DAY = 86400
# What people call them, by file. The kubelet renews its own client certificate, but only while it runs.
AUTHORITIES = ("pki/ca.crt", "pki/front-proxy-ca.crt", "pki/etcd/ca.crt")
CONTROL_PLANE = (
    "pki/apiserver.crt",
    "pki/apiserver-kubelet-client.crt",
    "pki/apiserver-etcd-client.crt",
    "pki/front-proxy-client.crt",
    "pki/etcd/server.crt",
    "pki/etcd/peer.crt",
    "pki/etcd/healthcheck-client.crt",
    "admin.conf",
    "super-admin.conf",
    "controller-manager.conf",
    "scheduler.conf",
)


def end_of(pem: bytes) -> datetime:
    """Return when the first certificate of a PEM text expires.

    Raises:
        ValueError: The text has none.
    """
    return x509.load_pem_x509_certificates(pem)[0].not_valid_after_utc


def client_certificate(kubeconfig: Path) -> bytes | None:
    """Return the client certificate (PEM) of the first user of a kubeconfig, None if the file is missing or has none.

    Raises:
        OSError: A file that it refers to cannot be read.
    """
    try:
        text = kubeconfig.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    if data := re.search(r"client-certificate-data: *[\"']?([A-Za-z0-9+/=]+)", text):
        return base64.b64decode(data[1])
    if file := re.search(r"client-certificate: *[\"']?([^\s\"']+)", text):
        return (kubeconfig.parent / file[1]).read_bytes()
    return None


def certificate(name: str, path: Path, kind: str, now: datetime) -> dict[str, Any] | None:
    """Return the facts about a certificate: ``name``, ``kind``, ``path``, ``ends`` (RFC 3339) and ``seconds`` until then; None if there is none.

    A file without a readable certificate counts as expired, because no program can use it.
    """
    try:
        pem = client_certificate(path) if path.suffix not in (".crt", ".pem") else path.read_bytes() if path.exists() else None
        if pem is None:
            return None
        ends = end_of(pem)
    except (OSError, ValueError):
        ends = datetime.fromtimestamp(0, UTC)
    return _dated(name, path, kind, ends, now)


def _dated(name: str, path: Path, kind: str, ends: datetime, now: datetime) -> dict[str, Any]:
    return {"name": name, "kind": kind, "path": str(path), "ends": ends.strftime("%Y-%m-%dT%H:%M:%SZ"), "seconds": int((ends - now).total_seconds())}


def of_machine(kubernetes: Path, kubelet: Path) -> list[dict[str, Any]]:
    """Return the certificates of the cluster on this machine, by the kinds ``authority``, ``control plane``, ``kubelet`` and ``kubelet serving``.

    Args:
        kubernetes: kubeadm's directory, /etc/kubernetes.
        kubelet: The kubelet's, /var/lib/kubelet.
    """
    now = datetime.now(UTC)
    found = [certificate(name, kubernetes / name, "authority", now) for name in AUTHORITIES]
    found += [certificate(name, kubernetes / name, "control plane", now) for name in CONTROL_PLANE]
    found.append(certificate("kubelet.conf", kubernetes / "kubelet.conf", "kubelet", now))
    found.append(certificate("kubelet.crt", kubelet / "pki" / "kubelet.crt", "kubelet serving", now))
    return [each for each in found if each]


def ending(certificates: Iterable[Mapping[str, Any]], days: float) -> list[dict[str, Any]]:
    """Return the certificates that can be renewed and expire within ``days``; authorities are not renewed."""
    return [dict(each) for each in certificates if each["kind"] != "authority" and each["seconds"] < days * DAY]


def earliest(certificates: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the certificate of each kind that expires first, in the order of the kinds."""
    found: dict[str, dict[str, Any]] = {}
    for each in certificates:
        if each["kind"] not in found or each["seconds"] < found[each["kind"]]["seconds"]:
            found[each["kind"]] = dict(each)
    return list(found.values())


def of_kubeconfig(kubeconfig: Path) -> list[dict[str, Any]]:
    """Return the client certificate of a kubeconfig, or its token if that expires, as the kind ``kubeconfig``; none if it has neither."""
    now = datetime.now(UTC)
    found = certificate(kubeconfig.name, kubeconfig, "kubeconfig", now)
    if ends := credential.end_of(credential.token_of(credential.read(kubeconfig))):
        found = _dated(kubeconfig.name, kubeconfig, "kubeconfig", datetime.fromtimestamp(ends, UTC), now)
    return [found] if found else []
