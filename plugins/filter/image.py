"""How old an image may be, and which user it runs as."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from ..module_utils.image import user

DOCUMENTATION = """
name: image_period
short_description: The day since which the parts of images count as new
description:
  - Divides time into periods of so many days, the same everywhere. Returns the first day of the current period in UTC, such as C(2026-10-31).
  - Everyone who builds the same source within a period gets the same image. When the next period begins, everyone rebuilds it.
options:
  _input: {description: "Days, 0 for never.", type: int, required: true}
"""


def image_period(days: int | str, today: date | None = None) -> str:
    """Return the first day of the period of ``days`` days in which ``today`` is, as ``YYYY-MM-DD``; "" for 0 days.

    >>> image_period(30, date(2026, 11, 28))
    '2026-10-31'
    """
    if int(days) == 0:
        return ""
    today = today or datetime.now(UTC).date()
    return (today - timedelta(days=today.toordinal() % int(days))).isoformat()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"image_period": image_period, "user_problem": user.problem}
