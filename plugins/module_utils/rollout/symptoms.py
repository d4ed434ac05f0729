"""Say what is wrong with an app from the last lines of its log, and what to do about it, with the inventory variable.

All functions take text. Only the exact words of Python, Django, the servers and the dynamic linker count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from . import services
from .symptom import NOT_OWN, REQUIREMENTS, Explain, Symptom, fixed, place

SIZE = "64Mi"
"""The size of a directory of berth_app_writable in examples."""


def of_log(lines: Sequence[str], command: str = "the container's command") -> Symptom | None:
    """Return what the last meaningful lines of a log say; None if they say nothing known.

    Args:
        lines: The end of the log, oldest line first.
        command: How the inventory names the container's command.
    """
    for index in range(len(lines) - 1, -1, -1):
        for pattern, explain in (*services.PATTERNS, *_PATTERNS):
            if (match := pattern.search(lines[index])) and (found := explain(match, lines[: index + 1], command)):
                return found
    return None


_ERROR = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|ImproperlyConfigured)\b.*")


def of_build(lines: Sequence[str], own: bool = True) -> str:
    """Return why the project could not be loaded while its image was built, and what to do, in sentences; "" if the log does not say.

    Args:
        lines: The build's last lines, oldest first.
        own: Whether the Dockerfile is the project's own.
    """
    said = [re.sub(r"^#\d+ [\d.]+ ", "", line) for line in lines]  # Docker's numbering
    error = next((index for index in range(len(said) - 1, -1, -1) if _ERROR.match(said[index])), None)
    if error is None:
        return ""
    trace = said[: error + 1]
    at = place(trace)
    found = of_log(trace, "the Dockerfile")
    if found and found.cause == "setting":
        return f"{found.summary}{at}. {_unset(found.summary, own)}"
    if found and found.cause not in ("crash", services.NETWORK):
        return f"{found.summary}{at}. {found.advice}"
    told = f"{trace[-1].strip().rstrip('.')}{at}. Fix it there."
    way = _unset("", own)
    return told if is_in_code(trace[-1]) else f"{told} If a variable is missing: {way[0].lower()}{way[1:]}"


def _unset(summary: str, own: bool) -> str:
    """Return what to do about an environment variable that a build lacks and that a symptom's summary may name."""
    name = next(iter(re.findall(r"environment variable (\w+)", summary)), "NAME")
    way = f"set it in that line, as in RUN {name}=build python manage.py collectstatic --noinput"
    if not own:
        way = "set it in that line of a Dockerfile of your own; playbooks/ops/dockerfile.yml writes one"
    return f"A build has none of the environment's variables: give the setting that needs one a default, or {way}."


def is_in_code(error: str) -> bool:
    """Whether no environment variable can fix an error.

    >>> is_in_code("NameError: name 'Good' is not defined"), is_in_code("ValueError: no level LOUD")
    (True, False)
    """
    return re.match(r"(?:Import|Syntax|Indentation|Tab|Name|UnboundLocal)Error\b", error) is not None


def telling(lines: Sequence[str]) -> str:
    """Return the most informative line of a log: its last error, or else its last line; "" if there is none.

    >>> telling(["django.db.utils.DataError: value too long", "  Applying shop.0002..."]), telling(["one", "two"])
    ('django.db.utils.DataError: value too long', 'two')
    """
    return next((line for line in reversed(lines) if _ERROR.match(line)), lines[-1] if lines else "")


# -- Modules and libraries ---------------------------------------------------------------------------------------

# Packages whose name differs from their module's.
_PACKAGES = {
    "MySQLdb": "mysqlclient", "PIL": "Pillow", "allauth": "django-allauth", "bs4": "beautifulsoup4", "compressor": "django-compressor",
    "corsheaders": "django-cors-headers", "crispy_forms": "django-crispy-forms", "cv2": "opencv-python-headless", "dateutil": "python-dateutil",
    "debug_toolbar": "django-debug-toolbar", "decouple": "python-decouple", "django_extensions": "django-extensions", "django_filters": "django-filter",
    "django_redis": "django-redis", "dj_database_url": "dj-database-url", "dotenv": "python-dotenv", "environ": "django-environ",
    "import_export": "django-import-export", "jwt": "PyJWT", "magic": "python-magic", "mptt": "django-mptt", "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary", "rest_framework": "djangorestframework", "simple_history": "django-simple-history", "sklearn": "scikit-learn",
    "storages": "django-storages", "taggit": "django-taggit", "yaml": "PyYAML",
}  # fmt: skip

# Debian packages of libraries whose name does not follow from the file's.
_LIBRARIES = {
    "libGL.so.1": "libgl1", "libEGL.so.1": "libegl1", "libjpeg.so.62": "libjpeg62-turbo", "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0", "libgobject-2.0-0": "libglib2.0-0", "libgio-2.0.so.0": "libglib2.0-0", "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libpango-1.0-0": "libpango-1.0-0", "libharfbuzz.so.0": "libharfbuzz0b", "libfontconfig.so.1": "libfontconfig1", "libmariadb.so.3": "libmariadb3",
    "libxml2.so.2": "libxml2", "libmagic.so.1": "libmagic1", "libSM.so.6": "libsm6", "libXext.so.6": "libxext6", "libXrender.so.1": "libxrender1",
}  # fmt: skip


def package_name(module: str) -> str:
    """Return the package on PyPI that probably provides a module.

    >>> package_name("PIL"), package_name("django_tables2")
    ('Pillow', 'django-tables2')
    """
    top = module.partition(".")[0]
    return _PACKAGES.get(top, top.replace("_", "-"))


def package_of(library: str) -> str:
    """Return the Debian package that probably provides a shared library, by Debian's naming rule unless it is a known exception.

    https://www.debian.org/doc/debian-policy/ch-sharedlibs.html#run-time-shared-libraries

    >>> package_of("libpq.so.5"), package_of("libicuuc-7.so.2")
    ('libpq5', 'libicuuc-7-2')
    """
    if known := _LIBRARIES.get(library):
        return known
    name, _, version = library.partition(".so")
    version = version.strip(".").split(".")[0]
    name = name.lower().replace("_", "-")
    return f"{name}-{version}" if version and name[-1:].isdigit() else name + version


def _module(match: re.Match[str], lines: Sequence[str], command: str) -> Symptom:
    missing = match["name"]
    top = missing.split(".")[0]
    if _importer(lines).endswith("django/conf/__init__.py"):
        return Symptom(
            "settings-module",
            f"there is no settings module {missing}",
            "Set DJANGO_SETTINGS_MODULE in berth_app_settings to the module of the project's settings.",
        )
    if any(f"/{top}/" in file or file.endswith(f"/{top}.py") for file in _files(lines)):
        return Symptom("module", f"the project has no module {missing}", f"Correct its name where it is imported, or in {command}.")
    return Symptom(
        "module",
        f"the module {missing} is not installed",
        f"Add the package {package_name(top)} to {REQUIREMENTS}; if {missing} is the project's own, correct its name where it is imported, or in {command}.",
    )


def _driver(match: re.Match[str], _lines: Sequence[str], _command: str) -> Symptom:
    package = package_name(match["name"])
    return Symptom("module", f"the database's driver {match['name']} is not installed", f"Add the package {package} to {REQUIREMENTS}.")


def _client(match: re.Match[str], _lines: Sequence[str], _command: str) -> Symptom:
    name = match["name"]
    return Symptom("module", f"the library {name} is not installed", f"Add the package {name} to {REQUIREMENTS}.")


def _broker(_match: re.Match[str], lines: Sequence[str], _command: str) -> Symptom | None:
    # Kombu runs without a broker's client until it is used (kombu/transport/redis.py).
    if not any('/kombu/transport/redis.py"' in line for line in lines[-4:]):
        return None
    return Symptom("module", "the client of Celery's broker, redis, is not installed", f"Add the package redis to {REQUIREMENTS}.")


def _library(match: re.Match[str], _lines: Sequence[str], _command: str) -> Symptom:
    library = PurePosixPath(match["name"]).name
    return Symptom(
        "library",
        f"the image lacks the shared library {library}",
        f"Add the Debian package that provides it, probably {package_of(library)}, to berth_app_packages if Berth generates the Dockerfile, "
        "otherwise to your Dockerfile's apt-get install.",
    )


def _migration(match: re.Match[str], lines: Sequence[str], command: str) -> Symptom | None:
    # It is the last line, because Python buffers its output until it ends; if it does not, the traceback continues on that line.
    earlier = lines[:-1]
    error = telling([line for line in earlier if _ERROR.match(line)])
    if not error or of_log(earlier, command):
        return None  # the known error says more
    summary = f"the migration {match['name']} fails{place(earlier)}: {error.rstrip('.')}"
    undone = "Its changes were rolled back, unless it sets atomic = False; earlier migrations stay applied."
    return Symptom("migration", summary, f"Fix that migration, then run the playbook again. {undone}")


# -- Files -------------------------------------------------------------------------------------------------------


def _files(lines: Sequence[str]) -> list[str]:
    """Return the files in the tracebacks, without those of Python and its packages."""
    files = [match[1] for line in lines if (match := re.search(r'File "(/[^"]+)"', line))]
    return [file for file in files if not NOT_OWN.search(file)]


def _importer(lines: Sequence[str]) -> str:
    """Return the file whose import failed: the last one in the traceback that is not Python's import machinery."""
    files = [match[1] for line in lines if (match := re.search(r'File "([^"]+)"', line))]
    return next((file for file in reversed(files) if "importlib" not in file), "")


def _write(match: re.Match[str], lines: Sequence[str], command: str) -> Symptom:
    path = PurePosixPath(match["path"])
    if not path.is_absolute():
        return _relative_write(path, command)
    makes_directory = any(re.search(r"\bmkdir\b|\bmakedirs\b", line) for line in lines[-4:-1])
    directory = path if makes_directory else path.parent
    summary = f"the app cannot write to {path}"
    if made_by := _manage_command(directory, lines):
        run = f"have the Dockerfile run python manage.py {made_by}, and remove that from {command} or from the script that it runs."
        return Symptom("writable", summary, f"Files that are generated next to the code belong in the image: {run}")
    if not _has_code(directory, makes_directory, lines):
        lost = "This hides the image's files there, and what the app writes there is lost with the pod."
        return Symptom("writable", summary, f"Name the directory in berth_app_writable: {{{directory}: {SIZE}}}. {lost}")
    return Symptom(
        "writable",
        summary,
        f"Let the app write below /tmp, or to a directory without code that berth_app_writable names, such as {{{directory / 'data'}: {SIZE}}}: "
        f"one at {directory} would hide the image's files there.",
    )


def _log_file(match: re.Match[str], lines: Sequence[str], _command: str) -> Symptom | None:
    if not any('/logging/__init__.py"' in line for line in lines[-6:]):
        return None  # any other file may exist at another time
    path = PurePosixPath(match["path"])
    way = "Let LOGGING write to the console (logging.StreamHandler), whose lines playbooks/ops/logs.yml shows, or to a file below /tmp."
    return Symptom("directory", f"there is no directory {path.parent} for the log file {path.name}", way)


def _relative_write(path: PurePosixPath, command: str) -> Symptom:
    summary = f"the app cannot write to {path} in its working directory"
    if path.name.startswith("celerybeat-schedule"):
        return Symptom("writable", summary, f"Add --schedule /tmp/celerybeat-schedule to {command}.")
    return Symptom("writable", summary, "Give it a path below /tmp, or below a directory without code that berth_app_writable names.")


_CODE = ("app", "src", "code", "project", "site")
_DATA = ("cache", "data", "files", "log", "logs", "media", "static", "staticfiles", "storage", "tmp", "uploads", "var")


def _manage_command(directory: PurePosixPath, lines: Sequence[str]) -> str:
    """Return the manage.py command that writes to a directory of its own package; "" for none."""
    found = (re.fullmatch(r"(?P<package>/.+)/management/commands/(?P<name>\w+)\.py", file) for file in _files(lines))
    return next((match["name"] for match in found if match and directory.is_relative_to(match["package"])), "")


def _has_code(directory: PurePosixPath, is_new: bool, lines: Sequence[str]) -> bool:
    """Whether a directory contains, or may well contain, the project's code, which an empty volume there would hide."""
    if str(directory) == "/" or any(file.startswith(f"{directory}/") for file in _files(lines)):
        return True
    if is_new or directory.name in _DATA:
        return False
    # The end of the log may not mention the project's own files: images keep them in /code, /srv/app or /usr/src/app.
    return len(directory.parts) <= 3 or directory.name in _CODE


# -- Settings and commands ---------------------------------------------------------------------------------------

_SECRET = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE|CREDENTIAL|KEY|DSN|_URL$")


def variable_of(name: str) -> str:
    """Return the inventory variable that an environment variable of the app belongs in."""
    return "berth_app_secrets" if _SECRET.search(name) else "berth_app_settings"


def _setting(match: re.Match[str], _lines: Sequence[str], _command: str) -> Symptom:
    name = match["name"]
    return Symptom("setting", f"the environment variable {name} is not set", f"Set {name} in {variable_of(name)}.")


def _key(match: re.Match[str], lines: Sequence[str], command: str) -> Symptom:
    # A dictionary of the project may also have keys in capitals: only os.environ raises from its own code.
    if any(re.search(r'File "(?:<frozen os>|[^"]*/os\.py)"', line) for line in lines[-4:]):
        return _setting(match, lines, command)
    return Symptom("crash", f"the key {match['name']} is missing", "Fix what the log shows.")


_PATTERNS: tuple[tuple[re.Pattern[str], Explain], ...] = tuple(
    (re.compile(pattern), explain)
    for pattern, explain in (
        (r"(?P<name>lib[\w.+-]+): cannot open shared object file", _library),
        (r"cannot load library '(?P<name>lib[^']+)'", _library),
        (r"failed to find (?P<name>libmagic)", fixed("library", "the image lacks the shared library libmagic.so.1", (
            "Add the Debian package libmagic1 to berth_app_packages if Berth generates the Dockerfile, otherwise to your Dockerfile's apt-get install."))),
        (r"Error loading (?P<name>psycopg2|psycopg|MySQLdb)\b", _driver),
        (r"ModuleNotFoundError: No module named '(?P<name>[^']+)'", _module),
        (r"ImportError: (?:The )?(?P<name>[\w.-]+)(?: library)? is not installed", _client),
        (r"You need to install the (?P<name>[\w.-]+) (?:v\d+ )?library", _client),
        (r"^AttributeError: 'NoneType' object has no attribute '\w+'", _broker),
        (r"^\s*Applying (?P<name>\w+\.\w+)\.\.\.$", _migration),
        (r"\[Errno (?:30|13)\] (?:Read-only file system|Permission denied): b?'(?P<path>[^']+)'", _write),
        (r"\[Errno 2\] No such file or directory: '(?P<path>/[^']+)'", _log_file),
        (r"sqlite3\.OperationalError: (?:attempt to write a readonly database|unable to open database file)", fixed(
            "sqlite", "its database is a SQLite file, which a pod cannot write to",
            "Let the settings' DATABASES read DATABASE_NAME, DATABASE_USER, DATABASE_PASSWORD, DATABASE_HOST and DATABASE_PORT from the environment.")),
        (r"django\.db\.utils\.OperationalError: (?:attempt to write a readonly database|unable to open database file)", fixed(
            "sqlite", "its database is a SQLite file, which a pod cannot write to",
            "Let the settings' DATABASES read DATABASE_NAME, DATABASE_USER, DATABASE_PASSWORD, DATABASE_HOST and DATABASE_PORT from the environment.")),
        (r"Set the (?P<name>\w+) environment variable", _setting),
        (r"UndefinedValueError: (?P<name>\w+) not found", _setting),
        (r"EnvError: Environment variable \"(?P<name>\w+)\" not set", _setting),  # environs
        (r"^KeyError: '(?P<name>[A-Z][A-Z0-9_]+)'", _key),
        (r"can't open file '(?P<path>\S*manage\.py)'", fixed("directory", "there is no {path} in the image", (
            "Set berth_app_directory to the directory with manage.py if Berth generates the Dockerfile, otherwise end yours with the WORKDIR that has it."))),
        (r"^Unknown command: '(?P<name>[^']+)'", fixed("command", "manage.py has no command {name}", (
            "Correct {variable}, or add the app that has the command to the settings' INSTALLED_APPS."))),
        (r"(?:^|: )(?P<name>[\w./-]+): (?:command )?not found$", fixed("command", "the image has no command {name}", "Correct {variable}, or install it.")),
        (r"(?:bind\(\) to [\d.]+:|Connection in use: \('[^']*', |bind on address \('[^']*', )(?P<port>808[01])\b", fixed(
            "port", "port {port} of the pod is taken by another program", (
                "If the app serves pages there, set berth_app_port: {port}: the web server for files then uses another port. Otherwise move the app off it."))),
        (r"^berth_app_static: (?P<path>/\S+) (?P<what>is not in the image|has no files in the image)", fixed(
            "static", "the static files are missing: {path} {what}", (
                "Have the Dockerfile run python manage.py collectstatic --noinput after the source is copied, or correct the path in berth_app_static."))),
        (r"^berth_app_static: (?P<path>/\S+) (?P<what>cannot be (?:read|copied): .+)", fixed(
            "static", "the static files cannot be served to visitors: {path} {what}", (
                "Let berth_app_user read the directory in the image, with chmod in the Dockerfile; if the disk is full, the files exceed 2 GiB."))),
        (r"was sent SIGKILL! Perhaps out of memory", fixed("memory", "a worker was killed, probably because it used too much memory", (
            "Raise the memory limit in berth_app_resources, or run fewer workers."))),
    )
)  # fmt: skip


# -- Listening ports ---------------------------------------------------------------------------------------------

LOOPBACK = "127.0.0.1"
ANY = "0.0.0.0"


def listening(table: str) -> list[tuple[str, int]]:
    """Return (address, port) of each listening socket, from the text of /proc/net/tcp and /proc/net/tcp6; only loopback is distinguished.

    https://docs.kernel.org/networking/proc_net_tcp.html
    """
    found: dict[tuple[str, int], None] = {}
    for line in table.splitlines():
        match = re.match(r"\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ 0A ", line)
        if match:
            # Words of four bytes, little-endian: 127.0.0.1, ::1, and 127.0.0.1 as an IPv6 address.
            local = re.fullmatch(r"[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F", match[1])
            found[LOOPBACK if local else ANY, int(match[2], 16)] = None
    return sorted(found, key=lambda socket: (socket[0] == LOOPBACK, socket[1]))


# gunicorn, uvicorn and hypercorn, uWSGI, daphne, runserver.
_LISTENS = re.compile(
    r"(?:Listening at: https?://|[Rr]unning on https?://|uWSGI http bound on |Listening on TCP address |development server at https?://)(?P<host>\S*):(?P<port>\d+)"
)


def listening_by_log(lines: Sequence[str]) -> list[tuple[str, int]]:
    """Return each (address, port) on which the app's server says in its log that it listens."""
    found: dict[tuple[str, int], None] = {}
    for line in lines:
        if match := _LISTENS.search(line):
            found[LOOPBACK if match["host"].strip("[]") in ("127.0.0.1", "localhost", "::1") else ANY, int(match["port"])] = None
    return list(found)


def wrong_port(port: int, sockets: Sequence[tuple[str, int]], command: str) -> Symptom | None:
    """Return why nothing answers on ``port`` while the app listens elsewhere; None if nothing listens yet, or if it does listen there."""
    others = [number for address, number in sockets if address != LOOPBACK]
    if port in others or not sockets:
        return None
    if (LOOPBACK, port) in sockets or not others:
        number = port if (LOOPBACK, port) in sockets else sockets[0][1]
        more = "" if number == port else f", and set berth_app_port: {number}"
        return Symptom(
            "loopback",
            f"it listens on {LOOPBACK}:{number} only, where nothing outside the pod can reach it",
            f"Let the server listen on {ANY}:{number}: in {command}, or in the Dockerfile's CMD{more}.",
        )
    named = " and ".join(str(number) for number in others)
    choice = f"Set berth_app_port: {others[0]}" if len(others) == 1 else f"Set berth_app_port to whichever of {named} serves pages"
    return Symptom("port", f"nothing listens on port {port}: the app listens on {named}", f"{choice}, or let the app listen on {port}.")
