"""Images that nothing needs any longer: in the loopback registry, in a builder's storage and on the node."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..kube.client import Cluster, KubeError
from .claims import Claims, lock

# Objects that may refer to an image, including a revision without pods, to which the app may be rolled back.
REFERRING = (
    "/api/v1/pods",
    "/apis/apps/v1/controllerrevisions",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/replicasets",
    "/apis/apps/v1/statefulsets",
    "/apis/batch/v1/cronjobs",
    "/apis/batch/v1/jobs",
)
YOUNG = 3600.0  # seconds for which images pushed without Berth are left alone
LAYERS = 3  # how many of a repository's images a builder keeps: builds only reuse layers of the last ones
STEP = re.compile(r"^--> (?:Using cache )?([0-9a-f]{11,64})$", re.MULTILINE)  # buildah's log of a build


# --- Who needs what --------------------------------------------------------------
def referred(cluster: Cluster, repository: str) -> set[str]:
    """Return the tags and digests of a repository, such as ``localhost:5001/polls``, that objects in any namespace refer to.

    Raises:
        KubeError: The API server does not answer, or does not allow the user to read all of them.
    """
    found: set[str] = set()
    for path in REFERRING:
        status, answer = cluster.ask(path)
        if status != 200:
            raise KubeError(f"The API server answers {status} to {path}.")
        found |= set(re.findall(rf'"{re.escape(repository)}(?:@|:)([\w.:-]+)"', json.dumps(answer.get("items") or [])))
    return found


def needed(pushed: dict[str, float], claims: Claims, references: set[str], keep: int, now: float) -> set[str]:
    """Return the digests to keep: the newest, and those that something refers to or another environment claims.

    Args:
        pushed: When each digest was pushed to the registry.
        claims: Who has built or used which digest.
        references: The digests that objects of the cluster refer to.
        keep: How many of the newest to keep.
        now: The time.
    """
    own, others = claims.own(), claims.others()
    mine = sorted(pushed.keys() - others, key=lambda digest: (max(pushed[digest], own.get(digest, 0)), digest), reverse=True)
    by_hand = {digest for digest in mine if digest not in own and now - pushed[digest] < YOUNG}
    return set(mine[:keep]) | by_hand | (pushed.keys() & (others | references))


# --- The registry -------------------------------------------------------------------
class Repository:
    """A repository in the files of a registry on this machine.

    github.com/distribution/distribution/blob/v3.1.1/registry/storage/paths.go describes their layout. The registry's own ``garbage-collect`` looks through
    all of it, and requires the registry to be stopped. The registry keeps nothing in memory, so files may be removed while it runs.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.root = directory / "docker/registry/v2"
        self.place = self.root / "repositories" / name

    def pushed(self) -> dict[str, float]:
        """Return the manifests' digests, each with the time of its push."""
        found = self.place.glob("_manifests/revisions/sha256/*/link")
        return {f"sha256:{link.parent.name}": link.stat().st_mtime for link in found}

    def tags(self) -> dict[str, str]:
        """Return the digest that each tag points to."""
        return {link.parents[1].name: link.read_text(encoding="ascii").strip() for link in self.place.glob("_manifests/tags/*/current/link")}

    def contents(self) -> set[str]:
        """Return the digests of the manifests and of everything that they name.

        Raises:
            ValueError: A manifest is not valid.
        """
        found: set[str] = set()
        for digest in self.pushed():
            manifest = json.loads((self.blob(digest) / "data").read_text(encoding="utf-8"))
            parts = [manifest.get("config") or {}, *(manifest.get("layers") or []), *(manifest.get("manifests") or [])]
            found |= {digest, *(part["digest"] for part in parts if "digest" in part)}
        return found

    def layers(self) -> dict[str, Path]:
        """Return the repository's links to its blobs."""
        return {f"sha256:{place.name}": place for place in self.place.glob("_layers/sha256/*")}

    def blob(self, digest: str) -> Path:
        """Return where a blob is."""
        number = digest.removeprefix("sha256:")
        return self.root / "blobs/sha256" / number[:2] / number

    def remove(self, digests: Iterable[str], now: float) -> None:
        """Remove manifests, their tags, and everything that no manifest of any repository names any more.

        Files without a manifest are removed too once they are old: an interrupted push or removal left them.

        Raises:
            ValueError: A manifest is not valid; then no blob is removed.
        """
        going = set(digests)
        before = self.contents()
        for tag, digest in self.tags().items():
            if digest in going:
                shutil.rmtree(self.place / "_manifests/tags" / tag)
        for digest in going:
            number = digest.removeprefix("sha256:")
            for place in [*self.place.glob(f"_manifests/tags/*/index/sha256/{number}"), self.place / "_manifests/revisions/sha256" / number]:
                shutil.rmtree(place)
        contents = self.contents()
        gone = before - contents

        def old(digest: str, place: Path) -> bool:
            """Whether something without a manifest may be removed."""
            return digest in gone or now - place.stat().st_mtime > YOUNG

        for digest, place in self.layers().items():
            if digest not in contents and old(digest, place):
                shutil.rmtree(place)
        named: set[str] = set()
        for place in self.root.glob("repositories/**/_manifests"):
            other = Repository(self.root.parents[2], str(place.parent.relative_to(self.root / "repositories")))
            named |= other.contents() | other.layers().keys()
        for place in self.root.glob("blobs/sha256/*/*"):
            if f"sha256:{place.name}" not in named and old(f"sha256:{place.name}", place / "data"):
                shutil.rmtree(place)


# --- The node and the builder ------------------------------------------------------
def run(*command: str) -> str:
    """Return what a command prints, "" if it fails: the next run prunes what this one does not."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return done.stdout if done.returncode == 0 else ""


def prune_node(ctr: list[str], repository: str, keep: set[str]) -> list[str]:
    """Remove a repository's images from containerd, each with its name by id, except for the digests ``keep``; return their digests."""
    listed = [line.split() for line in run(*ctr, "images", "list").splitlines()[1:]]
    digests = {words[0]: words[2] for words in listed if len(words) > 2}
    ours = {digest for name, digest in digests.items() if re.match(rf"{re.escape(repository)}[@:]", name)}
    theirs = {digest for name, digest in digests.items() if not re.match(rf"{re.escape(repository)}[@:]|sha256:", name)}
    going = ours - keep - theirs
    if names := [name for name, digest in digests.items() if digest in going]:
        run(*ctr, "images", "remove", *names)
    return sorted(going)


def spare_layers(images: list[dict[str, Any]], dangling: list[str], storage: Path, repository: str) -> list[str]:
    """Return what to remove from buildah's storage: a repository's images except for the newest, and unnamed ones that no last build used.

    Args:
        images: The output of ``buildah images --json --no-trunc``.
        dangling: The ids of images without a name that no other image is built on, such as stages.
        storage: The storage, with the logs of the last build of each repository.
        repository: With its registry, ``localhost:5001/polls``.
    """
    named = {name: image["id"].removeprefix("sha256:") for image in images for name in image.get("names") or [] if name.startswith(f"{repository}:")}
    # Its images have a creation time in 1970.
    ages = {name: age(storage / "root/overlay-images" / number) for name, number in named.items()}
    used = [number for log in storage.glob("*.log") for number in STEP.findall(log.read_text(encoding="utf-8", errors="replace"))]
    rest = [number.removeprefix("sha256:") for number in dangling]
    return sorted(named, key=lambda name: ages[name])[LAYERS:] + [number for number in rest if not any(number.startswith(one) for one in used)]


def age(place: Path) -> float:
    """Return how many seconds ago a directory was made, infinity if that is not known."""
    try:
        return time.time() - place.stat().st_mtime
    except OSError:
        return float("inf")


def prune_buildah(storage: Path, repository: str) -> None:
    """Remove from buildah's storage what no build needs, once no build is running."""
    buildah = ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "overlay"]
    with lock(storage / "lock", alone=True, wait=True):
        remove_leftovers(storage)
        if run(*buildah, "containers", "--quiet"):
            run(*buildah, "rm", "--all")
        images = json.loads(run(*buildah, "images", "--json", "--no-trunc") or "[]")
        dangling = run(*buildah, "images", "--quiet", "--no-trunc", "--filter", "dangling=true").split()
        if going := spare_layers(images, dangling, storage, repository):
            run(*buildah, "rmi", *going)


def remove_leftovers(storage: Path) -> None:
    """Remove what killed builds left: everything that is there while no build runs, which the caller's lock ensures."""
    for left in (*storage.glob("context-*"), *storage.glob("secrets-*")):
        shutil.rmtree(left, ignore_errors=True)


def prune_docker(storage: Path, repository: str) -> None:
    """Remove a repository's tags from Docker's engine except for the newest. Its cache prunes itself."""
    with lock(storage / "lock", alone=True, wait=True):
        remove_leftovers(storage)
    listed = run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).split()
    if going := [name for name in listed if not name.endswith(":<none>")][LAYERS:]:
        run("docker", "image", "rm", *going)


def in_background(work: Callable[[], None]) -> None:
    """Run work in a separate process, which inherits no open files and is not waited for."""
    if os.fork():
        return
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(quiet, number)
        os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])  # the lock of the run is among them
        os.nice(10)
        work()
    finally:
        os._exit(0)
