"""What a test tells the emulators: faults to answer with, seconds that creation takes, outcomes of what is created, a seed for lag (lag.py).

The file that ``BERTH_EMULATOR_CONTROL`` names holds JSON and is read again whenever it changes::

    {"seconds": {"eks": 2, "rds": 2, "profile": 2},
     "faults": [{"service": "ec2", "action": "DescribeVpcs", "code": "RequestLimitExceeded", "status": 503, "count": 3}],
     "outcomes": {"db/main": {"status": "backing-up", "until": 1800000000},
                  "nodegroup/main": {"status": "CREATE_FAILED", "issues": [{"code": "NodeCreationFailure", "message": "...", "resourceIds": []}]}},
     "addons": {"1.35": {"metrics-server": ["v0.9.0-eksbuild.1"]}},
     "quotas": {"L-F678F1CE": 1},
     "lag": 1,
     "insights": [{"name": "Deprecated APIs removed in Kubernetes v1.32", "status": "ERROR", "reason": "..."}]}
"""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import Any

_LOCK = threading.Lock()
_STATE: dict[str, Any] = {"stamp": None, "content": {}}


def content() -> dict[str, Any]:
    """Return the file's content; empty while there is no such file."""
    path = Path(os.environ.get("BERTH_EMULATOR_CONTROL", "/nonexistent"))
    with _LOCK:
        try:
            stamp = path.stat().st_mtime_ns
        except FileNotFoundError:
            _STATE.update(stamp=None, content={})
            return {}
        if stamp != _STATE["stamp"]:
            _STATE.update(stamp=stamp, content=json.loads(path.read_text(encoding="utf-8") or "{}"))
        return _STATE["content"]


def seconds(service: str) -> float:
    """Return how long creating and deleting takes with ``service``."""
    return float(content().get("seconds", {}).get(service, 0))


def outcome(name: str) -> dict[str, Any]:
    """Return how what is called ``name`` (``kind/name``) ends, empty when it ends well."""
    return content().get("outcomes", {}).get(name, {})


def fault(service: str, action: str) -> dict[str, Any] | None:
    """Return the next fault for this call and count it down, None when there is none."""
    for item in content().get("faults", []):
        if item["service"] == service and re.search(item.get("action", "."), action):
            with _LOCK:
                if item.get("count", 1) > 0:
                    item["count"] = item.get("count", 1) - 1
                    return {"code": "ThrottlingException", "status": 400, "message": "injected", **item}
    return None
