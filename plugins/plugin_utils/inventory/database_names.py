"""Under which environment variables an app finds its database, and the objects that hold those that are secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ...module_utils.database_variables import ANNOTATION

DEFAULTS = {
    "host": "DATABASE_HOST",
    "port": "DATABASE_PORT",
    "name": "DATABASE_NAME",
    "user": "DATABASE_USER",
    "sslmode": "DATABASE_SSLMODE",
    "sslrootcert": "DATABASE_SSLROOTCERT",
    "password": "DATABASE_PASSWORD",
}
"""What Berth calls each part unless the inventory says otherwise."""
SECRET = ("password", "url")
"""The parts that hold the password."""
PARTS = (*DEFAULTS, "url")


def merged(given: Mapping[str, str]) -> dict[str, str]:
    """Return the variable of each part: the inventory's, or the default; a URL is only made where one is named.

    >>> merged({"host": "DB_HOST"})["host"], merged({})["port"]
    ('DB_HOST', 'DATABASE_PORT')
    """
    return {**DEFAULTS, **given}


def _parts(database: Mapping[str, Any]) -> dict[str, str]:
    """Return the parts that are no secret. ``database`` is what the database role leaves (C(database_facts))."""
    found = {key: str(database[key]) for key in ("host", "port", "name", "user", "sslmode")}
    return {**found, "sslrootcert": (database.get("authority") or {}).get("path", "")}


def settings(database: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that are no secret, as the inventory names them."""
    return {merged(given)[part]: value for part, value in _parts(database).items()}


def secret_names(given: Mapping[str, str], extensions: Iterable[str]) -> dict[str, str]:
    """Return the names of the parts that are secret, and the ``scheme`` of the URL where there is one.

    The scheme chooses the engine in dj-database-url and django-environ, and some settings ask for the one that Heroku gives:
    https://github.com/jazzband/dj-database-url#url-schema.
    """
    found = {part: name for part, name in merged(given).items() if part in SECRET}
    return {**found, "scheme": "postgis" if "postgis" in extensions else "postgres"} if "url" in found else found


def url(database: Mapping[str, Any], password: str, scheme: str) -> str:
    """Return a database's URL. In it every character but letters, digits and ``_.-~`` is percent-encoded (RFC 3986, 2.1 and 2.3).

    Its parameters are libpq's: https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-CONNSTRING-URIS.
    """
    parts = {key: quote(value, safe="") for key, value in {**_parts(database), "password": password}.items()}
    host = f"[{database['host']}]" if ":" in str(database["host"]) else parts["host"]
    query = {key: value for key, value in _parts(database).items() if key in ("sslmode", "sslrootcert") and value}
    return f"{scheme}://{parts['user']}:{parts['password']}@{host}:{parts['port']}/{parts['name']}" + (f"?{urlencode(query)}" if query else "")


def _data(names: Mapping[str, str], database: Mapping[str, Any], password: str) -> dict[str, str]:
    """Return a Secret's data (base64) with the secret parts under their names."""
    values = {names["password"]: password}
    if "url" in names:
        values[names["url"]] = url(database, password, names["scheme"])
    return {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}


def secrets(
    live: Mapping[str, Mapping[str, str]],
    mine: Mapping[str, Any],
    database: Mapping[str, Any],
    password: str,
    labels: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return the Secrets that hold the secret parts under names of the inventory, each with today's password.

    Releases that are kept have theirs, whose names may be others: they are known by their annotation, and belong to one login each.

    Args:
        live: The annotations of the Secrets that are there, by name.
        mine: That of this release, ``name``, ``names`` (see ``secret_names``) and ``login``, the name of the Secret of the login itself.
        database: See ``settings``.
        password: The password.
        labels: Labels of all.
    """
    known = {name: json.loads(annotations[ANNOTATION]) for name, annotations in live.items() if ANNOTATION in annotations}
    wanted = {name: each["names"] for name, each in known.items() if each["login"] == mine["login"]}
    if mine["name"] != mine["login"]:
        wanted[mine["name"]] = mine["names"]
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "labels": dict(labels),
                "annotations": {ANNOTATION: json.dumps({"login": mine["login"], "names": dict(names)}, sort_keys=True)},
            },
            "data": _data(names, database, password),
        }
        for name, names in sorted(wanted.items())
    ]
