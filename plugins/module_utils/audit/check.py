"""What a check of an audit is: data, and a function that looks at live objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .live import Live

Object = Mapping[str, Any]

SEVERITIES = ("error", "warning", "note")
"""From the worst on."""
ERROR, WARNING, NOTE = SEVERITIES
UNSHOWN = "(not shown)"
"""Stands for a value that may be a secret."""


@dataclass(frozen=True)
class Fault:
    """Where a check has found something.

    Attributes:
        subject: The object.
        path: The field.
        value: What it has; never a value that may be secret. Empty for a field that is not there.
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
        field: How it is mended in Kubernetes' terms.
        berth: How it is mended where Berth made the object, with each variable in braces; empty where Berth has none, for then somebody changed the object.
        source: Where the rule comes from.
        needs: The kinds without which it cannot judge.
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
    """Make a check of the function below, which gives it its name."""
    return lambda find: Check(find.__name__.replace("_", "-"), severity, says, why, field, berth, source, needs, find)
