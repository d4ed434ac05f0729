"""To which release a Deployment goes back, what is changed for it, and what is said."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.berth.platform.plugins.module_utils.rollout import rollback
from ansible_collections.berth.platform.plugins.module_utils.rollout.rollback import Refused, choose, following, operations, releases
from ansible_collections.berth.platform.plugins.modules import k8s_released, k8s_rollback
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import database_names
from fake_api import Api, running
from module_run import plugin, run
from rollout_objects import Json, meta

filters = plugin("filter/rollback.py")

REVISION, HISTORY, CAUSE = rollback.REVISION, rollback.REVISIONS, rollback.VERSION


def template(image: str) -> Json:
    """Return the pod template of a release."""
    return {"metadata": {"labels": {"app": "polls"}}, "spec": {"containers": [{"name": "web", "image": image}]}}


def deployment(image: str = "polls@sha256:3", version: str = "1.3", revision: int = 3) -> Json:
    """Return the Deployment."""
    found = {"kind": "Deployment", "metadata": meta("polls", "uid-polls"), "spec": {"template": template(image)}}
    found["metadata"] |= {
        "generation": 7,
        "labels": {"app.kubernetes.io/name": "polls", "app.kubernetes.io/version": version},
        "annotations": {REVISION: str(revision), CAUSE: version, "kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }
    return found


def replicaset(number: int, ready: int = 0, **annotations: str) -> Json:
    """Return the ReplicaSet of the Deployment's revision of that number, which ran version 1.NUMBER."""
    found = {
        "kind": "ReplicaSet",
        "metadata": meta(f"polls-{number}", f"uid-polls-{number}", deployment(), created=f"2026-11-0{number}T10:00:00Z"),
        "spec": {"template": template(f"polls@sha256:{number}")},
        "status": {"readyReplicas": ready},
    }
    found["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = str(number)
    found["metadata"]["annotations"] = {REVISION: str(number), CAUSE: f"1.{number}", "deployment.kubernetes.io/desired-replicas": "2"} | annotations
    return found


THREE = [replicaset(1), replicaset(3), replicaset(2, ready=2)]


def chosen(replicasets: list[Json], wanted: int = 0) -> tuple[int, str]:
    """Return revision and version of the release to go back to."""
    found = choose("polls", releases(deployment(), replicasets), wanted)
    return found.revision, found.version


# --- Which -----------------------------------------------------------------
def test_releases_are_told_the_newest_first_and_others_replicasets_are_none() -> None:
    other = replicaset(9)
    other["metadata"]["ownerReferences"][0]["uid"] = "another"
    found = releases(deployment(), [*THREE, other])
    assert [(each.revision, each.current, each.ready) for each in found] == [(3, True, 0), (2, False, 2), (1, False, 0)]


def test_it_goes_to_the_release_before() -> None:
    assert chosen(THREE) == (2, "1.2")


def test_it_does_not_go_to_a_release_that_was_gone_back_from() -> None:
    assert chosen([replicaset(1), replicaset(2, **{rollback.LEFT: "2"}), replicaset(3)]) == (1, "1.1")


def environment(name: str) -> list[Json]:
    """Return the environment of a container as a release refers to it."""
    return [{"configMapRef": {"name": name}}, {"secretRef": {"name": "database-login"}}]


def configured(number: int, image: int, name: str, **annotations: str) -> Json:
    """Return the ReplicaSet of a revision that runs the image of another number with a configuration."""
    found = replicaset(number, **annotations)
    found["spec"]["template"]["spec"]["containers"][0] |= {"image": f"polls@sha256:{image}", "envFrom": environment(name)}
    return found


def test_it_does_not_go_to_the_same_release_before_a_restart() -> None:
    again = replicaset(4)
    again["spec"]["template"]["spec"]["containers"][0]["image"] = "polls@sha256:3"
    assert chosen([*THREE, again]) == (2, "1.2")
    assert chosen([*THREE, again], wanted=3) == (3, "1.3")


def test_it_goes_to_the_same_image_with_the_settings_of_before() -> None:
    assert chosen([configured(1, 1, "polls-a"), configured(2, 1, "polls-b")]) == (1, "1.1")
    assert chosen([configured(1, 1, "polls-a"), configured(2, 1, "polls-b", **{rollback.LEFT: "2"}), configured(3, 1, "polls-c")]) == (1, "1.1")


def test_a_release_that_came_again_after_it_was_left_counts_again() -> None:
    assert chosen([replicaset(1), replicaset(2, **{rollback.LEFT: "1"}), replicaset(3)]) == (2, "1.2")


def test_a_revision_is_found_by_a_number_that_it_had_before() -> None:
    assert chosen([replicaset(3, **{HISTORY: "1,2"}), replicaset(4, **{REVISION: "2"})], wanted=1) == (3, "1.3")


def test_a_number_that_is_a_revisions_now_goes_before_one_that_another_had() -> None:
    assert chosen([replicaset(3, **{HISTORY: "2"}), replicaset(2)], wanted=2) == (2, "1.2")


@pytest.mark.parametrize(
    ("replicasets", "wanted", "message"),
    [
        ([], 0, "the Deployment polls has no revision yet"),
        ([replicaset(3)], 0, r"no release of polls to roll back to: the current one is the only one\. To choose one, name its revision:\n  revision   3  1.3"),
        ([replicaset(3), replicaset(2, **{rollback.LEFT: "2"})], 0, r"each of the others was rolled back from(.|\n)*revision   2  1.2 .* rolled back from"),
        (THREE, 8, r"polls has no revision 8\. Its revisions are:\n  revision   3  1.3  since \S+  runs\n  revision   2"),
    ],
)
def test_where_there_is_none_it_says_so_with_those_that_there_are(replicasets: list[Json], wanted: int, message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        chosen(replicasets, wanted)
    assert str(refused.value).startswith("Nothing was changed: ")


# --- How -------------------------------------------------------------------
def apply(thing: Json, patch: rollback.Operations) -> Json:
    """Return ``thing`` patched, as the API server does it."""
    changed = copy.deepcopy(thing)
    for operation in patch:
        *parents, last = [word.replace("~1", "/") for word in operation["path"].split("/")[1:]]
        place: Any = changed
        for word in parents:
            place = place[int(word)] if isinstance(place, list) else place[word]
        if operation["op"] == "test":
            assert place[last] == operation["value"]
        else:
            place[last] = operation["value"]
    return changed


def test_the_pod_template_goes_back_with_the_versions_name_and_the_rest_stays() -> None:
    back = apply(deployment(), operations(deployment(), releases(deployment(), THREE)[1]))
    assert back["spec"]["template"] == template("polls@sha256:2")
    assert back["metadata"]["annotations"] == {REVISION: "3", CAUSE: "1.2", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    assert back["metadata"]["labels"] == {"app.kubernetes.io/name": "polls", "app.kubernetes.io/version": "1.2"}


def test_a_release_takes_its_configuration_along_or_gets_the_current_one() -> None:
    current, target = releases(deployment(), [configured(1, 1, "polls-a"), configured(2, 2, "polls-b")])
    for chosen_environment, expected in ((None, "polls-a"), (target.environment, "polls-a"), (current.environment, "polls-b")):
        back = apply(deployment(), operations(deployment(), target, chosen_environment))
        container = back["spec"]["template"]["spec"]["containers"][0]
        assert (container["image"], container["envFrom"]) == ("polls@sha256:1", environment(expected))
    assert target.environment == environment("polls-a")  # and what was read is as it was


def test_a_deployment_that_was_changed_meanwhile_is_not_patched() -> None:
    patch = operations(deployment(), releases(deployment(), THREE)[1])
    changed = deployment()
    changed["metadata"]["generation"] = 8
    with pytest.raises(AssertionError):
        apply(changed, patch)


def test_the_release_that_is_left_is_noted_at_its_revision() -> None:
    left, target, _ = releases(deployment(), THREE)
    assert apply(left.replicaset, rollback.leaving(left, target))["metadata"]["annotations"][rollback.LEFT] == "3"
    assert rollback.leaving(target, left) == []  # that would be forward


def cronjob(*containers: Json) -> Json:
    """Return a CronJob that runs ``containers``."""
    spec = {"jobTemplate": {"spec": {"template": {"spec": {"containers": list(containers)}}}}}
    return {"metadata": {"name": "polls-clearsessions", "generation": 1}, "spec": spec}


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"image": "polls@sha256:2", "envFrom": environment("polls-b")}, ("polls@sha256:1", environment("polls-a"))),
        ({"image": "polls@sha256:2", "envFrom": environment("polls-a")}, None),  # the configuration of another release
        ({"image": "other", "envFrom": environment("polls-b")}, None),
        ({"image": "polls@sha256:2"}, None),
    ],
)
def test_scheduled_commands_follow_where_they_run_what_is_left(container: Json, expected: tuple[str, list[Json]] | None) -> None:
    left, target = releases(deployment(), [configured(1, 1, "polls-a"), configured(2, 2, "polls-b")])
    job = cronjob({"name": "a"} | container, {"name": "b", "image": "other"})
    patch = following(job, left, target, target.environment)
    if expected is None:
        assert patch == []
        return
    first, second = apply(job, patch)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert (first["image"], first["envFrom"]) == expected
    assert second == {"name": "b", "image": "other"}


def test_what_goes_back_runs_as_the_user_of_that_release() -> None:
    sets = [configured(1, 1, "polls-a"), configured(2, 2, "polls-b")]
    for number, each in enumerate(sets, 1):
        each["spec"]["template"]["spec"]["securityContext"] = {"runAsUser": 1000 + number, "runAsGroup": 2000}
    left, target = releases(deployment(), sets)
    assert (left.user, target.told()["user"]) == ("1002:2000", "1001:2000")
    job = cronjob({"name": "a", "image": "polls@sha256:2", "envFrom": environment("polls-b")})
    assert apply(job, following(job, left, target, []))["spec"]["jobTemplate"]["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 1001
    assert apply(deployment(), operations(deployment(), target))["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 1001


# --- The module ------------------------------------------------------------
@pytest.fixture
def api() -> Iterator[Api]:
    """Return an API server that answers."""
    with running(Api()) as server:
        yield server


def module(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str], check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module against the API server."""
    kubeconfig = tmp_path / "kubeconfig"
    cluster, user = {"name": "c", "cluster": {"server": api.url}}, {"name": "u", "user": {"token": "t"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    content = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "users": [user], "contexts": [context], "current-context": "x"}
    kubeconfig.write_text(json.dumps(content), encoding="utf-8")
    arguments = {"kubeconfig": str(kubeconfig), "namespace": "dev", "name": "polls", "cron_selector": {"component": "schedule"}} | options
    return run(k8s_rollback, capsys, check, **arguments)


def released(api: Api) -> None:
    """Have the API server know three releases and a CronJob."""
    apps, batch = "/apis/apps/v1/namespaces/dev", "/apis/batch/v1/namespaces/dev"
    job = cronjob({"name": "a", "image": "polls@sha256:3"})
    api.answers = {
        f"{apps}/deployments/polls": (200, deployment()),
        f"{apps}/replicasets": (200, {"items": THREE}),
        f"{apps}/replicasets/polls-3": (200, {}),
        f"{batch}/cronjobs": (200, {"items": [job]}),
        f"{batch}/cronjobs/polls-clearsessions": (200, {}),
    }


def patched(api: Api) -> list[str]:
    """Return what was patched, in order."""
    return [path.rpartition("/")[2] for method, path, _, _ in api.seen if method == "PATCH"]


def test_the_deployment_goes_back_first_then_what_follows(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released(api)
    result = module(api, tmp_path, capsys)
    assert patched(api) == ["polls", "polls-3", "polls-clearsessions"]
    assert result["changed"]
    assert (result["target"]["version"], result["left"]["version"], result["followed"]) == ("1.2", "1.3", ["polls-clearsessions"])
    assert [each["revision"] for each in result["history"]] == [3, 2, 1]


@pytest.mark.parametrize(("configuration", "expected"), [("release", "polls-a"), ("current", "polls-b")])
def test_the_configuration_goes_back_unless_the_current_one_is_asked_for(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str], configuration: str, expected: str
) -> None:
    released(api)
    api.answers["/apis/apps/v1/namespaces/dev/replicasets"] = (200, {"items": [configured(1, 1, "polls-a"), configured(2, 2, "polls-b")]})
    api.answers["/apis/apps/v1/namespaces/dev/replicasets/polls-2"] = (200, {})
    assert module(api, tmp_path, capsys, configuration=configuration)["target"]["environment"] == environment(expected)
    patch = next(json.loads(body) for method, path, _, body in api.seen if method == "PATCH" and path.endswith("/polls"))
    assert next(each for each in patch if each["path"] == "/spec/template")["value"]["spec"]["containers"][0]["envFrom"] == environment(expected)


OLD, NEW = "database-login-old", "database-login-new"


def named(login: str, **names: str) -> Json:
    """Return the Secret that has a login's secret parts under names of the inventory, as roles/database makes it."""
    database = {"host": "db", "port": 5432, "name": "polls", "user": "polls", "sslmode": "", "authority": None}
    (made,) = database_names.secrets({}, {"name": "database-env-1", "names": {"scheme": "postgres", **names}, "login": login}, database, "secret", {})
    return made


@pytest.mark.parametrize(
    ("before", "now", "logins"),
    [
        (OLD, NEW, (OLD, NEW)),
        (named(OLD, password="DB_PASSWORD"), NEW, (OLD, NEW)),
        (OLD, named(NEW, password="DB_PASSWORD"), (OLD, NEW)),
        (named(OLD, password="DATABASE_PASSWORD", url="DATABASE_URL"), named(NEW, password="DB_PASSWORD", url="DATABASE_URL"), (OLD, NEW)),
        (named(NEW, password="DB_PASSWORD"), named(NEW, password="PGPASSWORD"), (NEW, NEW)),  # its variables alone are called otherwise
        (named(NEW, password="DB_PASSWORD"), NEW, (NEW, NEW)),
        ({"metadata": {"name": "database-env-1"}}, NEW, ("", NEW)),
        ("database-env-gone", NEW, ("", NEW)),
        ("polls-1", NEW, ("", NEW)),
    ],
)
def test_the_database_of_a_release_is_known_whatever_its_variables_are_called(
    before: str | Json, now: str | Json, logins: tuple[str, str], api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released(api)
    sets = []
    for number, secret in enumerate((before, now), 1):
        name = secret
        if not isinstance(secret, str):
            name = f"database-env-{number}"
            api.answers[f"/api/v1/namespaces/dev/secrets/{name}"] = (200, secret)
        sets.append(configured(number, number, "polls-a"))
        sets[-1]["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "polls-a"}}, {"secretRef": {"name": name}}]
    api.answers["/apis/apps/v1/namespaces/dev/replicasets"] = (200, {"items": sets})
    found = module(api, tmp_path, capsys, check=True)
    assert (found["logins"]["target"], found["logins"]["left"]) == logins
    assert bool(filters.other_database(found)) is ("" not in logins and logins[0] != logins[1])


def test_a_check_says_where_it_would_go_and_patches_nothing(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released(api)
    result = module(api, tmp_path, capsys, check=True)
    assert (result["changed"], result["target"]["version"], result["followed"], patched(api)) == (True, "1.2", ["polls-clearsessions"], [])


def test_the_revision_that_runs_already_changes_nothing(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released(api)
    result = module(api, tmp_path, capsys, revision=3)
    assert (result["changed"], result["target"], patched(api)) == (False, result["left"], [])


# --- Processes -------------------------------------------------------------
APPS = "/apis/apps/v1/namespaces/dev"


def process(name: str = "polls-worker") -> Json:
    """Return the Deployment of a process."""
    found = deployment()
    found["metadata"] |= {"name": name, "uid": f"uid-{name}", "labels": {"component": "process"}}
    return found


def process_set(number: int, image: int, name: str = "polls-worker", **annotations: str) -> Json:
    """Return the ReplicaSet of a process's revision of that number, which runs an image."""
    found = configured(number, image, "polls-a", **annotations)
    found["metadata"] |= {"name": f"{name}-{number}", "uid": f"uid-{name}-{number}"}
    found["metadata"]["ownerReferences"][0] |= {"uid": f"uid-{name}", "name": name}
    return found


def complete(at: int) -> dict[str, str]:
    """Return the note that a revision was complete at a minute."""
    return {rollback.COMPLETED: f"2026-11-05T10:{at:02}:00Z"}


def with_processes(api: Api, *replicasets: Json, processes: tuple[str, ...] = ("polls-worker",)) -> None:
    """Have the API server know the app, whose image is the newest ReplicaSet's, and processes."""
    released(api)
    api.answers |= {
        f"{APPS}/deployments": (200, {"items": [process(name) for name in processes]}),
        f"{APPS}/replicasets": (200, {"items": list(replicasets)}),
        **{f"{APPS}/replicasets/{each['metadata']['name']}": (200, {}) for each in replicasets},
        **{f"{APPS}/deployments/{name}": (200, process(name)) for name in processes},
    }


def calls(api: Api) -> list[str]:
    """Return what was changed, in order."""
    return [f"{method} {path.rpartition('/')[2]}" for method, path, _, _ in api.seen if method != "GET"]


def image_of(api: Api, name: str) -> str:
    """Return the image to which a Deployment was patched."""
    patch = next(json.loads(body) for method, path, _, body in api.seen if method == "PATCH" and path.endswith(f"/deployments/{name}"))
    return next(each["value"]["spec"]["containers"][0]["image"] for each in patch if each["path"] == "/spec/template")


PROCESSES = {"component": "process"}
A, B = configured(1, 1, "polls-a", **complete(1)), configured(2, 2, "polls-a", **complete(2))


def test_a_process_goes_back_with_web_to_its_own_revision_of_that_release(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_processes(api, A, B, process_set(4, 1, **complete(1)), process_set(5, 2))
    result = module(api, tmp_path, capsys, process_selector=PROCESSES)
    assert (image_of(api, "polls"), image_of(api, "polls-worker")) == ("polls@sha256:1", "polls@sha256:1")
    assert (result["followed"], result["removed"]) == (["polls-worker"], [])


def test_of_several_revisions_of_the_release_a_process_takes_the_one_last_complete(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = process_set(4, 1, **complete(1)), process_set(5, 1)
    good["spec"]["template"]["spec"]["containers"][0]["command"] = ["worker"]
    with_processes(api, A, B, good, bad, process_set(6, 2))
    module(api, tmp_path, capsys, process_selector=PROCESSES)
    patch = next(json.loads(body) for method, path, _, body in api.seen if path.endswith("/deployments/polls-worker") and method == "PATCH")
    assert patch[1]["value"]["spec"]["containers"][0]["command"] == ["worker"]


def test_a_process_that_the_release_did_not_have_is_removed(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_processes(api, A, B, process_set(5, 2), process_set(3, 1, "polls-beat"), process_set(4, 2, "polls-beat"), processes=("polls-worker", "polls-beat"))
    result = module(api, tmp_path, capsys, process_selector=PROCESSES)
    assert (result["followed"], result["removed"]) == (["polls-beat"], ["polls-worker"])
    assert "DELETE polls-worker" in calls(api)


def test_a_rollback_that_was_killed_half_way_goes_on_where_it_was(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The app is back, its process is not."""
    with_processes(api, configured(3, 1, "polls-a", **complete(1)), B, process_set(4, 1, **complete(1)), process_set(5, 2, **complete(2)))
    result = module(api, tmp_path, capsys, revision=3, process_selector=PROCESSES)
    assert (result["changed"], calls(api)) == (True, ["PATCH polls-worker"])


FAILED = {
    "nothing of it was complete, web goes back too": (
        [A, configured(2, 2, "polls-a"), process_set(4, 1, **complete(1)), process_set(5, 2)],
        "polls polls-worker",
    ),
    "web is the same, only a process's command was another": ([A, process_set(4, 1, **complete(1)), process_set(5, 1)], "polls-worker"),
    "it had been complete before the one that was left": (
        [configured(1, 1, "polls-a", **complete(9)), B, configured(3, 3, "polls-a"), process_set(4, 1, **complete(9)), process_set(5, 3)],
        "polls polls-worker",
    ),
    "it is the one that was complete last": ([A, process_set(4, 1, **complete(1))], ""),
}


@pytest.mark.parametrize("why", FAILED)
def test_a_release_that_fails_goes_back_to_what_was_complete_last_when(why: str, api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replicasets, back = FAILED[why]
    with_processes(api, *replicasets)
    result = module(api, tmp_path, capsys, undo=True, process_selector=PROCESSES, cron_selector={})
    assert [call.removeprefix("PATCH ") for call in calls(api) if not call.startswith("PATCH polls-2") and not call.startswith("PATCH polls-3")] == back.split()
    assert [image_of(api, name) for name in back.split()] == ["polls@sha256:1"] * len(back.split())
    assert result["changed"] == bool(back)


def test_a_process_that_was_never_complete_goes_when_its_release_fails(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Though its image is that of web, which stays."""
    with_processes(api, A, process_set(1, 1))
    result = module(api, tmp_path, capsys, undo=True, process_selector=PROCESSES)
    assert (calls(api), result["removed"]) == (["DELETE polls-worker"], ["polls-worker"])


def test_a_first_release_that_fails_stays_for_who_looks_at_it(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_processes(api, configured(1, 1, "polls-a"), process_set(1, 1))
    result = module(api, tmp_path, capsys, undo=True, process_selector=PROCESSES)
    assert (calls(api), result["changed"], "target" in result) == ([], False, False)


# --- What is noted ---------------------------------------------------------
def noted(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str], check: bool = False) -> dict[str, Any]:
    """Note that the app and its worker are complete."""
    path = module(api, tmp_path, capsys, check=True) and str(tmp_path / "kubeconfig")
    api.seen.clear()
    return run(k8s_released, capsys, check, kubeconfig=path, namespace="dev", deployments=["polls", "polls-worker"])


def test_a_complete_release_is_noted_once(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_processes(api, A, B, process_set(4, 1, **complete(1)), process_set(5, 2))
    result = noted(api, tmp_path, capsys)
    assert (result["changed"], result["noted"], calls(api)) == (True, ["polls-worker"], ["PATCH polls-worker-5"])
    assert json.loads(next(body for method, *_, body in api.seen if method == "PATCH"))[0]["path"] == "/metadata/annotations/berth~1completed"
    with_processes(api, A, B, process_set(5, 2, **complete(2)))
    assert (noted(api, tmp_path, capsys)["changed"], calls(api)) == (False, [])


def test_a_release_that_is_complete_again_is_noted_again(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_processes(api, configured(3, 1, "polls-a", **complete(1)), B, process_set(5, 1, **complete(3)))
    assert noted(api, tmp_path, capsys, check=True)["noted"] == ["polls"]
    assert calls(api) == []


def test_who_may_not_note_it_is_warned_and_no_more(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(k8s_released.AnsibleModule, "warn", lambda _, text: warnings.append(text))
    with_processes(api, configured(2, 2, "polls-a"), process_set(5, 2))
    api.answers[f"{APPS}/replicasets/polls-2"] = (403, {"message": "no"})
    result = noted(api, tmp_path, capsys)
    assert (result["changed"], result.get("failed", False)) == (False, False)
    assert "so a later release that fails will not go back to it" in warnings[0]


def test_what_is_not_released_cannot_go_back(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert module(api, tmp_path, capsys)["msg"].startswith("Nothing was changed: there is no Deployment polls in the namespace dev")


# --- What is said ----------------------------------------------------------
def test_the_answer_of_the_earlier_release_is_found_in_its_log() -> None:
    schema = {"unknown": ["polls.0002_more"], "undo": ["migrate polls 0001_initial"]}
    assert filters.unknown_migrations(["noise", f"unknown-migrations {json.dumps(schema)}", "more noise"]) == schema


# A database that refuses so many connections, of a project without an app.
REFUSES = """
import sys, time
from django.conf import settings
from django.db import OperationalError, connection
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
import django
django.setup()
left, connect, slept = int(sys.argv[2]), connection.ensure_connection, []
def refuse():
    global left
    if left:
        left -= 1
        raise OperationalError("Connection refused")
    connect()
connection.ensure_connection = refuse
time.monotonic, time.sleep = lambda: sum(slept), slept.append
exec(open(sys.argv[1]).read())
"""


@pytest.mark.parametrize(("refused", "code"), [(0, 0), (5, 0), (1000, 1)])
def test_the_earlier_release_waits_some_seconds_for_the_rules_that_let_it_reach_the_database(refused: int, code: int) -> None:
    asked = Path(__file__).parents[2] / "roles" / "app" / "files" / "unknown_migrations.py"
    done = subprocess.run([sys.executable, "-c", REFUSES, asked, str(refused)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    if code:
        assert done.stderr.splitlines()[-1].endswith("OperationalError: Connection refused")
    else:
        assert filters.unknown_migrations(done.stdout.splitlines()) == {"unknown": [], "undo": []}


def test_a_release_that_does_not_answer_is_told_with_its_last_lines() -> None:
    with pytest.raises(AnsibleFilterError, match=r"did not report which migrations it has, so nothing was changed\. Its last lines:\nUnknown command"):
        filters.unknown_migrations(["Unknown command"])


def test_a_database_that_has_gone_further_is_refused_with_the_commands_that_undo_it() -> None:
    schema = {"unknown": ["polls.0002_more", "shop.0001_initial"], "undo": ["migrate shop zero", "migrate polls 0001_initial"]}
    words = filters.schema_refusal(schema, "1.2", "/k", "dev", "polls").splitlines()
    assert words[0] == "Nothing was changed. The database has migrations that version 1.2 does not have: polls.0002_more, shop.0001_initial."
    assert words[1].endswith("-e ops_database=unchecked")
    assert words[-2:] == [
        "  kubectl --kubeconfig /k --namespace dev exec deployment/polls -- python manage.py migrate shop zero",
        "  kubectl --kubeconfig /k --namespace dev exec deployment/polls -- python manage.py migrate polls 0001_initial",
    ]


def test_releases_are_shown_as_a_table() -> None:
    history = [each.told() for each in releases(deployment(), THREE)]
    assert filters.release_table(history).splitlines()[:2] == [
        "REVISION  VERSION  FIRST RELEASED        PODS",
        f"3         1.3      {history[0]['created']}  0     runs",
    ]


@pytest.mark.parametrize(
    ("changed", "revision", "words"),
    [
        (
            True,
            "4",
            "polls runs version 1.2 again (as revision 4), not 1.3 (revision 3). So do polls-clearsessions. "
            "Removed, because that version did not have it: polls-beat.\nIts settings",
        ),
        (
            True,
            "",
            "polls would go back to version 1.2 (revision 2) from 1.3 (revision 3). So would polls-clearsessions. "
            "polls-beat would be removed, because that version did not have it.",
        ),
        (False, "2", "polls already runs version 1.2 (revision 2); nothing was changed."),
    ],
)
def test_what_was_done_is_said(changed: bool, revision: str, words: str) -> None:
    went = {"changed": changed, "target": {"version": "1.2", "revision": 2}, "left": {"version": "1.3", "revision": 3}, "followed": ["polls-clearsessions"]}
    went["removed"] = ["polls-beat"]
    assert filters.rollback_report(went, "polls", revision, "release").startswith(words)


def test_releases_of_one_version_are_told_apart_by_their_revisions() -> None:
    went = {"changed": True, "target": {"version": "1.2", "revision": 2}, "left": {"version": "1.2", "revision": 3}, "followed": [], "removed": []}
    words = "polls runs revision 2 again (as revision 4), not revision 3; both are version 1.2, configured differently.\n"
    assert filters.rollback_report(went, "polls", "4", "release").startswith(words)


def test_it_is_said_whose_configuration_runs() -> None:
    went = {"changed": True, "target": {"version": "1.2", "revision": 2}, "left": {"version": "1.3", "revision": 3}, "followed": [], "removed": []}
    assert "Its settings and secrets are the ones of the release that it replaced;" in filters.rollback_report(went, "polls", "4", "current")


WENT: Json = {"changed": True, "target": {"version": "1.2"}, "removed": []}


@pytest.mark.parametrize(
    ("went", "whole", "words"),
    [
        (None, True, ""),
        (WENT | {"changed": False}, True, ""),
        (WENT, True, "The app and its processes have gone back to version 1.2; its pods are serving. The database is as the failed release left it."),
        (WENT, False, "gone back to version 1.2; not all of its pods are serving yet (playbooks/ops/status.yml)."),
        (WENT | {"removed": ["polls-beat"]}, True, "version 1.2; polls-beat removed, because that version did not have it; its pods are serving."),
        ({"changed": False, "removed": []}, True, "No earlier release was complete, so there is none to go back to"),
    ],
)
def test_a_release_that_failed_says_why_and_then_what_runs(went: Json | None, whole: bool, words: str) -> None:
    cause, _, said = filters.undone("The container worker crashes.", went, whole).partition("\n")
    assert cause == "The container worker crashes."
    assert words in said
    assert bool(said) == bool(words)


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [
        ("database-login-aaaa", "database-login-bbbb", True),
        ("database-login-aaaa", "database-login-aaaa", False),
        ("", "database-login-bbbb", False),
        ("database-login-aaaa", "", False),
    ],
)
def test_a_release_that_ran_with_another_database_is_told_with_both_ways(before: str, now: str, refused: bool) -> None:
    said = filters.other_database({"target": {"version": "1.2", "revision": 2}, "logins": {"target": before, "left": now}})
    assert bool(said) is refused
    if refused:
        assert said.startswith("Nothing was changed. Version 1.2 (revision 2) used a different database")
        assert f"{before}, not in {now}." in said and "-e ops_configuration=current" in said and "-e ops_database=unchecked" in said
