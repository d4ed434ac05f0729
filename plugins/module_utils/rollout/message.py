"""The message for a finding: what is wrong, the evidence, and what to do."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..kube.objects import Object, dig
from . import checks, symptoms
from .advice import advice_of, advised
from .model import ERRORS, Finding
from .pods import STATUS
from .reading import first_line
from .symptoms import Symptom

_LINE = 1000  # characters of a line in a message: a log line of JSON may hold a whole traceback
_EVENTS = 3
PAGE_RAISES = "What the page raises, from the full log or from a request in the pod:"


def best(findings: Iterable[Finding]) -> Finding | None:
    """Return the finding that best explains why a workload is not complete; any other finding explains more than a deadline."""
    found = list(findings)
    return next((finding for finding in found if finding.cause != "deadline"), found[0] if found else None)


def describe(
    state: Mapping[str, Any],
    finding: Finding,
    namespace: str,
    headline: str = "",
    log_lines: Sequence[str] = (),
    events: Sequence[Object] = (),
    workload: Object | None = None,
    symptom: Symptom | None = None,
    raised: Sequence[str] = (),
) -> str:
    """Return the message of a failed rollout.

    Args:
        state: Verdict.state.
        finding: What is wrong.
        namespace: The workload's namespace.
        headline: Comes before what is wrong, e.g. that the wait timed out.
        log_lines: The container's last lines.
        events: The events of the pod or the workload, latest first.
        workload: The workload as read, for advice that depends on its kind.
        symptom: What the log says, or the traceback.
        raised: The traceback of the page that a probe requests, if the last log lines have none.
    """
    summary = f"{finding.summary}: {symptom.summary}" if symptom else finding.summary
    lines = [f"{headline}: {summary[0].lower()}{summary[1:]}." if headline else f"{summary}."]
    where = [f"{state['kind']} {state['name']} in namespace {namespace}"]
    if finding.pod:
        where.append(f"pod {finding.pod}")
    if finding.container:
        where.append(f"container {finding.container}")
    lines.append(f"{', '.join(where)}: {finding.reason}")
    if finding.message and first_line(finding.message) not in finding.summary:
        lines += [f"  {_clip(line)}" for line in finding.message.strip().splitlines()[-5:]]
    if log_lines:
        lines.append("Last log lines" + (" (of the run that crashed):" if finding.log == "previous" else ":"))
        lines += [f"  {line}" for line in folded(map(_clip, log_lines))]
    if raised:
        lines += [PAGE_RAISES, *(f"  {_clip(line)}" for line in raised)]
    told = event_lines(events, known=finding.message)
    if told:
        lines.append("Events:")
        lines += [f"  {line}" for line in told]
    way = "Fix the error that the page raises." if raised else advice_of(finding, workload or {})
    lines.append(f"What to do: {symptom.advice if symptom else way}")
    return "\n".join(lines)


_BY_LOG = ("crash", "ended", "readiness", "liveness", "job", "job-deadline")


def symptom_of(finding: Finding, lines: Sequence[str], workload: Object) -> Symptom | None:
    """Return what a log says about a finding that only the log explains; None if it says nothing known, or the finding explains itself."""
    if finding.container == checks.CONTAINER and (report := checks.read(lines)):
        return checks.symptom(report)
    erring = finding.cause == "answer" and STATUS.search(finding.message) and finding.grace == ERRORS
    if finding.cause in _BY_LOG or erring:
        return symptoms.of_log(lines, advised(workload, "{command}"))
    return None


def folded(lines: Iterable[str]) -> list[str]:
    """Return the lines with consecutive duplicates merged into one.

    >>> folded(["Not Found: /readyz", "Not Found: /readyz", "ok"])
    ['Not Found: /readyz (2 times)', 'ok']
    """
    counted = [(line, sum(1 for _ in same)) for line, same in itertools.groupby(lines)]
    return [f"{line} ({count} times)" if count > 1 and line else line for line, count in counted]


def event_lines(events: Iterable[Object], known: str = "") -> list[str]:
    """Return the latest warnings as lines: each message once, regardless of the names in it, without the one already known."""
    lines: list[str] = []
    told = {_shape(each) for each in (known, *known.splitlines())}
    for event in events:
        said = " ".join(str(event.get("message") or "").split())
        shape = _shape(said)
        if event.get("type") != "Warning" or shape in told:
            continue
        told.add(shape)
        count = dig(event, "series", "count") or event.get("count") or 1
        lines.append(_clip(f"{event.get('reason')}: {said}" + (f" ({count} times)" if count > 1 else "")))
    return lines[:_EVENTS]


def _shape(said: str) -> str:
    return re.sub(r'"[^"]*"', "", " ".join(said.split()))


def _clip(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= _LINE else f"{line[:_LINE]}..."
