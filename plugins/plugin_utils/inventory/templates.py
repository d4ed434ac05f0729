"""Analyse Jinja templates by their text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
import jinja2.nodes

# Templates that people write have spaces inside their braces. The {{b}} of a password, such as a{{b}}c, has none.
WRITTEN = re.compile(r"(?<!\{)\{\{[-+]?\s.*?\}\}|\{%[-+]?\s.*?%\}|\{#.*?#\}", re.DOTALL)


def names(text: str) -> set[str]:
    """Return the variables that a template reads; none if it cannot be parsed."""
    try:
        tree = jinja2.Environment(extensions=["jinja2.ext.do"]).parse(text)
    except jinja2.TemplateSyntaxError:
        return set()
    return {node.name for node in tree.find_all(jinja2.nodes.Name) if node.ctx == "load"}


def is_meant(text: str) -> bool:
    """Whether a text that Ansible treats as a template looks like an intended one, and not like a value that happens to have braces."""
    return not re.search(r"\{[{%#]", WRITTEN.sub("", text))


def is_comment(text: str) -> bool:
    """Whether a text is a template only because of a comment, which is never intended in a value."""
    return "{#" in text and "{{" not in text and "{%" not in text


def leaves(path: tuple[Any, ...], value: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the leaves of nested mappings and lists, each with its path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves((*path, key), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves((*path, number), inner)
    else:
        yield path, value
