"""Which RDS instances belong to an environment, and which of them is in use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

SERVING = "berth:serving-since"
"""The tag with the time since when the app has used an instance (UTC): the latest one is in use. The first instance, which has the environment's
own name, needs no tag. One call changes it, so exactly one instance is in use at any time.
"""
RESTORING = "berth:restoring"
"""The tag of a restored instance until the app has switched to it: what it was restored from."""


@dataclass(frozen=True)
class Databases:
    """The instances of an environment, as RDS describes them.

    ``serving`` is the one in use, None if there is none; ``others`` are those that a restore has made or left, newest first.
    """

    serving: Mapping[str, Any] | None
    others: tuple[Mapping[str, Any], ...]

    @property
    def all(self) -> tuple[Mapping[str, Any], ...]:
        """All of them, with the one in use first."""
        return ((self.serving,) if self.serving else ()) + self.others

    def named(self, name: str) -> Mapping[str, Any] | None:
        """Return the instance called ``name``, None if there is none."""
        return next((one for one in self.all if identifier(one) == name), None)


def owner(environment: str, name: str) -> dict[str, str]:
    """Return the tags of an environment's resources, which are called ``name``."""
    return {"berth:environment": environment, "berth:name": name}


def identifier(instance: Mapping[str, Any]) -> str:
    """Return an instance's name."""
    return str(instance["DBInstanceIdentifier"])


def tags_of(resource: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of an instance or a snapshot, as RDS describes it."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("TagList") or []}


def restored(name: str, instance: str) -> bool:
    """Whether an instance has the name of one that was restored for the environment whose own name is ``name``.

    >>> restored("polls-prod", "polls-prod-r01"), restored("polls-prod", "polls-prod-replica")
    (True, False)
    """
    return re.fullmatch(rf"{re.escape(name)}-r\d\d", instance) is not None


def databases(described: Sequence[Mapping[str, Any]], environment: str, name: str) -> Databases:
    """Return an environment's own instances: the one that has its name, and restored ones with its tags.

    Args:
        described: As RDS describes them.
        environment, name: The environment's name, and that of its resources.
    """
    wanted = owner(environment, name).items()
    mine = [one for one in described if identifier(one) == name or (restored(name, identifier(one)) and wanted <= tags_of(one).items())]
    used = sorted((one for one in mine if identifier(one) == name or SERVING in tags_of(one)), key=lambda one: (tags_of(one).get(SERVING, ""), identifier(one)))
    serving = used[-1] if used else None
    return Databases(serving, tuple(sorted((one for one in mine if one is not serving), key=identifier, reverse=True)))


def serving_since(now: datetime, found: Databases) -> str:
    """Return the value of :data:`SERVING` for an instance that is used from now on: later than all others, whatever this machine's clock says.

    >>> serving_since(datetime(2027, 3, 27, 12, 0, 5), Databases(None, ()))
    '2027-03-27T12:00:05Z'
    """
    latest = max((tags_of(one).get(SERVING, "") for one in found.all), default="")
    mine = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    return mine if mine > latest else f"{datetime.strptime(latest, '%Y-%m-%dT%H:%M:%SZ').replace(tzinfo=UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"


def never_used(instance: Mapping[str, Any]) -> bool:
    """Whether an instance was restored but the app never switched to it, or is still being created: its source has its data, too."""
    tags = tags_of(instance)
    return instance["DBInstanceStatus"] == "creating" or (RESTORING in tags and SERVING not in tags)


def final_name(name: str, now: datetime) -> str:
    """Return the name, in UTC, of the final snapshot of an instance that is removed now.

    >>> final_name("polls-prod", datetime(2027, 3, 27, 12, 0, 5))
    'polls-prod-final-20270327120005'
    """
    return f"{name}-final-{now:%Y%m%d%H%M%S}"
