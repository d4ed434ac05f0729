"""Write the first inventory of a Django project. The documentation is in plugins/modules/inventory_new.py."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils import formats
from ..module_utils.image import checkout
from ..module_utils.image.project import ProjectError
from ..module_utils.image.registry import ImageError
from ..module_utils.kube import client
from ..module_utils.machine.kubeadm import ADMIN
from ..plugin_utils import preflight
from ..plugin_utils.project import environments, inventory

FIRST = 30080  # the first node port to try
LONGEST = 30  # characters of an app's name, which leaves room for the names of its processes
PLAIN = ("app", "backend", "code", "project", "server", "src", "web")  # directory names that say nothing about the content
ARGUMENTS = {
    "source": {"type": "str", "required": True},
    "environment": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "specification": {"type": "path", "required": True},
}


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what was written, or why nothing was."""
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        directory, environment = Path(given["directory"]).resolve(), given["environment"]
        target = directory / environment
        source = Path(checkout.directory(given["source"], environment)).expanduser().resolve()
        repository = str(given["source"]) if checkout.is_repository(given["source"]) else ""
        if repository:
            fetch(repository, source)
        refuse(source, environment, target)
        said_source = repository or source_value(source, target)
        specification = yaml.safe_load(Path(given["specification"]).read_text(encoding="utf-8"))
        known = specification["argument_specs"]["main"]["options"]
        project = Path(task_vars["playbook_dir"]).parent if task_vars else directory.parent
        others = environments.beside(directory, target, project, self._template)
        try:
            made = inventory.draft(source, environment, app_name(source, environment), said_source, free_port(taken_ports(others)), known)
        except ImageError as error:
            raise AnsibleActionFail(f"Nothing was written: {str(error).partition(': ')[2]}") from None
        files = {target / "hosts.yml": inventory.hosts(environment), target / "group_vars" / "all" / "main.yml": inventory.text(made, environment)}
        if not self._task.check_mode:
            write(files)
        shown = str(target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target)
        result["diff"] = [{"before": "", "after": text, "after_header": str(path)} for path, text in files.items()]
        said = inventory.summary(made, shown, self._task.check_mode)
        return result | {"changed": True, "directory": shown, "asked": sorted(made.asked), "lacking": made.needs, "said": said}

    def _template(self, value: Any, with_variables: Any) -> Any:
        return self._templar.copy_with_new_env(available_variables=dict(with_variables)).template(value)


def fetch(repository: str, place: Path) -> None:
    """Check out a repository.

    Raises:
        AnsibleActionFail: That is not possible.
    """
    try:
        checkout.Checkout(repository, "", place).update()
    except ProjectError as error:
        raise AnsibleActionFail(f"Nothing was written: source={'' if checkout.source_problem(repository) else repository} {error.text}.") from None


def refuse(source: Path, environment: str, target: Path) -> None:
    """Refuse arguments that no inventory can be written for.

    Raises:
        AnsibleActionFail: With the reason and what to do.
    """
    if wrong := formats.namespace(environment):
        other = "-".join(re.findall(r"[a-z0-9]+", environment.lower()))
        way = f" Choose another one, such as env={other}." if other and other != environment and not formats.namespace(other) else ""
        raise AnsibleActionFail(f"Nothing was written: the environment's name {wrong}.{way}")
    if target.exists():
        raise AnsibleActionFail(f"Nothing was written: {target} already exists and was left alone. Choose another name for env=, or remove it first.")
    if not source.is_dir():
        raise AnsibleActionFail(f"Nothing was written: source={source} is not a directory. Set it to the project's directory, such as source=../shop.")


def app_name(source: Path, environment: str) -> str:
    """Return a name for the app: the project directory's name, or the environment's if that is not valid."""
    said = source.parent.name if source.name.lower() in PLAIN else source.name
    words = re.sub(r"\A[^a-z]+", "", re.sub(r"[^a-z0-9]+", "-", said.lower())).strip("-")
    name = words if len(words) <= LONGEST else words[: LONGEST + 1].rpartition("-")[0] or words[:LONGEST]
    fits = name and name not in ("postgres", "public", "none") and not name.startswith("pg-")
    return name if fits else f"app-{environment}"[: formats.APP_LENGTH].strip("-")


def source_value(source: Path, target: Path) -> str:
    """Return the value of ``berth_app_source``: relative to the inventory if both are in the same place, so that a clone elsewhere works too."""
    project = target.parents[1]
    if source.is_relative_to(project.parent) and len(project.parts) > 2:
        return "{{ (inventory_dir ~ '/" + os.path.relpath(source, target) + "') | realpath }}"
    return str(source)


def taken_ports(others: list[environments.Environment]) -> Iterator[int]:
    """Yield the node ports of other inventories and of reachable clusters, and the ports in use on this machine."""
    kubeconfigs = {str(ADMIN)}
    for other in others:
        if str(port := other.values.get("berth_app_node_port", "")).isdigit():
            yield int(port)
        if environments.on_machine(other.values.get("berth_provider", "auto")):
            kubeconfigs.add(str(other.values.get("berth_kubeconfig", ADMIN)))
    for path in sorted(kubeconfigs):
        if os.access(path, os.R_OK) and not client.IMPORT_ERROR:
            with contextlib.suppress(client.KubeError):  # it is stopped, and its environments' inventories are checked anyway
                yield from preflight.node_ports(client.Cluster(path, None, guarded=False).ask("/api/v1/services")[1])
    yield from (listener.port for listener in preflight.listeners())


def free_port(taken: Iterator[int]) -> int:
    """Return the first free node port, 0 to let Kubernetes choose if there is none."""
    used = set(taken)
    return next((port for port in range(FIRST, formats.NODE_PORTS.stop) if port not in used), 0)


def write(files: dict[Path, str]) -> None:
    """Write an inventory atomically: the directory is moved into place when it is complete."""
    target = next(iter(files)).parent
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".berth-new-", dir=target.parent) as half:
        made = Path(half) / target.name
        for path, text in files.items():
            place = made / path.relative_to(target)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        made.rename(target)
