"""A load test: its limits, its results, and how to report and draw them. Nothing here asks anybody."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .kube.objects import dig

USERS = range(1, 101)
"""Concurrent visitors: what a two-core machine can simulate, and a small cluster can bear."""
SECONDS = range(10, 601)
"""How long: an autoscaler checks every 15 s, and ten minutes show everything that it does under load."""
SHOWN = 3  # kinds of failures in the text
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        second: When it arrived, in seconds since the beginning.
        milliseconds: How long it took.
        error: What was wrong with it, empty if nothing.
    """

    second: float
    milliseconds: float
    error: str = ""


@dataclass(frozen=True)
class Look:
    """How many pods there were at one time.

    Attributes:
        second: When, in seconds since the beginning.
        ready: Pods that serve.
        wanted: Pods that the autoscaler wants, or the Deployment if there is none.
    """

    second: float
    ready: int
    wanted: int


def refusal(users: int, seconds: int, url: str, address: str) -> str:
    """Return why a load test is not allowed, one line per reason; empty if it is.

    Args:
        users: Concurrent visitors.
        seconds: How long.
        url: The page to load.
        address: Where the environment's app answers, empty if this machine cannot reach it.
    """
    found = [
        f"{name} is {value}; it is {allowed.start} to {allowed.stop - 1}."
        for name, value, allowed in (("ops_users", users, USERS), ("ops_seconds", seconds, SECONDS))
        if value not in allowed
    ]
    if not address:
        found.append(
            "The app answers at no address that this machine reaches: a load needs a node port, a load balancer or an Ingress, "
            "for a port-forward leads to one pod only."
        )
    elif origin(url) != origin(address):
        found.append(f"ops_url is {url}, which is not this environment's: its pages begin with {address}.")
    return "\n".join(found)


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL, with the scheme's default port.

    >>> origin("http://127.0.0.1/polls/") == origin("HTTP://127.0.0.1:80")
    True
    """
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)
    except ValueError:  # an invalid port
        return "", url, None


def look(second: float, deployment: Mapping[str, Any], autoscaler: Mapping[str, Any] | None) -> Look:
    """Return how many pods there are, by the Deployment and its HorizontalPodAutoscaler, if it has one."""
    wanted = dig(autoscaler, "status", "desiredReplicas") if autoscaler else None
    return Look(second, dig(deployment, "status", "readyReplicas") or 0, wanted or dig(deployment, "spec", "replicas") or 0)


def read(record: str, began: float) -> list[Answer]:
    """Return the answers in a record (playbooks/ops/files/loadtest/locustfile.py), sorted by time; a truncated last line is ignored.

    Args:
        record: The file's text.
        began: The beginning, in seconds since 1970.
    """
    found = []
    for line in record.splitlines():
        try:
            at, milliseconds, error = json.loads(line)
        except ValueError:
            continue
        found.append(Answer(at - began, milliseconds, error))
    return sorted(found, key=lambda answer: answer.second)


def percentile(values: Iterable[float], share: int) -> float:
    """Return the value that ``share`` per cent of the values do not exceed (nearest rank).

    >>> percentile([30, 10, 20, 40], 50), percentile([30, 10, 20, 40], 95)
    (20, 40)
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def summary(answers: Sequence[Answer], looks: Sequence[Look]) -> dict[str, Any]:
    """Return the results of a load test.

    Returns:
        requests and failures; rate, in requests a second from the first answer to the last; p50 and p95, in milliseconds, of the answers without
        error (None if there is none); errors, what was wrong and how often, most frequent first; pods_from, pods_to and pods_wanted (None
        if they could not be read).
    """
    good = [answer.milliseconds for answer in answers if not answer.error]
    lasted = max(1.0, answers[-1].second - answers[0].second) if answers else 1.0
    errors = Counter(answer.error for answer in answers if answer.error)
    return {
        "requests": len(answers),
        "failures": len(answers) - len(good),
        "rate": round(len(answers) / lasted, 1),
        "p50": round(percentile(good, 50)) if good else None,
        "p95": round(percentile(good, 95)) if good else None,
        "errors": [{"error": error, "times": times} for error, times in errors.most_common()],
        "pods_from": looks[0].ready if looks else None,
        "pods_to": looks[-1].ready if looks else None,
        "pods_wanted": looks[-1].wanted if looks else None,
    }


def text(found: Mapping[str, Any], url: str, users: int, seconds: int, plot: str) -> str:
    """Return a summary for people."""
    several = "s" * (users != 1)
    lines = [
        f"{url}, asked for by {users} visitor{several} for {seconds} s",
        f"requests    {found['requests']}, of which {found['failures']} failed; {found['rate']} a second",
        "latency     " + ("no answer" if found["p50"] is None else f"half of them within {found['p50']} ms, 95 % within {found['p95']} ms"),
        "pods        "
        + ("the cluster did not say" if found["pods_from"] is None else f"{found['pods_from']} to {found['pods_to']}, {found['pods_wanted']} are wanted"),
    ]
    lines += [f"failure     {each['times']} times: {each['error']}" for each in found["errors"][:SHOWN]]
    return "\n".join([*lines, f"plot        {plot}"])


def drawing(answers: Sequence[Answer], looks: Sequence[Look], title: str) -> dict[str, Any]:
    """Return the data for plot.py: lists of numbers, for the answers one per full second.

    A second without an answer has None for its latency, which makes a gap.
    """
    seconds = range(max((int(answer.second) for answer in answers), default=0) + 1)
    by_second: dict[int, list[Answer]] = {second: [] for second in seconds}
    for answer in answers:
        by_second[max(0, int(answer.second))].append(answer)
    good = [[answer.milliseconds for answer in each if not answer.error] for each in by_second.values()]
    return {
        "title": title,
        "seconds": list(seconds),
        "served": [len(each) for each in good],
        "failed": [sum(bool(answer.error) for answer in each) for each in by_second.values()],
        "p50": [percentile(each, 50) if each else None for each in good],
        "p95": [percentile(each, 95) if each else None for each in good],
        "looked": [each.second for each in looks],
        "ready": [each.ready for each in looks],
        "wanted": [each.wanted for each in looks],
    }
