"""The location of the app's source."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.image import checkout


def checked(source: str) -> str:
    """Return a source after checking it.

    Raises:
        AnsibleFilterError: Something is wrong with it.
    """
    if wrong := checkout.source_problem(source):
        raise AnsibleFilterError(f"{checkout.SOURCE} {wrong}.")
    return source


def source_directory(source: str, environment: str) -> str:
    """Return the directory of a source: the source itself, or an environment's checkout of the repository.

    >>> source_directory("../shop", "dev")
    '../shop'
    """
    return checkout.directory(checked(source), environment)


def source_repository(source: str) -> str:
    """Return the address of a source that is a repository, "" for a directory.

    >>> source_repository("../shop"), source_repository("git@example.com:acme/shop.git")
    ('', 'git@example.com:acme/shop.git')
    """
    return source if checkout.is_repository(checked(source)) else ""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {f.__name__: f for f in (source_directory, source_repository)}
