"""Which fields of an object are Berth's, according to its ``managedFields``. Nothing is read from a cluster.

Who may change what: https://kubernetes.io/docs/reference/using-api/server-side-apply/
How fields are written (FieldsV1): https://github.com/kubernetes-sigs/structured-merge-diff/blob/v6.3.0/fieldpath/serialize-pe.go
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..formats import quantity
from .apply import LAST_APPLIED, chosen_by_server, last_applied
from .client import KINDS, kind_of
from .objects import dig

Object = Mapping[str, Any]
Fields = dict[str, Any]
"""A FieldsV1: the members of each field, empty for a field that is owned as a whole. ``.`` is the field itself."""
Operations = list[dict[str, Any]]
"""A JSON patch (RFC 6902)."""

MANAGER = "berth"
REPLICAS = ".spec.replicas"
AUTOSCALER = "kube-controller-manager"
"""The manager under which Kubernetes' autoscaler sets the number of pods."""
RESTARTED = ("f:spec", "f:template", "f:metadata", "f:annotations", "f:kubectl.kubernetes.io/restartedAt")
"""What a rollback may have written back although it belongs to a restart: without it the pods would be replaced."""
KEY_DEFAULTS = {"protocol": "TCP"}
"""Default values of the keys that identify a list item."""
ADDED = {"protocol": "TCP", "apiVersion": "v1", "kind": "PersistentVolumeClaim", "volumeMode": "Filesystem", "status": {"phase": "Pending"}}
"""What the API server adds inside a field that is owned as a whole."""
AMOUNTS = frozenset({"limits", "requests", "hard", "default", "defaultRequest", "min", "max"})
"""Fields whose members are all quantities."""
IDENTITY = ("name", "namespace")
MISSING = object()


@dataclass(frozen=True)
class Conflict:
    """A field that an apply would change but somebody else has set."""

    manager: str
    field: str
    """Its path, as the API server writes it."""


def conflicts(status: Object) -> list[Conflict]:
    """Return the conflicts in the answer to an apply, empty for any other answer."""
    causes = [each for each in dig(status, "details", "causes") or [] if each.get("reason") == "FieldManagerConflict"]
    named = [re.search(r'"((?:[^"\\]|\\.)*)"', each.get("message", "")) for each in causes]
    return [Conflict(name[1] if name else "another manager", each.get("field", "")) for each, name in zip(causes, named, strict=True)]


def applied(live: Object) -> Fields | None:
    """Return the fields that Berth's last server-side apply set, None if there was none."""
    return next((entry.get("fieldsV1") or {} for entry in _entries(live) if _is(entry, "Apply", MANAGER)), None)


def ours(wanted: Object, live: Object) -> Fields:
    """Return the fields that are Berth's.

    They are the fields of its applies, those that it has patched since, as a rollback does, and those that an earlier Berth applied, which
    recorded the whole object in an annotation. They do not include what the API server added then, what somebody else patched with the same
    client, and a number of pods that an autoscaler decides.
    """
    fields = _owned(wanted, live)
    return _without(fields, ("f:spec", "f:replicas")) if "replicas" not in (wanted.get("spec") or {}) else fields


def _owned(wanted: Object, live: Object) -> Fields:
    found, before = applied(live), _predecessors(live)
    for entry in _entries(live):
        if entry.get("apiVersion") != wanted["apiVersion"]:
            continue
        fields = entry.get("fieldsV1") or {}
        if _is(entry, "Update", MANAGER):
            found = _united(found, _without(_kept(fields, live) or {}, RESTARTED) or None)
        elif before and _is(entry, "Update", *before):
            found = _united(found, _kept(fields, last_applied(dict(live))))
    return found or {}


def handover(wanted: Object, live: Object) -> Operations:
    """Return the patch that moves all of Berth's fields to its apply, so that the next apply removes what is no longer declared; empty if they are there.

    Follows kubectl (k8s.io/client-go/util/csaupgrade). A number of pods that an autoscaler decides loses its owner, and stays as it is.
    """
    fields, before, entries = ours(wanted, live), _predecessors(live), _entries(live)
    gone = [entry for entry in entries if _is(entry, "Apply", MANAGER) or _is(entry, "Update", MANAGER, *before)]
    if [(entry["operation"], entry.get("fieldsV1")) for entry in gone] == ([("Apply", fields)] if fields else []):
        return []
    mine = {"manager": MANAGER, "operation": "Apply", "apiVersion": wanted["apiVersion"], "fieldsType": "FieldsV1", "fieldsV1": fields}
    patch: Operations = [
        {"op": "replace", "path": "/metadata/managedFields", "value": [*([mine] if fields else []), *(entry for entry in entries if entry not in gone)]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
    ]
    if before:
        patch.append({"op": "remove", "path": f"/metadata/annotations/{LAST_APPLIED.replace('/', '~1')}"})
    return patch


def hands_over_replicas(wanted: Object, live: Object | None) -> bool:
    """Whether ``wanted`` leaves the number of pods to an autoscaler, and the last apply did not.

    An apply would take ``replicas`` away, and so set it to 1, its default:
    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling
    """
    return live is not None and "replicas" not in (wanted.get("spec") or {}) and "f:replicas" in _owned(wanted, live).get("f:spec", {})


def takes_back_replicas(wanted: Object, live: Object | None) -> bool:
    """Whether ``wanted`` sets the number of pods, but somebody else has owned it since the last apply."""
    spec = (_owned(wanted, live).get("f:spec") if live else None) or {}
    return bool(spec) and "replicas" in (wanted.get("spec") or {}) and "f:replicas" not in spec


def settled(wanted: Object, live: Object | None) -> bool:
    """Whether an apply of ``wanted`` certainly leaves ``live`` (None: there is none) as it is. If not, the API server can tell.

    It does if Berth owns exactly the fields that are wanted, and they have the wanted values.
    """
    if live is None or live["metadata"].get("deletionTimestamp") or applied(live) is None or handover(wanted, live):
        return False
    metadata = {key: value for key, value in wanted["metadata"].items() if key not in IDENTITY}
    body = {key: value for key, value in wanted.items() if key not in ("apiVersion", "kind", "metadata")} | ({"metadata": metadata} if metadata else {})
    return _same(applied(live) or {}, body, live, kind_of(dict(wanted)) in KINDS)


def pruned(item: Any, fields: Fields, wanted: Any) -> Any:
    """Return an object without the ``fields`` that ``wanted`` does not have."""
    for key, inner in _members(fields).items():
        there, part = _find(item, key), _find(wanted, key)
        if there is MISSING:
            continue
        whole = part is MISSING and (key.startswith("k:") or not _members(inner))
        left = MISSING if whole else pruned(there, inner, part)
        item = _replaced(item, key, there, MISSING if part is MISSING and not left else left)
    return item


def _replaced(item: Any, key: str, there: Any, left: Any) -> Any:
    """Return a dict or list with ``left`` in place of ``there``, which ``key`` names; without it if nothing is left."""
    if isinstance(item, dict):
        return {name: left if f"f:{name}" == key else value for name, value in item.items() if f"f:{name}" != key or left is not MISSING}
    return [left if each is there else each for each in item if each is not there or left is not MISSING]


def _entries(live: Object) -> list[Any]:
    return list(dig(live, "metadata", "managedFields") or [])


def _is(entry: Object, operation: str, *managers: str) -> bool:
    """Whether an entry is that operation on the object itself, and by one of the managers, if any are named."""
    return entry.get("operation") == operation and not entry.get("subresource") and (not managers or entry.get("manager") in managers)


def _predecessors(live: Object) -> list[str]:
    """Return the managers under which an earlier Berth applied the object client-side; none once it has been taken over."""
    path = ("fieldsV1", "f:metadata", "f:annotations", f"f:{LAST_APPLIED}")
    if applied(live) is not None:
        return []
    return [entry["manager"] for entry in _entries(live) if _is(entry, "Update") and dig(entry, *path) is not None]


def _united(one: Fields | None, other: Fields | None) -> Fields | None:
    """Return the union of both."""
    if one is None or other is None:
        return one if other is None else other
    both = {key: _united(one.get(key), other.get(key)) for key in one | other}
    return both | {".": {}} if both and not (one and other) else both


def _kept(fields: Fields, value: Any, item: bool = False) -> Fields | None:
    """Return the fields that ``value`` has, as an apply owns them; None if it has none of them.

    An apply owns a map only through its members: removing the map itself would remove what others have added. ``item`` means it is a list item.
    """
    if not _members(fields):
        return fields
    found = {
        key: inner
        for key, all_of_it in _members(fields).items()
        if (part := _find(value, key)) is not MISSING and (inner := _kept(all_of_it, part, key.startswith("k:"))) is not None
    }
    found |= {".": {}} if item and "." in fields else {}
    return found or None


def _without(fields: Fields, path: tuple[str, ...]) -> Fields:
    """Return the fields without the one at ``path``, and without parents that are empty then."""
    first, *rest = path
    if first not in fields:
        return fields
    inner = _without(fields[first], tuple(rest)) if rest else {}
    return {key: value for key, value in fields.items() if key != first} | ({first: inner} if inner else {})


def _members(fields: Fields) -> Fields:
    return {key: inner for key, inner in fields.items() if key != "."}


def _find(value: Any, key: str) -> Any:
    """Return what a FieldsV1 key names in a value; MISSING if it names nothing, or more than one thing."""
    form, _, said = key.partition(":")
    if form == "f":
        return value.get(said, MISSING) if isinstance(value, dict) else MISSING
    if not isinstance(value, list):
        return MISSING
    if form == "v":
        found = [each for each in value if each == json.loads(said)]
    elif form == "k":
        keys = json.loads(said).items()
        found = [each for each in value if isinstance(each, dict) and all(each.get(name, KEY_DEFAULTS.get(name)) == one for name, one in keys)]
    else:
        found = value[int(said) : int(said) + 1]
    return found[0] if len(found) == 1 else MISSING


def _same(fields: Fields, wanted: Any, live: Any, known: bool, path: tuple[str, ...] = ()) -> bool:
    """Whether ``fields`` are exactly those of ``wanted``, and ``live`` has their values.

    Args:
        fields: The fields that are owned.
        wanted: A field, with its members.
        live: The same field of the live object.
        known: Whether the kind is built into Kubernetes, so that it is known how the API server normalizes a value.
        path: The field's path.
    """
    members = _members(fields)
    if not members:
        return _equal(wanted, live, known, path)
    if isinstance(wanted, dict) and isinstance(live, dict):
        # An empty list whose items have keys has no owner.
        mine = {f"f:{name}": name for name, value in wanted.items() if value != [] or f"f:{name}" in members}
        return mine.keys() == members.keys() and all(
            chosen_by_server(name, wanted[name]) or _same(members[key], wanted[name], live.get(name), known, (*path, name)) for key, name in mine.items()
        )
    return isinstance(wanted, list) and isinstance(live, list) and _same_items(members, wanted, live, known, path)


def _same_items(members: Fields, wanted: list[Any], live: list[Any], known: bool, path: tuple[str, ...]) -> bool:
    """Whether the owned items are the wanted ones, in the wanted order."""
    if len(members) != len(wanted):
        return False
    found = []
    for key, inner in members.items():
        mine, there = _find(wanted, key), _find(live, key)
        if mine is MISSING or there is MISSING or not _same(inner, mine, there, known, path):
            return False
        found.append((_place(wanted, mine), _place(live, there)))
    places = [there for _, there in sorted(found)]
    return len(set(found)) == len(wanted) and places == sorted(places)


def _place(items: list[Any], item: Any) -> int:
    return next(number for number, each in enumerate(items) if each is item)


def _equal(wanted: Any, live: Any, known: bool, path: tuple[str, ...]) -> bool:
    """Whether a value that is owned as a whole is the wanted one."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        more = {name: value for name, value in live.items() if name not in wanted}
        added = all(known and value == ADDED.get(name, MISSING) for name, value in more.items())
        return added and all(_equal(value, live.get(name), known, (*path, name)) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(_equal(one, other, known, path) for one, other in zip(wanted, live, strict=True))
    if live is None:  # the API server omits what is empty, zero or false
        return not wanted
    if known and len(path) > 1 and path[-2] in AMOUNTS and quantity(wanted) is not None:
        return quantity(wanted) == quantity(live)
    return type(wanted) is type(live) and wanted == live
