"""Lines that fit a person's screen, and the one line that is rewritten again and again while a task runs.

If standard output is not a terminal, there is no such line, and there are no control characters.
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
    """Return how many columns the terminal has, by default that of standard output; None if there is no terminal."""
    try:
        return os.get_terminal_size(descriptor).columns or USUAL
    except OSError:
        return None


def rewrites(environment: Mapping[str, str]) -> bool:
    """Whether a line can be overwritten: not if the output is kept (CI), nor if the terminal says that it cannot (TERM)."""
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
    while kept and get_text_width(kept) > room - 3:  # some characters are two columns wide
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
    """Return a line with its seconds at the right edge of a standard screen.

    Args:
        text: What took so long. On a terminal, and only there, it is cut off if it does not fit.
        seconds: How long.
        wide: The terminal's columns, None if there is none.
    """
    took = duration(seconds)
    room = min(wide or USUAL, USUAL) - len(took) - 1
    text = text if wide is None else cut(text, room)
    return f"{text}{' ' * max(1, room + 1 - get_text_width(text))}{took}"


def recap(text: str, wide: int) -> str:
    """Return a line of Ansible's recap, coloured or not, that fits a terminal: without padding and, if it is still too wide, without zero counts.

    ``changed=`` and ``failed=`` always stay.
    """
    text = re.sub(" +", " ", re.sub(" +(\x1b\\[0m)", r"\1 ", text)).rstrip()
    for count in ("ignored=0", "rescued=0", "skipped=0"):
        if get_text_width(re.sub(COLOUR, "", text)) > wide:
            text = text.replace(f" {count}", "")
    return text


class StatusLine:
    """The last line of a terminal, which says what is running, and disappears before anything else is printed.

    It belongs to Ansible's own process: output of its workers reaches that process first.
    """

    def __init__(self) -> None:
        self.brief = False
        """Whether the output is for a person, with or without a screen."""
        self.open = False
        """Whether there is such a line."""
        self._wide = 0
        self._process = 0

    def begin(self) -> None:
        """Show a line from now on, if the screen can have one."""
        self._process, self.brief = os.getpid(), True
        self.open = rewrites(os.environ)
        atexit.register(self.end)

    def end(self) -> None:
        """Stop showing one."""
        self.erase()
        self.open = False

    def show(self, text: str, seconds: float) -> None:
        """Overwrite the line; a text that does not fit is cut off, its seconds are not."""
        with Display()._lock:  # also held while Ansible forks a process, so none inherits half a line
            if self.open and os.getpid() == self._process:
                took = f" ({seconds:.0f} s)"
                text = cut(f"  ... {one_line(text)}", (columns() or USUAL) - 1 - len(took)) + took
                wide = get_text_width(text)
                self._write("\r" + text + " " * (self._wide - wide))
                self._wide = wide

    def erase(self) -> None:
        """Clear the line."""
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
    """Ansible's display, except that lines for the screen only are made to fit it."""

    def __init__(self, display: Any, wide: int) -> None:
        self._display, self._wide = display, wide

    def __getattr__(self, name: str) -> Any:
        return getattr(self._display, name)

    def display(self, msg: str, *rest: Any, screen_only: bool = False, **how: Any) -> None:
        """Display a line."""
        self._display.display(recap(msg, self._wide) if screen_only else msg, *rest, screen_only=screen_only, **how)
