"""Which images go, from the registry, the node and the builder, and which stay."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import prune as pruning
from ansible_collections.berth.platform.plugins.module_utils.image.claims import Busy, Claims, lock
from ansible_collections.berth.platform.plugins.module_utils.image.prune import (
    Repository,
    in_background,
    needed,
    prune_buildah,
    prune_docker,
    prune_node,
    spare_layers,
)
from ansible_collections.berth.platform.plugins.modules import image_prune
from fake_api import Api, running
from module_run import run

HOUR = 3600.0


class Registry:
    """The files of a registry, as it writes them."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.root = directory, directory / "docker/registry/v2"
        self.clock = time.time() - 1000 * HOUR

    def write(self, path: Path, text: str) -> None:
        """Write a file an hour after the one before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (self.clock, self.clock))
        os.utime(path.parent, (self.clock, self.clock))

    def blob(self, repository: str, text: str, link: bool = True) -> str:
        """Upload a blob, and return its digest."""
        number = hashlib.sha256(text.encode()).hexdigest()
        self.write(self.root / "blobs/sha256" / number[:2] / number / "data", text)
        if link:
            self.write(self.root / "repositories" / repository / "_layers/sha256" / number / "link", f"sha256:{number}")
        return f"sha256:{number}"

    def push(self, repository: str, *layers: str, tags: tuple[str, ...] = (), ago: float = -1) -> str:
        """Push an image of these layers, an hour after the one before or ``ago`` seconds ago, and return its digest."""
        self.clock = time.time() - ago if ago >= 0 else self.clock + HOUR
        parts = [{"digest": self.blob(repository, layer)} for layer in layers]
        manifest = json.dumps({"config": {"digest": self.blob(repository, f"config of {layers}")}, "layers": parts})
        digest = self.blob(repository, manifest, link=False)
        number = digest.removeprefix("sha256:")
        place = self.root / "repositories" / repository / "_manifests"
        self.write(place / "revisions/sha256" / number / "link", digest)
        for tag in tags:
            self.write(place / "tags" / tag / "current/link", digest)
            self.write(place / "tags" / tag / "index/sha256" / number / "link", digest)
        return digest

    def blobs(self) -> set[str]:
        """Return the texts of all blobs that are no manifests."""
        texts = {path.read_text() for path in self.root.glob("blobs/sha256/*/*/data")}
        return {text for text in texts if not text.startswith(("{", "config"))}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Return an empty registry."""
    return Registry(tmp_path / "registry")


# --- Who needs what --------------------------------------------------------------
def claims(directory: Path, environment: str = "dev", **times: float) -> Claims:
    """Return the claims of an environment."""
    made = Claims(directory, "polls", environment)
    made.keep(times)
    return made


def pushed(*names: str) -> dict[str, float]:
    """Return images by name, each pushed a day after the one before."""
    return {name: number * 24 * HOUR for number, name in enumerate(names)}


NOW = 1000 * 24 * HOUR


@pytest.mark.parametrize(
    ("own", "others", "references", "keep", "left"),
    [
        ({}, {}, set(), 2, "de"),
        ({}, {}, set(), 9, "abcde"),
        ({}, {}, {"a"}, 2, "ade"),
        ({"a": 9, "b": 9, "c": 9}, {}, set(), 2, "de"),
        ({"a": NOW}, {}, set(), 2, "ae"),
        ({"a": 9}, {"d": 1, "e": 1}, set(), 2, "bcde"),
        ({"a": 9}, {"a": 1}, set(), 1, "ae"),
        ({}, {}, {"absent"}, 1, "e"),
        ({}, {}, set(), 0, ""),
    ],
)
def test_the_newest_stay_and_what_something_refers_to_and_what_another_environment_claims(
    tmp_path: Path, own: dict[str, float], others: dict[str, float], references: set[str], keep: int, left: str
) -> None:
    claims(tmp_path, "staging", **others)
    assert needed(pushed(*"abcde"), claims(tmp_path, **own), references, keep, NOW) == set(left)


def test_what_somebody_has_just_pushed_without_berth_stays_for_an_hour(tmp_path: Path) -> None:
    mine = claims(tmp_path, a=NOW - 60, b=NOW - 60)
    images = {"a": NOW - 60, "b": NOW - 50, "by-hand": NOW - 70, "long-ago": NOW - 2 * HOUR}
    assert needed(images, mine, set(), 1, NOW) == {"b", "by-hand"}


def test_claims_of_an_environment_are_its_own(tmp_path: Path) -> None:
    dev, staging = Claims(tmp_path, "polls", "dev"), Claims(tmp_path, "polls", "staging")
    assert dev.own() == {} and dev.others() == set()
    dev.add("a")
    staging.add("b")
    Claims(tmp_path, "other", "dev").add("c")
    assert dev.own().keys() == {"a"} and dev.others() == {"b"} and staging.others() == {"a"}


@pytest.fixture
def cluster(tmp_path: Path) -> Any:
    """Yield an API server that refers to nothing, and a kubeconfig that leads to it."""
    with running(Api()) as server:
        server.answers = {path: (200, {"items": []}) for path in pruning.REFERRING}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [context],
            "users": [{"name": "u", "user": {}}],
            "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        server.kubeconfig = str(tmp_path / "kubeconfig")
        yield server


def pods(*images: str) -> dict[str, Any]:
    """Return a pod template's containers."""
    return {"spec": {"initContainers": [{"image": images[0]}], "containers": [{"image": image} for image in images[1:]]}}


def test_objects_of_every_namespace_and_revisions_without_pods_refer_to_images(cluster: Any) -> None:
    cluster.answers["/apis/apps/v1/replicasets"] = (200, {"items": [{"spec": {"replicas": 0, "template": pods("localhost:5001/polls@sha256:a", "x")}}]})
    job = {"spec": {"jobTemplate": {"spec": {"template": pods("y", "localhost:5001/polls:1.0", "localhost:5001/polls2@sha256:b")}}}}
    cluster.answers["/apis/batch/v1/cronjobs"] = (200, {"items": [job]})
    cluster.answers["/apis/apps/v1/controllerrevisions"] = (200, {"items": [{"data": {"spec": {"template": pods("localhost:5001/polls@sha256:c")}}}]})
    assert pruning.referred(pruning.Cluster(cluster.kubeconfig, None), "localhost:5001/polls") == {"sha256:a", "1.0", "sha256:c"}


# --- The registry -------------------------------------------------------------------
def test_an_image_goes_with_its_tags_and_the_layers_that_nothing_else_has(registry: Registry) -> None:
    first = registry.push("polls", "base", "one", tags=("content-1", "v1"))
    second = registry.push("polls", "base", "two", tags=("content-2",))
    registry.push("other", "base", "one", tags=("x",))
    polls = Repository(registry.directory, "polls")
    polls.remove([second], time.time())
    assert polls.pushed().keys() == {first} and polls.tags() == {"content-1": first, "v1": first}
    assert registry.blobs() == {"base", "one"}
    polls.remove([first], time.time())
    assert polls.pushed() == {} == polls.tags() and polls.layers() == {}
    assert registry.blobs() == {"base", "one"}, "they are the other repository's too"


def test_a_tag_that_has_led_to_an_image_before_stays(registry: Registry) -> None:
    first = registry.push("polls", "one", tags=("latest",))
    second = registry.push("polls", "two", tags=("latest",))
    polls = Repository(registry.directory, "polls")
    polls.remove([first], time.time())
    assert polls.tags() == {"latest": second} and registry.blobs() == {"two"}
    assert [path.name for path in polls.place.glob("_manifests/tags/latest/index/sha256/*")] == [second.removeprefix("sha256:")]


def test_what_an_image_for_several_platforms_consists_of_stays_with_it(registry: Registry) -> None:
    child = registry.push("polls", "layer")
    index = json.dumps({"manifests": [{"digest": child}]})
    digest = registry.blob("polls", index, link=False)
    place = registry.root / "repositories/polls/_manifests/revisions/sha256" / digest.removeprefix("sha256:") / "link"
    registry.write(place, digest)
    gone = registry.push("polls", "gone")
    Repository(registry.directory, "polls").remove([gone], time.time())
    assert registry.blobs() == {"layer"}


def test_a_push_that_is_under_way_is_left_alone_and_one_that_was_broken_off_goes(registry: Registry) -> None:
    registry.blob("polls", "broken off long ago")
    image = registry.push("polls", "one")
    registry.clock = time.time()
    registry.blob("polls", "just uploaded")
    registry.blob("new", "for a new repository")
    registry.push("polls", "kept", ago=0)
    Repository(registry.directory, "polls").remove([image], time.time())
    assert registry.blobs() == {"just uploaded", "for a new repository", "kept"}


def test_layers_stay_where_a_manifest_cannot_be_read(registry: Registry) -> None:
    image = registry.push("polls", "one")
    broken = registry.push("polls", "two")
    (Repository(registry.directory, "polls").blob(broken) / "data").write_text("{")
    with pytest.raises(ValueError):
        Repository(registry.directory, "polls").remove([image], time.time())
    assert registry.blobs() == {"one", "two"}


# --- The module -------------------------------------------------------------------
def prune(registry: Registry, cluster: Any, capsys: pytest.CaptureFixture[str], check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module."""
    given = {
        "kubeconfig": cluster.kubeconfig,
        "registry": "localhost:5001",
        "repository": "polls",
        "environment": "dev",
        "keep": 2,
        "directory": str(registry.directory),
        "storage": str(registry.directory / "storage"),
        "ctr": "/absent/ctr",
        "address": "/absent/socket",
    }
    return run(image_prune, capsys, check, **{**given, **options})


def test_the_registry_is_pruned_to_its_bound_and_a_revision_to_go_back_to_stays(registry: Registry, cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    images = [registry.push("polls", "base", str(number), tags=(f"content-{number}",)) for number in range(6)]
    for image in images:
        Claims(registry.directory, "polls", "dev").add(image)
    old = {"items": [{"spec": {"replicas": 0, "template": pods(f"localhost:5001/polls@{images[1]}")}}, {"spec": pods("localhost:5001/polls:content-2")}]}
    cluster.answers["/apis/apps/v1/replicasets"] = (200, old)
    would = prune(registry, cluster, capsys, check=True)
    assert would["changed"] and would["removed"] == sorted([images[0], images[3]]) and len(registry.blobs()) == 7
    assert prune(registry, cluster, capsys)["removed"] == would["removed"]
    assert registry.blobs() == {"base", "1", "2", "4", "5"}
    assert Claims(registry.directory, "polls", "dev").own().keys() == {images[1], images[2], images[4], images[5]}
    again = prune(registry, cluster, capsys)
    assert not again["changed"] and again["removed"] == []


def test_below_the_bound_nobody_is_asked(registry: Registry, cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    registry.push("polls", "one")
    registry.push("polls", "two")
    assert not prune(registry, cluster, capsys)["changed"] and cluster.seen == []


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda cluster: cluster.answers.update({"/apis/batch/v1/jobs": (403, {})}), "answers 403 to /apis/batch/v1/jobs"),
        (lambda cluster: cluster.answers.update({"/api/v1/pods": (500, {})}), "answers 500 to /api/v1/pods"),
        (lambda cluster: Path(cluster.kubeconfig).unlink(), "kubeconfig"),
    ],
    ids=["forbidden", "failing", "no cluster yet"],
)
def test_nothing_goes_where_the_cluster_does_not_say_what_it_needs(
    registry: Registry, cluster: Any, capsys: pytest.CaptureFixture[str], break_it: Callable[[Any], object], reason: str
) -> None:
    for number in range(4):
        registry.push("polls", str(number))
    break_it(cluster)
    answer = prune(registry, cluster, capsys)
    assert not answer["changed"] and reason in answer["reason"] and len(registry.blobs()) == 4


def test_nothing_goes_while_somebody_pushes(registry: Registry, cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(4):
        registry.push("polls", str(number))
    with lock(registry.directory / "berth/lock", alone=False):
        answer = prune(registry, cluster, capsys)
    assert answer["reason"] == "another run pushes to the registry" and len(registry.blobs()) == 4


def test_a_registry_that_somebody_else_runs_is_not_pruned(registry: Registry, cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(4):
        registry.push("polls", str(number))
    assert not prune(registry, cluster, capsys, directory="")["changed"] and len(registry.blobs()) == 4 and cluster.seen == []


# --- Locks -------------------------------------------------------------------
def test_a_lock_is_shared_by_who_builds_and_refused_to_who_prunes_meanwhile(tmp_path: Path) -> None:
    with lock(tmp_path / "lock", alone=False), lock(tmp_path / "lock", alone=False), pytest.raises(Busy), lock(tmp_path / "lock", alone=True):
        pass
    with lock(tmp_path / "lock", alone=True):
        pass


def test_who_prunes_a_builders_storage_waits_for_who_builds(tmp_path: Path) -> None:
    done = []

    def wait() -> None:
        with lock(tmp_path / "lock", alone=True, wait=True):
            done.append("pruned")

    with lock(tmp_path / "lock", alone=False):
        thread = threading.Thread(target=wait)
        thread.start()
        done.append("built")
    thread.join()
    assert done == ["built", "pruned"]


def test_work_in_the_background_holds_nothing_of_who_began_it(tmp_path: Path) -> None:
    """Such as the lock of a run: nobody would get it until the work is done."""
    held = lock(tmp_path / "run.lock", alone=True)
    with held:
        in_background(lambda: (tmp_path / "done").write_text(str(os.getsid(0) == os.getpid())) and time.sleep(2))
        while not (tmp_path / "done").exists() or not (tmp_path / "done").read_text():
            time.sleep(0.01)
    with lock(tmp_path / "run.lock", alone=True):
        assert (tmp_path / "done").read_text() == "True"


# --- The node -------------------------------------------------------------------
CTR = """#!/bin/sh
echo "$@" >>"$ASKED"
[ "$2" = list ] || exit 0
cat <<END
REF TYPE DIGEST SIZE PLATFORMS LABELS
localhost:5001/polls@sha256:old t sha256:old 1 MiB linux/amd64 -
sha256:id-old t sha256:old 1 MiB linux/amd64 -
localhost:5001/polls@sha256:kept t sha256:kept 1 MiB linux/amd64 -
sha256:id-kept t sha256:kept 1 MiB linux/amd64 -
localhost:5001/polls:tag t sha256:shared 1 MiB linux/amd64 -
localhost:5001/other@sha256:shared t sha256:shared 1 MiB linux/amd64 -
localhost:5001/polls2@sha256:theirs t sha256:theirs 1 MiB linux/amd64 -
registry.k8s.io/pause:3 t sha256:pause 1 MiB linux/amd64 -
END
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Return what puts a program on the PATH that notes in the file ``asked`` what it is asked."""
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()

    def put(name: str, text: str) -> str:
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
        return str(tmp_path / "bin" / name)

    return put


def test_the_node_loses_a_repositorys_images_by_both_names_and_nobody_elses(tmp_path: Path, program: Callable[[str, str], str]) -> None:
    assert prune_node([program("ctr", CTR)], "localhost:5001/polls", {"sha256:kept"}) == ["sha256:old"]
    assert (tmp_path / "asked").read_text().splitlines() == ["images list", "images remove localhost:5001/polls@sha256:old sha256:id-old"]


def test_a_node_that_does_not_answer_loses_nothing(program: Callable[[str, str], str]) -> None:
    assert prune_node([program("ctr", "#!/bin/sh\nexit 1\n")], "localhost:5001/polls", set()) == []


# --- The builder -------------------------------------------------------------------
def test_the_builder_keeps_the_last_images_and_what_the_last_builds_used(tmp_path: Path) -> None:
    images = []
    for number in range(6):
        place = tmp_path / "root/overlay-images" / str(number)
        place.mkdir(parents=True)
        os.utime(place, (number, number))
        images.append({"id": f"sha256:{number}", "names": [f"localhost:5001/polls:content-{number}"]})
    others = [["localhost:5001/other:1", "localhost:5001/polls2:1"], ["docker.io/library/python:3"], None]
    images += [{"id": f"sha256:{number}", "names": names} for number, names in enumerate(others, 7)]
    (tmp_path / "polls.log").write_text("STEP 1/2: FROM a\n--> Using cache 0a1b2c3d4e5f60718\n--> 0a1b2c3d4e5\n--> 111111111111\n")
    dangling = ["sha256:0a1b2c3d4e5f60718", "sha256:1111111111112222", "sha256:3333333333334444"]
    going = spare_layers(images, dangling, tmp_path, "localhost:5001/polls")
    assert going == [*(f"localhost:5001/polls:content-{number}" for number in (2, 1, 0)), "3333333333334444"]


@pytest.mark.parametrize("containers", ["", "0a"])
def test_what_killed_builds_left_goes_first(tmp_path: Path, program: Callable[[str, str], str], containers: str) -> None:
    answers = f'case "$1 $2" in "containers --quiet") printf "{containers}" ;; "images --quiet") echo sha256:0a ;; esac'
    program("buildah", f'#!/bin/sh\nshift 6\necho "$1" >>"$ASKED"\n{answers}\n')
    (tmp_path / "storage/context-1/context").mkdir(parents=True)
    (tmp_path / "storage/secrets-1").mkdir()
    (tmp_path / "storage/secrets-1/pip_conf").touch()
    prune_buildah(tmp_path / "storage", "localhost:5001/polls")
    assert (tmp_path / "asked").read_text().split() == ["containers", *(["rm"] if containers else []), "images", "images", "rmi"]
    assert not list((tmp_path / "storage").glob("*-1"))


def test_docker_keeps_the_last_images(tmp_path: Path, program: Callable[[str, str], str]) -> None:
    names = ["polls:5", "polls:4", "polls:<none>", "polls:3", "polls:2", "polls:1"]
    program("docker", f'#!/bin/sh\necho "$@" >>"$ASKED"\n[ "$2" != ls ] || printf "%s\\n" {" ".join(map(repr, names))}\n')
    (tmp_path / "storage/secrets-1").mkdir(parents=True)
    prune_docker(tmp_path / "storage", "polls")
    assert not list((tmp_path / "storage").glob("secrets-*"))
    assert (tmp_path / "asked").read_text().splitlines()[1:] == ["image rm polls:2 polls:1"]


def test_the_files_of_a_registry_lie_as_the_registry_itself_writes_them() -> None:
    """The module's documentation names the version; a newer one is looked at before it is taken."""
    versions = (Path(__file__).resolve().parents[2] / "roles/artifacts/vars/main.yml").read_text()
    assert f"registry: {pruning.Repository.__doc__.split('/blob/')[1].split('/')[0]}" in versions
