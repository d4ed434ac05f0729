"""The part of a first inventory about uploads and static files."""

from __future__ import annotations

import ast
import os
import posixpath
import re
import shlex
from collections.abc import Collection
from pathlib import Path

from ...module_utils import formats
from ...module_utils.image.project import Project, constant, dotted, find_matching, module_file, parsed, text_of
from ...module_utils.image.project_dockerfile import HOME, serves_itself
from . import procfile
from .dockerfile import Dockerfile
from .draft import Draft
from .image import UWSGI
from .settings import Reading, key_in_source

PASSING = re.compile(r"cache|node_modules|static|venv|/(?:logs?|run|tmp)(?:/|\Z)")  # directories whose files may be lost
FINDERS = {"WHITENOISE_USE_FINDERS", "WHITENOISE_AUTOREFRESH"}  # settings that let WhiteNoise serve files that were not collected
COLLECTED = (
    "Static files are collected there when a pod starts. If berth_app_command does not collect them, remove this line, "
    "because it hides those of the image, and collect them in the Dockerfile."
)


def kept_besides(source: Path, dockerfile: Dockerfile | None, known: list[str]) -> tuple[dict[str, str], str]:
    """Return the other directories, by name, that a compose file or otherwise the image keeps, and the file that says so."""
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
    """Return where a path of the source is in the image, or the path itself if it is elsewhere; "" if unknown.

    Settings derive it from the ``directory`` that contains them, and an image may lack the directories above that one.
    """
    if path is None or path == source:
        return ""
    if not path.is_relative_to(source):
        return str(path)
    home = dockerfile.place(directory) if dockerfile else posixpath.join(HOME, directory)
    return posixpath.normpath(posixpath.join(home, os.path.relpath(path, source / directory))) if home else ""


def elsewhere(reading: Reading, chosen: Collection[str], setting: str, alias: str) -> bool:
    """Whether files are in a storage of django-storages, or in the project's own subclass of one.

    Args:
        reading: The settings.
        chosen: The strings that take effect only if a variable is set, which are ignored.
        setting: The setting for the storage before Django 4.2.
        alias: Its name in ``STORAGES``.
    """
    named = [reading.expressions[setting][0]] if setting in reading.expressions else []
    for node in ast.walk(reading.expressions["STORAGES"][0]) if "STORAGES" in reading.expressions else ():
        if isinstance(node, ast.Dict):
            named += [value for key, value in zip(node.keys, node.values, strict=True) if key and constant(key) == alias]
    storages = {constant(node) for each in named for node in ast.walk(each)} - set(chosen)
    return any(storage.startswith("storages.backends.") or made_of_storages(reading.root, storage) for storage in storages)


def made_of_storages(root: Path, storage: str) -> bool:
    """Whether a storage is the project's own subclass of one in django-storages."""
    module, _, name = storage.rpartition(".")
    file = module_file(root, module)
    tree = (parsed(file) if file else None) or ast.Module([], [])
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("storages.backends")]
    imported = {alias.asname or alias.name for node in imports for alias in node.names}
    return any(isinstance(node, ast.ClassDef) and node.name == name and imported & {dotted(base) for base in node.bases} for node in tree.body)


def maps_static(source: Path, served: str) -> bool:
    """Whether uWSGI serves the static files, according to its settings or a script that runs it."""
    texts = [served, *(text_of(source / path) for path in find_matching(source, UWSGI))]
    return any(re.search(r"^\s*static-map|--static-map", text, re.MULTILINE) for text in texts)


def local_url(value: str) -> str:
    """Return MEDIA_URL or STATIC_URL as the path that visitors request, "" if it is on another site or unknown.

    >>> local_url("media/"), local_url("https://cdn.example.com/"), local_url("")
    ('/media/', '', '')
    """
    url = "" if value.startswith("//") else f"/{value.strip('/')}/"
    return "" if formats.files_url(url) else url


def files(made: Draft, source: Path, dockerfile: Dockerfile | None, project: Project, reading: Reading, served: str) -> None:
    """Write where static and uploaded files are; ``served`` is the text of the server's scripts."""
    part = "Files"
    guess = "Guessed from the settings and from where " + (dockerfile.path if dockerfile else "Berth's Dockerfile") + " copies the source."
    media, static = (inside(reading.path(name), source, dockerfile, project.directory) for name in ("MEDIA_ROOT", "STATIC_ROOT"))
    url = local_url(reading.text("MEDIA_URL"))
    away = elsewhere(reading, project.loaded.chosen, "DEFAULT_FILE_STORAGE", "default")
    keeps = bool(media) and not away
    volumes = {"media": {"path": media, "size": "1Gi", **({"url": url} if url else {})}} if keeps else {}
    others, file = kept_besides(source, dockerfile, [media, static])
    volumes |= {name: {"path": path, "size": "1Gi"} for name, path in others.items()}
    kept = f"{file} keeps {', '.join(others.values())}" if others else ""
    why = [guess if keeps else "", (f"{kept} too." if keeps else f"Guessed: {kept}.") if kept else ""]
    if volumes and not made.set(part, "berth_app_volumes", volumes, " ".join(filter(None, why))):
        places = ", ".join(str(volume["path"]) for volume in volumes.values())
        made.say(part, f"Uploads go to {places}, which is read-only, and Berth keeps no files. Store them elsewhere, for example with django-storages.")
    if "MEDIA_ROOT" in project.loaded.names and reading.value("MEDIA_ROOT") != "" and not (media or away):
        example = "berth_app_volumes: {media: {path: /srv/app/media, size: 1Gi}}"
        made.say(part, f"Berth cannot tell where MEDIA_ROOT is in the image. It needs a volume, such as {example}.")
    if dockerfile is None:
        return  # a Dockerfile generated by Berth serves static files itself
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
    nothing = f"{'Guessed in the same way.' if keeps else guess} The project does not serve them itself."
    if static and url and made.set(part, "berth_app_static", {"path": static, "url": url}, nothing):
        if at_start:
            made.say(part, "They are those of the image. If a script runs collectstatic when a pod starts, remove that: pods cannot write there.")
        if not dockerfile.collects:  # if pods collect them, the image contains none
            made.needs.append(collecting(made, dockerfile, project, reading))
    elif "STATIC_ROOT" in project.loaded.names:
        said = reading.text("STATIC_URL")
        own = f", and set STATIC_URL = '/static/' unless {said} gets them from here" if re.match(r"https?://|//", said) else ""
        lacks = f"nothing serves static files; also add whitenoise to the requirements{own}"
        made.needs.append(f"MIDDLEWARE.insert(1, 'whitenoise.middleware.WhiteNoiseMiddleware')  # {lacks}")
        if not (dockerfile.collects or "collectstatic" in served):
            made.needs.append(collecting(made, dockerfile, project, reading))
    else:
        made.needs.append("STATIC_ROOT = BASE_DIR / 'staticfiles'  # where collectstatic puts static files; whitenoise serves them")


def collecting(made: Draft, dockerfile: Dockerfile, project: Project, reading: Reading) -> str:
    """Return the line that adds static files to the image of a Dockerfile, with the variables that the settings require."""
    # The default of manage.py may be a module for development.
    named = {"DJANGO_SETTINGS_MODULE": project.settings} if project.settings and "DJANGO_SETTINGS_MODULE" in made.settings else {}
    key = {"DJANGO_SECRET_KEY": "build"} if key_in_source(reading) else {}
    values = "".join(f"{name}={shlex.quote(value)} " for name, value in sorted({**named, **key, **project.loaded.variables}.items()))
    return f"RUN {values}python manage.py collectstatic --noinput, in {dockerfile.path} after the COPY of the source  # otherwise the image has no static files"
