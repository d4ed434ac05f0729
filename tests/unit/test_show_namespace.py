"""What Molecule prints of a namespace when a scenario has failed."""

from __future__ import annotations

import base64

import pytest
import show_namespace
from ansible_collections.berth.platform.plugins.module_utils.kube.client import NotFound
from rollout_objects import container, crashing, deployment, ended, event, pod, replicaset
from test_rollout_module import FakeCluster

PASSWORD = "correct-horse"
SECRET = {"metadata": {"name": "login"}, "data": {"PASSWORD": base64.b64encode(PASSWORD.encode()).decode()}}


def test_a_container_is_shown_with_both_runs_logs_and_events_and_without_secrets() -> None:
    owner = replicaset(deployment())
    crashed = pod(owner, crashing(ended(1)), name="polls-2-a")
    crashed["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "login"}}]
    warning = event(crashed, "BackOff", f"Back-off of {PASSWORD}")
    logs = {("polls-2-a", "web", True): f"connects as {PASSWORD}\nValueError: no", ("polls-2-a", "web", False): "starts", ("polls-2-a", "wait", False): ""}
    lines = show_namespace.shown(FakeCluster(logs, Pod=[crashed], Event=[warning], Secret=[SECRET]), "polls-app")
    assert lines == [
        "in polls-app: pod polls-2-a: CrashLoopBackOff",
        "in polls-app:   container wait: 0 restarts: container wait ended with exit code 0",
        "in polls-app:   container web: 1 restarts: container web ended with exit code 1",
        "in polls-app:     connects as ***",
        "in polls-app:     ValueError: no",
        "in polls-app:     starts",
        "in polls-app: event polls-2-a: BackOff: Back-off of ***",
    ]


def test_a_container_without_a_log_is_shown_with_the_reason() -> None:
    waits = pod(replicaset(deployment()), container(), name="polls-2-a", init=container("wait"))
    *_, line = show_namespace.shown(FakeCluster(Pod=[waits], Event=[]), "polls-app")
    assert line.startswith("in polls-app:     (")


@pytest.mark.parametrize(("scenario", "shown"), [("app", ["polls-app"]), ("database", ["polls-database"]), ("rds", [])])
def test_of_the_namespaces_of_a_cluster_only_the_scenarios_own_are_shown(scenario: str, shown: list[str]) -> None:
    namespaces = [{"metadata": {"name": name}} for name in ("berth-accounts", "polls-app", "polls-database", "polls-database_rds")]
    assert show_namespace.of_scenario(FakeCluster(Namespace=namespaces), scenario) == shown


def test_a_cluster_that_does_not_answer_is_an_error_of_the_cluster() -> None:
    with pytest.raises(NotFound):
        show_namespace.shown(FakeCluster(Pod=NotFound("no")), "polls-app")
