"""What the tests and their fixtures speak of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Superuser:
    """Who may use the admin."""

    name: str
    password: str = field(repr=False)
