"""What is labelled as ours and no longer declared goes; everything else stays."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import k8s_prune

Json = dict[str, Any]
OURS = {"app.kubernetes.io/managed-by": "berth", "app.kubernetes.io/instance": "polls"}


def thing(kind: str, name: str, labels: Json | None = None, **metadata: Any) -> Json:
    """Return an object as the API server lists it."""
    return {"kind": kind, "metadata": {"name": name, "uid": f"uid-{name}", "labels": labels or OURS} | metadata}


def names(objects: list[Any]) -> list[tuple[str, str]]:
    """Return kind and name of each object."""
    return [(each["kind"], each["metadata"]["name"]) for each in objects]


@pytest.mark.parametrize(
    ("selector", "kinds", "message"),
    [
        (
            {"app.kubernetes.io/instance": "polls"},
            ["Service"],
            ("The selector has no app.kubernetes.io/managed-by, so it could match objects that others created. Add app.kubernetes.io/managed-by to selector."),
        ),
        (
            {"app.kubernetes.io/managed-by": ""},
            ["Service"],
            ("The selector has no app.kubernetes.io/managed-by, so it could match objects that others created. Add app.kubernetes.io/managed-by to selector."),
        ),
        (
            OURS,
            ["Service", "PersistentVolumeClaim"],
            (
                "PersistentVolumeClaim objects are never pruned, because their data would be lost. "
                "Remove them from kinds; playbooks/destroy.yml removes data if you tell it to."
            ),
        ),
        (
            OURS,
            ["Namespace"],
            (
                "Namespace objects are never pruned, because their data would be lost. "
                "Remove them from kinds; playbooks/destroy.yml removes data if you tell it to."
            ),
        ),
        (
            OURS,
            ["Pod"],
            f"k8s_prune does not know the kind Pod. It knows {', '.join(k8s_prune.DEFAULT_KINDS)}.",
        ),
    ],
    ids=["no owner's label", "an empty owner's label", "claims", "namespaces", "a kind that controllers own"],
)
def test_what_could_reach_too_far_is_refused(selector: Json, kinds: list[str], message: str) -> None:
    """With one message that says what to change."""
    assert k8s_prune.refusal(selector, kinds) == message


def test_the_default_kinds_are_accepted() -> None:
    """And hold neither data nor namespaces."""
    assert k8s_prune.refusal(OURS, k8s_prune.DEFAULT_KINDS) == ""
    assert not set(k8s_prune.DEFAULT_KINDS) & set(k8s_prune.PROTECTED)


def test_what_is_no_longer_declared_is_surplus() -> None:
    """By kind and name: a Service may be called like a Deployment."""
    objects = [thing("Service", "polls"), thing("Deployment", "polls"), thing("CronJob", "polls-clearsessions")]
    found = k8s_prune.surplus(objects, [{"kind": "Deployment", "name": "polls"}], OURS)
    assert names(found) == [("CronJob", "polls-clearsessions"), ("Service", "polls")]


def test_what_an_owner_keeps_is_left_to_it() -> None:
    """A CronJob's Jobs are its history."""
    owner = [{"kind": "CronJob", "name": "polls-clearsessions", "uid": "x"}]
    assert k8s_prune.surplus([thing("Job", "polls-clearsessions-1", ownerReferences=owner)], [], OURS) == []


def test_what_is_being_deleted_is_not_removed_again() -> None:
    """Else a second run would say that it changed something."""
    assert k8s_prune.surplus([thing("Job", "polls", deletionTimestamp="2026-03-01T12:00:00Z")], [], OURS) == []


@pytest.mark.parametrize(
    "labels",
    [
        {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "polls"},
        {"app.kubernetes.io/managed-by": "berth", "app.kubernetes.io/instance": "other"},
        {"app.kubernetes.io/managed-by": "berth"},
    ],
    ids=["another tool's", "another instance's", "without an instance"],
)
def test_what_does_not_carry_all_labels_stays(labels: Json) -> None:
    """Whatever the API server answered."""
    assert k8s_prune.surplus([thing("ConfigMap", "x", labels)], [], OURS) == []


# --- What others refer to --------------------------------------------------
class Listing:
    """A cluster that lists ``objects``, each by its kind."""

    def __init__(self, *objects: Json) -> None:
        self.objects = objects
        self.asked: list[str] = []

    def items(self, kind: str, _namespace: str, **_query: str) -> list[Json]:
        """List those of a kind."""
        self.asked.append(kind)
        return [each for each in self.objects if each["kind"] == kind]


def template(**names: str) -> Json:
    """Return the description of a pod with the environment of a ConfigMap and a Secret."""
    sources = [{f"{kind}Ref": {"name": name}} for kind, name in names.items()]
    return {"template": {"spec": {"containers": [{"name": "web", "envFrom": sources}]}}}


def test_a_configuration_stays_as_long_as_a_kept_release_refers_to_it() -> None:
    """That has no pods any more, but could be gone back to."""
    going = [thing("ConfigMap", "polls-1"), thing("ConfigMap", "polls-2"), thing("Secret", "polls-1"), thing("Service", "old")]
    kept = thing("ReplicaSet", "polls-abc") | {"spec": template(configMap="polls-1", secret="polls-3")}
    assert names(k8s_prune.unreferenced(Listing(kept), "polls-dev", going)) == [("ConfigMap", "polls-2"), ("Secret", "polls-1"), ("Service", "old")]


def test_what_goes_itself_keeps_nothing() -> None:
    """Nor does what goes with it, such as the pods of a Job of a CronJob."""
    spec = template(configMap="polls-1")
    cronjob = thing("CronJob", "polls-nightly") | {"spec": {"jobTemplate": {"spec": spec}}}
    job = thing("Job", "polls-nightly-1", ownerReferences=[{"uid": "uid-polls-nightly"}]) | {"spec": spec}
    pod = thing("Pod", "polls-nightly-1-x", ownerReferences=[{"uid": "uid-polls-nightly-1"}]) | spec["template"]
    going = [cronjob, thing("ConfigMap", "polls-1")]
    assert k8s_prune.unreferenced(Listing(pod, cronjob, job), "polls-dev", going) == going


def test_without_a_configuration_that_could_go_nothing_more_is_read() -> None:
    listing = Listing()
    k8s_prune.unreferenced(listing, "polls-dev", [thing("Service", "old")])
    assert listing.asked == []
