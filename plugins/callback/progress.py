"""Signs of life from long tasks."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

from ..plugin_utils import progress_file, screen

DOCUMENTATION = """
name: progress
type: notification
short_description: Show the progress of long tasks
description:
  - Prints what modules report through the file in C(BERTH_PROGRESS), and the elapsed time of a silent task.
  - With the callback C(berth_output) and without C(-v), this is the last line of the terminal, which is overwritten. Elsewhere it is a line
    now and then.
requirements:
  - to be listed in C(callbacks_enabled)
"""

HEARTBEAT = 15.0  # seconds of silence after which a running task is reported as still running
POLL = 0.5  # seconds between two checks of the progress file
REST = 5.0  # seconds between two lines of brief output that cannot be overwritten


class CallbackModule(CallbackBase):
    """Follows the file of each playbook that a command runs."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._task = self._said = ""
        self._waiting: list[str] = []
        self._typed = False
        self._held = -1
        self._started = self._spoke = time.monotonic()
        self._done = threading.Event()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Make the file, and start to follow it."""
        self._held, path = progress_file.make()
        os.environ["BERTH_PROGRESS"] = str(path)
        self._task = self._said = ""
        self._done = threading.Event()  # one command can run several playbooks
        threading.Thread(target=self._follow, args=(path, self._done), daemon=True).start()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool = False) -> None:
        """Start to count the seconds of a task."""
        # Somebody may be typing, and nothing may be written over that.
        self._typed = task.action.rpartition(".")[2] == "pause" or bool(task.args.get("interactive"))
        self._task, self._said, self._waiting = task.get_name(), "", []
        self._started = self._spoke = time.monotonic()
        if self._typed:
            screen.STATUS.erase()

    v2_playbook_on_handler_task_start = v2_playbook_on_cleanup_task_start = v2_playbook_on_task_start

    def v2_playbook_on_vars_prompt(self, *_what: Any, **_how: Any) -> None:
        """Leave the line to the user's input."""
        self._task = ""
        screen.STATUS.erase()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Stop following."""
        self._done.set()
        Path(os.environ["BERTH_PROGRESS"]).unlink(missing_ok=True)
        os.close(self._held)

    def _follow(self, path: Path, done: threading.Event) -> None:
        with path.open(encoding="utf-8", errors="replace") as progress:
            while not done.wait(POLL):
                self._tell(progress.read().splitlines())

    def _tell(self, lines: list[str]) -> None:
        self._said = next(filter(None, reversed(lines)), self._said)
        if screen.STATUS.open and not self._typed:
            self._rewrite()
        else:
            self._print(lines)

    def _rewrite(self) -> None:
        if self._task:
            screen.STATUS.show(self._said or self._task, time.monotonic() - self._started)

    def _print(self, lines: list[str]) -> None:
        silence = time.monotonic() - self._spoke
        if screen.STATUS.brief:
            lines = self._newest(lines, silence)
        if not lines and silence >= HEARTBEAT and not self._typed:
            lines = [self._said or self._task]
        for line in lines:
            self._spoke = time.monotonic()
            if line:  # an empty line only shows that a visible task is alive
                self._display.display(f"  ... {line} ({self._spoke - self._started:.0f} s)", color="bright gray")

    def _newest(self, lines: list[str], silence: float) -> list[str]:
        """Return the newest unprinted line, if the last printed one is old enough."""
        self._waiting = (self._waiting + lines)[-1:]
        if silence < REST:
            return []
        found, self._waiting = self._waiting, []
        return found
