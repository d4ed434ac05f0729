"""A check of an audit: data, and a function that inspects live objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .live import Live

Object = Mapping[str, Any]

SEVERITIES = ("error", "warning", "note")
"""Worst first."""
ERROR, WARNING, NOTE = SEVERITIES
UNSHOWN = "(not shown)"
"""Stands for a value that may be a secret."""


@dataclass(frozen=True)
class Fault:
    """A place where a check found something.

    Attributes:
        subject: The object.
        path: The field.
        value: Its value; never one that may be secret. Empty for a missing field.
    """

    subject: Object
    path: str
    value: str = ""


@dataclass(frozen=True)
class Check:
    """One rule.

    Attributes:
        name: A short name for people to talk about it.
        severity: One of SEVERITIES.
        says: What is wrong with the object.
        why: Why that matters, in one sentence.
        field: How to fix it in Kubernetes' terms.
        berth: How to fix it if Berth created the object, with each variable in braces; empty if Berth has none, because then somebody changed the object.
        source: Where the rule comes from.
        needs: The kinds that it needs to judge.
        find: Returns the faults.
    """

    name: str
    severity: str
    says: str
    why: str
    field: str
    berth: str
    source: str
    needs: tuple[str, ...]
    find: Callable[[Live], Iterator[Fault]]


def check(
    severity: str, source: str, says: str, why: str, field: str, berth: str = "", needs: tuple[str, ...] = ()
) -> Callable[[Callable[[Live], Iterator[Fault]]], Check]:
    """Turn the decorated function into a check, which takes its name."""
    return lambda find: Check(find.__name__.replace("_", "-"), severity, says, why, field, berth, source, needs, find)
