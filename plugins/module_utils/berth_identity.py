"""Remember which cluster is an environment's own, beside the kubeconfig that leads there."""

from __future__ import annotations

import json
import os
from pathlib import Path

NAME = "cluster.json"


def path_beside(kubeconfig: str | Path) -> Path:
    """Return where the record of a kubeconfig's cluster lies."""
    return Path(kubeconfig).with_name(NAME)


def read(kubeconfig: str | Path | None) -> dict[str, str]:
    """Return what is recorded beside a kubeconfig: ``environment``, ``provider`` and ``cluster`` (its identity); {} without a record."""
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


def refusal(kubeconfig: str | Path, record: dict[str, str], found: str) -> str:
    """Return why a kubeconfig that leads to the cluster ``found`` is not used, and how to accept it on purpose."""
    return (
        f"{kubeconfig} leads to another cluster than {record['environment']}'s: {found} answers, and {record['cluster']} is recorded "
        f"({path_beside(kubeconfig)}). Nothing was changed there. Put the right kubeconfig back; or, if {record['environment']} "
        f"is to live in that cluster from now on, accept it once: site.yml -e berth_cluster_id={found}"
    )
