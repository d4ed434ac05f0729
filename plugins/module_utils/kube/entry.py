"""What the controller of an Ingress says about it, and whether a site answers visitors."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from .objects import dig

Object = Mapping[str, Any]

# --- The Ingress -----------------------------------------------------------

# What AWS's controller says when it cannot continue, and what to do.
ADVICE = (
    (
        r"subnet",
        'Two public subnets in different zones need the tag kubernetes.io/role/elb: "1". Berth\'s own network has them; '
        "with berth_aws_vpc, ask the VPC's administrators to tag them.",
    ),
    (
        r"AccessDenied|not authorized|UnauthorizedOperation|no identity-based policy",
        "The cluster's IAM role lacks a permission: AmazonEKSLoadBalancingPolicy has it. site.yml --tags cluster attaches it; "
        "if it is attached already, a policy of the organization denies the permission.",
    ),
    (r"certificate", "Check berth_entry_certificate: it has to be ISSUED, and in the cluster's region."),
    (r"TooMany|LimitExceeded|quota", "A load balancer quota is used up: request an increase in Service Quotas."),
    (r"service.*(?:not found|port)|target ?type", "The app's Service does not match the Ingress: run site.yml --tags app."),
)
SILENT = (
    "Its controller reports nothing: is EKS Auto Mode's load balancing on (berth_eks_compute: auto)? "
    "If the cluster was only just created, run the same command again."
)


def address(ingress: Object) -> str:
    """Return the address of an Ingress's load balancer, "" while there is none."""
    for entry in dig(ingress, "status", "loadBalancer", "ingress") or []:
        if found := entry.get("hostname") or entry.get("ip"):
            return str(found)
    return ""


def host(ingress: Object) -> str:
    """Return the host name of an Ingress's first rule, "" if it has none."""
    return str(next((rule["host"] for rule in dig(ingress, "spec", "rules") or [] if rule.get("host")), ""))


def warning(events: Iterable[Object]) -> str:
    """Return the message of the newest event if it is a warning; "" if all is well or there are no events."""
    newest = max(events, key=_when, default={})
    if newest.get("type") != "Warning":
        return ""
    return f"{newest.get('reason') or 'Warning'}: {' '.join(str(newest.get('message') or 'no message').split())}"


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or dig(event, "series", "lastObservedTime") or event.get("eventTime") or "")


def advice(message: str) -> str:
    """Return what to do about a warning of AWS's controller."""
    return next((text for pattern, text in ADVICE if re.search(pattern, message, re.IGNORECASE)), "See the Ingress's events for more.")


# --- The site --------------------------------------------------------------

REDIRECTS = 5
STATUSES = {
    400: "the app does not know the host name: DJANGO_ALLOWED_HOSTS in berth_app_settings overrides what Berth sets",
    403: "a firewall in front of the load balancer (WAF) denies the request, or the app requires a login",
    404: "the load balancer has no rule for the host name, or the app has no page there",
    500: "the app fails: playbooks/ops/logs.yml shows why",
    502: "the app's pods close the connection: playbooks/ops/logs.yml shows why",
    503: "the load balancer has no healthy pod: the app must answer 200 at berth_app_readiness_path, whatever the Host header says (playbooks/ops/status.yml)",
    504: "the load balancer cannot reach the app's pods: check security groups and network policies",
}


@dataclass(frozen=True)
class Reply:
    """A site's reply.

    Attributes:
        good: Whether it is a page.
        kind: ``page``, or where it failed: ``dns``, ``connection``, ``certificate``, ``status``, ``redirect``.
        text: For people.
    """

    good: bool
    kind: str
    text: str


def visit(name: str, address: str = "", *, port: int = 443, timeout: float = 10.0, context: ssl.SSLContext | None = None, path: str = "/") -> Reply:
    """Request ``https://name`` like a browser: the certificate is verified, redirects within the site are followed.

    Args:
        name: The host name.
        address: Where to connect instead of the address that the name resolves to; everything else stays the same.
        port: The port.
        timeout: Seconds for each request.
        context: How the certificate is verified; by default with the system's authorities.
        path: The page's path.
    """
    for _ in range(REDIRECTS):
        try:
            status, location = _request(name, address or name, port, path, timeout, context or ssl.create_default_context())
        except ssl.SSLCertVerificationError as error:
            return Reply(False, "certificate", f"the certificate is not valid for the site: {error.verify_message}. Check berth_entry_certificate")
        except socket.gaierror as error:
            return Reply(False, "dns", f"{address or name} does not resolve here ({error.strerror})")
        except TimeoutError:
            advised = "does berth_entry_networks include this machine's address, and does its proxy or firewall allow the connection?"
            return Reply(False, "connection", f"no answer within {timeout:.0f} s: {advised}")
        except (OSError, http.client.HTTPException) as error:
            return Reply(False, "connection", f"no connection: {error or type(error).__name__}")
        if 200 <= status < 300:
            return Reply(True, "page", str(status))
        if not 300 <= status < 400 or not location:
            return Reply(False, "status", f"{status}" + (f", {STATUSES[status]}" if status in STATUSES else ""))
        target = urlsplit(urljoin(f"https://{name}{path}", location))
        if target.hostname != name:
            return Reply(True, "page", f"{status} to {target.hostname}")
        if target.scheme != "https":
            return Reply(False, "redirect", f"{status} to {location}: the app cannot tell that visitors use https (DJANGO_SECURE, X-Forwarded-Proto)")
        path = target.path + (f"?{target.query}" if target.query else "")
    return Reply(False, "redirect", f"more than {REDIRECTS} redirects, the last to {path}")


def _request(name: str, address: str, port: int, path: str, timeout: float, context: ssl.SSLContext) -> tuple[int, str]:
    """Return the status and the redirect's target."""
    proxy = urlsplit("" if urllib.request.proxy_bypass(name) else urllib.request.getproxies().get("https", ""))
    connection = http.client.HTTPConnection(proxy.hostname or address, (proxy.port or 3128) if proxy.hostname else port, timeout=timeout)
    if proxy.hostname:
        connection.set_tunnel(address, port)
    try:
        connection.connect()
        # Bypasses http.client's TLS, which would check the certificate against the address.
        connection.sock = context.wrap_socket(connection.sock, server_hostname=name)
        connection.request("GET", path, headers={"Host": name if port == 443 else f"{name}:{port}", "User-Agent": "berth", "Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("Location") or ""
    finally:
        connection.close()
