"""The look at the page with which site.yml ends, and at the health of the pods that serve it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import ansible_fork
import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import access, probes
from fake_api import running
from module_run import plugin

page_answer = plugin("action/page_answer.py")
PROJECT = Path(__file__).resolve().parents[2]


def server(status: int, silent: int = 0, location: str = "") -> ThreadingHTTPServer:
    """Return a site that answers every request with ``status``, but ends the first ``silent`` connections without an answer.

    Its root may redirect to a ``location``.
    """
    left = iter(range(silent))

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if next(left, None) is not None:
                return
            away = location if self.path == "/" else ""
            self.send_response(301 if away else status)
            if away:
                self.send_header("Location", away)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Site)


def ask(tmp_path: Path, url: str, *arguments: str, **defaults: int) -> subprocess.CompletedProcess[str]:
    """Run the tasks against a URL, with further arguments of ansible-playbook and other ``defaults`` of the module's options."""
    tasks = PROJECT / "playbooks" / "tasks" / "answer.yml"
    variables = {"app_facts": {"url": url}, "berth_app_name": "polls", "inventory_hostname": "dev", "ansible_python_interpreter": sys.executable}
    variables |= {"berth_kubeconfig": str(tmp_path / "none"), "berth_namespace": "polls-dev"}
    play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [{"ansible.builtin.include_tasks": str(tasks)}]}
    play |= {"module_defaults": {"berth.platform.page_answer": defaults}}
    playbook = tmp_path / "answer.yml"
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", str(playbook), *arguments]
    return ansible_fork.run(command, cwd=PROJECT)


@pytest.mark.parametrize("status", [200, 401, 404])
def test_any_answer_of_the_app_itself_is_one(tmp_path: Path, status: int) -> None:
    with running(server(status)) as site:
        done = ask(tmp_path, f"http://127.0.0.1:{site.server_port}/")
    assert done.returncode == 0, done.stdout


def test_a_site_that_begins_to_answer_a_moment_later_is_waited_for(tmp_path: Path) -> None:
    with running(server(200, silent=2)) as site:
        done = ask(tmp_path, f"http://127.0.0.1:{site.server_port}/", "-v")  # without, a wait as short as this one is not worth a line
    assert done.returncode == 0, done.stdout
    assert "... http://127.0.0.1" in done.stdout  # it says what it waits for


def test_an_error_of_the_server_fails_the_run_with_what_to_do(tmp_path: Path) -> None:
    with running(server(500)) as site:
        url = f"http://127.0.0.1:{site.server_port}/"
        done = ask(tmp_path, url, timeout=0)
    words = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert f"polls is released and its pods are ready, but {url} does not serve: 500 in " in words
    assert "ansible-playbook playbooks/ops/logs.yml -i inventories/dev" in words
    assert "Traceback" not in words


def test_what_the_page_raises_is_told_with_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_answer, "Cluster", lambda *given: given)
    monkeypatch.setattr(page_answer.page_error, "of_url", lambda *asked: asked)
    monkeypatch.setattr(page_answer.page_error, "told", lambda asked: f"it raises {asked}")
    given = {"kubeconfig": "k", "namespace": "polls-dev", "name": "polls", "url": "http://127.0.0.1/"}
    assert page_answer.ActionModule._raised(given) == "it raises (('k', None), 'polls-dev', 'polls', 'http://127.0.0.1/')"


STYLED = '<html><link rel="icon" href="/i.svg"><link rel="stylesheet" href="{}"><link rel="stylesheet" href="/second.css">'


def pages_of(pages: dict[str, tuple[int, str]]) -> ThreadingHTTPServer:
    """Return a site with these pages: status, and text or where a redirect leads."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = pages.get(self.path, (404, ""))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", text)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Site)


@pytest.mark.parametrize(
    ("pages", "warned"),
    [
        ({"/admin/": (200, STYLED.format("/static/a.css")), "/static/a.css": (200, "")}, False),
        ({"/admin/": (200, STYLED.format("/static/a.css"))}, True),
        ({"/admin/": (200, STYLED.format("../static/a.css")), "/static/a.css": (500, "")}, True),
        ({"/admin/": (302, "/login/"), "/login/": (200, STYLED.format("a.css")), "/login/a.css": (403, "")}, True),
        ({"/admin/": (200, STYLED.format("https://cdn.example.com/a.css")), "/second.css": (200, "")}, False),
        ({"/admin/": (200, "<p>no style")}, False),
        ({"/admin/": (200, "<link rel=stylesheet><link")}, False),
        ({"/admin/": (403, STYLED.format("/static/a.css"))}, False),
        ({}, False),
    ],
)
def test_a_page_whose_style_sheet_is_not_served_is_told_with_both_addresses(pages: dict[str, tuple[int, str]], warned: bool) -> None:
    with running(pages_of(pages)) as site:
        base = f"http://127.0.0.1:{site.server_port}"
        told = page_answer.unstyled(access.ask(f"{base}/admin/", 5))
    assert bool(told) is warned
    assert not warned or (f"{base}/" in told and "a.css, the style sheet of " in told and "is not served: " in told)


@pytest.mark.parametrize(
    ("static", "way"),
    [
        ("", "WhiteNoise (whitenoise.readthedocs.io), or set the directory that has them in the image in berth_app_static"),
        ("/static/", "set berth_app_static.path to the directory that it writes to (STATIC_ROOT)"),
        ("/assets/", "set berth_app_static.url to STATIC_URL in the settings"),
    ],
)
def test_whoever_shows_static_files_is_told_what_to_change(static: str, way: str) -> None:
    with running(pages_of({"/admin/": (200, STYLED.format("/static/a.css"))})) as site:
        assert way in page_answer.unstyled(access.ask(f"http://127.0.0.1:{site.server_port}/admin/", 5), static)


def test_a_page_without_its_style_sheet_is_told_though_there_is_no_admin(tmp_path: Path) -> None:
    with running(pages_of({"/": (200, STYLED.format("/static/a.css"))})) as site:
        done = ask(tmp_path, f"http://127.0.0.1:{site.server_port}/")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 0 and "/static/a.css, the style sheet of http://127.0.0.1" in said


def test_a_page_that_links_to_a_missing_style_sheet_is_told_to_correct_the_link_where_others_are_served(tmp_path: Path) -> None:
    pages = {"/": (200, STYLED.format("/static/gone.css")), "/admin/": (200, STYLED.format("/static/a.css")), "/static/a.css": (200, "")}
    with running(pages_of(pages)) as site:
        done = ask(tmp_path, f"http://127.0.0.1:{site.server_port}/")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 0 and "correct the link in the page's template, or add the file." in said and "WhiteNoise" not in said


def test_static_files_that_visitors_are_to_be_shown_and_are_not_fail_the_run(tmp_path: Path) -> None:
    with running(pages_of({"/": (200, ""), "/admin/": (200, STYLED.format("/static/a.css"))})) as site:
        done = ask(tmp_path, f"http://127.0.0.1:{site.server_port}/", "-e", '{"berth_app_static": {"path": "/srv/static", "url": "/static/"}}')
    assert done.returncode != 0 and "set berth_app_static.path" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("location", ["https://127.0.0.1/", "https://shop.example/", "http://127.0.0.1:1/", "//elsewhere.example/login"])
def test_a_redirect_that_leads_elsewhere_is_the_sites_answer_and_is_not_followed(location: str) -> None:
    with running(server(200, location=location)) as site:
        answer = access.ask(f"http://127.0.0.1:{site.server_port}/", 5)
    assert (answer.status, answer.good) == (301, True)


@pytest.mark.parametrize(("status", "good"), [(200, True), (404, False), (500, False)])
def test_a_redirect_within_the_site_is_followed_to_its_page(status: int, good: bool) -> None:
    with running(server(status, location="/polls/")) as site:
        answer = access.ask(f"http://127.0.0.1:{site.server_port}/", 5)
    assert (answer.status, answer.good) == (status, good)


# --- What the kubelet would ask --------------------------------------------
CONTAINER = {
    "ports": [{"name": "http", "containerPort": 8000}],
    "startupProbe": {"httpGet": {"path": "/readyz", "port": "http", "httpHeaders": [{"name": "Host", "value": "localhost"}]}},
    "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http", "httpHeaders": [{"name": "Host", "value": "localhost"}]}},
    "livenessProbe": {"httpGet": {"path": "/livez", "port": 8000, "httpHeaders": [{"name": "Host", "value": "localhost"}]}},
}


def test_each_request_of_the_kubelets_is_made_once() -> None:
    found = probes.probes(CONTAINER)
    assert [(probe.port, probe.path, probe.kinds) for probe in found] == [
        (8000, "/readyz", ("startupProbe", "readinessProbe")),
        (8000, "/livez", ("livenessProbe",)),
    ]
    assert [probe.variables for probe in found] == [["berth_app_readiness_path"], ["berth_app_liveness_path"]]
    assert probes.probes({"livenessProbe": {"tcpSocket": {"port": 80}}, "readinessProbe": {"exec": {"command": ["true"]}}}) == []


@pytest.mark.parametrize(
    ("status", "location", "words"),
    [
        (200, "", ""),
        (204, "", ""),
        (
            301,
            "https://localhost/livez",
            "answers 301, a redirect to https://localhost/livez: Kubernetes counts that as healthy, whatever the state of the app.",
        ),
        (301, "https://localhost/livez", 'What to do: SECURE_SSL_REDIRECT sends it to https: add r"^livez$" to SECURE_REDIRECT_EXEMPT'),
        (302, "/login/", "Kubernetes counts that as healthy"),
        (400, "", "the request's Host header is localhost, which ALLOWED_HOSTS may lack"),
        (401, "", "Kubernetes would restart the pods over and over. What to do: set berth_app_liveness_path to a path that answers 200, without a login."),
        (404, "", "set berth_app_liveness_path to a path that answers 200"),
        (500, "", "Kubernetes would restart the pods over and over. What to do: fix what the app's log shows."),
        (0, "connection refused", "does not answer (connection refused). What to do: set berth_app_port"),
    ],
)
def test_what_only_looks_like_health_is_told_with_its_variable(status: int, location: str, words: str) -> None:
    probe = probes.probes(CONTAINER)[1]
    problem = probes.problem(probe, probes.Answer(status, location))
    assert words in problem if words else problem == ""


def test_a_path_that_all_probes_ask_for_is_mended_by_all_its_variables() -> None:
    asked = {"httpGet": {"path": "/pong", "port": 8000}}
    (probe,) = probes.probes({"startupProbe": asked, "readinessProbe": asked, "livenessProbe": asked})
    said = "set berth_app_readiness_path and berth_app_liveness_path to a path that answers 200, without a login"
    assert probes.way(probe, probes.Answer(404)) == said


def test_a_pod_is_asked_as_the_kubelet_asks_and_redirects_are_not_followed() -> None:
    seen = []

    class Pod(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers["Host"]))
            self.send_response(302)
            self.send_header("Location", "/login/")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    probe = probes.probes(CONTAINER)[1]
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Pod)) as pod:
        answer = probes.ask(probe, lambda _port: socket.create_connection(("127.0.0.1", pod.server_port)))
    assert answer == probes.Answer(302, "/login/")
    assert seen == [("/livez", "localhost")]


def test_a_pod_that_ends_the_connection_is_told_as_silent() -> None:
    probe = probes.probes(CONTAINER)[0]
    with running(server(200, silent=1)) as pod:
        answer = probes.ask(probe, lambda _port: socket.create_connection(("127.0.0.1", pod.server_port)))
    assert answer.status == 0
    assert "berth_app_port" in probes.problem(probe, answer)
