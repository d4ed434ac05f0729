#!/usr/bin/env python3
"""Have the certificates of this machine's cluster end some days from now, as if the clock had gone on; below 0 they have ended.

    age.py DAYS [NAME]      NAME: only files whose name begins so

Each is issued again for the same key, name and uses, by the authority that issued it. What runs goes on with those that it has read.
"""

from __future__ import annotations

import base64
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

KUBERNETES = Path("/etc/kubernetes")
KUBELET = Path("/var/lib/kubelet/pki")


def issuers() -> dict[x509.Name, object]:
    """Return the keys of the authorities, by name. The kubelet's serving certificate is signed by an authority that nobody keeps."""
    pki = KUBERNETES / "pki"
    found = {}
    for name in ("ca", "front-proxy-ca", "etcd/ca"):
        authority = x509.load_pem_x509_certificate((pki / f"{name}.crt").read_bytes())
        found[authority.subject] = serialization.load_pem_private_key((pki / f"{name}.key").read_bytes(), None)
    return found


def aged(pem: bytes, ends: datetime) -> bytes:
    """Return the same certificate with another end."""
    old = x509.load_pem_x509_certificate(pem)
    key = issuers().get(old.issuer) or issuers()[next(iter(issuers()))]
    builder = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), x509.random_serial_number(), ends - timedelta(days=365), ends)
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def main(days: float, name: str = "") -> None:
    """Age them."""
    ends = datetime.now(UTC) + timedelta(days=days)
    for path in [*KUBERNETES.glob("pki/**/*.crt"), *KUBERNETES.glob("*.conf"), *KUBELET.glob("kubelet-client-*.pem"), KUBELET / "kubelet.crt"]:
        if path.name in ("ca.crt", "front-proxy-ca.crt") or path.is_symlink() or not path.name.startswith(name):
            continue
        text = path.read_text(encoding="ascii")
        if path.suffix == ".conf":
            made = re.sub(r"(?<=client-certificate-data: )\S+", lambda found: base64.b64encode(aged(base64.b64decode(found[0]), ends)).decode(), text)
        else:
            block = r"-----BEGIN CERT.*?-----END CERTIFICATE-----\n"
            made = re.sub(block, lambda found: aged(found[0].encode(), ends).decode(), text, count=1, flags=re.DOTALL)
        path.write_text(made, encoding="ascii")


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
