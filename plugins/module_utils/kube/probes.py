"""Check a pod's health with the requests that the kubelet makes, and judge the answers more strictly than it does.

The kubelet accepts every status from 200 to 399 as healthy, and a redirect to another host as well (pkg/probe/http/http.go of Kubernetes 1.36).
"""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
KINDS = ("startupProbe", "readinessProbe", "livenessProbe")
VARIABLES = {"startupProbe": "berth_app_readiness_path", "readinessProbe": "berth_app_readiness_path", "livenessProbe": "berth_app_liveness_path"}
TIMEOUT = 10.0  # seconds for an answer
HOST = "localhost"
STARTUP = 60
"""Seconds until an app that does not start is restarted, unless the inventory says otherwise."""
STAYS = 10
"""Seconds that a container has to run before its pod counts, if being ready proves nothing.

A server listens, and a process without a probe is ready, before the app's modules are loaded. Loading Celery and Django takes 3 to 6 seconds on a busy
node, and a missing module shows only after that.
"""
DEFAULT_PATHS = {"readiness": "/readyz", "liveness": "/livez"}
"""The paths to request if the inventory names none, as in roles/app/defaults."""


def of_inventory(given: Object, readiness_path: str, liveness_path: str, port: str = "http") -> dict[str, dict[str, Any]]:
    """Return the probes of the web container.

    Args:
        given: ``berth_app_probe``: ``type`` (http, tcp or command), ``host``, ``command`` and ``startup_seconds``, if they differ from Berth's.
        readiness_path, liveness_path: The paths to request with type http.
        port: The name of the container's port.
    """
    return {
        "startupProbe": _action(given, readiness_path, port) | {"periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": startup_seconds(given)},
        "readinessProbe": _action(given, readiness_path, port) | {"periodSeconds": 5, "timeoutSeconds": 5},
        "livenessProbe": _action(given, liveness_path, port) | {"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
    }


def startup_seconds(given: Object) -> int:
    """Return how long an app may take to start."""
    return int(given.get("startup_seconds") or STARTUP)


def stays_seconds(given: Object) -> int:
    """Return how long a web pod has to be ready before it counts: only an answer of the app itself proves that it works.

    >>> stays_seconds({"type": "tcp"}), stays_seconds({})
    (10, 0)
    """
    return 0 if (given.get("type") or "http") == "http" else STAYS


def rollout_seconds(given: Object, timeout: int, pods: int, gate: int = 0) -> int:
    """Return the seconds for a rollout of web, whose pods are replaced one by one, each of which may wait ``gate`` seconds for a load balancer.

    >>> rollout_seconds({"type": "tcp"}, 300, 2), rollout_seconds({}, 300, 10, 30)
    (320, 600)
    """
    return int(timeout) + int(pods) * (stays_seconds(given) + int(gate))


def _action(given: Object, path: str, port: str) -> dict[str, Any]:
    match given.get("type") or "http":
        case "tcp":
            return {"tcpSocket": {"port": port}}
        case "command":
            return {"exec": {"command": list(given["command"])}}
        case _:
            return {"httpGet": {"path": path, "port": port, "httpHeaders": [{"name": "Host", "value": given.get("host") or HOST}]}}


@dataclass(frozen=True)
class Probe:
    """One request of the kubelet, which may serve several probes."""

    port: int
    path: str
    headers: tuple[tuple[str, str], ...]
    kinds: tuple[str, ...]

    @property
    def variables(self) -> list[str]:
        """The inventory variables that name the path; each takes precedence over berth_app_probe."""
        return list(dict.fromkeys(VARIABLES[kind] for kind in self.kinds))

    @property
    def host(self) -> str:
        """The Host header that is sent."""
        return next((value for name, value in self.headers if name.lower() == "host"), "the pod's address")


@dataclass(frozen=True)
class Answer:
    """A pod's answer: with status 0 there was none, and ``text`` says why; otherwise ``text`` is a redirect's target."""

    status: int
    text: str = ""


def probes(container: Object) -> list[Probe]:
    """Return the HTTP requests of a container's probes, without duplicates."""
    names = {port.get("name"): port.get("containerPort") for port in container.get("ports") or []}
    found: dict[tuple[int, str, tuple[tuple[str, str], ...]], list[str]] = {}
    for kind in KINDS:
        asked = (container.get(kind) or {}).get("httpGet")
        if asked and asked.get("scheme", "HTTP") == "HTTP":
            port = int(names.get(asked["port"]) or asked["port"])
            headers = tuple((each["name"], each["value"]) for each in asked.get("httpHeaders") or [])
            found.setdefault((port, asked.get("path") or "/", headers), []).append(kind)
    return [Probe(*request, tuple(kinds)) for request, kinds in found.items()]


def ask(probe: Probe, connect: Callable[[int], socket.socket]) -> Answer:
    """Return the answer to a probe's request; ``connect`` returns a connection to a port of the pod."""
    connection = http.client.HTTPConnection("pod", probe.port, timeout=TIMEOUT)
    try:
        connection.sock = connect(probe.port)
        connection.putrequest("GET", probe.path, skip_host=any(name.lower() == "host" for name, _ in probe.headers), skip_accept_encoding=True)
        for name, value in (*probe.headers, ("User-Agent", "berth"), ("Connection", "close")):
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, str(error) or type(error).__name__)
    finally:
        connection.close()
    return Answer(answer.status, answer.getheader("Location") or "")


def problem(probe: Probe, answer: Answer) -> str:
    """Return what is wrong with an answer and what to do; "" if nothing is."""
    if 200 <= answer.status < 300:
        return ""
    restarts = "livenessProbe" in probe.kinds
    if not answer.status:
        return f"{told(probe, answer)}. What to do: {way(probe, answer)}."
    if answer.status < 400:
        effect = "Kubernetes counts that as healthy, whatever the state of the app"
    else:
        effect = "Kubernetes would restart the pods over and over" if restarts else "Kubernetes would send them no requests"
    return f"{told(probe, answer)}: {effect}. What to do: {way(probe, answer)}."


def told(probe: Probe, answer: Answer) -> str:
    """Say how a probe's request is answered."""
    where = f"{probe.path} on port {probe.port}"
    if not answer.status:
        return f"{where} does not answer ({answer.text})"
    return f"{where} answers {answer.status}" + (f", a redirect to {answer.text}" if answer.text else "")


def way(probe: Probe, answer: Answer) -> str:
    """Say what to do about an answer that is not healthy."""
    # With /readyz usually none of them is set; then one path for all is the simplest fix.
    unset = probe.path == DEFAULT_PATHS["readiness"]
    place = "the path in berth_app_probe" if unset else " and ".join(probe.variables)
    elsewhere = f"set {place} to {'one' if unset else 'a path'} that answers 200"
    if not answer.status:
        return "set berth_app_port to the port on which the app listens"
    if answer.status >= 500:
        return "fix what the app's log shows"
    if answer.text.startswith("https://"):
        # Django matches without the first slash: https://docs.djangoproject.com/en/stable/ref/settings/#secure-redirect-exempt
        pattern = re.escape(probe.path.lstrip("/"))
        return f'SECURE_SSL_REDIRECT sends it to https: add r"^{pattern}$" to SECURE_REDIRECT_EXEMPT in the settings, or {elsewhere}'
    if answer.status < 400:
        return f"let the app answer without a redirect, or {elsewhere}"
    if answer.status == 400:
        lacks = f"the request's Host header is {probe.host}, which ALLOWED_HOSTS may lack"
        return f"{lacks}: add it to the settings, or set the host in berth_app_probe to one that they allow"
    return f"{elsewhere}, without a login"
