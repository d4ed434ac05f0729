"""What a log says: the data, and what the explanations of symptoms.py and services.py share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NOT_OWN = re.compile(r"/(?:site|dist)-packages/|/lib/python3")
"""Parts of the path of a file of Python or of its packages."""
REQUIREMENTS = "the project's requirements (and its lock file)"
"""Where a package that is missing is added."""


@dataclass(frozen=True)
class Symptom:
    """What a log says."""

    cause: str
    """A keyword for programs: module, library, writable, setting, ..."""
    summary: str
    """What is wrong, as half a sentence."""
    advice: str
    """What to do, in sentences."""


Explain = Callable[[re.Match[str], Sequence[str], str], Symptom | None]
"""Explains a line that matches a pattern; it gets the match, the log up to that line, and how the inventory names the container's command."""


def fixed(cause: str, summary: str, advice: str) -> Explain:
    """Return an explanation that always has the same words; those in braces are the match's groups, and ``{variable}`` the container's command."""

    def explain(match: re.Match[str], _lines: Sequence[str], command: str) -> Symptom:
        words = {**match.groupdict(), "variable": command}
        return Symptom(cause, summary.format(**words), advice.format(**words))

    return explain


def place(lines: Sequence[str]) -> str:
    """Return the last place in the project that a traceback names, in parentheses, to follow what is wrong; "" for none.

    >>> place(['  File "/code/shop/views.py", line 7, in index', '  File "/usr/lib/python3.12/json/decoder.py", line 9, in decode'])
    ' (/code/shop/views.py:7)'
    """
    found = [match for line in lines if (match := re.search(r'File "(/[^"]+)", line (\d+)', line))]
    own = [match for match in found if not NOT_OWN.search(match[1]) and not match[1].endswith("/manage.py")]
    return f" ({own[-1][1]}:{own[-1][2]})" if own else ""
