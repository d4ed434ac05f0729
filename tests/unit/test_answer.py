"""The look at the page with which site.yml ends."""

from __future__ import annotations

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fake_api import running

PROJECT = Path(__file__).resolve().parents[2]


def server(status: int, silent: int = 0) -> ThreadingHTTPServer:
    """Return a site that answers every request with ``status``, but ends the first ``silent`` connections without an answer."""
    left = iter(range(silent))

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if next(left, None) is not None:
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Site)


def ask(tmp_path: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run the tasks against a URL."""
    tasks = PROJECT / "playbooks" / "tasks" / "answer.yml"
    variables = {"app_facts": {"url": url}, "berth_app_name": "polls", "inventory_hostname": "dev", "ansible_python_interpreter": sys.executable}
    variables |= {"run_lock": False}  # else it would wait for whatever Berth does on this machine meanwhile
    play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [{"ansible.builtin.include_tasks": str(tasks)}]}
    playbook = tmp_path / "answer.yml"
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(playbook)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("status", [200, 401, 404])
def test_any_answer_of_the_app_itself_is_one(tmp_path: Path, status: int) -> None:
    with running(server(status)) as site:
        done = ask(tmp_path, f"http://127.0.0.1:{site.server_port}/")
    assert done.returncode == 0, done.stdout


def test_a_site_that_begins_to_answer_a_moment_later_is_waited_for(tmp_path: Path) -> None:
    with running(server(200, silent=2)) as site:
        done = ask(tmp_path, f"http://127.0.0.1:{site.server_port}/")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("FAILED - RETRYING") == 2


def test_an_error_of_the_server_fails_the_run_with_what_to_do(tmp_path: Path) -> None:
    with running(server(500)) as site:
        url = f"http://127.0.0.1:{site.server_port}/"
        done = ask(tmp_path, url)
    words = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert f"polls is released, its pods are ready, and {url} does not serve: Status code was 500" in words
    assert "ansible-playbook playbooks/ops/logs.yml -i inventories/dev" in words
    assert "Traceback" not in words
