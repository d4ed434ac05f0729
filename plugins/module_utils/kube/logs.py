"""Make container log lines readable: JSON becomes text, control characters are removed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

# Different loggers' names for the same thing: Python's, structlog's, zap's, pino's, bunyan's and ECS's.
TIME = ("time", "timestamp", "@timestamp", "ts", "asctime")
LEVEL = ("level", "levelname", "severity", "log.level")
LOGGER = ("logger", "log.logger")
MESSAGE = ("message", "msg", "event")
TRACE = ("exception", "exc_info", "traceback", "stack", "stacktrace", "error.stack_trace")

_INDENT = "    "  # of a traceback
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def readable(line: str) -> list[str]:
    """Return a log line as lines of text: a JSON object as level, logger, message, the other fields, then its traceback.

    >>> readable('{"level": "ERROR", "logger": "django", "message": "no", "status": 500}')
    ['ERROR django: no (status=500)']
    """
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or not any(entry.get(name) is not None for name in MESSAGE):
        return [_clean(line)]
    fields = dict(entry)
    _take(fields, TIME)  # the caller has the kubelet's
    level, logger, message, trace = (_take(fields, names) for names in (LEVEL, LOGGER, MESSAGE, TRACE))
    head = " ".join(part for part in (level, f"{logger}:" if logger else "", message) if part)
    # Fields that the message already contains, such as the path of an access line, are not repeated.
    rest = [f"{name}={_value(value)}" for name, value in fields.items() if _value(value) not in message.split()]
    lines = f"{head} ({', '.join(rest)})" if rest else head
    return [_clean(text) for text in lines.splitlines()] + [f"{_INDENT}{_clean(text)}" for text in trace.splitlines()]


def plain(line: str) -> list[str]:
    """Return a log line as ``readable`` does, with a traceback as Python prints it.

    >>> plain('{"message": "no", "exception": "Traceback (most recent call last):\\\\nKeyError: 1"}')
    ['no', 'Traceback (most recent call last):', 'KeyError: 1']
    """
    first, *rest = readable(line) or [""]
    return [first, *(each.removeprefix(_INDENT) for each in rest)]


def merged(logs: Mapping[str, str], lines: int) -> list[str]:
    """Return the last lines of several logs, sorted by time, each with its time and its source.

    Args:
        logs: By the name of the source, as the API server returns them with ``timestamps=true``: RFC 3339, a space, the line.
        lines: How many lines in total, before JSON becomes text.
    """
    found: list[tuple[str, int, str, str]] = []
    for source, text in logs.items():
        for number, stamped in enumerate(text.splitlines()):
            stamp, _, line = stamped.partition(" ")
            found.append((stamp, number, source, line))
    width = max((len(source) for source in logs), default=0)
    told = []
    for stamp, _number, source, line in sorted(found)[-lines:]:
        told += [f"{stamp[:10]} {stamp[11:19]} {source:<{width}} {text}" for text in readable(line)]
    return told


def short_names(pods: Iterable[str]) -> dict[str, str]:
    """Return for each pod the end of its name that distinguishes it from the others, which its controller generated.

    >>> short_names(["polls-5d4f-abcde", "polls-5d4f-fghij", "database-0"])
    {'polls-5d4f-abcde': 'abcde', 'polls-5d4f-fghij': 'fghij', 'database-0': 'database-0'}
    """
    names = list(pods)
    ends = {name: name if (end := name.rpartition("-")[2]).isdecimal() else end for name in names}
    return ends if len(set(ends.values())) == len(names) else {name: name for name in names}


def _take(fields: dict[str, Any], names: Iterable[str]) -> str:
    for name in names:
        if fields.get(name) not in (None, ""):
            return _value(fields.pop(name))
    return ""


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _clean(text: str) -> str:
    """Return ``text`` without what a terminal would act upon."""
    return _CONTROL.sub("", text).rstrip()
