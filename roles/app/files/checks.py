"""Print what a Django project lacks to run as it is about to be released, as a line of JSON. Nothing is changed, and no database is asked.

The first argument says what the release is (JSON). Needs Python 3.8 and the project's own Django, 3.2 or later.
"""

from __future__ import annotations

import ast
import glob
import importlib
import importlib.util
import io
import json
import logging
import os
import re
import runpy
import shlex
import shutil
import signal
import socket
import sys
import sysconfig
import traceback
from urllib.parse import urlsplit

MARK = "berth-checks "
REFUSED = 65  # the exit code for a release that cannot work; a Job that exits with it is not retried
LONGEST = 60  # seconds that the project may take to load
OTHERS = ("django.db", "psycopg", "MySQLdb", "redis", "requests", "urllib3", "botocore")  # their errors are about another machine
FRONTS = ("nginx", "apache2", "httpd", "caddy", "lighttpd", "unitd", "haproxy", "envoy", "h2o")  # they may answer before Django does
SETTINGS = ("ALLOWED_HOSTS", "DATABASES", "LOGGING", "MIDDLEWARE", "SECRET_KEY", "SECURE_REDIRECT_EXEMPT")  # settings that the advice may extend
KINDS = ("readiness", "liveness")
# Paths of projects' health checks: https://github.com/revsys/django-health-check has the first.
HEALTH = ("/ht/", "/healthz", "/health", "/health/", "/healthcheck/", "/livez", "/ping", "/ping/", "/up", "/up/")
LOCAL = ("", "localhost", "127.0.0.1", "::1")
SERVED = "served"  # the module in a Dockerfile that Berth generated
# Django's warnings (security.W...) that are already reported here or that the entry takes care of, and those that matter only with TLS.
# https://docs.djangoproject.com/en/stable/ref/checks/#security
TOLD, TLS = (8, 9, 18, 20), (4, 5, 10, 11, 12, 15, 16, 17, 21)
# Servers that listen only on the loopback address by default, each with the options and variables that change it.
LOOPBACK = {
    "daphne": (("-b", "--bind", "-e", "--endpoint", "-u", "--unix-socket", "--fd"), ()),
    "gunicorn": (("-b", "--bind", "-c", "--config"), ("GUNICORN_CMD_ARGS", "PORT")),
    "hypercorn": (("-b", "--bind", "-c", "--config"), ()),
    "uvicorn": (("--host", "--uds", "--fd"), ("UVICORN_FD", "UVICORN_HOST", "UVICORN_UDS")),
}

ASKED = {}  # the environment variables that were read, each with whether it is set


class Recorded(type(os.environ)):
    """The environment, which records the variables that are read."""

    def __getitem__(self, name):
        """Return a variable, and record its name and whether it is set."""
        try:
            value = super().__getitem__(name)
        except KeyError:
            ASKED[name] = False
            raise
        ASKED[name] = True
        return value

    def __contains__(self, name):
        """Whether a variable is set. Its name is recorded too."""
        there = super().__contains__(name)
        if isinstance(name, str):
            ASKED[name] = there
        return there


class Stop(Exception):
    """The following checks are impossible."""


class Project:
    """Checks of the project in the current directory.

    What the release is (``given``): ``action``, ``ignored``, ``commands`` by variable, ``release`` and ``schedules`` (commands of manage.py), ``probe``
    (type, host, readiness, liveness, and the variables of these two), ``path``, ``hosts``, ``public_host``, ``database`` (variables by part, and aliases),
    ``several``, ``shown`` (URLs of volumes that visitors are shown), ``static`` (path and url, empty where the app serves static files itself),
    ``volumes`` and ``writable`` (directories).
    """

    def __init__(self, given):
        self.given = given
        self.findings = []
        self.before = dict(os.environ)
        self.files = []
        self.trees = {}
        self.reached = False
        self.doubted = False
        self.apps = {}
        self.unknown = []
        self.raised = None

    def find(self, name, severity, /, **facts):
        """Record something that the project lacks."""
        found = {"id": name, "severity": "warn" if self.doubted else severity, "facts": facts}
        if found not in self.findings:
            self.findings.append(found)

    def told(self, name, cause):
        """Whether there already is a finding with that name and cause."""
        return any(found["id"] == name and found["facts"].get("cause") == cause for found in self.findings)

    # --- Locations ------------------------------------------------------------
    @staticmethod
    def own(path):
        """Whether a file belongs to the project, and not to Python or a package."""
        path = os.path.abspath(path)
        packages = re.search(r"/(site|dist)-packages/", path)
        return not packages and not path.startswith((sysconfig.get_paths()["stdlib"] + "/", "/opt/static/"))

    @staticmethod
    def shown(path):
        """Return a path as it is in the project's source."""
        path = os.path.abspath(path)
        here = os.getcwd() + "/"
        return path[len(here) :] if path.startswith(here) else path

    def tree(self, path):
        """Return the syntax tree of a Python file."""
        if path not in self.trees:
            try:
                with open(path, encoding="utf-8") as source:
                    self.trees[path] = ast.parse(source.read())
            except (OSError, SyntaxError, ValueError):
                self.trees[path] = ast.Module(body=[], type_ignores=[])
        return self.trees[path]

    def assignment(self, name):
        """Return the file and statement that set a name last, or None if that is unknown."""
        for path in self.files:
            found = None
            for node in ast.walk(self.tree(path)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) and node.value else []
                if any(isinstance(target, ast.Name) and target.id == name for target in targets) and (not found or node.lineno > found.lineno):
                    found = node
            if found:
                return path, found
        return None

    def place(self, name):
        """Return where a setting is set, as file:line, or "" if that is unknown."""
        found = self.assignment(name)
        return f"{self.shown(found[0])}:{found[1].lineno}" if found else ""

    def reads(self, pattern):
        """Return the environment variables with matching names that the settings read, each with whether it is set."""
        return {name: there for name, there in ASKED.items() if re.search(pattern, name)}

    # --- Loading --------------------------------------------------------------
    def failed(self, name, severity, error, /, **facts):
        """Record that a part of the project cannot be loaded, unless that is because of the database or another machine."""
        seen = error
        while seen is not None:
            if isinstance(seen, (ConnectionError, TimeoutError, socket.gaierror)) or type(seen).__module__.startswith(OTHERS):
                return
            seen = seen.__cause__ or seen.__context__
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if self.own(frame.filename) and os.path.isabs(frame.filename)]
        if isinstance(error, SyntaxError) and error.filename:
            place = f"{self.shown(error.filename)}:{error.lineno}"
        else:
            place = f"{self.shown(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines()
        words = str(error)
        # The first one it names. Later ones are often alternatives.
        named = [name for name in re.findall(r"\b[A-Z][A-Z0-9_]+\b", words) if ASKED.get(name) is False]
        missing = named[0] if named and not isinstance(error, ImportError) else ""
        module = (getattr(error, "name", None) or "") if isinstance(error, ModuleNotFoundError) else ""
        spec = importlib.util.find_spec(module.partition(".")[0]) if "." in module else None
        if spec and self.own(spec.origin or (list(spec.submodule_search_locations or []) or ["/nowhere/site-packages/"])[0]):
            facts["own"] = module
        self.find(name, severity, place=place, missing=missing, trace=[line[:300] for line in lines[-24:]], **facts)

    def lacks_backend(self, error, place):
        """Record that the database's driver is not installed or that its ENGINE does not exist; return whether it is one of the two."""
        lacks = re.search(r"Error loading (\w+)", str(error))
        unknown = re.match(r"'(\S+)' isn't an available database backend", str(error))
        if lacks:
            self.find("database", "refuse", kind="driver", lacks=lacks.group(1), place=place)
        elif unknown:
            self.find("database", "refuse", kind="engine", engine=unknown.group(1), place=place)
        return bool(lacks or unknown)

    def manage(self):
        """Run manage.py's preparations for a command.

        Raises:
            Stop: There is no manage.py, or no Django.
        """
        if not os.path.isfile("manage.py"):
            found = sorted(path for depth in ("*", "*/*", "*/*/*") for path in glob.glob(depth + "/manage.py") if self.own(path))
            self.find("manage", "refuse", directory=os.getcwd(), found=[os.path.dirname(path) for path in found[:3]])
            raise Stop
        sys.path[0] = os.getcwd()
        try:
            from django.core import management
        except ImportError as error:
            self.failed("django", "refuse", error)
            raise Stop from None
        management.execute_from_command_line = lambda argv=None: None
        sys.argv = ["manage.py", "check"]
        named = os.environ.get("DJANGO_SETTINGS_MODULE")
        try:
            runpy.run_path("manage.py", run_name="__main__")
        except (Exception, SystemExit):
            # It may need something that is missing here. The names are in its text anyway.
            with open("manage.py", encoding="utf-8") as source:
                self.default(source.read())
        module = os.environ.get("DJANGO_SETTINGS_MODULE", "")
        if not named:
            self.servers(module)

    @staticmethod
    def default(text):
        """Use the settings module that a file names, unless one is set."""
        found = re.search(r"DJANGO_SETTINGS_MODULE[\"']\s*(?:,|\]\s*=)\s*[\"']([\w.]+)", text)
        if found:
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", found.group(1))

    def servers(self, module):
        """Check the settings of the server if they differ from those of manage.py."""
        named = set()
        for path in glob.glob("*/wsgi.py") + glob.glob("*/asgi.py"):
            with open(path, encoding="utf-8", errors="replace") as source:
                named |= set(re.findall(r"DJANGO_SETTINGS_MODULE[\"']\s*(?:,|\]\s*=)\s*[\"']([\w.]+)", source.read()))
        if len(named) == 1 and module not in named and self.there(module):
            (other,) = named
            self.find("settings-differ", "warn", manage=module, serves=other)
            self.doubted = True
            os.environ["DJANGO_SETTINGS_MODULE"] = other

    def settings(self):
        """Load the settings.

        Raises:
            Stop: They cannot be loaded.
        """
        from django.conf import settings

        module = os.environ.get("DJANGO_SETTINGS_MODULE", "")
        known = set(sys.modules)
        try:
            settings.INSTALLED_APPS  # noqa: B018
        except Exception as error:
            missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
            if not module or (missing and (module + ".").startswith(missing + ".") and not self.imported(error, module)):
                self.find("settings-module", "refuse", module=module, found=self.modules(), directory=os.getcwd())
            else:
                self.failed("settings", "refuse", error)
            raise Stop from None
        loaded = sys.modules.get(module)
        paths = [getattr(loaded, "__file__", "") or ""]
        # The rest of the settings is in the modules that they import. The last ones take precedence.
        names = [name for name in sys.modules if name not in known]
        paths += [getattr(sys.modules[name], "__file__", "") or "" for name in reversed(names)]
        directory = os.path.dirname(paths[0])
        if re.search("settings|conf", os.path.basename(directory)):
            paths += sorted(glob.glob(directory + "/**/*.py", recursive=True))
        self.files = [path for path in dict.fromkeys(paths) if path.endswith(".py") and self.own(path)]
        self.module = loaded
        self.configured = settings
        return settings

    @staticmethod
    def imported(error, module):
        """Whether code in the settings was already running when an import failed."""
        frames = traceback.extract_tb(error.__traceback__)
        path = module.replace(".", "/")
        return any(frame.filename.endswith((path + ".py", path + "/__init__.py")) for frame in frames)

    def modules(self):
        """Return the existing settings modules."""
        found = []
        for path in sorted(glob.glob("**/*settings*.py", recursive=True) + glob.glob("**/settings/*.py", recursive=True)):
            name = os.path.splitext(path)[0].replace("/", ".")
            if self.own(path) and not name.endswith("__init__") and "test" not in name and name not in found and path.count("/") <= 3:
                found.append(name)
        return found[:5]

    def setup(self):
        """Load the apps.

        Raises:
            Stop: They cannot be loaded.
        """
        import django
        from django.apps import apps
        from django.db.backends.base.base import BaseDatabaseWrapper
        from django.db.utils import OperationalError

        def connect(wrapper, *args):
            self.reached = True
            raise OperationalError("no database is asked here")

        BaseDatabaseWrapper.connect = connect
        BaseDatabaseWrapper.ensure_connection = connect
        try:
            django.setup()
        except Exception as error:
            if not self.lacks_backend(error, self.place("DATABASES")):
                self.failed("apps", "refuse", error)
            raise Stop from None
        self.apps = {config.label: config for config in apps.get_app_configs() if self.own(config.path)}

    def broken(self):
        """Whether no request could be answered."""
        return any(found["id"] in ("middleware", "urls") for found in self.findings)

    def parts(self):
        """Load everything that only a request would load: middleware, views, and the application that is served."""
        from django.urls import get_resolver
        from django.utils.module_loading import import_string

        settings = self.configured
        for name in settings.MIDDLEWARE:
            try:
                import_string(name)
            except Exception as error:
                self.failed("middleware", "refuse", error, name=name)
                return
        try:
            resolvers = [get_resolver()]
            while resolvers:
                resolvers += [each for each in resolvers.pop().url_patterns if hasattr(each, "url_patterns")]
        except Exception as error:
            self.failed("urls", "refuse", error, name=settings.ROOT_URLCONF)

    # --- Commands ---------------------------------------------------------------
    def commands(self):
        """Check that the commands of the release exist."""
        from django.core.management import get_commands

        known = set(get_commands())
        for variable, lines, severity in (
            ("berth_app_release_commands", self.given["release"], "refuse"),
            ("berth_app_schedules", self.given["schedules"], "warn"),
        ):
            for line in lines:
                name = shlex.split(line)[0]
                if name not in known and not name.startswith("-") and name not in ("help", "version"):
                    self.find("command", severity, kind="manage", variable=variable, name=name)
        for variable, words in self.given["commands"].items():
            self.command(variable, list(words), known)

    def command(self, variable, words, known):
        """Check a command, given as a list of arguments."""
        while words and (words[0] in ("exec", "env") or re.fullmatch(r"\w+=.*", words[0])):
            words = words[1:]
        if not words:
            return
        if not shutil.which(words[0]):
            self.find("command", "refuse", kind="program", variable=variable, name=words[0])
            return
        program = os.path.basename(words[0])
        if re.fullmatch(r"python[\d.]*", program) and os.path.dirname(shutil.which(words[0])) == os.path.dirname(shutil.which("python") or ""):
            rest = [word for word in words[1:] if not re.fullmatch(r"-[uBEIOsSW]+", word)]
            if rest[:1] == ["-m"] and len(rest) > 1:
                if not self.there(rest[1]):
                    self.find("command", "refuse", kind="module", variable=variable, name=rest[1])
                    return
                program, words = rest[1], rest[1:]
            elif rest[:1] and os.path.basename(rest[0]) == "manage.py" and len(rest) > 1:
                if rest[1] not in known and not rest[1].startswith("-"):
                    self.find("command", "refuse", kind="manage", variable=variable, name=rest[1])
                return
        elif program == "manage.py" and len(words) > 1 and words[1] not in known and not words[1].startswith("-"):
            self.find("command", "refuse", kind="manage", variable=variable, name=words[1])
        if program in ("gunicorn", "uvicorn", "daphne", "hypercorn") and not {"--chdir", "--pythonpath", "--app-dir", "--factory"} & {
            word.split("=")[0] for word in words
        }:
            for word in words[1:]:
                if program == "gunicorn" and re.fullmatch(r"[A-Za-z_][\w.]*[.][wa]sgi", word):
                    self.application(variable, word + ":application")
                if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", word) and not word.startswith(("unix", "fd", "file", "python", "localhost")):
                    self.application(variable, word)
        if program == "celery":
            self.celery(variable, words)
        if variable == "berth_app_command" and self.loopback(program, words[1:]):
            self.find("command", "refuse", kind="loopback", variable=variable, name=program)

    def loopback(self, program, words):
        """Whether a server certainly listens where nobody outside the pod can reach it."""
        options, variables = LOOPBACK.get(program, ((), ()))
        if not options or any(self.before.get(name) for name in variables):
            return False
        if program == "gunicorn" and os.path.isfile("gunicorn.conf.py"):
            with open("gunicorn.conf.py", encoding="utf-8", errors="replace") as source:
                if re.search(r"\bbind\b", source.read()):
                    return False
        return not any(word.split("=")[0] in options or word[:2] in options for word in words)

    @staticmethod
    def there(module):
        """Whether a module can be imported."""
        try:
            return importlib.util.find_spec(module) is not None
        except (ImportError, ValueError, AttributeError):
            return False

    def application(self, variable, word):
        """Load the application that a server's command names."""
        module, _, name = word.partition(":")
        try:
            found = importlib.import_module(module)
        except Exception as error:
            self.failed("application", "refuse", error, name=word, variable=variable)
            return
        if not hasattr(found, name):
            self.find("application", "refuse", name=word, variable=variable, module=module, lacks=name)

    def celery(self, variable, words):
        """Check that the app of a Celery command exists and that its broker comes from the environment."""
        names = [words[index + 1] for index, word in enumerate(words[:-1]) if word in ("-A", "--app")]
        names += [word.split("=", 1)[1] for word in words if word.startswith("--app=")]
        try:
            from celery.app.utils import find_app

            app = find_app(names[0]) if names else None
        except Exception as error:
            self.failed("application", "refuse", error, name=names[0] if names else "celery", variable=variable)
            return
        if app is None or getattr(app.conf, "task_always_eager", False):
            return
        address = app.conf.broker_url
        address = address[0] if isinstance(address, (list, tuple)) and address else address
        if self.speechless(app):
            self.find("broker", "refuse", scheme=urlsplit(address or "amqp:").scheme)
            return
        host = urlsplit(address or "amqp://localhost").hostname or ""
        if any(address and (address in value or host == value) for value in self.before.values()) and host not in LOCAL:
            return
        if (address or "").startswith(("memory:", "filesystem:", "sqla+", "django:")):
            return
        self.find("broker", "warn", host=host, local=host in LOCAL, asked=sorted(self.reads(r"BROKER|REDIS|AMQP|RABBIT|VALKEY")))

    @staticmethod
    def speechless(app):
        """Whether the library for an app's broker is missing. Depending on its version, Kombu reports that on import or when it creates a transport."""
        try:
            app.connection_for_read().transport  # noqa: B018, does not connect yet
        except (ImportError, AttributeError) as error:
            return any("/kombu/" in frame.filename for frame in traceback.extract_tb(error.__traceback__))
        except Exception:
            pass  # about another machine, or a setting that is reported elsewhere
        return False

    # --- Settings ---------------------------------------------------------------
    def debug(self):
        """Check whether visitors can see errors."""
        if not self.configured.DEBUG:
            return
        variable, value = self.fitting("DEBUG", r"(?i)debug", ("0", "False", ""), lambda given: not given)
        self.find("debug", "warn", place=self.place("DEBUG"), variable=variable, value=value)

    def fitting(self, name, pattern, candidates, fits):
        """Return the environment variable that determines a setting, and a value for it that makes the setting fit, or "" if there is none.

        Only the expression itself knows: bool("0") is true, and a list may be parted by commas or by spaces.
        """
        found = self.assignment(name)
        names = [each for each in self.reads(pattern) if each in ast.dump(found[1])] if found else []
        scope = next((vars(each) for each in list(sys.modules.values()) if getattr(each, "__file__", "") == found[0]), None) if found else None
        if not names or scope is None:
            return "", ""
        kept = os.environ.get(names[0])
        try:
            code = compile(ast.Expression(found[1].value), found[0], "eval")
            for candidate in candidates:
                os.environ[names[0]] = candidate
                try:
                    if fits(eval(code, dict(scope))):
                        return names[0], candidate
                except Exception:  # the settings reject this value
                    continue
        finally:
            os.environ.pop(names[0], None)
            if kept is not None:
                os.environ[names[0]] = kept
        return "", ""

    def secret(self):
        """Check whether the key comes from the environment."""
        from django.core.exceptions import ImproperlyConfigured

        try:
            key = self.configured.SECRET_KEY
        except ImproperlyConfigured:
            key = ""
        key = key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
        names = self.reads(r"(?i)secret_?key|\bSECRET\b")
        found = self.assignment("SECRET_KEY")
        # A variable that is already set but does not determine the key would not change it.
        variable = next((name for name, there in names.items() if not there or (found and name in ast.dump(found[1]))), "")
        if not key:
            needed = {"django.contrib.auth", "django.contrib.sessions"} & set(self.configured.INSTALLED_APPS)
            self.find("secret-key", "refuse" if needed else "warn", kind="empty", place=self.place("SECRET_KEY"), variable=variable)
        elif any(key in value for value in self.before.values()):
            return
        elif found and re.search(r"get_random_secret_key|token_(?:hex|urlsafe|bytes)|uuid4|urandom|get_random_string", ast.dump(found[1])):
            self.find("secret-key", "warn", kind="random", place=self.place("SECRET_KEY"), variable=variable)
        else:
            place = self.written(key)
            if place:
                self.find("secret-key", "warn", kind="source", place=place, variable=variable)

    def written(self, text):
        """Return where a text is in the project's settings or in a file of variables next to them, or "" if it is not there."""
        for path in self.files:
            for node in ast.walk(self.tree(path)):
                if isinstance(node, ast.Constant) and node.value in (text, text.encode()):
                    return f"{self.shown(path)}:{node.lineno}"
        directories = {os.getcwd(), *(os.path.dirname(path) for path in self.files), *(os.path.dirname(os.path.dirname(path)) for path in self.files)}
        for path in sorted(os.path.join(directory, name) for directory in directories for name in (".env", "settings.ini", ".secrets.toml")):
            try:
                with open(path, encoding="utf-8", errors="replace") as source:
                    for number, line in enumerate(source, 1):
                        if text in line:
                            return f"{self.shown(path)}:{number}"
            except OSError:
                continue
        return ""

    def engine(self):
        """Return the ENGINE of the settings' database, "" if there is none."""
        engine = (self.configured.DATABASES.get("default") or {}).get("ENGINE") or ""
        return "" if engine == "django.db.backends.dummy" else engine

    def database(self):
        """Check whether the database comes from the environment."""
        from django.db import connections

        databases = self.configured.DATABASES
        default = databases.get("default") or {}
        engine = self.engine()
        migrates = any(shlex.split(line)[:1] == ["migrate"] for line in self.given["release"])
        names = self.given["database"]["env"]
        value = {part: self.before.get(name, "") for part, name in names.items()}
        facts = {"place": self.place("DATABASES"), "asked": sorted(self.reads(r"DB|DATABASE|SQL|POSTGRES|PG|RDS")), "engine": engine, "env": names}
        facts.update({"driver": self.there("psycopg") or self.there("psycopg2"), "tls": bool(value.get("sslrootcert"))})
        if not engine:
            if migrates:
                self.find("database", "refuse", kind="none", **facts)
            return
        try:
            vendor = connections["default"].vendor
        except Exception as error:
            if not self.lacks_backend(error, facts["place"]):
                self.failed("database", "refuse", error, kind="error")
            return
        if vendor == "sqlite":
            self.sqlite(str(default.get("NAME") or ""), migrates, facts)
            return
        options = default.get("OPTIONS") or {}
        host = str(default.get("HOST") or "")
        wanted = {value.get("host", ""), *self.given["database"]["aliases"]} - {""}
        if not wanted or host in wanted or any(key in options for key in ("service", "host", "hostaddr", "dsn")):
            given = {part: str(default.get(part.upper()) or "") for part in ("name", "user", "password")}
            differs = [part for part in given if host in wanted and value.get(part) and given[part] != value[part]]
            if differs:
                self.find("database", "warn", kind="parts", parts=differs, **facts)
            return
        if host in LOCAL and (host or not self.before.get("PGHOST")) and not host.startswith("/"):
            self.find("database", "refuse" if migrates else "warn", kind="local", **facts)
        elif host not in LOCAL and not host.startswith("/"):
            self.find("database", "warn", kind="other", host=host, vendor=vendor, **facts)

    def sqlite(self, name, migrates, facts):
        """Check whether an SQLite file is writable and persistent."""
        if name.startswith("file:"):
            return
        if not name or name == ":memory:":
            self.find("database", "warn", kind="memory", **facts)
            return
        path = os.path.abspath(name)
        directory = os.path.dirname(path)
        if self.under(path, self.given["volumes"]):
            return
        if os.access(directory, os.W_OK):
            self.find("database", "warn", kind="lost", file=path, **facts)
        elif os.path.exists(path):
            self.find("database", "warn", kind="readonly", file=path, **facts)
        else:
            self.find("database", "refuse" if migrates else "warn", kind="sqlite", file=path, **facts)

    @staticmethod
    def under(path, directories):
        """Whether a path is in one of the given directories."""
        return any((path.rstrip("/") + "/").startswith(directory.rstrip("/") + "/") for directory in directories)

    def caches(self):
        """Check whether pods share what they must."""
        settings = self.configured
        backend = settings.CACHES.get("default", {}).get("BACKEND", "")
        if not self.given["several"] or not backend.endswith("LocMemCache"):
            return
        sessions = settings.SESSION_ENGINE == "django.contrib.sessions.backends.cache"
        if sessions or self.assignment("CACHES"):
            found = self.assignment("CACHES")
            asked = [name for name, there in self.reads(r"REDIS|CACHE|VALKEY").items() if not there and found and name in ast.dump(found[1])]
            place = self.place("SESSION_ENGINE") if sessions else self.place("CACHES")
            self.find("cache", "warn", sessions=sessions, place=place, asked=asked)

    def logs(self):
        """Check whether exceptions in views are logged: with DEBUG off, Django's default LOGGING only sends them by email.

        https://docs.djangoproject.com/en/stable/ref/logging/#default-logging-configuration
        """
        sentry = sys.modules.get("sentry_sdk")
        client = sentry and (sentry.get_client() if hasattr(sentry, "get_client") else sentry.Hub.current.client)
        if self.configured.DEBUG or getattr(client, "dsn", None):
            return
        found, logger = [], logging.getLogger("django.request")
        while logger:
            found += logger.handlers
            logger = logger.parent if logger.propagate else None
        # If there is no handler at all, Python writes errors itself.
        if found and not any(map(self.tells, found)):
            self.find("logging", "warn", place=self.place("LOGGING"))

    def tells(self, handler):
        """Whether a handler makes an error visible to somebody, which a file in a pod does not."""
        from django.utils.log import AdminEmailHandler, RequireDebugTrue

        if handler.level > logging.ERROR or any(isinstance(each, RequireDebugTrue) for each in handler.filters):
            return False
        if isinstance(handler, AdminEmailHandler):
            return bool(self.configured.ADMINS)
        return not isinstance(handler, (logging.NullHandler, logging.FileHandler))

    # --- Requests ---------------------------------------------------------------
    def serving(self):
        """Return the WSGI application that is served, as far as that is known, and whether it certainly receives requests first.

        Raises:
            Stop: There is none.
        """
        from django.core.handlers.asgi import ASGIHandler
        from django.core.handlers.wsgi import WSGIHandler

        settings = self.configured
        plain = not any(map(shutil.which, (*FRONTS, "uwsgi")))
        named = settings.WSGI_APPLICATION
        found = []
        if self.there(SERVED):
            named = SERVED + ".application"
        names = [word.replace(":", ".") for words in self.given["commands"].values() for word in words if re.fullmatch(r"[\w.]*wsgi(:\w+)?", word)]
        names = [name if name.rpartition(".")[2] != "wsgi" else name + ".application" for name in names]
        names = [named] if named == SERVED + ".application" or not names else names
        others = [settings.WSGI_APPLICATION, getattr(settings, "ASGI_APPLICATION", None)]
        others += [path.replace("/", ".")[:-3] + ".application" for path in glob.glob("*/asgi.py") + glob.glob("*/wsgi.py")]
        for name in dict.fromkeys(name for name in names + others if name):
            module, _, attribute = name.rpartition(".")
            try:
                application = getattr(importlib.import_module(module), attribute)
            except Exception as error:
                plain = False
                # What a Dockerfile generated by Berth serves is known. Other images may serve something else.
                if name == named and not self.told("application", None):
                    self.failed("application", "refuse" if name.startswith(SERVED) else "warn", error, name="The application", variable="the image")
                continue
            # The only relevant fact about an ASGI application is that it is Django's own.
            plain = plain and type(application) in (WSGIHandler, ASGIHandler)
            if name in names and not isinstance(application, ASGIHandler) and "asgi" not in name:
                found.append(application)
        try:
            return (found[0] if found else WSGIHandler()), plain
        except Exception as error:
            self.failed("middleware", "refuse", error, name="")
            raise Stop from None

    def ask(self, application, path, host, **headers):
        """Return the status and headers of the response to a request, or 0 if it needs something that is missing here."""
        from wsgiref.util import setup_testing_defaults

        answer = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "HTTP_HOST": host,
            "SERVER_NAME": host,
            "SERVER_PORT": "8000",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_USER_AGENT": "kube-probe/1.36",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_ACCEPT": "*/*",
            **headers,
        }
        setup_testing_defaults(environ)
        self.reached, self.raised = False, None
        try:
            body = application(environ, lambda status, fields, info=None: answer.extend([int(status.split(" ")[0]), dict(fields)]))
            close = getattr(body, "close", None)
            if close:
                close()
        except Exception:
            return 0, {}
        if self.reached or len(answer) < 2:
            return 0, {}
        return answer[0], {name.lower(): value for name, value in answer[1].items()}

    def quieten(self):
        """Isolate the requests made here: they must not reach another machine or anybody who is notified of errors."""

        def refuse(*args):
            self.reached = True
            raise ConnectionRefusedError("no other machine is called here")

        socket.socket.connect = refuse
        socket.socket.connect_ex = refuse
        socket.getaddrinfo = refuse
        logging.disable(logging.CRITICAL)
        sentry = sys.modules.get("sentry_sdk")
        if sentry:
            sentry.init(dsn="")

    def requests(self):
        """Send the app the requests of probes and visitors."""
        if self.broken():
            return
        self.quieten()
        application, plain = self.serving()
        self.pages(application, plain)
        self.probes(application, plain)
        self.hosts()
        self.https(application, plain)
        self.static(application)

    def pages(self, application, plain):
        """Request the pages that are requested first, and record exceptions that neither the database nor another machine causes."""
        from django.core.signals import got_request_exception

        def note(**_):
            self.raised = sys.exc_info()[1]

        got_request_exception.connect(note)
        probe = self.given["probe"]
        health = [probe[kind].partition("?")[0] for kind in KINDS] if probe["type"] == "http" else []
        for path in dict.fromkeys([*health, self.given["path"].partition("?")[0]]):
            status, _ = self.ask(application, path, probe["host"])
            if status >= 500 and self.raised:
                self.failed("page", "refuse" if plain and path in health else "warn", self.raised, name=path)
        got_request_exception.disconnect(note)

    def probes(self, application, plain):
        """Probe the app's health as Kubernetes does."""
        from django.http.request import split_domain_port, validate_host

        probe = self.given["probe"]
        if probe["type"] != "http":
            return
        found = {}
        for kind in KINDS:
            path, host = probe[kind], probe["host"]
            status, fields = self.ask(application, path.partition("?")[0], host)
            where = fields.get("location", "")
            if status == 400 and not validate_host(split_domain_port(host)[0], self.allowed()):
                cause = "host"
            elif status in (404, 405, 410):
                cause = "path"
            elif 300 <= status < 400:
                cause = "https" if where.startswith("https://") else "redirect"
            elif status in (401, 403):
                cause = "login"
            else:
                continue
            facts = found.setdefault(cause, {"paths": [], "variables": [], "status": status, "location": where})
            facts["paths"].append(path)
            if probe["variables"][kind] not in facts["variables"]:
                facts["variables"].append(probe["variables"][kind])
        for cause, facts in found.items():
            facts.update({"cause": cause, "host": probe["host"], "public": bool(self.given["public_host"]), **self.listed()})
            if cause == "https":
                facts.update(self.switched("SECURE_SSL_REDIRECT"))
            if cause in ("path", "redirect", "login"):
                facts["answers"] = next((one for one in [*HEALTH, *self.plain()] if self.ask(application, one, probe["host"])[0] == 200), "")
                facts["urls"] = self.shown(getattr(sys.modules.get(self.configured.ROOT_URLCONF), "__file__", "") or "")
            self.find("probe", "refuse" if plain else "warn", **facts)

    @staticmethod
    def plain():
        """Return pages that projects without a health check may have and that need neither a login nor a database."""
        from django.urls import NoReverseMatch, reverse

        try:
            return ["/robots.txt", reverse("admin:login")]
        except NoReverseMatch:
            return ["/robots.txt"]

    def allowed(self):
        """Return the host names that Django accepts."""
        hosts = list(self.configured.ALLOWED_HOSTS)
        return [".localhost", "127.0.0.1", "[::1]"] if self.configured.DEBUG and not hosts else hosts

    def listed(self):
        """Return where ALLOWED_HOSTS is set, and a variable with a value that gives it all required host names."""
        from django.http.request import split_domain_port, validate_host

        asked = [split_domain_port(self.given["probe"]["host"])[0], *(host.lstrip(".") for host in self.given["hosts"])]
        given = self.before.get("DJANGO_ALLOWED_HOSTS", "").split(",")
        names = list(dict.fromkeys([name for name in [*given, *self.given["hosts"], asked[0]] if name]))

        def fits(hosts):
            return isinstance(hosts, (list, tuple)) and all(validate_host(host, hosts) for host in asked)

        variable, value = self.fitting("ALLOWED_HOSTS", r"HOSTS?", (",".join(names), " ".join(names), json.dumps(names)), fits)
        return {"place": self.place("ALLOWED_HOSTS"), "variable": variable, "value": value}

    def hosts(self):
        """Check whether the app accepts the host names that visitors use."""
        from django.http.request import validate_host

        if self.told("probe", "host"):
            return
        if "django.middleware.common.CommonMiddleware" not in self.configured.MIDDLEWARE:
            return
        lacking = [host for host in self.given["hosts"] if host and not validate_host(host.lstrip("."), self.allowed())]
        if lacking:
            self.find("hosts", "warn", lacking=lacking, **self.listed())

    def switched(self, *names):
        """Return settings that require TLS, where they are set, and variables that turn all of them off, or none if one has no such variable."""
        found = [self.fitting(name, r"SSL|TLS|HTTPS|SECURE|COOKIE", ("0", "False", ""), lambda given: not given) for name in names]
        return {"names": names, "place": self.place(names[0]), "off": dict(found) if all(variable for variable, _ in found) else {}}

    def cookies(self):
        """Check whether browsers return the cookies that the app sets."""
        uses = {
            "SESSION_COOKIE_SECURE": "django.contrib.sessions" in self.configured.INSTALLED_APPS,
            "CSRF_COOKIE_SECURE": "django.middleware.csrf.CsrfViewMiddleware" in self.configured.MIDDLEWARE,
        }
        names = [name for name, used in uses.items() if used and getattr(self.configured, name)]
        if names and not self.given["public_host"]:
            self.find("cookies", "warn", **self.switched(*names))

    def https(self, application, plain):
        """Check whether visitors can use the app with TLS terminated in front of it, and without TLS."""
        from django.core.handlers.wsgi import WSGIRequest

        settings, path, public = self.configured, self.given["path"].partition("?")[0], self.given["public_host"]
        header = settings.SECURE_PROXY_SSL_HEADER
        if not public:
            for host in [] if self.told("probe", "https") else self.given["hosts"][:1]:
                where = self.ask(application, path, host)[1].get("location", "")
                if where.startswith("https://" + host):
                    self.find("https", "warn", kind="none", **self.switched("SECURE_SSL_REDIRECT"))
            return
        fields = self.ask(application, path, public, HTTP_X_FORWARDED_PROTO="https")[1]
        if fields.get("location", "").split("?")[0] == "https://" + public + path:
            self.find("https", "refuse" if plain else "warn", kind="loop", place=self.place("SECURE_SSL_REDIRECT"), header=bool(header))
            return
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "HTTP_X_FORWARDED_PROTO": "https", "HTTP_HOST": public, "wsgi.url_scheme": "http"}
        request = WSGIRequest({**environ, "wsgi.input": io.BytesIO()})
        origins = [urlsplit(origin if "//" in origin else "//" + origin) for origin in settings.CSRF_TRUSTED_ORIGINS]
        trusted = any(each.hostname == public or (each.netloc.startswith("*") and public.endswith(each.netloc[1:])) for each in origins)
        csrf = "django.middleware.csrf.CsrfViewMiddleware" in settings.MIDDLEWARE
        if csrf and not request.is_secure() and not trusted and self.origins():
            self.find("csrf", "warn", host=public, place=self.place("CSRF_TRUSTED_ORIGINS"), asked=sorted(self.reads(r"CSRF|TRUSTED")))

    @staticmethod
    def origins():
        """Whether this Django version checks the Origin header: https://docs.djangoproject.com/en/stable/releases/4.0/#csrf."""
        import django

        return django.VERSION >= (4, 0)

    # --- Files --------------------------------------------------------------------
    def static(self, application):
        """Request a static file as a page does."""
        from django.contrib.staticfiles import finders

        if self.given["static"]:
            return
        settings = self.configured
        if "django.contrib.staticfiles" not in settings.INSTALLED_APPS or not settings.STATIC_URL or urlsplit(settings.STATIC_URL).netloc:
            return
        root = os.path.abspath(str(settings.STATIC_ROOT)) if settings.STATIC_ROOT else ""
        if any(map(shutil.which, (*FRONTS, "uwsgi"))) or (root and self.under(root, self.given["volumes"])):
            return
        file = next((path for finder in finders.get_finders() for path, _ in finder.list([".*", "*~"])), "")
        url, known = self.address(file) if file else ("", True)
        if not file or urlsplit(url).netloc:
            return
        prefix = (settings.FORCE_SCRIPT_NAME or "").rstrip("/")
        path = urlsplit(url).path
        path = path[len(prefix) :] if prefix and path.startswith(prefix + "/") else path
        host = next(iter(self.given["hosts"]), "localhost")
        status = self.ask(application, path, host, HTTP_X_FORWARDED_PROTO="https" if self.given["public_host"] else "http")[0]
        if known and status != 404:
            return
        serves = any(name.startswith(("whitenoise.", "servestatic.")) for name in settings.MIDDLEWARE) or self.there(SERVED)
        place = {"middleware": self.place("MIDDLEWARE"), "place": self.place("STATIC_ROOT"), "root": root}
        if serves or not known:
            filled = root and os.path.isdir(root) and os.listdir(root)
            # If the directory is writable, the files may be collected when the pod starts.
            at_start = root and os.access(self.existing(root), os.W_OK)
            if not at_start and not (filled and known):
                self.find("collectstatic", "warn", filled=bool(filled), **place)
        if not serves and status == 404:
            self.find("static", "warn", installed=self.there("whitenoise"), **place)

    @staticmethod
    def existing(path):
        """Return the closest existing directory of a path."""
        while not os.path.isdir(path) and path != "/":
            path = os.path.dirname(path)
        return path

    @staticmethod
    def address(file):
        """Return the URL of a static file, and whether the static files storage knew its name."""
        from django.conf import settings
        from django.contrib.staticfiles.storage import staticfiles_storage

        try:
            return staticfiles_storage.url(file), True
        except ValueError:
            return settings.STATIC_URL + file, False
        except Exception:
            return "//elsewhere", True

    def static_files(self):
        """Check whether the static files for the web server beside the app are in the image, and at the URL that pages use."""
        if not self.given["static"]:
            return
        path, url = self.given["static"]["path"], self.given["static"]["url"]
        asked = str(self.configured.STATIC_URL or "")
        if not any(names for _, _, names in os.walk(path)):
            root = os.path.abspath(str(self.configured.STATIC_ROOT)) if self.configured.STATIC_ROOT else ""
            self.find("static-files", "refuse", path=path, root=root if root != path else "", place=self.place("STATIC_ROOT"))
        elif asked and not urlsplit(asked).netloc and asked != url:
            self.find("static-files", "warn", url=url, asked=asked, place=self.place("STATIC_URL"))

    def media(self):
        """Check whether uploads are persistent."""
        from django.apps import apps
        from django.core.files.storage import FileSystemStorage, default_storage
        from django.db.models import FileField

        settings = self.configured
        fields = [field for model in apps.get_models() for field in model._meta.get_fields() if isinstance(field, FileField)]
        try:
            used = [field for field in fields if field.storage is default_storage or not hasattr(field, "storage")]
            local = isinstance(default_storage, FileSystemStorage)
        except Exception:
            return
        if not used or not local:
            return
        root, url = os.path.abspath(str(settings.MEDIA_ROOT or "")), str(settings.MEDIA_URL or "")
        name = f"{used[0].model.__name__}.{used[0].name}"
        if self.under(root, self.given["volumes"]):
            if root not in self.given["volumes"] or not url.startswith(tuple(self.given["shown"])):
                self.unseen(name, root, url)
        else:
            lost = self.under(root, self.given["writable"])
            self.find("media", "warn", root=root, lost=lost, field=name, place=self.place("MEDIA_ROOT"), code=root == os.getcwd(), url=url)

    def translations(self):
        """Check whether the project's translations are compiled."""
        from django.apps import apps
        from django.utils.translation import to_locale

        settings = self.configured
        if not settings.USE_I18N:
            return
        places = [*map(str, settings.LOCALE_PATHS), *(os.path.join(app.path, "locale") for app in apps.get_app_configs())]
        files = [
            os.path.join(place, to_locale(code), "LC_MESSAGES", name)
            for place in filter(self.own, places)
            for code, _ in settings.LANGUAGES
            for name in ("django.po", "djangojs.po")
        ]
        lacking = [file for file in files if os.path.isfile(file) and not os.path.isfile(file[:-2] + "mo")]
        if lacking:
            self.find("translations", "warn", file=self.shown(lacking[0]), more=len(lacking) - 1)

    def unseen(self, field, root, url):
        """Check whether the app serves persistent files to visitors, if nothing beside it does."""
        from django.urls import Resolver404, resolve

        prefix = (self.configured.FORCE_SCRIPT_NAME or "").rstrip("/")
        path = url[len(prefix) :] if prefix and url.startswith(prefix + "/") else url
        # An empty setting means the URL of the whole site.
        if path in ("", "/") or urlsplit(url).netloc or any(map(shutil.which, FRONTS)):
            return
        try:
            resolve(path + "a-file")
        except Resolver404:
            self.find("media-url", "warn", field=field, root=root, url=url, whole=root in self.given["volumes"], place=self.place("MEDIA_URL"))
        except Exception:
            return

    # --- Models and Django's own checks ---------------------------------------------
    def migrations(self):
        """Check for model changes without a migration."""
        from django.apps import apps
        from django.db.migrations.autodetector import MigrationAutodetector
        from django.db.migrations.loader import MigrationLoader
        from django.db.migrations.questioner import MigrationQuestioner
        from django.db.migrations.state import ProjectState

        loader = MigrationLoader(None, ignore_no_migrations=True)
        detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps), MigrationQuestioner(specified_apps=set(), dry_run=True))
        changes = detector.changes(graph=loader.graph)
        without = {
            label
            for label, config in self.apps.items()
            if label in loader.unmigrated_apps
            and label not in self.configured.MIGRATION_MODULES
            and any(model._meta.managed and not model._meta.proxy and not model._meta.swapped for model in config.get_models())
        }
        found = sorted((set(changes) & set(self.apps)) | without)
        if found and not any("--run-syncdb" in line for line in self.given["release"]) and not self.makes_none(found):
            operations = [operation for label in found for migration in changes.get(label, ()) for operation in migration.operations]
            self.find("migrations", "warn", apps=found, operations=[operation.describe() for operation in operations])

    def makes_none(self, labels):
        """Whether the project has its own makemigrations, which leaves out these changes."""
        from django.core.management import call_command, get_commands

        if get_commands().get("makemigrations") == "django.core":
            return False
        reached = self.reached
        try:
            call_command("makemigrations", *labels, check_changes=True, dry_run=True, interactive=False, verbosity=0)
        except (Exception, SystemExit):
            return False
        finally:
            self.reached = reached
        return True

    def checks(self):
        """Run Django's own checks, except security checks that are already reported here or that need TLS where there is none."""
        from django.core import checks

        if self.broken() or not any(shlex.split(line)[:1] == ["migrate"] for line in self.given["release"]):
            return
        messages = [message for message in checks.run_checks(include_deployment_checks=True) if not message.is_silenced()]
        errors = [message for message in messages if message.level >= checks.ERROR and not str(message.id).startswith("security.")]
        if self.reached:
            return
        if not self.engine():
            errors = [message for message in errors if message.id != "fields.E120"]  # PostgreSQL needs no length for a CharField
        if errors:
            texts = ["{} ({})".format(" ".join(str(message.msg).split())[:300], message.id) for message in errors]
            hints = [" ".join(str(message.hint).split())[:300] for message in errors if message.hint]
            self.find("check", "refuse", errors=texts[:5], count=len(errors), hints=hints[:5])
        skipped = {f"security.W{number:03}" for number in (*TOLD, *(() if self.given["public_host"] else TLS))}
        names = sorted({str(message.id) for message in messages if str(message.id).startswith("security.")} - skipped)
        if names:
            self.find("deploy", "warn", ids=names)

    # --- Everything -------------------------------------------------------------------
    def look(self):
        """Run all checks independently. A check that is impossible reports nothing."""
        try:
            self.manage()
            self.settings()
            self.setup()
        except Stop:
            return
        looks = (self.parts, self.commands, self.debug, self.secret, self.database, self.caches, self.migrations)
        looks += (self.static_files, self.media, self.translations, self.checks, self.logs, self.cookies, self.requests)
        for look in looks:
            self.reached = False
            try:
                look()
            except Stop:
                continue
            except Exception as error:
                if not self.reached:
                    self.unknown.append(f"{look.__name__}: {type(error).__name__}")

    def report(self):
        """Return the findings that count, and the facts about the settings that the advice needs."""
        ignored = set(self.given["ignored"])
        scope = vars(self.module) if getattr(self, "module", None) else {}
        base = scope.get("BASE_DIR")
        kind = "path" if hasattr(base, "joinpath") else "text" if isinstance(base, str) else ""
        file = self.shown(self.files[0]) if self.files else ""
        findings = [found for found in self.findings if found["id"] not in ignored]
        if self.given["action"] != "refuse":
            findings = [{**found, "severity": "warn"} for found in findings]
        has = [name for name in SETTINGS if name in scope]
        return {"findings": findings, "file": file, "os": hasattr(scope.get("os"), "environ"), "base": kind, "has": has, "unknown": self.unknown}


def child(given, pipe):
    """Check the project in a separate process, which the project may terminate or hang, and send the findings."""
    os.environ.__class__ = Recorded
    project = Project(given)
    try:
        project.look()
    finally:
        with os.fdopen(pipe, "w") as out:
            json.dump(project.report(), out)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def main():
    """Check the project, print the findings, and exit with REFUSED if it cannot work."""
    given = json.loads(sys.argv[1])
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        signal.alarm(LONGEST)
        # Output of the project must not mix with the result.
        os.dup2(2, 1)
        child(given, writing)
    os.close(writing)
    # A process started by the project may keep the pipe open.
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.alarm(LONGEST + 5)
    with os.fdopen(reading) as answer:
        text = answer.read()
    try:
        report = json.loads(text)
    except ValueError:
        report = {"findings": [], "unknown": ["everything"]}
    print(MARK + json.dumps(report), flush=True)
    sys.exit(REFUSED if any(found["severity"] == "refuse" for found in report["findings"]) else 0)


if __name__ == "__main__":
    main()
