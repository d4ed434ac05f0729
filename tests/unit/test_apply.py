"""What an apply sends, what it says it changes, and the number of pods that an autoscaler takes over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import apply

Json = dict[str, Any]


def live(applied: Json | None) -> Json:
    """Return a Deployment of three pods that was last applied with this spec; None: not applied."""
    annotations = {} if applied is None else {apply.LAST_APPLIED: json.dumps({"spec": applied})}
    metadata = {"name": "polls", "namespace": "polls-dev", "annotations": annotations, "resourceVersion": "7"}
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
    assert apply.hands_over_replicas({"kind": "Deployment", "spec": wanted}, there) is handed_over


def test_what_is_handed_over_is_no_longer_in_the_last_apply_and_nothing_else_changes() -> None:
    """So that the next apply does not take it away."""
    patch = apply.without_replicas(live({"replicas": 2, "paused": False}))
    assert patch == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "polls",
            "namespace": "polls-dev",
            "annotations": {apply.LAST_APPLIED: '{"spec":{"paused":false}}'},
        },
    }


# --- What templates make ---------------------------------------------------
@pytest.mark.parametrize("value", ["Polls 🚀", "👩‍👩‍👧 𝒜", "é ü 漢", "C:\\temp\\ud83d", '"quoted": #no', "line\nbreak\ttab", "\u2028", "no", "1.30", "~", ""])
def test_what_is_written_as_json_is_read_as_it_was(value: str) -> None:
    assert apply.documents(f"data: {json.dumps({'TITLE': value, value: 'key'})}") == [{"data": {"TITLE": value, value: "key"}}]


@pytest.mark.parametrize("text", ['data: "\\ud83d"', "data: {", "data: ]"])
def test_what_is_no_text_is_told_rather_than_sent(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        apply.documents(text)


# --- What a diff shows -----------------------------------------------------
def compared(wanted: Json, there: Json) -> tuple[Json, Json]:
    """Return both sides of the diff of a Deployment's spec, without what is the same in every one."""
    frame = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "polls"}}
    before, after = apply.difference({**frame, "spec": wanted}, {**frame, "spec": there})
    return before["spec"], after["spec"]


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({"replicas": 2, "imagePullSecrets": []}, {"replicas": 2}),
        ({"limits": {"memory": "1024Mi", "cpu": "0.5"}}, {"limits": {"memory": "1Gi", "cpu": "500m"}}),
        ({"ports": [{"name": "http", "nodePort": 0}]}, {"ports": [{"name": "http", "nodePort": 30080, "protocol": "TCP"}]}),
        ({"optional": False, "env": None, "labels": {}}, {}),
        ({"a": 1}, {"a": 1, "set by the server": 2}),
    ],
)
def test_what_an_apply_leaves_as_it_is_is_not_shown_as_changed(wanted: Json, there: Json) -> None:
    before, after = compared(wanted, there)
    assert before == after


def test_only_what_changes_is_shown_as_changed() -> None:
    before, after = compared({"replicas": 3, "pullSecrets": [], "memory": "1024Mi"}, {"replicas": 2, "memory": "1Gi"})
    assert (before, after) == ({"replicas": 2, "memory": "1Gi"}, {"replicas": 3, "memory": "1Gi"})
