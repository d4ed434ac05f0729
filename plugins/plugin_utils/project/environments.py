"""The environments whose inventories lie beside one, and what of theirs it must not have: an inventory is soon copied, and not all of it changed.

For plugins that run in Ansible's own process; no module can import it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template

from ...module_utils import providers
from ..inventory.locate import Inventory
from ..inventory.variables import Problem

PLACE = "inventories"  # a directory of this name has inventories of environments that exist side by side
GROUP = "berth"
READ = (
    "berth_app_node_port",
    "berth_entry_host",
    "berth_existing_context",
    "berth_existing_kubeconfig",
    "berth_kubeconfig",
    "berth_namespace",
    "berth_provider",
)
Template = Callable[[Any, Mapping[str, Any]], Any]
"""Evaluates a template with variables in addition to those of the run; raises AnsibleError if that is not possible."""


@dataclass(frozen=True)
class Environment:
    """An environment by its inventory.

    Attributes:
        name: Its host.
        directory: Its inventory's.
        shown: That directory as messages have it.
        values: Its variables of :data:`READ` that are set in so many words, or can be worked out.
    """

    name: str
    directory: Path
    shown: str
    values: Mapping[str, Any] = field(default_factory=dict)


class Loader(yaml.SafeLoader):
    """Reads Ansible's YAML: an encrypted or unsafe value is its literal text."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None)


def beside(place: Path, own: Path | None, project: Path, template: Template) -> list[Environment]:
    """Return the environments of the inventories in a directory, without those of the inventory ``own``."""
    found = []
    for directory in sorted(path for path in place.glob("*") if path.is_dir() and (own is None or path.resolve() != own.resolve())):
        loader = DataLoader()
        lists = Inventory(project, (directory,), directory, "", (), {}, loader).hosts_files()
        for name in dict.fromkeys(host for file in lists for host in hosts(file)):
            inventory = Inventory(project, (directory,), directory, name, (GROUP,), {}, loader)
            worked = {key: worked_out(template, value, directory, name) for key, value in values(inventory).items()}
            found.append(Environment(name, directory, inventory.shown(directory), {key: value for key, value in worked.items() if value is not None}))
    return found


def hosts(file: Path) -> list[str]:
    """Return the hosts in the group berth of a YAML or INI file. A dynamic inventory, such as one of AWS, is not run for this."""
    try:
        text = file.read_text(encoding="utf-8")
        said = yaml.load(text, Loader=Loader)
    except (OSError, UnicodeDecodeError):
        return []
    except yaml.YAMLError:
        said = None
    if isinstance(said, dict):
        return list(named(said))
    section = re.search(rf"^\[{GROUP}\]\s*\n((?:(?!\[).*\n?)*)", text, re.MULTILINE)
    return re.findall(r"^\s*([A-Za-z0-9][^\s#;=]*)", section[1], re.MULTILINE) if section else []


def named(groups: Mapping[str, Any]) -> Iterator[str]:
    """Yield the hosts in the group berth, at any level of groups and their children."""
    for name, group in groups.items():
        if isinstance(group, dict):
            if name == GROUP and isinstance(group.get("hosts"), dict):
                yield from map(str, group["hosts"])
            if isinstance(group.get("children"), dict):
                yield from named(group["children"])


def values(inventory: Inventory) -> dict[str, Any]:
    """Return the variables of :data:`READ` from an inventory's files; an unreadable file has none."""
    found: dict[str, Any] = {}
    for file in inventory.files()[len(inventory.hosts_files()) :]:
        try:
            said = yaml.load(file.read_text(encoding="utf-8"), Loader=Loader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        if isinstance(said, dict):
            found |= {name: said[name] for name in READ if name in said}
    return found


def worked_out(template: Template, value: Any, directory: Path, host: str) -> Any:
    """Return a value of another inventory, None if it cannot be evaluated."""
    try:
        return template(trust_as_template(value) if isinstance(value, str) else value, {"inventory_dir": str(directory), "inventory_hostname": host})
    except AnsibleError:
        return None


def on_machine(provider: Any) -> bool:
    """Whether an environment shares the machine's own cluster, which ``auto`` may choose."""
    return provider == "auto" or providers.of(provider).machine


def cluster_of(get: Callable[[str], Any], provider: str) -> tuple[str, ...]:
    """Return what identifies the cluster of an environment if it can be shared; empty for its own cluster."""
    if on_machine(provider):
        return ("this machine",)
    if provider == "existing":
        return ("existing", str(Path(get("berth_existing_kubeconfig") or "").expanduser()), str(get("berth_existing_context")))
    return ()


def problems(mine: Environment, provider: str, get: Callable[[str], Any], others: list[Environment]) -> list[Problem]:
    """Return what an environment has that belongs to another one.

    Args:
        mine: The environment.
        provider: What provides its cluster, worked out.
        get: Returns its variable of a name, or that variable's default.
        others: The others.
    """
    found: dict[str, Problem] = {}

    def add(variable: str, text: str, other: Environment) -> None:
        found.setdefault(variable, Problem((variable,), text.format(other=f"the environment {other.name} ({other.shown})")))

    for other in others:
        if is_original(mine, get("berth_kubeconfig"), other):
            continue
        # A copied inventory with the same name also has the same paths, which derive from the name.
        if other.name == mine.name:
            text = f"is also the name of the environment in {other.shown}; give the host in the group berth another name, such as {another(mine)}"
            found.setdefault("", Problem((mine.name,), text))
        elif same(get("berth_kubeconfig"), other.values.get("berth_kubeconfig")):
            add("berth_kubeconfig", "is the kubeconfig of {other}; name a path of this environment's own", other)
        if get("berth_entry") not in (None, "none") and get("berth_entry_host") and get("berth_entry_host") == other.values.get("berth_entry_host"):
            add("berth_entry_host", f"{get('berth_entry_host')} is the host name of {{other}}; choose another one", other)
        cluster = cluster_of(get, provider)
        if not cluster or cluster != cluster_of(other.values.get, str(other.values.get("berth_provider", "auto"))):
            continue
        if get("berth_namespace") and get("berth_namespace") == other.values.get("berth_namespace"):
            add(
                "berth_namespace",
                f"{get('berth_namespace')} is the namespace of {{other}}, in the same cluster; choose another one, such as {another(mine)}",
                other,
            )
        port = get("berth_app_node_port")
        if port and str(port) == str(other.values.get("berth_app_node_port", "")):
            add("berth_app_node_port", f"{port} is the port of {{other}}, in the same cluster; choose another one, or 0 for any", other)
    return list(found.values())


def is_original(mine: Environment, kubeconfig: Any, other: Environment) -> bool:
    """Whether an environment takes precedence over another one, which was copied from it or does not exist yet."""
    if mine.name == other.name:
        return mine.directory.name == mine.name
    theirs = other.values.get("berth_kubeconfig")
    return exists(kubeconfig) and not exists(theirs)


def exists(path: Any) -> bool:
    """Whether a file exists at a path, which may be empty."""
    return bool(path) and Path(str(path)).expanduser().is_file()


def another(mine: Environment) -> str:
    """Return an unused name to replace a shared one: that of the environment's directory."""
    return re.sub(r"[^a-z0-9]+", "-", mine.directory.name.lower()).strip("-") or "shop"


def same(one: Any, other: Any) -> bool:
    """Whether two paths are the same."""
    return bool(one and other) and Path(str(one)).expanduser().resolve() == Path(str(other)).expanduser().resolve()
