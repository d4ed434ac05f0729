"""A command of manage.py in a Job of its own: what the Job is, what is read of it, how it ends, and that it is removed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Forbidden, NotFound, Unreachable
from ansible_collections.berth.platform.plugins.module_utils.rollout import command as commands
from ansible_collections.berth.platform.plugins.module_utils.rollout.rollback import REVISION, releases
from ansible_collections.berth.platform.plugins.modules import k8s_command
from module_run import run
from rollout_objects import Json, condition, container, deployment, ended, meta, waiting

SECRET = {"data": {"DJANGO_SECRET_KEY": "aHVudGVyMmh1bnRlcg=="}}  # hunter2hunter


def release_set(number: int, ready: int) -> Json:
    """Return the ReplicaSet of a revision, as the app role describes its pods."""
    web = {
        "name": "web",
        "image": f"polls@sha256:{number}",
        "envFrom": [{"secretRef": {"name": "polls-1"}}],
        "ports": [{"containerPort": 8000}],
        "securityContext": {"readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        "resources": {"limits": {"memory": "256Mi"}},
        "livenessProbe": {"httpGet": {"path": "/livez"}},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    }
    spec = {
        "securityContext": {"runAsNonRoot": True},
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "imagePullSecrets": [{"name": "registry"}],
        "containers": [web],
        "terminationGracePeriodSeconds": 45,
        "topologySpreadConstraints": [{"maxSkew": 1}],
    }
    annotations = {REVISION: str(number), "kubernetes.io/change-cause": f"1.{number}"}
    return {
        "kind": "ReplicaSet",
        "metadata": meta(f"polls-{number}", f"rs-{number}", deployment(), annotations=annotations),
        "spec": {"template": {"metadata": {"labels": {"app.kubernetes.io/component": "web"}}, "spec": spec}},
        "status": {"readyReplicas": ready},
    }


# --- With which release, and as what -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("ready", "version"),
    [
        ({1: 0, 2: 2}, "1.2"),
        ({1: 2, 2: 0}, "1.1"),  # the newest does not start
        ({1: 1, 2: 1}, "1.2"),
        ({1: 0, 2: 0}, "1.2"),
    ],
)
def test_a_command_is_run_with_the_newest_release_that_serves(ready: dict[int, int], version: str) -> None:
    found = releases(deployment(), [release_set(number, count) for number, count in ready.items()])
    chosen = commands.serving(found)
    assert chosen is not None
    assert chosen.version == version


def made(words: tuple[str, ...] = ("check", "--deploy")) -> Json:
    """Return the Job of a command."""
    return commands.job(releases(deployment(), [release_set(2, 2)])[0], "polls", words, 60)


def test_its_pod_is_one_of_the_release_but_serves_nothing() -> None:
    job = made()
    pod = job["spec"]["template"]["spec"]
    (one,) = pod["containers"]
    web = release_set(2, 2)["spec"]["template"]["spec"]
    assert one["command"] == ["python", "manage.py", "check", "--deploy"]
    for key in ("image", "envFrom", "securityContext", "volumeMounts", "resources"):
        assert one[key] == web["containers"][0][key]
    for key in ("securityContext", "volumes", "imagePullSecrets"):
        assert pod[key] == web[key]
    assert not {"livenessProbe", "ports", "lifecycle"} & one.keys()
    assert pod["restartPolicy"] == "Never"
    assert job["spec"]["backoffLimit"] == 0


def test_no_release_takes_it_for_its_own_and_the_policies_know_it() -> None:
    job = made()
    assert job["metadata"]["labels"]["app.kubernetes.io/name"] != "polls"
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]
    assert "name" not in job["metadata"]  # two at a time have one each


# --- What it prints ----------------------------------------------------------------------------------------------------
def stamped(*lines: str) -> str:
    """Return lines of a log, each ``second.part text``, with the rest of their times."""
    return "\n".join(f"2026-03-01T12:00:{line.partition(' ')[0]}Z {line.partition(' ')[2]}" for line in lines)


@pytest.mark.parametrize(
    ("looks", "new", "since"),
    [
        ([[]], [[]], ""),
        ([["01.1 a", "01.2 b"], ["01.1 a", "01.2 b", "01.3 c"]], [["a", "b"], ["c"]], "2026-03-01T12:00:01Z"),
        ([["01.1 a"], ["01.1 a", "02.1 b"], ["02.1 b", "02.2 b"]], [["a"], ["b"], ["b"]], "2026-03-01T12:00:02Z"),
        ([["01.1 a", "01.1 a"], ["01.1 a", "01.1 a", "01.1 a"]], [["a", "a"], ["a"]], "2026-03-01T12:00:01Z"),
        ([["01.1 a", "01.2 b"], ["01.2 b", "01.3 c"]], [["a", "b"], ["c"]], "2026-03-01T12:00:01Z"),  # the node has rotated the log
        ([["01.1 a"], []], [["a"], []], "2026-03-01T12:00:01Z"),
    ],
)
def test_each_line_is_told_once(looks: list[list[str]], new: list[list[str]], since: str) -> None:
    output = commands.Output()
    assert [output.add(stamped(*look)) for look in looks] == new
    assert output.lines == [line for lines in new for line in lines]
    assert output.since == since


# --- How it ends -------------------------------------------------------------------------------------------------------
class FakeCluster:
    """A cluster in which each look finds the next of ``looks``: the Job's conditions, its pods, and its log, or an error."""

    looks: list[tuple[list[Json], list[Json], list[str]] | Exception] = []  # noqa: RUF012
    deleted: list[str] = []  # noqa: RUF012
    created: list[Json] = []  # noqa: RUF012
    released = True
    now = "2026-03-01T12:00:20Z"

    def __init__(self, *_: Any) -> None:
        self.log_now: list[str] = []
        self.pods: list[Json] = []

    def create(self, _kind: str, _namespace: str, body: Json) -> Json:
        """Make the Job."""
        self.created.append(body)
        return {**body, "metadata": body["metadata"] | {"name": "polls-manage-x1", "uid": "j-1"}}

    def delete(self, kind: str, _namespace: str, name: str, uid: str, _propagation: str) -> None:
        """Note it."""
        self.deleted.append(f"{kind} {name} {uid}")

    def get(self, kind: str, _namespace: str, name: str) -> Json:
        """Read the Deployment, the Secret, or the Job in its next state."""
        if kind == "Deployment" and not self.released:
            raise NotFound(name)
        if kind != "Job":
            return {"Deployment": deployment(), "Secret": SECRET}[kind]
        look = self.looks.pop(0)
        if isinstance(look, Exception):
            raise look
        conditions, self.pods, self.log_now = look
        return {**self.created[-1], "metadata": {"name": name, "uid": "j-1"}, "status": {"conditions": conditions}}

    def items(self, kind: str, _namespace: str, **_: Any) -> list[Json]:
        """List what there is."""
        return {"ReplicaSet": [release_set(1, 0), release_set(2, 2)], "Pod": self.pods, "Event": []}[kind]

    def log(self, *_: Any, **__: Any) -> str:
        """Read the pod's log."""
        return stamped(*self.log_now)


def pod(status: Json) -> Json:
    """Return the Job's pod."""
    owner = {"kind": "Job", "metadata": {"name": "polls-manage-x1", "uid": "j-1"}}
    return {"kind": "Pod", "metadata": meta("polls-manage-x1-a", "p-1", owner), "spec": {}, "status": {"containerStatuses": [status]}}


RUNS = container("manage", state={"running": {"startedAt": FakeCluster.now}})
CREATING = waiting("ContainerCreating")
DEADLINE = condition("FailureTarget", reason="DeadlineExceeded")


def after(code: int, **more: Any) -> Json:
    """Return the pod of a command that has ended."""
    return pod(container("manage", state=ended(code, **more)))


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Json]:
    """Return a function that runs the module on a cluster that shows these looks, one after another."""
    clock = iter(range(0, 10**6, 30))
    monkeypatch.setattr(k8s_command, "Cluster", FakeCluster)
    monkeypatch.setattr(k8s_command.time, "sleep", lambda _: None)
    monkeypatch.setattr(k8s_command.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(FakeCluster, "deleted", [])
    monkeypatch.setattr(FakeCluster, "created", [])

    def call(*looks: Any, check: bool = False, command: str = "check --deploy", **options: Any) -> Json:
        monkeypatch.setattr(FakeCluster, "looks", list(looks))
        return run(k8s_command, capsys, check, kubeconfig="k", namespace="polls-dev", name="polls", command=command, **options)

    return call


def test_what_it_prints_is_returned_whole_and_its_job_goes(answer: Callable[..., Json]) -> None:
    found = answer(([], [], []), ([], [pod(CREATING)], []), ([], [pod(RUNS)], ["01.1 one"]), ([], [after(0)], ["01.1 one", "01.2 two"]))
    assert (found["rc"], found["lines"], found["changed"], found["version"]) == (0, ["one", "two"], True, "1.2")
    assert FakeCluster.deleted == ["Job polls-manage-x1 j-1"]


def test_no_secret_is_in_what_it_prints(answer: Callable[..., Json]) -> None:
    assert answer(([], [after(0)], ["01.1 the key is hunter2hunter"]))["lines"] == ["the key is ***"]


def test_while_the_api_server_is_silent_the_command_goes_on(answer: Callable[..., Json]) -> None:
    found = answer(([], [pod(RUNS)], ["01.1 one"]), Unreachable("no"), ([], [after(0)], ["01.1 one", "09.1 two"]))
    assert found["lines"] == ["one", "two"]


LINES = [f"{10 + number}.1 line {number}" for number in range(25)]
FAILURES: dict[str, tuple[list[Any], int | None, list[str], list[str]]] = {
    "its exit code": ([([], [after(3)], ["01.1 no such table"])], 3, ["manage.py check ended with exit code 3.", "  no such table"], []),
    "its last lines": ([([], [after(1)], LINES)], 1, ["Its last lines:", "  line 24", "  line 5"], ["  line 4\n"]),
    "that it was silent": ([([], [after(1)], [])], 1, ["It printed nothing."], ["Its last lines"]),
    "too little memory": ([([], [after(137, reason="OOMKilled")], [])], 137, ["more memory than its limit", "berth_app_resources"], []),
    "too little time": ([([], [pod(RUNS)], ["01.1 one"]), ([DEADLINE], [after(143)], ["01.1 one"])], None, ["longer than 3600 s", "  one", "ops_timeout"], []),
    "a pod that was removed": ([([], [pod(RUNS)], ["01.1 one"]), ([], [], [])], None, ["its pod was removed", "  one"], []),
    "an image that is gone": (
        [([], [pod(waiting("InvalidImageName", "couldn't parse image name"))], [])] * 9,
        None,
        ["manage.py check did not begin", "InvalidImageName"],
        [],
    ),
    "a permission": ([Forbidden("Kubernetes does not allow this user to get jobs")], None, ["does not allow this user"], []),
}


@pytest.mark.parametrize("why", FAILURES)
def test_a_command_that_fails_is_told_with(why: str, answer: Callable[..., Json]) -> None:
    looks, code, words, absent = FAILURES[why]
    found = answer(*looks)
    assert found["failed"]
    assert found.get("rc") == code
    assert [word for word in words if word not in found["msg"]] == []
    assert [word for word in absent if word in found["msg"]] == []
    assert FakeCluster.deleted == ["Job polls-manage-x1 j-1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_ended_takes_its_command_with_it(number: int, answer: Callable[..., Json], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k8s_command.time, "sleep", lambda _: os.kill(os.getpid(), number))
    assert "the command was stopped" in answer(([], [pod(RUNS)], []))["msg"]
    assert FakeCluster.deleted == ["Job polls-manage-x1 j-1"]


def test_a_check_says_what_it_would_run_and_runs_nothing(answer: Callable[..., Json]) -> None:
    found = answer(check=True, command="loaddata 'initial data'")
    assert (found["changed"], found["words"], found["version"], found["image"]) == (True, ["loaddata", "initial data"], "1.2", "polls@sha256:2")
    assert FakeCluster.created == []


@pytest.mark.parametrize(
    ("options", "released", "words"),
    [
        ({"command": "shell -c 'print"}, True, "a quote that is not closed"),
        ({"command": " "}, True, "is empty"),
        ({"timeout": 0}, True, "0 is too few seconds"),
        ({}, False, "there is no release of polls in the namespace polls-dev"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_what_cannot_be_run_is_refused(
    options: dict[str, Any], released: bool, words: str, check: bool, answer: Callable[..., Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeCluster, "released", released)
    found = answer(check=check, **options)
    assert found["failed"]
    assert found["msg"].startswith("Nothing was run: ")
    assert words in found["msg"]
    assert FakeCluster.created == []


# --- In a terminal -------------------------------------------------------------------------------------------------------
def test_a_pod_for_a_terminal_waits_for_the_command() -> None:
    job = commands.job(releases(deployment(), [release_set(2, 2)])[0], "polls", ("shell",), 60, waits=True)
    (one,) = job["spec"]["template"]["spec"]["containers"]
    assert one["command"] == ["python", "-c", "import time; time.sleep(60)"]
