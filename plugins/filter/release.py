"""The final message of a release."""

from __future__ import annotations

from typing import Any


def release_summary(app: dict[str, Any], name: str, environment: str, url: str, version: str) -> str:
    """Return where the app answers, which release it is, and the two commands to use next.

    Args:
        app: The fact ``app_facts``.
        name: The app's name.
        environment: The inventory's name.
        url: Where it answers, empty if this machine cannot reach a node.
        version: The release's version; empty in check mode, which prints nothing more about it.
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
