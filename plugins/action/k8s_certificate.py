"""Provide a certificate with its own CA. The documentation is in plugins/modules/k8s_certificate.py."""

from __future__ import annotations

import base64
import datetime
from typing import Any

from ansible.plugins.action import ActionBase
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..module_utils.kube.client import Cluster, KubeError, NotFound, read_or_make

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str", "default": ""},
    "namespace": {"type": "str", "required": True},
    "secret": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
    "labels": {"type": "dict", "default": {}},
    "make": {"type": "bool", "default": False},
}
# It cannot be renewed, because the CA's key is discarded, so it is made to outlive the environment.
VALID = datetime.timedelta(days=3650)


def authority(now: datetime.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return a new CA and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Berth, authority of one environment")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(name, name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def certificate(names: list[str]) -> dict[str, bytes]:
    """Return ``tls.crt``, ``tls.key`` and ``ca.crt`` in PEM for a server with these names, at least one. The CA's key is not kept."""
    now = datetime.datetime.now(datetime.UTC)
    issuer, issuer_key = authority(now)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), issuer.subject, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    pem = serialization.Encoding.PEM
    return {
        "tls.crt": builder.sign(issuer_key, hashes.SHA256()).public_bytes(pem),
        "tls.key": key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        "ca.crt": issuer.public_bytes(pem),
    }


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime.datetime) -> x509.CertificateBuilder:
    """Return the common parts of every certificate. It is valid from an hour ago, because clocks differ."""
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + VALID)


def read(cluster: Cluster, namespace: str, name: str) -> str:
    """Return the CA in a Secret, in PEM.

    Raises:
        NotFound: There is no such Secret, or it has no CA.
        KubeError: The API server does not answer, or denies the request.
    """
    data = cluster.get("Secret", namespace, name).get("data") or {}
    if not data.get("ca.crt"):
        raise NotFound(f"Secret {name} in namespace {namespace} holds no ca.crt")
    return base64.b64decode(data["ca.crt"]).decode()


def missing(cluster: Cluster, namespace: str, name: str, names: list[str]) -> list[str]:
    """Return the ``names`` that a certificate does not have; all of them if it is not a certificate.

    Raises:
        KubeError: The API server does not answer, or denies the request.
    """
    data = cluster.get("Secret", namespace, name).get("data") or {}
    try:
        found = x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"])).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (KeyError, ValueError, x509.ExtensionNotFound):
        return names
    known = found.value.get_values_for_type(x509.DNSName)
    return [each for each in names if each not in known]


def make(cluster: Cluster, namespace: str, name: str, names: list[str], labels: dict[str, str]) -> str:
    """Create the Secret, and return the CA; another run's if that was faster.

    Raises:
        KubeError: The API server rejects it.
    """
    data = {key: base64.b64encode(pem).decode() for key, pem in certificate(names).items()}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "immutable": True,
        "metadata": {"name": name, "labels": labels},
        "data": data,
    }
    return base64.b64decode(data["ca.crt"]).decode() if cluster.make(namespace, body) else read(cluster, namespace, name)


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the CA."""
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        namespace, secret = given["namespace"], given["secret"]
        try:
            found, made = read_or_make(
                given["kubeconfig"],
                given["context"],
                self._task.check_mode,
                lambda cluster: read(cluster, namespace, secret),
                (lambda cluster: make(cluster, namespace, secret, given["names"], given["labels"])) if given["make"] else None,
                "",
            )
            lacking = [] if made or not found else missing(Cluster(given["kubeconfig"], given["context"] or None), namespace, secret, given["names"])
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
        return result | {"changed": made, "authority": found, "missing": lacking}
