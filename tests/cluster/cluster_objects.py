"""Objects that a real cluster accepts, and the patience that it needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

Json = dict[str, Any]
FOREVER = "exec sleep 3600"


def pod_spec(image: str, script: str = FOREVER, **container: Any) -> Json:
    """Return the spec of a pod that runs a shell script and meets the restricted level."""
    return {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "web",
                "image": image,
                "command": ["sh", "-c", script],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
            | container
        ],
    }


def workload(kind: str, name: str, pod: Json, **spec: Any) -> Json:
    """Return a Deployment, StatefulSet or DaemonSet."""
    labels = {"app.kubernetes.io/name": name}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}} | spec,
    }


def job(name: str, pod: Json, restart: str = "Never", **spec: Any) -> Json:
    """Return a Job."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod | {"restartPolicy": restart}}} | spec,
    }


def until(ready: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Return what ``ready`` returns as soon as it is true; fail when it never is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(0.2)
    pytest.fail(f"There is no sign of {what} after {seconds} s.")
