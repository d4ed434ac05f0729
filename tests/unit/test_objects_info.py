"""The objects that a role decides by are read in one task, as Ansible runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible_fork
import fake_api
import pytest

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
APPS, CORE, BATCH = (f"{prefix}/namespaces/polls-dev" for prefix in ("/apis/apps/v1", "/api/v1", "/apis/batch/v1"))


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Json]:
    """Return a function that runs the task against an API server with these answers, and returns its result."""

    def run(answers: dict[str, tuple[int, Any]], requests: list[str] | None = None, **arguments: Any) -> Json:
        with fake_api.running(fake_api.Api()) as api:
            api.answers |= answers
            given = {"kubeconfig": fake_api.kubeconfig(tmp_path, api.url), "namespace": "polls-dev"} | arguments
            command = ["ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "berth.platform.k8s_objects_info"]
            environment = os.environ | {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "true", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline"}
            ran = ansible_fork.run([*command, "-a", json.dumps(given)], cwd=ROOT, env=environment)
            if requests is not None:
                requests += [path for _, path, _, _ in api.seen]
        assert "Traceback" not in ran.stdout + ran.stderr, ran.stderr
        return json.loads(ran.stdout[ran.stdout.index("{") :])

    return run


def test_one_object_of_each_kind_is_read_by_its_name(read: Callable[..., Json]) -> None:
    """Which asks for no permission to list."""
    answers = {f"{APPS}/deployments/polls": (200, {"spec": {"replicas": 2}}), f"{CORE}/services/polls": (200, {"spec": {}})}
    requests: list[str] = []
    result = read(answers, requests, kinds=["Deployment", "Service"], name="polls")
    assert result["objects"] == [{"spec": {"replicas": 2}, "kind": "Deployment"}, {"spec": {}, "kind": "Service"}]
    assert not result["changed"]
    assert requests == list(answers)


def test_all_objects_with_the_labels_are_read(read: Callable[..., Json]) -> None:
    """In the order of the kinds."""
    lists = {f"{APPS}/statefulsets": (200, {"items": [{"a": 1}]}), f"{APPS}/deployments": (200, {"items": [{"b": 1}, {"c": 1}]})}
    requests: list[str] = []
    result = read(lists, requests, kinds=["StatefulSet", "Deployment"], selector={"app.kubernetes.io/managed-by": "berth"})
    assert [each["kind"] for each in result["objects"]] == ["StatefulSet", "Deployment", "Deployment"]
    assert requests == [f"{path}?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dberth" for path in lists]


@pytest.mark.parametrize("there", [True, False], ids=["stopped", "still to be made"])
def test_a_check_finds_nothing_where_no_cluster_answers(tmp_path: Path, there: bool) -> None:
    path = fake_api.kubeconfig(tmp_path, "http://127.0.0.1:1") if there else str(tmp_path / "absent")
    given = json.dumps({"kubeconfig": path, "namespace": "polls-dev", "kinds": ["Service"]})
    command = ["ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "berth.platform.k8s_objects_info", "-a", given]
    assert "objects: []" in ansible_fork.run([*command, "--check"], cwd=ROOT).stdout
    assert "FAILED" in ansible_fork.run(command, cwd=ROOT).stdout


def test_what_does_not_exist_is_left_out(read: Callable[..., Json]) -> None:
    """Objects and kinds alike."""
    assert read({}, kinds=["Job", "Ingress"], name="polls")["objects"] == []


def test_a_refusal_names_the_permission(read: Callable[..., Json]) -> None:
    """In the words of a Role."""
    result = read({f"{BATCH}/jobs": (403, {"message": "no"})}, kinds=["Job"])
    assert result["msg"].startswith("Kubernetes does not allow this user to list jobs in namespace polls-dev: no. Grant it with a Role")


def test_secrets_are_not_read(read: Callable[..., Json]) -> None:
    """For the result is shown with -v."""
    assert "value of kinds must be one or more of" in read({}, kinds=["Secret"])["msg"]
