"""What a run works on: the environments of its inventory, and the directory where it keeps what can be made again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError


def variables(play: Any) -> dict[str, dict[str, Any]]:
    """Return the variables of the inventory's environments, as they are written: what is wrong there is for preflight to say."""
    manager = play.get_variable_manager()
    group = manager._inventory.groups.get("berth")  # no public way leads there before the first task
    hosts = group.get_hosts() if group else []
    try:
        return {host.name: manager.get_vars(play=play, host=host) for host in hosts}
    except AnsibleError:  # a file that cannot be read, such as an encrypted one without its password, which Ansible itself is about to say
        return {}


def environments(play: Any) -> dict[str, Any]:
    """Return the inventory's environments, each with its provider."""
    return {name: found.get("berth_provider") for name, found in variables(play).items()}


def cache() -> Path:
    """Return the directory where Berth keeps what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "berth"
