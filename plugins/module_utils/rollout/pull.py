"""What is wrong with an image that cannot be pulled, from the registry's answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..kube.objects import Object
from .model import NEVER, TRANSIENT, Finding
from .reading import event_time, is_of_this_attempt

# What a registry's answer means: (pattern, cause, summary, definitive). Codes and words come from
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes and from the three clients that
# kubelets use (containerd, CRI-O, Docker). An answer about the image or the credentials is definitive; a registry
# that does not answer may come back.
_PULL_ANSWERS: tuple[tuple[re.Pattern[str], str, str, bool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), cause, summary, definitive)
    for pattern, cause, summary, definitive in (
        (r"toomanyrequests|429|rate limit", "registry", "the registry's rate limit has been reached", False),
        (
            r"no match for platform|no matching manifest",
            "image-missing",
            "it is not built for the node's platform",
            True,
        ),
        (r"no such host", "registry", "the registry's name does not resolve", True),
        (r"http response to https client", "registry", "the registry speaks HTTP but the node expects HTTPS", True),
        (r"x509|certificate", "registry", "the node does not trust the registry's certificate", True),
        (
            r"unauthorized|authentication required|authorization failed|insufficient_scope|no basic auth|denied|forbidden" + r"|\b40[13]\b",
            "image-denied",
            "the registry denies access, or has no such repository",
            True,
        ),
        (
            r"not found|manifest unknown|manifest_unknown|name unknown|name_unknown|not known to registry|\b404\b",
            "image-missing",
            "the registry has no such image",
            True,
        ),
        (r"signature", "image-denied", "its signature is not accepted", True),
        (r"no space left", "container", "the node's disk is full", True),
        (
            r"connection refused|no route to host|network is unreachable",
            "registry",
            "the registry does not answer",
            False,
        ),
    )
)


def pull_answer(image: str, message: str) -> tuple[str, str, bool]:
    """Say why an image could not be pulled: (cause, half a sentence, whether a retry is pointless).

    Args:
        image: Its reference; removed from the message before matching, since a name may contain any word.
        message: The kubelet's message of ErrImagePull or ImagePullBackOff.
    """
    bare = re.sub(r'"[^"]*"', "", message.replace(image, "") if image else message)
    for pattern, cause, summary, definitive in _PULL_ANSWERS:
        if pattern.search(bare):
            return cause, summary, definitive
    return "registry", "the registry did not deliver it", False


def pull_finding(
    image: str,
    reason: str,
    message: str,
    events: Sequence[Object],
    where: dict[str, Any],
    born: str | None,
    since: str,
) -> Finding:
    """Return the finding about an image that cannot be pulled, from the registry's answer.

    Args:
        where: The finding's ``pod`` and ``container``.
        born: When the pod was created, RFC 3339.
        since: When the wait began, RFC 3339.
    """
    failures = [event for event in events if event.get("reason") == "Failed" and str(event.get("message")).startswith("Failed to pull image")]
    if failures and ":" not in message.removeprefix(f'Back-off pulling image "{image}"'):
        # Before Kubernetes 1.31 the back-off hides the error: only the event has it.
        message = failures[0]["message"]
    cause, why, definitive = pull_answer(image, message)
    seen = event_time(failures[0]) if failures else ""
    grace = NEVER
    if is_of_this_attempt(seen, born, since):
        grace = 0 if definitive else TRANSIENT
    return Finding(cause, f"The image {image} cannot be pulled: {why}", reason, message, **where, grace=grace)
