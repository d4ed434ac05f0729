"""What a run says at the end of the release that it has made."""

from __future__ import annotations

from typing import Any


def release_summary(app: dict[str, Any], name: str, environment: str, url: str, version: str) -> str:
    """Return where the app answers, which release that is, and the two commands that are of use now.

    Args:
        app: The fact ``app_facts``.
        name: The app's.
        environment: The inventory's.
        url: Where it answers, empty where this machine reaches no node.
        version: The release's; empty for one that is only looked at (check mode), of which nothing more is said.
    """
    command = f"ansible-playbook playbooks/ops/{{}}.yml -i inventories/{environment}"
    where = f"answers at {url}" if url else f"runs; this machine reaches no node of the cluster: {command.format('open')}"
    if not version:
        return f"{name} {where}"
    replicas = app["replicas"]
    return "\n".join(
        [
            f"{name} {where}",
            f"release: version {version}, revision {app['revision']}, {replicas} pod{'s' * (int(replicas) != 1)}",
            f"next: {command.format('status')}",
            f"      {command.format('logs')}",
        ]
    )


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"release_summary": release_summary}
