"""Who uses a loopback registry and a builder's storage, so that no environment prunes what another one needs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from .registry import Registry


class Busy(Exception):
    """The storage to prune is in use."""


@contextlib.contextmanager
def lock(file: Path, alone: bool, wait: bool = False) -> Iterator[None]:
    """Hold a lock, exclusive or shared; the kernel releases it when this process ends. A shared lock is always waited for.

    Raises:
        Busy: An exclusive lock is wanted immediately, but somebody holds the lock.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("a") as handle:
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (fcntl.LOCK_NB if alone and not wait else 0))
        except BlockingIOError as error:
            raise Busy from error
        yield


def built(registry: Registry, repository: str, content_tag: str, claims: Claims | None) -> str:
    """Return the digest of a content's image in a registry, "" if there is none; with ``claims``, only of an image that Berth itself has built.

    Raises:
        ImageError: The registry does not answer.
    """
    name = claims.built(content_tag) if claims else content_tag
    return (registry.digest(repository, name) if name else None) or ""


class Claims:
    """Which environments have built or used which images of a repository, and from what, in files next to the registry's own.

    Anybody who can push can move a registry's tag. These files are root's.
    """

    def __init__(self, directory: Path, repository: str, environment: str) -> None:
        self.place = directory / "berth" / repository
        self.file = self.place / f"{environment}.json"
        self.contents = self.place / "contents"

    def own(self) -> dict[str, float]:
        """Return this environment's digests, each with the time of its claim."""
        return self._read(self.file)

    def others(self) -> set[str]:
        """Return the digests of all other environments."""
        return {digest for file in self.place.glob("*.json") if file != self.file for digest in self._read(file)}

    def add(self, digest: str) -> None:
        """Claim an image."""
        self.keep(self.own() | {digest: time.time()})

    def keep(self, claims: dict[str, float]) -> None:
        """Claim these and no others."""
        self._write(self.file, claims)

    def built(self, content: str) -> str:
        """Return the digest of the image that Berth has built from a content, "" if it has built none."""
        return self._read(self.contents).get(content, "")

    def note(self, content: str, digest: str) -> None:
        """Note which image was built from a content."""
        if self.built(content) != digest:
            self._change_contents(lambda known: known | {content: digest})

    def forget(self, digests: Collection[str]) -> None:
        """Forget images that the registry has lost."""
        self._change_contents(lambda known: {content: digest for content, digest in known.items() if digest not in digests})

    def _change_contents(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change what all environments share, while no other run does."""
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock(self.place / "contents.lock", alone=True, wait=True):
            self._write(self.contents, change(self._read(self.contents)))

    def _write(self, file: Path, found: dict[str, Any]) -> None:
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(found), encoding="utf-8")
        new.replace(file)

    @staticmethod
    def _read(file: Path) -> dict[str, Any]:
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, PermissionError):  # it is root's, and so is the process that prunes
            return {}
