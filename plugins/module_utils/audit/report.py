"""The findings of an audit, and how they are reported."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from . import pods, relations
from .check import SEVERITIES, Check, Fault
from .live import Live, made_by_berth, own, title

CHECKS: tuple[Check, ...] = (*pods.CHECKS, *relations.CHECKS)
WIDTH = 88
_INDENT = 9
_VALUE = 200
"""Characters of a value that are shown."""


@dataclass(frozen=True)
class Finding:
    """One fault of one object, as reported.

    Attributes:
        check: The check's name.
        severity: One of SEVERITIES.
        object: Kind and name.
        says: What is wrong.
        path: The field.
        value: Its value, empty for none.
        why: Why that matters.
        mend: What to do.
        source: Where the rule comes from.
    """

    check: str
    severity: str
    object: str
    says: str
    path: str
    value: str
    why: str
    mend: str
    source: str


def findings(live: Live, where: Callable[[str], str], checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """Return what the checks find, the worst first; ``where`` returns the place of a variable, as ``file:line``."""
    found = [_finding(check, fault, where) for check in judging(live, checks) for fault in check.find(live)]
    return sorted(found, key=lambda each: (SEVERITIES.index(each.severity), each.object, each.path))


def judging(live: Live, checks: Iterable[Check] = CHECKS) -> list[Check]:
    """Return the checks for which all was read that they need."""
    return [check for check in checks if set(check.needs) <= live.objects.keys()]


def unjudged(live: Live, checks: Iterable[Check] = CHECKS) -> dict[str, list[str]]:
    """Return for each kind that could not be read the names of the checks that were left out."""
    found: dict[str, list[str]] = {}
    for check in checks:
        for kind in check.needs:
            if kind not in live.objects:
                found.setdefault(kind, []).append(check.name)
    return found


def _finding(check: Check, fault: Fault, where: Callable[[str], str]) -> Finding:
    value = fault.value if len(fault.value) <= _VALUE else f"{fault.value[:_VALUE]}..."
    return Finding(
        check.name,
        check.severity,
        title(fault.subject),
        check.says,
        fault.path,
        value,
        check.why,
        mend(check, fault, where),
        check.source,
    )


def mend(check: Check, fault: Fault, where: Callable[[str], str]) -> str:
    """Return what to do: with the inventory where Berth made the object or applied the manifest, else with a field of Kubernetes."""
    subject = fault.subject
    if own(subject):
        return f"in the manifests of {_placed('berth_app_objects', where)}: {check.field}"
    if not made_by_berth(subject):
        return check.field
    if check.berth:
        return check.berth.format_map({variable: _placed(variable, where) for variable in variables(check)})
    kind, name = title(subject).split(" ", 1)
    return f"{check.field}: kubectl edit {kind.lower()} {name}. Berth creates it without this fault, so it has been changed since"


def variables(check: Check) -> list[str]:
    """Return the variables of the inventory that a check names."""
    return [name for _, name, _, _ in Formatter().parse(check.berth) if name]


def _placed(variable: str, where: Callable[[str], str]) -> str:
    return f"{variable} ({where(variable)})"


def failing(found: Iterable[Finding], level: str) -> list[Finding]:
    """Return the findings of a severity or a worse one."""
    return [each for each in found if SEVERITIES.index(each.severity) <= SEVERITIES.index(level)]


def summary(environment: str, found: Sequence[Finding]) -> str:
    """Return the one line that matters most.

    >>> summary("dev", [])
    'dev: nothing found'
    """
    counts = [(severity, sum(each.severity == severity for each in found)) for severity in SEVERITIES]
    told = ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts if count)
    return f"{environment}: {told or 'nothing found'}"


def text(live: Live, found: Sequence[Finding], unread: Mapping[str, str]) -> str:
    """Return the whole report, WIDTH columns wide as far as words can be broken.

    Args:
        live: What was looked at.
        found: What was found.
        unread: Why kinds could not be read.
    """
    lines = [summary(live.environment, found), "", *_wrap("", _looked(live))]
    for alike in _alike(found):
        first = alike[0]
        lines += ["", *_wrap(first.severity, f"{first.check}: {first.says}")]
        for each in alike:
            lines += _wrap("", f"{each.object}, {each.path}" + (f": {each.value}" if each.value else " is not set"), hang=2)
        lines += [*_wrap("  why", f"{first.why}."), *_wrap("  do", f"{first.mend}.")]
    left_out = unjudged(live)
    for kind, why in unread.items():
        more = f", so not checked: {', '.join(left_out[kind])}" if kind in left_out else ""
        lines += ["", *_wrap("not read", f"{why}{more}")]
    return "\n".join(lines)


def _alike(found: Iterable[Finding]) -> list[list[Finding]]:
    """Group the findings of one check that have the same fix, in the order of their first findings."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for each in found:
        groups.setdefault((each.check, each.mend), []).append(each)
    return list(groups.values())


def _looked(live: Live) -> str:
    where = f"the namespace {live.namespace}"
    if not live.workloads():
        return f"Nothing runs in {where}, as far as this user can see."
    looked = sum(len(objects) for kind, objects in live.objects.items() if kind != "Node")
    return f"Checked {looked} objects in {where} with {len(judging(live))} checks."


def _wrap(title: str, words: str, hang: int = 0) -> list[str]:
    """Return words broken at WIDTH, with a title before the first line and the others ``hang`` columns further in."""
    first, later = f"{title:{_INDENT}}", " " * (_INDENT + hang)
    return textwrap.wrap(words, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False)
