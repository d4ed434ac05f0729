"""The processes that a project runs beside web, according to its Procfile, compose file or packages."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ...module_utils.image.dockerfile import expand
from ...module_utils.image.project import Dependencies, find_matching, text_of

# The one for production comes first.
COMPOSE = [
    f"{name}.{suffix}"
    for name in ("docker-compose.production", "docker-compose.prod", "compose.production", "compose.prod", "production", "compose", "docker-compose")
    for suffix in ("yml", "yaml")
]
SERVERS = re.compile(r"\b(?:gunicorn|uvicorn|uwsgi|daphne|hypercorn|granian|waitress-serve|runserver(?:_plus)?|mod_wsgi-express)\b")
# Commands that run once.
ONCE = re.compile(r"manage\.py\s+(?:migrate|collectstatic|makemigrations|test|createsuperuser|loaddata|check|compilemessages|shell\w*|tailwind)\b")
# Monitoring and development tools.
TOOLS = re.compile(r"(?:\b|/)(?:npm|yarn|pnpm|node|webpack|vite|pytest|\S*flower|mkdocs|watch\S*|livereload|mailpit|mailhog|maildev)\b")
# Images of services that Berth runs or replaces, and of development tools.
KNOWN = re.compile(
    r"(?:\S*[/-])?(?:postg\w*|pgvector|redis|valkey|nginx|traefik|caddy|haproxy|certbot|adminer|pgadmin4?|kibana|node|busybox"
    r"|mailhog|mailpit|mailcatcher|maildev|flower|watchtower)(?:[-:@]\S*)?"
)
NAMELESS = re.compile(r"manage\.py\s+runworker\s*\Z")  # of Channels 1; later ones end without the names of channels
VALUED = ("--directory", "--env-file", "--extra", "--group", "--no-group", "--only-group", "--project", "--python", "--with", "-p")  # flags of uv run
WEB = ("app", "backend", "django", "server", "site", "web", "www")  # names of the service that serves pages
# A proxy or a pooler of a buildpack's, which starts the command that follows: heroku/heroku-buildpack-nginx and heroku/heroku-buildpack-pgbouncer.
BUILDPACK = re.compile(r"\A(?:(?:\S*/)?start-(?:nginx|pgbouncer|stunnel)[\w-]*\s+(?:-f\s+)?)+")
ASSIGNMENT = re.compile(r"\w+=")
SHELL = re.compile(r"[$&|;<>`*]")
GIVEN = re.compile(r"(?:\S*/)?(?:ba|da)?sh -\w*c")  # a shell with a command as its argument
SEVERAL = re.compile(r"(?P<before>(?:.*(?:&&|;|\n))?\s*)(?P<last>[^&|;\n]+)", flags=re.DOTALL)
# Builtins of a shell, or what has already replaced it.
STAYS = re.compile(r"(?:done|esac|exec|exit|export|fi|set|source|wait|[.}):])(?:\s|\Z)")
BEAT = re.compile(r"(?:^|[\s/])celery\s.*(?:\bbeat\b|\s-\w*B\b)")
BEAT_FILE = re.compile(r"\s(?:-s|--schedule(?:-filename)?|-S|--scheduler)\b")
SCHEDULE = "/tmp/celerybeat-schedule"
WORKERS = re.compile(r"\b(?:celery|rqworker|rq|huey|run_huey|dramatiq|rundramatiq|qcluster|procrastinate|db_worker|arq)\b|worker|beat|scheduler")


def words(command: str) -> list[str]:
    """Return a shell's command word by word; one that needs a shell is given to it, and replaces it, for the process that gets the signals."""
    command = re.sub(r"\Aexec\s+", "", command)  # which is not a program
    if ASSIGNMENT.match(command):
        command = f"env {command}"  # exec takes no assignments
    try:
        said = shlex.split(command)
    except ValueError:
        return ["sh", "-c", replacing(command)]
    if len(said) == 3 and GIVEN.fullmatch(" ".join(said[:2])):
        return [*said[:2], replacing(said[2].strip())]
    return ["sh", "-c", replacing(command)] if SHELL.search(command) else said


def replacing(command: str) -> str:
    """Return a shell's command whose last program replaces the shell, as far as that can be told: not what belongs to a loop or stands in quotes."""
    parts = SEVERAL.fullmatch(command)
    if not parts or re.search(r"[|]|(?<!&)&(?!&)", parts["before"]):
        return command
    last = parts["last"]
    if STAYS.match(last) or any(last.count(quote) % 2 for quote in "\"'"):
        return command
    return f"{parts['before']}exec {'env ' if ASSIGNMENT.match(last) else ''}{last}"


def without_uv(command: list[str]) -> list[str]:
    """Return a command without ``uv run`` before it, which would write to its cache and may install what the image does not have.

    >>> without_uv(["uv", "run", "--no-sync", "--extra", "prod", "gunicorn", "-b", ":8000"]), without_uv(["uv", "sync"])
    (['gunicorn', '-b', ':8000'], ['uv', 'sync'])
    """
    if command[:2] != ["uv", "run"]:
        return command
    left = command[2:]
    while left and left[0].startswith("-"):
        left = left[2:] if left[0] in VALUED else left[1:]
    return left


def process_name(said: str) -> str:
    """Return a name that Kubernetes accepts.

    >>> process_name("Celery_Worker")
    'celery-worker'
    """
    return re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-") or "process"


def process(command: list[str]) -> dict[str, Any]:
    """Return a process; a scheduler is a singleton, because two would do everything twice."""
    text = " ".join(command)
    alone = BEAT.search(text) or re.search(r"\b(?:rqscheduler|celerybeat|clock|scheduler|crontab)\b|start-celerybeat", text)
    return {"command": scheduling(command), **({"singleton": True} if alone else {})}


def scheduling(command: list[str]) -> list[str]:
    """Return the command of Celery's beat with a file that it can write, and others as they are: by default that is in the working directory."""
    text = " ".join(command)
    if not BEAT.search(text) or BEAT_FILE.search(text):
        return command
    if command[0] != "sh":
        return [*command, "--schedule", SCHEDULE]
    # What follows the last program of another one is not known to be its own.
    return [*command[:-1], f"{command[-1]} --schedule {SCHEDULE}"] if re.search(r"\bexec [^&|;<>]*\Z", command[-1]) else command


def procfile(text: str) -> dict[str, str]:
    """Return the commands of a Procfile by name, without the wrappers of a buildpack. devcenter.heroku.com/articles/procfile"""
    return {found[1]: BUILDPACK.sub("", found[2].strip()) for line in text.splitlines() if (found := re.match(r"([A-Za-z0-9_-]+):\s*(\S.*)", line))}


def compose(text: str) -> dict[str, Any]:
    """Return the services of a compose file by name, none if it is not one."""
    try:
        services = (yaml.safe_load(text) or {}).get("services")
    except (yaml.YAMLError, AttributeError):
        return {}
    return {str(name): service for name, service in services.items() if isinstance(service, dict)} if isinstance(services, dict) else {}


def production(source: Path) -> tuple[str, dict[str, Any]]:
    """Return the compose file for production and its services; "" and none without one."""
    found = ((name, compose(text_of(source / name))) for name in COMPOSE)
    return next(((name, services) for name, services in found if services), ("", {}))


def own_services(source: Path, services: dict[str, Any]) -> dict[str, str]:
    """Return the commands of the services that run the project's own image, by name; "" for the image's own.

    Where none is built, it is the one that is published under the project's name.
    """
    own = {service.get("image") for service in services.values() if "build" in service} - {None}
    if not any("build" in service for service in services.values()):
        own = {service.get("image") for service in services.values() if published_name(service) == process_name(source.name)}
    found = {}
    for name, service in services.items():
        command = service.get("command")
        if "build" in service or service.get("image") in own:
            text = shlex.join(map(str, command)) if isinstance(command, list) else str(command or "")
            # The lines of a script are in quotes; others are one.
            found[name] = (text if re.search(r"[\"']", text) else " ".join(text.split())).replace("$$", "$").strip()
    return found


def published_name(service: dict[str, Any]) -> str:
    """Return the name of a service's image, without registry, owner and tag.

    >>> published_name({"image": "ghcr.io/acme/Shop:${VERSION:-latest}"}), published_name({"build": "."})
    ('shop', '')
    """
    image = re.split(r"[:@$]", posixpath.basename(str(service.get("image") or "")))[0]
    return process_name(image) if image else ""


def kept(source: Path) -> tuple[list[str], str]:
    """Return the directories of the image that serves which a compose file keeps, and that file.

    They are in volumes with a name, or beside the compose file in directories that the source does not have: others are its code and configuration.
    """
    file, services = production(source)
    own = own_services(source, services)
    server = server_of(own)
    found: dict[str, None] = {}
    for service in [services[name] for name in own if server and images(services[name]) & images(services[server])]:
        for volume in service.get("volumes") or []:
            said = volume if isinstance(volume, dict) else dict(zip(("source", "target"), (expand(str(volume), {}) or "").split(":"), strict=False))
            place, target = str(said.get("source", "")), str(said.get("target", ""))
            named = re.fullmatch(r"\w[\w.-]*", place) and said.get("type", "volume") == "volume"
            beside = place.startswith("./") and not (source / place).exists() and not posixpath.splitext(target)[1]
            if named or beside:
                found[posixpath.normpath(target)] = None
    return list(found), file


def strangers(source: Path) -> tuple[list[str], str]:
    """Return the services of a compose file that run an image of somebody else's, which Berth has nothing for, and that file."""
    file, services = production(source)
    own = own_services(source, services)
    others = [name for name, service in services.items() if name not in own and not KNOWN.fullmatch(str(service.get("image", "")))]
    return others if own else [], file


def build(service: dict[str, Any]) -> tuple[str, str]:
    """Return what the image of a service is built from: the context, and the Dockerfile in it."""
    said = service["build"] if isinstance(service.get("build"), dict) else {"context": service.get("build")}
    return posixpath.normpath(str(said.get("context") or ".")), posixpath.normpath(str(said.get("dockerfile") or "Dockerfile"))


def images(service: dict[str, Any]) -> set[Any]:
    """Return what identifies a service's image: its name, and what it is built from."""
    return {service["image"]} if "build" not in service else {build(service), service.get("image")} - {None}


def server_of(commands: dict[str, str]) -> str:
    """Return the service that serves pages, by the commands of those that there are, "" for none; one alone is it unless it is a worker."""
    alone = len(commands) == 1 and not WORKERS.search("".join(commands.values()))
    return next((name for name, command in commands.items() if not WORKERS.search(name) and (name in WEB or SERVERS.search(command) or alone)), "")


class Web(NamedTuple):
    """The service of a compose file that serves pages; what it does not say is empty.

    Attributes:
        command: What it runs.
        dockerfile: What it is built by, relative to the source.
        file: The compose file.
    """

    command: str = ""
    dockerfile: str = ""
    file: str = ""


def web(source: Path) -> Web:
    """Return the service that serves pages, as the compose file says that is for production."""
    file, services = production(source)
    commands = own_services(source, services)
    if not (name := server_of(commands)):
        return Web()
    context, dockerfile = build(services[name])
    return Web("" if develops(source, commands[name]) else commands[name], dockerfile if context == "." else "", file)


def develops(root: Path, command: str) -> bool:
    """Whether a command runs Django's development server, directly or through a Makefile target."""
    target = re.fullmatch(r"make\s+([\w.-]+)", command)
    recipe = re.search(rf"(?m)^{re.escape(target[1])}\s*:(?!=).*\n((?:\t.*\n?|[ \t]*\n)*)", text_of(root / "Makefile")) if target else None
    return "runserver" in (recipe[1] if recipe else command)


def procfiles(source: Path, place: str) -> Iterator[dict[str, str]]:
    """Yield what the Procfile beside manage.py says, and the one at the source's top."""
    for directory in dict.fromkeys((place, "")):
        if said := procfile(text_of(source / directory / "Procfile")):
            yield said


def web_command(source: Path, place: str) -> tuple[str, str]:
    """Return the web command of a Procfile, and its source; "" for a development server or without one."""
    command = next((said["web"] for said in procfiles(source, place) if "web" in said), "")
    return (command, "Procfile") if command and not develops(source / place, command) else ("", "")


def release(source: Path, place: str) -> list[str]:
    """Return the commands of manage.py that a Procfile runs before a release, without what an image already has."""
    said = next(procfiles(source, place), {}).get("release", "")
    found = re.findall(r"manage\.py\s+([^&|;]+)", said)
    return [one.strip() for one in found if not one.startswith("collectstatic")]


def find(source: Path, place: str, needs: Dependencies, names: Collection[str]) -> tuple[dict[str, dict[str, Any]], str, list[str]]:
    """Return the processes beside web, their source, and sentences about what was left out.

    Args:
        source: The project.
        place: Where in it manage.py is.
        needs: Its packages.
        names: What its settings set.
    """
    named = next(procfiles(source, place), {})
    if found := chosen(named):
        return found, "Procfile", []
    file, services = production(source)
    if services:
        said = own_services(source, services)
        found = chosen(said)
        silent = [name for name, command in said.items() if not command and WORKERS.search(name)]
        left = [f"The service {name} in {file} has no command. Add it to berth_app_processes with the command that it runs." for name in silent]
        for kind, why in ((TOOLS, ", because it is a tool"), (NAMELESS, ": its command names no channels")):
            others = [name for name, command in said.items() if kind.search(command)]
            left += [f"The service {name} in {file} is left out{why}. Add it to berth_app_processes if it has to run here." for name in others]
        if found or left:
            return found, file, left
    return ({} if named else guessed(source / place, needs, names)), "", []


def chosen(said: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return the processes among some commands: not web, and nothing that runs once."""
    found: dict[str, dict[str, Any]] = {}
    for name, command in said.items():
        no_process = name == "release" or any(kind.search(command) for kind in (SERVERS, ONCE, TOOLS, NAMELESS))
        if command and (name not in WEB or WORKERS.search(command)) and not no_process:
            found[process_name(name)] = process(words(command))
    return found


def guessed(root: Path, needs: Dependencies, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the processes that the packages imply: Celery, Huey, Django Q or RQ."""
    found: dict[str, dict[str, Any]] = {}
    files = list(find_matching(root, re.compile(r"\w*celery\w*\.py")))
    named = (name.removesuffix(".py").removesuffix("/celery").replace("/", ".") for name in files if re.search(r"= Celery\(", text_of(root / name)))
    module = next(named, "")
    if "celery" in needs.direct and module:
        celery = ["celery", "-A", module]
        # The default is one process for each CPU of the node, which is too much for the memory of its container.
        # https://docs.celeryq.dev/en/stable/userguide/workers.html#concurrency
        found["worker"] = {"command": [*celery, "worker", "--loglevel", "info", "--concurrency", "2"]}
        code = "".join(text_of(root / name) for name in [*files, *find_matching(root, re.compile(r"tasks\.py"))])
        if (
            "django-celery-beat" in needs.direct
            or re.search("beat_schedule|add_periodic_task", code)
            or {"CELERY_BEAT_SCHEDULE", "CELERYBEAT_SCHEDULE"} & set(names)
        ):
            found["beat"] = process([*celery, "beat", "--loglevel", "info"])
    elif "huey" in needs.direct:
        found["worker"] = {"command": ["python", "manage.py", "run_huey"]}
    elif "django-q2" in needs.direct or "django-q" in needs.direct:
        found["worker"] = {"command": ["python", "manage.py", "qcluster"]}
    elif "django-rq" in needs.direct:
        found["worker"] = {"command": ["python", "manage.py", "rqworker"]}
    return found
