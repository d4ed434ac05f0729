"""The wait: what it reads, what it survives, and what it shows."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import processes
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Forbidden, KubeError, NotFound, Unreachable
from ansible_collections.berth.platform.plugins.modules import k8s_rollout
from rollout_objects import (
    LABELS,
    LATER,
    claim,
    condition,
    container,
    crashing,
    deployment,
    ended,
    event,
    job,
    pod,
    ready_pod,
    replicaset,
    statefulset,
    unschedulable,
    waiting,
)

Json = dict[str, Any]
NO_ROOM = "0/1 nodes are available: 1 Insufficient cpu."
DONE = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}


class FakeCluster:
    """An API server that holds what a test gives it.

    Args:
        objects: By kind: a list, or a function that returns one again for each request, or an error to raise.
        logs: By (pod, container, whether it is the previous run's).
    """

    def __init__(self, logs: dict[tuple[str, str, bool], str] | None = None, **objects: Any) -> None:
        self.objects, self.logs = objects, logs or {}
        self.now = LATER
        self.asked: list[str] = []

    def _held(self, kind: str) -> list[Json]:
        held = self.objects.get(kind, [])
        held = held() if isinstance(held, Callable) else held
        if isinstance(held, KubeError):
            raise held
        return held

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return the object of that name."""
        self.asked.append(f"{kind}/{name}")
        for each in self._held(kind):
            if each["metadata"]["name"] == name:
                return each
        raise NotFound(f'{kind} {name} in namespace {namespace}: "{name}" not found')

    def items(self, kind: str, namespace: str, **query: str) -> list[Json]:
        """Return all objects of a kind; of events those of the object that is asked for."""
        self.asked.append(kind)
        held = self._held(kind)
        if "fieldSelector" in query:
            uid = query["fieldSelector"].removeprefix("involvedObject.uid=")
            return [each for each in held if each["involvedObject"]["uid"] == uid]
        return held

    def log(self, namespace: str, pod: str, **query: Any) -> str:
        """Return the log of a container's run."""
        key = (pod, query.get("container", ""), query.get("previous") == "true")
        if key not in self.logs:
            raise KubeError(f"previous terminated container of {key} not found")
        return self.logs[key]


def rollout(cluster: FakeCluster, kind: str = "Deployment", name: str = "polls") -> k8s_rollout.Rollout:
    """Return the wait for one workload."""
    return k8s_rollout.Rollout(cluster, "polls-dev", kind, name, log_lines=20, scheduling_grace=30)


def crashing_cluster(**more: Any) -> FakeCluster:
    """Return a cluster whose Deployment crashes, with both runs' logs."""
    workload = deployment()
    newest = replicaset(workload)
    logs = {
        ("polls-2-abcde", "web", True): "old line\nKeyError: 'DJANGO_SECRET_KEY'\n",
        ("polls-2-abcde", "web", False): "starting\n",
    }
    return FakeCluster(logs, **({"Deployment": [workload], "ReplicaSet": [newest], "Pod": [pod(newest, crashing(ended(1)))]} | more))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second pass at once."""
    clock = itertools.count()
    monkeypatch.setattr(k8s_rollout.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(k8s_rollout.time, "monotonic", lambda: float(next(clock)))


def test_a_complete_rollout_costs_one_request() -> None:
    """A second run over an unchanged application asks little of the API."""
    cluster = FakeCluster(Deployment=[deployment(**DONE)])
    k8s_rollout.wait([rollout(cluster)], timeout=60)
    assert cluster.asked == ["Deployment/polls"]


def test_all_workloads_are_waited_for_together() -> None:
    """The first to fail ends the wait, also when it comes last."""
    cluster = crashing_cluster(StatefulSet=[statefulset()])
    with pytest.raises(k8s_rollout.Failed, match="The container web crashes"):
        k8s_rollout.wait([rollout(cluster, "StatefulSet", "postgresql"), rollout(cluster)], timeout=60)


def test_the_log_of_the_run_that_crashed_is_shown() -> None:
    """Not that of the run which has just begun."""
    with pytest.raises(k8s_rollout.Failed) as failed:
        k8s_rollout.wait([rollout(crashing_cluster())], timeout=60)
    assert "KeyError: 'DJANGO_SECRET_KEY'" in str(failed.value)
    assert "  starting" not in str(failed.value).splitlines()
    assert failed.value.failure == {
        "kind": "Deployment",
        "name": "polls",
        "cause": "crash",
        "reason": "Error",
        "pod": "polls-2-abcde",
        "container": "web",
    }


def test_a_log_that_the_node_is_just_replacing_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two runs there is neither that of before nor a line of the next."""
    cluster = crashing_cluster()
    kept, cluster.logs = cluster.logs, {("polls-2-abcde", "web", False): ""}
    asked: list[bool] = []

    def log(namespace: str, pod: str, **query: Any) -> str:
        asked.append(query.get("previous") == "true")
        if len(asked) == 5:
            cluster.logs = kept
        return FakeCluster.log(cluster, namespace, pod, **query)

    monkeypatch.setattr(cluster, "log", log)
    with pytest.raises(k8s_rollout.Failed, match="KeyError: 'DJANGO_SECRET_KEY'"):
        k8s_rollout.wait([rollout(cluster)], timeout=1000)
    assert asked == [True, False] * 2 + [True]


def test_a_container_that_said_nothing_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = crashing_cluster()
    cluster.logs = dict.fromkeys(cluster.logs, "")
    asked: list[str] = []
    monkeypatch.setattr(cluster, "log", lambda _namespace, pod, **query: asked.append(pod) or "")
    with pytest.raises(k8s_rollout.Failed, match="crashes"):
        k8s_rollout.wait([rollout(cluster)], timeout=1000)
    assert len(asked) == 2


def test_the_current_log_is_shown_where_there_is_no_previous_one() -> None:
    """A runtime may have removed the container that crashed."""
    cluster = crashing_cluster()
    del cluster.logs["polls-2-abcde", "web", True]
    with pytest.raises(k8s_rollout.Failed, match="starting"):
        k8s_rollout.wait([rollout(cluster)], timeout=60)


def test_a_secret_is_shown_neither_in_the_log_nor_in_an_event_nor_in_a_message() -> None:
    """Whichever of them an application or the kubelet writes it to."""
    workload = deployment()
    workload["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "polls"}}]
    newest = replicaset(workload)
    crashed = pod(newest, crashing(ended(1, message="bad password hunter2hunter2")))
    cluster = crashing_cluster(
        Deployment=[workload],
        Pod=[crashed],
        Event=[event(crashed, "Unhealthy", "probe said hunter2hunter2")],
        Secret=[{"metadata": {"name": "polls"}, "data": {"P": base64.b64encode(b"hunter2hunter2").decode()}}],
    )
    cluster.logs["polls-2-abcde", "web", True] = "connecting with hunter2hunter2\n"
    with pytest.raises(k8s_rollout.Failed) as failed:
        k8s_rollout.wait([rollout(cluster)], timeout=60)
    message = str(failed.value)
    assert "hunter2" not in message
    assert "connecting with ***" in message
    assert "probe said ***" in message
    assert "bad password ***" in message


@pytest.mark.parametrize("kind", ["Event", "Secret", "PersistentVolumeClaim"])
def test_what_only_explains_may_be_forbidden(kind: str) -> None:
    """The diagnosis is poorer, but it is there."""
    workload = deployment()
    workload["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "polls"}}]
    cluster = crashing_cluster(Deployment=[workload], **{kind: Forbidden("no")})
    with pytest.raises(k8s_rollout.Failed, match="KeyError"):
        k8s_rollout.wait([rollout(cluster)], timeout=60)


def test_a_claim_that_may_not_be_read_is_not_taken_for_missing() -> None:
    """Forbidden is not absent."""
    workload = statefulset()
    pending = unschedulable(workload, "0/1 nodes are available: 1 Insufficient cpu.", labels={"controller-revision-hash": "postgresql-7c9f"})
    pending["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}}]
    cluster = FakeCluster(StatefulSet=[workload], Pod=[pending], PersistentVolumeClaim=Forbidden("no"))
    with pytest.raises(k8s_rollout.Failed) as failed:
        k8s_rollout.wait([rollout(cluster, "StatefulSet", "postgresql")], timeout=200)
    assert failed.value.failure["cause"] == "resources"


def of_provisioner(count: int) -> FakeCluster:
    """Return a cluster whose provisioner has failed so often to make the volume of a StatefulSet's pod."""
    workload, found = statefulset(), claim(storage_class="local-path")
    chosen = pod(workload, labels={"controller-revision-hash": "postgresql-7c9f"}) | {"status": {"phase": "Pending"}}
    chosen["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-postgresql-0"}}]
    said = event(found, "ProvisioningFailed", "failed to provision volume: no space left on device", count=count)
    return FakeCluster(StatefulSet=[workload], Pod=[chosen], PersistentVolumeClaim=[found], Event=[said])


@pytest.mark.parametrize(
    ("count", "beginning"),
    [
        (4, "No volume can be created for the PersistentVolumeClaim data-postgresql-0.\n"),
        (
            1,
            "The StatefulSet postgresql is not complete after 200 s: no volume can be created for the PersistentVolumeClaim",
        ),
    ],
    ids=["again and again", "once"],
)
def test_a_volume_that_cannot_be_made_is_told_with_the_claims_event(count: int, beginning: str) -> None:
    """The pod's own events say nothing of it."""
    with pytest.raises(k8s_rollout.Failed) as failed:
        k8s_rollout.wait([rollout(of_provisioner(count), "StatefulSet", "postgresql")], timeout=200)
    assert str(failed.value).startswith(beginning)
    assert "  failed to provision volume: no space left on device\n" in str(failed.value)


def test_pods_that_may_not_be_read_fail_the_wait_with_the_permissions_name() -> None:
    """Without pods nothing can be said."""
    cluster = crashing_cluster(Pod=Forbidden("Kubernetes does not allow this user to list pods in namespace polls-dev"))
    with pytest.raises(Forbidden, match="list pods"):
        k8s_rollout.wait([rollout(cluster)], timeout=60)


def test_a_workload_that_does_not_exist_fails_the_wait_at_once() -> None:
    """Nothing will come of waiting."""
    with pytest.raises(NotFound, match="Deployment polls in namespace polls-dev"):
        k8s_rollout.wait([rollout(FakeCluster())], timeout=60)


def test_a_connection_that_breaks_for_a_while_does_not_fail_the_wait() -> None:
    """A control plane may restart."""
    answers = iter([Unreachable("down"), Unreachable("down"), [deployment(**DONE)]])
    cluster = FakeCluster(Deployment=lambda: next(answers))
    k8s_rollout.wait([rollout(cluster)], timeout=60)
    assert cluster.asked == ["Deployment/polls"] * 3


def test_a_connection_that_stays_broken_is_said_when_the_time_is_over() -> None:
    """With how long it was tried."""
    cluster = FakeCluster(Deployment=Unreachable("The API server https://127.0.0.1:6443 does not answer"))
    with pytest.raises(Unreachable, match=r"does not answer\. Gave up after 20 s"):
        k8s_rollout.wait([rollout(cluster)], timeout=20)


def test_a_pod_that_is_never_ready_is_explained_when_the_time_is_over() -> None:
    """By its probe and its log."""
    workload = deployment()
    newest = replicaset(workload)
    unready = pod(newest, container(state={"running": {"startedAt": LATER}}), phase="Running")
    probe = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    cluster = FakeCluster(
        {("polls-2-abcde", "web", False): '{"reason": "unapplied migrations"}\n'},
        Deployment=[workload],
        ReplicaSet=[newest],
        Pod=[unready],
        Event=[event(unready, "Unhealthy", probe, container_name="web")],
    )
    with pytest.raises(k8s_rollout.Failed) as failed:
        k8s_rollout.wait([rollout(cluster)], timeout=20)
    lines = str(failed.value).splitlines()
    assert lines[0] == ("The Deployment polls is not complete after 20 s: the container web runs but is not ready.")
    assert f"  {probe}" in lines
    assert '  {"reason": "unapplied migrations"}' in lines


def test_a_rollout_without_a_finding_says_where_it_stands_when_the_time_is_over() -> None:
    """Better than nothing."""
    workload = deployment()
    newest = replicaset(workload)
    cluster = FakeCluster(Deployment=[workload], ReplicaSet=[newest], Pod=[pod(newest, waiting("ContainerCreating"))])
    with pytest.raises(k8s_rollout.Failed, match=r"after 20 s: 0 of 2 pods ready \(polls-2-abcde: ContainerCreating\)"):
        k8s_rollout.wait([rollout(cluster)], timeout=20)


def test_a_failed_deadline_is_explained_by_the_pod() -> None:
    """Both are in the first line."""
    late = condition("Progressing", "False", "ProgressDeadlineExceeded", "has timed out", LATER)
    workload = deployment(conditions=[late])
    newest = replicaset(workload)
    unready = pod(newest, container(state={"running": {"startedAt": LATER}}), phase="Running")
    cluster = FakeCluster(Deployment=[workload], ReplicaSet=[newest], Pod=[unready])
    with pytest.raises(k8s_rollout.Failed, match=r"no progress for 600 s .*: the container web runs but is not ready"):
        k8s_rollout.wait([rollout(cluster)], timeout=60)


def failing_job() -> tuple[Json, Json]:
    """Return a Job whose pod has just failed, and the pod."""
    workload = job(spec={"selector": {"matchLabels": LABELS}})
    return workload, pod(workload, container(state=ended(1)), name="polls-migrate-x", phase="Failed")


def test_a_jobs_log_is_shown_although_its_pod_has_gone() -> None:
    """The Job controller deletes the pods of a Job that took too long."""
    running, failed_pod = failing_job()
    over = running | {"status": {"conditions": [condition("Failed", "True", "DeadlineExceeded", "too long")]}}
    jobs, pods = iter([[running], [over]]), iter([[failed_pod], []])
    cluster = FakeCluster({("polls-migrate-x", "web", False): "waiting for the lock\n"}, Job=lambda: next(jobs), Pod=lambda: next(pods))
    with pytest.raises(k8s_rollout.Failed, match="waiting for the lock"):
        k8s_rollout.wait([rollout(cluster, "Job", "polls-migrate-3f2a")], timeout=60)


def test_a_complete_jobs_log_is_returned() -> None:
    """Of the pod that succeeded."""
    workload = job(condition("Complete"), spec={"selector": {"matchLabels": LABELS}}, succeeded=1)
    succeeded = pod(workload, container(state=ended(0, "Completed")), name="polls-migrate-y", phase="Succeeded")
    cluster = FakeCluster({("polls-migrate-y", "web", False): "Applying polls.0001_initial... OK\n"}, Job=[workload], Pod=[succeeded])
    waited = rollout(cluster, "Job", "polls-migrate-3f2a")
    k8s_rollout.wait([waited], timeout=60)
    assert waited.log_tail() == ["Applying polls.0001_initial... OK"]


def test_each_change_of_state_is_one_line_of_progress(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And what stays the same is not repeated."""
    progress = tmp_path / "progress"
    monkeypatch.setenv("BERTH_PROGRESS", str(progress))
    begun, done = deployment(), deployment(**DONE)
    newest = replicaset(begun)
    states = iter([[begun], [begun], [begun], [done]])
    pods = iter([[], [pod(newest, waiting("ContainerCreating"))], [pod(newest, waiting("ContainerCreating"))]])
    cluster = FakeCluster(Deployment=lambda: next(states), ReplicaSet=[newest], Pod=lambda: next(pods))
    k8s_rollout.wait([rollout(cluster)], timeout=60)
    assert progress.read_text().splitlines() == [
        "Deployment polls: 0 of 2 pods ready",
        "Deployment polls: 0 of 2 pods ready (polls-2-abcde: ContainerCreating)",
        "Deployment polls: 2 of 2 pods ready",
    ]


def test_a_pod_without_a_readiness_probe_is_looked_at_until_it_has_run_for_a_while() -> None:
    """The API server's clock decides."""
    workload = deployment(**DONE)
    del workload["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    newest = replicaset(workload)
    cluster = FakeCluster(ReplicaSet=[newest], Pod=[ready_pod(newest)])
    times = iter(range(3, 9))

    def answer() -> list[Json]:
        cluster.now = f"2026-03-01T12:00:{next(times):02}Z"
        return [workload]

    cluster.objects["Deployment"] = answer
    k8s_rollout.wait([rollout(cluster)], timeout=60)
    assert cluster.now == "2026-03-01T12:00:05Z"


class ProcessCluster(FakeCluster):
    """A cluster that runs a process whose container ends again and again, with a clock that the wait's pauses move.

    Args:
        life: Seconds from each start of the container to its end.
        code: Its exit code.
        web: Seconds after which web is complete.
    """

    def __init__(self, life: int, code: int, web: int = 0) -> None:
        super().__init__({("polls-2-abcde", "worker", previous): "ImportError: no redis\n" for previous in (True, False)})
        self.life, self.code, self.web, self.seconds = life, code, web, 0.0
        self.objects = {"Deployment": lambda: [self._web(), self._worker()], "ReplicaSet": lambda: [replicaset(self._worker())], "Pod": lambda: [self._pod()]}

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self.now = self._time(self.seconds)

    def _time(self, seconds: float) -> str:
        return f"2026-03-01T12:{int(seconds) // 60:02}:{int(seconds) % 60:02}Z"

    def _run(self) -> tuple[float, float, int, bool]:
        """Return start and end of the latest run, how many were before it, and whether it is over. The second time the kubelet backs off for 10 s."""
        start, runs = 0.0, 0
        while self.seconds >= start + self.life + (back_off := (1, 10, 20, 40)[runs]):
            start, runs = start + self.life + back_off, runs + 1
        return start, start + self.life, runs, self.seconds >= start + self.life

    def _web(self) -> Json:
        return deployment(**(DONE if self.seconds >= self.web else {})) | {"metadata": deployment()["metadata"] | {"name": "web"}}

    def _worker(self) -> Json:
        pod = {"volumes": []}
        app = {"name": "polls", "version": "1", "selector": LABELS, "labels": LABELS, "version_label": {}}
        container = {"image": "polls:1", "resources": {}}
        made = processes.objects({"worker": {"command": ["celery", "worker"]}}, app, pod, container, 300)[0]
        start, _, _, over = self._run()
        counts = {"readyReplicas": int(not over), "availableReplicas": int(not over and self.seconds - start >= made["spec"].get("minReadySeconds", 0))}
        made["metadata"] |= deployment()["metadata"] | {"name": "polls-worker", "labels": made["metadata"]["labels"]}
        return made | {"status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1} | counts}

    def _pod(self) -> Json:
        start, end, runs, over = self._run()
        last = ended(self.code, "Error" if self.code else "Completed", self._time(end if over else start))
        status = container("worker", ready=True, restartCount=runs, state={"running": {"startedAt": self._time(start)}}, lastState=last if runs else {})
        if over:
            status |= {"ready": False, "state": last}
        if over and runs:
            status |= {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": last}
        ready = condition("Ready", "False" if over else "True", at=self._time(end if over else start))
        return pod(replicaset(self._worker()), status, phase="Running", conditions=[ready])


def process_wait(cluster: ProcessCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a process and web."""
    monkeypatch.setattr(k8s_rollout.time, "sleep", cluster.sleep)
    monkeypatch.setattr(k8s_rollout.time, "monotonic", lambda: cluster.seconds)
    k8s_rollout.wait([rollout(cluster, name="web"), rollout(cluster, name="polls-worker")], timeout=60)


@pytest.mark.parametrize(
    ("life", "code", "web", "told"),
    [
        (1, 1, 0, "The container worker crashes: it ended with exit code 1, 2 times."),
        (6, 1, 0, "The container worker crashes: it ended with exit code 1, 2 times."),
        (9, 3, 0, "The container worker crashes: it ended with exit code 3, 2 times."),
        (13, 1, 40, "The container worker crashes: it ended with exit code 1, 2 times."),
        (1, 0, 0, "The container worker ended by itself (exit code 0), 2 times."),
        (8, 0, 0, "The container worker ended by itself (exit code 0), 2 times."),
    ],
    ids=["at once", "while it imports", "after its imports", "while web is waited for", "no server", "no server, after its imports"],
)
def test_a_process_that_ends_soon_after_its_start_is_told_and_not_released(life: int, code: int, web: int, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import of Celery alone takes some seconds, after which it looks for its broker's client."""
    cluster = ProcessCluster(life, code, web)
    with pytest.raises(k8s_rollout.Failed) as failed:
        process_wait(cluster, monkeypatch)
    message = str(failed.value)
    assert message.startswith(told)
    assert "  ImportError: no redis" in message
    assert code or "correct its command in berth_app_processes" in message
    assert cluster.seconds <= 2 * life + 3


@pytest.mark.parametrize(("web", "seconds"), [(0, 10), (8, 10), (30, 30)])
def test_a_process_that_stays_is_waited_for_beside_web_and_not_after_it(web: int, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = ProcessCluster(3600, 1, web)
    process_wait(cluster, monkeypatch)
    assert cluster.seconds == seconds


def test_what_was_complete_costs_one_request_a_look_while_another_is_waited_for() -> None:
    workload = deployment(**DONE)
    del workload["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    newest = replicaset(workload)
    slow = iter([[statefulset()]] * 4 + [[statefulset(readyReplicas=1, updatedReplicas=1)]] * 2)
    cluster = FakeCluster(Deployment=[workload], ReplicaSet=[newest], Pod=[ready_pod(newest)], StatefulSet=lambda: next(slow))
    k8s_rollout.wait([rollout(cluster), rollout(cluster, "StatefulSet", "postgresql")], timeout=60)
    assert cluster.asked.count("Deployment/polls") == 5
    assert cluster.asked.count("ReplicaSet") == 1


def test_what_else_is_on_the_nodes_is_read_only_while_a_pod_has_no_room() -> None:
    """By an environment's account as far as it may."""
    begun, newest = deployment(), replicaset(deployment())
    no_room = unschedulable(newest, NO_ROOM)
    node = {"metadata": {"name": "berth"}, "status": {"allocatable": {"cpu": "2"}}}
    cluster = FakeCluster(Deployment=[begun], ReplicaSet=[newest], Node=[node], Pod=[no_room], Event=[event(no_room, "FailedScheduling", NO_ROOM)])
    held = cluster.items
    cluster.items = lambda kind, namespace, **query: held(kind if namespace else f"every {kind}", namespace, **query)  # type: ignore[method-assign]
    cluster.objects["every Pod"] = Forbidden("no")
    with pytest.raises(k8s_rollout.Failed, match="cpu: the pod requests 0, the node berth has 2\n") as failed:
        k8s_rollout.wait([rollout(cluster)], timeout=400)
    assert failed.value.failure["cause"] == "resources"
    assert str(failed.value).count("Insufficient") == 1  # the event says the same
    assert "every Pod" in cluster.asked
    cluster.asked.clear()
    cluster.objects["Pod"] = [ready_pod(newest)]
    rollout(cluster).look()
    assert not {"Node", "every Pod"} & set(cluster.asked)


def test_a_job_that_was_complete_may_be_removed_while_another_is_waited_for() -> None:
    jobs = iter([[job(condition("Complete"))]])
    slow = iter([[statefulset()], [statefulset(readyReplicas=1, updatedReplicas=1)]])
    cluster = FakeCluster(Job=lambda: next(jobs, []), StatefulSet=lambda: next(slow))
    k8s_rollout.wait([rollout(cluster, "Job", "polls-migrate-3f2a"), rollout(cluster, "StatefulSet", "postgresql")], timeout=60)


def test_check_mode_says_what_is_there_and_what_is_not() -> None:
    """Neither a missing nor a failing workload is an error there."""
    cluster = crashing_cluster()
    rollouts = [rollout(cluster), rollout(cluster, "Job", "polls-migrate-3f2a")]
    k8s_rollout.current(rollouts)
    assert [(each.state()["name"], each.state()["revision"]) for each in rollouts] == [
        ("polls", "2"),
        ("polls-migrate-3f2a", ""),
    ]


def test_a_pod_of_the_right_revision_completes_the_rollout() -> None:
    """The wait ends with the poll that sees it."""
    begun, done = deployment(), deployment(**DONE)
    newest = replicaset(begun)
    states = iter([[begun], [done]])
    cluster = FakeCluster(Deployment=lambda: next(states), ReplicaSet=[newest], Pod=[ready_pod(newest)])
    waited = rollout(cluster)
    k8s_rollout.wait([waited], timeout=60)
    assert waited.state()["ready"] == 2
