"""Visitors' addresses, which restrict the admin and limit password guessing."""

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

# The smallest IPv6 network that a visitor gets, and may use any address of: https://datatracker.ietf.org/doc/html/rfc6177
IPV6_PREFIX = 64


def visitor(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """Return the visitor's address, or None if there is none, as on a Unix socket.

    Only the end of X-Forwarded-For, which our own proxies wrote, can be trusted. The visitor can set the rest to anything.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    through_proxies = 0 < settings.PROXIES <= len(forwarded)
    given = [forwarded[-settings.PROXIES]] if through_proxies else []
    return next(filter(None, map(_address, [*given, request.META.get("REMOTE_ADDR", "")])), None)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, or None if the text is not one."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def counted_as(request: HttpRequest) -> str | None:
    """Return the address by which a visitor's guesses are counted. For IPv6 that is the network's address."""
    found = visitor(request)
    if isinstance(found, IPv6Address):
        found = ip_network((int(found), IPV6_PREFIX), strict=False).network_address
    return str(found) if found else None


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """Return the response to one guess too many: 429, with the time to wait.

    See https://datatracker.ietf.org/doc/html/rfc6585#section-4
    """
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    answer = render(request, "429.html", {"minutes": seconds // 60}, status=429)
    answer["Retry-After"] = str(seconds)
    return answer


class AdminNetworksMiddleware:
    """Refuses access to the admin from outside settings.ADMIN_NETWORKS, however the path is encoded."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Store the next handler."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse the request, or pass it on."""
        if settings.ADMIN_NETWORKS and request.path.startswith(reverse("admin:index")):
            found = visitor(request)
            if found is None or not any(found in network for network in settings.ADMIN_NETWORKS):
                return permission_denied(request, PermissionDenied())
        return self.get_response(request)
