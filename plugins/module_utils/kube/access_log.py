"""Read the requests that a web server answered from its log: what gunicorn, uvicorn, daphne, uWSGI, nginx and a logger's plain words write.

Everything here is a function of text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# Where the status is: in quotes and after them, in a logger's plain words, and for uWSGI at the end of what else it tells.
_REQUEST = re.compile(
    r"\b(?P<method>GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (?P<path>/\S*?)(?: HTTP/[\d.]+)?(?:\" | | => .*\(HTTP/[\d.]+ )(?P<status>[1-5]\d\d)\b"
)


@dataclass(frozen=True)
class Request:
    """One request that was answered."""

    method: str
    path: str
    """Without its query, which may hold what is nobody's business."""
    status: int

    def is_probe(self, paths: Iterable[str]) -> bool:
        """Whether it is a health check; ``paths`` are what the checks ask for, such as ``/readyz``."""
        return self.method == "GET" and self.path in {path.partition("?")[0] for path in paths}


def request(line: str) -> Request | None:
    """Return the request that a line of an access log is about, None for any other line.

    >>> request('10.244.0.1 - - [29/Nov/2026:20:00:00 +0000] "GET /polls/?page=2 HTTP/1.1" 200 412')
    Request(method='GET', path='/polls/', status=200)
    """
    match = _REQUEST.search(line)
    if not match or "://" in line[: match.start()]:  # else one that the app sent to somebody
        return None
    return Request(match["method"], match["path"].partition("?")[0], int(match["status"]))


def without_probes(text: str, paths: Iterable[str]) -> tuple[str, int]:
    """Return a log without the lines of health checks that went well, and how many there were.

    Args:
        text: As the API server gives it.
        paths: What the checks ask for, such as ``/readyz``.

    >>> without_probes('GET / 200\\n"GET /readyz HTTP/1.1" 200 OK\\n"GET /readyz HTTP/1.1" 500\\n', ["/readyz"])
    ('GET / 200\\n"GET /readyz HTTP/1.1" 500\\n', 1)
    """
    names = list(paths)
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if not ((found := request(line)) and found.status < 300 and found.is_probe(names))]
    return "".join(kept), len(lines) - len(kept)


@dataclass(frozen=True)
class Answers:
    """What the requests of a time were answered with."""

    count: int
    """All of them, without health checks, which fail while a pod starts."""
    failed: Counter[Request]
    """Those answered with an error of the server's, 5xx, by how many of each there were."""
    last: str
    """When the last of these was, RFC 3339; empty for none."""


def answers(logs: Iterable[str], paths: Iterable[str]) -> Answers:
    """Return what the requests in some logs were answered with.

    Args:
        logs: As the API server gives them with ``timestamps=true``: RFC 3339, a space, the line.
        paths: What health checks ask for.
    """
    names, failed, last, count = list(paths), Counter[Request](), "", 0
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
    """Return since when all of some logs were looked at, RFC 3339; empty for none.

    Args:
        logs: As ``answers`` takes them.
        lines: After how many a log was cut off.
    """
    firsts = [(text.partition(" ")[0], text.count("\n") >= lines) for text in logs if text]
    cut = [stamp for stamp, is_cut in firsts if is_cut]
    return max(cut) if cut else min((stamp for stamp, _ in firsts), default="")
