"""Check the inventory and this machine. The documentation is in plugins/modules/preflight.py."""

from __future__ import annotations

import contextlib
import functools
import platform
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ..module_utils import providers
from ..module_utils.image import checkout
from ..module_utils.image.dockerfile import Instruction, parse, runs_as_root, serves_nothing, work_directories
from ..module_utils.image.project import ProjectError, find_files, read_project, requirements_dependencies, text_of
from ..module_utils.image.project_dockerfile import HOME, SERVED, serves, serves_itself
from ..module_utils.image.user import ADVICE
from ..module_utils.kube import identity
from ..module_utils.kube.app_volumes import in_the_way
from ..module_utils.kube.existing import ExistingError, read_context
from ..module_utils.machine import minikube, network
from ..module_utils.machine.artifacts import foreign
from ..module_utils.machine.kubeadm import DIRECTORY
from ..plugin_utils import iam, own_objects, preflight
from ..plugin_utils.inventory import aws as aws_variables
from ..plugin_utils.inventory import cache, cost, room, supply, templates, variables
from ..plugin_utils.inventory.locate import Inventory
from ..plugin_utils.inventory.variables import Problem, Scalar
from ..plugin_utils.project import environments as neighbours
from ..plugin_utils.project.dockerfile import required
from ..plugin_utils.provider import decide

ARGUMENTS = {
    "checks": {"type": "bool", "default": True},
    "root": {"type": "path", "default": "/"},
    "memory_mb": {"type": "int", "default": 0},
    "disk_mb": {"type": "int", "default": 0},
    "artifacts_disk_mb": {"type": "int", "default": 0},
    "artifacts_directory": {"type": "path"},
    "ports": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "int", "required": True},
            "address": {"type": "str", "required": True},
            "use": {"type": "str", "required": True},
        },
    },
}


# Role variables that are checked together with the inventory's.
ROLES_VARIABLES = (
    "app_resources_default",
    "database_client_resources",
    "database_rds_master",
    "database_resources",
    "namespace_container_limits",
    "namespace_container_requests",
    "namespace_quota_default",
)
COMMAND = "set it to the server's command as a list, such as [gunicorn, --bind, '0.0.0.0:8000', shop.wsgi], or add it as CMD to the Dockerfile"
# debian.org/doc/debian-policy/ch-controlfields.html#source
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
# The settings in a cluster's record, by the variables that they come from.
MADE_WITH = {
    "pod_subnet": "berth_pod_network",
    "service_subnet": "berth_service_network",
    "address": "berth_node_address",
    "resolv_conf": "berth_resolv_conf",
}


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the provider and the reason for it, or every problem in one message."""
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        check = Check(self, task_vars or {}, arguments)
        problems = check.all() if arguments["checks"] else check.provider_problems()
        result["warnings"] = check.warnings() if arguments["checks"] else []
        if arguments["checks"] and not problems and providers.of(check.provider).aws:
            answer = check.ask_aws()
            if answer.get("failed"):
                return result | answer
            problems = [Problem(tuple(found["path"]), found["text"]) for found in answer["problems"]]
            result["warnings"] += answer.get("warnings") or []
        if problems:
            return result | {"failed": True, "changed": False, "msg": check.message(problems)}
        return result | {"changed": False, "provider": check.provider, "reason": check.reason(), "commit": check.commit}


def main_options(role: Path) -> dict[str, Any]:
    """Return the options of a role's main entry point."""
    text = (role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.CSafeLoader)["argument_specs"]["main"]["options"]


class Check:
    """One check of a host's inventory and of this machine."""

    def __init__(self, action: ActionModule, task_vars: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.action = action
        self.task_vars = task_vars
        self.arguments = arguments
        self.machine = preflight.Machine(Path(arguments["root"]))
        role = Path(task_vars["role_path"])
        self.project = role.parents[1]
        options = main_options(role)
        self.options = {name: option for name, option in options.items() if name.startswith(variables.PREFIX)}
        self.minikube = main_options(role.parent / "minikube")
        self.extra = load_extra_vars(action._loader)
        self.inventory = Inventory.of(task_vars, action._loader, self.project)
        self.unresolved: list[Problem] = []
        self.hidden: list[str] = []
        self.commit = ""
        # As in check mode: a lookup that generates a secret must not do so yet.
        self.templar = action._templar.copy_with_new_env(available_variables={**task_vars, "ansible_check_mode": True})
        self.values = self._values()

    # --- The inventory -----------------------------------------------------------------------------------------------

    def _values(self) -> dict[str, Any]:
        """Return the known variables that are set, without those whose templates fail."""
        found = {}
        for name in self.options:
            if name in self.task_vars:
                before = len(self.unresolved)
                value = self._resolve((name,), self.task_vars[name])
                if len(self.unresolved) == before:
                    found[name] = value
        return found

    def _resolve(self, path: variables.Path, value: Any) -> Any:
        """Return ``value`` with its templates rendered, one leaf at a time so that a failure names its key."""
        if isinstance(value, dict):
            return {key: self._resolve((*path, key), inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._resolve((*path, number), inner) for number, inner in enumerate(value)]
        try:
            found = self.templar.template(value)
        except AnsibleError as error:
            secret = self.options[str(path[0])].get("no_log", False)
            self.unresolved.append(Problem(path, f"cannot be evaluated: {self._cause(path, value, error, secret)}"))
            return None
        if isinstance(value, str) and found != value and templates.is_comment(value):
            self.unresolved.append(Problem(path, f"loses the text between {{# and #}}, which Jinja reads as a comment; {self._literal(path)}"))
        return found

    def _cause(self, path: variables.Path, value: Any, error: BaseException, secret: bool) -> str:
        """Return what is wrong with a template. For a ``secret``, the text quotes nothing of its value."""
        inner = self._inner(value, {str(path[0])})
        if inner:
            return f"{Problem(inner[0], '').name} ({self._where(*inner[0])}): {self._cause(*inner, secret)}"
        while error.__cause__ is not None:
            error = error.__cause__
        text = str(error).rstrip(".")
        if "no vault secrets" in text:
            return "it is encrypted, and the vault password was not given (--ask-vault-pass, --vault-password-file)"
        meant = not isinstance(value, str) or templates.is_meant(value)
        if secret and not (meant and isinstance(error, AnsibleError)):
            text = "its template fails"
        elif not isinstance(error, AnsibleError):
            text = f"its template fails: {text}"
        advice = self._literal(path) if not meant else self.inventory.vault() if text.startswith("'vault_") else ""
        return "; ".join(filter(None, [text, advice]))

    def _inner(self, value: Any, seen: set[str]) -> tuple[variables.Path, Any, AnsibleError] | None:
        """Return the variable that makes a template fail, used directly or through other variables, with its value and the error."""
        for name in sorted(templates.names(value) & self.task_vars.keys() - seen) if isinstance(value, str) else ():
            for path, leaf in templates.leaves((name,), self.task_vars[name]):
                try:
                    self.templar.template(leaf)
                except AnsibleError as error:
                    return self._inner(leaf, seen | {name}) or (path, leaf, error)
        return None

    def _literal(self, path: variables.Path) -> str:
        """Return how to write braces that are not templates."""
        where = f" in {self.inventory.home()}" if str(path[0]) in self.extra else ""
        key = "-" if isinstance(path[-1], int) else f"{path[-1]}:"
        return f"{{{{, {{% and {{# start templates; if they belong to the value, write !unsafe before it{where}, as in {key} !unsafe '...'"

    def get(self, name: str) -> Any:
        """Return the value of a variable, or its documented default."""
        return self.values.get(name, self.options[name].get("default"))

    @functools.cached_property
    def roles(self) -> dict[str, Any]:
        """The role variables that are checked together with the inventory's: the inventory's values, or the defaults."""
        found = {}
        for name in ROLES_VARIABLES:
            defaults = self.project / "roles" / name.partition("_")[0] / "defaults" / "main.yml"
            if name in self.task_vars:
                given = self.task_vars[name]
            else:  # nothing modifies the loaded data, so it need not be copied (unsafe)
                given = self.action._loader.load_from_file(str(defaults), unsafe=True, trusted_as_template=True)[name]
            found[name] = self.templar.template(given)
        return found

    # --- Checks ------------------------------------------------------------------------------------------------------

    def all(self) -> list[Problem]:
        """Return every problem; those of the machine only if the provider is known."""
        failed = {problem.variable for problem in self.unresolved}
        needed = {name: option for name, option in self.options.items() if name not in failed | self.inventory.names_unread()}
        found = [Problem((path,), text, set=False) for path, text in self.unread(certain=True)]
        found += variables.unknown(list(self.task_vars), list(self.options)) + self.minikube_settings()
        found += self.unresolved + variables.missing(self.values, needed)
        wrong = variables.types(self.values, self.options, self.written)
        typed = {name: value for name, value in self.values.items() if name not in {p.variable for p in wrong}}
        found += wrong + variables.values(typed) + variables.environment(self.get("berth_app_settings"), self.get("berth_app_secrets"))
        found += variables.database_names(typed, self.roles["database_rds_master"]) + self.connection_problems()
        found += self.source_problems({problem.variable for problem in found})
        suspect = {problem.variable for problem in found}
        if "berth_provider" not in suspect:
            found += self.provider_checks(suspect) + self.entry_problems(suspect) + self.copied_problems()
        found += self.room_problems(suspect)
        found += self.budget_problems({problem.variable for problem in found})
        found += self.object_problems({problem.variable for problem in found})
        found += supply.problems(self.get, self.registry, suspect)
        found += self.path_problems(suspect) + self.registry_problems(suspect)
        return found + self.port_problems({problem.variable for problem in found})

    def warnings(self) -> list[str]:
        """Return what may be a mistake, but is no reason to end the run."""
        return [f"{path}: {text}" for path, text in self.unread(certain=False)] + self.hidden + self.cache_warnings()

    def cache_warnings(self) -> list[str]:
        """Return a warning if the project's requirements include no client for its cache."""
        source, directory = self.get("berth_app_source"), self.get("berth_app_directory") or ""
        # Anything but a string is reported as a problem.
        if self.get("berth_cache") not in ("cluster", "external") or not (source and isinstance(source, str) and isinstance(directory, str)):
            return []
        try:
            own = self.source / str(self.get("berth_app_dockerfile"))
            needs = read_project(self.source, directory, needs=requirements_dependencies(self.source, "", required(self.source, text_of(own)))).dependencies
        except (ProjectError, OSError):
            return []  # reported elsewhere if it matters, or the project's own Dockerfile installs it
        if not cache.client_missing(needs.names | needs.direct):
            return []
        names = " and ".join(self.get("berth_cache_env"))
        return [
            f"berth_cache: {self.get('berth_cache')} gives the app {names}, and {needs.files[0]} lists no Redis client. "
            "Add redis to it (for Django's django.core.cache.backends.redis.RedisCache), or set berth_cache: none."
        ]

    def unread(self, certain: bool) -> list[tuple[str, str]]:
        """Return the variable files that Ansible does not read, each with the reason: those that were clearly meant to be read, or the others."""
        found = (one for one in self.inventory.unread() if one.certain == certain)
        return [(self.inventory.shown(one.path), f"Ansible does not read it: {one.text}") for one in found]

    def minikube_settings(self) -> list[Problem]:
        """Check the names and types of minikube's settings, which an inventory sets directly."""
        values = self.minikube_values
        names = [name for name in self.task_vars if name != "minikube_facts"]
        return variables.unknown(names, list(self.minikube), "minikube_") + variables.types(values, self.minikube, self.written)

    @functools.cached_property
    def minikube_values(self) -> dict[str, Any]:
        """The minikube settings in the inventory."""
        values = {}
        for name in filter(self.task_vars.__contains__, self.minikube):
            with contextlib.suppress(AnsibleError):  # it needs a fact that this run has yet to set
                values[name] = self.templar.template(self.task_vars[name])
        return values

    @property
    def minikube_way(self) -> tuple[str, bool]:
        """The driver that minikube must use, "" if minikube chooses, and whether it is forced."""
        driver, force = (self.minikube_values.get(f"minikube_{name}") or "" for name in ("driver", "force"))
        return str(driver), boolean(force or False, strict=False)

    def provider_problems(self) -> list[Problem]:
        """Return why the provider cannot be decided."""
        mine = [problem for problem in self.unresolved if problem.variable == "berth_provider"]
        given = {name: value for name, value in self.values.items() if name == "berth_provider"}
        return mine + variables.types(given, self.options, self.written)

    def connection_problems(self) -> list[Problem]:
        """Check that Berth works on the machine that it runs on."""
        connection = self.action._connection.transport.removeprefix("ansible.builtin.")
        if connection == "local":
            return []
        text = f"is {connection}, but Berth works on the machine that it runs on; set it to local"
        return [Problem(("ansible_connection",), text)]

    def copied_problems(self) -> list[Problem]:
        """Check that nothing here belongs to the environment of a neighbouring inventory, of which this one may be a copy."""
        own = self.inventory.own()
        if own.parent.name != neighbours.PLACE:
            return []

        def template(value: Any, with_variables: Mapping[str, Any]) -> Any:
            return self.templar.copy_with_new_env(available_variables={**self.task_vars, **with_variables}).template(value)

        others = neighbours.beside(own.parent, own, self.project, template)
        mine = neighbours.Environment(self.inventory.host, own, self.inventory.shown(own))
        return neighbours.problems(mine, self.provider, self.get, others)

    def room_problems(self, suspect: set[str]) -> list[Problem]:
        """Check that a release has room in the namespace's quota and, if the cluster's only node is this machine, on it."""
        looked_at = ("resources", "replicas", "autoscaling", "processes", "schedules", "volumes", "static", "database_aliases")
        others = {"berth_cache", "berth_cache_memory", "berth_database", "berth_database_storage", "berth_quota"}
        if suspect & {*(f"berth_app_{part}" for part in looked_at), *others}:
            return []
        web = ("berth_app_autoscaling", "max") if self.get("berth_app_autoscaling") else ("berth_app_replicas",)
        environment = room.Environment.of(self.get, self.roles)
        found = room.problems(environment, self.roles["namespace_quota_default"], self.get("berth_quota"), web)
        if providers.of(self.provider).machine:
            path = ("berth_app_resources",) if "requests" in self.get("berth_app_resources") else web
            found += room.node_problems(environment, preflight.capacity(), preflight.KUBERNETES, path)
        return found

    @functools.cached_property
    def source(self) -> Path:
        """The directory of the app's source; for a repository, its checkout."""
        source = self.get("berth_app_source") or str(self.project)
        return Path(checkout.directory(source, self.inventory.host)).expanduser()

    def source_problems(self, suspect: set[str]) -> list[Problem]:
        """If the source is a repository, fetch it into the cache for the checks that read its files."""
        source, version = self.get("berth_app_source"), self.get("berth_app_ref")
        if {"berth_app_source", "berth_app_ref"} & suspect or not (source and checkout.is_repository(source)):
            return []
        try:
            self.commit = checkout.Checkout(source, version, self.source).update()
        except ProjectError as error:
            return [Problem((error.variable,), error.text)]
        except OSError as error:
            return [
                Problem(("berth_app_source",), f"the checkout in {self.source.parent} cannot be created: {error.strerror}; fix that, or set XDG_CACHE_HOME")
            ]
        return []

    def path_problems(self, suspect: set[str]) -> list[Problem]:
        """Check the files and directories that the inventory names."""
        found = []
        if not {"berth_app_source", "berth_app_ref", "berth_app_dockerfile"} & suspect:
            source = self.source
            dockerfile = source / self.get("berth_app_dockerfile")
            if not source.is_dir():
                found.append(Problem(("berth_app_source",), f"{source} is not a directory"))
            elif not dockerfile.is_file() and "berth_app_dockerfile" in self.values:
                found.append(Problem(("berth_app_dockerfile",), f"the file {dockerfile} does not exist"))
            elif not dockerfile.is_file() and not {"berth_app_directory", "berth_app_settings", "berth_app_packages"} & suspect:
                found += self._project_problems(source)
            if source.is_dir():
                found += self._hiding_problems(source, dockerfile, suspect)
            if dockerfile.is_file() and "berth_app_user" not in self.task_vars and runs_as_root(self._instructions(dockerfile)):
                text = f"is not set, and the image of {dockerfile} runs as root, which the namespace forbids: it has no USER, or USER root"
                found.append(Problem(("berth_app_user",), f"{text}; {ADVICE}"))
            if dockerfile.is_file() and not self.task_vars.get("berth_app_command") and serves_nothing(self._instructions(dockerfile)):
                text = f"is not set, and the image of {dockerfile} exits as soon as it starts: it has no CMD and no ENTRYPOINT"
                found.append(Problem(("berth_app_command",), f"{text}; {COMMAND}"))
        if self.get("berth_database_ca") and "berth_database_ca" not in suspect:
            path = Path(self.get("berth_database_ca")).expanduser()
            if not path.is_file() or "-----BEGIN CERTIFICATE-----" not in path.read_text(encoding="utf-8", errors="replace"):
                found.append(Problem(("berth_database_ca",), f"{path} is not a file with certificates (PEM)"))
        if "berth_kubeconfig" in self.values and "berth_kubeconfig" not in suspect:
            path = Path(self.values["berth_kubeconfig"]).expanduser()
            if owner := identity.belongs_elsewhere(path, self.inventory.host):
                text = f"{path} is the kubeconfig of the environment {owner}; name a path of this environment's own"
                found.append(Problem(("berth_kubeconfig",), text))
            elif damage := identity.read(path).get("damage"):
                found.append(Problem(("berth_kubeconfig",), damage.rstrip(".")))
            elif preflight.foreign_kubeconfig(path):
                text = f"{path} exists and was not written by Berth, so it is not overwritten"
                text += "; name a path of this environment's own"
                found.append(Problem(("berth_kubeconfig",), text))
        return found

    def object_problems(self, suspect: set[str]) -> list[Problem]:
        """Check the project's own manifests, except templates."""
        variable = "berth_app_objects"
        looked_at = {variable, "berth_app_source", "berth_app_ref", "berth_app_name", "berth_namespace", "berth_app_processes", "berth_app_schedules"}
        if looked_at & suspect or not self.get(variable):
            return []
        app, schedules = self.values["berth_app_name"], [each["name"] for each in self.get("berth_app_schedules")]
        names = own_objects.taken(app, self.get("berth_app_processes"), schedules, self.get("berth_app_database_aliases"))
        bases = [Path(self.task_vars["inventory_dir"]), *([self.source] if self.get("berth_app_source") else [])]
        found = []
        for number, pattern in enumerate(self.get(variable)):
            files = own_objects.found(pattern, bases)
            if not files:
                places = " nor in ".join(dict.fromkeys(self.inventory.shown(base) for base in bases))
                found.append(Problem((variable, number), f"{pattern} matches no file in {places}"))
            for path in files:
                found += [Problem((variable, number), f"{self.inventory.shown(path)}: {text}") for text in self._manifest_problems(path, app, names)]
        return found

    def _manifest_problems(self, path: Path, app: str, names: dict[str, list[str]]) -> list[str]:
        try:
            objects = [] if path.name.endswith(own_objects.TEMPLATE) else own_objects.of_text(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            return [f"does not contain Kubernetes objects: {error}"]
        texts = (own_objects.problem(item, self.values["berth_namespace"], app, names) for item in objects)
        return [text for text in texts if text]

    def _project_problems(self, source: Path) -> list[Problem]:
        """Check that a Dockerfile can be generated for the app."""
        try:
            project = read_project(source, self.get("berth_app_directory") or "", str(self.get("berth_app_settings").get("DJANGO_SETTINGS_MODULE", "")))
        except ProjectError as error:
            return [Problem((error.variable,), error.text)]
        wrong = [name for name in self.get("berth_app_packages") if not PACKAGE.fullmatch(name)]
        found = [Problem(("berth_app_packages",), f"{name} is not a valid name of a Debian package") for name in wrong]
        wrapped, command = serves(project), self.get("berth_app_command")
        words = command if wrapped and isinstance(command, list) else []
        plain = next((word for word in words if word in (project.wsgi, project.asgi)), "")
        if self.get("berth_app_static"):
            if serves_itself(project) or (wrapped and not plain):
                found.append(Problem(("berth_app_static",), "is not needed: the image that Berth builds serves the project's static files itself; remove it"))
        elif plain:  # wsgi.py may serve them, or a storage elsewhere has them
            text = f"nothing may serve the static files to visitors: the image that Berth builds does that in {SERVED}, and this runs {plain}"
            self.hidden.append(f"berth_app_command: {text}. Write {SERVED} instead, or remove berth_app_command.")
        return found

    def _hiding_problems(self, source: Path, dockerfile: Path, suspect: set[str]) -> list[Problem]:
        """Check that no mount hides the app's code."""
        mounted: dict[tuple[str, ...], str] = {}
        if "berth_app_writable" not in suspect:
            mounted |= {("berth_app_writable", path): path for path in self.get("berth_app_writable")}
        if "berth_app_volumes" not in suspect:
            mounted |= {("berth_app_volumes", name, "path"): volume["path"] for name, volume in self.get("berth_app_volumes").items()}
        if not mounted:
            return []
        homes, sources = [HOME], [source]
        if dockerfile.is_file():
            homes = work_directories(self._instructions(dockerfile))
            sources += [source / Path(file).parent for file in find_files(source, "manage.py")]
        texts = {place: in_the_way(path, homes, sources) for place, path in mounted.items()}
        return [Problem(place, text) for place, text in texts.items() if text]

    def _instructions(self, dockerfile: Path) -> list[Instruction]:
        return parse(dockerfile.read_text(encoding="utf-8", errors="replace"))

    def registry_problems(self, suspect: set[str]) -> list[Problem]:
        """Check that an external registry answers."""
        if self.get("berth_registry") != "external" or {"berth_registry", "berth_registry_host"} & suspect:
            return []
        text = preflight.silent_registry(self.values["berth_registry_host"])
        return [Problem(("berth_registry_host",), text)] if text else []

    def entry_problems(self, suspect: set[str]) -> list[Problem]:
        """Check that the provider supports a public entry."""
        if "berth_entry" in suspect or self.get("berth_entry") == "none" or providers.of(self.provider).entry:
            return []
        text = f"{self.get('berth_entry')} needs berth_provider: eks, but it is {self.provider}; remove it, and use berth_app_node_port instead"
        return [Problem(("berth_entry",), text)]

    def port_problems(self, suspect: set[str]) -> list[Problem]:
        """Check the ports in the inventory."""
        if not preflight.is_root():  # only root sees who holds a port
            return []
        # The node ports of other providers are not on this machine.
        ports = {"berth_app_node_port": "0.0.0.0"} if providers.of(self.provider).machine else {}
        if self.registry == "loopback":
            ports["berth_registry_port"] = "127.0.0.1"
        listeners = preflight.listeners()
        found = []
        for name, address in ports.items():
            if name not in suspect and (port := int(self.get(name))):
                listener = preflight.taken(port, address, listeners)
                if listener and not preflight.is_berths(listener):
                    text = f"port {port} is taken by {preflight.held_by(listener)}; stop that, or choose another port"
                    found.append(Problem((name,), text))
        return found or self._taken_node_port(suspect)

    def _taken_node_port(self, suspect: set[str]) -> list[Problem]:
        """Check that no other Service of the cluster on this machine has the app's node port."""
        if suspect & {"berth_app_node_port", "berth_app_name", "berth_namespace"} or not providers.of(self.provider).machine:
            return []
        text = preflight.other_service(self.machine, int(self.get("berth_app_node_port")), (self.get("berth_namespace"), self.get("berth_app_name")))
        return [Problem(("berth_app_node_port",), text)] if text else []

    def provider_checks(self, suspect: set[str]) -> list[Problem]:
        """Run the provider's own checks; ``suspect`` are the variables that are known to be wrong."""
        check: Callable[[set[str]], list[Problem]] = getattr(self, f"{self.provider}_problems")
        return check(suspect)

    def minikube_problems(self, suspect: set[str]) -> list[Problem]:
        """Check that minikube has a usable driver, and check its settings as far as possible in advance."""
        found = []
        if "minikube_driver" not in suspect:
            driver, why = minikube.drivable(*self.minikube_way)
            variable = "minikube_driver" if self.minikube_way[0] else "berth_provider"
            if not driver:
                found.append(Problem((variable,), f"minikube has no usable driver here ({why}); start one, or use a machine for berth_provider: kubeadm"))
        given = {name: value for name, value in self.minikube_values.items() if name not in suspect and value is not None}
        texts: dict[str, Any] = {name: str(given.get(f"minikube_{name}", "")) for name in ("cpus", "memory", "disk", "kubernetes_version")}
        profile = str(given.get("minikube_profile", self.inventory.host))
        wanted = minikube.Wanted(profile, extra_config=given.get("minikube_extra_config", []), **texts)
        for text in minikube.unusable(wanted):
            variable, _, what = text.partition(": ")
            found.append(Problem((variable,), what))
        return found

    def eks_problems(self, suspect: set[str]) -> list[Problem]:
        """Check what can be checked without asking AWS."""
        found = aws_variables.problems(self.get, self.inventory.host, suspect)
        why = foreign(aws_variables.NODES, platform.machine())
        return [*found, self._machine_problem(f"EKS's {why}; run this on such a machine")] if why else found

    def ask_aws(self) -> dict[str, Any]:
        """Return the result of the module aws_preflight. It has its own process, because boto3 is slow to load and other providers do not need it."""
        nodes, storage = (self.get(name) for name in ("berth_eks_nodes", "berth_rds_storage"))
        defaults = {name: self.options[name]["options"] for name in ("berth_eks_nodes", "berth_rds_storage")}
        rds = {
            "class": self.get("berth_rds_class"),
            "version": self.get("berth_rds_version"),
            "multi_az": boolean(self.get("berth_rds_multi_az")),
            "app": self.get("berth_app_name"),
            "snapshot": self.get("berth_rds_snapshot"),
            "storage_max": int(storage.get("max", defaults["berth_rds_storage"]["max"]["default"])),
        }
        name = aws_variables.environment_name(self.get, self.inventory.host)
        names = iam.names(
            self.inventory.host,
            name,
            self.get("berth_aws_account"),
            self.get("berth_aws_region"),
            self.get("berth_app_name"),
            self.get("berth_eks_pod_identities"),
            self.get("berth_eks_addons"),
            self.get("berth_aws_vpc"),
            self.get("berth_entry_zone"),
            self.get("berth_rds_snapshot"),
        )
        policies = iam.policies((self.project / "roles/eks/files/iam_policies.json").read_text(encoding="utf-8"), names)
        statements = [one for policy in policies.values() for one in policy["Statement"]]
        wanted = {
            "region": self.get("berth_aws_region"),
            "account": self.get("berth_aws_account"),
            "zones": self.get("berth_aws_zones"),
            "environment": self.inventory.host,
            "name": name,
            "boundary": iam.boundary(self.get("berth_aws_account"), self.get("berth_aws_region"), name),
            "statements": [one for one in statements if one["Effect"] == "Allow" and one["Sid"] not in self.unused_statements()],
            "access": self.get("berth_eks_access"),
            "public_access": self.get("berth_eks_public_access"),
            "network": self.get("berth_aws_network"),
            "vpc": self.get("berth_aws_vpc"),
            "nat": self.get("berth_aws_nat"),
            "version": self.get("berth_eks_version"),
            "compute": self.get("berth_eks_compute"),
            "types": nodes.get("types", defaults["berth_eks_nodes"]["types"]["default"]),
            "rds": rds if self.get("berth_database") == "rds" else {},
        }
        return self.action._execute_module(module_name="berth.platform.aws_preflight", module_args=wanted, task_vars=self.task_vars)

    def unused_statements(self) -> set[str]:
        """Return the names of the IAM policy statements (scripts/aws-policy) that this environment does not need."""
        parts = {
            ("Certificates", "NewCertificate", "OwnCertificate", "TagCertificate", "UntagCertificate"): self.get("berth_entry") != "none",
            ("Zones", "Changes", "Records"): self.get("berth_entry") != "none",
            ("Database", "GivenSnapshot", "OwnSnapshots", "OldBackups", "NewMasterSecret", "MasterSecret"): self.get("berth_database") == "rds",
            ("Images",): self.registry == "ecr",
        }
        return {name for names, used in parts.items() if not used for name in names}

    def budget_problems(self, suspect: set[str]) -> list[Problem]:
        """Check what the environment would cost, once everything that the cost depends on is right."""
        variable = "berth_budget_monthly"
        if any(name.startswith(cost.PREFIXES) for name in suspect) or not providers.of(self.provider).costs or not self.values.get(variable):
            return []
        try:
            found = cost.bill(self.project, self.action._loader, self.templar, self.task_vars, datetime.now(UTC).date())
        except cost.CostError as error:
            return [Problem(error.path, f"{error.text}{error.advice(self.inventory.source())}")]
        text = cost.over_budget(found, int(self.values[variable]))
        return [Problem((variable,), text)] if text else []

    def existing_problems(self, suspect: set[str]) -> list[Problem]:
        """Check that the kubeconfig has the context."""
        if {"berth_existing_kubeconfig", "berth_existing_context"} & suspect:
            return []
        source = Path(self.values["berth_existing_kubeconfig"]).expanduser()
        try:
            read_context(source, self.values["berth_existing_context"])
        except ExistingError as error:
            variable, _, text = str(error).partition(": ")
            return [Problem((variable,), text)]
        return []

    def kubeadm_problems(self, suspect: set[str]) -> list[Problem]:
        """Check that this machine can run a cluster, or that it runs Berth's."""
        unsupported = self.machine.unsupported()
        if unsupported:
            return [self._machine_problem(f"{unsupported}; use such a machine, which can be a virtual one")]
        if not preflight.is_root():
            text = "kubeadm needs root, but this is another user; run it with sudo, or as root"
            if self.get("berth_provider") == "auto":
                text += f". minikube works without root, but has no usable driver here ({minikube.drivable(*self.minikube_way)[1]})"
            return [self._machine_problem(text)]
        if foreign := self.machine.foreign_cluster():
            text = f"this machine has a Kubernetes that Berth did not create ({', '.join(foreign)})"
            return [self._machine_problem(f"{text}; use another machine, or remove it")]
        found = [self._machine_problem(text) for text in [*self._lacking_room(), *self._taken_ports()]]
        if suspect & {*network.USES, "berth_resolv_conf"}:
            return found
        return found + (self._changed_network() if self.machine.has_whole_cluster() else self._network_problems())

    def _changed_network(self) -> list[Problem]:
        """Check that the settings that a cluster was created with are unchanged."""
        record = self.machine.record()
        settings, environments = record.get("settings", {}), ", ".join(record.get("environments", []))
        way = f"remove the cluster first (volumes stay) by running playbooks/destroy.yml for each environment in it: {environments}"
        found = []
        for name, variable in MADE_WITH.items():
            was, now = settings.get(name, ""), self.get(variable)
            if was != now and (was or variable == "berth_resolv_conf"):
                made = f"with {was}" if was else "without one"
                text = f"is {now or 'not set'}, but this machine's cluster was created {made}, which cannot be changed; restore the old value, or {way}"
                found.append(Problem((variable,), text))
        return found

    def _network_problems(self) -> list[Problem]:
        """Check the addresses, name servers and firewall of a machine before it gets a cluster."""
        given = self.get("berth_resolv_conf")
        root = Path("/") if given else self.machine.root
        path = Path(given) if given else network.resolv_conf(root)
        wanted = network.ranges(*(self.get(variable) for variable in network.USES))
        found = [Problem((one,), f"overlaps with {other}; choose another network") for one, other in network.overlapping(wanted)]
        known = [*network.routes(), *network.servers(root, path)]
        clashes = [] if found else network.clashes(wanted, known)
        self.hidden = [f"{clash.variable}: {clash.text}" for clash in clashes if not clash.certain]
        found += [Problem((clash.variable,), clash.text) for clash in clashes if clash.certain]
        if wrong := network.unusable(root, path):
            way = "write its upstream name servers into a file, and set berth_resolv_conf to the file's path"
            found.append(Problem(("berth_resolv_conf",), f"{wrong}; {way}"))
        return found + [self._machine_problem(text) for text in network.firewalls(str(wanted["berth_pod_network"]))]

    def _lacking_room(self) -> list[str]:
        """Return the problems with memory and disk space for a new cluster."""
        if self.machine.has_whole_cluster():
            return []
        found = []
        memory, need = preflight.memory_mb("MemAvailable"), self.arguments["memory_mb"]
        if memory < need:
            text = f"a new cluster needs {need} MiB of memory, but only {memory} MiB are available"
            found.append(f"{text}; stop some programs, or use a larger machine")
        wanted = [(DIRECTORY, self.arguments["disk_mb"])]
        artifacts = Path(self.arguments["artifacts_directory"] or DIRECTORY)
        if not (artifacts.is_dir() and any(artifacts.iterdir())):
            wanted.append((artifacts, self.arguments["artifacts_disk_mb"]))
        return found + [f"{text}; free some space, or use a larger disk" for text in preflight.lacking_space(wanted)]

    def _taken_ports(self) -> list[str]:
        """Return the ports of a new cluster that are taken."""
        if self.machine.has_cluster():
            return []
        listeners = preflight.listeners()
        found = []
        for wanted in self.arguments["ports"]:
            listener = preflight.taken(wanted["port"], wanted["address"], listeners)
            if listener:
                holder = preflight.held_by(listener)
                found.append(f"port {wanted['port']} of {wanted['use']} is taken by {holder}; stop that")
        return found

    def _machine_problem(self, text: str) -> Problem:
        return Problem(("berth_provider",), text)

    # --- The result --------------------------------------------------------------------------------------------------

    @property
    def provider(self) -> str:
        """The chosen provider, "" if the inventory's value is invalid."""
        wanted = self.get("berth_provider")
        return decide(wanted, self._kubeconfig(), *self.minikube_way)[0] if isinstance(wanted, str) else ""

    @property
    def registry(self) -> str:
        """The registry for images: the one that is set, or the provider's own (as in roles/registry)."""
        return self.get("berth_registry") or providers.of(self.provider).registry

    def _kubeconfig(self) -> str:
        path = Path(self.values.get("berth_kubeconfig") or "").expanduser()
        return str(path) if path.name else ""

    def reason(self) -> str:
        """Return why this provider was chosen."""
        if self.get("berth_provider") != "auto":
            return f"set in {self._where('berth_provider')}"
        why = decide("auto", self._kubeconfig(), *self.minikube_way)[1]
        return f"auto: {why or f'this machine is a {self.machine.description()} with root'}"

    def message(self, problems: list[Problem]) -> str:
        """Return all ``problems`` in one text, one per line."""
        lines = list(dict.fromkeys(f"{p.name}: {p.text}" + (f" ({self._where(*p.path)})" if p.set else "") for p in problems))
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        return "\n".join([f"{count}, and nothing was changed:", *lines])

    def written(self, path: variables.Path, value: Any, is_key: bool) -> Scalar:
        """Return how the inventory writes the value at a path, or the key at its end."""
        variable = str(path[0])
        return self.inventory.scalar(path, value, is_key) if variable not in self.extra and self._is_of_inventory(variable) else Scalar()

    def _where(self, *path: str | int) -> str:
        """Return where a variable, or a part of it, is set, or where to set it."""
        variable = str(path[0])
        if variable in self.extra:
            return "-e"
        if variable == "ansible_connection":
            return self.inventory.locate(variable) or self.inventory.hosts()
        if variable in self.task_vars and not self._is_of_inventory(variable):
            return "set by the playbook"
        return self.inventory.locate(*path) or self.inventory.home()

    def _is_of_inventory(self, variable: str) -> bool:
        """Whether the effective value is the inventory's."""
        given = self.task_vars["hostvars"].raw_get(self.inventory.host)
        try:
            return variable in given and given[variable] == self.task_vars[variable]
        except AnsibleError:  # an encrypted value without its password
            return True
