"""Who uses a loopback registry and a builder's storage, so that nobody prunes what another needs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator
from pathlib import Path


class Busy(Exception):
    """Somebody is using what was to be pruned."""


@contextlib.contextmanager
def lock(file: Path, alone: bool, wait: bool = False) -> Iterator[None]:
    """Hold a lock, alone or with others; the kernel gives it back when this process ends. To be with others is always waited for.

    Raises:
        Busy: It is to be held alone and at once, and somebody holds it.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("a") as handle:
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (fcntl.LOCK_NB if alone and not wait else 0))
        except BlockingIOError as error:
            raise Busy from error
        yield


class Claims:
    """Which environments have built or used which images of a repository, in files beside the registry's own."""

    def __init__(self, directory: Path, repository: str, environment: str) -> None:
        self.place = directory / "berth" / repository
        self.file = self.place / f"{environment}.json"

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
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(claims), encoding="utf-8")
        new.replace(self.file)

    @staticmethod
    def _read(file: Path) -> dict[str, float]:
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, PermissionError):  # it is root's, and so is what prunes
            return {}
