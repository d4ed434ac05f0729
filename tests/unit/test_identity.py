"""An environment is held to its own cluster: what is recorded, what is refused, and how a new one is accepted."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_fork
import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.kube import client, identity
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Cluster, KubeError, WrongCluster
from ansible_collections.berth.platform.plugins.module_utils.kube.identity import Identity, IdentityError
from fake_api import EMPTIED, UID, Api, certificate, kubeconfig, running

PROJECT = Path(__file__).resolve().parents[2]
HERE = Identity("1111-here", "authority:aaaa")
ELSEWHERE = Identity("2222-elsewhere", "authority:bbbb")
ANSWERS = {"here": (200, {"metadata": {"uid": "1111-here"}}), "elsewhere": (200, {"metadata": {"uid": "2222-elsewhere"}}), "refused": (403, {"message": "no"})}


def record(path: str, cluster: str = "1111-here", environment: str = "dev", **more: str) -> None:
    """Record a cluster beside a kubeconfig as it lies in the file; without an authority as earlier versions did."""
    identity.write(path, {"environment": environment, "provider": "existing", "cluster": cluster, **more})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the API server's certificate and its key."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def authority(files: tuple[Path, Path]) -> str:
    """Return how the API server's authority is recorded."""
    return fingerprint(ssl.PEM_cert_to_DER_cert(files[0].read_text()))


@pytest.fixture
def api(files: tuple[Path, Path]) -> Iterator[Api]:
    """Run an API server for one test."""
    with running(Api(files)) as server:
        yield server


@pytest.fixture
def path(api: Api, tmp_path: Path, files: tuple[Path, Path]) -> str:
    """Return a kubeconfig that leads to the API server."""
    return trusting(tmp_path, api, files[0].read_text())


def trusting(directory: Path, api: Api, certificates: str) -> str:
    """Write a kubeconfig that trusts ``certificates`` (PEM), and return its path."""
    return kubeconfig(directory, api.url, **{"certificate-authority-data": base64.b64encode(certificates.encode()).decode()})


def fingerprint(content: bytes) -> str:
    """Return how an authority of that content (DER) is recorded."""
    return "authority:" + hashlib.sha256(content).hexdigest()[:32]


def hold(path: str, found: Identity, **options: Any) -> dict[str, str]:
    """Hold the environment dev to the cluster of that identity, and record what comes of it."""
    answer = identity.hold(path, "dev", "existing", lambda: found, **options)
    identity.write(path, answer)
    return answer


# --- What is recorded --------------------------------------------------------------
def test_the_first_run_records_the_cluster_and_the_next_finds_it(path: str) -> None:
    assert hold(path, HERE) == {"environment": "dev", "provider": "existing", "cluster": "1111-here", "authority": "authority:aaaa"}
    assert identity.read(path) == hold(path, HERE)


def test_a_user_who_loses_the_right_to_read_the_uid_is_still_at_home(path: str) -> None:
    hold(path, HERE)
    assert hold(path, Identity("", "authority:aaaa"))["cluster"] == "1111-here", "the uid stays on record"
    with pytest.raises(IdentityError, match="-e berth_cluster_id=authority:bbbb"):
        hold(path, Identity("", "authority:bbbb"))


def test_a_user_who_gains_the_right_to_read_the_uid_is_still_at_home(path: str) -> None:
    hold(path, Identity("", "authority:aaaa"))
    assert hold(path, HERE)["cluster"] == "1111-here", "from now on it is on record"
    with pytest.raises(IdentityError, match="-e berth_cluster_id=2222-elsewhere"):
        hold(path, Identity("2222-elsewhere", "authority:aaaa"))


def test_a_cluster_with_a_new_authority_is_the_same_as_long_as_its_uid_is(path: str) -> None:
    """Its certificates were renewed."""
    hold(path, HERE)
    assert hold(path, Identity("1111-here", "authority:renewed"))["authority"] == "authority:renewed"


@pytest.mark.parametrize("authority", ["authority:aaaa", "authority:bbbb", "server:https://192.0.2.1"])
def test_another_uid_is_refused_whatever_the_authority(path: str, authority: str) -> None:
    hold(path, HERE)
    with pytest.raises(IdentityError, match="2222-elsewhere answers, but 1111-here is recorded"):
        hold(path, Identity("2222-elsewhere", authority))


# --- Records of earlier versions, with one value -----------------------------------
def test_a_record_of_a_uid_alone_is_completed(path: str) -> None:
    record(path)
    assert hold(path, HERE)["authority"] == "authority:aaaa"


@pytest.mark.parametrize("value", ["authority:aaaa", "server:http://192.0.2.1"])
def test_a_record_of_an_authority_or_an_address_alone_is_completed(path: str, value: str) -> None:
    record(path, cluster=value)
    assert hold(path, Identity("1111-here", value)) == {"environment": "dev", "provider": "existing", "cluster": "1111-here", "authority": value}
    record(path, cluster=value)
    with pytest.raises(IdentityError, match=f"{value.partition(':')[0]}:elsewhere"):
        hold(path, Identity("", f"{value.partition(':')[0]}:elsewhere"))


def test_what_has_nothing_in_common_with_the_record_is_refused_until_it_is_accepted(path: str) -> None:
    record(path)
    unseen = Identity("", "authority:aaaa")
    with pytest.raises(IdentityError, match="cannot tell whether .*authority:aaaa .*1111-here.* read the namespace kube-system") as caught:
        hold(path, unseen)
    assert str(caught.value).endswith("-e berth_cluster_id=authority:aaaa")
    assert hold(path, unseen, accept="authority:aaaa")["authority"] == "authority:aaaa"


# --- What is refused, and how it is accepted ---------------------------------------
def test_another_cluster_is_refused_and_the_message_says_how_to_accept_it(path: str) -> None:
    hold(path, HERE)
    with pytest.raises(IdentityError, match="-e berth_cluster_id=2222-elsewhere") as caught:
        hold(path, ELSEWHERE)
    assert "1111-here is recorded" in str(caught.value) and path in str(caught.value)
    assert identity.read(path)["cluster"] == "1111-here", "it stays on record"


def test_another_cluster_is_taken_when_it_is_accepted_by_its_identity(path: str) -> None:
    hold(path, HERE)
    taken = hold(path, ELSEWHERE, accept="2222-elsewhere")
    assert (taken["cluster"], taken["authority"]) == ("2222-elsewhere", "authority:bbbb")


def test_nothing_of_the_old_cluster_stays_when_another_is_accepted(path: str) -> None:
    hold(path, HERE)
    taken = hold(path, Identity("", "authority:bbbb"), accept="authority:bbbb")
    assert (taken["cluster"], taken["authority"]) == ("", "authority:bbbb")


def test_an_identity_that_was_accepted_stays_acceptable_when_the_uid_can_be_read_too(path: str) -> None:
    """It may be in the inventory for good."""
    hold(path, Identity("", "authority:aaaa"), accept="authority:aaaa")
    assert hold(path, HERE, accept="authority:aaaa")["cluster"] == "1111-here"
    with pytest.raises(IdentityError, match="-e berth_cluster_id=2222-elsewhere"):
        hold(path, Identity("2222-elsewhere", "authority:aaaa"), accept="authority:aaaa")


def test_accepting_one_cluster_does_not_let_in_a_third(path: str) -> None:
    hold(path, HERE)
    with pytest.raises(IdentityError, match="berth_cluster_id is 2222-elsewhere, but .* is 3333-third"):
        hold(path, Identity("3333-third", "authority:cccc"), accept="2222-elsewhere")


def test_a_cluster_that_berth_itself_made_anew_is_recorded_anew(path: str) -> None:
    hold(path, HERE)
    assert hold(path, ELSEWHERE, vouched=True) == {"environment": "dev", "provider": "existing", "cluster": "2222-elsewhere", "authority": "authority:bbbb"}


def test_a_place_that_is_only_claimed_takes_any_cluster_of_its_environment(path: str) -> None:
    """The run that claimed it was cut off before it knew the cluster."""
    record(path, cluster="")
    assert hold(path, HERE)["cluster"] == "1111-here"
    record(path, cluster="", environment="prod")
    with pytest.raises(IdentityError, match="kubeconfig of the environment prod"):
        hold(path, HERE)


def test_the_kubeconfig_of_another_environment_is_refused_even_where_it_leads_to_the_same_cluster(path: str) -> None:
    record(path, environment="prod")
    with pytest.raises(IdentityError, match="kubeconfig of the environment prod"):
        hold(path, HERE, vouched=True)


# --- Requests ------------------------------------------------------------------------
def test_no_request_follows_the_one_that_shows_another_cluster(api: Api, path: str) -> None:
    """Two kubeconfigs were swapped: neither a look nor a deletion gets through, however often it is tried."""
    record(path)
    api.answers[UID] = ANSWERS["elsewhere"]
    cluster = Cluster(path, None)
    with pytest.raises(WrongCluster, match="points to another cluster than dev's"):
        cluster.delete("Pod", "polls-dev", "polls-1", "u-1", "Background")
    with pytest.raises(WrongCluster):
        cluster.get("Pod", "polls-dev", "polls-1")
    assert {(method, url) for method, url, *_ in api.seen} == {("GET", UID)}


def test_the_right_cluster_is_looked_at_once(api: Api, path: str) -> None:
    record(path)
    api.queue += [ANSWERS["here"], (200, {}), (200, {})]
    cluster = Cluster(path, None)
    cluster.get("Pod", "polls-dev", "polls-1")
    cluster.get("Pod", "polls-dev", "polls-1")
    assert [url.rsplit("/", 1)[1] for _, url, *_ in api.seen] == ["kube-system", "polls-1", "polls-1"]


@pytest.mark.parametrize(
    ("recorded", "answer", "refused"),
    [
        ({"cluster": "1111-here", "authority": "its own"}, "here", False),
        ({"cluster": "1111-here", "authority": "its own"}, "refused", False),
        ({"cluster": "", "authority": "its own"}, "here", False),
        ({"cluster": "1111-here", "authority": "authority:before"}, "here", False),
        ({"cluster": "1111-here", "authority": "its own"}, "elsewhere", True),
        ({"cluster": "1111-here", "authority": "authority:another"}, "refused", True),
        ({"cluster": "1111-here"}, "refused", True),
        ({"cluster": "its own"}, "here", False),
        ({"cluster": "its own"}, "refused", False),
    ],
)
def test_a_request_is_held_to_what_of_the_record_can_be_read(api: Api, path: str, authority: str, recorded: dict[str, str], answer: str, refused: bool) -> None:
    record(path, **{name: value.replace("its own", authority) for name, value in recorded.items()})
    api.answers |= {UID: ANSWERS[answer], "/api/v1/namespaces/polls-dev/pods/x": (200, {"kind": "Pod"})}
    if refused:
        with pytest.raises(WrongCluster):
            Cluster(path, None).get("Pod", "polls-dev", "x")
    else:
        assert Cluster(path, None).get("Pod", "polls-dev", "x") == {"kind": "Pod"}


def test_a_cluster_shows_its_uid_and_its_authority(api: Api, path: str, authority: str) -> None:
    api.answers[UID] = ANSWERS["here"]
    assert Cluster(path, None).identity() == Identity("1111-here", authority)
    api.answers[UID] = ANSWERS["refused"]
    assert Cluster(path, None).identity() == Identity("", authority)


def test_the_authority_is_its_certificates_and_not_how_they_are_written(api: Api, tmp_path: Path, files: tuple[Path, Path], authority: str) -> None:
    """Several stand one after another while one is replaced."""
    api.answers[UID] = ANSWERS["refused"]
    text = files[0].read_text()
    for same in (f"# ours\n{text}\n\n", text.replace("\n", "\r\n")):
        assert Cluster(trusting(tmp_path, api, same), None).identity() == Identity("", authority)
    two = Cluster(trusting(tmp_path, api, text + text), None).identity()
    assert two == Identity("", fingerprint(ssl.PEM_cert_to_DER_cert(text) * 2))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_where_no_authority_is_looked_at_the_address_takes_its_place(api: Api, tmp_path: Path) -> None:
    api.answers[UID] = ANSWERS["refused"]
    path = kubeconfig(tmp_path, api.url, **{"insecure-skip-tls-verify": True})
    assert Cluster(path, None).identity() == Identity("", f"server:{api.url}")


def test_credentials_that_are_not_accepted_are_no_other_cluster(api: Api, path: str) -> None:
    record(path)
    api.answers[UID] = (401, {})
    with pytest.raises(KubeError, match="does not accept the credentials") as caught:
        Cluster(path, None).get("Pod", "polls-dev", "polls-1")
    assert not isinstance(caught.value, WrongCluster)


@pytest.fixture(params=["", "[]", "{", '{"environment": "dev"}', '{"environment": "dev", "provider": "existing", "cluster": 1}', b"\xff", None], ids=repr)
def damaged(request: pytest.FixtureRequest, path: str) -> str:
    """Return a kubeconfig beside which the record cannot be read: half written, of another form, or a directory."""
    file = identity.path_beside(path)
    if request.param is None:
        file.mkdir()
    else:
        file.write_bytes(request.param if isinstance(request.param, bytes) else request.param.encode())
    return path


def test_a_place_without_a_record_has_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert identity.read(tmp_path / "kubeconfig") == identity.read(tmp_path / "file" / "kubeconfig") == identity.read(None) == {}


def test_a_record_that_cannot_be_read_lets_nothing_through(api: Api, damaged: str) -> None:
    """Else whoever damages it could have any cluster taken for the environment's own."""
    api.answers |= {UID: ANSWERS["here"], "/api/v1/namespaces/polls-dev/pods/x": (200, {"kind": "Pod"})}
    advice = re.escape(f"{damaged} points to this environment's cluster; then delete both files and run site.yml")
    with pytest.raises(IdentityError, match=f"cluster.json, .* (is damaged: it |cannot be read: Is a directory).*{advice}"):
        hold(damaged, HERE, accept=str(HERE), vouched=True)
    with pytest.raises(WrongCluster, match=advice):
        Cluster(damaged, None).get("Pod", "polls-dev", "x")
    assert {url for _, url, *_ in api.seen} == {UID}
    assert identity.belongs_elsewhere(damaged, "dev") == ""


@pytest.mark.parametrize("answers", [[401, 401, 200], [403, 200], [401, 403, 401, 200]])
def test_credentials_that_a_new_cluster_takes_by_and_by_are_waited_for(answers: list[int], api: Api, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html: an access entry takes several seconds to count."""
    now = [0.0]
    monkeypatch.setattr(client.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(client.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    api.queue = [ANSWERS["here"] if status == 200 else (status, {"message": "not yet"}) for status in answers]
    assert Cluster(path, None, guarded=False).identity(patience=60).uid == "1111-here"


@pytest.mark.parametrize(("status", "patience", "asked"), [(401, 0, 1), (401, 4, 3), (403, 4, 3)])
def test_credentials_that_are_never_accepted_are_waited_for_no_longer_than_told(
    status: int, patience: int, asked: int, api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(client.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(client.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    api.answers[UID] = (status, {"message": "no"})
    cluster = Cluster(path, None, guarded=False)
    if status == 401:
        with pytest.raises(KubeError, match="does not accept the credentials"):
            cluster.identity(patience=patience)
    else:
        assert cluster.identity(patience=patience).uid == ""
    assert len(api.seen) == asked


# --- The task --------------------------------------------------------------------------
def task(path: str, *more: str, **options: Any) -> tuple[bool, str]:
    """Run the task, with ``more`` options of Ansible's, for the environment dev; return whether it passed, and what it said."""
    arguments = {"kubeconfig": path, "environment": "dev", "provider": "existing", **options}
    command = ["ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "berth.platform.cluster_identity"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    ran = ansible_fork.run([*command, "-a", json.dumps(arguments), *more], env=environment)
    return ran.returncode == 0, " ".join(ran.stdout.split())


@pytest.mark.parametrize("step", ["compare", "claim"])
def test_before_anything_is_changed_another_cluster_is_refused_and_nothing_recorded(api: Api, path: str, step: str) -> None:
    record(path)
    before = identity.path_beside(path).read_text()
    api.answers[UID] = ANSWERS["elsewhere"]
    passed, said = task(path, step=step)
    assert not passed and "points to another cluster than dev's: 2222-elsewhere answers" in said
    assert task(path, step=step, accept="2222-elsewhere")[0], "its owner says that it is meant"
    assert identity.path_beside(path).read_text() == before
    assert {(method, url) for method, url, *_ in api.seen} == {("GET", UID)}


@pytest.mark.parametrize("step", ["compare", "claim", "record"])
def test_a_damaged_record_ends_the_task_and_stays_as_it_is(api: Api, path: str, step: str) -> None:
    api.answers[UID] = ANSWERS["here"]
    identity.path_beside(path).write_text("{")
    for accept in ("", "1111-here"):
        passed, said = task(path, step=step, accept=accept)
        assert not passed and "delete both files and run site.yml" in said and "Traceback" not in said
    assert identity.path_beside(path).read_text() == "{" and api.seen == []


def test_a_cluster_that_nothing_can_be_done_to_is_no_reason_to_refuse(api: Api, path: str, tmp_path: Path) -> None:
    """It stands still, was made again with another authority, or is gone."""
    record(path)
    api.answers[UID] = (401, {})
    assert task(path, step="compare")[0]
    kubeconfig(tmp_path, "http://127.0.0.1:1")
    assert task(path, step="compare")[0]
    Path(path).unlink()
    assert task(path, step="claim")[0]


def test_a_check_passes_while_the_kubeconfig_leads_nowhere_because_the_cluster_is_stopped(path: str) -> None:
    record(path)
    Path(path).write_text(EMPTIED)
    for step in ("compare", "claim", "record"):
        assert task(path, "--check", step=step)[0], step
    passed, said = task(path)
    assert not passed and "does not point to a cluster: it has no context" in said and "Run playbooks/cluster.yml" in said


def test_a_place_is_claimed_once_and_not_another_environments(path: str) -> None:
    Path(path).unlink()
    assert task(path, step="claim")[0]
    assert identity.read(path) == {"environment": "dev", "provider": "existing", "cluster": "", "authority": ""}
    passed, said = task(path, step="compare", environment="prod")
    assert not passed and "is the kubeconfig of the environment dev" in said


def test_the_task_records_what_answers_and_finds_it_again(api: Api, path: str, authority: str) -> None:
    api.answers[UID] = ANSWERS["here"]
    assert "CHANGED" in task(path)[1]
    assert identity.identity(identity.read(path)) == Identity("1111-here", authority)
    assert "SUCCESS" in task(path)[1]


def test_a_new_cluster_of_eks_is_given_time_to_let_its_administrator_in(api: Api, path: str, tmp_path: Path) -> None:
    """With the task that makes the first call to it, of the playbook itself."""
    (hold,) = (each for each in yaml.safe_load((PROJECT / "playbooks/providers/eks/provide.yml").read_text(encoding="utf-8")) if "Record" in each["name"])
    play = [{"name": "Record", "hosts": "localhost", "gather_facts": False, "tasks": [hold]}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    known = {"berth_kubeconfig": path, "berth_provider": "eks", "cluster_facts": {"ours": True}}
    api.queue = [(401, {"message": "not yet"}), ANSWERS["here"]]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
    ran = ansible_fork.run(["ansible-playbook", str(tmp_path / "play.yml"), "-i", "localhost,", "-c", "local", "-e", json.dumps(known)], env=environment)
    assert ran.returncode == 0, ran.stdout
    assert identity.read(path)["cluster"] == "1111-here"
