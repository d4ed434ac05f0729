"""Messages of a rollback, and what it reads from the earlier release."""

from __future__ import annotations

import json
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.rollout import django_shell


def release_table(history: list[dict[str, Any]]) -> str:
    """Return the releases in ``history`` of k8s_rollback as aligned lines, the newest first."""
    rows = [("REVISION", "VERSION", "FIRST RELEASED", "PODS", "")]
    rows += [(str(each["revision"]), each["version"], each["created"], str(each["ready"]), "runs" if each["current"] else "") for each in history]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def unknown_migrations(log: list[str]) -> dict[str, list[str]]:
    """Return what roles/app/files/unknown_migrations.py has logged: ``unknown`` migrations, and the ``manage.py`` commands that ``undo`` them."""
    for line in reversed(log):
        head, _, answer = line.partition(" ")
        if head == "unknown-migrations":
            return json.loads(answer)
    last = "\n".join(log[-5:])
    raise AnsibleFilterError(f"The earlier release did not report which migrations it has, so nothing was changed. Its last lines:\n{last}")


def schema_refusal(schema: dict[str, list[str]], version: str, kubeconfig: str, namespace: str, name: str) -> str:
    """Return why an app cannot go back to a version that lacks the ``unknown`` migrations of ``schema``, and what to do."""
    kubectl = f"kubectl --kubeconfig {kubeconfig} --namespace {namespace} exec deployment/{name} -- python manage.py"
    undo = "\n".join(f"  {kubectl} {command}" for command in schema["undo"])
    return (
        f"Nothing was changed. The database has migrations that version {version} does not have: {', '.join(schema['unknown'])}.\n"
        f"If that version works with them anyway, as with an additional column: -e ops_database=unchecked\n"
        f"Otherwise undo them first, with the release that runs now. This deletes the data that they added:\n{undo}"
    )


def other_database(went: dict[str, Any]) -> str:
    """Return why an app cannot go back with the configuration of a release that used another database, as before a restore in RDS; "" if it used this one.

    Args:
        went: The result of k8s_rollback.
    """
    before, now = went["logins"]["target"], went["logins"]["left"]
    if not before or not now or before == now:
        return ""
    return (
        f"Nothing was changed. Version {went['target']['version']} (revision {went['target']['revision']}) used a different database: its login "
        f"is in the Secret {before}, not in {now}.\n"
        "-e ops_configuration=current goes back to that version with the current database and settings.\n"
        "If you want the other database: -e ops_database=unchecked"
    )


def rollback_report(went: dict[str, Any], name: str, revision: str, configuration: str) -> str:
    """Return the final message of a rollback.

    Args:
        went: The result of k8s_rollback.
        name: The app's name.
        revision: The app's new revision, empty in check mode.
        configuration: The option of k8s_rollback: ``release`` or ``current``.
    """
    target, left = went["target"], went["left"]
    if not went["changed"]:
        return f"{name} already runs version {target['version']} (revision {target['revision']}); nothing was changed."
    kept = {"release": "the ones that it was released with", "current": "the ones of the release that it replaced"}
    followed, removed = ", ".join(went["followed"]), ", ".join(went["removed"])
    if not revision:
        said = [f"{name} would go back to version {target['version']} (revision {target['revision']}) from {left['version']} (revision {left['revision']})."]
        said += [f"So would {followed}."] if followed else []
        return " ".join([*said, *([f"{removed} would be removed, because that version did not have it."] if removed else [])])
    followed = f" So do {followed}." if followed else ""
    followed += f" Removed, because that version did not have it: {removed}." if removed else ""
    went_back = f"version {target['version']} again (as revision {revision}), not {left['version']} (revision {left['revision']})"
    if target["version"] == left["version"]:
        went_back = f"revision {target['revision']} again (as revision {revision}), not revision {left['revision']}; "
        went_back += f"both are version {left['version']}, configured differently"
    return (
        f"{name} runs {went_back}.{followed}\n"
        f"Its settings and secrets are {kept[configuration]}; the database is unchanged.\n"
        "site.yml releases what is in the source and the inventory: change them too, or its next run brings the other release back."
    )


def undone(failure: str, went: dict[str, Any] | None, complete: bool) -> str:
    """Return the message of a failed release, with the result of the rollback.

    Args:
        failure: Why it failed.
        went: The result of k8s_rollback with ``undo``; None if it did not run.
        complete: Whether all pods of the earlier release serve again.
    """
    if went is None:
        return failure
    if "target" not in went:
        return f"{failure}\nNo earlier release was complete, so there is none to go back to. Whatever runs of this one keeps running."
    if not went["changed"]:
        return failure
    removed = f"; {', '.join(went['removed'])} removed, because that version did not have it" if went["removed"] else ""
    state = "its pods are serving" if complete else "not all of its pods are serving yet (playbooks/ops/status.yml)"
    said = f"The app and its processes have gone back to version {went['target']['version']}{removed}; {state}."
    return f"{failure}\n{said} The database is as the failed release left it."


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        named = {f.__name__: f for f in (release_table, unknown_migrations, schema_refusal, other_database, rollback_report, undone)}
        return {**named, "django_shell": django_shell.command}
