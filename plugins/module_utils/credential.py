"""An environment's own credentials for a cluster: a token of a ServiceAccount, in a kubeconfig.

A token, not a client certificate: Kubernetes cannot revoke a certificate, but rejects a token as soon as its account is deleted
(kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin). The account is in a namespace in which the environment has no permissions.
Otherwise it could make itself a token that never expires (a Secret of the type kubernetes.io/service-account-token).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DAY = 86400
RENEWED_AT = 1 / 3
"""The fraction of its lifetime that a token still has when it is renewed."""


@dataclass(frozen=True)
class Account:
    """A ServiceAccount."""

    namespace: str
    name: str

    @property
    def user(self) -> str:
        """The name by which Kubernetes knows it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


def account_name(environment: str) -> str:
    """Return the name of an environment's account: its own, if that is valid for a ServiceAccount (RFC 1123), else one that no other has.

    >>> account_name("dev")
    'dev'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", environment.lower()).strip("-")[:50].strip("-")
    return plain if plain == environment else f"{plain}-{hashlib.sha256(environment.encode()).hexdigest()[:10]}".lstrip("-")


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a token (JWT, RFC 7519), {} for any other. Nothing is verified: the API server does that."""
    parts = token.split(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def end_of(token: str) -> float:
    """Return when a token expires, in seconds since 1970; 0 if it does not say."""
    ends = claims(token).get("exp")
    return float(ends) if isinstance(ends, int | float) else 0


def token_of(document: Any) -> str:
    """Return the token of the first user of a kubeconfig, "" if it has none."""
    try:
        return str(document["users"][0]["user"].get("token") or "")
    except (AttributeError, KeyError, IndexError, TypeError):
        return ""


def read(path: Path) -> Any:
    """Return a kubeconfig as data, None if there is none that can be read."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None


def kubeconfig(administrator: Mapping[str, Any], account: Account, token: str) -> dict[str, Any]:
    """Return an account's kubeconfig for the administrator's cluster."""
    name = f"{account.name}@berth"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "berth", "cluster": administrator["clusters"][0]["cluster"]}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": "berth", "user": name}}],
        "current-context": name,
    }


def due(path: Path, administrator: Mapping[str, Any], account: Account, days: float, now: float) -> str:
    """Return why a kubeconfig has to be written, as a phrase; "" if the existing one will do.

    Args:
        path: The environment's kubeconfig.
        administrator: The kubeconfig of the cluster's administrator, as data.
        account: The account whose token it has to have.
        days: How long a token lasts.
        now: The time, in seconds since 1970.
    """
    document = read(path)
    if document is None:
        return "there is none"
    token = token_of(document)
    said = claims(token)
    if said.get("sub") != account.user:
        return "it was an administrator's" if not token else "it was another account's"
    if document != kubeconfig(administrator, account, token):
        return "it pointed elsewhere"
    if path.stat().st_mode & 0o777 != 0o600:
        return "others could read it"
    begins, ends = float(said.get("iat") or 0), end_of(token)
    if ends - now < (ends - begins) * RENEWED_AT:
        return "it had expired" if ends <= now else "less than a third of its lifetime was left"
    return "it was valid for longer than allowed" if ends - begins > days * DAY + 60 else ""


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a kubeconfig that nobody else can read, atomically."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.berth")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        # Ansible's own string types, which only its own dumper knows, become plain strings.
        yaml.safe_dump(json.loads(json.dumps(document)), file, sort_keys=False, width=2**20)
    os.replace(half, path)
