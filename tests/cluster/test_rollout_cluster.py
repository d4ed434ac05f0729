"""The wait against a real cluster: what completes, what fails, how soon, and with which words."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import k8s_rollout
from cluster_objects import FOREVER, job, pod_spec, until, workload
from kubernetes import client

Json = dict[str, Any]
pytestmark = pytest.mark.cluster

SOON = 15
"""Seconds within which a failure that is certain must be told."""
SECOND_CRASH = 15
"""Seconds in which the kubelet may start a container again: the second crash makes a crash loop certain."""


def wait(run: Callable[..., Json], *workloads: tuple[str, str], **options: Any) -> Json:
    """Run the module and return its result."""
    listed = [{"kind": kind, "name": name} for kind, name in workloads]
    return run(k8s_rollout, workloads=listed, **({"timeout": 120} | options))


def test_all_kinds_complete_together(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """With their states, and the Job's log."""
    apply(
        workload("Deployment", "polls", pod_spec(image), replicas=2),
        workload("StatefulSet", "postgresql", pod_spec(image), serviceName="postgresql"),
        workload("DaemonSet", "agent", pod_spec(image)),
        job("migrate", pod_spec(image, "echo 'Applying polls.0001_initial... OK'")),
    )
    result = wait(run, ("Deployment", "polls"), ("StatefulSet", "postgresql"), ("DaemonSet", "agent"), ("Job", "migrate"))
    assert not result.get("failed"), result["msg"]
    assert not result["changed"]
    states = {each["kind"]: each for each in result["workloads"]}
    assert (states["Deployment"]["replicas"], states["Deployment"]["ready"]) == (2, 2)
    assert states["Deployment"]["revision"] == "1"
    assert states["StatefulSet"]["revision"].startswith("postgresql-")
    assert states["DaemonSet"]["revision"].startswith("agent-")
    assert states["DaemonSet"]["ready"] >= 1
    assert states["Job"]["log"] == ["Applying polls.0001_initial... OK"]
    assert {each["images"][0] for each in result["workloads"]} == {image}


def test_a_complete_rollout_is_told_at_once(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """A second run does not wait."""
    apply(workload("Deployment", "polls", pod_spec(image)))
    wait(run, ("Deployment", "polls"))
    assert wait(run, ("Deployment", "polls"))["waited"] < 1


def test_an_image_that_does_not_exist_fails_soon(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """The registry's answer is definitive."""
    absent = image.split("@", 1)[0].rsplit("/", 1)[0] + "/there-is-no-such-image:1"
    apply(workload("Deployment", "polls", pod_spec(absent)))
    result = wait(run, ("Deployment", "polls"))
    assert result["failed"]
    assert result["msg"].startswith(f"The image {absent} cannot be pulled: the registry has no such image.\n")
    assert "container web: " in result["msg"]
    assert "Build and push the image (playbooks/image.yml)" in result["msg"]
    assert result["waited"] < SOON


def test_a_crash_loop_fails_soon_with_its_log_and_without_its_secrets(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """The log is that of the run that crashed."""
    script = 'echo "password is $PASSWORD"; echo the database is gone; exit 1'
    variable = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "polls", "key": "password"}}}
    data = {"password": base64.b64encode(b"correct-horse").decode()}
    apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "polls"}, "data": data},
        workload("Deployment", "polls", pod_spec(image, script, env=[variable])),
    )
    result = wait(run, ("Deployment", "polls"))
    assert result["msg"].startswith("The container web crashes: it ended with exit code 1, ")
    assert "  password is ***\n  the database is gone\n" in result["msg"]
    assert "correct-horse" not in json.dumps(result)
    assert result["failure"]["cause"] == "crash"
    assert result["waited"] < SECOND_CRASH + SOON


def test_an_init_container_that_crashes_fails_soon(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """It is named, not the container that waits for it."""
    pod = pod_spec(image)
    pod["initContainers"] = [pod["containers"][0] | {"name": "prepare", "command": ["sh", "-c", "echo no room; exit 3"]}]
    apply(workload("Deployment", "polls", pod))
    result = wait(run, ("Deployment", "polls"))
    assert result["msg"].startswith("The container prepare crashes: it ended with exit code 3, ")
    assert "  no room\n" in result["msg"]
    assert result["waited"] < SECOND_CRASH + SOON


def test_a_command_that_the_image_lacks_fails_soon(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """The runtime says which."""
    apply(workload("Deployment", "polls", pod_spec(image, command=["gunicorn-that-is-not-there"])))
    result = wait(run, ("Deployment", "polls"))
    assert result["failure"]["cause"] == "command"
    assert "gunicorn-that-is-not-there" in result["msg"]
    assert result["waited"] < SOON


def test_too_little_memory_fails_soon(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """The kernel kills it, and the variable to raise is named."""
    apply(workload("Deployment", "polls", pod_spec(image, "tail /dev/zero", resources={"limits": {"memory": "48Mi"}})))
    result = wait(run, ("Deployment", "polls"))
    assert result["failure"]["cause"] == "memory"
    assert "berth_app_resources" in result["msg"]
    assert result["waited"] < SECOND_CRASH + SOON


def test_a_key_that_the_secret_lacks_fails_soon(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """Secret, key and container are named, and the variable to change."""
    variable = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "polls", "key": "DJANGO_SECRET_KEY"}}}
    apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "polls"}, "data": {}},
        workload("Deployment", "polls", pod_spec(image, env=[variable])),
    )
    result = wait(run, ("Deployment", "polls"))
    assert result["msg"].startswith("The Secret polls has no key DJANGO_SECRET_KEY, which container web needs.\n")
    assert "berth_app_secrets" in result["msg"]
    assert result["waited"] < SOON


def test_a_volume_whose_secret_does_not_exist_fails_soon(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """The pod hangs in ContainerCreating; only its events say why."""
    pod = pod_spec(image) | {"volumes": [{"name": "tls", "secret": {"secretName": "polls-tls"}}]}
    pod["containers"][0]["volumeMounts"] = [{"name": "tls", "mountPath": "/tls"}]
    apply(workload("Deployment", "polls", pod))
    result = wait(run, ("Deployment", "polls"))
    assert result["msg"].startswith("There is no Secret polls-tls, which a volume needs.\n")
    assert result["waited"] < SOON


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job"])
def test_a_quota_without_room_fails_soon(run: Callable[..., Json], apply: Callable[..., None], image: str, kind: str) -> None:
    """A Deployment shows it as a condition, the others only as events."""
    apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    apply(job("polls", pod_spec(image)) if kind == "Job" else workload(kind, "polls", pod_spec(image)))
    result = wait(run, (kind, "polls"))
    assert result["msg"].startswith("The quota none has no room for the pod.\n")
    assert result["waited"] < SOON


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_pod_security_that_refuses_the_pod_fails_soon(run: Callable[..., Json], apply: Callable[..., None], image: str, kind: str) -> None:
    """With what the pod must set."""
    pod = pod_spec(image)
    del pod["securityContext"]
    apply(workload(kind, "polls", pod))
    result = wait(run, (kind, "polls"))
    assert result["msg"].startswith("Pod Security (restricted:latest) rejects the pod.\n")
    assert "runAsNonRoot" in result["msg"]
    assert result["waited"] < SOON


def test_a_job_that_fails_is_told_soon_with_its_log(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """The migration's own words."""
    apply(job("migrate", pod_spec(image, "echo 'ProgrammingError: no such table'; exit 1")))
    result = wait(run, ("Job", "migrate"))
    assert result["msg"].startswith("The Job used up its retries (backoffLimit): container web ended with exit code 1.\n")
    assert "  ProgrammingError: no such table\n" in result["msg"]
    assert result["waited"] < SOON


def test_a_job_that_takes_too_long_shows_its_log_although_its_pod_is_deleted(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """What it was doing when it was stopped."""
    pod = pod_spec(image, f"echo waiting for the lock; {FOREVER}") | {"terminationGracePeriodSeconds": 5}
    apply(job("migrate", pod, activeDeadlineSeconds=6))
    result = wait(run, ("Job", "migrate"))
    assert result["failure"]["reason"] == "DeadlineExceeded"
    assert "  waiting for the lock\n" in result["msg"]
    assert result["waited"] < 6 + SOON


def test_a_job_that_succeeds_at_its_second_try_is_complete(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """A crash within backoffLimit is no failure."""
    pod = pod_spec(image, "test -e /tmp/x && echo done || { touch /tmp/x; exit 1; }") | {"volumes": [{"name": "tmp", "emptyDir": {}}]}
    pod["containers"][0]["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]
    apply(job("migrate", pod, restart="OnFailure", backoffLimit=3))
    result = wait(run, ("Job", "migrate"))
    assert not result.get("failed"), result["msg"]
    assert result["workloads"][0]["log"] == ["done"]


@pytest.mark.parametrize(
    ("change", "summary"),
    [
        ({"nodeSelector": {"example.org/none": "such"}}, "No node matches the pod's placement rules"),
        ({"resources": {"requests": {"memory": "900Ti"}}}, "No node has room for the pod (memory)"),
    ],
    ids=["node selector", "memory"],
)
def test_a_pod_that_fits_on_no_node_is_given_up_after_the_grace(
    run: Callable[..., Json], apply: Callable[..., None], image: str, change: Json, summary: str
) -> None:
    """And not before."""
    pod = pod_spec(image)
    target = pod["containers"][0] if "resources" in change else pod
    target.update(change)
    apply(workload("Deployment", "polls", pod))
    result = wait(run, ("Deployment", "polls"), scheduling_grace=5)
    assert result["msg"].startswith(f"{summary}.\n")
    assert ("memory: the pod requests 921600Gi, the node berth has " in result["msg"]) == ("memory" in summary)
    assert 5 <= result["waited"] < SOON


def test_a_claim_for_a_storage_class_that_does_not_exist_fails_soon(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """The claim's event says it, the pod's only that it is not bound."""
    storage = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "none",
    }
    pod = pod_spec(image, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    apply(
        workload(
            "StatefulSet",
            "postgresql",
            pod,
            serviceName="postgresql",
            volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": storage}],
        )
    )
    result = wait(run, ("StatefulSet", "postgresql"))
    assert result["msg"].startswith("The PersistentVolumeClaim data-postgresql-0 needs the StorageClass none, which does not exist.\n")
    assert result["waited"] < SOON


def test_a_pod_that_is_never_ready_is_explained_when_the_time_is_over(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """By its probe's words and its log."""
    probe = {"exec": {"command": ["sh", "-c", "echo unapplied migrations; exit 1"]}, "periodSeconds": 1}
    apply(workload("Deployment", "polls", pod_spec(image, f"echo I am up; {FOREVER}", readinessProbe=probe)))
    result = wait(run, ("Deployment", "polls"), timeout=12)
    assert result["msg"].startswith("The Deployment polls is not complete after 12 s: the container web runs but is not ready.\n")
    assert "Readiness probe failed: unapplied migrations" in result["msg"]
    assert "  I am up\n" in result["msg"]


def test_a_deadline_is_told_with_what_kept_the_pods(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """Before the wait's own time is over."""
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1}
    apply(workload("Deployment", "polls", pod_spec(image, readinessProbe=probe), progressDeadlineSeconds=5))
    result = wait(run, ("Deployment", "polls"))
    assert result["msg"].startswith("There was no progress for 5 s (progressDeadlineSeconds): the container web runs but is not ready.\n")
    assert result["waited"] < 5 + SOON


def test_a_good_revision_after_a_crashing_one_completes(
    run: Callable[..., Json], apply: Callable[..., None], api: client.ApiClient, namespace: str, image: str
) -> None:
    """The old pods' crashes are no longer of interest."""
    apply(workload("Deployment", "polls", pod_spec(image, "exit 1")))
    assert wait(run, ("Deployment", "polls"))["failed"]
    body = {"spec": {"template": {"spec": pod_spec(image)}}}
    client.AppsV1Api(api).patch_namespaced_deployment("polls", namespace, body)
    result = wait(run, ("Deployment", "polls"))
    assert not result.get("failed"), result["msg"]
    assert result["workloads"][0]["revision"] == "2"


def test_each_change_of_state_is_written_while_it_waits(
    run: Callable[..., Json], apply: Callable[..., None], image: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever watches sees the pods come up."""
    monkeypatch.setenv("BERTH_PROGRESS", str(tmp_path / "progress"))
    probe = {"exec": {"command": ["true"]}, "initialDelaySeconds": 3}
    apply(workload("Deployment", "polls", pod_spec(image, readinessProbe=probe), replicas=2))
    wait(run, ("Deployment", "polls"))
    lines = (tmp_path / "progress").read_text().splitlines()
    assert len(lines) > 1
    assert len(lines) == len(set(lines))
    assert all(line.startswith("Deployment polls: ") for line in lines)
    assert lines[-1] == "Deployment polls: 2 of 2 pods ready"


def test_check_mode_neither_waits_nor_minds_what_is_missing(run: Callable[..., Json], apply: Callable[..., None], image: str) -> None:
    """It says what is there."""
    apply(workload("Deployment", "polls", pod_spec("localhost:1/absent:1")))
    result = wait(run, ("Deployment", "polls"), ("Job", "absent"), check=True)
    assert not result.get("failed"), result["msg"]
    assert [(each["kind"], each["ready"]) for each in result["workloads"]] == [("Deployment", 0), ("Job", 0)]
    assert result["waited"] < 2


def test_a_workload_that_does_not_exist_is_a_clear_failure(run: Callable[..., Json], namespace: str) -> None:
    """At once."""
    result = wait(run, ("Deployment", "absent"))
    assert result["msg"] == (
        f'There is nothing to wait for: Deployment absent in namespace {namespace}: deployments.apps "absent" not found. '
        "Apply it first, or correct the name in workloads."
    )
    assert result["waited"] < 2


def test_a_user_without_permission_is_told_which_one_is_missing(
    run: Callable[..., Json], api: client.ApiClient, kubeconfig: str, namespace: str, tmp_path: Path
) -> None:
    """In the words of a Role."""
    core = client.CoreV1Api(api)
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "weak"}})
    token = core.create_namespaced_service_account_token("weak", namespace, {"spec": {"audiences": None}}).status.token
    configuration = api.configuration
    authority = base64.b64encode(Path(configuration.ssl_ca_cert).read_bytes()).decode()
    weak = tmp_path / "kubeconfig"
    weak.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": configuration.host, "certificate-authority-data": authority}}],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "c",
            }
        )
    )
    result = wait(run, ("Deployment", "polls"), kubeconfig=str(weak))
    assert result["msg"].startswith(f"Kubernetes does not allow this user to get deployments in namespace {namespace}: ")
    assert result["msg"].endswith('Grant it with a Role: apiGroups ["apps"], resources ["deployments"], verbs ["get"].')


@pytest.mark.patient
def test_an_old_back_off_is_waited_out_when_its_cause_has_been_cured(
    run: Callable[..., Json], apply: Callable[..., None], api: client.ApiClient, namespace: str, image: str
) -> None:
    """A second run after the missing Secret was made must not fail on the first run's error."""
    variable = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "polls", "key": "KEY"}}}
    apply(workload("Deployment", "polls", pod_spec(image, env=[variable])))
    assert wait(run, ("Deployment", "polls"))["failure"]["cause"] == "config"
    core = client.CoreV1Api(api)
    created = core.list_namespaced_pod(namespace).items[0].metadata.creation_timestamp.timestamp()
    until(lambda: time.time() - created > 62, "an old pod", 90)
    core.create_namespaced_secret(namespace, {"metadata": {"name": "polls"}, "stringData": {"KEY": "x"}})
    result = wait(run, ("Deployment", "polls"))
    assert not result.get("failed"), result["msg"]


@pytest.mark.patient
def test_a_volume_that_cannot_be_made_is_told_with_the_claims_event(
    run: Callable[..., Json], apply: Callable[..., None], api: client.ApiClient, namespace: str, image: str
) -> None:
    """The pod has no condition and no event: its node is chosen, and the volume is being made there."""
    storage = client.StorageV1Api(api)
    storage.create_storage_class(
        {
            "metadata": {"name": namespace},
            "provisioner": "rancher.io/local-path",
            "parameters": {"nodePath": "/there-is-no-such-path"},
            "volumeBindingMode": "WaitForFirstConsumer",
        }
    )
    try:
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Mi"}},
            "storageClassName": namespace,
        }
        templates = [{"metadata": {"name": "data"}, "spec": spec}]
        pod = pod_spec(image, volumeMounts=[{"name": "data", "mountPath": "/data"}])
        apply(workload("StatefulSet", "postgresql", pod, serviceName="postgresql", volumeClaimTemplates=templates))
        result = wait(run, ("StatefulSet", "postgresql"))
    finally:
        storage.delete_storage_class(namespace)
    assert result["msg"].startswith("No volume can be created for the PersistentVolumeClaim data-postgresql-0.\n")
    assert "/there-is-no-such-path" in result["msg"]
    assert 45 <= result["waited"] < 45 + SOON
