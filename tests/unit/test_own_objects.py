"""Objects of a project's own: which files they are in, what is refused, kinds that only the API server knows, and what is pruned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import apply
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Cluster, KubeError, NotFound, UnknownKind, kind_of
from ansible_collections.berth.platform.plugins.modules import k8s_prune
from ansible_collections.berth.platform.plugins.plugin_utils import own_objects as objects
from fake_api import Api, kubeconfig, running
from module_run import plugin

filters = plugin("filter/own_objects.py")
NAMES = objects.taken("shop", ["worker"], ["clearsessions"], ["pghost"])


@pytest.fixture
def places(tmp_path: Path) -> list[Path]:
    """Return an inventory's directory and a project's, each with manifests."""
    for name in ("inventory/k8s/b.yml", "inventory/k8s/a.yml", "project/k8s/c.yml", "project/deploy/d.yml.j2"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return [tmp_path / "inventory", tmp_path / "project"]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["k8s/*.yml"], ["a.yml", "b.yml"]),
        (["deploy/*"], ["d.yml.j2"]),
        (["k8s/b.yml", "k8s/*.yml"], ["b.yml", "a.yml"]),
        (["**/*.yml"], ["a.yml", "b.yml"]),
        (["nowhere/*.yml", "k8s"], []),
    ],
)
def test_a_pattern_is_looked_for_beside_the_inventory_and_then_in_the_project(places: list[Path], patterns: list[str], names: list[str]) -> None:
    assert [Path(path).name for path in filters.own_files(patterns, [str(place) for place in places])] == names


def test_a_whole_path_is_taken_as_it_is(places: list[Path], tmp_path: Path) -> None:
    assert filters.own_files([f"{tmp_path}/project/k8s/*.yml"], [str(places[0])]) == [f"{tmp_path}/project/k8s/c.yml"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", ""),
        ("---\n---\n", ""),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}", ""),
        ("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}]", ""),
        ("just text", "str instead of an object"),
        ("kind: ConfigMap\nmetadata: {name: a}", "an object has no apiVersion"),
        ("apiVersion: v1\nkind: ConfigMap", "a ConfigMap has no metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 1}", "a ConfigMap has no metadata.name"),
        ("apiVersion: v1\nkind: List\nitems: [x]", "a List contains something other than an object"),
        ("a: [", "while parsing"),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, wrong: str) -> None:
    if not wrong:
        assert isinstance(objects.of_text(text), list)
        return
    with pytest.raises(ValueError, match=wrong):
        objects.of_text(text)


def item(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    """Return an object."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}}


@pytest.mark.parametrize(
    ("case", "wrong"),
    [
        (item("ConfigMap", "mine"), ""),
        (item("ConfigMap", "mine", namespace="shop-dev"), ""),
        (item("ConfigMap", "mine", namespace="default"), "in the namespace default, but the app's is shop-dev"),
        (item("Namespace", "mine"), "is not namespaced"),
        (item("ClusterRole", "mine"), "is not namespaced"),
        (item("Deployment", "shop"), "has a name that Berth uses itself; call it shop-own-shop"),
        (item("Deployment", "shop-worker"), "has a name that Berth uses itself"),
        (item("Deployment", "shop-mailer"), ""),
        (item("Service", "pghost"), "has a name that Berth uses itself"),
        (item("Secret", "shop-0123456789"), "has a name that Berth uses itself"),
        (item("Secret", "shop-tokens"), ""),
        (item("NetworkPolicy", "allow-web"), "has a name that Berth uses itself"),
        (item("NetworkPolicy", "allow-web-from-monitoring"), ""),
    ],
)
def test_what_is_not_the_projects_own_is_not_applied(case: dict[str, Any], wrong: str) -> None:
    found = objects.problem(case, "shop-dev", "shop", NAMES)
    assert wrong in found and bool(found) is bool(wrong)


def test_an_object_of_the_projects_own_is_known_by_its_labels_and_is_no_other_of_berths() -> None:
    made = objects.prepared(item("Service", "mine", labels={"app.kubernetes.io/name": "shop", "x": "y"}), "shop")
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/name": "shop",
        "x": "y",
        "app.kubernetes.io/managed-by": "berth",
        "app.kubernetes.io/instance": "shop",
        "berth/own": "true",
    }
    of_berth = item("Service", "mine", labels={"app.kubernetes.io/managed-by": "berth", "app.kubernetes.io/instance": "shop"})
    assert apply.foreign(made, of_berth) and apply.foreign(of_berth, made) and not apply.foreign(made, made)


def test_a_secret_in_clear_is_compared_with_what_the_api_server_keeps() -> None:
    given = {**item("Secret", "mine"), "stringData": {"token": "hunter2"}, "data": {"a": "Yg=="}}
    made = objects.prepared(given, "shop")
    assert made["data"] == {"a": "Yg==", "token": "aHVudGVyMg=="} and "stringData" not in made


# --- Kinds that only the API server knows --------------------------------------------------------------------------------
MONITOR = {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": {"name": "web"}}
DISCOVERY = {
    "resources": [
        {"kind": "ServiceMonitor", "name": "servicemonitors", "namespaced": True},
        {"kind": "Scale", "name": "servicemonitors/scale", "namespaced": True},
        {"kind": "Wide", "name": "wides", "namespaced": False},
    ]
}
GROUP = "/apis/monitoring.coreos.com/v1"


@pytest.mark.parametrize(
    ("version", "kind", "key"),
    [
        ("v1", "Service", "Service"),
        ("serving.knative.dev/v1", "Service", "serving.knative.dev/v1/Service"),
        ("autoscaling/v1", "HorizontalPodAutoscaler", "autoscaling/v1/HorizontalPodAutoscaler"),
        ("v1", "Endpoints", "v1/Endpoints"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute", "gateway.networking.k8s.io/v1/HTTPRoute"),
    ],
)
def test_a_kind_of_another_group_is_not_taken_for_berths(version: str, kind: str, key: str) -> None:
    assert kind_of({"apiVersion": version, "kind": kind}) == key


def test_a_kind_is_asked_for_once_and_then_read_by_its_path(tmp_path: Path) -> None:
    with running(Api()) as api:
        api.answers[GROUP] = (200, DISCOVERY)
        api.answers[f"{GROUP}/namespaces/shop-dev/servicemonitors/web"] = (200, MONITOR)
        api.answers[f"{GROUP}/wides"] = (200, {"items": []})
        cluster = Cluster(kubeconfig(tmp_path, api.url), None)
        for _ in range(2):
            assert cluster.get(kind_of(MONITOR), "shop-dev", "web") == MONITOR
        assert cluster.items("monitoring.coreos.com/v1/Wide", "shop-dev") == []
        assert [seen[1] for seen in api.seen].count(GROUP) == 1


def test_a_kind_that_the_cluster_does_not_have_is_told_by_name(tmp_path: Path) -> None:
    with running(Api()) as api:
        api.answers[GROUP] = (200, DISCOVERY)
        api.answers["/apis/gateway.networking.k8s.io/v1"] = (404, {})
        api.answers["/apis/broken.example/v1"] = (503, {"message": "no endpoints"})
        cluster = Cluster(kubeconfig(tmp_path, api.url), None)
        with pytest.raises(UnknownKind, match="does not know the kind PodMonitor of monitoring.coreos.com/v1; that version has ServiceMonitor, Wide"):
            cluster.resource("monitoring.coreos.com/v1/PodMonitor")
        with pytest.raises(UnknownKind, match="does not know the kind HTTPRoute of gateway.networking.k8s.io/v1; it does not serve"):
            cluster.resource("gateway.networking.k8s.io/v1/HTTPRoute")
        with pytest.raises(KubeError, match="answers 503 when asked which kinds broken.example/v1 has: no endpoints"):
            cluster.resource("broken.example/v1/X")
        assert k8s_prune.listed(cluster, ["gateway.networking.k8s.io/v1/HTTPRoute"], "shop-dev", "a=b") == [], "what is not served has no objects"
        with pytest.raises(NotFound):
            cluster.get("monitoring.coreos.com/v1/ServiceMonitor", "shop-dev", "another")


def test_a_kind_of_a_release_before_is_looked_through_but_no_claim() -> None:
    record = [{"data": {"kinds": '["monitoring.coreos.com/v1/ServiceMonitor", "Service"]'}}]
    names = [{"kind": "PersistentVolumeClaim", "name": "a"}, {"kind": "Secret", "name": "b"}]
    assert filters.own_kinds(record, names) == ["ConfigMap", "Secret", "Service", "monitoring.coreos.com/v1/ServiceMonitor"]
    assert filters.own_kinds([], []) == ["ConfigMap"]


def test_objects_of_other_kinds_are_pruned_after_berths() -> None:
    labels = {"berth/own": "true"}
    live = [{**item(kind, "x", labels=labels)} for kind in ("monitoring.coreos.com/v1/ServiceMonitor", "Service")]
    assert [each["kind"] for each in k8s_prune.surplus(live, [], labels)] == ["Service", "monitoring.coreos.com/v1/ServiceMonitor"]
    assert k8s_prune.refusal({"app.kubernetes.io/managed-by": "berth"}, ["monitoring.coreos.com/v1/ServiceMonitor"]) == ""
