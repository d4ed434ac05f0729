"""The commands that messages name, as they are typed here: with this run's inventory, and where the directory is no clone of Berth's."""

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
        text: The message, with commands as they are typed in a clone.
        root: Where Berth is; a wheel leaves out the ``site.yml`` that a clone has, whose paths hold in the clone's own directory.
        here: The current directory.
        inventories: What the run was given as ``-i``, as absolute paths.
    """
    here = here or Path.cwd()
    text = INVENTORY.sub(lambda found: found[1] + shlex.quote(source(found[2], here, inventories)), text)
    if (root / "site.yml").exists() and here.samefile(root):
        return text
    text = PLAYBOOK.sub(lambda found: f"berth.platform.{found[1].replace('/', '.')}", text)
    return text if (here / "site.yml").exists() else SITE.sub("berth.platform.site", text)


def source(environment: str, here: Path, inventories: Sequence[str]) -> str:
    """Return the inventory of an environment as ``-i`` takes it: the one of this run that is named after it, else the only one where there is no other."""
    usual = f"inventories/{environment}"
    paths = [Path(each) for each in inventories if Path(each).exists()]
    named = [path for path in paths if environment in (path.name, path.parent.name if path.is_file() else "")]
    if not named and (len(paths) != 1 or (here / usual).exists()):
        return usual
    path = (named or paths)[0]
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
