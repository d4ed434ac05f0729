"""Logs are JSON lines, Django's and gunicorn's."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import subprocess
import sys
import time

from django.test import RequestFactory, SimpleTestCase
from mysite.logs import JsonFormatter, SkipHealth

from polls.tests.test_settings import BASE_DIR, clean_environment


class FormatterTests(SimpleTestCase):
    """One record, one line."""

    def test_error_with_traceback_is_one_line(self) -> None:
        """A traceback stays in its record."""
        try:
            raise ValueError("first\nsecond")
        except ValueError:
            record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "failed: %s", ("ä\n",), sys.exc_info())
        line = JsonFormatter().format(record)
        self.assertNotIn("\n", line)
        entry = json.loads(line)
        self.assertEqual((entry["level"], entry["logger"], entry["message"]), ("ERROR", "x", "failed: ä\n"))
        self.assertIn("ValueError: first", entry["exception"])

    def test_time_is_utc(self) -> None:
        """Times of all pods compare."""
        record = logging.LogRecord("x", logging.INFO, "x.py", 1, "m", (), None)
        record.created = 0.0
        self.assertEqual(json.loads(JsonFormatter().format(record))["time"], "1970-01-01T00:00:00.000+00:00")

    def test_failed_probe_is_not_logged_as_a_request(self) -> None:
        """Django's own line about a 503 is dropped for health paths only."""
        for path, kept in (("/readyz", False), ("/polls/", True)):
            record = logging.LogRecord("django.request", logging.ERROR, "x.py", 1, "m", (), None)
            record.request = RequestFactory().get(path)
            with self.subTest(path):
                self.assertIs(SkipHealth().filter(record), kept)


class GunicornTests(SimpleTestCase):
    """The server itself, with its configuration file."""

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start gunicorn; it is ended when the test is."""
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments],
            cwd=BASE_DIR,
            env=clean_environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait, 30)
        self.addCleanup(server.kill)
        return server

    def get(self, port: int, path: str, patience: float = 60) -> int:
        """Return the status of a path, once the server listens; patience is in seconds."""
        deadline = time.monotonic() + patience
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
            try:
                connection.request("GET", path, headers={"Host": "localhost"})
                return connection.getresponse().status
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            finally:
                connection.close()

    def test_server_logs_requests_as_json_but_not_probes(self) -> None:
        """Every line of the server is JSON; /livez is answered and not logged; it ends on SIGTERM."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = self.start("--bind", f"127.0.0.1:{port}", DJANGO_SECRET_KEY="s", WEB_CONCURRENCY="1")
        self.assertEqual(self.get(port, "/livez"), 200)
        self.assertEqual(self.get(port, "/?secret=1"), 302)
        server.terminate()
        output, _ = server.communicate(timeout=45)
        entries = [json.loads(line) for line in output.splitlines()]
        requests = [entry for entry in entries if entry["logger"] == "gunicorn.access"]
        self.assertEqual([(r["method"], r["path"], r["status"]) for r in requests], [("GET", "/", 302)], output)
        self.assertNotIn("secret", output)
        self.assertEqual(server.returncode, 0)

    def test_wrong_settings_stop_the_server_with_one_message(self) -> None:
        """A pod without its secret says so and ends, instead of starting workers again and again."""
        server = self.start("--bind", "127.0.0.1:0")
        output, _ = server.communicate(timeout=60)
        self.assertNotEqual(server.returncode, 0)
        critical = [entry for entry in map(json.loads, output.splitlines()) if entry["level"] == "CRITICAL"]
        self.assertEqual(len(critical), 1, output)
        self.assertIn("DJANGO_SECRET_KEY is not set", critical[0]["message"])
        self.assertNotIn("Traceback", output)
