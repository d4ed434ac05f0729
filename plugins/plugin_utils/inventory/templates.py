"""What can be known of a template (Jinja) from its text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
import jinja2.nodes

# What people write as a template has spaces within its braces; the {{b}} of a password, such as a{{b}}c, has none.
WRITTEN = re.compile(r"(?<!\{)\{\{[-+]?\s.*?\}\}|\{%[-+]?\s.*?%\}|\{#.*?#\}", re.DOTALL)


def names(text: str) -> set[str]:
    """Return the variables that a template reads; none where it cannot be parsed."""
    try:
        tree = jinja2.Environment(extensions=["jinja2.ext.do"]).parse(text)
    except jinja2.TemplateSyntaxError:
        return set()
    return {node.name for node in tree.find_all(jinja2.nodes.Name) if node.ctx == "load"}


def is_meant(text: str) -> bool:
    """Whether a text that Ansible takes for a template looks as people write one, so that it is no value with braces of its own."""
    return not re.search(r"\{[{%#]", WRITTEN.sub("", text))


def is_comment(text: str) -> bool:
    """Whether all that makes a text a template is a comment, which nobody writes into a value on purpose."""
    return "{#" in text and "{{" not in text and "{%" not in text


def leaves(path: tuple[Any, ...], value: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield what is within nested mappings and lists that is neither, each with its path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves((*path, key), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves((*path, number), inner)
    else:
        yield path, value
