"""The part of a first inventory about the database."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

from ...module_utils.database_variables import database_part, prefixed
from ...module_utils.image.project import DRIVERS, Project, constant, find_files, is_environment, is_getter, module_file, parsed, settings_trees, text_of
from ...module_utils.image.project_dockerfile import is_older
from .draft import Draft
from .settings import Asked, Reading

# Variables that Berth sets itself: roles/config/vars/main.yml.
SET_BY_BERTH = {"DATABASE_HOST", "DATABASE_NAME", "DATABASE_PORT", "DATABASE_SSLMODE", "DATABASE_SSLROOTCERT", "DATABASE_USER", "DJANGO_ALLOWED_HOSTS"}
ROLES = {"HOST": "host", "PORT": "port", "NAME": "name", "USER": "user", "PASSWORD": "password"}
EXTENSIONS = {
    "TrigramExtension": "pg_trgm", "HStoreExtension": "hstore", "UnaccentExtension": "unaccent", "CITextExtension": "citext",
    "BtreeGinExtension": "btree_gin", "BtreeGistExtension": "btree_gist", "CryptoExtension": "pgcrypto", "BloomExtension": "bloom", "VectorExtension": "vector",
}  # fmt: skip


def imported_variables(root: Path, settings: str) -> list[str]:
    """Return the environment variables that modules of the project read from which the settings import something, in order."""
    trees = dict(settings_trees(root, settings))
    found: dict[str, None] = {}
    for tree in trees.values():
        modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
        for file in dict.fromkeys(filter(None, (module_file(root, module) for module in modules))):
            read = None if file in trees else parsed(file)
            for node in ast.walk(read) if read else ():
                name = node.args[0] if isinstance(node, ast.Call) and node.args and (is_environment(node.func) or is_getter(node.func)) else None
                name = node.slice if isinstance(node, ast.Subscript) and is_environment(node.value) else name
                if name and constant(name):
                    found[constant(name)] = None
    return list(found)


def database_variables(source: Path, asked: list[Asked]) -> dict[str, str]:
    """Return the variables for url, host, port, name, user and password of the database, as far as the settings or an entrypoint read them."""
    found: dict[str, str] = {}
    for one in asked:
        if one.kind in ("db", "db_url", "dj_db_url") or one.name.endswith("DATABASE_URL"):
            found.setdefault("url", one.name)
        elif one.setting == "DATABASES" and one.key in ROLES and one.kind not in ("bool",):
            found.setdefault(ROLES[one.key], one.name)
    scripts = "".join(text_of(source / path) for name in ("entrypoint", "entrypoint.sh", "docker-entrypoint.sh") for path in find_files(source, name))
    if found.keys() == {"name"} and not database_part(found["name"]):
        found = {}  # the directory of an SQLite file
    own = [one.name for one in asked if one.setting in ("", "DATABASES", one.name) or not one.setting.isupper()]
    for name in own + re.findall(r"\b[A-Z_]{5,}\b", scripts):
        if (part := database_part(name)) not in ("", "url"):
            found.setdefault(part, name)
    return found


def database(made: Draft, source: Path, root: Path, app: str, reading: Reading, asked: list[Asked], project: Project, waited: str) -> set[str]:
    """Set up the database, and return the variables that this covers; ``waited`` is the server that a script waits for."""
    found, part, chooser = database_variables(source, asked), "The database", ""
    if not found:
        found, chooser = prefixed([*(one.name for one in asked), *imported_variables(root, project.settings)])
    if chooser:
        made.settings[chooser] = ("django.db.backends.postgresql" if chooser.endswith("_ENGINE") else "postgresql", "Guessed: what chooses PostgreSQL.")
    engine = next((one for one in asked if one.setting == "DATABASES" and one.key == "ENGINE"), None)
    spatial = "django.contrib.gis" in project.loaded.texts or any("postgis" in text for text in project.loaded.texts)
    if engine:
        backend = "django.contrib.gis.db.backends.postgis" if spatial else "django.db.backends.postgresql"
        made.settings[engine.name] = (backend, "")
    for name, chooses in reading.choosing.items():
        made.settings[name] = (chooses, "")
    told = {role: name for role, name in found.items() if name not in SET_BY_BERTH and name != "DATABASE_PASSWORD"}
    if told and not made.set(part, "berth_app_database_env", told, "The variables that the settings read."):
        by_hand(made, told, "postgis" if spatial else "postgres")
    known = project.dependencies.names
    if known and not DRIVERS & known:
        made.needs.append(requirement(project, "psycopg2-binary" if is_older(project.dependencies.pins.get("django", "5"), "4.2") else "psycopg[binary]"))
    host = hard_coded_host(reading)
    fixed = bool(host) and not {"url", "host"} & found.keys()
    aliases = list(dict.fromkeys(filter(None, [host if fixed else "", waited])))
    why = " ".join(["The settings contain this host name."] * fixed + [f"A script waits for {waited}."] * bool(waited))
    if aliases and not made.set(part, "berth_app_database_aliases", aliases, why) and fixed:
        made.needs.append(f"os.environ['DATABASE_HOST'] in place of '{host}', because DATABASE_HOST names the database's host")
    if not fixed and not {"url", "host"} & found.keys():
        keys = "'HOST', 'PORT', 'NAME', 'USER', 'PASSWORD'"
        made.needs.append(
            "import os; DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', "
            f"**{{key: os.environ.get('DATABASE_' + key, '') for key in ({keys})}}}}}}  # otherwise data is lost with the pod, if it can be written at all"
        )
    extensions = sorted({"postgis"} if spatial else set()) + migrations_extensions(source / project.directory)
    if extensions and not made.set(part, "berth_app_database_extensions", extensions, "Guessed from the settings and the migrations."):
        made.say(part, f"The database needs the extensions {', '.join(extensions)}; migrations create those that PostgreSQL trusts.")
    return {*found.values(), *SET_BY_BERTH, *reading.choosing, *filter(None, [chooser]), *([engine.name] if engine else [])}


def requirement(project: Project, package: str) -> str:
    """Return the requirement that is missing for the database: Django supports psycopg 3 since 4.2."""
    file = f", in {project.dependencies.files[0]}" if project.dependencies.files else ""
    return f"{package} as a requirement{file}  # no installed package can connect to PostgreSQL"


def by_hand(made: Draft, told: Mapping[str, str], scheme: str) -> None:
    """Set the database variables as settings and secrets of the app."""
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
    """Return the host that the database settings contain literally, "" for none."""
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
    """Return the PostgreSQL extensions that migrations create."""
    text = "".join(text_of(path) for path in sorted(root.glob("**/migrations/0*.py")) if "site-packages" not in path.parts)
    return sorted({extension for name, extension in EXTENSIONS.items() if re.search(rf"\b{name}\(", text)})
