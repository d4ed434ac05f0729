"""Log lines for people: what becomes of JSON, of several pods' lines, of what a terminal would act upon and of secrets."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import logs as log_lines
from ansible_collections.berth.platform.plugins.module_utils.kube.client import KubeError, Unreachable
from ansible_collections.berth.platform.plugins.modules import k8s_logs
from module_run import run

SECRET = "correct horse battery"
ACCESS = """{"time": "2026-11-22T21:10:03.123+00:00", "level": "INFO", "logger": "gunicorn.access", "message": "GET /polls/ 200",
 "method": "GET", "status": 200, "duration_ms": "12"}"""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("plain text", ["plain text"]),
        (ACCESS, ["INFO gunicorn.access: GET /polls/ 200 (duration_ms=12)"]),
        ('{"level": "ERROR", "message": "no", "exception": "Traceback:\\n  File"}', ["ERROR no", "    Traceback:", "      File"]),
        ('{"severity": "warn", "msg": "pino", "pid": 7}', ["warn pino (pid=7)"]),
        ('{"answer": 42}', ['{"answer": 42}']),
        ("[1, 2]", ["[1, 2]"]),
        ('{"message": null}', ['{"message": null}']),
        ("\x1b[31mred\x1b[0m \x07bell\ttab", ["red bell\ttab"]),
        ('{"message": "\\u001b]0;title"}', ["]0;title"]),
    ],
)
def test_a_line_is_told_as_text(line: str, told: list[str]) -> None:
    assert log_lines.readable(line) == told


def test_lines_of_several_pods_come_in_the_order_of_time_and_say_whose_they_are() -> None:
    logs = {"a": "2026-11-22T21:00:01.5Z one\n2026-11-22T21:00:03.5Z three\n", "bcd": "2026-11-22T21:00:02.5Z two\n"}
    assert log_lines.merged(logs, 2) == ["2026-11-22 21:00:02 bcd two", "2026-11-22 21:00:03 a   three"]


def test_lines_of_one_moment_keep_their_order() -> None:
    assert [line[-1] for line in log_lines.merged({"a": "2026-11-22T21:00:01Z z\n2026-11-22T21:00:01Z a\n"}, 9)] == ["z", "a"]


def test_pods_whose_ends_are_alike_keep_their_names() -> None:
    assert log_lines.short_names(["polls-abc", "other-abc"]) == {"polls-abc": "polls-abc", "other-abc": "other-abc"}
    assert log_lines.short_names(["polls-abc", "database-0"]) == {"polls-abc": "abc", "database-0": "database-0"}


class FakeCluster:
    """Two pods, one of which has not started."""

    logs: ClassVar[dict[str, Any]] = {}

    def __init__(self, *_: Any) -> None:
        pass

    def items(self, *_: Any, **query: Any) -> list[dict[str, Any]]:
        """Return the pods."""
        assert query == {"labelSelector": "app=polls"}
        waiting = {"phase": "Pending", "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}]}
        probe = {"httpGet": {"path": "/readyz", "port": 8000}}
        spec = {"containers": [{"name": "web", "envFrom": [{"secretRef": {"name": "polls"}}], "readinessProbe": probe}]}
        return [{"metadata": {"name": f"polls-{name}"}, "spec": spec, "status": waiting} for name in ("aaa", "bbb")]

    def get(self, *_: Any) -> dict[str, Any]:
        """Return the Secret."""
        return {"data": {"PASSWORD": base64.b64encode(SECRET.encode()).decode()}}

    def log(self, _namespace: str, pod: str, **_query: Any) -> str:
        """Return the pod's log."""
        answer = self.logs[pod]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k8s_logs, "Cluster", FakeCluster)


def logs(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """Return what the module answers."""
    return run(k8s_logs, capsys, kubeconfig="k", namespace="n", selector={"app": "polls"}, **options)


def test_a_pod_without_a_log_is_named_with_its_state_and_a_secret_is_not_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'2026-11-22T21:00:01Z {{"message": "password \\"{SECRET}\\""}}\n'
    monkeypatch.setattr(FakeCluster, "logs", {"polls-aaa": text, "polls-bbb": KubeError("no")})
    answer = logs(capsys)
    assert answer["lines"] == ['2026-11-22 21:00:01 aaa password "***"']
    assert answer["notes"] == ["bbb has no log: its pod is ContainerCreating"]


@pytest.mark.parametrize("probes", [False, True])
def test_the_lines_of_health_checks_are_counted_and_shown_on_demand(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, probes: bool) -> None:
    text = "2026-11-22T21:00:01Z GET /polls/ 200\n" + "2026-11-22T21:00:02Z GET /readyz 200\n" * 3
    monkeypatch.setattr(FakeCluster, "logs", {"polls-aaa": text, "polls-bbb": ""})
    answer = logs(capsys, probes=probes, lines=1)
    assert answer["lines"] == [f"2026-11-22 21:00:0{'2 aaa GET /readyz' if probes else '1 aaa GET /polls/'} 200"]
    notes = ["3 lines of Kubernetes' health checks are omitted; -e ops_probes=true shows them"]
    assert answer["notes"] == ([] if probes else notes)


def test_a_container_that_did_not_crash_has_no_previous_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = KubeError('The API server refuses to GET Pod polls-bbb/log: previous terminated container "web" in pod "polls-bbb" not found')
    monkeypatch.setattr(FakeCluster, "logs", {"polls-aaa": "2026-11-22T21:00:01Z crashed", "polls-bbb": refusal})
    answer = logs(capsys, previous=True)
    assert (answer["lines"], answer["notes"]) == (["2026-11-22 21:00:01 aaa crashed"], ["bbb has run only once"])


def test_an_api_server_that_does_not_answer_is_the_message(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCluster, "logs", {"polls-aaa": Unreachable("The API server does not answer")})
    assert logs(capsys)["msg"] == "The API server does not answer"


def test_a_number_of_lines_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert logs(capsys, lines=0)["msg"] == "lines is 0; set it to the number of lines that you want to see."
