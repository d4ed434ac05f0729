"""Lines as a person's screen takes them, and the one line that is written again and again while a task runs.

Where standard output is no terminal there is no such line, and no control character.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from ansible.utils.display import Display, get_text_width

from ..module_utils import terminal

USUAL = 80
"""Columns of a screen that does not say how wide it is."""
COLOUR = "(?:\x1b\\[[0-9;]*m)"


def columns(descriptor: int = 1) -> int | None:
    """Return how many columns the terminal has, by default that of standard output; None where there is no terminal."""
    try:
        return os.get_terminal_size(descriptor).columns or USUAL
    except OSError:
        return None


def rewrites(environment: Mapping[str, str]) -> bool:
    """Whether a line can be written over: not where what is printed is kept (CI), nor where a terminal says that it cannot (TERM)."""
    return columns() is not None and environment.get("CI", "") in ("", "false", "0") and environment.get("TERM", "dumb") != "dumb"


def one_line(text: str) -> str:
    """Return a text from outside in one line, with nothing in it that a terminal obeys."""
    return " ".join(terminal.shown(text).split())


def cut(text: str, room: int) -> str:
    """Return a line that is at most ``room`` columns wide.

    >>> cut("Wait until PostgreSQL answers", 12)
    'Wait unti...'
    """
    if get_text_width(text) <= room:
        return text
    kept = text[: max(0, room - 3)]
    while kept and get_text_width(kept) > room - 3:  # where characters are two columns wide
        kept = kept[:-1]
    return (kept + "...")[: max(0, room)]


def duration(seconds: float) -> str:
    """Return how long something took.

    >>> duration(0.44), duration(27.1), duration(372)
    ('0.4 s', '27 s', '6 min 12 s')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def row(text: str, seconds: float, wide: int | None) -> str:
    """Return a line with its seconds at the right of the usual screen.

    Args:
        text: What took so long. What does not fit is cut off on a terminal, and only there.
        seconds: How long.
        wide: The terminal's columns, None where there is none.
    """
    took = duration(seconds)
    room = min(wide or USUAL, USUAL) - len(took) - 1
    text = text if wide is None else cut(text, room)
    return f"{text}{' ' * max(1, room + 1 - get_text_width(text))}{took}"


def recap(text: str, wide: int) -> str:
    """Return a line of Ansible's recap, with or without its colours, that fits a terminal: without padding, and counts of nothing go before it is too wide.

    What ``changed=`` and ``failed=`` say stays.
    """
    text = re.sub(" +", " ", re.sub(" +(\x1b\\[0m)", r"\1 ", text)).rstrip()
    for count in ("ignored=0", "rescued=0", "skipped=0"):
        if get_text_width(re.sub(COLOUR, "", text)) > wide:
            text = text.replace(f" {count}", "")
    return text


class StatusLine:
    """The last line of a terminal, which says what is under way, and goes before anything else is printed.

    It is Ansible's own process's: what its workers print reaches that process first.
    """

    def __init__(self) -> None:
        self.brief = False
        """Whether the output is for a person, with a screen or without."""
        self.open = False
        """Whether there is such a line."""
        self._wide = 0
        self._process = 0

    def begin(self) -> None:
        """Have a line from now on, if the screen can have one."""
        self._process, self.brief = os.getpid(), True
        self.open = rewrites(os.environ)
        atexit.register(self.end)

    def end(self) -> None:
        """Have none any more."""
        self.erase()
        self.open = False

    def show(self, text: str, seconds: float) -> None:
        """Write over what was there; what does not fit of the text is cut off, its seconds are not."""
        with Display()._lock:  # also held where Ansible makes a process: none inherits half a line
            if self.open and os.getpid() == self._process:
                took = f" ({seconds:.0f} s)"
                text = cut(f"  ... {one_line(text)}", (columns() or USUAL) - 1 - len(took)) + took
                wide = get_text_width(text)
                self._write("\r" + text + " " * (self._wide - wide))
                self._wide = wide

    def erase(self) -> None:
        """Leave an empty line."""
        if self._wide and os.getpid() == self._process:
            with Display()._lock:
                self._write("\r" + " " * self._wide + "\r")
                self._wide = 0

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


STATUS = StatusLine()


class Fitting:
    """Ansible's display, with lines for the screen only made to fit it."""

    def __init__(self, display: Any, wide: int) -> None:
        self._display, self._wide = display, wide

    def __getattr__(self, name: str) -> Any:
        return getattr(self._display, name)

    def display(self, msg: str, *rest: Any, screen_only: bool = False, **how: Any) -> None:
        """Display a line."""
        self._display.display(recap(msg, self._wide) if screen_only else msg, *rest, screen_only=screen_only, **how)
