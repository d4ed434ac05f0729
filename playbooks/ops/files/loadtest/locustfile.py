"""Visitors of one page, as Locust runs them (docs.locust.io/en/stable/writing-a-locustfile.html). plugins/modules/load_test.py starts it.

BERTH_LOAD_URL is the page. BERTH_LOAD_RECORD is the file to which each answer is written as a line of JSON: the time (seconds since
1970) at which it was there, the milliseconds that it took, and what was wrong with it, empty for nothing.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import gevent
from locust import FastHttpUser, between, events, task

RECORD = open(os.environ["BERTH_LOAD_RECORD"], "w", buffering=1, encoding="utf-8")  # noqa: SIM115  for as long as the process runs


class Visitor(FastHttpUser):
    """Asks for the page about once a second."""

    wait_time = between(0.5, 1.5)
    connection_timeout = network_timeout = 30.0

    @task
    def look(self) -> None:
        """Ask for the page, with a connection of its own: one that is kept leads to the same pod for ever."""
        self.client.get(os.environ["BERTH_LOAD_URL"], name="page", allow_redirects=False, headers={"Connection": "close"})


@events.init.add_listener
def begin(**_: Any) -> None:
    """Let the run time count from now: a timer counts from the loop's own time, which stood still while all this was imported."""
    gevent.get_hub().loop.update_now()


@events.request.add_listener
def note(response_time: float, exception: Exception | None, **_: Any) -> None:
    """Write an answer to the record."""
    print(json.dumps([time.time(), response_time, str(exception) if exception else ""]), file=RECORD)
