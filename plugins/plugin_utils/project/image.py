"""The part of a first inventory about the image: how it is built, its user, its server, and what it lacks."""

from __future__ import annotations

import re
from pathlib import Path

from ...module_utils.audit.pods import SUPERVISORS
from ...module_utils.image.project import TO_DEVELOP, Project, default_settings, find_matching, is_bound_to_itself, text_of
from ...module_utils.image.project_dockerfile import choose_python, unfit, wished
from . import dockerfile as dockerfiles
from . import procfile, supervisor
from .dockerfile import Dockerfile
from .draft import Draft, dumped, placeholder

LOWEST = 1024  # the lowest port that does not need root
PORT = 8000  # the default of berth_app_port
PYTHON = "3.13"  # the version in the image that Berth ships
MANAGED = re.compile(r"\bmanage\.py\s+(?!runserver)([a-z][\w-]*)")  # commands in a script
APART = (
    "Kubernetes sees only one of them. Put the server in berth_app_command and every other one, such as a worker, in berth_app_processes. "
    "A supervisor often has to start as root, which pods may not."
)
BECOMES = re.compile(r"\b(?:gosu|su-exec|setpriv|runuser|sudo)\b")  # in a script that starts as root and runs the server as another user
UWSGI = re.compile(r"(?i)(?:.+[._-])?uwsgi(?:[._-].+)?\.(?:ini|ya?ml)")  # uWSGI's settings


def image(made: Draft, source: Path, dockerfile: Dockerfile | None, project: Project) -> None:
    """Write what the inventory needs to know about the image."""
    part = "The app"
    if dockerfile is None:
        python, _ = choose_python(wished(project), PYTHON, official=True)
        made.needs += filter(None, [unfit(project.dependencies, python)])
    if dockerfile:
        if dockerfile.path != "Dockerfile":
            beside = ", ".join(path for path in dockerfiles.others(source) if path != dockerfile.path)
            why = f"the source has no Dockerfile in its top directory{f'; there is also {beside}' if beside else ''}"
            if (source / "Dockerfile").is_file():
                why = "it collects the static files; Dockerfile does not, and has no command"
            made.set(part, "berth_app_dockerfile", dockerfile.path, f"Guessed: {why}.")
        if dockerfile.root:
            user, why = user_of(source, dockerfile)
            made.set(part, "berth_app_user", user, f"The image of {dockerfile.path} runs as root, which pods may not. {why}")
        if dockerfile.environment:
            search_path(made, dockerfile)
        if project.assets and not dockerfile.assets:
            where = f"cd {project.assets.place} && " if project.assets.place else ""
            made.needs.append(
                f"RUN {where}{project.assets.manager} install && {project.assets.manager} run build, in {dockerfile.path}"
                "  # otherwise style sheets and scripts are missing, unless the source contains them"
            )
    settings_module(made, source, dockerfile, project)


def settings_module(made: Draft, source: Path, dockerfile: Dockerfile | None, project: Project) -> None:
    """Set the settings module where manage.py has another default or none, and point out settings for development."""
    package, _, last = project.settings.rpartition(".")
    if last in TO_DEVELOP:
        others = sorted(path.stem for path in (source / (project.paths or (project.directory,))[0] / package.replace(".", "/")).glob("[a-z]*.py"))
        others = [name for name in others if name not in (*TO_DEVELOP, "manage", "urls", "wsgi", "asgi", "celery")]
        way = f"{package} also has {', '.join(others)}: set DJANGO_SETTINGS_MODULE to the one for servers" if others else "there are no others next to it"
        made.say("The app", f"By their name, the settings {project.settings} are for development; {way}.")
    manage = default_settings(source / project.directory / "manage.py")
    if project.settings and manage != project.settings and not (dockerfile and dockerfile.settings):
        why = f"Guessed: manage.py defaults to {manage}." if manage else "Guessed: manage.py has no default."
        made.settings["DJANGO_SETTINGS_MODULE"] = (project.settings, why)
    elif not project.settings:
        made.settings["DJANGO_SETTINGS_MODULE"] = placeholder(made, "DJANGO_SETTINGS_MODULE", "because manage.py names no settings module that exists")


def user_of(source: Path, dockerfile: Dockerfile) -> tuple[int, str]:
    """Return the user ID for an image that starts as root, and the comment on it."""
    script = "\n".join(dockerfile.script(source, words) for words in (dockerfile.entrypoint, dockerfile.command))
    texts = [script, *(text_of(source / path) for path in find_matching(source, UWSGI))]
    becomes = BECOMES.search(script)
    rest = f" Remove {becomes[0]}, which only root can use, for example with a berth_app_command without it." if becomes else ""
    if dockerfile.made:
        return dockerfile.made, f"The Dockerfile creates this user.{rest}"
    if any("www-data" in text for text in texts):
        return (82 if dockerfile.alpine else 33), f"This is www-data, the user that the server should run as.{rest}"
    return 1000, f"Every user must be able to read its files.{rest}"


def search_path(made: Draft, dockerfile: Dockerfile) -> None:
    """Add a virtual environment that is not on the image's PATH, because releases run python manage.py."""
    programs = f"{dockerfile.environment}/bin"
    if dockerfile.search:
        made.needs.append(f'ENV PATH="{programs}:$PATH", in {dockerfile.path}  # otherwise manage.py cannot find Django')
    else:
        made.settings["PATH"] = (f"{programs}:{dockerfiles.SYSTEM_PATH}", f"Guessed: {dockerfile.path} installs there, and the image's PATH does not have it.")


def serving(made: Draft, source: Path, dockerfile: Dockerfile | None, web: procfile.Web, project: Project) -> tuple[str, str]:
    """Write the server and its port; return the text of its scripts and the database host that they wait for, "" for none."""
    if dockerfile is None:
        prepared(made, source, project)
        return "", ""
    command, entrypoint = list(dockerfile.command), list(dockerfile.entrypoint)
    supervised = supervisor.programs(source, dockerfile)
    if supervised is not None:
        command, entrypoint = supervising(made, dockerfile, supervised), []
    elif dockerfile.uv and not entrypoint and (plain := procfile.without_uv(command)) != command:
        command = plain
        made.set("The app", "berth_app_command", command, f"The command of {dockerfile.path} without uv run, which writes to a cache.")
    elif not command:
        command, why = missing_command(source, dockerfile, web, project)
        command = procfile.without_uv(command) if dockerfile.uv else command
        if command:
            made.set("The app", "berth_app_command", [*entrypoint, *command], f"{why}, because {dockerfile.path} has no CMD.")
    script = "\n".join(dockerfile.script(source, words) for words in (entrypoint, command))
    told = dockerfiles.port_of(command, script)
    port = dockerfile.port or told
    if port and port != PORT:
        why = f"{dockerfile.path} exposes this port." if dockerfile.port else f"Guessed: {' '.join(command)} listens on this port."
        low = f" Many clusters let only root listen on it, and pods do not run as root. Make the server listen on {PORT}, and remove this line."
        made.set("The app", "berth_app_port", port, why if port >= LOWEST else f"{why}{low}")
    if told != (port or PORT) and "bind" not in project.configured and dockerfiles.asks_for_port(command, script):
        made.settings["PORT"] = (str(port or PORT), "The port on which the server listens.")
    if supervised is None and (found := re.search(SUPERVISORS, f"{' '.join([*entrypoint, *command])}\n{script}")):
        made.say("The app", f"{found[0]} runs several programs in the web pod. {APART}")
    if dockerfiles.lacks_python(text_of(source / dockerfile.path), script):
        made.needs.append(f"RUN ln -s python3 /usr/bin/python, in {dockerfile.path} above any USER  # unless it exists: releases run python manage.py migrate")
    name, value = dockerfiles.switch(script)
    if name:
        made.settings[name] = (value, "Without it, the start script runs Django's development server.")
    if "migrate" in (run := list(dict.fromkeys(MANAGED.findall(script)))):
        server = installed_server(project, port if port >= LOWEST else PORT) if dockerfile.command or not command else []
        what = ", ".join(run[:4]) + (" and more" if len(run) > 4 else "")
        way = "Put those that the site needs in berth_app_release_commands, which run once, and make berth_app_command run only the server"
        end = ", as here:" if server else "."
        made.say("The app", f"Whenever a pod starts, a script runs manage.py commands ({what}), although the image's files are read-only. {way}{end}")
        if server:
            made.say("The app", dumped("berth_app_command", server))
    return script, dockerfiles.waits_for(command, script)


def prepared(made: Draft, source: Path, project: Project) -> None:
    """Point out the manage.py commands that a Procfile runs before the server, and that Berth's Dockerfile does not run."""
    said, file = procfile.web_command(source, project.directory)
    scripts = [text_of(source / project.directory / word) for word in said.split() if word.endswith((".sh", ".bash"))]
    found = dict.fromkeys(run for run in MANAGED.findall("\n".join([said, *scripts])) if run not in ("collectstatic", "migrate"))
    if found:
        what = f"Before it starts the server, web in {file} runs manage.py commands ({', '.join(found)}). Nothing here runs them."
        made.say("The app", f"{what} Put those that the site needs in berth_app_release_commands, after migrate.")


def supervising(made: Draft, dockerfile: Dockerfile, supervised: dict[str, str]) -> list[str]:
    """Write which program of an image's supervisor is the server, and return its command, an empty one if that is unknown."""
    why = f"{dockerfile.path} starts a supervisor, which is meant to run as root and runs all its programs in each pod."
    command = procfile.words(supervisor.server(supervised))
    if command:
        rest = "This is the server. Put what it prepares, except migrations, in berth_app_release_commands."
        made.set("The app", "berth_app_command", command, f"{why} {rest}")
    else:
        made.say("The app", f"{why} Put the server in berth_app_command, listening on 0.0.0.0, and every other one in berth_app_processes.")
    return command


def missing_command(source: Path, dockerfile: Dockerfile, web: procfile.Web, project: Project) -> tuple[list[str], str]:
    """Return the command of the server for an image without one, and where it comes from; an empty one if nothing names it."""
    if web.command:
        return procfile.words(web.command), f"From {web.file}"
    if dockerfile.entrypoint:
        return [], ""  # which may start the server itself
    said, file = procfile.web_command(source, project.directory)
    if said:
        command = procfile.words(said)
        return [*command, *reachable(source / project.directory, command)], f"From {file}"
    server = installed_server(project, PORT)
    return server, f"Guessed: {server[0]} is installed" if server else ""


def installed_server(project: Project, port: int) -> list[str]:
    """Return the command of a server among the project's packages, an empty one if there is none."""
    for program, application in (("gunicorn", project.wsgi), ("uvicorn", project.asgi)):
        if program in project.dependencies.names and application:
            address = ["--bind", f"0.0.0.0:{port}"] if program == "gunicorn" else ["--host", "0.0.0.0", "--port", str(port)]
            return [program, *address, application]
    return []


def reachable(root: Path, command: list[str]) -> list[str]:
    """Return the options that make gunicorn reachable if its configuration file binds it for a proxy on the same machine, otherwise nothing."""
    text = " ".join(command)
    found = re.search(r"\Agunicorn\s.*?(?<=\s)(?:-c|--config)[\s=](?:file:)?(\S+)", text)
    own = found and not re.search(r"\s(?:-b|--bind)\b", text) and is_bound_to_itself(root / found[1])
    return ["--bind", f"0.0.0.0:{PORT}"] if own else []
