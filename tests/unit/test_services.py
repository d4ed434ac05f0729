"""What an app's log says of the services that it uses."""

from __future__ import annotations

import pytest
from ansible_collections.berth.platform.plugins.module_utils.rollout import symptoms

APP = ['  File "/srv/app/shop/views.py", line 9, in index', "    pay()"]
URLLIB3 = "requests.exceptions.{}: HTTPSConnectionPool(host='api.example.com', port=443): Max retries exceeded with url: / (Caused by {})"
# The last line: cause, summary, a part of the advice.
SAID = {
    "redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379. Connection refused.": (
        "network", "the app connects to localhost:6379, where nothing listens", "berth_cache: cluster"),
    'django.db.utils.OperationalError: connection to server at "localhost" (::1), port 5432 failed: Connection refused': (
        "network", "the app connects to localhost:5432, where nothing listens", "berth_app_database_env"),
    "[2026-01-01 ERROR/MainProcess] consumer: Cannot connect to amqp://guest:**@127.0.0.1:5672//: [Errno 111] Connection refused.": (
        "network", "the app connects to 127.0.0.1:5672, where nothing listens", "from a variable in berth_app_settings"),
    'psycopg.OperationalError: connection failed: connection to server at "10.1.2.3", port 6432 failed: timeout expired': (
        "network", "the app cannot connect to the database at 10.1.2.3:6432", "berth_database_host"),
    URLLIB3.format("ConnectionError", "NewConnectionError('<HTTPSConnection(host='api.example.com') at 0x7f>: [Errno 111] Connection refused')"): (
        "network", "the app cannot connect to api.example.com:443", "set it to internet"),
    URLLIB3.format("ConnectTimeout", "ConnectTimeoutError(<HTTPSConnection>, 'Connection to api.example.com timed out. (connect timeout=3)')"): (
        "network", "the app cannot connect to api.example.com:443", "berth_app_egress"),
    "ConnectionRefusedError: [Errno 111] Connection refused": (
        "network", "the app cannot connect to a service (/srv/app/shop/views.py:9)", "berth_app_egress"),
    "urllib.error.URLError: <urlopen error [Errno 110] Connection timed out>": (
        "network", "the app cannot connect to a service (/srv/app/shop/views.py:9)", "berth_app_egress"),
    "OSError: Multiple exceptions: [Errno 111] Connect call failed ('10.9.8.7', 5671), [Errno 111] Connect call failed ('10.9.8.7', 5671)": (
        "network", "the app cannot connect to 10.9.8.7:5671", "berth_app_egress"),
    "httpx.ConnectTimeout: timed out": ("network", "the app cannot connect to a service (/srv/app/shop/views.py:9)", "berth_app_egress"),
    'django.db.utils.OperationalError: could not translate host name "db" to address: Name or service not known': (
        "network", "there is no host db", "database and cache"),
    "django.db.utils.OperationalError: [Errno -2] Name or service not known": (
        "network", "a host name does not exist (/srv/app/shop/views.py:9)", "compose"),
    "redis.exceptions.ConnectionError: Error -3 connecting to redis:6379. Temporary failure in name resolution.": (
        "network", "there is no host redis", "database and cache"),
    'OperationalError: could not translate host name "database" to address: Temporary failure in name resolution': (
        "network", "the cluster's DNS does not know database", "playbooks/ops/status.yml"),
    '2026-11-30 08:00:00 UTC [30] PANIC:  could not write to file "pg_wal/xlogtemp.30": No space left on device': (
        "disk", "there is no space left for the database", "berth_database_storage"),
    "OSError: [Errno 28] No space left on device: '/srv/media/x.png'": ("disk", "there is no space left for /srv/media/x.png", "berth_app_volumes"),
    "OSError: [Errno 28] No space left on device": ("disk", "there is no space left on the disk", "node's disk"),
    "django.db.utils.OperationalError: FATAL:  sorry, too many clients already": (
        "connections", "the database has no free connection", "berth_app_replicas"),
    "CommandError: Conflicting migrations detected; multiple leaf nodes in the migration graph: (0002_a, 0002_b in shop).": (
        "migration", "migrations of two branches follow the same one: 0002_a, 0002_b in shop", "makemigrations --merge"),
    "django.db.migrations.exceptions.NodeNotFoundError: Migration shop.0003_c dependencies reference nonexistent parent node ('shop', '0002_b')": (
        "migration", "the migration shop.0003_c needs shop.0002_b, which is not in the image", ".dockerignore"),
    'django.db.utils.ProgrammingError: relation "shop_item" does not exist': ("table", "the database has no table shop_item", "makemigrations"),
    'django.db.utils.ProgrammingError: permission denied to create extension "vector"': (
        "extension", "only an administrator of the database may create the extension vector", "-c 'CREATE EXTENSION \"vector\"'"),
    'django.db.utils.NotSupportedError: extension "postgis" is not available': (
        "extension", "the database has no extension postgis", "berth_database: external"),
    'django.core.exceptions.ImproperlyConfigured: Could not find the GDAL library (tried "gdal", "GDAL"). Is GDAL installed?': (
        "library", "the image lacks the library GDAL", "gdal-bin"),
}  # fmt: skip


@pytest.mark.parametrize("line", SAID)
def test_what_a_service_lacks_or_refuses_is_said_with_the_variable(line: str) -> None:
    cause, summary, advice = SAID[line]
    found = symptoms.of_log(["Traceback (most recent call last):", *APP, line])
    assert found and (found.cause, found.summary) == (cause, summary)
    assert advice in found.advice


@pytest.mark.parametrize(
    "line",
    [
        'connection to server at "database" (10.96.0.9), port 5432 failed: Connection refused',
        "Error 111 connecting to cache:6379. Connection refused.",
    ],
)
def test_of_berths_own_services_their_pods_say_what_is_wrong(line: str) -> None:
    assert symptoms.of_log([*APP, line]) is None


def test_a_worker_that_took_too_long_was_not_killed_for_its_memory() -> None:
    """gunicorn asks whether it was, in both cases."""
    killed = "[2026-01-01 12:00:31 +0000] [1] [ERROR] Worker (pid:12) was sent SIGKILL! Perhaps out of memory?"
    late = "[2026-01-01 12:00:30 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:{})"
    for before, cause in (([late.format(12)], "timeout"), ([late.format(13)], "memory"), ([], "memory")):
        found = symptoms.of_log([*before, killed])
        assert found and found.cause == cause


def test_a_build_that_cannot_connect_is_not_told_of_the_pods_network() -> None:
    assert "berth_app_egress" not in symptoms.of_build(["Traceback (most recent call last):", *APP, "ConnectionRefusedError: [Errno 111] Connection refused"])
