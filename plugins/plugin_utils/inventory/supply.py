"""Check that this machine can scan and sign images."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...module_utils.image import scan, signature
from .variables import Problem


def problems(get: Callable[[str], Any], registry: str, suspect: set[str]) -> list[Problem]:
    """Return the problems with scanning and signing.

    Args:
        get: Returns the value of a variable.
        registry: Where images go.
        suspect: The names of variables that are known to be wrong.
    """
    return scan_problems(get, suspect) + signing_problems(get, registry, suspect)


def signing_problems(get: Callable[[str], Any], registry: str, suspect: set[str]) -> list[Problem]:
    """Check that images that leave this machine can be signed, if they are to be."""
    key, names = get("berth_image_signing_key"), {"berth_registry", "berth_image_signing_key", "berth_image_signing_password"}
    if not key or names & suspect or registry not in ("ecr", "external"):
        return []
    found = [Problem(("berth_image_signing_key",), text)] if (text := signature.problem(key)) else []
    if get("berth_image_signing_password") is None and "COSIGN_PASSWORD" not in os.environ:
        text = "is not set, and neither is the environment variable COSIGN_PASSWORD; set one of them, empty for a key without a password"
        found.append(Problem(("berth_image_signing_password",), text))
    return found


def scan_problems(get: Callable[[str], Any], suspect: set[str]) -> list[Problem]:
    """Check that there is a scanner for known vulnerabilities."""
    if get("berth_scan") == "none" or {"berth_scan", "berth_scan_database"} & suspect:
        return []
    database = get("berth_scan_database")
    if not scan.scanner(database):
        return [Problem(("berth_scan",), f"is {get('berth_scan')}, but there is no vulnerability scanner here; {scan.INSTALL}")]
    if database and not Path(database).expanduser().exists():
        return [Problem(("berth_scan_database",), f"{database} does not exist; put OSV's records there, which you can download from osv.dev")]
    return []
