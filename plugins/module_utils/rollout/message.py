"""The message about a finding: what is wrong, the evidence, and what to do."""

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
PAGE_RAISES = "What it raises, by its whole log or by asking for the page in the pod:"


def best(findings: Iterable[Finding]) -> Finding | None:
    """Return the finding that explains best why a workload is not complete; one that is more than a deadline."""
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
    """Make the one message of a failed rollout.

    Args:
        state: As in Verdict.state.
        finding: What is wrong.
        namespace: Of the workload.
        headline: Put before what is wrong, e.g. that the time is over.
        log_lines: The container's last lines.
        events: Of the pod or the workload, the latest first.
        workload: As read, for advice that depends on what it is.
        symptom: What the log says, or the traceback.
        raised: The traceback of the page that a probe asks for, where the last log lines have none.
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
    way = "Mend what the page raises." if raised else advice_of(finding, workload or {})
    lines.append(f"What to do: {symptom.advice if symptom else way}")
    return "\n".join(lines)


_BY_LOG = ("crash", "ended", "readiness", "liveness", "job", "job-deadline")


def symptom_of(finding: Finding, lines: Sequence[str], workload: Object) -> Symptom | None:
    """Return what a log says about a finding that only the log explains; None where it says nothing that is known, or the finding is plain."""
    if finding.container == checks.CONTAINER and (report := checks.read(lines)):
        return checks.symptom(report)
    erring = finding.cause == "answer" and STATUS.search(finding.message) and finding.grace == ERRORS
    if finding.cause in _BY_LOG or erring:
        return symptoms.of_log(lines, advised(workload, "{command}"))
    return None


def folded(lines: Iterable[str]) -> list[str]:
    """Return lines with those that follow each other and are the same as one.

    >>> folded(["Not Found: /readyz", "Not Found: /readyz", "ok"])
    ['Not Found: /readyz (2 times)', 'ok']
    """
    counted = [(line, sum(1 for _ in same)) for line, same in itertools.groupby(lines)]
    return [f"{line} ({count} times)" if count > 1 and line else line for line, count in counted]


def event_lines(events: Iterable[Object], known: str = "") -> list[str]:
    """Return the latest warnings as lines: each message once, whatever names it quotes, and none that is known."""
    lines: list[str] = []
    told = {_shape(known)}
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
