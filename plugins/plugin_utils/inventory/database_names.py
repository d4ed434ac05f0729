"""The environment variables of an app's database, and the objects that hold the secret ones."""

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
"""The default variable of each part."""
SECRET = ("password", "url")
"""The parts that contain the password."""
PARTS = (*DEFAULTS, "url")


def merged(given: Mapping[str, str]) -> dict[str, str]:
    """Return the variable of each part: the inventory's, or the default. There is a URL only if the inventory names a variable for it.

    >>> merged({"host": "DB_HOST"})["host"], merged({})["port"]
    ('DB_HOST', 'DATABASE_PORT')
    """
    return {**DEFAULTS, **given}


def _parts(database: Mapping[str, Any]) -> dict[str, str]:
    """Return the parts that are not secret. ``database`` is the database role's C(database_facts)."""
    found = {key: str(database[key]) for key in ("host", "port", "name", "user", "sslmode")}
    return {**found, "sslrootcert": (database.get("authority") or {}).get("path", "")}


def settings(database: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that are not secret, under the inventory's names."""
    return {merged(given)[part]: value for part, value in _parts(database).items()}


def secret_names(given: Mapping[str, str], extensions: Iterable[str]) -> dict[str, str]:
    """Return the names of the secret parts, and the ``scheme`` of the URL if there is one.

    The scheme selects the engine in dj-database-url and django-environ, and some settings expect Heroku's:
    https://github.com/jazzband/dj-database-url#url-schema.
    """
    found = {part: name for part, name in merged(given).items() if part in SECRET}
    return {**found, "scheme": "postgis" if "postgis" in extensions else "postgres"} if "url" in found else found


def url(database: Mapping[str, Any], password: str, scheme: str) -> str:
    """Return a database's URL. Every character except letters, digits and ``_.-~`` is percent-encoded (RFC 3986, 2.1 and 2.3).

    Its parameters are libpq's: https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-CONNSTRING-URIS.
    """
    parts = {key: quote(value, safe="") for key, value in {**_parts(database), "password": password}.items()}
    host = f"[{database['host']}]" if ":" in str(database["host"]) else parts["host"]
    query = {key: value for key, value in _parts(database).items() if key in ("sslmode", "sslrootcert") and value}
    return f"{scheme}://{parts['user']}:{parts['password']}@{host}:{parts['port']}/{parts['name']}" + (f"?{urlencode(query)}" if query else "")


def _data(names: Mapping[str, str], database: Mapping[str, Any], password: str) -> dict[str, str]:
    """Return a Secret's data (base64): the secret parts under their names."""
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
    """Return the Secrets that hold the secret parts under the inventory's names, each with the current password.

    Kept releases have their own Secrets, possibly with other variable names. An annotation identifies them; each belongs to one login.

    Args:
        live: The annotations of the existing Secrets, by name.
        mine: This release's Secret: ``name``, ``names`` (see ``secret_names``), and ``login``, the name of the login's own Secret.
        database: See ``settings``.
        password: The password.
        labels: Labels for all of them.
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
