"""Objects as templates render them and as the API server returns them: what they contain, whose they are, and what may be shown of them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import yaml

from ..formats import quantity

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
OWN = "berth/own"
"""The label of objects from the project's own manifests."""
NOTED = frozenset({"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"})
"""What the API server records in an object's metadata."""
LONGEST = 20
"""Lines of a container's command that are shown in full."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def documents(text: str) -> list[Any]:
    """Return the documents of a YAML text whose values were written as JSON.

    JSON writes a character beyond U+FFFF as two surrogates (RFC 8259, 7), which YAML's parser reads as two characters.

    Raises:
        ValueError: The text is not YAML, or contains half of such a pair.
    """
    # The C parser is ten times as fast, and does not accept half a pair.
    try:
        found = yaml.safe_load_all(text) if _SURROGATE.search(text) else yaml.load_all(text.encode(), Loader=yaml.CSafeLoader)
        return [_paired(document) for document in found]
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _paired(value: Any) -> Any:
    if isinstance(value, dict):
        return {_paired(key): _paired(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_paired(inner) for inner in value]
    return value.encode("utf-16", "surrogatepass").decode("utf-16") if isinstance(value, str) else value


def flatten(documents: list[Any]) -> list[dict[str, Any]]:
    """Return the objects of YAML documents: empty ones dropped, a ``List`` replaced by its items."""
    found: list[dict[str, Any]] = []
    for document in documents:
        if not document:
            continue
        found += flatten(document.get("items") or []) if document.get("kind") == "List" else [document]
    return found


def autoscalers_of(wanted: dict[str, Any], autoscalers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the HorizontalPodAutoscalers that decide how many pods ``wanted`` has."""
    target = {"kind": wanted["kind"], "name": wanted["metadata"]["name"]}
    return [each for each in autoscalers if target.items() <= each["spec"]["scaleTargetRef"].items()]


def last_applied(live: dict[str, Any]) -> dict[str, Any]:
    """Return what was applied last; empty for an object that was created by other means."""
    try:
        return json.loads(live["metadata"].get("annotations", {})[LAST_APPLIED])
    except (KeyError, ValueError):
        return {}


def contains(live: Any, wanted: Any) -> bool:
    """Whether ``live`` has everything that ``wanted`` has. The API server omits values that are empty, zero or false."""
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return not wanted and live is None
        return all(contains(live.get(key), value) for key, value in wanted.items() if not chosen_by_server(key, value))
    if isinstance(wanted, list):
        if not wanted and live is None:
            return True
        return isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
    return live == wanted or (not wanted and not live) or quantity(live) == quantity(wanted) is not None


def chosen_by_server(key: str, value: Any) -> bool:
    """Whether the API server chooses the value of a field."""
    return key == "nodePort" and not value


def foreign(wanted: dict[str, Any], live: dict[str, Any] | None) -> bool:
    """Whether the object exists and does not carry the labels that mark ``wanted`` as ours."""
    labels = wanted["metadata"].get("labels", {})
    if live is None or MANAGED_BY not in labels:
        return False
    known = live["metadata"].get("labels", {})
    return any(known.get(label) != labels.get(label) for label in (MANAGED_BY, INSTANCE, OWN))


def visible(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the object in a form that may be shown: a Secret's values are replaced."""
    if wanted.get("kind") != "Secret":
        return wanted
    shown = {key: value for key, value in wanted.items() if key not in ("data", "stringData")}
    annotations = {k: v for k, v in wanted["metadata"].get("annotations", {}).items() if k != LAST_APPLIED}
    shown["metadata"] = {k: v for k, v in wanted["metadata"].items() if k != "annotations"} | ({"annotations": annotations} if annotations else {})
    return shown | {"data": dict.fromkeys(wanted.get("data") or {}, "(hidden)")}


def difference(live: dict[str, Any] | None, after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what to show before and after an apply, without the API server's own fields; for a Secret, only which keys change."""
    before, shown = declared(live) if live else {}, declared(after)
    if after["kind"] != "Secret":
        return abridged(before), abridged(shown)
    old, new = before.get("data") or {}, shown.get("data") or {}
    hidden = visible(shown)
    hidden["data"] |= {key: "(hidden, another value)" for key in new if key in old and old[key] != new[key]}
    return visible(before) if before else {}, hidden


def abridged(value: Any, within: str = "") -> Any:
    """Return an object in which each long script of a container is shortened to its first line, its length and its digest.

    Args:
        value: The object, or a part of it.
        within: The key that the part is the value of.
    """
    if isinstance(value, dict):
        return {key: abridged(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [abridged(part, within) for part in value]
    if isinstance(value, str) and within in ("command", "args") and value.count("\n") > LONGEST:
        first, _, rest = value.partition("\n")
        return f"{first}\n... ({len(rest.splitlines())} more lines, sha256 {hashlib.sha256(value.encode()).hexdigest()[:12]})"
    return value


def declared(item: dict[str, Any]) -> dict[str, Any]:
    """Return the declared part of an object: without its status and without what the API server and apply clients record in it."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in NOTED}
    annotations = {name: value for name, value in (metadata.pop("annotations", None) or {}).items() if name != LAST_APPLIED}
    metadata |= {"annotations": annotations} if annotations else {}
    return {key: value for key, value in item.items() if key != "status"} | {"metadata": metadata}
