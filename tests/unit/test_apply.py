"""Handing the number of pods over to an autoscaler."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils import berth_apply

Json = dict[str, Any]


def live(applied: Json | None) -> Json:
    """Return a Deployment of three pods that was last applied with this spec; None: not applied."""
    annotations = {} if applied is None else {berth_apply.LAST_APPLIED: json.dumps({"spec": applied})}
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
    assert berth_apply.hands_over_replicas({"kind": "Deployment", "spec": wanted}, there) is handed_over


def test_what_is_handed_over_is_no_longer_in_the_last_apply_and_nothing_else_changes() -> None:
    """So that the next apply does not take it away."""
    patch = berth_apply.without_replicas(live({"replicas": 2, "paused": False}))
    assert patch == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "polls",
            "namespace": "polls-dev",
            "annotations": {berth_apply.LAST_APPLIED: '{"spec":{"paused":false}}'},
        },
    }
