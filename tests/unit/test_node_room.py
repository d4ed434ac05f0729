"""A pod that no node has room for: how long it is waited for, and what is said of the room."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.rollout.judge import judge
from ansible_collections.berth.platform.plugins.module_utils.rollout.model import ANOTHER_RELEASE, NEVER, SCHEDULING, Finding, Snapshot
from rollout_objects import LATER, LONG_AGO, SINCE, deployment, meta, replicaset, unschedulable

Json = dict[str, Any]
TOO_LITTLE = "0/1 nodes are available: 1 Insufficient cpu."


def node(name: str = "berth", **allocatable: str) -> Json:
    return {"kind": "Node", "metadata": {"name": name}, "status": {"allocatable": {"cpu": "2", "memory": "8Gi", "pods": "110"} | allocatable}}


def placed(namespace: str, cpu: str, created: str = LONG_AGO, leaving: bool = False, **spec: Any) -> Json:
    """Return a pod of another environment that a node has taken."""
    gone = {"deletionTimestamp": LATER} if leaving else {}
    containers = [{"name": "web", "resources": {"requests": {"cpu": cpu}}}]
    metadata = meta(f"{namespace}-{cpu}", f"uid-{namespace}-{cpu}", created=created, **gone) | {"namespace": namespace}
    return {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "berth", "containers": containers} | spec, "status": {"phase": "Running"}}


def finding(neighbours: list[Json] | None, nodes: list[Json] | None = None, message: str = TOO_LITTLE, cpu: str = "50m") -> Finding:
    """Return what is found of a Deployment whose new pod is on no node."""
    workload = deployment()
    newest = replicaset(workload)
    waiting = unschedulable(newest, message)
    waiting["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu, "memory": "128Mi"}}
    seen = None if neighbours is None else [waiting, *neighbours]
    nodes = [node()] if nodes is None else nodes
    return judge(Snapshot(workload, pods=[waiting], replicasets=[newest], nodes=nodes, neighbours=seen, now=LATER), SINCE).findings[0]


FULL = placed("team-shop", "1900m")


@pytest.mark.parametrize(
    ("neighbours", "more", "grace"),
    [
        ([FULL], {}, SCHEDULING),
        ([FULL, placed("team-blog", "50m", leaving=True)], {}, NEVER),
        ([FULL, placed("team-blog", "50m", created=LATER)], {}, NEVER),
        ([FULL, placed("team-blog", "50m", created=LATER)], {"cpu": "3"}, SCHEDULING),
        ([FULL, placed("team-blog", "50m", created=LATER, nodeName=None)], {}, SCHEDULING),
        (None, {}, ANOTHER_RELEASE),
        (None, {"cpu": "3"}, SCHEDULING),
        (None, {"nodes": []}, SCHEDULING),
        (None, {"message": "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."}, SCHEDULING),
    ],
    ids=[
        "nothing moves",
        "a pod leaves",
        "a release has just begun",
        "no node is large enough",
        "what began waits itself",
        "others may not be read",
        "others may not be read, and no node is large enough",
        "nothing may be read",
        "another reason",
    ],
)
def test_a_pod_without_room_waits_for_what_other_environments_take_for_a_moment(neighbours: list[Json] | None, more: Json, grace: float) -> None:
    assert finding(neighbours, **more).grace == grace


def test_the_message_says_what_the_pod_requests_and_who_has_requested_the_rest() -> None:
    sidecar = {"initContainers": [{"name": "files", "restartPolicy": "Always", "resources": {"requests": {"cpu": "10m"}}}]}
    ended = placed("polls-dev", "900m") | {"status": {"phase": "Succeeded"}}
    others = [placed(f"team-{number}", f"{number}m") for number in range(1, 5)]
    neighbours = [placed("kube-system", "830m"), placed("team-shop", "900m", **sidecar), placed("team-shop", "100m"), ended, *others]
    assert finding(neighbours).message.splitlines() == [
        TOO_LITTLE,
        "cpu: the pod requests 50m, the node berth has 2; already requested: team-shop 1010m, kube-system 830m, team-4 4m, team-3 3m, team-2 2m, 1 more 1m",
    ]


def test_the_message_names_the_largest_of_several_nodes() -> None:
    found = finding(None, [node(cpu="1930m"), node("second", cpu="3930m")], "0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory.", cpu="4")
    assert found.message.splitlines()[1:] == [
        "cpu: the pod requests 4, the 2 nodes have 5860m (the largest 3930m)",
        "memory: the pod requests 128Mi, the 2 nodes have 16Gi (the largest 8Gi)",
    ]


def test_a_limit_of_pods_is_said_like_other_resources() -> None:
    found = finding([placed("team-shop", "50m")], [node(pods="1")], "0/1 nodes are available: 1 Too many pods.")
    assert found.summary == "No node has room for the pod (too many pods)"
    assert found.message.splitlines()[1:] == ["pods: the pod requests 1, the node berth has 1; already requested: team-shop 1"]
