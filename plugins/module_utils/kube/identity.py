"""Record which cluster is an environment's own, next to the kubeconfig that points to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NAME = "cluster.json"
INVENTORY = "this environment's inventory"  # if a caller does not know the file


class IdentityError(Exception):
    """The kubeconfig is another environment's, or points to another cluster; the text is for the user."""


@dataclass(frozen=True)
class Identity:
    """What identifies a cluster, as far as it is known.

    Attributes:
        uid: The uid of the namespace kube-system, which lasts as long as the cluster; "" if the user may not read it.
        authority: What the kubeconfig says: ``authority:`` and the fingerprint of the certificates that it trusts, which may be renewed,
            or ``server:`` and an address if it has none of its own.
    """

    uid: str = ""
    authority: str = ""

    def __str__(self) -> str:
        """Return the most reliable value, which is the one the user names."""
        return self.uid or self.authority

    def same(self, other: Identity) -> bool | None:
        """Whether both are the same cluster, by the most reliable kind of value that both have; None if they have none in common."""
        if self.uid and other.uid:
            return self.uid == other.uid
        kinds = {one.partition(":")[0] for one in (self.authority, other.authority)}
        return self.authority == other.authority if len(kinds) == 1 and kinds != {""} else None


def path_beside(kubeconfig: str | Path) -> Path:
    """Return the path of the record of a kubeconfig's cluster."""
    return Path(kubeconfig).with_name(NAME)


def read(kubeconfig: str | Path | None) -> dict[str, str]:
    """Return what is recorded next to a kubeconfig: ``environment``, ``provider``, ``cluster`` and ``authority``; {} without a record.

    ``cluster`` and ``authority`` are its identity, both "" as long as the place is only claimed: an interrupted run may have left a
    kubeconfig there. Earlier versions recorded one value only. A record that cannot be read has ``damage`` instead, which says what is wrong
    and what to do, and it matches no cluster: without a readable record, access is denied.
    """
    if not kubeconfig:
        return {}
    try:
        found = json.loads(path_beside(kubeconfig).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        return _damaged(kubeconfig, f"cannot be read: {error.strerror}")
    except ValueError:
        return _damaged(kubeconfig, "is damaged: it is not JSON")
    for name in ("environment", "provider", "cluster"):
        if not isinstance(found, dict) or not isinstance(found.get(name), str):
            return _damaged(kubeconfig, f"is damaged: it has no {name}")
    if found["cluster"].startswith(("authority:", "server:")):
        found |= {"cluster": "", "authority": found["cluster"]}
    return {"authority": "", **found}


def _damaged(kubeconfig: str | Path, what: str) -> dict[str, str]:
    text = (
        f"{path_beside(kubeconfig)}, which records this environment's cluster, {what}. Nothing was changed. Make sure that {kubeconfig} points to "
        "this environment's cluster; then delete both files and run site.yml, which writes them again."
    )
    return {"environment": "", "provider": "", "cluster": "", "authority": "damaged", "damage": text}


def identity(record: dict[str, str]) -> Identity:
    """Return the recorded identity, an empty one if there is no record."""
    return Identity(record.get("cluster", ""), record.get("authority", ""))


def write(kubeconfig: str | Path, record: dict[str, str]) -> None:
    """Replace the record atomically. Raises OSError if it cannot be written."""
    path = path_beside(kubeconfig)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def belongs_elsewhere(kubeconfig: str | Path | None, environment: str) -> str:
    """Return the other environment that a kubeconfig is recorded for, "" if it is this one's or has no record."""
    owner = read(kubeconfig).get("environment", "")
    return owner if owner != environment else ""


def refuse_owner(kubeconfig: str | Path, environment: str, place: str = INVENTORY) -> None:
    """Refuse the kubeconfig of another or an unknown environment; ``place`` is where the inventory names it.

    Raises:
        IdentityError: It is recorded for another environment, or the record cannot be read.
    """
    if damage := read(kubeconfig).get("damage"):
        raise IdentityError(damage)
    if owner := belongs_elsewhere(kubeconfig, environment):
        raise IdentityError(
            f"{kubeconfig} is the kubeconfig of the environment {owner} ({path_beside(kubeconfig)}), not of {environment}. "
            f"Set berth_kubeconfig in {place} to a path of its own."
        )


def refusal(kubeconfig: str | Path, record: dict[str, str], found: Identity, accept: str = "", source: str = "") -> str:
    """Return why a kubeconfig that points to the cluster ``found`` is not used, and how to accept it on purpose; "" if it is used.

    ``accept`` is the identity to accept instead of the recorded one; ``source`` is the kubeconfig that points there, if that is not the
    environment's own yet.
    """
    if damage := record.get("damage"):
        return damage
    known = identity(record)
    same = found.same(known)
    if same or not str(known) or accept == str(found):
        return ""
    environment, source, path = record["environment"], source or str(kubeconfig), path_beside(kubeconfig)
    if same is None:
        return (
            f"Berth cannot tell whether {source} points to {environment}'s cluster: {found} is all that this user can read, but {known} is recorded "
            f"({path}). Nothing was changed there. Let the user read the namespace kube-system, or restore the kubeconfig; or, if you know "
            f"that it is the cluster, accept it once: site.yml -e berth_cluster_id={found}"
        )
    return (
        f"{source} points to another cluster than {environment}'s: {found} answers, but {known if found.uid else known.authority} is recorded "
        f"({path}). Nothing was changed there. Restore the right kubeconfig; or, if {environment} "
        f"is to live in that cluster from now on, accept it once: site.yml -e berth_cluster_id={found}"
    )


def hold(
    kubeconfig: str, environment: str, provider: str, ask: Callable[[], Identity], accept: str = "", vouched: bool = False, place: str = INVENTORY
) -> dict[str, str]:
    """Return what to record next to a kubeconfig.

    Args:
        kubeconfig: The environment's kubeconfig.
        environment: Its name.
        provider: What provides the cluster.
        ask: Returns the identity of the cluster that the kubeconfig points to.
        accept: Identity of a cluster to accept instead of the recorded one: its uid, or its authority if the uid cannot be read.
        vouched: Whether the provider itself created the cluster for this environment, so that a new identity is that of a recreated cluster.
        place: Where the inventory names the kubeconfig, for the message.

    Raises:
        IdentityError: The kubeconfig is another environment's, or points to another cluster than the recorded or accepted one.
    """
    record = read(kubeconfig)
    refuse_owner(kubeconfig, environment, place)
    found, known = ask(), identity(record)
    if accept and accept not in (found.uid, found.authority):
        raise IdentityError(f"berth_cluster_id is {accept}, but the cluster that {kubeconfig} points to is {found}. Nothing was changed there.")
    if not vouched and (text := refusal(kubeconfig, record, found, accept)):
        raise IdentityError(text)
    if found.same(known):  # a value that cannot be read now stays on record
        found = Identity(found.uid or known.uid, found.authority or known.authority)
    return {"environment": environment, "provider": provider, "cluster": found.uid, "authority": found.authority}
