"""Which fields of an object are Berth's, what an apply would change, and what becomes of what others have set."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import apply, ownership, refusals, trial
from ansible_collections.berth.platform.plugins.module_utils.kube.ownership import Conflict

Json = dict[str, Any]
Change = Callable[[Json, Json], Any]
"""Changes what is wanted, or what is live."""

LABELS = {apply.MANAGED_BY: "berth", apply.INSTANCE: "polls"}
ENV = [{"name": "A", "value": "1"}, {"name": "B", "value": ""}, {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
CONTAINER = {
    "name": "web",
    "image": "polls:1",
    "command": ["a", "b"],
    "env": ENV,
    "envFrom": [{"configMapRef": {"name": "polls"}}],
    "ports": [{"name": "http", "containerPort": 80}, {"name": "dns", "containerPort": 53}],
    "resources": {"limits": {"memory": "1024Mi", "cpu": "0.5"}},
    "volumeMounts": [],
}
TEMPLATE = {"metadata": {"labels": {"app": "polls"}}, "spec": {"containers": [CONTAINER], "volumes": [], "imagePullSecrets": []}}
DEPLOYMENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "polls", "namespace": "polls-dev", "labels": LABELS},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "polls"}}, "template": TEMPLATE},
}
# As the API server 1.36 writes them of an apply of DEPLOYMENT.
OF_CONTAINER: Json = {
    ".": {},
    "f:command": {},
    "f:env": {
        'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}},
        'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}},
        'k:{"name":"POD"}': {".": {}, "f:name": {}, "f:valueFrom": {"f:fieldRef": {}}},
    },
    "f:envFrom": {},
    "f:image": {},
    "f:name": {},
    "f:ports": {
        'k:{"containerPort":53,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:name": {}},
        'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:name": {}},
    },
    "f:resources": {"f:limits": {"f:cpu": {}, "f:memory": {}}},
}
OF_TEMPLATE: Json = {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:containers": {'k:{"name":"web"}': OF_CONTAINER}}}
FIELDS: Json = {
    "f:metadata": {"f:labels": {f"f:{name}": {} for name in LABELS}},
    "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": OF_TEMPLATE},
}
ANNOTATION = f"f:{apply.LAST_APPLIED}"
RESTARTED: Json = {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}


def entry(manager: str, operation: str, fields: Json, **more: str) -> Json:
    """Return an entry of managedFields."""
    return {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields, **more}


def live(*entries: Json) -> Json:
    """Return the Deployment as the API server has it, with its defaults."""
    item = copy.deepcopy(DEPLOYMENT)
    container = item["spec"]["template"]["spec"]["containers"][0]
    for each in container["ports"]:
        each["protocol"] = "TCP"
    container["env"][1] = {"name": "B"}
    container["env"][2]["valueFrom"]["fieldRef"]["apiVersion"] = "v1"
    container["resources"]["limits"] = {"memory": "1Gi", "cpu": "500m"}
    del container["volumeMounts"]
    item["spec"]["template"]["spec"] = {"containers": [container], "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
    item["metadata"] |= {"resourceVersion": "7", "managedFields": copy.deepcopy(list(entries or [entry("berth", "Apply", FIELDS)]))}
    return item


def container(item: Json) -> Json:
    """Return its container."""
    return item["spec"]["template"]["spec"]["containers"][0]


def changed(change: Change, *entries: Json) -> tuple[Json, Json]:
    """Return what is wanted and what is live after a change of either."""
    wanted, there = copy.deepcopy(DEPLOYMENT), live(*entries)
    change(wanted, there)
    return wanted, there


# --- What an apply would change --------------------------------------------
LEFT: dict[str, Change] = {
    "nothing": lambda wanted, there: None,
    "a quantity written otherwise": lambda wanted, there: container(wanted)["resources"]["limits"].update(memory="1Gi"),
    "an annotation of somebody else's": lambda wanted, there: there["metadata"].update(annotations={"deployment.kubernetes.io/revision": "3"}),
    "a variable of somebody else's": lambda wanted, there: container(there)["env"].insert(1, {"name": "C", "value": "x"}),
    "a container of somebody else's": lambda wanted, there: there["spec"]["template"]["spec"]["containers"].append({"name": "proxy"}),
    "how it is doing": lambda wanted, there: there.update(status={"replicas": 1}),
}
CHANGED: dict[str, Change] = {
    "another value": lambda wanted, there: container(wanted).update(image="polls:2"),
    "another value there": lambda wanted, there: container(there).update(image="polls:2"),
    "another number of pods": lambda wanted, there: wanted["spec"].update(replicas=3),
    "another quantity": lambda wanted, there: container(wanted)["resources"]["limits"].update(memory="1025Mi"),
    "a value that is another text for the same amount": lambda wanted, there: container(wanted)["env"][0].update(value="1.0"),
    "a new variable": lambda wanted, there: container(wanted)["env"].append({"name": "C", "value": ""}),
    "a variable that has gone": lambda wanted, there: container(wanted)["env"].pop(0),
    "all variables gone": lambda wanted, there: container(wanted).update(env=[]),
    "variables in another order": lambda wanted, there: container(wanted)["env"].reverse(),
    "a port that has gone": lambda wanted, there: container(wanted)["ports"].pop(),
    "another port": lambda wanted, there: container(wanted)["ports"][0].update(containerPort=81),
    "another protocol": lambda wanted, there: container(wanted)["ports"][0].update(protocol="UDP"),
    "a field that has gone": lambda wanted, there: container(wanted).pop("command"),
    "an argument that has gone": lambda wanted, there: container(wanted)["command"].pop(),
    "a new field": lambda wanted, there: container(wanted).update(workingDir="/code"),
    "a new field with what is there already": lambda wanted, there: wanted["spec"]["template"]["spec"].update(dnsPolicy="ClusterFirst"),
    "a label that has gone": lambda wanted, there: wanted["metadata"].update(labels={apply.MANAGED_BY: "berth"}),
    "a label of the selector that has gone": lambda wanted, there: there["spec"]["selector"]["matchLabels"].update(more="x"),
    "an object that is being deleted": lambda wanted, there: there["metadata"].update(deletionTimestamp="2026-01-31T12:00:00Z"),
    "an object that Berth has not applied": lambda wanted, there: there["metadata"].update(managedFields=[]),
    "what Berth has patched": lambda wanted, there: there["metadata"]["managedFields"].append(entry("berth", "Update", {"f:spec": {"f:paused": {}}})),
}


@pytest.mark.parametrize("change", LEFT.values(), ids=LEFT)
def test_what_an_apply_leaves_as_it_is_costs_no_question(change: Change) -> None:
    assert ownership.settled(*changed(change))


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_what_an_apply_may_change_is_never_taken_for_settled(change: Change) -> None:
    assert not ownership.settled(*changed(change))


@pytest.mark.parametrize(
    ("kind", "wanted", "there", "fields", "settled"),
    [
        (("v1", "ConfigMap"), {"data": {"A": "1"}}, {"data": {"A": "1"}}, {"f:data": {"f:A": {}}}, True),
        (("v1", "ConfigMap"), {"data": {"A": "1000"}}, {"data": {"A": "1k"}}, {"f:data": {"f:A": {}}}, False),
        (("v1", "ConfigMap"), {"data": {"limits": "1000"}}, {"data": {"limits": "1k"}}, {"f:data": {"f:limits": {}}}, False),
        (("v1", "ConfigMap"), {"data": {"A": ""}}, {"data": {"A": ""}}, {"f:data": {"f:A": {}}}, True),
        (("v1", "Service"), {"spec": {"nodePort": 0}}, {"spec": {"nodePort": 30080}}, {"f:spec": {"f:nodePort": {}}}, True),
        (("v1", "Service"), {"spec": {"nodePort": 30081}}, {"spec": {"nodePort": 30080}}, {"f:spec": {"f:nodePort": {}}}, False),
        (("v1", "ResourceQuota"), {"spec": {"hard": {"pods": 10}}}, {"spec": {"hard": {"pods": "10"}}}, {"f:spec": {"f:hard": {"f:pods": {}}}}, True),
        (
            ("networking.k8s.io/v1", "NetworkPolicy"),
            {"spec": {"egress": [{"ports": [{"port": 53}]}]}},
            {"spec": {"egress": [{"ports": [{"port": 53, "protocol": "TCP"}]}]}},
            {"f:spec": {"f:egress": {}}},
            True,
        ),
        (
            ("networking.k8s.io/v1", "NetworkPolicy"),
            {"spec": {"egress": [{"ports": [{"port": 53}]}]}},
            {"spec": {"egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}},
            {"f:spec": {"f:egress": {}}},
            False,
        ),
        # Of a kind that is not Kubernetes' own nobody knows what the API server adds.
        (("x.org/v1", "Thing"), {"spec": {"a": {}}}, {"spec": {"a": {"protocol": "TCP"}}}, {"f:spec": {"f:a": {}}}, False),
        (("x.org/v1", "Thing"), {"spec": {"limits": {"a": "1k"}}}, {"spec": {"limits": {"a": "1000"}}}, {"f:spec": {"f:limits": {"f:a": {}}}}, False),
        (("x.org/v1", "Thing"), {"spec": {"set": ["b", "a"]}}, {"spec": {"set": ["a", "b"]}}, {"f:spec": {"f:set": {'v:"a"': {}, 'v:"b"': {}}}}, False),
        (("x.org/v1", "Thing"), {"spec": {"set": ["a", "b"]}}, {"spec": {"set": ["a", "x", "b"]}}, {"f:spec": {"f:set": {'v:"a"': {}, 'v:"b"': {}}}}, True),
        (("x.org/v1", "Thing"), {"spec": {"set": ["a", "a"]}}, {"spec": {"set": ["a"]}}, {"f:spec": {"f:set": {'v:"a"': {}}}}, False),
        (("x.org/v1", "Thing"), {"spec": {"on": True}}, {"spec": {"on": 1}}, {"f:spec": {"f:on": {}}}, False),
    ],
)
def test_values_are_compared_as_the_api_server_does(kind: tuple[str, str], wanted: Json, there: Json, fields: Json, settled: bool) -> None:
    frame = {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": "a"}}
    noted = {"name": "a", "managedFields": [entry("berth", "Apply", fields) | {"apiVersion": kind[0]}]}
    assert ownership.settled(frame | wanted, frame | there | {"metadata": noted}) is settled


# --- What is taken over ----------------------------------------------------
def by_an_earlier_berth(*more: Json) -> Json:
    """Return the Deployment as an earlier Berth applied it, and a restart and the API server added to it."""
    everything = {
        "f:metadata": {"f:annotations": {".": {}, ANNOTATION: {}}, "f:labels": {".": {}, **FIELDS["f:metadata"]["f:labels"]}},
        "f:spec": FIELDS["f:spec"] | {"f:progressDeadlineSeconds": {}, "f:template": OF_TEMPLATE | {"f:metadata": RESTARTED | OF_TEMPLATE["f:metadata"]}},
    }
    item = live(entry("OpenAPI-Generator", "Update", everything), entry("kube-controller-manager", "Update", {"f:status": {}}, subresource="status"), *more)
    item["metadata"]["annotations"] = {apply.LAST_APPLIED: json.dumps(DEPLOYMENT)}
    return item


def taken(patch: ownership.Operations) -> dict[tuple[str, str], Json]:
    """Return the fields by manager and operation after a patch."""
    return {(each["manager"], each["operation"]): each["fieldsV1"] for each in patch[0]["value"]}


def test_of_an_object_of_an_earlier_berth_all_that_it_applied_becomes_the_applys_and_nothing_else() -> None:
    there = by_an_earlier_berth()
    patch = ownership.handover(DEPLOYMENT, there)
    found = taken(patch)
    assert found.keys() == {("berth", "Apply"), ("kube-controller-manager", "Update")}
    mine = found["berth", "Apply"]
    assert "f:progressDeadlineSeconds" not in mine["f:spec"] and "f:annotations" not in mine["f:spec"]["f:template"]["f:metadata"]
    assert mine["f:spec"]["f:template"]["f:spec"] == OF_TEMPLATE["f:spec"] and "f:annotations" not in mine["f:metadata"]
    assert patch[1:] == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "remove", "path": "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"},
    ]


def test_what_an_earlier_berth_applied_and_is_no_longer_wanted_is_the_applys_to_remove() -> None:
    wanted = copy.deepcopy(DEPLOYMENT)
    container(wanted)["env"].pop(0)
    assert OF_CONTAINER["f:env"] == dig(taken(ownership.handover(wanted, by_an_earlier_berth())), ("berth", "Apply"))["f:env"]


def dig(found: dict[tuple[str, str], Json], manager: tuple[str, str]) -> Json:
    """Return the fields of the container."""
    return found[manager]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"web"}']


def test_what_a_rollback_has_written_becomes_the_applys_and_a_restart_stays() -> None:
    written = {"f:spec": {"f:template": {"f:metadata": RESTARTED, "f:spec": {"f:containers": {'k:{"name":"web"}': {"f:workingDir": {}}}}}}}
    there = live(entry("berth", "Apply", FIELDS), entry("berth", "Update", written))
    container(there)["workingDir"] = "/code"
    there["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-01-31T12:00:00Z"}
    found = taken(ownership.handover(DEPLOYMENT, there))
    assert found.keys() == {("berth", "Apply")}
    assert dig(found, ("berth", "Apply")) == OF_CONTAINER | {"f:workingDir": {}}
    assert found["berth", "Apply"]["f:spec"]["f:template"]["f:metadata"] == OF_TEMPLATE["f:metadata"]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [entry("berth", "Apply", FIELDS), entry("kubectl-edit", "Update", {"f:spec": {"f:paused": {}}})],
        # Somebody's own kubectl apply after Berth's is theirs.
        [entry("berth", "Apply", FIELDS), entry("kubectl-client-side-apply", "Update", {"f:metadata": {"f:annotations": {ANNOTATION: {}}}})],
        [entry("kubectl-create", "Update", FIELDS)],
    ],
)
def test_what_is_somebody_elses_is_not_made_berths(entries: list[Json]) -> None:
    assert ownership.handover(DEPLOYMENT, live(*entries)) == []


def test_a_check_shows_without_what_the_apply_will_remove() -> None:
    wanted = copy.deepcopy(DEPLOYMENT)
    container(wanted)["env"].pop(0)
    container(wanted)["ports"].pop()
    del container(wanted)["command"], container(wanted)["resources"], wanted["metadata"]["labels"][apply.INSTANCE]
    there = live()
    there["metadata"]["labels"]["theirs"] = "x"
    found = ownership.pruned(there, FIELDS, wanted)
    assert [each["name"] for each in container(found)["env"]] == ["B", "POD"] and [each["name"] for each in container(found)["ports"]] == ["http"]
    assert not {"command", "resources"} & container(found).keys()
    assert found["metadata"]["labels"] == {apply.MANAGED_BY: "berth", "theirs": "x"}
    assert ownership.pruned(there, FIELDS, DEPLOYMENT) == there


# --- What others have set --------------------------------------------------
IMAGE = '.spec.template.spec.containers[name="web"].image'


def refused(*found: tuple[str, str]) -> Json:
    """Return the API server's answer to an apply that conflicts with these managers about these fields."""
    causes = [{"reason": "FieldManagerConflict", "message": f'conflict with "{manager}" using apps/v1', "field": path} for manager, path in found]
    return {"kind": "Status", "code": 409, "reason": "Conflict", "details": {"causes": causes}}


class Cluster:
    """An API server that refuses an apply because of conflicts, unless it is forced; ``autoscalers`` are there."""

    def __init__(self, *found: tuple[str, str], autoscalers: tuple[Json, ...] = ()) -> None:
        self.found, self.autoscalers = found, autoscalers
        self.sent: list[tuple[Json, bool]] = []

    def try_apply(self, _kind: str, _namespace: str, _name: str, body: Json, manager: str, force: bool) -> tuple[int, Json]:
        """Answer."""
        assert manager == "berth"
        self.sent.append((body, force))
        return (409, refused(*self.found)) if self.found and not force else (200, live() | {"spec": body["spec"]})

    def items(self, kind: str, _namespace: str) -> list[Json]:
        """Return the autoscalers."""
        assert kind == "HorizontalPodAutoscaler"
        return list(self.autoscalers)


def autoscaler(**labels: str) -> Json:
    """Return one of the Deployment."""
    return {"metadata": {"name": "a", "labels": labels}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "polls"}}}


SCALED = {**FIELDS, "f:spec": {key: value for key, value in FIELDS["f:spec"].items() if key != "f:replicas"}}
WANTED = DEPLOYMENT | {"spec": DEPLOYMENT["spec"] | {"replicas": 4}}
EDITED, COUNTED, BY_HAND = ("kubectl-edit", IMAGE), ("kube-controller-manager", ".spec.replicas"), ("kubectl", ".spec.replicas")


@pytest.mark.parametrize(
    ("cluster", "fields", "theirs"),
    [
        (Cluster(), FIELDS, []),
        (Cluster(EDITED), FIELDS, [EDITED]),
        (Cluster(("berth", IMAGE)), FIELDS, []),
        (Cluster(("berth", IMAGE), EDITED), FIELDS, [EDITED]),
        (Cluster(COUNTED, autoscalers=(autoscaler(**LABELS),)), SCALED, []),
        (Cluster(BY_HAND, autoscalers=(autoscaler(**LABELS),)), SCALED, []),
        (Cluster(COUNTED), SCALED, []),  # ours has gone, and the run that removed it was killed
        (Cluster(COUNTED, autoscalers=(autoscaler(),)), SCALED, [COUNTED]),
        (Cluster(BY_HAND), SCALED, [BY_HAND]),
        (Cluster(COUNTED, EDITED), SCALED, [EDITED]),
    ],
)
def test_what_others_have_set_is_theirs_and_what_berth_or_its_autoscaler_has_is_not(cluster: Cluster, fields: Json, theirs: list[tuple[str, str]]) -> None:
    found = trial.attempt(cluster, WANTED, live(entry("berth", "Apply", fields)), take_over=False)
    assert found.conflicts == tuple(Conflict(*each) for each in theirs)
    assert found.changes and (found.after is None) is bool(theirs)
    assert found.force is bool(cluster.found and not theirs)


@pytest.mark.parametrize(
    ("there", "take_over"),
    [(live(), True), (by_an_earlier_berth(), False), (live(entry("kubectl-create", "Update", FIELDS)), False)],
    ids=["as a variable says", "an earlier Berth's", "labelled by hand"],
)
def test_what_is_taken_over_is_taken_over_as_a_whole(there: Json, take_over: bool) -> None:
    cluster = Cluster(EDITED)
    found = trial.attempt(cluster, WANTED, there, take_over)
    assert found.force and not found.conflicts and [force for _, force in cluster.sent] == [True]


def test_what_is_as_it_is_wanted_is_not_asked_for() -> None:
    cluster = Cluster(EDITED)
    assert not trial.attempt(cluster, DEPLOYMENT, live(), take_over=True).changes and not cluster.sent


def test_a_number_of_pods_that_is_handed_over_stays_in_a_check() -> None:
    wanted = DEPLOYMENT | {"spec": {key: value for key, value in DEPLOYMENT["spec"].items() if key != "replicas"}}
    cluster = Cluster()
    found = trial.attempt(cluster, wanted, live(), take_over=False)
    assert found.changes and found.after and found.after["spec"]["replicas"] == 2


def test_a_conflict_names_manager_object_and_fields_and_the_way() -> None:
    mine = DEPLOYMENT | {"metadata": {"name": "own", "labels": {apply.OWN: "true"}}}
    taken = [(DEPLOYMENT, (Conflict("kubectl-edit", IMAGE), Conflict("kubectl", ".spec.replicas"), Conflict("kubectl-edit", ".spec.paused")))]
    lines = refusals.conflict(taken, "polls-dev").splitlines()
    assert lines[1:3] == [
        f"Deployment polls in namespace polls-dev: kubectl-edit has set {IMAGE}, .spec.paused.",
        "Deployment polls in namespace polls-dev: kubectl has set .spec.replicas.",
    ]
    assert "-e berth_take_over=true" in lines[3] and "manifest" not in lines[3]
    assert "remove the fields from the manifest" in refusals.conflict([(mine, (Conflict("x", ".spec.a"),))], "polls-dev")


INVALID = {"kind": "Status", "code": 422, "message": "Service polls is invalid: provided port is already allocated"}


@pytest.mark.parametrize(
    ("refusal", "patch", "surely"),
    [
        (None, [], False),
        (INVALID, [], True),
        (INVALID, [{"op": "remove", "path": "/spec/a"}], False),
        (INVALID | {"code": 400, "message": "admission webhook does not support dry run"}, [], False),
    ],
    ids=["none", "invalid", "invalid without the patch before it", "a webhook that knows no trials"],
)
def test_an_apply_is_refused_before_it_changes_anything_only_where_that_is_certain(refusal: Json | None, patch: list[Json], surely: bool) -> None:
    tried = [trial.Trial({"kind": "Deployment"}, None), trial.Trial({"kind": "Service"}, None, refusal=refusal, patch=patch)]
    assert (trial.refused(tried) is tried[1]) is surely
