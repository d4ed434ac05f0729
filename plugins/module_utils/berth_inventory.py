"""Where an inventory sets a variable. It is looked for in the files, for Ansible keeps no public note of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SUFFIXES = ("", ".yml", ".yaml", ".json")


def of_task(task_vars: Mapping[str, Any], project: Path) -> Inventory:
    """Return the inventory of the host for which a task runs, from its variables."""
    return Inventory(
        project=project,
        sources=[Path(source) for source in task_vars.get("ansible_inventory_sources") or []],
        playbook=Path(task_vars.get("playbook_dir", project)),
        host=task_vars["inventory_hostname"],
        groups=task_vars.get("group_names", []),
    )


@dataclass(frozen=True)
class Inventory:
    """The inventory of one host: its sources, the directories of the playbook, and the groups that the host is in.

    ``project`` is the directory that paths are shown relative to.
    """

    project: Path
    sources: list[Path]
    playbook: Path
    host: str
    groups: list[str]

    def directories(self) -> list[Path]:
        """Return the directories that have group_vars and host_vars, the one that wins last."""
        found = [source if source.is_dir() else source.parent for source in self.sources if source.exists()]
        return list(dict.fromkeys([*found, self.playbook]))

    def files(self) -> list[Path]:
        """Return the files that can set a variable of the host, the one that wins last.

        https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_variables.html#understanding-variable-precedence
        """
        found: list[Path] = []
        for source in self.sources:
            beside = sorted(path for path in source.glob("*") if path.suffix in (*SUFFIXES, ".ini"))
            found += beside if source.is_dir() else [source]
        for kind, name in [("group_vars", group) for group in ("all", *self.groups)] + [("host_vars", self.host)]:
            for directory in self.directories():
                for suffix in SUFFIXES:
                    found += _beneath(directory / kind / f"{name}{suffix}")
        return [path for path in found if path.is_file()]

    def locate(self, *path: str | int) -> str:
        """Return ``file:line`` of where a variable is set, "" when no file of the inventory sets it.

        ``path`` is the variable's name, and the keys and numbers that lead to what is meant within it.
        """
        for file in reversed(self.files()):
            line = _line(file.read_text(encoding="utf-8", errors="replace"), path)
            if line:
                return f"{self.shown(file)}:{line}"
        return ""

    def home(self) -> str:
        """Return the file in which variables of the environment belong."""
        directory = self.directories()[0]
        names = ("group_vars/all.yml", "group_vars/berth.yml", "group_vars/all/main.yml")
        return self.shown(next((directory / n for n in names if (directory / n).is_file()), directory / names[0]))

    def source(self) -> str:
        """Return what ``-i`` takes for the environment."""
        return next((self.shown(source) for source in self.sources), self.shown(self.directories()[0]))

    def hosts(self) -> str:
        """Return the file that names the host."""
        return self.locate(self.host).rpartition(":")[0] or self.shown(self.directories()[0] / "hosts.yml")

    def shown(self, path: Path) -> str:
        """Return ``path`` relative to the project, or as it is when it lies elsewhere."""
        path = path.resolve()
        return str(path.relative_to(self.project) if path.is_relative_to(self.project) else path)


def _beneath(path: Path) -> list[Path]:
    """Return ``path``, or the files of the directory that it is."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _line(text: str, path: tuple[str | int, ...]) -> int:
    """Return the number of the line that sets what ``path`` leads to, or what it is within; 0 when none does."""
    try:
        place = _find(yaml.compose(text, Loader=yaml.CSafeLoader), str(path[0]))
    except yaml.YAMLError:  # an inventory in INI format
        found = re.search(rf"\b{re.escape(str(path[0]))}\s*=", text)
        return text.count("\n", 0, found.start()) + 1 if found else 0
    if not place:
        return 0
    line, node = place
    for step in path[1:]:
        place = _step(node, step)
        if not place:
            break
        line, node = place
    return line + 1


def _find(node: yaml.Node | None, name: str) -> tuple[int, yaml.Node] | None:
    """Return line and value of the key ``name``, wherever it is within ``node``."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return _step(node, name) or next((place for _, inner in node.value if (place := _find(inner, name))), None)


def _step(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    """Return line and value of a key of a mapping, or of an element of a list."""
    if isinstance(node, yaml.MappingNode):
        places = ((key.start_mark.line, value) for key, value in node.value if key.value == str(step))
        return next(places, None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line, node.value[step]
    return None
