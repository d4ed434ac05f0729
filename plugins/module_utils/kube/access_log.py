"""Read from a web server's log which requests it answered: gunicorn, uvicorn, daphne, uWSGI, nginx, and loggers that write plain words.

Everything here is a function of text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass

# The status comes after the quoted request, after a logger's plain words, or, for uWSGI, at the end of the line.
_REQUEST = re.compile(
    r"\b(?P<method>GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (?P<path>/\S*?)(?: HTTP/[\d.]+)?(?:\" | | => .*\(HTTP/[\d.]+ )(?P<status>[1-5]\d\d)\b"
)


@dataclass(frozen=True)
class Request:
    """One request that was answered."""

    method: str
    path: str
    """Without its query, which may hold a secret."""
    status: int

    def is_probe(self, paths: Container[str]) -> bool:
        """Whether it is a health check; ``paths`` are those that the checks request, without queries, such as ``/readyz``."""
        return self.method == "GET" and self.path in paths


def request(line: str) -> Request | None:
    """Return the request in an access log line, None for any other line.

    >>> request('10.244.0.1 - - [29/Nov/2026:20:00:00 +0000] "GET /polls/?page=2 HTTP/1.1" 200 412')
    Request(method='GET', path='/polls/', status=200)
    """
    match = _REQUEST.search(line)
    if not match or "://" in line[: match.start()]:  # otherwise the app sent it to another server
        return None
    return Request(match["method"], match["path"].partition("?")[0], int(match["status"]))


def without_queries(paths: Iterable[str]) -> set[str]:
    """Return paths without their queries."""
    return {path.partition("?")[0] for path in paths}


def without_probes(text: str, paths: Iterable[str]) -> tuple[str, int]:
    """Return a log without the lines of successful health checks, and how many there were.

    Args:
        text: As the API server returns it.
        paths: The paths that the checks request, such as ``/readyz``.

    >>> without_probes('GET / 200\\n"GET /readyz HTTP/1.1" 200 OK\\n"GET /readyz HTTP/1.1" 500\\n', ["/readyz"])
    ('GET / 200\\n"GET /readyz HTTP/1.1" 500\\n', 1)
    """
    names = without_queries(paths)
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if not ((found := request(line)) and found.status < 300 and found.is_probe(names))]
    return "".join(kept), len(lines) - len(kept)


@dataclass(frozen=True)
class Answers:
    """How the requests in some logs were answered."""

    count: int
    """All of them except health checks, which fail while a pod starts."""
    failed: Counter[Request]
    """Those answered with a server error (5xx), with the number of each."""
    last: str
    """The time of the last of these, RFC 3339; empty if there is none."""


def answers(logs: Iterable[str], paths: Iterable[str]) -> Answers:
    """Return how the requests in some logs were answered.

    Args:
        logs: As the API server returns them with ``timestamps=true``: RFC 3339, a space, the line.
        paths: The paths that health checks request.
    """
    names, failed, last, count = without_queries(paths), Counter[Request](), "", 0
    for text in logs:
        for stamped in text.splitlines():
            stamp, _, line = stamped.partition(" ")
            found = request(line)
            if found is None or found.is_probe(names):
                continue
            count += 1
            if found.status >= 500:
                failed[found] += 1
                last = max(last, stamp)
    return Answers(count, failed, last)


def begin(logs: Iterable[str], lines: int) -> str:
    """Return the time from which all of some logs are complete, RFC 3339; empty if there are none.

    Args:
        logs: As ``answers`` takes them.
        lines: The number of lines after which a log was cut off.
    """
    firsts = [(text.partition(" ")[0], text.count("\n") >= lines) for text in logs if text]
    cut = [stamp for stamp, is_cut in firsts if is_cut]
    return max(cut) if cut else min((stamp for stamp, _ in firsts), default="")
