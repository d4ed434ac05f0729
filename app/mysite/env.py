"""Reads settings from environment variables. Errors name the variable."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None, *, why: str = "") -> str:
    """Return the variable, or the default if it is unset or empty.

    Args:
        name: the environment variable, such as ``DATABASE_NAME``.
        default: the value of an unset variable; None makes the variable required.
        why: the end of the message about a missing required variable.

    Raises:
        ImproperlyConfigured: the variable is required and is not set.
    """
    value = os.environ.get(name) or default
    if value is None:
        raise ImproperlyConfigured(f"The environment variable {name} is not set{why and f': {why}'}.")
    return value


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    """Return the variable, which must be one of ``choices``.

    Raises:
        ImproperlyConfigured: the value is not one of them.
    """
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"The environment variable {name} is {value!r}: it has to be one of {', '.join(choices)}.")
    return value


def flag(name: str) -> bool:
    """Return whether the variable is 1; unset and 0 are False.

    Raises:
        ImproperlyConfigured: the value is neither 0 nor 1, so that "true" does not silently mean off.
    """
    return choice(name, "0", ("0", "1")) == "1"


def words(name: str, default: str = "") -> list[str]:
    """Return the comma-separated variable as a list, without blanks."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Return the comma-separated variable as networks, each written as 192.0.2.0/24.

    Raises:
        ImproperlyConfigured: one of them is not a network.
    """
    try:
        return [ip_network(word, strict=False) for word in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"The environment variable {name} is wrong: {error}.") from error


def count(name: str) -> int:
    """Return the variable as a count, by default 0.

    Raises:
        ImproperlyConfigured: the value is not an integer from 0 to 9.
    """
    return int(choice(name, "0", [str(number) for number in range(10)]))


def port(name: str, default: int) -> int:
    """Return the variable as a TCP port.

    Raises:
        ImproperlyConfigured: the value is not an integer from 1 to 65535.
    """
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
        raise ImproperlyConfigured(f"The environment variable {name} is {value!r}: it has to be a port, 1 to 65535.")
    return int(value)
