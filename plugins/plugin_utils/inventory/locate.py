"""Find where an inventory sets a variable, and which of its files Ansible does not read. Ansible has no public API for either, so this reads the files.

For plugins that run in Ansible's own process. Modules cannot import it.
"""

from __future__ import annotations

import ast
import functools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.constants import YAML_FILENAME_EXTENSIONS
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader

from .variables import Scalar, nearest

ENCRYPTED = "$ANSIBLE_VAULT"
Place = tuple[Path, int, yaml.Node | None]
"""A file, a line number, and the value that is set there; no value if the file is not YAML."""


@dataclass(frozen=True)
class Unread:
    """A variable file that Ansible does not read: ``text`` says why and what to do, ``certain`` whether it was clearly meant to be read."""

    path: Path
    text: str
    certain: bool


@dataclass(frozen=True, eq=False)
class Inventory:
    """The inventory of one host.

    Attributes:
        project: The directory to which displayed paths are relative.
        sources: The arguments of ``-i``.
        playbook: The directory of the playbook.
        host: The host.
        groups: The groups that the host is in.
        known: Every group (``group_vars``) and every host (``host_vars``) of the inventory.
        loader: Ansible's, which reads encrypted files too.
    """

    project: Path
    sources: tuple[Path, ...]
    playbook: Path
    host: str
    groups: tuple[str, ...]
    known: Mapping[str, frozenset[str]]
    loader: DataLoader

    @classmethod
    def of(cls, variables: Mapping[str, Any], loader: DataLoader, project: Path) -> Inventory:
        """Return the inventory that a host's ``variables`` came from."""
        groups = variables.get("groups", {})
        return cls(
            project=project,
            sources=tuple(Path(source) for source in variables.get("ansible_inventory_sources") or []),
            playbook=Path(variables.get("playbook_dir", project)),
            host=variables["inventory_hostname"],
            groups=tuple(variables.get("group_names", [])),
            known={"group_vars": frozenset({"all", "ungrouped", *groups}), "host_vars": frozenset({"localhost", *groups.get("all", [])})},
            loader=loader,
        )

    # --- Finding variables -------------------------------------------------------------------------------------------

    def directories(self) -> list[Path]:
        """Return the directories that have group_vars and host_vars, in order of increasing precedence."""
        return list(dict.fromkeys([*self.inventories(), self.playbook]))

    def inventories(self) -> list[Path]:
        """Return the directories in ``-i``, or the directories of the files in it."""
        return [source if source.is_dir() else source.parent for source in self.sources if source.exists()]

    def own(self) -> Path:
        """Return the directory for the environment's variables: of several inventories the last one that has any, because it takes precedence."""
        return next((directory for directory in reversed(self.inventories()) if (directory / "group_vars").is_dir()), self.directories()[0])

    def hosts_files(self) -> list[Path]:
        """Return the files that define groups and hosts."""
        found = [path for source in self.sources for path in (self._lists(source) if source.is_dir() else [source])]
        return [path for path in found if path.is_file()]

    def _lists(self, directory: Path) -> list[Path]:
        """Return the files of a directory that Ansible reads as lists of hosts."""
        return sorted(path for path in directory.glob("*") if path.suffix in ("", ".ini", *YAML_FILENAME_EXTENSIONS) and path.is_file())

    def files(self) -> list[Path]:
        """Return the files that can set a variable of the host, in order of increasing precedence.

        https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_variables.html#understanding-variable-precedence
        """
        found = self.hosts_files()
        for kind, name in [("group_vars", group) for group in ("all", *self.groups)] + [("host_vars", self.host)]:
            for directory in self.directories():
                found += self._read_for(directory / kind, name)
        return found

    def _read_for(self, directory: Path, name: str) -> list[Path]:
        """Return the files below a group_vars or host_vars that Ansible reads for a group or a host."""
        return [Path(path) for path in self.loader.find_vars_files(str(directory), name)]

    def locate(self, *path: Any) -> str:
        """Return the ``file:line`` that sets a variable, "" if no file of the inventory sets it.

        ``path`` is the variable's name, with the keys and indexes of the part within it.
        """
        place = self.place(path)
        return f"{self.shown(place[0])}:{place[1]}" if place else ""

    def place(self, path: tuple[Any, ...]) -> Place | None:
        """Return where a variable, or a part of it, is set; if the part is not set, where the smallest part around it is."""
        for file in reversed(self.files()):
            if found := _find_in(self._text(file), path):
                return file, *found
        return None

    def scalar(self, path: tuple[Any, ...], value: Any, is_key: bool = False) -> Scalar:
        """Return how a file writes the ``value`` at a path, or the key ``value`` at its end."""
        place = self.place(path)
        if not place:
            return Scalar()
        file, line, node = place
        if node is None:  # INI
            found = re.search(rf"\b{re.escape(str(path[0]))}\s*=\s*(\S+)", self._text(file).splitlines()[line - 1]) if len(path) == 1 else None
            return Scalar(found[1] if found and _literal(found[1]) == value else None, instead=self.home())
        if is_key:
            parent = self.place(path[:-1])
            key = _key(parent[2], value) if parent else None
            return Scalar(key.value if key else None)
        if not isinstance(node, yaml.ScalarNode):
            return Scalar()
        # A plain scalar's style is None or "", depending on the parser.
        unsafe = node.tag == "!unsafe"
        plain = (not node.style or unsafe) and _same(_loaded(node.value), value)
        return Scalar(node.value if plain else None, template=bool(node.style) and "{{" in node.value, unsafe=unsafe)

    @functools.cache  # noqa: B019 (an inventory lives as long as the one task that reads it)
    def _text(self, file: Path) -> str:
        try:
            # Without Ansible's tags, which the YAML parser does not know.
            return self.loader.get_text_file_contents(str(file)).encode().decode()
        except AnsibleError:  # it is encrypted, and there is no password
            return ""

    def where_set(self, variable: str) -> str:
        """Return the ``file:line`` that sets a variable, or the file to set it in."""
        return self.locate(variable) or self.home()

    def home(self) -> str:
        """Return the file for the environment's variables."""
        directory = self.own() / "group_vars"
        found = [path for name in ("all", "berth") for path in self._read_for(directory, name)]
        found = [path for path in found if not encrypted(path) and "vault" not in path.stem]
        found.sort(key=lambda path: path.stem not in ("main", "all", "berth"))
        return self.shown(next(iter(found), directory / "all" / "main.yml"))

    def vault(self) -> str:
        """Return how to define a missing secret variable, as a command if possible."""
        if any(one.certain for one in self.unread()):
            return ""  # the variable may be in a file that is not read, which is reported first
        if there := next(filter(encrypted, self.files()), None):
            return f"define it with: ansible-vault edit {self.shown(there)}"
        target = self.own() / "group_vars" / "all"
        return f"{self._make_room(target)}define it with: ansible-vault create {self.shown(target / 'vault.yml')}"

    def source(self) -> str:
        """Return the environment's argument for ``-i``."""
        return next((self.shown(source) for source in self.sources), self.shown(self.directories()[0]))

    def hosts(self) -> str:
        """Return the file that defines the host."""
        return self.locate(self.host).rpartition(":")[0] or self.shown(self.own() / "hosts.yml")

    def shown(self, path: Path) -> str:
        """Return ``path`` relative to the project, or unchanged if it is outside."""
        path = path.resolve() if path.exists() else Path(os.path.abspath(path))
        return str(path.relative_to(self.project) if path.is_relative_to(self.project) else path)

    # --- Files that Ansible does not read ----------------------------------------------------------------------------

    @functools.cache  # noqa: B019
    def unread(self) -> list[Unread]:
        """Return the variable files that Ansible does not read, sorted by path."""
        found: dict[Path, Unread] = {}
        beside = [source.parent for source in self.sources if source.is_dir()]
        for directory in dict.fromkeys([*self.directories(), *beside, self.project]):
            for kind, known in self.known.items():
                top = directory / kind
                read = {path for name in known for path in self._read_for(top, name)} if directory in self.directories() else set()
                for path in sorted(path for path in top.rglob("*") if path not in read and not path.is_dir()):
                    one = self._unread(top, path, certain=self._owns(directory))
                    found.setdefault(one.path, one)
        for path in (path for directory in self.directories()[:-1] for path in self._lists(directory) if _sets_variables(self._text(path))):
            target = self.own() / "group_vars"
            found[path] = Unread(path, f"variables belong in {self.shown(target)}; {self._move(target, path)}", True)
        return [one for _, one in sorted(found.items()) if one.text]

    def names_unread(self) -> set[str]:
        """Return the names of the variables in files that were clearly meant to be read."""
        files = [file for one in self.unread() if one.certain for file in (one.path.rglob("*") if one.path.is_dir() else [one.path])]
        return {key for file in files if file.is_file() for key in _keys(self._text(file))}

    def _owns(self, directory: Path) -> bool:
        """Whether group_vars in a directory are used by this inventory only; next to a playbook, or to several inventories, others may read them."""
        if directory in self.sources:
            return True
        inventories = [path for path in self._lists(directory) if not _sets_variables(self._text(path))]
        return len(inventories) == 1 and inventories[0] in self.sources

    def _unread(self, top: Path, path: Path, certain: bool) -> Unread:
        """Return why Ansible does not read a file below ``top``, a group_vars or host_vars; without a text if the file has no variables.

        The rules are those of find_vars_files in lib/ansible/parsing/dataloader.py of ansible-core 2.21.
        """
        parts = path.relative_to(top).parts
        entry = top / parts[0]
        suffixes = ("", *YAML_FILENAME_EXTENSIONS)
        if any(part.startswith(".") or part.endswith("~") for part in parts):
            return Unread(path, "it ignores names that start with a dot or end with ~" if _was_variables(path) else "", False)
        if path.is_symlink() and not path.exists():
            return Unread(path, f"it is a link to {os.readlink(path)}, which does not exist", certain)
        if path.suffix not in suffixes:
            meant = path.suffix.lower() in suffixes
            text = f"its name does not end in {', '.join(YAML_FILENAME_EXTENSIONS)}" + (f"; rename it to {path.stem}{path.suffix.lower()}" if meant else "")
            return Unread(path, text if meant or _was_variables(path) else "", certain and meant)
        if not (_is_mapping(path) if path.suffix == "" else _has_text(path)):
            return Unread(path, "", False)
        name = entry.stem if entry.is_file() and entry.suffix in suffixes else entry.name
        if top.parent not in self.directories():
            places = " and ".join(self.shown(directory) for directory in self.directories())
            return Unread(entry, f"it reads {top.name} in {places} only; {self._move(top, entry)}", False)
        if name not in self.known[top.name]:
            kind = top.name.removesuffix("_vars")
            return Unread(entry, f"it is for the {kind} {name}, which does not exist{self._instead(top, entry, name)}", certain)
        first = next(top / f"{name}{suffix}" for suffix in suffixes if (top / f"{name}{suffix}").exists())
        if first != entry:
            way = self._move(top, entry) if first.is_dir() else f"move its content into {self.shown(first)}"
            return Unread(entry, f"it reads {self.shown(first)}{'/' if first.is_dir() else ''} instead; {way}", certain)
        dotted = next(parent for parent in path.parents if parent.suffix)
        return Unread(path, f"it ignores directories with a dot in their name; rename {self.shown(dotted)}", certain)

    def _instead(self, top: Path, entry: Path, name: str) -> str:
        """Return advice on a variable file whose group or host does not exist, as the end of a sentence."""
        known = sorted(self.known[top.name] - {"ungrouped", "localhost"})
        if guess := nearest(name, known):
            return guess
        return f"; {self._move(top, entry)}" if top.name == "group_vars" else f"; its name must be one of {', '.join(known[:5])}"

    def _move(self, top: Path, entry: Path) -> str:
        """Return advice to move a file with variables for the whole environment."""
        target = self.own() / "group_vars" / "all"
        name = "main.yml" if entry.stem == "all" and not (target / "main.yml").exists() else entry.name
        return f"{self._make_room(target)}move it to {self.shown(target / name)}"

    def _make_room(self, target: Path) -> str:
        """Return the step before creating group_vars/all/: Ansible does not read group_vars/all.yml if that directory exists."""
        file = next((path for path in self._read_for(target.parent, "all") if not target.is_dir()), None)
        return f"move {self.shown(file)} to {self.shown(target / 'main.yml')}, then " if file else ""


def encrypted(path: Path) -> bool:
    """Whether a whole file is encrypted."""
    try:
        with path.open("rb") as file:
            return file.read(len(ENCRYPTED)) == ENCRYPTED.encode()
    except OSError:
        return False


def _has_text(path: Path) -> bool:
    """Whether a file contains anything but comments."""
    return bool(re.search(r"^\s*[^\s#-]", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE))


def _is_mapping(path: Path) -> bool:
    """Whether a file looks like a variable file."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return text.startswith(ENCRYPTED) or bool(_keys(text))


def _was_variables(path: Path) -> bool:
    """Whether a file whose name Ansible ignores looks like a variable file that was put away or misnamed."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # an editor's lock file is a dangling link
        return False
    named = any(suffix in path.name for suffix in YAML_FILENAME_EXTENSIONS)
    return text.startswith(ENCRYPTED) or _sets_variables(text) or (named and bool(_keys(text)))


def _sets_variables(text: str) -> bool:
    """Whether a file that Ansible reads as a list of hosts has variables instead of groups."""
    return any(re.match(r"(berth|minikube|vault)_", key) for key in _keys(text))


def _keys(text: str) -> list[str]:
    """Return the keys of a YAML file, none if it is not a mapping."""
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return []
    return [str(key.value) for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []


def _find_in(text: str, path: tuple[Any, ...]) -> tuple[int, yaml.Node | None] | None:
    """Return the number of the line that sets the value at ``path``, or the smallest part around it, and the value; None if there is no such line."""
    try:
        place = _find(yaml.compose(text, Loader=yaml.CSafeLoader), str(path[0]))
    except yaml.YAMLError:  # an inventory in INI format
        found = re.search(rf"\b{re.escape(str(path[0]))}\s*=", text)
        return (text.count("\n", 0, found.start()) + 1, None) if found else None
    if not place:
        return None
    line, node = place
    for step in path[1:]:
        place = _step(node, step)
        if not place:
            return line + 1, None
        line, node = place
    return line + 1, node


def _find(node: yaml.Node | None, name: str) -> tuple[int, yaml.Node] | None:
    """Return line and value of the key ``name``, at any depth of ``node``."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return _step(node, name) or next((place for _, inner in node.value if (place := _find(inner, name))), None)


def _step(node: yaml.Node, step: Any) -> tuple[int, yaml.Node] | None:
    """Return line and value of a key of a mapping, or of an element of a list."""
    if isinstance(node, yaml.MappingNode):
        if key := _key(node, step):
            return key.start_mark.line, next(value for one, value in node.value if one is key)
        merged = [value for key, value in node.value if key.tag == "tag:yaml.org,2002:merge"]
        several = [inner for value in merged for inner in (value.value if isinstance(value, yaml.SequenceNode) else [value])]
        return next((place for inner in several if (place := _step(inner, step))), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line, node.value[step]
    return None


def _key(node: yaml.Node | None, name: Any) -> yaml.ScalarNode | None:
    """Return the last key of a mapping that equals ``name``, before or after YAML's conversion."""
    keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)] if isinstance(node, yaml.MappingNode) else []
    return next((key for key in reversed(keys) if key.value == name or (not isinstance(name, str) and _same(_loaded(key.value), name))), None)


def _loaded(text: str) -> Any:
    """Return the value that YAML reads from a plain scalar."""
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError):  # 2024-13-45 looks like a date
        return text


def _literal(text: str) -> Any:
    """Return the value that Ansible reads from an inventory in INI format."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _same(one: Any, other: Any) -> bool:
    """Whether both have the same value and type; .nan equals itself here."""
    return (isinstance(one, bool) == isinstance(other, bool) and isinstance(other, type(one)) and one == other) or repr(one) == repr(other)
