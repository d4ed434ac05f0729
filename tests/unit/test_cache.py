"""The cache beside the app: what it is told, what the app is told, and what of an inventory is refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import cache, variables


@pytest.mark.parametrize("password", ["made-up", 'a"b\\c', "p@ss/w:rd?#[]%&=+"])
def test_the_app_logs_in_with_the_password_that_the_server_has(password: str) -> None:
    found = cache.environment("cluster", "", password, ["REDIS_URL", "CACHE_URL"])
    assert list(found) == ["REDIS_URL", "CACHE_URL"]
    parts = urlsplit(found["CACHE_URL"])
    assert (parts.scheme, parts.hostname, parts.port, unquote(parts.password or "")) == ("redis", "cache", 6379, password)
    line = next(line for line in cache.configuration("128Mi", password).splitlines() if line.startswith("requirepass "))
    assert line.removeprefix("requirepass ")[1:-1].replace('\\"', '"').replace("\\\\", "\\") == password


@pytest.mark.parametrize(("provider", "found"), [("none", {}), ("external", {"REDIS_URL": "rediss://:x@c:6380/1"})])
def test_a_cache_that_somebody_else_runs_has_their_url_and_none_has_none(provider: str, found: dict[str, str]) -> None:
    assert cache.environment(provider, "rediss://:x@c:6380/1", "", ["REDIS_URL"]) == found


@pytest.mark.parametrize(("memory", "bytes_"), [("128Mi", 100663296), ("1Gi", 805306368), ("64M", 48000000)])
def test_data_take_three_quarters_of_the_pods_memory(memory: str, bytes_: int) -> None:
    assert f"maxmemory {bytes_}\n" in cache.configuration(memory, "x")


URL = "berth_cache_url"
NAME = "is not a name of an environment variable: letters, digits and '_' are allowed, and no digit first"
TAKEN = "Berth sets DATABASE_HOST to something else; choose another name"
FORM = "is not a cache URL; write it like redis://:PASSWORD@cache.example.com:6379/0, or rediss:// with TLS, the password percent-encoded"


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({}, []),
        ({"berth_cache": "cluster"}, []),
        ({"berth_cache": "external", URL: "rediss://:x@cache.example.com:6379/0"}, []),
        ({"berth_cache": "external"}, [(URL, "is not set, but berth_cache: external needs it")]),
        ({"berth_cache": "cluster", URL: "redis://c"}, [(URL, "needs berth_cache: external, but that is cluster")]),
        ({"berth_cache": "external", URL: "cache.example.com:6379"}, [(URL, FORM)]),
        ({"berth_cache": "external", URL: "redis://:a#b@c:6379"}, [(URL, FORM)]),
        ({"berth_cache": "external", URL: "redis://:x@c:99999"}, [(URL, FORM)]),
        ({"berth_cache": "external", URL: "memcached://c"}, [(URL, FORM)]),
        ({"berth_cache_env": ["1A"]}, [("berth_cache_env[0]", NAME)]),
        ({"berth_cache_env": ["A", "A"]}, [("berth_cache_env[1]", "A is listed twice")]),
        ({"berth_cache_env": ["DATABASE_HOST"]}, [("berth_cache_env[0]", TAKEN)]),
        (
            {"berth_cache": "cluster", "berth_app_secrets": {"REDIS_URL": "x"}},
            [("berth_app_secrets.REDIS_URL", "is also set by berth_cache; remove it here or from berth_cache_env")],
        ),
        ({"berth_app_secrets": {"REDIS_URL": "x"}}, []),
        ({"berth_cache_memory": "1Mi"}, [("berth_cache_memory", "1Mi is too little: Valkey needs 16Mi even without data")]),
        ({"berth_cache_memory": "much"}, [("berth_cache_memory", "'much' is not a quantity; write it like 500m (CPU), 256Mi or 1Gi")]),
    ],
)
def test_what_is_wrong_with_a_cache_is_told_with_its_variable(given: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    assert [(problem.name, problem.text) for problem in variables.cache(given)] == problems


@pytest.mark.parametrize(
    ("names", "missing"),
    [({"django", "redis"}, False), ({"django", "celery", "celery-redis"}, False), ({"django-valkey"}, False), ({"django", "celery"}, True), (set(), True)],
)
def test_a_project_without_a_client_is_found_out(names: set[str], missing: bool) -> None:
    assert cache.client_missing(names) is missing
