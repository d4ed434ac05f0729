"""The cache beside the app: its configuration, and how the app is told of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from ...module_utils.kube.resources import number

DEFAULT_NAMES = ("REDIS_URL", "CACHE_URL")
"""The variables that have its URL unless the inventory names others."""
PORT = 6379
SHARE = 75
"""Per cent of the pod's memory that are for data; the rest is for clients and fragmentation."""
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
"""Packages that speak to it, or bring one that does; of ``celery[redis]`` the name is ``celery-redis``."""
LEAST = 16 * 2**20
"""Bytes that a server without data and its clients take, doubled."""


def configuration(memory: str, password: str) -> str:
    """Return valkey.conf. What has no time to end, such as a queue, is never evicted; what has one is, the least recently used first.

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
    """Return the environment variables with its URL; none without a cache."""
    url = {"cluster": f"redis://:{quote(password, safe='')}@cache:{PORT}/0", "external": given_url}.get(provider, "")
    return dict.fromkeys(names, url) if url else {}


def port(url: str) -> int:
    """Return the port of a cache's URL."""
    return urlsplit(url).port or PORT


def url_problem(url: str) -> str:
    """Check the URL of a cache, which holds a password and is not in the text."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port or PORT) > 0
    except ValueError:
        right = False
    if not right or re.search(r"\s", url):
        return "is not the URL of a cache; write it like redis://:PASSWORD@cache.example.com:6379/0, or rediss:// with TLS, the password percent-encoded"
    return ""


def memory_problem(memory: str) -> str:
    """Check what the cache may take; it is a quantity."""
    return "" if number(memory) >= LEAST else f"{memory} is too little: Valkey needs 16Mi without any data"


def client_missing(requirements: Iterable[str]) -> bool:
    """Whether nothing among the normalised names of a project's requirements speaks to a cache."""
    return CLIENTS.isdisjoint(requirements)
