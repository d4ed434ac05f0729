"""Whether this machine has what an image is looked at with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...module_utils.image import scan
from .variables import Problem


def problems(get: Callable[[str], Any], suspect: set[str]) -> list[Problem]:
    """Return what is missing; ``get`` returns the value of a variable, and ``suspect`` has the names of those that are wrong already."""
    return scan_problems(get, suspect)


def scan_problems(get: Callable[[str], Any], suspect: set[str]) -> list[Problem]:
    """Check that something can look for known vulnerabilities."""
    if get("berth_scan") == "none" or {"berth_scan", "berth_scan_database"} & suspect:
        return []
    database = get("berth_scan_database")
    if not scan.scanner(database):
        return [Problem(("berth_scan",), f"is {get('berth_scan')}, and nothing here looks for vulnerabilities; {scan.INSTALL}")]
    if database and not Path(database).expanduser().exists():
        return [Problem(("berth_scan_database",), f"there is no {database}; put OSV's records there, which osv.dev offers for download")]
    return []
