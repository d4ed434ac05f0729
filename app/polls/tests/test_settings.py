"""Settings come from the environment alone, and say what is wrong with it."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from typing import Any
from unittest import mock

from django.conf import settings as current
from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

BASE_DIR = current.BASE_DIR
POSTGRESQL = {
    "DATABASE_HOST": "db.example",
    "DATABASE_NAME": "polls",
    "DATABASE_USER": "polls",
    "DATABASE_PASSWORD": "hunter2",
}


def clean_environment(**environment: str) -> dict[str, str]:
    """Return this process's environment without the site's variables, and these instead."""
    ours = ("DJANGO_", "DATABASE_", "WEB_CONCURRENCY", "GUNICORN_")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)} | environment


def settings(**environment: str) -> dict[str, Any]:
    """Return the settings that this environment makes."""
    with mock.patch.dict(os.environ, clean_environment(**environment), clear=True):
        return runpy.run_path(str(BASE_DIR / "mysite" / "settings.py"))


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py with this environment."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


class SettingsTests(SimpleTestCase):
    """What the variables do."""

    def test_defaults_are_safe(self) -> None:
        """With a key and nothing else, the site is in production mode, for localhost."""
        found = settings(DJANGO_SECRET_KEY="s" * 50)
        self.assertIs(found["DEBUG"], False)
        self.assertEqual(found["SECRET_KEY"], "s" * 50)
        self.assertEqual(sorted(found["ALLOWED_HOSTS"]), ["127.0.0.1", "[::1]", "localhost"])
        self.assertIs(found["SESSION_COOKIE_SECURE"], False)
        self.assertNotIn("SECURE_PROXY_SSL_HEADER", found)

    def test_debug_needs_no_key(self) -> None:
        """A laptop starts with DJANGO_DEBUG=1 alone."""
        self.assertIs(settings(DJANGO_DEBUG="1")["DEBUG"], True)

    def test_localhost_is_always_allowed(self) -> None:
        """Probes ask for localhost on every site, and blanks do not matter."""
        hosts = settings(DJANGO_DEBUG="1", DJANGO_ALLOWED_HOSTS="polls.example, www.polls.example,")["ALLOWED_HOSTS"]
        self.assertEqual(hosts, ["polls.example", "www.polls.example", "localhost"])

    def test_trusted_origins_are_a_list(self) -> None:
        """DJANGO_CSRF_TRUSTED_ORIGINS is split at commas."""
        found = settings(DJANGO_DEBUG="1", DJANGO_CSRF_TRUSTED_ORIGINS="https://a.example,https://b.example")
        self.assertEqual(found["CSRF_TRUSTED_ORIGINS"], ["https://a.example", "https://b.example"])
        self.assertEqual(settings(DJANGO_DEBUG="1")["CSRF_TRUSTED_ORIGINS"], [])

    def test_secure_is_for_a_proxy_with_tls(self) -> None:
        """DJANGO_SECURE=1 makes cookies secure, trusts the proxy's header and sends HSTS."""
        found = settings(DJANGO_SECRET_KEY="s", DJANGO_SECURE="1")
        self.assertIs(found["SESSION_COOKIE_SECURE"], True)
        self.assertIs(found["CSRF_COOKIE_SECURE"], True)
        self.assertEqual(found["SECURE_PROXY_SSL_HEADER"], ("HTTP_X_FORWARDED_PROTO", "https"))
        self.assertGreater(found["SECURE_HSTS_SECONDS"], 0)

    def test_database_host_means_postgresql(self) -> None:
        """DATABASE_* make a PostgreSQL connection."""
        found = settings(
            DJANGO_DEBUG="1",
            **POSTGRESQL,
            DATABASE_PORT="6432",
            DATABASE_SSLMODE="verify-full",
            DATABASE_SSLROOTCERT="/etc/ssl/rds.pem",
        )["DATABASES"]["default"]
        self.assertEqual(found["ENGINE"], "django.db.backends.postgresql")
        self.assertEqual((found["HOST"], found["PORT"], found["PASSWORD"]), ("db.example", 6432, "hunter2"))
        self.assertEqual(found["OPTIONS"]["sslmode"], "verify-full")
        self.assertEqual(found["OPTIONS"]["sslrootcert"], "/etc/ssl/rds.pem")

    def test_no_database_host_means_sqlite(self) -> None:
        """A laptop needs no server, also where other DATABASE_* are left over or empty."""
        found = settings(DJANGO_DEBUG="1", DATABASE_HOST="", DATABASE_NAME="polls")["DATABASES"]["default"]
        self.assertEqual(found["ENGINE"], "django.db.backends.sqlite3")

    def test_wrong_variable_is_named(self) -> None:
        """Each bad value is refused with the variable's name, and no secret is repeated."""
        cases = {
            "DJANGO_SECRET_KEY": {},
            "DJANGO_DEBUG": {"DJANGO_DEBUG": "true"},
            "DJANGO_SECURE": {"DJANGO_DEBUG": "1", "DJANGO_SECURE": "yes"},
            "DJANGO_ADMIN_NETWORKS": {"DJANGO_DEBUG": "1", "DJANGO_ADMIN_NETWORKS": "10.0.0.0/8,office"},
            "DJANGO_PROXIES": {"DJANGO_DEBUG": "1", "DJANGO_PROXIES": "-1"},
            "DJANGO_LOG_LEVEL": {"DJANGO_DEBUG": "1", "DJANGO_LOG_LEVEL": "loud"},
            "DATABASE_PORT": {"DJANGO_DEBUG": "1", **POSTGRESQL, "DATABASE_PORT": "54x"},
            "DATABASE_SSLMODE": {"DJANGO_DEBUG": "1", **POSTGRESQL, "DATABASE_SSLMODE": "on"},
            "DATABASE_NAME": {"DJANGO_DEBUG": "1", **POSTGRESQL, "DATABASE_NAME": ""},
            "DATABASE_USER": {"DJANGO_DEBUG": "1", **POSTGRESQL, "DATABASE_USER": ""},
            "DATABASE_PASSWORD": {"DJANGO_DEBUG": "1", **POSTGRESQL, "DATABASE_PASSWORD": ""},
        }
        for name, environment in cases.items():
            with self.subTest(name), self.assertRaises(ImproperlyConfigured) as caught:
                settings(**environment)
            self.assertIn(f"The environment variable {name} is ", str(caught.exception))
            self.assertNotIn("hunter2", str(caught.exception))

    def test_password_is_taken_as_it_is(self) -> None:
        """Blanks at the ends of a secret belong to it."""
        found = settings(DJANGO_DEBUG="1", **POSTGRESQL | {"DATABASE_PASSWORD": " a b "})
        self.assertEqual(found["DATABASES"]["default"]["PASSWORD"], " a b ")


class ManageTests(SimpleTestCase):
    """The command line."""

    def test_missing_key_is_one_line(self) -> None:
        """No traceback: what is wrong and what to do."""
        done = manage("check")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(
            done.stderr.strip(),
            "manage.py: wrong settings: The environment variable DJANGO_SECRET_KEY is not set: give it a long random value, or set DJANGO_DEBUG=1 on a laptop.",
        )

    def test_silent_database_is_one_line_without_the_password(self) -> None:
        """A command that cannot reach the database says so."""
        environment = POSTGRESQL | {"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": "1"}
        done = manage("migrate", "--noinput", DJANGO_DEBUG="1", **environment)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1)
        self.assertIn("the database refused", done.stderr)
        self.assertNotIn("hunter2", done.stdout + done.stderr)

    def test_deployment_check_finds_nothing_that_the_settings_do_not_answer(self) -> None:
        """As Berth sets them in production, even hints count, and each answer is to something that is still found."""
        environment = POSTGRESQL | {
            "DATABASE_SSLMODE": "verify-full",
            "DJANGO_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1],polls.example",
            "DJANGO_CSRF_TRUSTED_ORIGINS": "https://polls.example",
            "DJANGO_ADMIN_NETWORKS": "203.0.113.0/24",
            "DJANGO_PROXIES": "1",
            "DJANGO_SECRET_KEY": "".join(chr(33 + number) for number in range(80)),
            "DJANGO_SECURE": "1",
        }
        done = manage("check", "--deploy", "--fail-level", "DEBUG", **environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("no issues (3 silenced)", done.stdout + done.stderr)
