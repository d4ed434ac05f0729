"""Messages and decisions about an environment's RDS instances. A restore creates a second one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ..module_utils.aws.databases import RESTORING, SERVING, final_name


def restore_refused(given: Mapping[str, str], in_rds: bool) -> str:
    """Return why the options of a restore do not go together, empty if they do.

    Args:
        given: The options (ops_...) with their values, empty if they are not given.
        in_rds: Whether the database is in RDS.

    >>> restore_refused({"ops_snapshot": "a", "ops_time": "b"}, True)
    'ops_snapshot and ops_time are both given: use only one of them.'
    """
    names = [name for name, value in given.items() if value]
    if in_rds and "ops_file" in names:
        return "ops_file is given, but the database is in RDS, which cannot be restored from a file. Use -e ops_snapshot=NAME to restore a snapshot."
    if in_rds:
        return f"{', '.join(names[:-1])} and {names[-1]} are {'both' if len(names) == 2 else 'all'} given: use only one of them." if len(names) > 1 else ""
    others = [name for name in names if name != "ops_file"]
    if others:
        return f"{' and '.join(others)} {'are' if len(others) > 1 else 'is'} for berth_database: rds only. Here, name the backup with -e ops_file=FILE."
    return ""


def rds_tags(wanted: dict[str, str], live: dict[str, str]) -> dict[str, str]:
    """Return the tags of an instance: the wanted ones, and those that a restore uses to keep track of it.

    >>> rds_tags({"team": "web"}, {"berth:serving-since": "2027-03-27T12:00:00Z", "old": "x"})
    {'team': 'web', 'berth:serving-since': '2027-03-27T12:00:00Z'}
    """
    return wanted | {key: value for key, value in live.items() if key in (SERVING, RESTORING)}


def rds_protected(found: dict[str, Any], where: str, environment: str) -> list[str]:
    """Return which instances are protected from deletion, and what to do about it.

    Args:
        found: As the module rds_instances_info returns them.
        where: Where berth_deletion_protection is set.
        environment: The environment's name.
    """
    said = []
    for one in found["instances"]:
        if one.get("deletion_protection"):
            said.append(
                f"RDS instance {one['db_instance_identifier']} is protected from deletion. Set berth_deletion_protection: false in {where}, "
                "run site.yml --tags cluster, then run destroy.yml again."
            )
    for one in found["others"]:
        if one.get("deletion_protection"):
            name = one["db_instance_identifier"]
            command = f"ansible-playbook playbooks/ops/restore.yml -i inventories/{environment} -e ops_remove={name}"
            said.append(f"RDS instance {name}, left by a restore, is protected from deletion. {command} removes it.")
    return [f"Nothing was removed: {said[0]}", *said[1:]] if said else []


def rds_removals(found: dict[str, Any], name: str, now: datetime, purge: bool) -> list[dict[str, str]]:
    """Return which instances are removed with an environment: each ``instance`` and the name of its final ``snapshot``, empty for none.

    The snapshot of the one in use has the latest time in its name. RDS cannot snapshot an instance that is still being created.

    Args:
        found: As the module rds_instances_info returns them.
        name: The name of the environment's resources.
        now: The current time in UTC.
        purge: Whether to delete the data too.
    """
    there = [one for one in [*found["instances"], *found["others"]] if one["db_instance_status"] != "deleting"]
    return [
        {
            "instance": one["db_instance_identifier"],
            "snapshot": "" if purge or one["never_used"] else final_name(name, now - timedelta(seconds=number)),
        }
        for number, one in enumerate(there)
    ]


def rds_restore_asked(restored: dict[str, str], environment: str) -> str:
    """Return what a restore in RDS asks the user to confirm.

    Args:
        restored: What the module rds_restore returned in check mode.
        environment: The environment's name.
    """
    what = f"the data of {restored['source']}, in the new RDS instance {restored['instance']}" if restored["source"] else f"RDS instance {restored['instance']}"
    kept = f". Data written since then stays in {restored['previous']} only" if restored["previous"] else ""
    return f"The app of {environment} will switch to {what}{kept}"


def rds_restore_said(restored: dict[str, str], environment: str, began: str, ended: str, check: bool) -> str:
    """Return the final message of a restore in RDS.

    Args:
        restored: What the module rds_restore returned.
        environment: The environment's name.
        began, ended: When the app switched over, in UTC.
        check: Whether nothing was done.
    """
    if check:
        return f"{rds_restore_asked(restored, environment)}. Nothing was changed, because this was a check."
    instance, previous = restored["instance"], restored["previous"]
    data = f" with the data of {restored['source']}" if restored["source"] else ""
    said = [f"The app of {environment} uses RDS instance {instance}{data}. It switched from {began} to {ended} UTC; each old pod served until a new one did."]
    if not previous:
        return said[0]
    command = f"ansible-playbook playbooks/ops/restore.yml -i inventories/{environment}"
    said.append(f"Data that the old pods wrote meanwhile is in {previous} only, which is kept and costs as much as before.")
    return " ".join(said) + f"\n{command} -e ops_instance={previous} goes back to it, and\n{command} -e ops_remove={previous} removes it."


def rds_restore_failed(failure: str, restored: dict[str, str], environment: str) -> str:
    """Return why the app did not switch to a restored instance, and what to do.

    Args:
        failure: What went wrong.
        restored: What the module rds_restore returned.
        environment: The environment's name.
    """
    previous = restored["previous"]
    if not previous:
        return f"{failure}\nRun the same command again to continue from here."
    site = f"ansible-playbook site.yml -i inventories/{environment}"
    return (
        f"{failure}\nRDS instance {previous} is in use again; {restored['instance']} is kept. Run the same command again to continue, or run {site} "
        f"to bring everything that has switched over back to {previous}."
    )


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        restoring = (restore_refused, rds_restore_asked, rds_restore_said, rds_restore_failed)
        return {f.__name__: f for f in (rds_tags, rds_protected, rds_removals, *restoring)}
