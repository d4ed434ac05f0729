"""The first inventory of a project while it is being written: its variables, their comments, and both as YAML."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

WIDTH = 150  # columns of a comment


@dataclass
class Draft:
    """An inventory that is being written.

    Attributes:
        known: The variables of this version of Berth, with their specification.
        parts: The lines of each section, by heading.
        settings: Environment variables, each with its comment; the same for ``secrets``.
        asked: The variables that somebody has to fill in before the first run.
        needs: Changes that the project needs, as comments.
    """

    known: Mapping[str, Any]
    parts: dict[str, list[str]] = field(default_factory=dict)
    settings: dict[str, tuple[str, str]] = field(default_factory=dict)
    secrets: dict[str, tuple[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)

    def set(self, part: str, name: str, value: Any, why: str = "") -> bool:
        """Set a variable if this version of Berth has it, and return whether it does."""
        if name in self.known:
            self.parts.setdefault(part, []).extend([*comment(why), dumped(name, value)])
        return name in self.known

    def takes(self, name: str, word: str) -> bool:
        """Whether this version of Berth has a variable whose specification contains a word."""
        return word in str(self.known.get(name, ""))

    def say(self, part: str, text: str) -> None:
        """Write a comment."""
        self.parts.setdefault(part, []).extend(comment(text))


def comment(text: str) -> list[str]:
    """Return the lines of a comment."""
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)]


def dumped(name: str, value: Any) -> str:
    """Return a variable as YAML; a mapping of mappings has one line per entry.

    >>> dumped("berth_app_processes", {"worker": {"command": ["celery", "worker"]}})
    'berth_app_processes:\\n  worker: {command: [celery, worker]}'
    """
    if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
        return "\n".join([f"{name}:", *(f"  {key}: {flow(one)}" for key, one in value.items())])
    return f"{name}: {flow(value)}"


def flow(value: Any) -> str:
    """Return a value as YAML on one line; a string with a template is in double quotes."""
    if isinstance(value, str):
        return quoted(value) if "{{" in value else yaml.safe_dump(value, width=10**6, allow_unicode=True).removesuffix("\n...\n").rstrip("\n")
    return yaml.safe_dump(value, sort_keys=False, width=10**6, default_flow_style=True, allow_unicode=True).removesuffix("\n...\n").rstrip("\n")


def placeholder(made: Draft, name: str, why: str) -> tuple[str, str]:
    """Return a value that preflight refuses with the variable's name, and no comment."""
    made.asked.append(name)
    return "{{ undef(hint='write the value of " + name + " here, " + why + "') }}", ""


def generated(name: str) -> str:
    """Return the value of a secret that the first run generates."""
    return f"{{{{ lookup('berth.platform.generated_secret', berth_secrets_directory ~ '/{name.lower()}') }}}}"


def quoted(value: str) -> str:
    """Return a string in double quotes, because an environment variable is never a number."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
