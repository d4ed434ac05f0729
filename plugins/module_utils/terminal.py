"""Text from outside in a form that is safe to show in a terminal: pod logs, events, servers' answers, build output."""

from __future__ import annotations

import re

# What a terminal obeys instead of showing it: the C0 control characters except tab and newline, DEL, and those of C1, with which escape
# sequences begin (ECMA-48); and what reverses the order of characters or hides them (https://trojansource.codes/, UAX #9): direction marks and
# overrides, line separators, annotations, and tags.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")


def shown(text: str) -> str:
    r"""Return the text with everything that a terminal would obey escaped, as Python escapes it in a string.

    >>> shown("\x1b[31mred\r\n\tand a right-to-left \u202eoverride")
    '\\x1b[31mred\n\tand a right-to-left \\u202eoverride'
    """
    return OBEYED.sub(_written_out, text.replace("\r\n", "\n"))


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
