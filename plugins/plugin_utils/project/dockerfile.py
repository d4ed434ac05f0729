"""What the project's own Dockerfile says about the image that serves, as far as it can be parsed."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ...module_utils.image.dockerfile import Instruction, Known, chain, copied, expand, parse, runs_as_root, served, serves_nothing
from ...module_utils.image.project import find_matching, text_of
from .procfile import SERVERS, words

# Dockerfiles for production, if the source has none in its top directory and no compose file names one.
NAMES = (
    "Dockerfile.prod", "Dockerfile.production", "docker/Dockerfile", "docker/production/Dockerfile", "deploy/Dockerfile",
    "compose/production/django/Dockerfile",
)  # fmt: skip
# Words in a path that show what a Dockerfile is for.
SERVES = re.compile(r"(?i)(?:\A|[/._-])prod(?:uction)?(?:[/._-]|\Z)")
DEVELOPS = re.compile(r"(?i)(?:\A|[/._-])(?:ci|dev(?:el(?:op(?:ment)?)?)?|local|tests?|testing)(?:[/._-]|\Z)")
FILE = re.compile(r"(?:.+[._-])?[Dd]ockerfile(?:[._-](?!dockerignore\Z).+)?")
PIP = re.compile(r"\bpip3?\s(?:[^&|;]*\s)?(?:install|wheel)\b")
REQUIREMENT = re.compile(r"\s(?:-r|--requirement)[\s=]*[\"']?([^\s\"'&|;]+)")
RUNS = re.compile(r"manage\.py|\b(?:gunicorn|uvicorn|uwsgi|daphne|hypercorn|granian|waitress)\b|[aw]sgi")  # in a Dockerfile that serves a Django project
ALSO = re.compile(r"(?i)alpine|slim|arm|gpu|debug|docs|lint|worker")  # in the path of a variant of another Dockerfile
UV_SYNC = re.compile(r"\buv\s+(?:-\S+\s+)*sync\b")
PATH = re.compile(r"(?:\A|\s)PATH(?:=|\s+)(\S+)")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # the default PATH, also that of the Python images
PYTHON = re.compile(r"(?i)python|\bpip\b|manage\.py|\bpoetry\b|\buv\b")  # in an app's Dockerfile, not in that of a database or a proxy
NUMBER = r"(?:\$\{\w+:?-)?(\d+)\b"  # a port, possibly the default of a shell variable
# How gunicorn, uvicorn, hypercorn, daphne, granian, uWSGI, waitress and Django's own server take the address to listen on.
LISTENS = re.compile(
    rf"(?:--bind|-b|--http(?:-socket)?|--listen)[\s=]+[\"']?[^\s\"']*?:{NUMBER}|(?:--port|-p)[\s=]+[\"']?{NUMBER}"
    rf"|\brunserver(?:_plus)?\s+[\"']?[^\s\"']*?:{NUMBER}"
)
SHELL = ("", ".bash", ".sh")  # file extensions of shell scripts
MAKES_USER = re.compile(r"\b(?:useradd|adduser)\s(?:[^&|;]*\s)?(?:-u|--uid)[\s=]+([1-9]\d*)\b")
VENV = re.compile(r"(?:-m\s+venv|\bvirtualenv|\buv\s+venv)(?:\s+--?[\w-]+(?:=\S+)?)*\s+([\w./${}-]+)")
# Commands that build style sheets and scripts, and images for that.
ASSETS = re.compile(r"\b(?:npm|pnpm|yarn|bun|npx|vite|webpack|gulp)\b[^&|;]*?\b(?:build|bundle|compile|dist|prod|production)\b")
NODE = re.compile(r"(?:\A|/)(?:node|bun)\b")
# if [ "$A" = "b" ]; then ... else ... fi, or with [[ and ==
SWITCH = re.compile(
    r"\bif\s+\[\[?\s+[\"']?\$\{?(\w+)(?::?-[^}]*)?\}?[\"']?\s+==?\s+[\"']?([\w.-]+)[\"']?\s+\]\]?\s*;?\s*then\b((?:(?!\bfi\b).)*?)\belse\b((?:(?!\bfi\b).)*)",
    re.DOTALL,
)
# How a script waits for PostgreSQL at a literal host name: with nc, wait-for-it or dockerize, pg_isready or psycopg.
HOST = r"([a-z](?:[a-z0-9-]*[a-z0-9])?)"
WAITS = re.compile(
    rf"\bnc\s+(?:-\w+\s+)*{HOST}\s+5432\b|(?<![\w.-]){HOST}:5432\b|\bpg_isready\b[^\n]*?\s(?:-h|--host)[\s=]*{HOST}(?![\w.-])"
    rf"|\bpsycopg\w*\.connect\([^)]*\bhost=[\"']{HOST}[\"']"
)
BIND = re.compile(r"\s(?:-b|--bind|-c|--config)\b")  # a configuration file may contain an address


@dataclass(frozen=True)
class Dockerfile:
    """The project's own Dockerfile; attributes that it does not set are empty.

    Attributes:
        path: Relative to the source.
        workdir: Its last ``WORKDIR``.
        port: What it exposes.
        root: Whether it certainly runs as root.
        alpine: Whether it is based on Alpine, whose user IDs differ from Debian's.
        settings: Its ``DJANGO_SETTINGS_MODULE``.
        collects: Whether it collects the static files.
        health: The path that its ``HEALTHCHECK`` requests.
        entrypoint: Its ``ENTRYPOINT``, word by word.
        command: Its ``CMD``, word by word.
        files: Pairs of a path in the image and the path in the source that is copied there, in order.
        required: The requirements files that it installs with pip, relative to the source.
        environment: The virtual environment whose programs are not on its ``PATH``.
        assets: Whether it builds style sheets and scripts.
        volumes: The directories of its ``VOLUME``.
        made: The ID of the user that it creates, 0 if it creates none or sets no ID.
        search: The value that it sets ``PATH`` to, as written.
        uv: Whether it installs with ``uv sync``.
    """

    path: str
    workdir: str = ""
    port: int = 0
    root: bool = False
    alpine: bool = False
    settings: str = ""
    collects: bool = False
    health: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    required: tuple[str, ...] = ()
    environment: str = ""
    assets: bool = False
    volumes: tuple[str, ...] = ()
    made: int = 0
    search: str = ""
    uv: bool = False

    def script(self, source: Path, command: tuple[str, ...] | list[str]) -> str:
        """Return the text of the scripts that a command runs, and of those that they run in turn, "" if the source has none."""
        texts: dict[str, str] = {}
        waiting = [" ".join(command)]
        while waiting:
            for word in re.findall(r"[\w./-]+", waiting.pop(0)):
                path = posixpath.normpath(posixpath.join(self.workdir or "/", word))
                if path not in texts and posixpath.splitext(path)[1] in SHELL and (text := self.text(source, path)):
                    texts[path] = re.sub(r"(?m)^\s*#.*", "", text)
                    waiting.append(texts[path])
        return "\n".join(texts.values())

    def text(self, source: Path, path: str) -> str:
        """Return the text of the file of the source that is at a path of the image, "" for none."""
        for place, origin in reversed(self.files):  # the last copy wins
            if path == place or path.startswith(f"{place.rstrip('/')}/"):
                file = source / origin / posixpath.relpath(path, place)
                if file.is_file():
                    return text_of(file)
        return ""

    def place(self, directory: str) -> str:
        """Return where in the image a directory of the source is, "" if unknown; by default in the working directory."""
        for place, origin in sorted(reversed(self.files), key=lambda copy: len(copy[1]), reverse=True):
            if origin == "." or f"{directory}/".startswith(f"{origin}/"):
                return posixpath.normpath(posixpath.join(place, posixpath.relpath(directory or ".", origin)))
        return posixpath.normpath(posixpath.join(self.workdir, directory)) if self.workdir else ""


def find(source: Path, named: str = "") -> Dockerfile | None:
    """Return the project's own Dockerfile, None if it has none.

    Args:
        source: The project.
        named: The one that its compose file names.
    """
    path = choose(source, named)
    if not path:
        return None
    text = text_of(source / path)
    instructions = parse(text)
    said: dict[str, str] = {}
    files: list[tuple[str, str]] = []
    volumes: list[str] = []
    known = Known({}, None)
    search, uv = "", False
    for each, known in served(instructions):
        uv |= each.keyword == "RUN" and bool(UV_SYNC.search(each.text))
        if each.keyword == "ENV" and (found := PATH.search(each.text)):
            search = found[1]
        said[each.keyword] = expand(each.words(), known.values) or each.words()
        if each.keyword in ("ADD", "COPY") and known.place:
            files += _files(source, each, known.values, known.place)
        if each.keyword == "VOLUME":
            volumes += _program(expand(each.words(), known.values) or "")
    health = re.search(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::\d+)?(?=[/\s\"'])(/?[\w./-]*)", said.get("HEALTHCHECK", ""))
    port = re.match(r"\d+", said.get("EXPOSE", ""))
    return Dockerfile(
        path=path,
        workdir=(known.place or "") if "WORKDIR" in said else "",
        port=int(port[0]) if port else 0,
        root=runs_as_root(instructions),
        alpine=any("alpine" in each.words() for each in chain(instructions) if each.keyword == "FROM"),
        settings=known.values.get("DJANGO_SETTINGS_MODULE", ""),
        collects=collects(instructions),
        health=health[1] if health else "",
        entrypoint=_program(said.get("ENTRYPOINT", "")),
        command=_program(said.get("CMD", "")),
        files=tuple(files),
        required=required(source, text),
        environment=hidden_environment(instructions),
        assets=any((each.keyword == "RUN" and ASSETS.search(each.raw)) or (each.keyword == "FROM" and NODE.search(each.text)) for each in instructions),
        volumes=tuple(volumes),
        made=next((int(found[1]) for each in instructions if each.keyword == "RUN" and (found := MAKES_USER.search(each.text))), 0),
        search=search,
        uv=uv,
    )


def choose(source: Path, named: str) -> str:
    """Return the path of the Dockerfile that serves, "" for none: the one in the top directory, or one for production before one for development."""
    first = ["Dockerfile", *([] if DEVELOPS.search(named) else [named]), *NAMES]
    there = [name for name in [*first, *production(source), *others(source), named] if name and (source / name).is_file()]
    instructions = parse(text_of(source / "Dockerfile"))
    collected = [] if collects(instructions) or not serves_nothing(instructions) else collecting(source)
    if there and len(collected) == 1:
        return collected[0]
    return there[0] if there else ""


def collects(instructions: list[Instruction]) -> bool:
    """Whether a Dockerfile collects the static files."""
    return any("collectstatic" in each.raw for each in instructions if each.keyword == "RUN")


def collecting(source: Path) -> list[str]:
    """Return the Dockerfiles in the top directory that collect the static files, such as one for a platform next to one for development."""
    return [path for path in find_matching(source, FILE) if "/" not in path and not DEVELOPS.search(path) and collects(parse(text_of(source / path)))]


def production(source: Path) -> Iterator[str]:
    """Yield the Dockerfiles whose paths show that they are for production, top level first."""
    for path in find_matching(source, FILE):
        if SERVES.search(path) and PYTHON.search(text_of(source / path)):
            yield path


def others(source: Path) -> list[str]:
    """Return the Dockerfiles that seem to serve a Django project and are not for development, variants last."""
    found = [path for path in find_matching(source, FILE) if not DEVELOPS.search(path) and RUNS.search(text_of(source / path))]
    return sorted(found, key=lambda path: bool(ALSO.search(path)))


def required(source: Path, text: str) -> tuple[str, ...]:
    """Return the existing requirements files that a Dockerfile installs with pip, relative to the source."""
    instructions = parse(text)
    runs = [(each.text, known.values) for each, known in served(instructions) if each.keyword == "RUN" and PIP.search(each.text)]
    # Otherwise in another stage, from which the final one copies what pip installed.
    runs = runs or [(each.text, {}) for each in instructions if each.keyword == "RUN" and PIP.search(each.text)]
    named = [expand(name, values) or "" for run, values in runs for name in REQUIREMENT.findall(run)]
    return tuple(dict.fromkeys(filter(None, (_of_source(source, name) for name in named))))


def hidden_environment(instructions: list[Instruction]) -> str:
    """Return the virtual environment in the final image that is not on its PATH, "" for none."""
    found, paths = "", ""
    for each, known in served(instructions):
        if each.keyword == "ENV" and "PATH" in each.text:
            paths += expand(each.text, {**known.values, "PATH": "/bin"}) or each.text
        if each.keyword == "RUN" and UV_SYNC.search(each.text):
            found = posixpath.join(known.place or "/", known.values.get("UV_PROJECT_ENVIRONMENT") or ".venv")
        named = VENV.search(each.text) if each.keyword == "RUN" else None
        copied = re.search(r"\s(\S*\.?venv)/?\s*\Z", each.text) if each.keyword == "COPY" and ("from" in dict(each.flags())) else None
        for match in filter(None, (named, copied)):
            found = posixpath.normpath(posixpath.join(known.place or "/", expand(match[1], known.values) or ""))
    on_path = f"{found}/bin" in [*SYSTEM_PATH.split(":"), *re.split("[=:\"'\\s]", paths)] or re.search("venv/bin|VIRTUAL_ENV", paths)
    return "" if on_path else found


def _of_source(source: Path, name: str) -> str:
    """Return the file of the source that is probably at a path of the image, "" for none: in the image it is below another directory."""
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", ".")]
    below = ["/".join(parts[number:]) for number in range(len(parts))]
    return next((path for path in below if ".." not in path and (source / path).is_file()), "")


def _program(said: str) -> tuple[str, ...]:
    """Return the words of a CMD or ENTRYPOINT: a JSON list, or a shell command."""
    if said.startswith("["):
        try:
            return tuple(str(word) for word in json.loads(said))
        except ValueError:
            return ()
    return tuple(words(said)) if said else ()


def _files(source: Path, instruction: Instruction, known: dict[str, str], place: str) -> list[tuple[str, str]]:
    """Return where a COPY or ADD puts files of the source, and which; nothing for files from elsewhere or unknown paths."""
    sources = [expand(each, known) for each in copied(replace(instruction, text=expand(instruction.text, known) or instruction.text))]
    last = re.search(r"([^\s\"]+)[\"\]\s]*\Z", instruction.words())
    target = expand(last[1], known) if last else None
    if target is None or not all(sources) or any(name == "from" for name, _ in instruction.flags()):
        return []
    into = posixpath.normpath(posixpath.join(place, target))
    below = len(sources) > 1 or target.endswith("/") or target == "."
    found = [posixpath.normpath(each) for each in sources if each]
    # The contents of a directory are copied, not the directory itself.
    return [(into if not below or (source / each).is_dir() else posixpath.join(into, posixpath.basename(each)), each) for each in found]


def port_of(command: tuple[str, ...] | list[str], script: str = "") -> int:
    """Return the port in a server's command or script, 0 if there is none.

    >>> port_of(["gunicorn", "--bind", "0.0.0.0:5000", "shop.wsgi"]), port_of(["/start"], "exec uvicorn shop.asgi --port=8080"), port_of(["gunicorn"])
    (5000, 8080, 0)
    """
    found = LISTENS.search(" ".join(command)) or LISTENS.search(script)
    return int(next(filter(None, found.groups()))) if found else 0


def lacks_python(text: str, script: str) -> bool:
    """Whether an image probably has only ``python3``, as Debian and Ubuntu do, judging by its Dockerfile and start script.

    >>> lacks_python("FROM ubuntu\\nRUN pip3 install django", "python3 manage.py check"), lacks_python("FROM python:3.13", "python3 manage.py check")
    (True, False)
    """
    official = re.search(r"(?im)^FROM\s.*python|python-is-python3|\bvenv\b|bin/python\b(?!3)", text)
    called = re.findall(r"\b(python3?)\s+\S*manage\.py", f"{text}\n{script}")
    return not official and set(called) == {"python3"}


def switch(script: str) -> tuple[str, str]:
    """Return the variable and its value that make a script start a production server, not the development server; "" for none.

    >>> switch('if [ "$LIVE" = "yes" ]; then gunicorn shop.wsgi; else python manage.py runserver; fi')
    ('LIVE', 'yes')
    """
    for name, value, then, otherwise in SWITCH.findall(script):
        if SERVERS.search(then) and "runserver" not in then and "runserver" in otherwise:
            return name, value
    return "", ""


def asks_for_port(command: tuple[str, ...] | list[str], script: str = "") -> bool:
    """Whether a server reads its port from PORT: in its command, or by itself as gunicorn does, which without PORT is unreachable from outside.

    https://docs.gunicorn.org/en/stable/settings.html#bind

    >>> asks_for_port(["gunicorn", "shop.wsgi"]), asks_for_port(["sh", "-c", "exec daphne -p $PORT shop.asgi"]), asks_for_port(["gunicorn", "-b", ":80"])
    (True, True, False)
    """
    text = f"{' '.join(command)}\n{script}"
    gunicorn = re.search(r"\bgunicorn\b(.*)", text, re.DOTALL)
    if re.search(r"(?m)^\s*(?:export\s+)?PORT=", script):
        return False  # the script sets it itself
    return bool(re.search(r"\$\{?PORT\b", text)) or bool(gunicorn and not BIND.search(gunicorn[1]))


def waits_for(command: tuple[str, ...] | list[str], script: str = "") -> str:
    """Return the host name of the database that a command or its script waits for, "" if it is not a literal.

    >>> waits_for(["sh", "-c", "wait-for-it db:5432 -- gunicorn"]), waits_for(["/start"], "while ! nc -z postgres 5432; do sleep 1; done")
    ('db', 'postgres')
    >>> waits_for(["/start"], "nc -z $DB_HOST 5432; pg_isready -h localhost; nc -z db.example.com 5432")
    ''
    """
    text = re.sub(r"(?m)^\s*#.*", "", f"{' '.join(command)}\n{script}")
    found = (next(filter(None, one.groups())) for one in WAITS.finditer(text))
    return next((name for name in found if name not in ("localhost", "database")), "")
