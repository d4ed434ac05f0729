"""How a project's style sheets and scripts are built: a package.json with a script called build. It is only read; nothing in it is run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The file that locks the packages, by their manager.
LOCKS = {"package-lock.json": "npm", "npm-shrinkwrap.json": "npm", "pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn"}
# Files next to package.json that tell a package manager how to install.
CONFIGURATION = (".npmrc", ".pnpmfile.cjs", "pnpm-workspace.yaml", ".yarnrc", ".yarnrc.yml")
# Scripts that run during an installation: npm's documentation, Using npm, "Scripts" ("npm ci")
HOOKS = {"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"}
# Directories that are not part of the site.
APART = {"doc", "docs", "e2e", "example", "examples", "test", "tests", "website"}
MANAGER = re.compile(r"(npm|pnpm|yarn)@(\d+(?:\.\d+)*)")
# A version of Node that pins everything but the patch release; a range accepts any supported version.
NODE = re.compile(r"\s*[v=^~]?\s*(\d+)(?:\.(?:\d+|x|\*))*\s*")


@dataclass(frozen=True)
class Assets:
    """How a project's style sheets and scripts are built.

    Attributes:
        place: The directory of package.json, relative to the source.
        manager: ``npm``, ``pnpm`` or ``yarn``.
        version: The manager's version, such as ``10`` or ``4.5.0``, unless it is Node's own npm.
        files: The files that the installation reads, relative to the source.
        locked: Whether a lock file pins the versions.
        whole: Whether the installation needs the whole source.
        kept: Whether the settings use the installed packages directly.
        node: The major version of Node that the project asks for, "" if none; ``node_file`` is the file that says so.
    """

    place: str
    manager: str = "npm"
    version: str = ""
    files: tuple[str, ...] = ("package.json",)
    locked: bool = True
    whole: bool = False
    kept: bool = False
    node: str = ""
    node_file: str = ""


def find(source: Path, directory: str, candidates: Iterable[str], texts: Iterable[str], notes: list[str]) -> Assets | None:
    """Return how a project's assets are built, None if nothing builds any.

    Args:
        source: The source.
        directory: The directory in it that has manage.py.
        candidates: Its files called package.json.
        texts: What the settings say.
        notes: A list to which this adds what the project's owner should know.
    """
    places = [os.path.dirname(path) for path in candidates if "build" in scripts(read(source / path))]
    near = [directory]
    while near[-1]:
        near.append(os.path.dirname(near[-1]))
    others = [place for place in places if place not in near and place.split("/")[0] not in APART]
    chosen = next((place for place in near if place in places), others[0] if len(others) == 1 else None)
    if chosen is not None:
        return described(source, chosen, any("node_modules" in text for text in texts), notes)
    if others:
        notes.append(
            f"More than one package.json has a script called build, in {', '.join(sorted(others))}, so none is run: their output is missing unless it is in "
            "the source. Add one next to manage.py whose script build runs them."
        )
    return None


def described(source: Path, place: str, kept: bool, notes: list[str]) -> Assets:
    """Return what the package.json in a directory of the source and the files next to it say."""
    root = source / place
    package = read(root / "package.json")
    lock = next((name for name in LOCKS if (root / name).is_file()), "")
    named = MANAGER.match(str(package.get("packageManager", "")))
    manager = LOCKS.get(lock, named[1] if named else "npm")
    version = named[2] if named and named[1] == manager else default_version(manager, root / lock)
    if not lock:
        name = os.path.join(place, "package.json")
        notes.append(f"{name} has no lock file, so each build installs the newest packages that it allows; `{manager} install` writes one.")
    node, node_file = wish(root, package)
    return Assets(
        place=place,
        manager=manager,
        version="" if manager == "npm" else version,
        files=tuple(os.path.join(place, name) for name in ("package.json", lock, *CONFIGURATION) if name and (root / name).is_file()),
        locked=bool(lock),
        whole=needs_all(root, package),
        kept=kept,
        node=node,
        node_file=os.path.join(place, node_file),
    )


def default_version(manager: str, lock: Path) -> str:
    """Return the version of a manager that understands a lock file, for when package.json names none."""
    head = lock.read_text(encoding="utf-8", errors="replace")[:2000] if lock.is_file() else ""
    if manager == "yarn":
        return "4" if "__metadata:" in head else "1"
    found = re.search(r"^lockfileVersion: '?(\d+)", head, re.MULTILINE)
    return {"5": "7", "6": "8"}.get(found[1] if found else "", "10")


def needs_all(root: Path, package: dict[str, Any]) -> bool:
    """Whether an installation needs more of the source than the files next to package.json: packages of its own, patches, or scripts."""
    needed = [package.get(key) for key in ("dependencies", "devDependencies", "optionalDependencies")]
    own = re.search(r'"(?:file|link|portal|workspace|patch):', json.dumps(needed)) is not None
    return own or "workspaces" in package or bool(HOOKS & scripts(package)) or any((root / name).is_dir() for name in (".yarn", "patches"))


def wish(root: Path, package: dict[str, Any]) -> tuple[str, str]:
    """Return the major version of Node that a project asks for, and the file that says so; "" if it accepts several."""
    for name in (".nvmrc", ".node-version"):
        if (root / name).is_file() and (found := NODE.fullmatch((root / name).read_text(encoding="utf-8", errors="replace"))):
            return found[1], name
    engines = package.get("engines")
    found = NODE.fullmatch(str(engines.get("node", ""))) if isinstance(engines, dict) else None
    return (found[1], "package.json") if found else ("", "")


def scripts(package: dict[str, Any]) -> set[str]:
    """Return the names of a package's scripts that do something."""
    found = package.get("scripts")
    return {name for name, text in found.items() if text} if isinstance(found, dict) else set()


def read(file: Path) -> dict[str, Any]:
    """Return what a package.json says; nothing if it is not valid, because then it builds nothing either."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
