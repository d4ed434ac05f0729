"""Under which variables an app finds its database, and that each Secret that holds them follows the password."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import database_names as names
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import variables

DATABASE = {
    "host": "database",
    "port": 5432,
    "name": "shop",
    "user": "shop",
    "sslmode": "verify-full",
    "authority": {"config_map": "a", "path": "/etc/berth/database/ca.pem"},
}


@pytest.mark.parametrize("password", ["hunter2", "p@ss/w:rd?#[]%&=+ ", "ünï√", "100%25", '"$(x)`', "a+b"])
@pytest.mark.parametrize(("name", "user"), [("shop", "shop"), ("na me", 'we"ird@')])
def test_whoever_takes_a_url_apart_finds_what_went_into_it(password: str, name: str, user: str) -> None:
    found = urlsplit(names.url(DATABASE | {"name": name, "user": user}, password, "postgres"))
    assert [unquote(part or "") for part in (found.username, found.password, found.path)] == [user, password, f"/{name}"]
    assert (found.scheme, found.hostname, found.port, found.fragment) == ("postgres", "database", 5432, "")
    assert parse_qs(found.query) == {"sslmode": ["verify-full"], "sslrootcert": ["/etc/berth/database/ca.pem"]}


@pytest.mark.parametrize(("host", "shown"), [("db.example.org", "@db.example.org:5432/"), ("2001:db8::1", "@[2001:db8::1]:5432/")])
def test_a_url_names_its_host_as_urls_do(host: str, shown: str) -> None:
    assert shown in names.url(DATABASE | {"host": host}, "x", "postgres")


def test_a_part_that_the_inventory_does_not_name_keeps_its_name() -> None:
    found = names.settings(DATABASE, {"host": "DB_HOST", "sslmode": "PGSSLMODE", "password": "DB_PASS"})
    assert found == {
        "DB_HOST": "database",
        "DATABASE_PORT": "5432",
        "DATABASE_NAME": "shop",
        "DATABASE_USER": "shop",
        "PGSSLMODE": "verify-full",
        "DATABASE_SSLROOTCERT": "/etc/berth/database/ca.pem",
    }


@pytest.mark.parametrize(("extensions", "scheme"), [([], "postgres"), (["pg_trgm"], "postgres"), (["postgis", "pg_trgm"], "postgis")])
def test_a_url_chooses_the_engine_that_the_extensions_need(extensions: list[str], scheme: str) -> None:
    assert names.secret_names({"url": "DATABASE_URL"}, extensions)["scheme"] == scheme


def secrets(live: dict[str, Any], given: dict[str, str], name: str = "env-1") -> dict[str, dict[str, str]]:
    """Return what each Secret holds, by name."""
    mine = {"name": name, "names": names.secret_names(given, []), "login": "login"}
    made = names.secrets(live, mine, DATABASE, "n€w", {"a": "b"})
    return {each["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in each["data"].items()} for each in made}


def test_the_names_of_before_hold_todays_password_for_releases_that_are_kept() -> None:
    before = {"login": {}, "env-0": {names.ANNOTATION: json.dumps({"login": "login", "names": {"password": "PGPASSWORD"}})}}
    before["env-9"] = {names.ANNOTATION: json.dumps({"login": "another-login", "names": {"password": "OTHER"}})}
    url = "postgres://shop:n%E2%82%ACw@database:5432/shop?sslmode=verify-full&sslrootcert=%2Fetc%2Fberth%2Fdatabase%2Fca.pem"
    assert secrets(before, {"url": "DATABASE_URL"}) == {"env-0": {"PGPASSWORD": "n€w"}, "env-1": {"DATABASE_PASSWORD": "n€w", "DATABASE_URL": url}}


def test_berths_own_names_need_no_secret_beside_the_login() -> None:
    assert secrets({}, {}, "login") == {}


ENV = "berth_app_database_env"


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({}, []),
        ({ENV: {"url": "DATABASE_URL", "host": "DB_HOST", "name": "DB_NAME"}}, []),
        ({ENV: {"host": "DATABASE_NAME", "name": "DATABASE_HOST"}}, []),
        ({ENV: {"user": "DB-USER"}}, [("user", "is not a name of an environment variable: letters, digits and '_' are allowed, and no digit first")]),
        ({ENV: {"user": "DATABASE_NAME"}}, [("user", "DATABASE_NAME is also the variable of name; give one of the two another name here")]),
        ({ENV: {"user": "DB", "host": "DB"}}, [("host", "DB is also the variable of user; give one of the two another name here")]),
        ({ENV: {"url": "DJANGO_SECURE"}}, [("url", "Berth sets DJANGO_SECURE to something else; choose another name")]),
        ({ENV: {"url": "U"}, "berth_app_secrets": {"U": "x"}}, [("url", "U is also in berth_app_secrets; keep one of the two")]),
        ({ENV: {"url": "U"}, "berth_app_settings": {"U": "x"}}, [("url", "U is also in berth_app_settings; keep one of the two")]),
    ],
)
def test_each_variable_of_the_database_has_one_meaning(given: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    assert variables.database_env(given) == [variables.Problem((ENV, part), text) for part, text in problems]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["pghost", "db-1"], ""),
        (["1db"], "'1db' starts with a digit, but it has to start with a letter"),
        (["db.example"], "'db.example' has illegal characters: lower-case letters, digits and '-' are allowed, and a letter or digit at both ends"),
        (["database"], "'database' is the name that it has anyway; remove it"),
        (["shop"], "'shop' is the app's own name (berth_app_name); remove it"),
        (["a", "a"], "'a' is listed twice"),
    ],
)
def test_a_name_of_the_databases_service_is_free(names: list[str], text: str) -> None:
    given = {"berth_app_name": "shop", "berth_app_database_aliases": names}
    assert [problem.text for problem in variables.database_aliases(given)] == ([text] if text else [])


@pytest.mark.parametrize(("name", "right"), [("pg_trgm", True), ("uuid-ossp", True), ("Post GIS", False), ("", False), ("a--b", False), ("x;", False)])
def test_the_name_of_an_extension_is_one_that_a_server_can_have(name: str, right: bool) -> None:
    assert (variables.database_extensions([name]) == []) is right
