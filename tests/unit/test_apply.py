"""What an apply sends, what it says it changes, and the number of pods that an autoscaler takes over."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake_api
import pytest
from ansible_collections.berth.platform.plugins.action.k8s_apply import ActionModule
from ansible_collections.berth.platform.plugins.module_utils.kube import apply, ownership
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Cluster

Json = dict[str, Any]


def live(applied: Json | None) -> Json:
    """Return a Deployment of three pods whose spec Berth applied last like this; None: not applied."""
    fields = {"f:spec": {f"f:{name}": {} for name in applied or {}}}
    entry = {"manager": "berth", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields}
    metadata = {"name": "polls", "namespace": "polls-dev", "managedFields": [] if applied is None else [entry], "resourceVersion": "7"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 3}}


@pytest.mark.parametrize(
    ("wanted", "there", "handed_over"),
    [
        ({}, live({"replicas": 2}), True),
        ({}, live({}), False),
        ({}, live(None), False),
        ({}, None, False),
        ({"replicas": 2}, live({"replicas": 2}), False),
    ],
    ids=["first time", "again", "made by other means", "new", "no autoscaler"],
)
def test_replicas_are_handed_over_once(wanted: Json, there: Json | None, handed_over: bool) -> None:
    """When the last apply set them and this one does not."""
    assert ownership.hands_over_replicas({"apiVersion": "apps/v1", "kind": "Deployment", "spec": wanted}, there) is handed_over


def test_what_is_handed_over_is_no_longer_in_the_last_apply_and_nothing_else_changes() -> None:
    """So that the next apply does not take it away."""
    there = live({"replicas": 2, "paused": False})
    patch = ownership.handover({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {}}, there)
    entry = there["metadata"]["managedFields"][0] | {"fieldsV1": {"f:spec": {"f:paused": {}}}}
    assert patch == [
        {"op": "replace", "path": "/metadata/managedFields", "value": [entry]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
    ]


LABELS = {apply.MANAGED_BY: "berth", apply.INSTANCE: "polls"}


def autoscaler(called: str, labels: Json, **target: str) -> Json:
    """Return the autoscaler of a Deployment ``polls``, or of another target."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "polls", **target}
    return {"metadata": {"name": called, "uid": f"uid-{called}", "labels": labels}, "spec": {"scaleTargetRef": reference, "minReplicas": 3}}


@pytest.mark.parametrize(
    ("wanted", "there", "taken_back"),
    [
        ({"replicas": 2}, live({"paused": False}), True),
        ({"replicas": 2}, live({"replicas": 3}), False),
        ({"replicas": 2}, live(None), False),
        ({"replicas": 2}, None, False),
        ({}, live({}), False),
    ],
    ids=["first time", "again", "made by other means", "new", "still an autoscaler"],
)
def test_replicas_are_taken_back_once(wanted: Json, there: Json | None, taken_back: bool) -> None:
    assert ownership.takes_back_replicas({"apiVersion": "apps/v1", "kind": "Deployment", "spec": wanted}, there) is taken_back


def test_of_what_has_a_fixed_number_of_pods_our_own_autoscaler_is_removed_and_no_other(tmp_path: Path) -> None:
    path = "/apis/autoscaling/v2/namespaces/polls-dev/horizontalpodautoscalers"
    items = [
        autoscaler("polls", LABELS),
        autoscaler("foreign", {}),
        autoscaler("neighbour", LABELS | {apply.INSTANCE: "shop"}),
        autoscaler("worker", LABELS, name="polls-worker"),
        autoscaler("database", LABELS, kind="StatefulSet"),
    ]
    wanted = {"kind": "Deployment", "metadata": {"name": "polls", "namespace": "polls-dev", "labels": LABELS}, "spec": {"replicas": 2}}
    with fake_api.running(fake_api.Api()) as api:
        api.answers = {path: (200, {"items": items}), f"{path}/polls": (200, {})}
        ActionModule.remove_autoscalers(Cluster(fake_api.kubeconfig(tmp_path, api.url), None), [wanted])
        assert [(method, asked) for method, asked, _, _ in api.seen] == [("GET", path), ("DELETE", f"{path}/polls")]


def test_an_object_that_a_controller_writes_to_meanwhile_is_read_again_and_handed_over(tmp_path: Path) -> None:
    path = "/apis/apps/v1/namespaces/polls-dev/deployments/polls"
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "polls", "namespace": "polls-dev"}, "spec": {}}
    newer = live({"replicas": 2})
    newer["metadata"]["resourceVersion"] = "8"
    with fake_api.running(fake_api.Api()) as api:
        api.queue = [(409, {"message": "the object has been modified"}), (200, newer), (200, {})]
        ActionModule.hand_over(Cluster(fake_api.kubeconfig(tmp_path, api.url), None), wanted, live({"replicas": 2}))
        assert [(method, asked) for method, asked, _, _ in api.seen] == [("PATCH", path), ("GET", path), ("PATCH", path)]
        assert json.loads(api.seen[2][3])[1]["value"] == "8"


def test_a_trial_changes_nothing_and_is_berths(tmp_path: Path) -> None:
    path = "/apis/apps/v1/namespaces/polls-dev/deployments/polls"
    with fake_api.running(fake_api.Api()) as api:
        api.answers = {path: (409, {"reason": "Conflict"})}
        answer = Cluster(fake_api.kubeconfig(tmp_path, api.url), None).try_apply("Deployment", "polls-dev", "polls", {"kind": "Deployment"}, "berth", False)
        assert answer == (409, {"reason": "Conflict"})
        assert [(method, asked) for method, asked, _, _ in api.seen] == [("PATCH", f"{path}?fieldManager=berth&force=false&dryRun=All")]


# --- What templates make ---------------------------------------------------
@pytest.mark.parametrize("value", ["Polls 🚀", "👩‍👩‍👧 𝒜", "é ü 漢", "C:\\temp\\ud83d", '"quoted": #no', "line\nbreak\ttab", "\u2028", "no", "1.30", "~", ""])
def test_what_is_written_as_json_is_read_as_it_was(value: str) -> None:
    assert apply.documents(f"data: {json.dumps({'TITLE': value, value: 'key'})}") == [{"data": {"TITLE": value, value: "key"}}]


@pytest.mark.parametrize("text", ['data: "\\ud83d"', "data: {", "data: ]"])
def test_what_is_no_text_is_told_rather_than_sent(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        apply.documents(text)


# --- What a diff shows -----------------------------------------------------
def kept(spec: Json, **more: Any) -> Json:
    """Return a Deployment as the API server returns it."""
    metadata = {"name": "polls", "uid": "u", "generation": 1, "managedFields": [{"manager": "berth"}], "creationTimestamp": "2026-01-31T12:00:00Z"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata | more, "spec": spec, "status": {"replicas": len(more)}}


@pytest.mark.parametrize(
    ("more", "then"),
    [
        ({"resourceVersion": "1"}, {"resourceVersion": "2", "generation": 2}),
        ({"annotations": {apply.LAST_APPLIED: "{}"}}, {}),
        ({"annotations": {apply.LAST_APPLIED: "{}", "a": "b"}}, {"annotations": {"a": "b"}}),
        ({}, {"managedFields": []}),
    ],
)
def test_what_the_api_server_notes_is_not_shown_as_changed(more: Json, then: Json) -> None:
    before, after = apply.difference(kept({"replicas": 2}, **more), kept({"replicas": 2}, **then))
    assert before == after


def test_only_what_changes_is_shown_as_changed() -> None:
    before, after = apply.difference(kept({"replicas": 2, "memory": "1Gi"}), kept({"replicas": 3, "memory": "1Gi"}))
    assert (before["spec"], after["spec"]) == ({"replicas": 2, "memory": "1Gi"}, {"replicas": 3, "memory": "1Gi"})
    assert "status" not in after and after["metadata"] == {"name": "polls"}


def test_a_program_in_a_command_is_shown_by_its_first_line_and_that_it_is_another_one() -> None:
    def job(program: str) -> Json:
        return kept({"containers": [{"command": ["python", "-c", program], "env": [{"name": "TEXT", "value": program}]}]})

    long, short = "import os\n" + "x = 1\n" * 900, "import os\nx = 1\n"
    before, after = apply.difference(job(long), job(long + "y = 2\n"))
    shown = [each["spec"]["containers"][0] for each in (before, after)]
    assert shown[0]["command"][2].startswith("import os\n... (900 more lines, sha256 ") and shown[0]["command"] != shown[1]["command"]
    assert shown[0]["env"][0]["value"] == long
    assert apply.difference(job(short), job(short))[0]["spec"]["containers"][0]["command"][2] == short


def test_of_a_secret_is_shown_which_keys_change_and_no_value() -> None:
    def secret(**data: str) -> Json:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}

    before, after = apply.difference(secret(A="b25l", B="b25l", C="b25l"), secret(A="b25l", B="dHdv", D="b25l"))
    assert before["data"] == {"A": "(hidden)", "B": "(hidden)", "C": "(hidden)"}
    assert after["data"] == {"A": "(hidden)", "B": "(hidden, another value)", "D": "(hidden)"}


@pytest.mark.parametrize("check", [True, False])
def test_a_node_port_is_tried_before_it_is_asked_for_and_a_check_asks_no_cluster_that_may_not_answer(check: bool) -> None:
    asked: list[str] = []
    cluster = SimpleNamespace(try_apply=lambda kind, *_: asked.append(kind) or (201, {}))
    action = SimpleNamespace(_task=SimpleNamespace(check_mode=check), _namespace_is_there=lambda *_: False)
    metadata = {"name": "polls", "namespace": "polls-dev"}
    wanted = [{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": metadata}]
    wanted += [{"kind": "Service", "apiVersion": "v1", "metadata": metadata, "spec": {"ports": [{"nodePort": 30080}]}}]
    arguments = {"namespace": "polls-dev", "take_over": False, "adopt": False}
    ActionModule._trials(action, cluster, wanted, [None, None], arguments)
    assert asked == ([] if check else ["Service"])
