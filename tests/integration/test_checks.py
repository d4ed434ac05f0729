"""What a project lacks is found before its release, in a project that lacks it and in no other, and the advice mends it."""

from __future__ import annotations

import ast
import gc
import importlib
import json
import logging
import os
import subprocess
import sys
import textwrap
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.filter import checks as checks_filter
from ansible_collections.berth.platform.plugins.module_utils.image import project_dockerfile
from ansible_collections.berth.platform.plugins.module_utils.rollout import checks
from ansible_collections.berth.platform.plugins.module_utils.rollout.message import symptom_of
from ansible_collections.berth.platform.plugins.module_utils.rollout.model import Finding
from rollout_objects import LABELS, condition, container, ended, job, pod
from test_rollout_module import FakeCluster, k8s_rollout, rollout

SCRIPT = Path(__file__).resolve().parents[2] / "roles/app/files/checks.py"
CODE = compile(SCRIPT.read_text(encoding="utf-8"), "<string>", "exec")
APP = Path(__file__).resolve().parents[2] / "app"
# What every project imports: each look is a fork of this process, which has them already.
SHARED = (
    "django.contrib.auth.models", "django.contrib.staticfiles.storage", "django.core.management",
    "django.core.handlers.wsgi", "django.core.handlers.asgi", "django.db.migrations.autodetector", "django.test", "django.core.checks.security.base",
    "whitenoise.middleware", "django.db.backends.postgresql.base", "psycopg",
)  # fmt: skip
NAMES = {part: f"DATABASE_{part.upper()}" for part in ("host", "port", "name", "user", "password", "sslmode", "sslrootcert")}
PROBE: dict[str, Any] = {
    "type": "http", "host": "localhost", "readiness": "/readyz", "liveness": "/livez",
    "variables": {"readiness": "berth_app_probe", "liveness": "berth_app_probe"},
}  # fmt: skip
GIVEN = {
    "action": "refuse", "ignored": [], "commands": {}, "release": ["migrate --noinput"], "schedules": ["clearsessions"],
    "probe": PROBE, "path": "/", "hosts": ["127.0.0.1"], "public_host": "",
    "database": {"env": NAMES, "aliases": []}, "several": True, "shown": [], "static": {}, "volumes": [], "writable": ["/tmp/berth-nowhere"],
}  # fmt: skip
KEY = "a-key-that-is-long-enough-and-random-0123456789-abcdefghij"
ENVIRONMENT = {
    "DATABASE_HOST": "database", "DATABASE_PORT": "5432", "DATABASE_NAME": "shop", "DATABASE_USER": "shop", "DATABASE_PASSWORD": "pa55-word",
    "DATABASE_SSLMODE": "prefer", "DATABASE_SSLROOTCERT": "", "DJANGO_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]", "DJANGO_SECRET_KEY": KEY,
}  # fmt: skip
MANAGE = """
    import os
    import sys

    def main():
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)

    if __name__ == "__main__":
        main()
"""
SETTINGS = """
    import os
    from pathlib import Path

    BASE_DIR = Path(__file__).resolve().parent.parent
    SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
    DEBUG = False
    ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "").split(",")
    INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.staticfiles", "goods"]
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    ROOT_URLCONF = "shop.urls"
    WSGI_APPLICATION = "shop.wsgi.application"
    DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", **{key: os.environ["DATABASE_" + key] for key in (
        "HOST", "PORT", "NAME", "USER", "PASSWORD")}}}
    STATIC_URL = "static/"
    STATIC_ROOT = BASE_DIR / "staticfiles"
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    LOGGING = {"version": 1, "disable_existing_loggers": False, "handlers": {"console": {"class": "logging.StreamHandler"}}, "root": {"handlers": ["console"]}}
"""
LOGS = textwrap.dedent(SETTINGS[SETTINGS.index("    LOGGING = ") :])
URLS = """
    from django.http import HttpResponse
    from django.urls import path

    urlpatterns = [
        path("livez", lambda request: HttpResponse("ok")),
        path("readyz", lambda request: HttpResponse("ok")),
    ]
"""
WSGI = """
    import os

    from django.core.wsgi import get_wsgi_application

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    application = get_wsgi_application()
"""
MODELS = """
    from django.db import models

    class Good(models.Model):
        name = models.CharField(max_length=20)
"""
MIGRATION = """
    from django.db import migrations, models

    class Migration(migrations.Migration):
        initial = True
        operations = [migrations.CreateModel("Good", [
            ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ("name", models.CharField(max_length=20)),
        ])]
"""
FILES = {
    "manage.py": MANAGE, "shop/__init__.py": "", "shop/settings.py": SETTINGS, "shop/urls.py": URLS, "shop/wsgi.py": WSGI, "goods/__init__.py": "",
    "goods/models.py": MODELS, "goods/migrations/__init__.py": "", "goods/migrations/0001_initial.py": MIGRATION,
    "goods/static/goods.css": "a {}", "staticfiles/goods.css": "a {}",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A project that differs from one that lacks nothing.

    Attributes:
        id: The finding, "" for none.
        refused: Whether the release is refused.
        settings: Lines that its settings have besides.
        files: Files that differ, or None for one that is not there.
        swap: Texts of the settings that are others, each with what takes its place.
        given: What of the release differs.
        environment: What of the environment differs, or None for a variable that is not there.
        says: What the message has.
        follows: What whoever follows the advice does besides adding its lines, as another case; None where it has nothing else.
        mends: Whether the advice is tried.
    """

    id: str = ""
    refused: bool = False
    settings: str = ""
    files: Mapping[str, str | None] = field(default_factory=dict)
    swap: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    follows: Case | None = None
    mends: bool = True


def write(directory: Path, case: Case) -> None:
    """Write a case's project."""
    texts: dict[str, str | None] = {**FILES, **case.files}
    for name, text in texts.items():
        if text is None:
            continue
        text = textwrap.dedent(text)
        if name == "shop/settings.py":
            for old, new in case.swap.items():
                assert old in text, old
                text = text.replace(old, new)
            text += textwrap.dedent(case.settings)
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


def look(directory: Path, given: Mapping[str, Any], environment: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the report about the project in a directory, made by a fork of this process with nothing but that environment."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reading)
            gc.disable()
            for name in list(os.environ):
                del os.environ[name]
            os.environ["PATH"] = f"{directory}/bin:{Path(sys.executable).parent}:/usr/bin:/bin"
            os.environ.update({name: value for name, value in {**ENVIRONMENT, **environment}.items() if value is not None})
            os.chdir(directory)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            sys.path.insert(0, "")
            logging.root.handlers.clear()  # pytest's
            # As in a pod, where root and its rights are not: what lies elsewhere is read-only.
            may = os.access
            os.access = lambda path, mode: may(path, mode) and (mode != os.W_OK or str(path).startswith("/tmp"))
            scope = types.ModuleType("checks")
            exec(CODE, vars(scope))
            scope.child({**GIVEN, **given}, writing)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text)


@pytest.fixture(scope="module", autouse=True)
def shared() -> None:
    """Import what every project does, once."""
    for name in SHARED:
        try:
            importlib.import_module(name)
        except Exception:  # some want settings, which is as far as they come
            continue
    gc.collect()
    gc.freeze()  # or each fork copies what the collector touches


SETTINGS_DATABASES = SETTINGS[SETTINGS.index("    DATABASES = ") : SETTINGS.index("    STATIC_URL")]
PLAIN_DATABASES = textwrap.dedent(SETTINGS_DATABASES)
SQLITE = """DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/data/db.sqlite3"}}\n"""
READ_KEY = 'SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]'
WHITENOISE = """    "whitenoise.middleware.WhiteNoiseMiddleware",\n"""
PUBLIC = {"public_host": "shop.example.com", "hosts": ["127.0.0.1", "shop.example.com"]}
PUBLIC_ENVIRONMENT = {
    "DJANGO_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1],shop.example.com", "DJANGO_CSRF_TRUSTED_ORIGINS": "https://shop.example.com", "DJANGO_SECURE": "1",
}  # fmt: skip
SECURED = """
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 3600
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
"""
OWN_MAKEMIGRATIONS = """
    from django.core.management.commands import makemigrations


    class Command(makemigrations.Command):
        def handle(self, *labels, **options):
            self.stdout.write("No changes detected")
"""
FIELD = MODELS + "        picture = models.FileField()\n"
FIELD_MIGRATION = MIGRATION.replace('("name"', '("picture", models.FileField(upload_to="")),\n            ("name"')
HEALTH = 'path("livez", lambda request: HttpResponse("ok")),\n        path("readyz", lambda request: HttpResponse("ok")),'
PATHS = {"readiness": "berth_app_readiness_path", "liveness": "berth_app_liveness_path"}
ADMIN_SETTINGS = """
    INSTALLED_APPS += ["django.contrib.admin", "django.contrib.messages"]
    MIDDLEWARE += ["django.contrib.messages.middleware.MessageMiddleware"]
    TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"context_processors": [
        f"django.{name}" for name in (
            "template.context_processors.request", "contrib.auth.context_processors.auth", "contrib.messages.context_processors.messages")]}}]
"""
ADMIN_URLS = """
    from django.contrib import admin
    from django.urls import path

    urlpatterns = [path("office/", admin.site.urls)]
"""
CELERY = {
    "celery/__init__.py": "", "celery/app/__init__.py": "",
    "celery/app/utils.py": """
        from importlib import import_module

        def find_app(name):
            return import_module(f"{name}.celery").app
    """,
    "shop/celery.py": """
        import os
        from types import SimpleNamespace

        app = SimpleNamespace(conf=SimpleNamespace(broker_url=os.environ.get("CELERY_BROKER_URL", "redis://localhost:6379/0")))
    """,
    "bin/celery": "#!/bin/sh\n",
}  # fmt: skip
SPEECHLESS = {
    **CELERY,
    "kombu/redis.py": """
        redis = None

        def transport():
            return redis.Redis
    """,
    "shop/celery.py": """
        from types import SimpleNamespace

        class Connection:
            @property
            def transport(self):
                from kombu.redis import transport
                return transport()

        app = SimpleNamespace(conf=SimpleNamespace(broker_url="redis://cache:6379/0"), connection_for_read=Connection)
    """,
}  # fmt: skip
WORKER = {"commands": {"berth_app_processes.worker": ["celery", "-A", "shop", "worker"]}}

CASES = {
    # --- What cannot be loaded
    "the image's WORKDIR has no manage.py": Case(
        "manage",
        True,
        files={"manage.py": None, "code/manage.py": MANAGE},
        says=("There is no manage.py in ", "/code; if Berth generates it, set berth_app_directory"),
        follows=Case(files={"manage.py": MANAGE}),
    ),
    "manage.py names settings that are not there": Case(
        "settings-module",
        True,
        files={"manage.py": MANAGE.replace("shop.settings", "shop.setings")},
        says=("no settings module shop.setings", "that exists: shop.settings."),
        follows=Case(environment={"DJANGO_SETTINGS_MODULE": "shop.settings"}),
    ),
    "the environment names settings that are not there": Case(
        "settings-module",
        True,
        environment={"DJANGO_SETTINGS_MODULE": "config.settings"},
        says=("no settings module config.settings",),
        follows=Case(environment={"DJANGO_SETTINGS_MODULE": "shop.settings"}),
    ),
    "the settings name a kind of database that does not exist": Case(
        "database",
        True,
        swap={"django.db.backends.postgresql": "django.db.backends.postgres"},
        says=("has the ENGINE django.db.backends.postgres, which does not exist", "django.db.backends.postgresql is PostgreSQL's"),
        follows=Case(settings='DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"'),
    ),
    "the settings import what is not installed": Case(
        "settings",
        True,
        settings="import storages.backends",
        says=("the module storages is not installed (shop/settings.py:", "Add the package django-storages"),
        follows=Case(files={"storages/__init__.py": "", "storages/backends.py": ""}),
    ),
    "the settings want a variable that is not set": Case(
        "settings",
        True,
        settings='STRIPE_KEY = os.environ["STRIPE_KEY"]',
        says=("variable STRIPE_KEY is not set (shop/settings.py:", "Set STRIPE_KEY in berth_app_secrets."),
        follows=Case(environment={"STRIPE_KEY": "sk_0123456789"}),
    ),
    "the settings refuse what they find, in words of their own": Case(
        "settings",
        True,
        settings='if "TIMEZONE" not in os.environ and "ANYWHERE" not in os.environ: raise ValueError("please set TIMEZONE, or ANYWHERE=1")',
        says=("TIMEZONE is not set", "in berth_app_settings."),
        follows=Case(environment={"TIMEZONE": "UTC"}),
    ),
    "the settings have an error of syntax": Case("settings", True, settings="DEBUG = = 1", says=("SyntaxError: ", "(shop/settings.py:"), mends=False),
    "an app is not installed": Case(
        "apps",
        True,
        settings='INSTALLED_APPS += ["rest_framework"]',
        says=("the module rest_framework is not installed", "Add the package djangorestframework"),
        follows=Case(files={"rest_framework/__init__.py": ""}),
    ),
    "logs go to a file whose directory is not there": Case(
        "apps",
        True,
        settings="""
            LOGGING = {"version": 1, "handlers": {"file": {"class": "logging.FileHandler", "filename": "/berth-nowhere/debug.log"}},
                       "root": {"handlers": ["file"]}}
        """,
        says=("there is no directory /berth-nowhere for the log file debug.log", "Let LOGGING write to the console"),
        mends=False,
    ),
    "a middleware is not there": Case(
        "middleware",
        True,
        settings='MIDDLEWARE += ["corsheaders.middleware.CorsMiddleware"]',
        says=("The middleware corsheaders.", "Add the package django-cors-headers"),
        mends=False,
    ),
    "the URLs import what is not there": Case(
        "urls",
        True,
        files={"shop/urls.py": URLS + "    import goods.views\n"},
        says=("(ROOT_URLCONF shop.urls): the project has no module goods.views (shop/urls.py:",),
        follows=Case(files={"goods/views.py": ""}),
    ),
    "the URLs that others include import what is not there": Case(
        "urls",
        True,
        files={
            "shop/urls.py": URLS.replace("urlpatterns = [", 'from django.urls import include\n    urlpatterns = [path("g/", include("goods.urls")),'),
            "goods/urls.py": "import yaml_of_nobody\nurlpatterns = []",
        },
        says=("the module yaml_of_nobody is not installed (goods/urls.py:1)",),
        follows=Case(files={"yaml_of_nobody.py": ""}),
    ),
    "web serves an application that is not there": Case(
        "application",
        True,
        given={"commands": {"berth_app_command": ["gunicorn", "--bind", "0.0.0.0:8000", "config.wsgi:application"]}},
        says=("config.wsgi:application, which berth_app_command serves", "correct its name where it is imported, or in berth_app_command."),
        follows=Case(given={"commands": {"berth_app_command": ["gunicorn", "--bind", "0.0.0.0:8000", "shop.wsgi:application"]}}),
    ),
    "web serves a module that is not there": Case(
        "application",
        True,
        given={"commands": {"berth_app_command": ["gunicorn", "--config", "python:config.gunicorn", "config.wsgi"]}},
        says=("config.wsgi:application, which berth_app_command serves",),
        follows=Case(given={"commands": {"berth_app_command": ["gunicorn", "--config", "python:config.gunicorn", "shop.wsgi"]}}),
    ),
    "web serves a name that its module does not have": Case(
        "application",
        True,
        given={"commands": {"berth_app_command": ["gunicorn", "-b:8000", "shop.wsgi:app"]}},
        says=("shop.wsgi has no app", "Correct berth_app_command."),
        mends=False,
    ),
    "the application of the settings cannot be loaded, which another image may not serve": Case(
        "application",
        files={"shop/wsgi.py": "import os\nopen('/berth-nowhere/spool', 'w')\n" + textwrap.dedent(WSGI)},
        says=("The application, which the image serves, cannot be loaded:", "(shop/wsgi.py:2)"),
        mends=False,
    ),
    "the application that Berth's Dockerfile serves cannot be loaded": Case(
        "application",
        True,
        files={"served.py": "from shop.wsgi import application\n", "shop/wsgi.py": "import stripe_of_nobody\n" + textwrap.dedent(WSGI)},
        says=("cannot be loaded: the module stripe_of_nobody is not installed (shop/wsgi.py:1)",),
        follows=Case(files={"stripe_of_nobody.py": ""}),
    ),
    # --- What is told of errors
    "errors are sent by mail, and nobody is to get any": Case("logging", swap={LOGS: ""}, says=("With DEBUG off, exceptions of pages are not logged",)),
    "errors go to a file in the pod": Case(
        "logging",
        settings='LOGGING["handlers"]["console"] = {"class": "logging.FileHandler", "filename": "/tmp/berth-errors", "delay": True}',
        says=("exceptions of pages are not logged (shop/settings.py:",),
    ),
    "errors go to the console only while DEBUG is on": Case(
        "logging",
        settings="""
            LOGGING["filters"] = {"debug": {"()": "django.utils.log.RequireDebugTrue"}}
            LOGGING["handlers"]["console"]["filters"] = ["debug"]
            LOGGING["loggers"] = {"django": {"handlers": ["console"], "propagate": False}}
        """,
    ),
    # --- Pages
    "the health page has an error": Case(
        "page",
        True,
        files={"shop/urls.py": URLS.replace('"readyz", lambda request: HttpResponse("ok")', '"readyz", lambda request: 1 / 0')},
        says=("The page /readyz answers 500: ZeroDivisionError: division by zero (shop/urls.py:",),
        mends=False,
    ),
    "the first page has no template": Case(
        "page",
        files={
            "shop/urls.py": URLS.replace(
                "urlpatterns = [",
                'from django.shortcuts import render\n    urlpatterns = [path("", lambda request: render(request, "home.html")),',
            )
        },
        settings='TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]',
        says=("The page / answers 500: django.template.exceptions.TemplateDoesNotExist: home.html (shop/urls.py:",),
        follows=Case(files={"goods/templates/home.html": "Welcome"}),
    ),
    "a page wants a variable that is not set": Case(
        "page",
        files={
            "shop/urls.py": URLS.replace(
                "urlpatterns = [",
                'import os\n    urlpatterns = [path("", lambda request: HttpResponse(os.environ["GREETING"])),',
            )
        },
        says=("The page / answers 500: the environment variable GREETING is not set (shop/urls.py:", "Set GREETING in berth_app_settings."),
        follows=Case(environment={"GREETING": "Hello"}),
    ),
    # --- Commands
    "web runs a server that is not installed": Case(
        "command",
        True,
        given={"commands": {"berth_app_command": ["daphne", "shop.asgi:application"]}},
        says=("no command daphne, which berth_app_command runs", "package daphne"),
        mends=False,
    ),
    "a process runs a module that is not installed": Case(
        "command",
        True,
        given={"commands": {"berth_app_processes.beat": ["python", "-u", "-m", "celery", "-A", "shop", "beat"]}},
        says=("no module celery, which berth_app_processes.beat runs", "add the package celery"),
        mends=False,
    ),
    "a process runs a command that manage.py does not have": Case(
        "command",
        True,
        given={"commands": {"berth_app_processes.mail": ["python", "manage.py", "runmailer"]}},
        says=("no command runmailer, which berth_app_processes.mail",),
        mends=False,
    ),
    "a release runs a command that manage.py does not have": Case(
        "command",
        True,
        given={"release": ["migrate --noinput", "seed"]},
        says=("manage.py has no command seed, which berth_app_release_commands runs",),
        mends=False,
    ),
    "a schedule runs a command that manage.py does not have": Case(
        "command", given={"schedules": ["report --all"]}, says=("berth_app_schedules runs",), mends=False
    ),
    "there are no sessions, of which old ones could be removed": Case(
        "command",
        swap={
            '"django.contrib.sessions", ': "",
            '    "django.contrib.sessions.middleware.SessionMiddleware",\n': "",
            '    "django.contrib.auth.middleware.AuthenticationMiddleware",\n': "",
        },
        says=("Remove it from berth_app_schedules, e.g. with []",),
        follows=Case(given={"schedules": []}),
    ),
    # --- Settings
    "DEBUG is on": Case("debug", settings="DEBUG = True", says=("DEBUG is on (shop/settings.py:", "DJANGO_DEBUG")),
    "DEBUG is on unless a variable turns it off": Case(
        "debug",
        settings='DEBUG = os.environ.get("DEBUG", "True") == "True"',
        says=('Set DEBUG: "0" in berth_app_settings.',),
        follows=Case(environment={"DEBUG": "0"}),
    ),
    "DEBUG is on unless a variable is empty": Case(
        "debug",
        settings='DEBUG = bool(os.environ.get("APP_DEBUG", 1))',
        says=('Set APP_DEBUG: "" in berth_app_settings.',),
        follows=Case(environment={"APP_DEBUG": ""}),
    ),
    "the key is in the source": Case(
        "secret-key",
        swap={READ_KEY: 'SECRET_KEY = "django-insecure-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789"'},
        says=("stored in the image, in shop/settings.py:", "DJANGO_SECRET_KEY"),
    ),
    "the key is the default of a variable": Case(
        "secret-key",
        settings='SECRET_KEY = os.environ.get("SECRET_KEY", "django-insecure-0123456789-abcdefghijklmnopqrst-0123456789")',
        says=("Set SECRET_KEY in berth_app_secrets",),
        follows=Case(environment={"SECRET_KEY": KEY + "2"}),
    ),
    "the key is in a file of variables in the image": Case(
        "secret-key",
        files={".env": f"SECRET_KEY={KEY[::-1]}\n"},
        swap={READ_KEY: 'SECRET_KEY = open(BASE_DIR / ".env").read().strip()[11:]'},
        says=("stored in the image, in .env:1",),
    ),
    "each process makes a key": Case(
        "secret-key",
        swap={READ_KEY: "from django.core.management.utils import get_random_secret_key\nSECRET_KEY = get_random_secret_key()"},
        says=("Each process generates its own SECRET_KEY",),
    ),
    "the key is empty": Case(
        "secret-key",
        True,
        settings='SECRET_KEY = os.environ.get("SECRET_KEY", "")',
        says=("nobody can log in",),
        follows=Case(environment={"SECRET_KEY": KEY}),
    ),
    "manage.py and wsgi.py take other settings": Case(
        "settings-differ",
        files={"manage.py": MANAGE.replace("shop.settings", "shop.local"), "shop/local.py": "from .settings import *\nDEBUG = True"},
        says=("Set DJANGO_SETTINGS_MODULE: shop.settings in berth_app_settings",),
        follows=Case(environment={"DJANGO_SETTINGS_MODULE": "shop.settings"}),
    ),
    # --- The database
    "the database is a file that is not there": Case("database", True, swap={PLAIN_DATABASES: SQLITE}, says=("is the SQLite file /srv/data/db.sqlite3",)),
    "the database is a file of the image": Case(
        "database", swap={PLAIN_DATABASES: SQLITE.replace("/srv/data/db.sqlite3", "/etc/passwd")}, says=("a pod cannot write to",)
    ),
    "the database is a file that is lost": Case(
        "database", swap={PLAIN_DATABASES: SQLITE.replace('"/srv/data/db.sqlite3"', 'BASE_DIR / "db.sqlite3"')}, says=("lost with the pod",)
    ),
    "the database is in memory": Case(
        "database", swap={PLAIN_DATABASES: SQLITE.replace("/srv/data/db.sqlite3", ":memory:")}, says=("in each process's memory",)
    ),
    "the database is on localhost": Case(
        "database", True, settings='DATABASES["default"]["HOST"] = "localhost"', says=("DATABASES (shop/settings.py:", "points to localhost")
    ),
    "the database is reached without a host": Case(
        "database", True, settings='DATABASES["default"]["HOST"] = ""', says=("DATABASES (shop/settings.py:", "points to localhost")
    ),
    "there is no database, which Django would need lengths for": Case(
        "database",
        True,
        files={
            "goods/models.py": FIELD.replace("FileField", "CharField"),
            "goods/migrations/0001_initial.py": FIELD_MIGRATION.replace('FileField(upload_to="")', "CharField()"),
        },
        settings="DATABASES = {}",
        says=("has no database",),
    ),
    "the database is another server": Case("database", settings='DATABASES["default"]["HOST"] = "db.example.com"', says=("points to the host db.example.com",)),
    "the database has another name": Case("database", settings='DATABASES["default"]["NAME"] = "other"', says=("but with a different name",), mends=False),
    "the database is what other variables say": Case(
        "database",
        True,
        swap={'os.environ["DATABASE_" + key] for key': 'os.environ.get("POSTGRES_" + key, "") for key'},
        says=("Set berth_app_database_env: {host: POSTGRES_HOST, port: POSTGRES_PORT, name: POSTGRES_NAME, user: POSTGRES_USER, password: POSTGRES_PASSWORD}",),
        follows=Case(
            environment={name.replace("DATABASE", "POSTGRES"): value for name, value in ENVIRONMENT.items() if name.startswith("DATABASE_")},
            given={"database": {"env": {part: name.replace("DATABASE", "POSTGRES") for part, name in NAMES.items()}, "aliases": []}},
        ),
    ),
    "the database is what a URL says": Case(
        "database",
        swap={
            PLAIN_DATABASES: """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
if "DATABASE_URL" in os.environ:
    DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["DATABASE_URL"].split("/")[2]}}
"""
        },
        says=("Set berth_app_database_env: {url: DATABASE_URL}",),
        follows=Case(
            environment={"DATABASE_URL": "postgresql://database/shop", "DATABASE_NAME": "", "DATABASE_USER": "", "DATABASE_PASSWORD": ""},
            given={"database": {"env": {**NAMES, "url": "DATABASE_URL"}, "aliases": []}},
        ),
    ),
    "the settings have no database": Case("database", True, swap={PLAIN_DATABASES: ""}, says=("DATABASES has no database",)),
    "the database's driver is not installed": Case(
        "database",
        True,
        swap={"django.db.backends.postgresql": "django.db.backends.mysql"},
        says=("driver MySQLdb is not installed", "package mysqlclient"),
        mends=False,
    ),
    # --- Visitors and probes
    "ALLOWED_HOSTS lacks the probes' host": Case(
        "probe", True, settings='ALLOWED_HOSTS = ["127.0.0.1"]', says=("lacks localhost, the Host header of Kubernetes",)
    ),
    "ALLOWED_HOSTS lacks the visitors' hosts": Case(
        "hosts",
        settings='ALLOWED_HOSTS = ("localhost",)',
        given={"hosts": ["127.0.0.1", ".example.com"]},
        says=("lacks 127.0.0.1, .example.com",),
        environment={"DJANGO_ALLOWED_HOSTS": "localhost,127.0.0.1,.example.com"},
    ),
    "ALLOWED_HOSTS are parted by spaces": Case(
        "probe",
        True,
        settings='ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS").split(" ")',
        given={"hosts": []},
        says=('Set DJANGO_ALLOWED_HOSTS: "localhost 127.0.0.1 [::1]" in berth_app_settings.',),
        follows=Case(environment={"DJANGO_ALLOWED_HOSTS": "localhost 127.0.0.1 [::1]"}),
    ),
    "ALLOWED_HOSTS are what another variable says": Case(
        "hosts",
        settings='ALLOWED_HOSTS = os.environ.get("HOSTS", "localhost").split(",")',
        says=('Set HOSTS: "localhost,127.0.0.1,[::1]" in berth_app_settings.',),
        follows=Case(environment={"HOSTS": "localhost,127.0.0.1,[::1]"}),
    ),
    "nothing answers the probes": Case(
        "probe",
        True,
        files={"shop/urls.py": URLS.replace(HEALTH, "")},
        says=("with GET /readyz and /livez, which answer 404: no pod becomes ready", "404", "Add to shop/urls.py:"),
    ),
    "another path answers for the app's health": Case(
        "probe",
        True,
        files={"shop/urls.py": URLS.replace('"livez"', '"health/"').replace('"readyz"', '"other"')},
        says=("Set berth_app_probe: {path: /health/}",),
        follows=Case(given={"probe": {**PROBE, "readiness": "/health/", "liveness": "/health/"}}),
    ),
    "a probe with a variable of its own asks elsewhere": Case(
        "probe",
        True,
        files={"shop/urls.py": URLS.replace('"livez"', '"health/"')},
        given={"probe": {**PROBE, "readiness": "/healthy", "liveness": "/health/", "variables": PATHS}},
        says=("with GET /healthy, which answers 404", "Set berth_app_readiness_path: /health/, which answers 200."),
        follows=Case(given={"probe": {**PROBE, "readiness": "/health/", "liveness": "/health/", "variables": PATHS}}),
    ),
    "both probes have variables of their own, and nothing but the admin answers": Case(
        "probe",
        True,
        settings=ADMIN_SETTINGS,
        files={"shop/urls.py": ADMIN_URLS},
        given={"probe": {**PROBE, "variables": PATHS}},
        says=("Set berth_app_readiness_path: /office/login/ and berth_app_liveness_path: /office/login/, which answers 200.",),
        follows=Case(given={"probe": {**PROBE, "readiness": "/office/login/", "liveness": "/office/login/"}}),
    ),
    "a server before Django may answer the probes": Case("probe", files={"shop/urls.py": URLS.replace(HEALTH, ""), "bin/nginx": "#!/bin/sh\n"}, says=("404",)),
    "pages are redirected to https where there is none": Case(
        "probe", True, settings="SECURE_SSL_REDIRECT = True", says=("there is no TLS in front of the app (berth_entry)",)
    ),
    "pages but the probes are redirected to https where there is none": Case(
        "https",
        settings="SECURE_SSL_REDIRECT = True\nSECURE_REDIRECT_EXEMPT = ['^livez$', '^readyz$']",
        says=("Pages are redirected to https (shop/settings.py:",),
    ),
    "pages are redirected to https where there is none, by a variable": Case(
        "https",
        settings="SECURE_SSL_REDIRECT = os.environ.get('SSL', 'on') == 'on'\nSECURE_REDIRECT_EXEMPT = ['^livez$', '^readyz$']",
        says=('Set SSL: "0" in berth_app_settings.',),
        follows=Case(environment={"SSL": "0"}),
    ),
    "probes are redirected to https where there is none, by a variable": Case(
        "probe",
        True,
        settings="SECURE_SSL_REDIRECT = os.environ.get('SSL', 'on') == 'on'",
        says=('Set SSL: "0" in berth_app_settings.',),
        follows=Case(environment={"SSL": "0"}),
    ),
    "cookies want https where there is none": Case(
        "cookies",
        settings="SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True",
        says=("SESSION_COOKIE_SECURE and CSRF_COOKIE_SECURE are on (shop/settings.py:", "nobody can log in over http"),
    ),
    "cookies want https where there is none, by a variable": Case(
        "cookies",
        settings="SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG and os.environ.get('HTTPS', '1') != '0'",
        says=('Set HTTPS: "0" in berth_app_settings.',),
        follows=Case(environment={"HTTPS": "0"}),
    ),
    "the probes are redirected to https": Case(
        "probe",
        True,
        settings=SECURED + "    SECURE_SSL_REDIRECT = True\n",
        given=PUBLIC,
        environment=PUBLIC_ENVIRONMENT,
        says=("with GET /readyz and /livez, which are redirected to https. [probe]"),
    ),
    "pages are redirected to https for ever": Case(
        "https",
        True,
        settings=SECURED.replace("SECURE_PROXY_SSL_HEADER", "UNUSED")
        + "    SECURE_SSL_REDIRECT = True\n    SECURE_REDIRECT_EXEMPT = ['^livez$', '^readyz$']\n",
        given=PUBLIC,
        environment=PUBLIC_ENVIRONMENT,
        says=("endlessly",),
    ),
    "forms are refused behind the entry": Case(
        "csrf",
        settings=SECURED.replace("SECURE_PROXY_SSL_HEADER", "UNUSED"),
        given=PUBLIC,
        environment=PUBLIC_ENVIRONMENT,
        says=("from https://shop.example.com are rejected",),
    ),
    # --- Files
    "nothing serves the static files": Case("static", swap={WHITENOISE: ""}, says=("Nothing serves the static files", "collectstatic")),
    "nothing collects nor serves the static files": Case(
        "static", swap={WHITENOISE: "", 'STATIC_ROOT = BASE_DIR / "staticfiles"\n': ""}, says=('STATIC_ROOT = BASE_DIR / "staticfiles"',)
    ),
    "the static files are not collected": Case(
        "collectstatic",
        settings='STATIC_ROOT = "/srv/staticfiles"',
        says=("/srv/staticfiles (shop/settings.py:", "has no files in the image"),
        mends=False,
    ),
    "the names of static files are not collected": Case(
        "collectstatic",
        settings="""
            STATIC_ROOT = "/srv/staticfiles"
            STORAGES = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
                        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
        """,
        says=("has no files in the image",),
        mends=False,
    ),
    "the static files that visitors are to be shown are elsewhere": Case(
        "static-files",
        refused=True,
        given={"static": {"path": "/srv/nowhere", "url": "/static/"}},
        says=("The image has no files in /srv/nowhere", "or set berth_app_static.path to ", "/staticfiles, which is STATIC_ROOT (shop/settings.py:"),
        mends=False,
    ),
    "the static files that visitors are shown have another address than pages ask for": Case(
        "static-files",
        given={"static": {"path": "goods/static", "url": "/assets/"}},
        says=("Pages request static files at /static/ (STATIC_URL", "Set berth_app_static.url to /static/"),
        follows=Case(given={"static": {"path": "goods/static", "url": "/static/"}}),
    ),
    "files that are sent have no volume": Case(
        "media",
        files={"goods/models.py": FIELD, "goods/migrations/0001_initial.py": FIELD_MIGRATION},
        settings='MEDIA_ROOT = "/srv/media"\nMEDIA_URL = "media/"',
        says=("(Good.picture) go to MEDIA_ROOT (shop/settings.py:", "{media: {path: /srv/media, size: 1Gi, url: /media/}}"),
        follows=Case(given={"volumes": ["/srv/media"], "shown": ["/media/"]}),
    ),
    "files that are sent are in a directory that is lost with the pod": Case(
        "media",
        files={"goods/models.py": FIELD, "goods/migrations/0001_initial.py": FIELD_MIGRATION},
        settings='MEDIA_ROOT = "/tmp/berth-nowhere/media"\nMEDIA_URL = "media/"',
        says=("/tmp/berth-nowhere/media, where they are lost with the pod", "such as /srv/media", "{media: {path: /srv/media, size: 1Gi, url: /media/}}"),
        follows=Case(settings='MEDIA_ROOT = "/srv/media"', given={"volumes": ["/srv/media"], "shown": ["/media/"]}),
    ),
    "files that are sent are kept and not shown": Case(
        "media-url",
        files={"goods/models.py": FIELD, "goods/migrations/0001_initial.py": FIELD_MIGRATION},
        settings='MEDIA_ROOT = "/srv/media"\nMEDIA_URL = "media/"',
        given={"volumes": ["/srv/media"]},
        says=("(Good.picture) are kept", "below /media/ (MEDIA_URL (shop/settings.py:", "Set url: /media/ next to path: /srv/media"),
        follows=Case(given={"volumes": ["/srv/media"], "shown": ["/media/"]}),
    ),
    "files that are sent are in a part of what is shown": Case(
        "media-url",
        files={"goods/models.py": FIELD, "goods/migrations/0001_initial.py": FIELD_MIGRATION},
        settings='MEDIA_ROOT = "/srv/data/media"\nMEDIA_URL = "media/"',
        given={"volumes": ["/srv/data"], "shown": ["/media/"]},
        says=("its own volume in berth_app_volumes, with path: /srv/data/media and url: /media/",),
        follows=Case(given={"volumes": ["/srv/data/media"], "shown": ["/media/"]}),
    ),
    "files that are sent go where the code is": Case(
        "media",
        files={"goods/models.py": FIELD, "goods/migrations/0001_initial.py": FIELD_MIGRATION},
        says=('BASE_DIR / "media"',),
        mends=False,
    ),
    "translations are not compiled": Case(
        "translations",
        files={"goods/locale/de/LC_MESSAGES/django.po": "", "goods/locale/pt_BR/LC_MESSAGES/djangojs.po": ""},
        says=("not compiled", ": goods/locale/de/LC_MESSAGES/django.po and 1 more", "run python manage.py compilemessages", "Debian package gettext"),
        follows=Case(files={"goods/locale/de/LC_MESSAGES/django.mo": "", "goods/locale/pt_BR/LC_MESSAGES/djangojs.mo": ""}),
    ),
    "a model has a change without a migration": Case(
        "migrations",
        files={"goods/models.py": MODELS + "        price = models.IntegerField()\n"},
        says=("a migration: goods (Add field price to good)", "makemigrations goods"),
        follows=Case(files={"goods/models.py": MODELS}),
    ),
    "a project has its own makemigrations, which finds that change too": Case(
        "migrations",
        files={
            "goods/models.py": MODELS + "        price = models.IntegerField()\n",
            "goods/management/commands/makemigrations.py": "from django.core.management.commands.makemigrations import Command",
        },
        says=("makemigrations goods",),
        follows=Case(files={"goods/management/commands/makemigrations.py": OWN_MAKEMIGRATIONS}),
    ),
    "an app has models and no migrations": Case(
        "migrations", files={"goods/migrations/__init__.py": None, "goods/migrations/0001_initial.py": None}, says=(": goods",), mends=False
    ),
    # --- What Django finds, and what pods share
    "Django finds an error": Case(
        "check",
        True,
        files={
            "goods/models.py": MODELS
            + """
    from django.core.checks import Error, register

    @register
    def broken(**_):
        return [Error("Goods are broken.", hint="Repair them.", id="goods.E001")]
"""
        },
        says=("find 1 error: Goods are broken. (goods.E001)", "  Repair them."),
        mends=False,
    ),
    "Django warns of cookies without TLS": Case(
        "deploy",
        settings=SECURED.replace("SESSION_COOKIE_SECURE", "UNUSED"),
        given=PUBLIC,
        environment=PUBLIC_ENVIRONMENT,
        says=("1 security warning (security.W012)",),
        follows=Case(settings="SESSION_COOKIE_SECURE = True"),
    ),
    "sessions are in each pod's memory": Case(
        "cache", settings='SESSION_ENGINE = "django.contrib.sessions.backends.cache"', says=("Sessions are in each process's memory",)
    ),
    "the cache is in each pod's memory": Case(
        "cache",
        settings='CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}',
        says=("berth_cache: cluster",),
        follows=Case(environment={"REDIS_URL": "redis://cache:6379/0"}),
    ),
    "the cache is in memory unless a variable says where": Case(
        "cache",
        settings='CACHES = {"default": {"BACKEND": os.environ.get("CACHE_BACKEND", "django.core.cache.backends.locmem.LocMemCache")}}',
        says=("Set berth_cache: cluster and berth_cache_env: [CACHE_BACKEND]",),
        follows=Case(environment={"CACHE_BACKEND": "django.core.cache.backends.redis.RedisCache"}),
    ),
    "the broker is on localhost": Case(
        "broker",
        files=CELERY,
        given=WORKER,
        says=("is on localhost", "berth_cache_env: [CELERY_BROKER_URL]"),
        follows=Case(environment={"CELERY_BROKER_URL": "redis://cache:6379/0"}),
    ),
    "the server listens on the loopback address": Case(
        "command",
        True,
        files={"bin/gunicorn": "#!/bin/sh\n"},
        given={"commands": {"berth_app_command": ["gunicorn", "shop.wsgi", "--log-file", "-"]}},
        says=("gunicorn listens on 127.0.0.1 only", "Add --bind 0.0.0.0:8000 to it"),
        follows=Case(given={"commands": {"berth_app_command": ["gunicorn", "shop.wsgi", "--log-file", "-", "--bind", "0.0.0.0:8000"]}}),
    ),
    "the library of the broker is not installed": Case(
        "broker",
        True,
        files=SPEECHLESS,
        given={"commands": {f"berth_app_processes.{name}": ["celery", "-A", "shop", name] for name in ("worker", "beat")}},
        environment={"CELERY_BROKER_URL": "redis://cache:6379/0"},
        says=("(redis): without it, every Celery process", "Add the package redis"),
        follows=Case(files={"kombu/redis.py": "def transport():\n    return 1\n"}),
    ),
    "the worker's app is not there": Case(
        "application",
        True,
        files={**CELERY, "shop/celery.py": None},
        given=WORKER,
        says=("which berth_app_processes.worker serves", "shop.celery"),
        mends=False,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_project_lacks_is_found_and_nothing_else_and_the_advice_mends_it(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    write(tmp_path, case)
    report = look(tmp_path, case.given, case.environment)
    assert report["unknown"] == []
    assert [(found["id"], found["severity"]) for found in report["findings"]] == [(case.id, "refuse" if case.refused else "warn")]
    message = checks.refusal(report, "shop-release-1", "shop-dev") if case.refused else checks.warning(report)
    assert not [text for text in case.says if text not in message], message
    assert KEY not in message and ENVIRONMENT["DATABASE_PASSWORD"] not in message
    told = checks.tell(report["findings"][0], report)
    lines = checks.to_add(told, report)
    assert told.way or lines
    assert bool(lines or case.follows) or not case.mends
    if not case.mends:
        return
    follows = case.follows or Case()
    mended = replace(case, files={**case.files, **follows.files}, settings="\n".join(map(textwrap.dedent, [case.settings, follows.settings])))
    write(tmp_path, mended)
    with (tmp_path / (told.file or "shop/settings.py")).open("a", encoding="utf-8") as file:
        file.write("\n" + "\n".join(lines) + "\n")
    again = look(tmp_path, {**case.given, **follows.given}, {**case.environment, **follows.environment})
    assert again["findings"] == [], checks.warning(again)


# --- Projects that lack nothing ----------------------------------------------------------------------------------
URL_READER = """
    from types import SimpleNamespace
    from urllib.parse import urlsplit

    def config(env="DATABASE_URL", default=None, **_):
        import os
        url = urlsplit(os.environ.get(env) or default)
        return {
            "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username, "PASSWORD": url.password,
            "HOST": url.hostname, "PORT": url.port or "",
        }
"""
URL = {"DATABASE_URL": "postgresql://shop:pa55-word@database:5432/shop"}
ASGI = """
    import os

    from django.core.asgi import get_asgi_application

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    application = get_asgi_application()
"""
ADMIN = """
    INSTALLED_APPS += ["django.contrib.admin", "django.contrib.messages"]
    MIDDLEWARE += ["django.contrib.messages.middleware.MessageMiddleware"]
    TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth", "django.contrib.messages.context_processors.messages",
    ]}}]
"""
RIGHT = {
    "the database's address is one URL": Case(
        files={"dj_database_url.py": URL_READER},
        swap={PLAIN_DATABASES: 'import dj_database_url\nDATABASES = {"default": dj_database_url.config(default="sqlite:///db.sqlite3")}\n'},
        environment=URL,
        given={"database": {"env": {**NAMES, "url": "DATABASE_URL"}, "aliases": []}},
    ),
    "the database has another name in the cluster": Case(settings='DATABASES["default"]["HOST"] = "db"', given={"database": {"env": NAMES, "aliases": ["db"]}}),
    "a file of SQLite's is in a volume": Case(swap={PLAIN_DATABASES: SQLITE}, given={"volumes": ["/srv/data"]}),
    "the settings are a package with one for each place": Case(
        files={
            "shop/settings.py": None,
            "shop/settings/__init__.py": "",
            "shop/settings/base.py": SETTINGS.replace("parent.parent", "parent.parent.parent").replace("DEBUG = False", "DEBUG = True"),
            "shop/settings/production.py": "from .base import *\nDEBUG = False\n",
        },
        environment={"DJANGO_SETTINGS_MODULE": "shop.settings.production"},
    ),
    "the settings read a file of variables that the image does not have": Case(
        swap={READ_KEY: 'SECRET_KEY = dict(os.environ).get("DJANGO_SECRET_KEY") or open(BASE_DIR / ".env").read()'},
    ),
    "the key is a part of a variable": Case(
        swap={READ_KEY: 'import json\nSECRET_KEY = json.loads(os.environ["CONFIGURATION"])["key"]'}, environment={"CONFIGURATION": json.dumps({"key": KEY})}
    ),
    "the site answers on a sub-path": Case(
        settings='FORCE_SCRIPT_NAME = "/shop"',
        given={"path": "/shop/"},
    ),
    "it is an ASGI project": Case(
        files={"shop/asgi.py": ASGI, "bin/uvicorn": "#!/bin/sh\n"},
        settings='ASGI_APPLICATION = "shop.asgi.application"',
        given={"commands": {"berth_app_command": ["uvicorn", "--host", "0.0.0.0", "--port", "8000", "shop.asgi:application"]}},
    ),
    "it is behind a public entry": Case(
        settings=SECURED + "    SECURE_REDIRECT_EXEMPT = ['z$']\n    SECURE_SSL_REDIRECT = True\n", given=PUBLIC, environment=PUBLIC_ENVIRONMENT
    ),
    "its health is asked for by a command": Case(
        files={"shop/urls.py": URLS.replace(HEALTH, "")},
        given={"probe": {**PROBE, "type": "command"}},
    ),
    "errors are sent to people by mail": Case(swap={LOGS: ""}, settings='ADMINS = [("Ops", "ops@example.com")]'),
    "errors are written by Python, for there is no handler": Case(swap={LOGS: "LOGGING_CONFIG = None\n"}),
    "errors are collected by Sentry": Case(
        swap={LOGS: ""},
        settings="import sentry_sdk",
        files={
            "sentry_sdk.py": """
                from types import SimpleNamespace
                def get_client():
                    return SimpleNamespace(dsn="https://key@sentry.example.com/1")
                def init(dsn):
                    pass
            """
        },
    ),
    "its first page needs another machine": Case(
        files={
            "shop/urls.py": URLS.replace(
                "urlpatterns = [",
                "from urllib.request import urlopen\n    urlpatterns = [path('', lambda request: HttpResponse(urlopen('http://stock.example.com').read())),",
            )
        },
    ),
    "its health needs the database": Case(
        files={
            "shop/urls.py": URLS.replace('lambda request: HttpResponse("ok")', "lambda request: HttpResponse(User.objects.count())").replace(
                "from django.urls", "from django.contrib.auth.models import User\n    from django.urls"
            )
        },
    ),
    "its health needs the database, and it says 404 without": Case(
        files={
            "shop/urls.py": URLS.replace('lambda request: HttpResponse("ok")', "lambda request: health()").replace(
                "urlpatterns",
                """
    def health():
        from django.contrib.auth.models import User
        try:
            User.objects.count()
        except Exception:
            return HttpResponse(status=404)

    urlpatterns""",
            )
        },
    ),
    "it has the admin, and forms that ask the database as they are loaded": Case(
        settings=ADMIN,
        files={
            "shop/urls.py": URLS
            + """
    from django.contrib import admin
    from django.contrib.auth.models import User
    urlpatterns.append(path("admin/", admin.site.urls))
    CHOICES = [user.pk for user in User.objects.all()]
"""
        },
    ),
    "static files come from elsewhere": Case(swap={WHITENOISE: "", 'STATIC_URL = "static/"': 'STATIC_URL = "https://static.example.com/"'}),
    "static files are served by a server in the image": Case(swap={WHITENOISE: ""}, files={"bin/nginx": "#!/bin/sh\n"}),
    "static files are shown by the web server beside the app": Case(swap={WHITENOISE: ""}, given={"static": {"path": "goods/static", "url": "/static/"}}),
    "static files are served by the application": Case(
        swap={WHITENOISE: ""},
        files={
            "shop/wsgi.py": WSGI + "    from whitenoise import WhiteNoise\n    application = WhiteNoise(application, root='staticfiles', prefix='static/')\n"
        },
    ),
    "static files are collected when the pod starts": Case(settings='STATIC_ROOT = BASE_DIR / "later"'),
    "static files are served by what Berth's Dockerfile adds": Case(
        swap={WHITENOISE: ""},
        files={
            "served.py": """
                from django.conf import settings

                settings.MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware", *settings.MIDDLEWARE]
                from shop.wsgi import application
            """
        },
    ),
    "sent files are in a volume": Case(
        files={"goods/models.py": FIELD, "goods/migrations/0001_initial.py": FIELD_MIGRATION},
        settings='MEDIA_ROOT = "/srv/media/"\nMEDIA_URL = "media/"',
        given={"volumes": ["/srv/media"], "shown": ["/media/"]},
    ),
    "sent files are in a volume, and nowhere to be asked for": Case(
        files={"goods/models.py": FIELD, "goods/migrations/0001_initial.py": FIELD_MIGRATION},
        settings='MEDIA_ROOT = "/srv/media"',
        given={"volumes": ["/srv/media"]},
    ),
    "sent files are shown by a view": Case(
        files={
            "goods/models.py": FIELD,
            "goods/migrations/0001_initial.py": FIELD_MIGRATION,
            "shop/urls.py": URLS.replace("urlpatterns = [", 'urlpatterns = [path("media/<path:name>", lambda request, name: HttpResponse(name)),'),
        },
        settings='MEDIA_ROOT = "/srv/media"\nMEDIA_URL = "media/"\nFORCE_SCRIPT_NAME = "/shop"',
        given={"volumes": ["/srv/media"]},
    ),
    "its cookies want https, and there is some": Case(settings=SECURED, given=PUBLIC, environment=PUBLIC_ENVIRONMENT),
    "its cookies want https, and nothing uses them": Case(
        settings="SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True\nSILENCED_SYSTEM_CHECKS = ['security.W003']",
        given={"schedules": []},
        swap={
            '"django.contrib.sessions", ': "",
            '    "django.contrib.sessions.middleware.SessionMiddleware",\n': "",
            '    "django.middleware.csrf.CsrfViewMiddleware",\n': "",
            '    "django.contrib.auth.middleware.AuthenticationMiddleware",\n': "",
        },
    ),
    "one pod keeps its cache": Case(settings='SESSION_ENGINE = "django.contrib.sessions.backends.cache"', given={"several": False}),
    "commands are those of a shell, with variables, of Python and of manage.py": Case(
        files={"run.sh": "#!/bin/sh\n"},
        given={
            "commands": {
                "berth_app_command": ["sh", "-c", "exec nothing-of-this-is-looked-at"],
                "berth_app_processes.a": ["env", "A=1", "python", "-u", "-m", "http.server"],
                "berth_app_processes.b": ["python", "manage.py", "clearsessions"],
                "berth_app_processes.c": ["./run.sh"],
                "berth_app_processes.d": ["./manage.py", "check"],
            }
        },
    ),
    "a server listens where a variable says": Case(
        files={"bin/gunicorn": "#!/bin/sh\n"}, given={"commands": {"berth_app_command": ["gunicorn", "shop.wsgi"]}}, environment={"PORT": "8000"}
    ),
    "a server listens where its file says": Case(
        files={"bin/gunicorn": "#!/bin/sh\n", "gunicorn.conf.py": "bind = '0.0.0.0:8000'\n"},
        given={"commands": {"berth_app_command": ["gunicorn", "shop.wsgi"]}},
    ),
    "a server of another process listens for the pod alone": Case(
        files={"bin/uvicorn": "#!/bin/sh\n"}, given={"commands": {"berth_app_processes.metrics": ["uvicorn", "shop.wsgi:application"]}}
    ),
    "a broker comes from the environment": Case(files=CELERY, given=WORKER, environment={"CELERY_BROKER_URL": "redis://:secret@cache:6379/0"}),
    "somebody meant it so": Case(settings="DEBUG = True", swap={WHITENOISE: ""}, given={"ignored": ["debug", "static"]}),
}


@pytest.mark.parametrize("name", RIGHT)
def test_of_a_project_that_lacks_nothing_nothing_is_said(name: str, tmp_path: Path) -> None:
    case = RIGHT[name]
    write(tmp_path, case)
    report = look(tmp_path, case.given, case.environment)
    assert report["findings"] == [], checks.warning(report)
    assert report["unknown"] == []
    assert checks.warning(report) == ""


# --- What a release runs -----------------------------------------------------------------------------------------
RELEASE = {
    "checks": "refuse", "checks_ignore": ["static", "debug"], "command": ["gunicorn"],
    "processes": {"worker": {"command": ["celery", "worker"], "replicas": 2}},
    "release_commands": ["migrate --noinput"], "schedules": [{"name": "nights", "schedule": "@daily", "command": "clearsessions"}], "probe": {},
    "readiness_path": "/readyz", "liveness_path": "/livez", "path": "/", "hosts": ["127.0.0.1"], "public_host": "", "database_env": {"url": "DATABASE_URL"},
    "database_aliases": [], "replicas": "2", "autoscaling": {}, "static": {},
    "volumes": {"media": {"path": "/srv/media", "size": "1Gi"}}, "writable": {"/tmp": "64Mi"},
}  # fmt: skip


def test_the_look_has_the_releases_image_and_configuration_and_is_told_what_it_is() -> None:
    base = {"image": "shop@sha256:1", "envFrom": [{"secretRef": {"name": "shop-1"}}]}
    made = checks_filter.checks_container(base, "the script", RELEASE)
    assert made.items() >= {**base, "name": checks.CONTAINER}.items()
    *command, given = made["command"]
    assert command == ["python", "-c", "the script"]
    told = json.loads(given)
    assert told.keys() == GIVEN.keys()
    assert told["commands"] == {"berth_app_command": ["gunicorn"], "berth_app_processes.worker": ["celery", "worker"]}
    assert told["probe"] == GIVEN["probe"]
    assert told["database"] == {"env": {**NAMES, "url": "DATABASE_URL"}, "aliases": []}
    assert (told["volumes"], told["writable"], told["ignored"]) == (["/srv/media"], ["/tmp"], ["debug", "static"])


@pytest.mark.parametrize(
    ("inventory", "readiness", "liveness"),
    [
        ({}, "berth_app_probe", "berth_app_probe"),
        ({"probe": {"path": "/ht/"}, "readiness_path": "/ht/", "liveness_path": "/ht/"}, "berth_app_probe", "berth_app_probe"),
        ({"probe": {"path": "/ht/"}, "readiness_path": "/ht/", "liveness_path": "/up"}, "berth_app_probe", "berth_app_liveness_path"),
        ({"readiness_path": "/ready", "liveness_path": "/up"}, "berth_app_readiness_path", "berth_app_liveness_path"),
    ],
)
def test_it_is_known_which_variable_decides_a_probes_path(inventory: dict[str, Any], readiness: str, liveness: str) -> None:
    assert checks.given({**RELEASE, **inventory})["probe"]["variables"] == {"readiness": readiness, "liveness": liveness}


@pytest.mark.parametrize("scaled", [{"replicas": 5}, {"autoscaling": {"min": "3", "max": 9}}, {"checks_ignore": ["debug", "static"]}])
def test_a_release_that_stays_the_same_is_not_looked_at_again_for_its_number_of_pods(scaled: dict[str, Any]) -> None:
    assert checks.given({**RELEASE, **scaled}) == checks.given(RELEASE)


@pytest.mark.parametrize(("scaled", "several"), [({"replicas": "1"}, False), ({"autoscaling": {"min": 2, "max": 3}, "replicas": 1}, True)])
def test_it_is_known_whether_pods_share_anything(scaled: dict[str, Any], several: bool) -> None:
    assert checks.given({**RELEASE, **scaled})["several"] is several


def run_script(directory: Path, environment: Mapping[str, str]) -> tuple[int, list[str]]:
    """Return the exit code of the script, run as the release's Job does, and what it prints."""
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", **ENVIRONMENT, **environment}
    command = [sys.executable, "-c", SCRIPT.read_text(encoding="utf-8"), json.dumps(GIVEN)]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout.splitlines()


def test_the_example_lacks_nothing() -> None:
    code, lines = run_script(APP, {})
    assert code == 0
    assert len(lines) == 1
    assert checks.read(lines)["findings"] == checks.read(lines)["unknown"] == []


def test_a_release_that_cannot_work_ends_with_a_code_of_its_own() -> None:
    code, lines = run_script(APP, {"DJANGO_LOG_LEVEL": "LOUD"})
    assert code == 65
    message = checks.refusal(checks.read(lines), "polls-release-1", "polls-dev")
    assert "- The settings cannot be loaded: " in message
    assert "DJANGO_LOG_LEVEL is 'LOUD'" in message


@pytest.mark.parametrize("action", ["warn", "refuse"])
def test_what_keeps_a_release_from_working_only_warns_where_that_is_wanted(action: str, tmp_path: Path) -> None:
    write(tmp_path, Case(settings="import nothing_of_it"))
    report = look(tmp_path, {"action": action}, {})
    assert [found["severity"] for found in report["findings"]] == [action]


def test_a_project_that_ends_its_process_or_hangs_says_nothing(tmp_path: Path) -> None:
    """A pod of the release would do the same, and is told of then."""
    write(tmp_path, Case(settings="raise SystemExit(3)"))
    assert look(tmp_path, {}, {})["findings"] == []


def test_the_script_is_for_python_3_8() -> None:
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_the_script_and_those_who_read_it_mean_the_same() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    constants = {node.targets[0].id: node.value.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)}
    assert constants["MARK"] == checks.MARK
    assert constants["SERVED"] == project_dockerfile.SERVED.partition(":")[0]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("find", "failed")]
    named = {node.args[0].value for node in calls if node.args and isinstance(node.args[0], ast.Constant)}
    assert named == set(checks.IDS)


# --- What is said of it ------------------------------------------------------------------------------------------
FOUND = {"findings": [
    {"id": "debug", "severity": "warn", "facts": {"place": "shop/settings.py:9", "variable": "", "value": ""}},
    {"id": "command", "severity": "refuse", "facts": {"kind": "program", "variable": "berth_app_command", "name": "gunicorn"}},
], "file": "shop/settings.py", "os": True, "has": []}  # fmt: skip


def printed(report: Mapping[str, Any]) -> list[str]:
    """Return a log with a report."""
    return ["Watching for file changes", f"{checks.MARK}{json.dumps(report)}"]


def test_all_is_said_at_once_what_does_not_work_first() -> None:
    lines = checks.refusal(FOUND, "shop-release-1", "shop-dev").splitlines()
    assert lines == [
        "The project is not ready to be released, so nothing was released (Job shop-release-1 in namespace shop-dev, container berth-checks).",
        "It would not work:",
        "- The image has no command gunicorn, which berth_app_command runs. [command]",
        "  Correct berth_app_command, or add the package gunicorn to the project's requirements (and its lock file).",
        "It would work, but:",
        "- DEBUG is on (shop/settings.py:9): error pages show visitors the source and the settings. [debug]",
        "  Add to shop/settings.py:",
        '      DEBUG = os.environ.get("DJANGO_DEBUG") == "1"',
        "If one of them is intended, set for example berth_app_checks_ignore: [command]. With berth_app_checks: warn, the project is released anyway.",
    ]


def test_of_a_single_finding_is_said_how_to_ignore_it_and_nothing_of_others() -> None:
    lines = checks.warning({**FOUND, "findings": FOUND["findings"][:1]}).splitlines()
    assert lines[-1] == "If this is intended, set berth_app_checks_ignore: [debug]."


@pytest.mark.parametrize("lines", [[], ["ok"], [f"{checks.MARK}{{"], [f"{checks.MARK}[]"]])
def test_a_log_without_a_report_has_none(lines: list[str]) -> None:
    assert checks.read(lines) is None


def looked(*conditions: dict[str, Any], **status: Any) -> dict[str, Any]:
    """Return a Job of a release that looks at the project first."""
    made = job(*conditions, spec={"selector": {"matchLabels": LABELS}}, **status)
    made["spec"]["template"]["spec"]["initContainers"] = [{"name": checks.CONTAINER}]
    return made


def test_a_refused_release_is_told_in_words_and_not_by_its_job() -> None:
    workload = looked(condition("Failed", "True", "PodFailurePolicy", "Container berth-checks for pod failed with exit code 65 matching FailJob rule"))
    refused = pod(workload, container(), init=container(checks.CONTAINER, state=ended(65)), name="polls-release-x", phase="Failed")
    cluster = FakeCluster({("polls-release-x", checks.CONTAINER, False): "\n".join(printed(FOUND))}, Job=[workload], Pod=[refused])
    with pytest.raises(k8s_rollout.Failed) as failed:
        k8s_rollout.wait([rollout(cluster, "Job", "polls-migrate-3f2a")], timeout=60)
    assert str(failed.value) == checks.refusal(FOUND, "polls-migrate-3f2a", "polls-dev")
    assert failed.value.failure["cause"] == "checks"


def test_a_look_that_was_killed_is_told_as_what_it_is() -> None:
    workload = looked(condition("Failed", "True", "BackoffLimitExceeded"))
    killed = pod(workload, container(), init=container(checks.CONTAINER, state=ended(137, "OOMKilled")), name="polls-release-x", phase="Failed")
    cluster = FakeCluster({("polls-release-x", checks.CONTAINER, False): "Killed\n"}, Job=[workload], Pod=[killed])
    with pytest.raises(k8s_rollout.Failed, match="OOMKilled"):
        k8s_rollout.wait([rollout(cluster, "Job", "polls-migrate-3f2a")], timeout=60)


def test_what_does_not_keep_a_release_from_working_is_there_to_be_said_once_it_is_complete() -> None:
    workload = looked(condition("Complete"), succeeded=1)
    succeeded = pod(workload, container(state=ended(0, "Completed")), name="polls-release-y", phase="Succeeded")
    report = {**FOUND, "findings": FOUND["findings"][:1]}
    logs = {("polls-release-y", checks.CONTAINER, False): "\n".join(printed(report)), ("polls-release-y", "web", False): "OK\n"}
    waited = rollout(FakeCluster(logs, Job=[workload], Pod=[succeeded]), "Job", "polls-migrate-3f2a")
    k8s_rollout.wait([waited], timeout=60)
    assert waited.remarks().splitlines()[0] == "The project can be released, but:"
    assert waited.log_tail() == ["OK"]


def test_nothing_is_asked_of_a_job_that_does_not_look() -> None:
    workload = job(condition("Complete"), spec={"selector": {"matchLabels": LABELS}}, succeeded=1)
    cluster = FakeCluster(Job=[workload])
    waited = rollout(cluster, "Job", "polls-migrate-3f2a")
    k8s_rollout.wait([waited], timeout=60)
    assert waited.remarks() == ""
    assert cluster.asked == ["Job/polls-migrate-3f2a"]


def test_the_status_of_a_refused_release_says_the_same_in_short() -> None:
    symptom = symptom_of(Finding("job", "The Job failed", "PodFailurePolicy", container=checks.CONTAINER), printed(FOUND), {})
    assert symptom.summary == "the project is not ready: The image has no command gunicorn, which berth_app_command runs"
    assert symptom.advice.startswith("Correct berth_app_command")
