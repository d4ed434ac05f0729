"""The status: what is read, what is said of what is broken, and that it fits a terminal."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.kube.access import Answer
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Forbidden, KubeError, NotFound, Unreachable
from ansible_collections.berth.platform.plugins.module_utils.rollout import command as commands
from ansible_collections.berth.platform.plugins.module_utils.rollout import status as status_text
from ansible_collections.berth.platform.plugins.modules import environment_status
from module_run import run
from rollout_objects import BEGAN, IMAGE, LATER, claim, condition, crashing, deployment, ended, job, meta, pod, ready_pod, replicaset, statefulset

Json = dict[str, Any]
SECRET = "correct horse battery"
RUNNING = {"provider": "kubeadm", "state": "running", "version": "v1.36.0", "endpoint": "https://10.245.0.1:6443", "shared_with": []}
NODE = {
    "metadata": {"name": "berth", "creationTimestamp": "2026-02-27T12:00:00Z"},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "False"}],
        "nodeInfo": {"kubeletVersion": "v1.36.3"},
        "addresses": [{"type": "InternalIP", "address": "127.0.0.9"}],
    },
}
SERVICE = {"metadata": {"name": "polls"}, "spec": {"ports": [{"port": 80, "nodePort": 30080}]}}
ENDED = condition("Progressing", reason="NewReplicaSetAvailable", at="2026-03-01T10:00:20Z")
WHOLE = deployment(replicas=2, updatedReplicas=2, readyReplicas=2, availableReplicas=2, conditions=[ENDED])
REPLICASET = replicaset(WHOLE)


class FakeCluster:
    """An API server that holds what a test gives it."""

    objects: ClassVar[dict[str, Any]] = {}
    logs: ClassVar[dict[str, str]] = {}
    access: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[str]] = []
    now = LATER

    def __init__(self, *_: Any) -> None:
        pass

    def version(self) -> str:
        """Return the server's version."""
        held = self.objects.get("version", "v1.36.3")
        if isinstance(held, KubeError):
            raise held
        return held

    def items(self, kind: str, namespace: str, **_query: Any) -> list[Json]:
        """Return the objects of a kind."""
        self.asked.append(kind)
        held = self.objects.get(kind, [])
        if isinstance(held, KubeError):
            raise held
        return [{**each, "kind": kind} for each in held]

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return the one Secret that there is."""
        return {"data": {"PASSWORD": base64.b64encode(SECRET.encode()).decode()}}

    def log(self, namespace: str, name: str, **query: Any) -> str:
        """Return the log of a pod's previous run, or its access log."""
        if "timestamps" in query:
            assert (query["container"], query["sinceSeconds"]) == ("web", 3600)
            return self.access.get(name, "")
        assert query["previous"] == "true"
        if name not in self.logs:
            raise NotFound(f"{name} has no log")
        return self.logs[name]


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_status, "Cluster", FakeCluster)
    monkeypatch.setattr(FakeCluster, "asked", [])
    monkeypatch.setattr(environment_status.access, "ask", lambda url, timeout: Answer(200, "200 in 12 ms"))


def status(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cluster: Json | None = None, **objects: Any) -> Json:
    """Return what the module answers about these objects; its text has to fit."""
    monkeypatch.setattr(FakeCluster, "objects", {"Node": [NODE], **objects})
    answer = run(environment_status, capsys, environment="dev", cluster=cluster or RUNNING, kubeconfig="k", namespace="polls-dev", app="polls")
    assert not answer["changed"]
    assert [line for line in answer["text"].splitlines() if len(line) > status_text.WIDTH or line != line.rstrip()] == []
    return answer


def healthy() -> Json:
    """Return the objects of an environment in which all is well."""
    database = statefulset(replicas=1, readyReplicas=1, updatedReplicas=1)
    database["metadata"] = meta("database", "ss-1")
    bound = claim("Bound", "local-path")
    bound["status"]["capacity"] = {"storage": "1Gi"}
    return {
        "Deployment": [WHOLE],
        "StatefulSet": [database],
        "ReplicaSet": [REPLICASET],
        "Pod": [ready_pod(REPLICASET), ready_pod(REPLICASET, name="polls-2-other"), pod(job(), name="polls-release-x", phase="Succeeded")],
        "Service": [SERVICE],
        "PersistentVolumeClaim": [bound],
    }


def test_all_is_seen_at_a_glance(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        status(capsys, monkeypatch, **healthy())["text"]
        == """\
dev: all is well

cluster    kubeadm, running, v1.36.3 https://10.245.0.1:6443
nodes      NAME   STATE  VERSION  AGE
           berth  Ready  v1.36.3  2 d
release    image     localhost:5000/polls@sha256:4f53cda18c2b
           revision  2, for 2 h
           pods      2 of 2 ready
pods       NAME           READY  RESTARTS  AGE   STATE
           polls-2-other  1/1    0         20 s  Running
           polls-2-ready  1/1    0         20 s  Running
database   database: localhost:5000/polls@sha256:4f53cda18c2b, 1 of 1 ready
addresses  http://127.0.0.1:30080/  200 in 12 ms
volumes    NAME               SIZE  STATE  CLASS
           data-postgresql-0  1Gi   Bound  local-path"""
    )


def test_a_part_of_the_cluster_that_is_missing_is_a_problem(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """But not what passes by itself, or that the next run will update the node."""
    broken = RUNNING | {"state": "unready", "reason": "deployment kube-system/coredns is missing"}
    text = status(capsys, monkeypatch, broken, **healthy())["text"]
    assert text.startswith("dev: 1 problem\n\ncluster    kubeadm, unready, v1.36.3 https://10.245.0.1:6443\nnodes ")
    assert text.endswith("""\
problems   Cluster kubeadm: deployment kube-system/coredns is missing.
             do: ansible-playbook site.yml -i inventories/dev starts or creates that""")
    text = status(capsys, monkeypatch, broken | {"reason": "programs are to be brought up to date", "lasting": []}, **healthy())["text"]
    assert text.startswith("dev: all is well\n") and "\n           programs are to be brought up to date\n" in text


def test_processes_are_seen_beside_web(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    objects = healthy()
    worker = {**WHOLE, "metadata": meta("polls-worker", "d-2", labels={"app.kubernetes.io/component": "process", "berth/process": "worker"})}
    answer = status(capsys, monkeypatch, **{**objects, "Deployment": [WHOLE, worker]})
    assert "\n           pods      2 of 2 ready\nprocesses  worker  2 of 2 ready\n" in answer["text"]
    assert answer["status"]["processes"] == [{"name": "worker", "replicas": 2, "ready": 2}]


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([condition("Failed", reason="BackoffLimitExceeded")], "policies   not enforced: every pod of the cluster can reach the app and its database"),
        ([condition("Complete")], "policies   enforced"),
        ([], ""),
        ([condition("Complete", status="False"), condition("Failed", status="Unknown")], ""),
    ],
)
def test_whether_policies_are_enforced_is_said_and_is_no_problem(
    conditions: list[Json], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = healthy()
    probe = job(*conditions, failed=1)
    asked = pod(probe, phase="Failed", name="network-policy-probe-abcde")
    for each in (probe, asked):
        each["metadata"]["labels"] = {"app.kubernetes.io/component": "probe"}
    with_probe = {**objects, "Job": [*objects.get("Job", []), probe], "Pod": [*objects["Pod"], asked]}
    text, without = (status(capsys, monkeypatch, **each)["text"].splitlines() for each in (with_probe, objects))
    assert [line for line in text if line not in without] == ([said] if said else [])
    assert [line for line in text if line in without] == without


def test_each_kind_is_asked_for_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    status(capsys, monkeypatch, **healthy())
    assert sorted(FakeCluster.asked) == sorted([*environment_status.KINDS, environment_status.memory.METRICS])


@pytest.fixture
def crash(monkeypatch: pytest.MonkeyPatch) -> Json:
    """Return the objects of a release whose second pod crashes and says a secret."""
    monkeypatch.setattr(FakeCluster, "logs", {"polls-2-abcde": f'starting\n{{"level": "CRITICAL", "message": "no database with {SECRET}"}}\n\n'})
    broken = deployment()
    broken["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "polls"}}]
    newest = replicaset(broken)
    return {
        "Deployment": [broken],
        "ReplicaSet": [newest],
        "Service": [SERVICE],
        "Pod": [ready_pod(newest), pod(newest, crashing(ended(1)), restarts=3, phase="Running")],
    }


def test_a_release_that_crashes_is_named_with_its_cause(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, crash: Json) -> None:
    answer = status(capsys, monkeypatch, **crash)
    (problem,) = answer["status"]["problems"]
    assert answer["text"].startswith("dev: 1 problem\n")
    assert (problem["kind"], problem["name"], problem["pod"], problem["cause"]) == ("Deployment", "polls", "polls-2-abcde", "crash")
    assert problem["summary"].startswith("The container web crashes: it ")
    assert "log: CRITICAL no database with ***" in answer["text"]
    assert "do: Fix what the log shows" in answer["text"]
    assert "CrashLoopBackOff" in answer["text"]
    assert answer["status"]["release"]["since"] is None
    assert "revision  2, being rolled out" in answer["text"]


TRACE = """\
  File "/usr/local/lib/python3.13/site-packages/kombu/transport/redis.py", line 271, in <module>
    class PrefixedStrictRedis(GlobalKeyPrefixMixin, redis.Redis):
                                                    ^^^^^^^^^^^
AttributeError: 'NoneType' object has no attribute 'Redis'
bye
"""


def test_what_the_lines_of_a_log_tell_together_is_told_as_by_a_release(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, crash: Json
) -> None:
    monkeypatch.setattr(FakeCluster, "logs", {"polls-2-abcde": TRACE})
    (problem,) = status(capsys, monkeypatch, **crash)["status"]["problems"]
    assert problem["summary"].endswith("the client of Celery's broker, redis, is not installed")
    assert (problem["advice"], problem["log"]) == ("Add the package redis to the project's requirements (and its lock file).", TRACE.splitlines()[-2])


def test_no_secret_is_in_the_answer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, crash: Json) -> None:
    assert SECRET not in str(status(capsys, monkeypatch, **crash))


def test_the_failed_job_of_a_release_is_a_problem_and_those_before_it_are_not(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {"app.kubernetes.io/component": "release"}
    failed = condition("Failed", reason="BackoffLimitExceeded", message="Job has reached the specified backoff limit")
    old, new = job(failed), job(condition("Complete"))
    old["metadata"] |= {"name": "polls-release-1", "uid": "j-0", "labels": labels}
    new["metadata"] |= {"labels": labels, "creationTimestamp": LATER}
    assert status(capsys, monkeypatch, **healthy(), Job=[new, old])["status"]["problems"] == []
    old["metadata"]["creationTimestamp"], new["metadata"]["creationTimestamp"] = LATER, BEGAN
    (problem,) = status(capsys, monkeypatch, **healthy(), Job=[new, old])["status"]["problems"]
    assert (problem["name"], problem["cause"]) == ("polls-release-1", "job")


@pytest.mark.parametrize("conditions", [[], [condition("Failed", reason="BackoffLimitExceeded")]])
def test_a_command_whose_end_somebody_waits_for_is_no_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, conditions: list[Json]
) -> None:
    command = job(*conditions)
    command["metadata"] |= {"name": "polls-manage-x1", "labels": commands.labels("polls")}
    assert status(capsys, monkeypatch, **healthy(), Job=[command])["status"]["problems"] == []


@pytest.mark.parametrize(
    ("state", "headline", "advice"),
    [
        ("absent", "there is no cluster", "site.yml -i inventories/dev creates it"),
        ("stopped", "the cluster is stopped", "playbooks/ops/start.yml -i inventories/dev starts it"),
        ("partial", "the cluster cannot be used", "creates it again"),
        ("foreign", "the cluster cannot be used", "that Berth did not create"),
        ("paused", "the cluster cannot be used", "playbooks/ops/start.yml -i inventories/dev resumes it"),
        ("lost", "the cluster cannot be used", "site.yml -i inventories/dev -e minikube_recreate=true recreates it"),
    ],
)
def test_without_a_cluster_to_ask_it_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, state: str, headline: str, advice: str
) -> None:
    answer = status(capsys, monkeypatch, RUNNING | {"state": state, "reason": "the reason"}, version=Unreachable("must not be asked"))
    assert answer["text"].startswith(f"dev: {headline}\n")
    assert "the reason" in answer["text"]
    assert advice in " ".join(answer["text"].split())
    assert FakeCluster.asked == []


def test_a_minikube_profile_of_somebody_else_is_no_reason_to_take_another_machine(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = status(capsys, monkeypatch, RUNNING | {"provider": "minikube", "state": "foreign", "reason": "minikube has a profile dev"})
    text = " ".join(answer["text"].split())
    assert "minikube has a profile dev" in text
    assert "set minikube_profile in the inventory to another name" in text
    assert "another machine" not in text


def test_a_runbook_that_needs_the_cluster_refuses_every_state_in_which_it_is_not_asked() -> None:
    path = Path(__file__).resolve().parents[2] / "playbooks" / "ops" / "tasks" / "running.yml"
    assert yaml.safe_load(path.read_text(encoding="utf-8"))[0]["vars"]["__states"].keys() == environment_status.ADVICE.keys()


def test_an_api_server_that_does_not_answer_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = status(capsys, monkeypatch, RUNNING | {"state": "unready"}, version=Unreachable("The API server https://10.245.0.1:6443 does not answer"))
    assert answer["text"].startswith("dev: the cluster cannot be used\n")
    assert "The API server https://10.245.0.1:6443 does not answer" in answer["text"]
    assert "playbooks/ops/start.yml -i inventories/dev starts the parts that are not running" in " ".join(answer["text"].split())


def test_where_nothing_is_released_the_cluster_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = status(capsys, monkeypatch)
    assert answer["text"].startswith("dev: nothing is released yet\n")
    assert "berth  Ready" in answer["text"]


def test_what_may_not_be_read_is_named_and_the_rest_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = status(capsys, monkeypatch, **(healthy() | {"Node": Forbidden("no"), "PersistentVolumeClaim": Forbidden("no")}))
    assert "not read   Node objects: this user may not list them\n" in answer["text"]
    assert "polls-2-ready" in answer["text"]


def test_pods_that_serve_where_no_address_answers_are_not_called_well(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_status.access, "ask", lambda url, timeout: Answer(0, "no answer"))
    assert "no address answers" in status(capsys, monkeypatch, **healthy())["text"].splitlines()[0]


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (("", ""), "answers 500. do: fix it in the app"),
        (("it raises KeyError: 'x' (/code/v.py:1)", ""), "answers 500: it raises KeyError: 'x' (/code/v.py:1). do: fix it in the app"),
        (("it raises X: the app cannot connect to a:1", "Set berth_app_egress"), "500: it raises X: the app cannot connect to a:1. do: Set berth_app_egress"),
    ],
)
def test_a_page_with_an_error_is_a_problem_with_what_it_raises_and_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, raised: tuple[str, str], words: str
) -> None:
    monkeypatch.setattr(environment_status.access, "ask", lambda url, timeout: Answer(500, "500 in 7 ms"))
    monkeypatch.setattr(environment_status.page_error, "of_url", lambda *asked: asked[2:])
    monkeypatch.setattr(environment_status.page_error, "explained", lambda asked: raised if asked == ("polls", "http://127.0.0.1:30080/") else ("?", "?"))
    answer = status(capsys, monkeypatch, **healthy())
    assert answer["text"].splitlines()[0] == "dev: 1 problem"
    text = " ".join(answer["text"].split())
    assert "Page http://127.0.0.1:30080/: answers 500" in text and words in text


RAISED = "Traceback (most recent call last):\\n  File \\\"/code/v.py\\\", line 1, in page\\nKeyError: 'x'"
ANSWERED = f"""\
2026-03-01T11:30:00.1Z 10.244.0.1 - - [01/Mar/2026:11:30:00 +0000] "GET /readyz HTTP/1.1" 503 2
2026-03-01T11:40:00.1Z 10.244.0.9 - - [01/Mar/2026:11:40:00 +0000] "GET /polls/?token=1 HTTP/1.1" 200 412
2026-03-01T11:50:00.1Z 10.244.0.9 - - [01/Mar/2026:11:50:00 +0000] "GET /report/{SECRET.replace(" ", "-")}?token=1 HTTP/1.1" 500 145
2026-03-01T11:50:01.1Z {{"level": "ERROR", "message": "Internal Server Error: /report/", "exception": "{RAISED}"}}
2026-03-01T11:58:00.1Z {{"level": "INFO", "message": "GET /report/{SECRET.replace(" ", "-")} 500"}}
2026-03-01T11:58:00.2Z {{"level": "INFO", "message": "POST /vote/ 503"}}
"""


def web_pods(access: str, monkeypatch: pytest.MonkeyPatch) -> Json:
    """Return the objects of an environment of which one web pod has an access log."""
    objects = healthy()
    for each in objects["Pod"][:2]:
        each["metadata"]["labels"]["app.kubernetes.io/component"] = "web"
    monkeypatch.setattr(FakeCluster, "access", {"polls-2-ready": access})
    return objects


def measured(objects: Json, used: str, limit: str = "256Mi", component: str = "web") -> Json:
    """Return objects of which one pod's memory is limited and measured."""
    subject = objects["Pod"][0]
    subject["metadata"]["labels"] = subject["metadata"]["labels"] | {"app.kubernetes.io/component": component}
    if limit:
        subject["spec"]["containers"][0]["resources"] = {"limits": {"memory": limit}}
    metrics = {"metadata": {"name": "polls-2-ready"}, "containers": [{"name": "web", "usage": {"cpu": "1m", "memory": used}}]}
    return {**objects, "metrics.k8s.io/v1beta1/PodMetrics": [metrics]}


@pytest.mark.parametrize(("component", "told"), [("web", "dev: 1 problem"), ("process", "dev: 1 problem"), ("database", "dev: all is well")])
def test_an_app_that_is_near_its_memory_limit_is_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, component: str, told: str
) -> None:
    answer = status(capsys, monkeypatch, **measured(healthy(), "249000Ki", component=component))
    lines = answer["text"].splitlines()
    assert lines[0] == told
    assert "pods       NAME           READY  RESTARTS  AGE   MEMORY      STATE" in lines
    assert "           polls-2-ready  1/1    0         20 s  243/256 Mi  Running" in lines
    words = (
        "Pod polls-2-ready: the container web uses 243 of 256 MiB, and is killed at the limit (OOMKilled). do: Raise the memory limit in berth_app_resources"
    )
    assert (words in " ".join(answer["text"].split())) is (component != "database")


@pytest.mark.parametrize(("used", "limit", "cell"), [("230Mi", "256Mi", "230/256 Mi"), ("4Gi", "", "4096 Mi")])
def test_an_app_with_room_for_its_memory_is_no_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, used: str, limit: str, cell: str
) -> None:
    answer = status(capsys, monkeypatch, **measured(healthy(), used, limit))
    assert answer["text"].splitlines()[0] == "dev: all is well"
    assert {pod["name"]: pod["memory"] for pod in answer["status"]["pods"]} == {"polls-2-ready": cell, "polls-2-other": ""}


def test_where_nobody_measures_memory_no_column_of_it_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = status(capsys, monkeypatch, **healthy(), **{"metrics.k8s.io/v1beta1/PodMetrics": NotFound("no such kind")})
    assert (answer["text"].splitlines()[0], "MEMORY" in answer["text"], answer["status"]["notes"]) == ("dev: all is well", False, [])


def test_requests_that_were_answered_with_an_error_are_counted_and_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_status.page_error, "of_url", lambda *_: [])
    lines = status(capsys, monkeypatch, **web_pods(ANSWERED, monkeypatch))["text"].splitlines()
    assert lines[0] == "dev: all pods are ready; 3 requests were answered with an error"
    at = next(index for index, line in enumerate(lines) if line.startswith("requests"))
    assert lines[at : at + 4] == [
        "requests   4 in the last 30 min, 3 answered with an error, the last 2 min ago:",
        "             GET /report/correct-horse-battery  500  2 times",
        "             POST /vote/                        503  once",
        "             log: it raises KeyError: 'x' (/code/v.py:1)",
    ]


def test_a_page_that_goes_on_to_fail_for_visitors_is_a_problem(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(environment_status.page_error, "of_url", lambda *given: asked.append(given[3]) or ["KeyError: 'x'"])
    answer = status(capsys, monkeypatch, **web_pods(ANSWERED, monkeypatch))
    assert asked == ["http://127.0.0.1:30080/report/correct-horse-battery"]
    assert answer["text"].splitlines()[0] == "dev: 1 problem"
    assert "answers 500: it raises KeyError: 'x'." in " ".join(answer["text"].split())


@pytest.mark.parametrize(("lines", "told"), [(2, "requests   1 in the last 30 min, none answered with an error"), (1, None)])
def test_requests_that_were_all_answered_are_no_trouble(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lines: int, told: str | None
) -> None:
    answer = status(capsys, monkeypatch, **web_pods("".join(ANSWERED.splitlines(keepends=True)[:lines]), monkeypatch))
    assert answer["text"].splitlines()[0] == "dev: all is well"
    assert next((line for line in answer["text"].splitlines() if line.startswith("requests")), None) == told


def test_an_address_that_does_not_let_this_machine_in_is_not_shown_beside_one_that_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment_status.access, "ask", lambda url, timeout: Answer(400, "400") if "lb.example" in url else Answer(200, "200"))
    balanced = SERVICE | {"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}}
    answer = status(capsys, monkeypatch, **(healthy() | {"Service": [balanced]}))
    assert [each["url"] for each in answer["status"]["addresses"]] == ["http://127.0.0.1:30080/"]


def test_a_long_name_loses_its_middle_and_keeps_its_end(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    objects = healthy()
    objects["Pod"][0]["metadata"]["name"] = f"{'a' * 63}-{'b' * 10}-abcde"
    text = status(capsys, monkeypatch, **objects)["text"]
    assert "…" in text and "bbb-abcde  1/1" in text


def test_a_database_outside_the_cluster_is_named_by_its_host(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outside = {"metadata": {"name": "database"}, "spec": {"externalName": "polls.rds.example"}}
    text = status(capsys, monkeypatch, **(healthy() | {"StatefulSet": [], "Service": [SERVICE, outside]}))["text"]
    assert "database   polls.rds.example: outside the cluster\n" in text


@pytest.mark.parametrize(("seconds", "told"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d"), (None, "?")])
def test_a_time_span_is_told_in_its_largest_unit(seconds: int | None, told: str) -> None:
    assert status_text.duration(seconds) == told


def test_a_node_that_lacks_something_says_so() -> None:
    node = {"metadata": {"name": "n"}, "spec": {"unschedulable": True}, "status": {"conditions": [{"type": "DiskPressure", "status": "True"}]}}
    assert status_text.nodes([node], LATER)[0]["state"] == "NotReady, DiskPressure, cordoned"


def test_the_image_is_shown_with_as_much_of_its_digest_as_people_compare() -> None:
    assert status_text.short_image(IMAGE) == "localhost:5000/polls@sha256:4f53cda18c2b"
    assert status_text.short_image("postgres:17") == "postgres:17"


# --- What is over ----------------------------------------------------------
PROBED = "Container web failed liveness probe, will be restarted"
TMP = 'Usage of EmptyDir volume "tmp" exceeds the limit "64Mi". '


def event(reason: str, message: str, name: str, at: str = LATER, **more: Any) -> Json:
    """Return an event of a pod."""
    return {"reason": reason, "message": message, "involvedObject": {"kind": "Pod", "name": name}, "lastTimestamp": at} | more


FAILED = event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", "polls-a")
FAILED["involvedObject"]["fieldPath"] = "spec.containers{web}"


def restarted(code: int, reason: str = "Error", at: str = BEGAN) -> Json:
    """Return a pod whose container runs again."""
    found = ready_pod(REPLICASET, name="polls-a")
    before = {"terminated": {"exitCode": code, "reason": reason, "finishedAt": at}}
    found["status"]["containerStatuses"] = [{"name": "web", "restartCount": 2, "lastState": before}]
    return found


def evicted() -> Json:
    """Return a pod that its node has evicted."""
    found = pod(REPLICASET, name="polls-b", phase="Failed")
    disruption = condition("DisruptionTarget", reason="TerminationByKubelet", at=BEGAN)
    found["status"] |= {"reason": "Evicted", "message": TMP, "conditions": [disruption]}
    return found


@pytest.mark.parametrize(
    ("pods", "events", "words", "advice"),
    [
        ([restarted(137, "OOMKilled")], [], "polls-a (web) used more memory than its limit, was killed (OOMKilled) and", "berth_app_resources"),
        ([restarted(1)], [], "polls-a (web) ended with exit code 1 and was restarted, 2 times", "playbooks/ops/logs.yml"),
        ([restarted(137)], [event("Killing", PROBED, "polls-a")], "did not answer its liveness probe", "path"),
        ([], [event("Killing", PROBED, "polls-gone")], "polls-gone (web) did not answer its liveness", "path"),
        ([restarted(137)], [event("Killing", PROBED, "polls-a"), FAILED], "(web) answered its liveness probe with 500 and was", "Mend the page"),
        ([evicted()], [], "polls-b was evicted by its node: Usage of EmptyDir volume", "berth_app_writable"),
        ([], [event("Evicted", TMP, "polls-gone")], "polls-gone was evicted by its node: Usage of EmptyDir volume", "berth_app_writable"),
        ([], [event("Evicted", "The node was low on resource: memory. Threshold", "polls-gone")], "low on resource: memory", "give the node more memory"),
        ([], [event("Evicted", "Pod ephemeral local storage usage exceeds the total", "polls-gone")], "ephemeral local storage", "to a volume"),
    ],
)
def test_what_went_wrong_in_the_last_hour_is_told_with_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pods: list[Json], events: list[Json], words: str, advice: str
) -> None:
    answer = status(capsys, monkeypatch, **healthy() | {"Pod": [*healthy()["Pod"], *pods], "Event": events})
    said = " ".join(answer["text"].split())
    assert "dev: all is well now, after 1 incident in the last hour" in said
    assert words in said
    assert advice in said
    assert max(map(len, answer["text"].splitlines())) <= status_text.WIDTH


@pytest.mark.parametrize(
    ("pods", "events"),
    [
        ([restarted(0, "Completed")], []),  # it was asked to end, as a cluster that is stopped does
        ([restarted(143)], []),
        ([restarted(255, "Unknown")], []),  # its machine was switched off
        ([restarted(1, at="2026-03-01T10:59:00Z")], []),
        ([], [event("Evicted", TMP, "polls-gone", "2026-03-01T10:59:00Z")]),
        ([], [event("Killing", "Stopping container web", "polls-gone"), event("Unhealthy", "Liveness probe failed", "polls-a")]),
    ],
)
def test_what_is_no_trouble_or_longer_ago_is_not_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pods: list[Json], events: list[Json]
) -> None:
    assert "dev: all is well\n" in status(capsys, monkeypatch, **healthy() | {"Pod": [*healthy()["Pod"], *pods], "Event": events})["text"]


def test_an_eviction_that_pod_and_event_tell_of_is_told_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = status(capsys, monkeypatch, **healthy() | {"Pod": [*healthy()["Pod"], evicted()], "Event": [event("Evicted", TMP, "polls-b")]})
    assert len(answer["status"]["incidents"]) == 1


# --- When certificates end -------------------------------------------------
def dated(kind: str, days: float, name: str = "x") -> Json:
    """Return a certificate as kubeadm_info does; the test's year is its own."""
    return {"kind": kind, "name": name, "path": f"/etc/kubernetes/{name}", "ends": "2027-01-02T03:04:05Z", "seconds": int(days * 86400)}


def test_of_each_kind_the_certificate_that_ends_first_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [dated("authority", 3650), dated("control plane", 400, "a"), dated("control plane", 300, "b"), dated("kubelet", 3600)]
    answer = status(capsys, monkeypatch, RUNNING | {"certificates": ends, "renew_days": 60}, **healthy())
    assert answer["text"].startswith("dev: all is well\n")
    assert answer["text"].endswith("""
expiry     CERTIFICATE    ENDS        IN
           authority      2027-01-02  3650 d
           control plane  2027-01-02  300 d
           kubelet        2027-01-02  3600 d""")
    assert "certificates" not in answer["status"]["cluster"]


@pytest.mark.parametrize(
    ("provider", "certificate", "told", "advice"),
    [
        (
            "kubeadm",
            dated("control plane", 59, "pki/apiserver.crt"),
            "ends in 59 d, 2027-01-02 (/etc/kubernetes/pki/apiserver.crt)",
            "ansible-playbook site.yml -i inventories/dev renews it",
        ),
        (
            "kubeadm",
            dated("kubelet", -30, "kubelet.conf"),
            "ended 30 d ago, 2027-01-02 (/etc/kubernetes/kubelet.conf)",
            "ansible-playbook site.yml -i inventories/dev renews it",
        ),
        (
            "kubeadm",
            dated("authority", 20, "pki/ca.crt"),
            "ends in 20 d, 2027-01-02 (/etc/kubernetes/pki/ca.crt)",
            "nobody renews an authority: make the cluster again (ansible-playbook playbooks/destroy.yml -i inventories/dev, "
            "then ansible-playbook site.yml -i inventories/dev); its volumes are kept",
        ),
        (
            "kubeadm",
            dated("kubeconfig", 1, "k"),
            "ends in 24 h, 2027-01-02 (/etc/kubernetes/k)",
            "ansible-playbook site.yml -i inventories/dev brings a new one",
        ),
        (
            "existing",
            dated("kubeconfig", 1, "k"),
            "ends in 24 h, 2027-01-02 (/etc/kubernetes/k)",
            "get another kubeconfig from whoever runs the cluster as berth_existing_kubeconfig, then ansible-playbook site.yml -i inventories/dev",
        ),
    ],
)
def test_a_certificate_that_ends_is_a_problem_with_a_way_out(provider: str, certificate: Json, told: str, advice: str) -> None:
    (found,) = status_text.expiry([certificate, dated("control plane", 61)], 60, provider, "dev")
    assert (found["kind"], found["name"], found["summary"], found["advice"]) == ("Certificate", certificate["kind"], told, advice)


def test_where_nobody_knows_the_way_out_no_certificate_is_a_problem() -> None:
    assert status_text.expiry([dated("kubeconfig", 1)], 60, "minikube", "dev") == []


@pytest.mark.parametrize("state", ["running", "unready", "stopped"])
def test_certificates_that_ended_are_told_of_a_cluster_that_does_not_answer_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    facts = RUNNING | {"state": state, "reason": "kubelet not running", "certificates": [dated("control plane", -3, "pki/apiserver.crt")]}
    answer = status(capsys, monkeypatch, facts, version=Unreachable("The API server does not answer"))
    assert "expiry     CERTIFICATE    ENDS        IN\n           control plane  2027-01-02  ended\n" in answer["text"]
    words = " ".join(answer["text"].split())
    assert "problems Certificate control plane: ended 3 d ago, 2027-01-02 (/etc/kubernetes/pki/apiserver.crt)." in words
    assert "do: ansible-playbook site.yml -i inventories/dev renews it" in words
    assert [each["cause"] for each in answer["status"]["problems"]] == ["certificate"]
