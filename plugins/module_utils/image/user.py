"""Which user an image runs as: a number, or a name in its /etc/passwd."""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .registry import ImageError, Registry

USERS, GROUPS = "etc/passwd", "etc/group"
LONGEST = 2**20  # bytes; a longer file is not a list of users
KEPT = 50  # images whose users are remembered, as many as bills of materials are kept
ADVICE = (
    "add USER 1000 as the Dockerfile's last line, or set berth_app_user: 1000. That user can read what everybody may read, and cannot write to root's files: "
    "RUN chmod -R a+rX . before USER opens those of the WORKDIR, and each directory that the app writes to is a line of berth_app_writable or berth_app_volumes"
)
ROOT = ("", "0", "root")


@dataclass(frozen=True)
class Contents:
    """What an image is made of.

    Attributes:
        config: Its configuration: github.com/opencontainers/image-spec/blob/main/config.md
        layers: Functions that open its layers, each an archive; lowest first.
    """

    config: Mapping[str, Any]
    layers: Sequence[Callable[[], AbstractContextManager[IO[bytes]]]] = ()


# --- Where an image lies ---------------------------------------------------------
def of_registry(registry: Registry, repository: str, digest: str) -> Contents:
    """Return an image in a registry.

    Raises:
        ImageError: The registry does not answer.
    """
    manifest = registry.manifest(repository, digest)

    def layer(name: str) -> Callable[[], AbstractContextManager[IO[bytes]]]:
        return lambda: registry.blob(repository, name)

    with layer(manifest["config"]["digest"])() as stream:
        config = json.load(stream)
    return Contents(config, [layer(each["digest"]) for each in manifest["layers"]])


def of_archive(path: Path) -> Contents:
    """Return an image in an archive that ``docker save`` or buildah's docker-archive wrote."""

    def member(name: str) -> Callable[[], AbstractContextManager[IO[bytes]]]:
        @contextlib.contextmanager
        def opened() -> Iterator[IO[bytes]]:
            with tarfile.open(path) as archive:
                found = archive.extractfile(name)
                if found is None:
                    raise KeyError(name)
                yield found

        return opened

    with member("manifest.json")() as stream:
        [manifest] = json.load(stream)
    with member(manifest["Config"])() as stream:
        config = json.load(stream)
    return Contents(config, [member(name) for name in manifest["Layers"]])


# --- The user --------------------------------------------------------------------
def numbers(contents: Contents) -> str:
    """Return the numbers of an image's user and group, such as ``1000:1000``. Root, which is also the default, is ``0:0``.

    A number without a group stands for the group too, as in berth_app_user.

    Raises:
        LookupError: The image has no such user or group.
    """
    user, _, group = str((contents.config.get("config") or {}).get("User") or "").partition(":")
    if user in ROOT:
        return "0:0"
    lists = ({USERS} if not user.isdigit() else set()) | ({GROUPS} if group and not group.isdigit() else set())
    found = read(contents.layers, lists)
    own = ""
    if not user.isdigit():
        user, own = entry(found, USERS, user)[2:4]
    if group and not group.isdigit():
        group = entry(found, GROUPS, group)[2]
    return f"{int(user)}:{int(group or own or user)}" if int(user) else "0:0"


def entry(found: Mapping[str, str], path: str, name: str) -> list[str]:
    """Return the fields of a name in a list of users or groups: passwd(5), group(5)."""
    lines = (line.split(":") for line in found.get(path, "").splitlines())
    fields = next((line for line in lines if line[0] == name and len(line) > 3), None)
    if fields is None:
        raise LookupError(f"{name} is not in its /{path}")
    return fields


def read(layers: Sequence[Callable[[], AbstractContextManager[IO[bytes]]]], wanted: set[str]) -> dict[str, str]:
    """Return some files of an image, each from the top layer that has it; it reads no more layers than needed.

    Raises:
        LookupError: One of them was removed or is a link there.
    """
    found: dict[str, str] = {}
    for layer in reversed(layers):
        if wanted <= found.keys():
            break
        missing = wanted - found.keys()
        with layer() as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
            for member in archive:
                name = member.name.removeprefix("./").lstrip("/")
                other = next((path for path in missing if name == path.replace("/", "/.wh.") or (name == path and not member.isfile())), "")
                if other:
                    raise LookupError(f"its /{other} is removed or a link")
                if name in missing and member.isfile() and member.size <= LONGEST and (content := archive.extractfile(member)):
                    found[name] = content.read().decode(errors="replace")
                    if wanted <= found.keys():
                        break
    return found


def problem(user: int | str, app: str, where: str) -> str:
    """Return why an app is not released with a user, and what to do; "" for any user except root.

    Args:
        user: Its number, and after a colon that of the group; "" if the running app, which was released already, sets none.
        app: The app's name.
        where: Where to set ``berth_app_user``.
    """
    if user == "" or int(str(user).partition(":")[0]):
        return ""
    return (
        f"The image of {app} runs as root, which the namespace does not allow: its Dockerfile has no USER, or USER root, or berth_app_user is 0. "
        f"{ADVICE[0].upper()}{ADVICE[1:]}. berth_app_user belongs in {where}."
    )


def of(name: str, contents: Callable[[], Contents]) -> str:
    """Return the numbers of the user and group of an image with a name.

    Raises:
        ImageError: They cannot be determined.
    """
    try:
        return numbers(contents())
    except (LookupError, ValueError, TypeError, EOFError, tarfile.TarError, zlib.error) as error:
        why = error.args[0] if isinstance(error, LookupError) and error.args else error
        way = "Name the user by its number in the Dockerfile, as in USER 1000, or set berth_app_user to it"
        raise ImageError(f"Berth cannot tell which user {name} runs as: {why}. {way}.") from error


class Known:
    """The users of the images that were looked at, in a file, most recent last: an image does not change."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def all(self) -> dict[str, str]:
        """Return them by the image's key."""
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def last(self) -> str:
        """Return the user of the image that was looked at last, "" if there was none."""
        return next(reversed(self.all().values()), "")

    def get(self, key: str, find: Callable[[], str]) -> str:
        """Return the user of an image; ``find`` determines it if it is not known."""
        known = self.all()
        if next(reversed(known), "") != key:
            known[key] = known.pop(key, "") or find()
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Environments of one app share it, and may run at the same time.
            new = self.file.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(dict([*known.items()][-KEPT:])), encoding="utf-8")
            new.replace(self.file)
        return known[key]
