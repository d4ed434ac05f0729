"""What containers request and may not exceed, and whether the namespace's quota has room for a release beside what runs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.formats import quantity
from ansible_collections.berth.platform.plugins.module_utils.kube.resources import with_resources
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import room
from ansible_collections.berth.platform.plugins.plugin_utils.inventory.room import Environment

PROJECT = Path(__file__).resolve().parents[2]
ROLES: dict[str, Any] = {}
for role in ("app", "database", "namespace"):
    ROLES |= yaml.safe_load((PROJECT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
DEFAULT = ROLES["app_resources_default"]


# --- Requests and limits ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "requests", "limits"),
    [
        ({}, {"cpu": "50m", "memory": "128Mi"}, {"memory": "512Mi"}),
        ({"requests": {"memory": "1Gi"}}, {"cpu": "50m", "memory": "1Gi"}, {"memory": "1Gi"}),
        ({"requests": {"memory": "200Mi"}}, {"cpu": "50m", "memory": "200Mi"}, {"memory": "512Mi"}),
        ({"requests": {"memory": "512Mi"}}, {"cpu": "50m", "memory": "512Mi"}, {"memory": "512Mi"}),
        ({"requests": {"memory": "1.5Gi"}}, {"cpu": "50m", "memory": "1.5Gi"}, {"memory": "1.5Gi"}),
        ({"requests": {"cpu": 2}}, {"cpu": 2, "memory": "128Mi"}, {"memory": "512Mi"}),
        ({"limits": {"memory": "1Gi"}}, {"cpu": "50m", "memory": "128Mi"}, {"memory": "1Gi"}),
        ({"limits": {"memory": "64Mi"}}, {"cpu": "50m", "memory": "64Mi"}, {"memory": "64Mi"}),
        ({"limits": {"cpu": "25m"}}, {"cpu": "25m", "memory": "128Mi"}, {"memory": "512Mi", "cpu": "25m"}),
        ({"limits": {"cpu": 1}}, {"cpu": "50m", "memory": "128Mi"}, {"memory": "512Mi", "cpu": 1}),
        ({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2"}}, {"cpu": "1", "memory": "1Gi"}, {"memory": "1Gi", "cpu": "2"}),
        ({"requests": {"ephemeral-storage": "1Gi"}}, {"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "1Gi"}, {"memory": "512Mi"}),
        ({"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}, {"cpu": "50m", "memory": "1Gi"}, {"memory": "2Gi"}),
    ],
)
def test_what_is_left_out_follows_what_is_given(given: dict[str, Any], requests: dict[str, Any], limits: dict[str, Any]) -> None:
    assert with_resources(DEFAULT, given) == {"requests": requests, "limits": limits}


@pytest.mark.parametrize("memory", ["1Mi", "127Mi", "128Mi", "256Mi", "300M", "1Gi", "1e9"])
@pytest.mark.parametrize("cpu", ["1m", "50m", "0.1", 2])
@pytest.mark.parametrize("kind", ["requests", "limits"])
def test_no_limit_is_ever_below_its_request(kind: str, memory: str, cpu: str | int) -> None:
    found = with_resources(DEFAULT, {kind: {"memory": memory, "cpu": cpu}})
    assert found[kind] | {"memory": memory, "cpu": cpu} == found[kind]
    for name, limit in found["limits"].items():
        assert (quantity(found["requests"][name]) or 0) <= (quantity(limit) or 0)


def test_the_default_itself_stays_as_it_is() -> None:
    before = yaml.safe_dump(DEFAULT)
    with_resources(DEFAULT, {"requests": {"memory": "512Mi"}, "limits": {"cpu": 1}})
    assert yaml.safe_dump(DEFAULT) == before


# --- Room in the quota ------------------------------------------------------------------------------------------------
def environment_of(**given: Any) -> Environment:
    """Return what an inventory creates that sets these ``berth_`` variables."""
    values = {
        "app_resources": {},
        "app_replicas": 2,
        "app_autoscaling": {},
        "app_schedules": [{"name": "clearsessions"}],
        "app_processes": {},
        "database": "cluster",
        "database_storage": "1Gi",
        "database_storage_class": "",
        "app_database_aliases": [],
        "cache": "none",
        "cache_memory": "128Mi",
        "app_volumes": {},
        "app_static": {},
    } | given
    return Environment.of(lambda name: values[name.removeprefix("berth_")], ROLES)


def told(quota: dict[str, Any] | None = None, **given: Any) -> list[str]:
    """Return what is said of the namespace's quota, each as ``name: text``."""
    web = ("berth_app_autoscaling", "max") if given.get("app_autoscaling") else ("berth_app_replicas",)
    found = room.problems(environment_of(**given), ROLES["namespace_quota_default"], quota or {}, web)
    return [f"{problem.name}: {problem.text}" for problem in found]


def test_a_cache_needs_room_too() -> None:
    (text,) = told({"limits.memory": "1400Mi"}, cache="cluster", cache_memory="256Mi", app_schedules=[])
    assert "the database of 512Mi, the cache of 256Mi and" in text
    assert told({"services": 3}, cache="cluster") == told({"services": 3}, app_database_aliases=["pghost"]) == []
    assert "needs 4" in told({"services": 3}, cache="cluster", app_database_aliases=["pghost"])[0]


def test_the_release_after_the_first_needs_room_for_one_more_pod() -> None:
    """Fifteen pods of 1Gi fit beside the database, but not sixteen."""
    (text,) = told(app_replicas=15, app_resources={"limits": {"memory": "1Gi"}}, app_schedules=[])
    assert text == (
        "berth_app_replicas: 15 web pods of 1Gi, the database of 512Mi and one more of 1Gi during a release need 16896Mi of limits.memory, "
        "but the namespace has 16Gi; set limits.memory: 16896Mi in berth_quota, or run fewer of them, or lower berth_app_resources"
    )
    assert told({"limits.memory": "16896Mi"}, app_replicas=15, app_resources={"limits": {"memory": "1Gi"}}, app_schedules=[]) == []
    assert told(app_replicas=14, app_resources={"limits": {"memory": "1Gi"}}, app_schedules=[]) == []


def test_what_processes_take_is_said_with_their_names() -> None:
    (text,) = told({"pods": 3}, app_replicas=1, app_schedules=[], app_processes={"worker": {"replicas": "2"}, "beat": {"singleton": True}})
    assert "3 pods of worker (one of them during a release), 1 pod of beat, the database and one more during a release need 7" in text


TOO_MUCH = [
    ({"app_replicas": 18}, None, "pods", 21, 20),
    ({"app_autoscaling": {"min": 1, "max": 18, "cpu": 80}}, None, "pods", 21, 20),
    ({"app_schedules": [{}] * 17}, None, "pods", 21, 20),
    ({"app_processes": {"worker": {"replicas": 15}}}, None, "pods", 21, 20),
    ({"app_processes": {"beat": {"singleton": True}, "worker": {"replicas": 14}}}, None, "pods", 21, 20),
    ({"app_processes": {"worker": {"resources": {"limits": {"memory": "8Gi"}}}}}, None, "limits.memory", "18944Mi", "16Gi"),
    ({"app_processes": {"worker": {}, "beat": {"singleton": "true"}}}, {"count/deployments.apps": 2}, "count/deployments.apps", 3, 2),
    ({"app_resources": {"requests": {"cpu": 1}}}, None, "requests.cpu", "4050m", 4),
    ({"app_resources": {"requests": {"memory": "1Gi"}}}, None, "requests.memory", "4224Mi", "4Gi"),
    ({"app_resources": {"requests": {"memory": "1Gi"}}}, {"memory": "4Gi", "requests.memory": "8Gi"}, "memory", "4224Mi", "4Gi"),
    ({"app_resources": {"limits": {"memory": "4Gi"}}}, None, "limits.memory", "16896Mi", "16Gi"),
    ({"database_storage": "21Gi"}, None, "requests.storage", "21Gi", "20Gi"),
    ({"app_volumes": {"media": {"path": "/m", "size": "20Gi"}}}, None, "requests.storage", "21Gi", "20Gi"),
    ({"app_volumes": {"media": {"path": "/m", "size": "1Gi"}}}, {"persistentvolumeclaims": 1}, "persistentvolumeclaims", 2, 1),
    ({}, {"pods": 4}, "pods", 5, 4),
    ({}, {"count/pods": "4"}, "count/pods", 5, 4),
    ({}, {"requests.cpu": "200m"}, "requests.cpu", "250m", "200m"),
    ({}, {"limits.memory": "1G"}, "limits.memory", "2560Mi", "1G"),
    ({}, {"requests.storage": 0}, "requests.storage", "1Gi", 0),
    ({}, {"persistentvolumeclaims": "0"}, "persistentvolumeclaims", 1, 0),
    ({}, {"services": 1}, "services", 2, 1),
    ({}, {"services.nodeports": 0}, "services.nodeports", 1, 0),
    ({}, {"count/deployments.apps": 0}, "count/deployments.apps", 1, 0),
    ({"database_storage_class": "fast"}, {"fast.storageclass.storage.k8s.io/requests.storage": "512Mi"}, "fast", "1Gi", "512Mi"),
    ({"database_storage_class": "fast"}, {"fast.storageclass.storage.k8s.io/persistentvolumeclaims": 0}, "fast", "1", 0),
]


@pytest.mark.parametrize(("given", "quota", "key", "need", "limit"), TOO_MUCH)
def test_what_a_quota_has_no_room_for_is_told_with_both_numbers(given: dict[str, Any], quota: dict[str, Any] | None, key: str, need: Any, limit: Any) -> None:
    (text,) = told(quota, **given)
    if quota:
        assert text.startswith(f"berth_quota.{key}") and f": {limit} is too little: " in text and f" {need}; raise it" in text
    else:
        assert f" {need} of {key}, but the namespace has {limit}; set {key}: {need} in berth_quota, or " in text
        assert text.startswith(("berth_app_replicas: ", "berth_app_autoscaling.max: ", "berth_database_storage: ", "berth_app_volumes: "))
    # Followed to the letter, it fits.
    full = next((name for name in quota or {} if name.startswith(key)), key)
    assert told({**(quota or {}), full: need}, **given) == []


@pytest.mark.parametrize("key", ["limits.cpu", "requests.ephemeral-storage", "limits.ephemeral-storage", "ephemeral-storage", "requests.hugepages-2Mi"])
def test_a_quota_for_which_containers_would_have_to_say_what_they_do_not_is_refused(key: str) -> None:
    (text,) = told({key: "100"}, app_resources={"limits": {"cpu": 1}})
    assert text.startswith(f"berth_quota.{key}: makes Kubernetes reject pods") and "those of " in text
    assert text.endswith("the network policies' probe do not; remove it")


@pytest.mark.parametrize(
    ("quota", "given"),
    [
        ({}, {}),
        ({}, {"app_replicas": 17}),
        ({}, {"app_replicas": 10, "app_resources": {"requests": {"cpu": "300m", "memory": "300Mi"}}}),
        ({}, {"app_replicas": 30, "app_autoscaling": {"min": 1, "max": 3, "cpu": 80}}),  # the autoscaler decides
        ({"pods": 5}, {}),
        ({"pods": 6}, {"app_processes": {"beat": {"singleton": True}}}),
        ({"pods": 7}, {"app_processes": {"worker": {}}}),
        ({"pods": 4}, {"app_schedules": []}),
        ({"pods": 4}, {"database": "rds"}),
        ({"requests.storage": 0, "persistentvolumeclaims": 0}, {"database": "external", "database_storage": "1Ti"}),
        ({"limits.memory": "2560Mi"}, {}),
        ({"secrets": 1, "count/jobs.batch": 0, "something.example.org/of-its-own": 0}, {}),
        ({"slow.storageclass.storage.k8s.io/requests.storage": 0}, {"database_storage_class": "fast"}),
    ],
)
def test_what_fits_passes(quota: dict[str, Any], given: dict[str, Any]) -> None:
    assert told(quota, **given) == []


@pytest.mark.parametrize("replicas", [1, 2, 7])
@pytest.mark.parametrize("memory", ["32Mi", "256Mi", "1Gi"])
@pytest.mark.parametrize("database", ["cluster", "rds", "external"])
@pytest.mark.parametrize("schedules", [0, 3])
def test_the_room_that_is_asked_for_is_the_most_that_any_moment_takes(replicas: int, memory: str, database: str, schedules: int) -> None:
    app, small, client, server = (quantity(text) or Decimal(0) for text in (memory, "256Mi", "128Mi", "512Mi"))
    web = [app] * replicas
    moments = [
        [small],  # the first run: the probe of the network policies,
        [client if database == "rds" else Decimal(0)],  # the database's login,
        [app, small],  # the release's Job, beside the probe,
        [*web, small],  # the first release
        [*web, app],  # the next one: its Job, and then a pod more
    ]
    always = (server if database == "cluster" else 0) + schedules * app
    most = always + max(sum(moment) for moment in moments)
    given = {"app_replicas": replicas, "app_resources": {"limits": {"memory": memory}}, "database": database, "app_schedules": [{}] * schedules}
    # The quota's other keys have room for all of these.
    rest = {"requests.memory": "100Gi", "requests.cpu": 100, "pods": 100}
    assert told({"limits.memory": str(most), **rest}, **given) == []
    assert len(told({"limits.memory": str(most - 1), **rest}, **given)) == 1


# --- Room on the machine ----------------------------------------------------------------------------------------------
def told_of_node(cpu: str = "2", memory: str = "8Gi", **given: Any) -> list[str]:
    """Return what is said of a cluster's only node."""
    free = {"cpu": quantity(cpu) or Decimal(0), "memory": quantity(memory) or Decimal(0)}
    taken = {"cpu": Decimal("0.83"), "memory": Decimal(300 * 2**20)}
    return [f"{problem.name}: {problem.text}" for problem in room.node_problems(environment_of(**given), free, taken, ("berth_app_replicas",))]


def test_what_does_not_fit_on_the_only_node_is_told_with_what_kubernetes_takes() -> None:
    given = {"app_resources": {"requests": {"cpu": "400m", "memory": "2Gi"}}, "app_processes": {"worker": {"resources": {"requests": {"cpu": "100m"}}}}}
    assert told_of_node(memory="4Gi", **given) == [
        "berth_app_replicas: 2 web pods of 400m CPU, 1 pod of 100m CPU of worker, the database of 50m CPU and one more of 400m CPU during a release "
        "request 1350m of CPU, but this machine has 2, of which Kubernetes itself requests 830m; "
        "lower berth_app_resources, run fewer pods, or use a larger machine",
        "berth_app_replicas: 2 web pods of 2Gi, 1 pod of 2Gi of worker, the database of 128Mi and one more of 2Gi during a release "
        "request 8320Mi of memory, but this machine has 4Gi, of which Kubernetes itself requests 300Mi; "
        "lower berth_app_resources, run fewer pods, or use a larger machine",
    ]
    assert told_of_node(memory="8620Mi", cpu="2180m", **given) == []


@pytest.mark.parametrize(
    "given",
    [
        {"app_autoscaling": {"min": 2, "max": 40, "cpu": 80}},
        {"app_schedules": [{}] * 30},
        {"app_processes": {f"worker-{number}": {"resources": {"requests": {"cpu": "200m"}}} for number in range(4)}},
        {"app_resources": {"requests": {"cpu": "373m"}}},
    ],
    ids=["pods under load", "schedules", "what a release adds", "all that there is"],
)
def test_pods_that_do_not_run_all_the_time_may_find_room_when_they_start(given: dict[str, Any]) -> None:
    assert told_of_node(**given) == []
