"""What the API server refuses, and what of our objects cannot be changed: said with the variable and the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import fixed, refusals, volumes
from module_run import plugin

Json = dict[str, Any]
claims = plugin("action/k8s_claim.py")

SENT = [{"kind": kind, "metadata": {"name": name}} for kind, name in (("ConfigMap", "a"), ("Secret", "a"), ("NetworkPolicy", "b"), ("Service", "it's"))]


def status(message: str, kind: str, name: str) -> str:
    """Return what kubernetes.core.k8s says when the API server answers with this Status."""
    body = {"kind": "Status", "status": "Failure", "message": message, "details": {"kind": kind, "name": name}, "code": 403}
    return f"Failed to apply object: {json.dumps(body)}"


# --- What the API server refuses -------------------------------------------
@pytest.mark.parametrize(
    ("text", "message", "index"),
    [
        (status('secrets "a" is forbidden: no', "secrets", "a"), 'secrets "a" is forbidden: no', 1),
        (status("no", "Secret", "a"), "no", 1),
        (status("no", "configmaps", "a"), "no", 0),
        (status("no", "networkpolicies", "b"), "no", 2),
        (status('Service "it\'s" is invalid: a "b" {c}', "Service", "it's"), 'Service "it\'s" is invalid: a "b" {c}', 3),
        (status("no", "Secret", "another"), "no", None),
        ("Failed to retrieve requested object: {not json", "Failed to retrieve requested object: {not json", None),
        ("Could not connect\n  to it.", "Could not connect to it", None),
        ('{"kind": "Other"}', '{"kind": "Other"}', None),
    ],
)
def test_a_refusal_is_told_in_the_api_servers_words_and_of_its_object(text: str, message: str, index: int | None) -> None:
    assert refusals.read(text, SENT) == refusals.Refusal(message, index)


def test_only_what_was_applied_is_called_applied() -> None:
    lines = refusals.describe(status("no", "networkpolicies", "b"), SENT, "polls-dev").splitlines()
    assert lines == ["The API server rejected NetworkPolicy b in namespace polls-dev: no.", "Applied before it: ConfigMap a, Secret a."]
    assert "Applied" not in refusals.describe(status("no", "configmaps", "a"), SENT, "polls-dev")


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        (
            'secrets "a" is forbidden: unable to create new content in namespace polls-dev because it is being terminated',
            "Wait until the namespace is gone, then run the same command again.",
        ),
        ('Service "polls" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated', "berth_app_node_port"),
        ('persistentvolumeclaims "x" is forbidden: exceeded quota: polls, requested: requests.storage=30Gi', "Raise berth_quota"),
        ('Operation cannot be fulfilled on services "polls": the object has been modified', "run the same command again"),
    ],
)
def test_a_refusal_says_what_to_do_where_that_is_known(message: str, advice: str) -> None:
    assert advice in refusals.describe(status(message, "Secret", "a"), SENT, "polls-dev").splitlines()[-1]


# --- What cannot be changed ------------------------------------------------
def database(**environment: str) -> Json:
    """Return the database's StatefulSet."""
    variables = [{"name": name, "value": value} for name, value in environment.items()]
    container = {"name": "postgresql", "env": [*variables, {"name": "DATABASE_PASSWORD", "valueFrom": {}}]}
    return {"kind": "StatefulSet", "metadata": {"name": "database"}, "spec": {"template": {"spec": {"containers": [container]}}}}


@pytest.mark.parametrize(
    ("wanted", "live", "variables"),
    [
        (database(DATABASE_NAME="polls"), None, []),
        (database(DATABASE_NAME="polls"), database(DATABASE_NAME="polls"), []),
        (database(DATABASE_NAME="shop"), database(DATABASE_NAME="polls"), ["berth_database_name"]),
        (
            database(DATABASE_NAME="shop", DATABASE_USER="b"),
            database(DATABASE_NAME="polls", DATABASE_USER="a"),
            ["berth_database_name", "berth_database_user"],
        ),
        (database(DATABASE_NAME="polls"), database(), []),  # of a Berth that did not say it there
        ({**database(DATABASE_NAME="shop"), "metadata": {"name": "other"}}, database(DATABASE_NAME="polls"), []),
    ],
)
def test_what_would_leave_the_data_behind_is_refused_by_its_variable(wanted: Json, live: Json | None, variables: list[str]) -> None:
    assert [found.variable for found in fixed.problems(wanted, live)] == variables


def test_what_cannot_be_changed_is_told_in_one_message_with_file_and_way() -> None:
    found = fixed.problems(database(DATABASE_NAME="shop"), database(DATABASE_NAME="polls"))
    lines = fixed.message(found, lambda name: f"all.yml:{len(name)}").splitlines()
    assert lines[0] == "This step changed nothing:"
    assert lines[1].startswith("berth_database_name (all.yml:19) is shop but was polls, and cannot be changed: ")
    assert lines[2].startswith("What to do: set berth_database_name: polls again, or back the database up (playbooks/ops/backup.yml), ")


# --- The size of a volume --------------------------------------------------
def claim(size: str = "1Gi", capacity: str = "1Gi", storage_class: str = "local-path", conditions: tuple[str, ...] = ()) -> Json:
    """Return a volume claim."""
    spec = {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}, "volumeName": "pv"}
    return {"spec": spec, "status": {"capacity": {"storage": capacity}, "conditions": [{"type": kind, "status": "True"} for kind in conditions]}}


def wanted(size: str = "1Gi", storage_class: str = "") -> volumes.Wanted:
    """Return what is wanted of it."""
    return volumes.Wanted("data-database-0", size, storage_class, "berth_database_storage", "berth_database_storage_class")


GROWS: Json = {"allowVolumeExpansion": True}


@pytest.mark.parametrize(
    ("what", "storage_class", "variable", "words"),
    [
        (wanted("1Gi"), {}, "", ""),
        (wanted("1024Mi"), None, "", ""),
        (wanted("2Gi"), GROWS, "", ""),
        (wanted("1Gi", "local-path"), {}, "", ""),
        (wanted("2Gi"), {}, "berth_database_storage", "its storage class local-path does not allow volumes to grow"),
        (wanted("2Gi"), None, "berth_database_storage", "does not allow volumes to grow"),
        (wanted("512Mi"), GROWS, "berth_database_storage", "has 1Gi and cannot shrink"),
        (wanted("1000M"), GROWS, "berth_database_storage", "cannot shrink"),
        (wanted("2Gi", "fast"), GROWS, "berth_database_storage_class", "has the class local-path, which cannot be changed"),
    ],
)
def test_a_volume_grows_where_its_class_allows_it_and_nothing_else(what: volumes.Wanted, storage_class: Json | None, variable: str, words: str) -> None:
    found = volumes.problem(what, claim(), storage_class)
    assert (found.variable if found else "") == variable
    assert words in (found.phrase if found else "")


@pytest.mark.parametrize(("size", "patched"), [("1Gi", False), ("1024Mi", False), ("1.5Gi", True), ("2Gi", True)])
def test_a_claim_asks_for_more_only_where_more_is_wanted(size: str, patched: bool) -> None:
    assert bool(volumes.growth(wanted(size), claim())) is patched


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (claim("2Gi", "1Gi"), False),
        (claim("2Gi", "2Gi"), True),
        (claim("2Gi", "2048Mi"), True),
        (claim("2Gi", "1Gi", conditions=("FileSystemResizePending",)), True),
    ],
)
def test_a_volume_has_grown_when_it_has_the_size_or_needs_only_its_pods_next_start(there: Json, expected: bool) -> None:
    assert volumes.grown(wanted("2Gi"), there) is expected


class Cluster:
    """A cluster with a claim, whose storage class is made by ``provisioner``."""

    def __init__(self, provisioner: str, template: Json) -> None:
        self.objects = {"PersistentVolumeClaim": claim("2Gi"), "StorageClass": GROWS | {"provisioner": provisioner}, "StatefulSet": template}
        self.done: list[tuple[str, str]] = []

    def get(self, kind: str, _namespace: str, _name: str) -> Json:
        """Read an object."""
        if kind == "PersistentVolumeClaim":  # somebody has made it grow
            self.objects[kind]["status"]["capacity"]["storage"] = "2Gi"
        return self.objects[kind]

    def patch(self, kind: str, _namespace: str, _name: str, _operations: list[Json], subresource: str = "") -> Json:
        """Change one."""
        self.done.append((kind, subresource))
        return self.objects.get(kind, {})

    def delete(self, kind: str, _namespace: str, _name: str, _uid: str, propagation: str) -> None:
        """Delete one."""
        self.done.append((kind, propagation))


@pytest.mark.parametrize(
    ("provisioner", "done"),
    [
        ("ebs.csi.aws.com", [("PersistentVolumeClaim", "")]),
        ("rancher.io/local-path", [("PersistentVolume", ""), ("PersistentVolumeClaim", "/status"), ("PersistentVolumeClaim", "")]),
    ],
)
def test_that_a_directory_has_grown_is_written_down_and_a_disk_is_left_to_its_provisioner(
    provisioner: str, done: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims.time, "sleep", lambda _seconds: None)
    cluster = Cluster(provisioner, {})
    claims.grow(cluster, "polls-dev", wanted("2Gi"), claim(), [{}], 60)
    assert cluster.done == done


def test_a_claim_asks_for_more_last_so_that_a_run_that_was_cut_off_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster("rancher.io/local-path", {})

    def refuse(kind: str, *_: Any, **__: Any) -> Json:
        raise claims.Forbidden(kind)

    monkeypatch.setattr(cluster, "patch", refuse)
    with pytest.raises(claims.Forbidden, match=r"^PersistentVolume$"):
        claims.grow(cluster, "polls-dev", wanted("2Gi"), claim(), [{}], 60)


@pytest.mark.parametrize(
    ("template", "check", "expected", "done"),
    [
        (claim("1Gi", storage_class=""), False, True, [("StatefulSet", "Orphan")]),
        (claim("1Gi", storage_class=""), True, True, []),
        (claim("2048Mi", storage_class=""), False, False, []),
        (claim("2Gi", storage_class="fast"), False, True, [("StatefulSet", "Orphan")]),
    ],
)
def test_a_statefulset_is_made_again_where_its_template_says_something_else_and_its_pod_stays(
    template: Json, check: bool, expected: bool, done: list[tuple[str, str]]
) -> None:
    cluster = Cluster("ebs.csi.aws.com", {"metadata": {"uid": "u"}, "spec": {"volumeClaimTemplates": [template]}})
    assert claims.release(cluster, "polls-dev", "database", wanted("2Gi"), check) is expected
    assert cluster.done == done
