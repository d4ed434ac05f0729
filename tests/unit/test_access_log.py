"""The requests in a web server's log."""

from __future__ import annotations

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import access_log


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ('10.244.0.1 - - [29/Nov/2026:20:00:00 +0000] "GET /readyz HTTP/1.1" 200 2 "-" "kube-probe/1.36"', False),  # gunicorn, nginx
        ('INFO:     10.244.0.1:51234 - "GET /readyz HTTP/1.1" 200 OK', False),  # uvicorn
        ("[pid: 7|app: 0] 10.244.0.1 () {28 vars in 300 bytes} [Sun Nov 29 20:00:00 2026] GET /readyz => generated 4 bytes in 1 msecs (HTTP/1.1 200) 5", False),
        ('10.244.0.1:51234 - - [29/Nov/2026:20:00:00] "GET /readyz" 200 2', False),  # daphne
        ('"GET /ht/?format=json HTTP/1.1" 200', False),
        ('{"message": "GET /readyz 200", "status": 200}', False),
        ('"GET /readyz HTTP/1.1" 500 145 "-" "kube-probe/1.36"', True),
        ("[pid: 7|app: 0] GET /readyz => generated 200 bytes in 1 msecs (HTTP/1.1 503) 5", True),
        ('"GET /readyz/more HTTP/1.1" 200', True),
        ('"GET / HTTP/1.1" 200 OK', True),
        ('"POST /readyz HTTP/1.1" 200 OK', True),
        ("Not Found: /readyz", True),
    ],
)
def test_of_health_checks_only_those_that_fail_are_shown(line: str, kept: bool) -> None:
    text = f"2026-11-29T20:00:00Z {line}\n"
    assert access_log.without_probes(text, ["/readyz", "/ht/?x=1"]) == ((text, 0) if kept else ("", 1))
    assert access_log.without_probes(text, []) == (text, 0)


@pytest.mark.parametrize(
    "line",
    [
        'https://api.example.com:443 "GET /v1/things HTTP/1.1" 500 None',  # urllib3, of what the app asks for
        'HTTP Request: GET https://api.example.com/v1 "HTTP/1.1 500 Internal Server Error"',  # httpx
        "GET /polls/ took 500 ms",
        "Internal Server Error: /polls/",
    ],
)
def test_what_the_app_asks_somebody_else_is_no_request_of_a_visitor(line: str) -> None:
    assert access_log.request(line) is None


def test_of_a_log_that_was_cut_off_only_what_is_left_was_looked_at() -> None:
    whole, cut = "2026-11-29T20:00:00Z a\n", "2026-11-29T20:30:00Z a\n2026-11-29T20:31:00Z b\n"
    assert access_log.begin([whole, cut], 2) == "2026-11-29T20:30:00Z"
    assert access_log.begin([whole, cut], 3) == "2026-11-29T20:00:00Z"
    assert access_log.begin(["", ""], 3) == ""
