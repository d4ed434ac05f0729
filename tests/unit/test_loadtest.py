"""Load tests: what is refused, what is made of the answers and the pods, and the environment in which the visitors run."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.filter.production import is_production
from ansible_collections.berth.platform.plugins.module_utils import loadtest
from ansible_collections.berth.platform.plugins.module_utils.loadtest import Answer, Look
from ansible_collections.berth.platform.plugins.module_utils.machine import environment
from ansible_collections.berth.platform.plugins.modules import load_test
from fake_api import Api, kubeconfig, running
from module_run import PLUGINS, run

PROGRAM = PLUGINS.parent / "playbooks/ops/files/loadtest"
HERE = "http://127.0.0.1:30080/"
# Stands in for the interpreter with Locust and Matplotlib: notes two answers, one of them late, and "draws" what it is given.
STAND_IN = """#!/bin/sh
case "$*" in
*plot.py*) cat >"$2" ;;
*) printf '[%s, 12.5, ""]\\n[%s, 40.0, "500 Server Error"]\\n' "$(date +%s)" "$(date +%s)" >"$BERTH_LOAD_RECORD" ;;
esac
"""


# --- What is refused -------------------------------------------------------
@pytest.mark.parametrize(("users", "seconds"), [(1, 10), (20, 60), (100, 600)])
def test_a_load_within_bounds_on_the_environments_own_page_is_made(users: int, seconds: int) -> None:
    assert loadtest.refusal(users, seconds, f"{HERE}polls/1/", HERE) == ""


@pytest.mark.parametrize(
    ("users", "seconds", "said"),
    [
        (0, 60, ["ops_users is 0; it is 1 to 100."]),
        (-5, 60, ["ops_users is -5; it is 1 to 100."]),
        (101, 60, ["ops_users is 101; it is 1 to 100."]),
        (20, 9, ["ops_seconds is 9; it is 10 to 600."]),
        (20, 601, ["ops_seconds is 601; it is 10 to 600."]),
        (1000, 86400, ["ops_users is 1000; it is 1 to 100.", "ops_seconds is 86400; it is 10 to 600."]),
    ],
)
def test_more_than_a_test_needs_is_refused(users: int, seconds: int, said: list[str]) -> None:
    assert loadtest.refusal(users, seconds, HERE, HERE).splitlines() == said


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://127.0.0.1:30081/",
        "http://127.0.0.1/",
        "https://127.0.0.1:30080/",
        "http://localhost:30080/",
        "http://127.0.0.1:30080@example.com/",
        "http://127.0.0.1:30080.example.com/",
        "//example.com/",
        "http://127.0.0.1:port/",
        "file:///etc/passwd",
        "/polls/",
        "",
    ],
)
def test_a_page_of_another_site_is_not_loaded(url: str) -> None:
    assert loadtest.refusal(20, 60, url, HERE) == f"ops_url is {url}, which is not this environment's: its pages begin with {HERE}."


def test_an_app_that_is_reached_by_a_port_forward_alone_is_not_loaded() -> None:
    assert "answers at no address that this machine reaches" in loadtest.refusal(20, 60, HERE, "")


@pytest.mark.parametrize(
    ("names", "production"),
    [(["dev", "polls-dev"], False), (["prod", "polls"], True), (["live", "polls-PROD"], True), (["eu_production_2", "polls"], True), (["products"], False)],
)
def test_production_is_known_by_a_word_of_its_names(names: list[str], production: bool) -> None:
    assert is_production(names) is production


# --- What came of it -------------------------------------------------------
@pytest.mark.parametrize(
    ("autoscaler", "wanted"), [(None, 2), ({"status": {"desiredReplicas": 5}}, 5), ({"status": {"desiredReplicas": 0}}, 2), ({"status": {}}, 2), ({}, 2)]
)
def test_the_autoscaler_says_how_many_pods_are_wanted_once_it_knows(autoscaler: Any, wanted: int) -> None:
    deployment = {"spec": {"replicas": 2}, "status": {"readyReplicas": 1}}
    assert loadtest.look(4.0, deployment, autoscaler) == Look(4.0, 1, wanted)


def test_a_deployment_without_a_ready_pod_has_none() -> None:
    assert loadtest.look(0.0, {"spec": {"replicas": 2}, "status": {}}, None) == Look(0.0, 0, 2)


def test_answers_are_read_in_the_order_of_time_and_a_line_that_was_cut_off_is_left_out() -> None:
    record = '[1002.5, 20.0, ""]\n[1001.0, 10.0, "404"]\n[1003.0, 5'
    assert loadtest.read(record, 1000.0) == [Answer(1.0, 10.0, "404"), Answer(2.5, 20.0)]


@pytest.mark.parametrize(
    ("values", "share", "expected"), [([7], 50, 7), ([7], 95, 7), (range(1, 101), 50, 50), (range(1, 101), 95, 95), ([3, 1, 2], 50, 2), ([1, 2], 95, 2)]
)
def test_a_percentile_is_a_value_that_was_measured(values: Any, share: int, expected: float) -> None:
    assert loadtest.percentile(values, share) == expected


ANSWERS = [Answer(0.5, 10.4), Answer(0.9, 30.0), Answer(2.2, 900.0, "timed out"), Answer(2.3, 20.0), Answer(2.9, 1.0, "timed out"), Answer(2.95, 1.0, "reset")]
LOOKS = [Look(0.0, 2, 2), Look(2.0, 2, 5), Look(4.0, 4, 5)]


def test_the_summary_has_requests_latency_and_pods() -> None:
    assert loadtest.summary(ANSWERS, LOOKS) == {
        "requests": 6,
        "failures": 3,
        "rate": 2.4,
        "p50": 20,
        "p95": 30,
        "errors": [{"error": "timed out", "times": 2}, {"error": "reset", "times": 1}],
        "pods_from": 2,
        "pods_to": 4,
        "pods_wanted": 5,
    }


@pytest.mark.parametrize("looks", [[], LOOKS])
def test_a_site_that_answers_nothing_has_a_summary_too(looks: list[Look]) -> None:
    found = loadtest.summary([Answer(1.0, 1.0, "refused")], looks)
    assert (found["requests"], found["failures"], found["p50"], found["p95"]) == (1, 1, None, None)
    text = loadtest.text(found, HERE, 1, 10, "plot.png")
    assert "latency     no answer" in text and ("the cluster did not say" in text) == (not looks)


def test_the_text_says_all_of_it_and_the_most_frequent_failures() -> None:
    answers = [*ANSWERS, *(Answer(3.0, 1.0, f"error {number}") for number in range(5))]
    assert loadtest.text(loadtest.summary(answers, LOOKS), HERE, 20, 10, "plot.png").splitlines() == [
        f"{HERE}, asked for by 20 visitors for 10 s",
        "requests    11, of which 8 failed; 4.4 a second",
        "latency     half of them within 20 ms, 95 % within 30 ms",
        "pods        2 to 4, 5 are wanted",
        "failure     2 times: timed out",
        "failure     1 times: reset",
        "failure     1 times: error 0",
        "plot        plot.png",
    ]


def test_the_drawing_has_a_number_for_each_second_and_a_gap_where_nothing_was_answered() -> None:
    assert loadtest.drawing(ANSWERS, LOOKS, "title") == {
        "title": "title",
        "seconds": [0, 1, 2],
        "served": [2, 0, 1],
        "failed": [0, 0, 3],
        "p50": [10.4, None, 20.0],
        "p95": [30.0, None, 20.0],
        "looked": [0.0, 2.0, 4.0],
        "ready": [2, 2, 4],
        "wanted": [2, 5, 5],
    }


# --- The visitors ----------------------------------------------------------
def test_settings_of_the_users_own_and_proxies_do_not_reach_the_visitors() -> None:
    given = {
        "PATH": "/bin",
        "HOME": "/root",
        "LOCUST_USERS": "1000",
        "http_proxy": "http://proxy",
        "HTTPS_PROXY": "http://proxy",
        "ALL_PROXY": "x",
        "no_proxy": "a",
    }
    found = load_test.variables(given, "/tmp/home", HERE, Path("/tmp/home/record"))
    own = {"BERTH_LOAD_URL": HERE, "BERTH_LOAD_RECORD": "/tmp/home/record"}
    assert found == {"PATH": "/bin", "HOME": "/tmp/home", "NO_PROXY": "*", "no_proxy": "*", **own}


class Page(BaseHTTPRequestHandler):
    """A site with a page, and a redirect away."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response({"/": 200, "/away": 302}.get(self.path, 500))
        if self.path == "/away":
            self.send_header("Location", "http://example.com/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the module's options, and have the stand-in run."""
    python = tmp_path / "python"
    python.write_text(STAND_IN, encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(environment, "provide", lambda *_: python)
    monkeypatch.setattr(load_test, "EACH", 0.01)
    named = {name: str(tmp_path / name) for name in ("kubeconfig", "environment")}
    return {**named, "namespace": "polls-dev", "name": "polls", "program": str(PROGRAM), "plot": str(tmp_path / "made/loadtest.png")}


def deployed(api: Api) -> None:
    """Let an API server have a Deployment and its autoscaler."""
    place = "namespaces/polls-dev"
    api.answers[f"/apis/apps/v1/{place}/deployments/polls"] = (200, {"spec": {"replicas": 2}, "status": {"readyReplicas": 2}})
    api.answers[f"/apis/autoscaling/v2/{place}/horizontalpodautoscalers/polls"] = (200, {"status": {"desiredReplicas": 3}})


def test_a_load_ends_with_its_numbers_and_a_drawing_beside_which_nothing_is_left(
    given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as site, running(Api()) as api:
        deployed(api)
        page = f"http://127.0.0.1:{site.server_port}/"
        found = run(load_test, capsys, url=page, address=page, **given | {"kubeconfig": kubeconfig(tmp_path, api.url)})
    assert (found["changed"], found["requests"], found["failures"], found["p50"]) == (False, 2, 1, 12)
    assert (found["pods_from"], found["pods_to"], found["pods_wanted"]) == (2, 2, 3)
    assert given["plot"] in found["text"] and "1 times: 500 Server Error" in found["text"]
    plot = Path(given["plot"])
    assert json.loads(plot.read_text(encoding="utf-8"))["title"] == f"{page}, 20 visitors"
    assert list(plot.parent.iterdir()) == [plot]


@pytest.mark.parametrize(("path", "said"), [("missing", "it answers 500"), ("away", "it answers 302")])
def test_what_is_no_page_is_not_loaded(given: dict[str, Any], capsys: pytest.CaptureFixture[str], path: str, said: str) -> None:
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as site:
        address = f"http://127.0.0.1:{site.server_port}/"
        found = run(load_test, capsys, url=address + path, address=address, **given)
    assert found["failed"] and found["msg"].startswith("Nothing was loaded: ") and said in found["msg"]


def test_a_check_loads_nothing_and_says_what_would_be(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    found = run(load_test, capsys, check=True, url=HERE, address=HERE, **given)
    assert found["text"] == f"Would let 20 visitors ask for {HERE} for 60 s" and not Path(given["plot"]).exists()


def test_visitors_that_cannot_begin_are_told_with_their_last_words(given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\necho Traceback\necho 'no module named locust' >&2\nexit 1\n", encoding="utf-8")
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as site, running(Api()) as api:
        deployed(api)
        page = f"http://127.0.0.1:{site.server_port}/"
        found = run(load_test, capsys, url=page, address=page, **given | {"kubeconfig": kubeconfig(tmp_path, api.url)})
    assert found["msg"] == "Locust ended with exit code 1 and made 0 requests: no module named locust"


# --- Their environment -----------------------------------------------------
@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> list[list[list[str]]]:
    """Return the ways to make an environment, none so far."""
    ways: list[list[list[str]]] = []
    monkeypatch.setattr(environment, "recipes", lambda directory, requirements, uv: [[[*word, str(directory)] for word in way] for way in ways])
    return ways


MAKES = ["sh", "-c", 'mkdir -p "$1/bin" && : >"$1/bin/python" && echo made >>"$1/../count"', "sh"]
FAILS = ["sh", "-c", "echo first; echo 'error: no index.' >&2; exit 1", "sh"]


def test_an_environment_is_made_once_and_again_for_other_requirements(tmp_path: Path, recipes: list[list[list[str]]]) -> None:
    recipes.append([MAKES])
    requirements, directory = tmp_path / "requirements.txt", tmp_path / "cache/loadtest"
    for content, made in (("a==1", 1), ("a==1", 1), ("a==2", 2)):
        requirements.write_text(content, encoding="utf-8")
        assert environment.provide(directory, requirements, "a test", {"PATH": "/bin:/usr/bin"}) == directory / "bin/python"
        assert (directory.parent / "count").read_text(encoding="utf-8").count("made") == made
    (directory / "bin/python").unlink()  # as where the Python that it was made of is gone
    environment.provide(directory, requirements, "a test", {"PATH": "/bin:/usr/bin"})
    assert (directory.parent / "count").read_text(encoding="utf-8").count("made") == 3


def test_where_the_first_way_fails_the_second_is_gone(tmp_path: Path, recipes: list[list[list[str]]]) -> None:
    recipes += [[FAILS], [MAKES]]
    (tmp_path / "requirements.txt").touch()
    assert environment.provide(tmp_path / "x", tmp_path / "requirements.txt", "a test", {"PATH": "/bin:/usr/bin"}).exists()


def test_where_no_way_leads_to_it_nothing_is_left_and_the_reason_is_said(tmp_path: Path, recipes: list[list[list[str]]]) -> None:
    recipes += [[["/no/such/program"]], [FAILS]]
    (tmp_path / "requirements.txt").touch()
    with pytest.raises(environment.NotMade, match=r"^The Python packages for a test \(.*\) could not be installed: error: no index. They come from PyPI"):
        environment.provide(tmp_path / "x", tmp_path / "requirements.txt", "a test", {"PATH": "/bin:/usr/bin"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["requirements.txt", "x.lock"]


@pytest.mark.parametrize(("uv", "programs"), [("/usr/bin/uv", ["/usr/bin/uv", sys.executable]), ("", [sys.executable])])
def test_every_way_to_an_environment_checks_the_hashes(uv: str, programs: list[str]) -> None:
    found = environment.recipes(Path("/cache/x"), Path("/r.txt"), uv)
    assert [way[0][0] for way in found] == programs
    assert all(way[-1][-3:] == ["--require-hashes", "--requirement", "/r.txt"] for way in found)


def test_the_visitors_packages_are_pinned_with_hashes() -> None:
    lines = (PROGRAM / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [number for number, line in enumerate(lines) if line and line[0].isalnum()]
    assert packages and all("==" in lines[number] and "--hash=sha256:" in lines[number + 1] for number in packages)
    wanted = {line for line in (PROGRAM / "requirements.in").read_text(encoding="utf-8").splitlines() if not line.startswith("#")}
    assert wanted <= {lines[number].split()[0] for number in packages}
