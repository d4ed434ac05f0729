"""Read objects as the API server returns them: nested dicts and lists, where anything may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def dig(thing: Any, *path: str | int) -> Any:
    """Follow keys and indexes into nested dicts and lists; None where one is absent."""
    for step in path:
        if isinstance(thing, Mapping):
            thing = thing.get(step)
        elif isinstance(thing, list) and isinstance(step, int) and step < len(thing):
            thing = thing[step]
        else:
            return None
    return thing


def condition(thing: Object, kind: str, status: str = "True") -> Object | None:
    """Return the condition of that type and status from an object's status, or None."""
    for each in dig(thing, "status", "conditions") or []:
        if each.get("type") == kind and each.get("status") == status:
            return each
    return None
