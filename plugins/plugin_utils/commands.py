"""The commands that messages name, as they are typed where Berth is installed without a clone."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = re.compile(r"(?<![\w./-])playbooks/((?:ops/)?[a-z0-9_]+)\.yml\b")
SITE = re.compile(r"(?<![\w./-])site\.yml\b")


def typed(text: str, root: Path = ROOT, here: Path = Path()) -> str:
    """Return a message whose commands work in this directory.

    Args:
        text: The message, with commands as they are typed in a clone.
        root: Where Berth is; a wheel leaves out the ``site.yml`` that a clone has.
        here: The current directory.
    """
    if (root / "site.yml").exists():
        return text
    text = PLAYBOOK.sub(lambda found: f"berth.platform.{found[1].replace('/', '.')}", text)
    return text if (here / "site.yml").exists() else SITE.sub("berth.platform.site", text)
