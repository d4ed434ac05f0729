"""The findings of the project check before a release (roles/app/files/checks.py) in words: what is wrong, where, and the fewest lines that fix it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..database_variables import database_part, prefixed
from ..formats import files_url
from ..kube.probes import DEFAULT_PATHS, HOST
from . import symptoms
from .symptom import REQUIREMENTS

CONTAINER = "berth-checks"
"""The container of a release's Job that checks the project."""
MARK = "berth-checks "
"""The start of the log line with its findings."""
IGNORE = "berth_app_checks_ignore"
SECURE = 'os.environ.get("DJANGO_SECURE") == "1"'
"""Whether TLS is terminated in front of the app, as roles/config sets it."""

Facts = Mapping[str, Any]


class Told(NamedTuple):
    """A finding in words.

    Attributes:
        what: What is wrong and where, as a sentence without its full stop.
        way: What to do, in sentences; "" if adding the lines is enough.
        lines: Lines of Python to add.
        file: The file to add them to; "" for the settings file.
    """

    what: str
    way: str = ""
    lines: Sequence[str] = ()
    file: str = ""


def read(lines: Iterable[str]) -> dict[str, Any] | None:
    """Return what the check printed to a log: ``findings``, each with ``id``, ``severity`` and ``facts``, and what is known about the settings.

    Returns None if the log has no such report.
    """
    for line in reversed(list(lines)):
        if line.startswith(MARK):
            try:
                found = json.loads(line.removeprefix(MARK))
            except ValueError:
                return None
            return found if isinstance(found, dict) else None
    return None


def given(release: Facts) -> dict[str, Any]:
    """Return what the check has to know about a release, without anything that can change within a release, such as the number of pods.

    Args:
        release: The variables of roles/app, by the same names: ``checks``, ``checks_ignore``, ``command``, ``processes``, ``release_commands``, ``schedules``,
            ``probe``, ``readiness_path``, ``liveness_path``, ``path``, ``hosts``, ``public_host``, ``database_env``, ``database_aliases``, ``replicas``,
            ``autoscaling``, ``static``, ``volumes`` and ``writable``.
    """
    probe = release["probe"]
    commands = {"berth_app_command": release["command"]}
    commands |= {f"berth_app_processes.{name}": process["command"] for name, process in release["processes"].items()}
    pods = int((release["autoscaling"] or {}).get("min") or release["replicas"])
    return {
        "action": release["checks"],
        "ignored": sorted(release["checks_ignore"]),
        "commands": {variable: [str(word) for word in words] for variable, words in commands.items()},
        "release": list(release["release_commands"]),
        "schedules": [each["command"] for each in release["schedules"]],
        "probe": {
            "type": probe.get("type") or "http",
            "host": probe.get("host") or HOST,
            "readiness": release["readiness_path"],
            "liveness": release["liveness_path"],
            "variables": {kind: _path_variable(kind, release) for kind in DEFAULT_PATHS},
        },
        "path": release["path"],
        "hosts": list(dict.fromkeys(release["hosts"])),
        "public_host": release["public_host"],
        "database": {"env": dict(release["database_env"]), "aliases": list(release["database_aliases"])},
        "several": pods > 1,
        "shown": sorted(volume["url"] for volume in release["volumes"].values() if volume.get("url")),
        "static": dict(release["static"]),
        "volumes": sorted(volume["path"] for volume in release["volumes"].values()),
        "writable": sorted(release["writable"]),
    }


def _path_variable(kind: str, release: Facts) -> str:
    """Return the variable that decides a probe's path: a variable of its own takes precedence over berth_app_probe."""
    shared = release["probe"].get("path") or DEFAULT_PATHS[kind]
    return "berth_app_probe" if release[f"{kind}_path"] == shared else f"berth_app_{kind}_path"


def container(base: Facts, script: str, release: Facts) -> dict[str, Any]:
    """Return the container that checks the project, based on the container of the release's commands."""
    return {**base, "name": CONTAINER, "command": ["python", "-c", script, json.dumps(given(release), sort_keys=True)]}


def symptom(report: Facts) -> symptoms.Symptom | None:
    """Return the first finding that keeps a release from working, as the symptom of a log; None if there is no such finding."""
    refused = [found for found in report["findings"] if found["severity"] == "refuse"]
    if not refused:
        return None
    told = tell(refused[0], report)
    added = f" Add to {told.file or report.get('file') or 'the settings'}: {'; '.join(to_add(told, report))}" if told.lines else ""
    more = f", and {len(refused) - 1} more" if refused[1:] else ""
    return symptoms.Symptom("checks", f"the project is not ready{more}: {told.what}", f"{told.way}{added}".strip())


def refusal(report: Facts, job: str, namespace: str) -> str:
    """Return the message for a release that cannot work."""
    refused = [found for found in _sorted(report) if found["severity"] == "refuse"]
    others = [found for found in _sorted(report) if found["severity"] != "refuse"]
    first = f"The project is not ready to be released, so nothing was released (Job {job} in namespace {namespace}, container {CONTAINER})."
    lines = [first, "It would not work:", *_told(refused, report)]
    if others:
        lines += ["It would work, but:", *_told(others, report)]
    lines.append(f"{_ignoring(refused + others)} With berth_app_checks: warn, the project is released anyway.")
    return "\n".join(lines)


def warning(report: Facts) -> str:
    """Return the warning for a release that goes ahead; "" for none."""
    found = _sorted(report)
    if not found:
        return ""
    return "\n".join(["The project can be released, but:", *_told(found, report), _ignoring(found)])


def _sorted(report: Facts) -> list[Facts]:
    return sorted(report["findings"], key=lambda found: found["severity"] != "refuse")


def _told(findings: Iterable[Facts], report: Facts) -> list[str]:
    lines = []
    for found in findings:
        told = tell(found, report)
        lines.append(f"- {told.what}. [{found['id']}]")
        lines += [f"  {told.way}"] if told.way else []
        if added := to_add(told, report):
            lines += [f"  Add to {told.file or report.get('file') or 'the settings'}:", *(f"      {line}" for line in added)]
    return lines


def _ignoring(findings: Sequence[Facts]) -> str:
    """Return how to ignore one of these findings."""
    several = len({found["id"] for found in findings}) > 1
    return f"If {'one of them' if several else 'this'} is intended, set {'for example ' if several else ''}{IGNORE}: [{findings[0]['id']}]."


def tell(found: Facts, report: Facts) -> Told:
    """Return a finding in words. A finding of a later version, unknown here, is reported by its name."""
    make = _TEXTS.get(found["id"])
    return make(found["facts"], report) if make else Told(f"The check {found['id']} found a problem")


def to_add(told: Told, report: Facts) -> list[str]:
    """Return the lines to add, with the import that they need if the settings lack it."""
    needs = any("os.environ" in line for line in told.lines) and not report.get("os")
    return [*(["import os"] if needs else []), *told.lines]


def _at(facts: Facts) -> str:
    return f" ({facts['place']})" if facts.get("place") else ""


# --- What cannot be loaded ---------------------------------------------------------------------------------------
def _loading(subject: str) -> Callable[[Facts, Facts], Told]:
    """Return the function that says that something cannot be loaded."""

    def told(facts: Facts, _report: Facts) -> Told:
        what = subject.format(name=facts.get("name") or "of the settings", variable=facts.get("variable", ""))
        if facts.get("lacks"):
            return Told(f"{what}: {facts['module']} has no {facts['lacks']}", f"Correct {facts['variable']}.")
        if missing := facts["missing"]:
            return Told(f"{what}: the environment variable {missing} is not set{_at(facts)}", f"Set {missing} in {symptoms.variable_of(missing)}.")
        if facts.get("own"):
            return Told(f"{what}: the project has no module {facts['own']}{_at(facts)}", "Correct its name there, or add the module.")
        symptom = symptoms.of_log(facts["trace"], facts.get("variable") or "berth_app_command")
        if symptom:
            return Told(f"{what}: {symptom.summary}{_at(facts)}", symptom.advice)
        words = facts["trace"][-1].strip() if facts["trace"] else "it fails"
        way = "." if symptoms.is_in_code(words) else ", or set what is missing in berth_app_settings or berth_app_secrets."
        return Told(f"{what}: {words.rstrip('.')}{_at(facts)}", f"Fix it there{way}")

    return told


def _django(_facts: Facts, _report: Facts) -> Told:
    return Told(
        "The image's python cannot import Django, so no manage.py command runs",
        "Install the project's requirements for the python that comes first in the image's PATH.",
    )


def _manage(facts: Facts, _report: Facts) -> Told:
    what = f"There is no manage.py in the image's WORKDIR, {facts['directory']}"
    if facts["found"]:
        there = f"{facts['directory'].rstrip('/')}/{facts['found'][0]}"
        return Told(what, f"End the Dockerfile with WORKDIR {there}; if Berth generates it, set berth_app_directory to the directory with manage.py.")
    return Told(what, "End the Dockerfile with the WORKDIR that has it; if Berth generates it, set berth_app_directory to the directory with manage.py.")


def _settings_module(facts: Facts, _report: Facts) -> Told:
    what = "Neither DJANGO_SETTINGS_MODULE nor manage.py names a settings module"
    if facts["module"]:
        what = f"There is no settings module {facts['module']} in {facts['directory']} (DJANGO_SETTINGS_MODULE, or what manage.py names)"
    there = f"one that exists: {', '.join(facts['found'])}" if facts["found"] else "the project's settings module"
    return Told(what, f"Set DJANGO_SETTINGS_MODULE in berth_app_settings to {there}.")


def _settings_differ(facts: Facts, _report: Facts) -> Told:
    return Told(
        f"manage.py uses the settings {facts['manage']}, and the web server uses {facts['serves']} (wsgi.py, asgi.py)",
        f"Set DJANGO_SETTINGS_MODULE: {facts['serves']} in berth_app_settings, so that migrations and pages use the same settings.",
    )


# --- Settings ----------------------------------------------------------------------------------------------------
def _debug(facts: Facts, _report: Facts) -> Told:
    what = f"DEBUG is on{_at(facts)}: error pages show visitors the source and the settings"
    if facts["variable"]:
        return Told(what, f'Set {facts["variable"]}: "{facts["value"]}" in berth_app_settings.')
    return Told(what, lines=['DEBUG = os.environ.get("DJANGO_DEBUG") == "1"'])


def _secret_key(facts: Facts, report: Facts) -> Told:
    what = {
        "source": f"SECRET_KEY is stored in the image, in {facts['place']}, so it is not secret: anyone who has it can forge any user's session",
        "random": f"Each process generates its own SECRET_KEY{_at(facts)}: a session that one pod starts is not valid in the others",
        "empty": f"SECRET_KEY is empty{_at(facts)}: nobody can log in",
    }[facts["kind"]]
    if facts["variable"]:
        return Told(what, f"Set {facts['variable']} in berth_app_secrets to a long random text.")
    default = ", SECRET_KEY" if "SECRET_KEY" in report.get("has", ()) else ', ""'
    line = f'SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY"{default})'
    return Told(what, "Set DJANGO_SECRET_KEY in berth_app_secrets to a long random text, and let the settings read it.", [line])


def _database(facts: Facts, report: Facts) -> Told:
    kind, at = facts["kind"], _at(facts)
    if kind == "error":
        return _loading("The database of the settings cannot be used")(facts, report)
    if kind == "engine":
        what = f"DATABASES{at} has the ENGINE {facts['engine']}, which does not exist"
        return Told(what, "Correct it there, or in the variable of berth_app_settings that it comes from: django.db.backends.postgresql is PostgreSQL's.")
    if kind == "driver":
        package = symptoms.package_name(facts["lacks"])
        return Told(f"The database's driver {facts['lacks']} is not installed{at}", f"Add the package {package} to {REQUIREMENTS}.")
    what = {
        "none": "has no database, but berth_app_release_commands runs migrate",
        "local": "points to localhost, where a pod has no database",
        "other": f"points to the host {facts.get('host')}, not to the environment's database",
        "parts": f"points to the environment's database, but with a different {' and '.join(facts.get('parts', []))}",
        "sqlite": f"is the SQLite file {facts.get('file')}, which is not in the image and which a pod cannot create",
        "readonly": f"is the SQLite file {facts.get('file')}, which a pod cannot write to",
        "lost": f"is the SQLite file {facts.get('file')}: each pod has its own, which is lost with the pod",
        "memory": "is in each process's memory",
    }[kind]
    what = f"DATABASES{at} {what}"
    return _to_database(what, facts, report)


def _to_database(what: str, facts: Facts, report: Facts) -> Told:
    """Return how the settings get the environment's database: from the variables that they read, or else with lines to add."""
    names: dict[str, str] = facts["env"]
    parts = {part: name for name in reversed(facts["asked"]) if (part := database_part(name)) and name not in names.values()}
    with_prefix, kind = prefixed(facts["asked"])
    parts = parts if {"url", "host"} & parts.keys() else with_prefix or parts
    asked = {part: parts[part] for part in ("url", "host", "port", "name", "user", "password") if part in parts}
    # What is right already has to be said too: the variable is set as a whole.
    right = {part: name for part, name in names.items() if part not in asked and name in facts["asked"] and not name.startswith("DATABASE_")}
    engine = next((name for name in facts["asked"] if re.search("ENGINE", name) and re.search("DB|DATABASE|SQL", name)), kind)
    more = "" if facts["driver"] else f" Add the package psycopg[binary] to {REQUIREMENTS}."
    value = "django.db.backends.postgresql" if "ENGINE" in engine else "postgresql"
    chooses = f" Set {engine}: {value} in berth_app_settings." if engine and "postgres" not in facts["engine"] else ""
    if {"url", "host"} & asked.keys():
        given = ", ".join(f"{part}: {name}" for part, name in {**asked, **right}.items())
        return Told(what, f"Set berth_app_database_env: {{{given}}}, the variables that the settings read.{chooses}{more}")
    keys = {"HOST": "host", "PORT": "port", "NAME": "name", "USER": "user", "PASSWORD": "password"}
    pairs = [f'"{key}": os.environ["{names[part]}"]' for key, part in keys.items()]
    if facts["tls"]:
        options = ", ".join(f'"{key}": os.environ["{names[key]}"]' for key in ("sslmode", "sslrootcert"))
        pairs.append(f'"OPTIONS": {{{options}}}')
    lines = [] if "DATABASES" in report.get("has", ()) else ["DATABASES = {}"]
    lines.append(f'if "{names["host"]}" in os.environ:')
    lines.append(f'    DATABASES["default"] = {{"ENGINE": "django.db.backends.postgresql", {", ".join(pairs)}}}')
    return Told(what, more.strip(), lines)


def _cache(facts: Facts, _report: Facts) -> Told:
    if facts["sessions"]:
        what = f"Sessions are in each process's memory{_at(facts)}, and there are several pods: visitors are logged out from one request to the next"
        return Told(what, lines=['SESSION_ENGINE = "django.contrib.sessions.backends.db"'])
    what = f"CACHES is in each process's memory{_at(facts)}, and there are several pods: each one sees only what it has cached itself"
    if facts["asked"]:
        names = ", ".join(facts["asked"])
        return Told(what, f"Set berth_cache: cluster and berth_cache_env: [{names}], which the settings read.")
    cache = '    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]}}'
    return Told(
        what,
        f"Set berth_cache: cluster, and add the package redis to {REQUIREMENTS}.",
        ['if "REDIS_URL" in os.environ:', cache],
    )


def _broker(facts: Facts, _report: Facts) -> Told:
    if scheme := facts.get("scheme"):
        name = scheme.partition("+")[0]
        package = {"redis": "redis", "rediss": "redis", "sentinel": "redis", "sqla": "sqlalchemy"}.get(name, f"celery[{name}]")
        what = f"The image has no client library for Celery's broker ({scheme}): without it, every Celery process exits at once"
        return Told(what, f"Add the package {package} to the requirements that the image installs.")
    where = "is on localhost, where a pod has none" if facts["local"] else f"is {facts['host']}, which no setting or secret of the environment mentions"
    names = [name for name in facts["asked"] if name.endswith(("_URL", "_URI", "BROKER"))]
    way = f"Set berth_cache: cluster and berth_cache_env: [{', '.join(names)}], which the settings read."
    if not names:
        way = 'Set berth_cache: cluster, and let the settings read the broker from os.environ["REDIS_URL"].'
    return Told(f"Celery's broker {where}", way)


def _logging(facts: Facts, report: Facts) -> Told:
    what = f"With DEBUG off, exceptions of pages are not logged{_at(facts)}: when a page answers 500, nobody learns why"
    if "LOGGING" not in report.get("has", ()):
        console = '"handlers": {"console": {"class": "logging.StreamHandler"}}, "root": {"handlers": ["console"], "level": "WARNING"}'
        return Told(what, lines=[f'LOGGING = {{"version": 1, "disable_existing_loggers": False, {console}}}'])
    return Told(
        what,
        lines=[
            'LOGGING.setdefault("handlers", {})["console"] = {"class": "logging.StreamHandler"}',
            'LOGGING.setdefault("loggers", {})["django.request"] = {"handlers": ["console"], "level": "WARNING"}',
        ],
    )


# --- What visitors and probes ask for ------------------------------------------------------------------------------
def _probe(facts: Facts, report: Facts) -> Told:
    cause, paths = facts["cause"], list(dict.fromkeys(facts["paths"]))
    asks = f"Kubernetes checks the app's health with GET {' and '.join(paths)}, which"
    plural = len(paths) > 1
    if cause == "host":
        what = f"ALLOWED_HOSTS{_at(facts)} lacks {facts['host']}, the Host header of Kubernetes' health checks: no pod becomes ready"
        return _to_hosts(what, facts, report)
    if cause == "https":
        bare = "" if facts["public"] else ", and there is no TLS in front of the app (berth_entry)"
        return _to_exempt(f"{asks} {'are' if plural else 'is'} redirected to https{bare}", facts, report)
    if facts["answers"]:
        path = facts["answers"]
        told = [f"{name}: {{path: {path}}}" if name == "berth_app_probe" else f"{name}: {path}" for name in facts["variables"]]
        return Told(f"{asks} {_answer(facts, plural)}", f"Set {' and '.join(told)}, which answers 200.")
    names = ", ".join(f'"{each.lstrip("/")}"' for each in dict.fromkeys(facts["paths"]))
    lines = [
        "from django.http import HttpResponse",
        "from django.urls import path",
        f'urlpatterns += [path(name, lambda request: HttpResponse("ok")) for name in [{names}]]',
    ]
    way = f"Set the path in {' and '.join(facts['variables'])} to one that answers 200 without a login, or serve it:"
    return Told(f"{asks} {_answer(facts, plural)}", way, lines, facts["urls"])


def _answer(facts: Facts, plural: bool) -> str:
    leads = f", a redirect to {facts['location']}" if facts["location"] else ""
    return f"{'answer' if plural else 'answers'} {facts['status']}{leads}" + (": no pod becomes ready" if facts["cause"] in ("path", "login") else "")


def _to_exempt(what: str, facts: Facts, report: Facts) -> Told:
    """Return how to exempt probes from the redirect to https; without TLS in front of the app, everything is exempt."""
    if not facts["public"]:
        return _without_tls(what, facts)
    patterns = ", ".join(f'r"^{re.escape(each.lstrip("/"))}$"' for each in dict.fromkeys(facts["paths"]))
    before = "*SECURE_REDIRECT_EXEMPT, " if "SECURE_REDIRECT_EXEMPT" in report.get("has", ()) else ""
    return Told(what, lines=[f"SECURE_REDIRECT_EXEMPT = [{before}{patterns}]"])


def _hosts(facts: Facts, report: Facts) -> Told:
    what = f"ALLOWED_HOSTS{_at(facts)} lacks {', '.join(facts['lacking'])}, which visitors use to reach the site: they get a 400"
    return _to_hosts(what, facts, report)


def _to_hosts(what: str, facts: Facts, report: Facts) -> Told:
    if facts["variable"]:
        return Told(what, f"Set {facts['variable']}: {json.dumps(facts['value'])} in berth_app_settings.")
    before = "*ALLOWED_HOSTS, " if "ALLOWED_HOSTS" in report.get("has", ()) else ""
    return Told(what, lines=[f'ALLOWED_HOSTS = [{before}*os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost").split(",")]'])


PROXY = [f"if {SECURE}:", '    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")']


def _https(facts: Facts, _report: Facts) -> Told:
    if facts["kind"] == "loop":
        return Told(f"Pages are redirected to https endlessly{_at(facts)}: the app cannot tell that visitors already use https", lines=PROXY)
    return _without_tls(f"Pages are redirected to https{_at(facts)}, and there is no TLS in front of the app (berth_entry)", facts)


def _cookies(facts: Facts, _report: Facts) -> Told:
    names = " and ".join(facts["names"])
    what = f"{names} {'are' if len(facts['names']) > 1 else 'is'} on{_at(facts)}, and there is no TLS in front of the app (berth_entry)"
    return _without_tls(f"{what}: browsers send such cookies over https only, some also to localhost, so nobody can log in over http", facts)


def _without_tls(what: str, facts: Facts) -> Told:
    """Return how to switch off settings that need TLS where there is none."""
    if facts["off"]:
        given = " and ".join(f'{variable}: "{value}"' for variable, value in facts["off"].items())
        return Told(what, f"Set {given} in berth_app_settings.")
    return Told(what, lines=[f"{name} = {SECURE}" for name in facts["names"]])


def _csrf(facts: Facts, _report: Facts) -> Told:
    return Told(f"Forms sent from https://{facts['host']} are rejected (403): the app cannot tell that visitors use https", lines=PROXY)


# --- Files and models ----------------------------------------------------------------------------------------------
COLLECT = "Have the Dockerfile run python manage.py collectstatic --noinput after the source is copied."


def _root(report: Facts) -> str:
    return {"path": 'STATIC_ROOT = BASE_DIR / "staticfiles"', "text": 'STATIC_ROOT = BASE_DIR + "/staticfiles"'}.get(
        report.get("base", ""), 'STATIC_ROOT = os.environ.get("STATIC_ROOT", "/srv/staticfiles")'
    )


def _static(facts: Facts, report: Facts) -> Told:
    needs = "" if facts["installed"] else f"Add the package whitenoise to {REQUIREMENTS}. "
    before = ("*MIDDLEWARE[:1], ", ", *MIDDLEWARE[1:]") if "MIDDLEWARE" in report.get("has", ()) else ("", "")
    lines = [] if facts["root"] else [_root(report)]
    lines.append(f'MIDDLEWARE = [{before[0]}"whitenoise.middleware.WhiteNoiseMiddleware"{before[1]}]')
    return Told("Nothing serves the static files: pages load without style sheets and images", needs + COLLECT, lines)


def _collectstatic(facts: Facts, report: Facts) -> Told:
    if not facts["root"]:
        return Told("The static files cannot be collected: STATIC_ROOT is not set", COLLECT, [_root(report)])
    lacks = "lacks some of the project's static files" if facts["filled"] else "has no files in the image"
    return Told(f"STATIC_ROOT, {facts['root']}{_at(facts)}, {lacks}: pages load without style sheets and images", COLLECT)


def _static_files(facts: Facts, _report: Facts) -> Told:
    if url := facts.get("url"):
        what = f"Pages request static files at {facts['asked']} (STATIC_URL{_at(facts)}), but they are served at {url} (berth_app_static)"
        return Told(what, f"Set berth_app_static.url to {facts['asked']}, or STATIC_URL to {url}.")
    elsewhere = f", or set berth_app_static.path to {facts['root']}, which is STATIC_ROOT{_at(facts)}" if facts["root"] else ""
    return Told(f"The image has no files in {facts['path']}, which is to be served to visitors (berth_app_static)", f"{COLLECT[:-1]}{elsewhere}.")


def _media(facts: Facts, report: Facts) -> Told:
    fate = "where they are lost with the pod" if facts["lost"] else "where a pod cannot write"
    what = f"Uploaded files ({facts['field']}) go to MEDIA_ROOT{_at(facts)}, {facts['root']}, {fate}"
    if facts["code"]:
        line = {"path": 'MEDIA_ROOT = BASE_DIR / "media"', "text": 'MEDIA_ROOT = BASE_DIR + "/media"'}.get(report.get("base", ""), 'MEDIA_ROOT = "/srv/media"')
        return Told(what, "Give them their own directory, and name it in berth_app_volumes, as in {media: {path: ..., size: 1Gi}}.", [line])
    more = f", url: {facts['url']}" if not files_url(facts.get("url") or "") else ""
    shown = " Without the url, they are not served to visitors." if more else ""
    root, way = facts["root"], "Set"
    if facts["lost"]:  # a volume cannot be inside a directory of berth_app_writable
        root, way = "/srv/media", "Let MEDIA_ROOT be a directory outside berth_app_writable, such as /srv/media, and set"
    return Told(what, f"{way} berth_app_volumes: {{media: {{path: {root}, size: 1Gi{more}}}}}.{shown}")


def _media_url(facts: Facts, _report: Facts) -> Told:
    what = f"Uploaded files ({facts['field']}) are kept, but visitors who request them below {facts['url']} (MEDIA_URL{_at(facts)}) get a 404"
    if not facts["whole"]:
        return Told(what, f"Give MEDIA_ROOT its own volume in berth_app_volumes, with path: {facts['root']} and url: {facts['url']}.")
    return Told(what, f"Set url: {facts['url']} next to path: {facts['root']} in berth_app_volumes; anyone can then read them.")


def _translations(facts: Facts, _report: Facts) -> Told:
    more = f" and {facts['more']} more" if facts["more"] else ""
    what = f"The image has translations that are not compiled, so their texts are shown in the original language: {facts['file']}{more}"
    way = "Have the Dockerfile run python manage.py compilemessages after the source is copied"
    return Told(what, f"{way}; it needs the Debian package gettext.")


def _migrations(facts: Facts, _report: Facts) -> Told:
    names, operations = ", ".join(facts["apps"]), facts.get("operations", [])  # an earlier Berth told none
    more = f" and {len(operations) - 3} more" if operations[3:] else ""
    said = f" ({', '.join(operations[:3])}{more})" if operations else ""
    way = f"Run python manage.py makemigrations {' '.join(facts['apps'])}, and commit the files that it writes."
    return Told(f"Models have changes without a migration: {names}{said}", way)


# --- Commands and Django's checks ----------------------------------------------------------------------------------
_PROGRAMS = {
    "celery": "celery", "daphne": "daphne", "gunicorn": "gunicorn", "hypercorn": "hypercorn", "uvicorn": "uvicorn[standard]", "uwsgi": "uwsgi",
    "waitress-serve": "waitress",
}  # fmt: skip


_ADDRESS = {"daphne": "-b 0.0.0.0", "uvicorn": "--host 0.0.0.0"}


def _command(facts: Facts, _report: Facts) -> Told:
    name, variable = facts["name"], facts["variable"]
    if facts["kind"] == "loopback":
        what = f"With {variable}, {name} listens on 127.0.0.1 only, where nothing outside the pod can reach it"
        return Told(what, f"Add {_ADDRESS.get(name, '--bind 0.0.0.0:8000')} to it, word by word; the port is berth_app_port.")
    if name == "clearsessions":  # which Berth runs by default
        what = f"manage.py has no command {name}, which {variable} runs: the project does not use sessions"
        return Told(what, f"Remove it from {variable}, e.g. with [], or add django.contrib.sessions to INSTALLED_APPS.")
    if facts["kind"] == "manage":
        return Told(f"manage.py has no command {name}, which {variable} runs", f"Correct {variable}, or add the app that has it to INSTALLED_APPS.")
    kind = "command" if facts["kind"] == "program" else "module"
    package = _PROGRAMS.get(name.rpartition("/")[2], "" if kind == "command" else symptoms.package_name(name.partition(".")[0]))
    install = f"add the package {package} to {REQUIREMENTS}" if package else "install it in the image"
    return Told(f"The image has no {kind} {name}, which {variable} runs", f"Correct {variable}, or {install}.")


def _check(facts: Facts, _report: Facts) -> Told:
    errors = "error" if facts["count"] == 1 else "errors"
    return Told(f"Django's own checks find {facts['count']} {errors}: {'; '.join(facts['errors'])}", " ".join(facts["hints"]) or "Fix them in the project.")


def _deploy(facts: Facts, _report: Facts) -> Told:
    count = len(facts["ids"])
    return Told(
        f"Django gives {count} security {'warning' if count == 1 else 'warnings'} ({', '.join(facts['ids'])})",
        "To see them, run ansible-playbook playbooks/ops/manage.yml -e 'ops_command=\"check --deploy\"' with the inventory.",
    )


_TEXTS: dict[str, Callable[[Facts, Facts], Told]] = {
    "django": _django,
    "manage": _manage,
    "settings-module": _settings_module,
    "settings-differ": _settings_differ,
    "settings": _loading("The settings cannot be loaded"),
    "apps": _loading("The apps of INSTALLED_APPS cannot be loaded"),
    "middleware": _loading("The middleware {name} cannot be loaded"),
    "urls": _loading("The URLs cannot be loaded (ROOT_URLCONF {name})"),
    "application": _loading("{name}, which {variable} serves, cannot be loaded"),
    "debug": _debug,
    "secret-key": _secret_key,
    "database": _database,
    "cache": _cache,
    "broker": _broker,
    "logging": _logging,
    "page": _loading("The page {name} answers 500"),
    "probe": _probe,
    "hosts": _hosts,
    "https": _https,
    "cookies": _cookies,
    "csrf": _csrf,
    "static": _static,
    "collectstatic": _collectstatic,
    "static-files": _static_files,
    "media": _media,
    "media-url": _media_url,
    "translations": _translations,
    "migrations": _migrations,
    "command": _command,
    "check": _check,
    "deploy": _deploy,
}
IDS = tuple(_TEXTS)
"""The names of all findings."""
