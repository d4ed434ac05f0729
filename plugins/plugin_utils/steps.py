"""The steps of a run as a person counts them: its plays, each with its changes and its duration."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import screen

NAMED = 8
"""How many changes the summary names."""
LISTED = 3
"""How many of the things that a task changed its line names."""
THINGS = ("applied", "changed_paths", "imported", "loaded", "removed")
"""Where Berth's modules return what they changed: in lists of names, or of Kubernetes objects."""


@dataclass
class Step:
    """A play.

    Args:
        name: The play's.
        phase: The name of the file that it is in, without directory and suffix; also the phase's tag.
        began: When it began by time.monotonic(), in seconds.
        checks: Whether it only reports what it would change.
    """

    name: str
    phase: str
    began: float
    checks: bool = False
    seconds: float = 0.0
    headed: bool = False
    ran: bool = False
    failed: bool = False
    changed: list[str] = field(default_factory=list)

    def last_line(self) -> str:
        """Return the last line of a step: nothing if nothing in it ran or it failed, else the text that goes with its seconds."""
        if self.failed or not (self.ran or self.headed):
            return ""
        return f"  {changes(len(self.changed), self.checks)}" if self.headed else self.name


def phase(path: str) -> str:
    """Return the phase of a play by its location, ``FILE:LINE``."""
    return Path(path.rpartition(":")[0]).stem


def changes(number: int, checks: bool) -> str:
    """Return how many tasks changed something, or would.

    >>> changes(0, False), changes(1, True), changes(12, False)
    ('nothing changed', '1 task would change something', '12 tasks changed something')
    """
    if not number:
        return "nothing would change" if checks else "nothing changed"
    return f"{number} task{'s' * (number > 1)} {'would change' if checks else 'changed'} something"


def things(result: Mapping[str, Any]) -> str:
    """Return the first things that a task changed, from its result; nothing if the result does not say.

    >>> things({"applied": ["Deployment polls", "Service polls"]}), things({"removed": [{"kind": "CronJob", "name": "old"}]}), things({"applied": []})
    (': Deployment polls, Service polls', ': CronJob old', '')
    """
    found = [name for key in THINGS if isinstance(result.get(key), list) for name in map(_name, result[key]) if name]
    named = found if len(found) <= LISTED + 1 else [*found[:LISTED], f"and {len(found) - LISTED} more"]
    return f": {', '.join(named)}" if named else ""


def _name(thing: Any) -> str:
    if isinstance(thing, Mapping):
        return " ".join(str(thing[key]) for key in ("kind", "name") if key in thing)
    return thing if isinstance(thing, str) else ""


def summary(steps: Iterable[Step], wide: int | None) -> list[str]:
    """Return what a run of several steps changed, by the names of its tasks, and how long each of its phases took.

    Args:
        steps: The steps that have ended.
        wide: The terminal's columns, None if there is none.
    """
    steps = [step for step in steps if step.ran or step.headed]
    if len(steps) < 2:
        return []  # its own last line says it already
    checks = any(step.checks for step in steps)
    changed = [name for step in steps for name in step.changed]
    phases: dict[str, float] = {}
    for step in steps:
        phases[step.phase] = phases.get(step.phase, 0.0) + step.seconds
    room = min(wide or screen.USUAL, screen.USUAL)
    lines = [changes(len(changed), checks).capitalize() + (":" if changed else ".")]
    named = changed if len(changed) <= NAMED + 1 else changed[:NAMED]
    lines += [f"  {name}" if wide is None else screen.cut(f"  {name}", room) for name in named]
    lines += [f"  and {len(changed) - len(named)} more"] if len(named) < len(changed) else []
    if len(phases) > 1:
        took = [f"{name} {screen.duration(seconds)}".replace(" ", "\0") for name, seconds in phases.items()]
        total = f"{screen.duration(sum(phases.values()))}: {', '.join(took)}."
        lines += [line.replace("\0", " ") for line in textwrap.wrap(total, room, subsequent_indent="  ", break_long_words=False)]
    return lines
