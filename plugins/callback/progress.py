"""Signs of life from long tasks."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: progress
type: notification
short_description: Show the progress of long tasks
description:
  - Prints what modules report through the file that C(BERTH_PROGRESS) names, and the elapsed time of a task that says nothing.
requirements:
  - to be listed in C(callbacks_enabled)
"""

HEARTBEAT = 15.0  # seconds of silence after which a running task says that it is alive
POLL = 0.5  # seconds between two looks at the progress file


class CallbackModule(CallbackBase):
    """Follows the file of each playbook that a command runs."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._task = ""
        self._started = self._spoke = time.monotonic()
        self._done = threading.Event()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Make the file, and start to follow it."""
        handle, path = tempfile.mkstemp(prefix="berth-progress-")
        os.close(handle)
        os.environ["BERTH_PROGRESS"] = path
        self._done = threading.Event()  # one command can run several playbooks
        threading.Thread(target=self._follow, args=(Path(path), self._done), daemon=True).start()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Begin to count the seconds of a task."""
        self._task = task.get_name()
        self._started = self._spoke = time.monotonic()

    v2_playbook_on_handler_task_start = v2_playbook_on_cleanup_task_start = v2_playbook_on_task_start

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Stop following."""
        self._done.set()
        Path(os.environ["BERTH_PROGRESS"]).unlink(missing_ok=True)

    def _follow(self, path: Path, done: threading.Event) -> None:
        with path.open(encoding="utf-8", errors="replace") as progress:
            while not done.wait(POLL):
                lines = progress.read().splitlines()
                now = time.monotonic()
                if not lines and now - self._spoke >= HEARTBEAT:
                    lines = [self._task]
                for line in lines:
                    self._spoke = now
                    if line:  # an empty one is a sign of life of what somebody is looking at
                        self._display.display(f"  ... {line} ({now - self._started:.0f} s)", color="bright gray")
