"""The part of a first inventory about processes beside web, and commands before a release."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...module_utils.image.project import Project
from . import procfile, supervisor
from .dockerfile import Dockerfile
from .draft import Draft
from .settings import Reading

DATABASE_CACHE = "django.core.cache.backends.db.DatabaseCache"


def processes(made: Draft, source: Path, project: Project, dockerfile: Dockerfile | None, reading: Reading) -> dict[str, dict[str, Any]]:
    """Write the processes beside web, the schedules and the release commands, and return the processes."""
    found, file, left = procfile.find(source, project.directory, project.dependencies, project.loaded.names)
    part = "Processes beside web"
    queues = reading.keys("RQ_QUEUES") if not file else []
    for one in found.values():
        if one["command"][-1] == "rqworker" and queues != ["default"]:
            one["command"] = [*one["command"], *queues]
    if dockerfile and (supervised := procfile.chosen(supervisor.programs(source, dockerfile) or {})):
        found, file, left = supervised, f"the supervisor that {dockerfile.path} starts", []
    if dockerfile:
        found = {name: scripted(made, part, name, one, dockerfile.script(source, one["command"]), project) for name, one in found.items()}
    if dockerfile and dockerfile.uv:
        found = {name: {**one, "command": procfile.without_uv(one["command"])} for name, one in found.items()}
    if dockerfile and file in procfile.COMPOSE:  # Compose passes them to the image's entrypoint; in Kubernetes a command replaces it
        found = {name: {**one, "command": [*dockerfile.entrypoint, *one["command"]]} for name, one in found.items()}
    if found:
        why = f"From {file}." if file else "Guessed from the packages."
        beat = any(procfile.SCHEDULE in " ".join(one["command"]) for one in found.values())
        made.set(part, "berth_app_processes", found, f"{why} Celery beat writes to its schedule file, and the root file system is read-only." if beat else why)
    for text in left:
        made.say(part, text)
    strangers, compose = procfile.strangers(source)
    if strangers:
        way = "give the app the address of one that runs elsewhere, or add manifests for it to berth_app_objects"
        made.say(part, f"{compose} also runs {', '.join(strangers)}, which Berth does not: {way}.")
    if "INSTALLED_APPS" in project.loaded.names and not any("sessions" in text for text in project.loaded.texts):
        made.set(part, "berth_app_schedules", [], "The settings use no sessions, so there are no old ones to remove at night.")
    release = procfile.release(source, project.directory)
    why = "From Procfile." if release else ""
    if DATABASE_CACHE in project.loaded.texts - project.loaded.chosen and not any("createcachetable" in each for each in release):
        release = [*(release or ["migrate --noinput"]), "createcachetable"]
        why = f"{why} The settings keep a cache in the database, and this creates its table.".strip()
    if release:
        made.set("The app", "berth_app_release_commands", release, why)
    return found


def scripted(made: Draft, part: str, name: str, process: dict[str, Any], script: str, project: Project) -> dict[str, Any]:
    """Return a process whose script runs celery beat as a singleton, with its schedule in a writable place."""
    lines = [line.strip() for line in script.splitlines() if line.strip() and not re.match(r"\s*(?:#|set\s)", line)]
    if not any(procfile.BEAT.search(line) for line in lines):
        return process
    if "CELERY_BEAT_SCHEDULER" in project.loaded.names or procfile.BEAT_FILE.search(script):
        return {**process, "singleton": True}
    if len(lines) == 1:
        return procfile.process(procfile.words(lines[0]))
    where = f"add --schedule {procfile.SCHEDULE} to celery beat in the script that {name} runs"
    made.say(part, f"Celery beat writes its schedule to the working directory, and the root file system is read-only: {where}.")
    return {**process, "singleton": True}
