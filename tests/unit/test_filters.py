"""The filters: objects made from the inventory, and what the API server's answers mean."""

from __future__ import annotations

import base64
import ipaddress
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from module_run import plugin

artifacts = plugin("filter/artifacts.py")
aws = plugin("filter/aws.py")
objects = plugin("filter/objects.py")
Json = dict[str, Any]


@pytest.mark.parametrize("module", [artifacts, aws, objects], ids=["artifacts", "aws", "objects"])
def test_every_filter_is_called_by_the_name_of_its_function(module: Any) -> None:
    assert {name: function.__name__ for name, function in module.FilterModule().filters().items()} == {name: name for name in module.FilterModule().filters()}


# --- Artifacts -------------------------------------------------------------
FACTS = {"refs": {"pause": "r/pause:1"}, "images": {"r/pause:1": "/c/1/image.tar"}}


def test_an_image_that_the_artifacts_lack_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="artifacts_facts has no image 'etcd'"):
        artifacts.image_archives(["pause", "etcd"], FACTS)


def test_a_binary_that_the_artifacts_lack_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="artifacts_facts has no binary 'kubelet'"):
        artifacts.binary_files(["kubelet"], {}, "/bin")


def test_artifacts_are_the_same_in_any_cache_until_their_content_differs() -> None:
    mine, sudo, newer = ([f"/{cache}/binaries/etcd-{version}-build-10de/etcd"] for cache, version in (("a", "v1"), ("b/c", "v1"), ("a", "v2")))
    assert artifacts.artifact_versions(mine) == artifacts.artifact_versions(sudo) != artifacts.artifact_versions(newer)


def test_the_first_program_that_can_be_run_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for kubectl: the node's own, the user's, the one that came with the cluster."""
    candidates = [str(tmp_path / "node" / "kubectl"), "kubectl", str(tmp_path / "cache" / "kubectl")]
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert artifacts.first_program(candidates) == ""
    for directory, found in (("cache", candidates[2]), ("path", "kubectl"), ("node", candidates[0])):
        program = tmp_path / directory / "kubectl"
        program.parent.mkdir()
        program.touch(mode=0o644)
        assert artifacts.first_program(candidates) != found, "a file that cannot be run is no program"
        program.chmod(0o755)
        assert artifacts.first_program(candidates) == found


# --- Secrets and checksums -------------------------------------------------
def test_secrets_of_any_plain_type_are_encoded_as_text() -> None:
    encoded = objects.secret_data({"A": "grüße", "B": 5432, "C": ""})
    assert {name: base64.b64decode(value).decode() for name, value in encoded.items()} == {"A": "grüße", "B": "5432", "C": ""}


def test_secrets_that_are_no_dictionary_are_refused_without_being_shown() -> None:
    with pytest.raises(AnsibleFilterError) as raised:
        objects.secret_data("hunter2")
    assert "needs a dictionary, not str" in str(raised.value) and "hunter2" not in str(raised.value)


def test_the_checksum_follows_the_content_and_not_the_order() -> None:
    assert objects.short_hash({"a": [1, 2], "b": {"c": 1}}) == objects.short_hash({"b": {"c": 1}, "a": [1, 2]})
    assert len({objects.short_hash(value) for value in ({"a": [1, 2]}, {"a": [2, 1]}, {"a": "12"}, {}, [], "")}) == 6


# --- Commands and schedules ------------------------------------------------
def test_commands_become_containers_in_order_with_their_words_kept_whole() -> None:
    base = {"image": "polls", "name": "base"}
    made = objects.command_containers(["migrate --noinput", "loaddata 'two words.json'"], base)
    assert [container["name"] for container in made] == ["migrate", "loaddata"]
    assert made[1]["command"] == ["python", "manage.py", "loaddata", "two words.json"]
    assert base == {"image": "polls", "name": "base"}


@pytest.mark.parametrize(
    ("commands", "names"),
    [
        (["migrate", "migrate --database other"], ["migrate", "migrate-2"]),
        (["migrate-2", "migrate", "migrate"], ["migrate-2", "migrate", "migrate-3"]),
        (["Ensure_Admin"], ["ensure-admin"]),
        (["--version"], ["version"]),
        (["größe"], ["gr-e"]),
        (["--", "x" * 80], ["command", "x" * 50]),
    ],
)
def test_containers_have_names_that_kubernetes_takes_and_no_two_alike(commands: list[str], names: list[str]) -> None:
    assert [container["name"] for container in objects.command_containers(commands, {})] == names


@pytest.mark.parametrize(("command", "reason"), [("  ", "is empty"), ("loaddata 'x", "No closing quotation: loaddata 'x")])
def test_a_command_without_sense_names_the_variables(command: str, reason: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"berth_app_release_commands or berth_app_schedules.*{reason}"):
        objects.command_containers([command], {})


def test_a_schedule_becomes_a_cronjob_that_never_runs_twice_at_once() -> None:
    labels = {"app.kubernetes.io/name": "polls"}
    schedules = [{"name": "clearsessions", "schedule": "17 3 * * *", "command": "clearsessions"}]
    (job,) = objects.cron_jobs(schedules, "polls", labels, {"restartPolicy": "Always", "securityContext": {}}, {"image": "polls"})
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert job["metadata"] == {"name": "polls-clearsessions", "labels": labels}
    assert job["spec"]["schedule"] == "17 3 * * *" and job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job["spec"]["jobTemplate"]["spec"]["template"]
    assert pod["metadata"]["labels"] == labels
    assert pod["spec"] == {
        "restartPolicy": "Never",
        "securityContext": {},
        "containers": [{"image": "polls", "name": "clearsessions", "command": ["python", "manage.py", "clearsessions"]}],
    }


def test_no_schedules_give_no_cronjobs() -> None:
    assert objects.cron_jobs([], "polls", {}, {}, {}) == []


@pytest.mark.parametrize(("given", "seconds"), [({}, 600), ({"timeout": 7200}, 7200), ({"timeout": "7200"}, 7200)])
def test_a_schedule_says_how_long_its_command_may_take(given: dict[str, Any], seconds: int) -> None:
    schedule = {"name": "nightly", "schedule": "0 3 * * *", "command": "rebuild"} | given
    (job,) = objects.cron_jobs([schedule], "polls", {}, {}, {})
    assert job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] == seconds


# --- What an apply answers -------------------------------------------------
def deployment(**changes: Any) -> Json:
    """Return a Deployment of two pods as the API server answers when it is rolled out."""
    status = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    status |= {name: value for name, value in changes.items() if name != "replicas_wanted"}
    wanted = changes.get("replicas_wanted", 2)
    return {
        "kind": "Deployment",
        "metadata": {"name": "polls", "generation": 3},
        "spec": {"replicas": wanted},
        "status": {name: value for name, value in status.items() if value is not None},
    }


def job(condition: str = "", status: str = "True") -> Json:
    """Return a release Job."""
    conditions = [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": condition, "status": status}] if condition else []
    return {"kind": "Job", "metadata": {"name": "polls-release-1", "generation": 1}, "status": {"conditions": conditions}}


CONFIGMAP: Json = {"kind": "ConfigMap", "metadata": {"name": "polls"}}


def test_objects_are_listed_by_kind_and_name() -> None:
    assert objects.object_names([CONFIGMAP, job()]) == [{"kind": "ConfigMap", "name": "polls"}, {"kind": "Job", "name": "polls-release-1"}]


def test_what_is_rolled_out_needs_no_wait() -> None:
    assert objects.settled([CONFIGMAP, deployment(), job("Complete")])
    assert objects.settled([deployment(replicas_wanted=0, replicas=0, updatedReplicas=None, readyReplicas=None, availableReplicas=None)])
    assert objects.settled([deployment() | {"kind": "StatefulSet"}])
    assert objects.settled([])


@pytest.mark.parametrize(
    "item",
    [
        deployment(observedGeneration=2),
        deployment(observedGeneration=None),
        deployment(updatedReplicas=1),
        deployment(availableReplicas=1),
        deployment(readyReplicas=None),
        deployment(replicas=3),
        deployment(replicas_wanted=3),
        deployment(readyReplicas=1) | {"kind": "StatefulSet"},
        deployment() | {"status": {}},
        job(),
        job("Complete", "False"),
        job("Failed"),
    ],
    ids=[
        "not observed",
        "never observed",
        "not updated",
        "not available",
        "not ready",
        "an old pod",
        "scaled up",
        "StatefulSet",
        "no status",
        "new job",
        "not complete",
        "failed job",
    ],
)
def test_what_is_under_way_is_waited_for(item: Json) -> None:
    assert not objects.settled([deployment(), item])


def test_only_jobs_that_failed_for_good_are_told() -> None:
    assert objects.failed_jobs([deployment(), job("Failed"), CONFIGMAP]) == ["polls-release-1"]
    assert objects.failed_jobs([job("Complete"), job("Failed", "False"), job()]) == []
    assert objects.failed_jobs([job("FailureTarget")]) == ["polls-release-1"]  # its pods are still to end


def test_jobs_have_ended_when_there_are_some_and_none_still_runs() -> None:
    assert objects.ended([job("Complete"), job("Failed")])
    assert not objects.ended([job("Complete"), job()])
    assert not objects.ended([job("Failed", "False")])
    assert not objects.ended([])


def service(node_port: int = 30080) -> Json:
    """Return the app's Service."""
    return {"kind": "Service", "metadata": {"name": "polls"}, "spec": {"ports": [{"port": 80, "nodePort": node_port}]}}


def test_the_apps_facts_are_read_from_its_objects() -> None:
    live = deployment()
    live["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "7"}
    assert objects.app_facts([live, service(31234)], "127.0.0.1") == {"url": "http://127.0.0.1:31234/", "revision": "7", "replicas": 2}
    assert objects.app_facts([live, service(31234)], "127.0.0.1", "8")["revision"] == "8", "what a rollout ended with is newer"
    assert objects.app_facts([live, service(31234)], "127.0.0.1", path="/shop/")["url"] == "http://127.0.0.1:31234/shop/"
    assert objects.app_facts([live, service(31234)], "")["url"] == "", "this machine reaches no node port"


@pytest.mark.parametrize("order", [1, -1])
def test_the_app_is_told_from_its_processes(order: int) -> None:
    live, worker = deployment(), deployment()
    live["metadata"] |= {"annotations": {"deployment.kubernetes.io/revision": "7"}}
    worker["metadata"] = {**worker["metadata"], "name": "polls-worker", "annotations": {"deployment.kubernetes.io/revision": "9"}}
    assert objects.app_facts([live, service(31234), worker][::order], "127.0.0.1")["revision"] == "7"


@pytest.mark.parametrize(("live", "missing"), [([service()], "Deployment"), ([deployment()], "Service"), ([], "Service")])
def test_an_app_that_is_not_there_is_said_to_be_missing(live: list[Json], missing: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"The app has no {missing} in its namespace"):
        objects.app_facts(live, "127.0.0.1")


# --- AWS -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("network", "zones", "words"),
    [
        ("10.60.0.0/16", ["a"], "berth_aws_zones must have two or three different zones"),
        ("10.60.0.0/16", ["a", "a"], "but it has a, a"),
        ("10.60.0.0/16", ["a", "b", "c", "d"], "two or three different zones"),
        ("10.60.0.0/24", ["a", "b"], "berth_aws_network is a /24"),
        ("10.0.0.0/8", ["a", "b"], "berth_aws_network is a /8"),
        ("10.60.0.1/16", ["a", "b"], "berth_aws_network: 10.60.0.1/16 has host bits set"),
    ],
)
def test_a_network_that_aws_or_eks_would_refuse_is_refused_with_its_variable(network: str, zones: list[str], words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        aws.vpc_subnets(network, zones)


def test_subnets_do_not_overlap_and_stay_when_a_zone_is_added() -> None:
    two, three = aws.vpc_subnets("10.60.0.0/22", ["a", "b"]), aws.vpc_subnets("10.60.0.0/22", ["a", "b", "c"])
    networks = [ipaddress.ip_network(subnet["cidr"]) for subnet in three]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(networks, 2))
    assert two == [subnet for subnet in three if subnet["zone"] != "c"]
    assert min(network.num_addresses for network in networks) >= 16  # docs.aws.amazon.com/vpc: a /28 at least


def test_an_unknown_access_policy_is_refused_with_its_variable() -> None:
    with pytest.raises(AnsibleFilterError, match="berth_eks_access: policy root of arn is not one of: cluster-admin, admin, edit, view"):
        aws.access_entries([{"principal": "arn", "policy": "root"}])


def test_a_role_name_that_iam_would_refuse_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="more than 64 characters"):
        aws.eks_roles("auto", [], "x" * 60, "123456789012", "eu-central-1")


def test_only_the_entries_that_berth_made_are_taken_back() -> None:
    entries = [{"principal_arn": "ours", "tags": {"berth:environment": "prod"}}, {"principal_arn": "eks", "tags": {}}, {"principal_arn": "other", "tags": None}]
    assert aws.stale_principals(entries, [], {"berth:environment": "prod"}) == ["ours"]
    assert aws.stale_principals(entries, [{"principal": "ours"}], {"berth:environment": "prod"}) == []


@pytest.mark.parametrize(("live", "wanted", "changes"), [("17.6", "17", {}), ("17.6", "17.6", {}), ("17.6", "17.7", {"engine_version": "17.7"})])
def test_a_minor_version_that_aws_brought_is_no_difference(live: str, wanted: str, changes: dict[str, str]) -> None:
    assert aws.rds_changes({"engine_version": live, "allocated_storage": 20}, wanted, 20) == changes


@pytest.mark.parametrize(
    ("live", "wanted", "changes"),
    [
        (20, 40, {"allocated_storage": 40}),
        (50, 40, {}),
        (20, 400, {"allocated_storage": 400, "iops": 12000, "storage_throughput": 500}),
        (400, 500, {"allocated_storage": 500}),
    ],
)
def test_storage_grows_to_what_is_asked_for_and_never_shrinks(live: int, wanted: int, changes: dict[str, int]) -> None:
    assert aws.rds_changes({"engine_version": "17.6", "allocated_storage": live}, "17", wanted) == changes


def test_what_waits_for_the_maintenance_window_is_not_asked_for_again() -> None:
    instance = {"engine_version": "16.9", "allocated_storage": 20, "pending_modified_values": {"engine_version": "17.6", "allocated_storage": 40}}
    assert aws.rds_changes(instance, "17", 40) == {}


@pytest.mark.parametrize(
    ("state", "claims", "within"),
    [
        ("running", ["data-database-0"], "volume claim data-database-0"),
        ("running", ["a", "b"], "volume claim a, b"),
        ("running", [], ""),
        ("stopped", [], "unknown while it is stopped"),
        ("paused", [], "unknown while it is paused"),
        ("unready", [], "unknown while it is unready"),
        ("absent", [], ""),
        ("partial", [], ""),
    ],
)
def test_data_that_a_cluster_would_take_with_it_are_named_and_those_that_cannot_be_seen_too(state: str, claims: list[str], within: str) -> None:
    assert objects.data_within(state, [{"metadata": {"name": name}} for name in claims]) == within


# --- What a pod may write to -------------------------------------------------
def test_each_directory_that_is_writable_has_a_volume_of_its_own() -> None:
    given = {"/tmp": "64Mi", "/code/cache": "1Gi", "/code-cache": "1Gi", "/Code/cache": "1Gi", "/" + "x" * 200: "1Mi"}
    volumes, mounts = objects.writable_volumes(given), objects.writable_mounts(given)
    names = [volume["name"] for volume in volumes]
    assert len(set(names)) == len(given)
    assert all(re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name) for name in names)
    assert [mount["name"] for mount in mounts] == names
    assert [mount["mountPath"] for mount in mounts] == list(given)
    assert volumes[0] == {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}


@pytest.mark.parametrize(
    ("region", "host", "service"),
    [
        ("eu-central-1", "truststore.pki.rds.amazonaws.com", "ec2.amazonaws.com"),
        ("us-gov-east-1", "truststore.pki.us-gov-west-1.rds.amazonaws.com", "ec2.amazonaws.com"),
        ("cn-northwest-1", "rds-truststore.s3.cn-north-1.amazonaws.com.cn", "ec2.amazonaws.com.cn"),
    ],
)
def test_each_partition_has_its_own_names(region: str, host: str, service: str) -> None:
    assert aws.rds_authorities(region) == f"https://{host}/{region}/{region}-bundle.pem"
    cluster, node = aws.eks_roles("auto", [], "polls", "123456789012", region)
    assert (f'"{service}"' in node["trust"], '"eks.amazonaws.com"' in cluster["trust"]) == (True, True)
