"""Mask the values of Secrets in a pod's output."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import urllib.parse
from collections.abc import Iterable

from .client import Cluster, KubeError
from .objects import Object, dig

_SHORTEST = 6
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE|CREDENTIAL|API_?KEY|ACCESS_?KEY|DSN", re.IGNORECASE)


def secret_names(pod_spec: Object) -> list[str]:
    """Return the names of the Secrets that a pod's environment and volumes refer to, in order and without duplicates."""
    names: dict[str, None] = {}
    for container in _containers(pod_spec):
        for source in container.get("envFrom") or []:
            names[dig(source, "secretRef", "name") or ""] = None
        for variable in container.get("env") or []:
            names[dig(variable, "valueFrom", "secretKeyRef", "name") or ""] = None
    for volume in pod_spec.get("volumes") or []:
        names[dig(volume, "secret", "secretName") or ""] = None
        for source in dig(volume, "projected", "sources") or []:
            names[dig(source, "secret", "name") or ""] = None
    return [name for name in names if name]


def secret_values(pod_spec: Object, secrets: Iterable[Object]) -> set[str]:
    """Return the values that must not appear in a pod's output.

    Args:
        pod_spec: Its containers' literal values count if their names indicate secrets.
        secrets: The Secrets that it refers to, as read (``data`` in base64).
    """
    values: set[str] = set()
    for secret in secrets:
        for encoded in (secret.get("data") or {}).values():
            values.add(encoded)
            try:
                text = base64.b64decode(encoded).decode()
            except (binascii.Error, UnicodeDecodeError, ValueError):
                continue
            # Each line of a key or certificate is as secret as the whole.
            values.update({text.strip(), *(line.strip() for line in text.splitlines())})
    for container in _containers(pod_spec):
        for variable in container.get("env") or []:
            if variable.get("value") and _SECRET_NAME.search(variable.get("name") or ""):
                values.add(variable["value"])
    return {value for value in values if len(value) >= _SHORTEST}


def unshown(cluster: Cluster, namespace: str, *pod_specs: Object) -> set[str]:
    """Return the values that must not appear in the output of some pods, as far as their Secrets may be read; each is read once."""
    secrets = []
    for name in dict.fromkeys(name for spec in pod_specs for name in secret_names(spec)):
        with contextlib.suppress(KubeError):
            secrets.append(cluster.get("Secret", namespace, name))
    return set().union(*(secret_values(spec, secrets) for spec in pod_specs))


def redact(text: str, values: Iterable[str]) -> str:
    """Replace secret values by ``***``, also where they appear in a URL, in JSON or in Python's repr."""
    forms: set[str] = set()
    for value in values:
        forms |= {
            value,
            urllib.parse.quote(value),
            urllib.parse.quote(value, safe=""),
            urllib.parse.quote_plus(value),
            json.dumps(value)[1:-1],
            repr(value)[1:-1],
        }
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _containers(pod_spec: Object) -> list[Object]:
    return [c for key in ("initContainers", "containers") for c in pod_spec.get(key) or []]
