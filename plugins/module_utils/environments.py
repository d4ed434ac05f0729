"""What names say about environments."""

from __future__ import annotations

import re
from collections.abc import Iterable

ENVIRONMENTS = {
    "dev": "development", "development": "development", "stage": "staging", "staging": "staging", "qa": "qa", "uat": "uat",
    "prod": "production", "production": "production", "prd": "production",
}  # fmt: skip
"""The names that environments usually have."""


def environments(names: Iterable[str]) -> dict[str, str]:
    """Return the environments that occur in names as a word, each with the first such name."""
    found: dict[str, str] = {}
    for each in names:
        for word in re.split(r"[^a-z0-9]+", each.lower()):
            if word in ENVIRONMENTS:
                found.setdefault(ENVIRONMENTS[word], each)
    return found
