"""Values with braces: which are templates, and which lead whom to write !unsafe."""

from __future__ import annotations

import pytest
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import templates


@pytest.mark.parametrize(
    "text",
    [
        "{{ vault_password }}",
        "{{ inventory_dir | dirname }}/x",
        "postgres://{{ user }}:{{ vault_password }}@host",
        "{{ lookup('ansible.builtin.file', inventory_dir ~ '/secret') }}",
        "{{ x | from_an_unknown_filter }}",
        "{{ x is of_an_unknown_test }}",
        "{% if x %}a{% else %}b{% endif %}",
        "{{- x -}}",
        "{{\n  x\n}}",
        "{{ {'a': {}} }}",
        "{{ a + }}",
        "no braces",
    ],
)
def test_what_is_written_as_templates_are_is_meant(text: str) -> None:
    assert templates.is_meant(text)


@pytest.mark.parametrize("text", ["a{#b", "a{{b", "a{%b", "{%d}", "a{{b}}c", "{{}}", "{{ a }", "{{{ a }}}", "%{{%}}", "{{ a }}{{b}}"])
def test_what_nobody_writes_as_a_template_is_not(text: str) -> None:
    assert not templates.is_meant(text)


COMMENTS = [("a{# b #}c", True), ("{##}", True), ("{{ a }}{# b #}", False), ("{% raw %}{#{% endraw %}", False), ("a#b", False)]


@pytest.mark.parametrize(("text", "comment"), COMMENTS)
def test_a_comment_alone_makes_a_template_of_nothing_that_was_meant(text: str, comment: bool) -> None:
    assert templates.is_comment(text) == comment


NAMES = [("{{ a.b ~ c['d'] }}{% if e %}{% endif %}", {"a", "c", "e"}), ("{{ 'a' }}", set()), ("a{#b", set()), ("{{ a | x }}", {"a"})]


@pytest.mark.parametrize(("text", "found"), NAMES)
def test_the_variables_of_a_template_are_known_where_it_can_be_parsed(text: str, found: set[str]) -> None:
    assert templates.names(text) == found
