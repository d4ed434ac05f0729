"""Remember which cluster is an environment's own, beside the kubeconfig that leads there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

NAME = "cluster.json"


class IdentityError(Exception):
    """The kubeconfig is another environment's, or leads to another cluster; the text is for the user."""


def path_beside(kubeconfig: str | Path) -> Path:
    """Return where the record of a kubeconfig's cluster lies."""
    return Path(kubeconfig).with_name(NAME)


def read(kubeconfig: str | Path | None) -> dict[str, str]:
    """Return what is recorded beside a kubeconfig: ``environment``, ``provider`` and ``cluster``; {} without a record.

    ``cluster`` is its identity, "" as long as the place is only claimed: a run that was cut off may have left a kubeconfig there.
    """
    if not kubeconfig:
        return {}
    try:
        found = json.loads(path_beside(kubeconfig).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and {"environment", "provider", "cluster"} <= set(found) else {}


def write(kubeconfig: str | Path, record: dict[str, str]) -> None:
    """Replace the record in one step. Raises OSError when it cannot be written."""
    path = path_beside(kubeconfig)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def belongs_elsewhere(kubeconfig: str | Path | None, environment: str) -> str:
    """Return the other environment that a kubeconfig was recorded for, "" when it is this one's or nobody's."""
    owner = read(kubeconfig).get("environment", "")
    return owner if owner != environment else ""


def refusal(kubeconfig: str | Path, record: dict[str, str], found: str, source: str = "") -> str:
    """Return why a kubeconfig that leads to the cluster ``found`` is not used, and how to accept it on purpose.

    ``source`` is what leads there when that is not the environment's own kubeconfig yet.
    """
    return (
        f"{source or kubeconfig} leads to another cluster than {record['environment']}'s: {found} answers, and {record['cluster']} is recorded "
        f"({path_beside(kubeconfig)}). Nothing was changed there. Put the right kubeconfig back; or, if {record['environment']} "
        f"is to live in that cluster from now on, accept it once: site.yml -e berth_cluster_id={found}"
    )


def hold(kubeconfig: str, environment: str, provider: str, ask: Callable[[], str], accept: str = "", vouched: bool = False) -> dict[str, str]:
    """Return what is to be recorded beside a kubeconfig.

    Args:
        kubeconfig: The environment's own.
        environment: Its name.
        provider: What provides the cluster.
        ask: Returns the identity of the cluster that the kubeconfig leads to.
        accept: Identity of a cluster to take instead of the recorded one.
        vouched: Whether the provider itself made the cluster for this environment, so that a new identity is that of a cluster made anew.

    Raises:
        IdentityError: The kubeconfig is another environment's, or leads elsewhere than what is recorded or accepted.
    """
    known = read(kubeconfig)
    if owner := belongs_elsewhere(kubeconfig, environment):
        raise IdentityError(
            f"{kubeconfig} is the kubeconfig of the environment {owner} ({path_beside(kubeconfig)}), not of {environment}. "
            f"Set berth_kubeconfig in inventories/{environment}/group_vars/all.yml to a path of its own."
        )
    found = ask()
    if accept and accept != found:
        raise IdentityError(f"berth_cluster_id is {accept}, and the cluster that {kubeconfig} leads to is {found}. Nothing was changed there.")
    if known and known["cluster"] not in ("", found) and not (accept or vouched):
        raise IdentityError(refusal(kubeconfig, known, found))
    return {"environment": environment, "provider": provider, "cluster": found}
