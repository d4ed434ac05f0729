"""An environment is held to its own cluster: what is recorded, what is refused, and how a new one is accepted."""

from __future__ import annotations

import json
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import berth_identity
from ansible.module_utils.berth_kube import Cluster, KubeError, WrongCluster
from module_run import plugin, run
from test_kube import api, kubeconfig  # noqa: F401 (a fixture)

cluster_identity = plugin("modules/cluster_identity.py")
HERE = {"metadata": {"uid": "1111-here"}}
ELSEWHERE = {"metadata": {"uid": "2222-elsewhere"}}


def record(path: str, cluster: str = "1111-here", environment: str = "dev") -> None:
    """Record a cluster beside a kubeconfig."""
    berth_identity.write(path, {"environment": environment, "provider": "existing", "cluster": cluster})


@pytest.fixture
def path(api: ThreadingHTTPServer, tmp_path: Path) -> str:  # noqa: F811
    """Return a kubeconfig that leads to the API server."""
    return kubeconfig(tmp_path, api.server_port)


def hold(path: str, capsys: pytest.CaptureFixture[str], check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module for the environment dev."""
    return run(cluster_identity, capsys, check, kubeconfig=path, environment="dev", provider="existing", **options)


def test_the_first_run_records_the_cluster_and_the_second_changes_nothing(
    api: ThreadingHTTPServer,  # noqa: F811
    path: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api.answers += [(200, HERE), (200, HERE)]
    first, second = hold(path, capsys), hold(path, capsys)
    assert (first["changed"], second["changed"], second["cluster"]) == (True, False, "1111-here")
    assert berth_identity.read(path) == {"environment": "dev", "provider": "existing", "cluster": "1111-here"}


def test_a_check_records_nothing(api: ThreadingHTTPServer, path: str, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    api.answers += [(200, HERE)]
    assert hold(path, capsys, check=True)["changed"]
    assert berth_identity.read(path) == {}


def test_a_check_without_a_kubeconfig_yet_succeeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hold(str(tmp_path / "kubeconfig"), capsys, check=True)["cluster"] == ""


def test_another_cluster_is_refused_and_the_message_says_how_to_accept_it(
    api: ThreadingHTTPServer,  # noqa: F811
    path: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record(path)
    api.answers += [(200, ELSEWHERE)]
    answer = hold(path, capsys)
    assert answer["failed"] and "-e berth_cluster_id=2222-elsewhere" in answer["msg"], answer["msg"]
    assert "1111-here is recorded" in answer["msg"] and path in answer["msg"]
    assert berth_identity.read(path)["cluster"] == "1111-here", "it stays on record"


def test_another_cluster_is_taken_when_it_is_accepted_by_its_identity(
    api: ThreadingHTTPServer,  # noqa: F811
    path: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record(path)
    api.answers += [(200, ELSEWHERE)]
    assert hold(path, capsys, accept="2222-elsewhere")["changed"]
    assert berth_identity.read(path)["cluster"] == "2222-elsewhere"


def test_accepting_one_cluster_does_not_let_in_a_third(
    api: ThreadingHTTPServer,  # noqa: F811
    path: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record(path)
    api.answers += [(200, {"metadata": {"uid": "3333-third"}})]
    answer = hold(path, capsys, accept="2222-elsewhere")
    assert answer["failed"] and "is 3333-third" in answer["msg"], answer["msg"]


def test_a_cluster_that_berth_itself_made_anew_is_recorded_anew(
    api: ThreadingHTTPServer,  # noqa: F811
    path: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record(path)
    api.answers += [(200, ELSEWHERE)]
    assert hold(path, capsys, vouched=True)["changed"]
    assert berth_identity.read(path)["cluster"] == "2222-elsewhere"


def test_the_kubeconfig_of_another_environment_is_refused_even_where_it_leads_to_the_same_cluster(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    record(path, environment="prod")
    answer = hold(path, capsys, vouched=True)
    assert answer["failed"] and "kubeconfig of the environment prod" in answer["msg"], answer["msg"]


def test_no_request_follows_the_one_that_shows_another_cluster(api: ThreadingHTTPServer, path: str) -> None:  # noqa: F811
    """Two kubeconfigs were swapped: neither a look nor a deletion gets through, however often it is tried."""
    record(path)
    api.answers += [(200, ELSEWHERE), (200, ELSEWHERE)]
    cluster = Cluster(path, None)
    with pytest.raises(WrongCluster, match="leads to another cluster than dev's"):
        cluster.delete("Pod", "polls-dev", "polls-1", "u-1", "Background")
    with pytest.raises(WrongCluster):
        cluster.get("Pod", "polls-dev", "polls-1")
    assert {(method, url) for method, url, *_ in api.seen} == {("GET", "/api/v1/namespaces/kube-system")}


def test_the_right_cluster_is_looked_at_once(api: ThreadingHTTPServer, path: str) -> None:  # noqa: F811
    record(path)
    api.answers += [(200, HERE), (200, {}), (200, {})]
    cluster = Cluster(path, None)
    cluster.get("Pod", "polls-dev", "polls-1")
    cluster.get("Pod", "polls-dev", "polls-1")
    assert [url.rsplit("/", 1)[1] for _, url, *_ in api.seen] == ["kube-system", "polls-1", "polls-1"]


def test_a_user_who_may_not_read_kube_system_is_held_to_the_clusters_address(api: ThreadingHTTPServer, path: str) -> None:  # noqa: F811
    api.answers += [(403, {"message": "no"})]
    assert Cluster(path, None).identity() == f"server:http://127.0.0.1:{api.server_port}"


def test_credentials_that_are_not_accepted_are_no_other_cluster(api: ThreadingHTTPServer, path: str) -> None:  # noqa: F811
    record(path)
    api.answers += [(401, {})]
    with pytest.raises(KubeError, match="does not accept the credentials") as caught:
        Cluster(path, None).get("Pod", "polls-dev", "polls-1")
    assert not isinstance(caught.value, WrongCluster)


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"environment": "dev"})])
def test_a_record_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster.json").write_text(text)
    assert berth_identity.read(tmp_path / "kubeconfig") == {}
