"""What a rollback says, and what it reads from the earlier release."""

from __future__ import annotations

import json
from typing import Any

from ansible.errors import AnsibleFilterError


def release_table(history: list[dict[str, Any]]) -> str:
    """Return the releases that k8s_rollback tells of (RETURN ``history``) as aligned lines, the newest first."""
    rows = [("REVISION", "VERSION", "FIRST RELEASED", "PODS", "")]
    rows += [(str(each["revision"]), each["version"], each["created"], str(each["ready"]), "runs" if each["current"] else "") for each in history]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def unknown_migrations(log: list[str]) -> dict[str, list[str]]:
    """Return what roles/app/files/unknown_migrations.py has printed into a log: ``unknown`` migrations, and commands of ``manage.py`` that ``undo`` them."""
    for line in reversed(log):
        head, _, answer = line.partition(" ")
        if head == "unknown-migrations":
            return json.loads(answer)
    last = "\n".join(log[-5:])
    raise AnsibleFilterError(f"The earlier release did not say which migrations it has, so nothing was changed. Its last lines:\n{last}")


def schema_refusal(schema: dict[str, list[str]], version: str, kubeconfig: str, namespace: str, name: str) -> str:
    """Return why an app does not go back to a version that lacks the ``unknown`` migrations of ``schema``, and what to do."""
    kubectl = f"kubectl --kubeconfig {kubeconfig} --namespace {namespace} exec deployment/{name} -- python manage.py"
    undo = "\n".join(f"  {kubectl} {command}" for command in schema["undo"])
    return (
        f"Nothing was changed. The database has gone further than version {version}, which does not have: {', '.join(schema['unknown'])}.\n"
        f"Where that version works with them all the same, as with a column that is only more: -e ops_database=unchecked\n"
        f"Else undo them first, with the release that runs now; what they added to the data is lost then:\n{undo}"
    )


def other_database(went: dict[str, Any]) -> str:
    """Return why an app does not go back with the configuration of a release that had another database, as before a restore in RDS; "" where it had this one.

    Args:
        went: The result of k8s_rollback.
    """
    before, now = went["logins"]["target"], went["logins"]["left"]
    if not before or not now or before == now:
        return ""
    return (
        f"Nothing was changed. Version {went['target']['version']} (revision {went['target']['revision']}) ran with another database than today's: its login "
        f"is in the Secret {before}, not in {now}.\n"
        "-e ops_configuration=current goes back to that version with today's database and settings.\n"
        "Where the other database is what you want: -e ops_database=unchecked"
    )


def rollback_report(went: dict[str, Any], name: str, revision: str, configuration: str) -> str:
    """Return what a rollback did.

    Args:
        went: The result of k8s_rollback.
        name: The app's.
        revision: The one that the app ends with, empty in check mode.
        configuration: Which one it has now, as k8s_rollback was told: ``release`` or ``current``.
    """
    target, left = went["target"], went["left"]
    if not went["changed"]:
        return f"{name} runs version {target['version']} (revision {target['revision']}) already; nothing was changed."
    kept = {"release": "those that it was released with", "current": "those of the release that was left"}
    followed, removed = ", ".join(went["followed"]), ", ".join(went["removed"])
    if not revision:
        said = [f"{name} would go back to version {target['version']} (revision {target['revision']}) from {left['version']} (revision {left['revision']})."]
        said += [f"So would {followed}."] if followed else []
        return " ".join([*said, *([f"{removed}: would be removed, for that version did not have it."] if removed else [])])
    followed = f" So do {followed}." if followed else ""
    followed += f" {removed}: removed, for that version did not have it." if removed else ""
    return (
        f"{name} runs version {target['version']} again (as revision {revision}), not {left['version']} (revision {left['revision']}).{followed}\n"
        f"Its settings and secrets are {kept[configuration]}; the database is as it was.\n"
        "site.yml releases what is in the source and in the inventory: change them, too, or it brings the other release back."
    )


def undone(failure: str, went: dict[str, Any] | None, complete: bool) -> str:
    """Return the message of a release that failed, with what became of it.

    Args:
        failure: Why it failed.
        went: The result of k8s_rollback with ``undo``; None where it was not asked.
        complete: Whether all pods of the earlier release serve again.
    """
    if went is None:
        return failure
    if "target" not in went:
        return f"{failure}\nNo release before it was complete, so there is none to go back to: what runs of it goes on."
    if not went["changed"]:
        return failure
    removed = f"; {', '.join(went['removed'])}, which that did not have, is removed" if went["removed"] else ""
    state = "its pods serve" if complete else "not all of its pods serve yet (playbooks/ops/status.yml)"
    said = f"The app and its processes have gone back to version {went['target']['version']}{removed}; {state}."
    return f"{failure}\n{said} The database is as the release left it."


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {f.__name__: f for f in (release_table, unknown_migrations, schema_refusal, other_database, rollback_report, undone)}
