"""What a release of the app is made of, as the role's templates and filters make it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible_collections.berth.platform.plugins.filter.objects import release_name
from ansible_collections.berth.platform.plugins.module_utils.kube import probes, processes, served_files

TEMPLATES = Path(__file__).resolve().parents[2] / "roles" / "app" / "templates"
LABELS = {"app.kubernetes.io/name": "polls", "app.kubernetes.io/instance": "polls", "app.kubernetes.io/managed-by": "berth"}
POD = {"automountServiceAccountToken": False, "securityContext": {"runAsNonRoot": True}, "volumes": [{"name": "tmp", "emptyDir": {}}]}
CONTAINER = {"image": "polls@sha256:1", "envFrom": [{"configMapRef": {"name": "polls-1"}}], "securityContext": {}, "volumeMounts": [], "resources": {}}


def rendered(name: str, **variables: Any) -> dict[str, Any]:
    """Return the object that a template of the role makes of these variables, and of what they leave out."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"berth.platform.probes": probes.of_inventory, "berth.platform.stays_seconds": probes.stays_seconds, "to_json": json.dumps}
    environment.filters |= {"berth.platform.release_name": release_name}
    environment.filters |= {"combine": lambda one, *others: {key: value for each in (one, *others) for key, value in each.items()}}
    given = {
        "app_name": "polls",
        "app_version": "1.0",
        "app_image": CONTAINER["image"],
        "app_port": 8000,
        "app_replicas": 2,
        "app_autoscaling": {},
        "app_command": [],
        "app_timeout": 300,
        "__app_web_seconds": 300,
        "app_pull_secrets": [],
        "app_probe": {},
        "app_liveness_path": "/livez",
        "app_readiness_path": "/readyz",
        "app_resources": {},
        "app_leave_seconds": 5,
        "__app_component": {"web": LABELS},
        "__app_version_label": {},
        "__app_selector": {},
        "__app_pod": POD,
        "__app_container": CONTAINER,
        "__app_files": served_files.parts({}, {}, 8000, "", CONTAINER, 5),
    }
    return yaml.safe_load(environment.from_string((TEMPLATES / name).read_text(encoding="utf-8")).render(given | variables))


@pytest.mark.parametrize("command", [["uwsgi", "etc/uwsgi.ini"], ["sh", "-c", "exec gunicorn --bind ':8000' # {{ no template }}"], ["gunicorn", ""]])
def test_the_web_container_runs_the_command_of_the_inventory_word_by_word(command: list[str]) -> None:
    assert rendered("deployment.yaml.j2", app_command=command)["spec"]["template"]["spec"]["containers"][0]["command"] == command


def test_without_one_it_runs_what_its_image_says() -> None:
    assert "command" not in rendered("deployment.yaml.j2")["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("given", "stays", "seconds"),
    [({}, None, 1), ({"path": "/ht/"}, None, 1), ({"type": "tcp"}, 10, 31), ({"type": "command", "command": ["pgrep", "uwsgi"]}, 10, 31)],
)
def test_a_web_pod_has_to_stay_where_no_answer_shows_that_it_works(given: dict[str, Any], stays: int | None, seconds: int) -> None:
    """Gunicorn listens before it loads the app. The API server wants the deadline to be later than that."""
    spec = rendered("deployment.yaml.j2", app_probe=given)["spec"]
    assert spec.get("minReadySeconds") == stays
    assert probes.rollout_seconds(given, 1, 3) == seconds > (stays or 0)


@pytest.mark.parametrize("seconds", [5, 15])
def test_a_pod_that_ends_first_waits_and_then_has_40_seconds_for_what_it_is_answering(seconds: int) -> None:
    spec = rendered("deployment.yaml.j2", app_leave_seconds=seconds)["spec"]["template"]["spec"]
    assert spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == seconds
    assert spec["terminationGracePeriodSeconds"] == seconds + 40


HTTP = {"httpGet": {"path": "/readyz", "port": "http", "httpHeaders": [{"name": "Host", "value": "localhost"}]}}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


@pytest.mark.parametrize(
    ("given", "readiness", "seconds"),
    [
        ({}, HTTP, 60),
        ({"type": "http", "startup_seconds": "120"}, HTTP, 120),
        ({"host": "shop.example.com"}, {"httpGet": HTTP["httpGet"] | {"httpHeaders": [{"name": "Host", "value": "shop.example.com"}]}}, 60),
        ({"type": "tcp"}, {"tcpSocket": {"port": "http"}}, 60),
        ({"type": "command", "command": ["pgrep", "uwsgi"]}, {"exec": {"command": ["pgrep", "uwsgi"]}}, 60),
    ],
)
def test_the_web_container_is_asked_for_its_health_as_the_inventory_says(given: dict[str, Any], readiness: dict[str, Any], seconds: int) -> None:
    web = rendered("deployment.yaml.j2", app_probe=given)["spec"]["template"]["spec"]["containers"][0]
    asked = {kind: {key: value for key, value in web[kind].items() if key in ("httpGet", "tcpSocket", "exec")} for kind in PROBES}
    assert asked["startupProbe"] == asked["readinessProbe"] == readiness
    assert asked["livenessProbe"] == (readiness if "httpGet" not in readiness else {"httpGet": readiness["httpGet"] | {"path": "/livez"}})
    assert web["startupProbe"]["failureThreshold"] * web["startupProbe"]["periodSeconds"] == seconds


@pytest.mark.parametrize(
    ("address", "port", "kind"), [("127.0.0.1", 30080, "NodePort"), ("192.168.49.2", "0", "NodePort"), ("", 0, "ClusterIP"), ("", "30080", "NodePort")]
)
def test_the_site_has_a_node_port_where_this_machine_reaches_it_or_the_inventory_names_one(address: str, port: Any, kind: str) -> None:
    assert rendered("service.yaml.j2", app_address=address, app_node_port=port)["spec"]["type"] == kind


def job(look: str) -> dict[str, Any]:
    """Return the release's Job."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "migrate"}], "initContainers": [{"name": "berth-checks"}]}
    return rendered("job.yaml.j2", app_checks=look, __app_release_pod=pod, __app_component={"release": LABELS})


@pytest.mark.parametrize(("code", "again"), [(1, False), (2, False), (65, False), (126, False), (139, False), (137, True), (143, True), (255, True)])
def test_a_command_that_fails_is_told_at_once_and_one_that_its_node_ends_is_tried_again(code: int, again: bool) -> None:
    """A Job's rule is for each container that failed: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy."""
    spec = job("refuse")["spec"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["operator"]) == ("FailJob", "NotIn")
    assert (code in rule["onExitCodes"]["values"]) is again
    assert spec["backoffLimit"] == 1


def test_a_command_without_the_look_before_it_has_a_second_try_for_its_pods_network() -> None:
    spec = job("none")["spec"]
    assert spec["backoffLimit"] == 1 and "podFailurePolicy" not in spec


# --- What runs beside web ---------------------------------------------------------------------------------------------
VERSION = {"app.kubernetes.io/version": "1.0"}
APP = {"name": "polls", "version": "1.0", "selector": {"app.kubernetes.io/name": "polls"}, "labels": LABELS, "version_label": VERSION}
SHARED = CONTAINER | {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}}


def made(**given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the objects of processes, by kind and name."""
    found = processes.objects(given, APP, POD, SHARED, 300)
    return {f"{each['kind']} {each['metadata']['name']}": each for each in found}


RUNS = ["celery", "-A", "shop"]


def test_a_process_is_a_pod_of_the_release_without_what_serves() -> None:
    spec = made(worker={"command": RUNS})["Deployment polls-worker"]["spec"]["template"]["spec"]
    (one,) = spec["containers"]
    assert one == SHARED | {"name": "worker", "command": RUNS}
    assert {key: spec[key] for key in POD} == POD
    assert spec["terminationGracePeriodSeconds"] == 30


def test_each_process_is_told_from_the_others_and_from_web() -> None:
    objects = made(worker={"command": RUNS, "replicas": "2"}, beat={"command": RUNS, "singleton": True})
    assert list(objects) == ["Deployment polls-worker", "PodDisruptionBudget polls-worker", "Deployment polls-beat"]
    for each in objects.values():
        assert each["metadata"]["labels"].items() >= LABELS.items()  # a release prunes by these
        selected = each["spec"]["selector"]["matchLabels"]
        assert (selected["app.kubernetes.io/component"], selected["berth/process"]) == ("process", each["metadata"]["name"].removeprefix("polls-"))
    for name in ("worker", "beat"):
        spec = objects[f"Deployment polls-{name}"]["spec"]
        assert spec["template"]["metadata"]["labels"].items() >= spec["selector"]["matchLabels"].items()
        assert "app.kubernetes.io/version" not in spec["template"]["metadata"]["labels"]  # or a release of the same image would replace the pods


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        ({}, ("RollingUpdate", 1, 30, 310)),
        ({"replicas": 3, "grace_seconds": 600}, ("RollingUpdate", 3, 600, 330)),
        ({"singleton": True}, ("Recreate", 1, 30, 340)),
        ({"singleton": "true", "grace_seconds": "600"}, ("Recreate", 1, 600, 910)),
        ({"singleton": "false"}, ("RollingUpdate", 1, 30, 310)),
    ],
)
def test_of_a_singleton_the_old_one_has_time_to_end_before_the_new_one_begins(process: dict[str, Any], expected: tuple[str, int, int, int]) -> None:
    given = {"command": RUNS} | process
    spec = made(worker=given)["Deployment polls-worker"]["spec"]
    grace = spec["template"]["spec"]["terminationGracePeriodSeconds"]
    assert (spec["strategy"]["type"], spec["replicas"], grace, spec["progressDeadlineSeconds"]) == expected
    assert processes.rollout_seconds({"worker": given, "other": {"command": RUNS}}, 300) == expected[3]


def test_a_pod_that_ends_right_after_its_start_does_not_take_the_place_of_one_that_works() -> None:
    spec = made(worker={"command": RUNS})["Deployment polls-worker"]["spec"]
    assert spec["minReadySeconds"] == 10
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_a_process_takes_what_the_app_does_but_for_what_differs() -> None:
    objects = made(worker={"command": RUNS, "resources": {"requests": {"memory": "1Gi"}}}, other={"command": RUNS})
    taken = {name: objects[f"Deployment polls-{name}"]["spec"]["template"]["spec"]["containers"][0]["resources"] for name in ("worker", "other")}
    assert taken["worker"] == {"requests": {"cpu": "50m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    assert taken["other"] == SHARED["resources"]


def test_a_job_that_is_removed_takes_its_pod_along() -> None:
    """Else the API server leaves the pod of a Job, and a volume that it has is never gone."""
    tasks = TEMPLATES.parent / "tasks"
    text = "".join(path.read_text(encoding="utf-8") for path in tasks.glob("*.yml"))
    removals = re.findall(r"kind: Job\n(?:\s+\S.*\n)*?\s+state: absent\n(?:\s+(?!-)\S.*\n)*", text)
    assert len(removals) == 2
    assert all("propagationPolicy: " in each for each in removals)


@pytest.mark.parametrize("kind", probes.DEFAULT_PATHS)
def test_the_paths_that_messages_take_for_unset_are_the_roles_own(kind: str) -> None:
    default = f"default('{probes.DEFAULT_PATHS[kind]}')"
    app, entry = (yaml.safe_load((TEMPLATES.parents[1] / role / "defaults/main.yml").read_text(encoding="utf-8")) for role in ("app", "entry"))
    assert default in app[f"app_{kind}_path"]
    assert kind != "readiness" or default in entry["entry_health_path"]  # what the load balancer asks
