"""How projects name the environment variables of their database, and which login a Secret with them belongs to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

ANNOTATION = "berth/database-env"
"""The annotation of a Secret that says under which names it has the secret parts, and of which login (JSON)."""
LOGIN = "database-login-"
"""The beginning of the name of a login's Secret: the name is derived from the server, the database and the user (roles/database)."""
ENV = "database-env-"
"""The beginning of the name of a Secret that has a login's secret parts under the inventory's names."""

_NAME = re.compile(r"(?:POSTGRES(?:QL)?|PG|DB|DATABASE|SQL|RDS)_?(HOST(?:NAME)?|PORT|NAME|DB|DATABASE|DB_NAME|USER(?:NAME)?|PASS(?:WORD)?)")
_ALIASES = {"HOSTNAME": "host", "DB": "name", "DATABASE": "name", "DB_NAME": "name", "USERNAME": "user", "PASS": "password"}

_PREFIXED = re.compile(r"(?P<prefix>[A-Z][A-Z0-9]*_)(?P<rest>(?:POSTGRES(?:QL)?|PG|DB|DATABASE)_[A-Z_]+)")
_CHOICE = re.compile(r"(?:DB|DATABASE)_(?:TYPE|ENGINE|BACKEND)")


def database_part(name: str) -> str:
    """Return the part of ``berth_app_database_env`` that a variable is, judging by its name; "" if the name does not say.

    >>> database_part("POSTGRES_DB"), database_part("DATABASE_URL"), database_part("DEBUG")
    ('name', 'url', '')
    """
    if name.endswith("DATABASE_URL"):
        return "url"
    match = _NAME.fullmatch(name)
    return _ALIASES.get(match[1], match[1].lower()) if match else ""


def prefixed(names: Iterable[str]) -> tuple[dict[str, str], str]:
    """Return the variables of a database whose names begin with the project's own, and the one that chooses its kind; nothing unless there is a host.

    >>> prefixed(["SHOP_DB_HOST", "SHOP_DB_NAME", "SHOP_DB_TYPE", "OTHER_DB_NAME"])
    ({'host': 'SHOP_DB_HOST', 'name': 'SHOP_DB_NAME'}, 'SHOP_DB_TYPE')
    """
    groups: dict[str, dict[str, str]] = {}
    chooses: dict[str, str] = {}
    for name in names:
        if match := _PREFIXED.fullmatch(name):
            part = database_part(match["rest"])
            if part not in ("", "url"):
                groups.setdefault(match["prefix"], {}).setdefault(part, name)
            elif _CHOICE.fullmatch(match["rest"]):
                chooses[match["prefix"]] = name
    prefix = next((prefix for prefix, parts in groups.items() if {"host", "name"} <= parts.keys()), "")
    return groups.get(prefix, {}), chooses.get(prefix, "")


def login_of(secret: Mapping[str, Any]) -> str:
    """Return the name of the login's Secret whose password a Secret has under other names, "" if it does not say.

    >>> login_of({"metadata": {"annotations": {ANNOTATION: '{"login": "database-login-1", "names": {"url": "DATABASE_URL"}}'}}})
    'database-login-1'
    """
    return str(json.loads((secret["metadata"].get("annotations") or {}).get(ANNOTATION) or "{}").get("login") or "")
