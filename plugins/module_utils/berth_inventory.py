"""Where an inventory sets a variable. It is looked for in the files' text, for Ansible keeps no public note of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = ("", ".yml", ".yaml", ".json")


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
            found += sorted(p for p in source.glob("*") if p.is_file()) if source.is_dir() else [source]
        for kind, name in [("group_vars", group) for group in ("all", *self.groups)] + [("host_vars", self.host)]:
            for directory in self.directories():
                for suffix in SUFFIXES:
                    found += _beneath(directory / kind / f"{name}{suffix}")
        return [path for path in found if path.is_file()]

    def locate(self, variable: str, key: str = "") -> str:
        """Return ``file:line`` of where ``variable``, or ``key`` within it, is set; "" when no file of the inventory sets it."""
        for path in reversed(self.files()):
            line = _line(path.read_text(encoding="utf-8", errors="replace"), variable, key)
            if line:
                return f"{self.shown(path)}:{line}"
        return ""

    def home(self) -> str:
        """Return the file in which variables of the environment belong."""
        directory = self.directories()[0]
        names = ("group_vars/all.yml", "group_vars/berth.yml", "group_vars/all/main.yml")
        return self.shown(next((directory / n for n in names if (directory / n).is_file()), directory / names[0]))

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


def _line(text: str, variable: str, key: str) -> int:
    """Return the number of the line that sets ``variable``, or ``key`` beneath it; 0 when none does."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if _sets(line, variable):
            indent = _indent(line)
            for below, inner in enumerate(lines[number + 1 :] if key else [], number + 1):
                if inner.strip() and _indent(inner) <= indent and not inner.lstrip().startswith(("#", "-")):
                    break
                if _sets(inner, key):
                    return below + 1
            return number + 1
    return 0


def _sets(line: str, name: str) -> bool:
    """Whether a line of YAML or JSON gives ``name`` a value."""
    return re.match(rf"""[\s{{-]*["']?{re.escape(name)}["']?\s*:""", line) is not None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
