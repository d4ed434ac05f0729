"""Resource requests and limits of containers."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Any

from ..formats import UNITS, quantity

Resources = dict[str, dict[str, Any]]
"""The ``requests`` and ``limits`` of a container, quantities by resource."""


def with_resources(default: Resources, given: Resources) -> Resources:
    """Return ``default`` overridden by what is ``given``. The rest follows: a limit is at least the request, a request at most the limit.

    >>> with_resources({"requests": {"memory": "128Mi"}, "limits": {"memory": "256Mi"}}, {"requests": {"memory": "512Mi"}})
    {'requests': {'memory': '512Mi'}, 'limits': {'memory': '512Mi'}}
    """
    found = {kind: {**default.get(kind, {}), **(given.get(kind) or {})} for kind in ("requests", "limits")}
    for name in found["requests"].keys() & found["limits"].keys():
        request, limit = found["requests"][name], found["limits"][name]
        if number(request) > number(limit):
            if name in (given.get("limits") or {}):
                found["requests"][name] = limit
            else:
                found["limits"][name] = request
    return found


def number(value: Any) -> Decimal:
    """Return the number of a value that is known to be a quantity."""
    return quantity(value) or Decimal(0)


def shown(value: Decimal, key: str) -> str:
    """Return an amount of a resource or of a quota's ``key`` in the usual notation, rounded up.

    >>> shown(Decimal(2) ** 30 * 9 + 1, "limits.memory"), shown(Decimal("1.5"), "requests.cpu"), shown(Decimal(3), "pods")
    ('9217Mi', '1500m', '3')
    """
    if re.search(r"(memory|storage|hugepages-\w+)$", key):
        unit = "Gi" if value % UNITS["Gi"] == 0 else "Mi"
        return f"{(value / UNITS[unit]).to_integral_value(ROUND_CEILING)}{unit}"
    return str(int(value)) if value == value.to_integral_value() else f"{(value * 1000).to_integral_value(ROUND_CEILING)}m"
