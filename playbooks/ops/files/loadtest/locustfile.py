"""Visitors of one page, as Locust runs them (docs.locust.io/en/stable/writing-a-locustfile.html). plugins/modules/load_test.py starts it.

BERTH_LOAD_URL is the page. BERTH_LOAD_RECORD is the file to which each response is written as a line of JSON: its arrival time
(seconds since 1970), its duration in milliseconds, and the error, empty for none.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import gevent
from locust import FastHttpUser, between, events, task

RECORD = open(os.environ["BERTH_LOAD_RECORD"], "w", buffering=1, encoding="utf-8")  # noqa: SIM115  open for as long as the process runs


class Visitor(FastHttpUser):
    """Requests the page about once a second."""

    wait_time = between(0.5, 1.5)
    connection_timeout = network_timeout = 30.0

    @task
    def look(self) -> None:
        """Request the page over a new connection, because a persistent one always reaches the same pod."""
        self.client.get(os.environ["BERTH_LOAD_URL"], name="page", allow_redirects=False, headers={"Connection": "close"})


@events.init.add_listener
def begin(**_: Any) -> None:
    """Start the run time now: a timer counts from the event loop's time, which did not advance during the imports."""
    gevent.get_hub().loop.update_now()


@events.request.add_listener
def note(response_time: float, exception: Exception | None, **_: Any) -> None:
    """Write a response to the record."""
    print(json.dumps([time.time(), response_time, str(exception) if exception else ""]), file=RECORD)
