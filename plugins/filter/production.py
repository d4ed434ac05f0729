"""Whether an environment is production."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..module_utils.environments import environments

DOCUMENTATION = """
name: is_production
short_description: Whether one of an environment's names says that it is production
description:
  - True if a word of a name does, such as C(prod) in C(polls-prod). The audit uses the same rule.
options:
  _input: {description: "Names, such as those of the environment and its namespace.", type: list, elements: str, required: true}
"""


def is_production(names: Iterable[str]) -> bool:
    """Whether one of the names says so.

    >>> is_production(["dev", "polls-dev"]), is_production(["live", "polls-prod"]), is_production(["products"])
    (False, True, False)
    """
    return "production" in environments(names)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., bool]]:
        """Return them by name."""
        return {"is_production": is_production}
