"""The cache next to the app: its configuration, and the app's variables for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from ...module_utils.kube.resources import number

DEFAULT_NAMES = ("REDIS_URL", "CACHE_URL")
"""The default variables for its URL."""
PORT = 6379
SHARE = 75
"""Per cent of the pod's memory for data; the rest is for clients and fragmentation."""
SCHEMES = ("redis", "rediss", "valkey", "valkeys")
CLIENTS = frozenset(
    {
        "redis",
        "django-redis",
        "valkey",
        "django-valkey",
        "valkey-glide",
        "hiredis",
        "django-cacheops",
        "aioredis",
        "channels-redis",
        "django-rq",
        "rq",
        "huey",
        "celery-redis",
        "kombu-redis",
        "dramatiq-redis",
        "arq",
        "channels-valkey",
        "celery-valkey",
    }
)
"""Packages that are clients of the cache, or require one. ``celery[redis]`` is ``celery-redis`` here."""
LEAST = 16 * 2**20
"""Twice the bytes that a server without data needs with its clients."""


def configuration(memory: str, password: str) -> str:
    """Return valkey.conf. Keys without an expiry, such as queues, are never evicted; others are, the least recently used first.

    https://valkey.io/topics/lru-cache/, https://valkey.io/topics/valkey.conf/
    """
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    lines = {
        "bind": "* -::*",
        "port": PORT,
        "requirepass": f'"{quoted}"',
        "maxmemory": int(number(memory) * SHARE / 100),
        "maxmemory-policy": "volatile-lru",
        "save": '""',
        "appendonly": "no",
        "dir": "/tmp",
        "tcp-keepalive": 60,
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def environment(provider: str, given_url: str, password: str, names: Iterable[str]) -> dict[str, str]:
    """Return the environment variables that hold the cache's URL; none without a cache."""
    url = {"cluster": f"redis://:{quote(password, safe='')}@cache:{PORT}/0", "external": given_url}.get(provider, "")
    return dict.fromkeys(names, url) if url else {}


def port(url: str) -> int:
    """Return the port of a cache's URL."""
    return urlsplit(url).port or PORT


def url_problem(url: str) -> str:
    """Check the URL of a cache. It contains a password, so the text does not show it."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port or PORT) > 0
    except ValueError:
        right = False
    if not right or re.search(r"\s", url):
        return "is not a cache URL; write it like redis://:PASSWORD@cache.example.com:6379/0, or rediss:// with TLS, the password percent-encoded"
    return ""


def memory_problem(memory: str) -> str:
    """Check the cache's memory, which is a valid quantity."""
    return "" if number(memory) >= LEAST else f"{memory} is too little: Valkey needs 16Mi even without data"


def client_missing(requirements: Iterable[str]) -> bool:
    """Whether a project's requirements, given by their normalised names, include no client of a cache."""
    return CLIENTS.isdisjoint(requirements)
