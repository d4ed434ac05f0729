"""Adapt the commands in messages to this run: its inventory, and playbook names that work outside a clone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = re.compile(r"(?<![\w./-])playbooks/((?:ops/)?[a-z0-9_]+)\.yml\b")
SITE = re.compile(r"(?<![\w./-])site\.yml\b")
INVENTORY = re.compile(r"(?<=\s-i)(\s+)inventories/([A-Za-z0-9_]+(?:[.-]+[A-Za-z0-9_]+)*)")


def typed(text: str, root: Path = ROOT, here: Path | None = None, inventories: Sequence[str] = ()) -> str:
    """Return a message whose commands work in this directory.

    Args:
        text: The message, with commands for a clone.
        root: Where Berth is; only a clone has a ``site.yml``, and its paths work in its own directory only.
        here: The current directory.
        inventories: The values of the run's ``-i``, as absolute paths.
    """
    here = here or Path.cwd()
    text = INVENTORY.sub(lambda found: found[1] + shlex.quote(source(found[2], here, inventories)), text)
    if (root / "site.yml").exists() and here.samefile(root):
        return text
    text = PLAYBOOK.sub(lambda found: f"berth.platform.{found[1].replace('/', '.')}", text)
    return text if (here / "site.yml").exists() else SITE.sub("berth.platform.site", text)


def source(environment: str, here: Path, inventories: Sequence[str]) -> str:
    """Return an environment's inventory for ``-i``: the run's inventory of that name, or its only one if ``inventories`` has none."""
    usual = f"inventories/{environment}"
    paths = [Path(each) for each in inventories if Path(each).exists()]
    named = [path for path in paths if environment in (path.name, path.parent.name if path.is_file() else "")]
    if not named and (len(paths) != 1 or (here / usual).exists()):
        return usual
    path = (named or paths)[0]
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
