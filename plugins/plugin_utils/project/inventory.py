"""The first inventory of a Django project: what its files say, a comment where that is a guess, and a placeholder for what nobody can know."""

from __future__ import annotations

import ast
import os
import posixpath
import re
import shlex
import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ...module_utils import formats
from ...module_utils.audit.pods import SUPERVISORS
from ...module_utils.database_variables import database_part
from ...module_utils.image.project import (
    TO_DEVELOP,
    Project,
    ProjectError,
    assigned,
    constant,
    default_settings,
    directories,
    dotted,
    find_directory,
    find_files,
    find_matching,
    grouped_dependencies,
    is_bound_to_itself,
    module_file,
    parsed,
    read_project,
    requirements_dependencies,
    settings_trees,
    text_of,
)
from ...module_utils.image.project_dockerfile import HOME, choose_python, is_older, serves_itself, unfit, wished
from ...module_utils.kube.probes import DEFAULT_PATHS
from ..inventory.cache import client_missing
from . import dockerfile as dockerfiles
from . import procfile, routes, supervisor
from .dockerfile import Dockerfile
from .settings import Asked, Reading, left_out

WIDTH = 150  # columns of a comment
LOWEST = 1024  # of the ports at which anybody may listen
PORT = 8000  # as berth_app_port is by default
PYTHON = "3.13"  # as the image that Berth brings has
# What Berth itself sets: roles/config/vars/main.yml.
SET_BY_BERTH = {"DATABASE_HOST", "DATABASE_NAME", "DATABASE_PORT", "DATABASE_SSLMODE", "DATABASE_SSLROOTCERT", "DATABASE_USER", "DJANGO_ALLOWED_HOSTS"}
CACHE_URLS = {"REDIS_URL", "CACHE_URL"}  # as berth_cache sets them
ROLES = {"HOST": "host", "PORT": "port", "NAME": "name", "USER": "user", "PASSWORD": "password"}
PART = re.compile(r"_(?:HOST|PORT|DB(?:_INDEX)?|PASSWORD|USER(?:NAME)?)\Z")  # of the address of a cache
NEED_CACHE = {"channels-redis", "django-cacheops", "django-redis", "django-rq"}  # packages that do nothing without Redis
PARTS = {"_HOST": "cache", "_PORT": "6379", "_USER": "default", "_USERNAME": "default"}  # what those are of the cache beside the app
PASSING = re.compile(r"cache|node_modules|static|venv|/(?:logs?|run|tmp)(?:/|\Z)")  # directories whose files need not be kept
RANDOM = re.compile(r"(?:DJANGO_|APP_)?(?:SECRET(?:_KEY)?|JWT_SECRET(?:_KEY)?|SIGNING_KEY|HASHID_\w*SALT|\w*_SALT)")
SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|PRIVATE_KEY|DSN|CREDENTIAL|LICENSE")
# Packages that talk to a service elsewhere.
OUTSIDE = {
    "anymail", "boto3", "django-anymail", "django-ses", "django-storages", "django-allauth", "google-cloud-storage", "httpx", "mailchimp-marketing", "openai",
    "requests", "sendgrid", "sentry-sdk", "slack-sdk", "social-auth-app-django", "stripe", "twilio", "urllib3",
}  # fmt: skip
EXTENSIONS = {
    "TrigramExtension": "pg_trgm", "HStoreExtension": "hstore", "UnaccentExtension": "unaccent", "CITextExtension": "citext",
    "BtreeGinExtension": "btree_gin", "BtreeGistExtension": "btree_gist", "CryptoExtension": "pgcrypto", "BloomExtension": "bloom", "VectorExtension": "vector",
}  # fmt: skip
DATABASE_CACHE = "django.core.cache.backends.db.DatabaseCache"
LOADERS = ("json.load", "json.loads", "yaml.safe_load", "yaml.load", "toml.load", "tomllib.load")
VALUES = re.compile(r"(?:[\w.-]*/)*(?![\w.-]*(?:build|manifest|package|stats|version))[\w.-]+\.(?:json|ya?ml|toml)")  # files that these read; not of a build
FINDERS = {"WHITENOISE_USE_FINDERS", "WHITENOISE_AUTOREFRESH"}  # by which WhiteNoise may serve what was not collected
HOSTS = "import os; ALLOWED_HOSTS = os.environ.get('DJANGO_ALLOWED_HOSTS', 'localhost').split(',')  # else every page is a 400"
MANAGED = re.compile(r"\bmanage\.py\s+(?!runserver)([a-z][\w-]*)")  # commands in a script
APART = (
    "Kubernetes sees one of them: give the server to berth_app_command and each other one, such as a worker, to berth_app_processes. Such a program often "
    "wants to begin as root, which no pod may."
)
BECOMES = re.compile(r"\b(?:gosu|su-exec|setpriv|runuser|sudo)\b")  # in a script that begins as root, and runs the server as somebody else
UWSGI = re.compile(r"(?i)(?:.+[._-])?uwsgi(?:[._-].+)?\.(?:ini|ya?ml)")  # uWSGI's settings
SHARED = "If it asks the database too, name another page for liveness: an outage of the database would restart every pod."
ONE_HOST = "The settings take one name from it, and the site answers to no other. With a public name write that, and berth_app_probe: {host: NAME}."
EAGER = ("CELERY_ALWAYS_EAGER", "CELERY_TASK_ALWAYS_EAGER", "task_always_eager")

COLLECTED = (
    "Static files are collected there when a pod starts. Where berth_app_command leaves that out, leave this out too, "
    "for it hides those of the image, and collect them in the Dockerfile."
)
INSECURE = ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")  # what needs TLS, which only a public entry has


@dataclass
class Draft:
    """An inventory that is being written.

    Attributes:
        known: The variables that this Berth has, with their specification.
        parts: The lines of each part, by its heading.
        settings: Environment variables, each with its comment; ``secrets`` likewise.
        asked: The variables that somebody has to fill in before the first run.
        needs: Lines that the project lacks, as comments.
    """

    known: Mapping[str, Any]
    parts: dict[str, list[str]] = field(default_factory=dict)
    settings: dict[str, tuple[str, str]] = field(default_factory=dict)
    secrets: dict[str, tuple[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)

    def set(self, part: str, name: str, value: Any, why: str = "") -> bool:
        """Set a variable, and return whether this Berth has it; one that it does not have is left out."""
        if name in self.known:
            self.parts.setdefault(part, []).extend([*comment(why), dumped(name, value)])
        return name in self.known

    def takes(self, name: str, word: str) -> bool:
        """Whether this Berth has a variable whose specification speaks of something."""
        return word in str(self.known.get(name, ""))

    def say(self, part: str, text: str) -> None:
        """Write a comment."""
        self.parts.setdefault(part, []).extend(comment(text))


def comment(text: str) -> list[str]:
    """Return a text as the lines of a comment."""
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)]


def dumped(name: str, value: Any) -> str:
    """Return a variable as YAML; what a mapping has is a line each.

    >>> dumped("berth_app_processes", {"worker": {"command": ["celery", "worker"]}})
    'berth_app_processes:\\n  worker: {command: [celery, worker]}'
    """
    if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
        return "\n".join([f"{name}:", *(f"  {key}: {flow(one)}" for key, one in value.items())])
    return f"{name}: {flow(value)}"


def flow(value: Any) -> str:
    """Return a value as YAML in one line; a text with a template is in double quotes."""
    if isinstance(value, str):
        return quoted(value) if "{{" in value else yaml.safe_dump(value, width=10**6, allow_unicode=True).removesuffix("\n...\n").rstrip("\n")
    return yaml.safe_dump(value, sort_keys=False, width=10**6, default_flow_style=True, allow_unicode=True).removesuffix("\n...\n").rstrip("\n")


# --- Looking ---------------------------------------------------------------------
def look(source: Path, dockerfile: Dockerfile | None, draft: Draft) -> Project:
    """Return what the project is made of.

    Raises:
        ProjectError: It is no Django project, or a Dockerfile cannot be made for it.
    """
    found = directories(source)
    place = sorted(found)[0] if len(found) > 1 else ""
    if place:
        others = ", ".join(sorted(found)[1:])
        draft.set("The app", "berth_app_directory", place, f"Guessed: {others} of the source has a manage.py too.")
    try:
        installed = requirements_dependencies(source, "", dockerfile.required) if dockerfile else None
        return read_project(source, place, dockerfile.settings if dockerfile else "", installed)
    except ProjectError as error:
        if dockerfile is None and error.variable != "berth_app_settings":
            raise
        # With a Dockerfile of its own a project need not say what it needs.
        place = find_directory(source, place)
        needs = grouped_dependencies(source, place)
        named = dockerfile.settings if dockerfile else ""
        try:
            return read_project(source, place, named, needs)
        except ProjectError:
            return Project(directory=place, settings=named or default_settings(source / place / "manage.py"), dependencies=needs)


def workers_settings(root: Path, web: str) -> list[str]:
    """Return the settings modules of Celery's apps that add something to those of web; another one, as for development, is not what runs here."""
    named = dict.fromkeys(default_settings(root / path) for path in find_files(root, "celery.py"))
    of_web = module_file(root, web)
    return [module for module in named if module not in ("", web) and of_web in [file for file, _ in settings_trees(root, module)]]


def unique(found: list[Asked]) -> list[Asked]:
    """Return each variable once: as what its setting and its key are known of."""
    best: dict[str, Asked] = {}
    for one in found:
        held = best.get(one.name)
        if held is None or (bool(one.setting and one.setting.isupper()), bool(one.key)) > (bool(held.setting and held.setting.isupper()), bool(held.key)):
            best[one.name] = Asked(**{**vars(one), "required": one.required or bool(held and held.required)})
        elif one.required:
            best[one.name] = Asked(**{**vars(held), "required": True})
    return list(best.values())


# --- Writing ---------------------------------------------------------------------
def draft(source: Path, environment: str, app: str, where: str, port: int, known: Mapping[str, Any]) -> Draft:
    """Return the inventory of a project.

    Args:
        source: The project.
        environment: The environment's name.
        app: The app's name.
        where: What ``berth_app_source`` is to say.
        port: A free node port.
        known: The variables that this Berth has, with their specification.

    Raises:
        ProjectError: It is no Django project, or a Dockerfile cannot be made for it.
    """
    made = Draft(known)
    web = procfile.web(source)
    dockerfile = dockerfiles.find(source, web.dockerfile)
    made.set("The app", "berth_app_name", app)
    made.set("The app", "berth_app_source", where)
    project = look(source, dockerfile, made)
    root = source / (project.paths[0] if project.paths else project.directory)
    reading = Reading(root, project.settings)
    every = [*reading.asked, *(one for module in workers_settings(root, project.settings) for one in Reading(root, module).asked)]
    asked = unique(every)
    made.set("The app", "berth_app_node_port", port)
    image(made, source, dockerfile, project)
    served, waited = serving(made, source, dockerfile, web, project)
    workers = processes(made, source, project, dockerfile, reading)
    probe(made, root, reading, asked, dockerfile)
    files(made, source, dockerfile, project, reading, served)
    handled = database(made, source, app, reading, asked, project, waited)
    handled |= cache(made, reading, asked, every, project)
    handled |= switches(made, reading, asked, every)
    handled |= tasks(made, asked, workers)
    local(made, source, root, project)
    missing_files(made, source, root, project)
    network(made, project, root)
    rest(made, [one for one in asked if one.name not in handled])
    return made


def image(made: Draft, source: Path, dockerfile: Dockerfile | None, project: Project) -> None:
    """Say what of the image the inventory has to know."""
    part = "The app"
    if dockerfile is None:
        python, _ = choose_python(wished(project), PYTHON, official=True)
        made.needs += filter(None, [unfit(project.dependencies, python)])
    if dockerfile:
        if dockerfile.path != "Dockerfile":
            beside = ", ".join(path for path in dockerfiles.others(source) if path != dockerfile.path)
            why = f"the source has no Dockerfile at its top{f', and others in {beside}' if beside else ''}"
            if (source / "Dockerfile").is_file():
                why = "it collects the static files, and Dockerfile has neither that nor a command"
            made.set(part, "berth_app_dockerfile", dockerfile.path, f"Guessed: {why}.")
        if dockerfile.root:
            user, why = user_of(source, dockerfile)
            made.set(part, "berth_app_user", user, f"The image of {dockerfile.path} runs as root, which no pod may. {why}")
        if dockerfile.environment:
            search_path(made, dockerfile)
        if project.assets and not dockerfile.assets:
            where = f"cd {project.assets.place} && " if project.assets.place else ""
            made.needs.append(
                f"RUN {where}{project.assets.manager} install && {project.assets.manager} run build, in {dockerfile.path} and not here"
                "  # unless the source has what that makes, style sheets and scripts are missing"
            )
    package, _, last = project.settings.rpartition(".")
    if last in TO_DEVELOP:
        others = sorted(path.stem for path in (source / (project.paths or (project.directory,))[0] / package.replace(".", "/")).glob("[a-z]*.py"))
        others = [name for name in others if name not in (*TO_DEVELOP, "manage", "urls", "wsgi", "asgi", "celery")]
        way = f"{package} has {', '.join(others)} besides: set DJANGO_SETTINGS_MODULE to the one for servers" if others else "no other is beside it"
        made.say(part, f"The settings {project.settings} are for development, by their name; {way}.")
    manage = default_settings(source / project.directory / "manage.py")
    if project.settings and manage != project.settings and not (dockerfile and dockerfile.settings):
        why = f"Guessed: manage.py takes {manage} where nobody names one." if manage else "Guessed: manage.py names none."
        made.settings["DJANGO_SETTINGS_MODULE"] = (project.settings, why)
    elif not project.settings:
        made.settings["DJANGO_SETTINGS_MODULE"] = placeholder(made, "DJANGO_SETTINGS_MODULE", "for manage.py names no settings module that is there")


def user_of(source: Path, dockerfile: Dockerfile) -> tuple[int, str]:
    """Return the number of the user that an image which begins as root is to run as, and what to say of it."""
    script = "\n".join(dockerfile.script(source, words) for words in (dockerfile.entrypoint, dockerfile.command))
    texts = [script, *(text_of(source / path) for path in find_matching(source, UWSGI))]
    becomes = BECOMES.search(script)
    rest = f" Leave out {becomes[0]}, which root alone can use, as with a berth_app_command without it." if becomes else ""
    if dockerfile.made:
        return dockerfile.made, f"The Dockerfile makes this user.{rest}"
    if any("www-data" in text for text in texts):
        return (82 if dockerfile.alpine else 33), f"This is www-data, which the server is to be.{rest}"
    return 1000, f"Everybody has to be able to read its files.{rest}"


def search_path(made: Draft, dockerfile: Dockerfile) -> None:
    """Say where the programs of a virtual environment are that are not on the image's PATH: releases run python manage.py."""
    programs = f"{dockerfile.environment}/bin"
    if dockerfile.search:
        made.needs.append(f'ENV PATH="{programs}:$PATH", in {dockerfile.path} and not here  # else manage.py finds no Django')
    else:
        made.settings["PATH"] = (f"{programs}:{dockerfiles.SYSTEM_PATH}", f"Guessed: {dockerfile.path} installs there, and the image's PATH does not have it.")


def serving(made: Draft, source: Path, dockerfile: Dockerfile | None, web: procfile.Web, project: Project) -> tuple[str, str]:
    """Say what serves and at which port; return what its scripts do and the database's server that they wait for, "" where they name none."""
    if dockerfile is None:
        prepared(made, source, project)
        return "", ""
    command, entrypoint = list(dockerfile.command), list(dockerfile.entrypoint)
    supervised = supervisor.programs(source, dockerfile)
    if supervised is not None:
        command, entrypoint = supervising(made, dockerfile, supervised), []
    elif dockerfile.uv and not entrypoint and (plain := procfile.without_uv(command)) != command:
        command = plain
        made.set("The app", "berth_app_command", command, f"That of {dockerfile.path} without uv run, which writes to a cache.")
    elif not command:
        command, why = missing_command(source, dockerfile, web, project)
        command = procfile.without_uv(command) if dockerfile.uv else command
        if command:
            made.set("The app", "berth_app_command", [*entrypoint, *command], f"{why}, for {dockerfile.path} has no CMD.")
    script = "\n".join(dockerfile.script(source, words) for words in (entrypoint, command))
    told = dockerfiles.port_of(command, script)
    port = dockerfile.port or told
    if port and port != PORT:
        why = f"As {dockerfile.path} exposes it." if dockerfile.port else f"Guessed: {' '.join(command)} listens there."
        low = f" Many clusters let only root listen there, and no pod runs as root: let the server listen at {PORT}, and leave this out."
        made.set("The app", "berth_app_port", port, why if port >= LOWEST else f"{why}{low}")
    if told != (port or PORT) and "bind" not in project.configured and dockerfiles.asks_for_port(command, script):
        made.settings["PORT"] = (str(port or PORT), "Where the server listens.")
    if supervised is None and (found := re.search(SUPERVISORS, f"{' '.join([*entrypoint, *command])}\n{script}")):
        made.say("The app", f"{found[0]} runs several programs in the pod of web. {APART}")
    if dockerfiles.lacks_python(text_of(source / dockerfile.path), script):
        made.needs.append(f"RUN ln -s python3 /usr/bin/python, in {dockerfile.path} and not here  # unless there is one: releases run python manage.py migrate")
    name, value = dockerfiles.switch(script)
    if name:
        made.settings[name] = (value, "Without it the script that serves takes Django's server to develop with.")
    if "migrate" in (run := list(dict.fromkeys(MANAGED.findall(script)))):
        server = installed_server(project, port if port >= LOWEST else PORT) if dockerfile.command or not command else []
        what = ", ".join(run[:4]) + (" and more" if len(run) > 4 else "")
        way = f"Let berth_app_command run the server alone{', as here' if server else ''}, and what the site needs of them berth_app_release_commands, once"
        made.say("The app", f"A script runs {what} of manage.py whenever a pod starts, where the image's files are read-only. {way}{':' if server else '.'}")
        if server:
            made.say("The app", dumped("berth_app_command", server))
    return script, dockerfiles.waits_for(command, script)


def prepared(made: Draft, source: Path, project: Project) -> None:
    """Say what a Procfile has manage.py prepare before it serves, where Berth's Dockerfile serves in its place and a release migrates."""
    said, file = procfile.web_command(source, project.directory)
    scripts = [text_of(source / project.directory / word) for word in said.split() if word.endswith((".sh", ".bash"))]
    found = dict.fromkeys(run for run in MANAGED.findall("\n".join([said, *scripts])) if run not in ("collectstatic", "migrate"))
    if found:
        what = f"The web of {file} runs {', '.join(found)} of manage.py before it serves, which nothing here does."
        made.say("The app", f"{what} What the site needs of it belongs in berth_app_release_commands, after migrate.")


def supervising(made: Draft, dockerfile: Dockerfile, supervised: dict[str, str]) -> list[str]:
    """Say what serves among the programs of an image's supervisor, and return it, nothing where that cannot be told."""
    why = f"{dockerfile.path} starts a supervisor, which is made to run as root and has all its programs in each pod."
    command = procfile.words(supervisor.server(supervised))
    if command:
        rest = "This is the one that serves; what it prepares besides migrations belongs in berth_app_release_commands."
        made.set("The app", "berth_app_command", command, f"{why} {rest}")
    else:
        made.say("The app", f"{why} Name the one that serves in berth_app_command, at 0.0.0.0, and each other one in berth_app_processes.")
    return command


def missing_command(source: Path, dockerfile: Dockerfile, web: procfile.Web, project: Project) -> tuple[list[str], str]:
    """Return what serves in an image that has no command of its own, and where that comes from; none where nothing says it."""
    if web.command:
        return procfile.words(web.command), f"From {web.file}"
    if dockerfile.entrypoint:
        return [], ""  # which may serve by itself
    said, file = procfile.web_command(source, project.directory)
    if said:
        command = procfile.words(said)
        return [*command, *reachable(source / project.directory, command)], f"From {file}"
    server = installed_server(project, PORT)
    return server, f"Guessed: {server[0]} is installed" if server else ""


def installed_server(project: Project, port: int) -> list[str]:
    """Return the command of a server that the project's packages have, none where they have none."""
    for program, application in (("gunicorn", project.wsgi), ("uvicorn", project.asgi)):
        if program in project.dependencies.names and application:
            address = ["--bind", f"0.0.0.0:{port}"] if program == "gunicorn" else ["--host", "0.0.0.0", "--port", str(port)]
            return [program, *address, application]
    return []


def reachable(root: Path, command: list[str]) -> list[str]:
    """Return what a command of gunicorn lacks that has its address from a file, and that for a proxy on the same machine; nothing for another."""
    text = " ".join(command)
    found = re.search(r"\Agunicorn\s.*?(?<=\s)(?:-c|--config)[\s=](?:file:)?(\S+)", text)
    own = found and not re.search(r"\s(?:-b|--bind)\b", text) and is_bound_to_itself(root / found[1])
    return ["--bind", f"0.0.0.0:{PORT}"] if own else []


def processes(made: Draft, source: Path, project: Project, dockerfile: Dockerfile | None, reading: Reading) -> dict[str, dict[str, Any]]:
    """Say what runs beside web, at times, and before a release, and return the processes."""
    found, file, left = procfile.find(source, project.directory, project.dependencies, project.loaded.names)
    part = "What runs beside web"
    queues = reading.keys("RQ_QUEUES") if not file else []
    for one in found.values():
        if one["command"][-1] == "rqworker" and queues != ["default"]:
            one["command"] = [*one["command"], *queues]
    supervised = procfile.chosen((supervisor.programs(source, dockerfile) if dockerfile else None) or {})
    if supervised:
        found, file, left = supervised, f"the supervisor that {dockerfile.path if dockerfile else ''} starts", []
    if dockerfile:
        found = {name: scripted(made, part, name, one, dockerfile.script(source, one["command"]), project) for name, one in found.items()}
    if dockerfile and dockerfile.uv:
        found = {name: {**one, "command": procfile.without_uv(one["command"])} for name, one in found.items()}
    if dockerfile and file in procfile.COMPOSE:  # which runs them by the image's entrypoint, and Kubernetes in its place
        found = {name: {**one, "command": [*dockerfile.entrypoint, *one["command"]]} for name, one in found.items()}
    if found:
        why = f"From {file}." if file else "Guessed from the packages."
        beat = any(procfile.SCHEDULE in " ".join(one["command"]) for one in found.values())
        made.set(part, "berth_app_processes", found, f"{why} Celery's beat writes to its schedule, and the root is read-only." if beat else why)
    for text in left:
        made.say(part, text)
    strangers, compose = procfile.strangers(source)
    if strangers:
        way = "give the app the address of one that runs elsewhere, or have it run by manifests in berth_app_objects"
        made.say(part, f"{compose} runs {', '.join(strangers)} too, which Berth does not: {way}.")
    if "INSTALLED_APPS" in project.loaded.names and not any("sessions" in text for text in project.loaded.texts):
        made.set(part, "berth_app_schedules", [], "The settings have no sessions, of which old ones are removed at night otherwise.")
    release = procfile.release(source, project.directory)
    why = "From Procfile." if release else ""
    if DATABASE_CACHE in project.loaded.texts - project.loaded.chosen and not any("createcachetable" in each for each in release):
        release = [*(release or ["migrate --noinput"]), "createcachetable"]
        why = f"{why} The settings keep a cache in the database, whose table this makes.".strip()
    if release:
        made.set("The app", "berth_app_release_commands", release, why)
    return found


def scripted(made: Draft, part: str, name: str, process: dict[str, Any], script: str, project: Project) -> dict[str, Any]:
    """Return a process whose script runs Celery's beat as what it runs: there is one of it, which keeps its schedule where it can write."""
    lines = [line.strip() for line in script.splitlines() if line.strip() and not re.match(r"\s*(?:#|set\s)", line)]
    if not any(procfile.BEAT.search(line) for line in lines):
        return process
    if "CELERY_BEAT_SCHEDULER" in project.loaded.names or procfile.BEAT_FILE.search(script):
        return {**process, "singleton": True}
    if len(lines) == 1:
        return procfile.process(procfile.words(lines[0]))
    where = f"add --schedule {procfile.SCHEDULE} to the beat of the script that {name} runs"
    made.say(part, f"Celery's beat writes to its schedule in the working directory, and the root is read-only: {where}.")
    return {**process, "singleton": True}


def probe(made: Draft, root: Path, reading: Reading, asked: list[Asked], dockerfile: Dockerfile | None) -> None:
    """Say which page tells that a pod is well."""
    urlconf = reading.text("ROOT_URLCONF")
    middleware = reading.value("MIDDLEWARE")
    named = [one for one in middleware if isinstance(one, str)] if isinstance(middleware, list) else []
    found = list(routes.routes(root, urlconf)) if urlconf else []
    live, ready, why = routes.probe(found, list(routes.middleware_paths(root, named)))
    if dockerfile and dockerfile.health:
        live, ready, why = dockerfile.health, dockerfile.health, f"HEALTHCHECK of {dockerfile.path} asks for it"
    part = "Health"
    if {"readiness": ready, "liveness": live} == DEFAULT_PATHS:
        return
    shared = f" {SHARED}" if live == ready and routes.is_health(live) else ""
    made.set(part, "berth_app_liveness_path", live, f"Guessed: {why}.{shared}")
    made.set(part, "berth_app_readiness_path", ready)
    if made.known.get("berth_app_path", {}).get("default") not in (None, "/") or not any(path == "/" for path, _ in found):
        made.set(part, "berth_app_path", live if found and live != "/" else "/", "What the run asks for in the end.")
    hosts = reading.value("ALLOWED_HOSTS")
    hidden = [one for one in asked if one.setting == "ALLOWED_HOSTS"]
    if isinstance(hosts, list) and hosts and not hidden and "*" not in hosts:
        names = ", ".join(str(one) for one in hosts)
        made.say("Names", f"The settings answer to {names} alone: take other names from a variable, which berth_app_hosts_env names, or add them there.")
    if isinstance(hosts, list) and not hidden and not {"*", "localhost", ".localhost"} & set(hosts):
        host = "127.0.0.1" if "127.0.0.1" in hosts else str(hosts[0]).lstrip(".") if hosts else ""
        if host and made.set(part, "berth_app_probe", {"host": host}, "ALLOWED_HOSTS in the settings refuses localhost."):
            return
        made.needs.append(HOSTS)


def kept_besides(source: Path, dockerfile: Dockerfile | None, known: list[str]) -> tuple[dict[str, str], str]:
    """Return the directories, by name, that a compose file or else the image keeps besides those that are known, and that file."""
    directories, file = procfile.kept(source) if dockerfile else ([], "")
    if dockerfile and not directories:
        directories, file = list(dockerfile.volumes), dockerfile.path
    taken = [path for path in [*known, dockerfile.workdir if dockerfile else ""] if path]
    found: dict[str, str] = {}
    for path in directories:
        within = any(path == other or path.startswith(f"{other}/") for other in filter(None, known)) or any(other.startswith(f"{path}/") for other in taken)
        if not (within or path in taken or PASSING.search(path) or formats.directory(path) or formats.apart_from_the_system(path)):
            name = procfile.process_name(posixpath.basename(path))
            found[name if name not in {"media", *found} else procfile.process_name(path)] = path
            taken.append(path)
    return found, file


def inside(path: Path | None, source: Path, dockerfile: Dockerfile | None, directory: str) -> str:
    """Return where a path of the source is in the image, or the path itself where it lies elsewhere; "" where it is not known.

    Settings work it out from the ``directory`` that has them, which an image may have without what is above it in the source.
    """
    if path is None or path == source:
        return ""
    if not path.is_relative_to(source):
        return str(path)
    home = dockerfile.place(directory) if dockerfile else posixpath.join(HOME, directory)
    return posixpath.normpath(posixpath.join(home, os.path.relpath(path, source / directory))) if home else ""


def elsewhere(reading: Reading, chosen: Collection[str], setting: str, alias: str) -> bool:
    """Whether files are kept in a storage of django-storages, or in a class of the project's own that is made of one.

    Args:
        reading: The settings.
        chosen: The texts that stand only where a variable would have it so, which say nothing.
        setting: What names the storage before Django 4.2.
        alias: What it is called in ``STORAGES``.
    """
    named = [reading.expressions[setting][0]] if setting in reading.expressions else []
    for node in ast.walk(reading.expressions["STORAGES"][0]) if "STORAGES" in reading.expressions else ():
        if isinstance(node, ast.Dict):
            named += [value for key, value in zip(node.keys, node.values, strict=True) if key and constant(key) == alias]
    storages = {constant(node) for each in named for node in ast.walk(each)} - set(chosen)
    return any(storage.startswith("storages.backends.") or made_of_storages(reading.root, storage) for storage in storages)


def made_of_storages(root: Path, storage: str) -> bool:
    """Whether a storage is a class of the project's own, one of whose bases django-storages has."""
    module, _, name = storage.rpartition(".")
    file = module_file(root, module)
    tree = (parsed(file) if file else None) or ast.Module([], [])
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("storages.backends")]
    imported = {alias.asname or alias.name for node in imports for alias in node.names}
    return any(isinstance(node, ast.ClassDef) and node.name == name and imported & {dotted(base) for base in node.bases} for node in tree.body)


def maps_static(source: Path, served: str) -> bool:
    """Whether uWSGI shows the static files, as its settings say or a script that runs it."""
    texts = [served, *(text_of(source / path) for path in find_matching(source, UWSGI))]
    return any(re.search(r"^\s*static-map|--static-map", text, re.MULTILINE) for text in texts)


def local_url(value: str) -> str:
    """Return MEDIA_URL or STATIC_URL as the path that visitors ask for, "" where that is on another site or not known.

    >>> local_url("media/"), local_url("https://cdn.example.com/"), local_url("")
    ('/media/', '', '')
    """
    url = "" if value.startswith("//") else f"/{value.strip('/')}/"
    return "" if formats.files_url(url) else url


def files(made: Draft, source: Path, dockerfile: Dockerfile | None, project: Project, reading: Reading, served: str) -> None:
    """Say where static and uploaded files are; ``served`` is what the script does that serves."""
    part = "Files"
    guess = "Guessed from the settings and where " + (dockerfile.path if dockerfile else "Berth's Dockerfile") + " puts the source."
    media, static = (inside(reading.path(name), source, dockerfile, project.directory) for name in ("MEDIA_ROOT", "STATIC_ROOT"))
    url = local_url(reading.text("MEDIA_URL"))
    away = elsewhere(reading, project.loaded.chosen, "DEFAULT_FILE_STORAGE", "default")
    keeps = bool(media) and not away
    volumes = {"media": {"path": media, "size": "1Gi", **({"url": url} if url else {})}} if keeps else {}
    others, file = kept_besides(source, dockerfile, [media, static])
    volumes |= {name: {"path": path, "size": "1Gi"} for name, path in others.items()}
    why = [guess if keeps else "", f"Guessed: {file} keeps {', '.join(others.values())}." if others else ""]
    if volumes and not made.set(part, "berth_app_volumes", volumes, " ".join(filter(None, why))):
        places = ", ".join(str(volume["path"]) for volume in volumes.values())
        made.say(part, f"Uploads go to {places}, which is read-only: Berth keeps no files. Store them elsewhere, as with django-storages.")
    if "MEDIA_ROOT" in project.loaded.names and reading.value("MEDIA_ROOT") != "" and not (media or away):
        example = "berth_app_volumes: {media: {path: /srv/app/media, size: 1Gi}}"
        made.say(part, f"Where MEDIA_ROOT is in the image cannot be worked out. It needs a volume, as in {example}.")
    if dockerfile is None:
        return  # a Dockerfile of Berth's making serves static files itself
    at_start = "collectstatic" in served and bool(static)
    sent, itself = elsewhere(reading, project.loaded.chosen, "STATICFILES_STORAGE", "staticfiles"), serves_itself(project) or maps_static(source, served)
    if sent or itself:
        if at_start:
            made.set(part, "berth_app_writable", {static: "256Mi"}, COLLECTED)
        collects = dockerfile.collects or "collectstatic" in served or bool(FINDERS & project.loaded.names)
        if not sent and not collects and "STATIC_ROOT" in project.loaded.names:
            made.needs.append(collecting(made, dockerfile, project, reading))
        return
    url = local_url(reading.text("STATIC_URL"))
    if static and url and made.set(part, "berth_app_static", {"path": static, "url": url}, f"{guess} Nothing in the project serves them."):
        if at_start:
            made.say(part, "They are those of the image: leave out collectstatic where a script runs it when a pod starts, for nothing can be written there.")
        if not dockerfile.collects:  # an image whose pods collect has none to show
            made.needs.append(collecting(made, dockerfile, project, reading))
    elif "STATIC_ROOT" in project.loaded.names:
        said = reading.text("STATIC_URL")
        own = f", and STATIC_URL = '/static/' unless {said} takes them from here" if re.match(r"https?://|//", said) else ""
        lacks = f"nothing serves static files; and whitenoise as a requirement{own}"
        made.needs.append(f"MIDDLEWARE.insert(1, 'whitenoise.middleware.WhiteNoiseMiddleware')  # {lacks}")
        if not (dockerfile.collects or "collectstatic" in served):
            made.needs.append(collecting(made, dockerfile, project, reading))
    else:
        made.needs.append("STATIC_ROOT = BASE_DIR / 'staticfiles'  # where collectstatic puts them; whitenoise serves them")


def collecting(made: Draft, dockerfile: Dockerfile, project: Project, reading: Reading) -> str:
    """Return the line that a Dockerfile lacks in whose image no static files are, with the variables without which the settings do not load."""
    # The module that manage.py takes by itself may be one to develop with.
    named = {"DJANGO_SETTINGS_MODULE": project.settings} if project.settings and "DJANGO_SETTINGS_MODULE" in made.settings else {}
    key = {"DJANGO_SECRET_KEY": "build"} if key_in_source(reading) else {}
    values = "".join(f"{name}={shlex.quote(value)} " for name, value in sorted({**named, **key, **project.loaded.variables}.items()))
    return f"RUN {values}python manage.py collectstatic --noinput, in {dockerfile.path} below the COPY of the source  # else the image has no static files"


def key_in_source(reading: Reading) -> bool:
    """Whether SECRET_KEY stands in the settings in so many words: it has to come from DJANGO_SECRET_KEY, in the build too."""
    return isinstance(reading.value("SECRET_KEY"), str) and bool(reading.value("SECRET_KEY"))


# --- Database and cache ------------------------------------------------------------
def database_variables(source: Path, asked: list[Asked]) -> dict[str, str]:
    """Return the variables for url, host, port, name, user and password of the database, as far as settings or an entrypoint ask for them."""
    found: dict[str, str] = {}
    for one in asked:
        if one.kind in ("db", "db_url", "dj_db_url") or one.name.endswith("DATABASE_URL"):
            found.setdefault("url", one.name)
        elif one.setting == "DATABASES" and one.key in ROLES and one.kind not in ("bool",):
            found.setdefault(ROLES[one.key], one.name)
    scripts = "".join(text_of(source / path) for name in ("entrypoint", "entrypoint.sh", "docker-entrypoint.sh") for path in find_files(source, name))
    for name in [one.name for one in asked if one.setting in ("", "DATABASES") or not one.setting.isupper()] + re.findall(r"\b[A-Z_]{5,}\b", scripts):
        if (part := database_part(name)) not in ("", "url"):
            found.setdefault(part, name)
    return found


def database(made: Draft, source: Path, app: str, reading: Reading, asked: list[Asked], project: Project, waited: str) -> set[str]:
    """Say how the settings learn of the database, and return the variables that this settles; ``waited`` is the server that a script waits for."""
    found = database_variables(source, asked)
    part = "The database"
    engine = next((one for one in asked if one.setting == "DATABASES" and one.key == "ENGINE"), None)
    spatial = "django.contrib.gis" in project.loaded.texts or any("postgis" in text for text in project.loaded.texts)
    if engine:
        backend = "django.contrib.gis.db.backends.postgis" if spatial else "django.db.backends.postgresql"
        made.settings[engine.name] = (backend, "")
    for name, chooses in reading.choosing.items():
        made.settings[name] = (chooses, "")
    told = {role: name for role, name in found.items() if name not in SET_BY_BERTH and name != "DATABASE_PASSWORD"}
    if told and not made.set(part, "berth_app_database_env", told, "The variables that the settings ask for."):
        by_hand(made, told, "postgis" if spatial else "postgres")
    known = project.dependencies.names
    if known and not {"psycopg", "psycopg2", "psycopg2-binary", "psycopg-binary", "psycopg-c"} & known:
        made.needs.append(requirement(project, "psycopg2-binary" if is_older(project.dependencies.pins.get("django", "5"), "4.2") else "psycopg[binary]"))
    host = hard_coded_host(reading)
    fixed = bool(host) and not {"url", "host"} & found.keys()
    aliases = list(dict.fromkeys(filter(None, [host if fixed else "", waited])))
    why = " ".join(["The settings name this host."] * fixed + [f"A script waits for {waited}."] * bool(waited))
    if aliases and not made.set(part, "berth_app_database_aliases", aliases, why) and fixed:
        made.needs.append(f"os.environ['DATABASE_HOST'] in the place of '{host}', for the database has that name")
    if not fixed and not {"url", "host"} & found.keys():
        keys = "'HOST', 'PORT', 'NAME', 'USER', 'PASSWORD'"
        made.needs.append(
            "import os; DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', "
            f"**{{key: os.environ.get('DATABASE_' + key, '') for key in ({keys})}}}}}}  # else data are lost with the pod, if they can be written at all"
        )
    extensions = sorted({"postgis"} if spatial else set()) + migrations_extensions(source / project.directory)
    if extensions and not made.set(part, "berth_app_database_extensions", extensions, "Guessed from the settings and the migrations."):
        made.say(part, f"The database needs the extensions {', '.join(extensions)}; migrations make those that PostgreSQL trusts.")
    return {*found.values(), *SET_BY_BERTH, *reading.choosing, *([engine.name] if engine else [])}


def requirement(project: Project, package: str) -> str:
    """Return the line that the requirements lack for the database: Django knows psycopg 3 from 4.2 on."""
    file = f", in {project.dependencies.files[0]}" if project.dependencies.files else ""
    return f"{package} as a requirement{file}  # nothing that is installed speaks to PostgreSQL"


def by_hand(made: Draft, told: Mapping[str, str], scheme: str) -> None:
    """Give the variables of the database as settings and secrets of the app."""
    name = "{{ berth_app_name | replace('-', '_') }}"
    values = {"host": "database", "port": "5432", "name": name, "user": name}
    for role, variable in told.items():
        if role == "url":
            address = f"{scheme}://{name}:{{{{ berth_database_password | urlencode }}}}@database:5432/{name}"
            made.secrets[variable] = (address, "")
        elif role == "password":
            made.secrets[variable] = ("{{ berth_database_password }}", "")
        else:
            made.settings[variable] = (values[role], "")


def hard_coded_host(reading: Reading) -> str:
    """Return the host that the settings of the database have in so many words, "" for none."""
    if "DATABASES" not in reading.expressions:
        return ""
    for node in ast.walk(reading.expressions["DATABASES"][0]):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "HOST" and isinstance(value, ast.Constant):
                    said = str(value.value or "")
                    return said if re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", said) and said not in ("localhost", "database") else ""
    return ""


def migrations_extensions(root: Path) -> list[str]:
    """Return the extensions of PostgreSQL that migrations make."""
    text = "".join(text_of(path) for path in sorted(root.glob("**/migrations/0*.py")) if "site-packages" not in path.parts)
    return sorted({extension for name, extension in EXTENSIONS.items() if re.search(rf"\b{name}\(", text)})


def cache(made: Draft, reading: Reading, asked: list[Asked], every: list[Asked], project: Project) -> set[str]:
    """Say how the settings learn of the cache and the broker, and return the variables that this settles; ``every`` has each setting that asks for one."""
    places = ("CACHES", "CHANNEL_LAYERS", "Q_CLUSTER", "RQ_QUEUES", "HUEY")
    client = {"redis", "valkey", "django-redis", "channels-redis", "django-rq", "celery", "huey"} & project.dependencies.names
    wanted = [
        one
        for one in asked
        if one.kind in ("cache", "cache_url", "dj_cache_url")
        or re.search(r"REDIS|VALKEY|BROKER_URL|CELERY_RESULT_BACKEND|CACHE_URL", one.name)
        or (re.search(r"BROKER_URL|RESULT_BACKEND", one.setting) and re.search(r"BROKER|CELERY|QUEUE", one.name))
        or one.setting in places
    ]
    wanted = [one for one in wanted if one.kind not in ("bool", "int", "float") and not beside_the_address(one)]
    part = "The cache"
    if not wanted:
        needed_cache(made, reading, project, bool(client))
        return set()
    urls = [one.name for one in wanted if not PART.search(one.name)]
    whole = {one.setting for one in every if one.name in urls} - {"", *places}
    parts = {one.name for one in every if one.setting in whole} - set(urls)  # what an address is put together of where its variable is not set
    wanted = [one for one in wanted if one.name not in parts or one.required]
    why = f"For {', '.join(one.name for one in wanted)}."
    if any(str(one.default).startswith(("amqp", "pyamqp")) for one in wanted):
        why += " By default that is RabbitMQ, which Berth does not run; Celery takes this as well."
    if client and made.set(part, "berth_cache", "cluster", why):
        if client_missing(project.dependencies.names | project.dependencies.direct):
            file = f", in {project.dependencies.files[0]}" if project.dependencies.files else ""
            made.needs.append(f"redis as a requirement{file}  # nothing that is installed speaks to the cache")
        if urls and not set(urls) <= CACHE_URLS:
            made.set(part, "berth_cache_env", urls, "The variables from which the settings take its URL.")
        handled = address_parts(made, [one for one in asked if one.name not in urls and (one in wanted or one.required)])
        handled |= cache_kind(made, asked, urls, project)
        for one in wanted:
            if (one.name not in urls and one.name not in handled) or (one.name not in CACHE_URLS and "berth_cache_env" not in made.known):
                made.say(part, f"{one.name} gets no value: let the settings take os.environ['REDIS_URL'] in its place.")
    elif client and "berth_cache" not in made.known:
        for one in [each for each in wanted if each.required]:
            made.secrets[one.name] = placeholder(made, one.name, "as redis://host:6379/0: Berth runs no cache")
        if others := [one.name for one in wanted if not one.required]:
            made.say(part, f"Berth runs no cache; the settings take the address of one from {', '.join(others)}.")
    return {one.name for one in wanted if not one.required or client}


def needed_cache(made: Draft, reading: Reading, project: Project, client: bool) -> None:
    """Propose a cache where the settings take its address from no variable: they have one in so many words, or a package needs one."""
    fixed = hard_coded_caches(reading, project) if client else []
    packages = sorted(NEED_CACHE & project.dependencies.direct)
    why = f"The settings name {', '.join(fixed)}." if fixed else f"Guessed, for {', '.join(packages)}." if packages else ""
    if why and made.set("The cache", "berth_cache", "cluster", why):
        place = f"in the place of '{fixed[0]}'" if fixed else "where the settings have the address of Redis"
        made.needs.append(f"os.environ.get('REDIS_URL', '') {place}  # the cache has another address, and a password")


def address_parts(made: Draft, asked: list[Asked]) -> set[str]:
    """Set the variables that are a part of the address of the cache beside the app, and return them."""
    done = set()
    for one in asked:
        found = PART.search(one.name) if not re.search(r"MEMCACHE|RABBIT|AMQP", one.name) else None
        if not found or not re.search(r"REDIS|VALKEY|CACHE|BROKER", one.name):
            continue
        done.add(one.name)
        if found[0] == "_PASSWORD":
            made.secrets[one.name] = (generated("CACHE_PASSWORD"), "")
        elif value := PARTS.get(found[0]) or ("0" if one.required else ""):
            made.settings[one.name] = (value, "")
    return done


def cache_kind(made: Draft, asked: list[Asked], urls: list[str], project: Project) -> set[str]:
    """Set the variables that choose what kind of cache CACHES has where they choose none that is shared, and return them."""
    if not any(one.setting == "CACHES" and one.name in urls for one in asked):
        return set()
    apart = "django-redis" in project.dependencies.names
    kinds = {"BACKEND": "django_redis.cache.RedisCache" if apart else "django.core.cache.backends.redis.RedisCache"}
    kinds |= {"CLIENT_CLASS": "django_redis.client.DefaultClient"} if apart else {}
    local = [one for one in asked if one.default in (None, "") or re.search(r"\.(?:Dummy|FileBased|LocMem)\w*\Z", str(one.default))]
    chosen = {one.name: kinds[one.key] for one in local if one.setting == "CACHES" and one.key in kinds and one.kind in ("", "str")}
    made.settings |= {name: (kind, "") for name, kind in chosen.items()}
    return set(chosen)


def hard_coded_caches(reading: Reading, project: Project) -> list[str]:
    """Return the addresses of caches that the settings have in so many words: as a URL, or as the host and the port of a channel layer."""
    found = {text for text in project.loaded.texts - project.loaded.chosen if re.match(r"(?:rediss?|valkey)://[^\s/]+", text)}
    for node in ast.walk(reading.expressions["CHANNEL_LAYERS"][0]) if "CHANNEL_LAYERS" in reading.expressions else ():
        match node:
            case ast.Tuple(elts=[ast.Constant(value=str(host)), ast.Constant(value=int(port))]):
                found.add(f"{host}:{port}")
    return sorted(found)


def beside_the_address(one: Asked) -> bool:
    """Whether a variable that belongs to a cache is something else than where it is, by its name or by what it is where nobody sets it.

    Celery calls the address of its results a backend, and takes ``django-db`` too.

    >>> beside_the_address(Asked("REDIS_PREFIX")), beside_the_address(Asked("LAYER", default="channels_redis.core.Layer")), beside_the_address(Asked("REDIS"))
    (True, True, False)
    """
    said = one.default if isinstance(one.default, str) else ""
    if re.match(r"(?:rediss?|valkeys?|amqp|pyamqp)://", said):
        return False
    if one.name.endswith("RESULT_BACKEND"):
        return bool(said) and "://" not in said
    other = re.search(r"_(?:BACKEND|ENGINE|CLASS|KEY_?PREFIX|PREFIX|TIMEOUT|TTL|VERSION|ALIAS|SSL\w*|CERT\w*|OPTIONS)\Z", one.name)
    kind = one.setting == "CACHES" and one.key in ("BACKEND", "CLIENT_CLASS", "KEY_PREFIX", "TIMEOUT", "VERSION")
    return kind or bool(other) or bool(re.fullmatch(r"\w+(\.\w+)+\.[A-Z]\w*", said))


# --- Settings and secrets ------------------------------------------------------------
def switches(made: Draft, reading: Reading, asked: list[Asked], every: list[Asked]) -> set[str]:
    """Set what an environment without TLS, and one that is served, needs of the settings; return the variables that this settles.

    Args:
        made: The inventory.
        reading: The settings.
        asked: Each variable once.
        every: Each setting that asks for one.
    """
    done, separators = set(), {}
    named = {one.name: one for one in every if one.setting == "ALLOWED_HOSTS" and one.kind == one.separator == ""}
    for one in (named.get(each.name, each) for each in asked):
        if one.setting == "ALLOWED_HOSTS" or re.fullmatch(r"(?:DJANGO_)?ALLOWED_HOSTS?", one.name):
            done.add(one.name)
            if one.kind in ("json",):
                made.settings[one.name] = ('["localhost", "127.0.0.1", "[::1]"]', "")
            elif not one.separator:
                if one.name in SET_BY_BERTH:
                    made.needs.append(f"ALLOWED_HOSTS = os.environ['{one.name}'].split(',')  # it has several names")
                elif one.default not in ("*", "localhost", ".localhost") and "*" not in (reading.value("ALLOWED_HOSTS") or []):
                    made.settings[one.name] = ("localhost", ONE_HOST)
            elif one.separator != "," or one.name != "DJANGO_ALLOWED_HOSTS":
                separators[one.name] = one.separator or " "
        elif one.setting in ("DEBUG", "TEMPLATE_DEBUG") or re.fullmatch(r"(?:DJANGO_|APP_)?DEBUG", one.name):
            done.add(one.name)
            if one.on:
                made.settings[one.name] = (one.off, "")
        elif one.setting in INSECURE:
            done.add(one.name)
            if one.on:
                made.settings[one.name] = (one.off, "No TLS comes before the site here; leave it out where it does.")
        elif one.setting == "SECRET_KEY" or RANDOM.fullmatch(one.name):
            done.add(one.name)
            made.secrets[one.name] = (generated(one.name), "")
    if separators:
        made.set("Names", "berth_app_hosts_env", separators, "The names that the site answers to, with what parts them.")
    if reading.value("DEBUG") is True:
        made.needs.append("DEBUG = False  # visitors would see the settings on every error")
    made.needs += [f"{name} = False  # no TLS comes before the site here" for name in INSECURE[:1] if reading.value(name) is True]
    if key_in_source(reading):
        made.needs.append("import os; SECRET_KEY = os.environ['DJANGO_SECRET_KEY']  # the one in the source is no secret")
        made.secrets.setdefault("DJANGO_SECRET_KEY", (generated("DJANGO_SECRET_KEY"), ""))
    return done


def tasks(made: Draft, asked: list[Asked], workers: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Leave Celery's tasks to its worker where web would run them itself; return the variables that this settles."""
    celery = any("celery" in " ".join(one["command"]) for one in workers.values())
    found = [one for one in asked if celery and one.setting in EAGER and one.on]
    for one in found:
        made.settings[one.name] = (one.off, "Tasks are the worker's: otherwise web runs them itself, and it has nothing to do.")
    return {one.name for one in found}


def local(made: Draft, source: Path, root: Path, project: Project) -> None:
    """Say which module the settings need that is not in the source, and what it has to take from the environment."""
    for module, example in left_out(root, project.settings):
        names = assigned(example)
        path = module.relative_to(source)
        made.needs.insert(0, f"{path}, as {example.name} beside it, with values from os.environ  # not in the source, and the settings do not load without it")
        if "ALLOWED_HOSTS" in names:
            made.needs.append(HOSTS)
        if "SECRET_KEY" in names:
            made.needs.append("import os; SECRET_KEY = os.environ.get('DJANGO_SECRET_KEY') or 'for-the-build-' * 4  # no secret belongs into the source")
            made.secrets.setdefault("DJANGO_SECRET_KEY", (generated("DJANGO_SECRET_KEY"), ""))


def network(made: Draft, project: Project, root: Path) -> None:
    """Propose what the app may call."""
    outside = sorted(OUTSIDE & project.dependencies.direct)
    if outside and made.takes("berth_app_egress", "internet"):
        made.set("The network", "berth_app_egress", "internet", f"Guessed: {', '.join(outside)} may call services outside.")
    elif outside:
        made.say("The network", f"{', '.join(outside)} may call services outside, which pods cannot reach unless berth_app_egress has a rule for it.")


def missing_files(made: Draft, source: Path, root: Path, project: Project) -> None:
    """Say which files with values the settings read that the source does not have: kept on a server, and not in git."""
    for _, tree in settings_trees(root, project.settings):
        if any(isinstance(node, ast.Call) and dotted(node.func) in LOADERS for node in ast.walk(tree)):
            names = {posixpath.basename(constant(node)) for node in ast.walk(tree) if VALUES.fullmatch(constant(node))}
            for name in sorted(name for name in names if not any(find_files(source, name))):
                why = "a pod has environment variables and not this file, and what stands for it in the settings is known to everybody"
                made.needs.append(f"os.environ in the place of {name}  # {why}")


def rest(made: Draft, asked: list[Asked]) -> None:
    """Ask for what the settings do not load without."""
    for one in asked:
        if not one.required or one.name in made.settings or one.name in made.secrets:
            continue
        if one.name.endswith("ADMIN_URL"):
            made.settings[one.name] = ("admin/", "Guessed.")
        elif SECRET.search(one.name):
            made.secrets[one.name] = placeholder(made, one.name, "encrypted by ansible-vault encrypt_string: the settings do not load without it")
        else:
            what = f" ({one.kind})" if one.kind else ""
            made.settings[one.name] = placeholder(made, one.name, f"for the settings do not load without it{what}")


def placeholder(made: Draft, name: str, why: str) -> tuple[str, str]:
    """Return a value that preflight refuses, naming the variable, and no comment."""
    made.asked.append(name)
    return "{{ undef(hint='write the value of " + name + " here, " + why + "') }}", ""


def generated(name: str) -> str:
    """Return the value of a secret that the first run makes up."""
    return f"{{{{ lookup('berth.platform.generated_secret', berth_secrets_directory ~ '/{name.lower()}') }}}}"


# --- The text ----------------------------------------------------------------------
def text(made: Draft, environment: str) -> str:
    """Return the inventory's main.yml."""
    lines = [
        "---",
        f'# The environment "{environment}", written by playbooks/new.yml from what the project says. The README has the list of all variables.',
        "berth_provider: auto # kubeadm on this machine for root, else minikube",
        f'berth_kubeconfig: "{CACHE}/kubeconfig"',
        f"berth_namespace: {environment}",
    ]
    for heading, part in made.parts.items():
        lines += ["", f"# --- {heading} ---", *part]
    if made.needs:
        lines += ["", "# --- What the project lacks ---", *(f"#   {line}" for line in made.needs)]
    lines += ["", "# --- Settings: environment variables of the app ---", *pairs("berth_app_settings", made.settings)]
    lines += ["", "# --- Secrets: made up by the first run, kept outside git with mode 0600 ---", f'berth_secrets_directory: "{CACHE}/secrets"']
    lines += pairs("berth_app_secrets", made.secrets)
    lines.append("berth_database_password: \"{{ lookup('berth.platform.generated_secret', berth_secrets_directory ~ '/database_password') }}\"")
    return "\n".join(lines) + "\n"


def summary(made: Draft, directory: str, check: bool = False) -> list[str]:
    """Return what is left to do, a line each: what to fill in, what the project lacks, and the command to run."""
    main = f"{directory}/group_vars/all/main.yml"
    lines = [f"{main} would be written." if check else f"{main} is written; read what it says, above all where it guessed."]
    if made.asked:
        lines.append(f"Write the values there that nobody can know: {', '.join(sorted(made.asked))}.")
    if made.needs:
        lines += ["The project lacks, by what can be seen:", *(f"  {line}" for line in made.needs)]
    return [*lines, f"Then: ansible-playbook site.yml -i {directory}"]


CACHE = "{{ inventory_dir | dirname | dirname }}/.cache/{{ inventory_hostname }}"


def pairs(name: str, values: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the lines of a mapping of environment variables, with their comments."""
    if not values:
        return [f"{name}: {{}}"]
    lines = [f"{name}:"]
    first: dict[str, str] = {}
    for key, (_, why) in sorted(values.items()):
        first.setdefault(why or key, key)
    said = ""
    # Those with the same comment stand below it together.
    for _, key in sorted((first[why or key], key) for key, (_, why) in values.items()):
        value, why = values[key]
        lines += [f"  {line}" for line in comment(why if why != said else "")]
        lines.append(f"  {key}: {quoted(value)}")
        said = why
    return lines


def quoted(value: str) -> str:
    """Return a text as YAML has it in quotes: it is an environment variable, and never a number."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def hosts(environment: str) -> str:
    """Return the inventory's hosts.yml."""
    python = "{{ ansible_playbook_python }}"
    return f'---\nberth:\n  hosts:\n    {environment}:\n      ansible_connection: berth.platform.forked\n      ansible_python_interpreter: "{python}"\n'
