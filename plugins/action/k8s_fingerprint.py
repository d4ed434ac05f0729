"""Fingerprint contents with the namespace's own key. The documentation is in plugins/modules/k8s_fingerprint.py."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.kube.client import Cluster, KubeError, NotFound, read_or_make

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str", "default": ""},
    "namespace": {"type": "str", "required": True},
    "key": {"type": "str", "required": True},
    "labels": {"type": "dict", "default": {}},
    "contents": {"type": "dict", "required": True},
    "make_key": {"type": "bool", "default": False},
}
DIGITS = 10


def fingerprint(key: bytes, content: Any) -> str:
    """Return 10 hexadecimal digits that change when ``content`` (plain data) does, and reveal nothing about it without the key."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:DIGITS]


def read_key(cluster: Cluster, namespace: str, name: str) -> bytes:
    """Return the key in a namespace's Secret.

    Raises:
        NotFound: There is no such Secret, or it has no key.
        KubeError: The API server does not answer, or denies the request.
    """
    data = cluster.get("Secret", namespace, name).get("data") or {}
    if not data.get("key"):
        raise NotFound(f"Secret {name} in namespace {namespace} holds no key")
    return base64.b64decode(data["key"])


def make_key(cluster: Cluster, namespace: str, name: str, labels: dict[str, str]) -> bytes:
    """Create the Secret with a random key, and return the key; another run's if that was faster.

    Raises:
        KubeError: The API server rejects it.
    """
    key = secrets.token_bytes(32)
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "immutable": True,
        "data": {"key": base64.b64encode(key).decode()},
    }
    return key if cluster.make(namespace, body) else read_key(cluster, namespace, name)


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the fingerprints."""
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        namespace, secret = given["namespace"], given["key"]
        try:
            key, made = read_or_make(
                given["kubeconfig"],
                given["context"],
                self._task.check_mode,
                lambda cluster: read_key(cluster, namespace, secret),
                (lambda cluster: make_key(cluster, namespace, secret, given["labels"])) if given["make_key"] else None,
                b"",  # without a key, nothing that uses a fingerprint exists yet
            )
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
        return result | {"changed": made, "fingerprints": {name: fingerprint(key, content) for name, content in given["contents"].items()}}
