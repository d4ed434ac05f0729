"""Who asks, as far as guesses of passwords are counted, and what is said to who guesses too often."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

# What a visitor has of IPv6 at least, and may take any address of: https://datatracker.ietf.org/doc/html/rfc6177
IPV6_PREFIX = 64


def address(request: HttpRequest) -> str | None:
    """Return the visitor's address, of IPv6 its network's; None where there is none, as on a Unix socket.

    Of X-Forwarded-For only what our own proxies wrote counts, which is at its end: the rest is whatever the visitor likes.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    through_proxies = 0 < settings.PROXIES <= len(forwarded)
    given = [forwarded[-settings.PROXIES]] if through_proxies else []
    return next(filter(None, map(_network, [*given, request.META.get("REMOTE_ADDR", "")])), None)


def _network(text: str) -> str:
    """Return the address to count by; "" for what is no address."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or ip_network((int(found), IPV6_PREFIX), strict=False).network_address
    return str(found)


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """Return the answer to one guess too many: 429, and when to come back.

    See https://datatracker.ietf.org/doc/html/rfc6585#section-4
    """
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    answer = render(request, "429.html", {"minutes": seconds // 60}, status=429)
    answer["Retry-After"] = str(seconds)
    return answer
