"""What roles say that they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"


def options(role: str) -> dict[str, dict[str, Any]]:
    """Return the options of a role's main entry point, by name; with libyaml, for these are the longest files that the tests read."""
    text = (ROLES / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    return yaml.load(text, yaml.CSafeLoader)["argument_specs"]["main"]["options"]
