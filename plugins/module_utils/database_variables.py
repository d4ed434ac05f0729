"""What projects call the environment variables of their database."""

from __future__ import annotations

import re

_NAME = re.compile(r"(?:POSTGRES(?:QL)?|PG|DB|DATABASE|SQL|RDS)_?(HOST(?:NAME)?|PORT|NAME|DB|DATABASE|DB_NAME|USER(?:NAME)?|PASS(?:WORD)?)")
_ALIASES = {"HOSTNAME": "host", "DB": "name", "DATABASE": "name", "DB_NAME": "name", "USERNAME": "user", "PASS": "password"}


def database_part(name: str) -> str:
    """Return which part of ``berth_app_database_env`` a variable is by its name, "" where that says none.

    >>> database_part("POSTGRES_DB"), database_part("DATABASE_URL"), database_part("DEBUG")
    ('name', 'url', '')
    """
    if name.endswith("DATABASE_URL"):
        return "url"
    match = _NAME.fullmatch(name)
    return _ALIASES.get(match[1], match[1].lower()) if match else ""
