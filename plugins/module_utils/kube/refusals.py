"""What the API server says when it refuses an object, put into words. Nothing is read from a cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .apply import OWN
from .ownership import Conflict

Object = Mapping[str, Any]

TAKE_OVER = "berth_take_over"
"""The variable that has Berth set what others have set."""


@dataclass(frozen=True)
class Refusal:
    """One refusal; ``index`` is that of the object among those that were sent, None where the answer names none of them."""

    message: str
    index: int | None


# What the message says, and what to do. The first that matches counts. Messages of Kubernetes 1.36 (staging/src/k8s.io/apiserver and pkg/).
ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"because it is being terminated",
        "Wait until the namespace is gone, then run the same command again. What keeps it is in its status: kubectl get namespace {namespace} -o yaml",
    ),
    (r"provided port is already allocated", "Another Service has this node port: set berth_app_node_port to another one, or to 0 to let Kubernetes choose."),
    (r"exceeded quota", "Raise berth_quota, or lower what the message names."),
    (r"field is immutable|updates to .* are forbidden", "Kubernetes cannot change this field of an object that exists."),
    (r"object has been modified", "Somebody else changed it meanwhile: run the same command again."),
)


def read(text: str, sent: Sequence[Object]) -> Refusal:
    """Return what ``text``, the message of kubernetes.core.k8s, says of one of the objects that were ``sent``.

    The module puts the API server's answer, a Status (kubernetes.io/docs/reference/kubernetes-api/common-definitions/status), into its message.
    """
    status = _status(text)
    message = str(status.get("message") or "").strip() or " ".join(text.split())
    details = status.get("details") or {}
    wanted = (str(details.get("kind", "")).lower(), details.get("name", ""))
    found = (number for number, item in enumerate(sent) if wanted in _names(item))
    return Refusal(message.rstrip("."), next(found, None))


def describe(text: str, sent: Sequence[Object], namespace: str, applied: bool = True) -> str:
    """Return the message for the user: what was refused and why, what was applied before it, and what to do where that is known.

    Args:
        text: What the API server or kubernetes.core.k8s says.
        sent: The objects, in their order.
        namespace: The namespace.
        applied: Whether those before it were applied; a check only tries them out.
    """
    refusal = read(text, sent)
    subject = title(sent[refusal.index]) if refusal.index is not None else "An object"
    lines = [f"{subject} in namespace {namespace} was refused by the API server: {refusal.message}."]
    if refusal.index and applied:
        lines.append(f"Applied before it: {', '.join(title(item) for item in sent[: refusal.index])}.")
    if advice := next((advice for pattern, advice in ADVICE if re.search(pattern, refusal.message)), ""):
        lines.append(f"What to do: {advice.format(namespace=namespace)}")
    return "\n".join(lines)


def conflict(taken: Iterable[tuple[Object, Collection[Conflict]]], namespace: str) -> str:
    """Return the message for objects of which others have set fields that the next apply would set otherwise."""
    lines, own = [], False
    for item, found in taken:
        for manager in dict.fromkeys(each.manager for each in found):
            fields = ", ".join(each.field for each in found if each.manager == manager)
            lines.append(f"{title(item)} in namespace {namespace}: {manager} has set {fields}.")
        own |= OWN in item["metadata"].get("labels", {})
    manifest = ", or take the fields out of the manifest where it is the project's own" if own else ""
    return "\n".join(
        [
            "Nothing of this step was changed: somebody else has set fields of objects of Berth's to other values than it would.",
            *lines,
            f"What to do: to leave them as they are, set the variables behind them to the same values{manifest}. "
            f"To have Berth set them, run the same ansible-playbook command with -e {TAKE_OVER}=true.",
        ]
    )


def title(item: Object) -> str:
    """Return what people call an object."""
    return f"{item['kind']} {item['metadata']['name']}"


def _status(text: str) -> dict[str, Any]:
    try:
        status, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    except ValueError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def _names(item: Object) -> set[tuple[str, str]]:
    """Return what a Status may call an object: by its kind, or by the plural of it, in lower case."""
    kind, name = item["kind"].lower(), item["metadata"]["name"]
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}es" if kind.endswith("s") else f"{kind}s"
    return {(kind, name), (plural, name)}
