"""The first inventory of a Django project: what its files say, a comment on every guess, and a placeholder for what Berth cannot know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...module_utils.image.project import (
    Project,
    ProjectError,
    default_settings,
    directories,
    find_directory,
    find_files,
    grouped_dependencies,
    module_file,
    read_project,
    requirements_dependencies,
    settings_trees,
)
from ...module_utils.kube.probes import DEFAULT_PATHS
from . import dockerfile as dockerfiles
from . import procfile, routes
from .cache import cache
from .database import database
from .dockerfile import Dockerfile
from .draft import Draft, comment, quoted
from .files import files
from .image import image, serving
from .processes import processes
from .settings import Asked, Reading
from .variables import HOSTS, local, missing_files, rest, switches, tasks

# Packages that call external services.
OUTSIDE = {
    "anymail", "boto3", "django-anymail", "django-ses", "django-storages", "django-allauth", "google-cloud-storage", "httpx", "mailchimp-marketing", "openai",
    "requests", "sendgrid", "sentry-sdk", "slack-sdk", "social-auth-app-django", "stripe", "twilio", "urllib3",
}  # fmt: skip
SHARED = "If it queries the database too, set another page for liveness: a database outage would restart every pod."


def look(source: Path, dockerfile: Dockerfile | None, draft: Draft) -> Project:
    """Return what the project consists of.

    Raises:
        ProjectError: It is not a Django project, or no Dockerfile can be generated for it.
    """
    found = directories(source)
    place = sorted(found)[0] if len(found) > 1 else ""
    if place:
        others = ", ".join(sorted(found)[1:])
        draft.set("The app", "berth_app_directory", place, f"Guessed: manage.py is also in {others}.")
    try:
        installed = requirements_dependencies(source, "", dockerfile.required) if dockerfile else None
        return read_project(source, place, dockerfile.settings if dockerfile else "", installed)
    except ProjectError as error:
        if dockerfile is None and error.variable != "berth_app_settings":
            raise
        # A project with its own Dockerfile need not list its packages.
        place = find_directory(source, place)
        needs = grouped_dependencies(source, place)
        named = dockerfile.settings if dockerfile else ""
        try:
            return read_project(source, place, named, needs)
        except ProjectError:
            return Project(directory=place, settings=named or default_settings(source / place / "manage.py"), dependencies=needs)


def workers_settings(root: Path, web: str) -> list[str]:
    """Return the settings modules of Celery's apps that extend those of web; others, such as those for development, do not run here."""
    named = dict.fromkeys(default_settings(root / path) for path in find_files(root, "celery.py"))
    of_web = module_file(root, web)
    return [module for module in named if module not in ("", web) and of_web in [file for file, _ in settings_trees(root, module)]]


def unique(found: list[Asked]) -> list[Asked]:
    """Return each variable once, preferably with its setting and key."""
    best: dict[str, Asked] = {}
    for one in found:
        held = best.get(one.name)
        if held is None or (bool(one.setting and one.setting.isupper()), bool(one.key)) > (bool(held.setting and held.setting.isupper()), bool(held.key)):
            best[one.name] = Asked(**{**vars(one), "required": one.required or bool(held and held.required)})
        elif one.required:
            best[one.name] = Asked(**{**vars(held), "required": True})
    return list(best.values())


def draft(source: Path, environment: str, app: str, where: str, port: int, known: Mapping[str, Any]) -> Draft:
    """Return the inventory of a project.

    Args:
        source: The project.
        environment: The environment's name.
        app: The app's name.
        where: The value for ``berth_app_source``.
        port: A free node port.
        known: The variables of this version of Berth, with their specification.

    Raises:
        ProjectError: It is not a Django project, or no Dockerfile can be generated for it.
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
    handled = database(made, source, root, app, reading, asked, project, waited)
    handled |= cache(made, root, reading, asked, every, project)
    handled |= switches(made, reading, asked, every)
    handled |= tasks(made, asked, workers)
    local(made, source, root, project)
    missing_files(made, source, root, project)
    network(made, project, root)
    rest(made, [one for one in asked if one.name not in handled])
    return made


def probe(made: Draft, root: Path, reading: Reading, asked: list[Asked], dockerfile: Dockerfile | None) -> None:
    """Write which page shows that a pod is healthy."""
    urlconf = reading.text("ROOT_URLCONF")
    middleware = reading.value("MIDDLEWARE")
    named = [one for one in middleware if isinstance(one, str)] if isinstance(middleware, list) else []
    found = list(routes.routes(root, urlconf)) if urlconf else []
    live, ready, why = routes.probe(found, list(routes.middleware_paths(root, named)))
    if dockerfile and dockerfile.health:
        live, ready, why = dockerfile.health, dockerfile.health, f"the HEALTHCHECK of {dockerfile.path} requests it"
    part = "Health"
    if {"readiness": ready, "liveness": live} == DEFAULT_PATHS:
        return
    shared = f" {SHARED}" if live == ready and routes.is_health(live) else ""
    made.set(part, "berth_app_liveness_path", live, f"Guessed: {why}.{shared}")
    made.set(part, "berth_app_readiness_path", ready)
    if made.known.get("berth_app_path", {}).get("default") not in (None, "/") or not any(path == "/" for path, _ in found):
        made.set(part, "berth_app_path", live if found and live != "/" else "/", "The page that the run requests at the end.")
    hosts = reading.value("ALLOWED_HOSTS")
    hidden = [one for one in asked if one.setting == "ALLOWED_HOSTS"]
    if isinstance(hosts, list) and hosts and not hidden and "*" not in hosts:
        names = ", ".join(str(one) for one in hosts)
        made.say("Host names", f"The settings accept only {names}. Add other names there, or read them from a variable and set it in berth_app_hosts_env.")
    if isinstance(hosts, list) and not hidden and not {"*", "localhost", ".localhost"} & set(hosts):
        host = "127.0.0.1" if "127.0.0.1" in hosts else str(hosts[0]).lstrip(".") if hosts else ""
        if host and made.set(part, "berth_app_probe", {"host": host}, "ALLOWED_HOSTS in the settings does not allow localhost."):
            return
        made.needs.append(HOSTS)


def network(made: Draft, project: Project, root: Path) -> None:
    """Propose what the app may connect to."""
    outside = sorted(OUTSIDE & project.dependencies.direct)
    if outside and made.takes("berth_app_egress", "internet"):
        made.set("The network", "berth_app_egress", "internet", f"Guessed: {', '.join(outside)} may call external services.")
    elif outside:
        made.say("The network", f"{', '.join(outside)} may call external services. Pods can reach them only if berth_app_egress has a rule for it.")


def text(made: Draft, environment: str) -> str:
    """Return the inventory's main.yml."""
    lines = [
        "---",
        f'# The environment "{environment}", generated by playbooks/new.yml from the files of the project. The README lists all variables.',
        "berth_provider: auto # kubeadm on this machine for root, otherwise minikube",
        f'berth_kubeconfig: "{CACHE}/kubeconfig"',
        f"berth_namespace: {environment}",
    ]
    for heading, part in made.parts.items():
        lines += ["", f"# --- {heading} ---", *part]
    if made.needs:
        lines += ["", "# --- Changes that the project needs ---", *(f"#   {line}" for line in made.needs)]
    lines += ["", "# --- Settings: environment variables of the app ---", *pairs("berth_app_settings", made.settings)]
    lines += ["", "# --- Secrets: generated by the first run, stored outside Git with mode 0600 ---", f'berth_secrets_directory: "{CACHE}/secrets"']
    lines += pairs("berth_app_secrets", made.secrets)
    lines.append("berth_database_password: \"{{ lookup('berth.platform.generated_secret', berth_secrets_directory ~ '/database_password') }}\"")
    return "\n".join(lines) + "\n"


def summary(made: Draft, directory: str, check: bool = False) -> list[str]:
    """Return what is left to do, one item per line: values to fill in, changes to the project, and the command to run."""
    main = f"{directory}/group_vars/all/main.yml"
    lines = [f"{main} would be written." if check else f"{main} is written. Read it, especially the comments that mark guesses."]
    if made.asked:
        lines.append(f"Fill in the values that Berth cannot know: {', '.join(sorted(made.asked))}.")
    if made.needs:
        lines += ["The project needs these changes, as far as its files show:", *(f"  {line}" for line in made.needs)]
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
    # Variables with the same comment are grouped below it.
    for _, key in sorted((first[why or key], key) for key, (_, why) in values.items()):
        value, why = values[key]
        lines += [f"  {line}" for line in comment(why if why != said else "")]
        lines.append(f"  {key}: {quoted(value)}")
        said = why
    return lines


def hosts(environment: str) -> str:
    """Return the inventory's hosts.yml."""
    python = "{{ ansible_playbook_python }}"
    return f'---\nberth:\n  hosts:\n    {environment}:\n      ansible_connection: berth.platform.forked\n      ansible_python_interpreter: "{python}"\n'
