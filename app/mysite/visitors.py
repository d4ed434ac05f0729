"""Who asks, as far as it matters: where the admin may be used from, and how often passwords are guessed."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.defaults import permission_denied

# What a visitor has of IPv6 at least, and may take any address of: https://datatracker.ietf.org/doc/html/rfc6177
IPV6_PREFIX = 64


def visitor(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """Return the visitor's address; None where there is none, as on a Unix socket.

    Of X-Forwarded-For only what our own proxies wrote counts, which is at its end: the rest is whatever the visitor likes.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    through_proxies = 0 < settings.PROXIES <= len(forwarded)
    given = [forwarded[-settings.PROXIES]] if through_proxies else []
    return next(filter(None, map(_address, [*given, request.META.get("REMOTE_ADDR", "")])), None)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address; None for what is none."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def counted_as(request: HttpRequest) -> str | None:
    """Return the address under which a visitor's guesses are counted, of IPv6 its network's."""
    found = visitor(request)
    if isinstance(found, IPv6Address):
        found = ip_network((int(found), IPV6_PREFIX), strict=False).network_address
    return str(found) if found else None


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """Return the answer to one guess too many: 429, and when to come back.

    See https://datatracker.ietf.org/doc/html/rfc6585#section-4
    """
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    answer = render(request, "429.html", {"minutes": seconds // 60}, status=429)
    answer["Retry-After"] = str(seconds)
    return answer


class AdminNetworksMiddleware:
    """Refuses the admin to visitors from elsewhere than settings.ADMIN_NETWORKS, however its path is written."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Remember who answers everything else."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse the request, or pass it on."""
        if settings.ADMIN_NETWORKS and request.path.startswith(reverse("admin:index")):
            found = visitor(request)
            if found is None or not any(found in network for network in settings.ADMIN_NETWORKS):
                return permission_denied(request, PermissionDenied())
        return self.get_response(request)
