"""Fields of our objects that cannot be changed once they exist, and what to do instead. Nothing is read from a cluster.

Kubernetes refuses some changes with an answer that names none of our variables; PostgreSQL accepts others, and the data seem to be gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .objects import dig

Object = Mapping[str, Any]
Reader = Callable[[Object], Any]

# Following it exactly results in the same data in an environment with the new value.
MOVE = (
    "back the database up (playbooks/ops/backup.yml), destroy the environment with its data (playbooks/destroy.yml -e berth_purge=true), "
    "run site.yml with the new value, and restore the backup (playbooks/ops/restore.yml)"
)


@dataclass(frozen=True)
class Fixed:
    """A field of one of our objects that stays as it was created."""

    kind: str
    name: str
    read: Reader
    """Returns the field; None if the object does not have it."""
    variable: str
    why: str


def _environment(name: str) -> Reader:
    def read(item: Object) -> Any:
        variables = dig(item, "spec", "template", "spec", "containers", 0, "env") or []
        return next((each.get("value") for each in variables if each.get("name") == name), None)

    return read


TABLE = (
    Fixed(
        "StatefulSet",
        "database",
        _environment("DATABASE_NAME"),
        "berth_database_name",
        "the app would start with an empty database next to its data",
    ),
    Fixed(
        "StatefulSet",
        "database",
        _environment("DATABASE_USER"),
        "berth_database_user",
        "the data belong to the previous user",
    ),
)


@dataclass(frozen=True)
class Problem:
    """A variable that is set to a value that cannot be applied."""

    variable: str
    live: str
    """The value that it must keep."""
    phrase: str
    """What is wrong with the new value."""


def problems(wanted: Object, live: Object | None) -> list[Problem]:
    """Return what an apply of ``wanted`` would have to change in ``live`` (None: there is none) but cannot."""
    found = []
    for row in TABLE:
        if live is not None and (row.kind, row.name) == (wanted["kind"], wanted["metadata"]["name"]):
            before, after = row.read(live), row.read(wanted)
            if None not in (before, after) and before != after:
                found.append(Problem(row.variable, before, f"is {after} but was {before}, and cannot be changed: {row.why}"))
    return found


def message(found: Iterable[Problem], locate: Callable[..., str]) -> str:
    """Return one message for variables whose values cannot be applied; ``locate`` returns the file and line that set one, "" if none does."""
    lines, ways = [], []
    for each in found:
        place = f" ({where})" if (where := locate(*each.variable.split("."))) else ""
        lines.append(f"{each.variable}{place} {each.phrase}.")
        ways.append(f"{each.variable}: {each.live}")
    return "\n".join(["This step changed nothing:", *lines, f"What to do: set {' and '.join(ways)} again, or {MOVE}."])
