"""The part of a first inventory about the other variables that settings read, and what settings lack."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...module_utils.image.project import Project, assigned, constant, dotted, find_files, settings_trees
from .database import SET_BY_BERTH
from .draft import Draft, generated, placeholder
from .settings import Asked, Reading, key_in_source, left_out

RANDOM = re.compile(r"(?:DJANGO_|APP_)?(?:SECRET(?:_KEY)?|JWT_SECRET(?:_KEY)?|SIGNING_KEY|HASHID_\w*SALT|\w*_SALT)")
SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|PRIVATE_KEY|DSN|CREDENTIAL|LICENSE")
LOADERS = ("json.load", "json.loads", "yaml.safe_load", "yaml.load", "toml.load", "tomllib.load")
VALUES = re.compile(
    r"(?:[\w.-]*/)*(?![\w.-]*(?:build|manifest|package|stats|version))[\w.-]+\.(?:json|ya?ml|toml)"
)  # files that these read, except those of a build
HOSTS = "import os; ALLOWED_HOSTS = os.environ.get('DJANGO_ALLOWED_HOSTS', 'localhost').split(',')  # otherwise every page is a 400 error"
ONE_HOST = "The settings read a single name from it, and the site answers to no other. For a public name, set it here, and set berth_app_probe: {host: NAME}."
EAGER = ("CELERY_ALWAYS_EAGER", "CELERY_TASK_ALWAYS_EAGER", "task_always_eager")
INSECURE = ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")  # settings that need TLS, which only a public entry has


def switches(made: Draft, reading: Reading, asked: list[Asked], every: list[Asked]) -> set[str]:
    """Set what a served environment without TLS needs; return the variables that this covers.

    Args:
        made: The inventory.
        reading: The settings.
        asked: Each variable once.
        every: Each setting that reads one.
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
                    made.needs.append(f"ALLOWED_HOSTS = os.environ['{one.name}'].split(',')  # it contains several names")
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
                made.settings[one.name] = (one.off, "Nothing terminates TLS in front of the site here. If something does, remove this line.")
        elif one.setting == "SECRET_KEY" or RANDOM.fullmatch(one.name):
            done.add(one.name)
            made.secrets[one.name] = (generated(one.name), "")
    if separators:
        made.set(
            "Host names",
            "berth_app_hosts_env",
            separators,
            "The variables from which the settings read the allowed host names, each with the separator between them.",
        )
    if reading.value("DEBUG") is True:
        made.needs.append("DEBUG = False  # otherwise visitors see the settings on every error")
    made.needs += [f"{name} = False  # nothing terminates TLS in front of the site here" for name in INSECURE[:1] if reading.value(name) is True]
    if key_in_source(reading):
        made.needs.append("import os; SECRET_KEY = os.environ['DJANGO_SECRET_KEY']  # the key in the source is not a secret")
        made.secrets.setdefault("DJANGO_SECRET_KEY", (generated("DJANGO_SECRET_KEY"), ""))
    return done


def tasks(made: Draft, asked: list[Asked], workers: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Leave Celery's tasks to its worker if web would run them itself; return the variables that this covers."""
    celery = any("celery" in " ".join(one["command"]) for one in workers.values())
    found = [one for one in asked if celery and one.setting in EAGER and one.on]
    for one in found:
        made.settings[one.name] = (one.off, "The worker runs tasks. Otherwise web runs them itself, and the worker has nothing to do.")
    return {one.name for one in found}


def local(made: Draft, source: Path, root: Path, project: Project) -> None:
    """Write which module the settings need that is not in the source, and what it must read from the environment."""
    for module, example in left_out(root, project.settings):
        names = assigned(example)
        path = module.relative_to(source)
        made.needs.insert(0, f"{path}, like {example.name} next to it, with values from os.environ  # it is not in the source, and the settings require it")
        if "ALLOWED_HOSTS" in names:
            made.needs.append(HOSTS)
        if "SECRET_KEY" in names:
            made.needs.append("import os; SECRET_KEY = os.environ.get('DJANGO_SECRET_KEY') or 'for-the-build-' * 4  # secrets do not belong in the source")
            made.secrets.setdefault("DJANGO_SECRET_KEY", (generated("DJANGO_SECRET_KEY"), ""))


def missing_files(made: Draft, source: Path, root: Path, project: Project) -> None:
    """Write which files with values the settings read that are missing in the source, because they are on a server and not in Git."""
    for _, tree in settings_trees(root, project.settings):
        if any(isinstance(node, ast.Call) and dotted(node.func) in LOADERS for node in ast.walk(tree)):
            names = {posixpath.basename(constant(node)) for node in ast.walk(tree) if VALUES.fullmatch(constant(node))}
            for name in sorted(name for name in names if not any(find_files(source, name))):
                why = "pods have environment variables but not this file, and its fallback in the settings is public"
                made.needs.append(f"os.environ in place of {name}  # {why}")


def rest(made: Draft, asked: list[Asked]) -> None:
    """Add placeholders for the variables that the settings require."""
    for one in asked:
        if not one.required or one.name in made.settings or one.name in made.secrets:
            continue
        if one.name.endswith("ADMIN_URL"):
            made.settings[one.name] = ("admin/", "Guessed.")
        elif SECRET.search(one.name):
            made.secrets[one.name] = placeholder(made, one.name, "encrypted with ansible-vault encrypt_string, because the settings require it")
        else:
            what = f" (type: {one.kind})" if one.kind else ""
            made.settings[one.name] = placeholder(made, one.name, f"because the settings require it{what}")
