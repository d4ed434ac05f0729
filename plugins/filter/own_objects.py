"""The project's own Kubernetes objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..plugin_utils import own_objects


def own_files(patterns: list[str], bases: list[str]) -> list[str]:
    """Return the files that the patterns match, without duplicates, in the order of the patterns and by name."""
    found = (path for pattern in patterns for path in own_objects.found(pattern, [Path(base).expanduser() for base in bases]))
    return list(dict.fromkeys(str(path) for path in found))


def own_kinds(record: list[dict[str, Any]], names: list[dict[str, str]]) -> list[str]:
    """Return the kinds, in the format of k8s_prune, in an earlier release's ConfigMap (none or one) or among ``names``.

    PersistentVolumeClaims are never pruned, because their data could not be recovered.
    """
    before = [kind for each in record for kind in json.loads((each.get("data") or {}).get("kinds") or "[]")]
    return sorted({*before, "ConfigMap", *(each["kind"] for each in names)} - {"PersistentVolumeClaim"})


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"own_files": own_files, "own_kinds": own_kinds, "taken_names": own_objects.taken}
