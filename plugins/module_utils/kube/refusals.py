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
"""The variable that makes Berth overwrite what others have set."""


@dataclass(frozen=True)
class Refusal:
    """A refusal; ``index`` is the object's position among those that were sent, None if the answer names none of them."""

    message: str
    index: int | None


# Pattern of the message, and what to do. The first match counts. Messages of Kubernetes 1.36 (staging/src/k8s.io/apiserver and pkg/).
ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"because it is being terminated",
        "Wait until the namespace is gone, then run the same command again. Its status says what is delaying it: kubectl get namespace {namespace} -o yaml",
    ),
    (r"provided port is already allocated", "Another Service has this node port: set berth_app_node_port to another one, or to 0 to let Kubernetes choose."),
    (r"exceeded quota", "Raise berth_quota, or lower the resources that the message names."),
    (r"field is immutable|updates to .* are forbidden", "Kubernetes cannot change this field of an existing object."),
    (r"object has been modified", "Somebody else changed it in the meantime: run the same command again."),
)


def read(text: str, sent: Sequence[Object]) -> Refusal:
    """Return what ``text``, the message of kubernetes.core.k8s, says about one of the objects that were ``sent``.

    The module puts the API server's answer, a Status (kubernetes.io/docs/reference/kubernetes-api/common-definitions/status), into its message.
    """
    status = _status(text)
    message = str(status.get("message") or "").strip() or " ".join(text.split())
    details = status.get("details") or {}
    wanted = (str(details.get("kind", "")).lower(), details.get("name", ""))
    found = (number for number, item in enumerate(sent) if wanted in _names(item))
    return Refusal(message.rstrip("."), next(found, None))


def describe(text: str, sent: Sequence[Object], namespace: str, applied: bool = True) -> str:
    """Return the message for the user: what was refused and why, what was applied before it, and what to do if that is known.

    Args:
        text: What the API server or kubernetes.core.k8s says.
        sent: The objects, in order.
        namespace: The namespace.
        applied: Whether the objects before it were applied; a check only tries them out.
    """
    refusal = read(text, sent)
    subject = title(sent[refusal.index]) if refusal.index is not None else "an object"
    lines = [f"The API server rejected {subject} in namespace {namespace}: {refusal.message}."]
    if refusal.index and applied:
        lines.append(f"Applied before it: {', '.join(title(item) for item in sent[: refusal.index])}.")
    if advice := next((advice for pattern, advice in ADVICE if re.search(pattern, refusal.message)), ""):
        lines.append(f"What to do: {advice.format(namespace=namespace)}")
    return "\n".join(lines)


def conflict(taken: Iterable[tuple[Object, Collection[Conflict]]], namespace: str) -> str:
    """Return the message for objects in which others have set fields to values other than the next apply's."""
    lines, own = [], False
    for item, found in taken:
        for manager in dict.fromkeys(each.manager for each in found):
            fields = ", ".join(each.field for each in found if each.manager == manager)
            lines.append(f"{title(item)} in namespace {namespace}: {manager} has set {fields}.")
        own |= OWN in item["metadata"].get("labels", {})
    manifest = ", or remove the fields from the manifest if it is the project's own" if own else ""
    return "\n".join(
        [
            "This step changed nothing: somebody else has set fields of Berth's objects to other values than Berth would.",
            *lines,
            f"What to do: to keep these values, set the corresponding variables to the same values{manifest}. "
            f"To let Berth overwrite them, run the same ansible-playbook command with -e {TAKE_OVER}=true.",
        ]
    )


def title(item: Object) -> str:
    """Return an object's name for messages."""
    return f"{item['kind']} {item['metadata']['name']}"


def _status(text: str) -> dict[str, Any]:
    try:
        status, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    except ValueError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def _names(item: Object) -> set[tuple[str, str]]:
    """Return the names that a Status may use for an object: its kind or the kind's plural, in lower case."""
    kind, name = item["kind"].lower(), item["metadata"]["name"]
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}es" if kind.endswith("s") else f"{kind}s"
    return {(kind, name), (plural, name)}
