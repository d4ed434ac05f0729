"""An environment is held to its own cluster: what is recorded, what is refused, and how a new one is accepted."""

from __future__ import annotations

import json
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import berth_identity
from ansible.module_utils.berth_identity import IdentityError
from ansible.module_utils.berth_kube import Cluster, KubeError, WrongCluster
from test_kube import api, kubeconfig  # noqa: F401 (a fixture)

HERE = {"metadata": {"uid": "1111-here"}}
ELSEWHERE = {"metadata": {"uid": "2222-elsewhere"}}


def record(path: str, cluster: str = "1111-here", environment: str = "dev") -> None:
    """Record a cluster beside a kubeconfig."""
    berth_identity.write(path, {"environment": environment, "provider": "existing", "cluster": cluster})


@pytest.fixture
def path(api: ThreadingHTTPServer, tmp_path: Path) -> str:  # noqa: F811
    """Return a kubeconfig that leads to the API server."""
    return kubeconfig(tmp_path, api.server_port)


def hold(path: str, found: str, **options: Any) -> dict[str, str]:
    """Hold the environment dev to the cluster of that identity, and record what comes of it."""
    answer = berth_identity.hold(path, "dev", "existing", lambda: found, **options)
    berth_identity.write(path, answer)
    return answer


def test_the_first_run_records_the_cluster_and_the_next_finds_it(path: str) -> None:
    assert hold(path, "1111-here") == {"environment": "dev", "provider": "existing", "cluster": "1111-here"}
    assert berth_identity.read(path) == hold(path, "1111-here")


def test_another_cluster_is_refused_and_the_message_says_how_to_accept_it(path: str) -> None:
    record(path)
    with pytest.raises(IdentityError, match="-e berth_cluster_id=2222-elsewhere") as caught:
        hold(path, "2222-elsewhere")
    assert "1111-here is recorded" in str(caught.value) and path in str(caught.value)
    assert berth_identity.read(path)["cluster"] == "1111-here", "it stays on record"


def test_another_cluster_is_taken_when_it_is_accepted_by_its_identity(path: str) -> None:
    record(path)
    assert hold(path, "2222-elsewhere", accept="2222-elsewhere")["cluster"] == "2222-elsewhere"


def test_accepting_one_cluster_does_not_let_in_a_third(path: str) -> None:
    record(path)
    with pytest.raises(IdentityError, match="berth_cluster_id is 2222-elsewhere, and .* is 3333-third"):
        hold(path, "3333-third", accept="2222-elsewhere")


def test_a_cluster_that_berth_itself_made_anew_is_recorded_anew(path: str) -> None:
    record(path)
    assert hold(path, "2222-elsewhere", vouched=True)["cluster"] == "2222-elsewhere"


def test_a_place_that_is_only_claimed_takes_any_cluster_of_its_environment(path: str) -> None:
    """The run that claimed it was cut off before it knew the cluster."""
    record(path, cluster="")
    assert hold(path, "1111-here")["cluster"] == "1111-here"
    record(path, cluster="", environment="prod")
    with pytest.raises(IdentityError, match="kubeconfig of the environment prod"):
        hold(path, "1111-here")


def test_the_kubeconfig_of_another_environment_is_refused_even_where_it_leads_to_the_same_cluster(path: str) -> None:
    record(path, environment="prod")
    with pytest.raises(IdentityError, match="kubeconfig of the environment prod"):
        hold(path, "1111-here", vouched=True)


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
