"""Whether an apply would change anything, told from the object that is wanted and the one that is live.

An apply (kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config, "How apply calculates differences")
removes what it applied before and is no longer wanted, and sets what is wanted. So it changes nothing when what was applied
last equals what is wanted, and the live object has all of that.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import yaml

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
OWN = "berth/own"
"""The label of what the project's own manifests have made."""

# kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity
SUFFIXES: dict[str, int | Decimal] = {"": 1, "m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
SUFFIXES |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}


def documents(text: str) -> list[Any]:
    """Return the documents of a YAML text whose values were written as JSON.

    JSON writes a character beyond U+FFFF as two surrogates (RFC 8259, 7), which YAML's parser takes for two characters.

    Raises:
        ValueError: The text is no YAML, or holds half of such a pair.
    """
    try:
        return [_paired(document) for document in yaml.safe_load_all(text)]
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


def unchanged(wanted: dict[str, Any], live: dict[str, Any] | None) -> bool:
    """Whether an apply of ``wanted`` leaves ``live`` (None: there is none) as it is."""
    if live is None or live["metadata"].get("deletionTimestamp"):
        return False
    return last_applied(live) == json.loads(json.dumps(wanted)) and contains(live, wanted)


def hands_over_replicas(wanted: dict[str, Any], live: dict[str, Any] | None) -> bool:
    """Whether ``wanted`` leaves the number of pods to an autoscaler, and the last apply did not.

    An apply would take ``replicas`` away, and so set it to 1, its default:
    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling
    """
    return live is not None and "replicas" not in wanted.get("spec", {}) and "replicas" in last_applied(live).get("spec", {})


def takes_back_replicas(wanted: dict[str, Any], live: dict[str, Any] | None) -> bool:
    """Whether ``wanted`` says the number of pods, and the last apply left it to an autoscaler."""
    applied = last_applied(live) if live else {}
    return "replicas" in wanted.get("spec", {}) and "spec" in applied and "replicas" not in applied["spec"]


def own_autoscalers_of(wanted: dict[str, Any], autoscalers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return of the HorizontalPodAutoscalers those of ours that decide how many pods ``wanted`` has."""
    target = {"kind": wanted["kind"], "name": wanted["metadata"]["name"]}
    return [each for each in autoscalers if not foreign(wanted, each) and target.items() <= each["spec"]["scaleTargetRef"].items()]


def last_applied(live: dict[str, Any]) -> dict[str, Any]:
    """Return what was applied last, empty for an object that was made by other means."""
    try:
        return json.loads(live["metadata"].get("annotations", {})[LAST_APPLIED])
    except (KeyError, ValueError):
        return {}


def without_replicas(live: dict[str, Any]) -> dict[str, Any]:
    """Return the patch after which the last apply of ``live`` said nothing about ``replicas``."""
    applied = last_applied(live)
    del applied["spec"]["replicas"]
    names = {key: live["metadata"][key] for key in ("name", "namespace")}
    annotations = {LAST_APPLIED: json.dumps(applied, separators=(",", ":"))}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": names | {"annotations": annotations}}


def contains(live: Any, wanted: Any) -> bool:
    """Whether ``live`` has all that ``wanted`` has. The API server leaves out what is empty, zero or false."""
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return not wanted and live is None
        return all(contains(live.get(key), value) for key, value in wanted.items() if not _chosen_by_server(key, value))
    if isinstance(wanted, list):
        if not wanted and live is None:
            return True
        return isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
    return live == wanted or (not wanted and not live) or quantity(live) == quantity(wanted) is not None


def _chosen_by_server(key: str, value: Any) -> bool:
    return key == "nodePort" and not value


def quantity(value: Any) -> Decimal | None:
    """Return the amount that a quantity means, None for anything else.

    >>> quantity("0.5") == quantity("500m")
    True
    """
    found = re.fullmatch(r"([0-9.]+)([a-zA-Z]{0,2})", str(value)) if isinstance(value, str | int | float) else None
    if not found or isinstance(value, bool) or found[2] not in SUFFIXES or found[1].count(".") > 1 or found[1] == ".":
        return None
    return Decimal(found[1]) * SUFFIXES[found[2]]


def foreign(wanted: dict[str, Any], live: dict[str, Any] | None) -> bool:
    """Whether the object is there already and does not carry the labels by which ``wanted`` is ours."""
    labels = wanted["metadata"].get("labels", {})
    if live is None or MANAGED_BY not in labels:
        return False
    known = live["metadata"].get("labels", {})
    return any(known.get(label) != labels.get(label) for label in (MANAGED_BY, INSTANCE, OWN))


def visible(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the object as it may be shown: a Secret's values are replaced."""
    if wanted.get("kind") != "Secret":
        return wanted
    shown = {key: value for key, value in wanted.items() if key not in ("data", "stringData")}
    annotations = {k: v for k, v in wanted["metadata"].get("annotations", {}).items() if k != LAST_APPLIED}
    shown["metadata"] = {k: v for k, v in wanted["metadata"].items() if k != "annotations"} | ({"annotations": annotations} if annotations else {})
    return shown | {"data": dict.fromkeys(wanted.get("data") or {}, "(hidden)")}


def restricted(live: Any, wanted: Any) -> Any:
    """Return of ``live`` only what ``wanted`` speaks of, so that both can be compared line by line."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return {key: restricted(live[key], value) for key, value in wanted.items() if key in live}
    if isinstance(wanted, list) and isinstance(live, list):
        return [restricted(item, wanted[i]) if i < len(wanted) else item for i, item in enumerate(live)]
    return live


def difference(wanted: dict[str, Any], live: dict[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what to show before and after an apply; of a Secret only which keys change."""
    before: dict[str, Any] = {} if live is None else restricted(live, wanted)
    if live is not None and LAST_APPLIED in live["metadata"].get("annotations", {}):
        # What was applied before and is no longer wanted is about to go.
        try:
            applied = json.loads(live["metadata"]["annotations"][LAST_APPLIED])
        except ValueError:
            applied = {}
        before = merged(before, restricted(live, applied))
    if wanted["kind"] != "Secret":
        return before, aligned(wanted, live) if live else wanted
    old, new = before.get("data") or {}, wanted.get("data") or {}
    shown_before, shown_after = (visible(before) if before else {}), visible(wanted)
    for key in new:
        if key in old and old[key] != new[key]:
            shown_after["data"][key] = "(hidden, another value)"
    return shown_before, shown_after


def aligned(wanted: Any, live: Any) -> Any:
    """Return ``wanted`` as the API server would write it where that is how ``live`` has it: without what is empty, and with its quantities."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        kept = {key: value for key, value in wanted.items() if key in live or not contains(None, value)}
        return {key: live[key] if _chosen_by_server(key, value) and key in live else aligned(value, live.get(key)) for key, value in kept.items()}
    if isinstance(wanted, list) and isinstance(live, list):
        return [aligned(item, live[i]) if i < len(live) else item for i, item in enumerate(wanted)]
    return live if live is not None and contains(live, wanted) else wanted


def merged(one: Any, other: Any) -> Any:
    """Return ``one`` with what only ``other`` has."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: merged(one.get(key), other.get(key)) for key in one.keys() | other.keys()}
    return other if one is None else one
